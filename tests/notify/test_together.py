"""Pace and digests: how often a channel is told, and what is told together, with a real store behind it."""

import asyncio
import math
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved, until

from eventd.contract import Batch, Pace, Waiting
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Incident, Notification, Told, utc
from eventd.notify.backoff import CAP_S
from eventd.notify.delivery import Delivery
from eventd.notify.lateness import marked_late
from eventd.notify.markup import BARE
from eventd.notify.pacing import COUNTED_S, MINUTE_S, STALE_AFTER_S, Window, together
from eventd.notify.render import duration_text, latest, plain, title
from eventd.notify.template import Renderer, own_template
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry


class Chat:
    """A chat that notes what it is told and when, and can be out of reach or refuse what mentions a word."""

    refresh_s: float | None = None

    def __init__(self, clock: HandClock, pace: Pace, digests: int) -> None:
        self.pace, self.digests, self._clock = pace, digests, clock
        self.told: list[tuple[float, Told]] = []
        self.tries: list[float] = []
        self.away, self.hates, self.chokes, self.takes_s = False, "", "", 0.0

    async def deliver(self, told: Told) -> str | None:
        self.tries.append(self._clock())
        self._clock.jump(self.takes_s)
        if self.away:
            raise DeliveryError(DeliveryFailure.CONNECT, "nobody there", retryable=True, heard=False)
        if self.hates and isinstance(told, Notification) and told.incident.id == self.hates:
            raise DeliveryError(DeliveryFailure.SERVER_ERROR, "500", retryable=True)
        if self.chokes and self.chokes in listed([(0.0, told)]):
            raise DeliveryError(DeliveryFailure.REFUSED, "400", retryable=False)
        self.told.append((self._clock(), told))
        return None

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None: ...

    async def close(self) -> None: ...


class House:
    def __init__(self, per_minute: int | None = 5, digests: int = 100) -> None:
        self.clock, self.telemetry = HandClock(), Telemetry()
        self.store = MemoryStore(clock=self.clock)
        self.chat = Chat(self.clock, Pace(per_minute), digests)
        self.delivery = Delivery(self.store, {"ops": self.chat}, self.telemetry, self.clock, random.Random(1))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.delivery.run())
        try:
            yield
        finally:
            await self.delivery.drain(1.0)
            await asyncio.wait_for(task, 1.0)

    async def put(self, *notifications: Notification) -> None:
        about = {one.incident.id: one.incident for one in notifications}
        await self.store.commit(Batch(notifications=list(notifications), incidents=about))
        self.delivery.wake()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        end = self.clock() + seconds
        while self.clock() < end:
            self.clock.jump(step)
            self.delivery.wake()
            for _ in range(4):
                await asyncio.sleep(0)

    async def empty(self, step: float = 1.0) -> None:
        async with asyncio.timeout(20):
            while self.store.totals()["ops"].pending:
                await self.pass_time(step, step)

    def counted(self) -> tuple[int, int]:
        totals = self.store.totals()["ops"]
        return totals.enqueued, int(self.telemetry.value("notifications", "ops", "delivered"))


def opened(number: int, at: float = T0, **changed: object) -> Notification:
    return make_notification(incident=make_incident(id=f"i{number}", **changed), id=f"n{number}", created_at=utc(at))


def listed(told: Sequence[tuple[float, Told]]) -> list[str]:
    return [
        one.incident.id
        for _, message in told
        for one in (latest(message) if isinstance(message, Digest) else [message])
    ]


async def test_a_storm_is_told_in_a_few_messages_that_list_every_incident() -> None:
    house = House(per_minute=5)
    async with house.running():
        await house.put(*(opened(number) for number in range(80)))
        await house.pass_time(5)
        assert [type(told) for _, told in house.chat.told] == [Notification] * 4 + [Digest]
        last = house.chat.told[-1][1]
        assert isinstance(last, Digest)
        assert (last.why, len(last.notifications)) == ("storm", 76)
    assert sorted(listed(house.chat.told)) == sorted(f"i{n}" for n in range(80))
    assert house.counted() == (80, 80)


