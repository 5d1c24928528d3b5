"""What must never stop the pipeline or its timers: defects of ours, floods, clocks that are set."""

import asyncio
import itertools
from typing import Any

import pytest
from stopwatch import Stopwatch
from storm import stop_inform, stop_line, stop_trap

from eventd import correlate
from eventd.contract import Handler, event_from_syslog
from eventd.correlate import Correlator
from eventd.decode import Decoder
from eventd.intake import Intake
from eventd.inventory import Inventory
from eventd.model import Change, Message, Notification, utc
from eventd.parse.snmp import Access
from eventd.pipeline import Pipeline
from eventd.registry import Registry, load
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry
from eventd.turns import TURN_S

START = 1_790_000_000.0
REGISTRY = load()
JUNK = "<190>Oct  5 2018 10:52:19 FW1 %%01POLICY/6/POLICYPERMIT(l):vsys=public, protocol=17"


class Hall:
    """A pipeline whose clock moves only when told to."""

    def __init__(self, registry: Registry = REGISTRY, store: MemoryStore | None = None) -> None:
        self.now, self.telemetry, self.intake = START, Telemetry(), Intake()
        self.store = store or MemoryStore()
        self.pipeline = Pipeline(
            intake=self.intake,
            decoder=Decoder(registry, Inventory(), Access(["public"])),
            correlator=Correlator(correlate.Settings(), Inventory()),
            store=self.store,
            telemetry=self.telemetry,
            route=self._route,
            enqueued=lambda: None,
            clock=lambda: self.now,
            timer=Stopwatch(TURN_S / 100),
        )

    def _route(self, change: Change, now: float) -> list[Notification]:
        incident = change.incident
        identity = f"{incident.id}-{change.what}-{incident.updated_at.isoformat()}"
        return [Notification(identity, "test", change.what, incident, utc(now))] if change.notify else []

    def receive(self, payload: bytes | str, at: float | None = None, transport: str = "syslog-udp") -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.telemetry.inc("received", transport)
        self.intake.put([Message(transport, "192.0.2.1", 5000, self.now if at is None else at, data)])

    async def finish(self) -> None:
        self.intake.close()
        await asyncio.wait_for(self.pipeline.run(), 10)

    def opened(self) -> float:
        return sum(self.telemetry.values("incidents_opened").values())

    def off(self) -> dict[str, float]:
        total = {
            name: sum(self.telemetry.values(name).values())
            for name in (
                "received",
                "parsed",
                "rejected",
                "queued",
                "events",
                "unrecognised",
                "correlated",
                "duplicates",
            )
        }
        terms = {
            "received": total["received"] - total["parsed"] - total["rejected"] - total["queued"],
            "parsed": total["parsed"] - total["events"] - total["unrecognised"],
            "events": total["events"] - total["correlated"] - total["duplicates"],
        }
        return {name: value for name, value in terms.items() if value}


