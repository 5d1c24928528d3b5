"""Traps and informs made by pysnmp are read by our own parser, and say what they were told to say."""

import ipaddress
import subprocess
import time

import pytest
from peers import peer
from trapsink import TrapSink

from eventd.contract import TrapTemplate, WireVar
from eventd.model import Syntax, TrapRecord
from eventd.parse.snmp import Access, parse_notification
from eventd.parse.usm import User
from eventd.sender.templates import SendError
from eventd.sender.traps import AUTH, DEFAULT_ENGINE_ID, PRIV, Engine, Identity, Series, bindings, trap_v1, trap_v2c

B = "1.3.6.1.4.1.2011.6.122.26"
STOP = TrapTemplate(
    event="ipsec.tunnel.stop",
    oid=f"{B}.6.2",
    notification="hwIPSecTunnelStop",
    varbinds=(
        WireVar(f"{B}.2.1.1", Syntax.GAUGE32, "ifindex", 12, True),
        WireVar(f"{B}.2.1.2", Syntax.GAUGE32, "policy_seq", "10", True),
        WireVar(f"{B}.2.1.3", Syntax.GAUGE32, "tunnel_index", 83, True),
        WireVar(f"{B}.2.1.5", Syntax.OCTET_STRING, "peer", "203.0.113.7", True),
        WireVar(f"{B}.2.1.6", Syntax.OCTET_STRING, "inside", None, True),
        WireVar(f"{B}.5.12", Syntax.OCTET_STRING, "reason", "dpd timeout"),
    ),
    v1_enterprise=f"{B}.6",
    v1_generic=6,
    v1_specific=2,
)
SYNTAXES = TrapTemplate(
    event="x",
    oid="1.3.6.1.4.1.32473.1",
    notification="everySyntax",
    varbinds=(
        WireVar("1.3.6.1.4.1.32473.2.1", Syntax.INTEGER, "integer", -5),
        WireVar("1.3.6.1.4.1.32473.2.2", Syntax.OCTET_STRING, "octets", "0xc0000207"),
        WireVar("1.3.6.1.4.1.32473.2.3", Syntax.OBJECT_IDENTIFIER, "oid", "1.3.6.1"),
        WireVar("1.3.6.1.4.1.32473.2.4", Syntax.IP_ADDRESS, "address", "192.0.2.7"),
        WireVar("1.3.6.1.4.1.32473.2.5", Syntax.COUNTER32, "counter", 4_294_967_295),
        WireVar("1.3.6.1.4.1.32473.2.6", Syntax.GAUGE32, "gauge", 4_294_967_295),
        WireVar("1.3.6.1.4.1.32473.2.7", Syntax.TIME_TICKS, "ticks", 1),
        WireVar("1.3.6.1.4.1.32473.2.8", Syntax.COUNTER64, "counter64", 2**64 - 1),
        WireVar("1.3.6.1.4.1.32473.2.9", Syntax.OCTET_STRING, "text", "隧道"),
    ),
    v1_enterprise="1.3.6.1.4.1.32473",
    v1_generic=6,
    v1_specific=1,
)
PUBLIC = Access(["public"])


def read(payload: bytes, access: Access = PUBLIC) -> TrapRecord:
    return parse_notification(payload, access, time.time())


def values(record: TrapRecord) -> dict[str, int | bytes | str | None]:
    return {varbind.oid: varbind.value for varbind in record.varbinds}


EXPECTED = {
    f"{B}.2.1.1.12.10.83": 12,
    f"{B}.2.1.2.12.10.83": 10,
    f"{B}.2.1.3.12.10.83": 83,
    f"{B}.2.1.5.12.10.83": b"198.51.100.4",
    f"{B}.5.12.0": b"peer request",
}
GIVEN = {"peer": "198.51.100.4", "reason": "peer request"}


def test_a_v2c_trap_says_what_it_was_told() -> None:
    record = read(trap_v2c(STOP, GIVEN, "public").next())
    assert (record.version, record.oid, record.inform) == ("v2c", STOP.oid, False)
    assert values(record) == EXPECTED


