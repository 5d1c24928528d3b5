"""Variable bindings of a notification, by OID and never by position.

Between 2009 and 2022 varbinds of the IPsec notifications were added, moved and changed from IpAddress to text, so
the order says nothing (revision clauses of HUAWEI-SECURITY-IPSEC-MIB). The instance is whatever follows the longest
known object OID; agents may send the bare OID, ``.0`` or the row index.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from eventd.model import VarBind
from handlers.huawei._tables import ENUMS, OBJECTS, OID_OF, ObjectType
from handlers.huawei._values import ADDRESSES, BLANK, CONVERTERS, MAX_DIGITS, NUMBERS, decode_octets

#: Lengths that an instance may have, shortest first so that the longest known object wins: a scalar's ``0``, and row
#: indexes, of which the tunnel table's is the longest.
INSTANCE_SIZES = sorted({1, *(len(row.index) for row in OBJECTS.values() if row.index)})
#: hwIPSecTrapAuthenticationMethod (text) was hwIPSecNegoFailReason (Gauge32) in 2009.
AUTH_METHOD = "auth_method"
#: What an index object says of the row it indexes.
INDEX_FIELDS = {row.name: row.field for row in OBJECTS.values() if row.field and row.index}
_LENGTHS = (4, 16)
#: OIDs whose object is remembered: the eleven columns of three thousand tunnels, some 6 MB.
MAX_LOCATED = 32_768


@lru_cache(MAX_LOCATED)
def locate(oid: str) -> tuple[ObjectType | None, str]:
    """(object, instance) of a varbind's OID; the object is None where nobody knows it."""
    if row := OBJECTS.get(oid):
        return row, ""
    for size in INSTANCE_SIZES:
        parts = oid.rsplit(".", size)
        if row := OBJECTS.get(parts[0]):
            return row, ".".join(parts[1:])
    return None, ""


def typed(varbinds: Iterable[VarBind]) -> tuple[dict[str, Any], dict[str, str]]:
    """(event field → value, object name or OID → text of everything else), as `_fields.typed` does for syslog."""
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    indexed: dict[str, int] = {}
    for varbind in varbinds:
        row, instance = locate(varbind.oid)
        if row is None:
            _keep(extra, varbind.oid, _text(varbind.value))
            continue
        if row.index and instance and not indexed:
            indexed = _index(row, instance)
        _take(row, varbind, known, extra)
    return indexed | known, extra


def _take(row: ObjectType, varbind: VarBind, known: dict[str, Any], extra: dict[str, str]) -> None:
    field, value = row.field, varbind.value
    if field == AUTH_METHOD:
        field = "code" if isinstance(value, int) else None
    if field is None:
        _keep(extra, row.name, _enumerated(row, value))
        return
    try:
        converted = _converted(field, value)
    except ValueError:
        _keep(extra, row.name, _text(value))
        return
    if converted is not None and known.setdefault(field, converted) != converted:
        _keep(extra, row.name, _text(value))


def _converted(field: str, value: int | bytes | str | None) -> Any:
    if value is None or (isinstance(value, int) and field in NUMBERS and 0 <= value < 10**MAX_DIGITS):
        return value
    if not isinstance(value, bytes):
        return CONVERTERS[field](str(value))
    try:
        return CONVERTERS[field](decode_octets(value))
    except ValueError:
        if field not in ADDRESSES or len(value) not in _LENGTHS:
            raise
    return CONVERTERS[field](str(ipaddress.ip_address(value)))


def _index(row: ObjectType, instance: str) -> dict[str, int]:
    parts = instance.split(".")
    if len(parts) != len(row.index):
        return {}
    pairs = zip((INDEX_FIELDS.get(name) for name in row.index), parts, strict=True)
    return {field: int(part) for field, part in pairs if field is not None and len(part) <= MAX_DIGITS}


def _enumerated(row: ObjectType, value: int | bytes | str | None) -> str:
    words = ENUMS.get(OID_OF[row.name])
    return words.get(value, str(value)) if words and isinstance(value, int) else _text(value)


def _text(value: int | bytes | str | None) -> str:
    """Readable text; octets that are none in hex, as net-snmp prints them but without blanks."""
    if not isinstance(value, bytes):
        return "" if value is None else str(value)
    text = decode_octets(value)
    return text if text.isprintable() and "\ufffd" not in text else f"0x{value.hex()}"


def _keep(extra: dict[str, str], name: str, text: str) -> None:
    if text not in BLANK:
        extra.setdefault(name, text)