@pytest.mark.parametrize(("takes_s", "by_itself"), [(8.0, 7), (14.0, 4)])
async def test_who_is_too_slow_to_be_told_one_by_one_within_a_minute_is_told_together(
    takes_s: float, by_itself: int
) -> None:
    house = House(per_minute=10)
    house.chat.takes_s = takes_s
    async with house.running():
        await house.put(*(opened(number) for number in range(25)), opened(25, severity="critical"))
        await house.pass_time(2 * takes_s)
        [(_, first), (_, digest)] = house.chat.told
        assert isinstance(first, Notification)
        assert isinstance(digest, Digest)
        assert (digest.why, latest(digest)[0].incident.id, len(digest.notifications)) == ("storm", "i25", 25)
        await house.put(*(opened(number) for number in range(30, 30 + by_itself)))
        await house.empty()
    assert [type(told) for _, told in house.chat.told[2:]] == [Notification] * by_itself


async def test_a_digest_holds_no_more_than_the_channel_can_show() -> None:
    house = House(per_minute=5, digests=30)
    async with house.running():
        await house.put(*(opened(n, severity="critical" if n > 94 else "major") for n in range(100)))
        await house.empty()
    assert {f"i{n}" for n in range(95, 100)} <= set(listed(house.chat.told[:5])), "the gravest do not wait for the next"
    sizes = [len(told.notifications) for _, told in house.chat.told if isinstance(told, Digest)]
    assert max(sizes) == 30
    assert sorted(listed(house.chat.told)) == sorted(f"i{n}" for n in range(100))
    digests = [told for _, told in house.chat.told if isinstance(told, Digest)]
    come_after = [
        len(listed(house.chat.told[place + 1 :])) for place, (_, told) in enumerate(house.chat.told) if told in digests
    ]
    assert [digest.more for digest in digests] == come_after
    assert digests[0].more == 66
    for text in (plain(digests[0]), Renderer(own_template("digest.j2"), BARE)(digests[0])):
        assert "66 more follow in the next messages." in text
    assert "follow" not in plain(digests[-1])


@pytest.mark.parametrize("per_minute", [1, 3, 20])
async def test_no_minute_sees_more_than_allowed_whatever_comes(per_minute: int) -> None:
    house, rng = House(per_minute=per_minute, digests=7), random.Random(7)
    number = 0
    async with house.running():
        await house.put(opened(10_000))
        for _ in range(60):
            house.chat.away = rng.random() < 0.2
            for _ in range(rng.choice((0, 0, 1, 5, 40))):
                await house.put(opened(number, house.clock()))
                number += 1
            await house.pass_time(rng.choice((1, 10, 50)), 1.0)
        house.chat.away = False
        await house.empty()
    tries = house.chat.tries
    for index, first in enumerate(tries):
        assert sum(1 for at in tries[index:] if at < first + MINUTE_S) <= per_minute
    assert sorted(listed(house.chat.told)) == sorted([f"i{n}" for n in range(number)] + ["i10000"])


@pytest.mark.parametrize("culprit", [0, 7, 29])
async def test_of_a_digest_that_is_refused_only_the_culprit_is_not_told(culprit: int) -> None:
    house = House(per_minute=5)
    house.chat.chokes = f"i{culprit}"
    async with house.running():
        await house.put(*(opened(number) for number in range(30)))
        await house.pass_time(240)
        others = [f"i{n}" for n in range(30) if n != culprit]
        assert sorted(listed(house.chat.told)) == sorted(others)
        await house.put(*(opened(number, house.clock()) for number in range(30, 60)))
        await house.pass_time(120)
    assert sorted(listed(house.chat.told)) == sorted([*others, *(f"i{n}" for n in range(30, 60))])
    assert house.store.totals()["ops"].pending == 1
    last = house.chat.told[-1][1]
    assert isinstance(last, Digest), "many are told together again"
    for index, first in enumerate(house.chat.tries):
        assert sum(1 for at in house.chat.tries[index:] if at < first + COUNTED_S) <= 5


