"""The file: who may open it, how it comes of age, and what happens when the disk says no."""

import asyncio
import contextlib
import math
import os
import re
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from store_samples import at, batch, incident, malformed, notification, row, unix
from store_writer import run_python

from eventd.contract import Batch, JournalRow, Settled
from eventd.errors import StoreError, UnstorableError
from eventd.model import Digest, Reason
from eventd.store import Settings, SqliteStore, database, reader, reasons
from eventd.store.sqlite import FOLD_ROWS

DOCS = Path(__file__).parents[2] / "docs" / "store.md"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "eventd.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(Settings(path=str(path)))
    yield store
    await store.close()


async def refused(path: Path, match: str) -> None:
    with pytest.raises(StoreError, match=match) as caught:
        await SqliteStore.open(Settings(path=str(path)))
    assert str(path) in str(caught.value)


# --- opening --------------------------------------------------------------------------------------------------------


async def test_a_new_file_is_ours_alone_to_read_and_made_to_survive_a_loss_of_power(
    store: SqliteStore, path: Path
) -> None:
    await store.commit(Batch(journal=[row()]))
    for suffix in ("", "-wal", "-shm", ".lock"):
        assert path.with_name(path.name + suffix).stat().st_mode & 0o027 == 0, suffix
    db = store._writer._db
    pragmas = {
        name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert await store.size_bytes() > 30_000


async def test_a_second_eventd_on_the_same_file_is_refused_and_told_who_has_it(store: SqliteStore, path: Path) -> None:
    await refused(path, f"in use by another eventd .process {os.getpid()}")
    program = (
        "import asyncio, sys; from eventd.store import *; asyncio.run(SqliteStore.open(Settings(path=sys.argv[1])))"
    )
    assert "in use by another eventd" in run_python(program, path).stderr
    await store.commit(Batch(journal=[row()]))


async def test_the_file_can_be_opened_again_after_closing(path: Path) -> None:
    for n in range(3):
        store = await SqliteStore.open(Settings(path=str(path)))
        assert (await store.ledger())["journal_rows"] == n
        await store.commit(Batch(journal=[row()]))
        await store.close()
        await store.close()
        assert not path.with_name(path.name + "-wal").exists(), "everything was folded into the one file"


async def test_a_closed_store_says_so(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    await store.close()
    for ask in (store.commit(Batch()), store.ledger(), store.claim("chat", 0.0), store.prune(0.0)):
        with pytest.raises(StoreError, match="is closed"):
            await ask


async def test_what_was_asked_before_closing_is_still_done(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    commits = [asyncio.create_task(store.commit(Batch(journal=[row(n)]))) for n in range(20)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*commits)
    store = await SqliteStore.open(Settings(path=str(path)))
    assert (await store.ledger())["journal_rows"] == 20
    await store.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to have a header" * 20, b"SQLite format 3\0"]
)
async def test_something_that_is_not_a_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "eventd.db"
    path.write_bytes(content)
    await refused(path, "file is not a database")
    assert path.read_bytes() == content


async def test_a_damaged_page_is_an_error_that_names_the_file_or_found_by_the_check(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    await store.commit(Batch(journal=[row(n) for n in range(500)]))
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 4)
    store = await SqliteStore.open(Settings(path=str(path)))
    with contextlib.suppress(StoreError):
        assert await store.check() != []
    with pytest.raises(StoreError, match=f"{path}.*malformed"):
        await store.events(limit=1000)
    await store.close()


async def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE precious (x)")
    before = path.read_bytes()
    await refused(path, "another program")
    assert path.read_bytes() == before


async def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await refused(tmp_path / "file" / "eventd.db", "File exists|Not a directory")
    await refused(tmp_path, "Is a directory")


async def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.geteuid() != 0:
        await refused(locked / "eventd.db", "Permission denied")
        return
    # Root may write anywhere, so ask as nobody; only what is already imported can be used after that.
    program = (
        "import asyncio, os, sys; from eventd.store import *\n"
        "path = sys.argv[1]; os.chdir(os.path.dirname(path)); os.setuid(65534)\n"
        "asyncio.run(SqliteStore.open(Settings(path='eventd.db')))"
    )
    assert "StoreError: eventd.db: Permission denied" in run_python(program, locked / "eventd.db").stderr


# --- schema ---------------------------------------------------------------------------------------------------------


async def test_a_file_of_a_newer_eventd_is_refused(path: Path) -> None:
    await (await SqliteStore.open(Settings(path=str(path)))).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 999")
    await refused(path, "version 999 is newer than this eventd knows")


@pytest.fixture
def made_up_versions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of migrations that a test may lengthen, starting from today's."""
    scripts = database.schema()
    monkeypatch.setattr(database, "schema", lambda: scripts)
    return scripts


async def test_an_older_file_is_brought_up_to_date_and_keeps_what_it_holds(
    path: Path, made_up_versions: list[str]
) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    await store.commit(batch(journal=[row(0, "i1")], notifications=[notification("n1", incident())]))
    await store.close()
    known = len(made_up_versions)
    made_up_versions.append("ALTER TABLE events ADD COLUMN extra TEXT; UPDATE events SET extra = device || '!';")
    made_up_versions.append("CREATE TABLE later (x);")
    store = await SqliteStore.open(Settings(path=str(path)))
    db = store._writer._db
    assert db.execute("PRAGMA user_version").fetchone()[0] == known + 2
    assert db.execute("SELECT extra FROM events").fetchall() == [("FW1!",)]
    assert await store.check() == []
    assert [r.incidents for r in (await store.events()).items] == [("i1",)]
    await store.close()


async def test_when_it_was_to_be_told_is_found_out_for_a_file_of_before(
    path: Path, made_up_versions: list[str]
) -> None:
    later = [made_up_versions.pop() for _ in made_up_versions[3:]]
    told = notification("n1", incident())
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        database.migrate(db, path, made_up_versions)
        about = msgspec.json.encode(told.incident).decode()
        db.execute(
            "INSERT INTO incidents VALUES (1, 'i1', 'open', 'tunnel_down', 'major', 'FW1', NULL, NULL, 5, 5, NULL, ?)",
            (about,),
        )
        for seq, (ident, state, attempts, next_at) in enumerate(
            [
                ("waits", "pending", 0, 0),
                ("held", "pending", 0, 50),
                ("tried", "pending", 2, 70),
                ("dead", "dead", 1, 0),
            ],
            1,
        ):
            db.execute(
                "INSERT INTO outbox (seq, id, place, channel, incident, what, state, attempts, next_at, created_at,"
                " settled_at, json) VALUES (?, ?, ?, 'chat', 'i1', 'opened', ?, ?, ?, 9000000, ?, ?)",
                (seq, ident, seq, state, attempts, next_at, 1 if state == "dead" else None, msgspec.json.encode(told)),
            )
        made_up_versions += reversed(later)
        database.migrate(db, path, made_up_versions)
        assert db.execute("SELECT id, wanted_at FROM outbox ORDER BY seq").fetchall() == [
            ("waits", 9_000_000), ("held", 50_000_000), ("tried", 9_000_000), ("dead", 9_000_000),
        ]  # fmt: skip


#: Take back what the latest versions of the schema made.
BEFORE_REASONS = """
UPDATE events SET json = json_set(json, '$.reason', (SELECT json(reasons.json) FROM reasons WHERE seq = events.reason))
WHERE reason IS NOT NULL;
ALTER TABLE events DROP COLUMN reason; DROP TABLE reasons;
"""
BEFORE_COUNTS = """
    DROP TRIGGER outbox_comes; DROP TRIGGER outbox_changes; DROP TRIGGER outbox_goes;
    DROP TABLE outbox_kept; DROP TABLE hours; DROP INDEX outbox_unseen; DROP INDEX incidents_naming;
    CREATE INDEX outbox_undone ON outbox (channel, state) WHERE state IN ('dead', 'superseded');
    CREATE INDEX outbox_delivered ON outbox (channel, settled_at) WHERE state = 'delivered';
"""


async def test_what_is_counted_now_is_counted_once_from_an_older_file(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    told = [notification(f"n{n}", incident(f"i{n}"), channel="ab"[n % 2]) for n in range(5)]
    rows = [row(n * 5000 % 30_000) for n in range(9)]
    await store.commit(batch(journal=rows, notifications=told))
    claimed = await store.claim("a", unix(0))
    assert claimed is not None
    await store.settle(Settled(claimed.id, "delivered"))
    counts, asked = await store.outbox_counts(), {"device": "FW1", "since": unix(4000), "until": unix(22_000)}
    found = (await store.events(**asked)).items
    await store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(BEFORE_REASONS + BEFORE_COUNTS + "PRAGMA user_version = 11")
    store = await SqliteStore.open(Settings(path=str(path)))
    assert counts == await store.outbox_counts() == {"a": {"delivered": 1, "pending": 2}, "b": {"pending": 2}}
    assert found == (await store.events(**asked)).items
    assert await store.check() == []
    await store.close()


async def test_a_migration_that_fails_leaves_the_file_at_the_version_before(
    path: Path, made_up_versions: list[str]
) -> None:
    await (await SqliteStore.open(Settings(path=str(path)))).close()
    known = len(made_up_versions)
    made_up_versions += ["CREATE TABLE fine (x);", "CREATE TABLE half (x); INSERT INTO no_such_table VALUES (1);"]
    await refused(path, f"migration to schema version {known + 2} failed: no such table")
    del made_up_versions[-1]
    store = await SqliteStore.open(Settings(path=str(path)))
    tables = {name for (name,) in store._writer._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "fine" in tables
    assert "half" not in tables
    await store.close()


# --- a disk that says no --------------------------------------------------------------------------------------------


async def everything(store: SqliteStore) -> tuple[object, ...]:
    return (
        await store.ledger(),
        await store.outbox_counts(),
        await store.load_states(),
        (await store.events(limit=1000)).items,
        (await store.malformed()).items,
        store.totals(),
    )


def big_batch() -> Batch:
    about = incident("big")
    return batch(
        journal=[row(n, "big") for n in range(400)],
        malformed=[malformed(n) for n in range(20)],
        states={"k": b"new"},
        notifications=[notification("n1", about), notification("n2", about, "updated")],
        tallies={"received": 420},
    )


async def fails_whole_and_succeeds_later(store: SqliteStore, make_room: contextlib.ExitStack) -> None:
    """``store`` has no room for the big batch until ``make_room`` is closed."""
    before = await everything(store)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"eventd\.db: database or disk is full"):
            await store.commit(big_batch())
        assert await everything(store) == before
    assert await store.check() == []
    make_room.close()
    await store.commit(big_batch())
    ledger = await store.ledger()
    assert (ledger["journal_rows"], ledger["received"], ledger["notifications_superseded"]) == (401, 421, 1)
    assert await store.check() == []


async def test_a_full_database_loses_and_doubles_nothing(store: SqliteStore) -> None:
    await store.commit(batch(journal=[row()], states={"k": b"old"}, tallies={"received": 1}))
    db, room = store._writer._db, contextlib.ExitStack()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 4}")
    room.callback(lambda: db.execute("PRAGMA max_page_count = 1000000"))
    await fails_whole_and_succeeds_later(store, room)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; only root can have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_loses_and_doubles_nothing(small_disk: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(small_disk / "eventd.db")))
    await store.commit(batch(journal=[row()], states={"k": b"old"}, tallies={"received": 1}))
    ballast, room = small_disk / "ballast", contextlib.ExitStack()
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    room.callback(ballast.unlink)
    await fails_whole_and_succeeds_later(store, room)
    await store.close()


async def test_a_settlement_that_could_not_be_written_can_be_made_later_and_nothing_is_sent_twice(
    store: SqliteStore,
) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    claimed = await store.claim("chat", unix(0))
    assert claimed is not None
    db = store._writer._db
    db.execute("CREATE TEMP TRIGGER refuse BEFORE UPDATE ON main.outbox BEGIN SELECT RAISE(ABORT, 'refused'); END")
    with pytest.raises(StoreError, match="refused"):
        await store.settle(Settled("n1", "delivered"))
    assert await store.claim("chat", unix(0)) is None, "it was told; only the writing down failed"
    db.execute("DROP TRIGGER refuse")
    await store.settle(Settled("n1", "delivered"))
    assert await store.outbox_counts() == {"chat": {"delivered": 1}}


async def test_somebody_elses_lock_fails_a_commit_which_then_succeeds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    store = await SqliteStore.open(Settings(path=str(path)))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await store.commit(Batch(journal=[row()]))
    await store.commit(Batch(journal=[row()]))
    assert (await store.ledger())["journal_rows"] == 1
    await store.close()


# --- values that no database takes ----------------------------------------------------------------------------------


async def test_a_row_that_can_never_be_written_is_left_out_with_a_note_and_the_others_are_kept(
    store: SqliteStore,
) -> None:
    good, told = row(0), notification("n1", incident())
    nameless = JournalRow(replace(good.event, device=None))  # type: ignore[arg-type]
    eternal = replace(incident("i2"), opened_at=None)  # type: ignore[arg-type]
    await store.commit(
        batch(
            journal=[good, nameless, row(2)],
            incidents=[eternal],
            notifications=[told],
            malformed=[malformed(3)],
            states={"k": b"1", "big": 2**70},
            tallies={"received": 7},
        )
    )
    assert [kept.event.received_at for kept in (await store.events()).items] == [at(2), at(0)]
    assert [kept.id for kept in (await store.incidents()).items] == ["i1"]
    assert await store.load_states() == [("k", b"1")]
    assert (await store.claim("chat", unix(9))) == replace(told, first=True)
    notes = [note for note in (await store.malformed()).items if note.error.reason == "unstorable"]
    assert len(notes) == (await store.ledger())["unstorable_rows"] == 3
    assert "ipsec.tunnel.stop" in notes[0].raw
    assert (await store.ledger())["received"] == 7
    assert await store.check() == []


@pytest.mark.parametrize("wild", ["fw\udc80", "\ud800"])
async def test_a_lone_surrogate_is_written_as_its_escape_so_that_no_alarm_is_lost(
    store: SqliteStore, wild: str
) -> None:
    about = incident(device=wild, summary=f"{wild} is down")
    await store.commit(
        batch(
            journal=[row(0, "i1", device=wild), row(1)],
            notifications=[notification("n1", about)],
            malformed=[malformed(2, raw=wild)],
            states={f"peer|{wild}": b"x"},
        )
    )
    escaped = wild.encode("ascii", "backslashreplace").decode()
    assert [kept.event.device for kept in (await store.events()).items] == ["FW1", escaped]
    assert (await store.events(device=escaped)).items[0].incidents == ("i1",)
    claimed = await store.claim("chat", unix(9))
    assert claimed is not None
    assert claimed.incident.summary == f"{escaped} is down"
    await store.settle(Settled("n1", "dead", error=wild))
    assert await store.load_states() == [(f"peer|{escaped}", b"x")]
    assert "unstorable_rows" not in await store.ledger()
    assert await store.check() == []


async def test_numbers_of_more_than_64_bits_are_kept_as_they_are(store: SqliteStore) -> None:
    huge = JournalRow(replace(row().event, ifindex=2**70))
    await store.commit(Batch(journal=[huge]))
    assert (await store.events()).items == (huge,)


async def test_what_cannot_be_asked_or_set_is_an_error_that_says_it_is_no_use_to_try_again(store: SqliteStore) -> None:
    with pytest.raises(UnstorableError, match="surrogates"):
        await store.meta_set("a", "\udc80")
    with pytest.raises(UnstorableError, match="too large"):
        await store.events(before=2**70)
    with pytest.raises(UnstorableError):
        await store.commit(Batch(tallies={"received": None}))  # type: ignore[dict-item]
    await store.commit(Batch(tallies={"received": 1}))
    assert (await store.ledger())["received"] == 1


async def test_a_file_that_fails_in_the_middle_of_leaving_out_is_tried_again_as_a_whole(store: SqliteStore) -> None:
    bad = Batch(journal=[row(0), JournalRow(replace(row().event, device=None))])  # type: ignore[arg-type]
    with contextlib.ExitStack() as make_room:
        store._writer._db.execute("PRAGMA query_only = ON")
        make_room.callback(store._writer._db.execute, "PRAGMA query_only = OFF")
        with pytest.raises(StoreError) as caught:
            await store.commit(bad)
        assert not isinstance(caught.value, UnstorableError)
    await store.commit(bad)
    assert (await store.ledger())["unstorable_rows"] == 1
    assert len((await store.events()).items) == 1


# --- threads --------------------------------------------------------------------------------------------------------


async def test_a_notification_that_cannot_be_read_back_is_given_up_and_holds_up_nobody(store: SqliteStore) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(6)]))
    db = store._writer._db
    db.execute("UPDATE outbox SET json = '{' WHERE id IN ('n0', 'n2', 'n5')")
    told = await store.claim("chat", unix(0))
    assert told is not None
    assert told.id == "n1"
    await store.settle(Settled("n1", "delivered"))
    digest = await store.seal("chat", unix(0), "storm", 2)
    assert isinstance(digest, Digest)
    assert [one.id for one in digest.notifications] == ["n3"], "n2 was bound into it and cannot be told"
    await store.settle(Settled(digest.id, "delivered"))
    last = await store.claim("chat", unix(0))
    assert last is not None
    assert last.id == "n4"
    await store.settle(Settled("n4", "delivered"))
    assert await store.claim("chat", unix(0)) is None
    assert (await store.outbox_counts())["chat"] == {"delivered": 3, "dead": 3}
    assert [one.id for one in (await store.letters()).items] == ["n4", "n3", "n1"]
    assert await store.check() == []


