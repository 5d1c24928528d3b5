"""Real captures: what real senders sent over the loopback, captured by the reference implementation of the format."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peers import peer
from storm import stop_line, stop_trap

pytestmark = pytest.mark.peer


@contextmanager
def capturing(file: Path, interface: str, ports: list[int]) -> Iterator[None]:
    """tcpdump on these ports; at the end everything sent is in the file."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to capture")
    expression = " or ".join(f"port {port}" for port in ports)
    command = [
        peer("tcpdump"),
        "-i",
        interface,
        "-U",
        "--immediate-mode",
        "-B",
        "16384",
        "-Z",
        "root",
        "-w",
        str(file),
        expression,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = b""
        while b"listening" not in said:
            ready, _, _ = select.select([process.stderr], [], [], 10)
            if not ready or not (read := os.read(process.stderr.fileno(), 4096)):
                process.kill()
                pytest.skip(f"tcpdump cannot capture here: {said.decode()}")
            said += read
        yield
        process.terminate()
        process.wait(10)


def bound(family: socket.AddressFamily, kind: socket.SocketKind, host: str) -> socket.socket:
    sock = socket.socket(family, kind)
    sock.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def until_captured(file: Path, word: bytes, port: int) -> None:
    """Send a word until it is in the file: the capture begins and is written a moment after tcpdump says so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(100):
            sock.sendto(b"<13>" + word, ("127.0.0.1", port))
            time.sleep(0.05)
            if file.exists() and word in file.read_bytes():
                return
    pytest.fail("nothing was captured")


@pytest.mark.parametrize("interface", ["lo", "any"])
def test_all_that_a_capture_holds_of_both_transports_is_decoded(interface: str, tmp_path: Path) -> None:
    file = tmp_path / "lo.pcap"
    families = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    sinks = [
        bound(family, kind, host)
        for family, host in families
        for kind in (socket.SOCK_DGRAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)
    ]
    ports = [sink.getsockname()[1] for sink in sinks]
    with capturing(file, interface, ports):
        until_captured(file, b"begin", ports[0])
        for (family, host), (syslog, trap, stream) in zip(families, (ports[:3], ports[3:]), strict=True):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(stop_line(1).encode(), (host, syslog))
                sock.sendto(stop_trap(2), (host, trap))
            to = ["--tcp", "--server", host, "--port", str(stream), "--rfc3164", "--octet-count"]
            subprocess.run([peer("logger"), *to, "from logger"], check=True, timeout=10)
            with socket.create_connection((host, stream)) as sock:
                last = stop_line(4).encode()
                for piece in (stop_line(3).encode() + b"\n", last[:100], last[100:]):
                    sock.sendall(piece)
                    time.sleep(0.02)
        until_captured(file, b"end", ports[0])
    for sink in sinks:
        sink.close()
    command = [sys.executable, "-m", "eventd", "decode", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    told = sorted((one["transport"], one["source"], one["peer"]) for one in found if one["event"])
    assert told == sorted(
        (transport, host, f"10.0.{number}.1")
        for _, host in families
        for transport, number in (("syslog-udp", 1), ("snmp-v2c", 2), ("syslog-tcp", 3), ("syslog-tcp", 4))
    )
    assert sum("from logger" in one["raw"] and one["transport"] == "syslog-tcp" for one in found) == 2
    assert done.stderr == ""