class PlainChat(Chat):
    """Refuses every form of what mentions a word from the wire."""

    reason, heard = DeliveryFailure.REFUSED, False

    async def deliver(self, told: Told) -> str | None:
        self.tries.append(self._clock())
        if self.chokes in plain(told):
            breaks = self.reason == DeliveryFailure.SERVER_ERROR
            raise DeliveryError(self.reason, "no", retryable=breaks, heard=self.heard)
        self.told.append((self._clock(), told))
        return None

    deliver_plain = deliver


@pytest.mark.parametrize("culprit", [0, 7, 29])
@pytest.mark.parametrize(
    ("known", "fails"),
    [
        (0, DeliveryError(DeliveryFailure.SERVER_ERROR, "500", retryable=True, heard=False)),
        (1, DeliveryError(DeliveryFailure.SERVER_ERROR, "502", retryable=True)),
        (0, DeliveryError(DeliveryFailure.TIMEOUT, "hangs", retryable=True)),
        (1, DeliveryError(DeliveryFailure.REFUSED, "403", retryable=True)),
        (0, DeliveryError(DeliveryFailure.CONNECT, "closed early", retryable=True, heard=True)),
        (0, DeliveryError(DeliveryFailure.INTERNAL, "a bug", retryable=True)),
    ],
)
async def test_a_digest_on_which_the_far_end_breaks_time_and_again_is_taken_apart(
    culprit: int, known: int, fails: DeliveryError
) -> None:
    """It says 500 to one incident, or a gateway before it 502, or a filter 403, or nothing, whatever that is told with:
    nothing else may come that shows who is to blame."""
    house = House()
    BreaksPlainly(house, 10, 30).fails = fails
    async with house.running():
        about = [opened(n, summary="POISON" if n == culprit else "down") for n in range(30)]
        await house.put(*about)
        await house.pass_time(420)
        assert sorted(set(listed(house.chat.told))) == sorted(f"i{n}" for n in range(30))
        if known:
            await house.put(*(opened(number, house.clock()) for number in range(30, 50)))
            await house.pass_time(120)
    assert len(listed(house.chat.told)) == 30 + 20 * known, "each once"
    bare = [told for _, told in house.chat.told if "could not be shown here" in plain(told)]
    assert listed([(0.0, told) for told in bare]) == [f"i{culprit}"]
    assert house.telemetry.value("notifications", "ops", "dead") == 0
    for index, first in enumerate(house.chat.tries):
        assert sum(1 for at in house.chat.tries[index:] if at < first + COUNTED_S) <= 10


async def test_a_far_end_that_broke_on_everything_is_told_everything_whole_when_it_is_back() -> None:
    house = House(per_minute=10)
    house.chat = PlainChat(house.clock, Pace(10), 30)
    house.chat.chokes, house.chat.reason = "INCIDENT", DeliveryFailure.SERVER_ERROR
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(1))
    async with house.running():
        await house.put(*(opened(number, summary="INCIDENT") for number in range(30)))
        await house.pass_time(600, 5)
        house.chat.chokes = "none of them"
        await house.empty(5)
    assert sorted(listed(house.chat.told)) == sorted(f"i{n}" for n in range(30))
    assert not [told for _, told in house.chat.told if "could not be shown here" in plain(told)]
    assert len(house.chat.told) <= 8, "one that shows that it is back, then more and more together"


