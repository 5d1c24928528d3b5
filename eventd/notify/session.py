"""What channels may use of the outside world: one HTTP client with fixed limits, and a place to report failures."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
import msgspec
from msgspec import Struct

import eventd
from eventd.contract import Catalogue
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.endpoint import Endpoint
from eventd.notify.markup import clean, cut
from eventd.notify.words import words
from eventd.telemetry import RateLimit, Telemetry, get_logger

#: A far end that is there answers the handshake within a second or two, even across the world.
CONNECT_TIMEOUT_S = 5.0
#: Chat services answer within seconds; whoever needs longer is tried again later rather than waited for.
TOTAL_TIMEOUT_S = 15.0
#: An answer is a status and a short text; more is a mistake or malice and is not read.
MAX_ANSWER_BYTES = 65_536
#: How much of an answer is repeated in an error: enough for a reason, too little to fill a log.
MAX_QUOTE = 200
#: A far end may ask us to wait, but not to keep an alarm back for longer than this.
MAX_RETRY_AFTER_S = 3600.0
#: How a far end asks us to wait: RFC 9110, and Feishu's gateway in seconds (https://open.feishu.cn/document/server-docs/
#: api-call-guide/frequency-control).
WAIT_HEADERS = ("Retry-After", "x-ogw-ratelimit-reset")
#: The same failure text of the same channel is logged once in this time.
LOG_AGAIN_S = 600.0

#: The id of a notification or digest, for far ends that must act only once.
ID_HEADER = "X-Eventd-Notification-Id"

#: What a status means unless a channel knows better: failure, and whether the same bytes may succeed later. 400 and 422
#: are about this message, as long as others are taken; the other refusals (a proxy's log-in page, a key that ran out, a
#: webhook that is gone) are about us, and somebody may mend them: `refusals.REFUSED_FOR_S`.
STATUSES: Mapping[int, tuple[DeliveryFailure, bool]] = {
    400: (DeliveryFailure.REFUSED, False),
    408: (DeliveryFailure.TIMEOUT, True),
    413: (DeliveryFailure.TOO_LARGE, False),
    422: (DeliveryFailure.REFUSED, False),
    425: (DeliveryFailure.SERVER_ERROR, True),
    429: (DeliveryFailure.RATE_LIMITED, True),
}
#: The same by hundreds. Redirects are not followed: they would carry the secret path to another host.
STATUS_CLASSES: Mapping[int, tuple[DeliveryFailure, bool]] = {
    1: (DeliveryFailure.SERVER_ERROR, True),
    3: (DeliveryFailure.REFUSED, True),
    4: (DeliveryFailure.REFUSED, True),
    5: (DeliveryFailure.SERVER_ERROR, True),
}
#: Answers of somebody in between who waited in vain for the far end, which may have taken it.
UNSURE = {408, 502, 504}


def meaning(status: int) -> tuple[DeliveryFailure, bool]:
    """What a status other than success means, and whether the same bytes may succeed later."""
    return STATUSES.get(status) or STATUS_CLASSES.get(status // 100) or (DeliveryFailure.REFUSED, False)


#: How an error says for how long the far end wants to be left alone.
ASKS = ", asks to wait "


class Answer(Struct, frozen=True):
    """What the far end said. ``text`` is at most `MAX_ANSWER_BYTES` of it; ``retry_after_s`` what it asked for."""

    status: int
    text: str
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the status says success; the text may still say otherwise."""
        return 200 <= self.status < 300

    @property
    def said(self) -> dict[str, Any]:
        """The JSON object in the text; empty where there is none."""
        try:
            found = msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def error(self, to: Endpoint, failure: DeliveryFailure | None = None, retryable: bool = False) -> DeliveryError:
        """This answer as an error: under ``failure`` where the channel knows better than the status."""
        if failure is None:
            failure, retryable = meaning(self.status)
        quote = cut(clean(to.scrub(self.text)), MAX_QUOTE)
        asked = "" if self.retry_after_s is None else f"{ASKS}{self.retry_after_s:.0f} s"
        detail = f"{to.way} answered {self.status}{asked}" + (f": {quote}" if quote else "")
        heard = self.status in UNSURE
        return DeliveryError(failure, detail, retryable=retryable, retry_after_s=self.retry_after_s, heard=heard)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """``Retry-After`` in seconds from ``now``: a number or an HTTP date (RFC 9110 section 10.2.3).

    None for what is neither; never negative and at most `MAX_RETRY_AFTER_S`.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    return max(0.0, min(seconds, MAX_RETRY_AFTER_S)) if seconds == seconds else None


class Failures:
    """Counts every failed try and logs it, the same text of the same channel once in `LOG_AGAIN_S`."""

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float] = time.time) -> None:
        self._telemetry, self._limit, self._log = telemetry, RateLimit(LOG_AGAIN_S, clock), get_logger("notify")

    def note(self, channel: str, error: DeliveryError, **about: Any) -> None:
        """Count and, unless it was just said, log."""
        self._telemetry.inc("notification_failures", channel, error.reason)
        held = self._limit.allow((channel, str(error)))
        if held is None:
            self._telemetry.inc("log_suppressed")
            return
        self._log.warning("notification failed", channel=channel, error=str(error), held_back=held, **about)

    def unrecorded(self, channel: str, outcome: str, error: Exception) -> None:
        """The store does not take what became of a try: logged alike, as it is tried every second."""
        held = self._limit.allow((channel, f"{outcome}: {error}"))
        if held is None:
            self._telemetry.inc("log_suppressed")
            return
        self._log.error("outcome not recorded", channel=channel, outcome=outcome, error=str(error), held_back=held)


class Session:
    """One per running eventd, shared by all channels.

    ``base`` is the folder that relative ``*_file`` settings are relative to. ``external_url`` is where people reach
    this eventd. ``failures`` is for failures that do not fail a delivery (one of several peers). ``catalogues``
    have what vendors' reasons mean in other languages.
    """

    def __init__(
        self,
        *,
        external_url: str | None = None,
        base: Path | None = None,
        stdout: TextIO | None = None,
        telemetry: Telemetry | None = None,
        clock: Callable[[], float] = time.time,
        user_agent: str = f"eventd/{eventd.__version__}",
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        catalogues: Sequence[Catalogue] = (),
    ) -> None:
        self.external_url = external_url.rstrip("/") if external_url else None
        self.base, self.stdout = base or Path(), stdout or sys.stdout
        self.clock, self.user_agent = clock, user_agent
        self.failures, self.total_timeout_s = Failures(telemetry or Telemetry(), clock), total_timeout_s
        self._timeout = aiohttp.ClientTimeout(
            total=total_timeout_s, connect=CONNECT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S
        )
        self._client: aiohttp.ClientSession | None = None
        self.words = cache(partial(words, catalogues=tuple(catalogues)))

    def _http(self) -> aiohttp.ClientSession:
        """The client, made on first use because it belongs to the running loop.

        A connection per request: chats and alerts are rare, and a kept connection that the far end closed in the
        meantime would look like a failed delivery.
        """
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                headers={"User-Agent": self.user_agent, "Accept-Encoding": "identity"},
            )
        return self._client

    async def post(
        self,
        to: Endpoint,
        payload: object,
        headers: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        method: str = "POST",
        path: str = "",
    ) -> Answer:
        """POST (or another ``method``) ``payload`` as JSON (None: nothing) to ``to``, with ``path`` behind its own and
        ``query`` added; any status is an answer.

        Raises:
            DeliveryError: no whole answer came (connect, timeout, tls, server_error). Always retryable.
        """
        body = None if payload is None else msgspec.json.encode(payload)
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {**kind, **to.headers, **(headers or {})}
        try:
            async with self._http().request(
                method,
                _address(to.url, path, query),
                data=body,
                headers=sent,
                ssl=to.tls or True,
                proxy=to.proxy,
                allow_redirects=False,
            ) as response:
                text = (await _first_bytes(response.content)).decode("utf-8", "replace")
                asked = next((response.headers[name] for name in WAIT_HEADERS if name in response.headers), None)
                retry_after = parse_retry_after(asked, self.clock())
                return Answer(response.status, text, retry_after)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not chained: what aiohttp raises may hold the whole address.
            raise _no_answer(error, to) from None

    async def close(self) -> None:
        """Close the client; a later `post` would open a new one."""
        if self._client is not None:
            await self._client.close()
            self._client = None
            await asyncio.sleep(0)


def _address(url: str, path: str, query: Mapping[str, str] | None) -> str:
    parts = urlsplit(url)
    queries = "&".join(filter(None, (parts.query, urlencode(query or {}))))
    return urlunsplit(parts._replace(path=parts.path + path, query=queries))


async def _first_bytes(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < MAX_ANSWER_BYTES:
        chunk = await content.read(MAX_ANSWER_BYTES - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def _no_answer(error: Exception, to: Endpoint) -> DeliveryError:
    failure, what, heard = DeliveryFailure.CONNECT, "closed the connection before a whole answer", False
    match error:
        case aiohttp.ConnectionTimeoutError():
            failure, what = DeliveryFailure.TIMEOUT, "no connection in time"
        case aiohttp.ClientConnectorCertificateError():
            failure, what = DeliveryFailure.TLS, f"certificate not trusted: {_verify_message(error)}"
        case aiohttp.ClientSSLError():
            failure, what = DeliveryFailure.TLS, "TLS handshake failed"
        case TimeoutError():
            failure, what, heard = DeliveryFailure.TIMEOUT, "no whole answer in time", True
        case aiohttp.ClientConnectorDNSError():
            what = "name does not resolve"
        case aiohttp.ClientProxyConnectionError():
            what = f"cannot connect to the proxy: {error.os_error.strerror or 'unreachable'}"
        case aiohttp.ClientHttpProxyError():
            what = f"the proxy does not let us through (it answered {error.status})"
        case aiohttp.ClientConnectorError():
            what = f"cannot connect: {error.os_error.strerror or 'unreachable'}"
        case aiohttp.ClientResponseError():
            failure, what, heard = DeliveryFailure.SERVER_ERROR, "the answer is not HTTP", True
        case _:
            heard = True
    return DeliveryError(failure, f"{to.way}: {what}", retryable=True, heard=heard)


def _verify_message(error: aiohttp.ClientConnectorCertificateError) -> str:
    return getattr(error.certificate_error, "verify_message", "") or "does not fit the host"
