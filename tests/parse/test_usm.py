"""Users, engine clocks, and the checks that an SNMPv3 message has to pass."""

import json

import pytest
import snmp_strategies as some
from hypothesis import given
from hypothesis import strategies as st
from snmp_strategies import DEVICE_ENGINE, NOW, OTHER_ENGINE, Device, user

from eventd.errors import ParseError, RejectReason
from eventd.model import VarBind
from eventd.parse import snmp, snmp_pdu, usm, usm_keys
from eventd.parse.engines import Engines


def access(*users, **more):
    return snmp.Access([], users, **more)


def parse(message, table, now=NOW):
    return snmp.parse_notification(message, table, now)


def refusal(message, table, now=NOW):
    with pytest.raises(ParseError) as caught:
        parse(message, table, now)
    return caught.value.reason


# --- users ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, "name: must have"),
        ({"name": "x" * 33}, "name: must have"),
        ({"level": "high"}, "level: 'high' is none of"),
        ({"auth": None, "auth_password": None}, "auth: is missing, level authPriv needs it"),
        ({"priv": None}, "priv: is missing, level authPriv needs it"),
        ({"auth": "CRC32"}, "unknown protocol 'CRC32'"),
        ({"priv": "ROT13"}, "unknown protocol 'ROT13'"),
        ({"auth_password": b"short"}, "auth_password: must have at least 8"),
        ({"priv_password": None}, "priv_password: must have at least 8"),
        ({"level": "noAuthNoPriv", "auth": None}, "priv: needs auth"),
        ({"engine_id": b"1234"}, "engine_id: must have 5 to 32"),
    ],
)
def test_a_user_that_does_not_fit_together_is_refused(fields, fault):
    good = {
        "name": "fw", "level": "authPriv", "auth": "SHA256", "auth_password": b"auth-password", "priv": "AES128",
        "priv_password": b"priv-password",
    }  # fmt: skip
    usm.User(**good)
    with pytest.raises(ValueError, match=fault):
        usm.User(**good | fields)


def test_all_faults_of_a_user_are_told_at_once():
    with pytest.raises(ValueError, match=r"name: must .*; auth: is missing, .*; priv: is missing, "):
        usm.User("", "authPriv")


def test_passwords_do_not_show():
    assert "password" not in repr(user())


def test_a_user_listed_twice_for_one_engine_is_refused():
    with pytest.raises(ValueError, match="'fw' is listed twice"):
        access(user(), user("authNoPriv"))
    access(user(), user(engine_id=DEVICE_ENGINE))


def test_our_engine_id_has_to_be_one():
    with pytest.raises(ValueError, match="engine_id must have"):
        snmp.Access([], engine_id=b"1234")


# --- levels --------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §3.2", "a trap at each security level")
@pytest.mark.parametrize("level", usm.LEVELS)
def test_a_trap_of_each_level_becomes_a_record(level):
    message = Device(user(level)).message()
    record = parse(message, access(user(level)))
    assert (record.version, record.user, record.level, record.engine_id) == ("v3", "fw", level, DEVICE_ENGINE)
    assert (record.context, record.oid, record.uptime) == ("vsys1", some.TUNNEL_STOP, 123456)
    assert record.varbinds == tuple(VarBind(*row) for row in some.STOP_VARBINDS)
    assert (record.raw, record.inform) == (message, False)


@pytest.mark.conformance("RFC 7860 §4", "every pair of authentication and privacy protocols")
@pytest.mark.parametrize("auth", usm_keys.AUTH)
@pytest.mark.parametrize("priv", usm_keys.PRIV)
def test_every_pair_of_protocols_works(auth, priv):
    who = user(auth=auth, priv=priv)
    assert parse(Device(who).message(), access(who)).oid == some.TUNNEL_STOP


@pytest.mark.conformance("RFC 3414 §3.2", "the configured level is a floor")
@pytest.mark.parametrize(
    ("configured", "sent"), [("authPriv", "noAuthNoPriv"), ("authPriv", "authNoPriv"), ("authNoPriv", "noAuthNoPriv")]
)
def test_the_configured_level_is_a_floor(configured, sent):
    """The way past gosnmp's listener: the right user name, and flags that ask for no check."""
    assert refusal(Device(user(configured)).message(level=sent), access(user(configured))) is RejectReason.LEVEL_TOO_LOW


