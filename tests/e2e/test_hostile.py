"""Hostile input over every transport against the running service: it does not stop, fail, lose count or grow.

``EVENTD_HOSTILE=1000000`` is the acceptance run.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
import trustme
from service import Service, until
from storm import send_datagrams

from eventd.parse.framing import StreamFramer, split_datagram

COUNT = int(os.environ.get("EVENTD_HOSTILE", "8000"))
WARM_UP = max(COUNT // 5, 4000)
#: What a run may add to resident memory once caches and tables are warm.
GROWTH_BYTES = 20 * 2**20
#: Messages per connection: connections come and go meanwhile.
PER_CONNECTION = 1000

TLS = """
[receivers.syslog_tls]
listen = "127.0.0.1:{{syslog_tls}}"
cert_file = "{pem}"
key_file = "{pem}"
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def datagrams(port: int, messages: Iterator[bytes], splits: bool) -> int:
    """Send them; how many messages they are to the receiver."""
    expected = 0

    def counted() -> Iterator[bytes]:
        nonlocal expected
        for message in messages:
            expected += len(split_datagram(message)) or 1 if splits else 1
            yield message

    send_datagrams(port, counted())
    return expected


def streams(port: int, messages: Iterator[bytes], context: ssl.SSLContext | None) -> int:
    """Send them over many connections, some of them counted, some not; how many frames a receiver finds in that."""
    expected = 0
    while chunk := [message for _, message in zip(range(PER_CONNECTION), messages, strict=False)]:
        octets = b"".join(
            b"%d %b" % (len(message), message) if number % 3 == 0 else message + b"\n"
            for number, message in enumerate(chunk)
        )
        framer = StreamFramer()
        expected += len(framer.feed(octets)) + len(framer.finish())
        with socket.create_connection(("127.0.0.1", port)) as raw:
            sock = raw if context is None else context.wrap_socket(raw, server_hostname="localhost")
            with sock:
                sock.sendall(octets)
                if context is not None:
                    sock = sock.unwrap()  # type: ignore[attr-defined]
    return expected


def pour(eventd: Service, count: int, seed: int, context: ssl.SSLContext) -> int:
    """A quarter of ``count`` over each transport at once; how many messages that is."""
    lines, traps, share = hostile.lines(), hostile.traps(), count // 4
    found: list[int] = []
    ways = [
        lambda: datagrams(eventd.ports["syslog_udp"], hostile.stream_of(lines, share, seed), splits=True),
        lambda: datagrams(eventd.ports["snmp"], hostile.stream_of(traps, share, seed + 1), splits=False),
        lambda: streams(eventd.ports["syslog_tcp"], hostile.stream_of(lines, share, seed + 2), None),
        lambda: streams(eventd.ports["syslog_tls"], hostile.stream_of(lines, share, seed + 3), context),
    ]
    threads = [threading.Thread(target=lambda way=way: found.append(way())) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(ways), "a sender failed"
    return sum(found)


def settled(eventd: Service, expected: int) -> dict[str, float]:
    def all_there() -> dict[str, float] | None:
        metrics = eventd.metrics()
        received = eventd.total(metrics, "eventd_received_total") + eventd.total(metrics, "eventd_kernel_drops_total")
        return metrics if received >= expected and not eventd.total(metrics, "eventd_queued") else None

    metrics: dict[str, float] = until(all_there, f"{expected} messages", 120)
    assert eventd.total(metrics, "eventd_received_total") == expected
    assert eventd.ledger_faults() == []
    return metrics


@pytest.mark.timeout(3600)
def test_hostile_input_costs_nothing_but_itself(tmp_path: Path, authority: trustme.CA) -> None:
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    extra = TLS.format(pem=tmp_path / "server.pem")
    with Service(tmp_path, extra=extra, snmp_extra=hostile.SNMP) as eventd:
        expected = pour(eventd, WARM_UP, 1, context)
        before = settled(eventd, expected)["process_resident_memory_bytes"]
        began = time.monotonic()
        expected += pour(eventd, COUNT, 1000, context)
        metrics = settled(eventd, expected)
        grown = metrics["process_resident_memory_bytes"] - before
        print(
            f"{expected} messages, {time.monotonic() - began:.0f} s, {before / 2**20:.0f} MiB + {grown / 2**20:.1f} MiB"
        )
        for name in ("parsed", "rejected", "events", "kernel_drops", "internal_errors"):
            print(name, eventd.total(metrics, f"eventd_{name}_total"))
        assert eventd.total(metrics, "eventd_internal_errors_total") == 0
        assert metrics['eventd_rejected_total{reason="handler_error",transport="syslog-udp"}'] == 0
        assert grown < GROWTH_BYTES
        assert eventd.stop() == 0
    assert "Traceback" not in eventd.log.read_text()
