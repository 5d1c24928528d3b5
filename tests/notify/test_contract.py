"""What every channel must do, whatever its kind. A new notifier joins by one line in ``MAKERS``."""

import asyncio
import html
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import hostile
import pytest
import structlog
from channel_kinds import HTTP, MAKERS, SECRET, SERVERS, TAKEN, TEMPLATED, TOKEN
from chat_server import (
    ChatServer,
    answer,
    close_before_answer,
    close_mid_answer,
    echo,
    hang,
    huge,
    not_http,
    slow,
)
from notify_fakes import HandClock, make_incident, make_notification, make_resolved

from eventd.contract import Channel, SpeaksPlain
from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.model import Incident, Reason, utc
from eventd.notify.alert import MAX_LABEL
from eventd.notify.session import Session
from eventd.notify.trial import trial, trial_over
from eventd.printable import HIDDEN
from eventd.registry import load_notifiers
from eventd.telemetry import Telemetry

HOSTILE = "x\x1b[31m<!channel> @here `code` <http://evil|ok> {{ 7*7 }} \u202egnp\u2028\r\n*bold* & \ud800 \x00end"


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ChatServer]:
    """The far end of the kind that is tested."""
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind")
    async with SERVERS.get(kind, ChatServer)() as running:
        if kind in TAKEN:
            running.always = answer(200, TAKEN[kind])
        yield running


class Bench:
    """A session whose standard output and metrics can be looked at."""

    def __init__(self, timeout_s: float = 15.0) -> None:
        self.stdout, self.telemetry, self.clock = io.StringIO(), Telemetry(), HandClock()
        self.session = Session(
            external_url="https://eventd.example/",
            stdout=self.stdout,
            telemetry=self.telemetry,
            clock=self.clock,
            total_timeout_s=timeout_s,
        )

    def build(self, kind: str, url: str, **keys: Any) -> Channel:
        notifier = load_notifiers()[kind]
        settings = MAKERS[kind](url, keys)
        assert isinstance(settings, notifier.settings)
        return notifier.build("ops", settings, self.session)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.session.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Bench]:
    """One that soon loses patience with a far end, for those that never come to an end."""
    made = Bench(timeout_s=0.2)
    yield made
    await made.session.close()


async def failure(channel: Channel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.deliver(make_notification())
    return caught.value


def everything_sent(bench: Bench, server: ChatServer) -> str:
    return bench.stdout.getvalue() + "".join(seen.body.decode().replace("\\u2026", "…") for seen in server.seen)


def test_every_notifier_that_exists_is_held_to_this_contract() -> None:
    assert set(load_notifiers()) == set(MAKERS)


@pytest.mark.parametrize("kind", MAKERS)
async def test_an_opening_and_an_end_are_told_with_what_they_are_about(
    kind: str, bench: Bench, server: ChatServer
) -> None:
    channel = bench.build(kind, server.url)
    await channel.deliver(make_notification())
    opened = everything_sent(bench, server)
    await channel.deliver(make_notification(incident=make_resolved()))
    await channel.close()
    for word in ("FW1", "branch-7", "203.0.113.7", "dpd timeout"):
        assert word in opened
    ended = everything_sent(bench, server)[len(opened) :]
    assert re.search("resolved|2023-11-14T22:16:20Z", ended, re.IGNORECASE), "said so, or its endsAt lies in the past"


@pytest.mark.parametrize("kind", MAKERS)
async def test_a_trial_is_marked_wherever_it_is_told(kind: str, bench: Bench, server: ChatServer) -> None:
    channel = bench.build(kind, server.url)
    opened = trial("ops", bench.clock())
    await channel.deliver(opened)
    await channel.deliver(trial_over(opened))
    await channel.close()
    assert len(re.findall(r"\[TEST\\*\]", everything_sent(bench, server))) >= 2


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (301, DeliveryFailure.REFUSED, True),
        (400, DeliveryFailure.REFUSED, False),
        (401, DeliveryFailure.REFUSED, True),
        (403, DeliveryFailure.REFUSED, True),
        (404, DeliveryFailure.REFUSED, True),
        (408, DeliveryFailure.TIMEOUT, True),
        (410, DeliveryFailure.REFUSED, True),
        (413, DeliveryFailure.TOO_LARGE, False),
        (425, DeliveryFailure.SERVER_ERROR, True),
        (429, DeliveryFailure.RATE_LIMITED, True),
        (500, DeliveryFailure.SERVER_ERROR, True),
        (502, DeliveryFailure.SERVER_ERROR, True),
        (503, DeliveryFailure.SERVER_ERROR, True),
        (504, DeliveryFailure.SERVER_ERROR, True),
    ],
)
async def test_a_status_decides_whether_it_is_tried_again(
    kind: str, status: int, reason: DeliveryFailure, retryable: bool, bench: Bench, server: ChatServer
) -> None:
    server.then(answer(status, "nope"))
    error = await failure(bench.build(kind, server.url))
    if (kind, status) == ("teams", 400):  # "bad card" comes that way, and the plain card is tried
        reason = DeliveryFailure.RENDER
    assert (error.reason, error.retryable) == (reason, retryable)
    assert str(status) in error.detail


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hang, DeliveryFailure.TIMEOUT),
        (slow, DeliveryFailure.TIMEOUT),
        (close_before_answer, DeliveryFailure.CONNECT),
        (close_mid_answer, DeliveryFailure.CONNECT),
        (not_http, DeliveryFailure.SERVER_ERROR),
    ],
)
async def test_no_whole_answer_is_tried_again(
    kind: str, behaviour: Any, reason: DeliveryFailure, bench: Bench, hasty: Bench, server: ChatServer
) -> None:
    server.then(behaviour)
    waiting = hasty if reason == DeliveryFailure.TIMEOUT else bench
    error = await failure(waiting.build(kind, server.url))
    assert (error.reason, error.retryable) == (reason, True)


