"""Alertmanager: every peer, chunks, and the real program."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from chat_server import Behaviour, ChatServer, answer, close_before_answer
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved, until
from peers import peer
from service import free_port

from eventd.contract import Batch, Channel
from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.heartbeat import watchdog
from eventd.model import utc
from eventd.notify import alertmanager
from eventd.notify.alert import fingerprint
from eventd.notify.delivery import Delivery
from eventd.notify.endpoint import TransportSettings, endpoint
from eventd.notify.session import Session
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry


class Cluster:
    """A channel to several pretended Alertmanagers."""

    def __init__(self, *peers: ChatServer) -> None:
        self.telemetry, self.clock = Telemetry(), HandClock()
        self.session = Session(telemetry=self.telemetry, clock=self.clock)
        settings = alertmanager.Settings(urls=tuple(server.url for server in peers))
        self.channel = alertmanager.build("am", settings, self.session)

    def failures(self) -> dict[str, float]:
        return {reason: n for (_, reason), n in self.telemetry.values("notification_failures").items() if n}


@pytest.fixture
async def two() -> AsyncIterator[tuple[ChatServer, ChatServer, Cluster]]:
    async with ChatServer() as one, ChatServer() as other:
        cluster = Cluster(one, other)
        yield one, other, cluster
        await cluster.session.close()


async def test_every_peer_is_told_the_same(two: tuple[ChatServer, ChatServer, Cluster]) -> None:
    one, other, cluster = two
    await cluster.channel.deliver(make_notification())
    assert [seen.path for seen in (*one.seen, *other.seen)] == ["/api/v2/alerts"] * 2
    assert one.seen[0].json == other.seen[0].json
    (alert,) = one.seen[0].json
    assert alert["startsAt"] == "2023-11-14T22:13:00Z"
    assert alert["endsAt"] == "2023-11-14T22:17:20Z", "four refreshes of a minute ahead"


async def test_one_peer_that_accepts_is_enough_and_the_other_is_counted(
    two: tuple[ChatServer, ChatServer, Cluster],
) -> None:
    one, _, cluster = two
    one.then(answer(500))
    await cluster.channel.deliver(make_notification())
    assert cluster.failures() == {"server_error": 1}


async def test_when_nobody_accepts_it_is_tried_again_if_anybody_might_accept_later(
    two: tuple[ChatServer, ChatServer, Cluster],
) -> None:
    one, other, cluster = two
    one.then(answer(503))
    other.then(answer(400))
    with pytest.raises(DeliveryError) as caught:
        await cluster.channel.deliver(make_notification())
    assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.SERVER_ERROR, True)


async def test_a_peer_that_does_not_answer_is_left_out_until_the_next_refresh(
    two: tuple[ChatServer, ChatServer, Cluster],
) -> None:
    one, other, cluster = two
    one.then(close_before_answer)
    for _ in range(3):
        await cluster.channel.deliver(make_notification())
    assert (len(one.seen), len(other.seen)) == (1, 3)
    await cluster.channel.refresh([make_incident()], T0)
    await cluster.channel.deliver(make_notification())
    assert (len(one.seen), len(other.seen)) == (3, 5)


async def test_when_all_are_unreachable_all_are_tried(two: tuple[ChatServer, ChatServer, Cluster]) -> None:
    one, other, cluster = two
    one.then(close_before_answer)
    other.then(close_before_answer)
    with pytest.raises(DeliveryError):
        await cluster.channel.deliver(make_notification())
    await cluster.channel.deliver(make_notification())
    assert (len(one.seen), len(other.seen)) == (2, 2)


def chokes_on(status: int, *incidents: str) -> Behaviour:
    """Takes no request with one of them in it."""

    async def behave(request: web.Request) -> web.StreamResponse:
        held = {alert["labels"]["incident"] for alert in await request.json()}
        return web.Response(status=status if held & set(incidents) else 200)

    return behave


def held(server: ChatServer, *bad: str) -> set[str]:
    """The incidents of the requests that had none of the ``bad`` in them."""
    each = [{alert["labels"]["incident"] for alert in seen.json} for seen in server.seen]
    return {incident for told in each if not told & set(bad) for incident in told}


@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("bad", [("i0",), ("i0", "i1", "i199"), ("i17", "i230", "i449")])
async def test_what_a_peer_will_not_take_keeps_back_no_other_alert_from_it(
    status: int, bad: tuple[str, ...], two: tuple[ChatServer, ChatServer, Cluster]
) -> None:
    one, other, cluster = two
    one.always = chokes_on(status, *bad)
    incidents = [make_incident(id=f"i{n}") for n in range(450)]
    await cluster.channel.refresh(incidents, T0)
    everybody = {incident.id for incident in incidents}
    assert held(one, *bad) == everybody - set(bad)
    assert [len(seen.json) for seen in other.seen] == [200, 200, 50]
    assert sum(cluster.failures().values()) == 1
    one.seen.clear()
    await cluster.channel.refresh(incidents, T0)
    assert [len(seen.json) for seen in one.seen] == [200, 200, 50 - len(bad), *[1] * len(bad)], "it is known by now"
    one.always = answer()
    for _ in range(2):
        one.seen.clear()
        await cluster.channel.refresh(incidents, T0)
    assert [len(seen.json) for seen in one.seen] == [200, 200, 50]


@pytest.mark.parametrize("status", [400, 500])
async def test_a_peer_that_takes_nothing_is_not_asked_without_end(
    status: int, two: tuple[ChatServer, ChatServer, Cluster]
) -> None:
    one, other, cluster = two
    one.always = other.always = answer(status)
    for _ in range(2):
        one.seen.clear()
        with pytest.raises(DeliveryError):
            await cluster.channel.refresh([make_incident(id=f"i{n}") for n in range(450)], T0)
        assert len(one.seen) == alertmanager.FAILED_IN_A_ROW
    one.always = other.always = answer(429)
    one.seen.clear()
    with pytest.raises(DeliveryError):
        await cluster.channel.refresh([make_incident(id=f"i{n}") for n in range(450)], T0)
    assert [len(seen.json) for seen in one.seen] == [200]


@pytest.mark.parametrize("path", ["", "/", "/api/v2/alerts", "/api/v2/alerts/"])
async def test_the_address_may_be_given_with_or_without_the_path(path: str) -> None:
    async with ChatServer() as server:
        session = Session()
        settings = alertmanager.Settings(urls=(f"{server.url}/am{path}",))
        await alertmanager.build("am", settings, session).deliver(make_notification())
        await session.close()
        assert server.seen[0].path == "/am/api/v2/alerts"


def test_without_a_peer_there_is_no_channel() -> None:
    with pytest.raises(ValueError, match="urls: is empty"):
        alertmanager.Settings(urls=())
    with pytest.raises(ConfigError, match=r"channels\.am\.urls: is not"):
        alertmanager.build("am", alertmanager.Settings(urls=("am:9093",)), Session())


# --- the real Alertmanager ----------------------------------------------------------------------------------------

#: EVENTD_REFRESHES=60 is an hour of refreshes, as far as anybody can tell from inside.
REFRESHES = int(os.environ.get("EVENTD_REFRESHES", "9"))
#: A minute of that hour, seconds. Four of them are what a busy machine may take to answer.
MINUTE_S = 0.75
CONFIG = "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n"


class RealAlertmanager:
    """The Debian program on a free loopback port, and questions to its API."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url, self._http = url, http

    async def active(self) -> list[dict[str, Any]]:
        async with self._http.get(self.url + "/api/v2/alerts?active=true") as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    async def until(self, wanted: Callable[[list[dict[str, Any]]], object], timeout_s: float = 10) -> list[Any]:
        async with asyncio.timeout(timeout_s):
            while True:
                if wanted(found := await self.active()):
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def alertmanager_on(folder: Path, port: int, http: aiohttp.ClientSession) -> AsyncIterator[RealAlertmanager]:
    """The program, which keeps what it knows in ``folder``; killed at the end."""
    folder.mkdir(exist_ok=True)
    (folder / "am.yml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        peer("prometheus-alertmanager"),
        f"--config.file={folder / 'am.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _ready(http, url := f"http://127.0.0.1:{port}")
        yield RealAlertmanager(url, http)
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[RealAlertmanager]:
    async with aiohttp.ClientSession() as http, alertmanager_on(tmp_path, free_port(), http) as running:
        yield running


async def _ready(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url + "/-/ready") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)


