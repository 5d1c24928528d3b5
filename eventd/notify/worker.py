"""One channel: what it tells next, how a try ends, when there is another."""

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable

from eventd.contract import Channel, Lately, Measures, Outbox, Settled, SpeaksPlain, Turn
from eventd.errors import DeliveryError, DeliveryFailure, EventdError
from eventd.model import Digest, Notification, Told
from eventd.notify.backoff import full_jitter
from eventd.notify.guard import failure_in, guarded, where
from eventd.notify.lateness import marked_late, members, wanted_at
from eventd.notify.pacing import COUNTED_S, LEAST_TOGETHER, Window, together
from eventd.notify.refusals import TOO_OLD, Refusals
from eventd.notify.render import latest
from eventd.notify.rests import Rest
from eventd.notify.session import MAX_RETRY_AFTER_S, Failures
from eventd.notify.standing import Standing
from eventd.notify.troubles import PLAIN_AFTER_TRIES, away, holds_a_culprit, plain_may_help, several
from eventd.notify.unshown import unshown
from eventd.telemetry import Telemetry, get_logger

#: From answers that take this long on, finding what is critical among a thousand that wait costs little (13 ms).
SLOW_S = 0.1
#: A sleeping worker looks again at least this often, should a wake-up be lost or the clock be set.
MAX_SLEEP_S = 30.0
#: Alertmanager is told for this long that an alert is over, in case it missed the first time.
RESOLVED_FOR_S = 900.0
#: Keeps a store whose ``next_due`` and ``claim`` disagree from being asked without end.
MIN_SLEEP_S = 0.02
#: Pause after the store failed: it has its own retries, this only keeps us from spinning.
STORE_PAUSE_S = 1.0

#: Ways out of the outbox, as metric label; ``superseded`` is decided by the store when a newer one comes in.
OUTCOMES = ("delivered", "superseded", "dead")


