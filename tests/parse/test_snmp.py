"""v1 and v2c notifications: what a datagram becomes, and every reason for which one is refused."""

import os

import pytest
import snmp_strategies as some
from hypothesis import given
from hypothesis import strategies as st
from snmp_strategies import bind, bindings, name, v1, v2c

from eventd.errors import ParseError, RejectReason
from eventd.model import SNMP_TRANSPORTS, Syntax, TrapRecord, VarBind
from eventd.parse import snmp, snmp_pdu
from eventd.parse.ber import Cursor, encode_integer, encode_octets, encode_sequence, encode_tlv

ACCESS = snmp.Access(["public", "sécret"])


def parse(message, access=ACCESS):
    return snmp.parse_notification(message, access, some.NOW)


def refusal(message, access=ACCESS):
    with pytest.raises(ParseError) as caught:
        parse(message, access)
    return caught.value


#: Name of the variable behind sysUpTime.0, encoded.
SNMP_TRAP_OID = bytes.fromhex("060a2b060106030101040100")


# --- v2c -----------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3416 §4.2.6", "a version 2 trap and all its variables")
def test_a_v2c_trap_becomes_a_record():
    message = v2c()
    assert parse(message) == TrapRecord(
        raw=message.replace(b"public", b"******"),
        version="v2c",
        oid=some.TUNNEL_STOP,
        lookup=(some.TUNNEL_STOP, f"{some.BASE}.6.0.2"),
        varbinds=tuple(VarBind(*row) for row in some.STOP_VARBINDS),
        request_id=0x01020304,
        uptime=123456,
        alike=message[message.index(SNMP_TRAP_OID) - 2 :],
    )


def test_lookup_takes_a_zero_out_where_a_converter_put_one_in():
    assert parse(v2c(bindings(some.UPTIME, name("1.3.6.1.4.1.2011.6.122.26.6.0.2")))).lookup == (
        "1.3.6.1.4.1.2011.6.122.26.6.0.2",
        "1.3.6.1.4.1.2011.6.122.26.6.2",
    )


@pytest.mark.conformance("RFC 3416 §4.2.6", "sysUpTime missing or misplaced is tolerated")
@pytest.mark.parametrize(
    ("listed", "uptime"),
    [
        (bindings(name()), None),
        (bindings(name(), some.UPTIME), 123456),
        (bindings(bind("1.3.6.1.2.1.1.5.0", Syntax.OCTET_STRING, b"fw"), some.UPTIME, name()), 123456),
    ],
)
def test_uptime_may_be_missing_or_misplaced(listed, uptime):
    record = parse(v2c(listed))
    assert (record.oid, record.uptime) == (some.TUNNEL_STOP, uptime)
    assert not {bind.oid for bind in record.varbinds} & {snmp_pdu.SYS_UP_TIME, snmp_pdu.SNMP_TRAP_OID}


@pytest.mark.conformance("RFC 3416 §4.2.6", "a notification without snmpTrapOID is refused")
def test_a_notification_without_a_name_is_a_bad_pdu():
    assert refusal(v2c(bindings(some.UPTIME))).reason is RejectReason.BAD_PDU
    assert refusal(v2c(bindings())).reason is RejectReason.BAD_PDU


@pytest.mark.conformance("RFC 3416 §4.2.6", "a snmpTrapOID that is no OID is refused")
def test_a_name_that_is_no_oid_is_a_bad_varbind():
    listed = bindings(some.UPTIME, bind(snmp_pdu.SNMP_TRAP_OID, Syntax.OCTET_STRING, b"1.3"))
    assert refusal(v2c(listed)).reason is RejectReason.BAD_VARBIND
    listed = bindings(bind(snmp_pdu.SYS_UP_TIME, Syntax.OCTET_STRING, b"5"), name())
    assert refusal(v2c(listed)).reason is RejectReason.BAD_VARBIND


@pytest.mark.conformance("RFC 3584 §3.1", "snmpTrapAddress names the agent behind a forwarder")
def test_the_trap_address_of_a_forwarder_is_the_agent():
    address = bind(snmp_pdu.SNMP_TRAP_ADDRESS, Syntax.IP_ADDRESS, "192.0.2.33")
    record = parse(v2c(bindings(some.UPTIME, name(), address)))
    assert record.agent == "192.0.2.33"
    assert len(record.varbinds) == 1


