"""Packet captures, read piece by piece so that the size of the file does not matter.

Formats: libpcap (both byte orders, micro- and nanoseconds; draft-ietf-opsawg-pcap) and pcapng
(draft-ietf-opsawg-pcapng: section, interface, enhanced and simple packet blocks). What is in the packets is for
`eventd.parse.packets`; those that hold no whole datagram or segment are counted by reason, never dropped in silence.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.parse.packets import Datagram, Frame, Segment, Skip, SkippedError, unpack


class _Interface(Struct, frozen=True):
    link: int
    ticks: int = 1_000_000
    offset_s: int = 0


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


class Capture:
    """The datagrams and TCP segments of a capture, in file order. ``read(n)`` returns n octets, fewer only at the end
    of the file.

    ``skipped`` counts, while iterating, the packets that gave none.

    Raises (while iterating):
        ParseError: ``bad_frame`` with the offset in the file, where it is no capture or damaged.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._file = _File(read)
        self.skipped: Counter[Skip] = Counter()

    def __iter__(self) -> Iterator[Datagram | Segment]:
        magic = self._file.peek(4)
        if magic not in MAGICS:
            raise self._file.bad("neither pcap nor pcapng")
        frames = _ng_frames(self._file) if magic == _NG else _classic_frames(self._file)
        while True:
            try:
                if (frame := next(frames, None)) is None:
                    return
                yield unpack(frame)
            except SkippedError as skipped:
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
            raise SkippedError(Skip.END)
        return data

    def need(self, size: int) -> bytes:
        """``size`` octets, where the end of the file means that a packet is lost."""
        data = self.take(size)
        if len(data) < size:
            raise SkippedError(Skip.END)
        return data

    def bad(self, detail: str) -> ParseError:
        return ParseError(RejectReason.BAD_FRAME, self.offset, detail)


# --- files into frames: generators end, and so does the capture, where the file ends inside a packet ---------------


def _classic_frames(file: _File) -> Iterator[Frame]:
    order, ticks = _CLASSIC[file.need(4)]
    # The upper half of the link type holds FCS flags.
    link = struct.unpack(order + "I", file.need(20)[16:])[0] & 0xFFFF
    record = struct.Struct(order + "IIII")
    while head := file.take(record.size):
        seconds, fraction, length, _ = record.unpack(head)
        if length > MAX_PACKET:
            raise file.bad(f"packet of {length} octets")
        yield Frame(round(seconds + fraction / ticks, 6), link, file.need(length))


def _ng_frames(file: _File) -> Iterator[Frame]:
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


def _ng_packet(order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> Frame | None:
    """The frame of a packet block, None for any other kind of block. A simple packet has no time: the epoch."""
    if kind == _ENHANCED_PACKET and len(body) >= 20:
        number, high, low, length, _ = struct.unpack_from(order + "IIIII", body)
        if number >= len(interfaces):
            return Frame(0.0, -1, b"")
        interface = interfaces[number]
        at = round(interface.offset_s + (high << 32 | low) / interface.ticks, 6)
        return Frame(at, interface.link, body[20 : 20 + length])
    if kind == _SIMPLE_PACKET and len(body) >= 4 and interfaces:
        (original,) = struct.unpack_from(order + "I", body)
        return Frame(0.0, interfaces[0].link, body[4 : 4 + original])
    return None
