"""``GET /api/v1/explain``: the correlator's explanation of a peer, a device or an incident, with the incidents and the
messages that belong to it; an incident's also when it is over."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from eventd.contract import JournalRow
from eventd.correlate.explain import Explanation
from eventd.model import Incident, utc
from eventd.store.base import MAX_PAGE
from eventd.web import query as q
from eventd.web.answers import RequestError, Why, answer, event_row
from eventd.web.evidence import evidence
from eventd.web.family import children
from eventd.web.hushed import as_now
from eventd.web.query import query
from eventd.web.service import Service

#: Messages in one explanation: what fits a screen or two; the journal has all.
MESSAGES = 30
#: Incidents of the past in one explanation.
INCIDENTS = 5
#: Of the incidents that one tells, as many are explained as show what they share.
CHILDREN = 3
#: Incidents that are looked through for those open at a moment.
LOOKED_AT = 500
#: Seconds before and after the moment asked for: holds, probes and retries all end within two minutes.
NEAR_S = 120.0


#: Said where a moment of the past is asked for.
NOTICE = (
    "How it stands, its rules and its timers are those of now: of {at:%Y-%m-%d %H:%M:%S} UTC only the incidents and "
    "the messages are kept. What would run then: replay the recording or the messages of that time."
)


class WhyApi:
    """The handler of ``/api/v1/explain``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.get("/api/v1/explain", self.explain)]

    async def explain(self, request: web.Request) -> web.Response:
        """Why things stand as they do."""
        return answer(await why(self._service, query(request, q.EXPLAIN)))


async def why(service: Service, asked: dict[str, Any]) -> Why:
    """The explanation of what the query keys of `eventd.web.query.EXPLAIN` ask for.

    Raises `RequestError`: 400 for none or two things at once, 404 for what nobody knows.
    """
    peer, ident, device, at = (asked.get(name) for name in ("peer", "incident", "device", "at"))
    if (peer is None and device is None) == (ident is None):
        raise RequestError(400, "incident: ask for either a peer, a device, or an incident")
    if ident is not None:
        return await _of_incident(service, str(ident), at)
    explanations = service.correlator.explain(service.now(), peer=peer, device=device)
    address = _address(peer, explanations)
    chosen = await _incidents(service, device, address, at)
    incidents = as_now(service, _shown(chosen, at))
    messages = await _messages(service, device, address, at)
    if not (explanations or incidents or messages):
        raise RequestError(404, _unknown(service, peer, device))
    return _answer(at, None, explanations, incidents, messages, len(chosen) - len(incidents))


async def _of_incident(service: Service, ident: str, at: float | None) -> Why:
    incident = await service.store.incident(ident)
    if incident is None:
        raise RequestError(404, f"no incident {ident!r}")
    device = incident.device if incident.kind != "peer_outage" else None
    same = await _of_children(service, incident) if incident.children else _of_one(service, incident)
    family = [await service.store.incident(each) for each in (incident.parent,) if each is not None]
    if at is None:
        under = await children(service.store, incident)
        messages: Sequence[JournalRow] = (await evidence(service.store, incident, MESSAGES, under))[0]
    else:
        messages = await _messages(service, device, incident.peer, at)
    [now, *parents] = as_now(service, [incident, *(each for each in family if each is not None)])
    return _answer(at, now, same, parents, messages)


def _of_one(service: Service, incident: Incident) -> Sequence[Explanation]:
    found = service.correlator.explain(service.now(), peer=incident.peer, device=incident.device)
    return [one for one in found if incident.peer is None or one.vsys == incident.vsys]


async def _of_children(service: Service, incident: Incident) -> Sequence[Explanation]:
    """An outage of many is explained by the first of those that it tells."""
    kept = (await service.store.incidents(child_of=incident.id, limit=MAX_PAGE)).items
    return [one for child in sorted(kept, key=_place)[:CHILDREN] for one in _of_one(service, child)]


def _answer(
    at: float | None,
    incident: Incident | None,
    explanations: Sequence[Explanation],
    incidents: Sequence[Incident],
    messages: Sequence[JournalRow],
    more: int = 0,
) -> Why:
    return Why(
        at=None if at is None else utc(at),
        incident=incident,
        explanations=tuple(explanations),
        incidents=tuple(incidents),
        messages=tuple(map(event_row, messages)),
        notice=None if at is None else NOTICE.format(at=utc(at)),
        more=more,
    )


def _address(peer: str | None, explanations: Sequence[Explanation]) -> str | None:
    """The address by which the store knows a peer that was asked for by name."""
    found = {one.peer for one in explanations}
    return found.pop() if peer is not None and len(found) == 1 else peer


async def _incidents(service: Service, device: str | None, peer: str | None, at: float | None) -> Sequence[Incident]:
    """The latest, and those before that are open and no part of another; at a moment, those open then. What is no part
    of another comes first."""
    if at is None:
        latest = (await service.store.incidents(device=device, peer=peer, limit=INCIDENTS)).items
        still = (await service.store.incidents(device=device, peer=peer, status="open", limit=LOOKED_AT)).items
        chosen = {row.id: row for row in (*(row for row in still if row.parent is None), *latest)}
        return list(chosen.values())
    rows = (await service.store.incidents(device=device, peer=peer, limit=LOOKED_AT)).items
    moment = utc(at)
    then = [row for row in rows if row.opened_at <= moment <= (row.resolved_at or LAST)]
    return sorted(then, key=lambda row: row.parent is not None)


def _shown(chosen: Sequence[Incident], at: float | None) -> Sequence[Incident]:
    """The first few; of a moment in the order in which they began."""
    few = chosen[:INCIDENTS]
    return few if at is None else sorted(few, key=_place)


def _place(row: Incident) -> tuple[datetime, str, str]:
    """By time, then by name."""
    return row.opened_at, row.peer_name or row.peer or row.interface or "", row.device


#: An incident that is open has no end yet.
LAST = datetime.max.replace(tzinfo=UTC)


async def _messages(service: Service, device: str | None, peer: str | None, at: float | None) -> Sequence[JournalRow]:
    since, until = (None, None) if at is None else (at - NEAR_S, at + NEAR_S)
    return (await service.store.events(device=device, peer=peer, since=since, until=until, limit=MESSAGES)).items


def _unknown(service: Service, peer: str | None, device: str | None) -> str:
    if peer is None:
        return f"nothing was ever heard of device {device!r}"
    known = service.inventory.peer(peer)
    told = f"nothing was ever heard of peer {peer!r}" + (f" on device {device!r}" if device is not None else "")
    return f"{told}; it is in the inventory" if known is not None else told
