"""Mail by SMTP: the message as text and as HTML, all mails about an incident in one thread."""

import asyncio
import contextlib
import html
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import aiosmtplib
from msgspec import Meta, field

from eventd.checked import Fault, all_of, trying
from eventd.contract import Channel, Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Told, utc
from eventd.notify.chat import READABLE_PER_MINUTE, WIDTHS, PerMinute, Texts
from eventd.notify.endpoint import Endpoint, TlsSettings, configuring, tls_context
from eventd.notify.fit import octets
from eventd.notify.letter import address, letter
from eventd.notify.localtime import zone_faults
from eventd.notify.markup import Markup
from eventd.notify.render import title
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import Answer, Session
from eventd.notify.template import Renderer, own_template
from eventd.notify.words import Language

Security = Literal["starttls", "tls", "none"]

#: RFC 6409 (submission), RFC 8314 (implicit TLS), RFC 5321.
PORTS: Mapping[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
#: A server looks at the whole mail before it answers, and some let strangers wait: so many times as long as a chat.
PATIENCE = 3
#: The mail is taken by then; a good-bye is only polite.
QUIT_TIMEOUT_S = 1.0
#: Mailboxes in one mail: the least that every server takes (RFC 5321 section 4.5.3.1.8).
MAX_TO = 100
#: Gmail shows no more than about 102 kB of a mail; beyond this it is text only.
MAX_HTML_OCTETS = 40_000

#: RFC 3463: "message too big" of a system, "message length exceeds" of a mailbox; and a full mailbox, which some
#: servers tell by the same code.
_TOO_BIG = re.compile(r"5\.(3\.4|2\.3)\b")
_FULL = re.compile(r"5\.2\.2\b")
TOO_BIG = 552
#: About us and not about this mail: log-in wanted, too weak, wrong, or only over TLS (RFC 4954 section 6).
LOG_IN = frozenset((530, 534, 535, 538))

#: A name or an address, without anything that would mean more on a command line of SMTP.
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]+")


def escape(text: str) -> str:
    """One value in HTML. A word joiner keeps mail programs from making links of addresses that came over the wire."""
    return html.escape(text.replace("://", ":\u2060//"), quote=True)


def link(text: str, url: str) -> str:
    """A link where ``url`` is one for a browser; only addresses of the configuration are given here."""
    if urlsplit(url).scheme not in {"http", "https"}:
        return text
    return (
        f'<a class="link" href="{html.escape(url, quote=True)}" style="color:#0b57d0;word-break:break-word">{text}</a>'
    )


HTML = Markup(
    escape,
    ("<strong>", "</strong>"),
    "",
    link,
    lambda text: f'<code style="font-family:Consolas,Menlo,monospace">{escape(text)}</code>',
)


