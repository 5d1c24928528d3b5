"""The server itself: addresses, TLS, tokens, refusals, headers, health and metrics."""

import asyncio
import base64
import json
import re
import socket
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest
import trustme
from msgspec.structs import replace
from peers import peer
from prometheus_client import CollectorRegistry, generate_latest
from web_fakes import LOCAL, FakeService, Site, serving

from eventd.metrics import SPECS
from eventd.receivers import kernel
from eventd.web.access import role_of
from eventd.web.operations import OPERATIONS
from eventd.web.server import SECURITY_HEADERS, WebError, WebServer
from eventd.web.settings import Token, Web
from eventd.web.stream import EVENT_STREAM

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"
TOKENS = {READ: Token(name="r", role="read"), OPERATE: Token(name="o", role="operate")}
OPERATE_ONLY = {OPERATE: TOKENS[OPERATE]}


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()}


@pytest.fixture
async def site():
    async with serving() as site:
        await site.service.tell("0 stop dpd timeout", until=60)
        yield site


# --- where it listens ---------------------------------------------------------------------------------------------


async def test_all_interfaces_means_both_families_on_one_port() -> None:
    async with serving(settings=Web(listen="[::]:0")) as site:
        [address] = site.server.addresses
        port = int(address.rpartition(":")[2])
        for host in ("127.0.0.1", "[::1]"):
            async with site.client.get(f"http://{host}:{port}/-/healthy") as response:
                assert response.status == 200


async def test_a_machine_without_ipv6_is_served_over_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def no_ipv6(family: int = -1, *rest: int, **known: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *rest, **known)

    monkeypatch.setattr(kernel.socket, "socket", no_ipv6)
    server = WebServer(FakeService(settings=Web(listen="[::]:0")))
    try:
        await server.start()
        assert server.addresses[0].startswith("0.0.0.0:")
    finally:
        await server.stop()


async def test_a_port_in_use_is_named_with_the_cause() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(WebError, match=f"web.listen: cannot listen on {listen}: the port is in use"):
            await WebServer(FakeService(settings=Web(listen=listen))).start()


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(WebError, match=r"web.listen: cannot listen on 192.0.2.1:0: this machine has no such address"):
        await WebServer(FakeService(settings=Web(listen="192.0.2.1:0"))).start()


async def test_a_stopped_server_gives_its_port_back_and_may_be_stopped_twice() -> None:
    server = WebServer(FakeService())
    await server.start()
    await server.stop()
    await server.stop()
    again = WebServer(FakeService(settings=replace(LOCAL, listen=server.addresses[0])))
    await again.start()
    await again.stop()


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ("9514", "is not ADDRESS:PORT"),
        ("localhost:9514", "is not an IP address"),
        ("[::]:70000", "port from 0 to 65535"),
        ("::1:9514", "in brackets"),
        ("", "names no address"),
    ],
)
def test_a_listen_address_that_cannot_be_is_a_problem_of_the_configuration(listen: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^listen: ") as caught:
        Web(listen=listen)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url", ["eventd.example.net", "ftp://x", "javascript:alert(1)", "https://", "http://[", "http://a/?b"]
)
def test_an_external_url_that_leads_nowhere_is_a_problem_of_the_configuration(url: str) -> None:
    with pytest.raises(ValueError, match=r"^external_url: "):
        Web(external_url=url)


def test_an_external_url_may_have_a_path() -> None:
    assert Web(external_url="https://noc.example.net/eventd/").external_url is not None


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_files(authority: trustme.CA, folder: Path) -> Web:
    issued = authority.issue_cert("127.0.0.1")
    cert, key = folder / "web.pem", folder / "web.key"
    cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return replace(LOCAL, tls_cert_file=str(cert), tls_key_file=str(key))


async def test_with_a_certificate_it_speaks_tls_and_nothing_else(authority: trustme.CA, tmp_path: Path) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with serving(settings=tls_files(authority, tmp_path), trust=trust) as site:
        assert (await site.ask("/-/healthy"))[0] == 200
        assert (await site.json("incidents")) == {"items": [], "next": None}
        with pytest.raises(aiohttp.ClientError):
            await site.client.get(site.url.replace("https", "http") + "/-/healthy")


async def test_old_tls_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    trust.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trust.minimum_version = trust.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(settings=tls_files(authority, tmp_path), trust=trust) as site:
        with pytest.raises(aiohttp.ClientConnectorError):
            await site.ask("/-/healthy")


async def test_a_certificate_that_cannot_be_used_is_named(authority: trustme.CA, tmp_path: Path) -> None:
    good = tls_files(authority, tmp_path)
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for settings, says in (
        (replace(good, tls_cert_file=str(tmp_path / "absent.pem")), "absent.pem"),
        (replace(good, tls_cert_file=str(empty)), "empty.pem"),
        (replace(good, tls_key_file=None), "needed together"),
    ):
        with pytest.raises(WebError, match=f"web.tls_cert_file: .*{says}"):
            await WebServer(FakeService(settings=settings)).start()


