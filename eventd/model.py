"""The nouns: what travels through eventd, one type per door.

    Message → SyslogRecord | TrapRecord → Event → Incident → Notification

All are immutable values. Field order of `Event` and `Incident` is the order in which they are printed.
Times named ``*_at`` and ``*_time`` are aware UTC ``datetime`` in what people read, and Unix seconds (``float``,
rounded to microseconds so that they survive a trip through text) in `Message`, where every microsecond counts.
What is made for every event is in no cycle, and the garbage collector need not look at it (``gc=False``).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict, replace

SYSLOG_TRANSPORTS = ("syslog-udp", "syslog-tcp", "syslog-tls")
#: ``snmp`` stands for a datagram on a trap port whose SNMP version cannot even be read.
SNMP_TRANSPORTS = ("snmp-v1", "snmp-v2c", "snmp-v3", "snmp-inform", "snmp")
TRANSPORTS = SYSLOG_TRANSPORTS + SNMP_TRANSPORTS

EVENTS = (
    "ipsec.tunnel.stop",
    "ipsec.tunnel.start",
    "ipsec.negotiation.fail",
    "ipsec.negotiation.success",
    "ipsec.flow.selfheal",
    "ipsec.tunnel.status",
    "ipsec.phase1.established",
    "ipsec.phase1.down",
    "ipsec.sa.reset",
    "ipsec.policy.change",
    "ipsec.capacity",
    "ipsec.dpd.fail",
    "ipsec.dpd.success",
    "ipsec.security",
    "ipsec.sla.down",
    "ipsec.sla.degraded",
    "link.down",
    "link.up",
    "device.restart",
    "device.failover",
    "device.config",
)

SEVERITIES = ("info", "warning", "major", "critical")
Severity = Literal["info", "warning", "major", "critical"]

INCIDENT_KINDS = (
    "tunnel_down",
    "tunnel_degraded",
    "negotiation_failing",
    "flapping",
    "flow_self_heal",
    "interface_outage",
    "device_outage",
    "peer_outage",
    "capacity",
    "security",
    "device_silent",
)

REASON_CATEGORIES = (
    "peer-unreachable",
    "administrative",
    "lifetime",
    "address",
    "authentication",
    "rekey",
    "sa-desync",
    "policy-track",
    "dns",
    "configuration",
    "capacity",
    "unknown",
)


def utc(seconds: float) -> datetime:
    """Unix seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


class Message(Struct, frozen=True):
    """One received message, before anyone looked inside.

    ``received_at`` is Unix seconds, stamped once, at the socket. ``reply`` sends bytes back to the sender over the
    socket the message came in by (SNMP informs); it may be called at most once and only after the commit.
    """

    transport: str
    source: str
    port: int
    received_at: float
    payload: bytes
    reply: Callable[[bytes], None] | None = None


class Stamp(Struct, frozen=True):
    """A device's own timestamp as printed, before anyone decided what its offset means.

    ``when`` is naive. ``offset_s`` is the printed UTC offset in seconds, None where none was printed.
    ``dst`` is True where the word DST followed. Without ``year_known`` the year in ``when`` means nothing.
    """

    when: datetime
    offset_s: int | None = None
    dst: bool = False
    year_known: bool = True


class SyslogRecord(Struct, frozen=True):
    """A syslog message taken apart into its header and the text behind it. Nothing vendor-specific is judged here.

    ``form`` names the layout met: ``A``…``J`` (Huawei info-center, `eventd.parse.infocenter`), ``comware`` (H3C),
    ``rfc5424``, ``rfc3164`` (anything else).
    ``level`` is the level in the Huawei tag; where there is none, PRI & 7. ``mnemonic`` is as printed, without
    blanks. ``suffix`` is ``active`` or ``clear`` where the mnemonic ended so (it is cut from ``mnemonic``).
    ``ids`` holds what stood between tag and text (``CID``, ``alarmID``, ``clearType``, ``VS``, ``slot``, ``Slot``,
    ``Vcpu``) and is read-only; ``oid`` is the notification OID wherever it was printed. ``text`` is the rest, decoded
    and stripped.
    """

    raw: bytes
    text: str
    form: str
    pri: int | None = None
    stamp: Stamp | None = None
    hostname: str | None = None
    relay: str | None = None
    module: str | None = None
    level: int | None = None
    mnemonic: str | None = None
    suffix: str | None = None
    mark: str | None = None
    seq: int | None = None
    oid: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    app_name: str | None = None
    proc_id: str | None = None
    msg_id: str | None = None
    structured_data: str | None = None


class Syntax(IntEnum):
    """BER tags of SNMP values (RFC 2578 section 2, RFC 3416 section 3)."""

    INTEGER = 0x02
    OCTET_STRING = 0x04
    NULL = 0x05
    OBJECT_IDENTIFIER = 0x06
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIME_TICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    UINTEGER32 = 0x47
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82


class VarBind(Struct, frozen=True, gc=False):
    """One variable binding. ``oid`` is dotted text without leading dot, instance suffix included.

    ``value``: int for the integer types, bytes for OCTET STRING/Opaque, dotted text for OBJECT IDENTIFIER and
    IpAddress, None for NULL and the exceptions.
    """

    oid: str
    syntax: Syntax
    value: int | bytes | str | None