def test_more_than_the_floor_is_welcome():
    who = user()
    relaxed = usm.User(who.name, "noAuthNoPriv", who.auth, who.auth_password, who.priv, who.priv_password)
    for level in usm.LEVELS:
        assert parse(Device(who).message(level=level), access(relaxed)).level == level


@pytest.mark.parametrize(("configured", "sent"), [("noAuthNoPriv", "authNoPriv"), ("authNoPriv", "authPriv")])
def test_a_level_beyond_what_the_user_can_do_is_unsupported(configured, sent):
    assert refusal(Device(user(sent)).message(), access(user(configured))) is RejectReason.UNSUPPORTED_LEVEL


@pytest.mark.conformance("RFC 3412 §7.2", "encryption without authentication does not exist")
def test_encryption_without_authentication_does_not_exist():
    message = bytearray(Device(user()).message())
    flags_at = message.index(b"\x04\x01\x03\x02\x01\x03") + 2
    message[flags_at] = usm.PRIV_FLAG
    assert refusal(bytes(message), access(user())) is RejectReason.INVALID_MESSAGE


# --- genuineness ---------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §6.3.2", "no octet of an authenticated message can be changed")
@pytest.mark.parametrize("level", ["authNoPriv", "authPriv"])
def test_no_octet_of_an_authenticated_message_can_be_changed(level):
    who = user(level)
    message = Device(who).message()
    for at in range(len(message)):
        forged = bytearray(message)
        forged[at] ^= 1
        with pytest.raises(ParseError):
            parse(bytes(forged), access(who))


@pytest.mark.conformance("RFC 3414 §6.3.2", "a digest of any other size or value is wrong")
@pytest.mark.parametrize("digest", [b"", bytes(24), bytes(12), bytes(32)])
def test_a_digest_of_any_other_size_or_value_is_wrong(digest):
    """An empty msgAuthenticationParameters must not pass for a checked one."""
    device = Device(user("authNoPriv"))
    cut = usm_keys.AuthProtocol("sha256", len(digest)) if digest else None
    device.account = usm.Account(device.account.user, usm.AUTH_FLAG, usm.AUTH_FLAG, cut, None)
    message = device.message()
    if len(digest) == 24:
        message = message.replace(_digest_of(message), digest)
    assert refusal(message, access(user("authNoPriv"))) is RejectReason.WRONG_DIGEST


def _digest_of(message):
    at = message.index(b"\x04\x18") + 2
    return message[at : at + 24]


def test_a_wrong_password_is_a_wrong_digest():
    other = usm.User("fw", "authPriv", "SHA256", b"other-password", "AES128", b"priv-password")
    assert refusal(Device(other).message(), access(user())) is RejectReason.WRONG_DIGEST


@pytest.mark.conformance("RFC 3414 §3.2", "a wrong privacy password is a decryption error")
@pytest.mark.parametrize("priv", ["AES128", "DES"])
def test_a_wrong_privacy_password_is_a_decryption_error(priv):
    other = usm.User("fw", "authPriv", "SHA256", b"auth-password", priv, b"other-password")
    assert refusal(Device(other).message(), access(user(priv=priv))) is RejectReason.DECRYPTION_ERROR


def test_nothing_is_decrypted_or_learned_before_the_digest_is_right(monkeypatch):
    def must_not(*_args):
        raise AssertionError("decrypted")

    monkeypatch.setattr(usm_keys, "decrypt", must_not)
    table = access(user())
    message = bytearray(Device(user()).message())
    message[-1] ^= 1
    assert refusal(bytes(message), table) is RejectReason.WRONG_DIGEST
    assert len(table.engines) == 0


@pytest.mark.conformance("RFC 3414 §3.2", "a stranger is an unknown user")
def test_a_stranger_is_an_unknown_user():
    assert refusal(Device(user()).message(name="mallory"), access(user())) is RejectReason.UNKNOWN_USER
    assert refusal(Device(user()).message(), access()) is RejectReason.UNKNOWN_USER


def test_a_hostile_name_does_not_flood_the_log():
    device = Device(user("noAuthNoPriv"))
    with pytest.raises(ParseError) as caught:
        parse(device.message(name="x" * 60_000), access(user()))
    assert caught.value.reason is RejectReason.UNKNOWN_USER
    assert len(str(caught.value)) < 200


