"""A second origin of real messages: pysnmp, which shares no line of code with us or with net-snmp."""

import asyncio
import contextlib

import pytest
import snmp_strategies as some
from pysnmp.hlapi.v3arch import asyncio as hlapi
from snmp_wire import received, receiver

from eventd.model import Syntax, VarBind

AUTHS = {
    "MD5": hlapi.USM_AUTH_HMAC96_MD5,
    "SHA256": hlapi.USM_AUTH_HMAC192_SHA256,
    "SHA512": hlapi.USM_AUTH_HMAC384_SHA512,
}
PRIVS = {
    "DES": hlapi.USM_PRIV_CBC56_DES,
    "AES128": hlapi.USM_PRIV_CFB128_AES,
    "AES192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "AES256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "AES192C": hlapi.USM_PRIV_CFB192_AES,
    "AES256C": hlapi.USM_PRIV_CFB256_AES,
}
#: MD5 makes the shortest keys, which both ways of lengthening have to lengthen.
PAIRS = [("MD5", priv) for priv in PRIVS] + [("SHA256", "AES128"), ("SHA512", "AES256")]
ROW = f"{some.BASE}.5.12.0"


def community():
    """A new one for each engine: pysnmp ties it to the first that used it, and a second one ignores its answers."""
    return hlapi.CommunityData("public", mpModel=1)


def usm_user(auth, priv):
    return hlapi.UsmUserData("fw", "auth-password", "priv-password", AUTHS[auth], PRIVS[priv])


@contextlib.asynccontextmanager
async def origin(where, who):
    """A function that sends one notification of a kind and returns pysnmp's error indication."""
    engine = hlapi.SnmpEngine(hlapi.OctetString(some.DEVICE_ENGINE))

    async def send(kind):
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", where.port), timeout=2, retries=1)
        bound = (ROW, hlapi.OctetString("dpd timeout"))
        notification = hlapi.NotificationType(hlapi.ObjectIdentity(some.TUNNEL_STOP)).add_varbinds(bound)
        sent = await hlapi.send_notification(engine, who, target, hlapi.ContextData(), kind, notification)
        return sent[0]

    try:
        yield send
    finally:
        engine.close_dispatcher()
        await asyncio.sleep(0)


def check(record):
    assert record.oid == some.TUNNEL_STOP
    assert record.varbinds == (VarBind(ROW, Syntax.OCTET_STRING, b"dpd timeout"),)
    assert record.uptime is not None


@pytest.mark.parametrize(("kind", "transport"), [("trap", "snmp-v2c"), ("inform", "snmp-inform")])
async def test_pysnmp_v2c(kind, transport):
    async with receiver() as where, origin(where, community()) as send:
        assert await send(kind) is None
        seen, record = await received(where)
    assert seen == transport
    check(record)


@pytest.mark.conformance("RFC 7860 §4", "pysnmp's traps with each pair of protocols")
@pytest.mark.parametrize(("auth", "priv"), PAIRS)
async def test_pysnmp_v3_trap(auth, priv):
    async with receiver(some.user(auth=auth, priv=priv)) as where, origin(where, usm_user(auth, priv)) as send:
        assert await send("trap") is None
        _, record = await received(where)
    check(record)
    assert (record.level, record.engine_id) == ("authPriv", some.DEVICE_ENGINE)


@pytest.mark.conformance("RFC 3414 §4", "pysnmp's informs with each pair of protocols")
@pytest.mark.parametrize(("auth", "priv"), PAIRS)
async def test_pysnmp_v3_inform_finds_us_and_reads_our_answer(auth, priv):
    async with receiver(some.user(auth=auth, priv=priv)) as where, origin(where, usm_user(auth, priv)) as send:
        assert await send("inform") is None
        _, record = await received(where)
    check(record)
    assert record.inform
