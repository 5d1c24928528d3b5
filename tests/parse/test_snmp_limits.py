"""Whole messages at their limits and beyond: what must be taken, and what must cost nothing but itself."""

import time

import pytest
import snmp_strategies as some
from snmp_strategies import NOW, Device, user

from eventd.errors import ParseError, RejectReason
from eventd.parse import snmp, snmp_pdu
from eventd.parse.ber import encode_integer, encode_octets, encode_oid, encode_sequence, encode_tlv

LARGEST = 65_507


def access():
    return snmp.Access(["public"], [user(), user("authNoPriv", "signed"), user("noAuthNoPriv", "open")])


def padded(build, size):
    """The message that ``build`` makes around a variable of some length, with exactly ``size`` octets."""
    length = size - 300
    while len(message := build(length)) < size:
        length += size - len(message)
    while len(message := build(length)) > size:
        length -= 1
    assert len(message) == size
    return message


def listed(length):
    return some.bindings(some.UPTIME, some.name(), some.bind("1.3.6.1.4.1.1.1", 4, bytes(max(0, length))))


def v3(who):
    return lambda length: Device(who).message(snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, listed(length)))


BUILDERS = {
    "v1": lambda length: some.v1(listed=some.bindings(some.bind("1.3.6.1.4.1.1.1", 4, bytes(max(0, length))))),
    "v2c": lambda length: some.v2c(listed(length)),
    "inform": lambda length: some.v2c(listed(length), tag=snmp_pdu.INFORM),
    "v3 noAuthNoPriv": v3(user("noAuthNoPriv", "open")),
    "v3 authNoPriv": v3(user("authNoPriv", "signed")),
    "v3 authPriv": v3(user()),
}


@pytest.mark.conformance(
    "RFC 3417 §3.2", "messages of 484 octets, of 1472 (one Ethernet frame) and of 65,507 are taken"
)
@pytest.mark.parametrize("size", [484, 1472, LARGEST])
@pytest.mark.parametrize("kind", BUILDERS)
def test_a_message_of_that_size_is_taken(kind, size):
    record = snmp.parse_notification(padded(BUILDERS[kind], size), access(), NOW)
    assert len(record.raw) == size
    assert record.varbinds[-1].value.count(0) == len(record.varbinds[-1].value) > 0


def nested(depth, inside=b"\x05\x00"):
    for _ in range(depth):
        inside = encode_sequence(inside)
    return inside


def long_oid(octets):
    return encode_sequence(encode_tlv(0x06, b"\x2b" + b"\xff" * (octets - 2) + b"\x7f"), b"\x05\x00")


def community(pdu):
    return some.community_message(1, b"public", pdu)


BOMBS = {
    "sequences 10,000 deep": community(nested(10_000)),
    "sequences 10,000 deep as a value": some.v2c(
        some.bindings(some.UPTIME, some.name(), encode_sequence(encode_oid("1.3.6.1.4.1.1"), nested(10_000)))
    ),
    "sequences 10,000 deep instead of a version": encode_sequence(nested(10_000)),
    "a tag of several octets": community(b"\xbf\x81\x27" + b"\x00" * 3),
    "a value with a tag of several octets": some.v2c(
        some.bindings(some.UPTIME, some.name(), encode_sequence(encode_oid("1.3.6.1.4.1.1"), b"\x1f\x81\x01\x00"))
    ),
    "an indefinite length outside": b"\x30\x80" + some.v2c()[4:] + b"\x00\x00",
    "an indefinite length inside": community(b"\xa7\x80" + b"\x02\x01\x01" * 3 + b"\x30\x00\x00\x00"),
    "a length of 2^32-1": b"\x30\x84\xff\xff\xff\xff" + some.v2c()[4:],
    "a length of 126 octets": b"\x30\xfe" + b"\x00" * 126,
    "an OID of 60,000 octets": some.v2c(some.bindings(some.UPTIME, some.name(), long_oid(60_000))),
    "an OID of 641 octets": some.v2c(some.bindings(some.UPTIME, some.name(), long_oid(641))),
    "10,000 empty variables": some.v2c(encode_sequence(b"\x30\x00" * 10_000)),
    "an integer of 1,000 octets": community(encode_tlv(0xA7, encode_tlv(2, b"\x7f" * 1000))),
    "a string in two parts": some.v2c(
        some.bindings(
            some.UPTIME,
            some.name(),
            encode_sequence(encode_oid("1.3.6.1.4.1.1"), encode_tlv(0x24, encode_octets(b"a") + encode_octets(b"b"))),
        )
    ),
    "v3 headers 10,000 deep": encode_sequence(encode_integer(3), nested(10_000)),
}


@pytest.mark.conformance("RFC 3417 §8", "BER that asks for much is refused with a reason and within a moment")
@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_much_is_refused_at_once(name):
    table, message = access(), BOMBS[name]
    started = time.process_time()
    with pytest.raises(ParseError) as caught:
        snmp.parse_notification(message, table, NOW)
    assert caught.value.reason in (RejectReason.BAD_BER, RejectReason.BAD_VARBIND, RejectReason.BAD_PDU)
    assert 0 <= caught.value.offset <= len(message)
    assert time.process_time() - started < 0.1, "a thousand times what a good one costs"
    assert snmp.transport_of(message) in ("snmp", "snmp-v2c", "snmp-v3")
