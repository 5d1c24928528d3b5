"""What was decided becomes durable, however often that has to be tried."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from eventd.contract import Batch
from eventd.errors import StoreError, UnstorableError
from eventd.telemetry import RateLimit, Telemetry, get_logger

#: Messages in one commit: a step that goes on beside a slow one holds no more.
MAX_BATCH = 512
#: While messages wait a commit begins no sooner than this after the one before: each writes the pages of the same
#: indexes and states once more, so that changes in commits of 64 rows cost 1.4 times what they cost in such of 512;
#: whoever waits for it has 100 ms.
COMMIT_EVERY_S = 0.07
#: Pause before a failed commit is tried again.
COMMIT_RETRY_S = 1.0

log = get_logger("pipeline")


class Pace:
    """When the batch in hand ends while messages wait, by ``timer`` (seconds since anything)."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer, self._next = timer, 0.0

    def begin(self) -> None:
        """A commit begins."""
        self._next = self._timer() + COMMIT_EVERY_S

    def ends(self, batch: Batch, free: bool) -> bool:
        """Whether it is time for one; ``free``: none is being written."""
        long = len(batch.journal) + len(batch.malformed) >= MAX_BATCH
        return long or (free and self._timer() >= self._next)


class CommitStore(Protocol):
    """The part of the store that the pipeline uses."""

    async def commit(self, batch: Batch) -> None:
        """Make all of it durable or none; raises `StoreError`, after which the same batch may be tried again."""


class Commits:
    """Puts batches into one store. ``failing`` says what is wrong with it while it refuses; ``defect`` hears of values
    that no store can take."""

    def __init__(self, store: CommitStore, telemetry: Telemetry, defect: Callable[[str, Exception], None]) -> None:
        self.failing: str | None = None
        self._store, self._telemetry, self._defect = store, telemetry, defect
        self._limit = RateLimit()

    async def make(self, batch: Batch) -> None:
        """Nothing decided is thrown away because a disk is full: the batch is held, senders wait or are counted."""
        while True:
            started = time.perf_counter()
            try:
                await self._store.commit(batch)
            except UnstorableError as error:
                self._defect("store", error)
                return
            except StoreError as error:
                self._telemetry.inc("store_commit_failures")
                self.failing = str(error)
                if self._limit.allow("commit") is not None:
                    log.error("commit failed, will be tried again", error=str(error), messages=len(batch.journal))
                await asyncio.sleep(COMMIT_RETRY_S)
                continue
            if self.failing is not None:
                log.info("the store can be written again")
            self.failing = None
            self._telemetry.observe("store_commit_seconds", time.perf_counter() - started)
            return
