"""The commands that ask the running service, against a real server: what they print, and how they fail."""

import asyncio
import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from correlate_strategies import EPOCH
from msgspec.structs import replace
from structlog.testing import capture_logs
from web_fakes import LOCAL, FakeService, Site, serving

from eventd.cli import main
from eventd.contract import Batch, Settled
from eventd.correlate.hush import Maintenance, Silence
from eventd.model import Notification, utc
from eventd.web.settings import Token

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"
TOKENS = {READ: Token(name="screen", role="read"), OPERATE: Token(name="ann", role="operate")}
STORY = """
0 start
100 stop dpd timeout
102 fail authentication fail
100 stop dpd timeout peer=2.1.1.2 device=FW2
500 start peer=2.1.1.2 device=FW2
"""


@pytest.fixture(autouse=True)
def _no_log():
    """The server runs in this process, and must not write where the commands write."""
    with capture_logs():
        yield


@pytest.fixture
async def site():
    async with serving(FakeService(tokens=TOKENS)) as site:
        await site.service.tell(STORY, until=600)
        yield site


async def run(url: str, *arguments: str, token: str | None = OPERATE) -> Result:
    """The command as a person would type it; the server runs in this loop meanwhile."""
    env = {"EVENTD_URL": url, "EVENTD_TOKEN": token}
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=env)