async def test_a_long_queue_costs_no_more_than_its_length(store: SqliteStore) -> None:
    """Each row compared with all before it took half a minute for 50,000."""
    db, steps = store._writer._db, [0]

    def count() -> None:
        steps[0] += 1

    cost = {}
    for length in (1000, 4000):
        queued = [notification(f"n{n}", incident(f"i{n}")) for n in range(length)]
        await store.commit(batch(notifications=queued))
        db.set_progress_handler(count, 100)
        for ask in (
            lambda: store.waiting("chat", unix(0)),
            lambda: store.next_due("chat"),
            lambda: store.claim("chat", unix(-1)),
        ):
            steps[0] = 0
            await ask()
            cost[length, ask.__code__.co_names[0]] = steps[0]
        await store.release()
        db.set_progress_handler(None, 0)
    for what in ("waiting", "next_due", "claim"):
        assert cost[4000, what] <= 4 * cost[1000, what] + 50, cost


def test_no_statement_reads_a_whole_queue_for_one_incident(path: Path) -> None:
    """The planner chooses without knowing how long a queue may be; what it may read as a whole is listed."""
    whole = {
        "outbox_due",
        "outbox_next",
        "outbox_counts",
        "outbox_oldest",
        "outbox_give_up",
        "outbox_trouble",
        "outbox_refused",
        "outbox_failing",  # only `eventd doctor` asks
    }
    database.prepare(path)
    with contextlib.closing(database.open_writer(path, Settings(path=str(path)), database.schema())) as db:
        for name, sql in database.QUERIES.items():
            if "outbox" not in sql or "{where}" in sql:
                continue
            named = re.findall(r":(\w+)", sql)
            given = dict.fromkeys(named, 1) if named else [1] * sql.count("?")
            plan = " ".join(step for *_, step in db.execute("EXPLAIN QUERY PLAN " + sql, given))
            reads = re.search(r"SCAN outbox(?! USING INDEX outbox_(undelivered|unseen))|outbox_(queue|times)", plan)
            assert name in whole or not reads, (name, plan)


