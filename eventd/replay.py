"""Recorded messages through the real pipeline on a virtual clock: no socket, no store on disk, nobody is told.

What comes out depends on the configuration and the messages alone. Time stands still between two messages but for the
timers of the judgement, each of which fires at its own moment.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from eventd.config import Config
from eventd.contract import Batch, Talker, Verdict
from eventd.correlate import Correlator
from eventd.correlate.state import Decision
from eventd.decode import Decoder
from eventd.errors import ConfigError, DeliveryError, Problem
from eventd.inputs import REORDER, Input, at_time, time_of
from eventd.intake import Intake
from eventd.inventory import engine_id
from eventd.later import Later
from eventd.model import Change, ChangeKind, Event, Incident, Malformed, Message, Notification, utc
from eventd.notify import routing
from eventd.notify.render import plain
from eventd.notify.session import Session
from eventd.parse.recording import UNKNOWN_SOURCE
from eventd.parse.snmp import DEFAULT_ENGINE_ID, Access
from eventd.pipeline import Pipeline
from eventd.registry import Registry, load_notifiers
from eventd.telemetry import Telemetry

#: Virtual time runs on this long behind the last message, for what is still held or open.
RUN_ON_S = 86_400.0
#: When messages were received of which no line says so: a moment nobody takes for a real one.
DEFAULT_START = 946_684_800.0  # 2000-01-01T00:00:00Z
#: A device's stamp beyond this is no time but damage, and would leave no day to run on.
LATEST = 253_370_764_800.0  # 9999-01-01T00:00:00Z


#: What people read of a notification.
Text = Callable[[Notification], str]


class Step(Struct, frozen=True):
    """One thing that happened: a step in the life of an incident (``channel`` and ``text`` null), or a notification
    that would have been sent, ``told`` as which step, with its text as the channel would send it (plain where the
    channel sends none for people). ``kept``: the rule after which a step was told to nobody."""

    at: datetime
    what: str
    incident: Incident
    channel: str | None = None
    text: str | None = None
    kept: str | None = None
    told: ChangeKind | None = None


class IncidentCounts(Struct, frozen=True):
    """Over the whole replay; ``open`` when it ended, and ``kinds`` what was opened."""

    opened: int
    resolved: int
    open: int
    kinds: dict[str, int]


class Summary(Struct, frozen=True):
    """What it came to. It balances: ``messages`` = ``parsed`` + sum of ``rejected``; ``parsed`` = sum of ``events`` +
    ``unrecognised``; sum of ``events`` = ``correlated`` + ``duplicates``. ``unreadable`` lines are no messages;
    ``defects`` are bugs of eventd."""

    what: str
    messages: int
    parsed: int
    rejected: dict[str, int]
    unrecognised: int
    events: dict[str, int]
    correlated: int
    duplicates: int
    suppressed: dict[str, int]
    incidents: IncidentCounts
    notifications: dict[str, int]
    unreadable: int
    defects: int
    first: datetime | None
    last: datetime | None
    until: datetime | None


class _AccessAsRecorded(Access):
    """The API of the journal shows asterisks for a community; its messages were accepted once."""

    def admits(self, community: bytes) -> bool:
        masked = bool(community) and not community.strip(b"*")
        return super().admits(community) or masked


def decoder(config: Config, registry: Registry, on_bug: Callable[[Exception, Message], None] | None = None) -> Decoder:
    """The decoder that a service with this configuration has when it begins."""
    snmp = config.receivers.snmp
    own = engine_id(snmp.engine_id) if snmp and snmp.engine_id else DEFAULT_ENGINE_ID
    access = _AccessAsRecorded(
        snmp.communities if snmp else (),
        config.access_users,
        engine_id=own,
        allowances=config.access_allowances,
        checks="recorded",
    )
    return Decoder(registry, config.inventory, access, config.receivers.trusted_forwarders, on_bug=on_bug)


def texts(config: Config, registry: Registry, problems: list[Problem]) -> dict[str, Text]:
    """The texts of the channels that send any for people, by the channel's name. Channels are built and never used;
    ``problems`` takes why one cannot be: a secret that is not here, a template that does not work."""
    notifiers, found = load_notifiers(), dict[str, Text]()
    session = Session(catalogues=registry.catalogues)
    for channel in config.channels:
        try:
            built = notifiers[channel.type].build(channel.name, channel.settings, session)
        except ConfigError as error:
            problems += error.problems
            continue
        if isinstance(built, Talker):
            found[channel.name] = built.text
    return found


class DeviceClock:
    """When bare messages of one file count as received: when their device says it sent them, under that device's clock
    rule. Those that do not say: when the one before was; before the first that says so at ``start`` (Unix seconds), or
    without it together with that first one.
    """

    def __init__(self, decoder: Decoder, start: float | None) -> None:
        self._decoder, self._known = decoder, start is not None
        self._last = DEFAULT_START if start is None else start

    def __call__(self, payload: bytes) -> float:
        """The time of one bare message, Unix seconds; for `inputs.Reader`."""
        found = self._decoder.decode(Message("syslog-udp", UNKNOWN_SOURCE, 0, self._last, payload))
        stamp = found.device_time if isinstance(found, Event) else None
        if stamp is not None and stamp.timestamp() < LATEST:
            return round(stamp.timestamp(), 6)
        return self._last

    def follow(self, found: Iterable[Input]) -> Iterator[Input]:
        """What was read with this clock: it learns from it how late it is."""
        untimed: list[Input] = []
        for one in found:
            at = time_of(one)
            if self._known or at != self._last or len(untimed) >= REORDER:
                yield from (at_time(early, at) for early in untimed)
                untimed.clear()
                self._known, self._last = True, at
                yield one
            else:
                untimed.append(one)
        yield from untimed


class _States:
    """Of every batch keeps the states, as the store on disk does for the next start, and nothing else."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def commit(self, batch: Batch) -> None:
        for key, state in batch.states.items():
            if state is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = state


