"""Who is told, by the configuration in force: its channels run, new ones hear what is open already, and what waits for
those that are gone is given up."""

import asyncio
import contextlib
from collections import Counter
from typing import Protocol

import msgspec

from eventd.config import Config
from eventd.contract import Channel
from eventd.correlate import Correlator
from eventd.errors import StoreError
from eventd.model import Notification
from eventd.notify import routing
from eventd.notify.delivery import Delivery
from eventd.notify.session import Session
from eventd.pipeline import Pipeline
from eventd.registry import Registry, load_notifiers
from eventd.store import Store
from eventd.telemetry import Telemetry, get_logger

#: How long a stop waits for a notification in flight, and a start for what new channels are told to be committed.
PATIENCE_S = 10.0

#: Who knows what is open, in the store: a `routing.Audience` in JSON.
AUDIENCE = "audience"

log = get_logger("app")


class Teller(Protocol):
    """The parts of the running service that have something to tell; those that a reload replaces are read anew each
    time."""

    telemetry: Telemetry
    registry: Registry
    correlator: Correlator
    pipeline: Pipeline

    def now(self) -> float:
        """Unix seconds."""

    @property
    def store(self) -> Store:
        """The store in use."""


class Telling:
    """The channels of one running service; none before `start`."""

    def __init__(self, service: Teller) -> None:
        self._service = service
        self.delivery = Delivery(service.store, {}, service.telemetry, service.now)

    async def start(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        """Tell the channels of ``config`` what waits for them from now on, in ``tasks``."""
        await self._introduce(config)
        await self._give_up_orphans(config)
        self._run(config, tasks)

    async def restart(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        """Always, even if nothing seems changed: files behind the settings (secrets, templates) may have."""
        try:
            await self.stop()
            await self._introduce(config)
            await self._give_up_orphans(config)
        except StoreError as error:
            log.warning("store not reached while channels were replaced", error=str(error))
        finally:
            self._run(config, tasks)

    async def stop(self) -> None:
        """Finish the try in flight, and no more."""
        await self.delivery.drain(PATIENCE_S)
        await asyncio.wait([self.task])
        await self._session.close()
        await self._service.store.release()

    def _run(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        service = self._service
        self._session = Session(
            external_url=config.web.external_url,
            telemetry=service.telemetry,
            clock=service.now,
            catalogues=service.registry.catalogues,
        )
        notifiers = load_notifiers()
        channels: dict[str, Channel] = {
            c.name: notifiers[c.type].build(c.name, c.settings, self._session) for c in config.channels
        }
        self.delivery = Delivery(service.store, channels, service.telemetry, service.now)
        self.task = tasks.create_task(self.delivery.run(), name="delivery")

    async def _introduce(self, config: Config) -> None:
        """Tell what is open already to channels that were not there before, or that further routes name. They hear of
        it before they hear of anything else, and what was routed by the configuration before this one is in the outbox
        after that."""
        names, store = tuple(channel.name for channel in config.channels), self._service.store
        audience = msgspec.json.encode(routing.Audience(names, config.routes)).decode()
        try:
            async with asyncio.timeout(PATIENCE_S):
                kept = await store.meta_get(AUDIENCE)
                before = self._audience(kept, config)
                await self._service.pipeline.tell(
                    lambda now: self._catching_up(config, before, now) if kept != audience else []
                )
                if kept != audience:
                    await store.meta_set(AUDIENCE, audience)
        except (StoreError, TimeoutError) as error:
            log.warning("new channels may not know what is open", error=str(error) or "the store does not answer")

    def _audience(self, kept: str | None, config: Config) -> routing.Audience:
        """As ``kept``; where that cannot be read, those who ever were told something, by the routes of now."""
        if kept is not None:
            with contextlib.suppress(msgspec.MsgspecError):
                return msgspec.json.decode(kept, type=routing.Audience)
        return routing.Audience(tuple(self._service.store.totals()), config.routes)

    def _catching_up(self, config: Config, before: routing.Audience, now: float) -> list[Notification]:
        told = self._service.correlator.told()
        found = list(routing.catching_up(told, config.routing, config.listeners, before, now))
        for name, count in Counter(one.channel for one in found).items():
            log.info("channel is told of what is open already", channel=name, incidents=count)
        return found

    async def _give_up_orphans(self, config: Config) -> None:
        """What waits for a channel that is configured no more will never be delivered: say so and settle it."""
        configured = {channel.name for channel in config.channels}
        for name in self._service.store.totals().keys() - configured:
            given_up = await self._service.store.give_up(name, "the channel is no longer configured")
            if given_up:
                log.warning("notifications given up: their channel is gone", channel=name, count=given_up)
