"""Decided means durable: kill -9 at any moment loses nothing acknowledged and repeats at most one notification."""

import asyncio
import http.server
import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service, until
from storm import start_line, stop_line

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


@pytest.mark.timeout(300)
async def test_kill_9_at_random_moments_loses_nothing_and_repeats_at_most_one(
    tmp_path: Path, hook: http.server.ThreadingHTTPServer
) -> None:
    rng = random.Random(7)
    eventd = Service(tmp_path, WEBHOOK.replace("{hook}", str(hook.server_address[1])))
    seen: list[tuple[str, str]] = hook.RequestHandlerClass.seen
    known: set[str] = set()
    for crash in range(CRASHES):
        eventd.start()
        repeats_before = len(seen) - len({identity for identity, _ in seen})
        stopping = threading.Event()
        storm = threading.Thread(target=_storm, args=(eventd, crash, stopping))
        storm.start()
        await asyncio.sleep(rng.uniform(0.3, 1.5))
        acknowledged = {incident["id"] for incident in eventd.api("incidents?limit=1000")["items"]}
        eventd.kill()
        stopping.set()
        storm.join()
        known |= acknowledged
        assert await _check(tmp_path / "eventd.db") == []
        assert known <= _incident_ids(tmp_path / "eventd.db")
        repeats = len(seen) - len({identity for identity, _ in seen})
        assert repeats - repeats_before <= 1
    eventd.start()
    until(lambda: eventd.total(eventd.metrics(), "eventd_outbox_pending") == 0, "the outbox to drain", 60)
    assert eventd.ledger_faults() == []
    assert eventd.stop() == 0
    delivered = _delivered(tmp_path / "eventd.db")
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


async def _check(path: Path) -> list[str]:
    store = await SqliteStore.open(Settings(path=str(path)))
    try:
        return await store.check()
    finally:
        await store.close()


def _incident_ids(path: Path) -> set[str]:
    with sqlite3.connect(path) as database:
        found = {row[0] for row in database.execute("select id from incidents")}
    database.close()
    return found


def _delivered(path: Path) -> set[str]:
    with sqlite3.connect(path) as database:
        found = {row[0] for row in database.execute("select id from outbox where state = 'delivered'")}
    database.close()
    return found
