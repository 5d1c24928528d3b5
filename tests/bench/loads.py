"""What is sent to the contenders: one row per load."""

import time
from collections.abc import Callable, Iterator

from msgspec import Struct
from snmp_strategies import Device, user
from storm import IRRELEVANT, start_line, stop_line, stop_trap

#: Peers and devices of a very large installation.
FLEET_PEERS, FLEET_DEVICES = 20_000, 500
#: The one SNMPv3 user and engine.
USER, ENGINE = user(), bytes.fromhex("800007db0300e0fc000001")
#: Distinct peers: as many as a large hub has.
PEERS = 200
#: Indexes of tunnels that no other load has.
FRESH_FROM = 100_000


class Load(Struct, frozen=True):
    """``messages(first, count)`` are so many from that number on, of which ``relevant(count)`` are about IPsec.
    ``port`` is the name of the port they go to, ``warm`` how many eventd gets before anything is measured: until then
    it knows less of the peers than later, and a message costs less."""

    name: str
    port: str
    messages: Callable[[int, int], Iterator[bytes]]
    relevant: Callable[[int], int] = lambda count: count
    stream: bool = False
    tls: bool = False
    warm: int = 6_000


DEVICE = Device(USER, ENGINE, booted_at=time.time() - 5000)
#: First octet of a v2 trap PDU (RFC 3416 section 3), which is the last part of a v2c message.
TRAP_TAG = 0xA7


def _stops(first: int, count: int) -> Iterator[bytes]:
    made = [stop_line(number).encode() for number in range(PEERS)]
    return (made[number % PEERS] for number in range(first, first + count))


def _fresh(first: int, count: int) -> Iterator[bytes]:
    """Every line another SA's, so that nothing that was read before helps."""
    return (
        stop_line(number % PEERS).replace(f"TunnelIndex={number % PEERS},", f"TunnelIndex={number},").encode()
        for number in range(first, first + count)
    )


def _changes(first: int, count: int) -> Iterator[bytes]:
    made = [line(number).encode() for line in (stop_line, start_line) for number in range(PEERS)]
    return (made[number % len(made)] for number in range(first, first + count))


def _mostly_irrelevant(first: int, count: int) -> Iterator[bytes]:
    noise, made = IRRELEVANT.encode(), [stop_line(number).encode() for number in range(PEERS)]
    return (noise if number % 10 else made[number // 10 % PEERS] for number in range(first, first + count))


def _traps(first: int, count: int) -> Iterator[bytes]:
    made = [stop_trap(number) for number in range(PEERS)]
    return (made[number % PEERS] for number in range(first, first + count))


def _fresh_traps(first: int, count: int) -> Iterator[bytes]:
    """Every trap another tunnel's, as where tunnels are negotiated anew all the time, or all of them fall."""
    return (stop_trap(number % PEERS, index=FRESH_FROM + number) for number in range(first, first + count))


def _fleet(first: int, count: int) -> Iterator[bytes]:
    for number in range(first, first + count):
        at = number % FLEET_PEERS
        line = stop_line if number // FLEET_PEERS % 2 else start_line
        yield line(at, device=f"FW{at % FLEET_DEVICES}").encode()


def _v3_traps(first: int, count: int) -> Iterator[bytes]:
    """Each is another message of now, because copies and old ones are refused."""
    now = time.time()
    for number in range(first + 1, first + count + 1):
        trap = stop_trap(number % PEERS)
        yield DEVICE.message(trap[trap.index(TRAP_TAG) :], now=now, msg_id=number)


#: Counts have to be multiples of ten (`_mostly_irrelevant`).
LOADS = (
    Load("relevant", "syslog_udp", _stops),
    Load("fresh", "syslog_udp", _fresh),
    Load("irrelevant", "syslog_udp", _mostly_irrelevant, lambda count: count // 10),
    Load("changes", "syslog_udp", _changes),
    Load("fleet", "syslog_udp", _fleet, warm=FLEET_PEERS),
    Load("tcp", "syslog_tcp", _changes, stream=True),
    Load("tls", "syslog_tls", _changes, stream=True, tls=True),
    Load("traps", "snmp", _traps),
    Load("fresh traps", "snmp", _fresh_traps),
    Load("v3 traps", "snmp", _v3_traps),
)
