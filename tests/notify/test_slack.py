"""Slack's own ways: words instead of statuses, markup, limits."""

from functools import cache
from typing import Any

import pytest
from chat_server import ChatServer, answer, huge
from hypothesis import given, settings
from hypothesis import strategies as st
from notify_fakes import make_incident, make_notification

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify import slack
from eventd.notify.chat import Card
from eventd.notify.endpoint import Endpoint
from eventd.notify.session import Answer, Session

HERE = Endpoint("https://hooks.slack.com/services/T000/B000/xyzzy123")


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (400, "invalid_payload", DeliveryFailure.RENDER, False),
        (400, "invalid_blocks", DeliveryFailure.RENDER, False),
        (400, "no_text", DeliveryFailure.RENDER, False),
        (400, "msg_too_long", DeliveryFailure.TOO_LARGE, False),
        (400, "user_not_found", DeliveryFailure.REFUSED, False),
        (403, "action_prohibited", DeliveryFailure.REFUSED, False),
        (404, "channel_not_found", DeliveryFailure.REFUSED, False),
        (404, "no_service", DeliveryFailure.REFUSED, False),
        (410, "channel_is_archived", DeliveryFailure.REFUSED, False),
        (500, "rollup_error", DeliveryFailure.SERVER_ERROR, True),
        (200, "no_service", DeliveryFailure.REFUSED, False),
        (200, "invalid_payload", DeliveryFailure.RENDER, False),
        (200, '{"ok":false,"error":"ratelimited"}', DeliveryFailure.RATE_LIMITED, True),
        (200, '{"ok":false,"error":"strange"}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"success":false}', DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "", DeliveryFailure.SERVER_ERROR, True),
        (200, "[1]", DeliveryFailure.SERVER_ERROR, True),
    ],
)
def test_the_body_is_believed_before_the_status(
    status: int, body: str, reason: DeliveryFailure, retryable: bool
) -> None:
    error = slack.judge(Answer(status, body), HERE)
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


@pytest.mark.parametrize("body", ["ok", "ok\n", '{"ok":true}', '{"success":true}'])
def test_taken_is_what_says_ok(body: str) -> None:
    assert slack.judge(Answer(200, body), HERE) is None


async def test_an_endless_200_is_a_failure() -> None:
    async with ChatServer() as server:
        session = Session()
        server.then(huge())
        channel = slack.NOTIFIER.build("ops", slack.Settings(url=server.url + "/x"), session)
        with pytest.raises(DeliveryError, match="server_error"):
            await channel.deliver(make_notification())
        await session.close()


async def test_the_fallback_has_neither_blocks_nor_markup() -> None:
    async with ChatServer() as server:
        session = Session()
        channel: Any = slack.NOTIFIER.build("ops", slack.Settings(url=server.url + "/x"), session)
        server.then(answer(400, "invalid_blocks"))
        with pytest.raises(DeliveryError):
            await channel.deliver(make_notification())
        await channel.deliver_plain(make_notification())
        await session.close()
    first, second = (seen.json for seen in server.seen)
    assert "blocks" in first
    assert second.keys() == {"text", "mrkdwn"}
    assert "branch-7" in second["text"]


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("<@U123> & co", "&lt;@U123&gt; &amp; co"),
        ("<https://evil|bank>", "&lt;https://evil|bank&gt;"),
        ("`x`", "'x'"),
        ("@here @Everyone @channel", "@\u2060here @\u2060Everyone @\u2060channel"),
        ("ops@heron.example", "ops@heron.example"),
    ],
)
def test_markup_from_the_wire_is_taken_off(wire: str, shown: str) -> None:
    assert slack.escape(wire) == shown


@cache
def nowhere() -> Any:
    return slack.NOTIFIER.build("ops", slack.Settings(url="http://127.0.0.1:9/x"), Session())


def blocks_of(text: str) -> list[str]:
    message = nowhere().message(Card("id", "title", text, "major", None, None))
    assert all(block["text"]["verbatim"] for block in message["blocks"])
    return [block["text"]["text"] for block in message["blocks"]]


@settings(deadline=None)
@given(st.text(alphabet="a&<\n é…", max_size=400), st.integers(1, 120))
def test_any_text_fits_the_limits(text: str, times: int) -> None:
    sections = blocks_of("\n".join(map(slack.escape, (text * times).split("\n"))))
    assert len(sections) <= slack.MAX_BLOCKS
    assert all(0 < len(section) <= slack.MAX_SECTION for section in sections)
    assert sum(map(len, sections)) <= slack.MAX_TOTAL


@settings(deadline=None)
@given(st.text(alphabet="a&<>", min_size=2900, max_size=3300))
def test_a_cut_never_leaves_half_an_entity(text: str) -> None:
    for section in blocks_of(slack.escape(text)):
        rest = section.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").removesuffix("…(cut)")
        assert "&" not in rest


def test_short_text_is_kept_whole() -> None:
    assert blocks_of("a\nb\n\nc") == ["a\nb", "c"]


def test_a_late_message_says_so() -> None:
    late = make_notification(incident=make_incident(late_s=3700.0))
    session = Session()
    channel: Any = slack.NOTIFIER.build("ops", slack.Settings(url="http://127.0.0.1:9/x"), session)
    assert "this message is 1h 1m late" in channel.body(late)