async def done(site: Site, *arguments: str) -> str:
    result = await run(site.url, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def the_open(site: Site) -> str:
    [incident] = site.service.correlator.open_incidents()
    return incident.id


# --- looking ------------------------------------------------------------------------------------------------------


async def test_incidents_are_a_table_for_people_and_lines_for_programs(site: Site) -> None:
    text = await done(site, "incidents")
    heading, row = text.splitlines()
    assert heading.split()[:4] == ["id", "severity", "what", "device"]
    assert row.split()[:2] == [the_open(site), "major"]
    assert "2.1.1.1 down on FW1: authentication fail" in row
    rows = [json.loads(line) for line in (await done(site, "incidents", "--status", "all", "-f", "json")).splitlines()]
    assert {row["device"] for row in rows} == {"FW1", "FW2"}
    assert "There is none." in await done(site, "incidents", "--status", "resolved", "--device", "FW9")
    assert "Nothing is open." in await done(site, "incidents", "--severity", "info")


async def test_one_incident_is_shown_by_the_beginning_of_its_id(site: Site) -> None:
    ident = the_open(site)
    text = await done(site, "show", ident[:5].upper())
    for part in (ident, "authentication fail", "to do", "happened", "messages, latest first", "ipsec.tunnel.stop"):
        assert part in text
    assert text.count("Step for authentication fail") == 1
    assert json.loads(await done(site, "show", ident, "-f", "json"))["id"] == ident


async def test_which_channel_was_told_what_and_what_failed_is_shown(site: Site) -> None:
    ident, store = the_open(site), site.service.store
    incident = await store.incident(ident)
    assert incident is not None
    assert "nobody: no channel was to be told of it" in await done(site, "show", ident)
    site.service.channels = [{"name": name, "type": "slack"} for name in ("noc", "pager", "chat")]
    for channel in ("noc", "pager", "chat"):
        told = Notification(f"n-{channel}", channel, "opened", incident, utc(EPOCH + 60))
        await store.commit(Batch(notifications=[told]))
        await store.claim(channel, EPOCH + 60)
    await store.settle(Settled("n-noc", "delivered"))
    await store.settle(Settled("n-pager", "dead", error="refused: https://pager.example answered 400"))
    await store.settle(Settled("n-chat", "retry", EPOCH + 90, "connect: https://chat.example: nobody there"))
    for command in (["show", ident], ["explain", ident]):
        lines = (await done(site, *command)).partition("\ntold\n")[2].splitlines()[:3]
        assert [line.split()[1:3] for line in lines] == [["noc", "opened"], ["pager", "opened"], ["chat", "opened"]]
        assert lines[0].split()[3].startswith("told")
        assert lines[1].endswith("NOT TOLD: refused: https://pager.example answered 400")
        assert "not told yet" in lines[2]
        assert lines[2].endswith("tried 1 times, lastly: connect: https://chat.example: nobody there")


async def test_who_was_not_told_because_somebody_has_it_is_not_said_to_be(site: Site) -> None:
    ident, store = the_open(site), site.service.store
    incident = await store.incident(ident)
    assert incident is not None
    for what, about in (("opened", incident), ("updated", replace(incident, acked_by="ann"))):
        late = Notification(f"n-{what}", "pager", what, about, utc(EPOCH), due_at=utc(EPOCH + 900), escalates=True)
        await store.commit(Batch(notifications=[late]))
    told = (await done(site, "show", ident)).partition("\ntold\n")[2]
    [line] = [line for line in told.splitlines() if " pager " in line]
    assert line.split()[1:3] == ["pager", "opened"]
    assert line.endswith("not told: ann acknowledged the incident in time")


async def test_why_its_channel_fails_is_said_of_what_was_never_tried(site: Site) -> None:
    ident, store = the_open(site), site.service.store
    incident = await store.incident(ident)
    assert incident is not None
    site.service.channels = [
        {"name": "noc", "type": "slack", "failing_since": utc(EPOCH), "error": "refused: https://noc answered 403"}
    ]
    await store.commit(Batch(notifications=[Notification("n", "noc", "opened", incident, utc(EPOCH + 60))]))
    [line, *_] = (await done(site, "show", ident)).partition("\ntold\n")[2].splitlines()
    assert line.endswith("; the channel's last try: refused: https://noc answered 403")


async def test_a_beginning_that_fits_several_or_none_is_refused(site: Site) -> None:
    incident = await site.service.store.incident(the_open(site))
    assert incident is not None
    site.service.store._put_incident(replace(incident, id=incident.id[:6] + "zzzzzz"))
    result = await run(site.url, "show", incident.id[:6])
    assert (result.exit_code, "is not enough" in result.output) == (1, True)
    assert (await run(site.url, "show", incident.id)).exit_code == 0
    for none in ("0000000000000", "%", "ä", ""):
        result = await run(site.url, "show", none)
        assert (result.exit_code, "no incident's id begins with" in result.output) == (1, True)


async def test_why_says_rule_timers_and_what_would_have_changed_it(site: Site) -> None:
    ident = the_open(site)
    for what in ("2.1.1.1", ident, ident[:6]):
        text = await done(site, "explain", what)
        for part in (
            "2.1.1.1 on FW1 is down since",
            "outage-hold: dpd timeout",
            "so: A tunnel stopped and no start of it came within 15 s: an outage.",
            "unless: A start, or another proof of life, within 15 s of the stop.",
            "remind: if it is still open then, it is told again",
        ):
            assert part in text, text
    assert "FW2" in await done(site, "explain", "FW2")
    then = await done(site, "explain", "2.1.1.1", "--at", "2026-01-05T10:02:00Z")
    assert "incidents open then" in then
    assert then.startswith("How it stands, its rules and its timers are those of now: of 2026-01-05 10:02:00 UTC only")
    assert json.loads(await done(site, "explain", "2.1.1.2", "-f", "json"))["explanations"][0]["stands"] == "up"
    result = await run(site.url, "explain", "9.9.9.9")
    assert (result.exit_code, "nothing was ever heard of peer '9.9.9.9'" in result.output) == (1, True)


# --- doing --------------------------------------------------------------------------------------------------------


async def test_an_incident_is_taken_given_back_and_cleared(site: Site) -> None:
    ident = the_open(site)
    assert f"{ident} is taken by ann" in await done(site, "ack", ident[:4], "--note", "carrier called", "--until", "2h")
    text = await done(site, "show", ident)
    assert "ann until" in text
    assert ": carrier called" in text
    assert f"{ident} is nobody's" in await done(site, "ack", ident, "--undo")
    assert "is taken by on call" in await done(site, "ack", ident, "--who", "on call")
    assert f"{ident} is resolved" in await done(site, "clear", ident)
    result = await run(site.url, "ack", ident)
    assert (result.exit_code, "is over already" in result.output) == (1, True)
    assert (await run(site.url, "ack", ident, "--undo", "--note", "x")).exit_code == 2
    assert (await run(site.url, "ack", ident, "--until", "soon")).exit_code == 2


async def test_what_was_noted_is_said_back(site: Site) -> None:
    ident = the_open(site)
    text = await done(site, "ack", ident, "--note", "carrier called", "--until", "2126-01-05T12:00:00Z")
    title = site.service.correlator.open_incidents()[0].title
    assert text == f"{ident} is taken by ann until 2126-01-05 12:00:00 UTC (carrier called): {title}\n"


@pytest.mark.parametrize("command", ["ack", "clear"])
async def test_several_are_taken_and_cleared_and_each_says_how_it_went(site: Site, command: str) -> None:
    await site.service.tell("601 stop dpd timeout peer=2.1.1.3 device=FW3", until=700)
    first, second = (one.id for one in site.service.correlator.open_incidents())
    over = next(one.id for one in (await site.service.store.incidents(status="resolved")).items)
    result = await run(site.url, command, first, over, "0000", second, first)
    assert result.exit_code == 1
    verb = {"ack": "is taken by ann", "clear": "is resolved"}[command]
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [f"{first} {verb}", f"{second} {verb}"]
    assert result.stderr.splitlines() == [
        f"eventd: incident '{over}' is over already",
        "eventd: no incident's id begins with '0000'",
    ]
    assert (await run(site.url, command)).exit_code == 2


async def test_what_would_fail_for_each_is_said_once(site: Site) -> None:
    result = await run(site.url, "clear", the_open(site), "0000", token=READ)
    assert (result.exit_code, result.output.count("this one only reads")) == (1, 1)
    result = await run("http://127.0.0.1:1", "ack", "a", "b")
    assert (result.exit_code, result.output.count("connection refused")) == (1, 1)


async def test_those_under_an_outage_of_many_are_named_each_on_a_line() -> None:
    async with serving(FakeService(tokens=TOKENS)) as site:
        stops = "\n".join(f"{n} stop dpd timeout peer=2.1.9.{n}" for n in range(1, 25))
        await site.service.tell(f"{stops}\n90 start peer=2.1.9.1", until=200)
        [parent] = [one for one in site.service.correlator.open_incidents() if one.children]
        over = next(one for one in (await site.service.store.incidents(status="resolved")).items)
        site.service.store._put_incident(replace(parent, children=(*parent.children, "gone1", "gone2")))
        for command in ("show", "explain"):
            lines = (await done(site, command, parent.id)).splitlines()
            at = next(number for number, line in enumerate(lines) if line.startswith("  under it"))
            assert lines[at].endswith("23 open, 1 over; told by this one")
            assert "  major     2.1.9.2   FW1  since 2026-01-05 10:00:02  dpd timeout" in lines[at + 1]
            assert f"and 4 more: eventd show {parent.id} -f json | jq .under" in lines[at + 21]
            assert lines[at + 22].split() == ["2", "are", "not", "kept", "any", "more"]
        assert f"part of    {parent.id}" in await done(site, "show", over.id)


async def test_silences_are_made_listed_and_ended(site: Site) -> None:
    made = await run(
        site.url, "silence", "add", "device=FW1", "device=FW2", "peer=2.1.*", "--for", "2h", "--reason", "new uplink"
    )
    ident = made.stdout.strip()
    assert "It fits 1 open incident;" in made.stderr
    assert "note: " not in made.stderr  # no inventory
    [silence] = site.service.correlator.silences()
    assert (silence.id, silence.match) == (ident, {"device": ["FW1", "FW2"], "peer": ["2.1.*"]})
    assert "silenced" in await done(site, "incidents")
    text = await done(site, "silence", "list")
    for part in (ident, "active", "device=FW1,FW2 peer=2.1.*", "ann", "new uplink"):
        assert part in text
    assert json.loads(await done(site, "silence", "query", "-f", "json"))["id"] == ident
    assert await done(site, "silence", "expire", ident[:5]) == f"{ident} has ended\n"
    assert await done(site, "silence", "list") == "There is none.\n"
    assert (await run(site.url, "silence", "remove", ident)).exit_code == 1


async def test_planned_work_is_listed_and_not_ended(site: Site) -> None:
    site.service.maintenance = (
        Maintenance(match={"device": "FW7"}, weekly="Sat 22:00-Sun 02:00", reason="patch day"),
        Maintenance(start=utc(EPOCH - 9000), end=utc(EPOCH - 900), reason="over"),
    )
    text = await done(site, "silence", "list")
    for part in ("maintenance[0]", "maintenance  pending", "01-10 22:00:00", "Sat 22:00-Sun 02:00 UTC", "device=FW7"):
        assert part in text
    assert "over" not in text
    assert "everything" in await done(site, "silence", "list", "--status", "expired")
    assert await done(site, "silence", "list", "--status", "active") == "There is none.\n"
    result = await run(site.url, "silence", "remove", "maintenance[0]")
    assert (result.exit_code, "stands in the configuration" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["silence", "add", "device=FW1"], "needs either --for or --until"),
        (["silence", "add", "device", "--for", "2h"], "'device' is not KEY=VALUE"),
        (["silence", "add", "--for", "2h"], "Missing argument"),
        (["silence", "add", "dev=FW1", "severity=grave", "--for", "x"], "dev: is not"),
        (["incidents", "--kind", "tunnel"], "tunnel_down"),
        (["explain", "2.1.1.1", "--at", "noon"], "at: 'noon' is not a time"),
        (["incidents", "--url", "localhost:9514"], "is not an address like"),
        (["incidents", "--url", "http://[::1"], "is not an address like"),
        (["incidents", "--url", "http://h:99999"], "is not an address like"),
        (["incidents", "--token-file", "/nothing/there"], "No such file"),
    ],
)
async def test_wrong_arguments_end_with_2_and_say_why(site: Site, arguments: list[str], says: str) -> None:
    result = await run(site.url, *arguments)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.output.split())