async def test_a_slow_question_delays_no_commit_and_is_given_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "QUERY_TIMEOUT_S", 0.3)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    monkeypatch.setitem(reader.QUERIES, "ledger", endless)
    slow = asyncio.create_task(store.ledger())
    await asyncio.sleep(0)
    for n in range(5):
        await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}"))]))
        assert await store.claim("chat", unix(0)) is not None or n
    assert not slow.done()
    with pytest.raises(StoreError, match="interrupted"):
        await slow
    assert await store.outbox_counts() == {"chat": {"pending": 5}}, "and the next one is answered"


async def test_a_claim_cancelled_at_any_point_can_be_made_again(store: SqliteStore) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    for steps in range(6):
        gate = threading.Event()
        held = store._writing.submit(gate.wait, 10)
        claim = asyncio.create_task(store.claim("chat", unix(0)))
        await asyncio.sleep(0)
        if steps > 1:
            gate.set()
            for _ in range(steps * 3):
                await asyncio.sleep(0)
        claim.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            if await claim is not None:
                await store.release("chat")
        gate.set()
        await asyncio.wrap_future(held)
        claimed = await store.claim("chat", unix(0))
        assert claimed is not None, steps
        await store.settle(Settled(claimed.id, "retry", unix(0)))


def slow_claim(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The next claim has started with the first event, and goes on with the second."""
    started, go_on, really = threading.Event(), threading.Event(), store._writer.queue.claim

    def slowly(channel: str, *asked: Any) -> object:
        started.set()
        go_on.wait(10)
        return really(channel, *asked)

    monkeypatch.setattr(store._writer.queue, "claim", slowly)
    return started, go_on


async def test_a_claim_cancelled_while_it_runs_is_undone(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    started, go_on = slow_claim(store, monkeypatch)
    claim = asyncio.create_task(store.claim("chat", unix(0)))
    assert await asyncio.to_thread(started.wait, 10)
    claim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claim
    go_on.set()
    monkeypatch.undo()
    await store.meta_set("the claim", "has ended")
    assert await store.claim("chat", unix(0)) is not None


async def test_of_a_settling_and_claim_cancelled_while_they_run_the_settling_stays(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(2)]))
    assert await store.claim("chat", unix(0)) is not None
    started, go_on = slow_claim(store, monkeypatch)
    both = asyncio.create_task(store.settle_then_claim(Settled("n0", "delivered"), "chat", unix(0)))
    assert await asyncio.to_thread(started.wait, 10)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    go_on.set()
    monkeypatch.undo()
    again = await store.claim("chat", unix(0))
    assert again is not None
    assert again.id == "n1"


async def test_a_digest_whose_sealing_was_cancelled_while_it_ran_is_told_as_it_was_sealed(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    sealed, really = threading.Event(), store._writer.queue.seal
    go_on = threading.Event()

    def slowly(*asked: Any) -> object:
        made = really(*asked)
        sealed.set()
        go_on.wait(10)
        return made

    monkeypatch.setattr(store._writer.queue, "seal", slowly)
    sealing = asyncio.create_task(store.seal("chat", unix(0), "storm", 2))
    assert await asyncio.to_thread(sealed.wait, 10)
    sealing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sealing
    go_on.set()
    monkeypatch.undo()
    news = notification("m", incident("i0", resolved=2000), "resolved")
    await store.commit(batch(notifications=[news]))
    digest = await store.claim("chat", unix(0))
    assert isinstance(digest, Digest)
    assert [one.id for one in digest.notifications] == ["n0", "n1"]
    await store.settle(Settled(digest.id, "delivered"))
    told = []
    while one := await store.claim("chat", unix(0)):
        told.append(one.id)
        await store.settle(Settled(one.id, "delivered"))
    assert told == ["n2", "m"], "the end of what the digest told of comes after it"


async def test_the_claim_behind_a_cancelled_one_finds_it_undone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    started, go_on = slow_claim(store, monkeypatch)
    cancelled = asyncio.create_task(store.claim("chat", unix(0)))
    await asyncio.to_thread(started.wait, 10)
    cancelled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    behind = asyncio.create_task(store.claim("chat", unix(0)))
    await asyncio.sleep(0)  # it is queued while the cancelled one still runs
    go_on.set()
    claimed = await behind
    assert claimed is not None
    assert claimed.id == "n1"


async def test_a_commit_cancelled_before_its_turn_leaves_nothing(store: SqliteStore) -> None:
    gate = threading.Event()
    held = store._writing.submit(gate.wait, 10)
    commit = asyncio.create_task(store.commit(Batch(journal=[row()])))
    await asyncio.sleep(0)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    gate.set()
    await asyncio.wrap_future(held)
    assert (await store.ledger())["journal_rows"] == 0


# --- upkeep ---------------------------------------------------------------------------------------------------------


async def test_a_backup_can_be_taken_while_eventd_writes(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    await store.commit(batch(journal=[row(n) for n in range(50)], notifications=[notification("n1", incident())]))
    copy = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    await store.commit(Batch(journal=[row()]))
    restored = await SqliteStore.open(Settings(path=str(copy)))
    assert await restored.check() == []
    assert (await restored.ledger())["journal_rows"] == 50
    await restored.close()


async def test_what_was_saved_of_a_damaged_file_is_counted_anew_as_the_docs_say(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    told = [notification("n1", incident()), notification("n2", incident(), channel="b")]
    await store.commit(batch(journal=[row(n * 5000) for n in range(3)], notifications=told))
    await store.close()
    said = re.findall(r"^ *sqlite3 saved\.db '(DELETE .*?)'", DOCS.read_text("utf-8"), re.MULTILINE)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(";".join(["DELETE FROM hours", "UPDATE outbox_kept SET n = 7 WHERE channel = 'b'", *said]))
    store = await SqliteStore.open(Settings(path=str(path)))
    assert await store.check() == []
    await store.close()


async def test_a_file_that_was_pruned_gives_its_pages_back(store: SqliteStore) -> None:
    await store.commit(Batch(journal=[row(n) for n in range(4000)]))
    db = store._writer._db
    before = db.execute("PRAGMA page_count").fetchone()[0]
    assert await store.prune(unix(100 * 86400)) == 4000
    free, used = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    assert used < before / 10
    assert free * 4 <= used, "what is left of them will be filled again"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("DELETE FROM events WHERE seq = 2", "journal: 2 rows kept and 0 pruned, but the ledger has written 3"),
        ("UPDATE events SET seq = 9 WHERE seq = 3", "journal: row 9 is beyond the ledger"),
        ("DELETE FROM links; DELETE FROM outbox; DELETE FROM incidents", "incidents: 0 kept and 0 pruned"),
        ("DELETE FROM incidents", "notification n1 is about incident i1, which is not there"),
        ("DELETE FROM incidents", "reference broken: outbox"),
        ("DELETE FROM outbox WHERE id = 'n1'", "outbox: 1 pending and 0 settled, but the ledger has enqueued 2"),
        ("UPDATE outbox SET state = 'dead', settled_at = 1", "outbox: 2 dead kept and 0 pruned, but the ledger has 0"),
        ("UPDATE outbox SET place = 1 WHERE id = 'n2'", "n2 stands at place 1, which another still holds"),
        ("UPDATE incidents SET severity = 'info'", "incidents: i1 differs from its columns"),
        ("DELETE FROM malformed", "malformed: 0 kept and 0 pruned"),
        ("UPDATE malformed SET size = 1", "malformed: 1 bytes kept"),
        ("UPDATE events SET reason = 5 WHERE seq = 2", "journal: the reason of row 2 is not there"),
        ("DELETE FROM events WHERE seq = 1", "incident i1 is linked to event 1, which is not there"),
        ("UPDATE outbox_kept SET n = 7 WHERE channel = 'b'", "outbox: 7 pending of b are counted, and 1 kept"),
        ("DELETE FROM outbox_kept WHERE channel = 'b'", "outbox: 0 pending of b are counted, and 1 kept"),
        ("UPDATE hours SET last = 2", "journal: row 3 is not among those of its hour"),
        ("PRAGMA ignore_check_constraints = ON; UPDATE outbox SET what = 'nonsense'", "file damaged: CHECK constraint"),
    ],
)
async def test_the_check_finds_each_kind_of_inconsistency(path: Path, damage: str, complaint: str) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    told = [notification("n1", incident()), notification("n2", incident(), channel="b")]
    await store.commit(batch(journal=[row(0, "i1"), row(1), row(2)], notifications=told, malformed=[malformed()]))
    assert await store.check() == []
    await store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(damage)
    store = await SqliteStore.open(Settings(path=str(path)))
    assert any(complaint in sentence for sentence in await store.check()), await store.check()
    await store.close()


def _searched_by(db: sqlite3.Connection, query: str, filters: dict[str, Any]) -> str:
    """The index that SQLite chooses for a list with these filters."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    question = reader.Reader(db)
    getattr(question, query)(filters, 10)
    db.set_trace_callback(None)
    steps = [step for *_, step in db.execute("EXPLAIN QUERY PLAN " + asked[-1])]
    return " ".join(s for s in steps if s.startswith("SEARCH") and "INTEGER PRIMARY KEY" not in s and "links" not in s)


@pytest.mark.parametrize(
    ("query", "filters", "index"),
    [
        ("events", {"device": "FW1", "event": "ipsec.tunnel.stop"}, "events_device"),
        ("events", {"event": "ipsec.tunnel.stop", "peer": "2.1.1.1", "device": "FW1"}, "events_peer"),
        ("events", {"peer": "2.1.1.1", "until": 5.0}, "events_peer (<expr>=? AND peer=? AND rowid<?)"),
        (
            "events",
            {"device": "FW1", "since": 1.0, "until": 5.0},
            "events_device (<expr>=? AND device=? AND rowid>? AND rowid<?)",
        ),
        ("events", {"until": 5.0}, "events_received_at"),
        ("events", {"since": 1.0, "until": 5.0, "before": 3}, "events_received_at"),
        ("incidents", {"status": "resolved", "severity": "critical"}, "incidents_severity"),
        ("incidents", {"status": "open", "severity": "critical"}, "incidents_status"),
        ("incidents", {"kind": "capacity"}, "incidents_kind"),
        ("incidents", {"site": "Lyon", "status": "resolved"}, "incidents_site"),
    ],
)
def test_lists_are_searched_by_what_narrows_them_most(
    path: Path, query: str, filters: dict[str, Any], index: str
) -> None:
    """Without that a million events were read for the stops of a device, which took seconds."""
    database.prepare(path)
    with contextlib.closing(database.open_writer(path, Settings(path=str(path)), database.schema())) as db:
        assert f"INDEX {index}" in _searched_by(db, query, filters)


async def test_a_reason_that_comes_again_is_kept_once_in_a_block_and_read_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasons, "MAX_REASONS", 3)
    why = [Reason(text=f"why {n}", meaning='"reason":null', actions=("do this",)) for n in range(5)]

    def of(first: int, *incidents: str) -> list[JournalRow]:
        made = (row(first + n, *incidents) for n in range(18))
        return [replace(one, event=replace(one.event, reason=[*why, None][n % 6])) for n, one in enumerate(made)]

    store = await SqliteStore.open(Settings(path=str(path)))
    kept = of(0, "i1") + of(18)
    await store.commit(batch(journal=kept[:18], incidents=[incident()]))
    monkeypatch.setitem(database.QUERIES, "hours_put", "SELECT no_such_column")
    with pytest.raises(StoreError):
        await store.commit(Batch(journal=of(18)))
    monkeypatch.undo()
    await store.commit(Batch(journal=kept[18:]))
    db = store._writer._db
    assert (await store.events()).items == tuple(reversed(kept))
    assert (await store.events(peer=kept[0].event.peer)).items == tuple(reversed(kept))
    assert db.execute("SELECT count(*), count(DISTINCT json) FROM reasons").fetchone()[1] == 5
    assert await store.prune(unix(100 * 86400)) == 18, "those of the open incident stay"
    await store.commit(Batch(journal=of(90 * 86400)))
    assert (await store.events()).items == tuple(reversed(kept[:18] + of(90 * 86400)))
    assert await store.check() == []
    await store.close()


