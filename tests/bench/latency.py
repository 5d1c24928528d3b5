"""How long a message takes to the commit and to a webhook, seen from outside, at a share of what eventd can bear."""

import json
import tempfile
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Self

from contenders.eventd import Eventd
from loads import Load
from results import Latency, Spread
from trial import warm_up, way

#: Sent before anything is measured, so that caches and the receive buffer are what they are in service.
WARM_UP_S = 1.0
#: Messages a second that open an incident at once and are told without a hold.
PROBES_PER_S = 20
#: Between two looks at the database: a commit is seen so much too late at most, and looking costs eventd nothing.
LOOK_S = 0.001
#: Longest wait for what was sent.
PATIENCE_S = 20.0
JUDGED, COMMIT = "eventd_pipeline_latency_seconds", "eventd_store_commit_seconds"

CHANNEL = """
[[channels]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{hook}/"
"""


def probe(number: int) -> bytes:
    """A certificate has expired, on a device of its own."""
    return (
        f"<188>Nov 21 2026 04:00:00 PROBE{number} PKI/4/LOCAL_EXPIRED:The local certificate has expired. "
        f"(Issuer=CN=Example CA, Subject=CN=PROBE{number})"
    ).encode()


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as there are channels; one too many would be tried again after a second."""

    request_queue_size = 128


class Hook:
    """A far end that takes every alert. ``arrived``: when each device was told of (`time.perf_counter`), in order."""

    def __init__(self) -> None:
        self.arrived = arrived = defaultdict[str, list[float]](list)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                at = time.perf_counter()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                arrived[body["alerts"][0]["labels"]["device"]].append(at)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Watch:
    """Sends evenly and looks at the journal meanwhile. ``sent`` and ``probed``: when each message went."""

    def __init__(self, eventd: Eventd) -> None:
        self.eventd = eventd
        self.sent: list[float] = []
        self.probed: list[float] = []
        self._before = eventd.done()
        self._seen_at: list[float] = []
        self._seen: list[int] = []

    def send(self, first: int, rate: float, seconds: float, *, probing: bool = False) -> None:
        """Messages from that number on, and probes between them; what is due is sent, then the journal looked at."""
        count = round(rate * seconds / 10) * 10
        messages = iter(list(self.eventd.load.messages(first, count)))
        syslog = self.eventd.service.ports["syslog_udp"]
        with way(self.eventd.port, self.eventd.load) as send, socket(AF_INET, SOCK_DGRAM) as probes:
            probes.connect(("127.0.0.1", syslog))
            started, before = time.perf_counter(), len(self.sent)
            while (behind := before + count - len(self.sent)) > 0:
                due = round((time.perf_counter() - started) * rate) + before - len(self.sent)
                for message in islice(messages, min(due, behind)):
                    self.sent.append(time.perf_counter())
                    send(message)
                if probing and (time.perf_counter() - started) * PROBES_PER_S > len(self.probed):
                    self.probed.append(time.perf_counter())
                    probes.send(probe(len(self.probed) - 1))
                self.look()
                time.sleep(LOOK_S)

    def look(self) -> int:
        """Note how far the journal has come."""
        done = self.eventd.done()
        if not self._seen or done > self._seen[-1]:
            self._seen.append(done)
            self._seen_at.append(time.perf_counter())
        return done - self._before

    def wait(self) -> int:
        """Until everything is committed, or no more comes; how much is missing."""
        rows = self.eventd.load.relevant(len(self.sent)) + len(self.probed)
        deadline = time.perf_counter() + PATIENCE_S
        while (done := self.look()) < rows and time.perf_counter() < deadline:
            time.sleep(LOOK_S)
        return rows - done

    def committed(self, after: int = 0) -> list[float]:
        """Seconds from the sending of each message to its commit, where all came; without the first ``after``: the
        load comes by one socket and so in order, with rows of probes between."""
        query = "SELECT seq FROM events WHERE seq > ? AND event != 'ipsec.security' ORDER BY seq"
        rows = [row for (row,) in self.eventd.journal.execute(query, (self._before,))]
        # every ``step``-th message leaves a row, the first of them the first
        step = len(self.sent) // self.eventd.load.relevant(len(self.sent))
        return [
            self._seen_at[bisect_left(self._seen, row)] - self.sent[number * step]
            for number, row in enumerate(rows)
            if number * step >= after
        ]


def measure(load: Load, share: float, capacity: float, seconds: float, folder: Path) -> Latency:
    """One eventd of its own at that share of ``capacity`` (messages/s)."""
    rate = share * capacity
    with tempfile.TemporaryDirectory(dir=folder) as own, Hook() as hook:
        eventd = Eventd(Path(own), load, CHANNEL.format(hook=hook.port))
        known = warm_up(eventd)
        watch = Watch(eventd)
        watch.send(known, rate, WARM_UP_S)
        warm = len(watch.sent)
        watch.wait()
        before = eventd.service.metrics()
        watch.send(known + warm, rate, seconds, probing=True)
        lost = watch.wait()
        deadline = time.perf_counter() + PATIENCE_S
        while len(_told(hook, watch)) < len(watch.probed) and time.perf_counter() < deadline:
            time.sleep(0.01)
        after = eventd.service.metrics()
        committed = [] if lost else watch.committed(warm)
        told = tuple(round(seconds * 1e3, 1) for seconds in _told(hook, watch))
        eventd.stop()
        return Latency(
            load.name,
            share,
            rate,
            lost,
            quantiles(before, after, JUDGED),
            quantiles(before, after, COMMIT),
            Spread.of(committed) if committed else None,
            told,
        )


def _told(hook: Hook, watch: Watch) -> list[float]:
    times = (hook.arrived.get(f"PROBE{number}") for number in range(len(watch.probed)))
    return [at[0] - sent for at, sent in zip(times, watch.probed, strict=True) if at]


def quantiles(before: Mapping[str, float], after: Mapping[str, float], name: str) -> Spread | None:
    """Of a Prometheus histogram between two scrapes, within its buckets by a straight line; the largest is a bound."""
    prefix = f'{name}_bucket{{le="'
    buckets = [
        (float(key.removeprefix(prefix).removesuffix('"}')), count - before.get(key, 0.0))
        for key, count in after.items()
        if key.startswith(prefix)
    ]
    buckets.sort()
    if not buckets or not buckets[-1][1]:
        return None
    p50, p99, p999 = (_quantile(buckets, share) * 1e3 for share in (0.5, 0.99, 0.999))
    return Spread(p50, p99, p999, _largest(buckets) * 1e3, round(buckets[-1][1]))


def _quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def _largest(buckets: Sequence[tuple[float, float]]) -> float:
    return next(bound for bound, count in buckets if count == buckets[-1][1])
