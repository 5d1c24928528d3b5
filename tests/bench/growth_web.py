"""Growth of what people and Prometheus ask for: how long the loop is held, and a restart, with so many peers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from growth_curve import Curve, Look, Subject
from growth_judge import device
from service import free_port
from storm import start_line, stop_line

from eventd.app import App
from eventd.config import load
from eventd.model import Message

#: One in so many peers is down, and told by itself.
DOWN = 10
ALL_DOWN = 1
#: A turn of 3 ms, a batch judged in 3 ms, and as much again: half of what a receive buffer holds (`eventd.turns`).
UNFELT_MS = 9.0
#: Seconds between two wake-ups of the one who notices that the loop is held.
TICK_S = 0.001
CONFIG = """
[receivers.syslog_udp]
listen = "127.0.0.1:{syslog}"
[store]
path = "{folder}/eventd.db"
[web]
listen = "127.0.0.1:{web}"
[correlate]
outage_hold = "0s"
group_peers = 50000
group_share = 1.0
[[channels]]
name = "nobody"
type = "console"
[[routes]]
match = {{ device = "none" }}
channels = ["nobody"]
"""
ASKED = {
    "scrape": "/metrics",
    "desk": "/",
    "desk with all peers": "/?peers=all",
    "peers": "/api/v1/peers",
    "peers that are down": "/api/v1/peers?up=false",
    "devices": "/api/v1/devices",
    "open incidents": "/api/v1/incidents?status=open&limit=20",
    "status": "/api/v1/status",
    "why of a device": "/api/v1/explain?device=FW1",
    "why of a peer": "/api/v1/explain?peer=10.0.1.1",
}


class Held:
    """Notices how long others keep the loop to themselves, in CPU time: others' work on the machine is not theirs."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(TICK_S)
            self.longest = max(self.longest, time.thread_time() - before)

    def stop(self) -> None:
        """Notice no more."""
        self._task.cancel()


class Asked(Subject):
    """A whole eventd, its loop beside ours, which knows so many peers."""

    def __init__(self, folder: Path, size: int, down: int = DOWN) -> None:
        self.size, self._down, self._stack = size, down, AsyncExitStack()
        self._web = free_port()
        self._config = folder / "eventd.toml"
        self._config.write_text(CONFIG.format(syslog=free_port(), web=self._web, folder=folder))

    async def open(self) -> None:
        """Have all peers, and stop and start once."""
        await self._start()
        now = time.time()
        lines = [start_line(n, device=device(n)) for n in range(self.size)]
        lines += [stop_line(n, device=device(n)) for n in range(0, self.size, self._down)]
        for at in range(0, len(lines), 512):
            part = [Message("syslog-udp", "192.0.2.1", 514, now, line.encode()) for line in lines[at:][:512]]
            self._app.intake.put(part)
            await self._judged()
        await self._restart()
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())

    async def _judged(self) -> None:
        while len(self._app.intake):  # noqa: ASYNC110  what tells when it is empty is what we look at
            await asyncio.sleep(0.005)

    async def _start(self) -> None:
        ready = asyncio.Event()
        self._app = App(lambda: load(str(self._config)))
        self._running = asyncio.create_task(self._app.run(lambda _: ready.set()))
        done, _ = await asyncio.wait([self._running, asyncio.create_task(ready.wait())], return_when="FIRST_COMPLETED")
        if self._running in done:
            self._running.result()

    async def _stop(self) -> None:
        self._app.stop()
        await self._running

    async def close(self) -> None:
        await self._stack.aclose()
        await self._stop()

    def looks(self) -> Sequence[Look]:
        unit = "CPU ms that the loop is held"
        asked = [Look(name, unit, self._asking(path), unfelt=UNFELT_MS) for name, path in ASKED.items()]
        return [*asked, *self.restarts()]

    def restarts(self) -> Sequence[Look]:
        """Until it is ready, from a state of that size."""
        return [Look("restart", "CPU µs per peer", self._restart)]

    def _asking(self, path: str) -> Callable[[], Awaitable[tuple[float, float]]]:
        async def probe() -> tuple[float, float]:
            held, started = Held(), time.perf_counter()
            await asyncio.sleep(0.01)
            held.longest = 0.0
            async with self._http.get(f"http://127.0.0.1:{self._web}{path}") as answer:
                await answer.read()
                assert answer.status == 200, (path, answer.status)
            await asyncio.sleep(0.01)
            held.stop()
            return held.longest * 1e3, (time.perf_counter() - started) * 1e3

        return probe

    async def _restart(self) -> tuple[float, float]:
        await self._stop()
        wall, cpu = time.perf_counter(), time.process_time()
        await self._start()
        return (time.process_time() - cpu) / self.size * 1e6, (time.perf_counter() - wall) * 1e3


async def peers(folder: Path, size: int) -> Subject:
    """So many peers are known, one in `DOWN` is down."""
    found = Asked(folder, size)
    await found.open()
    return found


class Down(Asked):
    """Every peer is down: as many incidents are open, and told by themselves."""

    def looks(self) -> Sequence[Look]:
        return self.restarts()


async def all_down(folder: Path, size: int) -> Subject:
    """So many incidents are open."""
    found = Down(folder, size, ALL_DOWN)
    await found.open()
    return found


CURVES = (
    Curve("questions", (200, 2000, 20_000), peers),
    Curve("all peers down", (100, 1000, 10_000), all_down),
)
