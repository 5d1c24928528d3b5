"""Growth of what a message costs, from its bytes to its commit, with all that eventd knows by then."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from growth_curve import Curve, Look, Subject
from storm import peer, start_line, stop_line

from eventd import registry
from eventd.contract import Settled
from eventd.correlate import Correlator, Settings
from eventd.correlate.hush import Maintenance, Silence
from eventd.correlate.settings import LONGEST
from eventd.decode import Decoder
from eventd.intake import Intake
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Change, Message, Notification
from eventd.notify import routing
from eventd.parse.snmp import Access
from eventd.pipeline import Pipeline
from eventd.store import base as store
from eventd.store.sqlite import SqliteStore
from eventd.telemetry import Telemetry

#: What looks is the same few peers at the same pace, however many others there are.
PROBES = 100
#: They follow the others, and may be no more than `storm.peer` has addresses for.
FIRST_PROBE = 60_000
#: Seconds between two messages: of one peer it is a blip every twelve seconds.
APART_S = 12.0 / PROBES
BATCH = 100
DEVICES = 500
JUDGED = Settings(reminder=LONGEST, stale_after=LONGEST)
#: What takes part in an outage of many is lost within this many seconds.
STORM_S = 40.0

#: Claims of one look at the outbox.
SETTLED = 20


def device(number: int) -> str:
    """One of many."""
    return f"FW{number % DEVICES}"


class Eventd(Subject):
    """Decoding, judgement and store of one eventd, on a clock of its own."""

    UNIT = "CPU µs per message"
    #: What its cost has to grow with.
    why = ""

    def __init__(self, folder: Path, inventory: Inventory | None = None) -> None:
        self.now = time.time()
        self._path, self.inventory = folder / "eventd.db", inventory or Inventory()
        self.routes = routing.Routes()
        self.channels: tuple[str, ...] = ()
        self.told = 0
        self._seconds = list[float]()
        self._sent = 0

    async def open(self) -> None:
        """Ready for messages."""
        self.store = await SqliteStore.open(store.Settings(str(self._path)), lambda: self.now)
        self.correlator = Correlator(JUDGED, self.inventory)
        self.pipeline = Pipeline(
            intake=Intake(),
            decoder=Decoder(registry.load(), self.inventory, Access(["public"])),
            correlator=self.correlator,
            store=self.store,
            telemetry=Telemetry(),
            route=self._route,
            enqueued=lambda: None,
            clock=lambda: self.now,
        )

    def _route(self, change: Change, now: float) -> list[Notification]:
        found = routing.notifications(change, self.routes, dict.fromkeys(self.channels), now)
        self.told += len(found)
        return found

    async def take(self, lines: Iterable[str], apart_s: float, batch: int = BATCH) -> int:
        """Have the lines come in so far apart; how many they were."""
        taken, lines = 0, iter(lines)
        while chunk := list(islice(lines, batch)):
            messages = []
            for line in chunk:
                self.now += apart_s
                messages.append(Message("syslog-udp", "192.0.2.1", 514, round(self.now, 6), line.encode()))
            taken += len(messages)
            started = time.perf_counter()
            await self.pipeline.step(messages, self.now)
            self._seconds.append(time.perf_counter() - started)
        return taken

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        await self.pipeline.step([], self.now)

    def looks(self) -> Sequence[Look]:
        return [Look("", self.UNIT, self._look, self.why)]

    async def _look(self) -> tuple[float, float]:
        """With the longest time from a batch's first message to its commit."""
        self._seconds.clear()
        return await self.probe(), max(self._seconds) * 1e3

    async def probe(self) -> float:
        """CPU µs per message of stops and starts of the peers that look."""
        lines = [self.probing(self._sent + number) for number in range(4 * PROBES)]
        self._sent += len(lines)
        before = time.process_time()
        await self.take(lines, APART_S)
        return (time.process_time() - before) / len(lines) * 1e6

    def probing(self, number: int) -> str:
        """The message of that number: all of them are lost, then all come back."""
        at = FIRST_PROBE + number % PROBES
        return (start_line if number // PROBES % 2 else stop_line)(at, device=device(at))

    async def close(self) -> None:
        await self.store.close()


async def _with_probes(eventd: Eventd) -> Eventd:
    for _ in range(4):
        await eventd.probe()  # what flaps, flaps by now
    return eventd


def known(number: int) -> str:
    """A peer that has a tunnel."""
    return start_line(number, device=device(number))


async def peers(folder: Path, size: int) -> Subject:
    """So many peers are known and well."""
    eventd = Eventd(folder)
    await eventd.open()
    await eventd.take((known(n) for n in range(size)), 0.01, 512)
    return await _with_probes(eventd)


async def incidents(folder: Path, size: int) -> Subject:
    """So many incidents are open, each about one peer."""
    eventd = Eventd(folder)
    await eventd.open()
    await eventd.take((known(n) for n in range(size)), 0.01, 512)
    await eventd.take((stop_line(n, device=device(n)) for n in range(size)), 20.0, 512)
    await eventd.rest(60.0)
    found = len(eventd.correlator.open_incidents())
    assert found >= size, f"{found} incidents are open, not {size}"
    return await _with_probes(eventd)


class OfHub(Eventd):
    """Those that look are peers of the device that lost all others."""

    def probing(self, number: int) -> str:
        at = FIRST_PROBE + number % PROBES
        return (start_line if number // PROBES % 2 else stop_line)(at, device="Hub")


async def children(folder: Path, size: int) -> Subject:
    """One device has lost so many peers at once, and they are not back."""
    eventd = OfHub(folder)
    await eventd.open()
    numbers = range(size)
    await eventd.take((start_line(n, device="Hub") for n in numbers), 0.01, 512)
    await eventd.take((stop_line(n, device="Hub") for n in numbers), STORM_S / size, 512)
    await eventd.rest(60.0)
    return await _with_probes(eventd)


async def listed(folder: Path, size: int) -> Subject:
    """The inventory lists so many peers, and as many devices."""
    rows = tuple(Peer(address=peer(n), name=f"site {n}") for n in range(size))
    named = tuple(Device(name=f"Known{n}", hostnames=(f"known{n}",)) for n in range(size))
    eventd = Eventd(folder, Inventory(named, rows))
    await eventd.open()
    return await _with_probes(eventd)


class Telling(Eventd):
    """Every message is one more outage, which is told. Its cost is that of a notification."""

    UNIT = "CPU µs per notification"
    APART_S = 40.0

    def probing(self, number: int) -> str:
        return stop_line(number, device=f"FW{number}")

    async def probe(self) -> float:
        lines = [self.probing(self._sent + number) for number in range(40)]
        self._sent += len(lines)
        told, before = self.told, time.process_time()
        await self.take(lines, self.APART_S, 10)
        return (time.process_time() - before) / max(1, self.told - told) * 1e6


async def _telling(folder: Path, channels: int, routes: Sequence[routing.Route]) -> Telling:
    eventd = Telling(folder)
    eventd.channels = tuple(f"c{n}" for n in range(channels))
    eventd.routes = routing.Routes(routes)
    await eventd.open()
    await eventd.probe()
    return eventd


async def routes(folder: Path, size: int) -> Subject:
    """So many routes are looked at before one fits."""
    return await _telling(folder, 1, _routes(size, "Other{}"))


async def wild_routes(folder: Path, size: int) -> Subject:
    """The same, each with a wildcard."""
    return await _telling(folder, 1, _routes(size, "Other{}-*"))


def _routes(size: int, device: str) -> Sequence[routing.Route]:
    no = ({"device": device.format(n), "severity": ["critical"]} for n in range(size))
    return [*(routing.Route(match=match, channels=("c0",)) for match in no), routing.Route(channels=("c0",))]


async def channels(folder: Path, size: int) -> Subject:
    """All is told on so many channels; cost per notification."""
    return await _telling(folder, size, (routing.Route(channels=tuple(f"c{n}" for n in range(size))),))


async def silences(folder: Path, size: int) -> Subject:
    """So many silences hold, and half as many planned windows, of which none fits."""
    return await _silenced(folder, size, lambda n: {"device": f"Other{n}"})


async def wild_silences(folder: Path, size: int) -> Subject:
    """The same, each with a wildcard."""
    return await _silenced(folder, size, lambda n: {"device": f"*-other{n}" if n % 2 else f"Other{n}-*"})


async def vague_silences(folder: Path, size: int) -> Subject:
    """The same, with nothing in them that tells one incident from many."""
    eventd = await _silenced(folder, size, lambda n: {"fault_side": "local", "device": f"*{n}*"})
    eventd.why = "whose patterns neither begin nor end with a letter are tried one by one"
    return eventd


async def _silenced(folder: Path, size: int, match: Callable[[int], dict[str, str | list[str]]]) -> Telling:
    eventd = await _telling(folder, 1, (routing.Route(channels=("c0",)),))
    until = eventd.now + 10_000_000
    for n in range(size):
        eventd.correlator.silence(Silence(f"s{n}", match(n), eventd.now, until, "somebody"), eventd.now)
    planned = tuple(Maintenance(match(n), weekly="Sat 22:00-Sun 02:00") for n in range(size // 2))
    eventd.correlator.reconfigure(JUDGED, eventd.inventory, None, planned)
    return eventd


class Waiting(Telling):
    """A long outbox; what it costs to take a notification from it and to settle that."""

    UNIT = "CPU µs per claim"

    async def probe(self) -> float:
        before = time.process_time()
        for _ in range(SETTLED):
            started = time.perf_counter()
            told = await self.store.claim("c0", self.now)
            assert told is not None, "nothing waits"
            await self.store.settle(Settled(told.id, "delivered"))
            self._seconds.append(time.perf_counter() - started)
        return (time.process_time() - before) / SETTLED * 1e6


async def waiting(folder: Path, size: int) -> Subject:
    """So many notifications wait for a channel."""
    eventd = Waiting(folder)
    eventd.channels, eventd.routes = ("c0",), routing.Routes([routing.Route(channels=("c0",))])
    await eventd.open()
    await eventd.take((eventd.probing(n) for n in range(size + 1000)), eventd.APART_S, 512)
    await eventd.rest(60.0)
    return eventd


CURVES = (
    Curve("peers known", (100, 1000, 5000, 20_000), peers),
    Curve("incidents open", (10, 100, 1000, 10_000), incidents),
    Curve("children of one outage", (10, 100, 1000, 10_000), children),
    Curve("peers and devices listed", (10, 100, 1000, 10_000), listed),
    Curve("routes before one fits", (1, 10, 100, 1000), routes),
    Curve("wild routes before one fits", (1, 10, 100, 1000), wild_routes),
    Curve("channels told", (1, 4, 16, 64), channels),
    Curve("silences that do not fit", (1, 10, 100, 1000), silences),
    Curve("wild silences that do not fit", (1, 10, 100, 1000), wild_silences),
    Curve("vague silences that do not fit", (1, 10, 100, 1000), vague_silences),
    Curve("notifications waiting", (10, 100, 1000, 10_000), waiting),
)
