"""Memory, latency and the ledger of a real eventd over minutes at 80 % of what it bears.

    python tests/bench/soak.py [--full] [--seconds N] [--share X] [--rate N] [--to FOLDER]

Lines over UDP and TCP (17 of 20 messages not about IPsec, the rest stops, starts and failures of 2,000 peers), v2c and
v3 traps, and a scrape every ten seconds. First it is told of all peers until everything that it remembers of them is as
large as it gets; what it bears is what it takes then as fast as it can, with the same mixture, while nothing is lost.
The run fails unless sent = received + dropped by the kernel, the ledger balances and the journal has a row for every
event. What counts as flat memory is in `goals.FLAT_BYTES`.
"""

import argparse
import itertools
import socket
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from about import Clock  # noqa: E402  neither folder is a package
from contenders.base import cpu_seconds, one_core  # noqa: E402
from contenders.eventd import USER_OF_V3  # noqa: E402
from loads import LOADS  # noqa: E402
from results import Seen, Soaked  # noqa: E402
from service import PLAIN, Service, until  # noqa: E402
from storm import IRRELEVANT, datagrams_dropped, fail_line, start_line, stop_line, stop_trap, waiting_bytes  # noqa: E402
from tables import SOAK_HEAD, look, soak  # noqa: E402

PEERS = 2000
#: Messages by which each of the peers had its turn once.
ROUND = 40 * PEERS
#: So often before anything is measured: each time a tunnel goes down and comes back at least once, and of the latest
#: quarter of an hour nine of these turns are remembered (`eventd.correlate.books.turned`).
FILLED = 5
#: Seconds in which it is found what it bears.
TRIED_S = 10.0
#: Longest wait for what was sent as fast as it was taken, on a machine that is busy with others' work.
SETTLED_S = 240.0
LOOK_EVERY_S = 10.0
#: Of 40 messages.
RELEVANT = 6
BURST = 50
#: Bytes in the receiver's socket above which the first try rests.
HIGH_WATER_BYTES = 60_000
V3_TRAPS = next(load for load in LOADS if load.name == "v3 traps")
NO_CHAT = """
[[channels]]
name = "log"
type = "console"
[[routes]]
match = {{ severity = ["critical"] }}
channels = ["log"]
"""


