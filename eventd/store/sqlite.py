"""The store on disk: one SQLite file behind three threads: one writes, one answers questions, one folds the log in.

The loop never touches SQLite. All writing goes through one thread, in the order asked for; questions of the API have a
thread and a connection of their own, so that a long list delays no commit. So has the folding of the write-ahead log
into the database, which takes 0.1 s and more and would hold up the commit at whose end it became due.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Unpack

import msgspec

from eventd.contract import Batch, JournalRow, Lately, Settled, Turn, Waiting
from eventd.errors import StoreError, UnstorableError
from eventd.model import Digest, DigestReason, Incident, Malformed, Told
from eventd.store import damage, database, unstorable
from eventd.store.base import DEFAULT_PAGE, ChannelTotals, EventFilters, IncidentFilters, Page, Settings
from eventd.store.letters import Letter, LetterFilters
from eventd.store.reader import Reader
from eventd.store.wal import Log
from eventd.store.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

#: Rows that change between two foldings of the write-ahead log: 2 to 8 MB of it. Under a storm the same index pages
#: change in every commit, so that folding them in seldom saves work; but commits wait for a long one: with four times
#: as many rows p99 to the commit at half load was 20 to 121 ms for traps instead of 36 to 82.
FOLD_ROWS = 500


def _thread(name: str) -> ThreadPoolExecutor:
    """One thread. Python ends it at exit even if nobody closed it, after what it was asked to do."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)


