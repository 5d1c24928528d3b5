"""SNMP messages for tests: hand-made, generated, and damaged on purpose."""

import random
from collections import Counter

from hypothesis import strategies as st

from eventd.errors import ParseError
from eventd.model import Syntax, TrapRecord
from eventd.parse import snmp, snmp_v3, usm
from eventd.parse.ber import encode_integer, encode_octets, encode_oid, encode_sequence, encode_tlv
from eventd.parse.snmp_pdu import INFORM, SNMP_TRAP_OID, SYS_UP_TIME, TRAP_V1, TRAP_V2, encode_pdu

#: HUAWEI-SECURITY-IPSEC-MIB
BASE = "1.3.6.1.4.1.2011.6.122.26"
TUNNEL_STOP = f"{BASE}.6.2"
NOW = 1_790_000_000.0
DEVICE_ENGINE = bytes.fromhex("800007db03e0282f112233")
OTHER_ENGINE = bytes.fromhex("800007db03e0282f445566")

NUMBERS = (Syntax.INTEGER, Syntax.COUNTER32, Syntax.GAUGE32, Syntax.TIME_TICKS, Syntax.COUNTER64, Syntax.UINTEGER32)
UNSIGNED = NUMBERS[1:]
EMPTY = (Syntax.NULL, Syntax.NO_SUCH_OBJECT, Syntax.NO_SUCH_INSTANCE, Syntax.END_OF_MIB_VIEW)


def value(syntax, content):
    """An encoded value as `eventd.model.VarBind` would hold it."""
    if syntax in NUMBERS:
        return encode_integer(content, syntax)
    if syntax is Syntax.OBJECT_IDENTIFIER:
        return encode_oid(content)
    if syntax is Syntax.IP_ADDRESS:
        return encode_tlv(syntax, bytes(map(int, content.split("."))))
    return encode_tlv(syntax, content or b"")


def bind(oid, syntax, content):
    return encode_sequence(encode_oid(oid), value(syntax, content))


def bindings(*binds):
    return encode_sequence(*binds)


UPTIME = bind(SYS_UP_TIME, Syntax.TIME_TICKS, 123456)


def name(oid=TUNNEL_STOP):
    return bind(SNMP_TRAP_OID, Syntax.OBJECT_IDENTIFIER, oid)


STOP_ROW = "12.10.83"
STOP_VARBINDS = (
    (f"{BASE}.2.1.1.{STOP_ROW}", Syntax.GAUGE32, 12),
    (f"{BASE}.2.1.2.{STOP_ROW}", Syntax.GAUGE32, 10),
    (f"{BASE}.2.1.3.{STOP_ROW}", Syntax.GAUGE32, 83),
    (f"{BASE}.2.1.4.{STOP_ROW}", Syntax.GAUGE32, 5),
    (f"{BASE}.2.1.5.{STOP_ROW}", Syntax.OCTET_STRING, b"2.1.1.1"),
    (f"{BASE}.2.1.6.{STOP_ROW}", Syntax.OCTET_STRING, b"10.1.2.0"),
    (f"{BASE}.2.1.7.{STOP_ROW}", Syntax.GAUGE32, 500),
    (f"{BASE}.2.1.21.{STOP_ROW}", Syntax.OCTET_STRING, b"1.1.1.1"),
    (f"{BASE}.2.1.30.{STOP_ROW}", Syntax.OCTET_STRING, b"10.1.1.0/255.255.255.0 -> 10.1.2.0/255.255.255.0"),
    (f"{BASE}.5.12.0", Syntax.OCTET_STRING, b"dpd timeout"),
    (f"{BASE}.5.13.0", Syntax.OCTET_STRING, b"Public"),
    (f"{BASE}.5.14.0", Syntax.OCTET_STRING, b"GigabitEthernet0/0/1"),
)
#: With uptime and name: 14 varbinds.
STOP = bindings(UPTIME, name(), *(bind(*row) for row in STOP_VARBINDS))


def community_message(version, community, pdu):
    return encode_sequence(encode_integer(version), encode_octets(community), pdu)


def v2c(listed=STOP, *, tag=TRAP_V2, community=b"public", request_id=0x01020304):
    return community_message(1, community, encode_pdu(tag, request_id, listed))


def pdu_v1(
    *, enterprise=f"{BASE}.6", generic=6, specific=2, agent="192.0.2.7", uptime=123456, listed=b"\x30\x00"
):  # fmt: skip
    return encode_tlv(
        TRAP_V1,
        encode_oid(enterprise)
        + value(Syntax.IP_ADDRESS, agent)
        + encode_integer(generic)
        + encode_integer(specific)
        + encode_integer(uptime, Syntax.TIME_TICKS)
        + listed,
    )


def v1(*, version=0, community=b"public", **fields):
    return community_message(version, community, pdu_v1(**fields))


def user(level="authPriv", name="fw", auth="SHA256", priv="AES128", engine_id=None):
    """A user with the usual passwords; protocols are left out where the level needs none."""
    flags = usm.LEVELS[level]
    return usm.User(
        name,
        level,
        auth if flags & usm.AUTH_FLAG else None,
        b"auth-password" if flags & usm.AUTH_FLAG else None,
        priv if flags & usm.PRIV_FLAG else None,
        b"priv-password" if flags & usm.PRIV_FLAG else None,
        engine_id,
    )


