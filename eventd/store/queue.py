"""The outbox on disk: what waits to be told, in which order, and what became of it. For the writer's thread only."""

import contextlib
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import takewhile
from typing import Any

import msgspec
from msgspec.structs import replace

from eventd.contract import Lately, Settled, Turn, Waiting
from eventd.model import Digest, DigestReason, Incident, Notification, Told
from eventd.store import unstorable
from eventd.store.base import (
    LONGEST_WAIT_S,
    MAX_COUNTED,
    STATE_AFTER,
    digest_id,
    failing_key,
    heard_of,
    most_tries,
    tried_key,
)
from eventd.store.database import QUERIES, unsynced
from eventd.store.letters import Letter, check_drop, check_retry, dropped, no_letter, told_again
from eventd.store.precedence import Precedence, notification_json
from eventd.store.rows import Tally, letter, moment
from eventd.telemetry import get_logger

log = get_logger("store")

_incident = msgspec.json.Decoder(Incident)


class Queue(Precedence):
    """All channels' queues."""

    # --- handing out ----------------------------------------------------------------------------------------------

    def _busy(self, channel: str) -> bool:
        return channel in self._in_flight.values()

    def _due(self, channel: str, now: float, limit: int) -> list[Any]:
        wanted = {"channel": channel, "now": now, "beyond": now + LONGEST_WAIT_S, "limit": limit}
        return self._db.execute(QUERIES["outbox_due"], wanted).fetchall()

    def _due_together(self, channel: str, now: float, apart: Collection[str]) -> list[Any]:
        return [row for row in self._due(channel, now, MAX_COUNTED) if row[-1] not in apart]

    def _turn(self, channel: str, now: float, turn: Turn) -> list[Any]:
        """The row whose turn it is, if there is one."""
        if turn == "first":
            return self._due(channel, now, 1)
        due = self._due(channel, now, MAX_COUNTED)
        if turn == "gravest":
            return self._gravest_first(due)[:1]
        least = sorted(due, key=lambda row: int(row[1]))[:1]
        return [row for row in least if turn == "least tried" or not row[1]]

    def _gravest_first(self, due: list[Any]) -> list[Any]:
        critical = {ident for (ident,) in self._all("incidents_critical")}
        return sorted(due, key=lambda row: row[-1] not in critical)

    def claim(self, channel: str, now: float, turn: Turn = "first") -> Told | None:
        """`contract.Outbox.claim`."""
        if self._busy(channel):
            return None
        due = self._turn(channel, now, turn)
        tries = most_tries(turn, due[0][1] if due else None)
        if (digest := None if self._maybe_told(channel, now, tries) else self._sealed(channel, now, tries)) is not None:
            return digest
        while rows := (repeats := self._maybe_told(channel, now, tries)) or due:
            for notification in self._read([row[:3] for row in rows]):
                if repeats:
                    self._repeated.add(notification.id)
                self._note(channel, notification.id)
                self._in_flight[notification.id] = channel
                return self._told_before(notification)
            due = self._turn(channel, now, turn)
        return None

    def _maybe_told(self, channel: str, now: float, tries: float = math.inf) -> list[Any]:
        """The row that was in somebody's hands when he was cut off, at once, and one of which that was so before, when
        it is due and was tried at most ``tries`` times. Told before anything else and never together with others:
        under another id nobody could know it."""
        held = [] if channel not in self._noted else self._all("outbox_single", self._noted[channel])
        wanted = {"channel": channel, "now": now, "beyond": now + LONGEST_WAIT_S}
        alone = () if held else self._db.execute(QUERIES["outbox_alone"], wanted)
        return held or [row for row in alone if row[1] <= tries]

    def _note(self, channel: str, ident: str) -> None:
        """Write down that ``channel`` may know of it from now on. A crash of eventd cannot undo that, a loss of power
        may. On a full disk it is told all the same: what could not be noted is only not known to be a repeat."""
        self._noted[channel] = ident
        with contextlib.suppress(sqlite3.Error), unsynced(self._db):
            self._db.execute(QUERIES["in_flight_set"], (channel, ident))

    def _over(self, ident: str) -> None:
        """It is settled. In a transaction."""
        self._db.execute(QUERIES["in_flight_over"], (ident,))

    def _forget(self, ident: str) -> None:
        """Nobody holds it any more, and nobody may know of it without our knowing."""
        self._in_flight.pop(ident, None)
        self._laid_down.discard(ident)
        self._repeated.discard(ident)
        self._noted = {channel: noted for channel, noted in self._noted.items() if noted != ident}

    def _read(self, rows: Iterable[Any]) -> tuple[Notification, ...]:
        """Rows of id, attempts and JSON. What cannot be read back, of a damaged file or another version, is given up:
        it would hold up its channel for ever."""
        found = []
        for ident, attempts, json in rows:
            try:
                found.append(replace(notification_json.decode(json), attempts=attempts))
            except msgspec.MsgspecError as error:
                log.error("notification given up", why="cannot be read back", notification=ident, error=str(error))
                self.settle(Settled(ident, "dead", error=f"cannot be read back: {error}"))
        return tuple(found)

    def _told_before(self, notification: Notification) -> Notification:
        """With what is known of earlier messages about its incident."""
        about = (notification.incident.id, notification.channel)
        if self._one("outbox_delivered", *about) is None:
            return replace(notification, first=True)
        found = self._one("outbox_thread", *about)
        return notification if found is None else replace(notification, thread=found[0])

    def _sealed(self, channel: str, now: float, tries: float) -> Digest | None:
        """A digest that was sealed before, is due again and was tried at most ``tries`` times."""
        for *sealed, next_at, attempts in self._all("digest_pending", channel):
            due = not attempts or next_at <= now or next_at > now + LONGEST_WAIT_S
            if due and attempts <= tries and (digest := self._digest(channel, *sealed)) is not None:
                return digest
        return None

    def _digest(self, channel: str, ident: str, why: DigestReason, created_at: int, more: int) -> Digest | None:
        """A sealed digest, handed out; None if nothing of it can be read."""
        told = tuple(map(self._told_before, self._read(self._all("digest_members", ident))))
        if not told:
            return None
        self._in_flight[ident] = channel
        attempts = max(notification.attempts for notification in told)
        return Digest(ident, channel, why, told, moment(created_at), attempts, more)

    def waiting(self, channel: str, now: float, apart: Collection[str]) -> Waiting:
        """`contract.Outbox.waiting`."""
        due = self._due_together(channel, now, apart)
        oldest = min((wanted_at for _, _, _, wanted_at, *_ in due), default=None)
        held, catching_up = sum(row[4] for row in due), sum(row[5] for row in due)
        return Waiting(len(due), None if oldest is None else oldest / 1e6, held, catching_up)

    def seal(self, channel: str, now: float, why: DigestReason, most: int, apart: Collection[str]) -> Digest | None:
        """`contract.Outbox.seal`."""
        if self._busy(channel) or self._maybe_told(channel, now):
            return None
        with self._transaction():
            due = self._due_together(channel, now, apart)
            if len(due) > most:
                due = self._gravest_first(due)
            members = [
                ident
                for *_, incident in due[:most]
                for ident, next_at in takewhile(lambda row: row[1] <= now, self._all("outbox_of", incident, channel))
            ]
            if not members:
                return None
            sealed, created_at, more = digest_id(members[0]), round(self._clock() * 1e6), max(0, len(due) - most)
            self._db.execute(QUERIES["digest_insert"], (sealed, channel, why, created_at, more))
            self._db.executemany(QUERIES["digest_seal"], [(sealed, ident) for ident in members])
        self._unheard.add(sealed)
        return self._digest(channel, sealed, why, created_at, more)

    def unseal(self, channel: str, most: int) -> None:
        """`contract.Outbox.unseal`."""
        with self._transaction():
            wanted = {"channel": channel, "most": most}
            large = [ident for (ident,) in self._db.execute(QUERIES["digest_larger"], wanted)]
            self._db.executemany(QUERIES["digest_unseal"], [(channel, ident) for ident in large])
        for ident in large:
            self._in_flight.pop(ident, None)
            self._laid_down.discard(ident)

    def next_due(self, channel: str) -> float | None:
        """`contract.Outbox.next_due`."""
        if self._busy(channel):
            return None
        if channel in self._noted and self._all("outbox_single", self._noted[channel]):
            return 0.0
        found = self._one("outbox_next", channel)
        return None if found is None else float(found[0])

    def tried(self, channel: str, at: Sequence[float]) -> None:
        """`contract.Outbox.tried`. On a full disk only a restart within the minute would want it."""
        with contextlib.suppress(sqlite3.Error), unsynced(self._db):
            self._db.execute(QUERIES["meta_set"], (tried_key(channel), msgspec.json.encode(at).decode()))

    def lately(self, channel: str) -> Lately:
        """`contract.Outbox.lately`."""
        noted = self._one("meta_get", tried_key(channel))
        tried = () if noted is None else msgspec.json.decode(noted[0], type=tuple[float, ...])
        failing, rests_until = self._one("outbox_trouble", channel)
        unsettled = channel in self._noted or bool(self._all("digest_pending", channel))
        refused = dict(self._all("outbox_refused", channel))
        kept = self._one("meta_get", failing_key(channel))
        failing_since = None if kept is None else float(kept[0])
        return Lately(tried, failing > 0, rests_until or 0.0, unsettled, refused, failing_since)

    def lay_down(self, ident: str) -> None:
        """`contract.Outbox.lay_down`."""
        self._laid_down.add(ident)

    def take_up(self, ident: str) -> bool:
        """`contract.Outbox.take_up`."""
        whole = ident in self._laid_down
        self._laid_down.discard(ident)
        return whole

    # --- what became of it ----------------------------------------------------------------------------------------

    def unclaim(self, ident: str) -> None:
        """Nobody has seen this after all. It stays noted: it may have been in other hands before."""
        self._in_flight.pop(ident, None)

    def release(self, channel: str | None) -> None:
        """Nobody holds anything of this channel any more; the far end may have got it, though."""
        kept = {ident: of for ident, of in self._in_flight.items() if channel not in (None, of)}
        self._unheard -= self._in_flight.keys() - kept.keys()
        self._in_flight = kept
        self._laid_down &= self._in_flight.keys()

    def settle(self, settled: Settled) -> None:
        """`contract.Outbox.settle`. What is not pending stays as it is, so that settling twice is harmless."""
        state = STATE_AFTER.get(settled.outcome)
        if state is None:
            raise ValueError(f"outcome {settled.outcome!r} is none of {', '.join(STATE_AFTER)}")
        error = None if settled.error is None else unstorable.writable(settled.error)
        receipt = None if settled.receipt is None else unstorable.writable(settled.receipt)
        if heard_of(settled):
            self._unheard.discard(settled.id)
        with self._transaction() as tally:
            waiting = self._db.execute(QUERIES["outbox_pending"], {"id": settled.id}).fetchall()
            for channel in {channel for _, channel in waiting}:
                self._stands(channel, settled)
            for ident, channel in waiting:
                self._db.execute(
                    QUERIES["outbox_try"], (settled.retry_at or 0.0, error, settled.heard, settled.refused_at, ident)
                )
                if state != "pending":
                    settled_at = round(self._clock() * 1e6)
                    self._db.execute(QUERIES["outbox_settle"], (state, settled_at, error, receipt, ident))
                    tally[f"notifications_{state}", channel] += 1
            if settled.id in self._repeated and state == "pending":
                self._db.execute(QUERIES["outbox_leave_alone"], (settled.id,))
            elif state == "pending" and settled.id in self._unheard:
                self._made_anew(settled.id, waiting, tally)
            elif state == "pending" and waiting:
                self._overtaken(settled.id, tally)
            self._over(settled.id)
        self._forget(settled.id)

    def _made_anew(self, digest: str, members: Sequence[tuple[str, str]], tally: Tally) -> None:
        """What a digest listed that did not go out is told as it stands by the next try."""
        for channel in {channel for _, channel in members}:
            self._db.execute(QUERIES["digest_unseal"], (channel, digest))
        for ident, _ in members:
            if self._one("outbox_single", ident) is not None:  # nor untold, as what was before it
                self._overtaken(ident, tally)

    def _stands(self, channel: str, settled: Settled) -> None:
        """Keep since when the channel fails. In a transaction."""
        if settled.outcome == "delivered":
            self._db.execute(QUERIES["meta_delete"], (failing_key(channel),))
        elif settled.failing_since is not None:
            self._db.execute(QUERIES["meta_set"], (failing_key(channel), repr(settled.failing_since)))

    def settle_then_claim(self, settled: Settled, channel: str, now: float) -> Told | None:
        """`contract.Outbox.settle_then_claim`."""
        self.settle(settled)
        return self.claim(channel, now)

    def give_up(self, channel: str, why: str) -> int:
        """`Store.give_up`."""
        with self._transaction() as tally:
            now = round(self._clock() * 1e6)
            given_up = self._db.execute(QUERIES["outbox_give_up"], (now, why, channel)).rowcount
            tally["notifications_dead", channel] += given_up
            self._over(self._noted.get(channel, ""))
            self._db.execute(QUERIES["meta_delete"], (failing_key(channel),))
        self._noted.pop(channel, None)
        return given_up

    # --- what operators do ----------------------------------------------------------------------------------------

    def _letter_row(self, ident: str) -> Any:
        row = self._db.execute(QUERIES["outbox_letter"], {"id": ident, "limit": 1}).fetchone()
        if row is None:
            raise no_letter(ident)
        return row

    def _letter(self, ident: str) -> Letter:
        return letter(self._letter_row(ident))

    def retry(self, ident: str, enqueue: Callable[[Notification, Tally], None]) -> Letter:
        """`Store.retry`; ``enqueue`` puts a new notification in."""
        with self._transaction() as tally:
            found = self._letter(ident)
            check_retry(found)
            if found.state == "pending":
                self._db.execute(QUERIES["outbox_at_once"], {"id": ident})
                return self._letter(ident)
            dead = notification_json.decode(self._letter_row(ident)[1])
            again = told_again(dead, _incident.decode(self._one("incident", found.incident)[0]))
            enqueue(again, tally)
            self._db.execute(QUERIES["outbox_sent_again"], (again.id, ident))
            return self._letter(again.id)

    def drop(self, ident: str, who: str) -> Letter:
        """`Store.drop`."""
        who = unstorable.writable(who)
        with self._transaction() as tally:
            found = self._letter(ident)
            held = {ident, found.digest or ident} & self._in_flight.keys()
            check_drop(found, in_flight=bool(held - self._laid_down))
            if found.state == "pending":
                at = round(self._clock() * 1e6)
                self._db.execute(QUERIES["outbox_settle"], ("dead", at, dropped(who), None, ident))
                tally["notifications_dead", found.channel] += 1
            self._db.execute(QUERIES["outbox_dropped"], (who, ident))
            self._over(ident)
            dropped_one = self._letter(ident)
        self._laid_down -= held
        self._forget(ident)
        return dropped_one
