"""Whatever Apprise knows (over a hundred services) and we have no channel of our own for: title and text, and whether
it was taken. Apprise is an extra, `eventd[apprise]`, and loaded only where it is used."""

import asyncio
import importlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from eventd.aside import answer
from eventd.checked import Fault
from eventd.contract import Channel, Notifier
from eventd.discreet import Discreet
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import READABLE_PER_MINUTE, Card, PerMinute, Texts
from eventd.notify.endpoint import configuring, scrubber, secrets_of
from eventd.notify.localtime import zone_faults
from eventd.notify.markdown import by_line, escaper
from eventd.notify.markup import Markup, clean, cut
from eventd.notify.robot import harmless
from eventd.notify.secrets import read_secret, ways, ways_faults
from eventd.notify.session import MAX_QUOTE, Session, meaning
from eventd.notify.words import Language

#: Apprise waits 4 s for a connection and 4 s for an answer (`cto`, `rto` of an address), some services ask several
#: times; so many times as long as a chat of ours.
PATIENCE = 3
#: Services in one channel; each is waited for.
MAX_URLS = 20
#: What Apprise calls the kind of a message, by our colour.
KINDS = {"critical": "failure", "major": "failure", "warning": "warning", "info": "info", "resolved": "success"}

#: Most of its services have no escape, or one of their own: what marks up is a look-alike, as for robots, and nothing
#: begins a name, an emoji or a list.
_unlisted = escaper({})


def escape(text: str) -> str:
    """One value, for whatever service it goes to."""
    return _unlisted(harmless(text))


# --- what Apprise lets one see: the words that it logs ---------------------------------------------------------------

#: ``Failed to send JSON POST notification: Verification Failed., error=401.``
_STATUS = re.compile(r"\berror(?: code)?[=:] ?([1-5]\d\d)\b")
#: ``Socket Exception: …`` and its like: the text of what `requests`, `smtplib` … raised; only at level debug.
_RAISED = re.compile(r"[\w/ ]{1,20} Exception: ")
#: What such a text means, and whether the far end may have the message all the same; the first that is found.
TROUBLES: tuple[tuple[re.Pattern[str], DeliveryFailure, bool], ...] = (
    (re.compile(r"SSLError\(|\[SSL: "), DeliveryFailure.TLS, False),
    (re.compile(r"ConnectTimeout|connect timeout"), DeliveryFailure.TIMEOUT, False),
    (re.compile(r"timed out"), DeliveryFailure.TIMEOUT, True),
    (re.compile(r"\(5\d\d, b['\"]"), DeliveryFailure.REFUSED, False),  # SMTP: (535, b'…')
    (re.compile(r"Failed to establish|NameResolution|refused|Name or service"), DeliveryFailure.CONNECT, False),
    (re.compile(r"Connection ?(?:aborted|reset)|Max retries exceeded|Errno"), DeliveryFailure.CONNECT, True),
)
#: ``A Connection error occurred sending …``
_NO_CONNECTION = re.compile("connection error", re.IGNORECASE)

#: What was logged while one message was sent, by level and text. Apprise's own threads inherit it.
_heard: ContextVar[list[tuple[int, str]] | None] = ContextVar("heard", default=None)


class _Ear(logging.Handler):
    """Notes what Apprise logs for whom it is done; the rest, which may hold addresses, goes nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        if (heard := _heard.get()) is not None:
            with suppress(Exception):  # whatever is wrong with a line of a log, the message is not
                heard.append((record.levelno, record.getMessage()))


def judge(heard: Sequence[tuple[int, str]]) -> tuple[DeliveryFailure, bool, bool | None]:
    """Why nothing was taken, whether the same bytes may succeed later, and whether it may be there all the same (None:
    as always). What Apprise does not say is the far end's trouble."""
    for level, text in heard:
        if level >= logging.WARNING and (found := _STATUS.search(text)):
            return *meaning(int(found[1])), None
    for _, text in heard:
        if _RAISED.match(text):
            for pattern, failure, there in TROUBLES:
                if pattern.search(text):
                    return failure, True, there
    if any(_NO_CONNECTION.search(text) for level, text in heard if level >= logging.WARNING):
        return DeliveryFailure.CONNECT, True, True
    return DeliveryFailure.SERVER_ERROR, True, None


