"""What many tunnels add to the cost of a message: the same messages to an eventd that knows few and to one that knows
100,000. The peers that change are the same 200 on 5 devices, known to both: only the rest of the fleet differs."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contenders.base import cpu_seconds
from contenders.eventd import Eventd
from latency import Watch
from loads import FLEET_DEVICES, FLEET_PEERS, Load
from results import Borne, Growth, Spread
from service import until
from storm import send_stream, start_line, stop_line
from trial import Trial, attempt

#: Tunnels of each peer.
TUNNELS = 5
#: Peers whose tunnels change: all of every hundredth device.
CHANGING = range(0, FLEET_PEERS, 100)
#: Messages/s where no capacity was found.
MODEST_RATE = 1000.0


def tunnels(peers: Iterable[int]) -> Iterator[bytes]:
    """A start of every tunnel of these peers."""
    for number in peers:
        line = start_line(number, device=f"FW{number % FLEET_DEVICES}").encode()
        yield from (line.replace(b"10.1.1.0/", b"10.1.%d.0/" % tunnel) for tunnel in range(TUNNELS))


def _changes(first: int, count: int) -> Iterator[bytes]:
    made = [
        line(peer, device=f"FW{peer % FLEET_DEVICES}").encode() for line in (stop_line, start_line) for peer in CHANGING
    ]
    return (made[number % len(made)] for number in range(first, first + count))


LOAD = Load("tunnels", "syslog_udp", _changes)


@dataclass
class Side:
    """One eventd that was told of its tunnels."""

    eventd: Eventd
    tunnels: int = 0
    sent: int = 0

    def tell(self, peers: Iterable[int]) -> None:
        """Have it know these peers."""
        self.tunnels = send_stream(self.eventd.service.ports["syslog_tcp"], tunnels(peers))
        until(lambda: self.eventd.done() == self.tunnels, "every tunnel to be judged", 600, every_s=0.25)

    def attempt(self, count: int, rate: float) -> Trial:
        """The next messages."""
        self.sent += count
        return attempt(self.eventd, self.sent - count, count, rate)

    def watch(self, rate: float, seconds: float) -> Borne:
        """The next messages, looking at the journal meanwhile."""
        watch, dropped, spent = Watch(self.eventd), self.eventd.lost(), cpu_seconds(*self.eventd.pids)
        watch.send(self.sent, rate, seconds)
        self.sent += len(watch.sent)
        lost = max(watch.wait(), self.eventd.lost() - dropped)
        cost = (cpu_seconds(*self.eventd.pids) - spent) / len(watch.sent) * 1e6
        return Borne(lost, cost, None if lost else Spread.of(watch.committed()))


@contextmanager
def few_and_many(folder: Path) -> Iterator[tuple[Side, Side]]:
    """One eventd that knows only who changes, and one that knows the whole fleet."""
    with ExitStack() as stack:
        few, many = (
            Side(Eventd(Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder))), LOAD)) for _ in range(2)
        )
        for side in (few, many):
            stack.callback(side.eventd.stop)
        few.tell(CHANGING)
        many.tell(range(FLEET_PEERS))
        yield few, many


def grown(few: Side, many: Side, capacity: float, pairs: int, seconds: float) -> Growth:
    """Pairs of tries, in turn, at two fifths of ``capacity`` (messages/s)."""
    rate = capacity * 0.4
    count = round(rate * seconds / len(CHANGING) / 2 + 1) * len(CHANGING) * 2
    for side in (few, many):
        side.attempt(count, rate)  # the first time everything is new
    tries = [(few.attempt(count, rate).cpu_us, many.attempt(count, rate).cpu_us) for _ in range(pairs)]
    ratios = tuple(round(much / little, 3) for little, much in tries)
    return Growth(many.tunnels, median(one[0] for one in tries), median(one[1] for one in tries), ratios)
