"""The JSON API, version 1: lists are ``{"items": […], "next": cursor|null}``, newest first, filtered by query keys."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

import eventd
from eventd.model import INCIDENT_KINDS, SEVERITIES, to_json, utc
from eventd.web.service import Service

#: Rows of one page of a list: the default, and the most that may be asked for so that one request stays cheap.
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class QueryError(Exception):
    """A query key or value that cannot be served; answered with 400 and the text."""


def answer(value: Any, status: int = 200) -> web.Response:
    """A JSON answer that no cache keeps."""
    return web.Response(
        body=to_json(value), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def error(status: int, text: str) -> web.Response:
    """An error as ``{"error": text}``."""
    return answer({"error": text}, status)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise QueryError(f"limit: {text!r} is not a number from 1 to {MAX_LIMIT}")
    return int(text)


def _time(text: str) -> float:
    """RFC 3339 or Unix seconds, as Unix seconds."""
    try:
        if text.replace(".", "", 1).isdigit():
            return utc(float(text)).timestamp()
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as cause:
        raise QueryError(f"{text!r} is not a time (RFC 3339 or Unix seconds)") from cause
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _cursor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise QueryError(f"before: {text!r} is not a cursor of this list")
    return int(text)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in allowed:
            raise QueryError(f"{text!r} is not one of {', '.join(allowed)}")
        return text

    return check


INCIDENT_KEYS: dict[str, Callable[[str], Any]] = {
    "status": _one_of("open", "resolved"),
    "kind": _one_of(*INCIDENT_KINDS),
    "severity": _one_of(*SEVERITIES),
    "device": str,
    "peer": str,
    "site": str,
    "limit": _limit,
    "before": _cursor,
}
EVENT_KEYS: dict[str, Callable[[str], Any]] = {
    "device": str,
    "peer": str,
    "event": str,
    "incident": str,
    "since": _time,
    "until": _time,
    "limit": _limit,
    "before": _cursor,
}
PEER_KEYS: dict[str, Callable[[str], Any]] = {
    "device": str,
    "peer": str,
    "site": str,
    "up": _one_of("true", "false", "unknown"),
    "limit": _limit,
    "before": _cursor,
}


def query(request: web.Request, keys: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The query of a request as checked values; unknown keys are refused rather than ignored."""
    values: dict[str, Any] = {"limit": DEFAULT_LIMIT} if "limit" in keys else {}
    for name, text in request.query.items():
        if name not in keys:
            raise QueryError(f"{name}: unknown key; known: {', '.join(keys)}")
        values[name] = keys[name](text)
    return values


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
            "status": self.status,
        }
        return [web.get(f"/api/v1/{path}", handler) for path, handler in table.items()]

    async def incidents(self, request: web.Request) -> web.Response:
        """Incidents, newest first."""
        page = await self._service.store.incidents(**query(request, INCIDENT_KEYS))
        return answer({"items": page.items, "next": page.next})

    async def incident(self, request: web.Request) -> web.Response:
        """One incident with the events that belong to it."""
        query(request, {})
        identity = request.match_info["id"]
        incident = await self._service.store.incident(identity)
        if incident is None:
            return error(404, f"no incident {identity}")
        events = await self._service.store.events(incident=identity, limit=MAX_LIMIT)
        return answer({**msgspec.to_builtins(incident), "events": [row.event for row in events.items]})

    async def events(self, request: web.Request) -> web.Response:
        """The journal, newest first."""
        page = await self._service.store.events(**query(request, EVENT_KEYS))
        rows = [
            {**msgspec.to_builtins(r.event), "duplicate": r.duplicate, "incidents": r.incidents} for r in page.items
        ]
        return answer({"items": rows, "next": page.next})

    async def peers(self, request: web.Request) -> web.Response:
        """How every known peer stands, by device and address."""
        wanted = query(request, PEER_KEYS)
        up = {"true": True, "false": False, "unknown": None}
        limit, before = wanted.pop("limit"), wanted.pop("before", 0)
        if "up" in wanted:
            wanted["up"] = up[wanted["up"]]
        found = sorted(
            (p for p in self._service.correlator.peers() if all(getattr(p, k) == v for k, v in wanted.items())),
            key=lambda peer: (peer.device, peer.vsys, peer.peer),
        )
        more = before + limit
        return answer({"items": found[before:more], "next": more if more < len(found) else None})

    async def devices(self, request: web.Request) -> web.Response:
        """Devices of the inventory and devices that were heard."""
        query(request, {})
        return answer({"items": devices(self._service), "next": None})

    async def reasons(self, request: web.Request) -> web.Response:
        """The reason catalogue."""
        wanted = query(request, {"vendor": str, "space": str, "name": str})
        rows = [
            {**msgspec.to_builtins(row), **msgspec.to_builtins(row.reason)}
            for catalogue in self._service.registry.catalogues
            for row in catalogue.rows
            if wanted.get("vendor", row.vendor) == row.vendor
            and wanted.get("space", row.space) == row.space
            and wanted.get("name", row.reason.name) == row.reason.name
        ]
        for row in rows:
            del row["reason"]
        return answer({"items": rows, "next": None})

    async def status(self, request: web.Request) -> web.Response:
        """Version, receivers, channels and the ledger of this service."""
        query(request, {})
        service = self._service
        return answer(
            {
                "version": eventd.__version__,
                "started_at": utc(service.started_at),
                "ready": service.not_ready() is None,
                "not_ready": service.not_ready(),
                **service.status(),
                "outbox": await service.store.outbox_counts(),
                "ledger": await service.store.ledger(),
            }
        )


def devices(service: Service) -> list[dict[str, Any]]:
    """Every device that is known, with when it was last heard."""
    heard = service.status()["last_heard"]
    names = sorted({*heard, *(device.name for device in service.inventory.devices)})
    rows = []
    for name in names:
        known = service.inventory.device(name)
        rows.append(
            {
                "device": name,
                "site": known.site if known else None,
                "vendor": known.vendor if known else None,
                "in_inventory": known is not None,
                "last_message_at": utc(heard[name]) if name in heard else None,
            }
        )
    return rows
