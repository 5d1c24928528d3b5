"""Where a channel posts to and how: address, headers, TLS and proxy, with everything secret kept out of texts."""

import base64
import re
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from msgspec import field

from eventd.checked import Fault, all_of, faults_in
from eventd.discreet import Discreet
from eventd.errors import ConfigError, Problem
from eventd.notify.secrets import read_secret, ways_faults

#: Parts of an address or header shorter than this are words like ``api`` or ``v2``, not secrets; hiding them
#: would make an error unreadable.
MIN_SECRET_LENGTH = 6

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # token, RFC 9110 section 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


class Part(NamedTuple):
    """Something that an address of a service has behind its host, or a token: what is told where ``fits`` is not found
    in it. ``key`` is that of the settings."""

    missing: str
    fits: re.Pattern[str]
    key: str = "url"

    def lacks(self, value: str) -> bool:
        """Whether it is missing in ``value``, an address or a token."""
        parts = urlsplit(value) if "://" in value else SplitResult("", "", value, "", "")
        return self.fits.search(urlunsplit(parts._replace(scheme="", netloc=""))) is None


class TlsSettings(Discreet, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of every channel that may speak TLS. ``tls_ca_file`` is PEM."""

    tls_ca_file: str | None = None
    tls_verify: bool = True


class TransportSettings(TlsSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of every channel that posts over HTTP. ``proxy_url`` is an HTTP proxy."""

    proxy_url: str | None = None


class BasicAuth(Discreet, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """HTTP Basic (RFC 7617)."""

    username: str
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from ways_faults(given, "password", required=True)


class HttpSettings(TransportSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of channels whose far end may ask who we are."""

    headers: dict[str, str] = field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    bearer_token: str | None = None
    bearer_token_file: str | None = None
    bearer_token_env: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from ways_faults(given, "bearer_token")
        tokens = [given.get(f"bearer_token{way}") for way in ("", "_file", "_env")]
        if given.get("basic_auth") is not None and any(token is not None for token in tokens):
            yield "basic_auth", "and bearer_token exclude each other"


class Endpoint:
    """One far end. ``place`` (scheme and host) is all of its address that may be written anywhere. ``secrets`` are
    those that neither the address nor the headers hold."""

    def __init__(
        self,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        schemes: Collection[str] = ("http", "https"),
        secrets: Iterable[str] = (),
    ) -> None:
        parts = _check_url(url, schemes)
        self.url, self.headers, self.tls, self.proxy = url, headers or {}, tls, proxy
        self.place = _place(parts)
        #: the same with the proxy on the way there, which may be what fails
        self.way = f"{self.place} by the proxy {_place(urlsplit(proxy))}" if proxy else self.place
        hidden = {*secrets, *secrets_of(parts), *self.headers.values()}
        hidden |= {value.partition(" ")[2] for value in self.headers.values()}
        hidden |= set(secrets_of(urlsplit(proxy))) if proxy else set()
        #: a text (say, an answer that echoes the request) without anything that was secret in the request
        self.scrub = scrubber(hidden)


def _place(parts: SplitResult) -> str:
    """All of an address that may be written anywhere."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def scrubber(secrets: Iterable[str]) -> Callable[[str], str]:
    """Takes ``secrets`` out of a text, the longest first."""
    found = sorted((text for text in set(secrets) if len(text) >= MIN_SECRET_LENGTH), key=len, reverse=True)

    def scrub(text: str) -> str:
        for secret in found:
            text = text.replace(secret, "***")
        return text

    return scrub


@runtime_checkable
class Reaching(Protocol):
    """A channel that connects to places."""

    @property
    def far_ends(self) -> Sequence[Endpoint]:
        """All of them, for `eventd doctor` to try."""


@runtime_checkable
class Greeting(Protocol):
    """A channel whose far end does more than TLS before it can be told something."""

    async def greet(self) -> Mapping[str, Any]:
        """Go as far as can be gone without telling or logging in: the certificate shown (`ssl.SSLSocket.getpeercert`),
        empty without TLS. Raises `DeliveryError`."""


def _check_url(url: str, schemes: Collection[str] = ("http", "https")) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError("is not of the form http://host/… or https://host/…")
    return parts


def secrets_of(parts: SplitResult) -> Iterator[str]:
    """Whatever of an address could be a key: the path and its parts, the query and its values, user and password."""
    yield from (parts.path, parts.query, parts.fragment, parts.username or "", parts.password or "")
    yield from parts.path.split("/")
    yield from map(unquote, parts.path.split("/"))
    yield from (value for _, value in parse_qsl(parts.query))


def tls_context(settings: TlsSettings, base: Path) -> ssl.SSLContext:
    """The client's TLS rules. Raises ValueError where the CA file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(base / settings.tls_ca_file) if settings.tls_ca_file else None)
    except OSError as error:  # ssl.SSLError is one too
        raise ValueError(f"tls_ca_file: {settings.tls_ca_file} cannot be used: {error.strerror or error}") from error
    if not settings.tls_verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def http_headers(settings: HttpSettings, base: Path) -> dict[str, str]:
    """Configured headers and authorization. Raises ValueError where one cannot be sent."""
    headers = dict(settings.headers)
    if token := read_secret(settings, "bearer_token", base):
        headers["Authorization"] = f"Bearer {token}"
    if auth := settings.basic_auth:
        pair = f"{auth.username}:{read_secret(auth, 'password', base)}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"headers: {name!r} or its value holds characters that HTTP does not allow")
    return headers


def endpoint(url: str, settings: TransportSettings, base: Path, key: str = "url") -> Endpoint:
    """One far end as configured, whose address stands under ``key``. Raises ValueError where it cannot be used."""
    _, _, headers, tls = all_of(
        lambda: check_address(key, url),
        lambda: settings.proxy_url is None or check_address("proxy_url", settings.proxy_url),
        lambda: http_headers(settings, base) if isinstance(settings, HttpSettings) else {},
        # None: the session has the usual rules; reading the system's authorities once more for each channel takes time.
        lambda: tls_context(settings, base) if settings.tls_ca_file or not settings.tls_verify else None,
    )
    return Endpoint(url, headers=headers, tls=tls, proxy=settings.proxy_url)


def check_address(key: str, url: str) -> SplitResult:
    """Raises ValueError, which names ``key``, where ``url`` is no address of the web."""
    try:
        return _check_url(url)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


@contextmanager
def configuring(channel: str) -> Iterator[None]:
    """Turns a ValueError met while a channel is built into a `ConfigError` that names the channel."""
    try:
        yield
    except ValueError as error:
        place = f"channels.{channel}"
        found = [Problem(f"{place}.{field}" if field else place, what) for field, what in faults_in(error)]
        raise ConfigError(found) from None
