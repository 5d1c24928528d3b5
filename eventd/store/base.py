"""What every store is: its settings, its pages, its ledger and the rule by which one notification replaces another."""

from typing import Generic, Literal, Protocol, TypedDict, TypeVar, Unpack

from msgspec import Struct

from eventd.contract import Batch, JournalRow, Outbox
from eventd.model import Incident, Malformed

T = TypeVar("T")

#: A page longer than this costs more to send than to ask for in parts.
MAX_PAGE = 1000
DEFAULT_PAGE = 100

#: Rows that one pruning transaction looks at: a few milliseconds, which is what a commit may have to wait for it.
PRUNE_SLICE = 500

#: What becomes of two notifications about one incident on one channel when the earlier was not tried yet: the kind
#: under which the later one goes out in its place. An opening survives an update, because the far end has not heard
#: of the incident; a resolution tells the whole story. Pairs not listed are both sent: nothing may swallow an
#: all-clear that somebody waits for.
REPLACED_AS = {
    ("opened", "opened"): "opened",
    ("opened", "updated"): "opened",
    ("opened", "resolved"): "resolved",
    ("updated", "opened"): "opened",
    ("updated", "updated"): "updated",
    ("updated", "resolved"): "resolved",
    ("resolved", "resolved"): "resolved",
}

#: Outcome of a try (`contract.Settled`) → state of the notification.
STATE_AFTER = {"delivered": "delivered", "dead": "dead", "retry": "pending"}
STATES = ("pending", "delivered", "dead", "superseded")

#: Names the store itself counts under; a batch may not use them for its tallies.
_KEPT = ("journal_rows", "malformed_rows", "malformed_bytes", *(f"notifications_{state}" for state in STATES[1:]))
OWN_TALLIES = frozenset(
    (*_KEPT, *(f"pruned_{name}" for name in _KEPT), "incidents_stored", "pruned_incidents", "notifications_enqueued")
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``[store]``. ``path`` of the database file; ``retention`` in seconds; ``sync`` ``full`` survives a loss of power,
    ``normal`` only a crash of eventd. ``max_malformed`` and ``max_malformed_bytes`` bound what is kept of messages
    that could not be decoded: enough to see a pattern, too little for a hostile sender to fill the disk."""

    path: str = "var/eventd.db"
    retention: float = 90 * 86400.0
    sync: Literal["full", "normal"] = "full"
    max_malformed: int = 10_000
    max_malformed_bytes: int = 16 * 2**20


class Page(Struct, Generic[T], frozen=True):
    """Part of a list, newest first. ``next`` is to be passed as ``before`` to get what follows, None at the end."""

    items: tuple[T, ...] = ()
    next: int | None = None


class ChannelTotals(Struct):
    """What one channel's notifications have come to; ``enqueued`` is the sum of the others at any time."""

    enqueued: int = 0
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    superseded: int = 0


class EventFilters(TypedDict, total=False):
    """Which journal rows; None or absent matches all. ``since`` ≤ received < ``until`` in Unix seconds; ``before`` is
    the ``next`` of an earlier page."""

    device: str | None
    peer: str | None
    event: str | None
    incident: str | None
    since: float | None
    until: float | None
    before: int | None


class IncidentFilters(TypedDict, total=False):
    """Which incidents; None or absent matches all. ``before`` is the ``next`` of an earlier page."""

    status: str | None
    kind: str | None
    device: str | None
    peer: str | None
    severity: str | None
    site: str | None
    before: int | None


def check_tallies(batch: Batch) -> None:
    """ValueError when a batch counts under a name that belongs to the store: a bug of the caller."""
    if taken := OWN_TALLIES & batch.tallies.keys():
        raise ValueError(f"tallies of the store itself: {sorted(taken)}")


class Store(Outbox, Protocol):
    """Everything eventd keeps. Each method raises `StoreError` when the file cannot be read or written."""

    async def commit(self, batch: Batch) -> None:
        """Make all of ``batch`` durable, or nothing; after a `StoreError` the same batch may be tried again."""

    async def release(self, channel: str | None = None) -> None:
        """Forget that a notification of ``channel`` (None: of any) is in flight: its worker ended without settling
        it. It will be claimed again, under the same id."""

    def totals(self) -> dict[str, ChannelTotals]:
        """Per channel, what its notifications have come to since the store was opened (what the file held then
        included). Never blocks: fit for a scrape."""

    async def load_states(self) -> list[tuple[str, bytes]]:
        """All saved pieces of correlator state, by key."""

    async def load_incidents(self, status: str = "open") -> list[Incident]:
        """All incidents of that status, in the order in which they were first stored."""

    async def incidents(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """Incidents, the latest first."""

    async def incident(self, incident_id: str) -> Incident | None:
        """One incident."""

    async def events(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[EventFilters]) -> Page[JournalRow]:
        """The journal, the latest arrival first."""

    async def malformed(self, limit: int = DEFAULT_PAGE, before: int | None = None) -> Page[Malformed]:
        """Kept messages that could not be decoded, the latest first."""

    async def ledger(self) -> dict[str, int]:
        """Totals over the life of the file: the store's own and the tallies of all batches."""

    async def outbox_counts(self) -> dict[str, dict[str, int]]:
        """How many notifications are kept, by channel and state."""

    async def prune(self, now: float) -> int:
        """Remove what is older than the retention and nobody refers to. Returns how many rows went."""

    async def size_bytes(self) -> int:
        """Bytes on disk, write-ahead log included."""

    async def meta_get(self, key: str) -> str | None:
        """A small durable value."""

    async def meta_set(self, key: str, value: str) -> None:
        """Set a small durable value; returns after the commit."""

    async def check(self) -> list[str]:
        """What is inconsistent, one sentence each; empty when all is well."""

    async def close(self) -> None:
        """End after what was asked before. Everything asked later raises `StoreError`; closing twice is harmless."""
