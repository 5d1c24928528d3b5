"""The hallway: takes messages from the receivers through decoding and judgement to one commit, then lets others know.

One task judges, one batch at a time is written: what happens to a step of messages happens without a pause, so the
ledger balances at every scrape. Nobody is told and no inform is answered before the commit that makes it durable has
returned.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from eventd import ledger, notices
from eventd.commits import Commits, CommitStore, Pace
from eventd.contract import Batch, JournalRow, Verdict
from eventd.correlate import Correlator
from eventd.decode import Decoder, Examined, Unclaimed
from eventd.errors import RejectReason
from eventd.intake import Intake
from eventd.model import Change, Event, Malformed, Message, Notification
from eventd.receivers.quotas import Quotas
from eventd.skew import Skews, advice
from eventd.surviving import Surviving
from eventd.telemetry import RateLimit, Telemetry, get_logger
from eventd.turns import one_turn, together

#: Messages that are all read before the first of them is judged: a processor does the same again faster than something
#: else, which saves a tenth of the time of a message. A step may last for so many longer than its turn.
TOGETHER = 8
#: So many of these lists between two looks at the sockets (a few milliseconds): without CAP_NET_ADMIN a receive buffer
#: may hold no more than 300 datagrams, and a batch takes longer than a burst of those.
POLL_EVERY = 4
#: Turns of the loop for everybody else after each step. What is told to somebody takes some fifteen of them (claim,
#: connection, request, answer, settling), and one in which nobody has anything to do takes 20 us.
OTHERS_TURNS = 4
#: Longest sleep without a message or a timer; bounds how late a timer set by a clock step can fire.
MAX_IDLE_S = 1.0
#: Tallies of messages that left nothing else to store wait this long for company before they get their own commit.
TALLY_FLUSH_S = 1.0
#: A wall clock that goes back by more than this was set (NTP after a boot with a wrong clock): judgement follows it.
#: Smaller steps are waited out.
CLOCK_STEP_S = 60.0
#: SNMPv3 Reports a second to one source: an honest sender needs two to get going, and whoever forges a source address
#: must not be able to aim many at it.
REPORTS_PER_SECOND = 5.0
#: Where a defect may cost a step.
ROOMS = ("receive", "correlate", "timers", "route", "state", "reply", "stream")
#: Devices whose last message time and clock skew are exported; a fleet has a few thousand.
MAX_DEVICES = 10_000

log = get_logger("pipeline")


class Closed(NamedTuple):
    """What one commit makes durable, and who hears of it after that: operators, subscribers, senders of informs."""

    batch: Batch
    operated: list[asyncio.Future[None]]
    changes: list[Change]
    replies: list[Callable[[], None]]


class Pipeline:
    """Owns decoder and correlator, and drives them.

    ``route`` says which notifications a change causes (shape of `notify.routing.notifications` with routes and
    channels filled in); ``enqueued`` is called after a commit that put something into the outbox, ``committed``
    after one that changed incidents, with the changes in order. ``clock`` gives Unix seconds; ``timer`` tells how long
    work takes, and so where a step and a batch end.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        decoder: Decoder,
        correlator: Correlator,
        store: CommitStore,
        telemetry: Telemetry,
        route: Callable[[Change, float], list[Notification]],
        enqueued: Callable[[], None],
        committed: Callable[[Sequence[Change]], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.intake, self.decoder, self.correlator = intake, decoder, correlator
        self.telemetry, self.route, self._clock = telemetry, route, clock
        self._timer, self._pace = timer, Pace(timer)
        self._enqueued, self._committed = enqueued, committed
        self.last_heard: dict[str, float] = {}
        self.skews = Skews()
        #: steps made, for whoever wants to see it move
        self.steps = 0
        self._now = 0.0
        self._batch = Batch()
        self._sheet = ledger.Sheet()
        self._changes: list[Change] = []
        self._replies: list[Callable[[], None]] = []
        self._operated: list[asyncio.Future[None]] = []
        self._touched: dict[str, None] = {}
        self._tallies_since: float | None = None
        self._limit = RateLimit()
        self._commits = Commits(store, telemetry, self._defect)
        self._reports = Quotas(REPORTS_PER_SECOND)
        self._surviving = {room: Surviving(room, self._defect, correlator.take_faults) for room in ROOMS}
        telemetry.provide("queued", intake.queued)

    @property
    def store_failing(self) -> str | None:
        """What is wrong with the store, while it takes no commits."""
        return self._commits.failing

    async def run(self) -> None:
        """Work until the intake is closed and empty and everything is committed.

        While one batch is being written the messages that wait are judged, into the next: a disk that takes its time
        makes for larger commits and not for fewer messages.
        """
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                await self.intake.arrival(self._patience())
                self._judge_all(one_turn(self.intake.taken(), self._timer))
                free = writing is None or writing.done()
                if not len(self.intake) or self._pace.ends(self._batch, free):
                    if writing is not None:
                        await writing
                    self._pace.begin()
                    closed = self._close()
                    writing = None if closed is None else asyncio.create_task(self._commit(closed), name="commit")
                if writing is not None and not len(self.intake):
                    await writing
                    writing = None
                if self.intake.closed and not len(self.intake) and not self._batch:
                    return
                for _ in range(OTHERS_TURNS):
                    await asyncio.sleep(0)
        finally:
            if writing is not None:
                writing.cancel()

    async def step(self, messages: Sequence[Message], now: float) -> None:
        """Judge ``messages``, let time get on to ``now`` (Unix seconds), and make all of it durable."""
        self._judge_all(messages, now)
        if (closed := self._close()) is not None:
            await self._commit(closed)

    def _judge_all(self, messages: Iterable[Message], now: float | None = None) -> None:
        """One step. Time gets on to ``now``, else to where the next message waits or the clock is."""
        self._sheet = sheet = ledger.Sheet()
        for number, some in enumerate(together(messages, TOGETHER), 1):
            seen = [self.decoder.examine(message) for message in some]
            for message, examined in zip(some, seen, strict=True):
                sheet.ends[message.transport, self._absorb(message, examined)] += 1
            if number % POLL_EVERY == 0 and not self.intake.closed:
                with self._surviving["receive"]:
                    self.intake.poll()
        ledger.enter(sheet, self._batch.tallies, self.telemetry, self._clock())
        self._tick(self.intake.up_to(self._clock()) if now is None else now)
        notices.tell(self.decoder, self.telemetry, self._limit)
        self.steps += 1

    def _patience(self) -> float:
        """Seconds until something other than a message wants to be done, never negative."""
        if self._operated:
            return 0.0
        wanted = [MAX_IDLE_S]
        if self._tallies_since is not None:
            wanted.append(self._tallies_since + TALLY_FLUSH_S - self._clock())
        if (deadline := self.correlator.next_deadline()) is not None:
            wanted.append(deadline - self._clock())
        return max(0.0, min(wanted))

    async def operate(self, act: Callable[[float], Verdict]) -> Verdict:
        """Have an operator's ``act`` change what is judged, at this moment of the pipeline's time; its verdict, after
        the commit that makes it durable. Whatever ``act`` raises passes on, and nothing has changed."""
        self._tick(self._clock())
        verdict = act(self._now)
        self._keep(verdict)
        await self._durable()
        return verdict

    async def tell(self, told: Callable[[float], Iterable[Notification]]) -> None:
        """Put into the outbox what ``told`` says at this moment of the pipeline's time; returns after the commit, and
        so after the commit of all that was decided before."""
        self._tick(self._clock())
        self._batch.notifications.extend(told(self._now))
        await self._durable()

    async def _durable(self) -> None:
        """Until all that was decided is."""
        done = asyncio.get_running_loop().create_future()
        self._operated.append(done)
        self.intake.wake()
        await done

    # --- one message ---------------------------------------------------------------------------------------------

    def _absorb(self, message: Message, examined: Examined) -> str:
        """Do with a message what is to be done; how it ended (`ledger.LEDGER`)."""
        result = examined.result
        if examined.response is not None and message.reply is not None:
            self._replies.append(partial(message.reply, examined.response))
        if isinstance(result, Malformed):
            self._reject(message, result, examined.report)
            return "rejected"
        if self.last_heard.get(result.device) != message.received_at:  # once for all that one look at a socket brought
            with self._surviving["correlate"]:
                self._heard(self.decoder.event(result))
        if isinstance(result, Unclaimed) or result.event is None:
            if b"IPSEC" in message.payload:
                self._check_unrecognised(message, self.decoder.event(result))
            return "unrecognised"
        return self._judge(result, message.received_at, examined.repeated)

    def _check_unrecognised(self, message: Message, event: Event) -> None:
        """Say so where a message about IPsec is not taken for one."""
        if event.header.mnemonic is None and (held := self._limit.allow(("unrecognised", message.source))) is not None:
            log.warning(
                "this looks like an IPsec message and is not recognised; a relay may have rewritten it",
                source=message.source,
                raw=event.raw[:200],
                held_back=held,
            )

    def _reject(self, message: Message, result: Malformed, report: bytes | None) -> None:
        reason = result.error.reason
        self.telemetry.inc("rejected", message.transport, reason)
        if message.transport == "snmp-v3":
            self._usm_error(reason)
            if self._asks(message, report) and reason == RejectReason.UNKNOWN_ENGINE:
                return  # how every sender of v3 informs begins: nothing is wrong and nothing worth keeping
        self._batch.malformed.append(result)
        held = self._limit.allow((reason, message.source))
        if held is not None:
            log.warning(
                "message rejected",
                reason=reason,
                offset=result.error.offset,
                transport=message.transport,
                source=message.source,
                raw=result.raw[:200],
                held_back=held,
            )
        else:
            self.telemetry.inc("log_suppressed")

    def _asks(self, message: Message, report: bytes | None) -> bool:
        """Whether the sender asked to be told why (RFC 3414 section 3.2); it is, if it did not ask too often."""
        if message.reply is None or report is None:
            return False
        allowed = self._reports.allows(message.source, message.received_at)
        self.telemetry.inc("snmp_reports", "sent" if allowed else "limited")
        if allowed:
            message.reply(report)
        return True

    def _usm_error(self, reason: str) -> None:
        if (reason,) in self.telemetry.values("snmp_usm_errors"):
            self.telemetry.inc("snmp_usm_errors", reason)

    def _heard(self, event: Event) -> None:
        if event.device not in self.last_heard and len(self.last_heard) >= MAX_DEVICES:
            gone = next(iter(self.last_heard))  # unheard for longest: a forged name must not keep a real device out
            del self.last_heard[gone]
            self.skews.forget(gone)
        self.last_heard.pop(event.device, None)
        arrived = self.last_heard[event.device] = event.received_at.timestamp()
        if (verdict := self.correlator.hear(event.device, arrived)) is not None:
            self._keep(verdict)
        if event.device_time is not None:
            skew = self.skews.heard(event.device, event.device_time.timestamp() - arrived, arrived)
            if skew is not None:
                self._skewed(event.device, skew, arrived)

    def _skewed(self, device: str, skew: float, now: float) -> None:
        """Say so, each device once a day, and a whole fleet one after the other."""
        held = self._limit.allow("skew")
        if held is None:
            return
        self.skews.tell(device, skew, now)
        log.warning(
            "the clock of a device and ours differ; incidents go by ours",
            device=device,
            seconds=round(skew, 1),
            likely=advice(skew),
            held_back=held,
        )

    def _judge(self, event: Event, received_at: float, repeated: bool) -> str:
        """How it ended. ``repeated``: an inform whose answer its sender missed; it is a duplicate whenever it comes."""
        assert event.event is not None
        self._tick(received_at)
        verdict = Verdict(duplicate=repeated)
        if not repeated:
            with self._surviving["correlate"]:
                verdict = self.correlator.apply(event, self._now)
        reason, sheet = event.reason, self._sheet
        told = None if reason is None or verdict.duplicate else (reason.category, reason.name or "unknown")
        sheet.told[event.event, told] += 1
        sheet.arrived[received_at] += 1
        touched_by = tuple(dict.fromkeys(change.incident.id for change in verdict.changes)) if verdict.changes else ()
        self._batch.journal.append(JournalRow(event, verdict.duplicate, touched_by))
        self._keep(verdict)
        return "duplicates" if verdict.duplicate else "correlated"

    def _tick(self, now: float) -> None:
        """Move time on to ``now``, letting every timer fire that is due by then. Back it goes only by a large step."""
        if self._now <= now and not self.correlator.may_be_due(now):
            self._now = now
            return
        with self._surviving["timers"]:
            if now < self._now - CLOCK_STEP_S:
                log.warning("the clock was set back", seconds=round(self._now - now, 3))
                step, self._now = now - self._now, now
                self._keep(self.correlator.rebase(step))
            self._now = max(self._now, now)
            deadline = self.correlator.next_deadline()
            if deadline is not None and deadline <= self._now:
                self._keep(self.correlator.tick(self._now))

    def _defect(self, where: str, error: Exception) -> None:
        self.telemetry.inc("internal_errors", where)
        if self._limit.allow((where, type(error))) is not None:
            log.error("defect", where=where, exc_info=error)

    def _keep(self, verdict: Verdict) -> None:
        for rule in verdict.suppressed:
            self.telemetry.inc("suppressed", rule)
        for key in verdict.touched:
            self._touched[key] = None
        for change in verdict.changes:
            self._change(change)

    def _change(self, change: Change) -> None:
        incident = change.incident
        self._batch.incidents[incident.id] = incident
        self._changes.append(change)
        if change.what == "opened":
            self.telemetry.inc("incidents_opened", incident.kind)
        elif change.what == "resolved" and incident.resolved_at is not None:
            lasted = (incident.resolved_at - incident.opened_at).total_seconds()
            self.telemetry.observe("incident_duration_seconds", max(0.0, lasted))
        with self._surviving["route"]:
            self._batch.notifications.extend(self.route(change, self._now))

    # --- one commit ----------------------------------------------------------------------------------------------

    def _close(self) -> Closed | None:
        """End the batch in hand and begin another; None where there is nothing to do yet."""
        batch = self._batch
        for key in self._touched:
            with self._surviving["state"]:
                batch.states[key] = self.correlator.dump(key)
        self._touched.clear()
        if batch and self._may_wait(batch):
            return None
        if not (batch or self._operated or self._changes or self._replies):
            return None
        closed = Closed(batch, self._operated, self._changes, self._replies)
        self._operated, self._changes, self._replies = [], [], []
        if batch:
            self._batch, self._tallies_since = Batch(), None
        return closed

    async def _commit(self, closed: Closed) -> None:
        if closed.batch:
            await self._commits.make(closed.batch)
        for done in closed.operated:
            if not done.done():
                done.set_result(None)
        for reply in closed.replies:
            with self._surviving["reply"]:
                reply()
        if closed.batch.notifications:
            self._enqueued()
        if closed.changes:
            with self._surviving["stream"]:
                self._committed(closed.changes)

    def _may_wait(self, batch: Batch) -> bool:
        """Counts of messages that left nothing behind are not worth an fsync of their own for a second."""
        if self.intake.closed or self._replies or self._operated:
            return False
        if batch.journal or batch.malformed or batch.states or batch.incidents or batch.notifications:
            return False
        now = self._clock()
        if self._tallies_since is None:
            self._tallies_since = now
        return now < self._tallies_since + TALLY_FLUSH_S
