"""What is not counted as it happens but looked up when Prometheus asks: states, queues, kernel counters."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from eventd.config import Config
from eventd.correlate import Correlator
from eventd.model import PeerStatus
from eventd.pipeline import Pipeline
from eventd.receivers.udp import UdpReceiver, kernel_drops
from eventd.store import Store
from eventd.telemetry import Telemetry

#: Ways out of the outbox.
OUTCOMES = ("delivered", "superseded", "dead")

Values = Mapping[tuple[str, ...], float]


class Observed(Protocol):
    """The parts of the running service that gauges look at; those that a reload replaces are read anew each time."""

    config: Config
    telemetry: Telemetry
    correlator: Correlator
    pipeline: Pipeline

    @property
    def receivers(self) -> Mapping[Any, Any]:
        """The running receivers."""

    @property
    def store(self) -> Store:
        """The store in use."""


class Gauges:
    """Values of the metrics that are computed at scrape time."""

    def __init__(self, service: Observed) -> None:
        self._service = service

    def provide(self, telemetry: Telemetry) -> None:
        """Have them asked for at every scrape."""
        providers = {
            "kernel_drops": self._kernel_drops,
            "incidents_open": self._incidents_open,
            "device_last_message_timestamp_seconds": self._last_heard,
            "notifications_enqueued": lambda: self._outbox("enqueued"),
            "outbox_pending": lambda: self._outbox("pending"),
            "notifications": self._outcomes,
            "peer_up": self._peers_up,
            "peer_state_changes": self._peer_changes,
        }
        for name, values in providers.items():
            telemetry.provide(name, values)

    def _kernel_drops(self) -> Values:
        return kernel_drops(r for r in self._service.receivers.values() if isinstance(r, UdpReceiver))

    def _incidents_open(self) -> Values:
        return {labels: float(count) for labels, count in self._service.correlator.open_counts().items()}

    def _last_heard(self) -> Values:
        return {(device,): at for device, at in self._service.pipeline.last_heard.items()}

    def _outbox(self, term: str) -> Values:
        values = {(channel.name,): 0.0 for channel in self._service.config.channels}
        return values | {(name,): getattr(totals, term) for name, totals in self._service.store.totals().items()}

    def _outcomes(self) -> Values:
        values: dict[tuple[str, ...], float] = {
            (channel.name, outcome): 0.0 for channel in self._service.config.channels for outcome in OUTCOMES
        }
        for name, totals in self._service.store.totals().items():
            values |= {(name, outcome): getattr(totals, outcome) for outcome in OUTCOMES}
        return values

    def _peers(self) -> Iterable[PeerStatus]:
        metrics = self._service.config.metrics
        if metrics.peer_labels:
            for index, peer in enumerate(self._service.correlator.peers()):
                if index < metrics.max_peers:
                    yield peer
                else:
                    over = index + 1 - metrics.max_peers
                    self._service.telemetry.set("label_overflow", "peer_up", value=over)

    def _peers_up(self) -> Values:
        """Vsys of one device share a peer's label set: a peer is up while any of them is."""
        found: dict[tuple[str, ...], float] = {}
        for peer in self._peers():
            if peer.up is not None:
                key = (peer.device, peer.peer, peer.peer_name or "", peer.site or "")
                found[key] = max(found.get(key, 0.0), float(peer.up))
        return found

    def _peer_changes(self) -> Values:
        found = Counter[tuple[str, ...]]()
        for peer in self._peers():
            found[peer.device, peer.peer] += peer.state_changes
        return dict(found)
