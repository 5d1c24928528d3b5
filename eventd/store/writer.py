"""The transactions. One `Writer` per file, used from one thread only; everything here blocks."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from eventd.contract import Batch, JournalRow
from eventd.model import Incident, Malformed, Notification
from eventd.store import database, unstorable
from eventd.store.base import (
    PRUNE_SLICE,
    STATES,
    UNSTORABLE_ROWS,
    ChannelTotals,
    Settings,
    check_tallies,
)
from eventd.store.database import QUERIES
from eventd.store.letters import Letter
from eventd.store.queue import Queue
from eventd.store.reasons import Reasons
from eventd.store.rows import Tally, micros, text
from eventd.telemetry import get_logger

log = get_logger("store")


def incident_row(incident: Incident) -> dict[str, Any]:
    """The columns of an incident, but for ``seq``."""
    ended = (incident.resolved_at or incident.updated_at) if incident.status == "resolved" else None
    return {
        "id": incident.id,
        "status": incident.status,
        "kind": incident.kind,
        "severity": incident.severity,
        "device": incident.device,
        "peer": incident.peer,
        "site": incident.site,
        "opened_at": micros(incident.opened_at),
        "updated_at": micros(incident.updated_at),
        "resolved_at": None if ended is None else micros(ended),
        "json": text(incident),
    }


class Writer:
    """The writing connection, and the little that is known only while it is open."""

    def __init__(self, db: sqlite3.Connection, settings: Settings, clock: Callable[[], float]) -> None:
        self._db, self._settings, self._clock = db, settings, clock
        self._ledger: dict[str, int] = dict(self._all("ledger"))
        self._reasons = Reasons()
        self.queue = Queue(db, self._transaction, clock)
        #: Replaced as a whole after each transaction, so that the loop may read it at any time.
        self.totals: dict[str, ChannelTotals] = {}
        self._add_totals(self._kept())

    # --- one transaction -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Tally]:
        """All or nothing; what is counted in the tally goes to the ledger in the same transaction."""
        tally: Tally = Counter()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield tally
            grown: Counter[str] = Counter()
            for (name, _), n in tally.items():
                grown[name] += n
            self._db.executemany(QUERIES["ledger_add"], grown.items())
            self._db.execute("COMMIT")
        except BaseException:
            self._reasons.forget()
            if self._db.in_transaction:  # SQLite has rolled back by itself after some errors
                self._db.execute("ROLLBACK")
            raise
        for name, n in grown.items():
            self._ledger[name] = self._ledger.get(name, 0) + n
        self._add_totals(tally)

    def _one(self, query: str, *args: Any) -> Any:
        return self._db.execute(QUERIES[query], args).fetchone()

    def _all(self, query: str, *args: Any) -> list[Any]:
        return self._db.execute(QUERIES[query], args).fetchall()

    def _next(self, name: str, tally: Tally) -> int:
        """The number of the next row that is counted under ``name``."""
        return self._ledger[name] + sum(n for (counted, _), n in tally.items() if counted == name) + 1

    def _kept(self) -> Tally:
        tally: Tally = Counter()
        for channel, state, n in self._all("outbox_counts"):
            tally["notifications_enqueued", channel] += n
            tally[f"notifications_{state}", channel] += n
        return tally

    def _add_totals(self, tally: Tally) -> None:
        changed: dict[str, Counter[str]] = {}
        for (name, channel), n in tally.items():
            if channel and not name.startswith("pruned_"):
                changed.setdefault(channel, Counter())[name.removeprefix("notifications_")] += n
        if not changed:
            return
        totals = dict(self.totals)
        for channel, grown in changed.items():
            old = totals.get(channel, ChannelTotals())
            new = {name: getattr(old, name) + grown[name] for name in ("enqueued", *STATES[1:])}
            totals[channel] = ChannelTotals(**new, pending=new["enqueued"] - sum(new[state] for state in STATES[1:]))
        self.totals = totals

    # --- commit --------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        """Everything of one batch in one transaction; what can never be written is mended or left out."""
        check_tallies(batch)
        try:
            with self._transaction() as tally:
                self._put(batch, tally)
        except Exception as error:
            if not unstorable.is_permanent(error):
                raise
            self._commit_piecemeal(batch, error)

    def _put(self, batch: Batch, tally: Tally) -> None:
        self._db.executemany(QUERIES["state_delete"], [(key,) for key, blob in batch.states.items() if blob is None])
        self._insert("state_put", [(key, blob) for key, blob in batch.states.items() if blob is not None])
        for incident in batch.incidents.values():
            self._put_incident(incident, tally)
        self._add_journal(batch.journal, tally)
        self._add_malformed(batch.malformed, tally)
        for notification in batch.notifications:
            self._enqueue(notification, tally)
        for name, n in batch.tallies.items():
            tally[name, ""] += n

    def _commit_piecemeal(self, batch: Batch, why: Exception) -> None:
        """Row by row in one transaction; what cannot be written even when mended leaves a note."""
        with self._transaction() as tally:
            for piece in unstorable.pieces(batch):
                if not (self._attempt(piece, tally) or self._attempt(unstorable.mended(piece), tally)):
                    self._add_malformed([unstorable.note(piece, self._clock())], tally)
                    tally[UNSTORABLE_ROWS, ""] += 1
            self._put(Batch(tallies=batch.tallies), tally)
            left_out = tally[UNSTORABLE_ROWS, ""]
        log.error("values cannot be written", left_out=left_out, error=f"{type(why).__name__}: {why}")

    def _attempt(self, piece: Batch, tally: Tally) -> bool:
        """Write one row, or nothing if its values cannot be written."""
        before = tally.copy()
        self._db.execute("SAVEPOINT piece")
        try:
            self._put(piece, tally)
        except Exception as error:
            if not unstorable.is_permanent(error):
                raise
            self._reasons.forget()
            self._db.execute("ROLLBACK TO piece")
            tally.clear()
            tally.update(before)
            return False
        finally:
            if self._db.in_transaction:  # SQLite has rolled back by itself after some errors
                self._db.execute("RELEASE piece")
        return True

    def _put_incident(self, incident: Incident, tally: Tally) -> None:
        row = incident_row(incident)
        if self._db.execute(QUERIES["incident_update"], row).rowcount == 0:
            self._insert_incident(row, tally)

    def _insert_incident(self, row: dict[str, Any], tally: Tally) -> None:
        self._db.execute(QUERIES["incident_insert"], {**row, "seq": self._next("incidents_stored", tally)})
        tally["incidents_stored", ""] += 1

    def _add_journal(self, journal: list[JournalRow], tally: Tally) -> None:
        if not journal:
            return
        numbered = list(zip(count(self._next("journal_rows", tally)), journal, strict=False))
        self._insert(
            "event_insert",
            [
                (seq, micros(e.received_at), e.device, e.peer, e.event, row.duplicate, *self._reasons.take_out(seq, e))
                for seq, row in numbered
                for e in (row.event,)
            ],
        )
        self._insert("reason_insert", self._reasons.new)
        self._reasons.new.clear()
        self._db.execute(QUERIES["hours_put"], (numbered[0][0],))
        self._insert("link_insert", [(seq, incident) for seq, row in numbered for incident in row.incidents])
        tally["journal_rows", ""] += len(journal)

    def _insert(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement that inserts, for all rows."""
        at = 0
        for size in database.ROWS_AT_ONCE:
            sql = database.of_rows(query, size)
            while len(rows) - at >= size:
                self._db.execute(sql, [value for row in rows[at : at + size] for value in row])
                at += size

    def _add_malformed(self, malformed: list[Malformed], tally: Tally) -> None:
        if not malformed:
            return
        first = self._next("malformed_rows", tally)
        for seq, message in enumerate(malformed, first):
            json = text(message)
            size = len(json.encode())
            self._db.execute(QUERIES["malformed_insert"], (seq, micros(message.received_at), size, json))
            tally["malformed_rows", ""] += 1
            tally["malformed_bytes", ""] += size
        self._trim_malformed(tally)

    def _trim_malformed(self, tally: Tally) -> None:
        """Drop the oldest until both bounds hold."""
        rows = self._kept_malformed("rows", tally) - self._settings.max_malformed
        size = self._kept_malformed("bytes", tally) - self._settings.max_malformed_bytes
        last, dropped, freed = 0, 0, 0
        for seq, n in self._db.execute(QUERIES["malformed_oldest"]):
            if dropped >= rows and freed >= size:
                break
            last, dropped, freed = seq, dropped + 1, freed + n
        if dropped:
            self._db.execute(QUERIES["malformed_delete"], (last,))
            tally["pruned_malformed_rows", ""] += dropped
            tally["pruned_malformed_bytes", ""] += freed

    def _kept_malformed(self, unit: str, tally: Tally) -> int:
        written, pruned = f"malformed_{unit}", f"pruned_malformed_{unit}"
        return self._ledger[written] + tally[written, ""] - self._ledger[pruned] - tally[pruned, ""]

    def _enqueue(self, notification: Notification, tally: Tally) -> None:
        if self._one("outbox_known", notification.id):
            return
        if not self._one("incident", notification.incident.id):
            self._insert_incident(incident_row(notification.incident), tally)
        self.queue.put(notification, self._next("notifications_enqueued", tally), tally)

    def retry(self, ident: str) -> Letter:
        """`Store.retry`."""
        return self.queue.retry(ident, self._enqueue)

    # --- small things and retention ------------------------------------------------------------------------------

    def meta_set(self, key: str, value: str) -> None:
        """Set a small durable value."""
        with self._transaction():
            self._db.execute(QUERIES["meta_set"], (key, value))

    def prune_incidents(self, cut: int, named: str) -> int:
        """One slice of resolved incidents with their notifications, and of old notifications never delivered.
        ``named``: JSON list of those that have to stay."""
        with self._transaction() as tally:
            bounds = {"cut": cut, "limit": PRUNE_SLICE}
            unsent = self._db.execute(QUERIES["prune_outbox_unsent"], bounds).fetchall()
            self._drop_notifications(unsent, tally)
            incidents = self._db.execute(QUERIES["prune_incidents"], bounds | {"named": named}).fetchall()
            for incident in incidents:
                self._drop_notifications(self._all("prune_outbox_of", *incident), tally)
                self._db.execute(QUERIES["incident_delete"], incident)
            tally["pruned_incidents", ""] += len(incidents)
            self._db.execute(QUERIES["digests_unused"])
        return sum(tally.values())

    def _drop_notifications(self, rows: list[Any], tally: Tally) -> None:
        for seq, channel, state in rows:
            self._db.execute(QUERIES["outbox_delete"], (seq,))
            tally[f"pruned_notifications_{state}", channel] += 1

    def prune_events(self, cut: int, after: tuple[int, int]) -> tuple[int, tuple[int, int] | None]:
        """One slice of the journal behind ``after``: how many rows went, and where the next slice begins."""
        bounds = {"cut": cut, "limit": PRUNE_SLICE, "after_time": after[0], "after_seq": after[1]}
        with self._transaction() as tally:
            rows = self._db.execute(QUERIES["prune_events"], bounds).fetchall()
            gone = [(seq,) for _, seq, told in rows if not told]
            self._db.executemany(QUERIES["event_delete"], gone)
            self._db.execute(QUERIES["prune_hours"])
            if gone:
                self._db.execute(QUERIES["prune_reasons"], (*min(gone), *max(gone)))
                self._reasons.forget()
            tally["pruned_journal_rows", ""] += len(gone)
        return len(gone), (rows[-1][0], rows[-1][1]) if len(rows) == PRUNE_SLICE else None

    def prune_malformed(self, cut: int) -> int:
        """One slice of old malformed messages."""
        with self._transaction() as tally:
            rows = self._db.execute(QUERIES["prune_malformed"], {"cut": cut, "limit": PRUNE_SLICE}).fetchall()
            self._db.executemany(QUERIES["malformed_delete_one"], [(seq,) for seq, _ in rows])
            tally["pruned_malformed_rows", ""] += len(rows)
            tally["pruned_malformed_bytes", ""] += sum(size for _, size in rows)
        return len(rows)

    def shrink(self) -> bool:
        """Give one slice of free pages back; whether there was any to give."""
        return database.shrink(self._db, PRUNE_SLICE)
