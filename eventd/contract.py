"""The verbs: what a handler, a channel, a store and a receiver's sink are to the rest of the house.

Handlers live in packages named in the configuration and are found by name (`eventd.registry`); they may import only
this module, `eventd.model` and `eventd.errors`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct, field

from eventd.model import (
    Digest,
    DigestReason,
    Event,
    Header,
    Incident,
    Malformed,
    Message,
    Notification,
    Reason,
    Syntax,
    SyslogRecord,
    Told,
    TrapRecord,
)

#: Key in ``extra`` that says how the two ends of an SA were told apart. A handler whose message names them without
#: saying which is the device's own sets it to `UNORDERED`, with the one named first as ``local``, and leaves ``<peer>``
#: and ``<local>`` in the steps; `eventd.ends` then finds out. `BY_ORDER`: nothing told them apart, it is a guess.
ENDS = "ends"
UNORDERED = "unordered"
BY_ORDER = "order"


class Origin(Struct, frozen=True):
    """Where and when a message came in: what a record does not know of itself.

    ``device`` is the name of the sender as the inventory sees it; ``device_time`` the device's stamp in UTC under
    that device's clock rule.
    """

    transport: str
    source: str
    received_at: datetime
    device: str
    device_time: datetime | None = None


def event_from_syslog(
    record: SyslogRecord, origin: Origin, event: str | None = None, vendor: str | None = None, **known: Any
) -> Event:
    """An `Event` with everything a syslog record says of itself; ``known`` are the fields a handler found out."""
    header = Header(record.pri, record.module, record.level, record.mnemonic, record.mark, record.seq, record.oid)
    return Event(
        event,
        vendor,
        origin.transport,
        origin.received_at,
        origin.device_time,
        origin.source,
        origin.device,
        record.hostname,
        header=header,
        raw=record.raw.decode("utf-8", "backslashreplace"),
        **known,
    )


def event_from_trap(
    record: TrapRecord,
    origin: Origin,
    notification: str | None = None,
    event: str | None = None,
    vendor: str | None = None,
    **known: Any,
) -> Event:
    """An `Event` with everything an SNMP notification says of itself. ``notification`` is its MIB name, if known.

    ``raw`` is the whole message in hex.
    """
    oid = known.pop("oid", record.oid)
    return Event(
        event,
        vendor,
        origin.transport,
        origin.received_at,
        None,
        origin.source,
        origin.device,
        header=Header(oid=oid, notification=notification),
        raw=record.raw.hex(),
        **known,
    )


# --- handlers ---------------------------------------------------------------------------------------------------


class WireField(Struct, frozen=True):
    """One ``Key=value`` of a syslog body: how it is spelled on the wire, which event field feeds it, and a default.

    ``field`` is a name of contract §4 (``peer``, ``reason``, ``code``, ``policy_seq``, …) or the wire key itself.
    ``default`` None leaves the key out unless a value is given.
    """

    key: str
    field: str
    default: str | None = ""


class SyslogTemplate(Struct, frozen=True):
    """How a real device words one event in syslog, for `eventd send` and for generated tests.

    The body is ``text (key=value, key=value)``, or ``pattern`` with ``{field}`` for each of ``fields`` where the vendor
    writes sentences. ``form`` is the layout that the vendor's devices usually send it in.
    """

    event: str
    module: str
    level: int
    mnemonic: str
    text: str
    fields: tuple[WireField, ...]
    oid: str | None = None
    source: str = ""
    pattern: str = ""
    form: str = "C"


class WireVar(Struct, frozen=True):
    """One varbind of a trap: object OID without instance, syntax, the event field that feeds it, and a default.

    ``encoding`` says what is made of an address: ``inet`` its octets, ``inet-type`` the number of its kind (both RFC
    4001), ``ipv4`` itself or 0.0.0.0 where it is none. ``instance`` is the row index of a column whose index none of
    the varbinds gives.
    """

    oid: str
    syntax: Syntax
    field: str
    default: str | int | None = ""
    columnar: bool = False
    encoding: Literal["", "inet", "inet-type", "ipv4"] = ""
    instance: str = ""


class TrapTemplate(Struct, frozen=True):
    """How a real agent sends one event as a notification. ``columnar`` varbinds get a row index appended."""

    event: str
    oid: str
    notification: str
    varbinds: tuple[WireVar, ...]
    v1_enterprise: str
    v1_generic: int
    v1_specific: int
    source: str = ""


class Handler(Struct, frozen=True, kw_only=True):
    """One family of events of one vendor. A module in a handler package exports it as ``HANDLER``.

    ``mnemonics`` are claimed case-insensitively, without ``_active``/``_clear``; ``oids`` are notification OIDs, also
    of a log that names one and has a mnemonic nobody claims; ``openings`` are the first words, in lower case, of texts
    that come without any tag. A key claimed by two handlers stops the start. Both decoders take a record that was
    claimed by one of these keys and return an `Event`; they raise `DecodeError` when it lacks what makes it that event,
    and may return an event whose ``event`` is None when a claimed key turns out to mean something else. The same record
    has to give the same event: of two that differ only in times, sequence numbers of the transport and ``raw``, only
    one may be decoded (`eventd.repeats`).
    """

    name: str
    vendor: str
    mnemonics: tuple[str, ...] = ()
    oids: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()
    decode_syslog: Callable[[SyslogRecord, Origin], Event] | None = None
    decode_trap: Callable[[TrapRecord, Origin], Event] | None = None
    syslog_templates: tuple[SyslogTemplate, ...] = ()
    trap_templates: tuple[TrapTemplate, ...] = ()


class CatalogueRow(Struct, frozen=True):
    """One reason of a vendor's catalogue. ``space`` is ``offline``, ``negotiation`` or ``condition`` (what another
    message states); their names are separate.

    ``aliases`` were seen in a vendor page or on a wire; ``aliases_unverified`` are guesses that are matched all the
    same. ``sources`` are references a reader can look up.
    """

    vendor: str
    space: str
    reason: Reason
    aliases: tuple[str, ...] = ()
    aliases_unverified: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    note: str | None = None


class Catalogue(Struct, frozen=True):
    """All reasons of one vendor. A module in a handler package exports it as ``CATALOGUE``.

    ``texts`` are its meanings, steps and glosses in other languages: language, then ``meaning``, ``step`` or ``gloss``,
    then the English text (docs/channels.md, "Languages").
    """

    vendor: str
    rows: tuple[CatalogueRow, ...]
    texts: Mapping[str, Mapping[str, Mapping[str, str]]] = {}


# --- judgement --------------------------------------------------------------------------------------------------


class Verdict(Struct, frozen=True, gc=False):
    """What a correlator concluded from one event or one tick.

    ``duplicate``: the event was a further witness of a fact already counted. ``changes``: steps in the life of
    incidents, in order. ``suppressed``: names of the rules that decided not to tell anyone. ``touched``: keys of the
    state that has to be saved.
    """

    duplicate: bool = False
    changes: tuple[Any, ...] = ()
    suppressed: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()


# --- store ------------------------------------------------------------------------------------------------------


class JournalRow(Struct, frozen=True, gc=False):
    """One event as it is kept, with what became of it."""

    event: Event
    duplicate: bool = False
    incidents: tuple[str, ...] = ()


class EngineChange(StrEnum):
    """What may happen to an SNMP engine that an operator wants to know of: ``eventd_snmp_engine_changes_total{change}``
    (see `eventd.parse.engines` and docs/snmp.md)."""

    LEARNED = "learned"
    REBOOTED = "rebooted"
    BOOTS_BACK = "boots_back"
    TIME_BACK = "time_back"
    RESET_ACCEPTED = "reset_accepted"
    LATCHED = "latched"
    MOVED = "moved"
    SHARED = "shared"
    CLAIMED = "claimed"
    REPINNED = "repinned"
    FORGOTTEN = "forgotten"


class Batch(Struct):
    """Everything that one commit makes durable together. ``states`` with value None are deleted.

    ``tallies`` are increments of the store's own ledger (names of ``eventd_*_total`` counters without labels).
    """

    journal: list[JournalRow] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    states: dict[str, bytes | None] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)
    tallies: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.journal or self.malformed or self.states or self.incidents or self.notifications or self.tallies
        )


class Settled(Struct, frozen=True):
    """How one try at a notification or digest ended. ``retry_at`` (Unix seconds) is set only for ``outcome="retry"``,
    ``receipt`` (what the far end calls the message) only for ``delivered``. ``heard``: the far end may have it, also
    where the try failed; where it surely has not, nobody waits for the end of what it would have begun. ``refused_at``:
    when it was first refused (Unix seconds), where it was; what is known already stays. ``failing_since``: since when
    the messages of its channel fail (Unix seconds), kept until one is ``delivered``."""

    id: str
    outcome: str
    retry_at: float | None = None
    error: str | None = None
    receipt: str | None = None
    heard: bool = True
    refused_at: float | None = None
    failing_since: float | None = None


class Waiting(Struct, frozen=True):
    """What a channel could be told of now: of how many incidents, since when the oldest of it waits (Unix seconds), how
    many were held in quiet hours, and how many are only told because the channel is new. Counted up to a bound that is
    more than any message holds."""

    due: int
    oldest: float | None
    held: int
    catching_up: int = 0


#: Which of what waits is told next. ``first``: by the order of the queue. ``gravest``: what is about an incident that
#: is open and critical now, by that order, then the rest. ``least tried``: what failed least often. ``untried``: what
#: has not failed at all, or nothing.
Turn = Literal["first", "gravest", "least tried", "untried"]


class Lately(Struct, frozen=True):
    """How a channel has done: when its last messages were tried (Unix seconds, in order; `Outbox.tried`), whether
    something has failed and is still to be told, until when its far end wanted to be left alone (Unix seconds; 0: it
    did not), whether something was handed out, or bound into a digest, of which nobody knows what became, when what is
    to be tried again was first refused (Unix seconds), by id, and since when messages fail, as far as anybody said
    (`Settled.failing_since`)."""

    tried: tuple[float, ...] = ()
    failing: bool = False
    rests_until: float = 0.0
    unsettled: bool = False
    refused: Mapping[str, float] = {}
    failing_since: float | None = None


class Outbox(Protocol):
    """The part of the store that delivery uses. All calls are safe from the event loop and never block it."""

    async def claim(self, channel: str, now: float, turn: Turn = "first") -> Told | None:
        """What ``channel`` tells next, marked in flight; None if nothing is due or something is in flight.

        First what was claimed before and never settled, under the same id; it is in no digest. Then a digest that was
        sealed. Then openings and updates before all-clears, each in the order of their
        commits; what is about one incident is told in order, also while another is being retried. Another ``turn``
        chooses among these, but for what was never settled.
        """

    async def waiting(self, channel: str, now: float, apart: Collection[str] = ()) -> Waiting:
        """What `claim` and `seal` could give now, one after the other; without the incidents ``apart``."""

    async def seal(
        self, channel: str, now: float, why: DigestReason, most: int, apart: Collection[str] = ()
    ) -> Digest | None:
        """Bind what is due about up to ``most`` incidents, none of them of those ``apart``, into one digest, durably,
        and mark it in flight; None if nothing is due or something is in flight. Where more is due, what is about
        incidents that are open and critical now goes before the rest."""

    async def unseal(self, channel: str, most: int) -> None:
        """Take digests of more than ``most`` incidents apart, also one that is in flight: the channel shows less in a
        message."""

    async def lay_down(self, ident: str) -> None:
        """Nobody tells what is in flight just now: it waits, in the same hands, and may be dropped."""

    async def take_up(self, ident: str) -> bool:
        """It is being told again, unless some of it was dropped meanwhile: whether all of it is still to be told."""

    async def settle(self, settled: Settled) -> None:
        """Record the end of a try: ``delivered``, ``dead`` (kept, never tried again) or ``retry`` at a time.
        Returns after the commit."""

    async def settle_then_claim(self, settled: Settled, channel: str, now: float) -> Told | None:
        """Both, one right behind the other: who has more to tell waits once behind the pipeline's commits, not twice.
        Where the second fails the first may have been done."""

    async def next_due(self, channel: str) -> float | None:
        """Unix seconds at which `claim` will have something; None if nothing waits or one is in flight."""

    async def tried(self, channel: str, at: Sequence[float]) -> None:
        """Keep when the last messages of ``channel`` were tried (Unix seconds, in order), in place of what was kept. A
        crash of eventd cannot undo that, a loss of power may."""

    async def lately(self, channel: str) -> Lately:
        """What whoever begins to serve ``channel`` has to know of the time before."""

    async def alerting(self, channel: str, resolved_since: float) -> Sequence[Incident]:
        """Incidents announced on ``channel`` that are open, or were resolved at or after ``resolved_since``; without
        news that was left out when it was first told of them, in place of what they would be news to."""


# --- notify -----------------------------------------------------------------------------------------------------


class Pace(Struct, frozen=True):
    """How often a channel may be told something: at most ``per_minute`` times in any minute, and not twice within
    ``apart_s`` seconds. None: as often as there is something."""

    per_minute: int | None = None
    apart_s: float = 0.0


class Channel(Protocol):
    """One configured place to tell people. Built by a `Notifier`, closed by delivery."""

    #: seconds after which `refresh` wants to be called again; None for channels that are told once.
    refresh_s: float | None
    pace: Pace
    #: how many incidents one `Digest` may list; 0 for channels that are told of each incident by itself.
    digests: int

    async def deliver(self, told: Told) -> str | None:
        """Tell it. Returns when the far end accepted, with its receipt where later messages can refer to it; raises
        `DeliveryError` otherwise."""

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None:
        """Repeat the current state to a far end that forgets (Alertmanager). Raises `DeliveryError`."""

    async def close(self) -> None: ...


@runtime_checkable
class Talker(Protocol):
    """A channel that sends a text for people, so that it can be looked at without sending it."""

    def text(self, told: Told) -> str:
        """What they will read. Raises `DeliveryError` (``render``)."""


@runtime_checkable
class SpeaksPlain(Protocol):
    """A channel that can send a text without any template when its own layout fails."""

    async def deliver_plain(self, told: Told) -> str | None: ...


@runtime_checkable
class Measures(Protocol):
    """A channel whose messages have bounds of their own."""

    def holds(self, digest: Digest) -> int:
        """How many incidents of ``digest`` one message lists, in whatever way it has to be told; at least one."""


class Notifier(Struct, frozen=True, kw_only=True):
    """One kind of channel (``kind`` is the ``type`` in the configuration). A module of `eventd.notify` exports it as
    ``NOTIFIER``.

    ``settings`` is a `msgspec.Struct` class whose fields are the channel's own configuration keys; ``build`` gets
    the channel's name, its settings and a `eventd.notify.delivery.Session`.
    """

    kind: str
    settings: type[Struct]
    build: Callable[..., Channel]


# --- receivers --------------------------------------------------------------------------------------------------


class Sink(Protocol):
    """Where receivers put messages: the bounded intake of the pipeline."""

    def put(self, messages: Sequence[Message]) -> None:
        """Take all of them. Never fails; a receiver asks `full` *before* reading more."""

    @property
    def full(self) -> bool:
        """True while receivers should leave the bytes in the kernel (UDP: counted there; TCP: backpressure)."""

    def crowded(self, source: str) -> bool:
        """True while what ``source`` has here is more than what is left for others: then only it should be held."""

    def on_room(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once, on the loop, when there is room again for all."""


class Framer(Protocol):
    """Splits a byte stream into messages; one per connection, no I/O inside (eventd.parse.framing)."""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole messages completed by ``data``. Never raises for what a peer sent: see ``errors``."""

    def finish(self) -> list[bytes]:
        """What is left when the stream ends: at most one unterminated message."""

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not whole."""

    @property
    def errors(self) -> Mapping[str, int]:
        """How many frames were damaged, by reason, since the connection began."""
