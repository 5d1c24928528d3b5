"""The desk: one server-rendered page of what is wrong now, who is down, and what just happened."""

from datetime import datetime, timedelta
from typing import Any

import jinja2
from aiohttp import web

import eventd
from eventd.model import Incident, utc
from eventd.web.service import Service

#: Rows of each list on the page; the API has the rest.
ROWS = 100
#: Seconds between two reloads of the page by the browser.
REFRESH_S = 10


class Desk:
    """Renders the page and the page of one incident."""

    def __init__(self, service: Service) -> None:
        self._service = service
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("eventd.web", "."),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(moment=_moment, span=_span)
        self._page = environment.get_template("desk.html.j2")
        self._incident = environment.get_template("incident.html.j2")

    async def page(self, _: web.Request) -> web.Response:
        """Open incidents, peers that are down, incidents resolved lately, last events."""
        store = self._service.store
        now = utc(self._service.now())
        peers = sorted(self._service.correlator.peers(), key=lambda p: (p.up is not False, p.device, p.peer))
        opened = sorted(self._service.correlator.open_incidents(), key=_by_urgency)
        return self._html(
            self._page,
            now=now,
            open_incidents=opened[:ROWS],
            more_incidents=max(0, len(opened) - ROWS),
            resolved=(await store.incidents(status="resolved", limit=20)).items,
            peers=peers[:ROWS],
            peers_total=len(peers),
            peers_down=sum(1 for peer in peers if peer.up is False),
            events=(await store.events(limit=30)).items,
            status=self._service.status(),
            not_ready=self._service.not_ready(),
        )

    async def incident(self, request: web.Request) -> web.Response:
        """One incident: what, why, what to do, what happened in order, and the messages that prove it."""
        incident = await self._service.store.incident(request.match_info["id"])
        if incident is None:
            raise web.HTTPNotFound(reason="no such incident")
        events = await self._service.store.events(incident=incident.id, limit=ROWS)
        return self._html(self._incident, now=utc(self._service.now()), incident=incident, events=events.items)

    def _html(self, template: jinja2.Template, **values: Any) -> web.Response:
        text = template.render(version=eventd.__version__, refresh_s=REFRESH_S, **values)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def _by_urgency(incident: Incident) -> tuple[int, float]:
    order = {"critical": 0, "major": 1, "warning": 2, "info": 3}
    return order[incident.severity], -incident.opened_at.timestamp()


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S")


def _span(value: timedelta) -> str:
    """A length of time in its two largest units: ``3 d 4 h``, ``12 m 5 s``."""
    seconds = max(0, int(value.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{n} {unit}" for n, unit in parts[:2])
