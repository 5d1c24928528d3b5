"""How often a channel may be told something, and when several things are told together, as pure functions of time."""

import math
from collections import deque
from collections.abc import Iterable

from eventd.contract import Pace, Waiting
from eventd.model import DigestReason

#: The time over which messages are counted.
MINUTE_S = 60.0
#: The far end counts from when a request reaches it, by its own clock: one that was slow on its way and a quick one
#: come closer together than we sent them, by what a loaded network or machine delays at most without failing.
MARGIN_S = 2.0
#: How long a message counts here.
COUNTED_S = MINUTE_S + MARGIN_S
#: What has waited longer is no news any more: several of it are told together.
STALE_AFTER_S = 300.0
#: Fewer than this are told one by one.
LEAST_TOGETHER = 2


class Window:
    """The messages of the last minute of one channel, of which there may be so many."""

    def __init__(self, pace: Pace, sent: Iterable[float] = ()) -> None:
        """``sent``: when earlier ones went out, Unix seconds, in order."""
        self._pace, self._sent = pace, deque(sent)

    def note(self, now: float) -> None:
        """One more was tried: what the far end refused counts there too."""
        self._sent.append(now)

    @property
    def seen(self) -> tuple[float, ...]:
        """When those went out that may count still, Unix seconds, in order."""
        return tuple(self._sent)

    def free(self, now: float) -> float:
        """How many more may go out at ``now``; infinite where there is no limit."""
        self._forget(now)
        return math.inf if self._pace.per_minute is None else self._pace.per_minute - len(self._sent)

    def opens(self, now: float, kept: int = 0) -> float:
        """When the next one may go out, Unix seconds; at or before ``now`` if it may at once. ``kept``: how many of the
        minute, less than all, are for others."""
        self._forget(now)
        if not self._sent:
            return now
        apart = self._sent[-1] + self._pace.apart_s
        allowed = math.inf if self._pace.per_minute is None else self._pace.per_minute - kept
        return max(apart, self._sent[-int(allowed)] + COUNTED_S) if len(self._sent) >= allowed else apart

    def _forget(self, now: float) -> None:
        """Those that are over, and those of the future, which were sent before the clock was set back."""
        while self._sent and self._sent[-1] > now:
            self._sent.pop()
        while self._sent and self._sent[0] <= now - COUNTED_S:
            self._sent.popleft()


def together(waiting: Waiting, free: float, now: float, takes_s: float = 0.0) -> DigestReason | None:
    """Why what waits is told in one message; None where it is told one by one.

    The last message that a minute allows lists whatever is left, so that nobody waits for the next minute to hear how
    much there is. A far end that takes ``takes_s`` seconds for a message may be too slow to use up its minute.
    """
    if waiting.due < LEAST_TOGETHER:
        return None
    if waiting.held >= LEAST_TOGETHER:
        return "quiet"
    if waiting.catching_up >= LEAST_TOGETHER:
        return "new"
    if waiting.oldest is not None and now - waiting.oldest > STALE_AFTER_S:
        return "late"
    return "storm" if free <= 1 or waiting.due * takes_s > MINUTE_S else None
