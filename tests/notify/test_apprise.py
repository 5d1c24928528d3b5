"""Apprise: what it says and what it does not, several services, a library that hangs or is not there."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from chat_server import ChatServer, answer, close_before_answer, hang, not_http
from hostile import digest_of
from notify_fakes import make_incident, make_notification, make_resolved
from peers import library

from eventd.checked import SettingsError
from eventd.config import load
from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.notify import apprise
from eventd.notify.apprise import Settings
from eventd.notify.session import Session
from eventd.verify import verify

SECRET = "T0PSECRETKEY"


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer() as running:
        yield running


def address(server: ChatServer, path: str = SECRET) -> str:
    return f"{server.url.replace('http', 'json')}/{path}"


def channel(*urls: str, timeout_s: float = 10.0, **keys: Any) -> Any:
    library("apprise")
    return apprise.NOTIFIER.build("ops", Settings(urls=urls, **keys), Session(total_timeout_s=timeout_s))


async def failure(of: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await of.deliver(make_notification())
    return caught.value


@pytest.mark.parametrize(
    ("severity", "kind"), [("critical", "failure"), ("major", "failure"), ("warning", "warning"), ("info", "info")]
)
async def test_title_text_and_kind_arrive(severity: Any, kind: str, server: ChatServer) -> None:
    await channel(address(server)).deliver(make_notification(incident=make_incident(severity=severity)))
    (seen,) = server.seen
    said = json.loads(seen.body)
    assert said["type"] == kind
    assert said["title"].startswith(f"{severity.upper()} Tunnel to branch-7")
    assert "ping 203.0.113.7 from FW1" in said["message"]
    assert "Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout" not in said["message"].splitlines()[0]


async def test_an_end_is_a_success(server: ChatServer) -> None:
    await channel(address(server)).deliver(make_notification(incident=make_resolved()))
    assert json.loads(server.seen[0].body)["type"] == "success"


@pytest.mark.parametrize(
    ("behaviour", "reason", "retryable", "heard"),
    [
        (answer(301, f"no {SECRET}"), DeliveryFailure.REFUSED, True, False),
        (answer(400, f"no {SECRET}"), DeliveryFailure.REFUSED, False, False),
        (answer(403, f"no {SECRET}"), DeliveryFailure.REFUSED, True, False),
        (answer(413, f"no {SECRET}"), DeliveryFailure.TOO_LARGE, False, False),
        (answer(429, f"no {SECRET}"), DeliveryFailure.RATE_LIMITED, True, False),
        (answer(500, f"no {SECRET}"), DeliveryFailure.SERVER_ERROR, True, True),
        (hang, DeliveryFailure.TIMEOUT, True, True),
        (close_before_answer, DeliveryFailure.CONNECT, True, True),
        (not_http, DeliveryFailure.CONNECT, True, True),
    ],
)
async def test_what_failed_is_told_apart_and_no_secret_is_said(
    behaviour: Any, reason: DeliveryFailure, retryable: bool, heard: bool, server: ChatServer
) -> None:
    server.always = behaviour
    with structlog.testing.capture_logs() as logs:
        ops = channel(address(server) + "?rto=0.3")
        error = await failure(ops)
        ops.session.failures.note("ops", error)
    assert (error.reason, error.retryable, error.heard) == (reason, retryable, heard)
    assert error.detail.startswith("JSON by Apprise: ")
    assert SECRET not in str(error) + json.dumps(logs) + repr(Settings(urls=(address(server),)))


async def test_nobody_there_and_no_tls_there(server: ChatServer) -> None:
    async with ChatServer() as gone:
        nobody = address(gone)
    error = await failure(channel(nobody))
    assert (error.reason, error.heard) == (DeliveryFailure.CONNECT, False)
    error = await failure(channel(address(server).replace("json", "jsons")))
    assert (error.reason, error.heard) == (DeliveryFailure.TLS, False)


@pytest.mark.parametrize(
    ("heard", "means"),
    [
        ([], (DeliveryFailure.SERVER_ERROR, True, None)),
        ([(30, "Failed to send X notification: 99991, error=19001.")], (DeliveryFailure.SERVER_ERROR, True, None)),
        ([(10, "JSON Payload: error=404, Socket Exception: timed out")], (DeliveryFailure.SERVER_ERROR, True, None)),
        ([(10, "Socket Exception: (535, b'5.7.8 no')")], (DeliveryFailure.REFUSED, True, False)),
        ([(30, "A Connection error occurred sending X")], (DeliveryFailure.CONNECT, True, True)),
    ],
)
def test_only_what_apprise_itself_says_is_judged(heard: Any, means: Any) -> None:
    assert apprise.judge(heard) == means


async def test_what_apprise_says_of_one_channel_is_not_told_of_another(server: ChatServer) -> None:
    async with ChatServer() as other:
        server.always, other.always = answer(404), answer(429)
        one, two = await asyncio.gather(*(failure(channel(address(end))) for end in (server, other)))
    assert (one.reason, two.reason) == (DeliveryFailure.REFUSED, DeliveryFailure.RATE_LIMITED)
    assert "429" not in one.detail
    assert "404" not in two.detail


async def test_who_fails_does_not_cost_the_others_their_message(server: ChatServer) -> None:
    async with ChatServer() as other:
        other.always = answer(500)
        ops = channel(address(other), address(server))
        with structlog.testing.capture_logs() as logs:
            await ops.deliver(make_notification())
        assert len(server.seen) == len(other.seen) == 1
        assert ops.session.failures._telemetry.value("notification_failures", "ops", "server_error") == 1
        assert SECRET not in json.dumps(logs)


async def test_a_text_has_a_bound(server: ChatServer) -> None:
    giant = make_incident(summary="x" * 9000, chain=("y" * 700,) * 20)
    await channel(address(server)).deliver(make_notification(incident=giant))
    assert len(json.loads(server.seen[0].body)["message"]) <= 2000


@pytest.mark.parametrize(("query", "whole"), [("", True), ("?overflow=truncate", False)])
async def test_a_service_of_short_messages_is_told_in_several(
    query: str, whole: bool, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = type(library("apprise").Apprise.instantiate("json://127.0.0.1"))
    monkeypatch.setattr(plugin, "body_maxlen", 160)
    await channel(address(server) + query).deliver(digest_of(8, "branch-7 down"))
    said = "".join(json.loads(seen.body)["message"] for seen in server.seen)
    assert len(server.seen) > 1 or not whole
    assert all(f"incidents/a1b2c3d4e{n:03}" in said.replace("\n", "") for n in range(8)) is whole


async def test_what_takes_markdown_only_gets_text_that_is_not_escaped_for_it(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rocket.Chat shows the backslashes."""
    module = library("apprise")
    monkeypatch.setattr(
        type(module.Apprise.instantiate("json://127.0.0.1")), "notify_format", module.NotifyFormat.MARKDOWN
    )
    await channel(address(server)).deliver(make_notification())
    assert "ping 203.0.113.7 from FW1" in json.loads(server.seen[0].body)["message"]


