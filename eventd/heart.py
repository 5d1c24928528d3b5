"""Sends the heartbeat while there is one, and says why when there is none."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import eventd
from eventd.config import Config
from eventd.errors import DeliveryError, EventdError, StoreError
from eventd.heartbeat import Beats, Moves, not_beating, watchdog
from eventd.model import utc
from eventd.notify import alertmanager
from eventd.notify.alertmanager import Alertmanager
from eventd.notify.delivery import Delivery
from eventd.notify.endpoint import Endpoint
from eventd.notify.session import Session
from eventd.pipeline import Pipeline
from eventd.store import Store
from eventd.telemetry import RateLimit, Telemetry, get_logger

#: How often the stages are looked at, and how soon a changed configuration is noticed.
LOOK_EVERY_S = 5.0
#: A store that takes longer for one small row does not commit what matters either.
STORE_TIMEOUT_S = 10.0
#: The same trouble is logged once in this time.
LOG_AGAIN_S = 600.0

log = get_logger("heartbeat")


class Watched(Protocol):
    """The parts of the running service that have to work; those that a reload replaces are read anew each time."""

    config: Config
    telemetry: Telemetry
    pipeline: Pipeline
    started_at: float

    def now(self) -> float:
        """Unix seconds."""

    def not_ready(self) -> str | None:
        """Why the service should not be relied on."""

    @property
    def store(self) -> Store:
        """The store in use."""

    @property
    def delivery(self) -> Delivery:
        """How the channels are told."""


class Heart:
    """``clock``: seconds that never go back, apart from the wall clock of the service."""

    def __init__(self, service: Watched, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._config: Config | None = None
        self._session: Session | None = None
        self._url: Endpoint | None = None
        self._alertmanagers: Sequence[Alertmanager] = ()
        self._steps, self._looks = Moves(), Moves()
        self._due = 0.0
        self._stored: float | None = None
        self._writing: asyncio.Task[None] | None = None
        self._limit = RateLimit(LOG_AGAIN_S, clock)

    async def tick(self) -> None:
        """Look at the stages; beat if it is time. Call it every `LOOK_EVERY_S`."""
        now = self._clock()
        if self._config is not self._service.config:
            await self._set_up(self._service.config)
            self._due = now
        self._beats(now)
        settings = self._service.config.heartbeat
        if settings.on and now >= self._due:
            self._due = now + settings.every
            await self._beat()

    async def close(self) -> None:
        """Let go of what is open."""
        if self._writing is not None:
            self._writing.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _set_up(self, config: Config) -> None:
        """Far ends of our own: those of the channels go away in the middle of a reload."""
        await self.close()
        self._config, self._url, self._alertmanagers = config, None, ()
        self._session = session = Session(external_url=config.web.external_url, clock=self._service.now)
        try:
            self._url = config.heartbeat.far_end()
            if config.heartbeat.alertmanager:
                self._alertmanagers = [
                    alertmanager.build(channel.name, channel.settings, session)
                    for channel in config.channels
                    if channel.type == alertmanager.NOTIFIER.kind
                ]
        except (ValueError, EventdError) as error:
            log.error("no heartbeat: its settings cannot be used", error=str(error))

    def _beats(self, now: float) -> Beats:
        steps = self._steps.look({"pipeline": self._service.pipeline.steps}, now)
        looks = self._looks.look(self._service.delivery.looks(), now)
        return Beats(self._service.not_ready(), steps["pipeline"], self._stored, looks)

    async def _beat(self) -> None:
        await self._write()
        now = self._clock()
        if why := not_beating(self._beats(now), now):
            self._note("withheld", " ".join(why))
            return
        asked = [] if self._url is None else [self._ask(self._url)]
        results = await asyncio.gather(*asked, *map(self._tell, self._alertmanagers))
        failed = [str(error) for error in results if error is not None]
        self._note("failed" if failed or not results else "sent", "; ".join(failed) or "nobody to tell")

    def _note(self, outcome: str, why: str) -> None:
        self._service.telemetry.inc("heartbeats", outcome)
        if outcome != "sent" and (held := self._limit.allow((outcome, why[:40]))) is not None:
            log.error("no heartbeat", outcome=outcome, why=why, held_back=held)

    async def _write(self) -> None:
        """One at a time: what a store that hangs is asked for piles up."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._mark(), name="heartbeat mark")
        await asyncio.wait([self._writing], timeout=STORE_TIMEOUT_S)

    async def _mark(self) -> None:
        try:
            await self._service.store.meta_set("heartbeat", utc(self._service.now()).isoformat())
        except StoreError as error:
            if self._limit.allow("store") is not None:
                log.error("the heartbeat cannot be written", error=str(error))
        else:
            self._stored = self._clock()

    async def _ask(self, url: Endpoint) -> DeliveryError | None:
        assert self._session is not None
        settings = self._service.config.heartbeat
        said = {"eventd": eventd.__version__, "every_s": settings.every} if settings.method == "POST" else None
        try:
            answer = await self._session.post(url, said, method=settings.method)
        except DeliveryError as error:
            return error
        return None if answer.ok else answer.error(url)

    async def _tell(self, channel: Alertmanager) -> DeliveryError | None:
        config = self._service.config
        address = config.web.external_url
        instance = (urlsplit(address).netloc if address else "") or socket.gethostname()
        since, now = utc(self._service.started_at), self._service.now()
        try:
            await channel.tell([watchdog(instance, since, now, config.heartbeat.every, address)])
        except DeliveryError as error:
            return error
        return None
