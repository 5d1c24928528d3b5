"""The only builder: joins the rooms into one running service, and takes it apart in order.

Start: store, judgement as it stood, web, delivery, pipeline, receivers. Stop: receivers first, then everything they
handed over is committed, then the try in flight is finished, then web and store.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from eventd import recorder
from eventd.config import Config
from eventd.contract import Verdict
from eventd.correlate import Correlator
from eventd.correlate.hush import Maintenance
from eventd.decode import Decoder
from eventd.errors import EventdError, StoreError
from eventd.gauges import Gauges
from eventd.heart import LOOK_EVERY_S as BEAT_LOOK_S
from eventd.heart import Heart
from eventd.identity import Identities
from eventd.intake import Intake
from eventd.inventory import Inventory
from eventd.kept_engines import KeptEngines, own_engine
from eventd.listeners import Key, Listeners, Receiver
from eventd.losses import LOOK_EVERY_S, Losses
from eventd.model import Change, Notification
from eventd.notify import routing
from eventd.notify.delivery import Delivery
from eventd.parse.snmp import Access, Memory
from eventd.pipeline import Pipeline
from eventd.recorder import Recorder
from eventd.registry import Registry, load
from eventd.restore import restore
from eventd.store.sqlite import SqliteStore
from eventd.surviving import bug_logger
from eventd.telemetry import RateLimit, Telemetry, get_logger
from eventd.telling import Telling
from eventd.verify import verify
from eventd.web.server import WebServer
from eventd.web.settings import Token, Web

#: How long a stop waits for queued messages to be committed.
DRAIN_S = 10.0
#: How often retention is applied.
PRUNE_EVERY_S = 600.0
#: How often the names and own addresses learned of senders are saved. Losing a minute of it only means learning it
#: again.
SAVE_LEARNED_EVERY_S = 60.0
#: How often new SNMPv3 engines and reboots are saved, if there were any. After a crash, messages from before a reboot
#: that was not saved would be taken again.
SAVE_ENGINES_EVERY_S = 5.0

#: Seconds that a scrape waits for the outbox to be looked at: behind a long list of the API it may have to. What it
#: looked like at the scrape before is near enough.
OUTBOX_LOOK_S = 2.0

#: Settings that a reload does not take, by name, and where they are.
NEEDS_RESTART: dict[str, Callable[[Config], Any]] = {
    "store": lambda config: config.store,
    "log": lambda config: config.log,
    "web": lambda config: msgspec.structs.replace(config.web, tokens=(), external_url=None),
    "receivers.snmp.engine_id": lambda config: config.receivers.snmp and config.receivers.snmp.engine_id,
}

#: What `App.not_ready` says before everything listens, and again from the stop on.
STARTING = "eventd is starting or stopping."

log = get_logger("app")


class App:
    """One running eventd. ``read_config`` is called once here and again on every reload."""

    registry: Registry
    store: SqliteStore
    correlator: Correlator
    pipeline: Pipeline
    telling: Telling
    web: WebServer

    def __init__(self, read_config: Callable[[], Config], clock: Callable[[], float] = time.time) -> None:
        self._read_config, self._clock = read_config, clock
        self.config = self._started_with = read_config()
        self.registry = load(self.config.handlers)
        self.telemetry = Telemetry()
        self.intake = Intake()
        self.started_at = clock()
        self.listeners = Listeners(self.intake, self.telemetry, clock)
        self.losses = Losses(self.listeners.kernel_drops, clock)
        self.recorder = Recorder()
        self.heart = Heart(self)
        self.intake.poll = self.listeners.poll
        self._ready = False
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._limit = RateLimit()

    # --- life -----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin the ordered stop."""
        if not self._stop.is_set():
            log.info("stopping")
        self._stop.set()

    async def run(self, on_ready: Callable[["App"], None] | None = None) -> None:
        """Serve until `stop` is called.

        Raises:
            EventdError: it could not start (store, port, certificate), and everything started is stopped again; or it
                had to stop with messages that could not be committed.
        """
        asyncio.get_running_loop().set_exception_handler(self._callback_failed)
        async with contextlib.AsyncExitStack() as stack:
            self.store = await SqliteStore.open(self.config.store)
            stack.push_async_callback(self.store.close)
            if (damaged := self.store.damaged_log) is not None:
                self.telemetry.inc("store_damage", str(damaged.damage))
            await self._restore()
            self.web = WebServer(self)
            await self.web.start()
            stack.push_async_callback(self.web.stop)
            await self._serve(on_ready)

    def _callback_failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A defect in something that the loop calls: counted and logged, and the loop goes on."""
        self.telemetry.inc("internal_errors", "loop")
        if self._limit.allow(context.get("message")) is not None:
            log.error("defect", where="loop", what=context.get("message"), exc_info=context.get("exception"))

    async def _serve(self, on_ready: Callable[["App"], None] | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            pipeline = tasks.create_task(self.pipeline.run(), name="pipeline")
            chores = [
                tasks.create_task(self._every(PRUNE_EVERY_S, lambda: self.store.prune(self._clock())), name="prune"),
                tasks.create_task(self._every(SAVE_LEARNED_EVERY_S, self._save_learned), name="save learned"),
                tasks.create_task(self._every(SAVE_ENGINES_EVERY_S, self._save_engines), name="save engines"),
                tasks.create_task(self._every(LOOK_EVERY_S, self.losses.look), name="look for losses"),
                tasks.create_task(self._every(BEAT_LOOK_S, self.heart.tick), name="heartbeat"),
            ]
            await self.telling.start(self.config, tasks)
            try:
                await self._record(self.config.record)
                await self.listeners.replace(self.config.receivers)
                self._config_taken()
                self._ready = True
                if on_ready is not None:
                    on_ready(self)
                await self._stop.wait()
            finally:
                self._ready = False
                for chore in chores:
                    chore.cancel()
                await self._wind_down(pipeline)

    async def _restore(self) -> None:
        """Build judgement and decoding as they stood when the store was last written."""
        config = self.config
        snmp = config.receivers.snmp
        self._own_engine = await own_engine(self.store, snmp.engine_id if snmp else None)
        self._snmp_memory = Memory()
        self._kept_engines = KeptEngines(self.store, self._snmp_memory.engines)
        await self._kept_engines.restore()
        self._learned: dict[str, Any] = msgspec.json.decode(await self.store.meta_get("learned_hostnames") or "{}")
        self._learned_ends: dict[str, Any] = msgspec.json.decode(await self.store.meta_get("learned_ends") or "{}")
        self.correlator = Correlator(config.correlate, config.inventory, config.web.external_url, config.maintenance)
        restore(self.correlator, await self.store.load_states(), self.config.store.path)
        self.pipeline = Pipeline(
            intake=self.intake,
            decoder=self._make_decoder(config, self.registry),
            correlator=self.correlator,
            store=self.store,
            telemetry=self.telemetry,
            route=self._route,
            enqueued=lambda: self.delivery.wake(),
            committed=lambda changes: self.web.stream.publish(changes),
            clock=self._clock,
        )
        self.telling = Telling(self)
        self._gauges = Gauges(self)
        self._gauges.provide(self.telemetry)
        self.telemetry.provide("recorded", self.recorder.recorded)
        self.telemetry.provide("record_dropped", self.recorder.dropped)
        log.info("state restored", open_incidents=sum(self.correlator.open_counts().values()))

    async def _wind_down(self, pipeline: asyncio.Task[None]) -> None:
        async with self._reloading:  # a reload under way finishes what it began to replace
            await self._close_down(pipeline)

    async def _close_down(self, pipeline: asyncio.Task[None]) -> None:
        await self.listeners.stop_reading()
        await self._record(recorder.Settings())
        self.intake.close()
        committed, _ = await asyncio.wait([pipeline], timeout=DRAIN_S)
        if not committed:
            pipeline.cancel()
        await self.listeners.close()
        await self.telling.stop()
        await self.heart.close()
        await self._quietly(self._save_learned)
        await self._quietly(lambda: self._kept_engines.save_all(self._clock()))
        if not committed:
            raise StoreError(f"stopped with messages that could not be committed: {self.pipeline.store_failing}")
        log.info("stopped")

    async def _record(self, settings: recorder.Settings) -> None:
        """Record as the settings say from now on; without a path not at all."""
        try:
            await self.recorder.replace(settings)
        finally:
            self.intake.tap = self.recorder.take if self.recorder.on else None

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._quietly(chore)

    async def _quietly(self, chore: Callable[[], Awaitable[object]]) -> None:
        try:
            await chore()
        except StoreError as error:
            log.warning("store not reached, will be tried again", error=str(error))
        except Exception as error:
            self.telemetry.inc("internal_errors", "chore")
            log.error("defect", where="chore", exc_info=error)

    async def _save_engines(self) -> None:
        await self._kept_engines.save(self._clock())

    async def _save_learned(self) -> None:
        await self.store.meta_set("learned_hostnames", msgspec.json.encode(self._learned).decode())
        await self.store.meta_set("learned_ends", msgspec.json.encode(self._learned_ends).decode())

    # --- what a configuration makes -------------------------------------------------------------------------------

    def _make_decoder(self, config: Config, handlers: Registry) -> Decoder:
        snmp = config.receivers.snmp
        return Decoder(
            handlers,
            config.inventory,
            Access(
                snmp.communities if snmp else (),
                config.access_users,
                engine_id=self._own_engine.engine_id,
                boots=self._own_engine.boots,
                started_at=self.started_at,
                allowances=config.access_allowances,
                memory=self._snmp_memory,
            ),
            config.receivers.trusted_forwarders,
            on_bug=bug_logger(self.telemetry),
            learned=self._learned,
            learned_ends=self._learned_ends,
        )

    def _route(self, change: Change, now: float) -> list[Notification]:
        return routing.notifications(change, self.config.routing, self.config.listeners, now)

    # --- reload ---------------------------------------------------------------------------------------------------

    async def reload(self) -> str | None:
        """Take a changed configuration; None when taken, else what is wrong, and the old one keeps running.

        Some settings are taken only by a restart; the log names those that changed.
        """
        async with self._reloading:
            if not self._ready:
                return "eventd is starting or stopping"
            try:
                await self._reload()
            except EventdError as error:
                return self._config_refused(str(error))
            except Exception as error:
                log.error("defect", where="reload", exc_info=error)
                return self._config_refused(f"{type(error).__name__}: {error}")
            return None

    async def _reload(self) -> None:
        config = await asyncio.to_thread(self._read_config)
        handlers = await asyncio.to_thread(verify, config)
        decoder = self._make_decoder(config, handlers)
        before, self.config = self.config, config
        try:
            await self._record(config.record)
            await self.listeners.replace(config.receivers)
        except BaseException:
            self.config = before
            await self._record(before.record)
            await self.listeners.replace(before.receivers)
            raise
        self.registry, self.pipeline.decoder = handlers, decoder
        self.correlator.reconfigure(config.correlate, config.inventory, config.web.external_url, config.maintenance)
        await self.telling.restart(config, self._tasks)
        for what, pick in NEEDS_RESTART.items():
            if pick(config) != pick(self._started_with):
                log.warning("a changed setting is taken by the next restart", setting=what)
        self._config_taken()

    def _config_taken(self) -> None:
        self.telemetry.set("config_last_reload_successful", value=1)
        self.telemetry.set("config_last_reload_success_timestamp_seconds", value=self._clock())
        log.info("configuration taken", file=self.config.path or "built-in defaults")

    def _config_refused(self, why: str) -> str:
        self.telemetry.set("config_last_reload_successful", value=0)
        log.error("configuration refused, the old one keeps running", problems=why.splitlines())
        return why

    # --- what the web room and metrics see ------------------------------------------------------------------------

    def now(self) -> float:
        """The service clock, Unix seconds."""
        return self._clock()

    @property
    def web_settings(self) -> Web:
        """Where and how to serve."""
        return self.config.web

    @property
    def tokens(self) -> Mapping[str, Token]:
        """Who may do what, by secret."""
        return self.config.tokens

    @property
    def inventory(self) -> Inventory:
        """The inventory in force."""
        return self.config.inventory

    @property
    def identities(self) -> Identities:
        """Who sent what."""
        return self.pipeline.decoder.identities

    @property
    def delivery(self) -> Delivery:
        """How the channels are told."""
        return self.telling.delivery

    @property
    def maintenance(self) -> Sequence[Maintenance]:
        """The planned windows in force."""
        return self.config.maintenance

    async def operate(self, act: Callable[[float], Verdict]) -> Verdict:
        """`Pipeline.operate`, while there is a pipeline."""
        if not self._ready:
            raise StoreError("eventd is starting or stopping")
        return await self.pipeline.operate(act)

    def try_again(self, channel: str) -> None:
        """`Delivery.try_again`."""
        self.delivery.try_again(channel)

    @property
    def receivers(self) -> Mapping[Key, Receiver]:
        """The running receivers, by what they were made from."""
        return self.listeners.running

    def not_ready(self) -> str | None:
        """Why the service should not be relied on right now; None if it can be."""
        if not self._ready:
            return STARTING
        if missing := self.listeners.missing(self.config.receivers):
            return f"Not listening: {', '.join(missing)}."
        if self.pipeline.store_failing is not None:
            return f"The store cannot be written: {self.pipeline.store_failing}"
        return None

    def status(self) -> Mapping[str, Any]:
        """Receivers, channels and devices, as ``/api/v1/status`` shows them."""
        stands = {name: standing.row(self.now()) for name, standing in self.delivery.standings().items()}
        return {
            "receivers": [{"kind": kind, "listen": address} for kind, address, _ in self.receivers],
            "channels": [{"name": c.name, "type": c.type, **stands.get(c.name, {})} for c in self.config.channels],
            "queued": len(self.intake),
            "last_heard": self.pipeline.last_heard,
            "clock_skew": self.pipeline.skews.seconds(),
            "kernel_drops": self.losses.total(),
            "losing": self.losses.lately(),
        }

    async def refresh_metrics(self) -> None:
        """Bring up to date what only the store or the kernel knows."""
        await self._gauges.look_at_peers()
        with contextlib.suppress(StoreError):
            self.telemetry.set("store_size_bytes", value=await self.store.size_bytes())
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(OUTBOX_LOOK_S):
                await self._gauges.look_at_outbox()
        self.listeners.settle()
