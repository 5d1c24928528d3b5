"""SNMP notifications, from the bytes of a datagram to a `TrapRecord`: v1, v2c and v3, traps and informs.

`parse_notification` raises `ParseError` and nothing else, whatever the bytes; another exception is a bug.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from eventd.errors import ParseError, RejectReason
from eventd.model import Syntax, TrapRecord
from eventd.parse import snmp_v3, usm
from eventd.parse.ber import (
    LAST_SHORT_LENGTH,
    OCTET_STRING,
    SEQUENCE,
    Cursor,
    bad_ber,
    encode_integer,
    encode_octets,
    encode_oid,
    encode_sequence,
)
from eventd.parse.conceal import blanked, without_community
from eventd.parse.engines import Allowance, Engines
from eventd.parse.recent import Recent
from eventd.parse.snmp_pdu import (
    INFORM,
    NO_ERROR,
    REPORT,
    TOO_BIG,
    Notification,
    encode_pdu,
    encode_response,
    read_notification,
)

VERSION_1, VERSION_2C, VERSION_3 = 0, 1, snmp_v3.VERSION_3
TRANSPORTS = {VERSION_1: "snmp-v1", VERSION_2C: "snmp-v2c", VERSION_3: "snmp-v3"}
#: What nearly every message begins with: a sequence, the version, of v2c the tag and length of its community. It must
#: take nothing that the slow way reads differently.
_GLANCE = re.compile(
    rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01([\x00\x03]|\x01(?=\x04[\x00-\x7f]))", re.DOTALL
)
_INFORM_TAG = bytes((INFORM,))
#: No UDP payload is longer.
MAX_MESSAGE = 65_535
#: RFC 3412 section 6.3: what everybody must accept, whatever msgMaxSize says.
MIN_MAX_SIZE = 484

#: Format 4 (text) of RFC 3411 under 32473, the enterprise number for examples (RFC 5612). Two eventd on one network
#: need no different ids, unless a manager keeps a table of engines.
DEFAULT_ENGINE_ID = bytes.fromhex("80007ed904") + b"eventd"

#: How long a repeated inform is known as one, in seconds, and how many are remembered (some 100 octets each). Huawei
#: and H3C repeat every 15 s, three times, unless told otherwise; ten minutes also cover an outage of the store.
INFORM_REPEAT_S = 600.0
MAX_INFORMS = 50_000
#: Octets of `TrapRecord.inform_key`: no two informs share one by chance.
INFORM_KEY_SIZE = 16

#: Reject reason → the usmStats object (RFC 3414 section 5) whose counter a Report carries.
REPORTED = {
    RejectReason.UNSUPPORTED_LEVEL: "1.3.6.1.6.3.15.1.1.1.0",
    RejectReason.NOT_IN_TIME_WINDOW: "1.3.6.1.6.3.15.1.1.2.0",
    RejectReason.UNKNOWN_USER: "1.3.6.1.6.3.15.1.1.3.0",
    RejectReason.UNKNOWN_ENGINE: "1.3.6.1.6.3.15.1.1.4.0",
    RejectReason.WRONG_DIGEST: "1.3.6.1.6.3.15.1.1.5.0",
    RejectReason.DECRYPTION_ERROR: "1.3.6.1.6.3.15.1.1.6.0",
}


class Memory:
    """What outlives a change of `Access`: the engines of devices, the informs of the last minutes, and the usmStats
    counters by reject reason."""

    def __init__(self) -> None:
        self.engines = Engines()
        self.informs = Recent(INFORM_REPEAT_S, MAX_INFORMS)
        self.stats = dict.fromkeys(REPORTED, 0)


class Access:
    """Who may talk to us: communities for v1 and v2c (none listed, none accepted), users for v3.

    ``engine_id``, ``boots`` and ``started_at`` are our own engine's (see `usm.Usm`), ``allowances`` the exceptions
    for single engines, ``memory`` what an earlier one knew, ``checks`` what is asked of time. ValueError for an engine
    id of a wrong size and for a user listed twice.
    """

    def __init__(
        self,
        communities: Iterable[str],
        users: Iterable[usm.User] = (),
        engine_id: bytes = DEFAULT_ENGINE_ID,
        *,
        boots: int = 1,
        started_at: float = 0.0,
        allowances: Mapping[bytes, Allowance] | None = None,
        memory: Memory | None = None,
        checks: usm.Checks = "live",
    ) -> None:
        self._communities = tuple(community.encode() for community in communities)
        self.memory = memory or Memory()
        self.usm = usm.Usm(users, engine_id, boots, started_at, self.memory.engines, allowances, checks)

    @property
    def engines(self) -> Engines:
        """What was learned of devices; its `snapshot` and `restore` carry it over a restart."""
        return self.memory.engines

    def admits(self, community: bytes) -> bool:
        """Whether the community is one of ours; takes the same time whichever it resembles."""
        found = False
        for known in self._communities:
            found |= hmac.compare_digest(known, community)
        return found

    def conceal(self, payload: bytes, place: tuple[int, int] | None = None) -> bytes:
        """A message as it may be kept and shown: without its community, and without ours wherever they stand in it.
        Whoever has it read offline has it. ``place``: first octet and end of its community, where they are known."""
        if self.usm.checks == "offline":
            return payload
        return blanked(payload, *place, self._communities) if place else without_community(payload, self._communities)


def transport_of(payload: bytes) -> str:
    """Which of `eventd.model.SNMP_TRANSPORTS` a datagram came by, at a glance: ``snmp`` where no version can be read.
    Damage behind the version does not matter. Never raises."""
    found = _GLANCE.match(payload)
    if found is None:
        return transport_of_any(payload)
    version, at = found[1][0], found.end()
    if version == VERSION_2C:
        pdu_at = at + 2 + payload[at + 1]
        if payload[pdu_at : pdu_at + 1] == _INFORM_TAG:
            return "snmp-inform"
    return TRANSPORTS[version]


def transport_of_any(payload: bytes) -> str:
    """As `transport_of`, without its shortcut for the common case."""
    version = -1
    try:
        cursor = _inside(payload)
        version = cursor.integer()
        if version == VERSION_2C and cursor.octets() is not None and cursor.peek() == INFORM:
            return "snmp-inform"
    except ParseError:
        pass
    return TRANSPORTS.get(version, "snmp")


def _inside(payload: bytes) -> Cursor:
    """A cursor behind the outermost tag and length, whether or not that length is right."""
    if payload[:1] != bytes((SEQUENCE,)) or len(payload) == 1:
        raise bad_ber(0, "not a SEQUENCE")
    first = payload[1]
    return Cursor(payload, 2 if first <= LAST_SHORT_LENGTH else 2 + (first & LAST_SHORT_LENGTH))


def parse_notification(payload: bytes, access: Access, now: float) -> TrapRecord:
    """Read, check and map one datagram; ``now`` is Unix seconds, for the time window of v3.

    Raises `ParseError` with one of EMPTY, OVERSIZE, BAD_BER, BAD_VERSION, UNKNOWN_SECURITY_MODEL, INVALID_MESSAGE,
    BAD_PDU, BAD_VARBIND, NOT_NOTIFICATION, WRONG_PDU_VERSION, WRONG_COMMUNITY, UNKNOWN_USER, UNKNOWN_ENGINE,
    UNSUPPORTED_LEVEL, LEVEL_TOO_LOW, WRONG_DIGEST, NOT_IN_TIME_WINDOW, REPLAYED, DECRYPTION_ERROR.
    """
    version, cursor = _open(payload)
    if version == VERSION_3:
        try:
            return _read_v3(payload, cursor, access, now)
        except ParseError as error:
            if error.reason in REPORTED:
                access.memory.stats[error.reason] += 1
            raise
    if version in (VERSION_1, VERSION_2C):
        return _read_community(payload, version, cursor, access)
    raise ParseError(RejectReason.BAD_VERSION, 0, f"version {version}")


def _open(payload: bytes) -> tuple[int, Cursor]:
    """Version and a cursor behind it."""
    if not payload:
        raise ParseError(RejectReason.EMPTY)
    if len(payload) > MAX_MESSAGE:
        raise ParseError(RejectReason.OVERSIZE, MAX_MESSAGE, f"{len(payload)} octets")
    cursor = Cursor(payload)
    start, _ = cursor.expect(SEQUENCE)
    cursor.finish()
    cursor.pos = start
    return cursor.integer(), cursor


def _record(payload: bytes, version: Literal["v1", "v2c", "v3"], found: Notification, **more: Any) -> TrapRecord:
    return TrapRecord(
        payload,
        version,
        found.oid,
        found.lookup,
        found.varbinds,
        found.request_id,
        found.uptime,
        found.agent,
        alike=found.alike,
        **more,
    )


def _read_community(payload: bytes, version: int, cursor: Cursor, access: Access) -> TrapRecord:
    community_at = cursor.pos
    place = cursor.expect(OCTET_STRING)
    community = payload[slice(*place)]
    if not access.admits(community):
        raise ParseError(RejectReason.WRONG_COMMUNITY, community_at)
    named: Literal["v1", "v2c"] = "v1" if version == VERSION_1 else "v2c"
    found = read_notification(cursor, named)
    cursor.finish()
    payload = access.conceal(payload, place)
    if found.tag != INFORM:
        return _record(payload, named, found)
    pdu = encode_response(found.request_id, found.bindings)
    response = encode_sequence(encode_integer(VERSION_2C), encode_octets(community), pdu)
    return _record(payload, named, found, response=response, inform_key=inform_key(found, community))


def inform_key(found: Notification, *sender: bytes) -> bytes:
    """The same for every retransmission of an inform (RFC 3413 section 3.3: msgID and time change, request-id and
    variables stay) and for nothing else from that sender."""
    told = hashlib.blake2b(encode_pdu(INFORM, found.request_id, found.bindings), digest_size=INFORM_KEY_SIZE)
    for part in sender:
        told.update(encode_octets(part))
    return told.digest()


def _read_v3(payload: bytes, cursor: Cursor, access: Access, now: float) -> TrapRecord:
    envelope = snmp_v3.read_envelope(cursor)
    account, clear = access.usm.open(payload, envelope, now)
    context_engine, context, scope = snmp_v3.read_scope(clear, envelope)
    found = read_notification(scope, "v3")
    scope.finish()
    engine_id, response, key = envelope.engine_id, None, None
    if found.tag == INFORM:
        engine_id = context_engine
        response = _answer(access.usm, envelope, account, found, context_engine, context, now)
        key = inform_key(found, envelope.user, context_engine, context)
    return _record(
        payload,
        "v3",
        found,
        user=account.user.name,
        level=usm.LEVEL_NAMES[envelope.level],
        engine_id=engine_id if engine_id not in (b"", access.usm.engine_id) else None,
        context=context.decode("utf-8", "replace"),
        response=response,
        inform_key=key,
    )


def _answer(
    table: usm.Usm,
    envelope: usm.Envelope,
    account: usm.Account,
    found: Notification,
    context_engine: bytes,
    context: bytes,
    now: float,
) -> bytes:
    """The Response to an inform, at the inform's own level; ``tooBig`` if the sender could not take it (RFC 3416
    section 4.2.7). For an inform the receiver's engine is the authoritative one (RFC 3414 section 1.5.1)."""
    if envelope.engine_id != table.engine_id and table.checks == "live":
        raise envelope.reject(RejectReason.UNKNOWN_ENGINE, f"inform for engine {envelope.engine_id.hex()}")
    for status in (NO_ERROR, TOO_BIG):
        pdu = encode_response(found.request_id, found.bindings, status)
        scoped = snmp_v3.encode_scope(context_engine, context, pdu)
        message = snmp_v3.build_message(table, account, envelope.user, envelope.level, envelope.msg_id, scoped, now)
        if len(message) <= max(envelope.max_size, MIN_MAX_SIZE):
            break
    return message


