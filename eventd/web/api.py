"""The JSON API, version 1: lists are ``{"items": […], "next": cursor|null}``, newest first, filtered by query keys."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from msgspec.structs import replace

import eventd
from eventd.correlate.state import PeerState
from eventd.model import utc
from eventd.store.base import MAX_PAGE
from eventd.turns import smallest, turns
from eventd.web import query as q
from eventd.web.answers import (
    ChannelRow,
    DeviceRow,
    RequestError,
    Status,
    answer,
    event_row,
    reason_row,
    rejected_row,
    with_events,
)
from eventd.web.evidence import evidence
from eventd.web.family import children
from eventd.web.hushed import as_now
from eventd.web.learned import Learner
from eventd.web.openapi import document
from eventd.web.query import page, query, write_place
from eventd.web.service import Service

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

UP = {"true": True, "false": False, "unknown": None}


class Api:
    """Handlers of ``/api/v1``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Everything below ``/api/v1``."""
        table: dict[str, Handler] = {
            "incidents": self.incidents,
            "incidents/{id}": self.incident,
            "events": self.events,
            "peers": self.peers,
            "devices": self.devices,
            "reasons": self.reasons,
            "rejected": self.rejected,
            "status": self.status,
            "openapi.json": self.openapi,
        }
        return [web.get(f"/api/v1/{path}", handler) for path, handler in table.items()]

    async def incidents(self, request: web.Request) -> web.Response:
        """Incidents, the latest first."""
        found = await self._service.store.incidents(**query(request, q.INCIDENTS))
        return answer({"items": as_now(self._service, found.items), "next": found.next})

    async def incident(self, request: web.Request) -> web.Response:
        """One incident with the latest of the events about it."""
        query(request, q.NO_KEYS)
        incident = await self._service.store.incident(request.match_info["id"])
        if incident is None:
            raise RequestError(404, f"no incident {request.match_info['id']!r}")
        under = await children(self._service.store, incident)
        rows, _ = await evidence(self._service.store, incident, MAX_PAGE, under)
        [now] = as_now(self._service, [incident])
        return answer(with_events(now, rows, under))

    async def events(self, request: web.Request) -> web.Response:
        """The journal, the latest first."""
        found = await self._service.store.events(**query(request, q.JOURNAL))
        return answer({"items": [event_row(row) for row in found.items], "next": found.next})

    async def peers(self, request: web.Request) -> web.Response:
        """How every known peer stands, by device, vsys and address."""
        wanted = query(request, q.PEERS)
        if "up" in wanted:
            wanted["up"] = UP[wanted["up"]]
        limit, before, site = wanted.pop("limit"), wanted.pop("before", ()), wanted.pop("site", None)
        correlator, known = self._service.correlator, self._service.inventory

        def fits(state: PeerState) -> bool:
            return all(getattr(state, name) == value for name, value in wanted.items()) and (
                site is None or ((peer := known.peer(state.peer)) is not None and peer.site == site)
            )

        named = turns(correlator.named_peers())
        fitting = [state async for state in named if before < _peer_place(state) and fits(state)]
        found = await smallest(fitting, limit + 1, _peer_place)
        following = write_place(_peer_place(found[limit - 1])) if len(found) > limit else None
        rows = [correlator.standing(state) for state in found[:limit] if fits(state)]  # some may have changed meanwhile
        return answer({"items": rows, "next": following})

    async def devices(self, request: web.Request) -> web.Response:
        """Devices of the inventory and devices that were heard, with what was learned of them."""
        found = _list(devices(self._service), query(request, q.DEVICES), lambda row: (row.device,))
        learner = Learner(self._service)
        return answer(found | {"items": [replace(row, learned=learner.of(row.device)) for row in found["items"]]})

    async def reasons(self, request: web.Request) -> web.Response:
        """The reason catalogues of all vendors."""
        wanted = query(request, q.REASONS)
        code = wanted.pop("code", None)
        rows = (reason_row(row) for catalogue in self._service.registry.catalogues for row in catalogue.rows)
        rows = (row for row in rows if code is None or code in (row.code, *row.codes))
        return answer(_list(rows, wanted, lambda row: (row.vendor, row.space, row.name or row.text)))

    async def rejected(self, request: web.Request) -> web.Response:
        """Messages that were refused or could not be decoded, the latest first."""
        wanted = query(request, q.REJECTED)
        found = await self._service.store.malformed(wanted["limit"], wanted.get("before"))
        return answer({"items": [rejected_row(message) for message in found.items], "next": found.next})

    async def status(self, request: web.Request) -> web.Response:
        """Version, receivers, channels, outbox and the ledger of the store."""
        query(request, q.NO_KEYS)
        service, status = self._service, self._service.status()
        return answer(
            Status(
                version=eventd.__version__,
                started_at=utc(service.started_at),
                ready=service.not_ready() is None,
                not_ready=service.not_ready(),
                receivers=tuple(status["receivers"]),
                channels=tuple(ChannelRow(**channel) for channel in status["channels"]),
                queued=status["queued"],
                kernel_drops=status["kernel_drops"],
                losing=status["losing"],
                last_heard={name: utc(at) for name, at in status["last_heard"].items()},
                outbox=await service.store.outbox_counts(),
                ledger=await service.store.ledger(),
            )
        )

    async def openapi(self, request: web.Request) -> web.Response:
        """This API, described."""
        query(request, q.NO_KEYS)
        return answer(document())


def _list(rows: Any, wanted: dict[str, Any], place: Callable[[Any], q.Place]) -> dict[str, Any]:
    """A page of the rows whose fields have the wanted values."""
    limit, before = wanted.pop("limit"), wanted.pop("before", ())
    matching = (row for row in rows if all(getattr(row, name) == value for name, value in wanted.items()))
    return page(matching, place, limit, before)


def _peer_place(state: PeerState) -> q.Place:
    return state.device, state.vsys, state.peer or ""


def devices(service: Service) -> list[DeviceRow]:
    """Every device that is known, with when it was last heard (before a restart: as far as judgement remembers)."""
    status = service.status()
    heard, skews = {**service.correlator.devices(), **status["last_heard"]}, status["clock_skew"]
    return [
        DeviceRow(
            device=name,
            site=known.site if known else None,
            vendor=known.vendor if known else None,
            in_inventory=known is not None,
            last_message_at=utc(heard[name]) if name in heard else None,
            clock_skew_s=round(skews[name], 3) if name in skews else None,
        )
        for name in sorted({*heard, *(device.name for device in service.inventory.devices)})
        for known in (service.inventory.device(name),)
    ]
