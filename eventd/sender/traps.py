"""SNMP notifications made and, where an answer is awaited, sent by pysnmp: v1, v2c and v3 traps, v2c and v3 informs."""

import asyncio
import ipaddress
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from msgspec import Struct
from pyasn1.codec.ber import encoder
from pyasn1.error import PyAsn1Error
from pysnmp.carrier.asyncio.dgram.udp import UdpAsyncioTransport
from pysnmp.carrier.asyncio.dgram.udp6 import Udp6AsyncioTransport
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import api

from eventd.contract import TrapTemplate, WireVar
from eventd.model import Syntax
from eventd.sender.templates import SendError

#: Format 4 (text) of RFC 3411 under 32473, the enterprise number for examples (RFC 5612).
DEFAULT_ENGINE_ID = bytes.fromhex("80007ed904") + b"eventd-send"
#: RFC 3411 SnmpEngineID.
ENGINE_ID_SIZES = range(5, 33)
#: Boots must grow with every start, or receivers see a replay; seconds since 2020 do so without a file and fit in
#: 31 bits until 2088.
BOOTS_EPOCH = 1_577_836_800
#: What we say our uptime was at the start: 2**25 hundredths, so that it and a request id keep their encoded length.
FIRST_UPTIME = 0x0200_0000
FIRST_REQUEST_ID = 0x0100_0000

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
SNMP_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"

#: Names as net-snmp has them: AES192 and AES256 by draft-blumenthal, the forms with C by draft-reeder.
AUTH = {
    "MD5": hlapi.USM_AUTH_HMAC96_MD5,
    "SHA": hlapi.USM_AUTH_HMAC96_SHA,
    "SHA224": hlapi.USM_AUTH_HMAC128_SHA224,
    "SHA256": hlapi.USM_AUTH_HMAC192_SHA256,
    "SHA384": hlapi.USM_AUTH_HMAC256_SHA384,
    "SHA512": hlapi.USM_AUTH_HMAC384_SHA512,
}
PRIV = {
    "DES": hlapi.USM_PRIV_CBC56_DES,
    "AES128": hlapi.USM_PRIV_CFB128_AES,
    "AES192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "AES256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "AES192C": hlapi.USM_PRIV_CFB192_AES,
    "AES256C": hlapi.USM_PRIV_CFB256_AES,
}


class Identity(Struct, frozen=True, kw_only=True):
    """Who we say we are. ``engine_id`` is the authoritative engine: ours for traps, the receiver's for informs,
    where None lets pysnmp discover it. The keys that are set make the level."""

    version: str = "2c"
    community: str = "public"
    user: str = ""
    auth: str = "SHA"
    auth_key: str | None = None
    priv: str = "AES128"
    priv_key: str | None = None
    engine_id: bytes | None = None


# --- variable bindings ---------------------------------------------------------------------------------------------

_V2 = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
_V1 = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]


def _octets(value: str | int) -> Any:
    """Text as UTF-8; ``0x…`` as the octets it says."""
    text = str(value)
    return _V2.OctetString(bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode())


_SYNTAXES: dict[Syntax, Callable[[str | int], Any]] = {
    Syntax.INTEGER: lambda value: _V2.Integer32(int(value)),
    Syntax.OCTET_STRING: _octets,
    Syntax.OBJECT_IDENTIFIER: lambda value: _V2.ObjectIdentifier(str(value)),
    Syntax.IP_ADDRESS: lambda value: _V2.IpAddress(str(value)),
    Syntax.COUNTER32: lambda value: _V2.Counter32(int(value)),
    Syntax.GAUGE32: lambda value: _V2.Gauge32(int(value)),
    Syntax.TIME_TICKS: lambda value: _V2.TimeTicks(int(value)),
    Syntax.COUNTER64: lambda value: _V2.Counter64(int(value)),
}


def _inet(value: str | int) -> str:
    return "0x" + ipaddress.ip_address(value).packed.hex()


def _inet_type(value: str | int) -> int:
    return {4: 1, 6: 2}[ipaddress.ip_address(value).version]


def _ipv4(value: str | int) -> str:
    return str(value) if ipaddress.ip_address(value).version == 4 else "0.0.0.0"  # noqa: S104  "not valid" on the wire


_ENCODINGS: dict[str, Callable[[str | int], str | int]] = {
    "": lambda value: value,
    "inet": _inet,
    "inet-type": _inet_type,
    "ipv4": _ipv4,
}

#: The fields that index the tunnel table (HUAWEI-SECURITY-IPSEC-MIB hwIPSecTunnelEntry) and, by the first, ifTable.
INDEX_FIELDS = ("ifindex", "policy_seq", "tunnel_index")


