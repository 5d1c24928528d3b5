"""One try at one rate, and the search for the highest rate without loss."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from math import sqrt

from contenders.base import Contender, cpu_seconds
from loads import Load
from msgspec import Struct

#: What is still on its way this long after the last message counts as not kept up with. It is part of the time by
#: which the rate is told, so that a long queue flatters nobody.
LAG_S = 1.0
#: Longest wait for a contender to finish what it was given too fast.
RECOVERY_S = 20.0
#: What a search tries next after a try without loss: far above while nothing is known, or nearby.
FAR, NEAR = 1.8, 1.3
STEP_DOWN = 3.0
#: A search begins at this share of what is known.
AGAIN = 0.7
#: A rate known so closely needs no further try.
CLOSE = 1.15
#: Messages/s by which a contender is warmed up: what eventd bears of every load.
WARM_RATE = 1500.0
#: Datagrams between two looks at the clock.
BURST = 32


class Trial(Struct, frozen=True):
    """``rate``: messages per second from the first one sent to the last result; ``capped``: the sender was too slow."""

    rate: float
    passed: bool
    capped: bool
    cpu_us: float


@contextmanager
def way(port: int, load: Load) -> Iterator[Callable[[bytes], None]]:
    """What sends a message of that load there, over one socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if load.stream else socket.SOCK_DGRAM) as plain:
        plain.connect(("127.0.0.1", port))
        if not load.stream:
            yield plain.sendall
            return
        with _over_tls(plain) if load.tls else nullcontext(plain) as sock:
            yield lambda message: sock.sendall(message + b"\n")


@contextmanager
def _over_tls(plain: socket.socket) -> Iterator[ssl.SSLSocket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(plain) as sock:
        yield sock
        with suppress(OSError):  # to close with tickets of TLS 1.3 unread would reset the connection
            sock.settimeout(LAG_S)
            sock.unwrap()


def paced(port: int, messages: Iterable[bytes], rate: float, load: Load) -> float:
    """Send datagrams evenly, or lines over one connection, as fast as they are taken at most; seconds it took."""
    with way(port, load) as send:
        started = time.perf_counter()
        for number, message in enumerate(messages):
            if number % BURST == 0 and (early := started + number / rate - time.perf_counter()) > 0:
                time.sleep(early)
            send(message)
        return time.perf_counter() - started


def attempt(contender: Contender, first: int, count: int, rate: float) -> Trial:
    """Send so many messages at that rate."""
    messages = list(contender.load.messages(first, count))
    done, lost = contender.done() + contender.expects(count), contender.lost()
    cpu, started = cpu_seconds(*contender.pids), time.perf_counter()
    took = paced(contender.port, messages, rate, contender.load)
    passed = _finished(contender, done, started + took + LAG_S)
    whole = time.perf_counter() - started
    cost = (cpu_seconds(*contender.pids) - cpu) / count * 1e6
    passed = passed and contender.lost() == lost
    if not passed:
        _recover(contender)
    return Trial(count / whole, passed, took > 1.2 * count / rate, cost)


def warm_up(contender: Contender) -> int:
    """Have it learn what it will know in service; how many messages that took."""
    if not contender.learns:
        return 0
    count = contender.load.warm
    attempt(contender, 0, count, WARM_RATE)
    return count


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
        time.sleep(contender.quiet_s)


class Search:
    """Climbs until something is lost, then halves the interval; faster where ``known`` says what it bore before.
    ``best`` is the fastest try without loss, ``sent`` how many messages there were."""

    def __init__(self, contender: Contender, seconds: float, known: float | None = None) -> None:
        self.contender, self._seconds, self.known = contender, seconds, known
        self.best: Trial | None = None
        self.sent = warm_up(contender)
        self._rate, self._up = (AGAIN * known, NEAR) if known else (contender.first_rate, FAR)
        self._good, self._bad = 0.0, 0.0

    @property
    def open_ended(self) -> bool:
        """Whether it could bear more than was sent: the sender was too slow, or the tries were used up."""
        return self.best is not None and (self.best.capped or not self._bad)

    @property
    def over(self) -> bool:
        """Whether another try would tell nothing new."""
        return bool(self._good and self._bad and self._bad / self._good < CLOSE)

    def step(self) -> None:
        """One more try."""
        portion = self.contender.portion
        count = max(1, round(self._rate * self._seconds / portion)) * portion
        trial = attempt(self.contender, self.sent, count, self._rate)
        self.sent += count
        if trial.passed:
            self._good = self._rate
            if self.best is None or trial.rate > self.best.rate:
                self.best = trial
        if not trial.passed or trial.capped:
            self._bad = self._rate
        self._rate = self._next()

    def _next(self) -> float:
        if not self._bad:
            return self._good * self._up
        return sqrt(self._good * self._bad) if self._good else self._bad / STEP_DOWN
