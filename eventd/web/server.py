"""The aiohttp server: one port for the page, the API, health and metrics."""

import socket
import ssl
from functools import lru_cache
from importlib import resources
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from eventd.errors import EventdError, StoreError
from eventd.receivers import ListenError, kernel, tls
from eventd.receivers.addresses import join_host_port
from eventd.telemetry import RateLimit, get_logger, process_registry
from eventd.turns import turns
from eventd.web import access
from eventd.web.acts import Acts
from eventd.web.answers import NO_STORE, RequestError, error
from eventd.web.api import Api, Handler
from eventd.web.desk import Desk
from eventd.web.exposition import Exposition
from eventd.web.letters import Letters
from eventd.web.service import Service
from eventd.web.stream import Stream
from eventd.web.why import WhyApi

#: Largest request body: nothing we accept is longer than a note on an acknowledgement.
MAX_BODY_BYTES = 64 * 1024
#: Different `Accept` headers for which the text of series is remembered: of a Prometheus or two, and of people.
SCRAPERS = 4
#: Seconds a stop waits for answers in progress.
SHUTDOWN_S = 2.0
#: The page loads its own style and icon and nothing else from anywhere; text from the wire can therefore never run.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    hdrs.SERVER: "eventd",  # aiohttp would tell its own version and Python's
}
#: Fetched again after a restart with another version, at the latest.
STATIC_HEADERS = {hdrs.CACHE_CONTROL: "max-age=300"}
STATIC = {"/style.css": "text/css", "/icon.svg": "image/svg+xml"}

log = get_logger("web")


class WebError(EventdError):
    """The HTTP server cannot start."""


class _AccessLog(AbstractAccessLogger):
    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        log.debug("request", method=request.method, path=request.path, status=response.status, seconds=round(time, 4))


class WebServer:
    """Serves one `Service` on the address of its configuration. ``addresses`` are those bound, as ``host:port``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._process = process_registry()
        #: By what is accepted, for the latest of those who ask for metrics.
        self._expositions = lru_cache(SCRAPERS)(Exposition)
        self._complaints = RateLimit()
        self.stream = Stream(service.telemetry)
        self._runner: web.AppRunner | None = None
        self.addresses: list[str] = []

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            WebError: the address cannot be bound, or the certificate cannot be used.
        """
        settings = self._service.web_settings
        context = _tls(settings.tls_cert_file, settings.tls_key_file)
        runner = web.AppRunner(self.make_app(), access_log_class=_AccessLog, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            for listen in settings.addresses:
                sock = kernel.bind(listen, socket.SOCK_STREAM)
                await web.SockSite(runner, sock, ssl_context=context).start()
        except (ListenError, OSError) as cause:
            await runner.cleanup()
            raise WebError(f"web.listen: {cause}") from cause
        self._runner = runner
        self.addresses = [join_host_port(*address[:2]) for address in runner.addresses]

    async def stop(self) -> None:
        """Close the port after the answers in progress."""
        self.stream.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def make_app(self) -> web.Application:
        """All routes behind one guard."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        for room in (Api, Acts, Letters, WhyApi, Desk):
            app.add_routes(room(self._service).routes())
        app.add_routes([web.get(path, _static) for path in STATIC])
        app.add_routes(
            [
                web.get("/api/v1/stream", self._stream),
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._ready),
                web.post("/-/reload", self._reload),
            ]
        )
        app.on_response_prepare.append(_secure)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every refusal and failure becomes an error in JSON that says what is wrong, and never a traceback."""
        try:
            access.check(request, self._service.tokens)
            return await handler(request)
        except RequestError as cause:
            return error(cause.status, str(cause), cause.headers)
        except web.HTTPException as cause:
            return _http_error(request, cause)
        except StoreError as cause:
            self._complain("the store cannot be read", request, error=str(cause))
            return error(503, f"the store cannot be read: {cause}")
        except Exception as cause:  # noqa: BLE001 - a defect in one page must not look like a broken connection
            self._complain("request failed", request, exc_info=cause)
            return error(500, "a defect of eventd; its log says more")

    def _complain(self, what: str, request: web.Request, **detail: Any) -> None:
        """One line per path every few seconds: a browser left open asks for ever."""
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else ""
        held = self._complaints.allow((what, path))
        if held is None:
            self._service.telemetry.inc("log_suppressed")
        else:
            log.error(what, path=path, held_back=held, **detail)

    # --- operations -----------------------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self.stream.serve(request, lambda: access.check(request, self._service.tokens))

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._service.refresh_metrics()
        exposition = self._expositions(request.headers.get(hdrs.ACCEPT, ""))
        parts = exposition.parts(self._service.telemetry.seen(), self._process.collect())
        body = "".join([part async for part in turns(parts, 1)]).encode()
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: exposition.content_type, **NO_STORE})

    async def _healthy(self, _: web.Request) -> web.Response:
        return _say("eventd is running.")

    async def _ready(self, _: web.Request) -> web.Response:
        why = self._service.not_ready()
        return _say("eventd is ready.") if why is None else _say(why, 503)

    async def _reload(self, _: web.Request) -> web.Response:
        problem = await self._service.reload()
        return _say("reloaded") if problem is None else _say(problem, 422)


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)


def _http_error(request: web.Request, cause: web.HTTPException) -> web.Response:
    """What aiohttp refuses by itself: unknown paths, other methods, bodies that are too long."""
    if isinstance(cause, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(cause.allowed_methods))
        return error(405, f"{request.path} answers only {allowed}", {hdrs.ALLOW: allowed})
    if isinstance(cause, web.HTTPNotFound):
        return error(404, f"nothing is at {request.path}; /api/v1/openapi.json lists what there is")
    return error(cause.status, cause.reason)


async def _static(request: web.Request) -> web.Response:
    text = resources.files("eventd.web").joinpath(request.path.removeprefix("/")).read_text(encoding="utf-8")
    return web.Response(text=text, content_type=STATIC[request.path], headers=STATIC_HEADERS)


def _say(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text + "\n", status=status, headers=NO_STORE)


def _tls(cert_file: str | None, key_file: str | None) -> ssl.SSLContext | None:
    if cert_file is None and key_file is None:
        return None
    if cert_file is None or key_file is None:
        raise WebError("web.tls_cert_file: a TLS certificate and its key are needed together")
    try:
        return tls.make_context(cert_file, key_file)
    except (OSError, ValueError) as cause:
        raise WebError(f"web.tls_cert_file: {cause}") from cause