@pytest.mark.parametrize("kind", HTTP)
async def test_nobody_listening_is_tried_again(kind: str, bench: Bench) -> None:
    async with ChatServer() as gone:
        url = gone.url
    error = await failure(bench.build(kind, url))
    assert (error.reason, error.retryable) == (DeliveryFailure.CONNECT, True)


@pytest.mark.parametrize("kind", HTTP)
async def test_an_endless_answer_is_not_read_to_its_end(kind: str, bench: Bench, server: ChatServer) -> None:
    server.then(huge(status=503))
    error = await failure(bench.build(kind, server.url))
    assert error.reason == DeliveryFailure.SERVER_ERROR
    assert len(str(error)) < 400


@pytest.mark.parametrize("kind", HTTP)
async def test_a_redirect_is_not_followed(kind: str, bench: Bench, server: ChatServer) -> None:
    async with ChatServer() as elsewhere:
        server.then(answer(307, "", {"Location": elsewhere.url + "/stolen"}))
        await failure(bench.build(kind, server.url))
        assert elsewhere.seen == []


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("999999", 3600.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
    ],
)
async def test_the_wait_that_a_far_end_asks_for_is_understood(
    kind: str, value: str, seconds: float | None, bench: Bench, server: ChatServer
) -> None:
    server.then(answer(429, "", {"Retry-After": value}))
    assert (await failure(bench.build(kind, server.url))).retry_after_s == seconds


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("behaviour", [echo(400), echo(500), hang, close_before_answer, not_http])
async def test_no_error_and_no_log_line_holds_a_secret(
    kind: str, behaviour: Any, hasty: Bench, server: ChatServer
) -> None:
    server.then(behaviour)
    with structlog.testing.capture_logs() as logs:
        error = await failure(hasty.build(kind, server.url))
        hasty.session.failures.note("ops", error)
    assert logs
    said = str(error) + repr(error) + json.dumps(logs, default=repr) + repr(error.__cause__)
    for secret in (SECRET, TOKEN, *SECRET.split("/")):
        assert secret not in said
    assert server.url in said


@pytest.mark.conformance("RFC 5424 §8.2", "hostile text stays text in every channel")
@pytest.mark.parametrize("kind", MAKERS)
async def test_hostile_text_stays_text(kind: str, bench: Bench, server: ChatServer) -> None:
    nasty = make_incident(
        device=HOSTILE,
        peer_name=HOSTILE,
        summary=HOSTILE,
        site=HOSTILE,
        chain=(HOSTILE, HOSTILE),
        actions=(HOSTILE,),
        cause=Reason(HOSTILE, meaning=HOSTILE),
    )
    channel = bench.build(kind, server.url)
    await channel.deliver(make_notification(incident=nasty))
    await channel.close()
    sent = everything_sent(bench, server)
    for forbidden in ("\x1b", "\\u001b", "\u202e", "\u2028", "\x00", "\\u0000", "\r"):
        assert forbidden not in sent
    assert re.search(r"7(\*|\\+\*|&#42;|∗|\\u2217)7", sent), "what looks like a template in a value is not evaluated"


#: What no far end is sent, however it is written: all that drives a terminal, hides text or turns it round.
UNSEEN = re.compile(rf"[{HIDDEN}]")


