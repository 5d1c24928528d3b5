"""What the API answers with: the rows of its lists, and errors."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from eventd.contract import CatalogueRow, JournalRow
from eventd.correlate.explain import Explanation
from eventd.model import Event, Incident, Malformed, Reason, to_json
from eventd.parse.conceal import COMMUNITY_TRANSPORTS, without_community
from eventd.parse.typed import concealed, without_secrets

NO_STORE = {"Cache-Control": "no-store"}


class RequestError(Exception):
    """A request that gets an error as its answer, with that status and those headers."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, dict(headers or {})


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that no cache keeps."""
    head = {**NO_STORE, **(headers or {})}
    return web.Response(body=to_json(value), status=status, content_type="application/json", headers=head)


def error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as ``{"error": text}``."""
    return answer({"error": text}, status, headers)


class EventRow(Event, frozen=True):
    """An event as kept: also whether it was one more witness of a fact already counted, and its incidents."""

    duplicate: bool = False
    incidents: tuple[str, ...] = ()


class ChildRow(Struct, frozen=True):
    """An incident that another one tells, in short; ``cause`` is the reason in the device's words."""

    id: str
    kind: str
    status: Literal["open", "resolved"]
    severity: str
    device: str
    peer: str | None
    peer_name: str | None
    interface: str | None
    opened_at: datetime
    resolved_at: datetime | None
    cause: str | None
    title: str


class IncidentWithEvents(Incident, frozen=True):
    """An incident and the latest of the events that belong to it. ``under`` are its children as far as they are kept,
    open ones first; ``under_gone`` is how many of them are not kept any more."""

    events: tuple[EventRow, ...] = ()
    under: tuple[ChildRow, ...] = ()
    under_gone: int = 0


class Some(Struct, frozen=True):
    """How many there are, and the first of them in order."""

    count: int
    items: tuple[str, ...]


class Learned(Struct, frozen=True):
    """Of one device, and nothing that its inventory says: ``addresses`` that it used as its own end of a tunnel,
    ``hostnames`` that it puts into its messages, ``sources`` that they and no others come from, ``engine_ids`` (SNMPv3,
    hex) that proved themselves, and ``peers`` (addresses) that the inventory does not list; ``tunnels`` are all that it
    told of.
    """

    addresses: Some
    hostnames: Some
    sources: Some
    engine_ids: Some
    peers: Some
    tunnels: int


class DeviceRow(Struct, frozen=True):
    """A device of the inventory, or one that was heard."""

    device: str
    site: str | None
    vendor: str | None
    in_inventory: bool
    last_message_at: datetime | None
    #: its clock less ours, None where its messages state no time
    clock_skew_s: float | None = None
    learned: Learned | None = None


class SilenceRow(Struct, frozen=True):
    """A silence, or planned work (``kind`` ``maintenance``), which stands in the configuration and can be ended only
    there: its ``id`` is its key, ``starts_at`` and ``until`` are the window that holds or the next one, ``window`` how
    it is written if it comes every week. ``incidents``: how many open ones a silence fits, said only when it is made,
    as are ``notes``: what of it fits nothing in the inventory, and may be a typing error.
    """

    id: str
    status: Literal["active", "pending", "expired"]
    match: dict[str, str | list[str]]
    starts_at: datetime
    until: datetime
    who: str
    reason: str
    incidents: int | None = None
    kind: Literal["silence", "maintenance"] = "silence"
    window: str | None = None
    notes: tuple[str, ...] = ()


class RejectedRow(Struct, frozen=True):
    """A message that was refused or could not be decoded: why, and at which byte."""

    received_at: datetime
    transport: str
    source: str
    reason: str
    offset: int
    raw: str


class Why(Struct, frozen=True):
    """Why things stand as they do. ``incident`` is the one that was asked for; ``incidents`` are the latest of the peer
    or device, or those open at ``at``, of which ``more`` are not listed (without ``at``: of those that are open now);
    ``messages`` the latest, or those near ``at``. ``notice`` says what ``at`` does not reach back to."""

    at: datetime | None
    incident: Incident | None
    explanations: tuple[Explanation, ...]
    incidents: tuple[Incident, ...]
    messages: tuple[EventRow, ...]
    notice: str | None = None
    more: int = 0


class ReasonRow(Reason, frozen=True):
    """One reason of a catalogue."""

    vendor: str = ""
    space: str = ""
    aliases: tuple[str, ...] = ()
    aliases_unverified: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    note: str | None = None


class ChannelRow(Struct, frozen=True):
    """A channel as it is configured; since when its messages fail, until when it is left alone, and how the last try
    failed, None where they do not, it is not, or none has since the start."""

    name: str
    type: str
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    error: str | None = None


class Status(Struct, frozen=True):
    """How eventd itself does."""

    version: str
    started_at: datetime
    ready: bool
    not_ready: str | None
    receivers: tuple[dict[str, str], ...]
    channels: tuple[ChannelRow, ...]
    queued: int
    kernel_drops: dict[str, int]
    losing: str | None
    last_heard: dict[str, datetime]
    outbox: dict[str, dict[str, int]]
    ledger: dict[str, int]


class Error(Struct, frozen=True):
    """Every error."""

    error: str


def event_row(row: JournalRow) -> EventRow:
    """A row of the journal as the API shows it."""
    event = row.event
    known = {**msgspec.structs.asdict(event), "raw": (raw := shown_raw(event.transport, event.raw))}
    if raw != event.raw:
        known["extra"] = {name: without_secrets(text) for name, text in event.extra.items()}
    return EventRow(**known, duplicate=row.duplicate, incidents=row.incidents)


def with_events(incident: Incident, rows: Sequence[JournalRow], under: Sequence[ChildRow]) -> IncidentWithEvents:
    """An incident with its events and its children."""
    return IncidentWithEvents(
        **msgspec.structs.asdict(incident),
        events=tuple(map(event_row, rows)),
        under=tuple(under),
        under_gone=len(incident.children) - len(under),
    )


def reason_row(row: CatalogueRow) -> ReasonRow:
    """A row of a catalogue, flat."""
    known = msgspec.structs.asdict(row)
    return ReasonRow(**msgspec.structs.asdict(known.pop("reason")), **known)


def rejected_row(message: Malformed) -> RejectedRow:
    """A message that could not be decoded, as the API shows it."""
    return RejectedRow(
        received_at=message.received_at,
        transport=message.transport,
        source=message.source,
        reason=message.error.reason,
        offset=message.error.offset,
        raw=shown_raw(message.transport, message.raw),
    )


def shown_raw(transport: str, raw: str) -> str:
    """The message without the secrets it may hold: rows of earlier versions still have their SNMP community, and the
    keys of commands that somebody typed."""
    if transport not in COMMUNITY_TRANSPORTS:
        return concealed(raw)
    try:
        return without_community(bytes.fromhex(raw)).hex()
    except ValueError:
        return ""