class Device:
    """A sender of v3 messages: its engine booted at ``booted_at`` for the ``boots``-th time."""

    def __init__(self, who, engine_id=DEVICE_ENGINE, boots=7, booted_at=NOW - 5000):
        self.usm = usm.Usm([who], engine_id, boots, booted_at)
        self.account = usm.Account.of(who)

    def message(self, pdu=None, *, now=NOW, level=None, name=None, msg_id=77, flags=0, context_engine=None):
        """A v3 message around a PDU, by default the tunnel stop; ``level`` and ``name`` may lie."""
        pdu = encode_pdu(TRAP_V2, 99, STOP) if pdu is None else pdu
        scoped = snmp_v3.encode_scope(self.usm.engine_id if context_engine is None else context_engine, b"vsys1", pdu)
        level = usm.LEVELS[level or self.account.user.level]
        who = (name or self.account.user.name).encode()
        return snmp_v3.build_message(self.usm, self.account, who, level, msg_id, scoped, now, flags)


USERS = (
    user(),
    user("authNoPriv", "fw-auth", "SHA"),
    user("noAuthNoPriv", "fw-open"),
    user("authPriv", "fw-des", "MD5", "DES"),
)


def access():
    return snmp.Access(["public", "second"], USERS)


def seeds():
    """One good message of every kind."""
    inform = encode_pdu(INFORM, 5, STOP)
    ours = [Device(who, snmp.DEFAULT_ENGINE_ID, 1, 0.0).message(inform, flags=usm.REPORTABLE_FLAG) for who in USERS]
    theirs = [Device(who).message() for who in USERS]
    return [
        v2c(),
        v2c(tag=INFORM),
        v1(listed=bindings(*(bind(*row) for row in STOP_VARBINDS))),
        v1(generic=2),
        *ours,
        *theirs,
    ]


# --- hypothesis ----------------------------------------------------------------------------------------------------

sub_ids = st.integers(0, 2**32 - 1)
oids = st.builds(
    lambda first, second, rest: ".".join(map(str, (first, second, *rest))),
    st.integers(0, 1),
    st.integers(0, 39),
    st.lists(sub_ids, max_size=126),
) | st.builds(
    lambda second, rest: ".".join(map(str, (2, second, *rest))), st.integers(0, 2**32 - 81), st.lists(sub_ids)
)
addresses = st.tuples(*[st.integers(0, 255)] * 4).map(lambda octets: ".".join(map(str, octets)))
contents = st.one_of(
    st.tuples(st.just(Syntax.INTEGER), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.sampled_from(UNSIGNED), st.integers(0, 2**64 - 1)),
    st.tuples(st.sampled_from((Syntax.OCTET_STRING, Syntax.OPAQUE)), st.binary(max_size=300)),
    st.tuples(st.just(Syntax.OBJECT_IDENTIFIER), oids),
    st.tuples(st.just(Syntax.IP_ADDRESS), addresses),
    st.tuples(st.sampled_from(EMPTY), st.none()),
)
varbinds = st.tuples(oids, contents).map(lambda pair: (pair[0], *pair[1]))


# --- damage --------------------------------------------------------------------------------------------------------


def damage(message, rng):
    """A copy with a few octets changed, cut out, repeated or put in: more often near the front, where the headers are,
    and half of the time without a change of length, so that the damage is met far inside."""
    octets = bytearray(message)
    same_length = rng.random() < 0.5
    for _ in range(rng.randrange(1, 4)):
        at = min(rng.randrange(len(octets) + 1), rng.randrange(len(octets) + 1))
        kind = 3 if same_length else rng.randrange(4)
        if kind == 0:
            octets[at : at + rng.randrange(4)] = b""
        elif kind == 1:
            octets[at:at] = rng.randbytes(rng.randrange(1, 5))
        elif kind == 2:
            octets[at:] = b""
        elif at < len(octets):
            octets[at] = rng.choice((0, 1, 0x30, 0x7F, 0x80, 0x84, 0xFF, octets[at] ^ 1 << rng.randrange(8)))
    return bytes(octets)


def outcome(message, table):
    """``accepted`` or the reason of the refusal. An exception other than `ParseError` gets out."""
    try:
        record = snmp.parse_notification(message, table, NOW)
    except ParseError as error:
        refusal = error
    else:
        assert isinstance(record, TrapRecord)
        return "accepted"
    assert 0 <= refusal.offset <= len(message), refusal
    assert isinstance(snmp.report_for(message, table, NOW, refusal.reason), bytes | None)
    return refusal.reason


def fuzz_snmp(n, seed):
    """Feed ``n`` damaged messages to everything that reads from the wire, a third of them damaged before they were
    signed and encrypted; how often each outcome came."""
    rng = random.Random(seed)
    table, whole, devices = access(), seeds(), [Device(who) for who in USERS]
    pdus = [encode_pdu(TRAP_V2, 5, STOP), encode_pdu(INFORM, 5, STOP), pdu_v1(listed=STOP)]
    outcomes = Counter()
    for _ in range(n):
        message = damage(rng.choice(whole), rng)
        if rng.random() < 1 / 3:
            pdu = damage(rng.choice(pdus), rng)
            message = rng.choice(devices).message(pdu) if rng.random() < 0.5 else community_message(1, b"public", pdu)
        snmp.transport_of(message)
        outcomes[outcome(message, table)] += 1
    return outcomes
