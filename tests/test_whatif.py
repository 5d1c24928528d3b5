"""Two replays side by side: which incident of one is which of the other, and what is kept of them."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from storm import start_line, stop_line

from eventd import whatif
from eventd.config import load
from eventd.model import Message, utc
from eventd.registry import load as load_handlers

START = 1_790_000_000.0
times = st.integers(0, 60)


def one(began: int, lasted: int | None) -> SimpleNamespace:
    opened = utc(START + began)
    until = whatif._NEVER if lasted is None else opened + timedelta(seconds=lasted)
    return SimpleNamespace(course=SimpleNamespace(opened_at=opened), until=until)


spells = st.lists(st.tuples(times, times | st.none()), max_size=8).map(
    lambda found: [one(began, lasted) for began, lasted in sorted(found, key=lambda pair: pair[0])]
)


@given(spells, spells)
def test_every_incident_is_told_once_and_only_those_that_overlap_are_one(
    first: Sequence[SimpleNamespace], second: Sequence[SimpleNamespace]
) -> None:
    pairs = list(whatif._paired(first, second))
    assert [a for a, _ in pairs if a is not None] == list(first)
    assert [b for _, b in pairs if b is not None] == list(second)
    for a, b in pairs:
        if a is not None and b is not None:
            assert a.course.opened_at <= b.until
            assert b.course.opened_at <= a.until
    assert [(b, a) for a, b in pairs if a and b] == [pair for pair in whatif._paired(second, first) if all(pair)]


@given(spells)
def test_a_run_is_the_same_as_itself(found: Sequence[SimpleNamespace]) -> None:
    assert list(whatif._paired(found, found)) == [(a, a) for a in found]


def test_what_is_kept_grows_with_the_incidents_and_not_with_the_messages() -> None:
    config = load(None)
    registry = load_handlers(config.handlers)
    both = whatif.WhatIf(config, registry, config, registry)

    async def play() -> None:
        for number in range(600):  # a rekey every minute: judged each time, and nobody has to know
            at = START + number * 60
            stop = stop_line(number % 3, "phase2 sa replace")
            for later, line in enumerate((stop, start_line(number % 3))):
                await both.feed(Message("syslog-udp", "192.0.2.1", 514, at + later, line.encode()))
        assert all(not run.known and not run.waiting for run in both._runs)
        for number in range(40):
            at = START + 100_000 + number * 600
            await both.feed(Message("syslog-udp", "192.0.2.1", 514, at, stop_line(number).encode()))
            await both.feed(Message("syslog-udp", "192.0.2.1", 514, at + 100, start_line(number).encode()))
        assert all(len(run.known) == 40 and len(run.waiting) <= 1 for run in both._runs)

    asyncio.run(play())
    found, sum_up = asyncio.run(both.finish())
    assert list(found) == []
    assert sum_up.incidents == whatif.Outcome(same=40, differ=0, only_config=0, only_against=0)
    assert sum_up.suppressed["rekey"] == whatif.Pair(600, 600)