def severities(found: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(alert["labels"]["severity"] for alert in found)


@pytest.fixture
async def channel(real: RealAlertmanager) -> AsyncIterator[Channel]:
    session = Session(external_url="http://eventd.example")
    yield alertmanager.build("am", alertmanager.Settings(urls=(real.url,)), session)
    await session.close()


@pytest.mark.peer
async def test_the_watchdog_fires_at_the_real_alertmanager_until_it_is_told_no_more(
    real: RealAlertmanager, channel: Channel
) -> None:
    assert isinstance(channel, alertmanager.Alertmanager)
    since = utc(time.time() - 100)
    await channel.tell([watchdog("eventd.example", since, time.time(), 0.75, "http://eventd.example")])
    (alert,) = await real.until(lambda found: len(found) == 1)
    assert alert["labels"]["alertname"] == "Watchdog"
    assert alert["labels"]["severity"] == "none"
    await real.until(lambda found: not found)


@pytest.mark.peer
async def test_the_real_alertmanager_sees_an_incident_open_rise_and_end(
    real: RealAlertmanager, channel: Channel
) -> None:
    now = time.time()
    life = {"opened_at": utc(now - 30), "updated_at": utc(now - 10)}
    opened = make_incident(**life, severity="warning", opened_severity="warning", url="http://eventd.example/i/1")

    await channel.deliver(make_notification(incident=opened))
    (alert,) = await real.until(lambda found: len(found) == 1)
    assert alert["status"]["state"] == "active"
    assert alert["labels"]["alertname"] == "IPsecTunnelDown"
    assert alert["fingerprint"] == fingerprint(alert["labels"])
    assert alert["generatorURL"] == "http://eventd.example/i/1"

    risen = make_incident(**life, severity="critical", opened_severity="warning")
    await channel.deliver(make_notification(incident=risen))
    await real.until(lambda found: severities(found) == ["critical"])

    over = make_resolved(
        opened_at=life["opened_at"], resolved_at=utc(now - 1), severity="critical", opened_severity="warning"
    )
    await channel.deliver(make_notification(incident=over))
    await real.until(lambda found: found == [])


@pytest.mark.peer
async def test_the_real_alertmanager_keeps_an_alert_only_as_long_as_it_is_refreshed(
    real: RealAlertmanager,
) -> None:
    clock = HandClock(time.time() - 238.5)  # so that endsAt, 240 s ahead, is in 1.5 s
    session = Session(clock=clock)
    channel = alertmanager.build("am", alertmanager.Settings(urls=(real.url,)), session)
    incident = make_incident(opened_at=utc(clock() - 60), updated_at=utc(clock() - 30))
    await channel.deliver(make_notification(incident=incident))
    (first,) = await real.until(lambda found: len(found) == 1)
    await channel.refresh([incident], clock() + 2)
    (second,) = await real.until(lambda found: found and found[0]["endsAt"] != first["endsAt"])
    assert second["endsAt"] > first["endsAt"]
    assert second["fingerprint"] == first["fingerprint"]
    await real.until(lambda found: found == [])
    await session.close()


@pytest.mark.peer
async def test_the_real_alertmanager_takes_hostile_and_huge_texts(real: RealAlertmanager, channel: Channel) -> None:
    now = time.time()
    nasty = "\x00\x1b[31m\ud800<script>{{ $labels }}\u202e" + "é\n" * 50_000
    incident = make_incident(
        opened_at=utc(now), updated_at=utc(now), device=nasty, site=nasty, summary=nasty, chain=(nasty,) * 50
    )
    await channel.deliver(make_notification(incident=incident))
    (alert,) = await real.until(lambda found: len(found) == 1)
    assert alert["fingerprint"] == fingerprint(alert["labels"])
    assert json.dumps(alert)


@pytest.mark.peer
async def test_the_real_alertmanager_takes_a_refresh_of_a_thousand(real: RealAlertmanager, channel: Channel) -> None:
    now = time.time()
    incidents = [make_incident(id=f"i{n}", opened_at=utc(now), updated_at=utc(now)) for n in range(1000)]
    await channel.refresh(incidents, now)
    await real.until(lambda found: len(found) == 1000)


@pytest.mark.peer
@pytest.mark.timeout(120 + 4 * REFRESHES)
async def test_two_real_alertmanagers_hold_an_alert_through_all_refreshes_and_a_restart_and_both_hear_of_its_end(
    tmp_path: Path,
) -> None:
    """An alert is said to end four refreshes ahead. One of the two is killed and comes back knowing nothing."""
    ports, session, store = (free_port(), free_port()), Session(), MemoryStore()
    peers = [endpoint(f"http://127.0.0.1:{port}{alertmanager.PATH}", TransportSettings(), tmp_path) for port in ports]
    channel = alertmanager.Alertmanager("am", peers, MINUTE_S, session)
    telemetry = Telemetry()
    delivery = Delivery(store, {"am": channel}, telemetry)
    incident = make_incident(opened_at=utc(time.time()), updated_at=utc(time.time()))

    def refreshes() -> float:
        return telemetry.value("notification_refreshes", "am", "ok")

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stays = await stack.enter_async_context(alertmanager_on(tmp_path / "stays", ports[0], http))
        async with alertmanager_on(tmp_path / "first", ports[1], http) as killed:
            await store.commit(Batch(notifications=[make_notification("am", incident)]))
            running = asyncio.create_task(delivery.run())
            for one in (stays, killed):
                await one.until(lambda found: len(found) == 1)
            await _held([stays, killed], lambda: refreshes() >= REFRESHES / 3)
        await _held([stays], lambda: refreshes() >= REFRESHES / 2)
        back = await stack.enter_async_context(alertmanager_on(tmp_path / "second", ports[1], http))
        await back.until(lambda found: len(found) == 1)
        seen = await _held([stays, back], lambda: refreshes() >= REFRESHES)
        assert len({alert["fingerprint"] for alert in seen}) == 1
        over = make_resolved(opened_at=incident.opened_at, updated_at=utc(time.time()), resolved_at=utc(time.time()))
        await store.commit(Batch(incidents={over.id: over}, notifications=[make_notification("am", over)]))
        delivery.wake()
        for one in (stays, back):
            await one.until(lambda found: found == [])
        await until(
            lambda: telemetry.value("notifications", "am", "delivered") == 2
        )  # a refresh may have told it first
        await delivery.drain(5)
        await running
        await session.close()


async def _held(by: Sequence[RealAlertmanager], over: Callable[[], bool]) -> list[dict[str, Any]]:
    """Until it is over, each holds the alert at any time; all that was seen of it."""
    seen: list[dict[str, Any]] = []
    while not over():
        for one in by:
            found = await one.active()
            assert len(found) == 1
            seen += found
        await asyncio.sleep(0.1)
    return seen
