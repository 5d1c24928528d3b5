"""The one secret that a message may hold: the community of SNMP v1 and v2c, which goes over the wire in clear."""

from collections.abc import Iterable

from eventd.errors import ParseError
from eventd.parse.ber import OCTET_STRING, Cursor

#: SNMP versions that send a community (RFC 1157 section 4, RFC 1901 section 3), and what cannot be told apart.
COMMUNITY_TRANSPORTS = frozenset(("snmp-v1", "snmp-v2c", "snmp-inform", "snmp"))
#: Shorter ones are found by chance anywhere in a damaged message; where it is whole they are found by their place.
LEAST_SEARCHED = 4


def without_community(payload: bytes, known: Iterable[bytes] = ()) -> bytes:
    """A message with asterisks in place of its community, and of the ``known`` ones wherever they stand if it is
    damaged. Lengths stay, so that what was well formed still is."""
    try:
        message = Cursor(payload).enter()
        message.integer()
        start, stop = message.expect(OCTET_STRING)
        payload = payload[:start] + b"*" * (stop - start) + payload[stop:]
    except ParseError:
        pass
    for community in known:
        if len(community) >= LEAST_SEARCHED:
            payload = payload.replace(community, b"*" * len(community))
    return payload
