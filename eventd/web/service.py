"""What the web room needs to see of the running service; the app provides it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from eventd.contract import Verdict
from eventd.correlate import Correlator
from eventd.correlate.hush import Maintenance
from eventd.identity import Identities
from eventd.inventory import Inventory
from eventd.registry import Registry
from eventd.store import Store
from eventd.telemetry import Telemetry
from eventd.web.settings import Token, Web


class Service(Protocol):
    """The running service, as seen from the web room: everything here may be replaced by a reload."""

    @property
    def telemetry(self) -> Telemetry:
        """All counters."""

    @property
    def store(self) -> Store:
        """Journal, incidents and outbox."""

    @property
    def correlator(self) -> Correlator:
        """What is open and how peers stand."""

    @property
    def registry(self) -> Registry:
        """Handlers and catalogues in force."""

    @property
    def started_at(self) -> float:
        """Unix seconds."""

    @property
    def web_settings(self) -> Web:
        """Where and how to serve."""

    @property
    def tokens(self) -> Mapping[str, Token]:
        """Who may do what, by secret."""

    @property
    def inventory(self) -> Inventory:
        """The inventory in force."""

    @property
    def identities(self) -> Identities:
        """Who sent what."""

    @property
    def maintenance(self) -> Sequence[Maintenance]:
        """The planned windows in force."""

    async def operate(self, act: Callable[[float], Verdict]) -> Verdict:
        """Have ``act`` (given the time, Unix seconds) change what is judged; its verdict after the commit. Raises
        `StoreError` while nothing can be judged, and whatever ``act`` raises."""

    def try_again(self, channel: str) -> None:
        """What waits for ``channel`` is due now, whatever its far end answered last."""

    def now(self) -> float:
        """The service clock, Unix seconds."""

    async def reload(self) -> str | None:
        """Read the configuration again; None when it was taken, else what is wrong with it."""

    def status(self) -> Mapping[str, Any]:
        """``receivers`` (kind, listen), ``channels`` (fields of `ChannelRow`), ``queued``, ``last_heard`` and
        ``clock_skew`` (both device to seconds), ``kernel_drops`` (by transport) and ``losing``: a sentence while
        messages are lost."""

    def not_ready(self) -> str | None:
        """Why the service should not be relied on right now; None if it can be."""

    async def refresh_metrics(self) -> None:
        """Bring gauges up to date that only the store knows."""
