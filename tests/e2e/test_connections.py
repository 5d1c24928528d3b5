"""Silent and slow connections keep nobody out, and a flood over TCP waits instead of taking the place of others."""

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from flood import FLOODER, LONG_S, OTHERS, RATE, SECONDS, journal, settled
from service import Service, until
from storm import start_line, stop_line

IDLE, SLOW = 500, 50
TLS = """
[receivers.syslog_tls]
listen = "127.0.0.1:{{syslog_tls}}"
cert_file = "{pem}"
key_file = "{pem}"
"""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    authority, pem = trustme.CA(), tmp_path_factory.mktemp("tls") / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return pem, context


def connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


@contextlib.contextmanager
def crowd(port: int, sources: list[str]) -> Iterator[None]:
    """500 connections that say nothing, and 50 that send a byte of something now and then and never end it."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connect(port, sources[number % len(sources)])) for number in range(IDLE + SLOW)]
        over = threading.Event()

        def dribble() -> None:
            while not over.wait(0.2):
                for sock in opened[IDLE:]:
                    with contextlib.suppress(OSError):  # closed by now
                        sock.send(b"\x16")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("attackers", [1, 50], ids=["of one address", "of fifty addresses"])
@pytest.mark.parametrize("way", ["syslog_tcp", "syslog_tls"])
def test_silent_and_slow_connections_keep_nobody_out(
    tmp_path: Path, tls: tuple[Path, ssl.SSLContext], way: str, attackers: int
) -> None:
    pem, context = tls

    def sender(source: str) -> socket.socket:
        sock = connect(eventd.ports[way], source)
        return context.wrap_socket(sock, server_hostname="localhost") if way == "syslog_tls" else sock

    with Service(tmp_path, extra=TLS.format(pem=pem)) as eventd, sender("127.0.1.1") as early:
        early.sendall(b"%b\n" % stop_line(1).encode())
        eventd.events(1)
        with crowd(eventd.ports[way], [f"127.0.2.{number}" for number in range(1, attackers + 1)]):
            for number in range(2, 12):
                with sender(f"127.0.1.{number}") as late:
                    late.sendall(b"%b\n" % stop_line(number).encode())
            early.sendall(b"%b\n" % start_line(1).encode())
            eventd.events(12)
            assert eventd.get("/-/ready")[0] == 200
            open_now = eventd.metrics()[f'eventd_connections{{transport="{way.replace("_", "-")}"}}']
            assert open_now <= (1000 if way == "syslog_tcp" else 256)
    assert "Traceback" not in eventd.log.read_text()


@contextlib.contextmanager
def streaming(port: int, line: bytes) -> Iterator[list[int]]:
    """One source that sends as fast as it is let, over two connections; what it sent at the end."""
    over, sent = threading.Event(), list[int]()
    chunk = line * 100

    def stream() -> None:
        with connect(port, FLOODER) as sock:
            sock.settimeout(60)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # or megabytes wait to be read at the end
            count = 0
            while not over.is_set():
                sock.sendall(chunk)
                count += 100
        sent.append(count)

    threads = [threading.Thread(target=stream) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        over.set()
        for thread in threads:
            thread.join()


def trickle(udp: int, tcp: int, seconds: float) -> Counter[str]:
    """Ten sources by UDP and ten by TCP, each with another event every time; how many each sent."""
    sent = Counter[str]()
    with contextlib.ExitStack() as stack:
        socks = []
        for number, source in enumerate(OTHERS):
            if number % 2:
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.bind((source, 0))
                sock.connect(("127.0.0.1", udp))
            else:
                sock = stack.enter_context(connect(tcp, source))
            socks.append((source, sock))
        began = time.monotonic()
        for turn in range(round(seconds * RATE)):
            for number, (source, sock) in enumerate(socks):
                line = (stop_line, start_line)[turn % 2](number * 100 + turn // 2 % 50, device=f"FW{number}")
                sock.sendall(line.encode() + b"\n")
                sent[source] += 1
            time.sleep(max(0.0, began + (turn + 1) / RATE - time.monotonic()))
    return sent


@pytest.mark.timeout(300)
def test_a_flood_over_tcp_waits_and_nobody_loses_anything(tmp_path: Path) -> None:
    with Service(tmp_path) as eventd:
        with streaming(eventd.ports["syslog_tcp"], stop_line(1).encode() + b"\n") as flooded:
            time.sleep(0.3)
            sent = trickle(eventd.ports["syslog_udp"], eventd.ports["syslog_tcp"], SECONDS)
        until(lambda: all(journal(eventd)[source] == sent[source] for source in OTHERS), "every event", LONG_S)
        metrics = settled(eventd)
        assert eventd.total(metrics, "eventd_received_total") == sum(flooded) + sent.total()
        assert eventd.total(metrics, "eventd_kernel_drops_total") == 0
        assert eventd.total(metrics, "eventd_rejected_total") == 0
        assert sum(flooded) > sent.total(), "that was no flood"
    assert "Traceback" not in eventd.log.read_text()
