"""Where the time of a message goes: CPU µs per message and stage, of one eventd taken apart in one process.

    python tests/bench/stages.py [--load NAME] [--rounds N] [--messages N] [--to FOLDER]

Every stage is the real one (socket, parsers, handlers, correlator, database with fsync, templates), called for a batch
at a time. The same batch then goes through a second, whole eventd by its pipeline: *whole* is what that costs, so
*between* is what the stages do not explain (calls, batches, threads that wait for each other). The log is folded in
after each batch that it is due for, and not beside the next one. Batches of all loads
take turns. The first round is thrown away. Only CPU time of this process is counted, not what it waits for the disk.
*outages* is a load for the end of the line: every message is one more tunnel that stays down and is told of by itself.
"""

import argparse
import asyncio
import gc
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from about import Clock  # noqa: E402  neither folder is a package
from loads import LOADS, USER, Load  # noqa: E402
from results import STAGES, TELLING, Costs  # noqa: E402
from storm import stop_line  # noqa: E402
from tables import printed, stages, telling  # noqa: E402

from eventd import ledger, registry  # noqa: E402
from eventd.contract import Batch, JournalRow, Settled, Verdict  # noqa: E402
from eventd.correlate import Correlator, Settings  # noqa: E402
from eventd.decode import Decoder  # noqa: E402
from eventd.intake import Intake  # noqa: E402
from eventd.inventory import Inventory  # noqa: E402
from eventd.model import Change, Event, Message, Notification, Told  # noqa: E402
from eventd.notify import routing, slack  # noqa: E402
from eventd.notify.session import Session  # noqa: E402
from eventd.parse import snmp_pdu  # noqa: E402
from eventd.parse.framing import split_datagram  # noqa: E402
from eventd.parse.snmp import Access, parse_notification, transport_of  # noqa: E402
from eventd.parse.syslog import glance_at, parse_syslog  # noqa: E402
from eventd.pipeline import Pipeline  # noqa: E402
from eventd.receivers.udp import UdpReceiver  # noqa: E402
from eventd.store import base as store  # noqa: E402
from eventd.store import database  # noqa: E402
from eventd.store.rows import micros, text  # noqa: E402
from eventd.store.sqlite import FOLD_ROWS, SqliteStore  # noqa: E402
from eventd.store.writer import Writer  # noqa: E402
from eventd.telemetry import Telemetry, setup_logging  # noqa: E402

#: Messages of one commit under load.
BATCH = 512
#: Datagrams sent before the socket is looked at: as many as a receive buffer holds that needs no privilege.
BURST = 128
#: Messages a second by the clock that the judgement sees; what eventd bears of most loads on one busy processor.
RATE = 5000.0
WANTED = ("relevant", "fresh", "irrelevant", "changes", "fleet", "traps", "fresh traps", "v3 traps", "outages")
#: Of these, so far apart that each is over its hold before the next one comes.
OUTAGES_APART_S = 20.0
OUTAGES = Load(
    "outages",
    "syslog_udp",
    lambda first, count: (stop_line(n, device=f"FW{n}").encode() for n in range(first, first + count)),
)
CHANNEL = "ops"
ROUTES = routing.Routes([routing.Route(channels=(CHANNEL,))])


