"""Mail: a real server as the far end, headers that nobody can inject, who refuses what, and what is kept secret."""

import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trustme
from hostile import TRIED
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_incident, make_notification, make_resolved
from smtp_server import PASSWORD, SmtpServer

from eventd.checked import SettingsError
from eventd.config import load
from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.model import Digest
from eventd.notify import email
from eventd.notify.email import Settings, escape, judge, link
from eventd.notify.endpoint import Endpoint
from eventd.notify.letter import address, letter, subject_line
from eventd.notify.markup import clean
from eventd.notify.session import Session

HERE = Endpoint("smtp://mail.example:587", schemes=("smtp",))


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as running:
        yield running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def settings(server: SmtpServer, **keys: Any) -> Settings:
    given: dict[str, Any] = {
        "server": "127.0.0.1",
        "port": server.port,
        "from_": "eventd <eventd@example.net>",
        "to": ("ops@example.net", "night@example.org"),
        "security": "none",
    }
    return Settings(**given | keys)


#: The mail says when it is sent, which may be long after the news.
SENT = 1_700_000_330.0


def channel(server: SmtpServer, *, timeout_s: float = 5.0, external_url: str | None = None, **keys: Any) -> Any:
    session = Session(total_timeout_s=timeout_s, external_url=external_url, clock=lambda: SENT)
    return email.NOTIFIER.build("ops", settings(server, **keys), session)


async def failure(of: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await of.deliver(make_notification())
    return caught.value


# --- what a mail is -------------------------------------------------------------------------------------------------


async def test_a_mail_has_two_parts_and_the_headers_that_programs_look_at(server: SmtpServer) -> None:
    incident = make_incident(url="https://eventd.example/incidents/a1", runbook_url="https://wiki.example/vpn?a=1&b=2")
    await channel(server, subject_prefix="[VPN]").deliver(make_notification(incident=incident))
    (mail,) = server.seen
    assert (mail.sender, mail.to) == ("eventd@example.net", ["ops@example.net", "night@example.org"])
    message = mail.message
    assert message["Subject"] == "[VPN] MAJOR Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout"
    assert message["To"] == "ops@example.net, night@example.org"
    assert message["From"] == "eventd <eventd@example.net>"
    assert message["Date"].datetime.timestamp() == SENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Eventd-Notification-Id"] == "n-a1b2c3d4e5f6-opened"
    assert message["Message-ID"] == "<n-a1b2c3d4e5f6-opened@example.net>"
    assert message.get_content_type() == "multipart/alternative"
    text, page = mail.part("plain"), mail.part("html")
    assert text is not None
    assert page is not None
    assert "Runbook: https://wiki.example/vpn?a=1&b=2\n" in text
    assert 'href="https://wiki.example/vpn?a=1&amp;b=2"' in page
    assert re.findall(r'href="([^"]*)"', page) == [
        "https://wiki.example/vpn?a=1&amp;b=2",
        "https://eventd.example/incidents/a1",
    ]
    for part in (text, page):
        assert "ping 203.0.113.7 from FW1" in part
    assert max(map(len, mail.raw.splitlines())) <= 998  # RFC 5322 section 2.1.1
    assert mail.raw.isascii()


async def test_all_mails_of_an_incident_are_one_thread_and_a_retry_is_the_same_mail(server: SmtpServer) -> None:
    ops = channel(server)
    for told in (make_notification(), make_notification(incident=make_resolved()), make_notification()):
        await ops.deliver(told)
    opened, resolved, again = (mail.message for mail in server.seen)
    assert opened["References"] == opened["In-Reply-To"] == resolved["References"] == resolved["In-Reply-To"]
    assert opened["Message-ID"] != resolved["Message-ID"]
    assert server.seen[0].raw == server.seen[2].raw, again["Message-ID"]


async def test_a_digest_lists_every_incident_and_answers_to_none(server: SmtpServer) -> None:
    told = [
        make_notification(id=f"n-{n}", incident=make_incident(id=f"i-{n}", title=f"branch-{n} down: {'x' * 100}"))
        for n in range(80)
    ]
    digest = Digest("d-1", "ops", "storm", tuple(told), told[0].created_at)
    await channel(server).deliver(digest)
    (mail,) = server.seen
    assert mail.message["References"] is None
    assert mail.message["Subject"] == "80 INCIDENTS: 80 open, 0 resolved"
    text, page = mail.part("plain"), mail.part("html")
    assert text is not None
    assert page is not None
    for n in range(80):
        assert f"branch-{n} " in text
        assert f"branch-{n} " in page


async def test_what_the_page_would_make_too_large_goes_as_text(server: SmtpServer) -> None:
    big = "<é>" * 1000
    giant = make_incident(summary=big, chain=(big,) * 40, actions=(big,) * 40, title=big)
    await channel(server).deliver(make_notification(incident=giant))
    (mail,) = server.seen
    assert mail.message.get_content_type() == "text/plain"
    assert len(mail.raw) < 60_000


async def test_with_a_layout_of_ones_own_a_mail_is_text(server: SmtpServer, tmp_path: Path) -> None:
    (tmp_path / "own.j2").write_text("It is {{ headline }}")
    ops = channel(server, template_file=str(tmp_path / "own.j2"))
    await ops.deliver(make_notification())
    await ops.deliver(Digest("d", "ops", "late", (make_notification(),), make_notification().created_at))
    own, digest = server.seen
    assert own.message.get_content_type() == "text/plain"
    assert own.part("plain") == "It is Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout\n"
    assert digest.message.get_content_type() == "multipart/alternative"


async def test_the_fallback_is_one_short_text(server: SmtpServer) -> None:
    await channel(server).deliver_plain(make_notification())
    (mail,) = server.seen
    assert mail.message.get_content_type() == "text/plain"
    assert "MAJOR: Tunnel to branch-7" in str(mail.part("plain"))


# --- hostile text ---------------------------------------------------------------------------------------------------

HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["a\r\nBcc: evil@example.com\r\n\r\nbody", "a\nb", "=?utf-8?q?=0d=0aBcc:x?=", "\u2028Bcc: x", "é" * 200, "\ud800"]
)