@pytest.mark.parametrize("chokes", ["POISON", "i0"])
async def test_of_what_is_refused_its_id_and_its_link_are_told_at_last(chokes: str) -> None:
    house = House()
    house.chat = PlainChat(house.clock, Pace(5), 30)
    house.chat.chokes = chokes
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(1))
    wire = {"summary": "POISON i0", "device": "POISON", "peer_name": "POISON", "url": "https://eventd.example.net/i0"}
    async with house.running():
        await house.put(opened(0, **wire), opened(1))
        await house.pass_time(120)
    shown = chokes == "POISON"
    assert house.telemetry.value("notifications", "ops", "delivered") == 1 + shown
    assert house.telemetry.value("notifications", "ops", "dead") == 1 - shown
    assert house.store.totals()["ops"].dead == 1 - shown
    if shown:
        text = plain(house.chat.told[-1][1])
        assert text.startswith("MAJOR (1m ")
        assert "Incident i0 could not be shown here" in text
        assert "https://eventd.example.net/i0" in text
        assert not re.search("Device|Peer|Reason", text)
        assert not [word for word in ("POISON", "203.0.113.7", "Lyon", "dpd", "public", "Gigabit") if word in text]


@pytest.mark.parametrize("per_minute", [None, 5])
async def test_what_is_refused_by_itself_holds_up_no_other(per_minute: int | None) -> None:
    house = House(per_minute)
    house.chat.chokes = "i0"
    async with house.running():
        await house.put(opened(0))
        await house.pass_time(60)
        await house.put(opened(1, house.clock()))
        await house.pass_time(1, 0.1)
        assert listed(house.chat.told) == ["i1"]


async def test_what_was_in_somebodys_hands_counts_as_sent_after_a_restart() -> None:
    house = House(per_minute=1)
    await house.put(opened(0), opened(1))
    assert await house.store.claim("ops", T0)
    await house.store.release("ops")
    async with house.running():
        await house.pass_time(COUNTED_S - 2)
        assert not house.chat.tries
        await house.empty()


async def test_after_a_long_outage_there_is_one_digest_marked_late_and_not_one_message_each() -> None:
    house = House(per_minute=10)
    house.chat.away = True
    async with house.running():
        for number in range(40):
            await house.put(opened(number, house.clock()))
            await house.pass_time(540, 30)
        house.chat.away = False
        await house.empty(30)
    first, *messages = [told for _, told in house.chat.told]
    assert isinstance(first, Notification), "somebody answers again"
    assert first.incident.late_s
    assert len(messages) == 1
    assert isinstance(messages[0], Digest)
    assert messages[0].why == "late"
    assert messages[0].late_s > 540
    assert f"up to {duration_text(messages[0].late_s)} late" in plain(messages[0])
    assert sorted(listed(house.chat.told)) == sorted(f"i{n}" for n in range(40))


async def test_reminders_do_not_make_an_outage_of_the_far_end_shorter() -> None:
    house = House(per_minute=10)
    house.chat.away = True
    async with house.running():
        await house.put(*(opened(number) for number in range(9)))
        for minute in range(1, 8):
            await house.pass_time(60, 5)
            about = (make_incident(id=f"i{n}", news=f"STILL DOWN for {minute} min") for n in range(9))
            again = (make_notification(incident=one, id=f"{one.id}-{minute}", what="updated") for one in about)
            await house.put(*(replace(one, created_at=utc(house.clock())) for one in again))
        house.chat.away = False
        await house.empty(5)
    [first, digest] = [told for _, told in house.chat.told]
    assert isinstance(first, Notification)
    assert first.incident.late_s > 420
    assert "STILL" not in title(first), "it is news"
    assert isinstance(digest, Digest)
    assert (digest.why, digest.late_s > 420) == ("late", True)


async def test_what_was_over_before_the_far_end_came_back_is_not_its_first_news() -> None:
    """The probe of an outage is an alarm, and may be over by the time that somebody answers."""
    house = House()
    house.chat.away = True
    begun = house.clock()
    async with house.running():
        await house.put(opened(1, begun))
        await house.pass_time(39)
        assert house.chat.tries
        about = make_resolved(id="i1", opened_at=utc(begun), resolved_at=utc(begun + 39))
        await house.put(make_notification(incident=about, id="over", created_at=utc(begun + 39)))
        await house.put(opened(2, begun + 60), opened(3, begun + 60))
        await house.pass_time(400, 10)
        house.chat.away = False
        await house.empty(10)
    assert sorted(listed(house.chat.told)) == ["i2", "i3"]
    assert "LATE" in title(house.chat.told[0][1])


