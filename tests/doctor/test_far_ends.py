"""Far ends of channels are tried by a connection and its TLS, in bounded time; nothing is said there."""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from doctoring import config
from peers import library
from service import free_port
from smtp_server import SmtpServer

from eventd.doctor import Finding, far_ends
from eventd.registry import load_notifiers


@contextlib.asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that keeps what it hears; its port."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


def webhook(url: str, more: str = "") -> str:
    return f'[[channels]]\nname = "hook"\ntype = "webhook"\nurl = "{url}"\n{more}'


async def look(folder: Path, text: str) -> list[Finding]:
    return await far_ends.examine(config(folder, text))


async def test_what_answers_is_reached_and_hears_nothing(tmp_path: Path) -> None:
    async with listening() as (port, heard):
        [found] = await look(tmp_path, webhook(f"http://127.0.0.1:{port}/secret-path"))
        await asyncio.sleep(0.05)
    assert found.level == "ok"
    assert f"http://127.0.0.1:{port}" in found.seen
    assert "secret-path" not in found.seen
    assert heard == [b""]


async def test_every_peer_of_alertmanager_and_every_slack_is_tried(tmp_path: Path) -> None:
    closed = free_port()
    async with listening() as (port, _):
        text = (
            f'[[channels]]\nname = "am"\ntype = "alertmanager"\n'
            f'urls = ["http://127.0.0.1:{port}", "http://127.0.0.1:{closed}"]\n'
            f'[[channels]]\nname = "chat"\ntype = "slack"\nurl = "http://127.0.0.1:{port}/x"\n'
            '[[channels]]\nname = "here"\ntype = "console"\n'
        )
        found = await look(tmp_path, text)
    assert [finding.level for finding in found] == ["ok", "problem", "ok"]
    assert found[1].seen == f"am: http://127.0.0.1:{closed} is not reached: Connection refused"


async def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    [found] = await look(tmp_path, webhook("http://nowhere.invalid/"))
    assert found.level == "problem"


async def test_who_does_not_answer_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes the connection and never begins TLS."""
    monkeypatch.setattr(far_ends, "TIMEOUT_S", 0.2)
    async with listening() as (port, _):
        text = webhook(f"https://127.0.0.1:{port}/")
        text += text.replace('"hook"', '"other"')
        began = time.monotonic()
        found = await look(tmp_path, text)
    assert time.monotonic() - began < 5
    assert [finding.level for finding in found] == ["problem"] * 2
    assert "no answer within 0.2 s" in found[0].seen


def authority(folder: Path, days: float) -> ssl.SSLContext:
    """A server's TLS with a certificate that is good for so many days; its authority is in ``ca.pem``."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    end = datetime.now(UTC) + timedelta(days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", not_before=end - timedelta(days=400), not_after=end).configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("days", "more", "said"),
    [
        (100, 'tls_ca_file = "{folder}/ca.pem"\n', []),
        (3, 'tls_ca_file = "{folder}/ca.pem"\n', [("warning", "runs out on")]),
        (-1, 'tls_ca_file = "{folder}/ca.pem"\n', [("problem", "certificate has expired")]),
        (100, "", [("problem", "certificate is not trusted")]),
        (100, "tls_verify = false\n", []),
    ],
)
async def test_certificates_of_far_ends(days: int, more: str, said: list[tuple[str, str]], tmp_path: Path) -> None:
    async with listening(authority(tmp_path, days)) as (port, _):
        found = await look(tmp_path, webhook(f"https://127.0.0.1:{port}/", more.format(folder=tmp_path)))
    wrong = [finding for finding in found if finding.level != "ok"]
    assert [finding.level for finding in wrong] == [level for level, _ in said]
    assert all(text in finding.seen for finding, (_, text) in zip(wrong, said, strict=True))


async def test_tls_where_there_is_none(tmp_path: Path) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        [found] = await look(tmp_path, webhook(f"https://127.0.0.1:{port}/"))
    assert found.level == "problem"
    assert "TLS" in (found.advice or "")


async def test_where_a_proxy_is_set_the_proxy_is_tried(tmp_path: Path) -> None:
    async with listening() as (port, _):
        proxy = f'proxy_url = "http://127.0.0.1:{port}"\n'
        [found] = await look(tmp_path, webhook("https://nowhere.invalid/", proxy))
    assert found.level == "ok"
    assert f"by the proxy 127.0.0.1:{port}" in found.seen


