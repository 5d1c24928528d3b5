"""Others get the loop while a long list is made."""

import asyncio

import pytest

from eventd import turns


async def test_a_long_list_is_whole_and_lets_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ASIDE_S", 1e-9)
    worked = 0

    async def work() -> None:
        nonlocal worked
        while True:
            worked += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(work())
    assert await turns.in_turns(range(1000)) == [*range(1000)]
    others.cancel()
    assert worked >= 1000 // (2 * turns.ROWS_PER_LOOK)


async def test_the_first_of_many_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ROWS_AT_ONCE", 10)
    rows = [n * 7919 % 1000 for n in range(1000)]
    assert await turns.smallest(rows, 25, lambda row: -row) == [*range(999, 974, -1)]
    assert await turns.smallest(rows, 2000, lambda row: row) == [*range(1000)]


class Time:
    """Goes on while somebody sleeps, during which others use ``busy`` of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, busy: float) -> None:
        self.now = self.spent = 1000.0
        self.busy, self.slept = busy, 0
        monkeypatch.setattr(turns.Turn, "ended", 0.0)
        monkeypatch.setattr(turns.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(turns.time, "thread_time", lambda: self.spent)
        monkeypatch.setattr(turns.asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += seconds
        self.spent += self.busy * seconds


@pytest.mark.parametrize(("busy", "waits"), [(0.1, 1), (0.9, turns.OTHERS)])
async def test_who_is_busy_has_several_turns_for_one_of_work_aside(
    monkeypatch: pytest.MonkeyPatch, busy: float, waits: int
) -> None:
    """By CPU time: whoever waits for something needs no turn."""
    monkeypatch.setattr(turns, "ASIDE_S", 0.125)
    time = Time(monkeypatch, busy)
    turn = turns.Turn()
    await turn.over()
    assert time.slept == 0, "it has just begun"
    time.now += 0.25
    await turn.over()
    assert time.slept == waits


async def test_work_aside_of_several_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ASIDE_S", 0.125)
    time = Time(monkeypatch, 0.0)
    mine = turns.Turn()
    time.now += 0.25
    sleep = time.sleep

    async def beside(seconds: float) -> None:
        """What another answer does while this one sleeps for the first time."""
        await sleep(seconds)
        if time.slept == 1:
            turns.Turn.ended = time.now

    monkeypatch.setattr(turns.asyncio, "sleep", beside)
    await mine.over()
    assert time.slept == 2
