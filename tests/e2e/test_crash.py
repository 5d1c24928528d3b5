"""Decided means durable: kill -9 at any moment loses nothing acknowledged and repeats at most one notification."""

import asyncio
import contextlib
import http.server
import json
import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service, until
from storm import peer, start_line, stop_inform, stop_line

from eventd.store.sqlite import Settings, SqliteStore

#: EVENTD_CRASHES=20 is the full run; the default keeps the suite short.
CRASHES = int(os.environ.get("EVENTD_CRASHES", "4"))

WEBHOOK = """
[[channels]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{hook}/"
"""


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps the notification ids in the order in which they came."""

    seen: list[tuple[str, str]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((self.headers["X-Eventd-Notification-Id"], body["status"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("SeenHook", (Hook,), {"seen": []}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service(tmp_path: Path, hook: http.server.ThreadingHTTPServer) -> Iterator[Service]:
    eventd = Service(tmp_path, WEBHOOK.replace("{hook}", str(hook.server_address[1])))
    yield eventd
    eventd.stop()


@pytest.mark.timeout(600)
async def test_kill_9_at_random_moments_loses_nothing_and_repeats_at_most_one(
    tmp_path: Path, hook: http.server.ThreadingHTTPServer, service: Service
) -> None:
    rng = random.Random(7)
    eventd = service
    seen: list[tuple[str, str]] = hook.RequestHandlerClass.seen
    known: set[str] = set()
    for crash in range(CRASHES):
        eventd.start()
        repeats_before = len(seen) - len({identity for identity, _ in seen})
        stopping = threading.Event()
        informed: set[str] = set()
        storm = threading.Thread(target=_storm, args=(eventd, crash, stopping), daemon=True)
        informs = threading.Thread(
            target=_informs, args=(eventd, 40_000 + crash * 500, stopping, informed), daemon=True
        )
        storm.start()
        informs.start()
        await asyncio.sleep(rng.uniform(0.3, 1.5))
        acknowledged = {incident["id"] for incident in eventd.api("incidents?limit=1000")["items"]}
        eventd.kill()
        stopping.set()
        storm.join()
        informs.join()
        known |= acknowledged
        assert await _check(tmp_path / "eventd.db") == []
        assert known <= _rows(tmp_path / "eventd.db", "select id from incidents")
        assert informed <= _rows(tmp_path / "eventd.db", "select peer from events")
        repeats = len(seen) - len({identity for identity, _ in seen})
        assert repeats - repeats_before <= 1
    eventd.start()
    until(lambda: eventd.total(eventd.metrics(), "eventd_outbox_pending") == 0, "the outbox to drain", 240)
    assert eventd.ledger_faults() == []
    assert eventd.stop() == 0
    delivered = _rows(tmp_path / "eventd.db", "select id from outbox where state = 'delivered'")
    ids = [identity for identity, _ in seen]
    assert set(ids) == delivered
    assert len(ids) - len(set(ids)) <= CRASHES
    assert "Traceback" not in eventd.log.read_text()


def _storm(eventd: Service, crash: int, stopping: threading.Event) -> None:
    number = crash * 1000
    while not stopping.is_set():
        eventd.send_udp(*(stop_line(n) for n in range(number, number + 5)))
        time.sleep(0.02)
        if number % 10 == 0:
            eventd.send_udp(*(start_line(n) for n in range(number - 5, number)))
        number += 5


def _informs(eventd: Service, number: int, stopping: threading.Event, informed: set[str]) -> None:
    """Informs one after the other; those that were answered may never be lost."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", eventd.ports["snmp"]))
        sock.settimeout(0.2)
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                sock.send(stop_inform(number))
                sock.recv(4096)
                informed.add(peer(number))
            number += 1
            time.sleep(0.02)


async def _check(path: Path) -> list[str]:
    store = await SqliteStore.open(Settings(path=str(path)))
    try:
        return await store.check()
    finally:
        await store.close()


def _rows(path: Path, question: str) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute(question)}
