"""SNMPv3 informs, for which we are the authoritative engine: discovery, time, answers."""

import pytest
import snmp_strategies as some
from snmp_strategies import NOW, Device, user

from eventd.errors import ParseError, RejectReason
from eventd.parse import snmp, snmp_pdu, snmp_v3, usm
from eventd.parse.ber import Cursor, encode_integer, encode_sequence

OURS = bytes.fromhex("80007ed90401020304")
INFORM = snmp_pdu.encode_pdu(snmp_pdu.INFORM, 99, some.STOP)
DISCOVERY = snmp_pdu.encode_pdu(0xA0, 31, some.bindings())


def access(*users, boots=4, started_at=NOW - 1000):
    return snmp.Access([], users, OURS, boots=boots, started_at=started_at)


def sender(who, boots=4, started_at=NOW - 1000):
    """A sender of informs has to use the receiver's engine id, boots and time."""
    return Device(who, OURS, boots, started_at)


def inform(who, **more):
    return sender(who).message(INFORM, flags=usm.REPORTABLE_FLAG, context_engine=some.DEVICE_ENGINE, **more)


def told(message, table):
    """The Report to a message that is refused."""
    with pytest.raises(ParseError) as caught:
        snmp.parse_notification(message, table, NOW)
    return snmp.report_for(message, table, NOW, caught.value.reason)


def opened(message, who):
    """Envelope and PDU cursor of one of our own messages, checked with the same keys."""
    outer = Cursor(message).enter()
    assert outer.integer() == 3
    envelope = snmp_v3.read_envelope(outer)
    table = usm.Usm([who], OURS, 4, NOW - 1000)
    _, clear = table.open(message, envelope, NOW)
    context_engine, context, scope = snmp_v3.read_scope(clear, envelope)
    return envelope, context_engine, context, scope


@pytest.mark.conformance("RFC 3416 §4.2.7", "an INFORM of version 3 is answered at its own level")
@pytest.mark.parametrize("level", usm.LEVELS)
def test_an_inform_is_answered_at_its_own_level(level):
    who = user(level)
    record = snmp.parse_notification(inform(who), access(who), NOW)
    assert (record.inform, record.oid, record.request_id) == (True, some.TUNNEL_STOP, 99)
    assert record.engine_id == some.DEVICE_ENGINE  # by the context: the security engine is ours
    envelope, context_engine, context, scope = opened(record.response, who)
    assert (envelope.msg_id, envelope.level, envelope.reportable) == (77, usm.LEVELS[level], False)
    assert (envelope.engine_id, envelope.boots, envelope.time) == (OURS, 4, 1000)
    assert (context_engine, context) == (some.DEVICE_ENGINE, b"vsys1")
    pdu = scope.enter(snmp_pdu.RESPONSE)
    assert [pdu.integer() for _ in range(3)] == [99, 0, 0]
    assert pdu.data[pdu.pos : pdu.end] == some.STOP


@pytest.mark.parametrize(("auth", "priv"), [("MD5", "DES"), ("SHA", "AES192C"), ("SHA512", "AES256")])
def test_answers_use_the_users_own_protocols(auth, priv):
    who = user(auth=auth, priv=priv)
    record = snmp.parse_notification(inform(who), access(who), NOW)
    assert opened(record.response, who)[3].peek() == snmp_pdu.RESPONSE


@pytest.mark.parametrize("context_engine", [OURS, b""])
def test_an_inform_whose_context_is_our_engine_or_none_names_no_device(context_engine):
    who = user()
    message = sender(who).message(INFORM, context_engine=context_engine)
    assert snmp.parse_notification(message, access(who), NOW).engine_id is None


@pytest.mark.conformance("RFC 3412 §7.2", "an INFORM for another engine is refused")
def test_an_inform_for_another_engine_is_refused():
    message = Device(user()).message(INFORM, flags=usm.REPORTABLE_FLAG)
    with pytest.raises(ParseError) as caught:
        snmp.parse_notification(message, access(user()), NOW)
    assert caught.value.reason is RejectReason.UNKNOWN_ENGINE


@pytest.mark.conformance("RFC 3416 §4.2.7", "a response too big for the sender says tooBig")
def test_an_answer_that_the_sender_cannot_take_says_too_big(monkeypatch):
    who = user("authNoPriv")
    monkeypatch.setattr(snmp_v3, "OUR_MAX_SIZE", 484)
    long = some.bindings(some.UPTIME, some.name(), some.bind("1.3.6.1.4.1.1.1", 4, bytes(600)))
    message = sender(who).message(snmp_pdu.encode_pdu(snmp_pdu.INFORM, 99, long))
    record = snmp.parse_notification(message, access(who), NOW)
    pdu = opened(record.response, who)[3].enter(snmp_pdu.RESPONSE)
    assert [pdu.integer() for _ in range(3)] == [99, snmp_pdu.TOO_BIG, 0]
    assert pdu.data[pdu.pos : pdu.end] == b"\x30\x00"