@TRIED
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_makes_a_header(title: str, name: str, id_: str) -> None:
    incident = make_incident(id=id_, title=title, device=name)
    told = make_notification(id=f"n-{id_}", incident=incident)
    to = (address("ops@example.net"),)
    raw = letter(told, address("a <b@example.net>"), to, f"{title} {name}", "text\r\nBcc: x")
    parsed = message_from_bytes(raw, policy=policy.default)
    assert sorted(parsed.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "In-Reply-To",
            "References",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "X-Eventd-Notification-Id",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ]
    )
    assert not parsed.defects
    assert raw.isascii()


@given(st.text(max_size=500))
def test_a_subject_arrives_as_it_was_meant(text: str) -> None:
    meant = clean(f"MAJOR {text} down")[:400]
    line = subject_line(f"MAJOR {text} down")
    parsed = message_from_bytes(line + b"\r\n", policy=policy.default)
    assert parsed["Subject"] == meant
    assert max(map(len, line.splitlines())) <= 998
    assert re.fullmatch(
        rb"Subject: ([ -~]*|=\?utf-8\?b\?[^\r\n ]{,60}\?=(\r\n =\?utf-8\?b\?[^\r\n ]{,60}\?=)*)\r\n", line
    )


@given(st.text())
def test_a_value_is_never_markup(text: str) -> None:
    assert not re.search(r"[<>\"']|&(?!(amp|lt|gt|quot|#x27);)", escape(text))


def test_only_addresses_for_browsers_are_links() -> None:
    assert link("text", "javascript:alert(1)") == "text"
    assert link("text", "data:text/html,x") == "text"
    assert 'href="https://a.example/&quot;&gt;"' in link("text", 'https://a.example/">')


