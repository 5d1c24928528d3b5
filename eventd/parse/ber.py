"""BER as SNMP uses it (RFC 3417 section 8: definite lengths, primitive strings), with a bound on everything.

Reading works on absolute offsets into one ``bytes`` object, so that every `ParseError` names the true byte. A nested
value is read through a cursor that ends where its parent says: it can neither read past the parent nor leave bytes
behind unnoticed. Nothing here recurses.
"""

from collections.abc import Callable

from eventd.errors import ParseError, RejectReason

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30

#: A datagram needs three length octets; RFC 3417 section 8 lets senders pad, and four cover any 32-bit length.
MAX_LENGTH_OCTETS = 4
#: Counter64 is the widest SNMP integer; unsigned ones may need one more octet for the sign.
MAX_INTEGER_OCTETS = 8
#: RFC 2578 section 7.1.3: at most 128 sub-identifiers, each at most 2^32-1.
MAX_SUB_IDS = 128
MAX_SUB_ID = 2**32 - 1
#: The same in octets: a sub-identifier of 32 bits takes five.
MAX_OID_OCTETS = MAX_SUB_IDS * 5
#: Texts remembered of each part of an OID: objects of the known vendors are some hundred, rows any number. About half a
#: megabyte.
OID_CACHE = 2048
#: Octets that name an object of an enterprise's MIB: 1.3.6.1.4.1, two of the enterprise (2011; 25506 has three), six of
#: its own; behind them stands the row. New rows come with every negotiation, with the same row in each column: the two
#: parts of an OID are remembered apart, so that a trap has at most one that is new.
OBJECT_OCTETS = 13
#: Where the enterprise's number ends if it has two.
ENTERPRISE_ENDS = 6

LAST_SHORT_LENGTH = 0x7F


def bad_ber(offset: int, detail: str) -> ParseError:
    """The error of every decoder in this module."""
    return ParseError(RejectReason.BAD_BER, offset, detail)


