"""The end of a write-ahead log: what SQLite passes over without a word is found, and what it means is told apart."""

import contextlib
import itertools
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from examples import some
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from store_samples import row

from eventd.contract import Batch
from eventd.errors import StoreError
from eventd.store import Settings, SqliteStore, wal
from eventd.store.damage import last
from eventd.store.wal import FRAME, HEADER, Log, examine

PAGE = 512
SIZE = FRAME.size + PAGE
#: Frames of each transaction in `LIVE`, about; more than one, so that one can break in the middle.
COMMITS = 12


class Live:
    """A database whose log holds several commits, and how it looks to SQLite when the log is another."""

    def __init__(self, folder: Path, rounds: int = 1) -> None:
        self.path = folder / "live.db"
        self._numbers = itertools.count()
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(f"PRAGMA page_size = {PAGE}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filler BLOB)")
            for number in range(rounds):
                if number:
                    db.execute("PRAGMA wal_checkpoint(RESTART)")
                for n in range(COMMITS * (rounds - number)):
                    db.execute("INSERT INTO t VALUES (?, ?)", (number * 1000 + n, bytes([n % 251]) * 1500))
            self.log = Path(f"{self.path}-wal").read_bytes()
            self.main = self.path.read_bytes()

    def sqlite_keeps(self, log: bytes) -> tuple[int, int]:
        """Frames and rows that SQLite finds with that log."""
        copy = self.path.with_name(f"copy{next(self._numbers)}.db")
        copy.write_bytes(self.main)
        Path(f"{copy}-wal").write_bytes(log)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            frames = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            rows = db.execute("SELECT count(*) FROM t").fetchone()[0] if tables else 0
        for file in copy.parent.glob(copy.name + "*"):
            file.unlink()
        return max(frames, 0), rows

    @property
    def frames(self) -> int:
        return (len(self.log) - HEADER.size) // SIZE

    def ends(self) -> list[int]:
        """Numbers of the frames that end a transaction."""
        return [n for n in range(self.frames) if FRAME.unpack_from(self.log, HEADER.size + n * SIZE)[1]]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return Live(tmp_path_factory.mktemp("wal"))