async def test_one_message_that_always_fails_holds_up_no_other() -> None:
    house = House(per_minute=None, digests=0)
    house.chat.hates = "i0"
    async with house.running():
        await house.put(*(opened(number) for number in range(10)))
        await house.pass_time(60)
        assert listed(house.chat.told) == [f"i{n}" for n in range(1, 10)]
        house.chat.hates = ""
        await house.empty(10)
    assert listed(house.chat.told)[-1] == "i0"


class Breaks(Chat):
    """Answers everything about a device with 500, or whatever ``fails`` is, and never takes a plainer text."""

    def __init__(self, house: "House", per_minute: int | None = None, digests: int = 0) -> None:
        super().__init__(house.clock, Pace(per_minute), digests)
        self.fails = DeliveryError(DeliveryFailure.SERVER_ERROR, "500", retryable=True)
        self.everything = False
        house.chat = self
        house.delivery = Delivery(house.store, {"ops": self}, house.telemetry, house.clock, random.Random(1))

    async def deliver(self, told: Told) -> str | None:
        self.tries.append(self._clock())
        if self.everything or "POISON" in plain(told):
            raise self.fails
        self.told.append((self._clock(), told))
        return None


class BreaksPlainly(Breaks):
    deliver_plain = Breaks.deliver


FAILS = [
    DeliveryError(DeliveryFailure.SERVER_ERROR, "500", retryable=True),
    DeliveryError(DeliveryFailure.REFUSED, "403", retryable=True),
    DeliveryError(DeliveryFailure.REFUSED, "422", retryable=False),
    DeliveryError(DeliveryFailure.CONNECT, "closed early", retryable=True, heard=True),
    DeliveryError(DeliveryFailure.TIMEOUT, "no answer", retryable=True),
]


@pytest.mark.parametrize("fails", FAILS, ids=str)
@pytest.mark.parametrize(
    ("kind", "per_minute", "bad"),
    [(Breaks, None, 1), (Breaks, None, 5), (BreaksPlainly, 10, 1), (BreaksPlainly, 10, 2)],
)
async def test_some_that_a_far_end_will_not_take_hold_up_no_other(
    kind: type[Breaks], per_minute: int | None, bad: int, fails: DeliveryError
) -> None:
    """Nobody rests for minutes because of them, and what the minute allows is not used up by them."""
    house = House()
    kind(house, per_minute, 30 if per_minute else 0).fails = fails
    async with house.running():
        await house.put(*(opened(number, device="POISON") for number in range(bad)))
        for number, later_s in enumerate((95, 300, 20, 3600, 60), start=10):
            await house.pass_time(later_s)
            await house.put(opened(number, house.clock()))
            await house.pass_time(3)
            assert listed(house.chat.told).count(f"i{number}") == 1, later_s
    per_hour = len([at for at in house.chat.tries if at > house.clock() - 3600])
    assert per_hour < 60 * (bad + 1)


@pytest.mark.parametrize(("kind", "per_minute"), [(Breaks, None), (BreaksPlainly, 10)])
async def test_a_far_end_that_fails_on_everything_is_left_alone(kind: type[Breaks], per_minute: int | None) -> None:
    house = House()
    chat = kind(house, per_minute, 30 if per_minute else 0)
    chat.everything = True
    async with house.running():
        await house.put(*(opened(number) for number in range(300)))
        await house.pass_time(1800)
        assert len(chat.tries) < 80, "two for each rest"
        assert [now for now in chat.tries if now > T0 + 900] != []
        chat.everything = False
        await house.empty(5)
    assert sorted(set(listed(chat.told))) == sorted(f"i{n}" for n in range(300))


