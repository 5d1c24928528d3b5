"""Growth of latency: how long a message takes from its sending to its commit, and an alert to the last of its channels,
in an eventd that is a process of its own and knows, holds or tells so much."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from statistics import median

from contenders.eventd import Eventd
from growth_curve import Curve, Look, Subject
from growth_judge import FIRST_PROBE, device
from growth_store import fill
from latency import LOOK_S, PATIENCE_S, Hook, Watch, probe
from loads import LOADS
from results import Spread
from service import until
from storm import send_stream, start_line, stop_line

from eventd.store import base as store
from eventd.store.sqlite import SqliteStore

#: Changes a second, a third of what a busy machine bears, and seconds of one look.
RATE, SECONDS = 400.0, 3.0
CHANGES = next(load for load in LOADS if load.name == "changes")
#: Alerts of one look. One address may make up few devices.
ALERTS = 8
#: Every peer's outage is told by itself, and at once.
ALONE = '[correlate]\noutage_hold = "0s"\ngroup_peers = 50000\ngroup_share = 1.0\n'
HOOK = '[[channels]]\nname = "hook{number}"\ntype = "webhook"\nurl = "http://127.0.0.1:{port}/{number}"\n'


class Served(Subject):
    """One eventd, which 200 peers keep busy; numbers of its other peers do not meet theirs."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.eventd = Eventd(folder, CHANGES, extra)
        self._sent = 0

    def tell(self, lines: Iterable[str]) -> None:
        """Have it judge these first."""
        before = self.eventd.done()
        told = send_stream(self.eventd.service.ports["syslog_tcp"], (line.encode() for line in lines))
        until(lambda: self.eventd.done() == before + told, "all to be judged", 600, every_s=0.25)

    def total(self, metric: str) -> float:
        """Of all series of a metric."""
        found = self.eventd.service.metrics().items()
        return sum(value for name, value in found if name.split("{")[0] == metric)

    def looks(self) -> Sequence[Look]:
        return [Look("to the commit, p99", "ms", self._committed)]

    async def _committed(self) -> tuple[float, float]:
        watch = Watch(self.eventd)
        watch.send(self._sent, RATE, SECONDS)
        self._sent += len(watch.sent)
        missing = watch.wait()
        assert not missing, f"{missing} messages are lost"
        spread = Spread.of(watch.committed())
        return spread.p99, spread.largest

    async def close(self) -> None:
        self.eventd.service.stop()
        self.eventd.journal.close()


async def peers(folder: Path, size: int) -> Subject:
    """So many peers are known and well."""
    served = Served(folder)
    served.tell(start_line(n, device=device(n)) for n in range(FIRST_PROBE - size, FIRST_PROBE))
    return served


async def incidents(folder: Path, size: int) -> Subject:
    """So many incidents are open."""
    served, numbers = Served(folder, ALONE), range(FIRST_PROBE - size, FIRST_PROBE)
    for line in (start_line, stop_line):
        served.tell(line(n, device=device(n)) for n in numbers)
    until(lambda: served.total("eventd_incidents_open") >= size, "all incidents to be open", 600, every_s=1.0)
    return served


async def journal(folder: Path, size: int) -> Subject:
    """So many events are on disk."""
    path = folder / "eventd.db"
    await (await SqliteStore.open(store.Settings(str(path)))).close()
    fill(path, size)
    return Served(folder)


class Telling(Served):
    """Each alert goes to so many webhooks, which are one far end."""

    def __init__(self, folder: Path, channels: int) -> None:
        self._hook = Hook()
        self._hook.__enter__()
        super().__init__(folder, "".join(HOOK.format(number=n, port=self._hook.port) for n in range(channels)))
        self._channels = channels

    def looks(self) -> Sequence[Look]:
        return [
            Look(
                "to the last of them",
                "ms",
                self._told,
                "each is told by itself and settled in a transaction of its own",
            )
        ]

    async def _told(self) -> tuple[float, float]:
        """The next alert comes when all have heard of the one before."""
        waits, heard = list[float](), self._hook.arrived
        with socket(AF_INET, SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.eventd.port))
            for number in range(self._sent, self._sent + ALERTS):
                at, about = time.perf_counter(), heard[f"PROBE{number}"]
                sock.send(probe(number))
                until(lambda about=about: len(about) >= self._channels, "all to be told", PATIENCE_S, LOOK_S)
                waits.append(about[self._channels - 1] - at)
        self._sent += ALERTS
        return median(waits) * 1e3, max(waits) * 1e3

    async def close(self) -> None:
        await super().close()
        self._hook.__exit__()


async def channels(folder: Path, size: int) -> Subject:
    """Every alert goes to so many channels."""
    return Telling(folder, size)


CURVES = (
    Curve("latency over peers known", (200, 2000, 20_000), peers),
    Curve("latency over incidents open", (10, 100, 1000, 10_000), incidents),
    Curve("latency over events on disk", (10_000, 100_000, 1_000_000), journal, (10_000_000,)),
    Curve("latency over channels", (1, 4, 16, 64), channels),
)
