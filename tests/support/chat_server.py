"""A far end on loopback that behaves as badly as real chat services do.

    async with ChatServer() as server:
        server.then(answer(429, headers={"Retry-After": "7"}), hang)
        ...

Each request is answered by the next behaviour; after the last one by ``server.always`` (200 ``ok``).
"""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(NamedTuple):
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(status: int = 200, body: str = "ok", headers: dict[str, str] | None = None) -> Behaviour:
    """A plain answer: any status with any body, such as 200 with an error inside."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return behave


def echo(status: int) -> Behaviour:
    """Repeats path, query and authorization of the request in the body, as some proxies' error pages do."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=f"bad {request.path_qs} {request.headers.get('Authorization')}")

    return behave


async def hang(request: web.Request) -> web.StreamResponse:
    """Takes the request and never answers."""
    await asyncio.sleep(60)
    raise AssertionError("the client should have given up long ago")


async def close_before_answer(request: web.Request) -> web.StreamResponse:
    """Closes the connection instead of answering."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def close_mid_answer(request: web.Request) -> web.StreamResponse:
    """Promises 100 bytes and closes after two."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"ok")
    assert request.transport is not None
    request.transport.close()
    return response


async def slow(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever: no single read times out, only the whole."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(600):
        await response.write(b".")
        await asyncio.sleep(0.05)
    return response


def huge(chunks: int = 400, size: int = 65_536, status: int = 200) -> Behaviour:
    """An answer of about 26 MB that starts with ``ok``; stops when the client has heard enough."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        try:
            for _ in range(chunks):
                await response.write(b"ok" + b"x" * size)
        except ConnectionError:
            return response
        raise AssertionError("the client read everything")

    return behave


async def not_http(request: web.Request) -> web.StreamResponse:
    """Answers in another protocol."""
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    request.transport.close()
    return web.Response()


class ChatServer:
    """Records what it is sent and answers as told. ``url`` is its base; any path is taken."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.always: Behaviour = answer()
        self.url = ""
        self._next: deque[Behaviour] = deque()
        self._tls = tls

    def then(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so."""
        self._next.extend(behaviours)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), body))
        behave = self._next.popleft() if self._next else self.always
        return await behave(request)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"{'https' if self._tls else 'http'}://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
