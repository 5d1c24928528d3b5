"""How the judgement bears a large installation: 100,000 tunnels of 20,000 peers on 500 devices.

    python tests/bench/scale.py [--peers N] [--storms N,N,N] [--only fleet|storms]

*fleet* tells a real eventd process of every tunnel, by one TCP connection, and then looks at its memory, its scrape
and how long it takes from its start to being ready, beside a plain load of the same rows (SQLite, then msgpack without
types). *storms* hands one correlator the loss and the return of many peers on one interface within a minute and shows
the time per event, which has to stay the same however many they are.
"""

import argparse
import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from correlate_strategies import EPOCH, parse  # noqa: E402  the support folder is not a package
from service import PLAIN, Service, until  # noqa: E402
from storm import peer, send_stream, start_line  # noqa: E402

from eventd.contract import Verdict  # noqa: E402
from eventd.correlate import Correlator, Settings  # noqa: E402
from eventd.correlate.settings import LONGEST  # noqa: E402
from eventd.inventory import Inventory  # noqa: E402

DEVICES = 500
TUNNELS = 5
#: A storm is over within this many seconds, as when an uplink breaks and dead peers are found out one by one.
STORM_S = 60.0
INTERFACE = "GigabitEthernet0/0/1"


def lines(peers: int) -> Iterator[bytes]:
    """A start of every tunnel; every device has its own peers."""
    for number in range(peers):
        whole = start_line(number, device=f"FW{number % DEVICES}")
        for tunnel in range(TUNNELS):
            yield whole.replace("10.1.1.0/", f"10.1.{tunnel}.0/").encode()


def megabytes(pid: int) -> float:
    """Resident memory of a process (proc(5), VmRSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def plain_load(store: Path) -> tuple[float, int]:
    """Seconds to read and unpack the rows of all states without making anything of them, and how many they are."""
    gc.collect()
    started = time.perf_counter()
    with sqlite3.connect(store) as database:
        rows = database.execute("SELECT * FROM states").fetchall()
    unpacked = [msgspec.msgpack.decode(row[-1]) for row in rows]
    return time.perf_counter() - started, len(unpacked)


def fleet(peers: int) -> None:
    """Print memory, scrape and restart of a service that knows ``peers`` with `TUNNELS` each."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder, Service(Path(folder), base=PLAIN) as eventd:
        assert eventd.process is not None
        empty = megabytes(eventd.process.pid)
        started = time.perf_counter()
        sent = send_stream(eventd.ports["syslog_tcp"], lines(peers))
        until(lambda: _judged(eventd) == sent, "every tunnel to be judged", 1200, every_s=1.0)
        took = time.perf_counter() - started
        print(f"{sent:,} tunnels told in {took:.0f} s; memory {empty:.0f} MB before, ", end="")
        print(f"{megabytes(eventd.process.pid):.0f} MB after")
        for _ in range(2):
            started = time.perf_counter()
            samples = eventd.metrics()
            print(f"scrape: {len(samples):,} samples in {time.perf_counter() - started:.2f} s, ", end="")
            print(f"{sum(name.startswith('eventd_peer_up{') for name in samples):,} of them peers")
        eventd.stop()
        started = time.perf_counter()
        eventd.start()
        print(f"restart to ready: {time.perf_counter() - started:.2f} s, ", end="")
        print(f"{megabytes(eventd.process.pid):.0f} MB; an empty one: ", end="")
        eventd.stop()
        seconds, count = plain_load(Path(folder) / "eventd.db")
        with tempfile.TemporaryDirectory(dir=HERE) as other:
            started = time.perf_counter()
            with Service(Path(other), base=PLAIN):
                print(f"{time.perf_counter() - started:.2f} s; plain load of {count:,} rows: {seconds:.2f} s")


def _judged(eventd: Service) -> float:
    return eventd.total(eventd.metrics(), "eventd_correlated_total")


HUB = "203.0.113.1"


class Kind(Struct, frozen=True):
    """A sort of storm: who a message number is about, what begins and ends it, and within how many seconds of each
    other (per message; None: all within `STORM_S`)."""

    where: Callable[[int], str]
    begins: str = "stop dpd timeout"
    ends: str = "start"
    apart_s: float | None = None
    #: Messages beyond that many come from nobody new.
    most: int = 20_000