def report_for(payload: bytes, access: Access, now: float, reason: str) -> bytes | None:
    """The Report that tells the sender of a v3 message why it was refused (RFC 3414 section 3.2), or None if it did
    not ask (traps never do) or no Report tells that. Senders of informs discover our engine id, boots and time by it.

    ``reason`` is that of the error `parse_notification` raised. Do not send more Reports to one address than a limit
    allows: whoever forges a source address can aim them at others.
    """
    try:
        version, cursor = _open(payload)
        if version != VERSION_3:
            return None
        envelope = snmp_v3.read_envelope(cursor)
    except ParseError:
        return None
    if not envelope.reportable:
        return None
    if envelope.engine_id != access.usm.engine_id:  # whatever else is wrong with it, that comes first
        return _report(payload, envelope, access, RejectReason.UNKNOWN_ENGINE, now)
    known = RejectReason(reason)
    return _report(payload, envelope, access, known, now) if known in REPORTED else None


def _report(payload: bytes, envelope: usm.Envelope, access: Access, reason: RejectReason, now: float) -> bytes:
    """Unsigned, but for NOT_IN_TIME_WINDOW: from that one senders take our clock (RFC 3414 section 3.2 step 7a)."""
    counter = encode_integer(access.memory.stats[reason] % 2**32, Syntax.COUNTER32)
    bindings = encode_sequence(encode_sequence(encode_oid(REPORTED[reason]), counter))
    pdu = encode_pdu(REPORT, _request_id(payload, envelope), bindings)
    scoped = snmp_v3.encode_scope(access.usm.engine_id, b"", pdu)
    account, level = None, 0
    if reason is RejectReason.NOT_IN_TIME_WINDOW:
        account, level = access.usm.account(envelope), usm.AUTH_FLAG
    return snmp_v3.build_message(access.usm, account, envelope.user, level, envelope.msg_id, scoped, now)


def _request_id(payload: bytes, envelope: usm.Envelope) -> int:
    """That of the refused PDU, 0 where it is encrypted or unreadable; senders match Reports by msgID."""
    if envelope.level & usm.PRIV_FLAG:
        return 0
    try:
        _, _, scope = snmp_v3.read_scope(payload, envelope)
        return scope.enter(scope.peek()).integer()
    except ParseError:
        return 0