def test_a_v1_trap_names_enterprise_specific_and_agent() -> None:
    record = read(trap_v1(STOP, GIVEN, "public", "192.0.2.77").next())
    assert (record.version, record.lookup[0], record.agent) == ("v1", STOP.oid, "192.0.2.77")
    assert values(record) == EXPECTED


def test_without_suffix_objects_are_sent_bare() -> None:
    record = read(trap_v2c(STOP, GIVEN, "public", suffix=False).next())
    assert list(values(record)) == [f"{B}.2.1.1", f"{B}.2.1.2", f"{B}.2.1.3", f"{B}.2.1.5", f"{B}.5.12"]


def test_the_row_index_follows_the_values_given() -> None:
    given = {"ifindex": "7", "policy_seq": "1", "tunnel_index": "4000000000"}
    assert f"{B}.2.1.5.7.1.4000000000" in dict(bindings(STOP, given))


def test_every_syntax_travels() -> None:
    record = read(trap_v2c(SYNTAXES, {}, "public").next())
    assert [(varbind.syntax, varbind.value) for varbind in record.varbinds] == [
        (Syntax.INTEGER, -5),
        (Syntax.OCTET_STRING, ipaddress.ip_address("192.0.2.7").packed),
        (Syntax.OBJECT_IDENTIFIER, "1.3.6.1"),
        (Syntax.IP_ADDRESS, "192.0.2.7"),
        (Syntax.COUNTER32, 4_294_967_295),
        (Syntax.GAUGE32, 4_294_967_295),
        (Syntax.TIME_TICKS, 1),
        (Syntax.COUNTER64, 2**64 - 1),
        (Syntax.OCTET_STRING, "隧道".encode()),
    ]


def test_values_that_do_not_fit_are_all_named() -> None:
    with pytest.raises(SendError) as caught:
        bindings(SYNTAXES, {"integer": "many", "address": "2001:db8::1", "gauge": "-1", "octets": "0xZZ"})
    assert [part.split(":")[0] for part in str(caught.value).split("; ")] == ["integer", "octets", "address", "gauge"]


def test_a_series_numbers_its_traps_and_lets_time_pass() -> None:
    series = trap_v2c(STOP, {}, "public")
    records = [read(series.next()) for _ in range(300)]
    numbers = [record.request_id for record in records]
    assert numbers == list(range(numbers[0], numbers[0] + 300))
    uptimes = [record.uptime or 0 for record in records]
    assert uptimes == sorted(uptimes)
    assert len({record.varbinds for record in records}) == 1


def test_a_series_of_v1_traps_is_readable_throughout() -> None:
    series: Series = trap_v1(STOP, {}, "public", "192.0.2.1")
    assert {read(series.next()).lookup[0] for _ in range(20)} == {STOP.oid}


# --- v3 ------------------------------------------------------------------------------------------------------------


def v3(auth: str = "SHA256", priv: str = "AES128", level: str = "authPriv") -> tuple[Identity, User]:
    auth_key = "authentic-eventd" if level != "noAuthNoPriv" else None
    priv_key = "private-eventd" if level == "authPriv" else None
    identity = Identity(version="3", user="ops", auth=auth, auth_key=auth_key, priv=priv, priv_key=priv_key)
    user = User(
        name="ops",
        level=level,
        auth=auth if auth_key else None,
        auth_password=auth_key.encode() if auth_key else None,
        priv=priv if priv_key else None,
        priv_password=priv_key.encode() if priv_key else None,
    )
    return identity, user


@pytest.mark.parametrize("level", ["noAuthNoPriv", "authNoPriv", "authPriv"])
def test_a_v3_trap_of_every_level(level: str) -> None:
    identity, user = v3(level=level)
    with Engine("trap", identity, "127.0.0.1", 9) as engine:
        records = [read(engine.notify(STOP, GIVEN), access) for access in [Access([], [user])] for _ in range(3)]
    assert {(record.version, record.user, record.level) for record in records} == {("v3", "ops", level)}
    assert {record.engine_id for record in records} == {DEFAULT_ENGINE_ID}
    assert values(records[2]) == EXPECTED