def bindings(template: TrapTemplate, values: Mapping[str, str], suffix: bool = True) -> list[tuple[str, Any]]:
    """(OID, value) of each varbind. With ``suffix`` columns end in the row index and scalars in ``.0``.

    Raises:
        SendError: values that do not fit the syntax of their object, all of them at once.
    """
    found: list[tuple[WireVar, Any]] = []
    problems: list[str] = []
    for var in template.varbinds:
        if (value := values.get(var.field, var.default)) is None:
            continue
        try:
            found.append((var, _SYNTAXES[var.syntax](_ENCODINGS[var.encoding](value))))
        except (ValueError, PyAsn1Error, PySnmpError, KeyError):
            problems.append(f"{var.field}: {value!r} is no {var.syntax.name}")
    if problems:
        raise SendError("; ".join(problems))
    index = _index((var.field, value) for var, value in found)
    return [(var.oid + _instance(var, index) * suffix, value) for var, value in found]


def _instance(var: WireVar, index: str) -> str:
    return (f".{var.instance}" if var.instance else index) if var.columnar else ".0"


def _index(values: Iterable[tuple[str, Any]]) -> str:
    known = {field: int(value) for field, value in values if field in INDEX_FIELDS}
    return "".join(f".{known[field]}" for field in INDEX_FIELDS if field in known) or ".1"


# --- v1 and v2c: encoded once, then only what must differ is written anew -------------------------------------------


class Series:
    """Traps that differ in request id (v2c) and time only. pysnmp takes a millisecond to encode one; two integers of
    fixed length in its bytes take a microsecond."""

    def __init__(self, encoded: bytes, *, has_request_id: bool) -> None:
        self._bytes = bytearray(encoded)
        ticks = _TICKS_HEAD + FIRST_UPTIME.to_bytes(4, "big")
        number = _INTEGER_HEAD + FIRST_REQUEST_ID.to_bytes(4, "big")
        self._ticks_at = encoded.index(ticks) + 2
        self._number_at = encoded.index(number) + 2 if has_request_id else None
        # Not the same numbers on every start, but never a fifth octet.
        self._numbers = itertools.count(FIRST_REQUEST_ID + int(time.time()) % 0x0100_0000)
        self._start = time.monotonic()

    def next(self) -> bytes:
        """The next trap."""
        return self.at(next(self._numbers), FIRST_UPTIME + int((time.monotonic() - self._start) * 100))

    def at(self, number: int, uptime: int) -> bytes:
        """The trap with that request id and that sysUpTime, hundredths of a second; both of exactly four octets."""
        self._bytes[self._ticks_at : self._ticks_at + 4] = uptime.to_bytes(4, "big")
        if self._number_at is not None:
            self._bytes[self._number_at : self._number_at + 4] = number.to_bytes(4, "big")
        return bytes(self._bytes)


_TICKS_HEAD, _INTEGER_HEAD = b"\x43\x04", b"\x02\x04"


def trap_v2c(
    template: TrapTemplate, values: Mapping[str, str], community: str, suffix: bool = True, *, inform: bool = False
) -> Series:
    """RFC 3416 sections 4.2.6 and, for the same as an inform, 4.2.7."""
    pdu = _V2.InformRequestPDU() if inform else _V2.SNMPv2TrapPDU()
    _V2.apiPDU.set_defaults(pdu)
    _V2.apiPDU.set_request_id(pdu, FIRST_REQUEST_ID)
    head = [(SYS_UP_TIME, _V2.TimeTicks(FIRST_UPTIME)), (SNMP_TRAP_OID, _V2.ObjectIdentifier(template.oid))]
    _V2.apiPDU.set_varbinds(pdu, head + bindings(template, values, suffix))
    return Series(_message(_V2, pdu, community), has_request_id=True)


def trap_v1(
    template: TrapTemplate, values: Mapping[str, str], community: str, agent: str, suffix: bool = True
) -> Series:
    """RFC 1157 section 4.1.6. ``agent`` is agent-addr, an IPv4 address."""
    pdu = _V1.TrapPDU()
    _V1.apiTrapPDU.set_defaults(pdu)
    _V1.apiTrapPDU.set_enterprise(pdu, _V1.ObjectIdentifier(template.v1_enterprise))
    _V1.apiTrapPDU.set_agent_address(pdu, agent)
    _V1.apiTrapPDU.set_generic_trap(pdu, template.v1_generic)
    _V1.apiTrapPDU.set_specific_trap(pdu, template.v1_specific)
    _V1.apiTrapPDU.set_timestamp(pdu, FIRST_UPTIME)
    _V1.apiTrapPDU.set_varbinds(pdu, bindings(template, values, suffix))
    return Series(_message(_V1, pdu, community), has_request_id=False)


