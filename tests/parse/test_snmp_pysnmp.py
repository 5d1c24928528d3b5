"""A second origin of real messages: pysnmp, which shares no line of code with us or with net-snmp."""

import asyncio
import contextlib
import itertools

import pytest
import snmp_strategies as some
from pysnmp.hlapi.v3arch import asyncio as hlapi
from snmp_wire import received, receiver

from eventd.model import Syntax, VarBind

AUTHS = {
    "MD5": hlapi.USM_AUTH_HMAC96_MD5,
    "SHA": hlapi.USM_AUTH_HMAC96_SHA,
    "SHA224": hlapi.USM_AUTH_HMAC128_SHA224,
    "SHA256": hlapi.USM_AUTH_HMAC192_SHA256,
    "SHA384": hlapi.USM_AUTH_HMAC256_SHA384,
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
ROW = f"{some.BASE}.5.12.0"


def community(model):
    """A new one for each engine: pysnmp ties it to the first that used it, and a second one ignores its answers."""
    return hlapi.CommunityData("public", mpModel=model)


async def notify(engine, who, where, kind):
    """pysnmp's error indication."""
    target = await hlapi.UdpTransportTarget.create(("127.0.0.1", where.port), timeout=2, retries=1)
    bound = (ROW, hlapi.OctetString("dpd timeout"))
    notification = hlapi.NotificationType(hlapi.ObjectIdentity(some.TUNNEL_STOP)).add_varbinds(bound)
    sent = await hlapi.send_notification(engine, who, target, hlapi.ContextData(), kind, notification)
    return sent[0]


@contextlib.asynccontextmanager
async def origin(where, who):
    """A function that sends one notification of a kind and returns pysnmp's error indication."""
    engine = hlapi.SnmpEngine(hlapi.OctetString(some.DEVICE_ENGINE))

    async def send(kind):
        return await notify(engine, who, where, kind)

    try:
        yield send
    finally:
        engine.close_dispatcher()
        await asyncio.sleep(0)


def check(record):
    assert some.TUNNEL_STOP in record.lookup
    assert record.varbinds == (VarBind(ROW, Syntax.OCTET_STRING, b"dpd timeout"),)
    assert record.uptime is not None


@pytest.mark.conformance("RFC 3416 §4.2", "pysnmp's traps and informs of version 2c, and its traps of version 1")
@pytest.mark.parametrize(
    ("model", "kind", "transport"), [(0, "trap", "snmp-v1"), (1, "trap", "snmp-v2c"), (1, "inform", "snmp-inform")]
)
async def test_pysnmp_communities(model, kind, transport):
    async with receiver() as where, origin(where, community(model)) as send:
        assert await send(kind) is None
        seen, record = await received(where)
    assert seen == transport
    check(record)


# --- version 3 -----------------------------------------------------------------------------------------------------

ENDS = [*itertools.product(AUTHS, PRIVS), *((auth, None) for auth in AUTHS), (None, None)]


def title(end):
    return "-".join(filter(None, end)) or "noAuth"


def ours(end):
    auth, priv = end
    return some.user("authPriv" if priv else "authNoPriv" if auth else "noAuthNoPriv", title(end), auth, priv)


def theirs(end):
    auth, priv = end
    keys = {"authKey": "auth-password", "authProtocol": AUTHS[auth]} if auth else {}
    keys |= {"privKey": "priv-password", "privProtocol": PRIVS[priv]} if priv else {}
    return hlapi.UsmUserData(title(end), **keys)


async def exchange():
    """One engine of pysnmp with a user of every kind sends a trap and an inform as each of them to one receiver."""
    found = {}
    async with receiver(*map(ours, ENDS)) as where:
        engine = hlapi.SnmpEngine(hlapi.OctetString(some.DEVICE_ENGINE))
        try:
            for end, kind in itertools.product(ENDS, ("trap", "inform")):
                error = await notify(engine, theirs(end), where, kind)
                found[end, kind] = error, (await received(where))[1]
        finally:
            engine.close_dispatcher()
            await asyncio.sleep(0)
    return found


@pytest.fixture(scope="module")
def exchanged():
    return asyncio.run(exchange())


@pytest.mark.conformance("RFC 7860 §4", "pysnmp's traps with each pair of protocols, with each digest alone, with none")
@pytest.mark.parametrize("end", ENDS, ids=title)
def test_pysnmp_v3_trap(exchanged, end):
    error, record = exchanged[end, "trap"]
    assert error is None
    check(record)
    assert (record.user, record.level, record.inform) == (title(end), ours(end).level, False)
    assert record.engine_id == some.DEVICE_ENGINE


@pytest.mark.conformance(
    "RFC 3414 §4", "pysnmp's informs discover us and our answers are read, with each pair of protocols"
)
@pytest.mark.parametrize("end", ENDS, ids=title)
def test_pysnmp_v3_inform_finds_us_and_reads_our_answer(exchanged, end):
    error, record = exchanged[end, "inform"]
    assert error is None
    check(record)
    assert (record.user, record.level, record.inform) == (title(end), ours(end).level, True)