class SentTime:
    """Time that goes on by what was sent."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def route(change: Change, now: float) -> list[Notification]:
    """What the pipeline calls."""
    return routing.notifications(change, ROUTES, {CHANNEL: None}, now)


def decoder() -> Decoder:
    """One that knows the users of the loads."""
    return Decoder(registry.load(), Inventory(), Access(["public"], [USER]))


def forget_what_came_once() -> None:
    """Lists of variables are kept by the whole process from the second time on; here each message comes three times, in
    service once."""
    snmp_pdu._lists.met.forget()


def channel() -> slack.Slack:
    """Where notifications go; only their text is made."""
    made = slack.build(CHANNEL, slack.Settings(url="https://chat.example/hook"), Session())
    assert isinstance(made, slack.Slack)
    return made


class Apart:
    """One eventd, stage by stage. ``spent`` has CPU seconds, ``told`` the number of notifications."""

    def __init__(self, load: Load, folder: Path, clock: SentTime) -> None:
        self.load, self.clock = load, clock
        self.spent, self.told = defaultdict[str, float](float), 0
        self.telemetry, self.intake = Telemetry(), Intake()
        kind: Any = {"transport": "syslog-udp", "split": split_datagram}
        if load.port == "snmp":
            kind = {"transport": transport_of, "replies": True}
        self.receiver = UdpReceiver("127.0.0.1:0", sink=self.intake, telemetry=self.telemetry, clock=clock, **kind)
        self.access, self.decoder = Access(["public"], [USER]), decoder()
        self.correlator, self.channel = Correlator(Settings(), Inventory()), channel()
        settings = store.Settings(str(folder / "apart.db"))
        database.prepare(Path(settings.path))
        self.db = database.open_writer(Path(settings.path), settings, database.schema())
        self.writer = Writer(self.db, settings, clock)
        self.log = database.connect(Path(settings.path))
        self.rows = self._folded_at = 0

    async def start(self) -> None:
        """Bind, and be ready to send to it."""
        await self.receiver.start()
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.connect(self.receiver.address)

    async def stop(self) -> None:
        """Close everything; every event is in the journal."""
        self._sender.close()
        await self.receiver.stop()
        [(kept,)] = self.db.execute("SELECT count(*) FROM events")
        assert kept == self.rows, f"{kept} rows for {self.rows} events"
        self.log.close()
        self.db.close()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what is spent inside to a stage."""
        started = time.process_time()
        yield
        self.spent[stage] += time.process_time() - started

    async def step(self, payloads: Sequence[bytes]) -> list[Message]:
        """One batch through all stages; the messages as they were received."""
        messages = [one for at in range(0, len(payloads), BURST) for one in self._receive(payloads[at:][:BURST])]
        assert len(messages) == len(payloads), f"{len(messages)} of {len(payloads)} received"
        events = self._decode(messages)
        batch = Batch()
        changes = self._judge(events, batch)
        with self.timed("route"):
            for change in changes:
                batch.notifications.extend(route(change, self.clock()))
        with self.timed("count"):
            ledger.enter(self._sheet(messages, batch), batch.tallies, self.telemetry, self.clock())
        self._commit(batch)
        self._tell()
        return messages

    def _receive(self, payloads: Sequence[bytes]) -> list[Message]:
        for payload in payloads:
            self._sender.send(payload)
        with self.timed("receive"):
            self.receiver.poll()
            return list(self.intake.taken())

    def _decode(self, messages: Sequence[Message]) -> list[Event]:
        forget_what_came_once()
        started = time.process_time()
        for message in messages:
            self._parse(message)
        parsed = time.process_time()
        forget_what_came_once()
        found = [self.decoder.examine(message).result for message in messages]
        decoded = time.process_time()
        self.spent["parse"] += parsed - started
        self.spent["decode"] += decoded - parsed - (parsed - started)
        return [event for event in found if isinstance(event, Event)]

    def _parse(self, message: Message) -> object:
        if self.load.port == "snmp":
            return parse_notification(message.payload, self.access, message.received_at)
        return glance_at(message.payload) or parse_syslog(message.payload)

    def _judge(self, events: Sequence[Event], batch: Batch) -> list[Change]:
        verdicts: list[Verdict] = []
        with self.timed("correlate"):
            for event in events:
                now = event.received_at.timestamp()
                if self.correlator.may_be_due(now):
                    verdicts.append(self.correlator.tick(now))
                verdict = self.correlator.apply(event, now)
                verdicts.append(verdict)
                told = tuple(dict.fromkeys(change.incident.id for change in verdict.changes))
                batch.journal.append(JournalRow(event, verdict.duplicate, told))
            touched = dict.fromkeys(key for verdict in verdicts for key in verdict.touched)
        with self.timed("state"):
            for key in touched:
                batch.states[key] = self.correlator.dump(key)
        changes = [change for verdict in verdicts for change in verdict.changes]
        batch.incidents.update((change.incident.id, change.incident) for change in changes)
        return changes

    def _sheet(self, messages: Sequence[Message], batch: Batch) -> ledger.Sheet:
        sheet = ledger.Sheet()
        for message in messages[len(batch.journal) :]:
            sheet.ends[message.transport, "unrecognised"] += 1
        for row in batch.journal:
            event, reason = row.event, row.event.reason
            sheet.ends[event.transport, "duplicates" if row.duplicate else "correlated"] += 1
            told = None if reason is None or row.duplicate else (reason.category, reason.name or "unknown")
            sheet.told[event.event or "", told] += 1
            sheet.arrived[event.received_at.timestamp()] += 1
        return sheet

    def _commit(self, batch: Batch) -> None:
        self.rows += len(batch.journal)
        started = time.process_time()
        for row in batch.journal:
            one = row.event
            _ = (0, micros(one.received_at), one.device, one.peer, one.event, row.duplicate, text(one))
        rows = time.process_time() - started
        with self.timed("commit"):
            self.writer.commit(batch)
        self.spent["row"] += rows
        self.spent["commit"] -= rows
        if self.db.total_changes - self._folded_at >= FOLD_ROWS:
            self._folded_at = self.db.total_changes
            with self.timed("fold"):
                database.fold(self.log)

    def _tell(self) -> None:
        while (told := self._claim()) is not None:
            with self.timed("render"):
                self.channel.message(self.channel.card(told, self.channel.body(told)))
            with self.timed("outbox"):
                self.writer.queue.settle(Settled(told.id, "delivered"))
            self.told += 1

    def _claim(self) -> Told | None:
        with self.timed("outbox"):
            return self.writer.queue.claim(CHANNEL, self.clock())


