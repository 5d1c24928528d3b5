"""Far ends of channels are tried by a connection and its TLS, in bounded time; nothing is said there."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from doctoring import config
from service import free_port

from eventd.doctor import Finding, far_ends


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
