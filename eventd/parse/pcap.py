"""UDP datagrams out of a packet capture, read piece by piece so that the size of the file does not matter.

Formats: libpcap (both byte orders, micro- and nanoseconds; draft-ietf-opsawg-pcap) and pcapng
(draft-ietf-opsawg-pcapng: section, interface, enhanced and simple packet blocks). Link layers: Ethernet with any
number of VLAN tags, Linux cooked v1 and v2, raw IP, BSD loopback. What holds no whole UDP datagram is counted by
reason, never dropped in silence.
"""

import ipaddress
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from eventd.errors import ParseError, RejectReason


class Skip(StrEnum):
    """Why a packet gave no datagram."""

    TCP = "TCP segment"
    FRAGMENT = "IP fragment"
    CUT = "packet cut short by the capture"
    DAMAGED = "damaged header"
    NO_UDP = "neither UDP nor TCP"
    NO_IP = "no IP packet"
    LINK = "unknown link layer"
    END = "file ends inside a packet"


class Datagram(Struct, frozen=True):
    """One UDP datagram; ``at`` is Unix seconds, rounded to microseconds."""

    at: float
    source: str
    source_port: int
    target: str
    target_port: int
    payload: bytes


class _Frame(Struct, frozen=True):
    at: float
    link: int
    data: bytes


class _Interface(Struct, frozen=True):
    link: int
    ticks: int = 1_000_000
    offset_s: int = 0


class _SkippedError(Exception):
    def __init__(self, reason: Skip) -> None:
        super().__init__(reason)
        self.reason = reason


#: First four octets of libpcap files → byte order, ticks per second.
_CLASSIC = {
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
}
_NG = b"\x0a\x0d\x0d\x0a"
_NG_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_INTERFACE, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 3, 6
_END_OF_OPTIONS, _IF_TSRESOL, _IF_TSOFFSET = 0, 9, 14
#: What a capture file begins with.
MAGICS = frozenset((*_CLASSIC, _NG))

#: libpcap's own MAXIMUM_SNAPLEN: a longer packet means that the file is damaged.
MAX_PACKET = 262_144
#: A pcapng block is a packet with options, or a table of names or secrets; more than this is damage.
MAX_BLOCK = 16 * 1024 * 1024
#: Seconds up to the year 9999, where `datetime` ends; a later time stamp is damage.
MAX_TIME = 253_402_300_799
#: IPv6 extension headers before one UDP header; RFC 8504 section 5.3 lets a host refuse more than eight.
MAX_EXTENSIONS = 8


class Capture:
    """The datagrams of a capture, in file order. ``read(n)`` returns n octets, fewer only at the end of the file.

    ``skipped`` counts, while iterating, the packets that gave none.

    Raises (while iterating):
        ParseError: ``bad_frame`` with the offset in the file, where it is no capture or damaged.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._file = _File(read)
        self.skipped: Counter[Skip] = Counter()

    def __iter__(self) -> Iterator[Datagram]:
        magic = self._file.peek(4)
        if magic not in MAGICS:
            raise self._file.bad("neither pcap nor pcapng")
        frames = _ng_frames(self._file) if magic == _NG else _classic_frames(self._file)
        while True:
            try:
                if (frame := next(frames, None)) is None:
                    return
                yield _datagram(frame)
            except _SkippedError as skipped:
                self.skipped[skipped.reason] += 1


class _File:
    """Reads exact amounts and knows where it is."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._ahead, self.offset = read, b"", 0

    def peek(self, size: int) -> bytes:
        self._ahead = self._read(size)
        return self._ahead

    def take(self, size: int) -> bytes:
        """``size`` octets, none at the clean end of the file."""
        data = self._ahead + self._read(size - len(self._ahead))
        self._ahead = b""
        self.offset += len(data)
        if 0 < len(data) < size:
            raise _SkippedError(Skip.END)
        return data

    def need(self, size: int) -> bytes:
        """``size`` octets, where the end of the file means that a packet is lost."""
        data = self.take(size)
        if len(data) < size:
            raise _SkippedError(Skip.END)
        return data

    def bad(self, detail: str) -> ParseError:
        return ParseError(RejectReason.BAD_FRAME, self.offset, detail)


# --- files into frames: generators end, and so does the capture, where the file ends inside a packet ---------------


def _classic_frames(file: _File) -> Iterator[_Frame]:
    order, ticks = _CLASSIC[file.need(4)]
    # The upper half of the link type holds FCS flags.
    link = struct.unpack(order + "I", file.need(20)[16:])[0] & 0xFFFF
    record = struct.Struct(order + "IIII")
    while head := file.take(record.size):
        seconds, fraction, length, _ = record.unpack(head)
        if length > MAX_PACKET:
            raise file.bad(f"packet of {length} octets")
        yield _Frame(round(seconds + fraction / ticks, 6), link, file.need(length))


def _ng_frames(file: _File) -> Iterator[_Frame]:
    order = "<"
    interfaces: list[_Interface] = []
    while head := file.take(8):
        magic = b""
        if head[:4] == _NG:  # a new section has its own byte order and interfaces
            magic = file.need(4)
            if magic not in _NG_ORDERS:
                raise file.bad("section without byte-order magic")
            order, interfaces = _NG_ORDERS[magic], []
        kind, size = struct.unpack(order + "II", head)
        if size < 12 + len(magic) or size > MAX_BLOCK or size % 4:
            raise file.bad(f"block of {size} octets")
        body = file.need(size - 8 - len(magic))[:-4]
        if kind == _INTERFACE and len(body) >= 8:
            interfaces.append(_ng_interface(order, body))
        elif frame := _ng_packet(order, kind, body, interfaces):
            yield frame