class Stuck:
    """A service whose library never returns before it is let go."""

    def __init__(self) -> None:
        self.release, self.asked = threading.Event(), 0

    def notify(self, card: Any) -> None:
        self.asked += 1
        self.release.wait(10)


async def test_what_hangs_is_given_up_and_does_not_pile_up() -> None:
    stuck = Stuck()
    ops: Any = apprise.Apprise("ops", [stuck], Settings(urls=("x://",)), Session(total_timeout_s=0.02))  # type: ignore[list-item]
    for _ in range(3):
        error = await failure(ops)
        assert (error.reason, error.retryable) == (DeliveryFailure.TIMEOUT, True)
    assert stuck.asked == 1
    stuck.release.set()
    await asyncio.to_thread(ops._free.wait, 5)
    await ops.deliver(make_notification())
    assert stuck.asked == 2


async def test_a_bug_of_a_plug_in_is_one_of_ours() -> None:
    def fails(card: Any) -> None:
        raise ZeroDivisionError

    service: Any = SimpleNamespace(name="x", notify=fails)
    ops = apprise.Apprise("ops", [service], Settings(urls=("x://",)), Session())
    with pytest.raises(ZeroDivisionError):
        await ops.deliver(make_notification())


def test_an_address_that_it_does_not_know_is_said_without_saying_it(tmp_path: Path) -> None:
    library("apprise")
    (tmp_path / "urls").write_text("json://127.0.0.1/a\nnonsense://T0PSECRETKEY/x\n")
    file = tmp_path / "eventd.toml"
    file.write_text('[[channels]]\nname = "ops"\ntype = "apprise"\nurls_file = "urls"\n')
    with pytest.raises(ConfigError) as caught:
        verify(load(str(file)))
    assert "channels[0].urls_file: address 2 is no address that Apprise knows" in str(caught.value)
    assert "T0PSECRETKEY" not in str(caught.value)
    (tmp_path / "urls").write_text("json://127.0.0.1/a json://127.0.0.1/b")
    verify(load(str(file)))


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    file = tmp_path / "eventd.toml"
    file.write_text('[[channels]]\nname = "ops"\ntype = "apprise"\nurls = ["json://127.0.0.1/a"]\n')
    with pytest.raises(ConfigError, match=r"channels\[0\]\.type: needs Apprise: pip install 'eventd\[apprise\]'"):
        verify(load(str(file)))


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({}, "urls: is missing"),
        ({"urls": ()}, "urls: must have 1 to"),
        ({"urls": ("a://",), "urls_env": "X"}, "urls: is given more than once"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(keys: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        Settings(**keys)