def strings(value: Any) -> Iterator[str]:
    """Every text in JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in strings(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in strings(one))


def check_alerts(alerts: Any) -> None:
    """What Alertmanager asks of alerts: labels with names of a known form and values that are not empty."""
    for alert in alerts:
        assert alert["labels"]["alertname"] == "IPsecTunnelDown"
        assert all(re.fullmatch("[a-z_]+", name) for name in (*alert["labels"], *alert["annotations"]))
        assert all(0 < len(text) <= MAX_LABEL and text == text.strip() for text in alert["labels"].values())
        assert alert["startsAt"] <= alert["endsAt"] or alert["endsAt"].startswith("0001-")


def check_console(text: str) -> None:
    """The colour of each first line is ours."""
    coloured = re.findall(r"(?:^|(?<=\n\n))\x1b\[[\d;]+m([^\x1b\n]*)\x1b\[0m\n", text)
    assert text.count("\x1b") == 2 * len(coloured) == 2 * text.count("\n\n")
    assert not UNSEEN.search(re.sub(r"\x1b\[[\d;]+m", "", text))


def check_apprise(body: Any) -> None:
    """A title of one line, a text that every service takes or divides, and nothing in either that any would read as
    more than text: no name, link, emoji, tag or mark."""
    assert "\n" not in body["title"]
    assert len(body["message"]) <= 2000
    shown = re.sub(r"\[TEST\] |\[\w+\](?=\s)", "", body["title"] + "\n" + body["message"])
    shown = re.sub(rf"{re.escape(hostile.PAGE)}|{re.escape(hostile.RUNBOOK)}", "", shown)
    assert not re.search(r"@[^\s\u2060]|://|www\.|[<>\[\]*`~\\]|(?<![^\W_])_|_(?![^\W_])", shown, re.IGNORECASE)


def check_slack(body: Any) -> None:
    """Links are ours, nobody is called, and only commands are code."""
    shown = "\n".join(block["text"]["text"] for block in body.get("blocks", ())) or body["text"]
    shown = re.sub(rf"<(?:{re.escape(hostile.PAGE)}|{re.escape(hostile.RUNBOOK)})\|[^<>|]*>", "·", shown)
    assert not re.search(r"[<>]|@(?:here|channel|everyone)|`", hostile.without_commands(shown))


#: Kinds whose texts no test of their own tries at size, and what is right of one message.
BODIES: dict[str, Callable[[Any], None]] = {
    "alertmanager": check_alerts,
    "webhook": lambda body: check_alerts(body["alerts"]),
    "apprise": check_apprise,
    "slack": check_slack,
}


@pytest.mark.parametrize("kind", [*BODIES, "console"])
async def test_many_hostile_texts_are_sent_clean(kind: str, server: ChatServer) -> None:
    bench = Bench()
    channel = bench.build(kind, server.url, **({"color": True} if kind == "console" else {}))
    for text in hostile.some(hostile.EXAMPLES):
        for told in (hostile.told_of(text), make_notification(incident=make_resolved(title=text, site=text))):
            await channel.deliver(told)
            if isinstance(channel, SpeaksPlain):
                await channel.deliver_plain(told)
    await channel.close()
    await bench.session.close()
    if kind == "console":
        check_console(bench.stdout.getvalue())
    for seen in server.seen:
        BODIES[kind](seen.json)
        assert not any(UNSEEN.search(text.replace("\u2060", "").replace("\n", "")) for text in strings(seen.json))


@pytest.mark.parametrize("kind", MAKERS)
async def test_an_incident_of_any_size_is_told(kind: str, bench: Bench, server: ChatServer) -> None:
    big = "&<é" * 20_000
    giant = make_incident(
        summary=big,
        device=big,
        peer_name=big,
        chain=(big,) * 500,
        actions=(big,) * 500,
        children=tuple(f"child-{n}" for n in range(20_000)),
        cause=Reason(big, meaning=big),
    )
    channel = bench.build(kind, server.url)
    await channel.deliver(make_notification(incident=giant))
    await channel.close()
    sent = everything_sent(bench, server)
    assert len(sent) < 60_000
    assert "…(cut)" in sent


@pytest.mark.parametrize("kind", MAKERS)
async def test_brackets_and_quotes_of_a_device_stay_its_words(kind: str, bench: Bench, server: ChatServer) -> None:
    """A reason that begins like a mark of ours, and a name that would end a text in JSON."""
    odd = make_incident(device='"},{"x', cause=Reason("[3] no proposal chosen"), title="", summary="")
    channel = bench.build(kind, server.url)
    await channel.deliver(make_notification(incident=odd))
    await channel.close()
    bodies = [bench.stdout.getvalue()] if kind in {"console", "email"} else []
    bodies += ["\n".join(strings(seen.json)) for seen in server.seen if kind != "email"]
    said = html.unescape("\n".join(bodies)) if kind != "email" else everything_sent(bench, server)
    assert re.search(r"[\[［]\\?3\\?[\]］] no proposal chosen|no proposal chosen", said)
    assert kind == "email" or re.search(r'"\},\u2060?\{"x', said)


@pytest.mark.parametrize("kind", MAKERS)
async def test_every_field_may_be_missing(kind: str, bench: Bench, server: ChatServer) -> None:
    bare = Incident("id", "device_outage", "open", "info", "FW1", None, None, None, None, None, utc(1), utc(2))
    channel = bench.build(kind, server.url)
    await channel.deliver(make_notification(incident=bare))
    await channel.deliver(make_notification(incident=make_resolved(resolved_at=None, cause=None, summary="")))
    await channel.close()
    assert "FW1" in everything_sent(bench, server)


@pytest.mark.parametrize("kind", TEMPLATED)
async def test_a_template_that_breaks_later_leaves_the_plain_text(
    kind: str, bench: Bench, server: ChatServer, tmp_path: Any
) -> None:
    """It renders the samples, so nothing is wrong at start; then it meets an incident it was not made for."""
    template = tmp_path / "own.j2"
    template.write_text("{{ 1 // (incident.count - 4711) }}")
    channel: Any = bench.build(kind, server.url, template_file=str(template))
    lacking = make_notification(incident=make_incident(count=4711))
    with pytest.raises(DeliveryError) as caught:
        await channel.deliver(lacking)
    assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.RENDER, False)
    await channel.deliver_plain(lacking)
    await channel.close()
    assert "MAJOR: Tunnel to branch-7" in everything_sent(bench, server)


@pytest.mark.parametrize("kind", TEMPLATED)
async def test_what_a_template_prints_letter_by_letter_is_as_harmless_as_in_one_piece(
    kind: str, bench: Bench, tmp_path: Any
) -> None:
    whole, letters, marked = tmp_path / "whole.j2", tmp_path / "letters.j2", tmp_path / "marked.j2"
    whole.write_text("Of {{ incident.device }}: {{ actions }}")
    letters.write_text("Of {% for c in incident.device %}{{ c }}{{ '' }}{% endfor %}: {{ actions }}")
    marked.write_text("Of {% for c in incident.device %}{{ b(c) }}{% endfor %}: {{ actions }}")
    ways: list[Any] = [
        bench.build(kind, "http://127.0.0.1:9", template_file=str(way)) for way in (whole, letters, marked)
    ]
    for text in hostile.some(hostile.EXAMPLES):
        first, second, third = (way.text(make_notification(incident=make_incident(device=text))) for way in ways)
        assert first == second
        assert third == first or type(ways[0]).markup.bold != ("", "")


@pytest.mark.parametrize("kind", TEMPLATED)
@pytest.mark.parametrize("source", ["{{ nonsense }}", "{% if %}", "{{ incident.__class__ }}", "{{ 1/0 }}"])
async def test_a_template_that_cannot_work_is_a_configuration_error(
    kind: str, source: str, bench: Bench, tmp_path: Any
) -> None:
    template = tmp_path / "own.j2"
    template.write_text(source)
    with pytest.raises(ConfigError, match=r"channels\.ops\.template_file: "):
        bench.build(kind, "http://127.0.0.1:9", template_file=str(template))


@pytest.mark.parametrize("kind", HTTP)
async def test_a_far_end_that_never_answers_does_not_hold_up_the_loop(
    kind: str, hasty: Bench, server: ChatServer
) -> None:
    server.then(hang)
    ticks = 0
    task = asyncio.create_task(failure(hasty.build(kind, server.url)))
    while not task.done():
        ticks += 1
        await asyncio.sleep(0.01)
    await task
    assert ticks > 3  # dozens on an idle machine; two where the loop waits as well


@pytest.mark.parametrize("kind", TEMPLATED)
async def test_the_address_of_a_link_in_an_own_template_calls_nobody_and_ends_nothing(
    kind: str, bench: Bench, tmp_path: Any
) -> None:
    own = tmp_path / "own.j2"
    own.write_text('{{ link("search", "https://[2001:db8::1]/a_b?q=" ~ incident.device) }}, {{ actions }}')
    channel: Any = bench.build(kind, "http://127.0.0.1:9", template_file=str(own))
    told = channel.text(
        make_notification(incident=make_incident(device="@everyone <!channel> <@U1> *a* [b](c) x|y end"))
    )
    found = re.search(r"https://\[2001:db8::1\]/\S*?end", told)
    assert found is not None
    assert not re.search(r"""[@<>|*"'`()]|\[b""", found[0]), found[0]
    own.write_text('{{ link("call", incident.device) }}, {{ actions }}')
    channel = bench.build(kind, "http://127.0.0.1:9", template_file=str(own))
    told = channel.text(make_notification(incident=make_incident(device="tel:@everyone")))
    assert kind in ("console", "email") or "@everyone" not in told
