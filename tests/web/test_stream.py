"""The stream of changes against a real server: what it tells, how it ends, and that nobody waits for a slow client."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from msgspec.structs import replace
from web_fakes import FakeService, Site, serving

from eventd.model import Change
from eventd.web import stream
from eventd.web.settings import Token

READ = "read-token-0123456789"


@pytest.fixture
async def site():
    async with serving() as site:
        yield site


@contextlib.asynccontextmanager
async def listening(site: Site, **known: str) -> AsyncIterator[aiohttp.StreamReader]:
    """A client that is registered: the retry line has come."""
    async with site.client.get(f"{site.url}/api/v1/stream", read_bufsize=2**20, **known) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == stream.EVENT_STREAM
        assert await response.content.readuntil(b"\n\n") == stream.RETRY
        yield response.content


async def told(content: aiohttp.StreamReader) -> tuple[str, dict]:
    async with asyncio.timeout(20):
        name, data = (await content.readuntil(b"\n\n")).decode().splitlines()[:2]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_changes_come_as_they_are_committed_in_the_shape_of_the_api(site: Site) -> None:
    async with listening(site) as one, listening(site) as two:
        assert site.service.telemetry.value("stream_clients") == 2
        await site.service.tell("0 stop dpd timeout\n100 start", until=300)
        for content in (one, two):
            names = []
            while not names or names[-1] != "resolved":
                name, incident = await told(content)
                names.append(name)
            assert names[0] == "opened"
            assert incident == (await site.json("incidents"))["items"][0]


async def test_a_quiet_stream_beats(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.02)
    async with listening(site) as content, asyncio.timeout(20):
        assert await content.readuntil(b"\n\n") == stream.HEARTBEAT


async def test_a_client_too_many_is_told_so_and_one_that_left_makes_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_CLIENTS", 1)
    async with listening(site):
        status, headers, text = await site.ask("/api/v1/stream")
        assert (status, headers["Retry-After"]) == (503, "60")
        assert "1 clients listen already" in text
        assert site.service.telemetry.value("stream_refused", "full") == 1
    async with asyncio.timeout(20):
        while site.service.telemetry.value("stream_clients"):
            await site.service.tell("0 stop dpd timeout\n100 start", until=300)
            await asyncio.sleep(0.01)
    async with listening(site):
        pass


async def test_a_slow_client_is_dropped_and_nobody_waits_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_WAITING", 20)
    host, _, port = site.server.addresses[0].rpartition(":")
    slow = socket.create_connection((host, int(port)))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(60), listening(site) as quick:
        for _ in range(1000):
            if site.service.telemetry.value("stream_clients") == 2:
                break
            await asyncio.sleep(0.01)
        await site.service.tell("0 stop dpd timeout", until=60)
        assert (await told(quick))[0] == "opened"
        [incident] = site.service.correlator.open_incidents()
        long = Change("updated", replace(incident, summary="x" * 200_000))
        while site.service.telemetry.value("stream_refused", "slow") == 0:
            site.service.committed([long])
            assert (await told(quick))[0] == "updated"
        assert site.service.telemetry.value("stream_clients") == 1
    slow.close()


async def test_a_stop_ends_the_streams_at_once(site: Site) -> None:
    async with listening(site) as content:
        async with asyncio.timeout(stream.HEARTBEAT_S / 2):
            await site.server.stop()
            assert await content.read() == b""


async def test_a_token_taken_away_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(FakeService(tokens={READ: Token(name="r")})) as site:
        assert (await site.ask("/api/v1/stream"))[0] == 401
        async with listening(site, headers={"Authorization": f"Bearer {READ}"}) as content:
            site.service.tokens = {"another-read-token-0": Token(name="r")}
            await site.service.tell("0 stop dpd timeout", until=60)
            async with asyncio.timeout(20):
                assert await content.read() == b""


async def test_asked_for_its_head_it_does_not_stay(site: Site) -> None:
    status, headers, text = await site.ask("/api/v1/stream", method="HEAD")
    assert (status, headers["Content-Type"], text) == (200, stream.EVENT_STREAM, "")