async def test_a_long_reason_is_not_remembered() -> None:
    """Thousands of different ones of 64 KiB would fill the memory."""
    known = reasons.Reasons()
    for reason, one in [(Reason(text="x" * reasons.MAX_ROW), None), (Reason(text="short"), 3)]:
        event = replace(row().event, reason=reason)
        assert known.take_out(2, event) == (msgspec.json.encode(event).decode(), None)
        assert known.take_out(3, event)[1] == one


async def test_a_reason_goes_with_the_last_row_of_its_block(path: Path) -> None:
    """Also where a clock was set back, so that the last row by time is none of the last."""
    store = await SqliteStore.open(Settings(path=str(path)))
    db = store._writer._db
    made = [row(n) for n in (4, 3, 2, 1, 0)]
    for days in (100, 200):
        await store.commit(Batch(journal=made))
        assert db.execute("SELECT count(*) FROM reasons").fetchone() == (1,)
        assert await store.prune(unix(days * 86400)) == 5
        assert db.execute("SELECT count(*) FROM reasons").fetchone() == (0,)
    await store.commit(Batch(journal=made))
    assert (await store.events()).items == tuple(reversed(made))
    assert await store.check() == []
    await store.close()


async def test_what_is_asked_of_a_peer_or_device_is_found_in_all_blocks_of_its_index(path: Path) -> None:
    """Which have 16,384 rows each; some are empty by now, and ends of others are missing."""
    rows = []
    for apart in (1, 16_370, 40_000, 16_384, 3):
        store = await SqliteStore.open(Settings(path=str(path)))
        made = [row(600 * (len(rows) + n), peer=f"2.1.1.{n % 3}", device=f"FW{n % 2}") for n in range(30)]
        await store.commit(Batch(journal=made))
        rows += made
        await store.close()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE ledger SET value = value + ? WHERE name LIKE '%journal_rows'", (apart,))
    store = await SqliteStore.open(Settings(path=str(path)))
    assert await store.check() == []
    times = (
        {},
        {"until": unix(80)},
        {"since": unix(50)},
        {"since": unix(40), "until": unix(95)},
        {"until": unix(-9e4)},
    )
    who = ({"peer": "2.1.1.1"}, {"device": "FW1"}, {"peer": "2.1.1.2", "device": "FW0"}, {"peer": "3.1.1.1"})
    for asked, when in product(who, times):
        expected = [
            one
            for one in reversed(rows)
            if all(getattr(one.event, name) == value for name, value in asked.items())
            and when.get("since", 0.0) <= one.event.received_at.timestamp() < when.get("until", math.inf)
        ]
        for limit in (7, 20, 100):
            found, before = [], None
            while found == [] or before is not None:
                page = await store.events(limit=limit, before=before, **asked, **when)
                assert len(page.items) == min(limit, len(expected) - len(found))
                found, before = [*found, *page.items], page.next
                if not expected:
                    break
            assert found == expected, (asked, when, limit)
    await store.close()


