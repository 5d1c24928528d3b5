"""The heartbeat: it comes while everything works, it stays away when any stage stands still, and it says which."""

import asyncio
import json
import socket
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import msgspec
import pytest
import structlog
from chat_server import ChatServer, answer
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import HandClock, until
from service import free_port
from storm import stop_line

from eventd import heart as heart_module
from eventd.app import App
from eventd.config import ChannelConfig, load
from eventd.errors import ConfigError, StoreError
from eventd.heart import Heart
from eventd.heartbeat import DELIVERY_S, PIPELINE_S, STORE_S, Beats, Moves, Settings, not_beating
from eventd.notify import alertmanager
from eventd.telemetry import Telemetry
from eventd.verify import verify

WELL = Beats(None, 100.0, 100.0, {"noc": 100.0, "am": 100.0})


# --- the decision ---------------------------------------------------------------------------------------------------


def test_while_all_stages_work_nothing_is_missing() -> None:
    assert not_beating(WELL, 100.0) == []
    assert not_beating(WELL, 100.0 + min(PIPELINE_S, STORE_S, DELIVERY_S)) == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"unready": "Not listening: snmp on [::]:1162."}, "Not listening"),
        ({"pipeline": 99.9 - PIPELINE_S}, "pipeline has made no step"),
        ({"stored": None}, "store takes no writes"),
        ({"stored": 99.9 - STORE_S}, "store takes no writes"),
        ({"delivery": {"noc": 99.9 - DELIVERY_S, "am": 100.0}}, "Delivery to noc stands still"),
    ],
)
def test_each_stage_alone_is_named(changed: dict[str, Any], what: str) -> None:
    (found,) = not_beating(msgspec.structs.replace(WELL, **changed), 100.0)
    assert what in found


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_a_counter_has_its_value_since_it_last_moved(counts: list[int]) -> None:
    moves, since = Moves(), 0.0
    for now, count in enumerate(counts):
        if now == 0 or count != counts[now - 1]:
            since = float(now)
        assert moves.look({"a": count}, float(now)) == {"a": since}


def test_what_is_gone_is_forgotten() -> None:
    moves = Moves()
    moves.look({"old": 1}, 0.0)
    assert moves.look({"new": 1}, 10.0) == {"new": 10.0}
    assert moves.look({"old": 1}, 20.0) == {"old": 20.0}


# --- a heart and a service whose stages can be stopped ---------------------------------------------------------------


class Patient:
    """What a heart looks at. ``stop`` names the stages that stand still."""

    def __init__(self, settings: Settings, channels: tuple[ChannelConfig, ...] = ()) -> None:
        self.config: Any = SimpleNamespace(
            heartbeat=settings, channels=channels, web=SimpleNamespace(external_url="https://eventd.example")
        )
        self.telemetry, self.started_at, self.clock = Telemetry(), 1_700_000_000.0, HandClock()
        self.pipeline: Any = SimpleNamespace(steps=0)
        self.delivery: Any = SimpleNamespace(looks=lambda: {"noc": self.looked})
        self.store: Any = SimpleNamespace(meta_set=self._write)
        self.released = asyncio.Event()
        self.looked, self.stopped, self.written = 0, set[str](), list[str]()

    def now(self) -> float:
        return self.clock()

    def not_ready(self) -> str | None:
        return "Not listening: snmp." if "receivers" in self.stopped else None

    async def _write(self, key: str, value: str) -> None:
        self.written.append(key)
        if "store hangs" in self.stopped:
            await self.released.wait()
        if "store" in self.stopped:
            raise StoreError("disk full")

    def live(self, seconds: float) -> None:
        self.clock.jump(seconds)
        self.pipeline.steps += "pipeline" not in self.stopped
        self.looked += "delivery" not in self.stopped

    def outcomes(self) -> dict[str, int]:
        return {name: int(count) for (name,), count in self.telemetry.values("heartbeats").items()}


async def spend(heart: Heart, patient: Patient, seconds: float) -> None:
    for _ in range(round(seconds / 5)):
        patient.live(5.0)
        await heart.tick()


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer() as running:
        yield running


async def test_it_comes_once_in_an_interval(server: ChatServer) -> None:
    patient = Patient(Settings(url=server.url + "/ping/secret-place"))
    heart = Heart(patient, patient.clock)
    await spend(heart, patient, 300)
    await heart.close()
    assert len(server.seen) == 5
    assert {seen.method for seen in server.seen} == {"POST"}
    assert patient.outcomes() == {"sent": 5, "failed": 0, "withheld": 0}
    assert set(patient.written) == {"heartbeat"}


