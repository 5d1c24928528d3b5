"""What every store is: its settings, its pages, its ledger and the rule by which one notification replaces another."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack

from msgspec import Meta, Struct
from msgspec.structs import replace

from eventd.contract import Batch, JournalRow, Outbox, Settled, Turn
from eventd.model import Incident, Malformed, Notification
from eventd.store.letters import Letter, LetterFilters, State

T = TypeVar("T")

#: A page longer than this costs more to send than to ask for in parts.
MAX_PAGE = 1000
DEFAULT_PAGE = 100

#: Rows that one pruning transaction looks at: a few milliseconds, which is what a commit may have to wait for it.
PRUNE_SLICE = 500

#: Shorter than this, evidence would be gone before somebody looks at the incident; zero would remove all of it.
MIN_RETENTION_S = 3600.0
#: A century: "for ever", and still a moment that a calendar can name.
MAX_RETENTION_S = 36_525 * 86_400.0
#: What `max_malformed` and `max_malformed_bytes` may be: a terabyte of what nobody could read is a mistyped number.
MAX_MALFORMED_ROWS = 10**9
MAX_MALFORMED_BYTES = 2**40

#: What becomes of two notifications about one incident on one channel when the earlier could not be told yet: the kind
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

#: Seconds. An incident that was over sooner, and of which a channel had not yet been told anything, is not told there
#: at all: nobody was alarmed, so nobody waits for the all-clear. Journal, API and page keep it. A longer one is still
#: worth its story; a quarter of an hour is what somebody who looks in now and then would have missed.
UNTOLD_BELOW = 900.0

#: Seconds. What was tried is never put off for longer: what seems to be was put off before the clock was set back.
LONGEST_WAIT_S = 3600.0

#: More than this waiting on one channel is counted as this: it only matters that it is more than a message can hold.
MAX_COUNTED = 1000

#: The lanes of a channel's queue, in the order in which they are told: all-clears wait behind news, because the next
#: outage must not wait for the good news of the last one.
NEWS, ALL_CLEARS = 0, 1

#: Outcome of a try (`contract.Settled`) → state of the notification.
STATE_AFTER: Mapping[str, State] = {"delivered": "delivered", "dead": "dead", "retry": "pending"}
STATES = ("pending", "delivered", "dead", "superseded")

#: Names the store itself counts under; a batch may not use them for its tallies.
_KEPT = ("journal_rows", "malformed_rows", "malformed_bytes", *(f"notifications_{state}" for state in STATES[1:]))
OWN_TALLIES = frozenset(
    (*_KEPT, *(f"pruned_{name}" for name in _KEPT), "incidents_stored", "pruned_incidents", "notifications_enqueued")
)
#: Rows left out because no database takes their values (`eventd.store.unstorable`); in the ledger once there are any.
UNSTORABLE_ROWS = "unstorable_rows"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``[store]``. ``path`` of the database file, relative to the working directory; ``retention`` in seconds; ``sync``
    ``full`` survives a loss of power, ``normal`` only a crash of eventd. ``max_malformed`` and ``max_malformed_bytes``
    bound what is kept of messages that could not be decoded: enough to see a pattern, too little for a hostile sender
    to fill the disk."""

    path: Annotated[str, Meta(min_length=1)] = "var/eventd.db"
    retention: Annotated[float, Meta(ge=MIN_RETENTION_S, le=MAX_RETENTION_S)] = 90 * 86400.0
    sync: Literal["full", "normal"] = "full"
    max_malformed: Annotated[int, Meta(ge=0, le=MAX_MALFORMED_ROWS)] = 10_000
    max_malformed_bytes: Annotated[int, Meta(ge=0, le=MAX_MALFORMED_BYTES)] = 16 * 2**20


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
    the ``next`` of an earlier page. Where times are all that is asked for, the latest comes first by our clock."""

    device: str | None
    peer: str | None
    event: str | None
    incident: str | None
    since: float | None
    until: float | None
    before: int | None


class IncidentFilters(TypedDict, total=False):
    """Which incidents; None or absent matches all. ``id`` is how the id begins, ``parent`` the id of the one that tells
    them or ``none``, ``child_of`` the id of one that lists them, ``before`` the ``next`` of an earlier page."""

    id: str | None
    status: str | None
    kind: str | None
    device: str | None
    peer: str | None
    severity: str | None
    site: str | None
    parent: str | None
    child_of: str | None
    before: int | None


def by_time(filters: Mapping[str, object]) -> bool:
    """Whether times are all that is asked for, so that they give the order."""
    asked = {name for name, value in filters.items() if value is not None} - {"before"}
    return bool(asked) and asked <= {"since", "until"}


def passed_untold(earlier: str, later: Notification) -> bool:
    """Whether ``later`` ends what was never heard of (``earlier`` says) and not long: neither is told."""
    about, opened = later.incident, earlier == "opened"
    if not opened or later.what != "resolved" or about.resolved_at is None:
        return False
    return (about.resolved_at - about.opened_at).total_seconds() < UNTOLD_BELOW


def replaced_as(earlier: str | None, later: str) -> str | None:
    """The kind under which ``later`` goes out where ``earlier`` still waits; None where both go out."""
    return later if earlier is None else REPLACED_AS.get((earlier, later))


def untold_escalation(later: Notification) -> bool:
    """Whether ``later`` says why nobody has to be told any more of what was to be told only if nobody cared."""
    return later.escalates and (later.incident.status == "resolved" or later.incident.acked_by is not None)


def why_untold(earlier: str | None, later: Notification, *, heard: bool) -> str | None:
    """Why neither ``later`` nor what waits before it (``earlier`` says what) is told; None where it is. ``heard``: its
    channel may have heard of the incident."""
    if untold_escalation(later):
        return "it was over in time" if later.incident.status == "resolved" else _taken_by(later.incident)
    if earlier is not None and not heard and passed_untold(earlier, later):
        return "it was over before it could be told"
    return None


def _taken_by(incident: Incident) -> str:
    return f"{incident.acked_by} acknowledged the incident in time"


def taking_place(later: Notification, earlier: str, wanted_at: datetime) -> Notification:
    """``later``, which is told in place of what could not be told yet: as late as that, which says ``earlier`` and was
    ``wanted_at`` then. An end is no later for an update that nobody heard."""
    if wanted_at >= later.wanted_at or (earlier, later.what) == ("updated", "resolved"):
        return later
    return replace(later, untold_since=wanted_at)


def heard_of(settled: Settled) -> bool:
    """Whether somebody may have heard of what was tried, or has looked at it and refused it."""
    return settled.heard or settled.refused_at is not None


def took_its_place(ident: str) -> str:
    """Why what waited is not told by itself."""
    return f"news took its place ({ident})"


def told_by_parent(later: Notification) -> str | None:
    """The incident that tells what ``later`` is about, where nothing of that was told by itself."""
    return later.incident.parent if later.joined or later.what == "resolved" else None


def failing_key(channel: str) -> str:
    """Under which it is kept since when a channel fails."""
    return f"failing_since:{channel}"


def tried_key(channel: str) -> str:
    """Under which it is kept when the last messages of a channel were tried."""
    return f"tried:{channel}"


def joined(parent: str) -> str:
    """Why something was not told, as operators read it."""
    return f"told by incident {parent}, which it is part of"


def most_tries(turn: Turn, least: int | None) -> float:
    """How often that may have been tried which goes before the others: a repeat, a digest. ``least``: how often that of
    the others was tried whose turn it is, if there is one."""
    if turn == "untried":
        return 0
    return math.inf if turn != "least tried" or least is None else least


def digest_id(first: str) -> str:
    """The id of the digest whose first notification is ``first``."""
    return hashlib.sha256(f"digest\x1f{first}".encode("utf-8", "replace")).hexdigest()[:32]


def rank(
    what: str, incident: Incident, seq: int, replaced: tuple[int, int] | None, *, follows_all_clear: bool
) -> tuple[int, int]:
    """Lane and place in the queue. What replaces an earlier one takes its place in the same lane: one that is replaced
    again and again must not for ever go back to the end. Behind an all-clear of its own incident nothing overtakes. An
    incident that goes on as another one is no all-clear: what it has become is told after it."""
    lane = ALL_CLEARS if (what == "resolved" and incident.continued_by is None) or follows_all_clear else NEWS
    return replaced if replaced is not None and replaced[0] == lane else (lane, seq)


def check_tallies(batch: Batch) -> None:
    """ValueError when a batch counts under a name that belongs to the store: a bug of the caller."""
    if taken := (OWN_TALLIES | {UNSTORABLE_ROWS}) & batch.tallies.keys():
        raise ValueError(f"tallies of the store itself: {sorted(taken)}")


class Store(Outbox, Protocol):
    """Everything eventd keeps. Each method raises `StoreError` when the file cannot be read or written."""

    async def commit(self, batch: Batch) -> None:
        """Make all of ``batch`` durable, or nothing; after a `StoreError` the same batch may be tried again, but for
        `UnstorableError`. A row whose values cannot be written is left out and noted among the malformed messages."""

    async def give_up(self, channel: str, why: str) -> int:
        """Settle all that waits for ``channel``, of which nothing is in flight, as dead; how many."""

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

    async def over(self, device: str | None, limit: int) -> Sequence[Incident]:
        """Resolved incidents, the latest end first: those of a device, or of all without those that another tells."""

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

    async def letters(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[LetterFilters]) -> Page[Letter]:
        """Notifications as they stand in the outbox, the latest enqueued first."""

    async def letter(self, ident: str) -> Letter | None:
        """One of them."""

    async def oldest_waiting(self, now: float) -> dict[str, float]:
        """By channel, since when (Unix seconds) the oldest of what should have been told by ``now`` is pending."""

    async def dead_letters(self) -> dict[str, int]:
        """By channel, how many were given up and neither sent again nor dropped."""

    async def retry(self, ident: str) -> Letter:
        """Have a pending notification (and what is told in one digest with it) tried at once; one that was given up
        stays so, and a new one tells the incident as it stands now. The one that will be tried, after the commit.

        Raises `OutboxError` where that makes no sense.
        """

    async def drop(self, ident: str, who: str) -> Letter:
        """Give up a pending notification because ``who`` wants that, or close one that was given up. After the commit.

        Raises `OutboxError` where that makes no sense, or while it is in flight.
        """

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