class Worker:
    """Everything about one channel: its queue in the outbox, its pauses, what it was last told."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        outbox: Outbox,
        telemetry: Telemetry,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.name, self.channel = name, channel
        self._outbox, self._telemetry, self._clock, self._rng = outbox, telemetry, clock, rng
        self._log = get_logger("notify").bind(channel=name)
        self._failures = Failures(telemetry, clock)
        self._woken, self._stopping = asyncio.Event(), False
        self._rest, self._failing_since = Rest(rng), 0.0
        self._refusals = Refusals(other_form=isinstance(channel, SpeaksPlain))
        self._window = Window(channel.pace)
        #: How long the far end took to answer the last time.
        self._takes_s = 0.0
        #: Incidents in a digest at most, once the far end found one too large that we did not.
        self._most = channel.digests
        #: The same while one is looked for that it will not take: halved by each refusal, doubled by what is taken.
        self._few = channel.digests
        self._last_look = 0.0
        #: How the last try that failed did.
        self._error: str | None = None
        #: Handed out when the one before it was settled.
        self._in_hand: Told | None = None
        self.looks = 0

    @property
    def standing(self) -> Standing:
        if not self._failing_since:
            return Standing()
        return Standing(self._failing_since, self._rest.until, self._error)

    def _fails(self, since: float) -> None:
        """0: no more."""
        self._failing_since = since
        self._telemetry.set("channel_failing_timestamp_seconds", self.name, value=since)

    def wake(self) -> None:
        self._woken.set()

    def end_pause(self) -> None:
        self._rest.cut_short()
        self._woken.set()

    def stop(self) -> None:
        self._stopping = True
        self._woken.set()

    async def close(self) -> None:
        if (error := failure_in(await guarded(self.channel.close()))) is not None:
            self._log.warning("channel did not close", error=str(error))

    async def run(self) -> None:
        remembered = False
        while not self._stopping or self._in_hand is not None:
            self._woken.clear()
            self.looks += 1
            try:
                if not remembered:
                    await self._outbox.unseal(self.name, self.channel.digests)
                    now = self._clock()
                    self._remember(await self._outbox.lately(self.name), now)
                    await self._keep()
                    remembered = True
                await self._step()
            except Exception as error:  # noqa: BLE001 - whatever the store raises, delivery goes on
                self._log.error("outbox failed", error=where(error))
                await self._sleep(STORE_PAUSE_S)

    def _remember(self, lately: Lately, now: float) -> None:
        """Go on where the worker before this one ended: with what the minute has seen, what was on its way, and the
        rest that the far end has asked for."""
        maybe = [now] if lately.unsettled else []
        self._window = Window(self.channel.pace, [*(at for at in lately.tried if at <= now), *maybe])
        self._refusals.remember(lately.refused, now)
        self._rest.failures = int(lately.failing)
        self._fails(min(lately.failing_since or now, now) if lately.failing else 0.0)
        if lately.rests_until <= now + MAX_RETRY_AFTER_S:
            self._rest.until = lately.rests_until

    async def _step(self) -> None:
        """Deliver one message, or sleep until there may be one."""
        now = self._look()
        if (told := self._in_hand) is not None:
            self._in_hand = None
            await self._see_through(told)
            return
        rests_until = max(self._rest.until, self._window.opens(now, self._kept))
        due: float | None = max(min(rests_until, self._rest.another_from), self._window.opens(now))
        if due is None or now >= due:
            rests = now < rests_until
            told = await (self._outbox.claim(self.name, now, "untried") if rests else self._next(now))
            if told is not None:
                await (self._try_another(told, rests_until) if rests else self._see_through(told))
                return
            due = rests_until if rests else await self._outbox.next_due(self.name)
        await self._sleep(MAX_SLEEP_S if due is None else due - now)

    @property
    def _kept(self) -> int:
        """How many messages of the minute are for what has not failed yet: half of them, where that may be taken."""
        return (self.channel.pace.per_minute or 0) // 2 if self._rest.tries_others else 0

    async def _try_another(self, told: Told, rests_until: float) -> None:
        """One that has not failed yet, before the channel rests: where it is taken, those that failed are to blame."""
        self._rest.until = 0.0
        await self._see_through(told)
        if self._rest.failures:
            self._rest.until, self._rest.another_from = max(self._rest.until, rests_until), math.inf

    async def _next(self, now: float) -> Told | None:
        """What to tell now, whole: a digest for which a message has no room is taken apart and a smaller one made."""
        most = min(self.channel.digests, self._most, self._few)
        while isinstance(told := await self._pick(now, most), Digest):
            most = self.channel.holds(told) if isinstance(self.channel, Measures) else len(latest(told))
            if most >= len(latest(told)):
                break
            await self._outbox.unseal(self.name, most)
        return told

    async def _pick(self, now: float, most: int) -> Told | None:
        """What to tell now: one thing, or several together. Who does not answer is tried with one thing: by the time
        somebody does, more may have to be told together."""
        if most >= LEAST_TOGETHER and not self._rest.failures:
            apart = self._refusals.culprits
            waiting = await self._outbox.waiting(self.name, now, apart)
            why = together(waiting, self._window.free(now), now, self._takes_s)
            if why is not None and (digest := await self._outbox.seal(self.name, now, why, most, apart)) is not None:
                return digest
        return await self._outbox.claim(self.name, now, self._turn())

    def _turn(self) -> Turn:
        """Who fails, and may do so because of a message, is tried with another one."""
        if self._rest.tries_others:
            return "least tried"
        return "gravest" if self._takes_s >= SLOW_S else "first"

    def _look(self) -> float:
        """The time. When it has gone back, a pause that was set by the old one means nothing any more."""
        now = self._clock()
        if now < self._last_look:
            self._rest.until = 0.0
        self._last_look = now
        return now

    async def _sleep(self, seconds: float) -> None:
        if not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), min(max(seconds, MIN_SLEEP_S), MAX_SLEEP_S))

    async def _see_through(self, told: Told) -> None:
        receipt = await self._try(marked_late(told, self._clock()))
        if isinstance(receipt, DeliveryError):
            await self._failed(told, receipt)
        else:
            await self._delivered(told, receipt)

    async def _try(self, told: Told) -> str | DeliveryError | None:
        """The receipt of the far end, or how it failed."""
        result = await self._ask(self.channel.deliver(told))
        if isinstance(result, DeliveryError) and plain_may_help(told, result) and isinstance(self.channel, SpeaksPlain):
            self._failures.note(self.name, result, next_try="plain text")
            asked = result.retry_after_s or 0.0
            self._rest.until = self._clock() + asked
            if asked > MAX_SLEEP_S or not await self._may_go(told):
                result.retryable = True
                return result
            heard, result = result.heard, await self._ask(self.channel.deliver_plain(told))
            if isinstance(result, DeliveryError):
                result.heard |= heard
        return result

    async def _ask(self, telling: Awaitable[str | None]) -> str | DeliveryError | None:
        """What comes of it. Counted when the answer is there: the far end has counted it by then."""
        began = self._clock()
        result = await guarded(telling)
        now = self._clock()
        self._window.note(now)
        self._takes_s = now - began
        await self._keep()
        return result

    async def _keep(self) -> None:
        """What the minute has seen, should eventd be killed; where nobody counts, nobody has to know."""
        if self.channel.pace.per_minute is not None:
            with contextlib.suppress(EventdError):  # what cannot be kept is told all the same
                await self._outbox.tried(self.name, self._window.seen)

    async def _may_go(self, told: Told) -> bool:
        """Waits until the pace of the channel allows one more message about it; False where we have to stop before
        that, or some of it was dropped meanwhile."""
        if self._wait() > 0:
            await self._outbox.lay_down(told.id)
            while (wait := self._wait()) > 0 and not self._stopping:
                self._woken.clear()
                await self._sleep(wait)
            if not await self._outbox.take_up(told.id):
                return False
        return not self._stopping

    def _wait(self) -> float:
        """Seconds until one more message may go out; 0 or less: none."""
        now = self._clock()
        return max(self._window.opens(now), self._rest.until) - now

    async def _delivered(self, told: Told, receipt: str | None, *, whole: bool = True) -> None:
        now = self._clock()
        for one in members(told):
            latency = max(0.0, now - wanted_at(one))
            self._telemetry.observe("notification_latency_seconds", latency, self.name)
        if self._rest.failures:
            self._log.info("channel works again", failures=self._rest.failures)
        self._refusals.taken(one.incident.id for one in members(told) if whole)
        # Messages of one say little of what many hold.
        grown = 2 * self._few if isinstance(told, Digest) else max(LEAST_TOGETHER, self._few)
        self._few = min(self.channel.digests, grown)
        self._rest.over()
        self._fails(0.0)
        await self._settle(told, "delivered", receipt=receipt)

    async def _failed(self, told: Told, error: DeliveryError) -> None:
        self._failures.note(self.name, error, notification=told.id)
        self._error = str(error)
        now = self._clock()
        if error.reason == DeliveryFailure.TOO_LARGE and several(told):
            self._most = len(latest(told)) // 2
            await self._outbox.unseal(self.name, self._most)
            return
        others_taken = not away(error) and self._refusals.broke(told, now)
        if self._breaks_on(told, error, others_taken=others_taken):
            error = DeliveryError(error.reason, error.detail, retryable=False, heard=error.heard)
        if holds_a_culprit(told, error):
            self._few = len(latest(told)) // 2
            await self._outbox.unseal(self.name, self._few)
            return
        why = self._refusals.given_up(told, error, now)
        if await self._told_bare(told, error, why, now):
            return
        if why is not None:
            self._log.error("notification given up", why=why, notification=told.id, error=str(error))
            await self._settle(told, "dead", error=error)
            return
        wait = self._pause(told, error, now, others_taken=others_taken)
        await self._settle(told, "retry", retry_at=now + wait, error=error)

    def _pause(self, told: Told, error: DeliveryError, now: float, *, others_taken: bool) -> float:
        """Leave the far end alone, as long as it may be what is to blame; after how many seconds ``told`` is tried
        again."""
        # What it will not take by itself says nothing of others, until a second one fares like that.
        blamed = not error.retryable and self._refusals.alone(told.id)
        if blamed and isinstance(told, Notification):
            # Found, and told apart from now on: the others fit together again, unless there are many like that.
            self._refusals.blame(told.incident.id, now)
            self._few = max(LEAST_TOGETHER, self.channel.digests // len(self._refusals.culprits))
        wait = self._rest.begin(told, error, now, blamed=blamed)
        if not others_taken:
            self._fails(self._failing_since or now)
        if (blamed or others_taken) and not several(told) and self.channel.pace.per_minute:
            wait = max(wait, COUNTED_S)  # the minute is for the others
        return wait

    def _breaks_on(self, told: Told, error: DeliveryError, *, others_taken: bool) -> bool:
        """Whether the far end fails on ``told`` because of what it says, as if it refused it. Of one message that is so
        if it fails time and again and others are taken meanwhile; several are taken apart to see that."""
        if away(error) or not isinstance(self.channel, SpeaksPlain):
            return False
        often = told.attempts >= PLAIN_AFTER_TRIES
        return (others_taken or often) if several(told) else (others_taken and often)

    async def _told_bare(self, told: Told, error: DeliveryError, why: str | None, now: float) -> bool:
        """Where the far end will not take what it says, it is told that there is something: at last (``why``), and
        soon. Whether it is settled with that."""
        passes = error.retryable and error.reason != DeliveryFailure.INTERNAL
        if passes or not (why or self._refusals.lasts(told.id, now)):
            return False
        if not isinstance(self.channel, SpeaksPlain):
            return False
        if not await self._may_go(told):
            await self._settle(told, "retry", retry_at=self._clock(), error=error)
            return True
        bare = unshown(marked_late(told, self._clock()))
        result = await self._ask(self.channel.deliver_plain(bare))
        if not isinstance(result, DeliveryError):
            self._log.error("notification told as id and link only", notification=told.id, error=str(error))
            await self._delivered(told, result, whole=False)
            return True
        self._failures.note(self.name, result, notification=told.id, told="id and link only")
        if not result.retryable or why == TOO_OLD:
            return False
        wait = max(result.retry_after_s or 0.0, full_jitter(told.attempts, self._rng))
        await self._settle(told, "retry", retry_at=self._clock() + wait, error=result)
        return True

    async def _settle(
        self,
        told: Told,
        outcome: str,
        retry_at: float | None = None,
        error: DeliveryError | None = None,
        receipt: str | None = None,
    ) -> None:
        """Record the outcome, and count it once it is recorded. Tried until the store takes it: what is left in
        flight would hold up the channel."""
        text, heard = (None, True) if error is None else (str(error), error.heard)
        refused_at, failing_since = self._refusals.since(told.id), self._failing_since or None
        settled = Settled(told.id, outcome, retry_at, text, receipt, heard, refused_at, failing_since)
        while not await self._settled(settled, over=outcome in OUTCOMES):
            if self._stopping:
                return
            await asyncio.sleep(STORE_PAUSE_S)
        if outcome in OUTCOMES:
            self._refusals.over(told)
            self._telemetry.inc("notifications", self.name, outcome, n=len(members(told)))

    async def _settled(self, settled: Settled, *, over: bool) -> bool:
        """Whether the store took it. Where it is ``over`` and the next one may go out at once, that is claimed too."""
        one_by_one = self.channel.digests < LEAST_TOGETHER and self._turn() == "first"
        goes_on = over and one_by_one and not self._stopping and self._wait() <= 0
        try:
            if goes_on:
                self._in_hand = await self._outbox.settle_then_claim(settled, self.name, self._clock())
            else:
                await self._outbox.settle(settled)
        except EventdError as error:
            self._failures.unrecorded(self.name, settled.outcome, error)
            return False
        return True

    async def refresh(self) -> None:
        """Repeat the current state: at once after the start, then every ``refresh_s``."""
        while not self._stopping:
            error = failure_in(await guarded(self._refresh_once()))
            self._telemetry.inc("notification_refreshes", self.name, "failed" if error else "ok")
            if error is not None:
                self._failures.note(self.name, error, during="refresh")
            await asyncio.sleep(self.channel.refresh_s or MAX_SLEEP_S)

    async def _refresh_once(self) -> None:
        now = self._clock()
        incidents = await self._outbox.alerting(self.name, now - RESOLVED_FOR_S)
        if incidents:
            await self.channel.refresh(incidents, now)
