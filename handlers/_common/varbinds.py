"""Variable bindings of a notification, by OID and never by position.

Varbinds were added, moved and changed in type between revisions of the vendors' MIBs, so the order says nothing. The
instance is whatever follows the longest known object OID; agents may send the bare OID, ``.0`` or the row index.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from eventd.model import VarBind
from handlers._common.tables import ObjectType, Tables
from handlers._common.values import ADDRESSES, BLANK, CONVERTERS, MAX_DIGITS, NO_ADDRESS, NUMBERS, decode_octets

_LENGTHS = (4, 16)
#: An address as text. Octets of the length of an address that are anything else are the address itself: 10.10.10.10 is
#: four line feeds, which padding would be taken for.
_ADDRESS_TEXT = re.compile(rb"[\s\0]*[0-9A-Fa-f.:%-]+[\s\0]*|[ \0]*")
#: OIDs whose object is remembered, 200 bytes each: the eleven columns of the tunnels that repeat themselves. Finding
#: one anew takes 2 µs.
MAX_LOCATED = 4096
_TOO_LARGE = 10**MAX_DIGITS
#: Texts whose meaning is remembered, some 300 bytes each, and the longest of them: Huawei's MIB allows 128 octets of
#: reason and 63 of interface name.
MAX_TEXTS, MAX_OCTETS = 2048, 128

Value = int | bytes | str | None


class Varbinds:
    """Reads varbinds by the tables of one vendor, in which no object's OID begins another's."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        objects = tables.objects
        #: Lengths that an instance may have, shortest first so that the longest known object wins: a scalar's ``0``,
        #: and row indexes.
        self.instance_sizes = sorted({1, *(len(row.index) for row in objects.values() if row.index and not row.texts)})
        #: Columns whose row index has texts in it, so that it is of any length.
        self.of_any_length = tuple(oid for oid, row in objects.items() if row.texts)
        #: What an index object says of the row it indexes.
        self.index_fields = {row.name: row.field for row in objects.values() if row.field and row.index}
        self.locate = lru_cache(MAX_LOCATED)(self._locate)

    def _locate(self, oid: str) -> tuple[ObjectType | None, str]:
        """(object, instance) of a varbind's OID; the object is None where nobody knows it."""
        objects = self.tables.objects
        if row := objects.get(oid):
            return row, ""
        for size in self.instance_sizes:
            parts = oid.rsplit(".", size)
            if row := objects.get(parts[0]):
                return row, ".".join(parts[1:])
        for prefix in self.of_any_length:
            if oid.startswith(prefix + "."):
                return objects[prefix], oid[len(prefix) + 1 :]
        return None, ""

    def typed(self, varbinds: Iterable[VarBind]) -> tuple[dict[str, Any], dict[str, str]]:
        """(event field → value, object name or OID → text of everything else). The columns of one row end alike, so
        that a new row is located once."""
        known: dict[str, Any] = {}
        extra: dict[str, str] = {}
        indexed: dict[str, Any] = {}
        instance = tail = ""
        for varbind in varbinds:
            oid = varbind.oid
            row = self.tables.objects.get(oid[: -len(tail)]) if tail and oid.endswith(tail) else None
            if row is None:
                row, instance = self.locate(oid)
                tail = f".{instance}" if row and instance and not row.texts else ""
            if row is None:
                keep(extra, oid, text_of(varbind.value))
                continue
            if row.index and instance and not indexed:
                indexed = self._index(row, instance, extra)
            self._take(row, varbind.value, known, extra)
        return indexed | known, extra

    def field_of(self, row: ObjectType, _value: Value) -> str | None:
        """The event field that a value of this object feeds."""
        return row.field

    def _take(self, row: ObjectType, value: Value, known: dict[str, Any], extra: dict[str, str]) -> None:
        field = self.field_of(row, value)
        if field is None:
            keep(extra, row.name, self._enumerated(row, value))
            return
        try:
            converted = _converted(field, value)
        except ValueError:
            keep(extra, row.name, text_of(value))
            if field == "peer":
                keep(extra, NO_ADDRESS, text_of(value))
            return
        if converted is not None and known.setdefault(field, converted) != converted:
            keep(extra, row.name, text_of(value))

    def _index(self, row: ObjectType, instance: str, extra: dict[str, str]) -> dict[str, Any]:
        """What the row index says of the event; what feeds no field (a VRRP group, an NQA test's name) is kept."""
        parts = _index_parts(instance, row.texts)
        if len(parts) != len(row.index) or instance == "0":  # the instance of a scalar
            return {}
        found: dict[str, Any] = {}
        for name, part in zip(row.index, parts, strict=True):
            field = self.index_fields.get(name)
            if field is None:
                keep(extra, name, part)
            elif len(part) <= MAX_DIGITS:
                found[field] = CONVERTERS[field](part)
        return found

    def _enumerated(self, row: ObjectType, value: Value) -> str:
        words = self.tables.enums.get(self.tables.oid_of[row.name])
        return words.get(value, str(value)) if words and isinstance(value, int) else text_of(value)


def _converted(field: str, value: Value) -> Any:
    if value is None or (isinstance(value, int) and field in NUMBERS and 0 <= value < _TOO_LARGE):
        return value
    if not isinstance(value, bytes):
        return CONVERTERS[field](str(value))
    return (_remembered if len(value) <= MAX_OCTETS else _of_octets)(field, value)


def _of_octets(field: str, value: bytes) -> Any:
    if field in ADDRESSES and len(value) in _LENGTHS and not _ADDRESS_TEXT.fullmatch(value):
        return CONVERTERS[field](str(ipaddress.ip_address(value)))
    try:
        return CONVERTERS[field](decode_octets(value))
    except ValueError:
        if field not in ADDRESSES or len(value) != 4:  # sixteen such characters are an address cut off, not one
            raise
    return CONVERTERS[field](str(ipaddress.ip_address(value)))


_remembered = lru_cache(MAX_TEXTS)(_of_octets)


def _index_parts(instance: str, texts: int) -> list[str]:
    """The parts of a row index of which the first ``texts`` are texts, each behind its length (RFC 2578 7.7)."""
    rest, parts = instance.split("."), []
    for _ in range(texts):
        size = int(rest[0]) if rest and len(rest[0]) <= MAX_DIGITS else 0
        octets = [int(part) & 0xFF for part in rest[1 : size + 1] if len(part) <= MAX_DIGITS]
        parts.append(text_of(bytes(octets)))
        rest = rest[size + 1 :]
    return parts + rest


def text_of(value: Value) -> str:
    """Readable text; octets that are none in hex, as net-snmp prints them but without blanks."""
    if not isinstance(value, bytes):
        return "" if value is None else str(value)
    text = decode_octets(value)
    return text if text.isprintable() and "\ufffd" not in text else f"0x{value.hex()}"


def keep(extra: dict[str, str], name: str, text: str) -> None:
    """Note a text under the first that has the name, unless it says nothing."""
    if text not in BLANK:
        extra.setdefault(name, text)
