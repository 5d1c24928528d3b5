"""The pages: the desk, which says what is wrong now, who is down and what just happened, and one page per incident.

No scripts and no state: what a page shows is in its address, and the browser reloads it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jinja2
from aiohttp import web
from markupsafe import Markup, escape

import eventd
from eventd.contract import JournalRow
from eventd.errors import StoreError
from eventd.model import Incident, PeerStatus, utc
from eventd.notify.render import KIND_TEXTS, cut, duration_text
from eventd.printable import HIDDEN
from eventd.skew import LARGE_S
from eventd.web import query as q
from eventd.web.answers import NO_STORE, DeviceRow, shown_raw
from eventd.web.api import devices
from eventd.web.evidence import evidence
from eventd.web.query import query
from eventd.web.service import Service

#: Seconds between two reloads of the page by the browser.
REFRESH_S = 10
#: Incidents told in full: two screens of a laptop. Where more are open, only the gravest, because then the picture
#: matters more than each of them; the others get a line.
CARDS = 10
CARDS_OF_MANY = 4
LINES = 100
#: What most of many have in common; more than a few reasons are no picture.
SHARED_ROWS = 6
#: Characters of a reason in that list.
SHARED_CHARS = 60
#: Rows of the other lists on the desk; the API has the rest.
PEER_ROWS = 25
ALL_PEER_ROWS = 2000
DEVICE_ROWS = 20
RESOLVED_ROWS = 15
EVENT_ROWS = 25
#: Messages on the page of an incident, and characters of each that are shown.
MESSAGE_ROWS = 30
RAW_CHARS = 4000

URGENCY = ("critical", "major", "warning", "info")

#: A device's name or reason may hold it. Line breaks and tabs may stay: they do nothing in HTML.
_HIDDEN = re.compile(f"[{HIDDEN}]")


class Desk:
    """Renders the pages."""

    def __init__(self, service: Service) -> None:
        self._service = service
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("eventd.web", "."),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=reveal,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            moment=moment, clock=clock, skew=skew, step=step, span=span, heading=heading, address=address
        )
        environment.tests["web_link"] = _is_web_link
        self._page = environment.get_template("desk.html.j2")
        self._incident = environment.get_template("incident.html.j2")
        self._missing = environment.get_template("missing.html.j2")

    def routes(self) -> list[web.RouteDef]:
        """The pages for people."""
        return [web.get("/", self.page), web.get("/incidents/{id}", self.incident)]

    async def page(self, request: web.Request) -> web.Response:
        """Open incidents, peers that are down, silent devices, what was resolved lately, the last events.

        What is open is known without the store: if that cannot be read, the page says so and shows the rest.
        """
        wanted = query(request, q.DESK)
        device, trouble = wanted.get("device"), None
        lately: Sequence[Incident] = ()
        events: Sequence[JournalRow] = ()
        try:
            lately = (await self._service.store.incidents(status="resolved", device=device, limit=RESOLVED_ROWS)).items
            events = (await self._service.store.events(device=device, limit=EVENT_ROWS)).items
        except StoreError as error:
            trouble = f"The store cannot be read: {error}"
        return self._html(
            self._page,
            wanted,
            status=200 if trouble is None else 503,
            trouble=[text for text in (self._service.not_ready(), trouble) if text],
            resolved=lately,
            events=events,
            channels=self._channels(),
            receivers=self._service.status()["receivers"],
            **self._incidents(device),
            **self._peers(device, everything="peers" in wanted),
            **self._devices(device),
        )

    async def incident(self, request: web.Request) -> web.Response:
        """One incident: what, why, what to do, what happened in order, and the messages that prove it."""
        wanted = query(request, q.INCIDENT_PAGE)
        ident = request.match_info["id"]
        try:
            story, trouble = await self._story(ident), None
        except StoreError as error:
            story, trouble = self._open_story(ident), f"The store cannot be read, so messages are missing: {error}"
        if story["incident"] is None:
            return self._html(self._missing, wanted, status=404 if trouble is None else 503, id=ident, trouble=trouble)
        return self._html(self._incident, wanted, status=200 if trouble is None else 503, trouble=trouble, **story)

    async def _story(self, ident: str) -> dict[str, Any]:
        """An incident with its parent, children and messages as they are kept."""
        store = self._service.store
        incident = await store.incident(ident)
        if incident is None:
            return self._open_story(ident)
        rows, more = await evidence(store, incident, MESSAGE_ROWS)
        family = [await store.incident(each) for each in (incident.parent, *incident.children[:LINES]) if each]
        return {
            "incident": incident,
            "messages": [(row, cut(shown_raw(row.event.transport, row.event.raw), RAW_CHARS)) for row in rows],
            "more_messages": more,
            "family": [each for each in family if each is not None],
        }

    def _open_story(self, ident: str) -> dict[str, Any]:
        """What is known of an open incident without the store."""
        found = (incident for incident in self._service.correlator.open_incidents() if incident.id == ident)
        return {"incident": next(found, None), "messages": (), "more_messages": False, "family": ()}

    def _html(
        self, template: jinja2.Template, wanted: Mapping[str, Any], *, status: int = 200, **values: Any
    ) -> web.Response:
        common = {"version": eventd.__version__, "refresh_s": REFRESH_S, "kinds": KIND_TEXTS, "wanted": wanted}
        text = template.render(now=utc(self._service.now()), **common, **values)
        return web.Response(text=text, status=status, content_type="text/html", headers=NO_STORE)

    # --- what the desk shows --------------------------------------------------------------------------------------

    def _incidents(self, device: str | None) -> dict[str, Any]:
        """Open incidents, gravest first; those of an open parent are listed with it."""
        found = [i for i in self._service.correlator.open_incidents() if device in (None, i.device)]
        found.sort(key=_by_urgency)
        known = {incident.id for incident in found}
        children: dict[str, list[Incident]] = {}
        heads = []
        for incident in found:
            if incident.parent in known:
                children.setdefault(str(incident.parent), []).append(incident)
            else:
                heads.append(incident)
        cards = len(heads) if len(heads) <= CARDS else CARDS_OF_MANY
        return {
            "counts": [(s, n) for s in URGENCY if (n := sum(i.severity == s for i in found))],
            "shared": _shared(found),
            "cards": heads[:cards],
            "lines": heads[cards : cards + LINES],
            "more_incidents": max(0, len(heads) - cards - LINES),
            "children": children,
        }

    def _peers(self, device: str | None, *, everything: bool) -> dict[str, Any]:
        """Peers that are not up, and the others too where all are asked for or there are few."""
        peers = [peer for peer in self._service.correlator.peers() if device in (None, peer.device)]
        not_up = [peer for peer in peers if not peer.up]
        shown = peers if everything or len(peers) <= PEER_ROWS else not_up
        rows = sorted(shown, key=_by_state)[: ALL_PEER_ROWS if everything else PEER_ROWS]
        down = sum(peer.up is False for peer in not_up)
        return {
            "peers": rows,
            "peers_total": len(peers),
            "peers_down": down,
            "peers_unknown": len(not_up) - down,
            "peers_left_out": len(peers) - len(rows),
        }

    def _devices(self, device: str | None) -> dict[str, Any]:
        """Devices, those never heard and then those silent for longest first."""
        rows = [row for row in devices(self._service) if device in (None, row.device)]
        return {
            "devices": sorted(rows, key=_by_silence)[:DEVICE_ROWS],
            "devices_total": len(rows),
            "devices_heard": sum(row.last_message_at is not None for row in rows),
        }

    def _channels(self) -> list[tuple[Mapping[str, str], Any]]:
        """Channels with what became of their notifications; None before the first."""
        totals = self._service.store.totals()
        return [(channel, totals.get(channel["name"])) for channel in self._service.status()["channels"]]


def _shared(incidents: Sequence[Incident]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Of many incidents: the commonest reasons, devices and sites, with how many have each."""
    if len(incidents) <= CARDS:
        return []
    values = {
        "reason": Counter(cut(i.cause.text, SHARED_CHARS) for i in incidents if i.cause),
        "device": Counter(i.device for i in incidents),
        "site": Counter(i.site for i in incidents if i.site),
    }
    return [(name, counter.most_common(SHARED_ROWS)) for name, counter in values.items() if counter]