@pytest.mark.conformance("RFC 3414 §3.2", "an INFORM outside our time window is told our time")
@pytest.mark.parametrize(
    ("boots", "started_at"), [(3, NOW - 1000), (5, NOW - 1000), (4, NOW - 1151), (4, NOW - 849)]
)  # fmt: skip
def test_an_inform_outside_our_time_window_is_refused_and_told_our_time(boots, started_at):
    who = user()
    message = sender(who, boots, started_at).message(INFORM, flags=usm.REPORTABLE_FLAG)
    table = access(who)
    with pytest.raises(ParseError) as caught:
        snmp.parse_notification(message, table, NOW)
    assert caught.value.reason is RejectReason.NOT_IN_TIME_WINDOW
    envelope, _, _, scope = opened(snmp.report_for(message, table, NOW, caught.value.reason), user("authNoPriv"))
    # signed, because the sender sets its idea of our clock by it
    assert (envelope.level, envelope.boots, envelope.time) == (usm.AUTH_FLAG, 4, 1000)
    assert reported(scope) == ("1.3.6.1.6.3.15.1.1.2.0", 1)


@pytest.mark.conformance("RFC 3414 §2.2.2", "nobody is in the window of an engine whose boots are used up")
def test_nobody_is_in_the_window_of_an_engine_whose_boots_are_latched():
    who = user()
    table = access(who, boots=usm.MAX_BOOTS)
    message = sender(who, usm.MAX_BOOTS).message(INFORM)
    with pytest.raises(ParseError) as caught:
        snmp.parse_notification(message, table, NOW)
    assert caught.value.reason is RejectReason.NOT_IN_TIME_WINDOW


def reported(scope):
    """Counter name and value of a Report."""
    pdu = scope.enter(snmp_pdu.REPORT)
    for _ in range(3):
        pdu.integer()
    (bound,) = snmp_pdu.read_varbinds(pdu)
    return bound.oid, bound.value


# --- reports -------------------------------------------------------------------------------------------------------


def probe(flags=usm.REPORTABLE_FLAG):
    """What a sender begins with: no engine, no user (RFC 3414 section 4)."""
    params = encode_sequence(b"\x04\x00", encode_integer(0), encode_integer(0), b"\x04\x00", b"\x04\x00", b"\x04\x00")
    header = encode_sequence(encode_integer(7), encode_integer(65507), bytes((4, 1, flags)), encode_integer(3))
    scoped = snmp_v3.encode_scope(b"", b"", DISCOVERY)
    return encode_sequence(encode_integer(3), header, bytes((4, len(params))) + params, scoped)


@pytest.mark.conformance("RFC 3414 §4", "discovery is answered with our engine ID")
def test_discovery_is_refused_and_told_who_we_are():
    table = access(user())
    for count in (1, 2):
        report = told(probe(), table)
        outer = Cursor(report).enter()
        outer.integer()
        envelope = snmp_v3.read_envelope(outer)
        assert (envelope.engine_id, envelope.boots, envelope.time) == (OURS, 4, 1000)
        assert (envelope.msg_id, envelope.flags, envelope.user) == (7, 0, b"")
        context_engine, _, scope = snmp_v3.read_scope(report, envelope)
        assert context_engine == OURS
        pdu = Cursor(report, scope.pos).enter(snmp_pdu.REPORT)
        assert pdu.integer() == 31
        assert reported(scope) == ("1.3.6.1.6.3.15.1.1.4.0", count)


@pytest.mark.conformance("RFC 3414 §11.4", "a report is no means to amplify a flood")
def test_a_report_is_smaller_than_twice_what_asked_for_it():
    """A forged source address must not make us a worthwhile amplifier."""
    assert len(told(probe(), access())) < 2 * len(probe())


@pytest.mark.conformance("RFC 3412 §7.2", "who does not ask gets no report")
def test_who_does_not_ask_gets_no_report():
    assert told(probe(flags=0), access()) is None
    assert told(Device(user()).message(), access()) is None


@pytest.mark.conformance("RFC 3412 §7.2", "what is no version 3 message gets no report")
@pytest.mark.parametrize("message", [b"", b"garbage", some.v2c(), some.v1(), probe()[:-1]])
def test_what_is_no_v3_message_gets_no_report(message):
    assert told(message, snmp.Access([])) is None


OTHER_AUTH = usm.User("fw", "authPriv", "SHA256", b"other-password", "AES128", b"priv-password")


@pytest.mark.conformance("RFC 3414 §5", "each failure is reported with its counter")
@pytest.mark.parametrize(
    ("message", "who", "counter"),
    [
        (inform(user()), user("authNoPriv"), 1),
        (inform(user(), name="mallory"), user(), 3),
        (Device(user()).message(INFORM, flags=usm.REPORTABLE_FLAG), user(), 4),
        (inform(OTHER_AUTH), user(), 5),
    ],
)
def test_each_failure_has_its_counter(message, who, counter):
    table = access(who)
    report = told(message, table)
    outer = Cursor(report).enter()
    outer.integer()
    envelope = snmp_v3.read_envelope(outer)
    assert envelope.level == 0
    assert reported(snmp_v3.read_scope(report, envelope)[2]) == (f"1.3.6.1.6.3.15.1.1.{counter}.0", 1)


def test_too_low_a_level_is_not_reported():
    message = sender(user()).message(INFORM, level="noAuthNoPriv", flags=usm.REPORTABLE_FLAG)
    assert told(message, access(user())) is None
