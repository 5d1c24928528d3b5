"""Keeps everything received in a file (`eventd.parse.recording`), for a look at it later and for `eventd replay`.

A tap at the intake hands messages over without waiting; a thread of its own writes them. What it cannot take or write
is counted and said, and the service goes on: a recording is evidence, not duty.
"""

import asyncio
import contextlib
import os
import queue
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from eventd.aside import answer
from eventd.errors import EventdError
from eventd.model import Message
from eventd.parse.recording import format_line
from eventd.telemetry import RateLimit, get_logger

#: Messages hold communities and names of users: nobody but the owner may read them.
FILE_MODE = 0o600
FOLDER_MODE = 0o750
#: A file must hold one write; below a mebibyte a busy site would only rename files.
MIN_FILE_BYTES = 2**20
MAX_FILE_BYTES = 2**40
MAX_FILES = 1000
#: What waits for the disk: a second of a storm, in messages and in bytes. More is dropped and counted.
QUEUE_MESSAGES = 20_000
QUEUE_BYTES = 32 * 2**20
#: One write: a longest message (64 KiB, every octet an escape of four) and what comes with it.
WRITE_BYTES = 2**19
#: A stop or a reload waits this long for a disk that hangs.
FLUSH_S = 10.0

log = get_logger("record")

Values = Mapping[tuple[str, ...], float]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``[record]``. Without ``path`` (relative to the working directory) nothing is recorded. A file that would grow
    beyond ``max_bytes`` becomes ``path.1``, that one ``path.2``, and so on; ``files`` are kept in all."""

    path: Annotated[str, Meta(min_length=1)] | None = None
    max_bytes: Annotated[int, Meta(ge=MIN_FILE_BYTES, le=MAX_FILE_BYTES)] = 64 * 2**20
    files: Annotated[int, Meta(ge=1, le=MAX_FILES)] = 8


class RecordError(EventdError):
    """The recording cannot be opened; the message says which file and what the system answered."""


class _Order(Struct):
    """Something for the thread to do between two writes: go on with ``settings``, or end where they are None."""

    settings: Settings | None
    done: asyncio.Future[None]


class Recorder:
    """The recording of one running eventd. All methods belong to the event loop; none of them waits for a disk."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Sequence[Message], int] | _Order] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file = _File()
        self._on = False
        #: The loop adds up what it handed over and what it could not, the thread what it is done with: one writer each.
        self._handed, self._handed_bytes, self._refused = 0, 0, 0
        self._done, self._done_bytes, self._written, self._lost = 0, 0, 0, 0
        self._limit, self._file_limit = RateLimit(), RateLimit()

    @property
    def on(self) -> bool:
        """Whether messages are recorded."""
        return self._on

    def take(self, messages: Sequence[Message], size: int) -> None:
        """Record them, if there is room; ``size`` is the bytes of their payloads."""
        waiting, bytes_waiting = self._handed - self._done, self._handed_bytes - self._done_bytes
        if waiting + len(messages) > QUEUE_MESSAGES or bytes_waiting + size > QUEUE_BYTES:
            self._refused += len(messages)
            if self._limit.allow("queue") is not None:
                log.warning("the recording cannot keep up: messages are missing in it")
            return
        self._handed += len(messages)
        self._handed_bytes += size
        self._jobs.put((messages, size))

    async def replace(self, settings: Settings) -> None:
        """Go on with other settings, after everything handed over before is written. The file is opened anew even if
        nothing changed, so that whoever moved it away gets a new one.

        Raises:
            RecordError: it cannot be opened; then nothing is recorded until the next `replace`.
        """
        if settings.path is None:
            await self.close()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="record", daemon=True)
            self._thread.start()
        self._on = False
        try:
            await self._ordered(settings)
        except TimeoutError:
            raise RecordError(f"record.path: {settings.path}: the disk takes too long") from None
        except OSError as error:
            raise RecordError(f"record.path: {settings.path} cannot be written: {error.strerror or error}") from error
        self._on = True

    async def close(self) -> None:
        """Write what was handed over and end; a disk that hangs is waited for only so long."""
        self._on = False
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            await self._ordered(None)
        except TimeoutError:
            log.error("the recording was not finished: its disk hangs", messages=self._handed - self._done)

    def dropped(self) -> Values:
        """Messages that are missing in the recording, by reason, since eventd began."""
        return {("queue_full",): self._refused, ("write_failed",): self._lost}

    def recorded(self) -> Values:
        """Messages that were written."""
        return {(): self._written}

    async def _ordered(self, settings: Settings | None) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Order(settings, done))
        async with asyncio.timeout(FLUSH_S):
            await done

    # --- the thread ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        going = True
        while going:
            job = self._jobs.get()
            if isinstance(job, _Order):
                going = self._obey(job)
            else:
                messages, size = job
                self._write(messages)
                self._done += len(messages)
                self._done_bytes += size

    def _obey(self, order: _Order) -> bool:
        """Carry out an order; whether the thread goes on."""
        self._file.close()
        failed: OSError | None = None
        if order.settings is not None:
            try:
                self._file.open(order.settings)
            except OSError as error:
                failed = error
        answer(order.done, None, failed)
        return order.settings is not None

    def _write(self, messages: Sequence[Message]) -> None:
        before = self._written
        try:
            for chunk, count in _chunks(messages):
                self._file.write(chunk)
                self._written += count
        except (OSError, ValueError, OverflowError) as error:  # the last two: a value that no line can hold
            self._lost += len(messages) - (self._written - before)
            if self._file_limit.allow("write") is not None:
                log.error("the recording cannot be written: messages are missing in it", error=str(error))


def _chunks(messages: Sequence[Message]) -> Iterator[tuple[bytes, int]]:
    """Lines joined to writes of at most `WRITE_BYTES`, with how many messages each holds."""
    lines, size = list[bytes](), 0
    for message in messages:
        line = format_line(message)
        if lines and size + len(line) > WRITE_BYTES:
            yield b"".join(lines), len(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield b"".join(lines), len(lines)


class _File:
    """The current file and its predecessors. Everything here blocks; `OSError` where it cannot be done.

    It only ever holds whole lines: what a full disk cut is taken back, and what a crash cut is closed with a line end.
    """

    def __init__(self) -> None:
        self._settings = Settings()
        self._descriptor: int | None = None
        self._size = 0

    def open(self, settings: Settings) -> None:
        self._settings = settings
        self._open()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, lines: bytes) -> None:
        """Append whole lines, all or none."""
        if self._descriptor is None:
            self._open()
        if self._size and self._size + len(lines) > self._settings.max_bytes:
            self._rotate()
        assert self._descriptor is not None
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._descriptor, lines[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(lines)

    def _open(self) -> None:
        path = self._path()
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Non-blocking, because the name may be that of a pipe, which would be waited for.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "is no regular file")
            os.fchmod(descriptor, FILE_MODE)
            self._size = found.st_size
            if self._size and os.pread(descriptor, 1, self._size - 1) != b"\n":
                self._size += os.write(descriptor, b"\n")
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _rotate(self) -> None:
        self.close()
        for number in range(self._settings.files - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._path(number - 1).replace(self._path(number))
        if self._settings.files == 1:
            self._path().unlink(missing_ok=True)
        self._open()

    def _path(self, number: int = 0) -> Path:
        assert self._settings.path is not None
        return Path(f"{self._settings.path}.{number}" if number else self._settings.path)
