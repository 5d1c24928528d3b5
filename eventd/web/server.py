"""The aiohttp server: one port for the page, the API, health and metrics."""

import hmac
import ssl
from importlib import resources
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger
from prometheus_client.exposition import choose_encoder

from eventd.errors import EventdError
from eventd.telemetry import get_logger, make_registry
from eventd.web.api import Api, QueryError, error
from eventd.web.desk import Desk
from eventd.web.service import Service

#: Largest request body: nothing we accept is longer than a note on an acknowledgement.
MAX_BODY_BYTES = 64 * 1024
#: Seconds a stop waits for answers in progress.
SHUTDOWN_S = 2.0
#: The page loads its own style and nothing else from anywhere; text from the wire can therefore never run.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
#: Paths that stay open when reading needs a token: probes and scrapers rarely carry one.
OPEN_PATHS = ("/-/", "/metrics", "/style.css")

log = get_logger("web")


class WebError(EventdError):
    """The HTTP server cannot start."""


class _AccessLog(AbstractAccessLogger):
    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        log.debug("request", method=request.method, path=request.path, status=response.status, seconds=round(time, 4))


class WebServer:
    """Serves one `Service` on the address of its configuration."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = make_registry(service.telemetry)
        self._runner: web.AppRunner | None = None
        self.addresses: list[str] = []

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            WebError: the address cannot be bound, or the certificate cannot be used.
        """
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        desk = Desk(self._service)
        app.add_routes(
            [
                *Api(self._service).routes(),
                web.get("/", desk.page),
                web.get("/incidents/{id}", desk.incident),
                web.get("/style.css", _style),
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._ready),
                web.post("/-/reload", self._reload),
            ]
        )
        self._runner = web.AppRunner(app, access_log_class=_AccessLog, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        settings = self._service.web_settings
        try:
            context = _tls(settings.tls_cert_file, settings.tls_key_file)
            for host, port in _hosts(settings.listen):
                await web.TCPSite(self._runner, host, port, ssl_context=context, reuse_address=True).start()
        except (OSError, ssl.SSLError) as cause:
            await self._runner.cleanup()
            raise WebError(f"web.listen: cannot serve on {settings.listen}: {cause.strerror or cause}") from cause
        self.addresses = [f"[{a[0]}]:{a[1]}" if ":" in a[0] else f"{a[0]}:{a[1]}" for a in self._runner.addresses]

    async def stop(self) -> None:
        """Close the port after the answers in progress."""
        if self._runner is not None:
            await self._runner.cleanup()

    # --- who may --------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse
        if (refusal := self._refuse(request)) is not None:
            response = refusal
        else:
            try:
                response = await handler(request)
            except QueryError as cause:
                response = error(400, str(cause))
            except web.HTTPException as cause:
                response = error(cause.status, cause.reason)
        response.headers.update(SECURITY_HEADERS)
        return response

    def _refuse(self, request: web.Request) -> web.Response | None:
        """What changes something needs a token of role operate; reading needs one only when a read token exists."""
        tokens = self._service.tokens
        role = self._role(request)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            if role == "operate":
                return None
            return error(403, "needs a token of role operate" + ("" if tokens else "; none is configured"))
        guarded = any(token.role == "read" for token in tokens.values()) and not request.path.startswith(OPEN_PATHS)
        if guarded and role is None:
            return error(401, "needs a token")
        return None

    def _role(self, request: web.Request) -> str | None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.casefold() != "bearer":
            return None
        role = None
        for secret, token in self._service.tokens.items():
            if hmac.compare_digest(secret.encode(), given.encode("utf-8", "surrogateescape")):
                role = token.role
        return role

    # --- operations -----------------------------------------------------------------------------------------------

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._service.refresh_metrics()
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=encode(self._registry), headers={hdrs.CONTENT_TYPE: content_type})

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="eventd is running.\n")

    async def _ready(self, _: web.Request) -> web.Response:
        why = self._service.not_ready()
        return web.Response(
            text="eventd is ready.\n" if why is None else why + "\n", status=200 if why is None else 503
        )

    async def _reload(self, _: web.Request) -> web.Response:
        problem = await self._service.reload()
        return web.Response(text="reloaded\n") if problem is None else web.Response(text=problem + "\n", status=422)


async def _style(_: web.Request) -> web.Response:
    css = resources.files("eventd.web").joinpath("style.css").read_text(encoding="utf-8")
    return web.Response(text=css, content_type="text/css", headers={"Cache-Control": "max-age=300"})


def _tls(cert_file: str | None, key_file: str | None) -> ssl.SSLContext | None:
    if cert_file is None or key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert_file, key_file)
    return context


def _hosts(listen: str) -> list[tuple[str | None, int]]:
    """``[::]:9514`` and ``:9514`` mean every address of both families, where the machine has them."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    return [(host if host not in ("", "::") else None, int(port))]
