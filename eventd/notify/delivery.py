"""Takes notifications from the outbox and sees each one through: delivered, tried again later, or given up and kept.

One worker per channel, so that a slow far end holds up nobody else and each channel hears things in order.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Mapping

from eventd.contract import Channel, Outbox
from eventd.errors import DeliveryFailure
from eventd.notify.session import Session
from eventd.notify.standing import Standing
from eventd.notify.worker import OUTCOMES, Worker
from eventd.telemetry import Telemetry

__all__ = ["Delivery", "Session"]


class Delivery:
    """Runs all channels: `run` in a task, `wake` after each commit that enqueued something, `drain` to stop."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._workers = [
            Worker(name, channel, outbox, telemetry, clock, rng or random.SystemRandom())
            for name, channel in channels.items()
        ]
        self._working: list[asyncio.Task[None]] = []
        self._refreshing: list[asyncio.Task[None]] = []
        self._ended: asyncio.Event | None = None
        self._announce_metrics()

    def _announce_metrics(self) -> None:
        know, names = self._telemetry.know, [worker.name for worker in self._workers]
        know("notifications", itertools.product(names, OUTCOMES))
        know("notification_failures", itertools.product(names, DeliveryFailure))
        self._telemetry.keep("channel_failing_timestamp_seconds", ((name,) for name in names))
        refreshed = [worker.name for worker in self._workers if worker.channel.refresh_s]
        know("notification_refreshes", itertools.product(refreshed, ("ok", "failed")))

    async def run(self) -> None:
        """Deliver until `drain` or cancellation; closes the channels on the way out."""
        self._ended = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                self._working = [group.create_task(worker.run()) for worker in self._workers]
                self._refreshing = [
                    group.create_task(worker.refresh()) for worker in self._workers if worker.channel.refresh_s
                ]
        finally:
            for worker in self._workers:
                await worker.close()
            self._ended.set()

    def looks(self) -> dict[str, int]:
        """How often each channel's worker has looked for something to tell: one that stands still is stuck."""
        return {worker.name: worker.looks for worker in self._workers}

    def standings(self) -> dict[str, Standing]:
        """How each channel stands."""
        return {worker.name: worker.standing for worker in self._workers}

    def wake(self) -> None:
        """Look at the outbox now. Call it on the loop."""
        for worker in self._workers:
            worker.wake()

    def try_again(self, channel: str) -> None:
        """Somebody says that its far end can be told again: a pause of its worker is over. Call it on the loop."""
        for worker in self._workers:
            if worker.name == channel:
                worker.end_pause()

    async def drain(self, deadline_s: float) -> None:
        """Claim nothing more, let tries in flight end for at most ``deadline_s`` seconds, then cut them off.

        What was cut off stays in the outbox and is told again, under the same id, after the next start.
        """
        for task in self._refreshing:
            task.cancel()
        for worker in self._workers:
            worker.stop()
        if self._working:
            _, cut_off = await asyncio.wait(self._working, timeout=deadline_s)
            for task in cut_off:
                task.cancel()
        if self._ended is not None:
            await self._ended.wait()