def _at_hub(number: int) -> str:
    return f"peer={peer(number)} local={HUB} interface={INTERFACE} flow=A"


def _at_site(number: int) -> str:
    return f"device=Site{number} peer={HUB} local={peer(number)} flow=A"


KINDS = {
    "one interface": Kind(lambda n: f"peer={peer(n)} interface={INTERFACE} flow=A"),
    "one site each": Kind(_at_site, most=9_000),
    "both ends": Kind(lambda n: _at_hub(n // 2) if n % 2 else _at_site(n // 2), most=18_000),
    "each for itself": Kind(lambda n: f"peer={peer(n)} interface={INTERFACE} flow=A", apart_s=100.0),
    "no peer named": Kind(
        lambda n: f"peer={peer(n)} interface={INTERFACE} policy_seq={n}",
        "stop dpd timeout",
        "fail max transmit reached peer=none",
    ),
    "one reason": Kind(lambda n: f"peer={peer(n // 2)} interface={INTERFACE} flow=A", "fail authentication fail"),
    "strangers": Kind(lambda n: f"peer={peer(n)}", "fail authentication fail", "fail authentication fail"),
}


class Storm:
    """One correlator whose peers all have a tunnel, and lose it and get it back."""

    def __init__(self, kind: Kind, size: int) -> None:
        self.kind, self.size = kind, size
        self.correlator = Correlator(Settings(reminder=LONGEST, stale_after=LONGEST), Inventory())
        self.now, self.told, self.slowest = 0.0, 0, 0.0
        if "no peer" not in kind.begins and kind is not KINDS["strangers"]:
            self.every("start")
            self.wait(300)
        self.told, self.slowest = 0, 0.0

    def every(self, said: str) -> float:
        """Have everyone say it, one after the other; CPU seconds per event, timers included."""
        spent = 0.0
        for number in range(self.size):
            self.now += self.kind.apart_s or STORM_S / self.size
            at, event = parse(f"{self.now} {said} {self.kind.where(number)}", number)
            one = self._timed(partial(self.correlator.apply, event, EPOCH + at))
            self.slowest, spent = max(self.slowest, one), spent + one
        return spent / self.size

    def wait(self, seconds: float) -> float:
        """Let time pass; CPU seconds per event."""
        self.now += seconds
        return self._timed(partial(self.correlator.tick, EPOCH + self.now)) / self.size

    def _timed(self, act: Callable[[], Verdict]) -> float:
        started = time.process_time()
        verdict = act()
        spent = time.process_time() - started
        self.told += sum(change.notify for change in verdict.changes)
        for key in verdict.touched:  # as the pipeline does at the next commit
            self.correlator.dump(key)
        return spent


def storms(sizes: list[int], only: str | None) -> None:
    """Print the time per event for storms of several sorts and sizes."""
    titles = ("lost us", "wait us", "back us", "wait us")
    print(f"{'storm':18}{'events':>8}", *(f"{title:>9}" for title in titles), f"{'slowest ms':>11}{'told':>6}")
    for name, kind in KINDS.items():
        for size in sizes:
            if only not in (None, name):
                continue
            gc.collect()
            storm = Storm(kind, min(size, kind.most))
            costs = (storm.every(kind.begins), storm.wait(300), storm.every(kind.ends), storm.wait(300))
            print(f"{name:18}{storm.size:8,}", *(f"{cost * 1e6:9.1f}" for cost in costs), end="")
            print(f"{storm.slowest * 1e3:12.1f}{storm.told:6}", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=20_000)
    parser.add_argument("--storms", default="1000,5000,20000", help="peers lost at once, several runs")
    parser.add_argument("--only", choices=("fleet", "storms"))
    parser.add_argument("--storm", choices=tuple(KINDS), help="only storms of this sort")
    asked = parser.parse_args()
    if asked.only != "fleet":
        storms([int(size) for size in asked.storms.split(",")], asked.storm)
    if asked.only != "storms":
        fleet(asked.peers)


if __name__ == "__main__":
    main()