async def test_what_came_over_the_wire_is_no_link(server: SmtpServer) -> None:
    nasty = "<a href='http://evil.example'>https://evil.example</a><script>x</script>"
    await channel(server).deliver(
        make_notification(incident=make_incident(summary=nasty, device=nasty, chain=(nasty,)))
    )
    page = str(server.seen[0].part("html"))
    assert "href" not in re.sub("&#x27;|&lt;a href=", "", page)
    assert "https://evil" not in page
    assert "<script" not in page


# --- who may read it on the way -------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_over_tls_with_a_password(security: str, authority: trustme.CA, ca_file: str) -> None:
    async with SmtpServer(tls=server_tls(authority), implicit=security == "tls", auth=True) as server:
        keys = {"security": security, "tls_ca_file": ca_file, "username": "eventd", "password": PASSWORD}
        await channel(server, **keys).deliver(make_notification())
        assert server.logins == [("eventd", PASSWORD)]
        assert len(server.seen) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_nobody_vouches_for_is_no_server(security: str, authority: trustme.CA) -> None:
    async with SmtpServer(tls=server_tls(authority), implicit=security == "tls", auth=True) as server:
        error = await failure(channel(server, security=security, username="eventd", password=PASSWORD))
        assert (error.reason, error.retryable) == (DeliveryFailure.TLS, True)
        assert "certificate not trusted" in error.detail
        assert server.logins == []
        assert server.seen == []
        await channel(server, security=security, tls_verify=False, username="eventd", password=PASSWORD).deliver(
            make_notification()
        )


async def test_a_certificate_for_another_host_is_not_trusted(authority: trustme.CA, ca_file: str) -> None:
    async with SmtpServer(tls=server_tls(authority, "other.example")) as server:
        error = await failure(channel(server, security="starttls", tls_ca_file=ca_file))
        assert error.reason == DeliveryFailure.TLS


async def test_a_server_without_tls_gets_nothing_unless_that_is_meant(server: SmtpServer) -> None:
    error = await failure(channel(server, security="starttls"))
    assert (error.reason, error.retryable) == (DeliveryFailure.TLS, True)
    assert "does not offer STARTTLS" in error.detail
    assert server.seen == []


async def test_tls_against_a_port_that_speaks_first(server: SmtpServer) -> None:
    error = await failure(channel(server, security="tls"))
    assert (error.reason, error.retryable) == (DeliveryFailure.TLS, True)


async def test_a_wrong_password_is_refused_and_not_said(authority: trustme.CA, ca_file: str) -> None:
    async with SmtpServer(tls=server_tls(authority), auth=True) as server:
        secret = "battery-horse-wrong"
        keys = {"security": "starttls", "tls_ca_file": ca_file, "username": "eventd", "password": secret}
        server.always["MAIL"] = "550 not reached"
        with structlog.testing.capture_logs() as logs:
            ops = channel(server, **keys)
            error = await failure(ops)
            ops.session.failures.note("ops", error)
        assert (error.reason, error.retryable) == (DeliveryFailure.REFUSED, True)
        assert "535" in error.detail
        said = (
            str(error)
            + repr(error)
            + json.dumps(logs, default=repr)
            + repr(error.__cause__)
            + repr(settings(server, **keys))
        )
        assert secret not in said


async def test_a_server_that_repeats_the_password_does_not_get_it_into_the_log(
    authority: trustme.CA, ca_file: str
) -> None:
    async with SmtpServer(tls=server_tls(authority), auth=True) as server:
        keys = {"security": "starttls", "tls_ca_file": ca_file, "username": "eventd", "password": PASSWORD}
        server.always["MAIL"] = f"550 {PASSWORD} is a nice password"
        error = await failure(channel(server, **keys))
        assert PASSWORD not in str(error)
        assert "550" in error.detail


async def test_a_server_that_knows_no_way_to_log_in(authority: trustme.CA, ca_file: str) -> None:
    async with SmtpServer(tls=server_tls(authority)) as server:
        keys = {"security": "starttls", "tls_ca_file": ca_file, "username": "eventd", "password": PASSWORD}
        error = await failure(channel(server, **keys))
        assert (error.reason, error.retryable) == (DeliveryFailure.REFUSED, True)


