"""Real senders over a loopback socket: net-snmp's snmptrap and snmpinform."""

import asyncio
import itertools

import pytest
import snmp_strategies as some
from peers import peer
from snmp_wire import OURS, PATIENCE, received, receiver

from eventd.model import Syntax, VarBind
from eventd.parse import snmp_pdu, usm

pytestmark = pytest.mark.peer

#: Names that Debian's net-snmp 5.9.3 takes → ours.
AUTHS = {"MD5": "MD5", "SHA": "SHA", "SHA-224": "SHA224", "SHA-256": "SHA256", "SHA-384": "SHA384", "SHA-512": "SHA512"}
PRIVS = {
    "DES": "DES", "AES": "AES128", "AES-192": "AES192", "AES-256": "AES256", "AES-192-C": "AES192C",
    "AES-256-C": "AES256C",
}  # fmt: skip
ROW = f"{some.BASE}.2.1.5.12.10.83"
VARBINDS = (ROW, "s", "2.1.1.1", f"{some.BASE}.5.12.0", "s", "dpd timeout", f"{some.BASE}.2.1.7.12.10.83", "u", "500")
EXPECTED = (
    VarBind(ROW, Syntax.OCTET_STRING, b"2.1.1.1"),
    VarBind(f"{some.BASE}.5.12.0", Syntax.OCTET_STRING, b"dpd timeout"),
    VarBind(f"{some.BASE}.2.1.7.12.10.83", Syntax.GAUGE32, 500),
)