# --- who may ------------------------------------------------------------------------------------------------------

GUARDED = ("/", "/incidents/x", "/api/v1/incidents", "/api/v1/status", "/api/v1/openapi.json", "/nothing")
FREE = ("/-/healthy", "/-/ready", "/metrics", "/style.css", "/icon.svg")


@pytest.mark.parametrize("tokens", [{}, OPERATE_ONLY])
async def test_reading_is_free_until_there_is_a_read_token(tokens: dict[str, Token]) -> None:
    async with serving(tokens=tokens) as site:
        for path in (*GUARDED, *FREE):
            assert (await site.ask(path))[0] in (200, 404), path


async def test_with_a_read_token_only_probes_and_metrics_are_free() -> None:
    async with serving(tokens=TOKENS) as site:
        for path in FREE:
            assert (await site.ask(path))[0] == 200, path
        for path in GUARDED:
            for headers in ({}, {"Authorization": "Bearer wrong"}, basic("wrong"), {"Authorization": "Basic ***"}):
                status, answered, text = await site.ask(path, headers=headers)
                assert (status, json.loads(text)) == (401, {"error": "needs a token"}), path
                assert "Basic" in answered["WWW-Authenticate"]
            for token in TOKENS:
                assert (await site.ask(path, token=token))[0] in (200, 404), path
                assert (await site.ask(path, headers=basic(token)))[0] in (200, 404), path


@pytest.mark.parametrize(
    "path", ["/-/../api/v1/incidents", "/metrics/../api/v1/incidents", "//api/v1/incidents", "/%2e/"]
)
async def test_no_spelling_of_a_path_gets_around_the_token(path: str) -> None:
    async with serving(tokens=TOKENS) as site:
        assert (await site.ask(path))[0] == 401


@pytest.mark.parametrize(
    ("tokens", "headers", "status"),
    [
        ({}, {}, 403),
        ({}, {"Authorization": f"Bearer {OPERATE}"}, 403),
        ({READ: TOKENS[READ]}, {"Authorization": f"Bearer {READ}"}, 403),
        (TOKENS, {}, 401),
        (TOKENS, {"Authorization": "Bearer wrong"}, 401),
        (TOKENS, {"Authorization": f"Bearer {READ}"}, 403),
        (TOKENS, basic(OPERATE), 403),
        (TOKENS, {"Authorization": f"Bearer {OPERATE}"}, 200),
        (TOKENS, {"Authorization": f"bearer  {OPERATE} "}, 200),
        (OPERATE_ONLY, {"Authorization": f"Bearer {OPERATE}"}, 200),
    ],
)
async def test_what_changes_something_needs_a_bearer_token_of_role_operate(
    tokens: dict[str, Token], headers: dict[str, str], status: int
) -> None:
    async with serving(tokens=tokens) as site:
        answer = await site.ask("/-/reload", method="POST", headers=headers)
        assert answer[0] == status, answer
        assert site.service.reloads == (status == 200)


def test_every_token_is_compared_whole() -> None:
    assert role_of(f"Bearer {OPERATE}", TOKENS) == "operate"
    for wrong in (OPERATE[:-1], OPERATE + "x", OPERATE.upper(), "", "é", "\udcff"):
        assert role_of(f"Bearer {wrong}", TOKENS) is None
    assert role_of(OPERATE, TOKENS) is None
    assert role_of("Digest " + OPERATE, TOKENS) is None


async def test_a_token_taken_away_by_a_reload_is_worth_nothing() -> None:
    async with serving(tokens=TOKENS) as site:
        assert (await site.ask("/", token=READ))[0] == 200
        site.service.tokens = OPERATE_ONLY | {"another-read-token": TOKENS[READ]}
        assert (await site.ask("/", token=READ))[0] == 401


# --- answers ------------------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_security_headers(site: Site) -> None:
    [incident] = (await site.json("incidents"))["items"]
    site.service.store.broken = "disk I/O error"
    asked = [(o.method.upper(), o.path) for o in OPERATIONS if o.returns != (EVENT_STREAM,)]
    asked += [
        ("GET", "/nothing"),
        ("POST", "/"),
        ("HEAD", "/"),
        ("OPTIONS", "/api/v1/peers"),
        ("GET", "/api/v1/peers?x=1"),
    ]
    for method, path in asked:
        _, headers, _ = await site.ask(path.replace("{id}", incident["id"]), method=method)
        for name, value in SECURITY_HEADERS.items():
            assert headers[name] == value, (method, path)
        assert "script" not in headers["Content-Security-Policy"]