@pytest.mark.conformance("RFC 3584 §3.1", "an unset or mistyped snmpTrapAddress names nobody")
@pytest.mark.parametrize(("syntax", "content"), [(Syntax.IP_ADDRESS, "0.0.0.0"), (Syntax.OCTET_STRING, b"\1\2\3\4")])
def test_an_unset_or_mistyped_trap_address_names_nobody(syntax, content):
    listed = bindings(some.UPTIME, name(), bind(snmp_pdu.SNMP_TRAP_ADDRESS, syntax, content))
    assert parse(v2c(listed)).agent is None


@pytest.mark.conformance("RFC 3416 §3", "variables of every syntax come out as they went in")
@given(st.lists(some.varbinds, max_size=20))
def test_every_varbind_of_every_syntax_comes_out_as_it_went_in(rows):
    wide = [row for row in rows if row[0].count(".") < 128 and (row[1] != 6 or row[2].count(".") < 128)]
    plain = [row for row in wide if row[0] not in (snmp_pdu.SYS_UP_TIME, snmp_pdu.SNMP_TRAP_OID)]
    record = parse(v2c(bindings(some.UPTIME, name(), *(bind(*row) for row in plain))))
    assert record.varbinds == tuple(VarBind(*row) for row in plain)


@given(st.lists(some.varbinds, min_size=1, max_size=4), st.data())
def test_in_passing_a_list_is_read_as_byte_by_byte(rows, data):
    octets = bytearray(b"".join(bind(*row) for row in rows))
    for _ in range(data.draw(st.integers(0, 2))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read = [told(way, bytes(octets)) for way in (snmp_pdu._read_list, byte_by_byte)]
    assert read[0] == read[1]


def byte_by_byte(octets, pos, end, most):
    found = []
    while pos < end:
        bind, pos = snmp_pdu._read_any(octets, pos, end, full=len(found) >= most)
        found.append(bind)
    return found


def told(way, octets):
    try:
        return way(octets, 0, len(octets), 3)
    except ParseError as error:
        return error.reason, error.offset, error.detail


def test_what_comes_again_is_read_the_same_and_what_is_remembered_is_bounded():
    for number in range(2 * snmp_pdu.KNOWN_LISTS):
        message = v2c(bindings(some.UPTIME, name(), bind("1.3.6.1.4.1.1.1", Syntax.GAUGE32, number)))
        assert len({parse(message).varbinds for _ in range(3)}) == 1
    assert max(len(snmp_pdu._lists), len(snmp_pdu._lists.met)) <= snmp_pdu.KNOWN_LISTS


@pytest.mark.conformance("RFC 3416 §3", "the number of variables is limited")
def test_as_many_varbinds_as_the_limit_are_taken_and_no_more():
    filler = bind("1.3.6.1.4.1.1.1", Syntax.NULL, None)
    most = bindings(some.UPTIME, name(), *[filler] * (snmp_pdu.MAX_VARBINDS - 2))
    assert len(parse(v2c(most)).varbinds) == snmp_pdu.MAX_VARBINDS - 2
    more = bindings(some.UPTIME, name(), *[filler] * (snmp_pdu.MAX_VARBINDS - 1))
    assert refusal(v2c(more)).reason is RejectReason.BAD_VARBIND


@pytest.mark.conformance("RFC 3416 §3", "a damaged variable is refused with a reason")
@pytest.mark.parametrize(
    "damaged",
    [
        "300506012b050100",  # NULL with content
        "3008060129400301020300"[:-2],  # IpAddress of three octets
        "3006060129e10100",  # unknown value tag
        "3007060129050002010f"[:-2],  # octets behind the value
        "0500",  # no SEQUENCE
        "300402010105",  # name is an INTEGER
        "3003060129",  # no value
    ],
)
def test_a_damaged_varbind_is_refused(damaged):
    reason = refusal(v2c(bindings(some.UPTIME, name(), bytes.fromhex(damaged)))).reason
    assert reason in (RejectReason.BAD_VARBIND, RejectReason.BAD_BER)


def test_a_refusal_names_the_octet():
    listed = bindings(some.UPTIME, name(), encode_sequence(b"\x06\x01\x29", b"\xe1\x01\x00"))
    message = v2c(listed)
    error = refusal(message)
    assert error.reason is RejectReason.BAD_VARBIND
    assert message[error.offset] == 0xE1


# --- informs -------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3416 §4.2.7", "an INFORM comes with its response, same request-id and variables")
def test_a_v2c_inform_carries_its_answer():
    message = v2c(tag=snmp_pdu.INFORM)
    record = parse(message)
    assert record.inform
    # RFC 3416 section 4.2.7: the same message with another PDU type and no error
    assert record.response == message.replace(b"\xa6", b"\xa2", 1)


@pytest.mark.conformance("RFC 3416 §4.2.7", "the response repeats the variables octet for octet")
def test_the_answer_repeats_varbinds_octet_for_octet_even_in_a_padded_form():
    long_form = b"\x30\x84" + (len(some.UPTIME) - 2).to_bytes(4, "big")
    padded = encode_tlv(0x30, long_form + some.UPTIME[2:] + name())
    record = parse(v2c(padded, tag=snmp_pdu.INFORM, request_id=-5))
    assert padded in record.response
    outer = Cursor(record.response).enter()
    assert (outer.integer(), outer.octets(), outer.peek()) == (1, b"public", snmp_pdu.RESPONSE)
    pdu = outer.enter(snmp_pdu.RESPONSE)
    assert [pdu.integer() for _ in range(3)] == [-5, 0, 0]


@pytest.mark.conformance("RFC 3416 §4.2.6", "a trap is not answered")
def test_a_trap_carries_no_answer():
    assert not parse(v2c()).inform
    assert not parse(v1()).inform


# --- v1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3584 §3.1", "a specific version 1 trap is enterprise.0.specific")
def test_a_specific_v1_trap_is_found_with_and_without_the_zero():
    listed = bindings(*(bind(*row) for row in some.STOP_VARBINDS))
    message = v1(listed=listed)
    assert parse(message) == TrapRecord(
        raw=message.replace(b"public", b"******"),
        version="v1",
        oid=f"{some.BASE}.6.0.2",
        lookup=(some.TUNNEL_STOP, f"{some.BASE}.6.0.2"),
        varbinds=tuple(VarBind(*row) for row in some.STOP_VARBINDS),
        uptime=123456,
        agent="192.0.2.7",
    )


@pytest.mark.conformance("RFC 3584 §3.1", "a generic version 1 trap is its standard notification")
@pytest.mark.parametrize("generic", range(6))
def test_a_generic_v1_trap_is_the_standard_one(generic):
    record = parse(v1(generic=generic, specific=0))
    assert record.oid == f"1.3.6.1.6.3.1.1.5.{generic + 1}"
    assert record.lookup == (record.oid,)


def test_a_v1_trap_without_an_agent_address_names_nobody():
    assert parse(v1(agent="0.0.0.0")).agent is None


@pytest.mark.conformance("RFC 1157 §4.1.6", "impossible trap numbers are refused")
@pytest.mark.parametrize("fields", [{"generic": 7}, {"generic": -1}, {"specific": -1}, {"specific": 2**32}])
def test_impossible_v1_trap_numbers_are_a_bad_pdu(fields):
    assert refusal(v1(**fields)).reason is RejectReason.BAD_PDU


@pytest.mark.conformance("RFC 3584 §3.1", "a version 1 PDU in a version 2 message is understood")
def test_a_v1_pdu_in_a_v2c_message_is_understood_but_not_the_reverse():
    assert parse(v1(version=1)).version == "v2c"
    upside_down = some.community_message(0, b"public", snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, some.STOP))
    assert refusal(upside_down).reason is RejectReason.WRONG_PDU_VERSION


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3412 §7.2", "other PDUs are no notifications")
@pytest.mark.parametrize("tag", [0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA8])
def test_other_pdus_are_no_notifications(tag):
    assert refusal(v2c(tag=tag)).reason is RejectReason.NOT_NOTIFICATION


