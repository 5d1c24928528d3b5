"""One source at full speed costs only its own messages: twenty others lose nothing meanwhile, to the message."""

import contextlib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import flood
import pytest
from flood import FLOODER, LONG_S, OTHERS, RATE, SECONDS, journal, settled
from service import Service, until
from storm import start_line, stop_line


@contextlib.contextmanager
def flooding(port: int, payload: bytes) -> Iterator[subprocess.Popen[str]]:
    """A process that sends to ``port`` as fast as it can."""
    arguments = [sys.executable, flood.__file__, str(port), FLOODER, "600", payload.hex()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def others(port: int, seconds: float) -> Counter[str]:
    """Twenty sources at a steady rate, each with another event every time; how many each sent."""
    sent = Counter[str]()
    with contextlib.ExitStack() as stack:
        socks = {}
        for source in OTHERS:
            socks[source] = sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((source, 0))
        began = time.monotonic()
        for turn in range(round(seconds * RATE)):
            for number, (source, sock) in enumerate(socks.items()):
                line = (stop_line, start_line)[turn % 2](number * 100 + turn // 2 % 50, device=f"FW{number}")
                sock.sendto(line.encode(), ("127.0.0.1", port))
                sent[source] += 1
            time.sleep(max(0.0, began + (turn + 1) / RATE - time.monotonic()))
    return sent


def limited(metrics: dict[str, float]) -> float:
    return metrics.get('eventd_rejected_total{reason="rate_limited",transport="syslog-udp"}', 0)


def received(eventd: Service, metrics: dict[str, float]) -> float:
    return eventd.total(metrics, "eventd_received_total")


@pytest.mark.timeout(420)
@pytest.mark.parametrize("what", ["an event", "an irrelevant line", "garbage"])
def test_a_flood_of_datagrams_costs_only_its_sender(tmp_path: Path, what: str) -> None:
    payload = {"an event": stop_line(1).encode(), "an irrelevant line": b"<190>nothing", "garbage": b"\xff" * 40}[what]
    with Service(tmp_path) as eventd:
        port = eventd.ports["syslog_udp"]
        with flooding(port, payload) as process:
            until(lambda: limited(eventd.metrics()), "the flood to be limited", LONG_S)
            sent = others(port, SECONDS)
            until(lambda: limited(m := eventd.metrics()) > received(eventd, m) / 10, "a tenth of it to be cut", LONG_S)
            process.terminate()
            assert process.stdout is not None
            flooded = int(process.stdout.read())
        metrics = settled(eventd)
        drops = eventd.total(metrics, "eventd_kernel_drops_total")
        until(lambda: all(journal(eventd)[source] == sent[source] for source in OTHERS), "every event", LONG_S)
        assert received(eventd, metrics) + drops == flooded + sent.total()
    assert "Traceback" not in eventd.log.read_text()
