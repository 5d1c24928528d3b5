"""What people do to incidents over the API: take one, clear one, silence what is known. Each act is judged in the
pipeline and answered after the commit that makes it durable."""

import asyncio
import secrets
from collections.abc import Callable

from aiohttp import web

from eventd.contract import Verdict
from eventd.correlate.hush import Silence
from eventd.errors import StoreError
from eventd.matching import matches
from eventd.model import Incident, utc
from eventd.telemetry import get_logger
from eventd.turns import turns
from eventd.web import access, bodies
from eventd.web import query as q
from eventd.web.answers import RequestError, answer
from eventd.web.bodies import Moment, body
from eventd.web.hushed import quiet_rows, silence_row
from eventd.web.query import page, query
from eventd.web.service import Service

#: Seconds that an answer waits for its commit. The act is judged by then and will be kept as soon as the store can.
COMMIT_S = 10.0

NOT_YET = "judged, but the store has not taken it yet: it will as soon as it can be written"

log = get_logger("web")


class Acts:
    """Handlers of what changes something, and of the list of silences."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Each act by method and path."""
        return [
            web.post("/api/v1/incidents/{id}/ack", self.ack),
            web.delete("/api/v1/incidents/{id}/ack", self.unack),
            web.post("/api/v1/incidents/{id}/clear", self.clear),
            web.get("/api/v1/silences", self.silences),
            web.post("/api/v1/silences", self.silence),
            web.delete("/api/v1/silences/{id}", self.unsilence),
        ]

    # --- incidents ------------------------------------------------------------------------------------------------

    async def ack(self, request: web.Request) -> web.Response:
        """Note who has taken an incident."""
        query(request, q.NO_KEYS)
        said = await body(request, bodies.ACK)
        who = said.get("who", self._name(request))
        return answer(await self._ack(request, who, said.get("note", ""), said.get("until")))

    async def unack(self, request: web.Request) -> web.Response:
        """Nobody has it any more."""
        query(request, q.NO_KEYS)
        return answer(await self._ack(request, None, "", None))

    async def _ack(self, request: web.Request, who: str | None, note: str, until: Moment | None) -> Incident:
        ident, now = request.match_info["id"], self._service.now()
        end = until(now) if until is not None and who is not None else None
        if end is not None and end <= now:
            raise RequestError(400, "until: is over already")
        if end is not None:
            _nameable(end)
        correlator = self._service.correlator
        note = note if who is not None else ""
        verdict = await self._operate(lambda at: correlator.ack(ident, who, at, note=note, until=end))
        found = await self._changed(verdict, ident, "open")
        log.info("incident taken" if who else "incident given back", incident=ident, who=who or self._name(request))
        return found

    async def clear(self, request: web.Request) -> web.Response:
        """Resolve an incident by hand."""
        query(request, q.NO_KEYS)
        said = await body(request, bodies.BY)
        ident, who = request.match_info["id"], said.get("who") or self._name(request)
        correlator = self._service.correlator
        found = await self._changed(await self._operate(lambda at: correlator.clear(ident, at, who)), ident, "resolved")
        log.info("incident cleared", incident=ident, who=who)
        return answer(found)

    def _name(self, request: web.Request) -> str:
        return access.name_of(request, self._service.tokens)

    async def _changed(self, verdict: Verdict, ident: str, status: str) -> Incident:
        """The incident as it stands after an act.

        Raises `RequestError`: 404 nobody knows it, 409 it is over since.
        """
        found = [change.incident for change in verdict.changes if change.incident.id == ident]
        if found and found[-1].status == status:
            incident: Incident = found[-1]
            return incident
        if await self._service.store.incident(ident) is None:
            raise RequestError(404, f"no incident {ident!r}")
        raise RequestError(409, f"incident {ident!r} is over already")

    async def _operate(self, act: Callable[[float], Verdict]) -> Verdict:
        try:
            async with asyncio.timeout(COMMIT_S):
                return await self._service.operate(act)
        except TimeoutError:
            raise RequestError(503, NOT_YET) from None
        except StoreError as error:
            raise RequestError(503, str(error)) from error

    # --- silences -------------------------------------------------------------------------------------------------

    async def silences(self, request: web.Request) -> web.Response:
        """Silences in force, those that ended lately and planned work, the one that ends first first."""
        wanted = query(request, q.SILENCES)
        limit, before = wanted.pop("limit"), wanted.pop("before", ())
        found = (row for row in quiet_rows(self._service) if wanted.get("status") in (None, row.status))
        return answer(page(found, lambda row: (f"{row.until.timestamp():020.6f}", row.id), limit, before))

    async def silence(self, request: web.Request) -> web.Response:
        """Tell nobody of what it fits, until it ends."""
        query(request, q.NO_KEYS)
        said = await body(request, bodies.SILENCE, required=("match",))
        ends = [said[name] for name in ("until", "duration") if name in said]
        if len(ends) != 1:
            raise RequestError(400, "until: needs either until or duration")
        now = self._service.now()
        silence = Silence(
            id=secrets.token_hex(6),
            match=said["match"],
            starts=now,
            until=_nameable(ends[0](now)),
            who=said.get("who") or self._name(request),
            reason=said.get("reason", ""),
        )
        correlator = self._service.correlator
        try:
            await self._operate(lambda at: correlator.silence(silence, at))
        except ValueError as error:
            raise RequestError(400, f"until: {error}") from error
        log.info("silenced", silence=silence.id, match=silence.match, who=silence.who, until=utc(silence.until))
        fits = sum([matches(silence.match, incident) async for incident in turns(correlator.each_open())])
        strangers = self._service.inventory.strangers(silence.match)
        notes = [f"match.{key}: {value!r} fits nothing in the inventory" for key, value in strangers]
        return answer(silence_row(silence, now, fits, notes), status=201)

    async def unsilence(self, request: web.Request) -> web.Response:
        """End a silence now; what it held back and is still open is told."""
        query(request, q.NO_KEYS)
        ident, correlator = request.match_info["id"], self._service.correlator
        found = next((silence for silence in correlator.silences() if silence.id == ident), None)
        if found is None and any(row.id == ident for row in quiet_rows(self._service)):
            raise RequestError(409, f"{ident} stands in the configuration: take it out there and reload")
        if found is None:
            raise RequestError(404, f"no silence {ident!r}")
        await self._operate(lambda at: correlator.unsilence(ident, at))
        log.info("silence ended", silence=ident, who=self._name(request))
        return answer(silence_row(found, max(self._service.now(), found.until)))


def _nameable(at: float) -> float:
    """A moment that a calendar can name."""
    try:
        utc(at)
    except (ValueError, OverflowError, OSError):
        raise RequestError(400, "until: is no moment that a calendar can name") from None
    return at
