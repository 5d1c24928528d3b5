"""Decided means durable: kill -9 at any moment loses nothing acknowledged and repeats at most one message a channel."""

import asyncio
import contextlib
import http.server
import json
import os
import random
import socket
import sqlite3
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from service import Service, until
from storm import peer, start_line, stop_inform, stop_line

from eventd.store.sqlite import Settings, SqliteStore

#: EVENTD_CRASHES=300 is the full run; the default keeps the suite short.
CRASHES = int(os.environ.get("EVENTD_CRASHES", "4"))
#: How often a bad server refuses to take a message.
FAILS = 0.4
#: The longest time between taking a message and saying so.
SLOW_S = 0.15
#: Firewalls of each storm: each loses few peers at a time, so that some are told one by one and others as a group.
DEVICES = 6
#: Peers that each storm may take.
PEERS = 129
#: What a chat is told in a minute: so little that a long run is told in digests; a short one shall end soon.
PER_MINUTE = 4 if CRASHES >= 20 else 60
#: The longest wait after a handful of failures in a row is a minute or two; and each life leaves some peers behind that
#: are told one by one.
DRAIN_S = 300.0 + 2 * CRASHES

CHANNELS = """
[[channels]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{hook}/"

[[channels]]
name = "flaky"
type = "webhook"
url = "http://127.0.0.1:{flaky}/"

[[channels]]
name = "chat"
type = "mattermost"
url = "http://127.0.0.1:{chat}/hooks/secret"
max_per_minute = {per_minute}

[[channels]]
name = "pager"
type = "mattermost"
url = "http://127.0.0.1:{pager}/hooks/secret"
max_per_minute = {per_minute}

[[routes]]
channels = ["pager"]
after = "2s"
continue = true

[[routes]]
channels = ["hook", "flaky", "chat"]
"""


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps the ids of the messages that it took, in the order in which they came, and may be bad at taking them."""

    server: "Receiver"

    def do_POST(self) -> None:
        with self.server.counting():
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.server.bad and self.server.rng.random() < FAILS:
                self._refuse(self.server.rng.choice(("500", "429", "429", "close", "reset")))
                return
            assert json.loads(body)
            self.server.seen.append(self.headers["X-Eventd-Notification-Id"])
            time.sleep(self.server.rng.uniform(0, SLOW_S))  # taken, and nobody knows yet: here it hurts to be killed
            self._answer(200)

    def _refuse(self, how: str) -> None:
        match how:
            case "500":
                self._answer(500)
            case "429":
                self._answer(429, {"Retry-After": self.server.rng.choice("01")})
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):  # who asked may be dead by now
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None: ...


class Receiver(http.server.ThreadingHTTPServer):
    """One far end. A bad one also does not listen at all for a while now and then."""

    def __init__(self, name: str, bad: bool, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Hook)
        self.name, self.bad = name, bad
        self.seen: list[str] = []
        self.rng = random.Random(name)
        self._busy, self._lock = 0, threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def handle_error(self, *_: object) -> None:
        """A client that was killed in the middle of its request."""

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def idle(self) -> bool:
        return self._busy == 0

    def repeats(self) -> int:
        return len(self.seen) - len(set(self.seen))

    def deaf(self, seconds: float) -> None:
        """Refuse connections for so long."""
        address = self.server_address
        self.shutdown()
        self._thread.join()
        self.socket.close()
        time.sleep(seconds)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen(64)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    found = {name: Receiver(name, bad=name in ("flaky", "chat")) for name in ("hook", "flaky", "chat", "pager")}
    yield found
    for receiver in found.values():
        receiver.end()


@pytest.fixture
def service(tmp_path: Path, receivers: dict[str, Receiver]) -> Iterator[Service]:
    ports = {name: receiver.server_address[1] for name, receiver in receivers.items()}
    eventd = Service(tmp_path, CHANNELS.format(**ports, per_minute=PER_MINUTE))
    yield eventd
    eventd.stop()


@pytest.mark.timeout(600 + 20 * CRASHES)
async def test_kill_9_at_random_moments_loses_nothing_and_repeats_at_most_one(
    tmp_path: Path, receivers: dict[str, Receiver], service: Service
) -> None:
    rng, eventd, path = random.Random(7), service, tmp_path / "eventd.db"
    known: set[str] = set()
    held: Counter[str] = Counter()
    for crash in range(CRASHES):
        eventd.start()
        acknowledged, informed = await _stormy_life(eventd, crash, rng, receivers)
        until(lambda: all(receiver.idle() for receiver in receivers.values()), "requests to end")
        known |= acknowledged
        assert await _check(path) == []
        assert known <= _rows(path, "select id from incidents")
        assert informed <= _rows(path, "select peer from events")
        held.update(_rows(path, "select id from in_flight"))
        held.update(_rows(path, "select digest from outbox where state = 'pending' and digest is not null"))
        for name, receiver in receivers.items():
            assert receiver.repeats() <= crash, "at most one for each crash before: a repeat may come later than that"
            again = Counter(receiver.seen) - Counter(set(receiver.seen))
            assert again <= held, (name, "only what somebody held when he was killed, and once for each time")
    for receiver in receivers.values():
        receiver.bad = False
    eventd.start()
    until(lambda: eventd.total(eventd.metrics(), "eventd_outbox_pending") == 0, "the outbox to drain", DRAIN_S, 2)
    assert eventd.ledger_faults() == []
    assert eventd.stop() == 0
    assert await _check(path) == []
    for name, receiver in receivers.items():
        _everything_was_told(path, name, receiver.seen)
        assert receiver.repeats() <= CRASHES
    told = [_rows(path, f"select incident from outbox where channel = '{name}'") for name in receivers]
    assert told[0] == told[1] == told[2] == told[3]
    assert "Traceback" not in eventd.log.read_text()
    print(_figures(path, receivers))


async def _stormy_life(
    eventd: Service, crash: int, rng: random.Random, receivers: dict[str, Receiver]
) -> tuple[set[str], set[str]]:
    """A second or so that ends by ``kill -9``: the incidents that were seen, and the peers whose informs were
    answered."""
    stopping, informed = threading.Event(), set[str]()
    threads = [
        threading.Thread(target=_storm, args=(eventd, crash, stopping), daemon=True),
        threading.Thread(target=_informs, args=(eventd, _first_inform(crash), stopping, informed), daemon=True),
    ]
    for thread in threads:
        thread.start()
    life = rng.uniform(0.1, 1.5)
    if deaf := [receiver for receiver in receivers.values() if receiver.bad and rng.random() < FAILS]:
        await asyncio.to_thread(rng.choice(deaf).deaf, life / 2)
        life /= 2
    await asyncio.sleep(life)
    acknowledged = {incident["id"] for incident in eventd.api("incidents?limit=1000")["items"]}
    await asyncio.sleep(rng.uniform(0, 0.2))
    eventd.kill()
    stopping.set()
    for thread in threads:
        thread.join()
    return acknowledged, informed


def _storm(eventd: Service, crash: int, stopping: threading.Event) -> None:
    """Peers of several firewalls go down; two of three come back after the hold, the others in the next life."""
    lost = range(crash * PEERS, crash * PEERS + PEERS)
    before = range(lost.start - PEERS, lost.start) if crash else ()
    informed = range(_first_inform(crash - 1), _first_inform(crash)) if crash else ()
    eventd.send_udp(*(start_line(n, device="127.0.0.1") for n in informed))
    eventd.send_udp(*(start_line(n, device=f"FW{crash - 1}-{n % DEVICES}") for n in before))
    for number in lost[::3]:
        if stopping.is_set():
            return
        back = [n for n in range(number - 30, number - 27) if n % 3 and n in lost]
        lines = [stop_line(n, device=f"FW{crash}-{n % DEVICES}") for n in range(number, number + 3)]
        eventd.send_udp(*lines, *(start_line(n, device=f"FW{crash}-{n % DEVICES}") for n in back))
        time.sleep(0.05)


def _first_inform(crash: int) -> int:
    """The number of the first peer whose loss informs tell of in that life."""
    return 40_000 + crash * 80


def _informs(eventd: Service, number: int, stopping: threading.Event, informed: set[str]) -> None:
    """Informs one after the other; those that were answered may never be lost."""
    asked: dict[bytes, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", eventd.ports["snmp"]))
        sock.settimeout(0.2)
        while not stopping.is_set():
            asked[b"\x02\x03" + number.to_bytes(3, "big", signed=True)] = number
            with contextlib.suppress(OSError):
                sock.send(stop_inform(number))
                answer = sock.recv(4096)  # it may be that of an earlier one, which was slow
                informed |= {peer(of) for request_id, of in asked.items() if request_id in answer[:40]}
            number += 1
            time.sleep(0.02)


def _everything_was_told(path: Path, channel: str, seen: Sequence[str]) -> None:
    """What was accepted is what the outbox says was delivered, and of each incident in order."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "select incident, state, coalesce(digest, id) from outbox where channel = ? order by seq", (channel,)
        ).fetchall()
    assert {state for _, state, _ in rows} <= {"delivered", "superseded"}, channel
    delivered = [(incident, message) for incident, state, message in rows if state == "delivered"]
    assert set(seen) == {message for _, message in delivered}, channel
    first = {message: place for place, message in reversed(list(enumerate(seen)))}
    latest: dict[str, int] = {}
    for incident, message in delivered:
        assert latest.get(incident, -1) <= first[message], (channel, incident)
        latest[incident] = first[message]


def _figures(path: Path, receivers: dict[str, Receiver]) -> str:
    with contextlib.closing(sqlite3.connect(path)) as database:
        kinds = database.execute("select kind, count(*) from incidents group by kind").fetchall()
        states = database.execute(
            "select channel, state, count(*), count(distinct digest), sum(attempts > 1) from outbox group by 1, 2"
        ).fetchall()
        events = database.execute("select count(*) from events").fetchall()
    repeats = {name: (len(receiver.seen), receiver.repeats()) for name, receiver in receivers.items()}
    return f"\n{CRASHES} crashes; events {events}; incidents {kinds}; outbox {states}; taken, repeats {repeats}"


async def _check(path: Path) -> list[str]:
    store = await SqliteStore.open(Settings(path=str(path)))
    try:
        return await store.check()
    finally:
        await store.close()


def _rows(path: Path, question: str) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute(question)}
