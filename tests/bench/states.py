"""What many tunnels add to the cost of a message: the same messages to an eventd that knows few and to one that knows
100,000. The peers that change are the same 200 on 5 devices, known to both: only the rest of the fleet differs."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contenders.eventd import Eventd
from loads import FLEET_DEVICES, FLEET_PEERS, Load
from results import Growth
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
    sent: int = 0

    def tell(self, peers: Iterable[int]) -> int:
        """How many tunnels there are now."""
        count = send_stream(self.eventd.service.ports["syslog_tcp"], tunnels(peers))
        until(lambda: self.eventd.done() == count, "every tunnel to be judged", 600, every_s=0.25)
        return count

    def attempt(self, count: int, rate: float) -> Trial:
        """The next messages."""
        self.sent += count
        return attempt(self.eventd, self.sent - count, count, rate)


def grown(capacity: float | None, pairs: int, seconds: float, folder: Path) -> Growth:
    """Pairs of tries, in turn, at two fifths of ``capacity``."""
    rate = capacity * 0.4 if capacity else MODEST_RATE
    count = round(rate * seconds / len(CHANGING) / 2 + 1) * len(CHANGING) * 2
    with ExitStack() as stack:
        few, many = (
            Side(Eventd(Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder))), LOAD)) for _ in range(2)
        )
        for side in (few, many):
            stack.callback(side.eventd.stop)
        few.tell(CHANGING)
        known = many.tell(range(FLEET_PEERS))
        for side in (few, many):
            side.attempt(count, rate)  # the first time everything is new
        tries = [(few.attempt(count, rate).cpu_us, many.attempt(count, rate).cpu_us) for _ in range(pairs)]
    ratios = tuple(round(much / little, 3) for little, much in tries)
    return Growth(known, median(one[0] for one in tries), median(one[1] for one in tries), ratios)
