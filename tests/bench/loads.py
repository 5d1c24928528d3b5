"""What is sent to the contenders: one row per load."""

from collections.abc import Callable, Iterator

from msgspec import Struct
from storm import IRRELEVANT, start_line, stop_line, stop_trap

#: Distinct peers: as many as a large hub has.
PEERS = 200


class Load(Struct, frozen=True):
    """``messages(first, count)`` are so many from that number on, of which ``relevant(count)`` are about IPsec.
    ``port`` is the name of the port they go to."""

    name: str
    port: str
    messages: Callable[[int, int], Iterator[bytes]]
    relevant: Callable[[int], int] = lambda count: count


def _stops(first: int, count: int) -> Iterator[bytes]:
    made = [stop_line(number).encode() for number in range(PEERS)]
    return (made[number % PEERS] for number in range(first, first + count))


def _changes(first: int, count: int) -> Iterator[bytes]:
    made = [line(number).encode() for line in (stop_line, start_line) for number in range(PEERS)]
    return (made[number % len(made)] for number in range(first, first + count))


def _mostly_irrelevant(first: int, count: int) -> Iterator[bytes]:
    noise, made = IRRELEVANT.encode(), [stop_line(number).encode() for number in range(PEERS)]
    return (noise if number % 10 else made[number // 10 % PEERS] for number in range(first, first + count))


def _traps(first: int, count: int) -> Iterator[bytes]:
    made = [stop_trap(number) for number in range(PEERS)]
    return (made[number % PEERS] for number in range(first, first + count))


#: Counts have to be multiples of ten (`_mostly_irrelevant`).
LOADS = (
    Load("relevant", "syslog_udp", _stops),
    Load("irrelevant", "syslog_udp", _mostly_irrelevant, lambda count: count // 10),
    Load("changes", "syslog_udp", _changes),
    Load("traps", "snmp", _traps),
)
