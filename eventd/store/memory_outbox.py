"""The outbox of the store without a disk, part of the model that the store on disk is tested against.

Nothing here is fast: every question looks at everything.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeVar, Unpack

from msgspec.structs import replace

from eventd.contract import Lately, Settled, Turn, Waiting
from eventd.model import Digest, DigestReason, Incident, Notification, Told, utc
from eventd.store.base import (
    DEFAULT_PAGE,
    LONGEST_WAIT_S,
    MAX_COUNTED,
    MAX_PAGE,
    STATE_AFTER,
    ChannelTotals,
    Page,
    digest_id,
    heard_of,
    most_tries,
)
from eventd.store.letters import (
    Letter,
    LetterFilters,
    check_drop,
    check_retry,
    dropped,
    make_letter,
    no_letter,
    told_again,
)
from eventd.store.memory_precedence import Entry, MemoryPrecedence

T = TypeVar("T")


class MemoryOutbox(MemoryPrecedence):
    """All channels' queues."""

    def restart(self) -> None:
        """Forget what a real store forgets when eventd ends and starts again."""
        self._in_flight.clear()
        self._laid_down.clear()
        self._repeated.clear()
        self._unheard.clear()
        self._totals = {}
        for entry in self._outbox.values():
            self._count(entry.notification.channel, "enqueued", "pending")
            if entry.state != "pending":
                self._count(entry.notification.channel, entry.state, "pending", -1)

    # --- handing out ---------------------------------------------------------------------------------------------

    def _turns(self, channel: str) -> list[Entry]:
        """The first of each incident, in the order in which they are told."""
        queue = sorted((e for e in self._pending() if e.notification.channel == channel), key=lambda e: e.rank)
        first: dict[str, Entry] = {}
        for entry in queue:
            first.setdefault(entry.notification.incident.id, entry)
        return list(first.values())

    def _due(self, channel: str, now: float) -> list[Entry]:
        return [entry for entry in self._turns(channel) if not entry.digest and _is_due(entry, now)]

    def _due_together(self, channel: str, now: float, apart: Collection[str]) -> list[Entry]:
        due = self._due(channel, now)[:MAX_COUNTED]
        return [entry for entry in due if entry.notification.incident.id not in apart]

    def _turn(self, channel: str, now: float, turn: Turn) -> Entry | None:
        """The entry whose turn it is, if there is one."""
        due = self._due(channel, now)[:MAX_COUNTED]
        if turn == "gravest":
            due.sort(key=lambda entry: not self._is_critical(entry.notification.incident.id))
        elif turn != "first":
            due.sort(key=lambda entry: entry.notification.attempts)
            due = [entry for entry in due if turn == "least tried" or not entry.notification.attempts]
        return due[0] if due else None

    async def claim(self, channel: str, now: float, turn: Turn = "first") -> Told | None:
        """`contract.Outbox.claim`."""
        if channel in self._in_flight.values():
            return None
        its_turn = self._turn(channel, now, turn)
        tries = most_tries(turn, None if its_turn is None else its_turn.notification.attempts)
        if (entry := self._maybe_told(channel, now, tries)) is not None:
            self._repeated.add(entry.notification.id)
            return self._hand_out(entry, channel)
        for ident in dict.fromkeys(e.digest for e in self._pending() if e.digest and e.notification.channel == channel):
            members = [e for e in self._pending() if e.digest == ident]
            tried = max(entry.notification.attempts for entry in members)
            if tried <= tries and all(_is_due(entry, now) or not entry.notification.attempts for entry in members):
                return self._digest(ident, members)
        return None if its_turn is None else self._hand_out(its_turn, channel)

    def _held(self, channel: str) -> Entry | None:
        """What was handed out and never settled."""
        entry = self._outbox.get(self._noted.get(channel, ""))
        return None if entry is None or entry.state != "pending" or entry.digest else entry

    def _maybe_told(self, channel: str, now: float, tries: float = math.inf) -> Entry | None:
        """That, or what was so before, is due again and was tried at most ``tries`` times."""
        alone = [e for e in self._pending() if e.alone and e.notification.channel == channel and _is_due(e, now)]
        first = min(alone, key=lambda e: (e.next_at, e.seq), default=None)
        return self._held(channel) or (first if first and first.notification.attempts <= tries else None)

    def _hand_out(self, entry: Entry, channel: str) -> Notification:
        told = entry.notification
        self._in_flight[told.id], self._noted[channel] = channel, told.id
        return self._told_before(told)

    def _told_before(self, told: Notification) -> Notification:
        """With what is known of earlier messages about its incident."""
        delivered = [e for e in self._of((told.incident.id, told.channel)) if e.state == "delivered"]
        if not delivered:
            return replace(told, first=True)
        receipts = [e.receipt for e in delivered if e.receipt]
        return replace(told, thread=receipts[0]) if receipts else told

    def _forget(self, ident: str) -> None:
        self._in_flight.pop(ident, None)
        self._laid_down.discard(ident)
        self._repeated.discard(ident)
        self._noted = {channel: noted for channel, noted in self._noted.items() if noted != ident}

    def _digest(self, ident: str, members: list[Entry]) -> Digest:
        told = tuple(self._told_before(entry.notification) for entry in sorted(members, key=lambda e: e.rank))
        why, created_at, more = self._digests[ident]
        self._in_flight[ident] = told[0].channel
        attempts = max(one.attempts for one in told)
        return Digest(ident, told[0].channel, why, told, utc(created_at), attempts, more)

    async def waiting(self, channel: str, now: float, apart: Collection[str] = ()) -> Waiting:
        """`contract.Outbox.waiting`."""
        due = [entry.notification for entry in self._due_together(channel, now, apart)]
        oldest = min((one.wanted_at.timestamp() for one in due), default=None)
        return Waiting(len(due), oldest, sum(one.held for one in due), sum(one.catches_up for one in due))

    async def seal(
        self, channel: str, now: float, why: DigestReason, most: int, apart: Collection[str] = ()
    ) -> Digest | None:
        """`contract.Outbox.seal`."""
        barred = channel in self._in_flight.values() or self._maybe_told(channel, now) is not None
        due = [] if barred else self._due_together(channel, now, apart)
        members = list[Entry]()
        if len(due) > most:
            due.sort(key=lambda entry: not self._is_critical(entry.notification.incident.id))
        for first in due[:most]:
            of = self._of((first.notification.incident.id, channel))
            ordered = sorted((e for e in of if e.state == "pending"), key=lambda e: e.rank)
            members += takewhile(lambda entry: entry.next_at <= now, ordered)
        if not members:
            return None
        ident = digest_id(members[0].notification.id)
        self._digests[ident] = (why, self._clock(), max(0, len(due) - most))
        for entry in members:
            entry.digest = ident
        self._unheard.add(ident)
        return self._digest(ident, members)

    def _is_critical(self, incident: str) -> bool:
        stands = self._incidents.get(incident)
        return stands is not None and stands.severity == "critical" and stands.status == "open"

    async def lay_down(self, ident: str) -> None:
        """`contract.Outbox.lay_down`."""
        self._laid_down.add(ident)

    async def take_up(self, ident: str) -> bool:
        """`contract.Outbox.take_up`."""
        whole = ident in self._laid_down
        self._laid_down.discard(ident)
        return whole

    async def settle(self, settled: Settled) -> None:
        """`contract.Outbox.settle`."""
        if settled.outcome not in STATE_AFTER:
            raise ValueError(f"outcome {settled.outcome!r} is none of {', '.join(STATE_AFTER)}")
        if heard_of(settled):
            self._unheard.discard(settled.id)
        tried = [entry for entry in self._pending() if settled.id in (entry.notification.id, entry.digest)]
        for entry in tried:
            if settled.outcome == "delivered":
                self._failing_since.pop(entry.notification.channel, None)
            elif settled.failing_since is not None:
                self._failing_since[entry.notification.channel] = settled.failing_since
            entry.notification = replace(entry.notification, attempts=entry.notification.attempts + 1)
            entry.next_at, entry.error = settled.retry_at or 0.0, settled.error
            entry.alone |= settled.outcome == "retry" and settled.id in self._repeated
            entry.heard |= settled.heard
            entry.refused_at = settled.refused_at if entry.refused_at is None else entry.refused_at
            if settled.outcome == "retry":
                entry.digest = "" if settled.id in self._unheard else entry.digest
            else:
                entry.receipt = settled.receipt
                self._settle(entry, STATE_AFTER[settled.outcome], self._clock())
        for entry in tried:
            if entry.state == "pending":
                self._overtaken(entry)
        self._forget(settled.id)

    async def settle_then_claim(self, settled: Settled, channel: str, now: float) -> Told | None:
        """`contract.Outbox.settle_then_claim`."""
        await self.settle(settled)
        return await self.claim(channel, now)

    async def give_up(self, channel: str, why: str) -> int:
        """`Store.give_up`."""
        waiting = [entry for entry in self._pending() if entry.notification.channel == channel]
        for entry in waiting:
            entry.error = why
            self._settle(entry, "dead", self._clock())
        self._noted.pop(channel, None)
        self._failing_since.pop(channel, None)
        return len(waiting)

    async def unseal(self, channel: str, most: int) -> None:
        """`contract.Outbox.unseal`."""
        sealed = [e for e in self._pending() if e.digest and e.notification.channel == channel]
        for ident in {e.digest for e in sealed}:
            members = [e for e in sealed if e.digest == ident]
            if len({e.notification.incident.id for e in members}) > most:
                for entry in members:
                    entry.digest = ""
                self._in_flight.pop(ident, None)
                self._laid_down.discard(ident)

    async def next_due(self, channel: str) -> float | None:
        """`contract.Outbox.next_due`."""
        if channel in self._in_flight.values():
            return None
        if self._held(channel) is not None:
            return 0.0
        return min((entry.next_at for entry in self._turns(channel)), default=None)

    async def tried(self, channel: str, at: Sequence[float]) -> None:
        """`contract.Outbox.tried`."""
        self._tried[channel] = tuple(at)

    async def lately(self, channel: str) -> Lately:
        """`contract.Outbox.lately`."""
        of = [e for e in self._outbox.values() if e.notification.channel == channel]
        failing = [e for e in of if e.state == "pending" and e.notification.attempts]
        limited = (e.next_at for e in failing if (e.error or "").startswith("rate_limited"))
        unsettled = channel in self._noted or any(e.digest and e.state == "pending" for e in of)
        refused: dict[str, float] = {}
        for entry in failing:
            if entry.refused_at is not None:
                ident = entry.digest or entry.notification.id
                refused[ident] = min(entry.refused_at, refused.get(ident, entry.refused_at))
        rests, failing_since = max(limited, default=0.0), self._failing_since.get(channel)
        return Lately(self._tried.get(channel, ()), bool(failing), rests, unsettled, refused, failing_since)

    async def release(self, channel: str | None = None) -> None:
        """`Store.release`."""
        kept = {ident: of for ident, of in self._in_flight.items() if channel not in (None, of)}
        self._unheard -= self._in_flight.keys() - kept.keys()
        self._in_flight = kept
        self._laid_down &= self._in_flight.keys()

    async def alerting(self, channel: str, resolved_since: float) -> Sequence[Incident]:
        """`contract.Outbox.alerting`."""
        found = list[Incident]()
        for incident in self._incidents.values():
            of = self._of((incident.id, channel))
            announced = [entry.notification for entry in of if entry.state in ("pending", "delivered")]
            if announced and not ended_before(incident, resolved_since):
                only = announced[0] if len(announced) == 1 else None
                unheard = only and only.untold_since and only.incident.news == incident.news
                found.append(replace(incident, news=None) if unheard else incident)
        return found

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

    # --- what operators do ---------------------------------------------------------------------------------------

    def _letter(self, entry: Entry) -> Letter:
        """As operators see it."""
        told, waits = entry.notification, entry.state == "pending"
        of = (e for e in self._of((told.incident.id, told.channel)) if e.state == "pending" and e.rank < entry.rank)
        first = min(of, key=lambda e: e.rank, default=None) if waits else None
        behind = None if first is None else first.notification.id
        rest = (entry.error, entry.digest or None, entry.sent_again_as, entry.dropped_by, behind)
        return make_letter(told, entry.state, entry.next_at, None if waits else utc(entry.settled_at), rest)

    async def letters(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[LetterFilters]) -> Page[Letter]:
        """`Store.letters`."""
        rows = {e.seq: found for e in self._outbox.values() if _fits(found := self._letter(e), filters)}
        return page(rows, limit, filters.get("before"))

    async def letter(self, ident: str) -> Letter | None:
        """`Store.letter`."""
        return self._letter(self._outbox[ident]) if ident in self._outbox else None

    async def oldest_waiting(self, now: float) -> dict[str, float]:
        """`Store.oldest_waiting`."""
        found: dict[str, float] = {}
        for told in (entry.notification for entry in self._pending()):
            at = told.wanted_at.timestamp()
            if at <= now:
                found[told.channel] = min(at, found.get(told.channel, at))
        return found

    async def dead_letters(self) -> dict[str, int]:
        """`Store.dead_letters`."""
        found = (self._letter(entry) for entry in self._outbox.values() if entry.state == "dead")
        return dict(Counter(letter.channel for letter in found if letter.undelivered))

    def _known(self, ident: str) -> Entry:
        if ident not in self._outbox:
            raise no_letter(ident)
        return self._outbox[ident]

    async def retry(self, ident: str) -> Letter:
        """`Store.retry`."""
        entry = self._known(ident)
        check_retry(self._letter(entry))
        if entry.state == "pending":
            together = [e for e in self._pending() if e.digest == entry.digest] if entry.digest else [entry]
            for one in together:
                one.next_at = 0.0
            return self._letter(entry)
        again = told_again(entry.notification, self._incidents[entry.notification.incident.id])
        self._enqueue(again)
        entry.sent_again_as = again.id
        return self._letter(self._outbox[again.id])

    async def drop(self, ident: str, who: str) -> Letter:
        """`Store.drop`."""
        entry = self._known(ident)
        held = {ident, entry.digest} & self._in_flight.keys()
        check_drop(self._letter(entry), in_flight=bool(held - self._laid_down))
        if entry.state == "pending":
            self._settle(entry, "dead", self._clock())
            entry.error = dropped(who)
        entry.dropped_by = who
        self._laid_down -= held
        self._forget(ident)
        return self._letter(entry)