async def test_when_a_far_end_is_back_the_bad_ones_of_before_are_not_what_it_is_tried_with() -> None:
    house = House()
    chat = Breaks(house)
    chat.everything = True
    async with house.running():
        await house.put(*(opened(number, device="POISON") for number in range(5)), *map(opened, range(10, 20)))
        await house.pass_time(3600)
        chat.everything = False
        await house.pass_time(2 * CAP_S)
    assert sorted(listed(chat.told)) == [f"i{n}" for n in range(10, 20)]


async def test_a_slow_far_end_without_digests_hears_first_of_what_is_critical() -> None:
    house = House(per_minute=None, digests=0)
    house.chat.takes_s = 8.0
    async with house.running():
        await house.put(*(opened(number) for number in range(60)))
        await until(lambda: len(house.chat.told) > 1)
        await house.put(opened(60, house.clock(), severity="critical"))
        began = house.clock()
        await until(lambda: "i60" in listed(house.chat.told))
    assert house.clock() - began <= 17


async def test_what_was_held_is_told_together_when_the_quiet_hours_end() -> None:
    house = House()
    morning = utc(T0 + 3600)
    held = [
        make_notification(incident=make_incident(id=f"i{n}"), id=f"n{n}", due_at=morning, held=True) for n in (1, 2)
    ]
    async with house.running():
        await house.put(*held, opened(3))
        await house.pass_time(3590, 10)
        assert listed(house.chat.told) == ["i3"]
        await house.pass_time(30, 10)
    (_, digest) = house.chat.told[-1]
    assert isinstance(digest, Digest)
    assert digest.why == "quiet"
    assert sorted(listed(house.chat.told)) == ["i1", "i2", "i3"]


async def test_a_channel_that_became_one_without_digests_is_told_one_by_one_of_what_was_sealed() -> None:
    house = House(digests=0)
    await house.put(*(opened(number) for number in range(3)))
    assert await house.store.seal("ops", house.clock(), "storm", 9) is not None
    await house.store.release()
    async with house.running():
        await until(lambda: len(house.chat.told) == 3)
    assert [type(told) for _, told in house.chat.told] == [Notification] * 3
    assert house.counted() == (3, 3)


async def test_what_may_have_been_told_when_eventd_was_killed_is_told_alone_in_the_midst_of_a_storm() -> None:
    house = House(per_minute=1)
    await house.put(*(opened(number) for number in range(9)))
    assert await house.store.claim("ops", house.clock()) is not None
    house.store.restart()
    async with house.running():
        await house.empty(30)
    first, *others = [told for _, told in house.chat.told]
    assert first.id == "n0"
    assert [type(told) for told in others] == [Digest]


async def test_a_restart_remembers_what_the_last_minute_saw() -> None:
    house = House(per_minute=3)
    async with house.running():
        await house.put(*(opened(number) for number in range(2)))
        await until(lambda: len(house.chat.told) == 2)
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(2))
    async with house.running():
        await house.put(*(opened(number) for number in range(10, 20)))
        await house.pass_time(10)
        assert len(house.chat.told) == 3
    assert sorted(listed(house.chat.told)) == sorted(["i0", "i1"] + [f"i{n}" for n in range(10, 20)])


async def test_whoever_is_killed_time_and_again_keeps_to_the_minute() -> None:
    """Each time the far end has just taken a message and nobody has heard of it; the next life tells it again."""
    house, taken = House(per_minute=5, digests=0), list[float]()
    await house.put(*(opened(number) for number in range(9)))

    async def cut_off(told: Told) -> str | None:
        taken.append(house.clock())
        await asyncio.Event().wait()
        return None

    async def told(told: Told) -> str | None:
        taken.append(house.clock())
        house.chat.deliver = cut_off  # type: ignore[method-assign]
        return None

    for _ in range(9):
        house.chat.deliver = told  # type: ignore[method-assign]
        house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(2))
        life = asyncio.create_task(house.delivery.run())
        await house.pass_time(4)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        house.store.restart()
    assert len(taken) == 5, "within 36 s"


