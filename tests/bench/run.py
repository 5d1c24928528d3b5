"""Messages per second and CPU per message, in one run: decoding alone, end to end, and plain pysnmp's receiver on the
same traps.

    python tests/bench/run.py [--messages N]

End to end is a real eventd process on loopback, from the socket to the commit, with the store on the same disk as
this checkout. The sender rests while the receiver's socket holds enough, so that nothing is dropped and the rate is
what the receiver sustains. Absolute times mean nothing on a shared machine: compare the rows of one run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from service import Service, free_port, until  # noqa: E402  the support folder is not a package
from storm import IRRELEVANT, send_datagrams, send_stream, start_line, stop_line, stop_trap  # noqa: E402

from eventd import registry  # noqa: E402
from eventd.decode import Decoder  # noqa: E402
from eventd.inventory import Inventory  # noqa: E402
from eventd.model import Event, Message  # noqa: E402
from eventd.parse.snmp import Access  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
#: Distinct peers: as many as a large hub has.
PEERS = 200


def syslog(count: int) -> Iterator[bytes]:
    """Stops and starts in turn: every message changes something."""
    for number in range(count):
        line = stop_line if number // PEERS % 2 == 0 else start_line
        yield line(number % PEERS).encode()


def mostly_irrelevant(count: int) -> Iterator[bytes]:
    """Nine of ten lines are not about IPsec, as on a firewall that logs its policies."""
    noise = IRRELEVANT.encode()
    for number in range(count):
        yield noise if number % 10 else stop_line(number // 10 % PEERS).encode()


def traps(count: int) -> Iterator[bytes]:
    """v2c tunnel stops."""
    made = [stop_trap(number) for number in range(PEERS)]
    for number in range(count):
        yield made[number % PEERS]


def cold_traps(count: int) -> Iterator[bytes]:
    """v2c tunnel stops whose row index was never seen before, as after every renegotiation."""
    for number in range(count):
        yield stop_trap(number % PEERS, index=100_000 + number)


def decode_only(transport: str, payloads: list[bytes]) -> tuple[float, float]:
    """(messages/s, CPU µs per message) of parse + handler, in this process."""
    decoder = Decoder(registry.load(), Inventory(), Access(["public"]))
    messages = [Message(transport, "192.0.2.1", 514, 1_790_000_000.0 + n, p) for n, p in enumerate(payloads)]
    for message in messages[:1000]:
        assert isinstance(decoder.decode(message), Event)
    wall, cpu = time.perf_counter(), time.process_time()
    for message in messages:
        decoder.decode(message)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return len(messages) / wall, cpu / len(messages) * 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def end_to_end(send: Callable[[Service], int]) -> tuple[float, float]:
    """(messages/s, CPU µs per message) of a whole eventd, socket to commit."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder, Service(Path(folder)) as eventd:
        assert eventd.process is not None
        before, started = cpu_seconds(eventd.process.pid), time.perf_counter()
        sent = send(eventd)
        # asking costs the service a few milliseconds each time, so it is asked rarely
        until(lambda: _done(eventd, sent), "all messages to be judged", 120, every_s=0.25)
        wall = time.perf_counter() - started
        used = cpu_seconds(eventd.process.pid) - before
        faults = eventd.ledger_faults()
        assert not faults, faults
        return sent / wall, used / sent * 1e6


def _done(eventd: Service, sent: int) -> bool:
    metrics = eventd.metrics()
    received = eventd.total(metrics, "eventd_received_total")
    return received == sent and eventd.total(metrics, "eventd_queued") == 0


def plain_pysnmp(count: int) -> tuple[float, float]:
    """(messages/s, CPU µs per message) of pysnmp's own notification receiver, which only counts."""
    port = free_port()
    receiver = subprocess.Popen(
        [sys.executable, str(HERE / "pysnmp_receiver.py"), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert receiver.stdout is not None
    assert receiver.stdout.readline() == "ready\n"
    before, started = cpu_seconds(receiver.pid), time.perf_counter()
    send_datagrams(port, traps(count), burst=8)
    # It has to be idle before its counters are read; it prints its count when it was told to end.
    idle = cpu_seconds(receiver.pid)
    while True:
        time.sleep(0.2)
        now = cpu_seconds(receiver.pid)
        if now == idle:
            break
        idle = now
    wall, used = time.perf_counter() - started - 0.2, idle - before
    receiver.terminate()
    counted = int(receiver.stdout.readline())
    receiver.wait()
    assert counted == count, f"pysnmp counted {counted} of {count}"
    return count / wall, used / count * 1e6


def main() -> None:
    """Run every row and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=40_000, help="messages per row (pysnmp: a tenth)")
    count = parser.parse_args().messages
    rows: dict[str, Callable[[], tuple[float, float]]] = {
        "decode   syslog, every line IPsec": lambda: decode_only("syslog-udp", list(syslog(count))),
        "decode   syslog, 90 % irrelevant": lambda: decode_only("syslog-udp", list(mostly_irrelevant(count))),
        "decode   v2c trap": lambda: decode_only("snmp-v2c", list(traps(count))),
        "decode   v2c trap, new tunnel each time": lambda: decode_only("snmp-v2c", list(cold_traps(count))),
        "to disk  syslog UDP, every line IPsec": lambda: end_to_end(
            lambda e: send_datagrams(e.ports["syslog_udp"], syslog(count))
        ),
        "to disk  syslog UDP, 90 % irrelevant": lambda: end_to_end(
            lambda e: send_datagrams(e.ports["syslog_udp"], mostly_irrelevant(count))
        ),
        "to disk  syslog TCP, every line IPsec": lambda: end_to_end(
            lambda e: send_stream(e.ports["syslog_tcp"], syslog(count))
        ),
        "to disk  v2c trap": lambda: end_to_end(lambda e: send_datagrams(e.ports["snmp"], traps(count))),
        "counted  v2c trap, plain pysnmp": lambda: plain_pysnmp(count // 10),
    }
    print(f"{'':40}{'messages/s':>12}{'CPU µs/message':>16}")
    for label, measure in rows.items():
        rate, cost = measure()
        print(f"{label:40}{rate:12,.0f}{cost:16.1f}", flush=True)


if __name__ == "__main__":
    main()
