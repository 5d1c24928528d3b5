"""The worker: from the outbox to the far end and back, whatever goes wrong."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import (
    T0,
    HandClock,
    MemoryOutbox,
    ObedientChannel,
    PlainChannel,
    make_incident,
    make_notification,
    make_resolved,
    until,
)

from eventd.contract import Pace, Settled
from eventd.errors import DeliveryError, DeliveryFailure, StoreError
from eventd.model import Notification, utc
from eventd.notify import guard, rests
from eventd.notify import worker as room
from eventd.notify.backoff import BASE_S, CAP_S, full_jitter
from eventd.notify.delivery import Delivery
from eventd.notify.refusals import MAX_AGE_S, MAX_INTERNAL_TRIES, REFUSED_FOR_S, UNHAPPY_FOR_S
from eventd.notify.standing import Standing
from eventd.telemetry import Telemetry


class House:
    """Delivery with everything around it made by hand."""

    def __init__(self, **channels: ObedientChannel) -> None:
        self.clock, self.telemetry, self.outbox = HandClock(), Telemetry(), MemoryOutbox()
        self.channels = channels
        self.delivery = Delivery(self.outbox, channels, self.telemetry, self.clock, random.Random(1))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.delivery.run())
        try:
            yield
        finally:
            await self.delivery.drain(1.0)
            await asyncio.wait_for(task, 1.0)

    def put(self, *notifications: Notification) -> None:
        self.outbox.put(*notifications)
        self.delivery.wake()

    async def settled(self, count: int) -> None:
        """Until so many tries have ended, moving time on whenever everybody waits."""

        def done() -> bool:
            self.clock.jump(5.0)
            self.delivery.wake()
            return len(self.outbox.settled) >= count

        await until(done)

    def count(self, name: str, *labels: str) -> float:
        return self.telemetry.value(name, *labels)


def trouble(
    reason: DeliveryFailure = DeliveryFailure.CONNECT, *, retryable: bool = True, after: float | None = None
) -> DeliveryError:
    return DeliveryError(reason, "https://far.example: no", retryable=retryable, retry_after_s=after)


def numbered(count: int, channel: str = "ops") -> list[Notification]:
    return [make_notification(channel, make_incident(id=f"i{n}")) for n in range(count)]


async def test_what_is_enqueued_is_delivered_in_order_and_counted() -> None:
    house = House(ops=ObedientChannel())
    async with house.running():
        house.put(*numbered(3))
        await until(lambda: len(house.outbox.settled) == 3)
    assert [n.incident.id for n in house.channels["ops"].told] == ["i0", "i1", "i2"]
    assert house.outbox.outcomes == ["delivered"] * 3
    assert house.count("notifications", "ops", "delivered") == 3
    assert house.channels["ops"].closed == 1


async def test_known_label_sets_start_at_zero() -> None:
    house = House(ops=ObedientChannel())
    for outcome in ("delivered", "superseded", "dead"):
        assert ("ops", outcome) in house.telemetry.values("notifications")
    assert {reason for _, reason in house.telemetry.values("notification_failures")} == set(DeliveryFailure)


async def test_the_latency_is_measured_from_the_verdict_to_the_answer() -> None:
    house = House(ops=ObedientChannel())
    house.clock.jump(42.0)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    (found,) = [values for spec, values in house.telemetry.seen() if spec.name == "notification_latency_seconds"]
    assert {total for _, total in found.values() if total} == {42.0}


async def test_a_passing_failure_is_tried_again_under_the_same_id() -> None:
    house = House(ops=ObedientChannel(trouble(), trouble()))
    async with house.running():
        house.put(make_notification())
        await house.settled(3)
    assert house.outbox.outcomes == ["retry", "retry", "delivered"]
    assert len({n.id for n in house.channels["ops"].told}) == 1
    assert [n.attempts for n in house.channels["ops"].told] == [0, 1, 2]
    assert house.count("notification_failures", "ops", "connect") == 2


async def test_nothing_is_tried_before_its_time() -> None:
    house = House(ops=ObedientChannel(trouble(after=30.0)))
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
        for _ in range(5):
            house.delivery.wake()
            await asyncio.sleep(0.005)
        assert len(house.channels["ops"].told) == 1
        assert house.outbox.settled[0].retry_at == T0 + 30.0
        house.clock.jump(30.5)
        house.delivery.wake()
        await until(lambda: len(house.outbox.settled) == 2)


async def test_while_a_far_end_asks_for_peace_the_whole_channel_is_quiet() -> None:
    house = House(ops=ObedientChannel(trouble(DeliveryFailure.RATE_LIMITED, after=30.0)))
    async with house.running():
        house.put(*numbered(3))
        await until(lambda: house.outbox.settled)
        for _ in range(5):
            house.delivery.wake()
            await asyncio.sleep(0.005)
        assert len(house.channels["ops"].told) == 1


async def test_one_dead_far_end_does_not_hold_up_the_others() -> None:
    stuck, fine = ObedientChannel(), ObedientChannel()
    stuck.gate.clear()
    house = House(stuck=stuck, fine=fine)
    async with house.running():
        house.put(*numbered(2, "stuck"), *numbered(5, "fine"))
        await until(lambda: len(house.outbox.settled) == 5)
        stuck.gate.set()


async def test_what_the_far_end_will_never_take_is_given_up_and_counted() -> None:
    class Picky(PlainChannel):
        async def deliver(self, notification: Notification) -> None:
            if notification.incident.id == "i0":
                raise trouble(DeliveryFailure.REFUSED, retryable=False)

    house = House(ops=Picky(plain_trouble=trouble(DeliveryFailure.REFUSED, retryable=False)))
    with structlog.testing.capture_logs() as logs:
        async with house.running():
            house.put(*numbered(1))
            await house.settled(1)
            assert house.outbox.outcomes[0] == "retry", "who takes nothing may be to blame"
            house.put(make_notification(incident=make_incident(id="i1")))
            while "dead" not in house.outbox.outcomes:
                await house.settled(len(house.outbox.settled) + 1)
    assert house.outbox.outcomes[-2:] == ["delivered", "dead"]
    assert house.outbox.settled[-1].error == "refused: https://far.example: no"
    assert house.count("notifications", "ops", "dead") == 1
    assert [line["event"] for line in logs].count("notification given up") == 1


async def test_what_could_not_be_told_for_a_day_is_given_up() -> None:
    house = House(ops=ObedientChannel(trouble()))
    async with house.running():
        house.put(make_notification(created_at=utc(T0 - MAX_AGE_S - 1)))
        await until(lambda: house.outbox.settled)
    assert house.outbox.outcomes == ["dead"]


async def test_what_took_the_place_of_something_old_is_not_too_old() -> None:
    house = House(ops=ObedientChannel(trouble()))
    async with house.running():
        house.put(make_notification(untold_since=utc(T0 - MAX_AGE_S - 100)))
        await house.settled(2)
    assert house.outbox.outcomes == ["retry", "delivered"]
    assert house.channels["ops"].told[0].incident.late_s > MAX_AGE_S


async def test_even_an_old_message_gets_one_try_and_says_how_late_it_is() -> None:
    house = House(ops=ObedientChannel())
    async with house.running():
        house.put(make_notification(created_at=utc(T0 - 90_000)))
        await until(lambda: house.outbox.settled)
    assert house.outbox.outcomes == ["delivered"]
    assert house.channels["ops"].told[0].incident.late_s == 90_000


@pytest.mark.parametrize(("waited", "late"), [(0, None), (60, None), (61, 61)])
async def test_a_message_is_late_after_a_minute(waited: float, late: float | None) -> None:
    house = House(ops=ObedientChannel())
    house.clock.jump(waited)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert house.channels["ops"].told[0].incident.late_s == late


@pytest.mark.parametrize("bug", [ValueError("token=hunter22"), KeyError("x"), RecursionError(), TypeError()])
async def test_a_bug_in_a_channel_is_counted_tried_a_few_times_and_given_up(bug: Exception) -> None:
    house = House(ops=ObedientChannel(bug, bug, bug))
    with structlog.testing.capture_logs() as logs:
        async with house.running():
            house.put(make_notification())
            await house.settled(3)
            house.put(*numbered(1))
            await house.settled(4)
    assert house.outbox.outcomes == ["retry", "retry", "dead", "delivered"]
    assert house.count("notification_failures", "ops", "internal") == MAX_INTERNAL_TRIES
    assert "hunter22" not in repr(logs) + repr(house.outbox.settled)
    assert type(bug).__name__ in repr(logs)


@pytest.mark.parametrize(
    "first",
    [
        trouble(DeliveryFailure.RENDER, retryable=False),
        trouble(DeliveryFailure.TOO_LARGE, retryable=False),
        ZeroDivisionError(),
    ],
)
async def test_before_a_message_is_given_up_for_its_layout_plain_text_is_tried(first: Exception) -> None:
    channel = PlainChannel(first)
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert house.outbox.outcomes == ["delivered"]
    assert len(channel.plain) == 1
    assert sum(house.telemetry.values("notification_failures").values()) == 1


async def test_when_plain_text_is_refused_too_it_is_given_up() -> None:
    channel = PlainChannel(
        trouble(DeliveryFailure.RENDER, retryable=False),
        plain_trouble=trouble(DeliveryFailure.REFUSED, retryable=False),
    )
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
        began = house.clock()
        assert house.outbox.outcomes == ["retry"]
        channel.troubles = [trouble(DeliveryFailure.RENDER, retryable=False) for _ in range(9000)]
        while "dead" not in house.outbox.outcomes:
            assert house.clock() - began < UNHAPPY_FOR_S + 600
            await house.settled(len(house.outbox.settled) + 1)
    assert house.clock() - began > UNHAPPY_FOR_S - 10
    tries = len(house.outbox.outcomes)
    assert house.count("notification_failures", "ops", "render") == tries
    assert tries + 1 < house.count("notification_failures", "ops", "refused") < 2 * tries, "id and link are refused too"


def malformed(times: int) -> list[Exception | None]:
    return [trouble(DeliveryFailure.REFUSED, retryable=False) for _ in range(times)]


async def test_where_there_is_no_plain_text_what_is_called_malformed_is_tried_for_a_night() -> None:
    """A proxy may answer so, or a receiver of another version, to everything."""
    house = House(ops=ObedientChannel(*malformed(2000)))
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
        began = house.clock()
        while house.clock() - began < 2 * UNHAPPY_FOR_S:
            await house.settled(len(house.outbox.settled) + 1)
        assert set(house.outbox.outcomes) == {"retry"}
        house.channels["ops"].troubles.clear()
        await house.settled(len(house.outbox.settled) + 1)
    assert house.outbox.outcomes[-1] == "delivered"


@pytest.mark.parametrize("kind", [PlainChannel, ObedientChannel])
async def test_once_others_are_taken_it_is_the_message_that_is_malformed(kind: type[ObedientChannel]) -> None:
    """Where there is another form; where there is none, whoever reads it may be mended within a night."""

    class Picky(kind):  # type: ignore[misc,valid-type]
        async def deliver(self, notification: Notification) -> None:
            await super().deliver(notification)
            if notification.incident.id == "i0":
                raise trouble(DeliveryFailure.REFUSED, retryable=False)

    channel, plain = Picky(), kind is PlainChannel
    if plain:
        channel.plain_trouble = trouble(DeliveryFailure.REFUSED, retryable=False)
    house, began = House(ops=channel), T0
    async with house.running():
        house.put(*numbered(1))
        await house.settled(3)
        house.put(make_notification(incident=make_incident(id="i1")))
        while "dead" not in house.outbox.outcomes:
            await house.settled(len(house.outbox.settled) + 1)
    assert house.outbox.outcomes.count("delivered") == 1
    assert house.count("notifications", "ops", "dead") == 1
    assert (house.clock() - began > REFUSED_FOR_S) != plain


async def test_a_far_end_that_refuses_everything_for_minutes_loses_no_alarm() -> None:
    class Sulking(PlainChannel):
        async def deliver(self, notification: Notification) -> None:
            if house.clock() < T0 + 300:
                raise trouble(DeliveryFailure.RENDER, retryable=False)

        deliver_plain = deliver

    house = House(ops=Sulking())
    async with house.running():
        house.put(*numbered(4))
        while house.outbox.outcomes.count("delivered") < 4:
            await house.settled(len(house.outbox.settled) + 1)
    assert "dead" not in house.outbox.outcomes


async def test_the_plain_text_waits_as_long_as_the_far_end_asks() -> None:
    channel = PlainChannel(trouble(DeliveryFailure.RENDER, retryable=False, after=7.0))
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await until(lambda: channel.told)
        for _ in range(20):
            await asyncio.sleep(0)
        assert channel.plain == []
        house.clock.jump(7.1)
        house.delivery.wake()
        await until(lambda: channel.plain)
    assert house.outbox.outcomes == ["delivered"]


async def test_who_asks_for_less_and_says_not_for_how_long_gets_some_seconds() -> None:
    house = House(ops=ObedientChannel(*(trouble(DeliveryFailure.RATE_LIMITED) for _ in range(3))))
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert (house.outbox.settled[0].retry_at or 0) >= T0 + rests.LIMITED_S


async def test_when_plain_text_meets_a_passing_failure_it_is_all_tried_again() -> None:
    channel = PlainChannel(trouble(DeliveryFailure.RENDER, retryable=False), plain_trouble=trouble())
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await house.settled(2)
    assert house.outbox.outcomes == ["retry", "delivered"]


async def test_a_refusal_is_no_reason_to_try_plain_text() -> None:
    channel = PlainChannel(trouble(DeliveryFailure.REFUSED, retryable=False))
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert (house.outbox.outcomes, channel.plain) == (["retry"], [])


def shut(times: int) -> list[Exception | None]:
    return [trouble(DeliveryFailure.REFUSED) for _ in range(times)]


async def test_who_is_shut_out_for_ten_minutes_loses_nothing_and_is_seen_to_fail_at_once() -> None:
    house = House(ops=ObedientChannel(*shut(5)))
    assert house.count("channel_failing_timestamp_seconds", "ops") == 0
    async with house.running():
        house.put(*numbered(3))
        await until(lambda: house.outbox.settled)
        began = house.clock()
        assert house.count("channel_failing_timestamp_seconds", "ops") == began
        standing = house.delivery.standings()["ops"]
        assert (standing.failing_since, standing.rests_until > began) == (began, True)
        assert standing.error
        await house.settled(8)
        await until(lambda: house.count("channel_failing_timestamp_seconds", "ops") == 0)
    assert sorted(house.outbox.outcomes) == ["delivered"] * 3 + ["retry"] * 5
    assert house.delivery.standings()["ops"] == Standing()


async def test_what_is_refused_for_a_night_is_given_up() -> None:
    house = House(ops=ObedientChannel(*shut(2000)))
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
        began = house.clock()
        while "dead" not in house.outbox.outcomes:
            assert house.clock() - began < REFUSED_FOR_S + 600
            await house.settled(len(house.outbox.settled) + 1)
    assert house.clock() - began > REFUSED_FOR_S
    assert house.outbox.outcomes.count("dead") == 1


async def test_one_that_is_refused_holds_up_no_other() -> None:
    class Picky(ObedientChannel):
        async def deliver(self, notification: Notification) -> None:
            await super().deliver(notification)
            if notification.incident.id == "i0":
                raise trouble(DeliveryFailure.REFUSED)

    house = House(ops=Picky())
    async with house.running():
        house.put(*numbered(9))
        await house.settled(25)
    assert house.outbox.outcomes.count("delivered") == 8


async def test_a_far_end_that_keeps_breaking_on_one_message_is_tried_with_plain_text() -> None:
    channel = PlainChannel(*(trouble(DeliveryFailure.SERVER_ERROR) for _ in range(9)))
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await house.settled(room.PLAIN_AFTER_TRIES + 1)
    assert house.outbox.outcomes == ["retry"] * room.PLAIN_AFTER_TRIES + ["delivered"]


async def test_a_channel_without_a_limit_of_its_own_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "TRY_TIMEOUT_S", 0.02)
    channel = ObedientChannel()
    channel.gate.clear()
    house = House(ops=channel)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert house.count("notification_failures", "ops", "timeout") == 1
    assert house.outbox.outcomes[0] == "retry"


async def test_the_same_failure_is_logged_once_and_then_every_ten_minutes() -> None:
    house = House(ops=ObedientChannel(*(trouble() for _ in range(200))))
    with structlog.testing.capture_logs() as logs:
        async with house.running():
            house.put(make_notification())
            await house.settled(40)
    tries, passed = len(house.channels["ops"].told), house.clock() - T0
    lines = [line for line in logs if line["event"] == "notification failed"]
    assert 1 <= len(lines) <= passed / 600 + 1
    assert len(lines) < tries
    assert house.count("log_suppressed") == tries - len(lines)


async def test_another_text_is_logged_at_once_and_so_is_the_recovery() -> None:
    house = House(ops=ObedientChannel(trouble(), trouble(DeliveryFailure.TIMEOUT)))
    with structlog.testing.capture_logs() as logs:
        async with house.running():
            house.put(make_notification())
            await house.settled(3)
    assert [line["event"] for line in logs] == [
        "notification failed",
        "notification failed",
        "channel works again",
    ]


@pytest.mark.parametrize("where", ["claim", "settle"])
async def test_a_failing_store_neither_ends_delivery_nor_loses_an_outcome(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STORE_PAUSE_S", 0.01)
    house = House(ops=ObedientChannel())
    failures: list[Exception] = [StoreError("disk full")] * 3
    real: Callable[..., object] = getattr(house.outbox, where)

    async def failing(*args: object) -> object:
        if failures:
            raise failures.pop()
        return await real(*args)  # type: ignore[misc]

    monkeypatch.setattr(house.outbox, where, failing)
    async with house.running():
        house.put(make_notification())
        await until(lambda: house.outbox.settled)
    assert house.outbox.outcomes == ["delivered"]
    assert len(house.channels["ops"].told) == 1


async def test_what_was_settled_before_the_next_claim_failed_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STORE_PAUSE_S", 0.01)
    house, failures = House(ops=ObedientChannel()), [StoreError("disk full")] * 2
    real = house.outbox.settle_then_claim

    async def failing(settled: Settled, channel: str, now: float) -> Notification | None:
        await house.outbox.settle(settled)
        if failures:
            raise failures.pop()
        return await real(settled, channel, now)

    monkeypatch.setattr(house.outbox, "settle_then_claim", failing)
    async with house.running():
        house.put(*numbered(3))
        await until(lambda: len(house.outbox.settled) == 3)
    assert [n.incident.id for n in house.channels["ops"].told] == ["i0", "i1", "i2"]
    assert house.count("notifications", "ops", "delivered") == 3


async def test_what_was_claimed_with_the_settling_while_we_stop_is_told() -> None:
    house, go_on = House(ops=ObedientChannel()), asyncio.Event()
    real = house.outbox.settle_then_claim

    async def slowly(settled: Settled, channel: str, now: float) -> Notification | None:
        claimed = await real(settled, channel, now)
        await go_on.wait()
        return claimed

    house.outbox.settle_then_claim = slowly  # type: ignore[method-assign]
    task = asyncio.create_task(house.delivery.run())
    house.put(*numbered(3))
    await until(lambda: house.outbox.settled)
    drain = asyncio.create_task(house.delivery.drain(5.0))
    await asyncio.sleep(0)
    go_on.set()
    await drain
    await task
    assert house.outbox.outcomes == ["delivered"] * 2
    assert len(house.outbox.pending) == 1
    assert house.outbox.in_flight == {}


async def test_stopping_waits_for_the_try_in_flight_and_claims_no_more() -> None:
    channel = ObedientChannel()
    channel.gate.clear()
    house = House(ops=channel)
    task = asyncio.create_task(house.delivery.run())
    house.put(*numbered(3))
    await until(lambda: channel.told)
    drain = asyncio.create_task(house.delivery.drain(5.0))
    await asyncio.sleep(0.01)
    assert not drain.done()
    channel.gate.set()
    await drain
    await task
    assert house.outbox.outcomes == ["delivered"]
    assert len(house.outbox.pending) == 2
    assert channel.closed == 1


async def test_stopping_cuts_off_what_takes_too_long_and_leaves_it_in_the_outbox() -> None:
    channel = ObedientChannel()
    channel.gate.clear()
    house = House(ops=channel)
    task = asyncio.create_task(house.delivery.run())
    house.put(make_notification())
    await until(lambda: channel.told)
    await house.delivery.drain(0.02)
    await task
    assert house.outbox.settled == []
    assert len(house.outbox.in_flight) == 1


async def test_stopping_before_the_start_and_twice_is_harmless() -> None:
    channel = ObedientChannel()
    channel.refresh_s = 60.0
    house = House(ops=channel)
    await house.delivery.drain(0.1)
    await asyncio.wait_for(house.delivery.run(), 1.0)
    await house.delivery.drain(0.1)
    assert channel.closed == 1


async def test_being_cancelled_closes_the_channels() -> None:
    house = House(a=ObedientChannel(), b=ObedientChannel(RuntimeError()))
    task = asyncio.create_task(house.delivery.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [channel.closed for channel in house.channels.values()] == [1, 1]


async def test_the_pause_between_two_messages_is_kept() -> None:
    channel = ObedientChannel()
    channel.pace = Pace(apart_s=1.0)
    house = House(ops=channel)
    async with house.running():
        house.put(*numbered(2))
        await until(lambda: house.outbox.settled)
        for _ in range(5):
            house.delivery.wake()
            await asyncio.sleep(0.005)
        assert len(channel.told) == 1
        house.clock.jump(1.1)
        house.delivery.wake()
        await until(lambda: len(channel.told) == 2)


async def test_current_state_is_repeated_at_the_start_and_again_also_after_failures() -> None:
    channel = ObedientChannel(trouble(), ZeroDivisionError())
    channel.refresh_s = 0.01
    house = House(am=channel)
    house.outbox.incidents = [
        make_incident(),
        make_resolved(id="old"),
        make_resolved(id="older", resolved_at=utc(T0 - 901)),
    ]
    async with house.running():
        await until(lambda: len(channel.refreshed) >= 4)
    assert [incident.id for incident in channel.refreshed[0]] == ["a1b2c3d4e5f6", "old"]
    assert set(house.outbox.asked_since) == {T0 - room.RESOLVED_FOR_S}
    assert house.count("notification_refreshes", "am", "failed") == 2
    assert house.count("notification_refreshes", "am", "ok") >= 2
    assert house.count("notification_failures", "am", "connect") == 1
    assert house.count("notification_failures", "am", "internal") == 1


async def test_nothing_open_means_nothing_repeated() -> None:
    channel = ObedientChannel()
    channel.refresh_s = 0.01
    house = House(am=channel)
    async with house.running():
        await until(lambda: house.count("notification_refreshes", "am", "ok") >= 2)
    assert channel.refreshed == []


@given(st.integers(0, 10_000), st.integers())
def test_the_pause_grows_to_a_cap_and_is_never_negative(attempts: int, seed: int) -> None:
    pause = full_jitter(attempts, random.Random(seed))
    assert 0.0 <= pause <= min(CAP_S, BASE_S * 2.0 ** min(attempts, 30))


def test_the_pauses_of_many_are_spread_out() -> None:
    drawn = [full_jitter(20, random.Random(seed)) for seed in range(200)]
    assert min(drawn) < CAP_S * 0.1
    assert max(drawn) > CAP_S * 0.9


# --- a clock that is set back ---------------------------------------------------------------------------------------


async def test_a_pause_that_was_set_while_the_clock_was_ahead_does_not_silence_a_channel() -> None:
    channel = ObedientChannel(trouble(DeliveryFailure.RATE_LIMITED, after=600.0))
    house = House(ops=channel)
    house.clock.jump(86_400)
    async with house.running():
        house.put(*numbered(1))
        await until(lambda: house.outbox.settled)
        house.clock.jump(60 - 86_400)
        house.delivery.wake()
        await until(lambda: len(channel.told) == 2)
    assert house.outbox.outcomes == ["retry", "delivered"]
