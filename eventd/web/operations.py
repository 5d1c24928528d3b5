"""What can be asked of this server: one row per operation. Query keys and types of the answers are those that the
handlers use themselves."""

from functools import partial

import msgspec
from msgspec import Struct

from eventd.model import Incident, PeerStatus
from eventd.store.letters import Letter
from eventd.web import bodies
from eventd.web import query as q
from eventd.web.answers import (
    DeviceRow,
    Error,
    EventRow,
    IncidentWithEvents,
    ReasonRow,
    RejectedRow,
    SilenceRow,
    Status,
    Why,
)
from eventd.web.stream import EVENT_STREAM

JSON, TEXT, HTML, CSS = "application/json", "text/plain", "text/html", "text/css"
#: The other form of /metrics, by Accept.
OPENMETRICS = "application/openmetrics-text"

SCHEMAS = (
    Incident,
    IncidentWithEvents,
    EventRow,
    PeerStatus,
    DeviceRow,
    ReasonRow,
    RejectedRow,
    SilenceRow,
    Letter,
    Status,
    Why,
    Error,
)


class Operation(Struct, frozen=True, kw_only=True):
    """One thing that can be asked. ``returns`` is a schema of `SCHEMAS`, or the media types of a text.

    ``pages`` says that it returns a page of such rows, ``takes`` which keys its JSON body may have, ``needs`` which of
    them it must have. ``refusals`` are the errors of its own beside those that every
    operation has.
    """

    path: str
    does: str
    method: str = "get"
    tag: str = "read"
    keys: q.Keys = msgspec.field(default_factory=dict)
    returns: type[Struct] | tuple[str, ...] = (JSON,)
    pages: bool = False
    takes: q.Keys = msgspec.field(default_factory=dict)
    needs: tuple[str, ...] = ()
    status: int = 200
    refusals: tuple[int, ...] = ()


#: What can be wrong with a change of an incident or a notification.
CHANGING = (400, 401, 403, 404, 409, 413, 503)

#: Most of those that change something, that show a page, and that list rows.
_changes = partial(Operation, method="post", tag="change", refusals=CHANGING)
_shows = partial(Operation, tag="page", returns=(HTML,), refusals=(400, 503))
_lists = partial(Operation, pages=True, refusals=(400, 503))