async def test_without_anybody_who_waits_nothing_is_written_or_sent(server: ChatServer) -> None:
    patient = Patient(Settings())
    heart = Heart(patient, patient.clock)
    await spend(heart, patient, 120)
    await heart.close()
    assert patient.written == []
    assert sum(patient.outcomes().values()) == 0


async def test_a_get_has_no_body(server: ChatServer) -> None:
    patient = Patient(Settings(url=server.url + "/ping", method="GET", every=10))
    heart = Heart(patient, patient.clock)
    await spend(heart, patient, 5)
    await heart.close()
    (seen,) = server.seen
    assert (seen.method, seen.body) == ("GET", b"")
    assert "Content-Type" not in seen.headers


@pytest.mark.parametrize("stage", ["receivers", "pipeline", "store", "store hangs", "delivery"])
async def test_it_stays_away_when_a_stage_stands_still_and_comes_back(
    stage: str, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heart_module, "STORE_TIMEOUT_S", 0.02)
    patient = Patient(Settings(url=server.url + "/ping"))
    heart = Heart(patient, patient.clock)
    await spend(heart, patient, 120)
    assert len(server.seen) == 2
    patient.stopped.add(stage)
    await spend(heart, patient, 240)  # within four intervals even the most patient of them is noticed
    server.seen.clear()
    with structlog.testing.capture_logs():
        await spend(heart, patient, 600)
    assert server.seen == []
    assert patient.outcomes()["withheld"] >= 10
    patient.stopped.clear()
    patient.released.set()
    await asyncio.sleep(0)
    await spend(heart, patient, 120)
    assert len(server.seen) == 2
    await heart.close()


async def test_a_store_that_hangs_is_asked_once(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart_module, "STORE_TIMEOUT_S", 0.02)
    patient = Patient(Settings(url=server.url + "/ping"))
    patient.stopped.add("store hangs")
    heart = Heart(patient, patient.clock)
    await spend(heart, patient, 300)
    await heart.close()
    assert patient.written == ["heartbeat"]


@pytest.mark.parametrize("behaviour", [answer(500), answer(404)])
async def test_who_does_not_take_it_is_told_of_without_the_secret(behaviour: Any, server: ChatServer) -> None:
    server.always = behaviour
    patient = Patient(Settings(url=server.url + "/ping/secret-place"))
    heart = Heart(patient, patient.clock)
    with structlog.testing.capture_logs() as logs:
        await spend(heart, patient, 60)
    await heart.close()
    assert patient.outcomes()["failed"] == 1
    assert logs
    assert "secret-place" not in json.dumps(logs) + repr(patient.config.heartbeat)


async def test_the_watchdog_fires_at_every_alertmanager_and_ends_by_itself(server: ChatServer) -> None:
    async with ChatServer() as other:
        channels = (
            ChannelConfig("am", "alertmanager", alertmanager.Settings(urls=(server.url, other.url))),
            ChannelConfig("noc", "slack", None),
        )
        patient = Patient(Settings(alertmanager=True, every=30), channels)
        heart = Heart(patient, patient.clock)
        other.then(answer(503))
        with structlog.testing.capture_logs():
            await spend(heart, patient, 60)
        await heart.close()
        assert len(other.seen) == len(server.seen) == 2
    assert patient.outcomes() == {"sent": 2, "failed": 0, "withheld": 0}
    first, second = ([alert] for seen in server.seen for alert in json.loads(seen.body))
    labels = {"alertname": "Watchdog", "severity": "none", "job": "eventd", "instance": "eventd.example"}
    assert first[0]["labels"] == second[0]["labels"] == labels
    assert first[0]["startsAt"] == second[0]["startsAt"]
    ends = msgspec.convert(second[0]["endsAt"], type=datetime)
    assert ends.timestamp() == patient.clock() - 25 + 4 * 30


async def test_a_reload_is_noticed_at_once(server: ChatServer) -> None:
    async with ChatServer() as other:
        patient = Patient(Settings(url=server.url + "/ping", every=3600))
        heart = Heart(patient, patient.clock)
        await spend(heart, patient, 60)
        patient.config = SimpleNamespace(**vars(patient.config) | {"heartbeat": Settings(url=other.url + "/ping")})
        await spend(heart, patient, 120)
        patient.config = SimpleNamespace(**vars(patient.config) | {"heartbeat": Settings()})
        await spend(heart, patient, 120)
        await heart.close()
        assert (len(server.seen), len(other.seen)) == (1, 2)


# --- the whole service ----------------------------------------------------------------------------------------------

BASE = """
[receivers.syslog_udp]
listen = "127.0.0.1:{udp}"
[store]
path = "{store}"
[web]
listen = "127.0.0.1:0"
[heartbeat]
url = "{url}"
[[channels]]
name = "hook"
type = "webhook"
url = "{url}/hook"
"""