def _by_urgency(incident: Incident) -> tuple[int, bool, float]:
    """Gravest first, among those what nobody has taken yet, then the latest."""
    return URGENCY.index(incident.severity), incident.acked_by is not None, -incident.opened_at.timestamp()


def _by_state(peer: PeerStatus) -> tuple[int, str, str, str]:
    return (0 if peer.up is False else 1 if peer.up is None else 2), peer.device, peer.vsys, peer.peer


def _by_silence(row: DeviceRow) -> tuple[float, str]:
    return (row.last_message_at.timestamp() if row.last_message_at else 0.0), row.device


# --- how values look ------------------------------------------------------------------------------------------------


def reveal(value: Any) -> Any:
    """Text with everything that cannot be seen written out as an escape; what is no text stays."""
    if not isinstance(value, str) or _HIDDEN.search(value) is None:
        return value
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def step(text: str) -> Markup:
    """A step to take; what stands in backticks is a command to type."""
    parts = reveal(text).split("`")
    if len(parts) % 2 == 0:  # one backtick has no partner
        return escape("`".join(parts))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if index % 2 else part for index, part in enumerate(parts))


def moment(value: datetime) -> Markup:
    """A point in time in UTC, as a ``time`` element."""
    return Markup('<time datetime="{}Z">{}</time>').format(
        value.replace(tzinfo=None).isoformat(timespec="milliseconds"), value.strftime("%Y-%m-%d %H:%M:%S")
    )


def clock(value: datetime, now: datetime) -> Markup:
    """The same, shorter: only the time of day if it was today."""
    shown = value.strftime("%H:%M:%S" if value.date() == now.date() else "%m-%d %H:%M")
    return Markup('<time datetime="{}Z" title="{} UTC">{}</time>').format(
        value.replace(tzinfo=None).isoformat(timespec="milliseconds"), value.strftime("%Y-%m-%d %H:%M:%S"), shown
    )


def span(value: timedelta) -> str:
    """A length of time in its two largest units: ``3d 4h``."""
    return duration_text(value.total_seconds())


def skew(seconds: float) -> str:
    """How far the clock of a device is from ours: ``8h 0m ahead``, or that it is right."""
    if abs(seconds) < LARGE_S:
        return "right"
    return f"{duration_text(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"


def heading(incident: Incident) -> str:
    """What kind of trouble, with whom: ``IPsec tunnel down: branch-berlin (2.1.1.1)``."""
    kind = KIND_TEXTS.get(incident.kind, incident.kind)
    if incident.peer is None:
        return f"{kind}: {incident.device}"
    return f"{kind}: {incident.peer_name} ({incident.peer})" if incident.peer_name else f"{kind}: {incident.peer}"


def address(wanted: Mapping[str, str | None]) -> str:
    """The query of a page that shows this; keys that are None are left out."""
    return urlencode({name: value for name, value in wanted.items() if value is not None}, errors="replace")


def _is_web_link(text: str | None) -> bool:
    """Addresses from the inventory may be anything; only these two kinds become links."""
    return text is not None and text.startswith(("http://", "https://"))