@pytest.mark.parametrize("auth", sorted(AUTH))
def test_every_digest(auth: str) -> None:
    identity, user = v3(auth=auth, level="authNoPriv")
    with Engine("trap", identity, "127.0.0.1", 9) as engine:
        assert values(read(engine.notify(STOP, GIVEN), Access([], [user]))) == EXPECTED


@pytest.mark.parametrize("priv", sorted(PRIV))
def test_every_cipher(priv: str) -> None:
    identity, user = v3(priv=priv)
    with Engine("trap", identity, "127.0.0.1", 9) as engine:
        assert values(read(engine.notify(STOP, GIVEN), Access([], [user]))) == EXPECTED


def test_a_later_run_is_no_replay_of_an_earlier_one() -> None:
    """Two processes with one engine id: the receiver must take both."""
    identity, user = v3()
    access = Access([], [user])
    for _ in range(2):
        with Engine("trap", identity, "127.0.0.1", 9) as engine:
            assert read(engine.notify(STOP, GIVEN), access).engine_id == DEFAULT_ENGINE_ID


def test_the_engine_id_can_be_chosen() -> None:
    identity, user = v3()
    chosen = bytes.fromhex("800007db03000102030405")
    identity = Identity(
        **{name: getattr(identity, name) for name in identity.__struct_fields__} | {"engine_id": chosen}
    )
    with Engine("trap", identity, "127.0.0.1", 9) as engine:
        assert read(engine.notify(STOP, GIVEN), Access([], [user])).engine_id == chosen


# --- informs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_v2c_inform_is_answered(host: str) -> None:
    with TrapSink(Access(["public"]), host) as sink, Engine("inform", Identity(), host, sink.port) as engine:
        sent = [engine.notify(STOP, GIVEN) for _ in range(3)]
        assert sink.payloads == sent
    assert [record.inform for record in sink.records] == [True, True, True]
    assert values(sink.records[0]) == EXPECTED


def test_a_v3_inform_discovers_the_receiver_and_is_answered() -> None:
    identity, user = v3()
    access = Access([], [user], boots=7, started_at=time.time() - 100)
    with TrapSink(access) as sink, Engine("inform", identity, "127.0.0.1", sink.port) as engine:
        engine.notify(STOP, GIVEN)
        engine.notify(STOP, GIVEN)
    assert [(record.inform, record.level) for record in sink.records] == [(True, "authPriv")] * 2
    assert values(sink.records[0]) == EXPECTED


def test_an_inform_without_answer_is_an_error() -> None:
    with (
        TrapSink(Access(["public"]), mute=True) as sink,
        Engine("inform", Identity(), "127.0.0.1", sink.port, timeout=0.3, retries=0) as engine,
        pytest.raises(SendError, match="no answer"),
    ):
        engine.notify(STOP, GIVEN)
    assert len(sink.records) == 1


@pytest.mark.peer
def test_our_v1_trap_is_what_snmptrap_makes() -> None:
    """net-snmp as second witness: the same trap from its command is the same to our parser, time apart."""
    snmptrap = peer("snmptrap")
    with TrapSink(PUBLIC) as sink:
        command = [snmptrap, "-v1", "-c", "public", f"127.0.0.1:{sink.port}", f".{B}.6", "192.0.2.77", "6", "2", "0"]
        for oid, kind, value in [(f".{B}.2.1.1.12.10.83", "u", "12"), (f".{B}.5.12.0", "s", "peer request")]:
            command += [oid, kind, value]
        subprocess.run(command, check=True, timeout=20)
        theirs = sink.wait(1)[0]
    ours = read(trap_v1(STOP, GIVEN, "public", "192.0.2.77").next())
    assert (ours.version, ours.oid, ours.lookup, ours.agent) == (
        theirs.version,
        theirs.oid,
        theirs.lookup,
        theirs.agent,
    )
    assert set(theirs.varbinds) <= set(ours.varbinds)