@pytest.mark.conformance("RFC 3412 §7.2", "what is no PDU is refused")
@pytest.mark.parametrize("tag", [0x30, 0x02, 0xA9, 0xBF])
def test_what_is_no_pdu_is_a_bad_pdu(tag):
    assert refusal(v2c(tag=tag)).reason is RejectReason.BAD_PDU


@pytest.mark.conformance("RFC 1901 §3", "another community is refused")
@pytest.mark.parametrize("community", [b"", b"publi", b"public2", b"PUBLIC", b"\xff\xfe"])
def test_another_community_is_refused(community):
    message = v2c(community=community)
    error = refusal(message)
    assert error.reason is RejectReason.WRONG_COMMUNITY
    assert message[error.offset] == 0x04


@pytest.mark.conformance("RFC 1901 §3", "each listed community is accepted")
def test_each_listed_community_is_accepted_in_utf8():
    assert parse(v2c(community="sécret".encode())).oid == some.TUNNEL_STOP


@pytest.mark.conformance("RFC 1901 §3", "without communities nothing is accepted")
def test_without_communities_nothing_is_accepted():
    for community in (b"", b"public"):
        assert refusal(v2c(community=community), snmp.Access([])).reason is RejectReason.WRONG_COMMUNITY


@pytest.mark.conformance("RFC 3412 §7.2", "an unknown version is refused with a reason")
@pytest.mark.parametrize("version", [2, 4, -1, 2**40])
def test_an_unknown_version_is_refused(version):
    message = encode_sequence(encode_integer(version), encode_octets(b"public"))
    assert refusal(message).reason is RejectReason.BAD_VERSION
    assert snmp.transport_of(message) == "snmp"


