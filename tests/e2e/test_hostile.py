"""Hostile input over every transport against the running service: it does not stop, fail, lose count or grow.

``EVENTD_HOSTILE=1000000`` is the acceptance run.
"""

import contextlib
import os
import re
import socket
import sqlite3
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile_wire as hostile
import pytest
import trustme
from service import Service, until
from storm import send_datagrams

from eventd.parse.framing import StreamFramer, split_datagram

COUNT = int(os.environ.get("EVENTD_HOSTILE", "4000"))
WARM_UP = max(COUNT // 5, 4000)
#: What a run may add to resident memory once caches are warm, the devices and peers included that damage made up.
GROWTH_BYTES = 20 * 2**20
#: Memory is looked at after each.
PARTS = 5
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


def alone(messages: Iterator[bytes]) -> Iterator[bytes]:
    """One message per datagram: what is refused for its source is counted unread, whatever it holds."""
    for message in messages:
        yield message if len(split_datagram(message)) == 1 else message.replace(b"\n", b" ").replace(b"\0", b" ")


def streams(port: int, messages: Iterator[bytes], context: ssl.SSLContext | None, source: str) -> int:
    """Send them over many connections, some of them counted, some not; how many frames a receiver finds in that."""
    expected = 0
    while chunk := [message for _, message in zip(range(PER_CONNECTION), messages, strict=False)]:
        octets = b"".join(
            b"%d %b" % (len(message), message) if number % 3 == 0 else message + b"\n"
            for number, message in enumerate(chunk)
        )
        framer = StreamFramer()
        expected += len(framer.feed(octets)) + len(framer.finish())
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as raw:
            sock = raw if context is None else context.wrap_socket(raw, server_hostname="localhost")
            with sock:
                sock.sendall(octets)
                # Wait until all was read: the kernel gives up a connection that was closed by its sender and whose
                # window stays shut for some three minutes, and a busy machine makes this one wait for longer.
                if isinstance(sock, ssl.SSLSocket):
                    sock.unwrap()
                else:
                    sock.shutdown(socket.SHUT_WR)
                    assert sock.recv(1) == b""
    return expected


def pour(eventd: Service, count: int, seed: int, context: ssl.SSLContext) -> Counter[str]:
    """A quarter of ``count`` over each transport at once, each from another address; how many messages that is."""
    lines, traps, share = hostile.lines(), hostile.traps(), count // 4
    messages = [hostile.stream_of(seeds, share, seed + n) for n, seeds in enumerate((lines, traps, lines, lines))]
    udp, snmp, tcp, tls = (eventd.ports[name] for name in ("syslog_udp", "snmp", "syslog_tcp", "syslog_tls"))
    ways: dict[str, Callable[[], int]] = {
        "syslog-udp": lambda: send_datagrams(udp, alone(messages[0]), source="127.0.0.11"),
        "snmp": lambda: send_datagrams(snmp, messages[1], source="127.0.0.12"),
        "syslog-tcp": lambda: streams(tcp, messages[2], None, "127.0.0.13"),
        "syslog-tls": lambda: streams(tls, messages[3], context, "127.0.0.14"),
    }
    sent = Counter[str]()
    threads = [threading.Thread(target=lambda way=way: sent.update({way: ways[way]()})) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent.keys() == ways.keys(), "a sender failed"
    return sent


def received(metrics: dict[str, float]) -> Counter[str]:
    """Messages received, by the ways of `pour`."""
    found = Counter[str]()
    for name, value in metrics.items():
        if way := re.fullmatch(r'eventd_received_total{transport="(syslog-\w+|snmp)[\w-]*"}', name):
            found[way[1]] += int(value)
    return found


def states(eventd: Service) -> int:
    """Devices and peers that are judged."""
    with contextlib.closing(sqlite3.connect(eventd.folder / "eventd.db")) as db:
        return int(db.execute("SELECT count(*) FROM states").fetchone()[0])


def settled(eventd: Service, sent: Counter[str]) -> dict[str, float]:
    def all_there() -> dict[str, float] | None:
        try:
            metrics = eventd.metrics()
        except OSError:  # a machine that is busy otherwise: the backlog goes first
            return None
        there = received(metrics).total() + eventd.total(metrics, "eventd_kernel_drops_total") >= sent.total()
        return metrics if there and not eventd.total(metrics, "eventd_queued") else None

    with contextlib.suppress(AssertionError):
        until(all_there, f"{sent} messages", 600, every_s=1.0)
    metrics = eventd.metrics()
    assert received(metrics) == sent
    until(lambda: not eventd.ledger_faults(), "the ledger to balance")
    return metrics


@pytest.mark.timeout(max(600, COUNT // 50))
def test_hostile_input_costs_nothing_but_itself(tmp_path: Path, authority: trustme.CA) -> None:
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    extra = TLS.format(pem=tmp_path / "server.pem")
    with Service(tmp_path, extra=extra, snmp_extra=hostile.SNMP) as eventd:
        sent = pour(eventd, WARM_UP, 1, context)
        before, known = settled(eventd, sent)["process_resident_memory_bytes"], states(eventd)
        began, grown = time.monotonic(), 0.0
        for part in range(PARTS):
            sent += pour(eventd, COUNT // PARTS, 1000 * (part + 1), context)
            metrics = settled(eventd, sent)
            grown = metrics["process_resident_memory_bytes"] - before
            took = time.monotonic() - began
            print(f"{sent} {took:.0f} s, {before / 2**20:.1f} MiB and {grown / 2**20:.1f} MiB more", flush=True)
        for name in ("parsed", "rejected", "events", "kernel_drops", "internal_errors"):
            print(name, eventd.total(metrics, f"eventd_{name}_total"))
        assert eventd.total(metrics, "eventd_internal_errors_total") == 0
        assert metrics['eventd_rejected_total{reason="handler_error",transport="syslog-udp"}'] == 0
        print("devices and peers", known, states(eventd))
        assert grown < GROWTH_BYTES
        assert eventd.stop() == 0
    assert "Traceback" not in eventd.log.read_text()