async def test_who_fails_goes_on_to_fail_over_a_restart_and_who_is_gone_is_not_seen_any_more() -> None:
    house = House()
    house.chat.away = True
    house.delivery = Delivery(house.store, {"ops": house.chat, "gone": house.chat}, house.telemetry, house.clock)
    async with house.running():
        await house.put(opened(1), opened(2))
        await house.put(make_notification(id="g", channel="gone"))
        await house.pass_time(5)
    gauge = "channel_failing_timestamp_seconds"
    began = house.telemetry.value(gauge, "ops")
    assert began
    assert house.telemetry.value(gauge, "gone")
    house.clock.jump(100)
    house.store.restart()
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock)
    async with house.running():
        await house.pass_time(5)
        assert house.telemetry.values(gauge) == {("ops",): began}
        house.chat.away = False
        await house.empty()
        assert house.telemetry.values(gauge) == {("ops",): 0}


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans())), st.integers(1, 6), st.floats(0, 5))
def test_a_window_never_lets_more_through_than_its_pace(
    steps: list[tuple[float, bool]], per_minute: int, apart: float
) -> None:
    window, now, sent = Window(Pace(per_minute, apart)), T0, list[float]()
    for wait, eager in steps:
        now = max(now + wait, window.opens(now) if eager else 0.0)
        if window.opens(now) <= now:
            assert window.free(now) >= 1
            window.note(now)
            sent.append(now)
    for index, first in enumerate(sent):
        assert sum(1 for at in sent[index:] if at < first + MINUTE_S) <= per_minute
    assert all(b - a >= apart - 1e-6 for a, b in pairwise(sent))


def test_a_clock_that_was_set_back_does_not_close_the_window() -> None:
    window = Window(Pace(1))
    window.note(T0 + 86_400)
    assert window.opens(T0) <= T0


@pytest.mark.parametrize(
    ("waiting", "free", "why"),
    [
        (Waiting(0, None, 0), 1, None),
        (Waiting(1, T0 - 9 * STALE_AFTER_S, 1), 0, None),
        (Waiting(2, T0, 0), 2, None),
        (Waiting(2, T0, 0), 1, "storm"),
        (Waiting(2, T0 - STALE_AFTER_S - 1, 0), math.inf, "late"),
        (Waiting(2, T0 - STALE_AFTER_S - 1, 2), 1, "quiet"),
        (Waiting(3, T0, 0, 2), 5, "new"),
        (Waiting(1, T0, 0, 1), 5, None),
    ],
)
def test_what_is_told_together_and_why(waiting: Waiting, free: float, why: str | None) -> None:
    assert together(waiting, free, T0) == why


@pytest.mark.parametrize(("why", "for_that"), [("quiet", "held"), ("new", "catches_up")])
def test_a_digest_does_not_say_of_all_what_is_true_of_some_and_how_late_it_is(why: Any, for_that: str) -> None:
    one, other = (replace(opened(number), **{for_that: True}) for number in (1, 2))
    digest = Digest("d", "ops", why, (one, other), utc(T0 + 1))
    assert "what else there was" not in plain(digest)
    assert "late" not in plain(digest)
    late = marked_late(replace(digest, notifications=(one, other, opened(3))), T0 + 270)
    for text in (plain(late), Renderer(own_template("digest.j2"), BARE)(late)):
        assert "and what else there was to tell. Up to 4m 30s late: this channel could not be told sooner." in text


