"""Services that behave as badly as the real ones, over seven hours of a virtual clock: everything is told in the end.

Every HTTP channel tells a service of its own that enforces the limits of the real one. ``EVENTD_FAR_END_INCIDENTS`` is
the number of incidents (the acceptance run takes 500), ``EVENTD_FAR_END_SEED`` another course of events.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from channel_kinds import HTTP, MAKERS, TAKEN
from chat_server import Behaviour, ChatServer, Seen, answer, close_before_answer, close_mid_answer, hang, not_http
from msgspec.structs import replace
from notify_fakes import HandClock, make_incident, make_notification

from eventd.contract import Batch
from eventd.model import Incident, utc
from eventd.notify.delivery import Delivery
from eventd.notify.session import Answer, Session
from eventd.registry import load_notifiers
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry

INCIDENTS = int(os.environ.get("EVENTD_FAR_END_INCIDENTS", "30"))
SEED = int(os.environ.get("EVENTD_FAR_END_SEED", "1"))

#: What each service takes: so many within so many seconds (field notes in docs/channels.md).
RATES: Mapping[str, tuple[tuple[int, float], ...]] = {
    "slack": ((1, 1.0),),
    "teams": ((4, 1.0),),
    "feishu": ((100, 60.0), (5, 1.0)),
    "dingtalk": ((20, 60.0),),
    "wecom": ((20, 60.0),),
    "telegram": ((20, 60.0), (1, 1.0)),
    "discord": ((30, 60.0), (5, 2.0)),
}
#: Largest request body in octets; DingTalk, WeCom and Telegram limit the text, which is less.
SIZES = {"teams": 28_000, "feishu": 20_480, "dingtalk": 20_480, "wecom": 4500, "slack": 60_000, "discord": 24_000}

#: How each says no under a status that says yes, or in its own words.
BODY_ERRORS: Mapping[str, tuple[Behaviour, ...]] = {
    "slack": (answer(200, '{"ok":false,"error":"ratelimited"}'), answer(500, "rollup_error")),
    "teams": (
        answer(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"),
    ),
    "feishu": (answer(200, '{"code":11232,"msg":"frequency limited"}'),),
    "dingtalk": (answer(200, '{"errcode":-1,"errmsg":"system busy"}'),),
    "wecom": (answer(200, '{"errcode":45009,"errmsg":"api freq out of limit"}'),),
    "telegram": (answer(429, '{"ok":false,"error_code":429,"parameters":{"retry_after":7}}'),),
    "discord": (answer(429, '{"message":"rate limited","retry_after":3.5,"global":false}'),),
}
#: How each refuses a layout.
MARKUP_ERRORS: Mapping[str, Behaviour] = {
    "slack": answer(400, "invalid_blocks"),
    "telegram": answer(400, '{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities"}'),
}
#: How any of them fails.
TROUBLES: tuple[Behaviour, ...] = (
    answer(429, "", {"Retry-After": "20"}),
    answer(429, ""),
    answer(500, "oops"),
    answer(503, "<html>down</html>"),
    close_before_answer,
    close_mid_answer,
    not_http,
    hang,
)


class Service(ChatServer):
    """One service: it counts what it took, refuses what comes too fast or is too large, and has moods."""

    def __init__(self, kind: str, clock: HandClock, seed: int) -> None:
        super().__init__()
        self.kind, self._clock, self._rng = kind, clock, random.Random(f"{kind}{seed}")
        self.mood: Callable[[], Behaviour | None] = lambda: None
        self.came: list[float] = []
        self.taken: list[tuple[float, str]] = []
        self.too_fast, self.too_large = 0, 0

    def bad(self, share: float) -> Callable[[], Behaviour | None]:
        """So often in trouble, of any sort."""
        markup = MARKUP_ERRORS.get(self.kind)
        own = (*TROUBLES, *BODY_ERRORS.get(self.kind, ()), *filter(None, (markup,)))
        last: list[Behaviour | None] = [None]

        def mood() -> Behaviour | None:
            chosen = self._rng.choice(own) if self._rng.random() < share else None
            # What follows a refused layout is plain text, in which there is nothing to refuse.
            last[0] = None if chosen is markup and last[0] is markup else chosen
            return last[0]

        return mood

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        now = self._clock()
        self.came.append(now)
        for count, seconds in RATES.get(self.kind, ()):
            # Requests reach us a little after the clock that they were sent by: the edge is not counted.
            if sum(1 for at in self.came if at > now - seconds + 1e-3) > count:
                self.too_fast += 1
                return web.Response(status=429, headers={"Retry-After": "30"})
        if len(body) > SIZES.get(self.kind, 1 << 20):
            self.too_large += 1
            return web.Response(status=413)
        if (trouble := self.mood()) is not None:
            return await trouble(request)
        if request.method != "GET":
            self.taken.append((now, body.decode()))
            self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), b""))
        return web.Response(text=TAKEN.get(self.kind, "ok"))


class BusySession(Session):
    """A session that knows how many requests are under way."""

    busy = 0

    async def post(self, *args: Any, **more: Any) -> Answer:
        self.busy += 1
        try:
            return await super().post(*args, **more)
        finally:
            self.busy -= 1


class World:
    """All channels with a service each, and one more whose far end is always well."""

    def __init__(self, seed: int) -> None:
        self.clock, self.telemetry, self.rng = HandClock(), Telemetry(), random.Random(seed)
        self.store = MemoryStore(clock=self.clock)
        self.session = BusySession(telemetry=self.telemetry, clock=self.clock, total_timeout_s=0.05)
        # Nothing hangs there: that a loaded machine answers late is no trouble of the far end.
        self.patient = BusySession(telemetry=self.telemetry, clock=self.clock)
        self.services = {kind: Service(kind, self.clock, seed) for kind in HTTP}
        self.well = Service("webhook", self.clock, seed)
        self.incidents: dict[str, Incident] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        notifiers = load_notifiers()
        everybody = {**self.services, "well": self.well}
        for service in everybody.values():
            await service.__aenter__()
        channels = {
            name: notifiers[service.kind].build(name, MAKERS[service.kind](service.url, {}), self._session(service))
            for name, service in everybody.items()
        }
        self.delivery = Delivery(self.store, channels, self.telemetry, self.clock, random.Random(3))
        task = asyncio.create_task(self.delivery.run())
        try:
            yield
        finally:
            await self.delivery.drain(1.0)
            await task
            await self.session.close()
            await self.patient.close()
            for service in everybody.values():
                await service.__aexit__()

    def _session(self, service: Service) -> BusySession:
        return self.patient if service is self.well else self.session

    async def tell(self, incident: Incident, what: str) -> None:
        self.incidents[incident.id] = incident
        now = self.clock()
        await self.store.commit(
            Batch(
                notifications=[
                    make_notification(
                        name, incident, id=f"{incident.id}-{name}-{what}-{now:.0f}", what=what, created_at=utc(now)
                    )
                    for name in (*self.services, "well")
                ]
            )
        )
        self.delivery.wake()

    async def open(self, number: int) -> None:
        now = utc(self.clock())
        await self.tell(make_incident(id=f"inc{number:06}", opened_at=now, updated_at=now), "opened")

    async def end_one(self) -> None:
        """The end of an incident that is a while old."""
        now = self.clock()
        old = [i for i in self.incidents.values() if i.status == "open" and now - i.opened_at.timestamp() > 1000]
        if old:
            over = replace(self.rng.choice(old), status="resolved", resolved_at=utc(now), updated_at=utc(now))
            await self.tell(over, "resolved")

    async def pass_time(self, seconds: float, step: float) -> None:
        end = self.clock() + seconds
        while self.clock() < end:
            self.clock.jump(step)
            self.delivery.wake()
            await self.settle_down()

    async def settle_down(self) -> None:
        """Until nobody does anything any more at this time: from a wake-up to a request are some turns of the loop."""
        quiet = 0
        while quiet < 30:
            await asyncio.sleep(0)
            busy = self.session.busy + self.patient.busy
            quiet = 0 if busy else quiet + 1
            if busy:
                await asyncio.sleep(0.0005)

    def pending(self) -> int:
        return sum(totals.pending for totals in self.store.totals().values())


@pytest.mark.timeout(600)
async def test_whatever_the_far_ends_do_every_incident_reaches_every_channel() -> None:
    world, number = World(SEED), 0
    third = INCIDENTS // 3
    async with world.running():
        for _ in range(third):  # a storm while they are well
            await world.open(number)
            number += 1
        await world.pass_time(600, 2.0)
        for service in world.services.values():  # six hours without any of them
            service.mood = lambda: close_before_answer
        for _ in range(third):
            await world.open(number)
            number += 1
            await world.end_one()
            await world.pass_time(6 * 3600 / third, 60.0)
        for service in world.services.values():  # then all sorts of trouble
            service.mood = service.bad(0.4)
        for _ in range(INCIDENTS - 2 * third):
            await world.open(number)
            number += 1
            await world.end_one()
            await world.pass_time(60, 5.0)
        for service in world.services.values():
            service.mood = lambda: None
        for _ in range(200):
            await world.pass_time(60, 10.0)
            if not world.pending():
                break
    totals = world.store.totals()
    for name, service in (*world.services.items(), ("well", world.well)):
        found = totals[name]
        assert (found.pending, found.dead) == (0, 0), name
        assert found.enqueued == found.delivered + found.superseded, name
        assert (service.too_fast, service.too_large) == (0, 0), name
        said = "\n".join(body for _, body in service.taken)
        assert [ident for ident in world.incidents if ident not in said] == [], name
    assert world.telemetry.values("notification_failures"), "they were as bad as they were meant to be"
    first = {ident: next(at for at, body in world.well.taken if ident in body) for ident in world.incidents}
    late = [first[ident] - incident.opened_at.timestamp() for ident, incident in world.incidents.items()]
    assert max(late) <= 60.0, "one channel's trouble delays no other"