# --- what the server answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply", "reason", "retryable"),
    [
        ("RCPT", "421 4.3.2 going down", DeliveryFailure.SERVER_ERROR, True),
        ("MAIL", "421 4.3.2 going down", DeliveryFailure.SERVER_ERROR, True),
        ("RCPT", "450 4.2.0 greylisted", DeliveryFailure.SERVER_ERROR, True),
        ("DATA", "451 4.3.0 try later", DeliveryFailure.SERVER_ERROR, True),
        ("MAIL", "452 4.3.1 disk full", DeliveryFailure.SERVER_ERROR, True),
        ("MAIL", "550 5.7.1 we do not like you", DeliveryFailure.REFUSED, False),
        ("DATA", "550 5.7.1 this is spam", DeliveryFailure.REFUSED, False),
        ("MAIL", "552 5.3.4 too big", DeliveryFailure.TOO_LARGE, False),
        ("DATA", "552 too big", DeliveryFailure.TOO_LARGE, False),
        ("RCPT", "552 5.2.2 mailbox full", DeliveryFailure.REFUSED, True),
        ("RCPT", "554 5.2.3 too long for this mailbox", DeliveryFailure.TOO_LARGE, False),
        ("DATA", "554 no", DeliveryFailure.REFUSED, False),
    ],
)
async def test_a_reply_decides_whether_it_is_tried_again(
    command: str, reply: str, reason: DeliveryFailure, retryable: bool, server: SmtpServer
) -> None:
    server.always[command] = reply
    error = await failure(channel(server, to=("ops@example.net",)))
    assert (error.reason, error.retryable) == (reason, retryable)
    assert reply[:3] in error.detail


async def test_who_is_refused_does_not_cost_the_others_their_mail(server: SmtpServer) -> None:
    server.always["RCPT ops@example.net"] = "550 5.1.1 no such user"
    ops = channel(server)
    with structlog.testing.capture_logs() as logs:
        await ops.deliver(make_notification())
    assert server.seen[0].to == ["night@example.org"]
    assert "ops@example.net does not get the mail" in json.dumps(logs)
    assert ops.session.failures._telemetry.value("notification_failures", "ops", "refused") == 1


async def test_when_all_are_refused_one_that_may_take_it_later_is_waited_for(server: SmtpServer) -> None:
    server.always["RCPT ops@example.net"] = "550 5.1.1 no such user"
    server.always["RCPT night@example.org"] = "450 4.2.0 greylisted"
    error = await failure(channel(server))
    assert (error.reason, error.retryable) == (DeliveryFailure.SERVER_ERROR, True)


async def test_a_mail_beyond_the_size_that_the_server_names_is_too_large() -> None:
    async with SmtpServer(size=2000) as server:
        error = await failure(channel(server))
        assert (error.reason, error.retryable) == (DeliveryFailure.TOO_LARGE, False)
        await channel(server).deliver_plain(make_notification())
        assert len(server.seen) == 1


@pytest.mark.parametrize("command", ["EHLO", "RCPT", "DATA"])
async def test_a_server_that_hangs_is_given_up(command: str, server: SmtpServer) -> None:
    server.always[command] = "hang"
    started = time.monotonic()
    error = await failure(channel(server, timeout_s=0.1))
    assert (error.reason, error.retryable) == (DeliveryFailure.TIMEOUT, True)
    assert time.monotonic() - started < 5


async def test_a_good_bye_that_never_comes_is_no_failure(server: SmtpServer) -> None:
    """The mail is taken; another try would be a second mail."""
    server.always["QUIT"] = "hang"
    await channel(server, timeout_s=1.0).deliver(make_notification())
    assert len(server.seen) == 1


