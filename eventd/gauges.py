"""What is not counted as it happens but looked up when Prometheus asks: states, queues, kernel counters."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from eventd.config import Config
from eventd.correlate import Correlator
from eventd.correlate.state import PeerState
from eventd.errors import SNMP_MIB
from eventd.listeners import Listeners
from eventd.model import SNMP_TRANSPORTS
from eventd.pipeline import Pipeline
from eventd.receivers.kernel import host_udp_errors
from eventd.store import Store
from eventd.telemetry import Telemetry
from eventd.turns import portions

#: Ways out of the outbox.
OUTCOMES = ("delivered", "superseded", "dead")

Values = Mapping[tuple[str, ...], float]

_OBJECTS: Mapping[str, str] = {reason: name for name, reasons in SNMP_MIB.items() for reason in reasons}


class Observed(Protocol):
    """The parts of the running service that gauges look at; those that a reload replaces are read anew each time."""

    config: Config
    telemetry: Telemetry
    correlator: Correlator
    pipeline: Pipeline
    listeners: Listeners

    def now(self) -> float:
        """Unix seconds."""

    @property
    def store(self) -> Store:
        """The store in use."""


class Gauges:
    """Values of the metrics that are computed at scrape time."""

    def __init__(self, service: Observed) -> None:
        self._service = service
        #: Peers that have a series, in the order they got it, and those that were refused one, as far as the
        #: correlator still knows them: a place is kept until its peer is forgotten, else labels would grow for ever.
        self._admitted: dict[tuple[str, str, str], None] = {}
        self._refused: set[tuple[str, str, str]] = set()
        self._up: Values = {}
        self._changes: Values = {}
        self._looking = asyncio.Lock()

    def provide(self, telemetry: Telemetry) -> None:
        """Have them asked for at every scrape."""
        providers = {
            "kernel_drops": self._kernel_drops,
            "snmp_mib": self._snmp_mib,
            "snmp_engines": self._snmp_engines,
            "snmp_engine_boots": self._snmp_boots,
            "host_udp_errors": host_udp_errors,
            "incidents_open": self._incidents_open,
            "device_last_message_timestamp_seconds": self._last_heard,
            "device_clock_skew_seconds": self._skews,
            "sources_with_several_hostnames": self._several_names,
            "notifications_enqueued": lambda: self._outbox("enqueued"),
            "outbox_pending": lambda: self._outbox("pending"),
            "notifications": self._outcomes,
            "peer_up": lambda: self._up,
            "peer_state_changes": lambda: self._changes,
        }
        for name, values in providers.items():
            telemetry.provide(name, values)

    def _kernel_drops(self) -> Values:
        return self._service.listeners.kernel_drops()

    def _snmp_mib(self) -> Values:
        """The ledger of the SNMP transports, in the words of the MIBs."""
        telemetry = self._service.telemetry
        found = Counter[tuple[str, ...]]({(name,): 0 for name in SNMP_MIB})
        for (transport,), count in telemetry.values("received").items():
            found[("snmpInPkts",)] += int(count) if transport in SNMP_TRANSPORTS else 0
        for (transport, reason), count in telemetry.values("rejected").items():
            if transport in SNMP_TRANSPORTS and reason in _OBJECTS:
                found[_OBJECTS[reason],] += int(count)
        return dict(found)

    def _snmp_engines(self) -> Values:
        return {(): len(self._service.pipeline.decoder.access.engines)}

    def _snmp_boots(self) -> Values:
        return {(): self._service.pipeline.decoder.access.usm.clock(self._service.now())[0]}

    def _incidents_open(self) -> Values:
        return {labels: float(count) for labels, count in self._service.correlator.open_counts().items()}

    def _last_heard(self) -> Values:
        return {(device,): at for device, at in self._service.pipeline.last_heard.items()}

    def _skews(self) -> Values:
        return {(device,): skew for device, skew in self._service.pipeline.skews.seconds().items()}

    def _several_names(self) -> Values:
        learned = self._service.pipeline.decoder.identities.learned
        return {(): sum(len(names) > 1 for names in learned.values())}

    def _outbox(self, term: str) -> Values:
        values = {(channel.name,): 0.0 for channel in self._service.config.channels}
        return values | {(name,): getattr(totals, term) for name, totals in self._service.store.totals().items()}

    async def look_at_outbox(self) -> None:
        """Set what only the file of the store knows. Raises `StoreError`."""
        service = self._service
        oldest, dead = await service.store.oldest_waiting(service.now()), await service.store.dead_letters()
        for (name,) in self._outbox("pending"):
            service.telemetry.set("outbox_oldest_timestamp_seconds", name, value=oldest.get(name, 0))
            service.telemetry.set("outbox_dead", name, value=dead.get(name, 0))

    def _outcomes(self) -> Values:
        values: dict[tuple[str, ...], float] = {
            (channel.name, outcome): 0.0 for channel in self._service.config.channels for outcome in OUTCOMES
        }
        for name, totals in self._service.store.totals().items():
            values |= {(name, outcome): getattr(totals, outcome) for outcome in OUTCOMES}
        return values

    async def look_at_peers(self) -> None:
        """Bring the series of peers up to date, which may be many. Vsys of one device share a peer's label set: a peer
        is up while any of them is. One at a time: who began first must not end last."""
        async with self._looking:
            await self._look_at_peers()

    async def _look_at_peers(self) -> None:
        up: dict[tuple[str, ...], float] = {}
        changes = Counter[tuple[str, ...]]()
        known = await self._known_peers()
        async for some in portions(await self._admit(known)):
            for peer in map(known.__getitem__, some):
                changes[peer.device, peer.peer or ""] += peer.state_changes
                if peer.up is not None:
                    labels = self._labels(peer)
                    up[labels] = max(up.get(labels, 0.0), float(peer.up))
        self._up, self._changes = up, dict(changes)

    async def _known_peers(self) -> dict[tuple[str, str, str], PeerState]:
        """Those that may have a series."""
        if not self._service.config.metrics.peer_labels:
            return {}
        named = self._service.correlator.named_peers()
        return {(one.device, one.vsys, one.peer or ""): one async for some in portions(named) for one in some}

    async def _admit(self, known: Mapping[tuple[str, str, str], PeerState]) -> dict[tuple[str, str, str], None]:
        """Settle who has a series: who got one first keeps it, whoever speaks more."""
        places, before = self._service.config.metrics.max_peers, self._admitted
        kept = [key async for some in portions(before) for key in some if key in known]
        new = [key async for some in portions(known) for key in some if key not in before]
        admitted = dict.fromkeys((kept + new)[:places])
        refused = {key async for some in portions(known) for key in some if key not in admitted}
        self._service.telemetry.inc("label_overflow", "peer_up", n=len(refused - self._refused))
        self._admitted, self._refused = admitted, refused
        return admitted

    def _labels(self, peer: PeerState) -> tuple[str, ...]:
        listed = self._service.config.inventory.peer(peer.peer)
        return peer.device, peer.peer or "", (listed and listed.name) or "", (listed and listed.site) or ""
