"""The one secret that a message may hold: the community of SNMP v1 and v2c, which goes over the wire in clear."""

import re
from collections.abc import Iterable

from eventd.errors import ParseError
from eventd.parse.ber import OCTET_STRING, Cursor

#: SNMP versions that send a community (RFC 1157 section 4, RFC 1901 section 3), and what cannot be told apart.
COMMUNITY_TRANSPORTS = frozenset(("snmp-v1", "snmp-v2c", "snmp-inform", "snmp"))
#: Shorter ones are found by chance anywhere in a damaged message; where it is whole they are found by their place.
LEAST_SEARCHED = 4

#: What a message of RFC 1157 and RFC 1901 begins with, whether or not the rest is there: a sequence of any
#: length, the version, and the tag of the community.
BEGIN = re.compile(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01[\x00\x01]\x04", re.DOTALL)


def without_community(payload: bytes, known: Iterable[bytes] = ()) -> bytes:
    """A message with asterisks in place of its community, and of the ``known`` ones wherever they stand if it is
    damaged. Lengths stay, so that what was well formed still is."""
    return blanked(payload, *(_begun(payload) or _whole(payload)), known)


def blanked(payload: bytes, start: int, stop: int, known: Iterable[bytes]) -> bytes:
    """The same, where it is known that the community stands there."""
    payload = payload[:start] + b"*" * (stop - start) + payload[stop:]
    for community in known:
        if len(community) >= LEAST_SEARCHED:
            payload = payload.replace(community, b"*" * len(community))
    return payload


def _begun(payload: bytes) -> tuple[int, int] | None:
    """First octet and end of what begins like a community, as far as that is there, be the message damaged or not."""
    begin = BEGIN.match(payload)
    if begin is None:
        return None
    at, first = begin.end(), payload[begin.end()] if begin.end() < len(payload) else 0
    octets = first & 0x7F if first & 0x80 else 0
    size = int.from_bytes(payload[at + 1 : at + 1 + octets]) if octets else first
    start = min(at + 1 + octets, len(payload))
    return start, min(start + size, len(payload))


def _whole(payload: bytes) -> tuple[int, int]:
    """The same of a message that begins otherwise, with a longer version, say, if that much of it is well formed."""
    try:
        message = Cursor(payload).enter()
        message.integer()
        return message.expect(OCTET_STRING)
    except ParseError:
        return 0, 0
