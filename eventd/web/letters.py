"""What was not delivered, and what people do about it over the API: have it told again, or drop it."""

import asyncio
from collections.abc import Awaitable

from aiohttp import web

from eventd.errors import OutboxError, StoreError
from eventd.store.letters import Letter
from eventd.telemetry import get_logger
from eventd.web import access, bodies
from eventd.web import query as q
from eventd.web.acts import COMMIT_S
from eventd.web.answers import RequestError, answer
from eventd.web.bodies import body
from eventd.web.query import query
from eventd.web.service import Service

#: What ``state`` is where all of them are wanted.
ALL = "all"

log = get_logger("web")


class Letters:
    """Handlers of ``/api/v1/outbox``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """The list and each act."""
        return [
            web.get("/api/v1/outbox", self.letters),
            web.post("/api/v1/outbox/{id}/retry", self.retry),
            web.post("/api/v1/outbox/{id}/drop", self.drop),
        ]

    async def letters(self, request: web.Request) -> web.Response:
        """Notifications as they stand, the latest first; without a state those that wait or were given up."""
        wanted = query(request, q.OUTBOX)
        state = wanted.pop("state", None)
        wanted |= {"undelivered": True} if state is None else {} if state == ALL else {"state": state}
        found = await self._service.store.letters(**wanted)
        return answer({"items": found.items, "next": found.next})

    async def retry(self, request: web.Request) -> web.Response:
        """Have it tried at once, and what was given up told again as things stand now."""
        ident, who = await self._asked(request)
        channel = await self._channel(ident)
        if channel not in {known["name"] for known in self._service.status()["channels"]}:
            raise RequestError(409, f"there is no channel {channel!r} any more")
        letter = await self._done(self._service.store.retry(ident))
        log.info("told again", notification=ident, by=letter.id, channel=channel, incident=letter.incident, who=who)
        self._service.try_again(channel)
        return answer(letter)

    async def drop(self, request: web.Request) -> web.Response:
        """Nobody shall be told of it any more."""
        ident, who = await self._asked(request)
        letter = await self._done(self._service.store.drop(ident, who))
        log.info("dropped", notification=ident, channel=letter.channel, incident=letter.incident, who=who)
        return answer(letter)

    async def _asked(self, request: web.Request) -> tuple[str, str]:
        """Of which notification, and by whom."""
        query(request, q.NO_KEYS)
        said = await body(request, bodies.BY)
        return request.match_info["id"], said.get("who") or access.name_of(request, self._service.tokens)

    async def _channel(self, ident: str) -> str:
        found = await self._service.store.letter(ident)
        if found is None:
            raise RequestError(404, f"no notification {ident!r}")
        return found.channel

    async def _done(self, act: Awaitable[Letter]) -> Letter:
        try:
            async with asyncio.timeout(COMMIT_S):
                return await act
        except OutboxError as error:
            raise RequestError(404 if error.missing else 409, str(error)) from error
        except TimeoutError:
            raise RequestError(503, "the store does not answer: look again whether it was done") from None
        except StoreError as error:
            raise RequestError(503, str(error)) from error
