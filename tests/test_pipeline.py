"""The hallway: everything between two commits belongs together, and nothing is answered or told before the commit."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from examples import some
from hypothesis import given
from hypothesis import strategies as st
from snmp_strategies import UPTIME, bind, bindings, name, v2c
from stopwatch import Stopwatch
from storm import fail_line, mixture, start_line, stop_inform, stop_line, stop_trap

from eventd import correlate
from eventd.commits import MAX_BATCH
from eventd.contract import Batch, Handler
from eventd.correlate import Correlator
from eventd.decode import Decoder
from eventd.errors import StoreError
from eventd.intake import Intake
from eventd.inventory import Device, Inventory
from eventd.model import Change, Message, Notification, Syntax, utc
from eventd.parse.snmp import Access
from eventd.pipeline import Pipeline
from eventd.registry import Registry, load
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry
from eventd.turns import TURN_S

START = 1_790_000_000.0
REGISTRY = load()
SAYS_IPSEC = bind("1.3.6.1.4.1.32473.2.0", Syntax.OCTET_STRING, b"IPSEC ended")


class Clock:
    """Time that only moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class FullDisk(MemoryStore):
    """Fails the first commits, as a full disk does."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.commits: list[Batch] = []
        self.committed = asyncio.Event()

    async def commit(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("database or disk is full")
        self.commits.append(batch)
        await super().commit(batch)
        self.committed.set()


class House:
    """A pipeline with everything around it that has no socket."""

    def __init__(
        self,
        *,
        failures: int = 0,
        registry: Registry = REGISTRY,
        inventory: Inventory | None = None,
        timer: Stopwatch | None = None,
    ) -> None:
        self.clock, self.telemetry, self.intake = Clock(), Telemetry(), Intake()
        self.store = FullDisk(failures)
        self.bugs: list[Exception] = []
        self.woken = 0
        known = inventory or Inventory()
        self.pipeline = Pipeline(
            intake=self.intake,
            decoder=Decoder(registry, known, Access(["public"]), on_bug=lambda error, _: self.bugs.append(error)),
            correlator=Correlator(correlate.Settings(), known),
            store=self.store,
            telemetry=self.telemetry,
            route=self._route,
            enqueued=self._wake,
            clock=self.clock,
            timer=timer or Stopwatch(),
        )

    def _route(self, change: Change, now: float) -> list[Notification]:
        if not change.notify:
            return []
        identity = f"{change.incident.id}-{change.what}-{change.incident.updated_at.isoformat()}"
        return [Notification(identity, "test", change.what, change.incident, utc(now))]

    def _wake(self) -> None:
        self.woken += 1

    def receive(
        self, *payloads: bytes | str, transport: str = "syslog-udp", reply: Callable[[bytes], None] | None = None
    ) -> None:
        for payload in payloads:
            data = payload.encode() if isinstance(payload, str) else payload
            self.telemetry.inc("received", transport)
            self.intake.put([Message(transport, "192.0.2.1", 5000, self.clock.now, data, reply)])

    async def finish(self) -> None:
        self.intake.close()
        await asyncio.wait_for(self.pipeline.run(), 30)

    def faults(self) -> list[str]:
        def total(name: str) -> float:
            return sum(self.telemetry.values(name).values())

        off = {
            "received": total("received") - total("parsed") - total("rejected") - total("queued"),
            "parsed": total("parsed") - total("events") - total("unrecognised"),
            "events": total("events") - total("correlated") - total("duplicates") - total("pending"),
        }
        return [name for name, value in off.items() if value]


async def test_one_batch_is_one_commit_with_everything_in_it() -> None:
    house = House()
    house.receive(stop_line(1), stop_line(2), "not ours", "<999>x")
    await house.finish()
    [batch] = house.store.commits
    assert len(batch.journal) == 2
    assert len(batch.malformed) == 1
    assert batch.states
    assert batch.tallies == {"received": 4, "parsed": 3, "events": 2, "correlated": 2, "unrecognised": 1, "rejected": 1}
    assert house.faults() == []


async def test_an_inform_is_answered_only_after_the_commit() -> None:
    house = House(failures=0)
    order: list[str] = []
    commit = house.store.commit

    async def noted(batch: Batch) -> None:
        await commit(batch)
        order.append("commit")

    house.store.commit = noted  # type: ignore[method-assign]
    house.receive(stop_inform(1), transport="snmp-inform", reply=lambda _: order.append("answer"))
    await house.finish()
    assert order == ["commit", "answer"]


async def test_a_full_disk_loses_nothing_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.commits.COMMIT_RETRY_S", 0.0)
    house = House(failures=3)
    answers: list[bytes] = []
    house.receive(stop_line(1))
    house.receive(stop_inform(9), transport="snmp-inform", reply=answers.append)
    await house.finish()
    assert house.telemetry.value("store_commit_failures") == 3
    assert len((await house.store.events()).items) == 2
    assert len(answers) == 1
    assert house.pipeline.store_failing is None
    assert house.faults() == []


async def test_no_community_is_logged_or_kept_of_a_trap_whatever_becomes_of_it() -> None:
    house, known, strange = House(), stop_trap(1), v2c(bindings(UPTIME, name("1.3.6.1.4.1.32473.1"), SAYS_IPSEC))
    with structlog.testing.capture_logs() as logs:
        house.receive(known, strange, known[:-1], transport="snmp-v2c")
        await house.finish()
    kept = [(await house.store.events()).items[0].event.raw, (await house.store.malformed()).items[0].raw]
    assert [line["event"].partition(";")[0] for line in logs if "raw" in line] == [
        "this looks like an IPsec message and is not recognised",
        "message rejected",
    ]
    for raw in (*kept, *(line["raw"] for line in logs if "raw" in line)):
        assert b"public".hex() not in raw
        assert b"******".hex() in raw


async def test_while_one_batch_is_written_the_next_is_judged_up_to_a_bound() -> None:
    house, disk, answers = House(timer=Stopwatch(TURN_S / 100)), asyncio.Event(), list[bytes]()
    commit, writing = house.store.commit, list[Batch]()

    async def slow(batch: Batch) -> None:
        writing.append(batch)
        await disk.wait()
        await commit(batch)

    house.store.commit = slow  # type: ignore[method-assign]
    house.receive(*[stop_line(number) for number in range(4 * MAX_BATCH)])
    house.receive(stop_inform(9_000), transport="snmp-inform", reply=answers.append)
    running = asyncio.create_task(house.pipeline.run())
    for _ in range(2000):
        await asyncio.sleep(0)
    [first], judged = writing, house.telemetry.value("correlated")
    assert MAX_BATCH <= judged - len(first.journal) < 2 * MAX_BATCH, "the bound, and what one turn took beyond it"
    assert (house.faults(), answers, (await house.store.events()).items) == ([], [], ())
    disk.set()
    house.intake.close()
    await running
    assert len(writing[1].journal) == judged - len(first.journal)
    assert sum(len(batch.journal) for batch in writing) == 4 * MAX_BATCH + 1
    assert len(answers) == 1
    assert house.faults() == []


async def test_a_handler_bug_is_counted_kept_and_costs_nobody_else() -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    good = next(handler for handler in REGISTRY.handlers if "IPSECTUNNELSTART" in str(handler.mnemonics).upper())
    bad = Handler(name="test.bad", vendor="test", mnemonics=("IPSECTUNNELSTOP",), decode_syslog=broken)
    house = House(registry=Registry([good, bad]))
    house.receive(stop_line(1), start_line(2))
    await house.finish()
    assert [type(bug) for bug in house.bugs] == [ZeroDivisionError]
    assert house.telemetry.value("rejected", "syslog-udp", "handler_error") == 1
    assert house.telemetry.value("events", "ipsec.tunnel.start") == 1
    [kept] = (await house.store.malformed()).items
    assert "IPSECTUNNELSTOP" in kept.raw
    assert house.faults() == []


async def test_timers_fire_in_order_of_arrival_times_even_when_the_queue_is_late() -> None:
    house = House()
    house.receive(stop_line(1))
    house.clock.now += 20  # past the outage hold, in arrival time
    house.receive(start_line(1))
    await house.finish()
    incidents = (await house.store.incidents()).items
    assert [incident.kind for incident in incidents] == ["tunnel_down"]
    assert incidents[0].opened_at == utc(START)


async def test_notifications_wake_delivery_after_the_commit() -> None:
    house = House()
    house.receive(stop_line(1))
    house.clock.now += 20
    await house.finish()
    assert house.woken == 1
    assert (await house.store.outbox_counts())["test"]["pending"] == 1


async def test_the_state_that_was_committed_is_enough_to_go_on() -> None:
    first = House()
    first.receive(stop_line(1))
    await first.finish()
    second = House()
    second.pipeline.correlator.load(await first.store.load_states())
    second.clock.now += 20
    await second.finish()
    assert [change.kind for change in second.pipeline.correlator.open_incidents()] == ["tunnel_down"]


async def test_a_trap_meets_the_syslog_of_its_firewall_without_an_inventory() -> None:
    house = House()
    house.receive(stop_line(1, device="FW7"))
    house.receive(stop_trap(1), transport="snmp-v2c")
    await house.finish()
    assert house.telemetry.value("duplicates") == 1


async def test_behind_a_relay_traps_keep_their_address() -> None:
    house = House()
    house.receive(stop_line(1, device="FW7"), stop_line(1, device="FW8"))
    house.receive(stop_trap(1), transport="snmp-v2c")
    await house.finish()
    assert {row.event.device for row in (await house.store.events()).items} == {"FW7", "FW8", "192.0.2.1"}


async def test_the_inventory_names_the_device_whatever_it_sends() -> None:
    known = Inventory([Device("hub", addresses=("192.0.2.1",), hostnames=("FW7",))])
    house = House(inventory=known)
    house.receive(stop_line(1, device="fw7"))
    house.receive(stop_trap(1), transport="snmp-v2c")
    await house.finish()
    assert {row.event.device for row in (await house.store.events()).items} == {"hub"}


async def test_receivers_are_resumed_when_there_is_room_again() -> None:
    intake = Intake(capacity=4)
    resumed: list[bool] = []
    intake.put([Message("syslog-udp", "192.0.2.1", 1, START, b"x")] * 4)
    assert intake.full
    intake.on_room(lambda: resumed.append(True))
    taken = intake.taken()
    next(taken)
    assert not resumed
    assert len(list(taken)) == 3
    assert resumed == [True]
    assert not intake.full


async def test_one_source_has_as_much_of_the_intake_as_is_left_for_others() -> None:
    intake = Intake(capacity=12)

    def put(source: str, count: int) -> None:
        intake.put([Message("syslog-udp", source, 1, START, b"x")] * count)

    put("a", 6)
    assert not intake.crowded("a")
    put("a", 1)
    assert intake.crowded("a")
    assert not intake.crowded("b")
    put("b", 2)
    assert not intake.crowded("b")
    assert not intake.full
    assert len(list(intake.taken())) == 9
    assert not intake.crowded("a")
    assert intake.queued() == {}


async def test_a_step_lasts_as_long_as_a_turn_and_what_it_left_is_queued() -> None:
    house, seen = House(timer=Stopwatch(TURN_S / 9.5)), list[int]()
    house.receive(*[stop_line(number) for number in range(100)])
    running = asyncio.create_task(house.pipeline.run())
    while len(house.intake):
        await asyncio.sleep(0)
        seen.append(len(house.intake))
        assert house.faults() == []
    assert {before - after for before, after in itertools.pairwise([100, *seen])} == {0, 10}
    house.intake.close()
    await running


async def test_sockets_are_looked_at_during_a_long_step() -> None:
    house = House()
    polled: list[int] = []
    house.intake.poll = lambda: polled.append(len(house.intake))
    for number in range(100):
        house.receive(stop_line(number))
    await house.finish()
    assert polled == []  # the intake is closed: nothing more may come
    task, house = None, House()
    house.intake.poll = lambda: polled.append(len(house.intake))
    for number in range(100):
        house.receive(stop_line(number))
    task = asyncio.create_task(house.pipeline.run())
    await asyncio.wait_for(house.store.committed.wait(), 30)
    house.intake.close()
    await task
    assert len(polled) == 3


async def test_an_idle_intake_returns_after_its_timeout_and_at_once_when_closed() -> None:
    intake = Intake()
    await intake.arrival(0.01)
    intake.close()
    await intake.arrival(1000.0)
    assert list(intake.taken()) == []


@pytest.mark.conformance("RFC 5424 §8.5", "the ledger balances after any mixture of messages and garbage")
@some(10)
@given(seed=st.integers(0, 10_000), garbage=st.sampled_from([0.0, 0.1, 0.5]))
def test_the_ledger_balances_after_any_mixture(seed: int, garbage: float) -> None:
    async def run() -> None:
        house = House()
        transports = {"udp": "syslog-udp", "tcp": "syslog-tcp", "snmp": "snmp-v2c"}
        for way, payload in mixture(200, garbage, seed):
            house.receive(payload, transport=transports[way])
            house.clock.now += 0.5
        await house.finish()
        assert house.faults() == []
        ledger = await house.store.ledger()
        assert ledger["received"] == 200 == ledger["parsed"] + ledger.get("rejected", 0)
        assert await house.store.check() == []

    asyncio.run(run())


async def test_a_failed_negotiation_joins_the_stop_before_it() -> None:
    house = House()
    house.receive(stop_line(1))
    house.clock.now += 3
    house.receive(fail_line(1, "authentication fail", 15))
    house.clock.now += 20
    await house.finish()
    [incident] = house.pipeline.correlator.open_incidents()
    assert incident.cause is not None
    assert incident.cause.name == "authentication fail"


async def test_a_message_that_arrives_while_the_pipeline_wakes_up_without_one_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    taken = house.intake.taken
    woken = False

    def too_late() -> Iterator[Message]:
        nonlocal woken
        if not woken:
            woken = True
            house.receive(stop_line(1))
            return iter(())
        return taken()

    monkeypatch.setattr(house.intake, "taken", too_late)
    await house.finish()
    assert house.telemetry.value("events", "ipsec.tunnel.stop") == 1