class TrapRecord(Struct, frozen=True, gc=False):
    """One SNMP notification, v1 mapped to the v2 view (RFC 3584 section 3.1).

    ``raw`` is the whole message as it may be kept: without the community, which whoever reads it could send with.
    ``oid`` is snmpTrapOID.0. ``lookup`` lists the OIDs under which a definition may be found, best first: for v1
    ``enterprise.specific`` and ``enterprise.0.specific``, because converters disagree; for v2c/v3 also the form with
    the ``0`` before the last sub-identifier taken out or put in. ``uptime`` is sysUpTime in hundredths of a second.
    ``agent`` is v1 agent-addr or snmpTrapAddress.0, to be believed only from a trusted forwarder. ``varbinds`` are
    in wire order without sysUpTime.0 and snmpTrapOID.0. ``response`` is the whole encoded answer to an inform
    (same request-id and varbinds, RFC 3416 section 4.2.7), None for traps; ``inform_key`` stays the same when its
    sender repeats it. ``alike``: the bytes from which ``oid``, ``lookup``, ``varbinds`` and ``agent`` follow, None
    where they cannot be told from the rest.
    """

    raw: bytes
    version: Literal["v1", "v2c", "v3"]
    oid: str
    lookup: tuple[str, ...]
    varbinds: tuple[VarBind, ...]
    request_id: int = 0
    uptime: int | None = None
    agent: str | None = None
    user: str | None = None
    level: str | None = None
    engine_id: bytes | None = None
    context: str | None = None
    response: bytes | None = None
    inform_key: bytes | None = None
    alike: bytes | None = None

    @property
    def inform(self) -> bool:
        """Whether the sender waits for an answer."""
        return self.response is not None


class Header(Struct, frozen=True, gc=False):
    """What the message itself says of its kind; all None where it does not say."""

    pri: int | None = None
    module: str | None = None
    level: int | None = None
    mnemonic: str | None = None
    mark: str | None = None
    seq: int | None = None
    oid: str | None = None
    notification: str | None = None


class Reason(Struct, frozen=True, gc=False):
    """Why: the device's own words, and what a catalogue knows about them.

    ``text`` is verbatim, ``gloss`` says in a few words what a cryptic one means. ``name`` is the catalogue's canonical
    name, None where unknown. ``phase`` is ``ike``, ``ipsec``, ``both`` or ``none``. ``actions`` may hold ``<peer>``,
    ``<local>``, ``<interface>``, ``<policy>`` only in a catalogue; in an event they are filled in.
    """

    text: str
    name: str | None = None
    code: int | None = None
    known: bool = False
    phase: str | None = None
    category: str = "unknown"
    expected: bool = False
    needs_recovery_check: bool = True
    severity: Severity | None = None
    meaning: str | None = None
    actions: tuple[str, ...] = ()
    source: str | None = None
    gloss: str | None = None

    @property
    def told(self) -> str:
        """The device's words, and in brackets what they mean where that cannot be guessed."""
        return self.text if self.gloss is None else f"{self.text} ({self.gloss})"


class Event(Struct, frozen=True, gc=False):
    """One decoded message, in the one shape of docs/events.md. ``event`` is None for a message of no known event."""

    event: str | None
    vendor: str | None
    transport: str
    received_at: datetime
    device_time: datetime | None
    source: str
    device: str
    hostname: str | None = None
    vsys: str | None = None
    peer: str | None = None
    peer_port: int | None = None
    local: str | None = None
    inside: str | None = None
    interface: str | None = None
    ifindex: int | None = None
    policy: str | None = None
    policy_seq: int | None = None
    rule: int | None = None
    tunnel_index: int | None = None
    conn_id: int | None = None
    slot: int | str | None = None
    cpu: int | str | None = None
    flow: str | None = None
    role: str | None = None
    standby: bool = False
    header: Header = Header()
    reason: Reason | None = None
    severity: Severity = "info"
    extra: dict[str, str] = field(default_factory=dict)
    raw: str = ""


class Fault(Struct, frozen=True):
    """What was wrong with a malformed message; ``offset`` counts bytes."""

    reason: str
    offset: int


class Malformed(Struct, frozen=True):
    """A message that could not be parsed, as `decode` prints it and the store keeps it."""

    event: None
    transport: str
    received_at: datetime
    source: str
    error: Fault
    raw: str


class Witness(Struct, frozen=True, gc=False):
    """One proof of an incident: who reported it and by which way."""

    transport: str
    device: str


