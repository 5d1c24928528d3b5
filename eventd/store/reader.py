"""The questions. One `Reader` per file, used from one thread only, which cannot write; everything here blocks."""

import sqlite3
import time
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from eventd.contract import JournalRow
from eventd.model import Event, Incident, Malformed, Reason
from eventd.store.base import MAX_PAGE, Page, by_time
from eventd.store.database import CHECKS, QUERIES
from eventd.store.letters import Letter
from eventd.store.rows import letter, letters

#: A question that takes longer is given up, so that one cannot hold up all others; commits are not affected anyway.
QUERY_TIMEOUT_S = 5.0
#: SQLite looks at the clock every so many steps of its machine, a fraction of a millisecond.
STEPS_PER_LOOK = 20_000

#: Of each kind; a damaged file may have one per row, and nobody reads on after these.
MAX_VIOLATIONS = 20

#: Filter → condition. Values are always bound, never pasted. Of a peer, a device or a kind of event no row is looked at
#: but those that may be of that time by their numbers (table ``hours``).
EVENT_WHERE = {
    "device": "device = :device",
    "peer": "peer = :peer",
    "event": "event = :event",
    "incident": "seq IN (SELECT links.event FROM links WHERE links.incident = :incident)",
    "since": "+received_at >= :since AND seq >= (SELECT min(first) FROM hours WHERE hour >= :since / 3600000000)",
    "until": "+received_at < :until AND seq <= (SELECT max(last) FROM hours WHERE hour <= :until / 3600000000)",
    "before": "seq < :before",
}
#: The same where nothing but times is asked for. The row of ``before`` may be gone by now.
EVENT_WHERE_THEN = {
    "since": "received_at >= :since",
    "until": "received_at < :until",
    "before": "(received_at, seq) < "
    "((SELECT received_at FROM events WHERE seq <= :before ORDER BY seq DESC LIMIT 1), :before)",
}
INCIDENT_WHERE = {name: f"{name} = :{name}" for name in ("status", "kind", "device", "peer", "severity", "site")} | {
    "id": "id >= :id AND id < :id || '~'",
    "parent": "coalesce(json_extract(json, '$.parent'), 'none') = :parent",
    "child_of": "id IN (SELECT value FROM incidents AS i, json_each(i.json, '$.children') WHERE i.id = :child_of)",
    "before": "seq < :before",
}
LETTER_WHERE = {
    "id": INCIDENT_WHERE["id"],
    "channel": "channel = :channel",
    "state": "state = :state",
    "incident": "incident = :incident",
    # As its index has it.
    "undelivered": "state IN ('pending', 'dead') AND sent_again_as IS NULL AND dropped_by IS NULL AND :undelivered",
    "wanted_before": "wanted_at < :wanted_before",
    "before": "seq < :before",
}
MALFORMED_WHERE = {"before": "seq < :before"}

#: By which of its filters a list is searched: the first that is given. SQLite knows of columns only that they have an
#: index, and would read half of the journal by the kind of event.
SEARCHED = {
    "events": ("incident", "event"),
    "events_of": ("peer", "device"),
    "events_then": ("before", "until"),
    "incidents": ("id", "child_of", "open", "peer", "device", "site", "severity", "kind", "status"),
}

_event = msgspec.json.Decoder(Event)
_reason = msgspec.json.Decoder(Reason)
_incident = msgspec.json.Decoder(Incident)
_malformed = msgspec.json.Decoder(Malformed)
_names = msgspec.json.Decoder(tuple[str, ...])


