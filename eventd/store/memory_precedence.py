"""What stands in the outbox without a disk, and what takes whose place in it: part of the model that the store on disk
is tested against. Nothing here is fast: every question looks at everything."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.model import DigestReason, Incident, Notification
from eventd.store.base import (
    ALL_CLEARS,
    OWN_TALLIES,
    REPLACED_AS,
    ChannelTotals,
    joined,
    rank,
    replaced_as,
    taking_place,
    told_by_parent,
    took_its_place,
    why_untold,
)
from eventd.store.letters import State


class Entry(Struct):
    """One notification in the outbox."""

    notification: Notification
    rank: tuple[int, int]
    seq: int
    state: State = "pending"
    next_at: float = 0.0
    settled_at: float = 0.0
    digest: str = ""
    alone: bool = False
    heard: bool = False
    refused_at: float | None = None
    receipt: str | None = None
    error: str | None = None
    sent_again_as: str | None = None
    dropped_by: str | None = None


class MemoryPrecedence:
    """What is told in place of what. `MemoryOutbox` adds to whom it is handed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ledger: Counter[str] = Counter(dict.fromkeys(OWN_TALLIES, 0))
        self._incidents: dict[str, Incident] = {}
        self._outbox: dict[str, Entry] = {}
        self._totals: dict[str, ChannelTotals] = {}
        self._digests: dict[str, tuple[DigestReason, float, int]] = {}
        self._in_flight: dict[str, str] = {}
        self._noted: dict[str, str] = {}
        self._failing_since: dict[str, float] = {}
        self._tried: dict[str, tuple[float, ...]] = {}
        self._laid_down: set[str] = set()
        self._repeated: set[str] = set()
        self._unheard: set[str] = set()

    def _put_incident(self, incident: Incident) -> None:
        self._incidents[incident.id] = incident

    def _count(self, channel: str, name: str, other: str | None = None, n: int = 1) -> None:
        totals = self._totals.setdefault(channel, ChannelTotals())
        setattr(totals, name, getattr(totals, name) + 1)
        if other:
            setattr(totals, other, getattr(totals, other) + n)

    def _enqueue(self, notification: Notification) -> None:
        if notification.id in self._outbox:
            return
        if notification.incident.id not in self._incidents:
            self._put_incident(notification.incident)
        self._ledger["notifications_enqueued"] += 1
        self._count(notification.channel, "enqueued", "pending")
        about = (notification.incident.id, notification.channel)
        waiting = [entry for entry in self._of(about) if entry.state == "pending"]
        known = any(map(_announced, self._of(about))) or any(map(self._maybe_known, waiting[-1:]))
        if notification.escalates and known:
            notification = replace(notification, escalates=False, due_at=None)
        follows = any(e.notification.what == "resolved" for e in waiting)
        earlier, why = self._replaceable(waiting, notification), self._joined(notification, waits=bool(waiting))
        if notification.joined and why is None:
            earlier = None
        what: Any = replaced_as(earlier.notification.what if earlier else None, notification.what)
        seq = self._ledger["notifications_enqueued"]
        before = earlier.rank if earlier else None
        place = rank(what, notification.incident, seq, before, follows_all_clear=follows)
        due = 0.0 if notification.due_at is None else notification.due_at.timestamp()
        entry = self._outbox[notification.id] = Entry(replace(notification, what=what), place, seq, next_at=due)
        when = notification.created_at.timestamp()
        if earlier is not None:
            self._take_over(earlier, entry, due)
        self._supersede(earlier, entry, when, why)

    def _of(self, about: tuple[str, str]) -> list[Entry]:
        entries = self._outbox.values()
        return [e for e in entries if (e.notification.incident.id, e.notification.channel) == about]

    def _heard(self, later: Notification) -> bool:
        """Whether its channel may have heard of the incident."""
        return any(e.state == "delivered" or e.heard for e in self._of((later.incident.id, later.channel)))

    def _joined(self, later: Notification, *, waits: bool) -> str | None:
        parent = told_by_parent(later)
        if parent is None or (waits and not later.joined):
            return None
        if self._heard(later):
            return None
        return joined(parent) if any(e.state != "dead" for e in self._of((parent, later.channel))) else None

    def _supersede(self, earlier: Entry | None, entry: Entry, when: float, why: str | None = None) -> None:
        """``entry`` takes the place of what waited before it, if it is to be told at all."""
        later = entry.notification
        why = why or why_untold(earlier.notification.what if earlier else None, later, heard=self._heard(later))
        if earlier is not None:
            self._settle(earlier, "superseded", when, why or took_its_place(later.id))
        if why is not None or later.joined:
            self._settle(entry, "superseded", when, why)

    def _overtaken(self, one: Entry) -> None:
        """What came in while ``one`` was tried in vain takes its place."""
        told = one.notification
        behind = [e for e in self._of((told.incident.id, told.channel)) if e.state == "pending" and e.seq > one.seq]
        entry = next((e for e in behind if not e.digest), None)
        what: Any = entry and replaced_as(told.what, entry.notification.what)
        if entry is None or what is None or one.digest or one.alone:
            return
        entry.notification = replace(entry.notification, what=what)
        self._take_over(one, entry, entry.next_at)
        incident, follows = entry.notification.incident, one.rank[0] == ALL_CLEARS
        entry.rank = rank(what, incident, entry.seq, one.rank, follows_all_clear=follows)
        self._supersede(one, entry, entry.notification.created_at.timestamp())

    def _take_over(self, earlier: Entry, entry: Entry, due: float) -> None:
        """A place that was tried is tried again when it would have been."""
        attempts = earlier.notification.attempts
        said, wanted_at = earlier.notification.what, earlier.notification.wanted_at
        entry.notification = taking_place(replace(entry.notification, attempts=attempts), said, wanted_at)
        entry.error = earlier.error
        entry.next_at = earlier.next_at if attempts else min(due, earlier.next_at)

    def _replaceable(self, waiting: list[Entry], later: Notification) -> Entry | None:
        """The entry that ``later`` replaces."""
        if not waiting or (waiting[-1].notification.what, later.what) not in REPLACED_AS:
            return None
        return None if self._maybe_known(waiting[-1]) else waiting[-1]

    def _maybe_known(self, entry: Entry) -> bool:
        held = entry.notification.id in {*self._in_flight, *self._noted.values()}
        return held or entry.alone or bool(entry.digest)

    def _settle(self, entry: Entry, state: State, at: float, why: str | None = None) -> None:
        entry.state, entry.settled_at = state, at
        if state == "superseded":
            entry.error = why
        self._ledger[f"notifications_{state}"] += 1
        self._count(entry.notification.channel, state, "pending", -1)

    def _pending(self) -> list[Entry]:
        return [entry for entry in self._outbox.values() if entry.state == "pending"]


def _announced(entry: Entry) -> bool:
    """Whether its channel knows of the incident, or will without escalation."""
    waits = entry.state == "pending" and (entry.notification.attempts > 0 or not entry.notification.escalates)
    return waits or entry.state == "delivered"