def test_what_is_asked_of_a_time_long_ago_passes_over_nothing_later(path: Path) -> None:
    """Steps of SQLite's machine, by thousands, for a device in the first hour of two hundred."""
    database.prepare(path)
    with contextlib.closing(database.open_writer(path, Settings(path=str(path)), database.schema())) as db:
        db.execute(
            "WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 20000) "
            "INSERT INTO events (seq, received_at, device, duplicate, json) "
            "SELECT seq, seq * 36000000, 'FW' || (seq % 7), 0, '{}' FROM n"
        )
        db.execute("INSERT INTO hours SELECT received_at / 3600000000, min(seq), max(seq) FROM events GROUP BY 1")
        question, steps = reader.Reader(db), list[int]()
        db.set_progress_handler(lambda: steps.append(1), 1000)
        for filters in ({"until": 3600.0}, {"until": 3600.0, "before": 15_000}, {"since": 1.0, "until": 3600.0}):
            steps.clear()
            with pytest.raises(msgspec.MsgspecError):  # there were rows
                question.events({"device": "FW3"} | filters, 5)
            assert len(steps) < 10, filters


async def test_the_log_is_folded_in_beside_commits_and_begins_anew(path: Path) -> None:
    """Long before a commit would have to do it itself (`database.CHECKPOINT_PAGES`)."""
    store = await SqliteStore.open(Settings(path=str(path)))
    sizes = []
    for first in range(0, 8 * FOLD_ROWS, FOLD_ROWS):
        await store.commit(Batch(journal=[row(n) for n in range(first, first + FOLD_ROWS)]))
        await asyncio.wrap_future(store._folded)
        sizes.append(path.stat().st_size)
    log = path.with_name(path.name + "-wal").stat().st_size
    assert sizes == sorted(set(sizes)), "grown by each"
    assert log < sizes[-1] / 2, "written from its start again"
    await store.close()
