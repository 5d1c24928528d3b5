"""Addresses, secrets, TLS: what can be wrong with a channel's settings, and what must never be said."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from chat_server import ChatServer, answer
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_notification

from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.notify import webhook
from eventd.notify.endpoint import BasicAuth, Endpoint
from eventd.notify.secrets import MAX_SECRET_BYTES, read_secret
from eventd.notify.session import MAX_RETRY_AFTER_S, Session, parse_retry_after


def settings(**keys: Any) -> webhook.Settings:
    return webhook.Settings(**{"url": "http://127.0.0.1:9/x"} | keys)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://x/", "http://", "http:///x", "http://a b/", "http://h:99999/", "http://[::1/", "//h/x"]
)
def test_what_is_no_web_address_is_a_configuration_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook.build("hook", settings(url=url), Session())
    (problem,) = caught.value.problems
    assert problem.key == "channels.hook.url"
    assert len(url) < 8 or url not in problem.what


@pytest.mark.parametrize(
    "url", ["http://h", "https://h.example:8443/a?b=c", "http://[2001:db8::1]:80/x", "http://user:pw@h/x"]
)
def test_what_is_a_web_address_is_taken(url: str) -> None:
    assert Endpoint(url).url == url


def test_a_place_is_scheme_and_host_only() -> None:
    assert Endpoint("https://user:pw@h.example:8443/path?query=1#f").place == "https://h.example:8443"


@given(st.text(alphabet="abcXYZ019-_", min_size=6, max_size=40))
def test_no_part_of_an_address_survives_scrubbing(secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    for url in (f"http://h/a/{secret}/b", f"http://h/?k={secret}", f"http://u:{secret}@h/", f"http://{secret}@h/"):
        assert secret not in Endpoint(url).scrub(f"<{secret}> {url} {secret}{secret}")
    assert secret not in Endpoint("http://h/", headers=headers).scrub(f"no {secret}")


def test_short_words_of_an_address_stay_readable() -> None:
    assert Endpoint("http://h/api/v2/alerts7").scrub("api v2 is gone") == "api v2 is gone"


def test_a_secret_may_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("http://from-file/\n")
    monkeypatch.setenv("HOOK_URL", " http://from-env/ ")
    assert read_secret(webhook.Settings(url_file="url"), "url", tmp_path) == "http://from-file/"
    assert read_secret(webhook.Settings(url_file=str(tmp_path / "url")), "url", Path("/")) == "http://from-file/"
    assert read_secret(webhook.Settings(url_env="HOOK_URL"), "url", tmp_path) == "http://from-env/"
    assert read_secret(settings(), "bearer_token", tmp_path) is None


def test_a_secret_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"hunter22\xff")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "big").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"url_file": "nowhere"}, "url_file: nowhere cannot be read: No such file"),
        ({"url_file": "."}, "cannot be read: Is a directory"),
        ({"url_file": "binary"}, "is not UTF-8"),
        ({"url_file": "empty"}, "url_file: is empty"),
        ({"url_file": "big"}, "is larger than"),
        ({"url_env": "EVENTD_NO_SUCH_THING"}, "EVENTD_NO_SUCH_THING is not set"),
    ]
    for keys, said in cases:
        with pytest.raises(ConfigError, match=said) as caught:
            webhook.build("hook", webhook.Settings(**keys), Session(base=tmp_path))
        assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": None}, "url: is missing"),
        ({"url_env": "X"}, "url: is given more than once: url, url_env"),
        ({"bearer_token": "a", "bearer_token_file": "b"}, "bearer_token: is given more than once"),
        ({"bearer_token": "a", "basic_auth": BasicAuth(username="u", password="p")}, "exclude each other"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**keys)


@pytest.mark.parametrize("headers", [{"X Y": "a"}, {"X": "a\r\nEvil: b"}, {"": "a"}, {"X": "é"}])
def test_headers_that_http_does_not_allow_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="headers"):
        webhook.build("hook", settings(headers=headers), Session())


def test_a_ca_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=f"tls_ca_file: {name} cannot be used"):
            webhook.build("hook", settings(tls_ca_file=name), Session(base=tmp_path))


async def _over_tls(tmp_path: Path, host: str = "127.0.0.1", **keys: Any) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(host).configure_cert(context)
    session = Session(base=tmp_path)
    try:
        async with ChatServer(context) as server:
            await webhook.build("hook", settings(url=server.url + "/x", **keys), session).deliver(make_notification())
    finally:
        await session.close()


async def test_a_certificate_is_checked_against_the_ca_given(tmp_path: Path) -> None:
    await _over_tls(tmp_path, tls_ca_file="ca.pem")


@pytest.mark.parametrize(("host", "keys"), [("127.0.0.1", {}), ("other.example", {"tls_ca_file": "ca.pem"})])
async def test_an_unknown_certificate_and_one_of_another_host_are_refused(
    tmp_path: Path, host: str, keys: dict[str, Any]
) -> None:
    with pytest.raises(DeliveryError, match="certificate not trusted") as caught:
        await _over_tls(tmp_path, host, **keys)
    assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.TLS, True)


async def test_checking_can_be_switched_off(tmp_path: Path) -> None:
    await _over_tls(tmp_path, "other.example", tls_verify=False)


async def test_tls_to_a_server_without_it_is_a_tls_failure() -> None:
    session = Session()
    async with ChatServer() as server:
        url = server.url.replace("http:", "https:") + "/x"
        with pytest.raises(DeliveryError) as caught:
            await webhook.build("hook", settings(url=url), session).deliver(make_notification())
    await session.close()
    assert caught.value.reason == DeliveryFailure.TLS


async def test_a_proxy_is_used_where_one_is_configured() -> None:
    session = Session()
    async with ChatServer() as proxy:
        channel = webhook.build("hook", settings(url="http://far.example/x", proxy_url=proxy.url), session)
        await channel.deliver(make_notification())
        assert proxy.seen[0].headers["Host"] == "far.example"
    await session.close()


@pytest.mark.parametrize(
    ("to", "status", "said"),
    [
        ("http://far.example/x", 502, "answered 502"),
        ("https://far.example/x", 404, ": the proxy does not let us through (it answered 404)"),
        ("http://far.example/x", None, ": cannot connect to the proxy: Connect"),
        ("https://far.example/x", None, ": cannot connect to the proxy: Connect"),
    ],
)
async def test_what_fails_by_a_proxy_says_by_which(to: str, status: int | None, said: str) -> None:
    session = Session()
    async with ChatServer() as proxy:
        place, user = proxy.url, "ann:T0PSECRET"
        proxy.always = answer(status or 200)
        through = webhook.build("hook", settings(url=to, proxy_url=place.replace("//", f"//{user}@")), session)
        if status is not None:
            error = await failed(through)
    if status is None:
        error = await failed(through)
    await session.close()
    assert (
        str(error).partition(": ")[2].startswith(f"{to[:-2]} by the proxy {place}{'' if said[0] == ':' else ' '}{said}")
    )
    assert "T0PSECRET" not in str(error)


async def failed(channel: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.deliver(make_notification())
    return caught.value


@given(st.text(max_size=40) | st.floats().map(str), st.floats(0, 4e9))
def test_any_retry_after_is_a_sane_wait_or_none(value: str, now: float) -> None:
    wait = parse_retry_after(value, now)
    assert wait is None or 0.0 <= wait <= MAX_RETRY_AFTER_S
