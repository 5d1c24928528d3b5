"""The file: its lock, its connections, its schema. Everything here blocks and belongs on a store thread.

Promises of SQLite relied on: a WAL commit with ``synchronous=FULL`` is on disk when it returns
(https://www.sqlite.org/pragma.html#pragma_synchronous); readers see the last commit and never block the writer
(https://www.sqlite.org/wal.html).
"""

import contextlib
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from eventd.errors import StoreError
from eventd.store.base import Settings

ROOM = Path(__file__).parent

#: "evtd": marks the file as ours, so that another program's database named by mistake is refused, not filled.
APPLICATION_ID = 0x65767464

#: How long a commit waits for somebody else's lock (a backup tool, an operator's shell) before it counts as failed.
BUSY_TIMEOUT_S = 5.0

#: The write-ahead log is cut back to this after a storm; below it, it is reused as it is.
WAL_LIMIT_BYTES = 64 * 2**20

#: Bytes in a page of a new file; older files keep theirs. A journal row of a trap is 2.5 kB, of which the default page
#: of 4 kB holds one: twice that makes the file a quarter smaller and a commit a sixth cheaper (batches of 128).
PAGE_BYTES = 8192

#: Pages of write-ahead log (64 MiB) at which a commit folds them in itself after all: nobody did it beside the commits,
#: or they came so fast that there was always one more.
CHECKPOINT_PAGES = 8000

#: How often the log is folded in once more, to find that nothing was written meanwhile: only then it begins anew.
FOLDS = 4

#: Memory for the pages that every commit touches, mostly the index leaves of busy devices and peers; saves 3 to 9 %.
CACHE_KIB = 16 * 1024

#: The database holds raw messages and names of peers: for its owner and group only. WAL and shm files inherit it.
FILE_MODE = 0o640
FOLDER_MODE = 0o750


def named_statements(path: Path) -> dict[str, str]:
    """The statements of a ``.sql`` file in which each begins with ``-- name: NAME``."""
    parts = re.split(r"^-- name: (\w+)\n", path.read_text("utf-8"), flags=re.MULTILINE)
    return {name: sql.strip().rstrip(";") for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


QUERIES = named_statements(ROOM / "queries.sql")
#: A page of one, of that very id.
QUERIES["outbox_letter"] = QUERIES["outbox_letters"].replace("{where}", "id = :id")
CHECKS = named_statements(ROOM / "checks.sql")


#: Rows of one statement, most first. Before and after each statement the interpreter's lock changes hands: row by row,
#: a commit would wait for the loop as often as it has rows, up to 5 ms each time (`sys.getswitchinterval`), and that
#: for the commit. SQLite takes 999 parameters in its oldest versions, so that of eight columns 124 rows would fit.
ROWS_AT_ONCE = (64, 8, 1)
_ROW = re.compile(r"(?<=VALUES )\([?, ]+\)")


@lru_cache
def of_rows(query: str, rows: int) -> str:
    """A named statement that inserts one row, for so many."""
    return _ROW.sub(lambda row: ", ".join([row[0]] * rows), QUERIES[query], count=1)


def schema() -> list[str]:
    """The migration scripts, first version first."""
    return [path.read_text("utf-8") for path in sorted((ROOM / "schema").glob("*.sql"))]


def lock(path: Path) -> int:
    """Take the file for this process: a descriptor to close when done. `StoreError` when another one has it.

    The lock is on a file beside the database, so that backup tools can still read the database itself; the kernel
    lets it go when the process ends in whatever way.
    """
    beside = path.with_name(path.name + ".lock")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(f"{path}: in use by another eventd (process {holder})") from error
    os.truncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor


def prepare(path: Path) -> None:
    """Create folder and file with the right modes. OSError when that cannot be done."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))


def connect(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions, usable from the thread that a pool gives it."""
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def open_writer(path: Path, settings: Settings, scripts: list[str]) -> sqlite3.Connection:
    """The one connection that writes, its schema brought up to date."""
    db = connect(path)
    try:
        _expect_ours(db, path)
        # These two take effect only while the file is empty; the second lets `shrink` give pages back after a storm.
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if (mode := db.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
            raise StoreError(f"{path}: journal mode is {mode}, not WAL: is it on a network file system?")
        db.execute(f"PRAGMA synchronous = {settings.sync}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        migrate(db, path, scripts)
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def unsynced(db: sqlite3.Connection) -> Iterator[None]:
    """What is committed inside survives a crash of eventd, but does not wait for the disk."""
    before = db.execute("PRAGMA synchronous").fetchone()[0]
    db.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        db.execute(f"PRAGMA synchronous = {before}")


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    db = connect(path)
    db.execute("PRAGMA query_only = ON")
    return db


def fold(db: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the database beside commits, which go on meanwhile
    (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html, PASSIVE). Where that fails, as on a full disk, all of it stays
    in the log."""
    known = None
    with contextlib.suppress(sqlite3.Error):
        for _ in range(FOLDS):
            _, length, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if length == known:
                return
            known = length


def _expect_ours(db: sqlite3.Connection, path: Path) -> None:
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path}: is a database of another program")


def migrate(db: sqlite3.Connection, path: Path, scripts: list[str]) -> None:
    """Run the scripts this file has not seen, each in a transaction of its own. A newer file is refused."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise StoreError(f"{path}: schema version {version} is newer than this eventd knows ({len(scripts)})")
    for number, script in enumerate(scripts[version:], version + 1):
        stamp = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\n{stamp}\nCOMMIT;")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise StoreError(f"{path}: migration to schema version {number} failed: {error}") from error


def shrink(db: sqlite3.Connection, pages: int) -> bool:
    """Give up to ``pages`` free pages back to the file system, when more than a quarter of the file is free.

    Below that the pages will be filled again soon, and moving them about costs writes for nothing. Returns whether
    any went, so that it can be called again.
    """
    free, used = _pages(db)
    if free * 4 <= used:
        return False
    # One page per step and no columns: `execute` would stop after the first step, `executescript` does not.
    db.executescript(f"PRAGMA incremental_vacuum({pages})")
    return _pages(db) != (free, used)


def _pages(db: sqlite3.Connection) -> tuple[int, int]:
    free, used = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    return free, used