async def others_turns() -> None:
    """Long enough for the pipeline to take and commit what waits, however slow the machine is."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_a_correlator_bug_on_one_event_does_not_end_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    apply = hall.pipeline.correlator.apply

    def sometimes(event: Any, now: float) -> Any:
        if event.peer == "10.0.1.1":
            raise KeyError("a bug in a rule")
        return apply(event, now)

    monkeypatch.setattr(hall.pipeline.correlator, "apply", sometimes)
    hall.receive(stop_line(1))
    hall.receive(stop_line(2))
    await hall.finish()
    assert len((await hall.store.events()).items) >= 1
    assert hall.off() == {}


async def test_a_bug_in_a_timer_does_not_end_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()

    def broken(now: float) -> Any:
        raise KeyError("a bug in a timer")

    monkeypatch.setattr(hall.pipeline.correlator, "tick", broken)
    hall.receive(stop_line(1))
    hall.now += 20
    await hall.finish()


async def test_a_routing_bug_does_not_end_the_pipeline() -> None:
    hall = Hall()

    def broken(change: Change, now: float) -> list[Notification]:
        raise KeyError("a bug in routing")

    hall.pipeline.route = broken
    hall.receive(stop_line(1))
    hall.now += 20
    await hall.finish()


async def test_a_handler_that_returns_an_event_of_unknown_name_does_not_end_the_pipeline() -> None:
    """Promise 4: a handler bug never stops the service."""
    bad = Handler(
        name="bad",
        vendor="x",
        mnemonics=("IPSECTUNNELSTOP",),
        decode_syslog=lambda record, origin: event_from_syslog(record, origin, event="vendor.new.event"),
    )
    hall = Hall(Registry([bad]))
    hall.receive(stop_line(1))
    await hall.finish()
    assert hall.off() == {}


async def test_a_handler_that_returns_something_that_is_no_event_does_not_end_the_pipeline() -> None:
    bad = Handler(name="bad", vendor="x", mnemonics=("IPSECTUNNELSTOP",), decode_syslog=lambda *_: None)  # type: ignore[arg-type,return-value]
    hall = Hall(Registry([bad]))
    hall.receive(stop_line(1))
    await hall.finish()
    assert hall.off() == {}


async def test_a_handler_whose_event_cannot_be_written_does_not_end_the_pipeline() -> None:
    """A lone surrogate or a number beyond 64 bits passes the decoder and meets the store."""
    bad = Handler(
        name="bad",
        vendor="x",
        mnemonics=("IPSECTUNNELSTOP",),
        decode_syslog=lambda record, origin: event_from_syslog(
            record, origin, event="ipsec.tunnel.stop", peer="10.0.0.1", ifindex=2**70
        ),
    )
    hall = Hall(Registry([bad]))
    hall.receive(stop_line(1))
    await hall.finish()


async def test_a_clock_that_was_ahead_and_is_set_right_does_not_stop_all_alerts() -> None:
    hall = Hall()
    hall.now = START + 86_400  # the machine boots with a clock one day ahead
    hall.receive(stop_line(1))
    task = asyncio.create_task(hall.pipeline.run())
    await others_turns()
    hall.now = START  # NTP sets it right
    hall.receive(stop_line(2))
    await others_turns()
    hall.now += 60  # four times the outage hold
    hall.receive(JUNK)
    await others_turns()
    opened = hall.opened()
    hall.intake.close()
    await asyncio.wait_for(task, 10)
    assert opened >= 1


async def test_waiting_tallies_do_not_stretch_the_sleep_after_the_clock_is_set_back() -> None:
    hall = Hall()
    hall.receive(JUNK)
    task = asyncio.create_task(hall.pipeline.run())
    await others_turns()
    hall.now -= 3600
    patience = hall.pipeline._patience()
    hall.intake.close()
    await asyncio.wait_for(task, 10)
    assert patience <= 1.0


async def test_timers_fire_during_a_flood_of_messages_that_are_not_ours() -> None:
    hall = Hall()
    hall.receive(stop_line(1))
    rounds = 0
    examine = hall.pipeline.decoder.examine

    def flood(message: Message) -> Any:
        """Each message looked at is followed by another: the intake is never empty while the flood lasts."""
        nonlocal rounds
        rounds += 1
        hall.now += 0.05
        if rounds < 3000:  # 150 s of clock
            hall.receive(JUNK)
            hall.receive(JUNK) if rounds < 700 else None
        if rounds == 2000:
            seen.append(hall.opened())
        return examine(message)

    seen: list[float] = []
    hall.pipeline.decoder.examine = flood  # type: ignore[method-assign]
    await hall.finish()
    assert seen == [1], "100 s after the stop, with a hold of 15 s"


async def test_the_loop_gets_its_turn_between_batches_of_messages_that_are_not_ours() -> None:
    hall = Hall()
    trap = stop_trap(1).replace(bytes.fromhex("2b06010401"), bytes.fromhex("2b06010402"))  # of another enterprise
    for _ in range(20_000):
        hall.receive(trap, transport="snmp-v2c")
    left: list[int] = []

    async def heartbeat() -> None:
        while True:
            left.append(len(hall.intake))
            await asyncio.sleep(0)

    beat = asyncio.create_task(heartbeat())
    await asyncio.sleep(0)
    task = asyncio.create_task(hall.pipeline.run())
    while len(hall.intake):  # noqa: ASYNC110  the heartbeat beside it sees how often this loop gets its turn
        await asyncio.sleep(0)
    beat.cancel()
    hall.intake.close()
    await asyncio.wait_for(task, 10)
    steps = [before - after for before, after in itertools.pairwise(left)]
    assert max(steps) <= 101, "more than one step between two turns"


def test_the_intake_is_bounded_in_bytes_too() -> None:
    """20,000 datagrams of 65,507 bytes are 1.3 GB; the unit file grants 1 GB in all."""
    intake, payload = Intake(), bytes(65_507)
    held = 0
    while not intake.full and held < 1 << 30:
        intake.put([Message("syslog-udp", "192.0.2.1", 1, START, payload)])
        held += len(payload)
    assert held < 256 << 20, f"{held >> 20} MiB and not full yet"


async def test_a_renamed_firewall_keeps_its_traps_and_syslogs_together() -> None:
    """`learned` keeps SEVERAL for ever (also over restarts): after a rename traps get the address as device name, and
    the same stop by log and by trap becomes two."""
    hall = Hall()
    for number in range(20):
        hall.receive(stop_line(number, device="FW-OLD"), at=START)
    for day in range(1, 31):
        hall.receive(stop_line(0, device="FW-NEW"), at=START + 86_400 * day)
    hall.now = START + 86_400 * 31
    hall.receive(stop_line(9, device="FW-NEW"))
    hall.receive(stop_trap(9), transport="snmp-v2c")
    await hall.finish()
    newest = (await hall.store.events()).items[:2]
    assert {row.event.device for row in newest} == {"FW-NEW"}


async def test_forged_host_names_do_not_use_up_the_places_for_real_devices() -> None:
    hall = Hall()
    for number in range(10_000):
        hall.pipeline._heard(
            hall.pipeline.decoder.decode(  # type: ignore[arg-type]
                Message("syslog-udp", "198.51.100.66", 1, START, stop_line(1, device=f"FAKE{number}").encode())
            )
        )
    hall.now += 86_400
    hall.receive(stop_line(1, device="HQ-FW-1"))
    await hall.finish()
    assert "HQ-FW-1" in hall.pipeline.last_heard


async def test_an_inform_is_answered_when_a_later_message_of_its_batch_meets_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hall = Hall()
    answers: list[bytes] = []
    data = stop_inform(1)
    hall.telemetry.inc("received", "snmp-inform")
    hall.intake.put([Message("snmp-inform", "192.0.2.1", 1, START, data, answers.append)])
    hall.receive(stop_line(2))
    apply = hall.pipeline.correlator.apply
    monkeypatch.setattr(
        hall.pipeline.correlator,
        "apply",
        lambda event, now: apply(event, now) if event.peer != "10.0.2.1" else 1 / 0,
    )
    with __import__("contextlib").suppress(ZeroDivisionError):
        await hall.finish()
    assert len(answers) == 1
