"""A real eventd process for end-to-end tests: free loopback ports, its own store, its log and its metrics."""

import json
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import nursery

#: Longest wait for something that a working service does within a second, on a machine that is busy with other tests.
PATIENCE_S = 30.0

#: Places and ports of its own, everything else as it is by default.
PLAIN = """
[receivers.syslog_udp]
listen = "127.0.0.1:{syslog_udp}"
[receivers.syslog_tcp]
listen = "127.0.0.1:{syslog_tcp}"
[receivers.snmp]
listen = "127.0.0.1:{snmp}"
{snmp_extra}
[store]
path = "{store}"
[web]
listen = "127.0.0.1:{web}"
[log]
format = "json"
"""
#: Short timers, so that tests need not wait.
BASE = f"""{PLAIN}[correlate]
outage_hold = "500ms"
rekey_hold = "1s"
recovery_hold = "300ms"
twin_window = "1s"
"""


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S, every_s: float = 0.05) -> Any:
    """Wait until ``condition``, asked every so often, returns something true, and return it."""
    deadline = time.monotonic() + patience_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:g} s for {what}")
        time.sleep(every_s)


def free_port() -> int:
    """A TCP and UDP port that nobody uses, below the range from which the kernel takes ports for outgoing
    connections: one of those could otherwise take it between this call and its use."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Service:
    """One eventd process on ``folder``; start and stop it as often as a test likes."""

    def __init__(
        self, folder: Path, extra: str = "", snmp_extra: str = "", base: str = BASE, arguments: tuple[str, ...] = ()
    ) -> None:
        self.folder, self.arguments = folder, arguments
        self.ports = {name: free_port() for name in ("syslog_udp", "syslog_tcp", "syslog_tls", "snmp", "web")}
        self.config = folder / "eventd.toml"
        text = base.format(**self.ports, store=folder / "eventd.db", snmp_extra=snmp_extra)
        self.config.write_text(text + extra.format(**self.ports) if extra else text)
        self.log, self.out = folder / "eventd.log", folder / "eventd.out"
        self.process: nursery.Child | subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it is ready."""
        command = ["run", "-c", str(self.config), *self.arguments]
        with self.log.open("ab") as log, self.out.open("ab") as out:
            self.process = nursery.spawn(command, out, log, self.folder)
        until(self._ready_or_dead, "eventd to be ready")

    def _ready_or_dead(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"eventd ended with {self.process.returncode}:\n{self.log.read_text()}"
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def stop(self) -> int | None:
        """Ordered stop; the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process = None
        return code

    def kill(self) -> None:
        """What a power cut looks like to the process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process = None

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body of one GET."""
        return self.request("GET", path, headers)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body of one request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['web']}{path}", method=method, headers=dict(headers or {})
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def api(self, path: str) -> Any:
        """One API answer as Python values."""
        status, body = self.get("/api/v1/" + path)
        assert status == 200, (status, body)
        return json.loads(body)

    def events(self, least: int) -> list[Any]:
        """The journal, newest first, once it holds at least so many: it is written a moment after the counting."""
        return list(until(lambda: (rows := self.api("events")["items"]) and len(rows) >= least and rows, "the journal"))

    def metrics(self) -> dict[str, float]:
        """All samples of one scrape, keyed as printed: ``name{label="value"}``."""
        status, body = self.get("/metrics")
        assert status == 200
        samples = (line.rsplit(" ", 1) for line in body.split("\n") if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def total(self, metrics: Mapping[str, float], name: str) -> float:
        """Sum of all label sets of a metric."""
        return sum(value for key, value in metrics.items() if re.split(r"[{ ]", key)[0] == name)

    def ledger_faults(self) -> list[str]:
        """What does not balance in one scrape; empty when the promise of the ledger holds."""
        metrics = self.metrics()
        total = {
            name: self.total(metrics, f"eventd_{name}")
            for name in (
                "received_total",
                "parsed_total",
                "rejected_total",
                "queued",
                "events_total",
                "unrecognised_total",
                "correlated_total",
                "duplicates_total",
                "pending",
                "notifications_enqueued_total",
                "notifications_total",
                "outbox_pending",
            )
        }
        equations = {
            "received = parsed + rejected + queued": total["received_total"]
            - total["parsed_total"]
            - total["rejected_total"]
            - total["queued"],
            "parsed = events + unrecognised": total["parsed_total"]
            - total["events_total"]
            - total["unrecognised_total"],
            "events = correlated + duplicates + pending": total["events_total"]
            - total["correlated_total"]
            - total["duplicates_total"]
            - total["pending"],
            "enqueued = left + pending": total["notifications_enqueued_total"]
            - total["notifications_total"]
            - total["outbox_pending"],
        }
        return [f"{text} is off by {off:g}" for text, off in equations.items() if off]

    def send_udp(self, *lines: str) -> None:
        """Syslog lines as datagrams."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for line in lines:
                sock.sendto(line.encode(), ("127.0.0.1", self.ports["syslog_udp"]))

    def eventd(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Another eventd command, as a person would type it."""
        done = nursery.run(arguments)
        if check:
            done.check_returncode()
        return done