class Replay:
    """One replay. ``tell`` hears of every step, in the order of virtual time; what it raises counts as a defect.
    ``texts`` are those of the channels (`texts`), by name."""

    def __init__(
        self, config: Config, registry: Registry, tell: Callable[[Step], Any], texts: Mapping[str, Text] | None = None
    ) -> None:
        self._config, self._tell, self._telemetry, self._texts = config, tell, Telemetry(), texts or {}
        self._listeners = config.listeners
        self._later = Later()
        self._states = _States()
        self._correlator = self._new_correlator()
        self._now = 0.0
        self._first: float | None = None
        self._last: float | None = None
        self._unreadable = 0
        self._resolved, self._told, self._bugs = 0, set[str](), 0
        self._notified: Counter[str] = Counter()
        self._pipeline = Pipeline(
            intake=Intake(),
            decoder=decoder(config, registry, self._on_bug),
            correlator=self._correlator,
            store=self._states,
            telemetry=self._telemetry,
            route=self._route,
            enqueued=lambda: None,
            clock=lambda: self._now,
        )

    async def feed(self, found: Message | Malformed) -> None:
        """The next message, received no earlier than the one before; or a line that is none."""
        if isinstance(found, Malformed):
            self._unreadable += 1
            return
        at = found.received_at
        await self.pass_time(at)
        self._now = self._last = at
        self._first = at if self._first is None else self._first
        self._telemetry.inc("received", found.transport)
        await self._pipeline.step([found], at)

    async def finish(self) -> Summary:
        """Let time run on until nothing is pending, at most `RUN_ON_S`, and sum up."""
        if self._last is not None:
            await self.pass_time(self._last + RUN_ON_S)
        return self.summary()

    async def operate(self, at: float, act: Callable[[Correlator, float], Verdict]) -> Verdict:
        """What an operator does at that moment (Unix seconds), the way the API does it."""
        await self.pass_time(at)
        self._now = at
        done = asyncio.ensure_future(self._pipeline.operate(lambda now: act(self._correlator, now)))
        await asyncio.sleep(0)  # it is with the pipeline now, whose next commit it waits for
        await self._pipeline.step([], at)
        return await done

    async def restart(self, at: float, up: float) -> None:
        """As if the service had been stopped ``at`` and were ``up`` again (Unix seconds): judgement goes on from what
        was committed, and what fell due meanwhile is judged when it is up."""
        await self.pass_time(at)
        self._now = max(at, up)
        self._correlator = self._pipeline.correlator = self._new_correlator()
        self._correlator.load(self._states.kept.items())

    def decisions(self, device: str, vsys: str, peer: str, interface: str) -> Sequence[Decision]:
        """What was lately judged of a peer or device and led to no incident."""
        return self._correlator.fleet.decisions(device, vsys, peer, interface)

    def _new_correlator(self) -> Correlator:
        config = self._config
        return Correlator(config.correlate, config.inventory, config.web.external_url, config.maintenance)

    async def pass_time(self, until: float) -> None:
        """Let every timer fire that is due by ``until``, Unix seconds."""
        while (due := self._next(until)) is not None:
            self._now = max(self._now, due)
            for one in self._later.due(self._now):
                self._notify(one, self._now)
            await self._pipeline.step([], self._now)

    def _next(self, until: float) -> float | None:
        """When a timer or something to be told later is due, if it is by ``until``."""
        found = [at for at in (self._correlator.next_deadline(), self._later.next_due()) if at is not None]
        return min((at for at in found if at <= until), default=None)

    def _route(self, change: Change, now: float) -> list[Notification]:
        self._resolved += change.what == "resolved"
        self._tell(Step(utc(now), change.what, change.incident, kept=change.kept))
        found = routing.notifications(change, self._config.routing, self._listeners, now)
        for one in found:
            if one.id not in self._told:  # the outbox takes the same step for the same channel only once
                self._told.add(one.id)
                if (told := self._later.put(one)) is not None:
                    self._notify(told, now)
        return found

    def _notify(self, one: Notification, now: float) -> None:
        self._notified[one.channel] += 1
        self._tell(Step(utc(now), "notified", one.incident, one.channel, self._text(one), told=one.what))

    def _text(self, notification: Notification) -> str:
        """As the channel would send it: plain, too, where its template fails."""
        try:
            return self._texts.get(notification.channel, plain)(notification)
        except DeliveryError:
            return plain(notification)

    def _on_bug(self, error: Exception, message: Message) -> None:  # noqa: ARG002  the shape of `Decoder.on_bug`
        self._bugs += 1

    def summary(self) -> Summary:
        """What it came to so far."""

        def total(name: str) -> int:
            return int(sum(self._telemetry.values(name).values()))

        def by(name: str, label: int) -> dict[str, int]:
            counts = Counter[str]()
            for labels, value in self._telemetry.values(name).items():
                counts[labels[label]] += int(value)
            return {key: counts[key] for key in sorted(counts) if counts[key]}

        return Summary(
            what="summary",
            messages=total("received"),
            parsed=total("parsed"),
            rejected=by("rejected", 1),
            unrecognised=total("unrecognised"),
            events=by("events", 0),
            correlated=total("correlated"),
            duplicates=total("duplicates"),
            suppressed=by("suppressed", 0),
            incidents=IncidentCounts(
                opened=total("incidents_opened"),
                resolved=self._resolved,
                open=sum(self._correlator.open_counts().values()),
                kinds=by("incidents_opened", 0),
            ),
            notifications={name: self._notified[name] for name in self._listeners},
            unreadable=self._unreadable,
            defects=total("internal_errors") + self._bugs,
            first=None if self._first is None else utc(self._first),
            last=None if self._last is None else utc(self._last),
            until=None if self._last is None else utc(self._now),
        )
