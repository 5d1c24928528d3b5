"""The store without a disk: the plainest thing that keeps the promises of `Store`.

It is the model that `SqliteStore` is tested against, and serves tests and replays that need no file. Nothing here is
fast: every question looks at everything.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeVar, Unpack

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eventd.contract import Batch, JournalRow, Settled, Waiting
from eventd.model import Digest, DigestReason, Incident, Malformed, Notification, Told, utc
from eventd.store.base import (
    DEFAULT_PAGE,
    LANES,
    LONGEST_WAIT_S,
    MAX_COUNTED,
    MAX_PAGE,
    OWN_TALLIES,
    REPLACED_AS,
    STATE_AFTER,
    ChannelTotals,
    EventFilters,
    IncidentFilters,
    Page,
    Settings,
    check_tallies,
    digest_id,
    passed_untold,
    rank,
    replaced_as,
    untold_escalation,
)

T = TypeVar("T")

#: Filters of incidents that are not plain equality of a field.
SPECIAL = ("before", "id", "parent", "child_of")


class _Entry(Struct):
    """One notification in the outbox."""

    notification: Notification
    rank: tuple[int, int]
    state: str = "pending"
    next_at: float = 0.0
    settled_at: float = 0.0
    digest: str = ""
    receipt: str | None = None


class MemoryStore:
    """`Store` over dicts that keep the order of insertion."""

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or Settings()
        self._clock = clock
        self._ledger: Counter[str] = Counter(dict.fromkeys(OWN_TALLIES, 0))
        self._states: dict[str, bytes] = {}
        self._meta: dict[str, str] = {}
        self._journal: dict[int, JournalRow] = {}
        self._malformed: dict[int, Malformed] = {}
        self._incidents: dict[str, Incident] = {}
        self._numbers: dict[str, int] = {}
        self._outbox: dict[str, _Entry] = {}
        self._totals: dict[str, ChannelTotals] = {}
        self._digests: dict[str, tuple[DigestReason, float]] = {}
        self._in_flight: dict[str, str] = {}
        self._maybe_told: set[str] = set()

    @classmethod
    async def open(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "MemoryStore":
        """An empty store; ``settings.path`` is not looked at."""
        return cls(settings, clock)

    def restart(self) -> None:
        """Forget what a real store forgets when eventd ends and starts again."""
        self._in_flight.clear()
        self._maybe_told = set(self._perhaps_told())
        self._totals = {}
        for entry in self._outbox.values():
            self._count(entry.notification.channel, "enqueued", "pending")
            if entry.state != "pending":
                self._count(entry.notification.channel, entry.state, "pending", -1)

    def _perhaps_told(self) -> Iterator[str]:
        """What may have been in somebody's hands: what was never tried and came first, or had been put off."""
        for channel in {entry.notification.channel for entry in self._pending()}:
            fresh = [e for e in self._turns(channel) if not (e.notification.attempts or e.digest or e.next_at)]
            for lane in LANES:
                yield from [e.notification.id for e in fresh if e.rank[0] == lane][:1]
        for entry in self._pending():
            if not (entry.notification.attempts or entry.digest) and entry.next_at:
                yield entry.notification.id

    # --- commit --------------------------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """`Store.commit`."""
        check_tallies(batch)
        for key, blob in batch.states.items():
            self._states.pop(key, None)
            if blob is not None:
                self._states[key] = blob
        for incident in batch.incidents.values():
            self._put_incident(incident)
        for row in batch.journal:
            self._ledger["journal_rows"] += 1
            told = tuple(sorted(set(row.incidents)))
            self._journal[self._ledger["journal_rows"]] = replace(row, incidents=told)
        for message in batch.malformed:
            self._ledger["malformed_rows"] += 1
            self._ledger["malformed_bytes"] += _size(message)
            self._malformed[self._ledger["malformed_rows"]] = message
        self._trim_malformed()
        for notification in batch.notifications:
            self._enqueue(notification)
        self._ledger.update(batch.tallies)

    def _put_incident(self, incident: Incident) -> None:
        if incident.id not in self._incidents:
            self._ledger["incidents_stored"] += 1
            self._numbers[incident.id] = self._ledger["incidents_stored"]
        self._incidents[incident.id] = incident

    def _trim_malformed(self) -> None:
        while len(self._malformed) > self.settings.max_malformed or (
            sum(map(_size, self._malformed.values())) > self.settings.max_malformed_bytes
        ):
            self._drop_malformed(min(self._malformed))

    def _drop_malformed(self, seq: int) -> None:
        self._ledger["pruned_malformed_rows"] += 1
        self._ledger["pruned_malformed_bytes"] += _size(self._malformed.pop(seq))

    # --- outbox --------------------------------------------------------------------------------------------------

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
        if notification.escalates and any(map(_announced, self._of(about))):
            notification = replace(notification, escalates=False, due_at=None)
        waiting = [entry for entry in self._of(about) if entry.state == "pending"]
        follows = any(e.notification.what == "resolved" for e in waiting)
        earlier = self._untried(waiting, notification)
        what: Any = replaced_as(earlier.notification.what if earlier else None, notification.what)
        seq = self._ledger["notifications_enqueued"]
        place = rank(what, seq, earlier.rank if earlier else None, follows_all_clear=follows)
        due = 0.0 if notification.due_at is None else notification.due_at.timestamp()
        entry = self._outbox[notification.id] = _Entry(replace(notification, what=what), place, next_at=due)
        when = notification.created_at.timestamp()
        if earlier is not None:
            entry.next_at = min(due, earlier.next_at)
            self._settle(earlier, "superseded", when)
        passed = earlier is not None and passed_untold(earlier.notification.what, entry.notification)
        if passed or untold_escalation(entry.notification):
            self._settle(entry, "superseded", when)

    def _of(self, about: tuple[str, str]) -> list[_Entry]:
        entries = self._outbox.values()
        return [e for e in entries if (e.notification.incident.id, e.notification.channel) == about]

    def _untried(self, waiting: list[_Entry], later: Notification) -> _Entry | None:
        """The entry that ``later`` replaces."""
        if not waiting or (waiting[-1].notification.what, later.what) not in REPLACED_AS:
            return None
        earlier = waiting[-1].notification
        tried = earlier.attempts or waiting[-1].digest or earlier.id in {*self._in_flight, *self._maybe_told}
        return None if tried else waiting[-1]

    def _settle(self, entry: _Entry, state: str, at: float) -> None:
        entry.state, entry.settled_at = state, at
        self._ledger[f"notifications_{state}"] += 1
        self._count(entry.notification.channel, state, "pending", -1)

    def _pending(self) -> list[_Entry]:
        return [entry for entry in self._outbox.values() if entry.state == "pending"]

    def _turns(self, channel: str) -> list[_Entry]:
        """The first of each incident, in the order in which they are told."""
        queue = sorted((e for e in self._pending() if e.notification.channel == channel), key=lambda e: e.rank)
        first: dict[str, _Entry] = {}
        for entry in queue:
            first.setdefault(entry.notification.incident.id, entry)
        return list(first.values())

    def _due(self, channel: str, now: float) -> list[_Entry]:
        return [entry for entry in self._turns(channel) if not entry.digest and _is_due(entry, now)]

    async def claim(self, channel: str, now: float) -> Told | None:
        """`contract.Outbox.claim`."""
        if channel in self._in_flight.values():
            return None
        for ident in dict.fromkeys(e.digest for e in self._pending() if e.digest and e.notification.channel == channel):
            members = [e for e in self._pending() if e.digest == ident]
            if all(_is_due(entry, now) for entry in members):
                return self._digest(ident, members)
        for entry in self._due(channel, now)[:1]:
            told = entry.notification
            self._in_flight[told.id] = channel
            receipts = [
                e.receipt for e in self._of((told.incident.id, channel)) if e.state == "delivered" and e.receipt
            ]
            return replace(told, thread=receipts[0]) if receipts else told
        return None

    def _digest(self, ident: str, members: list[_Entry]) -> Digest:
        told = tuple(entry.notification for entry in sorted(members, key=lambda e: e.rank))
        why, created_at = self._digests[ident]
        self._in_flight[ident] = told[0].channel
        return Digest(ident, told[0].channel, why, told, utc(created_at), max(one.attempts for one in told))

    async def waiting(self, channel: str, now: float) -> Waiting:
        """`contract.Outbox.waiting`."""
        due = [entry.notification for entry in self._due(channel, now)[:MAX_COUNTED]]
        oldest = min((one.created_at.timestamp() for one in due), default=None)
        return Waiting(len(due), oldest, sum(one.held for one in due))

    async def seal(self, channel: str, now: float, why: DigestReason, most: int) -> Digest | None:
        """`contract.Outbox.seal`."""
        due = [] if channel in self._in_flight.values() else self._due(channel, now)[:most]
        members = list[_Entry]()
        for first in due:
            of = self._of((first.notification.incident.id, channel))
            ordered = sorted((e for e in of if e.state == "pending"), key=lambda e: e.rank)
            members += takewhile(lambda entry: entry.next_at <= now, ordered)
        if not members:
            return None
        ident = digest_id(members[0].notification.id)
        self._digests[ident] = (why, self._clock())
        for entry in members:
            entry.digest = ident
        return self._digest(ident, members)

    async def settle(self, settled: Settled) -> None:
        """`contract.Outbox.settle`."""
        if settled.outcome not in STATE_AFTER:
            raise ValueError(f"outcome {settled.outcome!r} is none of {', '.join(STATE_AFTER)}")
        for entry in self._pending():
            if settled.id not in (entry.notification.id, entry.digest):
                continue
            entry.notification = replace(entry.notification, attempts=entry.notification.attempts + 1)
            entry.next_at = settled.retry_at or 0.0
            if settled.outcome != "retry":
                entry.receipt = settled.receipt
                self._settle(entry, STATE_AFTER[settled.outcome], self._clock())
            self._maybe_told.discard(entry.notification.id)
        self._in_flight.pop(settled.id, None)
        self._maybe_told.discard(settled.id)

    async def next_due(self, channel: str) -> float | None:
        """`contract.Outbox.next_due`."""
        if channel in self._in_flight.values():
            return None
        return min((entry.next_at for entry in self._turns(channel)), default=None)

    async def lately(self, channel: str, since: float) -> Sequence[float]:
        """`contract.Outbox.lately`."""
        of = [e for e in self._outbox.values() if e.notification.channel == channel and e.state == "delivered"]
        return sorted({e.digest or e.notification.id: e.settled_at for e in of if e.settled_at > since}.values())

    async def release(self, channel: str | None = None) -> None:
        """`Store.release`."""
        held = {ident for ident, of in self._in_flight.items() if channel in (None, of)}
        self._in_flight = {ident: of for ident, of in self._in_flight.items() if ident not in held}
        self._maybe_told |= held

    async def alerting(self, channel: str, resolved_since: float) -> Sequence[Incident]:
        """`contract.Outbox.alerting`."""
        announced = {
            entry.notification.incident.id
            for entry in self._outbox.values()
            if entry.notification.channel == channel and entry.state in ("pending", "delivered")
        }
        return [i for i in self._incidents.values() if i.id in announced and not _ended_before(i, resolved_since)]

    def totals(self) -> dict[str, ChannelTotals]:
        """`Store.totals`."""
        return self._totals

    async def outbox_counts(self) -> dict[str, dict[str, int]]:
        """`Store.outbox_counts`."""
        counts: dict[str, dict[str, int]] = {}
        for entry in self._outbox.values():
            of = counts.setdefault(entry.notification.channel, {})
            of[entry.state] = of.get(entry.state, 0) + 1
        return counts

    # --- questions -----------------------------------------------------------------------------------------------

    async def load_states(self) -> list[tuple[str, bytes]]:
        """`Store.load_states`."""
        return sorted(self._states.items())

    async def load_incidents(self, status: str = "open") -> list[Incident]:
        """`Store.load_incidents`."""
        return [incident for incident in self._incidents.values() if incident.status == status]

    async def incidents(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """`Store.incidents`."""
        wanted: Mapping[str, Any] = filters
        teller = wanted.get("child_of")
        known = self._incidents.get(teller or "")
        listed = frozenset(known.children if known is not None else ())
        rows = {
            self._numbers[i.id]: i
            for i in self._incidents.values()
            if all(value in (None, getattr(i, name)) for name, value in wanted.items() if name not in SPECIAL)
            and i.id.startswith(wanted.get("id") or "")
            and wanted.get("parent") in (None, i.parent or "none")
            and (teller is None or i.id in listed)
        }
        return _page(rows, limit, filters.get("before"))

    async def incident(self, incident_id: str) -> Incident | None:
        """`Store.incident`."""
        return self._incidents.get(incident_id)

    async def events(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[EventFilters]) -> Page[JournalRow]:
        """`Store.events`."""
        rows = {seq: row for seq, row in self._journal.items() if _matches(row, filters)}
        return _page(rows, limit, filters.get("before"))

    async def malformed(self, limit: int = DEFAULT_PAGE, before: int | None = None) -> Page[Malformed]:
        """`Store.malformed`."""
        return _page(self._malformed, limit, before)

    async def ledger(self) -> dict[str, int]:
        """`Store.ledger`."""
        return dict(self._ledger)

    async def meta_get(self, key: str) -> str | None:
        """`Store.meta_get`."""
        return self._meta.get(key)

    async def meta_set(self, key: str, value: str) -> None:
        """`Store.meta_set`."""
        self._meta[key] = value

    # --- upkeep --------------------------------------------------------------------------------------------------

    async def prune(self, now: float) -> int:
        """`Store.prune`."""
        cut, before = now - self.settings.retention, sum(self._pruned().values())
        for entry in list(self._outbox.values()):
            if entry.state in ("dead", "superseded") and entry.settled_at < cut:
                self._drop_notification(entry)
        needed = self._needed()
        for incident in list(self._incidents.values()):
            if _ended_before(incident, cut) and incident.id not in needed:
                self._drop_incident(incident.id)
        for seq, row in list(self._journal.items()):
            if row.event.received_at.timestamp() < cut and not self._incidents.keys() & set(row.incidents):
                del self._journal[seq]
                self._ledger["pruned_journal_rows"] += 1
        for seq, message in list(self._malformed.items()):
            if message.received_at.timestamp() < cut:
                self._drop_malformed(seq)
        return sum(self._pruned().values()) - before

    def _pruned(self) -> dict[str, int]:
        return {k: n for k, n in self._ledger.items() if k.startswith("pruned_") and not k.endswith("_bytes")}

    def _needed(self) -> set[str | None]:
        """Incidents that something still open or pending refers to."""
        still = [incident for incident in self._incidents.values() if incident.status == "open"]
        family = {relative for incident in still for relative in (incident.parent, *incident.children)}
        return family | {entry.notification.incident.id for entry in self._pending()}

    def _drop_notification(self, entry: _Entry) -> None:
        self._ledger[f"pruned_notifications_{entry.state}"] += 1
        del self._outbox[entry.notification.id]

    def _drop_incident(self, incident_id: str) -> None:
        for entry in [e for e in self._outbox.values() if e.notification.incident.id == incident_id]:
            self._drop_notification(entry)
        self._ledger["pruned_incidents"] += 1
        del self._incidents[incident_id], self._numbers[incident_id]

    async def size_bytes(self) -> int:
        """`Store.size_bytes`: nothing is on disk."""
        return 0

    async def check(self) -> list[str]:
        """`Store.check`: there is nothing that could disagree."""
        return []

    async def close(self) -> None:
        """`Store.close`."""


def _announced(entry: _Entry) -> bool:
    """Whether its channel knows of the incident, or will without escalation."""
    waits = entry.state == "pending" and (entry.notification.attempts > 0 or not entry.notification.escalates)
    return waits or entry.state == "delivered"


def _is_due(entry: _Entry, now: float) -> bool:
    return entry.next_at <= now or (entry.notification.attempts > 0 and entry.next_at > now + LONGEST_WAIT_S)


def _size(message: Malformed) -> int:
    return len(msgspec.json.encode(message))


def _ended_before(incident: Incident, when: float) -> bool:
    ended = incident.resolved_at or incident.updated_at
    return incident.status == "resolved" and ended.timestamp() < when


def _matches(row: JournalRow, filters: EventFilters) -> bool:
    event, wanted = row.event, filters
    received_at = event.received_at.timestamp()
    return (
        all(wanted.get(name) in (None, getattr(event, name)) for name in ("device", "peer", "event"))
        and wanted.get("incident") in (None, *row.incidents)
        and ((since := wanted.get("since")) is None or since <= received_at)
        and ((until := wanted.get("until")) is None or received_at < until)
    )


def _page(rows: Mapping[int, T], limit: int, before: int | None) -> Page[T]:
    found = sorted((seq for seq in rows if before is None or seq < before), reverse=True)
    limit = max(1, min(limit, MAX_PAGE))
    shown = found[:limit]
    return Page(tuple(rows[seq] for seq in shown), shown[-1] if len(found) > limit else None)