class SqliteStore:
    """`Store` on disk. Build it with `open`."""

    _reader: Reader
    _writer: Writer
    #: What of the write-ahead log could not be read when the file was opened; None where nothing was wrong.
    damaged_log: Log | None = None

    def __init__(self, path: Path, settings: Settings, clock: Callable[[], float]) -> None:
        self.path, self.settings = path, settings
        self._clock = clock
        self._writing, self._reading, self._folding = map(_thread, ("store-write", "store-read", "store-fold"))
        self._folded, self._folded_at = self._folding.submit(_nothing), 0
        self._undo = contextlib.ExitStack()
        self._closed = False

    @classmethod
    async def open(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "SqliteStore":
        """Open or create the file, alone, its schema up to date. `StoreError` names the file and what is wrong.

        ``clock`` gives Unix seconds; it only stamps when a notification was settled.
        """
        store = cls(Path(settings.path), settings, clock)
        try:
            await store._write(store._open)
        except BaseException:
            await store.close()
            raise
        return store

    def _open(self) -> None:
        try:
            database.prepare(self.path)
            self._undo.callback(os.close, database.lock(self.path))
        except OSError as error:
            advice = "set store.path to a file that the user of the service may create and write"
            raise StoreError(f"{self.path}: {error.strerror or error}; {advice}") from error
        self.damaged_log = damage.look(self.path)
        with damage.advising(self.path):
            self._db = db = database.open_writer(self.path, self.settings, database.schema())
            self._undo.callback(db.close)
            damage.check_pages(self.path, db, self.damaged_log)
            self._writer = Writer(db, self.settings, self._clock)
            self._log = database.connect(self.path)
            self._undo.callback(self._log.close)
            if self.damaged_log is not None:
                self._writer.meta_set(damage.REMEMBERED, damage.remembered(self.damaged_log, self._clock()))
        db = database.open_reader(self.path)
        self._undo.callback(db.close)
        self._reader = Reader(db)

    async def close(self) -> None:
        """`Store.close`."""
        if self._closed:
            return
        self._closed = True
        for thread, last in ((self._reading, _nothing), (self._folding, _nothing), (self._writing, self._undo.close)):
            await asyncio.wrap_future(thread.submit(last))
            thread.shutdown(wait=False)

    # --- threads -------------------------------------------------------------------------------------------------

    def _submit(self, thread: ThreadPoolExecutor, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._closed:
            raise StoreError(f"{self.path}: is closed")
        return thread.submit(job, *args, **kwargs)

    async def _result(self, job: Future[T]) -> T:
        """Cancelled before its turn a job does not run; once running it is finished."""
        try:
            return await asyncio.wrap_future(job)
        except sqlite3.Error as error:
            kind = UnstorableError if unstorable.is_permanent(error) else StoreError
            raise kind(f"{self.path}: {error}") from error
        except msgspec.MsgspecError as error:
            raise StoreError(f"{self.path}: a row cannot be read back: {error}") from error
        except (UnicodeError, OverflowError, TypeError, AttributeError) as error:
            raise UnstorableError(f"{self.path}: {type(error).__name__}: {error}") from error

    async def _write(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        result = await self._result(self._submit(self._writing, job, *args, **kwargs))
        if not self._closed:
            self._fold_if_due()
        return result

    def _fold_if_due(self) -> None:
        changed = self._db.total_changes
        if changed - self._folded_at >= FOLD_ROWS and self._folded.done():
            self._folded_at, self._folded = changed, self._folding.submit(database.fold, self._log)

    async def _read(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._result(self._submit(self._reading, job, *args, **kwargs))

    # --- what the pipeline needs ---------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """`Store.commit`."""
        await self._write(self._writer.commit, batch)

    async def load_states(self) -> list[tuple[str, bytes]]:
        """`Store.load_states`."""
        return await self._read(self._reader.all, "states")

    async def load_incidents(self, status: str = "open") -> list[Incident]:
        """`Store.load_incidents`."""
        return await self._read(self._reader.incident_list, "incidents_of_status", (status,))

    async def meta_get(self, key: str) -> str | None:
        """`Store.meta_get`."""
        rows = await self._read(self._reader.all, "meta_get", (key,))
        return rows[0][0] if rows else None

    async def meta_set(self, key: str, value: str) -> None:
        """`Store.meta_set`."""
        await self._write(self._writer.meta_set, key, value)

    # --- what delivery needs (`contract.Outbox`) -----------------------------------------------------------------

    async def claim(self, channel: str, now: float, turn: Turn = "first") -> Told | None:
        """`contract.Outbox.claim`."""
        return await self._hand_out(self._writer.queue.claim, channel, now, turn)

    async def seal(
        self, channel: str, now: float, why: DigestReason, most: int, apart: Collection[str] = ()
    ) -> Digest | None:
        """`contract.Outbox.seal`."""
        return await self._hand_out(self._writer.queue.seal, channel, now, why, most, apart)

    async def unseal(self, channel: str, most: int) -> None:
        """`contract.Outbox.unseal`."""
        await self._write(self._writer.queue.unseal, channel, most)

    async def _hand_out(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What is handed out to somebody who was cancelled meanwhile is undone: nobody would settle it."""
        handing = self._submit(self._writing, job, *args, **kwargs)
        try:
            return await self._result(handing)
        except asyncio.CancelledError:
            if not self._closed:
                self._writing.submit(self._unclaim, handing)  # right behind it: the next claim finds it undone
            raise

    def _unclaim(self, job: Future[Any]) -> None:
        if not job.cancelled() and not job.exception() and (told := job.result()):
            self._writer.queue.unclaim(told.id)

    async def waiting(self, channel: str, now: float, apart: Collection[str] = ()) -> Waiting:
        """`contract.Outbox.waiting`."""
        return await self._write(self._writer.queue.waiting, channel, now, apart)

    async def lay_down(self, ident: str) -> None:
        """`contract.Outbox.lay_down`."""
        await self._write(self._writer.queue.lay_down, ident)

    async def take_up(self, ident: str) -> bool:
        """`contract.Outbox.take_up`."""
        return await self._write(self._writer.queue.take_up, ident)

    async def settle(self, settled: Settled) -> None:
        """`contract.Outbox.settle`."""
        await self._write(self._writer.queue.settle, settled)

    async def settle_then_claim(self, settled: Settled, channel: str, now: float) -> Told | None:
        """`contract.Outbox.settle_then_claim`."""
        return await self._hand_out(self._writer.queue.settle_then_claim, settled, channel, now)

    async def next_due(self, channel: str) -> float | None:
        """`contract.Outbox.next_due`."""
        return await self._write(self._writer.queue.next_due, channel)

    async def tried(self, channel: str, at: Sequence[float]) -> None:
        """`contract.Outbox.tried`."""
        await self._write(self._writer.queue.tried, channel, at)

    async def lately(self, channel: str) -> Lately:
        """`contract.Outbox.lately`."""
        return await self._write(self._writer.queue.lately, channel)

    async def give_up(self, channel: str, why: str) -> int:
        """`Store.give_up`."""
        return await self._write(self._writer.queue.give_up, channel, why)

    async def release(self, channel: str | None = None) -> None:
        """`Store.release`."""
        await self._write(self._writer.queue.release, channel)

    async def alerting(self, channel: str, resolved_since: float) -> Sequence[Incident]:
        """`contract.Outbox.alerting`: announced means delivered or waiting; given up for dead is not announced."""
        since = {"channel": channel, "resolved_since": round(resolved_since * 1e6)}
        return await self._read(self._reader.incident_list, "incidents_announced", since)

    def totals(self) -> dict[str, ChannelTotals]:
        """`Store.totals`."""
        return self._writer.totals

    # --- what the API needs --------------------------------------------------------------------------------------

    async def incidents(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """`Store.incidents`."""
        return await self._read(self._reader.incidents, filters, limit)

    async def over(self, device: str | None, limit: int) -> Sequence[Incident]:
        """`Store.over`."""
        query = "incidents_over" if device is None else "incidents_over_of"
        return await self._read(self._reader.incident_list, query, {"device": device, "limit": limit})

    async def incident(self, incident_id: str) -> Incident | None:
        """`Store.incident`."""
        found = await self._read(self._reader.incident_list, "incident", (incident_id,))
        return found[0] if found else None

    async def events(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[EventFilters]) -> Page[JournalRow]:
        """`Store.events`."""
        return await self._read(self._reader.events, filters, limit)

    async def malformed(self, limit: int = DEFAULT_PAGE, before: int | None = None) -> Page[Malformed]:
        """`Store.malformed`."""
        return await self._read(self._reader.malformed, {"before": before}, limit)

    async def ledger(self) -> dict[str, int]:
        """`Store.ledger`."""
        return dict(await self._read(self._reader.all, "ledger"))

    async def outbox_counts(self) -> dict[str, dict[str, int]]:
        """`Store.outbox_counts`."""
        return await self._read(self._reader.outbox_counts)

    # --- what operators do with the outbox -----------------------------------------------------------------------

    async def letters(self, *, limit: int = DEFAULT_PAGE, **filters: Unpack[LetterFilters]) -> Page[Letter]:
        """`Store.letters`."""
        return await self._read(self._reader.letters, filters, limit)

    async def letter(self, ident: str) -> Letter | None:
        """`Store.letter`."""
        return await self._read(self._reader.letter, ident)

    async def oldest_waiting(self, now: float) -> dict[str, float]:
        """`Store.oldest_waiting`."""
        found = await self._read(self._reader.all, "outbox_oldest", (round(now * 1e6),))
        return {channel: at / 1e6 for channel, at in found}

    async def dead_letters(self) -> dict[str, int]:
        """`Store.dead_letters`."""
        return dict(await self._read(self._reader.all, "outbox_dead"))

    async def retry(self, ident: str) -> Letter:
        """`Store.retry`."""
        return await self._write(self._writer.retry, ident)

    async def drop(self, ident: str, who: str) -> Letter:
        """`Store.drop`."""
        return await self._write(self._writer.queue.drop, ident, who)

    # --- upkeep --------------------------------------------------------------------------------------------------

    async def prune(self, now: float) -> int:
        """`Store.prune`, in slices: a commit waits for one of them at most. Whom open incidents name is looked for
        once, beside the commits: what has been over for so long is named by no new one."""
        cut = round((now - self.settings.retention) * 1e6)
        gone = 0
        [(named,)] = await self._read(self._reader.all, "incidents_named")
        while removed := await self._write(self._writer.prune_incidents, cut, named):
            gone += removed
        while removed := await self._write(self._writer.prune_malformed, cut):
            gone += removed
        after: tuple[int, int] | None = (-(2**63), 0)
        while after is not None:
            removed, after = await self._write(self._writer.prune_events, cut, after)
            gone += removed
        while await self._write(self._writer.shrink):
            pass
        return gone

    async def size_bytes(self) -> int:
        """`Store.size_bytes`."""
        files = (self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal", "-shm"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def check(self) -> list[str]:
        """`Store.check`."""
        return await self._read(self._reader.check)


def _nothing() -> None:
    """The last job of a thread that has nothing to undo."""
