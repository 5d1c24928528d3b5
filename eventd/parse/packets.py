"""Frames of a capture into UDP datagrams and TCP segments.

Link layers: Ethernet with any number of VLAN tags, Linux cooked v1 and v2, raw IP, BSD loopback.
"""

import ipaddress
import struct
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct


class Skip(StrEnum):
    """Why a packet gave no datagram."""

    TLS = "encrypted TCP segment"
    STRANGE = "TCP segment of no syslog"
    GAP = "hole in a TCP stream"
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


class Segment(Datagram, frozen=True):
    """One TCP segment (RFC 9293 section 3.1); ``flags`` as on the wire."""

    sequence: int
    flags: int


class Frame(Struct, frozen=True):
    """One packet as a capture file has it; ``link`` is its link-layer type."""

    at: float
    link: int
    data: bytes


class SkippedError(Exception):
    """A packet gave nothing, and why."""

    def __init__(self, reason: Skip) -> None:
        super().__init__(reason)
        self.reason = reason


#: Seconds up to the year 9999, where `datetime` ends; a later time stamp is damage.
MAX_TIME = 253_402_300_799
#: IPv6 extension headers before one UDP or TCP header; RFC 8504 section 5.3 lets a host refuse more than eight.
MAX_EXTENSIONS = 8

_TCP, _UDP = 6, 17
_UDP_HEADER = struct.Struct("!HHH2x")  # ports, length
_TCP_HEADER = struct.Struct("!HHI4xBB6x")  # ports, sequence number, offset of the data, flags


def unpack(frame: Frame) -> Datagram | Segment:
    """What a frame holds. Raises `SkippedError`."""
    strip = _LINKS.get(frame.link)
    if strip is None:
        raise SkippedError(Skip.LINK)
    try:
        packet = strip(frame.data)
        source, target, protocol, content = _IP.get(packet[0] >> 4, _no_ip)(packet)
        if protocol not in (_UDP, _TCP):
            raise SkippedError(Skip.NO_UDP)
        if not 0 <= frame.at <= MAX_TIME:
            raise SkippedError(Skip.DAMAGED)
        return (_udp if protocol == _UDP else _tcp)(frame.at, source, target, content)
    except (struct.error, IndexError):
        raise SkippedError(Skip.CUT) from None


def _udp(at: float, source: str, target: str, content: bytes) -> Datagram:
    """RFC 768."""
    source_port, target_port, length = _UDP_HEADER.unpack_from(content)
    if length < _UDP_HEADER.size:
        raise SkippedError(Skip.DAMAGED)
    if length > len(content):
        raise SkippedError(Skip.CUT)
    return Datagram(at, source, source_port, target, target_port, content[_UDP_HEADER.size : length])


def _tcp(at: float, source: str, target: str, content: bytes) -> Segment:
    """RFC 9293 section 3.1."""
    source_port, target_port, sequence, offset, flags = _TCP_HEADER.unpack_from(content)
    start = (offset >> 4) * 4
    if start < _TCP_HEADER.size:
        raise SkippedError(Skip.DAMAGED)
    if start > len(content):
        raise SkippedError(Skip.CUT)
    return Segment(at, source, source_port, target, target_port, content[start:], sequence, flags)


_IP_ETHERTYPES = (0x0800, 0x86DD)
_VLAN_ETHERTYPES = (0x8100, 0x88A8, 0x9100)


def _after_ethertype(data: bytes, at: int) -> bytes:
    """The IP packet behind the EtherType at ``at``, VLAN tags skipped."""
    (kind,) = struct.unpack_from("!H", data, at)
    while kind in _VLAN_ETHERTYPES:
        at += 4
        (kind,) = struct.unpack_from("!H", data, at)
    if kind not in _IP_ETHERTYPES:
        raise SkippedError(Skip.NO_IP)
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

_FRAGMENT, _AUTHENTICATION = 44, 51
#: hop-by-hop, routing, destination options, mobility: all with a length in units of eight octets, the first not counted
_EXTENSIONS = (0, 43, 60, 135)


def _ipv4(packet: bytes) -> tuple[str, str, int, bytes]:
    """RFC 791 section 3.1."""
    size = (packet[0] & 0x0F) * 4
    if size < 20:
        raise SkippedError(Skip.DAMAGED)
    total, _, fragment, _, protocol = struct.unpack_from("!HHHBB", packet, 2)
    if fragment & 0x3FFF:  # more fragments, or an offset
        raise SkippedError(Skip.FRAGMENT)
    source, target = struct.unpack_from("!4s4s", packet, 12)
    # Segmentation offload leaves 0 as total length.
    if total > len(packet):
        raise SkippedError(Skip.CUT)
    return _text(source), _text(target), protocol, packet[size : total or None]


def _ipv6(packet: bytes) -> tuple[str, str, int, bytes]:
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
                raise SkippedError(Skip.FRAGMENT)
            following, size = packet[at], 8
        else:
            break
        at += size
    if 40 + payload > len(packet):
        raise SkippedError(Skip.CUT)
    return _text(source), _text(target), following, packet[at : 40 + payload if payload else None]


def _no_ip(_: bytes) -> tuple[str, str, int, bytes]:
    raise SkippedError(Skip.NO_IP)


_IP = {4: _ipv4, 6: _ipv6}


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