OPERATIONS = (
    _lists(
        path="/api/v1/incidents",
        does="Incidents, the latest first.",
        keys=q.INCIDENTS,
        returns=Incident,
    ),
    Operation(
        path="/api/v1/incidents/{id}",
        does="One incident with the latest 1000 of its events.",
        returns=IncidentWithEvents,
        refusals=(400, 404, 503),
    ),
    _changes(
        path="/api/v1/incidents/{id}/ack",
        does="Note who has taken an incident: it is not recalled any more, or not before `until`.",
        takes=bodies.ACK,
        returns=Incident,
    ),
    _changes(
        path="/api/v1/incidents/{id}/ack",
        does="Nobody has it any more.",
        method="delete",
        returns=Incident,
    ),
    _changes(
        path="/api/v1/incidents/{id}/clear",
        does="Resolve an incident by hand; a group takes along what it tells.",
        takes=bodies.BY,
        returns=Incident,
    ),
    _lists(
        path="/api/v1/silences",
        does="Silences in force, those that ended within a day, and the planned work of the configuration (kind "
        "maintenance: the window that holds or the next one), the one that ends first first.",
        keys=q.SILENCES,
        returns=SilenceRow,
        refusals=(400,),
    ),
    _changes(
        path="/api/v1/silences",
        does="Tell nobody of what it fits until it ends. What is still open then is told.",
        takes=bodies.SILENCE,
        needs=("match",),
        returns=SilenceRow,
        status=201,
        refusals=(400, 401, 403, 413, 503),
    ),
    _changes(
        path="/api/v1/silences/{id}",
        does="End a silence now; what it held back and is still open is told. Planned work stands in the configuration "
        "and is ended there (409).",
        method="delete",
        returns=SilenceRow,
        refusals=(400, 401, 403, 404, 409, 503),
    ),
    _lists(
        path="/api/v1/outbox",
        does="Notifications as they stand in the outbox, the latest enqueued first; without `state` what was not "
        "delivered: pending, or dead and neither sent again nor dropped.",
        keys=q.OUTBOX,
        returns=Letter,
    ),
    _changes(
        path="/api/v1/outbox/{id}/retry",
        does="Have a pending one tried at once. A dead one stays dead; a new one, which is the answer, tells the "
        "incident as it stands now.",
        takes=bodies.BY,
        returns=Letter,
    ),
    _changes(
        path="/api/v1/outbox/{id}/drop",
        does="Give up a pending one, unless it is being told right now, or close a dead one.",
        takes=bodies.BY,
        returns=Letter,
    ),
    Operation(
        path="/api/v1/explain",
        does="Why a peer, a device or an incident stands as it does: rule, timers, decisions, messages.",
        keys=q.EXPLAIN,
        returns=Why,
        refusals=(400, 404, 503),
    ),
    Operation(
        path="/api/v1/stream",
        does="Changes of incidents as they are committed, as server-sent events named opened, updated and resolved; "
        "their data is an Incident.",
        returns=(EVENT_STREAM,),
        refusals=(400, 503),
    ),
    _lists(
        path="/api/v1/rejected",
        does="Messages that were refused or could not be decoded, the latest first.",
        keys=q.REJECTED,
        returns=RejectedRow,
    ),
    _lists(
        path="/api/v1/events",
        does="The journal, the latest arrival first.",
        keys=q.JOURNAL,
        returns=EventRow,
    ),
    _lists(
        path="/api/v1/peers",
        does="How every known peer stands, by device, vsys and address.",
        keys=q.PEERS,
        returns=PeerStatus,
        refusals=(400,),
    ),
    _lists(
        path="/api/v1/devices",
        does="Devices of the inventory and devices that were heard, by name, with what was learned of them.",
        keys=q.DEVICES,
        returns=DeviceRow,
        refusals=(400,),
    ),
    _lists(
        path="/api/v1/reasons",
        does="The reason catalogue.",
        keys=q.REASONS,
        returns=ReasonRow,
        refusals=(400,),
    ),
    Operation(
        path="/api/v1/status",
        does="Version, receivers, channels, outbox and the ledger of the store.",
        returns=Status,
        refusals=(400, 503),
    ),
    Operation(path="/api/v1/openapi.json", does="This document.", refusals=(400,)),
    _shows(
        path="/",
        does="The desk: what is wrong now.",
        keys=q.DESK,
    ),
    _shows(
        path="/incidents/{id}",
        does="One incident as a page.",
        keys=q.INCIDENT_PAGE,
        refusals=(400, 404, 503),
    ),
    _shows(
        path="/why",
        does="Why a peer, a device or an incident stands as it does, as a page.",
        keys=q.WHY_PAGE,
        refusals=(400, 404, 503),
    ),
    _shows(
        path="/rejected",
        does="Messages that were refused or could not be decoded, as a page.",
        keys=q.REJECTED_PAGE,
    ),
    Operation(path="/style.css", does="Looks of the pages.", tag="page", returns=(CSS,)),
    Operation(path="/icon.svg", does="Icon of the pages.", tag="page", returns=("image/svg+xml",)),
    Operation(path="/metrics", does="Metrics for Prometheus.", tag="operate", returns=(TEXT, OPENMETRICS)),
    Operation(path="/-/healthy", does="200 while the process answers.", tag="operate", returns=(TEXT,)),
    Operation(
        path="/-/ready",
        does="200 while eventd can be relied on.",
        tag="operate",
        returns=(TEXT,),
        refusals=(503,),
    ),
    Operation(
        path="/-/reload",
        does="Read the configuration again; a bad one is refused (422) and the old one keeps running.",
        method="post",
        tag="operate",
        returns=(TEXT,),
        refusals=(401, 403, 422),
    ),
)
