"""How long a far end that fails is left alone, as a function of time, of how it failed, and on what."""

import math
import random

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Told
from eventd.notify.backoff import full_jitter
from eventd.notify.troubles import TROUBLE, away

#: A far end that asks for less and says not for how long: services count by seconds or minutes, and what comes before
#: that is over counts against us again.
LIMITED_S = 5.0


class Rest:
    """Of one channel, from its first failure until it takes something."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        #: When it ends (Unix seconds).
        self.until = 0.0
        #: From when on, if one message may be to blame, another one is tried.
        self.another_from = math.inf
        #: How often the far end has failed; on one message that counts once, unless nobody is there at all.
        self.failures = 0
        #: Whether nobody is there, or may be asked.
        self.away = False
        #: id of what failed since the far end last took something.
        self._failed_on: set[str] = set()

    @property
    def tries_others(self) -> bool:
        """Whether a message may be to blame for the failures."""
        return bool(self.failures) and not self.away

    def over(self) -> None:
        """The far end has taken something."""
        self.failures, self.until, self.another_from = 0, 0.0, math.inf
        self._failed_on.clear()

    def cut_short(self) -> None:
        """Somebody says that it can be told again."""
        self.until = self.another_from = 0.0

    def begin(self, told: Told, error: DeliveryError, now: float, *, blamed: bool) -> float:
        """The far end has failed on ``told``; after how many seconds that is tried again. What is ``blamed`` says
        nothing of others."""
        least = LIMITED_S if error.reason == DeliveryFailure.RATE_LIMITED else 0.0
        asked = least if error.retry_after_s is None else error.retry_after_s
        # How often it fails on one message says nothing of others either: the rest grows with how many it fails on.
        self.away = away(error)
        self.failures += not blamed and (self.away or told.id not in self._failed_on)
        self._failed_on |= set() if blamed else {told.id}
        trouble = (error.reason in TROUBLE or not error.retryable) and not blamed
        pause = max(asked, full_jitter(self.failures - 1, self._rng)) if trouble else asked
        self.until, self.another_from = now + pause, math.inf if self.away else now + asked
        return pause if self.away else max(asked, full_jitter(told.attempts, self._rng))