def mixture(*, noise: bool = True) -> Iterator[tuple[str, bytes]]:
    """Without end: the way, and a message; without ``noise`` only what is about IPsec."""
    made = {
        make: [make(number).encode() for number in range(PEERS)]
        for make in (stop_line, start_line, lambda n: fail_line(n, "authentication fail", 15))
    }
    lines, traps = list(made.values()), [stop_trap(number) for number in range(PEERS)]
    other = IRRELEVANT.encode()
    v3 = itertools.chain.from_iterable(V3_TRAPS.messages(first, 100) for first in itertools.count(0, 100))
    for number in itertools.count():
        turn, subject = number % 40, number // 40 * 7 % PEERS
        if turn in (0, 10, 20, 30):
            line = lines[(number // 40 // PEERS + turn // 10) % 2 if turn else 2][subject]
            yield "syslog_tcp" if turn == 30 else "syslog_udp", line
        elif turn == 5:
            yield "snmp", traps[subject]
        elif turn == 15:
            yield "snmp", next(v3)
        elif noise:
            yield "syslog_tcp" if turn % 8 == 1 else "syslog_udp", other


class Sender:
    """Sends the mixture over sockets of its own; ``sent`` counts by way."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.sent, self._messages, self._ports = Counter[str](), mixture(), ports
        kinds = {"syslog_udp": socket.SOCK_DGRAM, "snmp": socket.SOCK_DGRAM, "syslog_tcp": socket.SOCK_STREAM}
        self._sockets = {way: socket.socket(socket.AF_INET, kind) for way, kind in kinds.items()}
        for way, sock in self._sockets.items():
            sock.connect(("127.0.0.1", ports[way]))

    def send(self, count: int) -> None:
        """So many, as fast as they go."""
        self._send(itertools.islice(self._messages, count))

    def _send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        for way, message in messages:
            self._sockets[way].sendall(message + b"\n" if way == "syslog_tcp" else message)
            self.sent[way] += 1

    def fill(self) -> None:
        """Every peer goes down and comes back until there is nothing more to remember of it."""
        about = itertools.islice(mixture(noise=False), FILLED * ROUND * RELEVANT // 40)
        while part := list(itertools.islice(about, BURST)):
            self._rest()
            self._send(part)

    def as_taken(self, seconds: float) -> None:
        """As many as the receiver takes."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._rest()
            self.send(BURST)

    def _rest(self) -> None:
        while any(waiting_bytes(self._ports[way]) > HIGH_WATER_BYTES for way in ("syslog_udp", "snmp")):
            time.sleep(0.0005)

    def close(self) -> None:
        """Send no more."""
        for sock in self._sockets.values():
            sock.close()


class Soak:
    """One service, looked at while it works."""

    def __init__(self, eventd: Service) -> None:
        self.eventd, self.seen = eventd, list[Seen]()
        assert eventd.process is not None
        self.pid, self.sender = eventd.process.pid, Sender(eventd.ports)
        self.started = time.perf_counter()
        self._buckets: dict[str, dict[float, float]] = {}
        self._cpu = (self.started, cpu_seconds(self.pid))

    def bears(self) -> float:
        """How many it takes and judges in a second, when they come as fast as it takes them."""
        self.settle()
        before, started = self.sender.sent.total(), time.perf_counter()
        self.sender.as_taken(TRIED_S)
        self.settle()
        return (self.sender.sent.total() - before) / (time.perf_counter() - started)

    def run(self, rate: float, seconds: float) -> None:
        """Send evenly, and look every few seconds."""
        self.started = begun = time.perf_counter()
        wanted, look_at, first = 0.0, begun + LOOK_EVERY_S, self.sender.sent.total()
        while (now := time.perf_counter()) < begun + seconds:
            wanted = (now - begun) * rate
            behind = int(wanted) - (self.sender.sent.total() - first)
            if behind > 0:
                self.sender.send(min(behind, BURST))
            else:
                time.sleep(0.002)
            if now >= look_at:
                self.look()
                look_at += LOOK_EVERY_S

    def lost(self) -> int:
        """Datagrams that the kernel dropped."""
        return sum(datagrams_dropped(self.eventd.ports[way]) for way in ("syslog_udp", "snmp"))

    def look(self) -> None:
        """Scrape, and read what the kernel says of the process."""
        asked = time.perf_counter()
        metrics = self.eventd.metrics()
        scrape, (before, spent) = time.perf_counter() - asked, self._cpu
        self._cpu = now, cpu = time.perf_counter(), cpu_seconds(self.pid)
        status = Path(f"/proc/{self.pid}/status").read_text()
        memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
        self.seen.append(
            Seen(
                at_s=round(now - self.started, 1),
                megabytes=memory,
                cpu=(cpu - spent) / (now - before),
                p99_judged_s=self._p99("eventd_pipeline_latency_seconds", metrics),
                p99_commit_s=self._p99("eventd_store_commit_seconds", metrics),
                scrape_s=scrape,
                lost=self.lost(),
                store_megabytes=metrics["eventd_store_size_bytes"] / 2**20,
            )
        )
        print(
            "  ".join(f"{cell:>{len(head)}}" for head, cell in zip(SOAK_HEAD, look(self.seen[-1]), strict=True)),
            flush=True,
        )

    def _p99(self, name: str, metrics: Mapping[str, float]) -> float:
        """Upper bound of the bucket that holds it, of what came since the last look."""
        head = f'{name}_bucket{{le="'
        now = {float(key[len(head) : -2]): value for key, value in metrics.items() if key.startswith(head)}
        new = {bound: value - self._buckets.get(name, {}).get(bound, 0.0) for bound, value in now.items()}
        self._buckets[name] = now
        return min((bound for bound, value in new.items() if value >= 0.99 * new[float("inf")]), default=0.0)

    def settle(self) -> None:
        """Wait until all that was sent is done."""
        total, sent = self.eventd.total, self.sender.sent.total()
        until(lambda: self._arrived() == sent, "all of it to arrive", SETTLED_S, 0.5)
        until(lambda: total(self._now(), "eventd_queued") == 0, "all of it to be judged", SETTLED_S, 0.5)

    def _arrived(self) -> float:
        """What eventd says was sent: what the socket of a noisy source dropped is received and refused to it."""
        metrics, total = self._now(), self.eventd.total
        return total(metrics, "eventd_received_total") + total(metrics, "eventd_kernel_drops_total")

    def _now(self) -> Mapping[str, float]:
        return self.eventd.metrics()


def soaked(folder: Path, seconds: float, share: float, chosen: float | None) -> Soaked:
    """Find the rate unless one was chosen, keep it up, and check the promises."""
    eventd = Service(folder, extra=NO_CHAT, snmp_extra=USER_OF_V3, base=PLAIN)
    with one_core():
        eventd.start()
    with ExitStack() as stack:
        stack.callback(eventd.stop)
        watched = Soak(eventd)
        watched.sender.fill()
        bears = watched.bears()
        rate = chosen or bears * share
        print(
            f"{bears:,.0f} messages/s as fast as they are taken; {rate:,.0f}/s from now on\n{'  '.join(SOAK_HEAD)}",
            flush=True,
        )
        watched.run(rate, seconds)
        watched.sender.close()
        watched.settle()
        faults = eventd.ledger_faults()
        assert not faults, faults
        events = eventd.total(eventd.metrics(), "eventd_events_total")
        sent, lost = watched.sender.sent.total(), watched.lost()
    with closing(sqlite3.connect(folder / "eventd.db")) as journal:
        [(rows,)] = journal.execute("SELECT count(*) FROM events")
    assert rows == events, f"{rows} rows in the journal for {events:.0f} events"
    return Soaked(bears, rate, None if chosen else share, seconds, sent, lost, rows, watched.seen)


def main() -> None:
    """Find the rate, keep it up, say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="600 seconds")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=0.8, help="of what it bears")
    parser.add_argument("--rate", type=float, help="messages a second, instead")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of soak.json")
    asked = parser.parse_args()
    seconds, clock = 600.0 if asked.full else asked.seconds, Clock()
    with tempfile.TemporaryDirectory(dir=HERE) as name:
        found = soaked(Path(name), seconds, asked.share, asked.rate)
    print(soak(found).aligned())
    clock.write(asked.to / "soak.json", found)


if __name__ == "__main__":
    main()
