"""The recording: whole, in order, bounded, for its owner only; what it cannot hold is counted, and nobody waits."""

import asyncio
import os
import resource
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventd import recorder
from eventd.model import TRANSPORTS, Message
from eventd.parse.recording import parse_line
from eventd.recorder import MIN_FILE_BYTES, Recorder, RecordError, Settings

MIB = 2**20


def messages(count: int, size: int = 20, start: int = 0) -> list[Message]:
    return [
        Message(
            TRANSPORTS[n % len(TRANSPORTS)], "192.0.2.1", 514, 1_790_000_000.0 + n, b"%d\x00\xff\n" % n + b"x" * size
        )
        for n in range(start, start + count)
    ]


def read(path: Path) -> list[Message]:
    found = [parse_line(line, 0.0) for line in path.read_bytes().splitlines(keepends=True)]
    return [message for message in found if message is not None]


def take(to: Recorder, batch: list[Message]) -> None:
    to.take(batch, sum(len(message.payload) for message in batch))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "received.rec"


async def record(path: Path, *batches: list[Message], **settings: int) -> Recorder:
    recording = Recorder()
    await recording.replace(Settings(str(path), **settings))
    for batch in batches:
        take(recording, batch)
    await recording.close()
    return recording


async def test_everything_is_read_back_in_order(path: Path) -> None:
    sent = messages(1000)
    recording = await record(path, sent[:10], sent[10:11], sent[11:])
    assert read(path) == sent
    assert recording.recorded() == {(): 1000}
    assert sum(recording.dropped().values()) == 0


async def test_only_the_owner_may_read_it_even_where_the_file_was_there_before(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    await record(path, messages(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_second_run_goes_on_behind_the_first_and_closes_a_line_that_a_crash_cut(path: Path) -> None:
    await record(path, messages(2))
    with path.open("ab") as file:
        file.write(b"2026-11-21T00:00:00Z\tsyslog-udp\t192.0.2.1\thalf a li")
    await record(path, messages(2, start=2))
    lines = path.read_bytes().splitlines()
    assert [b"half a li" in line for line in lines] == [False, False, True, False, False]
    assert read(path)[3:] == messages(2, start=2)


async def test_files_are_bounded_in_size_and_number_and_keep_the_order(path: Path) -> None:
    sent = messages(80, size=60_000)
    await record(path, *([one] for one in sent), max_bytes=MIN_FILE_BYTES, files=3)
    kept = sorted(path.parent.iterdir(), key=lambda file: file.name, reverse=True)
    assert [file.name for file in kept] == ["received.rec.2", "received.rec.1", "received.rec"]
    assert all(0 < file.stat().st_size <= MIN_FILE_BYTES for file in kept)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept)
    found = [message for file in kept for message in read(file)]
    assert found == sent[-len(found) :]
    assert len(found) > 20


async def test_one_file_is_begun_anew(path: Path) -> None:
    sent = messages(40, size=60_000)
    await record(path, sent, max_bytes=MIN_FILE_BYTES, files=1)
    assert [file.name for file in path.parent.iterdir()] == ["received.rec"]
    assert read(path)[-1] == sent[-1]


async def test_what_a_full_disk_cuts_is_taken_back_and_counted_and_recording_goes_on(path: Path) -> None:
    """`RLIMIT_FSIZE` cuts a write in the middle, as a full disk does, and refuses the next (EFBIG)."""
    recording = Recorder()
    await recording.replace(Settings(str(path), max_bytes=64 * MIB))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sent = messages(40, size=60_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        for one in sent:
            take(recording, [one])
        await recording.replace(Settings(str(path), max_bytes=64 * MIB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = read(path)
    kept = len(found)
    assert found == [one for one in sent if one in found]
    assert 10 < kept < 20
    assert path.read_bytes().endswith(b"\n")
    assert recording.recorded() == {(): kept}
    assert recording.dropped() == {("queue_full",): 0, ("write_failed",): 40 - kept}
    take(recording, sent[:1])
    await recording.close()
    assert read(path) == [*found, sent[0]]


@pytest.fixture
def stuck_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The first write returns only when the event is set."""
    free, write = threading.Event(), recorder._File.write

    def wait(self: object, lines: bytes) -> None:
        free.wait(30)
        write(self, lines)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder._File, "write", wait)
    yield free
    free.set()


@pytest.mark.parametrize("limit", ["QUEUE_MESSAGES", "QUEUE_BYTES"])
async def test_a_slow_disk_costs_messages_of_the_recording_and_holds_up_nobody(
    limit: str, path: Path, stuck_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, limit, 100 if limit == "QUEUE_MESSAGES" else 100 * len(messages(1)[0].payload) + 99)
    recording = Recorder()
    await recording.replace(Settings(str(path)))
    sent = messages(10) * 30
    for start in range(0, 300, 10):
        take(recording, sent[start : start + 10])  # returns although nothing can be written
    stuck_disk.set()
    await recording.close()
    assert recording.recorded() == {(): 100}
    assert recording.dropped() == {("queue_full",): 200, ("write_failed",): 0}
    assert read(path) == sent[:100]


async def test_a_disk_that_hangs_does_not_hang_the_stop(
    path: Path, stuck_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FLUSH_S", 0.05)
    recording = Recorder()
    await recording.replace(Settings(str(path)))
    take(recording, messages(1))
    with pytest.raises(RecordError, match="takes too long"):
        await recording.replace(Settings(str(path)))
    assert not recording.on
    async with asyncio.timeout(5):
        await recording.close()


async def test_replacing_goes_on_elsewhere_and_loses_nothing(path: Path) -> None:
    recording = Recorder()
    await recording.replace(Settings(str(path)))
    take(recording, messages(5))
    order = asyncio.ensure_future(recording.replace(Settings(str(path) + "2")))
    await asyncio.sleep(0)
    take(recording, messages(5, start=5))  # while the thread is still asked to move on
    await order
    assert recording.on
    await recording.replace(Settings())
    assert not recording.on
    assert (read(path), read(Path(str(path) + "2"))) == (messages(5), messages(5, start=5))


async def test_a_file_that_was_moved_away_is_made_again(path: Path) -> None:
    recording = Recorder()
    await recording.replace(Settings(str(path)))
    take(recording, messages(1))
    await recording.replace(Settings(str(path)))
    path.rename(path.with_name("kept"))
    await recording.replace(Settings(str(path)))
    take(recording, messages(1, start=1))
    await recording.close()
    assert (read(path.with_name("kept")), read(path)) == (messages(1), messages(1, start=1))


async def test_what_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    recording = Recorder()
    for name, why in (("file/x", "File exists"), ("pipe", "is no regular file"), (".", "Is a directory")):
        with pytest.raises(RecordError, match=why):
            await recording.replace(Settings(str(tmp_path / name)))
        assert not recording.on
    await recording.close()