class Whole:
    """One eventd behind its sockets, driven step by step by its pipeline. ``spent`` are CPU seconds."""

    def __init__(self, folder: Path, clock: SentTime) -> None:
        self.spent, self._path, self._clock = 0.0, str(folder / "whole.db"), clock

    async def start(self) -> None:
        """Open its store."""
        self._store = await SqliteStore.open(store.Settings(self._path), self._clock)
        self._pipeline = Pipeline(
            intake=Intake(),
            decoder=decoder(),
            correlator=Correlator(Settings(), Inventory()),
            store=self._store,
            telemetry=Telemetry(),
            route=route,
            enqueued=lambda: None,
            clock=self._clock,
        )

    async def step(self, messages: Sequence[Message]) -> None:
        """The same messages."""
        forget_what_came_once()
        started = time.process_time()
        await self._pipeline.step(messages, self._clock())
        await asyncio.wrap_future(self._store._folded)
        self.spent += time.process_time() - started

    async def stop(self) -> None:
        """Close its store."""
        await self._store.close()


class Trial:
    """One load, both ways."""

    def __init__(self, load: Load, folder: Path) -> None:
        self.load, self.clock = load, SentTime()
        folder.mkdir()
        self.apart, self.whole = Apart(load, folder, self.clock), Whole(folder, self.clock)
        self.sent = self._counted = 0
        self.rounds: list[Costs] = []

    async def step(self) -> None:
        """One batch."""
        few = self.load is OUTAGES
        payloads = list(self.load.messages(self.sent, BATCH // 50 if few else BATCH // 10 * 10))
        self.sent += len(payloads)
        self.clock.now += OUTAGES_APART_S * len(payloads) if few else len(payloads) / RATE
        await self.whole.step(await self.apart.step(payloads))

    def end_round(self) -> None:
        """Note what it cost, and begin anew."""
        spent, told, messages = self.apart.spent, max(1, self.apart.told), self.sent - self._counted
        self._counted = self.sent
        stages = {name: spent[name] / messages * 1e6 for name in STAGES}
        whole = self.whole.spent / messages * 1e6 + stages["receive"]
        telling = {name: spent[name] / told * 1e6 for name in TELLING}
        between = whole - sum(stages.values())
        self.rounds.append(Costs(self.load.name, stages, whole, between, telling, self.apart.told / messages * 1000))
        self.apart.spent.clear()
        self.apart.told, self.whole.spent = 0, 0.0

    def costs(self) -> Costs:
        """Medians of all rounds but the first."""
        rounds = self.rounds[1:]
        return Costs(
            self.load.name,
            {name: median(one.stages[name] for one in rounds) for name in STAGES},
            median(one.whole for one in rounds),
            median(one.between for one in rounds),
            {name: median(one.telling[name] for one in rounds) for name in TELLING},
            median(one.notifications_per_1000 for one in rounds),
        )


async def measure(loads: Sequence[Load], rounds: int, messages: int) -> list[Costs]:
    """Batches of all loads in turn."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        trials = [Trial(load, Path(folder) / load.name.replace(" ", "-")) for load in loads]
        for trial in trials:
            await trial.apart.start()
            await trial.whole.start()
        for _ in range(rounds + 1):
            gc.collect()
            for _ in range(max(1, messages // BATCH)):
                for trial in trials:
                    await trial.step()
            for trial in trials:
                trial.end_round()
        for trial in trials:
            await trial.whole.stop()
            await trial.apart.stop()
        return [trial.costs() for trial in trials]


def main() -> None:
    """Run it, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", action="append", choices=WANTED, help="only this one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=5 * BATCH, help="per round and load")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of stages.json")
    asked = parser.parse_args()
    setup_logging(json=True, level="error")
    loads = [load for load in (*LOADS, OUTAGES) if load.name in (asked.load or WANTED)]
    clock = Clock()
    costs = asyncio.run(measure(loads, asked.rounds, asked.messages))
    print("\n".join(printed((stages(costs), telling(costs)))))
    clock.write(asked.to / "stages.json", costs)


if __name__ == "__main__":
    main()