async def run(tmp_path, program, *arguments):
    """Exit code and standard error of a net-snmp program that keeps its state under ``tmp_path`` and reads no MIB."""
    environment = {
        "HOME": str(tmp_path),
        "SNMP_PERSISTENT_DIR": str(tmp_path),
        "MIBS": "",
        "SNMPCONFPATH": str(tmp_path),
    }
    (tmp_path / "cert_indexes").mkdir(exist_ok=True)  # else the first run reports that it made it
    process = await asyncio.create_subprocess_exec(
        peer(program), *arguments, env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


def security(level, auth="SHA-256", priv="AES", name="fw"):
    flags = usm.LEVELS[level]
    signed = ["-a", auth, "-A", "auth-password"] if flags & usm.AUTH_FLAG else []
    sealed = ["-x", priv, "-X", "priv-password"] if flags & usm.PRIV_FLAG else []
    return ["-v3", "-u", name, "-l", level, *signed, *sealed]


async def send(tmp_path, where, program, *arguments, oid=some.TUNNEL_STOP):
    target = f"127.0.0.1:{where.port}"
    return await run(tmp_path, program, *arguments, "-t", "2", "-r", "1", target, "4711", oid, *VARBINDS)


@pytest.mark.conformance("RFC 3584 §3.1", "net-snmp's snmptrap, version 1")
async def test_snmptrap_v1(tmp_path):
    async with receiver() as where:
        target = f"127.0.0.1:{where.port}"
        head = ("-v1", "-c", "public", target, f"{some.BASE}.6", "192.0.2.7", "6", "2", "4711")
        assert await run(tmp_path, "snmptrap", *head, *VARBINDS) == (0, "")
        transport, record = await received(where)
    assert (transport, record.version, record.agent, record.uptime) == ("snmp-v1", "v1", "192.0.2.7", 4711)
    assert record.lookup == (some.TUNNEL_STOP, f"{some.BASE}.6.0.2")
    assert record.varbinds == EXPECTED


async def test_snmptrap_v1_generic(tmp_path):
    async with receiver() as where:
        target = f"127.0.0.1:{where.port}"
        head = ("-v1", "-c", "public", target, f"{some.BASE}.6", "192.0.2.7", "2", "0", "4711")
        assert await run(tmp_path, "snmptrap", *head) == (0, "")
        _, record = await received(where)
    assert record.oid == "1.3.6.1.6.3.1.1.5.3"


@pytest.mark.conformance("RFC 3416 §4.2.6", "net-snmp's snmptrap, version 2c")
async def test_snmptrap_v2c(tmp_path):
    async with receiver() as where:
        assert await send(tmp_path, where, "snmptrap", "-v2c", "-c", "public") == (0, "")
        transport, record = await received(where)
    assert (transport, record.oid, record.uptime) == ("snmp-v2c", some.TUNNEL_STOP, 4711)
    assert record.varbinds == EXPECTED


@pytest.mark.conformance("RFC 3416 §4.2.7", "net-snmp's snmpinform is content with our response")
async def test_snmpinform_v2c_is_content_with_our_answer(tmp_path):
    async with receiver() as where:
        assert await send(tmp_path, where, "snmpinform", "-v2c", "-c", "public") == (0, "")
        transport, record = await received(where)
        assert where.records.empty()
    assert (transport, record.inform) == ("snmp-inform", True)
    assert record.varbinds == EXPECTED


async def test_snmpinform_v2c_with_another_community_is_never_answered(tmp_path):
    async with receiver() as where:
        target = f"127.0.0.1:{where.port}"
        arguments = ("-v2c", "-c", "private", "-t", "0.2", "-r", "0", target, "1", some.TUNNEL_STOP)
        code, errors = await run(tmp_path, "snmpinform", *arguments)
    assert code != 0
    assert "Timeout" in errors
    assert where.refusals == ["wrong_community"]


@pytest.mark.conformance("RFC 3414 §3.2", "net-snmp's snmptrap at each security level")
@pytest.mark.parametrize("level", usm.LEVELS)
async def test_snmptrap_v3_at_each_level(tmp_path, level):
    async with receiver(some.user(level)) as where:
        engine = some.DEVICE_ENGINE.hex()
        assert await send(tmp_path, where, "snmptrap", *security(level), "-e", engine, "-Z", "7,5000") == (0, "")
        transport, record = await received(where)
    assert (transport, record.oid, record.level) == ("snmp-v3", some.TUNNEL_STOP, level)
    assert (record.engine_id, record.user, record.varbinds) == (some.DEVICE_ENGINE, "fw", EXPECTED)
    assert where.refusals == []


@pytest.mark.conformance("RFC 7860 §4", "net-snmp's snmptrap with each pair of protocols")
@pytest.mark.parametrize(("auth", "priv"), list(itertools.product(AUTHS, PRIVS)))
async def test_snmptrap_v3_with_each_pair_of_protocols(tmp_path, auth, priv):
    async with receiver(some.user(auth=AUTHS[auth], priv=PRIVS[priv])) as where:
        arguments = (*security("authPriv", auth, priv), "-e", some.DEVICE_ENGINE.hex())
        assert await send(tmp_path, where, "snmptrap", *arguments) == (0, "")
        _, record = await received(where)
    assert (record.level, record.varbinds) == ("authPriv", EXPECTED)


@pytest.mark.conformance("RFC 7860 §4", "net-snmp's snmptrap with each digest and no encryption")
@pytest.mark.parametrize("auth", AUTHS)
async def test_snmptrap_v3_with_each_digest_alone(tmp_path, auth):
    async with receiver(some.user("authNoPriv", auth=AUTHS[auth])) as where:
        arguments = (*security("authNoPriv", auth), "-e", some.DEVICE_ENGINE.hex())
        assert await send(tmp_path, where, "snmptrap", *arguments) == (0, "")
        _, record = await received(where)
    assert (record.level, record.varbinds) == ("authNoPriv", EXPECTED)


@pytest.mark.conformance("RFC 3414 §3.2", "net-snmp without authentication does not get past an authPriv user")
async def test_snmptrap_without_authentication_does_not_get_past_an_authpriv_user(tmp_path):
    async with receiver(some.user()) as where:
        arguments = (*security("noAuthNoPriv"), "-e", some.DEVICE_ENGINE.hex())
        assert await send(tmp_path, where, "snmptrap", *arguments) == (0, "")
        assert await send(tmp_path, where, "snmptrap", *security("authPriv"), "-e", some.DEVICE_ENGINE.hex()) == (0, "")
        _, record = await received(where)
        assert where.records.empty()
    assert (record.level, where.refusals) == ("authPriv", ["level_too_low"])


@pytest.mark.conformance("RFC 3414 §4", "net-snmp's snmpinform discovers us and is content")
@pytest.mark.parametrize("level", usm.LEVELS)
async def test_snmpinform_v3_discovers_us_and_is_content_with_our_answer(tmp_path, level):
    async with receiver(some.user(level)) as where:
        assert await send(tmp_path, where, "snmpinform", *security(level)) == (0, "")
        transport, record = await received(where)
        assert where.records.empty()
    assert (transport, record.inform, record.level, record.varbinds) == ("snmp-v3", True, level, EXPECTED)
    assert "unknown_engine" in where.refusals


@pytest.mark.conformance("RFC 3414 §4", "net-snmp's snmpinform reads our answers with each pair of protocols")
@pytest.mark.parametrize(("auth", "priv"), list(itertools.product(AUTHS, PRIVS)))
async def test_snmpinform_v3_reads_answers_in_each_pair_of_protocols(tmp_path, auth, priv):
    async with receiver(some.user(auth=AUTHS[auth], priv=PRIVS[priv])) as where:
        assert await send(tmp_path, where, "snmpinform", *security("authPriv", auth, priv)) == (0, "")
        assert (await received(where))[1].inform


@pytest.mark.conformance("RFC 3414 §3.2", "net-snmp's snmpinform learns our clock from the report")
async def test_snmpinform_v3_with_an_old_clock_learns_ours_from_the_report(tmp_path):
    async with receiver(some.user()) as where:
        arguments = (*security("authPriv"), "-e", OURS.hex(), "-Z", "1,5")
        assert await send(tmp_path, where, "snmpinform", *arguments) == (0, "")
        _, record = await received(where)
    assert record.inform
    assert where.refusals == ["not_in_time_window"]


@pytest.mark.conformance("RFC 3414 §5", "net-snmp is told that its user is unknown")
async def test_snmpinform_v3_is_told_that_its_user_is_unknown(tmp_path):
    async with receiver(some.user()) as where:
        code, errors = await send(tmp_path, where, "snmpinform", *security("authPriv", name="mallory"))
    assert code != 0
    assert "Unknown user name" in errors


@pytest.mark.conformance("RFC 3414 §5", "net-snmp is told that its password is wrong")
async def test_snmpinform_v3_is_told_that_its_password_is_wrong(tmp_path):
    who = usm.User("fw", "authPriv", "SHA256", b"other-password", "AES", b"priv-password")
    async with receiver(who) as where:
        code, errors = await send(tmp_path, where, "snmpinform", *security("authPriv"))
    assert code != 0
    assert "Authentication failure" in errors


async def test_the_answer_to_a_large_inform_arrives_whole(tmp_path):
    many = [part for number in range(60) for part in (f"{some.BASE}.5.12.{number}", "s", "x" * 20)]
    async with receiver(some.user()) as where:
        target = f"127.0.0.1:{where.port}"
        arguments = (*security("authPriv"), "-t", "2", "-r", "1", target, "1", some.TUNNEL_STOP, *many)
        assert await run(tmp_path, "snmpinform", *arguments) == (0, "")
        _, record = await received(where)
    assert len(record.varbinds) == 60
    assert len(record.varbinds) < snmp_pdu.MAX_VARBINDS