def _message(module: Any, pdu: Any, community: str) -> bytes:
    message = module.Message()
    module.apiMessage.set_defaults(message)
    module.apiMessage.set_community(message, community.encode())
    module.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


# --- v3 and informs: through the engine ----------------------------------------------------------------------------


class Engine:
    """A pysnmp engine with an event loop of its own, for what needs one: v3 security and the answers to informs.

    A context manager. ``kind`` is ``trap`` (bytes are made, nothing is sent) or ``inform`` (sent to ``host`` and
    ``port``, tried again ``retries`` times after ``timeout`` seconds each).
    """

    def __init__(
        self, kind: str, identity: Identity, host: str, port: int, timeout: float = 2.0, retries: int = 1
    ) -> None:
        self._kind, self._identity, self._address = kind, identity, (host, port)
        self._options = {"timeout": timeout, "retries": retries}
        self._sent: list[bytes] = []
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def notify(self, template: TrapTemplate, values: Mapping[str, str], suffix: bool = True) -> bytes:
        """Make one trap, or send one inform and wait for its answer. Returns the message, as last sent.

        Raises:
            SendError: a value that does not fit, or no answer to an inform, or one that says no.
        """
        uptime = FIRST_UPTIME + int((time.monotonic() - self._start) * 100)
        head = [(SYS_UP_TIME, _V2.TimeTicks(uptime)), (SNMP_TRAP_OID, _V2.ObjectIdentifier(template.oid))]
        self._runner.run(self._notify(head + bindings(template, values, suffix)))
        return self._sent[-1]

    async def _open(self) -> None:
        self._engine = hlapi.SnmpEngine()
        self._auth = _auth_data(self._kind, self._identity)
        if self._kind == "trap":
            _become(self._engine, self._identity.engine_id or DEFAULT_ENGINE_ID)
        target = _tapped(":" in self._address[0], self._sent, forward=self._kind == "inform")
        self._target = await target.create(self._address, **self._options)

    async def _notify(self, varbinds: list[tuple[str, Any]]) -> None:
        self._sent.clear()
        objects = [hlapi.ObjectType(hlapi.ObjectIdentity(oid), value) for oid, value in varbinds]
        try:
            error, status, index, _ = await hlapi.send_notification(
                self._engine, self._auth, self._target, hlapi.ContextData(), self._kind, *objects, lookupMib=False
            )
        except (PySnmpError, PyAsn1Error) as refused:
            raise SendError(f"pysnmp refuses to send it: {refused}") from refused
        if error:
            raise SendError(f"no answer: {error}")
        if status:
            raise SendError(f"refused: {status.prettyPrint()} at varbind {index}")

    async def _close(self) -> None:
        self._engine.close_dispatcher()


def _auth_data(kind: str, identity: Identity) -> Any:
    if identity.version != "3":
        return hlapi.CommunityData("eventd", identity.community)  # v2c unless told otherwise
    engine_id = identity.engine_id if kind == "inform" else None
    return hlapi.UsmUserData(
        identity.user,
        authKey=identity.auth_key,
        privKey=identity.priv_key,
        authProtocol=AUTH[identity.auth] if identity.auth_key else hlapi.USM_AUTH_NONE,
        privProtocol=PRIV[identity.priv] if identity.priv_key else hlapi.USM_PRIV_NONE,
        securityEngineId=None if engine_id is None else _V2.OctetString(engine_id),
    )


def _become(engine: Any, engine_id: bytes) -> None:
    """Set the engine's id and boots without the files that pysnmp would keep in the temporary folder."""
    own_id, boots = engine.get_mib_builder().import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots")
    own_id.syntax = engine.snmpEngineID = own_id.syntax.clone(engine_id)
    boots.syntax = boots.syntax.clone(int(time.time()) - BOOTS_EPOCH)


def _tapped(six: bool, sent: list[bytes], *, forward: bool) -> Any:
    """A pysnmp target class that keeps a copy of every message, and lets it out if ``forward``."""
    target, transport = (
        (hlapi.Udp6TransportTarget, Udp6AsyncioTransport) if six else (hlapi.UdpTransportTarget, UdpAsyncioTransport)
    )

    def send_message(self: Any, message: Any, address: Any) -> None:
        sent.append(bytes(message))
        if forward:
            transport.send_message(self, message, address)

    wire = type("TappedTransport", (transport,), {"send_message": send_message})
    return type("TappedTarget", (target,), {"PROTO_TRANSPORT": wire})
