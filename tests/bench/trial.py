"""One try at one rate, and the search for the highest rate without loss."""

import socket
import time
from collections.abc import Iterable
from math import sqrt

from contenders.base import Contender, cpu_seconds
from msgspec import Struct

#: What is still on its way this long after the last message counts as not kept up with. It is part of the time by
#: which the rate is told, so that a long queue flatters nobody.
LAG_S = 1.0
#: Longest wait for a contender to finish what it was given too fast.
RECOVERY_S = 20.0
FIRST_RATE = 3000.0
STEP_UP = 1.8
STEP_DOWN = 3.0
#: A rate known so closely needs no further try.
CLOSE = 1.12
#: Datagrams between two looks at the clock.
BURST = 32


class Trial(Struct, frozen=True):
    """``rate``: messages per second from the first one sent to the last result; ``capped``: the sender was too slow."""

    rate: float
    passed: bool
    capped: bool
    cpu_us: float


def paced(port: int, messages: Iterable[bytes], rate: float, *, stream: bool = False) -> float:
    """Send datagrams evenly, or lines over one connection, as fast as they are taken at most; seconds it took."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        started = time.perf_counter()
        for number, message in enumerate(messages):
            if number % BURST == 0 and (early := started + number / rate - time.perf_counter()) > 0:
                time.sleep(early)
            sock.sendall(message + b"\n" if stream else message)
        return time.perf_counter() - started


def attempt(contender: Contender, first: int, rate: float, seconds: float) -> Trial:
    """Send for so long at that rate."""
    count = max(10, round(rate * seconds / 10) * 10)
    messages = list(contender.load.messages(first, count))
    done, lost = contender.done() + contender.expects(count), contender.lost()
    cpu, started = cpu_seconds(contender.pid), time.perf_counter()
    took = paced(contender.port, messages, rate, stream=contender.load.stream)
    passed = _finished(contender, done, started + took + LAG_S)
    whole = time.perf_counter() - started
    cost = (cpu_seconds(contender.pid) - cpu) / count * 1e6
    passed = passed and contender.lost() == lost
    if not passed:
        _recover(contender)
    return Trial(count / whole, passed, took > 1.2 * count / rate, cost)


def _finished(contender: Contender, done: int, deadline: float) -> bool:
    while contender.done() < done:
        if time.perf_counter() > deadline:
            return False
        time.sleep(0.02)
    return True


def _recover(contender: Contender) -> None:
    deadline, before = time.perf_counter() + RECOVERY_S, -1
    while (now := contender.done()) != before and time.perf_counter() < deadline:
        before = now
        time.sleep(0.5)


class Search:
    """Climbs until something is lost, then halves the interval. ``best`` is the fastest try without loss."""

    def __init__(self, contender: Contender, seconds: float) -> None:
        self.contender, self._seconds = contender, seconds
        self.best: Trial | None = None
        self._rate, self._good, self._bad, self._sent = FIRST_RATE, 0.0, 0.0, 0

    @property
    def over(self) -> bool:
        """Whether another try would tell nothing new."""
        return bool(self._good and self._bad and self._bad / self._good < CLOSE)

    def step(self) -> None:
        """One more try."""
        trial = attempt(self.contender, self._sent, self._rate, self._seconds)
        self._sent += max(10, round(self._rate * self._seconds / 10) * 10)
        if trial.passed:
            self._good = self._rate
            if self.best is None or trial.rate > self.best.rate:
                self.best = trial
        if not trial.passed or trial.capped:
            self._bad = self._rate
        self._rate = self._next()

    def _next(self) -> float:
        if not self._bad:
            return self._good * STEP_UP
        return sqrt(self._good * self._bad) if self._good else self._bad / STEP_DOWN