def _is_due(entry: Entry, now: float) -> bool:
    return entry.next_at <= now or (entry.notification.attempts > 0 and entry.next_at > now + LONGEST_WAIT_S)


def ended_before(incident: Incident, when: float) -> bool:
    """Whether it was over then."""
    ended = incident.resolved_at or incident.updated_at
    return incident.status == "resolved" and ended.timestamp() < when


def _fits(letter: Letter, wanted: LetterFilters) -> bool:
    before = wanted.get("wanted_before")
    return (
        all(wanted.get(name) in (None, getattr(letter, name)) for name in ("channel", "state", "incident"))
        and letter.id.startswith(wanted.get("id") or "")
        and (letter.undelivered or not wanted.get("undelivered"))
        and (before is None or letter.wanted_at.timestamp() < before)
    )


def page(
    rows: Mapping[int, T], limit: int, before: int | None, place: Callable[[int], int | tuple[float, int]] = int
) -> Page[T]:
    """One page of numbered rows, the last by ``place`` first."""
    order: Callable[[int], Any] = place
    found = sorted((seq for seq in rows if before is None or order(seq) < order(before)), key=order, reverse=True)
    limit = max(1, min(limit, MAX_PAGE))
    shown = found[:limit]
    return Page(tuple(rows[seq] for seq in shown), shown[-1] if len(found) > limit else None)
