"""Whatever Apprise knows (over a hundred services) and we have no channel of our own for: title and text, and whether
it was taken. Apprise is an extra, `eventd[apprise]`, and loaded only where it is used."""

import asyncio
import importlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from eventd.checked import Fault
from eventd.contract import Channel, Notifier
from eventd.discreet import Discreet
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import READABLE_PER_MINUTE, Card, PerMinute, Texts
from eventd.notify.endpoint import configuring, scrubber, secrets_of
from eventd.notify.localtime import zone_faults
from eventd.notify.render import clean, cut
from eventd.notify.secrets import read_secret, ways, ways_faults
from eventd.notify.session import MAX_QUOTE, Session
from eventd.notify.words import Language

#: Apprise waits 4 s for a connection and 4 s for an answer (`cto`, `rto` of an address), some services ask several
#: times; so many times as long as a chat of ours.
PATIENCE = 3
#: Services in one channel; each is waited for.
MAX_URLS = 20
#: What Apprise calls the kind of a message, by our colour.
KINDS = {"critical": "failure", "major": "failure", "warning": "warning", "info": "info", "resolved": "success"}


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


class Result(Struct, frozen=True):
    """What became of a message at one service, and what Apprise had to say."""

    service: str
    taken: bool
    said: str


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
        self.name = clean(plugin.service_name)
        self._apprise, self._library = library.Apprise(asset=asset), library
        self._apprise.add(plugin)
        parts = urlsplit(url)
        self._scrub = scrubber([url, parts.netloc, *parts.netloc.replace("@", ":").split(":"), *secrets_of(parts)])

    def notify(self, card: Card) -> Result:
        """Send it, and wait. Called in a thread."""
        with self._library.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
            taken = self._apprise.notify(
                body=card.body, title=card.title, notify_type=KINDS[card.colour], body_format="text"
            )
            text = cut(clean(self._scrub(said.getvalue())), MAX_QUOTE)
        return Result(self.name, bool(taken), text)


class Apprise(Texts):
    """Told is told when at least one service took it; failures of the rest are counted."""

    titled = True
    limit = 2000

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
        failed = [
            DeliveryError(DeliveryFailure.SERVER_ERROR, _detail(result), retryable=True)
            for result in results
            if not result.taken
        ]
        if len(failed) == len(results):
            raise failed[0]
        for error in failed:
            self.session.failures.note(self._name, error)
        return None

    async def _in_thread(self, card: Card) -> list[Result]:
        """In a daemon: what hangs in a library cannot be taken back, and must neither pile up nor hold up the exit."""
        if not self._free.is_set():
            raise DeliveryError(DeliveryFailure.TIMEOUT, "Apprise is still busy with the last one", retryable=True)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Result]] = loop.create_future()
        self._free.clear()
        threading.Thread(target=self._work, args=(card, loop, done), name="apprise", daemon=True).start()
        return await done

    def _work(self, card: Card, loop: asyncio.AbstractEventLoop, done: "asyncio.Future[list[Result]]") -> None:
        results, bug = list[Result](), None
        try:
            results = [service.notify(card) for service in self._services]
        except Exception as error:  # noqa: BLE001  whatever a plug-in raises is told where it is waited for
            bug = error
        self._free.set()
        try:
            loop.call_soon_threadsafe(_settle, done, results, bug)
        except RuntimeError:  # the loop is gone; so is everybody who waited
            return


def _settle(done: "asyncio.Future[list[Result]]", results: list[Result], bug: Exception | None) -> None:
    if done.done():
        return
    if bug is None:
        done.set_result(results)
    else:
        done.set_exception(bug)


def _detail(result: Result) -> str:
    return f"{result.service} by Apprise: " + (result.said or "not taken")


def _library() -> Any:
    try:
        return importlib.import_module("apprise")
    except ImportError:
        raise ValueError("type: needs Apprise: pip install 'eventd[apprise]'") from None


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