@pytest.mark.conformance("RFC 3412 §7.2", "another security model is refused")
def test_another_security_model_is_refused():
    message = Device(user()).message().replace(b"\x04\x01\x03\x02\x01\x03", b"\x04\x01\x03\x02\x01\x02")
    assert refusal(message, access(user())) is RejectReason.UNKNOWN_SECURITY_MODEL


# --- engines -------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §3.2", "engines are learned from genuine messages only")
def test_engines_are_learned_from_genuine_messages_only():
    table = access(user(), user("noAuthNoPriv", "open"))
    parse(Device(user("noAuthNoPriv", "open")).message(), table)
    assert len(table.engines) == 0
    parse(Device(user()).message(), table)
    parse(Device(user(), OTHER_ENGINE).message(), table)
    assert list(table.engines.snapshot()) == [DEVICE_ENGINE.hex(), OTHER_ENGINE.hex()]


@pytest.mark.conformance("RFC 3414 §2.6", "a user bound to an engine speaks for no other")
def test_a_user_bound_to_an_engine_speaks_for_no_other():
    table = access(user(engine_id=DEVICE_ENGINE))
    assert parse(Device(user()).message(), table).engine_id == DEVICE_ENGINE
    assert refusal(Device(user(), OTHER_ENGINE).message(), table) is RejectReason.UNKNOWN_ENGINE


@pytest.mark.conformance("RFC 3414 §2.6", "one name may have another password at each engine")
def test_one_name_may_have_another_password_at_each_engine():
    there = usm.User("fw", "authNoPriv", "SHA", b"another-password", engine_id=OTHER_ENGINE)
    table = access(user(), there)
    assert parse(Device(user()).message(), table).level == "authPriv"
    assert parse(Device(there, OTHER_ENGINE).message(), table).level == "authNoPriv"
    assert refusal(Device(user(), OTHER_ENGINE).message(), table) is RejectReason.UNSUPPORTED_LEVEL


@pytest.mark.parametrize("engine_id", [b"", bytes(33)])
def test_an_engine_id_of_an_impossible_size_is_unknown(engine_id):
    device = Device(user())
    device.usm.engine_id = engine_id
    assert refusal(device.message(), access(user())) is RejectReason.UNKNOWN_ENGINE


def test_the_table_of_engines_is_bounded_and_forgets_the_one_unheard_for_longest():
    clocks = Engines(limit=2)
    for number, engine in enumerate((b"a", b"b", b"a", b"c")):
        assert clocks.in_window(engine, 1, 100 + number, NOW)
    assert list(clocks.snapshot()) == [b"a".hex(), b"c".hex()]


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §2.2.3", "a message up to 150 s late is taken and a later one is not")
def test_a_message_up_to_150_s_late_is_taken_and_a_later_one_is_not():
    table = access(user())
    early = Device(user()).message()
    parse(Device(user()).message(now=NOW + 10), table, NOW + 10)
    assert parse(early, table, NOW + 150)
    assert refusal(early, table, NOW + 151) is RejectReason.NOT_IN_TIME_WINDOW


@pytest.mark.conformance("RFC 3414 §2.2.2", "boots going backwards are refused")
def test_boots_going_backwards_are_refused_until_the_engine_is_forgotten():
    table = access(user())
    parse(Device(user(), boots=8).message(), table)
    reset = Device(user(), boots=7).message()
    assert refusal(reset, table) is RejectReason.NOT_IN_TIME_WINDOW
    table.engines.forget(DEVICE_ENGINE)
    assert parse(reset, table)


@pytest.mark.conformance("RFC 3414 §2.2.2", "a reboot starts a new time")
def test_a_reboot_starts_a_new_time():
    table = access(user())
    parse(Device(user()).message(), table)
    rebooted = Device(user(), boots=8, booted_at=NOW + 20)
    assert parse(rebooted.message(now=NOW + 30), table, NOW + 30)
    assert refusal(Device(user()).message(now=NOW + 31), table, NOW + 31) is RejectReason.NOT_IN_TIME_WINDOW


@pytest.mark.conformance("RFC 3414 §2.2.2", "an engine whose boots are used up is refused")
def test_an_engine_whose_boots_are_latched_is_refused():
    message = Device(user(), boots=usm.MAX_BOOTS).message()
    assert refusal(message, access(user())) is RejectReason.NOT_IN_TIME_WINDOW


@pytest.mark.conformance("RFC 3414 §2.3", "without authentication time does not matter")
def test_without_authentication_time_does_not_matter():
    who = user("noAuthNoPriv")
    table = access(who)
    for boots in (9, 3, usm.MAX_BOOTS):
        assert parse(Device(who, boots=boots).message(), table)