class House:
    """An App in this process whose heart goes by a clock of the test."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.path, self.udp = folder, folder / "eventd.toml", free_port()
        self.write(url)
        self.app, self.clock = App(lambda: load(str(self.path))), HandClock(0.0)
        self.app.heart = Heart(self.app, self.clock)

    def write(self, url: str) -> None:
        self.path.write_text(BASE.format(udp=self.udp, store=self.folder / "e.db", url=url))

    async def __aenter__(self) -> Self:
        ready = asyncio.Event()
        self._task = asyncio.create_task(self.app.run(lambda _: ready.set()))
        await asyncio.wait_for(ready.wait(), 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.app.stop()
        await asyncio.wait_for(self._task, 30)

    def sent(self, outcome: str = "sent") -> float:
        return self.app.telemetry.value("heartbeats", outcome)

    async def minutes(self, count: int, *, moving: bool = True) -> None:
        """Time of the heart passes; the service is given the time that it needs to move meanwhile."""
        for _ in range(count):
            steps = self.app.pipeline.steps
            self.app.intake.wake()
            self.app.delivery.wake()
            await until(lambda before=steps: not moving or self.app.pipeline.steps > before, 20.0)
            await self.app.heart.tick()
            self.clock.jump(25.0)
            await self.app.heart.tick()
            self.clock.jump(35.0)


async def test_a_service_that_works_beats_and_a_reload_changes_where(server: ChatServer, tmp_path: Path) -> None:
    async with ChatServer() as other, House(tmp_path, server.url) as house:
        await house.minutes(2)
        assert house.sent() == len(server.seen) == 2
        house.write(other.url)
        assert await house.app.reload() is None
        await house.minutes(1)
        assert len(other.seen) == 1
        assert (await house.app.store.meta_get("heartbeat") or "").startswith("20")


async def test_a_receiver_that_is_not_there_stops_it(server: ChatServer, tmp_path: Path) -> None:
    async with House(tmp_path, server.url) as house:
        await house.minutes(1)
        key, receiver = house.app.listeners.running.popitem()
        await house.minutes(2)
        assert (house.sent(), house.sent("withheld")) == (1, 2)
        house.app.listeners.running[key] = receiver


async def test_a_database_that_cannot_be_written_stops_it(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heart_module, "STORE_TIMEOUT_S", 0.3)
    async with House(tmp_path, server.url) as house:
        await house.minutes(1)
        house.clock.jump(STORE_S)
        other = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await house.minutes(1)
        assert (house.sent(), house.sent("withheld")) == (1, 1)
        other.execute("ROLLBACK")
        other.close()


async def test_a_pipeline_that_hangs_in_a_commit_stops_it(server: ChatServer, tmp_path: Path) -> None:
    async with House(tmp_path, server.url) as house:
        await house.minutes(1)
        go_on = asyncio.Event()
        usual = house.app.pipeline._commit

        async def never(closed: Any) -> None:
            await go_on.wait()
            await usual(closed)

        house.app.pipeline._commit = never  # type: ignore[method-assign]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(stop_line(1).encode(), ("127.0.0.1", house.udp))
        await until(lambda: house.app.telemetry.value("received", "syslog-udp") == 1, 20.0)
        await house.minutes(3, moving=False)
        assert (house.sent(), house.sent("withheld")) == (2, 2), "the message was judged, and then nothing moved"
        go_on.set()


async def test_a_worker_that_hangs_in_the_outbox_stops_it(server: ChatServer, tmp_path: Path) -> None:
    async with House(tmp_path, server.url) as house:
        await house.minutes(1)
        (worker,) = house.app.delivery._workers
        go_on, usual = asyncio.Event(), worker._step

        async def never() -> None:
            await go_on.wait()
            await usual()

        worker._step = never  # type: ignore[method-assign]
        await house.minutes(8)
        assert house.sent("withheld") >= 3
        before = house.sent()
        await house.minutes(1)
        assert house.sent() == before
        go_on.set()


# --- the configuration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('url = "ftp://x/"', "heartbeat.url: is not of the form"),
        ('url = "http://x/"\nurl_env = "X"', "heartbeat.url: is given more than once"),
        ('url_env = "NOT_SET_ANYWHERE"', "heartbeat.url_env: environment variable"),
        ("alertmanager = true", "heartbeat.alertmanager: there is no channel of this type"),
        ('url = "http://x/"\nevery = "1s"', "heartbeat.every: must be at least 5s"),
        ('url = "http://x/"\nmethod = "PUT"', "heartbeat.method: is not one of POST, GET"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text(f"[heartbeat]\n{text}\n")
    with pytest.raises(ConfigError, match=what):
        verify(load(str(file)))