def test_a_digest_lists_open_incidents_first_and_of_each_the_latest() -> None:
    over = make_notification(incident=make_resolved(id="a"), id="a2")
    grave = make_notification(incident=make_incident(id="c", severity="critical"), id="c")
    told = (make_notification(incident=make_incident(id="a"), id="a1"), make_notification(id="b"), over, grave)
    digest = Digest("d", "ops", "storm", told, utc(T0))
    assert [one.id for one in latest(digest)] == ["c", "b", "a2"]
    for text in (Renderer(own_template("digest.j2"), BARE)(digest), plain(digest)):
        lines = text.splitlines()
        assert "3 INCIDENTS" in lines[0]
        assert "2 open, 1 resolved" in lines[0]
        assert sum("branch-7" in line for line in lines) == 3


@pytest.mark.parametrize("reason", [DeliveryFailure.REFUSED, DeliveryFailure.RENDER])
@pytest.mark.parametrize("several", [1, 2])
async def test_what_is_refused_and_alone_is_told_as_id_and_link_within_two_minutes(
    reason: DeliveryFailure, several: int
) -> None:
    """At night nothing else comes that could show that the far end takes other things."""
    house = House(per_minute=10)
    house.chat = PlainChat(house.clock, Pace(10), 30)
    house.chat.chokes, house.chat.reason = "POISON", reason
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(1))
    async with house.running():
        await house.put(*(opened(number, device="POISON") for number in range(several)))
        await house.pass_time(120)
    assert house.telemetry.value("notifications", "ops", "delivered") == several
    assert ["could not be shown here" in plain(told) for _, told in house.chat.told] == [True] * several
    assert [at for at, _ in house.chat.told if at < T0 + 60] == [], "it was tried whole for a minute"


async def test_how_long_something_was_refused_is_known_after_a_restart() -> None:
    house = House()
    house.chat = Shut(house.clock, Pace(5), 30)
    for hours in (7, 6):
        house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(1))
        async with house.running():
            if hours == 7:
                await house.put(opened(0))
            assert house.store.totals()["ops"].dead == 0
            await house.pass_time(hours * 3600.0, 60.0)
    assert house.store.totals()["ops"].dead == 1


class Shut(Chat):
    """Its key is not known any more."""

    async def deliver(self, told: Told) -> str | None:
        raise DeliveryError(DeliveryFailure.REFUSED, "403", retryable=True, heard=False)


async def test_what_waits_for_the_next_minute_can_be_dropped() -> None:
    """Its layout was refused and took what the minute allows: its plain text is not on the wire yet."""
    house = House()
    house.chat = PlainChat(house.clock, Pace(1), 30)
    house.chat.chokes, house.chat.reason = "POISON", DeliveryFailure.RENDER
    house.delivery = Delivery(house.store, {"ops": house.chat}, house.telemetry, house.clock, random.Random(1))
    async with house.running():
        await house.put(opened(0, device="POISON"))
        await until(lambda: house.chat.tries)
        await house.pass_time(5)
        assert (await house.store.drop("n0", "ann")).state == "dead"
        await house.put(opened(1, house.clock()))
        await house.pass_time(COUNTED_S + 5)
        assert (listed(house.chat.told), len(house.chat.tries)) == (["i1"], 2)
    totals = house.store.totals()["ops"]
    assert (totals.delivered, totals.dead, totals.pending) == (1, 1, 0)


async def test_what_never_reached_the_far_end_is_told_as_it_stands_when_it_does_and_once() -> None:
    house = House(per_minute=1)
    house.chat.away = True
    async with house.running():
        await house.put(*(opened(number) for number in range(15)))
        await until(lambda: house.chat.tries)
        await house.pass_time(300, 5)
        about = [make_incident(id=f"i{n}", news="STILL DOWN for 5 min") for n in range(15)]
        again = (make_notification(incident=one, id=f"{one.id}-again", what="updated") for one in about)
        await house.put(*(replace(one, created_at=utc(house.clock())) for one in again))
        await house.pass_time(60, 5)
        house.chat.away = False
        await house.empty(5)
    assert sorted(listed(house.chat.told)) == sorted(f"i{n}" for n in range(15))
    told = [one for _, message in house.chat.told for one in getattr(message, "notifications", [message])]
    assert all(one.id.endswith("-again") for one in told)