class Settings(TlsSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``server`` and how to speak to it, who writes (``from``) to whom (``to``), what the subject begins with, and the
    keys of `Wording`; with a layout of one's own a mail is text only. ``helo_name``: what eventd calls itself there,
    the name of the machine by default."""

    server: Annotated[str, Meta(min_length=1)]
    from_: str = field(name="from")
    to: tuple[str, ...]
    security: Security = "starttls"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    helo_name: str | None = None
    subject_prefix: str = ""
    language: Language = "en"
    time_zone: str = "UTC"
    max_per_minute: PerMinute = READABLE_PER_MINUTE
    template_file: str | None = None
    digest_template_file: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from zone_faults(given)
        with_name = given.get("username") is not None
        yield from ways_faults(given, "password", required=with_name)
        if not with_name and "username" in given and any(given.get(f"password{way}") for way in ("", "_file", "_env")):
            yield "username", "is missing: there is a password"
        if with_name and given.get("security") == "none":
            yield "security", "is none, and a password would be sent in clear"
        for name in ("server", "helo_name"):
            if (host := given.get(name)) is not None and not _HOST.fullmatch(host):
                yield name, "is not the name or address of a host"
        yield from trying("from", address, [given["from_"]] if "from_" in given else [])
        yield from trying("to", address, given.get("to", ()))
        if "to" in given and not 0 < len(given["to"]) <= MAX_TO:
            yield "to", f"must have 1 to {MAX_TO} addresses"
        if not given.get("subject_prefix", "").isprintable():
            yield "subject_prefix", "must be one printable line"


class Email(Texts):
    """A mail per message, over a connection of its own."""

    limit = 16_000
    digests = 80

    def __init__(self, name: str, to: Endpoint, settings: Settings, password: str | None, session: Session) -> None:
        """Raises ValueError where a template cannot be used."""
        super().__init__(settings, session)
        self._html = Renderer(own_template("email.html.j2"), HTML, self._say)
        self._own_layout = {False: settings.template_file, True: settings.digest_template_file}
        self._name, self._settings, self._password = name, settings, password
        self._to, self.far_ends = to, (to,)
        self._from, self._recipients = address(settings.from_), tuple(map(address, settings.to))

    async def deliver(self, told: Told) -> str | None:
        """As text, and as HTML where the layout is ours and the mail does not get too large by it."""
        await self._mail(told, self.body(told), self._page(told))
        return None

    async def deliver_plain(self, told: Told) -> str | None:
        """The fallback: no template, no HTML."""
        await self._mail(told, self.plain_body(told), None)
        return None

    def _page(self, told: Told) -> str | None:
        digest = isinstance(told, Digest)
        if self._own_layout[digest]:
            return None
        for width in WIDTHS if digest else WIDTHS[:1]:
            if octets(page := self._html(told, width)) <= MAX_HTML_OCTETS:
                return page
        return None

    async def _mail(self, told: Told, text: str, page: str | None) -> None:
        subject = f"{self._settings.subject_prefix} {title(told, self._say)}"
        mail = letter(told, self._from, self._recipients, subject, text, page, utc(self.session.clock()))
        async with _failing(self._to, PATIENCE * self.session.total_timeout_s):
            refused = await self._hand_over(mail)
        for mailbox, answer in refused.items():
            error = self._judged(answer.code, answer.message)
            detail = f"{mailbox} does not get the mail that others got: {error.detail}"
            self.session.failures.note(self._name, DeliveryError(error.reason, detail, retryable=False))

    def _judged(self, code: int, text: str) -> DeliveryError:
        return judge(code, text, self._to)

    async def _hand_over(self, mail: bytes) -> Mapping[str, aiosmtplib.SMTPResponse]:
        """Give the mail to the server: who does not get it, and why, as long as somebody does."""
        async with self._connected() as client:
            if self._settings.username is not None:
                await client.login(self._settings.username, self._password or "")
            refused, _ = await client.sendmail(self._from.addr_spec, [one.addr_spec for one in self._recipients], mail)
            return refused

    async def greet(self) -> Mapping[str, Any]:
        """`endpoint.Greeting`."""
        async with _failing(self._to, PATIENCE * self.session.total_timeout_s), self._connected() as client:
            return client.get_transport_info("peercert") or {}

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection on which everything may be said, and the goodbye."""
        settings, to = self._settings, urlsplit(self._to.url)
        client = aiosmtplib.SMTP(
            hostname=to.hostname,
            port=to.port,
            timeout=None,  # the whole has one
            use_tls=settings.security == "tls",
            start_tls=False,
            tls_context=self._to.tls,
            local_hostname=settings.helo_name or _own_name(),
        )
        try:
            await client.connect()
            if settings.security == "starttls":
                await _start_tls(client)
            yield client
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=QUIT_TIMEOUT_S)
        finally:
            client.close()


def _own_name() -> str:
    name = socket.gethostname()
    return name if _HOST.fullmatch(name) else "localhost"


class _NoTlsError(Exception):
    """The server does not go over to TLS."""


