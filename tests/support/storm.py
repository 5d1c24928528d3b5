"""Traffic for storm tests and the benchmark: many different real messages, sent no faster than the kernel can hold."""

import itertools
import random
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from snmp_strategies import BASE, UPTIME, bind, bindings, name, v2c

from eventd.model import Syntax

#: Bytes waiting in the receiver's socket above which a sender rests: half of the buffer that needs no privilege.
HIGH_WATER_BYTES = 100_000

REASONS = ("dpd timeout", "phase2 sa replace", "peer request", "exchange timeout", "config modify or manual offline")
FAILURES = (("authentication fail", 15), ("phase1 proposal mismatch", 1), ("malformed message", 30))
IRRELEVANT = (
    "<190>Oct  5 2018 10:52:19 USG6300 %%01POLICY/6/POLICYPERMIT(l):vsys=public, protocol=17, source-ip=1.1.1.1, "
    "source-port=2426, destination-ip=2.2.2.2, destination-port=2234, time=2018/10/5 09:52:19, source-zone=dmz"
)


def peer(number: int) -> str:
    """The address of one of 65,000 peers."""
    return f"10.{number >> 8 & 255}.{number & 255}.1"


def flow(number: int) -> str:
    """The protected flow of that peer."""
    return f"10.1.1.0/255.255.255.0 10.2.{number & 255}.0/255.255.255.0"


def stop_line(number: int, reason: str = "dpd timeout", device: str = "FW1") -> str:
    """A tunnel stop of one peer, as VRP5 sends it."""
    return (
        f"<188>Nov 21 2026 04:00:00 {device} IPSEC/4/IPSECTUNNELSTOP:OID {BASE}.6.2 The IPSec tunnel is deleted. "
        f"(Ifindex=12, SeqNum=10,TunnelIndex={number}, RuleNum=5, DstIP={peer(number)}, InsideIP=0.0.0.0, "
        f"RemotePort=500, CpuID=0, SrcIP=198.51.100.1, FlowInfo={flow(number)}, "
        f"OfflineReason={reason}, VsysName=public, InterfaceName=GigabitEthernet0/0/1, SlotID=0)"
    )


def start_line(number: int, device: str = "FW1") -> str:
    """The tunnel of `stop_line` again."""
    return (
        f"<188>Nov 21 2026 04:00:00 {device} IPSEC/4/IPSECTUNNELSTART:OID {BASE}.6.1 "
        "The IPSec tunnel is established. "
        f"(Ifindex=12, SeqNum=10,TunnelIndex={number}, RuleNum=5, DstIP={peer(number)}, InsideIP=0.0.0.0, "
        f"RemotePort=500, CpuID=0, SrcIP=198.51.100.1, FlowInfo={flow(number)}, "
        "LifeSize=1843200, LifeTime=3600, VsysName=public, InterfaceName=GigabitEthernet0/0/1, SlotID=0, "
        "Role=initiator)"
    )


def fail_line(number: int, text: str, code: int, device: str = "FW1") -> str:
    """A failed negotiation, as USG V500 sends it."""
    return (
        f"<188>Nov 21 2026 04:00:00 {device} IPSEC/4/IPSECNEGOFAIL:{BASE}.6.14 IPSec tunnel negotiation fails. "
        f'(Ifindex=12, SeqNum=10, Reason="{text}", ReasonCode={code}, PeerAddress={peer(number)}, PeerPort=500)'
    )


def stop_trap(number: int, reason: str = "dpd timeout", index: int | None = None) -> bytes:
    """A tunnel stop of one peer as v2c trap with 14 varbinds and two more in front."""
    index = number if index is None else index
    row = f"12.10.{index}"
    columns = ((1, 12), (2, 10), (3, index), (4, 5), (7, 500), (8, 0), (29, 0))
    texts = ((5, peer(number)), (6, "0.0.0.0"), (21, "198.51.100.1"), (30, flow(number)))
    scalars = ((12, reason), (13, "Public"), (14, "GigabitEthernet0/0/1"))
    listed = [bind(f"{BASE}.2.1.{column}.{row}", Syntax.GAUGE32, value) for column, value in columns]
    listed += [bind(f"{BASE}.2.1.{column}.{row}", Syntax.OCTET_STRING, text.encode()) for column, text in texts]
    listed += [bind(f"{BASE}.5.{scalar}.0", Syntax.OCTET_STRING, text.encode()) for scalar, text in scalars]
    return v2c(bindings(UPTIME, name(), *listed), request_id=number)


def stop_inform(number: int, reason: str = "dpd timeout") -> bytes:
    """The same as `stop_trap`, as an inform: the sender waits for the answer."""
    inform = bytearray(stop_trap(number, reason))
    inform[inform.index(0xA7)] = 0xA6
    return bytes(inform)


def mixture(count: int, garbage: float = 0.0, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """``count`` pairs of way (``udp``, ``tcp``, ``snmp``) and message, about half of them irrelevant to IPsec."""
    rng = random.Random(seed)
    for number in range(count):
        if rng.random() < garbage:
            way = rng.choice(("udp", "tcp", "snmp"))
            junk = rng.randbytes(rng.randint(1, 200))
            yield way, junk.replace(b"\n", b"").replace(b"\0", b"").replace(b"\r", b"") or b"x"
            continue
        subject = rng.randrange(2000)
        text = (
            lambda n=subject: stop_line(n, rng.choice(REASONS)),
            lambda n=subject: start_line(n),
            lambda n=subject: fail_line(n, *rng.choice(FAILURES)),
            lambda: IRRELEVANT,
            lambda: IRRELEVANT,
        )
        pick = rng.randrange(6)
        if pick == 5:
            yield "snmp", stop_trap(subject, rng.choice(REASONS))
        else:
            yield ("tcp" if number % 3 == 0 else "udp"), text[pick]().encode()


def waiting_bytes(port: int) -> int:
    """Bytes that wait in the receive queues of the UDP sockets bound to ``port``."""
    return sum(int(fields[4].split(":")[1], 16) for fields in _udp_sockets(port))


def datagrams_dropped(port: int) -> int:
    """Datagrams that the kernel dropped on the UDP sockets bound to ``port``."""
    return sum(int(fields[12]) for fields in _udp_sockets(port))


def _udp_sockets(port: int) -> Iterator[list[str]]:
    """Their rows in proc(5), /proc/net/udp."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        if Path(table).exists():
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].rsplit(":", 1)[1] == wanted:
                    yield fields


def send_datagrams(port: int, messages: Iterable[bytes], burst: int = 64, source: str = "127.0.0.1") -> int:
    """Send over UDP in bursts, resting while the receiver's socket holds enough; how many were sent."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
        iterator = iter(messages)
        while chunk := list(itertools.islice(iterator, burst)):
            while waiting_bytes(port) > HIGH_WATER_BYTES:
                time.sleep(0.0005)
            for message in chunk:
                sock.send(message)
            sent += len(chunk)
    return sent


def send_stream(port: int, messages: Iterable[bytes]) -> int:
    """Send over one TCP connection, a line each; how many were sent."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("wb") as file:
        for message in messages:
            file.write(message + b"\n")
            sent += 1
    return sent