def _ng_interface(order: str, body: bytes) -> _Interface:
    """Link type, and from the options the clock's resolution and offset."""
    ticks, offset_s, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == _END_OF_OPTIONS:
            break
        if code == _IF_TSRESOL and length == 1:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _IF_TSOFFSET and len(value) == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        at += 4 + -(-length // 4) * 4
    return _Interface(struct.unpack_from(order + "H", body)[0], ticks, offset_s)


def _ng_packet(order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> _Frame | None:
    """The frame of a packet block, None for any other kind of block. A simple packet has no time: the epoch."""
    if kind == _ENHANCED_PACKET and len(body) >= 20:
        number, high, low, length, _ = struct.unpack_from(order + "IIIII", body)
        if number >= len(interfaces):
            return _Frame(0.0, -1, b"")
        interface = interfaces[number]
        at = round(interface.offset_s + (high << 32 | low) / interface.ticks, 6)
        return _Frame(at, interface.link, body[20 : 20 + length])
    if kind == _SIMPLE_PACKET and len(body) >= 4 and interfaces:
        (original,) = struct.unpack_from(order + "I", body)
        return _Frame(0.0, interfaces[0].link, body[4 : 4 + original])
    return None


# --- frames into datagrams -----------------------------------------------------------------------------------------


def _datagram(frame: _Frame) -> Datagram:
    strip = _LINKS.get(frame.link)
    if strip is None:
        raise _SkippedError(Skip.LINK)
    try:
        packet = strip(frame.data)
        source, target, segment = _IP.get(packet[0] >> 4, _no_ip)(packet)
        source_port, target_port, length = struct.unpack_from("!HHH", segment)
    except (struct.error, IndexError):
        raise _SkippedError(Skip.CUT) from None
    if length < 8 or not 0 <= frame.at <= MAX_TIME:
        raise _SkippedError(Skip.DAMAGED)
    if length > len(segment):
        raise _SkippedError(Skip.CUT)
    return Datagram(frame.at, source, source_port, target, target_port, segment[8:length])


_IP_ETHERTYPES = (0x0800, 0x86DD)
_VLAN_ETHERTYPES = (0x8100, 0x88A8, 0x9100)


def _after_ethertype(data: bytes, at: int) -> bytes:
    """The IP packet behind the EtherType at ``at``, VLAN tags skipped."""
    (kind,) = struct.unpack_from("!H", data, at)
    while kind in _VLAN_ETHERTYPES:
        at += 4
        (kind,) = struct.unpack_from("!H", data, at)
    if kind not in _IP_ETHERTYPES:
        raise _SkippedError(Skip.NO_IP)
    return data[at + 2 :]


def _cooked2(data: bytes) -> bytes:
    """LINKTYPE_LINUX_SLL2: the EtherType comes first, then 18 octets."""
    return _after_ethertype(data[:2] + data[20:], 0)


#: tcpdump.org/linktypes.html: number → function that strips the link layer
_LINKS: dict[int, Callable[[bytes], bytes]] = {
    0: lambda data: data[4:],  # NULL: address family in the host's order; the IP version says the same
    1: lambda data: _after_ethertype(data, 12),  # ETHERNET
    12: lambda data: data,  # RAW on most systems
    14: lambda data: data,  # RAW on OpenBSD
    101: lambda data: data,  # RAW
    108: lambda data: data[4:],  # LOOP
    113: lambda data: _after_ethertype(data, 14),  # LINUX_SLL
    228: lambda data: data,  # IPV4
    229: lambda data: data,  # IPV6
    276: _cooked2,  # LINUX_SLL2
}

_TCP, _UDP = 6, 17
_FRAGMENT, _AUTHENTICATION = 44, 51
#: hop-by-hop, routing, destination options, mobility: all with a length in units of eight octets, the first not counted
_EXTENSIONS = (0, 43, 60, 135)


def _udp_only(protocol: int) -> None:
    if protocol != _UDP:
        raise _SkippedError(Skip.TCP if protocol == _TCP else Skip.NO_UDP)


def _ipv4(packet: bytes) -> tuple[str, str, bytes]:
    """RFC 791 section 3.1."""
    size = (packet[0] & 0x0F) * 4
    if size < 20:
        raise _SkippedError(Skip.DAMAGED)
    total, _, fragment, _, protocol = struct.unpack_from("!HHHBB", packet, 2)
    if fragment & 0x3FFF:  # more fragments, or an offset
        raise _SkippedError(Skip.FRAGMENT)
    _udp_only(protocol)
    source, target = struct.unpack_from("!4s4s", packet, 12)
    # Segmentation offload leaves 0 as total length.
    return _text(source), _text(target), packet[size : total or None]


def _ipv6(packet: bytes) -> tuple[str, str, bytes]:
    """RFC 8200 sections 3 and 4."""
    payload, following, _, source, target = struct.unpack_from("!HBB16s16s", packet, 4)
    at = 40
    for _ in range(MAX_EXTENSIONS):
        if following in _EXTENSIONS:
            following, size = packet[at], (packet[at + 1] + 1) * 8
        elif following == _AUTHENTICATION:
            following, size = packet[at], (packet[at + 1] + 2) * 4
        elif following == _FRAGMENT:
            (fragment,) = struct.unpack_from("!H", packet, at + 2)
            if fragment & 0xFFF9:
                raise _SkippedError(Skip.FRAGMENT)
            following, size = packet[at], 8
        else:
            break
        at += size
    _udp_only(following)
    return _text(source), _text(target), packet[at : 40 + payload if payload else None]


def _no_ip(_: bytes) -> tuple[str, str, bytes]:
    raise _SkippedError(Skip.NO_IP)


_IP = {4: _ipv4, 6: _ipv6}


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