async def test_an_unknown_path_is_a_404_in_json(site: Site) -> None:
    for path in ("/nothing", "/api/v1/", "/api/v1/nothing", "/api/v2/incidents", "/incidents/", "/style.css/x", "/%00"):
        status, headers, text = await site.ask(path)
        assert status == 404, path
        assert headers["Content-Type"].startswith("application/json")
        assert "error" in json.loads(text)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/api/v1/incidents", "GET, HEAD"),
        ("PUT", "/api/v1/incidents/x", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("GET", "/-/reload", "POST"),
    ],
)
async def test_another_method_is_a_405_that_says_which_would_do(site: Site, method: str, path: str, allow: str) -> None:
    status, headers, text = await site.ask(path, method=method)
    assert (status, headers["Allow"]) == (405, allow)
    assert allow in json.loads(text)["error"]


async def test_head_answers_like_get_without_a_body(site: Site) -> None:
    for operation in OPERATIONS:
        if operation.method == "get" and "{" not in operation.path and operation.returns != (EVENT_STREAM,):
            asked = [await site.ask(operation.path, method=method) for method in ("GET", "HEAD")]
            (status, headers, _), (head_status, head_headers, head_text) = asked
            assert (head_status, head_text) == (status, ""), operation.path
            assert head_headers["Content-Type"] == headers["Content-Type"]


async def test_what_is_alive_is_not_kept_by_caches_and_looks_are(site: Site) -> None:
    for path in ("/", "/api/v1/peers", "/metrics", "/-/ready", "/api/v1/nothing"):
        assert (await site.ask(path))[1]["Cache-Control"] == "no-store", path
    assert (await site.ask("/style.css"))[1]["Cache-Control"] == "max-age=300"


async def test_bytes_that_are_not_http_do_not_disturb_the_server(site: Site) -> None:
    host, _, port = site.server.addresses[0].rpartition(":")
    for sent in (
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert b" 400 " in answer.splitlines()[0]
        assert b"Traceback" not in answer
    assert (await site.ask("/-/healthy"))[0] == 200


# --- operations ---------------------------------------------------------------------------------------------------


async def test_healthy_as_long_as_it_answers_and_ready_as_long_as_it_can_be_relied_on(site: Site) -> None:
    assert (await site.ask("/-/healthy"))[0] == 200
    assert (await site.ask("/-/ready"))[::2] == (200, "eventd is ready.\n")
    site.service.trouble = "eventd is starting or stopping."
    assert (await site.ask("/-/ready"))[::2] == (503, "eventd is starting or stopping.\n")
    assert (await site.ask("/-/healthy"))[0] == 200


async def test_a_reload_says_what_is_wrong_with_the_configuration() -> None:
    async with serving(tokens=TOKENS) as site:
        assert (await site.ask("/-/reload", method="POST", token=OPERATE))[::2] == (200, "reloaded\n")
        site.service.reload_answer = "eventd.toml:3: web.listen: is wrong\neventd.toml:4: store.path: is wrong"
        status, _, text = await site.ask("/-/reload", method="POST", token=OPERATE)
        assert (status, text) == (422, site.service.reload_answer + "\n")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text", "application/openmetrics-text"),
        ("application/openmetrics-text; version=nonsense", "text/plain"),
        ("text/plain;version=\u00e9", "text/plain"),
    ],
)
async def test_metrics_come_in_the_form_that_was_asked_for(site: Site, accept: str, media: str) -> None:
    site.service.telemetry.inc("received", "syslog-udp", n=3)
    status, headers, text = await site.ask("/metrics", headers={"Accept": accept})
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, media)
    assert text.endswith("# EOF\n") == (media != "text/plain")
    assert 'eventd_received_total{transport="syslog-udp"} 3.0' in text
    assert re.search(r"^process_resident_memory_bytes \d", text, re.MULTILINE)


async def test_others_have_the_loop_while_a_scrape_is_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten thousand peers it takes long, and meanwhile nothing would be received."""
    turns_of_others, written_in = 0, set[int]()

    async def work() -> None:
        nonlocal turns_of_others
        while True:
            turns_of_others += 1
            await asyncio.sleep(0)

    def encode(registry: CollectorRegistry) -> bytes:
        written_in.add(turns_of_others)
        return bytes(generate_latest(registry))

    monkeypatch.setattr("eventd.turns.ASIDE_S", 1e-9)
    monkeypatch.setattr("eventd.web.exposition.choose_encoder", lambda _: (encode, "text/plain"))
    others = asyncio.create_task(work())
    _, _, text = await site.ask("/metrics")
    others.cancel()
    assert "eventd_received_total" in text
    assert len(written_in) >= len(SPECS)


@pytest.mark.peer
async def test_promtool_finds_nothing_wrong_with_the_metrics(site: Site) -> None:
    site.service.telemetry.inc("reasons", "ipsec.tunnel.stop", "unknown", 'he said "no"\\\n\u202e')
    site.service.telemetry.observe("notification_latency_seconds", 0.2, "noc")
    _, _, text = await site.ask("/metrics")
    command = [peer("promtool"), "check", "metrics"]
    found = await asyncio.to_thread(subprocess.run, command, input=text, capture_output=True, text=True, timeout=30)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