@pytest.mark.conformance("RFC 3417 §3.2", "an empty message and one beyond 65,507 octets are refused")
def test_nothing_is_empty_and_too_much_is_oversize():
    assert refusal(b"").reason is RejectReason.EMPTY
    assert refusal(bytes(snmp.MAX_MESSAGE + 1)).reason is RejectReason.OVERSIZE


@pytest.mark.conformance("RFC 3417 §8", "octets behind the message are refused")
def test_octets_behind_the_message_are_refused():
    error = refusal(v2c() + b"\0")
    assert (error.reason, error.offset) == (RejectReason.BAD_BER, len(v2c()))


def test_octets_behind_the_pdu_are_refused():
    pdu = snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, some.STOP)
    assert refusal(some.community_message(1, b"public", pdu + b"\x05\x00")).reason is RejectReason.BAD_BER
    swollen = snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, some.STOP + b"\x05\x00")
    assert refusal(some.community_message(1, b"public", swollen)).reason is RejectReason.BAD_BER


@pytest.mark.conformance("RFC 3417 §8", "a message cut anywhere is refused")
def test_every_truncation_is_refused():
    for message in some.seeds():
        for size in range(len(message)):
            assert refusal(message[:size]).reason in (RejectReason.BAD_BER, RejectReason.EMPTY)


# --- the glance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "transport"),
    [
        (v1(), "snmp-v1"),
        (v1(version=1), "snmp-v2c"),
        (v2c(), "snmp-v2c"),
        (v2c(tag=snmp_pdu.INFORM), "snmp-inform"),
        (v2c(tag=snmp_pdu.INFORM)[:8], "snmp-v2c"),
        (v2c()[:5], "snmp"),
        (some.Device(some.USERS[0]).message(), "snmp-v3"),
        (b"", "snmp"),
        (b"0", "snmp"),
        (b"garbage", "snmp"),
        (b"\x30\x84", "snmp"),
        (b"\x30\xff\x02\x01\x01", "snmp"),
    ],
)
def test_the_transport_is_known_at_a_glance(message, transport):
    assert snmp.transport_of(message) == transport


# --- any bytes -----------------------------------------------------------------------------------------------------


def feed(message):
    assert snmp.transport_of(message) == snmp.transport_of_any(message)
    assert snmp.transport_of(message) in SNMP_TRANSPORTS
    some.outcome(message, some.access())


@pytest.mark.conformance("RFC 3412 §7.2", "any octets are a record or a counted refusal")
@given(st.binary(max_size=2000))
def test_any_bytes_give_a_record_or_the_documented_error(message):
    feed(message)


@pytest.mark.conformance("RFC 3412 §7.2", "damaged messages are a record or a counted refusal")
@given(st.sampled_from(some.seeds()), st.data())
def test_damaged_messages_give_a_record_or_the_documented_error(message, data):
    octets = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    feed(bytes(octets))


def test_the_fuzzer_gets_past_every_layer_and_no_other_exception():
    outcomes = some.fuzz_snmp(int(os.environ.get("EVENTD_FUZZ", "8000")), seed=1)
    expected = {
        "accepted",
        RejectReason.BAD_BER,
        RejectReason.BAD_VERSION,
        RejectReason.BAD_PDU,
        RejectReason.BAD_VARBIND,
        RejectReason.WRONG_COMMUNITY,
        RejectReason.UNKNOWN_USER,
        RejectReason.UNKNOWN_ENGINE,
        RejectReason.WRONG_DIGEST,
    }
    assert expected <= set(outcomes), expected - set(outcomes)
