"""Variable bindings of an H3C notification.

Addresses come as IpAddress (IPv4 only) or as a pair of type and octets (RFC 4001 InetAddressType, InetAddress), in
newer IKE notifications as both; there the pair counts wherever its type is not 0, because the other is of no use for
IPv6. 2147483647 and 0.0.0.0 stand for "not valid" (the MIBs' own words). ActiveTime is hundredths of a second in the
IPsec MIBs and seconds in the IKE MIB; ``extra["active_s"]`` is seconds for both.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from eventd.model import VarBind
from handlers._common.values import NO_ADDRESS, address, decode_octets
from handlers._common.varbinds import Value, Varbinds, keep, text_of
from handlers.h3c._tables import TABLES, ObjectType

INVALID = 2_147_483_647
#: Octets of each InetAddressType: address, and zone index where it has one (RFC 4001 section 3).
INET_SIZES = {1: (4, 4), 2: (16, 16), 3: (8, 4), 4: (20, 16)}
UNKNOWN_TYPE = 0
ENDS = ("local", "peer")
#: What an end may be given as; `typed` makes one address of it.
_PARTS = frozenset(end + part for end in ENDS for part in ("", "_type", "_v4"))
_TEXT = frozenset(b"0123456789abcdefABCDEF.:")
ACTIVE = "active_s"
_PER_SECOND = {"seconds": 1, "centiseconds": 100}


class H3cVarbinds(Varbinds):
    """Knows InetAddress pairs and values that say that they are none."""

    def typed(self, varbinds: Iterable[VarBind]) -> tuple[dict[str, Any], dict[str, str]]:
        """As `Varbinds.typed`."""
        known, extra = super().typed(varbinds)
        for end in ENDS:
            kind, inet, plain = (known.pop(end + part, None) for part in ("_type", "", "_v4"))
            found = _inet(end, kind, inet, extra) or _inet(end, None, plain, extra)
            if found is not None:
                known[end] = found
        return known, extra

    def _take(self, row: ObjectType, value: Value, known: dict[str, Any], extra: dict[str, str]) -> None:
        if value == INVALID:
            return
        if row.field in _PARTS:
            known.setdefault(row.field, (row.name, value))
            return
        super()._take(row, value, known, extra)
        if row.unit is not None and isinstance(value, int) and value >= 0:
            extra.setdefault(ACTIVE, f"{value / _PER_SECOND[row.unit]:g}")


def _inet(
    end: str, kind: tuple[str, Value] | None, given: tuple[str, Value] | None, extra: dict[str, str]
) -> str | None:
    """The address; None where it is not given, or is none, which is then kept as text."""
    if given is None or (kind is not None and kind[1] == UNKNOWN_TYPE):
        return None
    name, value = given
    try:
        return _address(kind[1] if kind else None, value)
    except ValueError:
        keep(extra, name, text_of(value))
        if end == "peer":
            keep(extra, NO_ADDRESS, text_of(value))
        return None


def _address(kind: Value, value: Value) -> str | None:
    if isinstance(value, str):
        return address(value)
    if not isinstance(value, bytes):
        return address("" if value is None else str(value))
    if value and _TEXT.issuperset(value):  # some agents print what should be octets
        try:
            return address(decode_octets(value))
        except ValueError:
            pass
    whole, size = INET_SIZES.get(kind if isinstance(kind, int) else 0, (len(value), len(value)))
    if len(value) != whole or size not in (4, 16):
        raise ValueError(value)
    return address(str(ipaddress.ip_address(value[:size])))


VARBINDS = H3cVarbinds(TABLES)
locate, typed = VARBINDS.locate, VARBINDS.typed
