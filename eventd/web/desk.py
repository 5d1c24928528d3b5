"""The pages: the desk, which says what is wrong now, who is down and what just happened; one page per incident; why
things stand as they do; and the messages that were refused.

No scripts and no state: what a page shows is in its address, and the browser reloads it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import jinja2
from aiohttp import web

import eventd
from eventd.contract import JournalRow
from eventd.correlate.state import PeerState
from eventd.errors import StoreError
from eventd.inventory import Inventory, Peer
from eventd.model import Incident, utc
from eventd.notify.markup import cut
from eventd.notify.pacing import STALE_AFTER_S
from eventd.store.letters import Letter
from eventd.turns import in_turns, smallest, turns
from eventd.web import query as q
from eventd.web.answers import NO_STORE, DeviceRow, SilenceRow, rejected_row, shown_raw
from eventd.web.api import devices
from eventd.web.evidence import evidence
from eventd.web.family import children
from eventd.web.hushed import as_now, quiet_rows
from eventd.web.learned import Learner
from eventd.web.looks import environment
from eventd.web.query import query
from eventd.web.service import Service
from eventd.web.why import why

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
SILENCE_ROWS = 50
#: Rows on a page of refused messages, and characters of each that are shown.
REJECTED_ROWS = 50
DEVICE_ROWS = 20
UNDELIVERED_ROWS = 20
RESOLVED_ROWS = 15
EVENT_ROWS = 25
#: Messages on the page of an incident, and characters of each that are shown.
MESSAGE_ROWS = 30
RAW_CHARS = 4000

URGENCY = ("critical", "major", "warning", "info")


class Desk:
    """Renders the pages."""

    def __init__(self, service: Service) -> None:
        self._service = service
        page = environment().get_template
        self._page = page("desk.html.j2")
        self._incident = page("incident.html.j2")
        self._why = page("why.html.j2")
        self._rejected = page("rejected.html.j2")
        self._missing = page("missing.html.j2")

    def routes(self) -> list[web.RouteDef]:
        """The pages for people."""
        return [
            web.get("/", self.page),
            web.get("/incidents/{id}", self.incident),
            web.get("/why", self.why),
            web.get("/rejected", self.rejected),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """Open incidents, peers that are down, silent devices, what was resolved lately, the last events.

        What is open is known without the store: if that cannot be read, the page says so and shows the rest.
        """
        wanted, status = query(request, q.DESK), self._service.status()
        device, trouble = wanted.get("device"), None
        lately: Sequence[Incident] = ()
        events: Sequence[JournalRow] = ()
        unheard: Sequence[Letter] = ()
        try:
            lately = await self._service.store.over(device, RESOLVED_ROWS)
            events = (await self._service.store.events(device=device, limit=EVENT_ROWS)).items
            unheard = await self._undelivered()
        except StoreError as error:
            trouble = f"The store cannot be read: {error}"
        return await self._html(
            self._page,
            wanted,
            status=200 if trouble is None else 503,
            trouble=[text for text in (self._service.not_ready(), status["losing"], trouble) if text],
            resolved=lately,
            events=events,
            channels=self._channels(),
            undelivered=unheard[:UNDELIVERED_ROWS],
            undelivered_more=len(unheard) > UNDELIVERED_ROWS,
            receivers=status["receivers"],
            **await self._incidents(device),
            **await self._peers(device, everything="peers" in wanted),
            **self._devices(device),
            **self._quiet(),
            refused=sum(self._service.telemetry.values("rejected").values()),
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
            return await self._html(
                self._missing, wanted, status=404 if trouble is None else 503, id=ident, trouble=trouble
            )
        return await self._html(
            self._incident, wanted, status=200 if trouble is None else 503, trouble=trouble, **story
        )

    async def why(self, request: web.Request) -> web.Response:
        """Why a peer, a device or an incident stands as it does."""
        wanted = query(request, q.WHY_PAGE)
        found = await why(self._service, {name: value for name, value in wanted.items() if name != "refresh"})
        shown = {name: str(value) for name, value in wanted.items() if name != "at"}
        return await self._html(self._why, shown | ({"at": request.query["at"]} if "at" in wanted else {}), why=found)

    async def rejected(self, request: web.Request) -> web.Response:
        """Messages that were refused or could not be decoded."""
        wanted = query(request, q.REJECTED_PAGE)
        found = await self._service.store.malformed(REJECTED_ROWS, wanted.get("before"))
        counts = Counter({name: int(n) for name, n in self._service.telemetry.values("rejected").items() if n})
        rows = [rejected_row(message) for message in found.items]
        shown = {name: str(value) for name, value in wanted.items()}
        return await self._html(self._rejected, shown, rows=rows, following=found.next, counts=counts.most_common())

    async def _story(self, ident: str) -> dict[str, Any]:
        """An incident with its parent, children and messages as they are kept."""
        store = self._service.store
        incident = await store.incident(ident)
        if incident is None:
            return self._open_story(ident)
        under = await children(store, incident)
        rows, more = await evidence(store, incident, MESSAGE_ROWS, under)
        parent = await store.incident(incident.parent) if incident.parent else None
        return {
            "incident": as_now(self._service, [incident])[0],
            "messages": [(row, cut(shown_raw(row.event.transport, row.event.raw), RAW_CHARS)) for row in rows],
            "more_messages": more,
            "parent": parent,
            "under": under[:LINES],
            "under_open": sum(child.status == "open" for child in under),
            "under_kept": len(under),
        }

    def _open_story(self, ident: str) -> dict[str, Any]:
        """What is known of an open incident without the store."""
        found = (incident for incident in self._service.correlator.each_open() if incident.id == ident)
        nothing = {"messages": (), "more_messages": False, "under": (), "under_open": 0, "under_kept": 0}
        return {"incident": next(found, None), "parent": None, **nothing}

    async def _html(
        self, template: jinja2.Template, wanted: Mapping[str, Any], *, status: int = 200, **values: Any
    ) -> web.Response:
        common = {"version": eventd.__version__, "refresh_s": REFRESH_S, "wanted": wanted}
        now = utc(self._service.now())
        text = "".join(await in_turns(template.generate(now=now, **common, **values)))
        return web.Response(text=text, status=status, content_type="text/html", headers=NO_STORE)

    # --- what the desk shows --------------------------------------------------------------------------------------

    async def _incidents(self, device: str | None) -> dict[str, Any]:
        """Open incidents, gravest first; those of an open parent are listed with it."""
        found = [i for i in await in_turns(self._service.correlator.each_open()) if device in (None, i.device)]
        strangers = Strangers(self._service.inventory)
        placed = await in_turns(
            ((*_by_urgency(incident, stranger=incident.peer in strangers), incident.id), incident) for incident in found
        )
        found = [incident for _, incident in sorted(placed, key=itemgetter(0))]
        known = {incident.id for incident in found}
        under: dict[str, list[Incident]] = {}
        heads = []
        for incident in found:
            if incident.parent in known:
                under.setdefault(str(incident.parent), []).append(incident)
            else:
                heads.append(incident)
        cards = len(heads) if len(heads) <= CARDS else CARDS_OF_MANY
        return {
            "counts": [(s, n) for s in URGENCY if (n := sum(i.severity == s for i in heads))],
            "counted_under": len(found) - len(heads),
            "shared": _shared(heads),
            "cards": heads[:cards],
            "lines": heads[cards : cards + LINES],
            "more_incidents": max(0, len(heads) - cards - LINES),
            "children": under,
        }

    async def _peers(self, device: str | None, *, everything: bool) -> dict[str, Any]:
        """Every peer that is down; those that are not known, and the others where all are asked for, as far as there is
        room. Where the inventory lists peers, those it does not know are strangers."""
        correlator, inventory = self._service.correlator, self._service.inventory
        peers = [one async for one in turns(correlator.named_peers()) if device in (None, one.device)]
        stand = Counter(peer.up for peer in peers)
        room = ALL_PEER_ROWS if everything else min(max(PEER_ROWS, stand[False]), ALL_PEER_ROWS)
        shown = peers if everything or len(peers) <= PEER_ROWS else [peer for peer in peers if not peer.up]
        strangers = Strangers(inventory)
        rows = await smallest(shown, room, lambda peer: _by_state(peer, inventory.peer(peer.peer), strangers))
        return {
            "peers": await in_turns(map(correlator.standing, rows)),
            "strangers": strangers,
            "peers_total": len(peers),
            "peers_down": stand[False],
            "peers_unknown": stand[None],
            "peers_left_out": len(peers) - len(rows),
        }

    def _quiet(self) -> dict[str, Any]:
        """Silences and planned work in force or to come; what holds now comes first."""
        rows = sorted((row for row in quiet_rows(self._service) if row.status != "expired"), key=_by_beginning)
        return {"silences": rows[:SILENCE_ROWS], "silences_left_out": max(0, len(rows) - SILENCE_ROWS)}

    def _devices(self, device: str | None) -> dict[str, Any]:
        """Devices, those never heard and then those silent for longest first."""
        rows = [row for row in devices(self._service) if device in (None, row.device)]
        return {
            "devices": sorted(rows, key=_by_silence)[:DEVICE_ROWS],
            "learned": Learner(self._service).of(device) if device is not None and rows else None,
            "devices_total": len(rows),
            "devices_heard": sum(row.last_message_at is not None for row in rows),
        }

    async def _undelivered(self) -> Sequence[Letter]:
        """What was given up and nobody has seen to, then what should have been told long ago; one more than is
        shown."""
        ask, long_ago = self._service.store.letters, self._service.now() - STALE_AFTER_S
        dead = await ask(state="dead", undelivered=True, limit=UNDELIVERED_ROWS + 1)
        waits = await ask(state="pending", wanted_before=long_ago, limit=UNDELIVERED_ROWS + 1)
        return (*dead.items, *waits.items)

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


def _by_urgency(incident: Incident, *, stranger: bool) -> tuple[int, bool, bool, bool, float]:
    """Gravest first; among those what nobody has taken and nobody silenced yet, then what many share, then what is
    ours, then the latest."""
    cared_for = incident.acked_by is not None or incident.silenced
    urgency = URGENCY.index(incident.severity)
    return urgency, cared_for, not incident.children, stranger, -incident.opened_at.timestamp()


def _by_beginning(row: SilenceRow) -> tuple[bool, datetime, str]:
    active = row.status == "active"
    return not active, row.until if active else row.starts_at, row.id


class Strangers:
    """Peers that the inventory does not list, where it lists any."""

    def __init__(self, inventory: Inventory) -> None:
        self._peer = inventory.peer if inventory.peers else None

    def __contains__(self, address: str | None) -> bool:
        return self._peer is not None and address is not None and self._peer(address) is None


def _by_state(peer: PeerState, known: Peer | None, strangers: Strangers) -> tuple[int, bool, str, str, str]:
    return (
        (0 if peer.up is False else 1 if peer.up is None else 2),
        peer.peer in strangers,
        peer.device,
        peer.vsys,
        (known.name if known else None) or peer.peer or "",
    )


def _by_silence(row: DeviceRow) -> tuple[float, str]:
    return (row.last_message_at.timestamp() if row.last_message_at else 0.0), row.device