class Incident(Struct, frozen=True, gc=False):
    """One real problem, from the first sign to the all-clear (docs/incidents.md)."""

    id: str
    kind: str
    status: Literal["open", "resolved"]
    severity: Severity
    device: str
    peer: str | None
    peer_name: str | None
    site: str | None
    interface: str | None
    vsys: str | None
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    acked_by: str | None = None
    acked_note: str | None = None
    acked_until: datetime | None = None
    silenced: bool = False
    count: int = 1
    cause: Reason | None = None
    summary: str = ""
    chain: tuple[str, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    fault_side: Literal["local", "remote", "path", "unknown"] = "unknown"
    parent: str | None = None
    children: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    late_s: float | None = None
    url: str | None = None
    #: severity when opened: an alert label must not change while the incident is open.
    opened_severity: Severity = "info"
    #: the gravest it was while it was open: that of a group falls when its peers come back.
    worst_severity: Severity = "info"
    runbook_url: str | None = None
    tags: tuple[str, ...] = ()
    #: what it is about, in at most some 120 characters; ``summary`` tells more.
    title: str = ""
    device_site: str | None = None
    #: whose peer it is, by the inventory.
    owner: str | None = None
    #: the incident that goes on with a matter that has become another one.
    continued_by: str | None = None
    #: of an open outage of many: how many of its ``count`` are not back.
    missing: int = 0
    #: why this step is told, in a few words, where that is not the beginning or the end: what has changed.
    news: str | None = None


ChangeKind = Literal["opened", "updated", "resolved"]


class Member(Struct, frozen=True, gc=False):
    """What tells one of the peers of an outage of many from the others: what its own incident would say of it."""

    device: str
    vsys: str | None
    interface: str | None
    peer: str | None
    peer_name: str | None
    site: str | None
    device_site: str | None
    owner: str | None
    tags: tuple[str, ...]

    def alone(self, outage: Incident) -> Incident:
        """The outage as it would read if it were that of this peer alone: what routes look at."""
        kind = "tunnel_down" if outage.kind.endswith("outage") else outage.kind
        return replace(outage, kind=kind, **asdict(self))


class Change(Struct, frozen=True, gc=False):
    """One step in the life of an incident, with the incident as it stands after the step.

    ``notify`` is False for steps worth keeping but not worth telling (a repeated negotiation failure). ``first``:
    nobody has been told of the incident yet, so this step is an opening to whoever is told of it. ``kept``: the rule
    (docs/rules.md) that kept a step from being told that was worth it. ``taken``: somebody has acknowledged the
    incident, or takes that back, which nobody is told but whoever would be told if nobody did. ``joined``: an outage of
    many tells it from now on, so that what waits to be told of it is not told by itself. ``members``: the peers that
    an outage of many has told, those that are back included.
    """

    what: ChangeKind
    incident: Incident
    notify: bool = True
    first: bool = False
    kept: str | None = None
    taken: bool = False
    joined: bool = False
    members: tuple[Member, ...] = ()


class Notification(Struct, frozen=True):
    """One thing to be told on one channel. ``id`` stays the same over retries and restarts.

    ``due_at``: it is told no earlier. ``held``: until the end of quiet hours, so that it is told among others then.
    ``escalates``: it is told only if by then nobody has acknowledged the incident and it is not over. ``joined``: it is
    never told, and takes back what waits, as the parent of its incident tells it (`Change`). ``catches_up``: its
    channel is new, and is told of what was open before, among others of that sort. ``thread`` is the receipt that the
    far end gave for the first message about the incident, for channels that can answer to it.
    """

    id: str
    channel: str
    what: ChangeKind
    incident: Incident
    created_at: datetime
    attempts: int = 0
    due_at: datetime | None = None
    held: bool = False
    escalates: bool = False
    joined: bool = False
    thread: str | None = None
    catches_up: bool = False
    #: nothing about the incident has been delivered on the channel yet, whatever this tells of it.
    first: bool = False
    #: when that was to be told of which it takes the place, as nobody could tell it; None where that was no earlier.
    untold_since: datetime | None = None

    @property
    def wanted_at(self) -> datetime:
        """When it was to be told, or what it takes the place of."""
        return self.untold_since or self.due_at or self.created_at


DigestReason = Literal["storm", "late", "quiet", "new"]


class Digest(Struct, frozen=True):
    """Several notifications of one channel in one message that lists every one of their incidents.

    ``why``: there were more than the channel takes (``storm``), they could not be told for long (``late``), they
    were held until the end of quiet hours (``quiet``), or the channel is new (``new``). ``id`` stays the same over
    retries and restarts, and so does what it lists. ``more``: incidents that waited as well when it was sealed, and for
    which it has no room; no fewer than that. ``late_s``: for how long the oldest of it has waited when it is tried,
    where that is long.
    """

    id: str
    channel: str
    why: DigestReason
    notifications: tuple[Notification, ...]
    created_at: datetime
    attempts: int = 0
    more: int = 0
    late_s: float = 0.0


#: What a channel is given to tell.
Told = Notification | Digest


class PeerStatus(Struct, frozen=True):
    """How a peer stands, for the API and ``eventd_peer_up``. ``up`` is None while nothing is known."""

    device: str
    vsys: str
    peer: str
    peer_name: str | None
    site: str | None
    up: bool | None
    since: datetime
    state_changes: int
    tunnels_up: int
    tunnels_down: int
    last_reason: str | None
    incident: str | None


def to_json(value: Any) -> bytes:
    """One line of JSON of any of the values above; times as RFC 3339 UTC."""
    return msgspec.json.encode(value)