@pytest.mark.conformance("RFC 3414 §2.2.2", "clocks of engines survive a restart")
def test_clocks_survive_a_restart():
    table = access(user())
    parse(Device(user(), boots=8).message(), table)
    after = access(user())
    after.engines.restore(json.loads(json.dumps(table.engines.snapshot())))
    assert after.engines.snapshot() == table.engines.snapshot()
    assert refusal(Device(user(), boots=7).message(), after) is RejectReason.NOT_IN_TIME_WINDOW


def test_restoring_an_old_snapshot_turns_no_clock_back():
    clocks = Engines()
    clocks.in_window(b"engine", 5, 100, NOW)
    clocks.restore({b"engine".hex(): (4, 999, NOW)})
    assert clocks.snapshot()[b"engine".hex()][:3] == (5, 100, NOW)
    clocks.restore({b"engine".hex(): (5, 101, NOW)})
    assert clocks.snapshot()[b"engine".hex()][:3] == (5, 101, NOW)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1000), st.integers(0, 400)), min_size=1, max_size=20),
)
def test_boots_and_time_of_an_engine_never_go_back(heard):
    clocks, now, last = Engines(), NOW, (0, 0)
    for boots, time, later in heard:
        now += later
        taken = clocks.in_window(b"engine", boots, time, now)
        known = clocks.snapshot()[b"engine".hex()][:2]
        assert known >= last
        assert taken or (boots, time) <= known
        last = known


@pytest.mark.conformance("RFC 3414 §2.2.2", "our own boots and time count on")
def test_our_clock_counts_from_the_start_and_boots_again_when_time_is_used_up():
    table = usm.Usm([], snmp.DEFAULT_ENGINE_ID, boots=3, started_at=NOW)
    assert table.clock(NOW + 61.9) == (3, 61)
    assert table.clock(NOW - 5) == (3, 0)
    assert table.clock(NOW + 2**31 + 7) == (4, 7)
    assert usm.Usm([], snmp.DEFAULT_ENGINE_ID).clock(NOW) == (1, int(NOW))


# --- oddities of real senders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", usm.LEVELS)
def test_a_v1_pdu_in_a_v3_message_is_refused_by_name(level):
    message = Device(user(level)).message(some.pdu_v1(listed=some.STOP))
    assert refusal(message, access(user(level))) is RejectReason.WRONG_PDU_VERSION


def test_padding_behind_encrypted_contents_is_no_error():
    for number in range(8):
        pdu = snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, some.bindings(some.name(f"1.3.6.1.4.1.1{'.1' * number}")))
        who = user(priv="DES")
        assert parse(Device(who).message(pdu), access(who))


def test_a_place_inside_encrypted_contents_is_counted_from_the_start_of_the_message():
    pdu = snmp_pdu.encode_pdu(snmp_pdu.TRAP_V2, 1, some.bindings(some.UPTIME, b"\x05\x00"))
    message = Device(user()).message(pdu)
    with pytest.raises(ParseError) as caught:
        parse(message, access(user()))
    assert caught.value.reason is RejectReason.BAD_VARBIND
    assert caught.value.offset == len(message) - 2


def test_another_pdu_is_no_notification():
    pdu = snmp_pdu.encode_pdu(0xA0, 1, some.bindings())
    assert refusal(Device(user()).message(pdu), access(user())) is RejectReason.NOT_NOTIFICATION


def test_localised_keys_are_derived_once_per_engine():
    table = access(user())
    for later in range(3):
        parse(Device(user()).message(now=NOW + later), table, NOW + later)
    assert table.usm.auth_key.cache_info().misses == 1
    assert table.usm.priv_key.cache_info().misses == 1


@pytest.mark.conformance("RFC 3414 §A.2", "a password is expanded to a megabyte once, however many engines use it")
def test_a_password_is_expanded_once_for_a_whole_fleet():
    who = usm.User("fw", "authPriv", "SHA256", b"a password of this test", "AES128", b"another of this test")
    devices = [Device(who, b"\x80\x00\x07\xdb\x03" + number.to_bytes(6, "big")) for number in range(100)]
    messages = [device.message() for device in devices]
    usm_keys.master_key.cache_clear()
    table = access(who)
    for message in messages:
        parse(message, table)
    assert usm_keys.master_key.cache_info().misses == 2
