"""A disk that is full: eventd says so, holds what it has, answers no inform that it cannot keep, and goes on."""

import asyncio
import contextlib
import resource
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from service import Service, until
from storm import peer, stop_inform, stop_line

from eventd.store.sqlite import Settings, SqliteStore

CONSOLE = """
[[channels]]
name = "console"
type = "console"
color = false
"""
#: Room that is left: a few commits.
ROOM_BYTES = 200_000
FAILURES = "eventd_store_commit_failures_total"


@contextmanager
def full(eventd: Service, path: Path) -> Iterator[None]:
    """None of the service's files may grow beyond a little more than the log has now (RLIMIT_FSIZE, EFBIG)."""
    assert eventd.process is not None
    _, hard = resource.prlimit(eventd.process.pid, resource.RLIMIT_FSIZE)
    size = max(file.stat().st_size for file in path.parent.glob(path.name + "*"))
    resource.prlimit(eventd.process.pid, resource.RLIMIT_FSIZE, (size + ROOM_BYTES, hard))
    yield
    if eventd.process is not None:
        resource.prlimit(eventd.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Informer:
    """Sends an inform with a number of its own, until it is answered or given up."""

    def __init__(self, eventd: Service) -> None:
        self.answered, self.given_up, self._next = set[str](), 0, 40_000
        self._port = eventd.ports["snmp"]

    def ask(self, seconds: float) -> bool:
        """One inform; whether it was answered within that time."""
        self._next += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # of its own: no answer of an earlier one
            sock.connect(("127.0.0.1", self._port))
            sock.settimeout(seconds)
            sock.send(stop_inform(self._next))
            with contextlib.suppress(TimeoutError):
                sock.recv(4096)
                self.answered.add(peer(self._next))
                return True
        self.given_up += 1
        return False


@pytest.mark.timeout(240)
async def test_a_full_disk_is_said_loses_nothing_acknowledged_and_ends_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "eventd.db"
    with Service(tmp_path, CONSOLE) as eventd:
        informer, sent = Informer(eventd), 0
        assert all(informer.ask(10) for _ in range(3))
        with full(eventd, path):
            while not eventd.metrics()[FAILURES]:
                eventd.send_udp(*(stop_line(n) for n in range(sent, sent + 50)))
                sent += 50
                await asyncio.sleep(0.05)
            status, body = eventd.get("/-/ready")
            assert status == 503
            assert "The store cannot be written" in body
            assert eventd.get("/-/healthy")[0] == 200, "a restart would not help"
            assert '"commit failed, will be tried again"' in eventd.log.read_text()
            assert not any(informer.ask(0.3) for _ in range(3)), "acknowledged, although it is not kept"
            before = eventd.total(eventd.metrics(), "eventd_received_total")
            eventd.send_udp(*(stop_line(n) for n in range(sent, sent + 50)))
            sent += 50
            until(lambda: eventd.total(eventd.metrics(), "eventd_received_total") > before, "more to be received")
            assert eventd.ledger_faults() == []
        until(lambda: eventd.get("/-/ready")[0] == 200, "the store to be written again")
        assert "the store can be written again" in eventd.log.read_text()
        until(lambda: informer.ask(1), "an inform to be answered")
        until(lambda: eventd.total(eventd.metrics(), "eventd_queued") == 0, "the queue to be worked off")
        until(lambda: eventd.total(eventd.metrics(), "eventd_outbox_pending") == 0, "everything to be told")
        metrics = eventd.metrics()
        assert eventd.ledger_faults() == []
        informs = len(informer.answered) + informer.given_up
        dropped = eventd.total(metrics, "eventd_kernel_drops_total")
        assert eventd.total(metrics, "eventd_received_total") + dropped == sent + informs
        assert eventd.stop() == 0
    store = await SqliteStore.open(Settings(path=str(path)))
    assert await store.check() == []
    assert (await store.ledger())["journal_rows"] == sent + informs - dropped
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert informer.answered <= {row[0] for row in database.execute("select peer from events")}
    assert "Traceback" not in eventd.log.read_text()


@pytest.mark.timeout(240)
async def test_killed_on_a_full_disk_it_has_everything_that_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "eventd.db"
    with Service(tmp_path, CONSOLE) as eventd:
        informer, stopping = Informer(eventd), threading.Event()
        assert informer.ask(10)

        def inform() -> None:
            while not stopping.is_set():
                informer.ask(0.5)

        thread = threading.Thread(target=inform, daemon=True)
        thread.start()
        with full(eventd, path):
            await asyncio.to_thread(until, lambda: eventd.metrics()[FAILURES], "the disk to be full", 60)
            eventd.kill()
        stopping.set()
        thread.join()
        eventd.start()
        found = eventd.total(eventd.metrics(), "eventd_store_damage_total")
        assert found == eventd.log.read_text().count('"end of the write-ahead log unreadable"')
        assert eventd.metrics()['eventd_store_damage_total{what="unfinished"}'] == found, "half a frame"
        assert len(informer.answered) > 1
        assert informer.ask(10)
        assert eventd.ledger_faults() == []
        assert eventd.stop() == 0
    store = await SqliteStore.open(Settings(path=str(path)))
    assert await store.check() == []
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert informer.answered <= {row[0] for row in database.execute("select peer from events")}
