"""The store without a disk: the plainest thing that keeps the promises of `Store`.

It is the model that `SqliteStore` is tested against, and serves tests and replays that need no file. Nothing here is
fast: every question looks at everything.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import msgspec
from msgspec.structs import replace

from eventd.contract import Batch, JournalRow
from eventd.model import Incident, Malformed
from eventd.store.base import (
    DEFAULT_PAGE,
    EventFilters,
    IncidentFilters,
    Page,
    Settings,
    by_time,
    check_tallies,
)
from eventd.store.memory_outbox import MemoryOutbox, ended_before, page
from eventd.store.memory_precedence import Entry

#: Filters of incidents that are not plain equality of a field.
SPECIAL = ("before", "id", "parent", "child_of")


class MemoryStore(MemoryOutbox):
    """`Store` over dicts that keep the order of insertion."""

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.settings = settings or Settings()
        self._states: dict[str, bytes] = {}
        self._meta: dict[str, str] = {}
        self._journal: dict[int, JournalRow] = {}
        self._malformed: dict[int, Malformed] = {}
        self._numbers: dict[str, int] = {}

    @classmethod
    async def open(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "MemoryStore":
        """An empty store; ``settings.path`` is not looked at."""
        return cls(settings, clock)

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
        super()._put_incident(incident)

    def _trim_malformed(self) -> None:
        while len(self._malformed) > self.settings.max_malformed or (
            sum(map(_size, self._malformed.values())) > self.settings.max_malformed_bytes
        ):
            self._drop_malformed(min(self._malformed))

    def _drop_malformed(self, seq: int) -> None:
        self._ledger["pruned_malformed_rows"] += 1
        self._ledger["pruned_malformed_bytes"] += _size(self._malformed.pop(seq))

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
        return page(rows, limit, filters.get("before"))

    async def over(self, device: str | None, limit: int) -> Sequence[Incident]:
        """`Store.over`."""
        found = [
            i
            for i in self._incidents.values()
            if i.status == "resolved" and (i.parent is None if device is None else i.device == device)
        ]
        found.sort(key=lambda i: (i.resolved_at or i.updated_at, self._numbers[i.id]), reverse=True)
        return found[:limit]

    async def incident(self, incident_id: str) -> Incident | None:
        """`Store.incident`."""
        return self._incidents.get(incident_id)

    async def events(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[EventFilters]) -> Page[JournalRow]:
        """`Store.events`."""
        rows = {seq: row for seq, row in self._journal.items() if _matches(row, filters)}
        return page(rows, limit, filters.get("before"), self._arrival if by_time(filters) else int)

    def _arrival(self, seq: int) -> tuple[float, int]:
        """Where a row stands by time; one that is gone right behind those that came before it."""
        known = seq if seq in self._journal else max((one for one in self._journal if one <= seq), default=None)
        return 0.0 if known is None else self._journal[known].event.received_at.timestamp(), seq

    async def malformed(self, limit: int = DEFAULT_PAGE, before: int | None = None) -> Page[Malformed]:
        """`Store.malformed`."""
        return page(self._malformed, limit, before)

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
            if ended_before(incident, cut) and incident.id not in needed:
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

    def _drop_notification(self, entry: Entry) -> None:
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


def _size(message: Malformed) -> int:
    return len(msgspec.json.encode(message))


def _matches(row: JournalRow, filters: EventFilters) -> bool:
    event, wanted = row.event, filters
    received_at = event.received_at.timestamp()
    return (
        all(wanted.get(name) in (None, getattr(event, name)) for name in ("device", "peer", "event"))
        and wanted.get("incident") in (None, *row.incidents)
        and ((since := wanted.get("since")) is None or since <= received_at)
        and ((until := wanted.get("until")) is None or received_at < until)
    )