async def test_a_connection_that_breaks_at_the_end_is_tried_again(server: SmtpServer) -> None:
    server.always["DATA"] = "close"
    error = await failure(channel(server))
    assert (error.reason, error.retryable) == (DeliveryFailure.CONNECT, True)


async def test_nobody_listens() -> None:
    async with SmtpServer() as gone:
        pass
    error = await failure(channel(gone))
    assert (error.reason, error.retryable) == (DeliveryFailure.CONNECT, True)
    assert f"smtp://127.0.0.1:{gone.port}" in error.detail


@pytest.mark.parametrize("code", [-1, 0, 199, 250, 354, 600])
def test_what_is_no_reply_is_tried_again(code: int) -> None:
    error = judge(code, "SSH-2.0", HERE)
    assert (error.reason, error.retryable) == (DeliveryFailure.SERVER_ERROR, True)


# --- the configuration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"to": ()}, "to: must have 1 to 100"),
        ({"to": ("ops@example.net, night@example.org",)}, "to: .* is not a mail address|to: .*more than one"),
        ({"to": ("a@example.net\r\nBcc: b@example.net",)}, "to: "),
        ({"to": ("ops",)}, "to: 'ops' is not a mail address"),
        ({"to": ("<ops@example.net> SIZE=1",)}, "to: "),
        ({"to": ("öps@example.net",)}, "to: "),
        ({"to": ("=?utf-8?q?=0d=0aBcc:x?= <ops@example.net>",)}, "to: "),
        ({"from_": "eventd"}, "from: 'eventd' is not a mail address"),
        ({"subject_prefix": "a\nBcc: x"}, "subject_prefix: must be one printable line"),
        ({"username": "eventd", "security": "starttls"}, "password: is missing"),
        ({"password": "x", "security": "starttls"}, "username: is missing"),
        ({"username": "eventd", "password": "x"}, "security: is none"),
        ({"server": "mail.example\r\nx"}, "server: is not the name"),
        ({"helo_name": "two words"}, "helo_name: is not the name"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(keys: dict[str, Any], what: str) -> None:
    given: dict[str, Any] = {"server": "mail.example", "from_": "a@example.net", "to": ("b@example.net",)}
    with pytest.raises(SettingsError, match=what):
        Settings(**given | {"security": "none"} | keys)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_security(security: Any, port: int) -> None:
    built: Any = email.build(
        "ops", Settings(server="::1", from_="a@b.example", to=("c@d.example",), security=security), Session()
    )
    (end,) = built.far_ends
    assert end.url == f"{'smtps' if security == 'tls' else 'smtp'}://[::1]:{port}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a@b.example", ""),
        ("Ops Team <a@b.example>", "Ops Team"),
        ("<a@b.example>", ""),
        ("a+b@[192.0.2.1]", ""),
        ("Ops <a@[IPv6:2001:db8::1]>", "Ops"),
        ("J. Doe <a@b.example>", "J. Doe"),
        ("a@b.example (Ops)", "Ops"),
    ],
)
def test_addresses_as_people_write_them(text: str, name: str) -> None:
    assert address(text).addr_spec in text
    assert address(text).display_name == name


def test_a_channel_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    file = tmp_path / "eventd.toml"
    text = """
[[channels]]
name = "mail"
type = "email"
server = "mail.example.net"
username = "eventd"
password_file = "password"
from = "eventd@example.net"
to = ["ops@example.net"]
"""
    file.write_text(text)
    (found,) = load(str(file)).channels
    assert msgspec.structs.asdict(found.settings)["from_"] == "eventd@example.net"
    file.write_text(text.replace('["ops@example.net"]', '["ops@example.net", "nobody"]').replace("from", "fro"))
    with pytest.raises(ConfigError) as caught:
        load(str(file))
    said = str(caught.value)
    assert re.search(r"eventd.toml:8: channels\[0\]\.fro: unknown key \(did you mean from\?\)", said)
    assert re.search(r"channels\[0\]\.from: is missing", said)
    assert re.search(r"eventd.toml:9: channels\[0\]\.to: 'nobody' is not a mail address", said)