# --- who may, and what does not answer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "token", "says"),
    [
        (TOKENS, None, "EVENTD_TOKEN or --token-file gives one"),
        (TOKENS, "wrong", "the one given is unknown"),
        ({OPERATE: TOKENS[OPERATE]}, None, "EVENTD_TOKEN or --token-file gives one"),
        (TOKENS, READ, "this one only reads"),
        ({READ: TOKENS[READ]}, READ, "none is configured ([[web.tokens]]"),
    ],
)
async def test_a_token_that_does_not_do_is_said(tokens: dict[str, Token], token: str | None, says: str) -> None:
    async with serving(FakeService(tokens=tokens)) as site:
        await site.service.tell("0 stop dpd timeout", until=60)
        result = await run(site.url, "ack", the_open(site), token=token)
        assert (result.exit_code, says in result.output) == (1, True), result.output
        assert site.service.correlator.open_incidents()[0].acked_by is None


async def test_a_token_may_stand_in_a_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(OPERATE + "\n")
    result = await run(site.url, "ack", the_open(site), "--token-file", str(file), token="wrong")
    assert result.exit_code == 0, result.output
    file.write_text("two words\n")
    assert (await run(site.url, "incidents", "--token-file", str(file))).exit_code == 2


async def test_nobody_there_is_said() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        result = await run(f"http://127.0.0.1:{sock.getsockname()[1]}", "incidents")
    assert result.exit_code == 1
    assert "connection refused: no eventd listens there; --url or EVENTD_URL says where it is" in result.output