class Reader:
    """The reading connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._give_up_at = float("inf")
        db.set_progress_handler(self._too_late, STEPS_PER_LOOK)

    def _too_late(self) -> bool:
        return time.monotonic() > self._give_up_at

    def all(self, query: str, args: Any = ()) -> list[Any]:
        """Rows of a named statement."""
        return self._rows(QUERIES[query], args)

    def _rows(self, sql: str, args: Any) -> list[Any]:
        self._give_up_at = time.monotonic() + QUERY_TIMEOUT_S
        try:
            return self._db.execute(sql, args).fetchall()
        finally:
            self._give_up_at = float("inf")

    def _page(
        self, query: str, conditions: Mapping[str, str], filters: Mapping[str, Any], limit: int
    ) -> tuple[list[Any], int | None]:
        """Rows of one page, and where the next begins. One row more than asked for tells whether there is one."""
        given = {name: value for name, value in filters.items() if value is not None}
        limit = max(1, min(limit, MAX_PAGE))
        other = self._not_searched(query, given)
        where = " AND ".join(f"+{conditions[name]}" if name in other else conditions[name] for name in given) or "TRUE"
        bound = {"before": None, "since": None, "until": None, **given, "limit": limit + 1}
        rows = self._rows(QUERIES[query].replace("{where}", where), bound)
        return rows[:limit], rows[limit - 1][0] if len(rows) > limit else None

    def _not_searched(self, query: str, given: Mapping[str, Any]) -> Collection[str]:
        """Those of the filters that are only looked at (``+``: of no index)."""
        names = given.keys() | ({"open"} if given.get("status") == "open" else set())
        found = [name for name in SEARCHED.get(query, ()) if name in names]
        return {*found[1:]} - ({"status"} if found[:1] == ["open"] else set())

    def events(self, filters: Mapping[str, Any], limit: int) -> Page[JournalRow]:
        """`Store.events`."""
        exact = {name: _micros(value) if name in ("since", "until") else value for name, value in filters.items()}
        query, where = "events", EVENT_WHERE
        if by_time(filters):
            query, where = "events_then", EVENT_WHERE_THEN
        elif filters.get("incident") is None and any(filters.get(name) is not None for name in SEARCHED["events_of"]):
            query = "events_of"
        rows, following = self._page(query, where, exact, limit)
        return Page(tuple(_journal_row(*row) for _, *row in rows), following)

    def incidents(self, filters: Mapping[str, Any], limit: int) -> Page[Incident]:
        """`Store.incidents`."""
        rows, following = self._page("incidents", INCIDENT_WHERE, filters, limit)
        return Page(tuple(_incident.decode(json) for _, json in rows), following)

    def letters(self, filters: Mapping[str, Any], limit: int) -> Page[Letter]:
        """`Store.letters`."""
        exact = {name: _micros(value) if name == "wanted_before" else value for name, value in filters.items()}
        rows, following = self._page("outbox_letters", LETTER_WHERE, exact, limit)
        return Page(tuple(letters(rows)), following)

    def letter(self, ident: str) -> Letter | None:
        """`Store.letter`."""
        return next(map(letter, self.all("outbox_letter", {"id": ident, "limit": 1})), None)

    def malformed(self, filters: Mapping[str, Any], limit: int) -> Page[Malformed]:
        """`Store.malformed`."""
        rows, following = self._page("malformed", MALFORMED_WHERE, filters, limit)
        return Page(tuple(_malformed.decode(json) for _, json in rows), following)

    def incident_list(self, query: str, args: Any) -> list[Incident]:
        """Incidents whole, by a named statement that gives their JSON."""
        return [_incident.decode(json) for (json,) in self.all(query, args)]

    def outbox_counts(self) -> dict[str, dict[str, int]]:
        """`Store.outbox_counts`."""
        counts: dict[str, dict[str, int]] = {}
        for channel, state, n in self.all("outbox_counts"):
            counts.setdefault(channel, {})[state] = n
        return counts

    def check(self) -> list[str]:
        """`Store.check`, on one snapshot of the file."""
        self._db.execute("BEGIN")
        try:
            found = (self._db.execute(sql).fetchmany(MAX_VIOLATIONS) for sql in CHECKS.values())
            return [str(sentence) for sentences in found for (sentence,) in sentences]
        finally:
            self._db.execute("COMMIT")


def _journal_row(duplicate: int, event: str, told: str, reason: str | None) -> JournalRow:
    whole = _event.decode(event)
    if reason is not None:
        whole = replace(whole, reason=_reason.decode(reason))
    return JournalRow(whole, bool(duplicate), _names.decode(told))


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)
