"""A running web room without the rest of the service: a real judgement and a real store in memory, fed by hand.

async with serving() as site:
    site.service.tell("0 stop dpd timeout", until=60)
    status, body = await site.json("/api/v1/incidents")
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import aiohttp
from correlate_strategies import EPOCH, parse
from yarl import URL

from eventd.contract import Batch, JournalRow, Verdict
from eventd.correlate import Correlator, Settings
from eventd.correlate.hush import Maintenance
from eventd.errors import StoreError
from eventd.identity import Identities
from eventd.inventory import Inventory
from eventd.model import Change, Event
from eventd.registry import load
from eventd.store import MemoryStore, Page
from eventd.store.base import DEFAULT_PAGE
from eventd.telemetry import Telemetry
from eventd.web.server import WebServer
from eventd.web.settings import Token, Web

#: Loading handlers takes a tenth of a second; they do not change.
REGISTRY = load(("handlers",))

LOCAL = Web(listen="127.0.0.1:0")


class BrokenStore(MemoryStore):
    """A store whose file cannot be read while ``broken`` says why."""

    broken: str | None = None

    def _check(self) -> None:
        if self.broken:
            raise StoreError(self.broken)

    async def incidents(self, **known: Any) -> Page[Any]:
        self._check()
        return await super().incidents(**known)

    async def incident(self, incident_id: str) -> Any:
        self._check()
        return await super().incident(incident_id)

    async def events(self, **known: Any) -> Page[Any]:
        self._check()
        return await super().events(**known)

    async def malformed(self, limit: int = DEFAULT_PAGE, before: int | None = None) -> Page[Any]:
        self._check()
        return await super().malformed(limit, before)

    async def letters(self, **known: Any) -> Page[Any]:
        self._check()
        return await super().letters(**known)

    async def ledger(self) -> dict[str, int]:
        self._check()
        return await super().ledger()


class FakeService:
    """What the app is to the web room. ``clock`` is the time of its clock in seconds after `EPOCH`."""

    def __init__(
        self,
        settings: Web = LOCAL,
        tokens: Mapping[str, Token] | None = None,
        inventory: Inventory | None = None,
    ) -> None:
        self.telemetry, self.registry = Telemetry(), REGISTRY
        self.store = BrokenStore()
        self.inventory = inventory or Inventory()
        self.correlator = Correlator(Settings(), self.inventory)
        self.identities = Identities(self.inventory)
        self.started_at, self.clock = EPOCH, 0.0
        self.web_settings, self.tokens = settings, tokens or {}
        self.trouble: str | None = None
        self.reload_answer: str | None = None
        self.reloads = 0
        self.channels = [{"name": "noc", "type": "slack"}]
        self.last_heard: dict[str, float] = {}
        self.clock_skew: dict[str, float] = {}
        self.losing: str | None = None
        self.tried_again: list[str] = []
        self.maintenance: tuple[Maintenance, ...] = ()
        self.committed: Callable[[Sequence[Change]], None] = lambda _: None

    def now(self) -> float:
        return EPOCH + self.clock

    async def operate(self, act: Callable[[float], Verdict]) -> Verdict:
        """As the pipeline does: judged, kept, then told."""
        verdict = act(self.now())
        await self._keep(verdict, None)
        return verdict

    def try_again(self, channel: str) -> None:
        self.tried_again.append(channel)

    async def reload(self) -> str | None:
        self.reloads += 1
        return self.reload_answer

    def status(self) -> Mapping[str, Any]:
        return {
            "receivers": [{"kind": "syslog_udp", "listen": "127.0.0.1:5514"}],
            "channels": self.channels,
            "queued": 0,
            "last_heard": self.last_heard,
            "clock_skew": self.clock_skew,
            "kernel_drops": {"syslog-udp": 0, "snmp": 3},
            "losing": self.losing,
        }

    def not_ready(self) -> str | None:
        return self.trouble

    async def refresh_metrics(self) -> None:
        self.telemetry.set("store_size_bytes", value=await self.store.size_bytes())

    # --- feeding --------------------------------------------------------------------------------------------------

    async def tell(self, text: str, until: float) -> None:
        """A timeline in the language of `correlate_strategies`, judged and kept; then time runs on."""
        lines = [line for line in text.strip().splitlines() if line]
        await self.feed([parse(line, number) for number, line in enumerate(lines)], until)

    async def feed(self, events: Iterable[tuple[float, Event]], until: float) -> None:
        """Events with their seconds after `EPOCH`, judged and kept; then time runs on."""
        for seconds, event in events:
            await self._keep(self.correlator.tick(EPOCH + seconds), None)
            verdict = self.correlator.apply(event, EPOCH + seconds)
            self.last_heard[event.device] = EPOCH + seconds
            await self._keep(verdict, event)
        self.clock = until
        while (due := self.correlator.next_deadline()) is not None and due <= EPOCH + until:
            await self._keep(self.correlator.tick(due), None)

    async def _keep(self, verdict: Verdict, event: Event | None) -> None:
        """As the pipeline does: a message is linked to the incidents that it changed at once."""
        batch = Batch(incidents={change.incident.id: change.incident for change in verdict.changes})
        if event is not None:
            changed = tuple(dict.fromkeys(change.incident.id for change in verdict.changes))
            batch.journal.append(JournalRow(event, verdict.duplicate, changed))
        await self.store.commit(batch)
        self.committed(verdict.changes)


class Site:
    """A served `FakeService` and a client for it. Paths go out as they are written, so they must be escaped."""

    def __init__(self, service: FakeService, server: WebServer, client: aiohttp.ClientSession, scheme: str) -> None:
        self.service, self.server, self.client = service, server, client
        self.url = f"{scheme}://{server.addresses[0]}"

    async def ask(
        self, path: str, method: str = "GET", token: str | None = None, **known: Any
    ) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and text of one request."""
        headers = {**known.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        async with self.client.request(
            method, URL(self.url + path, encoded=True), headers=headers, **known
        ) as response:
            return response.status, response.headers, await response.text()

    async def json(self, path: str, **known: Any) -> Any:
        """The JSON of one API path that must answer 200."""
        async with self.client.get(URL(f"{self.url}/api/v1/{path}", encoded=True), **known) as response:
            assert response.status == 200, (response.status, await response.text())
            return await response.json()

    async def refused(self, path: str, status: int = 400) -> str:
        """The error of one API path that must answer ``status``."""
        async with self.client.get(URL(f"{self.url}/api/v1/{path}", encoded=True)) as response:
            assert response.status == status, (response.status, await response.text())
            answer = await response.json()
            assert list(answer) == ["error"]
            return str(answer["error"])


@contextlib.asynccontextmanager
async def serving(
    service: FakeService | None = None, trust: ssl.SSLContext | None = None, **known: Any
) -> AsyncIterator[Site]:
    """Serve a service on a free loopback port."""
    service = service or FakeService(**known)
    server = WebServer(service)
    service.committed = server.stream.publish
    await server.start()
    try:
        connector = aiohttp.TCPConnector(ssl=trust) if trust else None
        async with aiohttp.ClientSession(connector=connector) as client:
            yield Site(service, server, client, "https" if trust else "http")
    finally:
        await server.stop()
