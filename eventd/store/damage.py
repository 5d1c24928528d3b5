"""What is damaged when the file is opened: found, said and remembered, so that a start is either sound or refused."""

import contextlib
import mmap
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from eventd.errors import StoreError
from eventd.model import utc
from eventd.store import database, wal
from eventd.store.wal import Damage, Log
from eventd.telemetry import get_logger

log = get_logger("store")

#: Under which small value the last damage is remembered.
REMEMBERED = "damaged_log"

#: What to do about a file that SQLite cannot use.
ADVICE = (
    "stop eventd, move the file and the -wal and -shm beside it aside, and restore the backup, save what can be read, "
    "or start with an empty file: see docs/store.md, Backup and recovery"
)

MEANING: dict[Damage, str] = {
    "unfinished": "a write that was cut off by a crash or a full disk: nothing that was acknowledged is missing",
    "last_commit": "the last commit is missing: one that was being written at the crash, which nobody had been told "
    "of; if nothing crashed, the disk damaged it, and what it held is lost",
    "later_commits": "commits behind a damaged place are lost, although they had been acknowledged, unless the power "
    "failed under store.sync = normal: look for failures of the disk",
    "header": "the header of the log is damaged, so nothing in it counts: whatever had not been folded into the "
    "database is lost: look for failures of the disk",
}
#: Damage that takes acknowledged commits away, and may leave pages of several ages in the file.
GRAVE: tuple[Damage, ...] = ("later_commits", "header")


class Remembered(Struct, frozen=True):
    """The last damage of the log that a start found."""

    at: datetime
    what: Damage
    frames: int
    octets: int
    commits: int


def look(path: Path) -> Log | None:
    """What of the write-ahead log beside ``path`` cannot be read, said in our log; None if nothing is wrong.

    To be asked before SQLite opens the file: it writes over what it cannot read.
    """
    beside = path.with_name(path.name + "-wal")
    with contextlib.suppress(FileNotFoundError), beside.open("rb") as file:
        size = beside.stat().st_size
        if size > wal.MAX_LOOKED_AT:
            log.info("write-ahead log too long to be looked at", file=str(beside), octets=size)
        elif size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                found = wal.examine(octets)
            return None if found.damage is None else _said(beside, found, found.damage)
    return None


def _said(beside: Path, found: Log, what: Damage) -> Log:
    tell = log.error if what in GRAVE else log.warning
    tell(
        "end of the write-ahead log unreadable",
        file=str(beside),
        what=what,
        meaning=MEANING[what],
        frames=found.frames,
        octets=found.octets,
        commits=found.commits,
        frames_kept=found.kept,
    )
    return found


@contextlib.contextmanager
def advising(path: Path) -> Iterator[None]:
    """Turns SQLite's word that the file is damaged into a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreError(f"{path}: {error}; {ADVICE}") from error
        raise


def check_pages(path: Path, db: sqlite3.Connection, found: Log | None) -> None:
    """After grave damage of the log, whether pages and indexes still fit together: what had been folded back may be
    newer than what the rest of the log says. `StoreError` if not: to write on would make it worse."""
    if found is None or found.damage not in GRAVE:
        return
    wrong: str = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if wrong != "ok":
        raise StoreError(f"{path}: {wrong}, after damage of its write-ahead log; {ADVICE}")


def remembered(found: Log, now: float) -> str:
    """As a small value of the store."""
    assert found.damage is not None
    kept = Remembered(utc(now), found.damage, found.frames, found.octets, found.commits)
    return msgspec.json.encode(kept).decode()


def last(path: Path) -> Remembered | None:
    """The last damage that a start on this file found. Raises what SQLite and msgspec raise."""
    with contextlib.closing(database.open_reader(path)) as db:
        row = db.execute(database.QUERIES["meta_get"], (REMEMBERED,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Remembered)
