"""``eventd test-alert`` against real far ends: what arrives there, what is said of it, and what never is."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chat_server import ChatServer, answer, echo
from click.testing import CliRunner, Result
from service import free_port
from smtp_server import SmtpServer

from eventd.cli import main

SECRET = "T0PSECRETKEY/B0T-verysecret"


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer() as running:
        yield running


async def run(folder: Path, text: str, *arguments: str) -> Result:
    """The command as a person would type it; far ends run in this loop meanwhile."""
    file = folder / "eventd.toml"
    file.write_text(text)
    return await asyncio.to_thread(CliRunner().invoke, main, ["test-alert", "-c", str(file), *arguments])


def channel(name: str, kind: str, *keys: str) -> str:
    return "\n".join(["[[channels]]", f'name = "{name}"', f'type = "{kind}"', *keys, ""])


def hook(server: ChatServer, name: str = "hook", kind: str = "webhook") -> str:
    return channel(name, kind, f'url = "{server.url}/x/{SECRET}"')


async def test_each_channel_gets_an_alert_and_its_end_and_each_answer_is_told(
    tmp_path: Path, server: ChatServer
) -> None:
    async with SmtpServer() as mail:
        smtp = ('server = "127.0.0.1"', f"port = {mail.port}", 'security = "none"', 'from = "e@b.example"')
        text = hook(server) + channel("mail", "email", *smtp, 'to = ["c@d.example"]')
        text += channel("am", "alertmanager", f'urls = ["{server.url}"]')
        done = await run(tmp_path, text)
        assert done.exit_code == 0, done.output
        assert len(mail.seen) == 2
        assert all(b"[TEST]" in one.body for one in mail.seen)
    said = [line.split()[:4] for line in done.stdout.splitlines()]
    kinds = {"hook": "webhook", "mail": "email", "am": "alertmanager"}
    assert said == [[name, kind, what, "accepted"] for name, kind in kinds.items() for what in ("alert", "all-clear")]
    told = [one.json for one in server.seen if one.path.startswith("/x/")]
    assert [one["status"] for one in told] == ["firing", "resolved"]
    assert all("[TEST]" in json.dumps(one) for one in told)
    [first], [last] = (one.json for one in server.seen if one.path == "/api/v2/alerts")
    assert first["labels"] == last["labels"]
    assert first["startsAt"] <= last["endsAt"] <= first["endsAt"], "over by now, so that nothing keeps firing"


async def test_only_the_channels_named_are_told_and_only_what_was_asked_for(tmp_path: Path, server: ChatServer) -> None:
    text = hook(server, "one") + hook(server, "two", "slack") + hook(server, "three")
    done = await run(tmp_path, text, "two", "--no-resolve", "--digest", "-f", "json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["channel"], row["what"], row["accepted"]) for row in rows] == [
        ("two", "alert", True),
        ("two", "digest", True),
    ]
    assert len(server.seen) == 2


async def test_the_severity_and_the_kind_can_be_chosen_so_that_mentions_are_tried(
    tmp_path: Path, server: ChatServer
) -> None:
    server.always = answer(200, '{"errcode":0,"errmsg":"ok"}')
    text = channel("chat", "wecom", f'url = "{server.url}/x"', 'mention = ["ann"]') + hook(server)
    assert (await run(tmp_path, text, "chat", "--no-resolve")).exit_code == 0
    assert "<@ann>" not in str(server.seen[-1].json), "only what is critical calls somebody"
    assert (await run(tmp_path, text, "chat", "--no-resolve", "--severity", "critical")).exit_code == 0
    assert "<@ann>" in str(server.seen[-1].json)
    done = await run(tmp_path, text, "hook", "--severity", "major", "--kind", "device_outage")
    assert done.exit_code == 0
    for seen in server.seen[-2:]:
        labels = seen.json["alerts"][0]["labels"]
        assert (labels["severity"], labels["alertname"]) == ("major", "IPsecDeviceOutage")


async def test_a_channel_that_lists_nothing_gets_no_digest(tmp_path: Path, server: ChatServer) -> None:
    done = await run(tmp_path, hook(server), "--digest")
    assert (done.exit_code, len(server.seen)) == (0, 2)


async def test_the_end_answers_to_the_alert_where_the_far_end_can(tmp_path: Path, server: ChatServer) -> None:
    server.always = answer(200, '{"ok":true,"result":{"message_id":7}}')
    keys = (f'api_url = "{server.url}"', 'token = "tok-en-of-forty-two"', "chat_id = -1001")
    done = await run(tmp_path, channel("tg", "telegram", *keys))
    assert "accepted as -1001/7" in done.stdout
    assert [one.json.get("reply_parameters", {}).get("message_id") for one in server.seen] == [None, 7]


async def test_what_failed_is_told_without_any_secret_and_the_others_are_told(
    tmp_path: Path, server: ChatServer
) -> None:
    async with ChatServer() as bad:
        bad.always = echo(403)
        text = hook(bad, "bad") + channel("gone", "webhook", f'url = "http://127.0.0.1:{free_port()}/{SECRET}"')
        text += hook(server, "good")
        done = await run(tmp_path, text)
    assert done.exit_code == 1
    bad_line, _, gone_line, _, good_line, _ = done.stdout.splitlines()
    assert bad_line.startswith("bad   webhook  alert      FAILED  refused: http://127.0.0.1:")
    assert "answered 403" in bad_line
    assert "FAILED  connect: " in gone_line
    assert "accepted" in good_line
    assert SECRET not in done.output
    assert "verysecret" not in done.output


async def test_of_several_peers_one_that_does_not_answer_is_named(tmp_path: Path, server: ChatServer) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    done = await run(tmp_path, channel("am", "alertmanager", f'urls = ["{server.url}", "{gone}"]'))
    assert done.exit_code == 0
    assert gone in done.stderr


async def test_a_bug_of_a_channel_is_an_answer_too(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("eventd.notify.webhook.Webhook.deliver", breaks)
    done = await run(tmp_path, hook(server))
    assert done.exit_code == 1
    assert "FAILED  internal: RuntimeError at test_test_alert.py" in done.stdout
    assert SECRET not in done.output


async def test_objects_stand_alone_even_beside_the_console(tmp_path: Path) -> None:
    done = await run(tmp_path, channel("here", "console"), "-f", "json")
    assert [json.loads(line)["what"] for line in done.stdout.splitlines()] == ["alert", "all-clear"]
    assert done.stderr.count("[TEST]") >= 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["nobody"], "there is no channel 'nobody': hook"), (["--wait", "soon"], "is not a duration")],
)
async def test_what_makes_no_sense_is_refused(
    arguments: list[str], says: str, tmp_path: Path, server: ChatServer
) -> None:
    done = await run(tmp_path, hook(server), *arguments)
    assert (done.exit_code, says in done.output, server.seen) == (2, True, [])


async def test_a_channel_that_cannot_be_built_is_told_with_its_line_and_the_others_may_be_tried(
    tmp_path: Path, server: ChatServer
) -> None:
    text = hook(server, "good") + channel("bad", "slack", f'url = "{server.url}"', 'template_file = "gone.j2"')
    done = await run(tmp_path, text, "bad")
    assert done.exit_code == 2
    assert "channels[1].template_file: " in done.output
    assert server.seen == []
    assert (await run(tmp_path, text, "good")).exit_code == 0


async def test_what_only_the_heartbeat_needs_keeps_no_channel_from_being_tried(
    tmp_path: Path, server: ChatServer
) -> None:
    text = hook(server) + channel("am", "alertmanager", f'urls = ["{server.url}"]')
    beats = '[heartbeat]\nalertmanager = true\nurl_file = "not/there/yet"\n'
    for names in (["hook"], ["am"], []):
        done = await run(tmp_path, text + beats, *names, "--no-resolve")
        assert done.exit_code == 0, done.output
