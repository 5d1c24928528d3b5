"""From what stands on the wire to the types of `eventd.model.Event`, one converter per event field.

A converter takes text and returns the value, or None where the device says "not given"; it raises ``ValueError``
where the text is no such value, and the caller then keeps the text as it is.
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Any

#: Gauge32 and Unsigned32 have at most ten digits (RFC 2578 section 7.1.11); longer ones are no numbers of Huawei's.
MAX_DIGITS = 10
#: Distinct addresses remembered, 200 bytes each; beyond that, parsing anew costs a few microseconds.
MAX_ADDRESSES = 4096
#: Distinct numbers remembered, 150 bytes each, for most of a line's are as in the line before.
MAX_NUMBERS = 4096
#: An IPv6 address has at most 45 characters (INET6_ADDRSTRLEN), a zone index some more. Nothing longer is parsed or
#: remembered.
MAX_ADDRESS_TEXT = 64
#: How "no value" is printed (real lines print ``-``; optional fields come empty).
BLANK = frozenset(("", "-"))
#: The root system; ``_public_`` is the name of its VPN instance (BFD log of a CE switch).
PUBLIC = frozenset(("public", "_public_"))
#: What surrounds text in an OCTET STRING: C strings of fixed length come NUL-padded.
PADDING = "\0 \t\r\n"


@lru_cache(MAX_ADDRESSES)
def address(text: str) -> str | None:
    """Canonical text; ``0.0.0.0`` and ``::`` stand for "not applicable"."""
    if text in BLANK:
        return None
    if len(text) > MAX_ADDRESS_TEXT:
        raise ValueError(text)
    value = ip(text)
    return None if value.is_unspecified else str(value)


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """One value per host: an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address."""
    value = ipaddress.ip_address(text)
    return getattr(value, "ipv4_mapped", None) or value


@lru_cache(MAX_NUMBERS)
def number(text: str) -> int | None:
    """An unsigned decimal number."""
    if text.isdigit() and text.isascii() and len(text) <= MAX_DIGITS:
        return int(text)
    if text in BLANK:
        return None
    raise ValueError(text)


def words(text: str) -> str | None:
    """Text as it is."""
    return None if text in BLANK else text


def number_or_words(text: str) -> int | str | None:
    """A slot is a number, or a board name such as ``LPU Board 3``."""
    try:
        return number(text)
    except ValueError:
        return text


def vsys(text: str) -> str | None:
    """The root system is printed in three ways and is one."""
    if text in BLANK:
        return None
    return "public" if text.casefold() in PUBLIC else text


def role(text: str) -> str | None:
    """``Initiator`` in traps, ``initiator`` or ``Initiator`` in logs."""
    return None if text in BLANK else text.lower()


#: Event field → converter. ``reason`` and ``code`` are the raw material of `eventd.model.Reason`; ``target``, what a
#: probe watches, goes to ``extra``.
CONVERTERS: dict[str, Callable[[str], Any]] = {
    "peer": address,
    "local": address,
    "inside": address,
    "target": address,
    "peer_port": number,
    "ifindex": number,
    "interface": words,
    "policy": words,
    "policy_seq": number,
    "rule": number,
    "tunnel_index": number,
    "conn_id": number,
    "slot": number_or_words,
    "cpu": number_or_words,
    "flow": words,
    "role": role,
    "vsys": vsys,
    "reason": words,
    "code": number,
}
#: Key in ``extra`` of what a message gives as the peer's address and is none.
NO_ADDRESS = "no_address"
ADDRESSES = frozenset(("peer", "local", "inside", "target"))
#: Fields whose value is a number where the wire has a number (an INTEGER or Gauge32 in SNMP).
NUMBERS = frozenset(field for field, convert in CONVERTERS.items() if convert in (number, number_or_words))


def decode_octets(value: bytes) -> str:
    """Text of an OCTET STRING: UTF-8, else GBK (the default character set of USG logs), without padding."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("gb18030", "replace")
    return text.strip(PADDING)