class Settings(Discreet, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``urls``: addresses as Apprise writes them; in ``urls_file`` and ``urls_env`` parted by blanks or lines. And the
    keys of `Wording`."""

    urls: tuple[str, ...] | None = None
    urls_file: str | None = None
    urls_env: str | None = None
    language: Language = "en"
    time_zone: str = "UTC"
    max_per_minute: PerMinute = READABLE_PER_MINUTE
    template_file: str | None = None
    digest_template_file: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from zone_faults(given)
        yield from ways_faults(given, "urls", required=True)
        if (urls := given.get("urls")) is not None and not 0 < len(urls) <= MAX_URLS:
            yield "urls", f"must have 1 to {MAX_URLS} addresses"


class Service:
    """One address. ``name`` is what Apprise calls the service, which may be written anywhere."""

    def __init__(self, library: Any, url: str) -> None:
        """Raises ValueError where Apprise does not know what it is."""
        asset = library.AppriseAsset(
            app_id="eventd",
            app_desc="eventd",
            async_mode=False,  # it would start a loop and threads of its own
            storage_mode="memory",
            secure_logging=True,
        )
        plugin = library.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None:
            raise ValueError("is no address that Apprise knows")
        if "overflow=" not in url:  # by itself it sends what is too long for the service, which refuses or cuts it
            plugin.overflow_mode = library.OverflowMode.SPLIT
        if "format=" not in url and plugin.notify_format == library.NotifyFormat.MARKDOWN:
            plugin.notify_format = library.NotifyFormat.TEXT  # else ours is escaped for a dialect that few speak
        self.name = clean(plugin.service_name)
        self._apprise = library.Apprise(asset=asset)
        self._apprise.add(plugin)
        parts = urlsplit(url)
        self._scrub = scrubber([url, parts.netloc, *parts.netloc.replace("@", ":").split(":"), *secrets_of(parts)])

    def notify(self, card: Card) -> DeliveryError | None:
        """Send it, and wait; how it failed, if it did. Called in a thread of its own."""
        heard = list[tuple[int, str]]()
        _heard.set(heard)
        taken = self._apprise.notify(
            body=card.body, title=escape(card.title), notify_type=KINDS[card.colour], body_format="text"
        )
        return None if taken else self._error(heard)

    def _error(self, heard: Sequence[tuple[int, str]]) -> DeliveryError:
        failure, retryable, there = judge(heard)
        said = " ".join(text for level, text in heard if level >= logging.WARNING)
        detail = f"{self.name} by Apprise: " + (cut(clean(self._scrub(said)), MAX_QUOTE) or "not taken")
        return DeliveryError(failure, detail, retryable=retryable, heard=there)


class Apprise(Texts):
    """Told is told when at least one service took it; failures of the rest are counted."""

    titled = True
    limit = 2000
    markup = Markup(escape)
    harmless = by_line(escape)

    def __init__(self, name: str, services: Sequence[Service], settings: Settings, session: Session) -> None:
        """Raises ValueError where a template cannot be used."""
        super().__init__(settings, session)
        self._name, self._services = name, services
        self._free = threading.Event()
        self._free.set()

    async def _send(self, card: Card) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE * self.session.total_timeout_s):
                results = await self._in_thread(card)
        except TimeoutError:
            raise DeliveryError(DeliveryFailure.TIMEOUT, "Apprise does not come to an end", retryable=True) from None
        failed = [error for error in results if error is not None]
        if len(failed) == len(results):
            raise max(failed, key=lambda error: error.retryable)
        for error in failed:
            self.session.failures.note(self._name, error)
        return None

    async def _in_thread(self, card: Card) -> list[DeliveryError | None]:
        """In a daemon: what hangs in a library cannot be taken back, and must neither pile up nor hold up the exit."""
        if not self._free.is_set():
            raise DeliveryError(DeliveryFailure.TIMEOUT, "Apprise is still busy with the last one", retryable=True)
        done: asyncio.Future[list[DeliveryError | None]] = asyncio.get_running_loop().create_future()
        self._free.clear()
        threading.Thread(target=self._work, args=(card, done), name="apprise", daemon=True).start()
        return await done

    def _work(self, card: Card, done: "asyncio.Future[list[DeliveryError | None]]") -> None:
        results, bug = list[DeliveryError | None](), None
        try:
            results = [service.notify(card) for service in self._services]
        except Exception as error:  # noqa: BLE001  whatever a plug-in raises is told where it is waited for
            bug = error
        self._free.set()
        answer(done, results, bug)


@cache
def _listen() -> None:
    """Hear what Apprise logs; nobody else does, as it holds more than may be written anywhere."""
    log = logging.getLogger("apprise")
    log.addHandler(_Ear())
    log.setLevel(logging.DEBUG)
    log.propagate = False


def _library() -> Any:
    try:
        library = importlib.import_module("apprise")
    except ImportError:
        raise ValueError("type: needs Apprise: pip install 'eventd[apprise]'") from None
    _listen()
    return library


def _services(library: Any, urls: Sequence[str], way: str) -> Iterator[Service]:
    for index, url in enumerate(urls):
        try:
            yield Service(library, url)
        except ValueError as error:
            raise ValueError(f"{way}: address {index + 1} {error}") from None


def build(name: str, settings: Settings, session: Session) -> Channel:
    """Raises `ConfigError` where Apprise is not installed, or does not know an address."""
    with configuring(name):
        way = ways(settings, "urls")[0]
        urls = settings.urls or (read_secret(settings, "urls", session.base) or "").split()
        return Apprise(name, list(_services(_library(), urls, way)), settings, session)


NOTIFIER = Notifier(kind="apprise", settings=Settings, build=build)
