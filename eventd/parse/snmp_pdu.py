"""The PDUs of SNMP notifications: Trap-PDU (RFC 1157 section 4.1.6), SNMPv2-Trap-PDU and InformRequest-PDU
(RFC 3416 section 3), read into one view (RFC 3584 section 3.1), and the Response-PDU that answers an inform."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.met import Met
from eventd.model import Syntax, VarBind
from eventd.parse.ber import (
    LAST_SHORT_LENGTH,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    Cursor,
    encode_integer,
    encode_sequence,
    encode_tlv,
    oid_text,
    read_octets,
    read_oid,
    read_signed,
    read_tlv,
    read_unsigned,
)

RESPONSE = 0xA2
TRAP_V1 = 0xA4
INFORM = 0xA6
TRAP_V2 = 0xA7
REPORT = 0xA8
#: GetRequest … Report: a PDU of SNMP, though perhaps not one that tells us anything.
PDU_TAGS = range(0xA0, REPORT + 1)

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
SNMP_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
SNMP_TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
#: snmpTraps (RFC 3418): generic trap g of v1 is sub-identifier g+1 here.
SNMP_TRAPS = "1.3.6.1.6.3.1.1.5"
ENTERPRISE_SPECIFIC = 6

#: The longest notification of the known MIBs has 16; the rest is room for converters that add their own.
MAX_VARBINDS = 256
#: Distinct notification OIDs are some hundred.
LOOKUP_CACHE = 1024

NO_ERROR = 0
TOO_BIG = 1


#: Lists remembered, and octets of the longest of them: the traps of some hundred tunnels that repeat themselves. One of
#: 16 variables takes 3 kB.
KNOWN_LISTS = 2048
KNOWN_OCTETS = 2048
#: Name of sysUpTime.0 and tag of its value, as nearly every v2 notification begins its list.
_UPTIME_BEGINS = bytes.fromhex("06082b0601020101030043")

#: error-status and error-index as RFC 3416 section 4.2.6 wants them, 0.
_NO_ERROR = bytes.fromhex("020100020100")


class Notification(Struct, frozen=True, gc=False):
    """What one notification PDU says. ``bindings`` is the variable-binding list as it came, tag and length included;
    ``alike`` as of `eventd.model.TrapRecord`."""

    tag: int
    oid: str
    lookup: tuple[str, ...]
    varbinds: tuple[VarBind, ...]
    uptime: int | None
    agent: str | None
    request_id: int
    bindings: bytes
    alike: bytes | None = None


class Listed(Struct, frozen=True, gc=False):
    """What a list of variables says behind sysUpTime.0."""

    oid: str
    lookup: tuple[str, ...]
    varbinds: tuple[VarBind, ...]
    agent: str | None


#: The PDUs that notify, by the version of the message around them. A v1 Trap-PDU in a v2c message is against RFC 3584
#: section 4.2, but converters send it so, and nothing in it is misunderstood.
NOTIFICATIONS = {"v1": (TRAP_V1,), "v2c": (TRAP_V1, TRAP_V2, INFORM), "v3": (TRAP_V2, INFORM)}


def read_notification(cursor: Cursor, version: Literal["v1", "v2c", "v3"]) -> Notification:
    """Read the PDU at the cursor of a message of that version.

    Raises `ParseError`: NOT_NOTIFICATION for the other PDUs of SNMP, WRONG_PDU_VERSION for a v2 PDU in a v1 message
    and a v1 Trap-PDU in a v3 message (RFC 3412 section 7.2 has no place for it), BAD_PDU for what is none and for a
    notification without a name, BAD_VARBIND, BAD_BER.
    """
    pos, tag = cursor.pos, cursor.peek()
    if tag in NOTIFICATIONS[version]:
        return _read_trap_v1(cursor.enter(tag)) if tag == TRAP_V1 else _read_v2(tag, cursor.enter(tag))
    raise ParseError(_misplaced(tag), pos, f"PDU 0x{tag:02x} in a {version} message")


def _misplaced(tag: int) -> RejectReason:
    if tag in (TRAP_V1, TRAP_V2, INFORM):
        return RejectReason.WRONG_PDU_VERSION
    return RejectReason.NOT_NOTIFICATION if tag in PDU_TAGS else RejectReason.BAD_PDU


def _read_v2(tag: int, cursor: Cursor) -> Notification:
    request_id, data = cursor.integer(), cursor.data
    if data.startswith(_NO_ERROR, cursor.pos, cursor.end):
        cursor.pos += len(_NO_ERROR)
    else:  # whatever they say, they say nothing in a notification
        cursor.integer()
        cursor.integer()
    start = cursor.pos
    first, end = cursor.expect(SEQUENCE)
    regular = _read_regular(data, first, end)
    if regular is None:
        oid, ticks, rest = _split(tuple(_read_list(data, first, end, MAX_VARBINDS)), start)
        regular = ticks, None, Listed(oid, lookups(oid), rest, _trap_address(rest))
    uptime, alike, listed = regular
    cursor.finish()
    bindings = data[start:end]
    return Notification(
        tag, listed.oid, listed.lookup, listed.varbinds, uptime, listed.agent, request_id, bindings, alike
    )


def _read_regular(data: bytes, first: int, end: int) -> tuple[int | None, bytes | None, Listed] | None:
    """Uptime, the rest as it came, and what that says, of a list that begins as RFC 3416 section 4.2.6 has it. None for
    any other one, and for what is wrong with it, which is then to be read byte by byte."""
    if not data.startswith(_UPTIME_BEGINS, first + 2):
        return None
    size_at = first + 2 + len(_UPTIME_BEGINS)
    stop = first + 2 + data[first + 1]
    if data[first] != SEQUENCE or not size_at < stop <= end or data[size_at] != stop - size_at - 1:
        return None
    rest = data[stop:end]
    if len(rest) > KNOWN_OCTETS:
        return None
    try:
        return read_unsigned(data, size_at + 1, stop), rest, _lists[rest]
    except (ParseError, ValueError):
        return None


class _Lists(dict[bytes, Listed]):
    """Lists by what stands behind sysUpTime.0 in them, from the second time on that one is met: in a storm most never
    come again, and to keep those would take more than it gives. Emptied when full."""

    __slots__ = ("met",)

    def __init__(self) -> None:
        self.met = Met(KNOWN_LISTS)

    def __missing__(self, rest: bytes) -> Listed:
        listed = _read_listed(rest)
        if self.met.before(rest):
            if len(self) >= KNOWN_LISTS:
                self.clear()
            self[rest] = listed
        return listed


_lists = _Lists()


def _read_listed(rest: bytes) -> Listed:
    name, *varbinds = _read_list(rest, 0, len(rest), MAX_VARBINDS - 1)
    if name.oid != SNMP_TRAP_OID or not isinstance(name.value, str):
        raise ValueError("snmpTrapOID.0 is not the second")
    return Listed(name.value, lookups(name.value), tuple(varbinds), _trap_address(varbinds))


def _split(varbinds: tuple[VarBind, ...], pos: int) -> tuple[str, int | None, tuple[VarBind, ...]]:
    """Name, uptime and the other varbinds. Strictly the first two are sysUpTime.0 and snmpTrapOID.0 (RFC 3416
    section 4.2.6); agents that leave the uptime out or change the order are understood all the same."""
    if len(varbinds) > 1 and varbinds[0].oid == SYS_UP_TIME and varbinds[1].oid == SNMP_TRAP_OID:
        uptime, name, rest = varbinds[0].value, varbinds[1].value, varbinds[2:]
    else:
        uptime = next((bind.value for bind in varbinds if bind.oid == SYS_UP_TIME), None)
        name = next((bind.value for bind in varbinds if bind.oid == SNMP_TRAP_OID), None)
        rest = tuple(bind for bind in varbinds if bind.oid not in (SYS_UP_TIME, SNMP_TRAP_OID))
    if name is None:
        raise ParseError(RejectReason.BAD_PDU, pos, "no snmpTrapOID.0")
    if not isinstance(name, str) or not (uptime is None or isinstance(uptime, int)):
        raise ParseError(RejectReason.BAD_VARBIND, pos, "snmpTrapOID.0 or sysUpTime.0 of a wrong type")
    return name, uptime, rest


def _trap_address(varbinds: Sequence[VarBind]) -> str | None:
    for bind in varbinds:
        if bind.oid == SNMP_TRAP_ADDRESS and bind.syntax == Syntax.IP_ADDRESS and bind.value != UNSET_ADDRESS:
            return str(bind.value)
    return None


def _read_trap_v1(cursor: Cursor) -> Notification:
    pos = cursor.pos
    enterprise = cursor.oid()
    agent = _read_address(cursor.data, *cursor.expect(Syntax.IP_ADDRESS))
    generic, specific = cursor.integer(), cursor.integer()
    uptime = cursor.unsigned(Syntax.TIME_TICKS)
    start = cursor.pos
    varbinds = read_varbinds(cursor)
    cursor.finish()
    if not 0 <= generic <= ENTERPRISE_SPECIFIC or not 0 <= specific < 2**32:
        raise ParseError(RejectReason.BAD_PDU, pos, f"generic trap {generic}, specific trap {specific}")
    oid, lookup = _v1_names(enterprise, generic, specific)
    known_agent = None if agent == UNSET_ADDRESS else agent
    return Notification(TRAP_V1, oid, lookup, varbinds, uptime, known_agent, 0, cursor.data[start : cursor.end])


def _v1_names(enterprise: str, generic: int, specific: int) -> tuple[str, tuple[str, ...]]:
    """snmpTrapOID.0 by RFC 3584 section 3.1, and where a definition may be found: MIBs written for v2 seldom have
    the 0 that the conversion puts in, so the form without it comes first."""
    if generic != ENTERPRISE_SPECIFIC:
        oid = f"{SNMP_TRAPS}.{generic + 1}"
        return oid, (oid,)
    oid = f"{enterprise}.0.{specific}"
    return oid, (f"{enterprise}.{specific}", oid)


@lru_cache(maxsize=LOOKUP_CACHE)
def lookups(oid: str) -> tuple[str, ...]:
    """A v2 notification OID, and the same with the 0 before the last sub-identifier taken out or put in."""
    head, _, last = oid.rpartition(".")
    return oid, f"{head[:-2]}.{last}" if head.endswith(".0") else f"{head}.0.{last}"


# --- variable bindings ---------------------------------------------------------------------------------------------


def _read_address(data: bytes, start: int, stop: int) -> str:
    if stop - start != 4:
        raise ParseError(RejectReason.BAD_VARBIND, start, f"IpAddress of {stop - start} octets")
    return f"{data[start]}.{data[start + 1]}.{data[start + 2]}.{data[start + 3]}"


#: What agents without an IPv4 address put into agent-addr.
UNSET_ADDRESS = _read_address(bytes(4), 0, 4)


def _read_nothing(_data: bytes, start: int, stop: int) -> None:
    if start != stop:
        raise ParseError(RejectReason.BAD_VARBIND, start, "NULL with content")


Reader = Callable[[bytes, int, int], int | bytes | str | None]

_READERS: dict[Syntax, Reader] = {
    Syntax.INTEGER: read_signed,
    Syntax.OCTET_STRING: read_octets,
    Syntax.NULL: _read_nothing,
    Syntax.OBJECT_IDENTIFIER: read_oid,
    Syntax.IP_ADDRESS: _read_address,
    Syntax.COUNTER32: read_unsigned,
    Syntax.GAUGE32: read_unsigned,
    Syntax.TIME_TICKS: read_unsigned,
    Syntax.OPAQUE: read_octets,
    Syntax.COUNTER64: read_unsigned,
    Syntax.UINTEGER32: read_unsigned,
    Syntax.NO_SUCH_OBJECT: _read_nothing,
    Syntax.NO_SUCH_INSTANCE: _read_nothing,
    Syntax.END_OF_MIB_VIEW: _read_nothing,
}
#: tag octet → syntax and reader of the content
_VALUES: dict[int, tuple[Syntax, Reader]] = {int(syntax): (syntax, reader) for syntax, reader in _READERS.items()}


def read_varbinds(cursor: Cursor) -> tuple[VarBind, ...]:
    """The variable-binding list at the cursor."""
    pos, end = cursor.expect(SEQUENCE)
    return tuple(_read_list(cursor.data, pos, end, MAX_VARBINDS))


def _read_list(data: bytes, pos: int, end: int, most: int) -> list[VarBind]:
    """Variables from ``pos`` to ``end``. This is the inner loop of a trap storm: where every length has one octet and
    all fit together, a variable is read here by bare offsets; any other one, and what is wrong with one, by
    `_read_any`."""
    found: list[VarBind] = []
    while pos < end:
        name_at = pos + 4
        try:
            size, value_at = data[pos + 1], name_at + data[pos + 3]
            start, stop = value_at + 2, pos + 2 + size
            if data[pos] != SEQUENCE or data[pos + 2] != OBJECT_IDENTIFIER or data[value_at + 1] != stop - start:
                raise IndexError
            if size > LAST_SHORT_LENGTH or stop > end or len(found) >= most:
                raise IndexError
            syntax, reader = _VALUES[data[value_at]]
            oid = oid_text(data, name_at, value_at)
        except (LookupError, ValueError):
            bind, stop = _read_any(data, pos, end, full=len(found) >= most)
        else:
            bind = VarBind(oid, syntax, data[start:stop] if reader is read_octets else reader(data, start, stop))
        found.append(bind)
        pos = stop
    return found


def _read_any(data: bytes, pos: int, end: int, *, full: bool) -> tuple[VarBind, int]:
    """The variable at ``pos``, and where it ends."""
    tag, name_at, stop = read_tlv(data, pos, end)
    if tag != SEQUENCE or full:
        raise _bad_varbind(pos, f"tag 0x{tag:02x}" if tag != SEQUENCE else f"more than {MAX_VARBINDS}")
    tag, start, value_at = read_tlv(data, name_at, stop)
    if tag != OBJECT_IDENTIFIER:
        raise _bad_varbind(name_at, f"tag 0x{tag:02x} as name")
    oid = read_oid(data, start, value_at)
    tag, start, value_end = read_tlv(data, value_at, stop)
    if value_end != stop or tag not in _VALUES:
        raise _bad_varbind(value_at, f"value of tag 0x{tag:02x}, {stop - value_end} octets left over")
    syntax, reader = _VALUES[tag]
    return VarBind(oid, syntax, reader(data, start, stop)), stop


def _bad_varbind(offset: int, detail: str) -> ParseError:
    return ParseError(RejectReason.BAD_VARBIND, offset, detail)


# --- answers -------------------------------------------------------------------------------------------------------


def encode_response(request_id: int, bindings: bytes, error_status: int = NO_ERROR) -> bytes:
    """Response-PDU to an inform (RFC 3416 section 4.2.7): ``bindings`` as they came; with `TOO_BIG` none."""
    listed = bindings if error_status == NO_ERROR else encode_sequence()
    return encode_pdu(RESPONSE, request_id, listed, error_status)


def encode_pdu(tag: int, request_id: int, bindings: bytes, error_status: int = NO_ERROR) -> bytes:
    """A PDU of the common form; ``bindings`` is a whole encoded variable-binding list."""
    return encode_tlv(tag, encode_integer(request_id) + encode_integer(error_status) + encode_integer(0) + bindings)
