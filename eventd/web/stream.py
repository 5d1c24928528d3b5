"""``GET /api/v1/stream``: what changes about incidents, as it is committed, as server-sent events (HTML Living
Standard, section 9.2). Nobody waits for a client: one that does not read fast enough is dropped and has to come back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from aiohttp import hdrs, web

from eventd.model import Change, to_json
from eventd.telemetry import Telemetry
from eventd.web import query as q
from eventd.web.answers import NO_STORE, RequestError
from eventd.web.query import query

EVENT_STREAM = "text/event-stream"
#: More than wall screens, chat robots and curious people together; each holds a connection.
MAX_CLIENTS = 64
#: Changes that wait for one client. A storm commits some hundreds at once; whoever is this many behind does not read.
MAX_WAITING = 4096
#: Seconds of silence after which a comment shows that both ends live: below the usual minute of proxies.
HEARTBEAT_S = 15.0
#: Milliseconds after which a browser that lost the connection tries again.
RETRY = b"retry: 5000\n\n"
HEARTBEAT = b": \n\n"

HEADERS = {hdrs.CONTENT_TYPE: EVENT_STREAM, "X-Accel-Buffering": "no", **NO_STORE}


class _Client:
    """One listener. ``drop`` cuts its connection, whatever it is waiting for."""

    def __init__(self, drop: Callable[[], None]) -> None:
        self.drop = drop
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)


class Stream:
    """All listeners. ``publish`` never waits."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._clients: set[_Client] = set()
        telemetry.provide("stream_clients", lambda: {(): len(self._clients)})

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell every client."""
        if not self._clients:
            return
        for change in changes:
            told = b"event: %b\ndata: %b\n\n" % (change.what.encode(), to_json(change.incident))
            for client in list(self._clients):
                self._put(client, told)

    def _put(self, client: _Client, told: bytes | None) -> None:
        try:
            client.waiting.put_nowait(told)
        except asyncio.QueueFull:
            self._clients.discard(client)
            self._telemetry.inc("stream_refused", "slow")
            client.drop()

    def close(self) -> None:
        """Let all go: the service stops."""
        for client in list(self._clients):
            self._put(client, None)

    async def serve(self, request: web.Request, allowed: Callable[[], object]) -> web.StreamResponse:
        """One client, until it goes, is dropped or may not listen any more (``allowed`` raises `RequestError`)."""
        query(request, q.NO_KEYS)
        response = web.StreamResponse(headers=HEADERS)
        if request.method == hdrs.METH_HEAD:
            await response.prepare(request)
            return response
        if len(self._clients) >= MAX_CLIENTS:
            self._telemetry.inc("stream_refused", "full")
            raise RequestError(503, f"{MAX_CLIENTS} clients listen already", {hdrs.RETRY_AFTER: "60"})
        client = _Client(lambda: _cut(request))
        self._clients.add(client)
        try:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await self._tell(client, response, allowed)
        finally:
            self._clients.discard(client)
        return response

    async def _tell(self, client: _Client, response: web.StreamResponse, allowed: Callable[[], object]) -> None:
        await response.write(RETRY)
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    told = await client.waiting.get()
            except TimeoutError:
                told = HEARTBEAT
            if told is None:
                return
            try:
                allowed()
            except RequestError:
                return
            await response.write(told)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