def read_tlv(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Tag, first content octet and end of content of the value at ``pos``, which must lie wholly before ``end``."""
    start = pos + 2
    if start > end:
        raise bad_ber(pos, "truncated")
    length = data[pos + 1]
    if length > LAST_SHORT_LENGTH:
        start, length = _long_length(data, start, end, length & LAST_SHORT_LENGTH)
    stop = start + length
    if stop > end:
        raise bad_ber(pos, f"{stop - end} octets longer than what holds it")
    return data[pos], start, stop


def _long_length(data: bytes, pos: int, end: int, octets: int) -> tuple[int, int]:
    if not 0 < octets <= MAX_LENGTH_OCTETS:
        raise bad_ber(pos - 1, "indefinite length" if octets == 0 else f"length of {octets} octets")
    start = pos + octets
    if start > end:
        raise bad_ber(pos, "truncated length")
    return start, int.from_bytes(data[pos:start], "big")


def read_signed(data: bytes, start: int, stop: int) -> int:
    """Two's complement content of 1 to 8 octets."""
    if not 0 < stop - start <= MAX_INTEGER_OCTETS:
        raise bad_ber(start, f"integer of {stop - start} octets")
    return int.from_bytes(data[start:stop], "big", signed=True)


def read_unsigned(data: bytes, start: int, stop: int) -> int:
    """Unsigned content of 1 to 8 octets, or 9 with a leading zero. A set top bit is not taken for a sign: agents
    leave the leading zero out."""
    size = stop - start
    if not 0 < size <= MAX_INTEGER_OCTETS and not (size == MAX_INTEGER_OCTETS + 1 and data[start] == 0):
        raise bad_ber(start, f"unsigned integer of {size} octets")
    return int.from_bytes(data[start:stop], "big")


def read_octets(data: bytes, start: int, stop: int) -> bytes:
    """The content as it is."""
    return data[start:stop]


def read_oid(data: bytes, start: int, stop: int) -> str:
    """Dotted text of an OBJECT IDENTIFIER's content."""
    try:
        return oid_text(data, start, stop)
    except ValueError as error:
        raise bad_ber(start, str(error)) from None


def oid_text(data: bytes, start: int, stop: int) -> str:
    """Dotted text of the encoded content in that place (X.690 section 8.19); ValueError if it is not well formed.

    No content at all reads as ``0.0``, the null OID: agents are known to send it so.
    """
    size = stop - start
    if size <= OBJECT_OCTETS:
        return _objects[data[start:stop]]
    if size >= MAX_SUB_IDS:  # perhaps too many, which parts do not show
        return _text(data[start:stop])
    row_at = start + OBJECT_OCTETS + (data[start + ENTERPRISE_ENDS] > LAST_SHORT_LENGTH)
    while row_at < stop and data[row_at - 1] > LAST_SHORT_LENGTH:  # no sub-identifier is cut in two
        row_at += 1
    return _objects[data[start:row_at]] + _rows[data[row_at:stop]]


class _Texts(dict[bytes, str]):
    """Texts by octets, each made when it is first asked for. Emptied when full: no order to keep up at each look."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[bytes], str]) -> None:
        self._make = make

    def __missing__(self, octets: bytes) -> str:
        text = self._make(octets)
        if len(self) >= OID_CACHE:
            self.clear()
        self[octets] = text
        return text


def _text(content: bytes) -> str:
    if not content:
        return "0.0"
    if len(content) > MAX_OID_OCTETS:
        raise ValueError(f"OID of {len(content)} octets")
    first, *rest = _sub_ids(content)
    arcs = [min(first // 40, 2)]
    arcs += [first - 40 * arcs[0], *rest]
    if len(arcs) > MAX_SUB_IDS:
        raise ValueError(f"OID of {len(arcs)} sub-identifiers")
    return ".".join(map(str, arcs))


def _row_text(content: bytes) -> str:
    return "".join([f".{sub_id}" for sub_id in _sub_ids(content)])


def _sub_ids(content: bytes) -> list[int]:
    if content and content[-1] > LAST_SHORT_LENGTH:
        raise ValueError("unfinished sub-identifier")
    found = []
    value = 0
    for octet in content:
        if octet == 0x80 and not value:
            raise ValueError("sub-identifier with a leading zero octet")
        value = value << 7 | octet & 0x7F
        if value > MAX_SUB_ID:
            raise ValueError("sub-identifier above 32 bits")
        if octet <= LAST_SHORT_LENGTH:
            found.append(value)
            value = 0
    return found


_objects, _rows = _Texts(_text), _Texts(_row_text)


class Cursor:
    """A place in ``data`` that moves forward value by value, and never beyond ``end``."""

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self.data, self.pos, self.end = data, pos, len(data) if end is None else end

    def peek(self) -> int:
        """Tag of the next value, which stays where it is."""
        if self.pos >= self.end:
            raise bad_ber(self.pos, "value missing")
        return self.data[self.pos]

    def expect(self, tag: int) -> tuple[int, int]:
        """Step over the next value, which must have that tag; first octet and end of its content."""
        data, end, start = self.data, self.end, self.pos + 2
        short = start <= end and data[start - 2] == tag and data[start - 1] <= LAST_SHORT_LENGTH
        if short and (stop := start + data[start - 1]) <= end:  # as nearly always, at a third of the cost
            self.pos = stop
            return start, stop
        found, start, stop = read_tlv(data, self.pos, end)
        if found != tag:
            raise bad_ber(self.pos, f"tag 0x{found:02x} where 0x{tag:02x} was expected")
        self.pos = stop
        return start, stop

    def enter(self, tag: int = SEQUENCE) -> "Cursor":
        """Step over the next value and return a cursor over its content alone."""
        start, stop = self.expect(tag)
        return Cursor(self.data, start, stop)

    def integer(self, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """The next value, an INTEGER within bounds."""
        pos = self.pos
        start, stop = self.expect(INTEGER)
        value = read_signed(self.data, start, stop)
        if not low <= value <= high:
            raise bad_ber(pos, f"integer {value} out of range")
        return value

    def unsigned(self, tag: int) -> int:
        """The next value, an unsigned integer of application type ``tag``."""
        return read_unsigned(self.data, *self.expect(tag))

    def octets(self, tag: int = OCTET_STRING) -> bytes:
        """The next value's content."""
        start, stop = self.expect(tag)
        return self.data[start:stop]

    def oid(self) -> str:
        """The next value, an OBJECT IDENTIFIER, as dotted text."""
        return read_oid(self.data, *self.expect(OBJECT_IDENTIFIER))

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self.pos != self.end:
            raise bad_ber(self.pos, f"{self.end - self.pos} octets left over")


# --- encoding ----------------------------------------------------------------------------------------------------


def encode_tlv(tag: int, content: bytes) -> bytes:
    """A whole value in the shortest definite form."""
    size = len(content)
    if size <= LAST_SHORT_LENGTH:
        return bytes((tag, size)) + content
    octets = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | octets)) + size.to_bytes(octets, "big") + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER, or with another ``tag`` one of the unsigned types, in the shortest two's complement form."""
    octets = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return encode_tlv(tag, value.to_bytes(octets, "big", signed=True))


def encode_octets(content: bytes) -> bytes:
    """An OCTET STRING."""
    return encode_tlv(OCTET_STRING, content)


def encode_sequence(*values: bytes) -> bytes:
    """A SEQUENCE of values already encoded."""
    return encode_tlv(SEQUENCE, b"".join(values))


def encode_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from dotted text without leading dot; ValueError if it is not one."""
    arcs = [int(arc) for arc in dotted.split(".")]
    if not 2 <= len(arcs) <= MAX_SUB_IDS or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39) or min(arcs) < 0:
        raise ValueError(f"not an object identifier: {dotted!r}")
    first = arcs[0] * 40 + arcs[1]
    if max(first, *arcs) > MAX_SUB_ID:
        raise ValueError(f"sub-identifier above 32 bits: {dotted!r}")
    return encode_tlv(OBJECT_IDENTIFIER, b"".join(map(_base128, [first, *arcs[2:]])))


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
