"""What takes whose place in the outbox on disk. For the writer's thread only."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from msgspec.structs import replace

from eventd.model import Notification
from eventd.store import unstorable
from eventd.store.base import (
    ALL_CLEARS,
    joined,
    rank,
    replaced_as,
    taking_place,
    told_by_parent,
    took_its_place,
    why_untold,
)
from eventd.store.database import QUERIES
from eventd.store.rows import Earlier, Tally, micros, moment, text

notification_json = msgspec.json.Decoder(Notification)


class Precedence:
    """What is told in place of what. `Queue` adds to whom it is handed, and what became of it."""

    def __init__(
        self,
        db: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[Tally]],
        clock: Callable[[], float],
    ) -> None:
        self._db, self._transaction, self._clock = db, transaction, clock
        #: id of a notification or digest → channel.
        self._in_flight: dict[str, str] = {}
        #: Channel → notification handed to it alone and not settled, on disk too. If nobody holds it, its worker was
        #: cut off: the far end may know of it, though nobody said so.
        self._noted: dict[str, str] = dict(self._all("in_flight"))
        #: Those in flight that only wait for their next try: who holds them tells nobody of them just now.
        self._laid_down: set[str] = set()
        #: Handed out again after that.
        self._repeated: set[str] = set()
        #: Digests that were sealed since the start, and of which surely nobody has heard.
        self._unheard: set[str] = set()

    def _one(self, query: str, *args: Any) -> Any:
        return self._db.execute(QUERIES[query], args).fetchone()

    def _all(self, query: str, *args: Any) -> list[Any]:
        return self._db.execute(QUERIES[query], args).fetchall()

    def put(self, notification: Notification, seq: int, tally: Tally) -> None:
        """Add a new notification as row ``seq``, in place of one about the same incident that could not be told yet."""
        about = (notification.incident.id, notification.channel)
        found = self._one("outbox_latest", *about)
        latest = None if found is None else Earlier(*found)
        earlier = None if latest is None or self._maybe_known(latest) else latest
        if notification.escalates and (self._announced(*about) or earlier is not latest):
            notification = replace(notification, escalates=False, due_at=None)
        why = self._joined(notification, waits=latest is not None)
        if notification.joined and why is None:
            earlier = None
        what = replaced_as(earlier.what if earlier else None, notification.what)
        if what is None:
            earlier, what = None, notification.what
        follows = self._one("outbox_all_clear", *about) is not None
        before = (earlier.lane, earlier.place) if earlier else None
        lane, place = rank(what, notification.incident, seq, before, follows_all_clear=follows)
        due = 0.0 if notification.due_at is None else notification.due_at.timestamp()
        if earlier is not None:
            due = earlier.next_at if earlier.attempts else min(due, earlier.next_at)
        stored = replace(notification, what=what, attempts=earlier.attempts if earlier else 0)
        if earlier is not None:
            stored = taking_place(stored, earlier.what, moment(earlier.wanted_at))
        self._db.execute(
            QUERIES["outbox_insert"],
            {
                **msgspec.structs.asdict(stored),
                "seq": seq,
                "lane": lane,
                "place": place,
                "incident": about[0],
                "next_at": due,
                "created_at": micros(stored.created_at),
                "wanted_at": micros(stored.wanted_at),
                "last_error": earlier and earlier.last_error,
                "json": text(stored),
            },
        )
        tally["notifications_enqueued", stored.channel] += 1
        why = why or self._why_untold(earlier.what if earlier else None, stored)
        if earlier is not None:
            self._supersede(earlier.id, stored, tally, why or took_its_place(stored.id))
        if why is not None or stored.joined:
            self._supersede(stored.id, stored, tally, why)

    def _announced(self, incident: str, channel: str) -> bool:
        """Whether the channel has been told of the incident, or will be without escalation."""
        return any(True for _ in self._all("outbox_announced", incident, channel))

    def _joined(self, later: Notification, *, waits: bool) -> str | None:
        """Why neither what ``waits`` nor ``later`` is told by itself; None where that is not so. An end of which
        something waits is told, or not, by the rules of that."""
        about, parent = (later.incident.id, later.channel), told_by_parent(later)
        if parent is None or (waits and not later.joined) or self._one("outbox_told", *about) is not None:
            return None
        return None if self._one("outbox_tells", parent, later.channel) is None else joined(parent)

    def _why_untold(self, earlier: str | None, later: Notification) -> str | None:
        heard = self._one("outbox_told", later.incident.id, later.channel) is not None
        return why_untold(earlier, later, heard=heard)

    def _maybe_known(self, earlier: Earlier) -> bool:
        """Whether it is in a digest, in somebody's hands, or to be repeated as it was: nothing takes its place."""
        held = earlier.id in self._in_flight or earlier.id in self._noted.values()
        return held or earlier.alone or earlier.digest is not None

    def _supersede(self, ident: str, later: Notification, tally: Tally, why: str | None) -> None:
        said = None if why is None else unstorable.writable(why)
        self._db.execute(QUERIES["outbox_settle"], ("superseded", micros(later.created_at), said, None, ident))
        tally["notifications_superseded", later.channel] += 1

    def _overtaken(self, ident: str, tally: Tally) -> None:
        """A try of ``ident`` has failed: what came in meanwhile about the same incident is told in its place."""
        if (row := self._one("outbox_behind", ident)) is None:
            return
        earlier, lane, place, wanted_at, seq, found, json = row
        if (what := replaced_as(earlier, found)) is None:
            return
        later = taking_place(replace(notification_json.decode(json), what=what), earlier, moment(wanted_at))
        lane, place = rank(what, later.incident, seq, (lane, place), follows_all_clear=lane == ALL_CLEARS)
        moved = {"id": later.id, "what": what, "lane": lane, "place": place, "earlier": ident}
        as_late = {"wanted_at": micros(later.wanted_at), "json": text(later)}
        self._db.execute(QUERIES["outbox_moves_up"], moved | as_late)
        why = self._why_untold(earlier, later)
        self._supersede(ident, later, tally, why or took_its_place(later.id))
        if why is not None:
            self._supersede(later.id, later, tally, why)