async def _start_tls(client: aiosmtplib.SMTP) -> None:
    try:
        await client.starttls()
    except aiosmtplib.SMTPResponseException as error:
        raise _NoTlsError(f"answered {error.code} to STARTTLS") from error
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
        raise
    except aiosmtplib.SMTPException as error:
        raise _NoTlsError("does not offer STARTTLS") from error


def judge(code: int, text: str, to: Endpoint) -> DeliveryError:
    """A reply as an error (RFC 5321 section 4.2, RFC 3463): 4xx may pass, 5xx does not."""
    answer = Answer(code, text)
    if not 400 <= code < 600:
        return DeliveryError(DeliveryFailure.SERVER_ERROR, f"{to.place}: the answer is not SMTP", retryable=True)
    if code < 500:
        return answer.error(to, DeliveryFailure.SERVER_ERROR, retryable=True)
    full = _FULL.match(text) is not None
    if _TOO_BIG.match(text) or (code == TOO_BIG and not full):
        return answer.error(to, DeliveryFailure.TOO_LARGE)
    return answer.error(to, DeliveryFailure.REFUSED, retryable=full or code in LOG_IN)


@contextlib.asynccontextmanager
async def _failing(to: Endpoint, timeout_s: float) -> AsyncIterator[None]:
    """Turns what goes wrong within into a `DeliveryError`; not chained, because a cause may quote what we sent."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        judged = [judge(one.code, one.message, to) for one in error.recipients]
        # A mailbox that may take it later is worth waiting for, whatever the others said.
        raise max(judged, key=lambda one: one.retryable) from None
    except aiosmtplib.SMTPResponseException as error:
        raise judge(error.code, error.message, to) from None
    except (aiosmtplib.SMTPException, _NoTlsError, OSError, TimeoutError) as error:
        raise _no_answer(error, to) from None


def _no_answer(error: Exception, to: Endpoint) -> DeliveryError:
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ else error
    failure, what = DeliveryFailure.CONNECT, "closed the connection before a whole answer"
    heard = not isinstance(error, aiosmtplib.SMTPConnectError)
    match cause:
        case _NoTlsError():
            failure, what, heard = DeliveryFailure.TLS, str(cause), False
        case ssl.SSLCertVerificationError():
            failure, what, heard = DeliveryFailure.TLS, f"certificate not trusted: {cause.verify_message}", False
        case ssl.SSLError():
            failure, what, heard = DeliveryFailure.TLS, "TLS handshake failed", False
        case TimeoutError():
            failure, what = DeliveryFailure.TIMEOUT, "no whole answer in time"
        case socket.gaierror():
            what, heard = "name does not resolve", False
        case ConnectionRefusedError():
            what, heard = "cannot connect: Connection refused", False
        case aiosmtplib.SMTPServerDisconnected() | ConnectionError():
            pass
        case aiosmtplib.SMTPException():
            failure, what, heard = DeliveryFailure.REFUSED, "offers no way to log in that we know", False
        case OSError():
            what, heard = f"cannot connect: {cause.strerror or 'unreachable'}", False
    return DeliveryError(failure, f"{to.place}: {what}", retryable=True, heard=heard)


def _far_end(settings: Settings, password: str | None, tls: ssl.SSLContext) -> Endpoint:
    host = settings.server if ":" not in settings.server or "[" in settings.server else f"[{settings.server}]"
    scheme = "smtps" if settings.security == "tls" else "smtp"
    url = f"{scheme}://{host}:{settings.port or PORTS[settings.security]}"
    try:
        return Endpoint(url, tls=tls, schemes=(scheme,), secrets=[password] if password else ())
    except ValueError:
        raise ValueError("server: is not the name or address of a host") from None


def build(name: str, settings: Settings, session: Session) -> Channel:
    """Raises `ConfigError` where a secret, a template or the CA file cannot be used."""
    with configuring(name):
        password, tls = all_of(
            partial(read_secret, settings, "password", session.base), partial(tls_context, settings, session.base)
        )
        return Email(name, _far_end(settings, password, tls), settings, password, session)


NOTIFIER = Notifier(kind="email", settings=Settings, build=build)