async def test_tls_is_checked_and_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    pems = {"cert": issued.cert_chain_pems, "key": [issued.private_key_pem], "ca": [authority.cert_pem]}
    for name, parts in pems.items():
        (tmp_path / name).write_bytes(b"".join(part.bytes() for part in parts))
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca"))
    settings = replace(LOCAL, tls_cert_file=str(tmp_path / "cert"), tls_key_file=str(tmp_path / "key"))
    async with serving(settings=settings, trust=trust) as site:
        assert (await run(site.url, "incidents", "--ca-file", str(tmp_path / "ca"))).exit_code == 0
        result = await run(site.url, "incidents")
        assert (result.exit_code, "its certificate is not trusted" in result.output) == (1, True), result.output
        result = await run(site.url.replace("https", "http"), "incidents")
        assert (result.exit_code, "https://?" in result.output) == (1, True), result.output
        assert (await run(site.url, "incidents", "--ca-file", str(tmp_path / "none"))).exit_code == 2
    async with serving() as site:
        result = await run(site.url.replace("http", "https"), "incidents")
        assert (result.exit_code, "is it http:// there?" in result.output) == (1, True), result.output


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi!!", "what answers there is not eventd"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
    ],
)
async def test_something_else_that_answers_is_said_and_not_followed(answer: bytes, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        result = await run(f"http://127.0.0.1:{server.getsockname()[1]}", "incidents")
        thread.join()
    assert (result.exit_code, says in result.output) == (1, True), result.output


async def test_text_from_the_wire_does_not_drive_the_terminal(site: Site) -> None:
    evil = "\x1b[2J\u202eevil"
    silence = Silence("s1", {"device": evil}, 0.0, site.service.now() + 900, evil, evil)
    site.service.correlator.silence(silence, site.service.now())
    incident = await site.service.store.incident(the_open(site))
    assert incident is not None
    hostile = replace(incident, title=evil, summary=evil, chain=(evil,), device=evil, acked_by=evil, acked_note=evil)
    site.service.store._put_incident(hostile)
    asked = (["silence", "list"], ["incidents"], ["show", incident.id], ["explain", incident.id])
    for arguments in (*asked, ["silence", "list", "-f", "json"], ["show", incident.id, "-f", "json"]):
        text = await done(site, *arguments)
        assert "evil" in text
        assert "\x1b" not in text
        assert "\u202e" not in text