@pytest.fixture(scope="module")
def second_round(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return Live(tmp_path_factory.mktemp("wal2"), rounds=2)


many = some(20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_whole_log_has_no_damage_and_counts_as_sqlite_counts(live: Live) -> None:
    assert examine(live.log) == Log(live.frames)
    assert live.sqlite_keeps(live.log) == (live.frames, COMMITS)


def test_what_an_earlier_round_left_is_no_damage(second_round: Live) -> None:
    found = examine(second_round.log)
    assert 0 < found.kept < second_round.frames
    assert found == Log(second_round.sqlite_keeps(second_round.log)[0])


@pytest.mark.parametrize("log", [b"", b"\0", b"\0" * HEADER.size])
def test_an_empty_log_has_no_damage(log: bytes) -> None:
    assert examine(log) == Log()


@many
@given(data=st.data())
def test_a_log_that_was_cut_is_unfinished_or_ends_as_it_should(live: Live, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(live.log)))
    found = examine(live.log[:cut])
    assert found.kept == live.sqlite_keeps(live.log[:cut])[0]
    whole_frame = cut <= HEADER.size or (cut - HEADER.size) % SIZE == 0
    if whole_frame:
        assert found.damage is None
    else:
        assert found.damage == "unfinished"
        assert (found.frames, found.octets) == (1, (cut - HEADER.size) % SIZE)


@many
@given(data=st.data())
def test_a_flipped_bit_is_found_and_what_follows_it_is_counted(live: Live, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(live.log) * 8 - 1))
    log = bytearray(live.log)
    log[bit // 8] ^= 1 << bit % 8
    found = examine(log)
    kept, _ = live.sqlite_keeps(bytes(log))
    assert found.damage is not None
    if found.damage == "header":
        assert bit // 8 < HEADER.size
        assert (kept, found.octets) == (0, len(log) - HEADER.size)
        return
    broken = (bit // 8 - HEADER.size) // SIZE
    before = [n for n in live.ends() if n < broken]
    assert found.kept == kept == (before[-1] + 1 if before else 0)
    assert found.frames in (live.frames - broken, live.frames - broken - 1), "the last may not look like ours any more"
    if broken < live.ends()[-2]:
        assert found.damage == "later_commits"
    elif broken > live.ends()[-2]:
        assert found.damage in ("unfinished", "last_commit")


@many
@given(garbage=st.binary(min_size=1, max_size=3 * SIZE))
def test_garbage_behind_the_log_is_said_but_costs_nothing(live: Live, garbage: bytes) -> None:
    log = live.log + garbage
    round_ = int.from_bytes(log[16:20]) - int.from_bytes(garbage[8:12])
    assume(len(garbage) < 16 or round_ % 2**32 >= wal.MAX_ROUNDS)
    found = examine(log)
    assert found.kept == live.frames == live.sqlite_keeps(log)[0]
    assert (found.octets, found.damage) == (len(garbage), "unfinished")


@many
@given(st.binary(max_size=4 * SIZE), st.booleans(), st.data())
def test_nothing_makes_it_fail(live: Live, noise: bytes, headed: bool, data: st.DataObject) -> None:
    head = live.log[: HEADER.size] if headed else b""
    found = examine(head + noise)
    assert found.octets <= len(noise) + HEADER.size
    log = bytearray(live.log)
    at = data.draw(st.integers(0, len(log)))
    log[at : at + len(noise)] = noise
    assert examine(log).kept == live.sqlite_keeps(bytes(log))[0]


# --- the store that finds such a log -------------------------------------------------------------------------------


async def a_store_that_was_cut_off(folder: Path, commits: int) -> Path:
    """A file as ``kill -9`` leaves it: nothing was folded back."""
    live, path = folder / "live.db", folder / "eventd.db"
    store = await SqliteStore.open(Settings(path=str(live)))
    for n in range(1, commits + 1):
        await store.commit(Batch(journal=[row(n)], tallies={"batches": 1}))
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{live}{suffix}", f"{path}{suffix}")
    await store.close()
    return path


def fold(path: Path, how: str) -> None:
    """Write what the log holds into the file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA wal_checkpoint({how})")


def flip(path: Path, at: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[at] ^= 4
    path.write_bytes(octets)


@pytest.mark.parametrize(
    ("spoil", "damage", "grave"),
    [
        (lambda log: log.write_bytes(log.read_bytes()[:-5]), "unfinished", False),
        (lambda log: flip(log, log.stat().st_size - 9), "last_commit", False),
        (lambda log: log.write_bytes(log.read_bytes() + b"garbage"), "unfinished", False),
        (lambda log: flip(log, log.stat().st_size // 2), "later_commits", True),
        (lambda log: flip(log, 18), "header", True),
    ],
    ids=["cut", "last", "garbage", "flipped", "header"],
)
async def test_a_store_starts_on_what_can_be_read_and_says_and_remembers_what_cannot(
    spoil: Callable[[Path], object], damage: str, grave: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = await a_store_that_was_cut_off(tmp_path, 10)
    spoil(Path(f"{path}-wal"))
    store = await SqliteStore.open(Settings(path=str(path)), lambda: 1.75e9)
    assert store.damaged_log is not None
    assert store.damaged_log.damage == damage
    assert await store.check() == []
    batches = (await store.ledger()).get("batches", 0)
    assert (batches < 9) == grave
    await store.close()
    found = last(path)
    assert found is not None
    assert (found.what, found.octets) == (damage, store.damaged_log.octets)
    again = await SqliteStore.open(Settings(path=str(path)))
    assert again.damaged_log is None
    await again.close()


async def test_a_sound_end_is_not_talked_of(tmp_path: Path) -> None:
    path = await a_store_that_was_cut_off(tmp_path, 3)
    store = await SqliteStore.open(Settings(path=str(path)))
    assert store.damaged_log is None
    await store.close()
    assert last(path) is None


async def test_a_log_that_no_longer_fits_what_was_folded_back_is_refused_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages were folded into the file up to the end of the log; then the log lost its end: old pages cover new ones."""
    monkeypatch.setattr("eventd.store.sqlite.FOLD_ROWS", 1 << 62)  # what is folded when is told below
    live, path = tmp_path / "live.db", tmp_path / "eventd.db"
    store = await SqliteStore.open(Settings(path=str(live)))
    await store.commit(Batch(states={f"k{n:04}": bytes(900) for n in range(0, 400, 2)}))
    fold(live, "TRUNCATE")
    for n in range(60):
        await store.commit(Batch(journal=[row(n)]))
    await store.commit(Batch(states={f"k{n:04}": bytes(900) for n in range(1, 400, 2)}))
    await store.commit(Batch(journal=[row(60)]))
    fold(live, "PASSIVE")
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{live}{suffix}", f"{path}{suffix}")
    await store.close()
    log = Path(f"{path}-wal")
    flip(log, log.stat().st_size // 3)
    with pytest.raises(StoreError, match=r"damage of its write-ahead log; stop eventd, move .* docs/store\.md"):
        await SqliteStore.open(Settings(path=str(path)))


@pytest.mark.parametrize("wound", ["cut", "header", "first page"])
async def test_a_damaged_file_is_refused_and_the_message_says_what_to_do(wound: str, tmp_path: Path) -> None:
    path = await a_store_that_was_cut_off(tmp_path, 3)
    fold(path, "TRUNCATE")
    octets = bytearray(path.read_bytes())
    if wound == "cut":
        del octets[len(octets) // 3 :]
    else:
        octets[0 if wound == "header" else 100 : 2000] = b"\xff" * (2000 - (0 if wound == "header" else 100))
    path.write_bytes(octets)
    with pytest.raises(StoreError, match=r"eventd\.db: .*(malformed|not a database); stop eventd, .* docs/store\.md"):
        await SqliteStore.open(Settings(path=str(path)))