# --- every type of channel ----------------------------------------------------------------------------------------

URL = 'url = "http://127.0.0.1:{port}/T0PSECRETKEY"'
KEYS = {
    "webhook": URL,
    "alertmanager": 'urls = ["http://127.0.0.1:{port}"]',
    "slack": 'token = "xoxb-T0PSECRETKEY"\nchannel = "C1"\napi_url = "http://127.0.0.1:{port}"',
    "teams": URL,
    "discord": URL,
    "mattermost": URL,
    "telegram": 'token = "1:T0PSECRETKEY"\nchat_id = -1\napi_url = "http://127.0.0.1:{port}"',
    "feishu": URL,
    "dingtalk": 'url = "http://127.0.0.1:{port}/robot/send?access_token=T0PSECRETKEY"',
    "wecom": 'url = "http://127.0.0.1:{port}/cgi-bin/webhook/send?key=T0PSECRETKEY"',
    "email": 'server = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "a@b.example"\nto = ["c@d.example"]',
}


#: Those that do not say where they go.
UNTRIED = {"console", "apprise"}


@pytest.mark.parametrize("kind", sorted({*load_notifiers()} - UNTRIED))
async def test_a_far_end_of_every_type_that_is_gone_is_told(kind: str, tmp_path: Path) -> None:
    text = f'[[channels]]\nname = "ops"\ntype = "{kind}"\n{KEYS[kind].format(port=free_port())}\n'
    [found] = await look(tmp_path, text)
    assert (found.check, found.level) == ("channels", "problem")
    assert re.fullmatch(r"ops: \w+://127\.0\.0\.1:\d+ is not reached: .*Connection refused", found.seen)
    assert "T0PSECRET" not in f"{found.seen} {found.advice}"


async def test_what_only_a_library_reaches_is_told_not_to_be_tried(tmp_path: Path) -> None:
    library("apprise")
    text = '[[channels]]\nname = "others"\ntype = "apprise"\nurls = ["json://127.0.0.1:1/T0PSECRETKEY"]\n'
    [found] = await look(tmp_path, text)
    assert (found.level, found.advice) == ("note", "eventd test-alert others")
    assert "T0PSECRET" not in found.seen


def mail(server: SmtpServer, security: str, more: str = "") -> str:
    keys = KEYS["email"].replace('"none"', f'"{security}"').format(port=server.port)
    return f'[[channels]]\nname = "mail"\ntype = "email"\n{keys}\n{more}'


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_mail_server_is_greeted_and_gets_no_mail(security: str, tmp_path: Path) -> None:
    tls = None if security == "none" else authority(tmp_path, 100)
    more = "" if tls is None else f'tls_ca_file = "{tmp_path}/ca.pem"\n'
    if tls is not None:
        more += 'username = "e"\npassword = "T0PSECRETKEY"\n'
    async with SmtpServer(tls=tls, implicit=security == "tls", auth=tls is not None) as server:
        [found] = await look(tmp_path, mail(server, security, more))
    assert (found.level, found.seen.endswith(" is reached")) == ("ok", True)
    assert (server.seen, server.logins, server.connections) == ([], [], 1)


@pytest.mark.parametrize(
    ("days", "more", "level", "says"),
    [
        (100, "", "problem", "certificate not trusted"),
        (-1, 'tls_ca_file = "{folder}/ca.pem"\n', "problem", "certificate has expired"),
        (3, 'tls_ca_file = "{folder}/ca.pem"\n', "warning", "runs out on"),
    ],
)
async def test_the_certificate_behind_starttls_is_looked_at(
    days: int, more: str, level: str, says: str, tmp_path: Path
) -> None:
    async with SmtpServer(tls=authority(tmp_path, days)) as server:
        *_, found = await look(tmp_path, mail(server, "starttls", more.format(folder=tmp_path)))
    assert (found.level, says in found.seen) == (level, True)


async def test_a_mail_server_without_starttls_or_an_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SmtpServer() as server:
        [found] = await look(tmp_path, mail(server, "starttls"))
        assert (found.level, found.seen.endswith("does not offer STARTTLS")) == ("problem", True)
    monkeypatch.setattr(far_ends, "TIMEOUT_S", 0.2)
    async with SmtpServer() as server:
        server.always["EHLO"] = "hang"
        [found] = await look(tmp_path, mail(server, "starttls"))
    assert found.seen.endswith("is not reached: no answer within 0.2 s")
