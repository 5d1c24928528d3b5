"""Slack's own ways: words instead of statuses, markup, limits."""

from functools import cache
from typing import Any

import pytest
from chat_server import ChatServer, answer, echo, huge
from examples import some
from hostile import over
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_incident, make_notification

from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
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
        (400, "user_not_found", DeliveryFailure.REFUSED, True),
        (403, "action_prohibited", DeliveryFailure.REFUSED, True),
        (404, "channel_not_found", DeliveryFailure.REFUSED, True),
        (404, "no_service", DeliveryFailure.REFUSED, True),
        (410, "channel_is_archived", DeliveryFailure.REFUSED, True),
        (500, "rollup_error", DeliveryFailure.SERVER_ERROR, True),
        (200, "no_service", DeliveryFailure.REFUSED, True),
        (200, "invalid_payload", DeliveryFailure.RENDER, False),
        (200, '{"ok":false,"error":"ratelimited"}', DeliveryFailure.RATE_LIMITED, True),
        (200, '{"ok":false,"error":"strange"}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"success":false}', DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "", DeliveryFailure.SERVER_ERROR, True),
        (200, "[1]", DeliveryFailure.SERVER_ERROR, True),
        (200, '{"ok":false,"error":"not_in_channel"}', DeliveryFailure.REFUSED, True),
        (200, '{"ok":false,"error":"invalid_auth"}', DeliveryFailure.REFUSED, True),
        (200, '{"ok":false,"error":"is_archived"}', DeliveryFailure.REFUSED, True),
        (200, '{"ok":false,"error":"missing_scope","needed":"chat:write"}', DeliveryFailure.REFUSED, True),
        (200, '{"ok":false,"error":"msg_too_long"}', DeliveryFailure.TOO_LARGE, False),
        (200, '{"ok":false,"error":"invalid_blocks"}', DeliveryFailure.RENDER, False),
        (200, '{"ok":false,"error":"fatal_error"}', DeliveryFailure.SERVER_ERROR, True),
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
        ("<@U123> & co", "&lt;@\u2060U123&gt; &amp; co"),
        ("<https://evil|bank>", "&lt;https:\u2060//evil|bank&gt;"),
        ("`x`", "'x'"),
        ("@here @Everyone @channel", "@\u2060here @\u2060Everyone @\u2060channel"),
        ("ops@heron.example", "ops@\u2060heron.example"),
        ("*b* _i_ ~s~ a_b", "∗b∗ ＿i＿ ～s～ a_b"),
        (":fire: :bee:", ":\u2060fire: :\u2060bee:"),
        ("22:13:00 fe80::bee:1 00:11:22:aa:bb:cc", "22:13:00 fe80::bee:1 00:11:22:aa:bb:cc"),
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


@given(st.text(alphabet="a&<\n é…", max_size=400), st.integers(1, 120))
def test_any_text_fits_the_limits(text: str, times: int) -> None:
    sections = blocks_of("\n".join(map(slack.escape, (text * times).split("\n"))))
    assert len(sections) <= slack.MAX_BLOCKS
    assert all(0 < len(section) <= slack.MAX_SECTION for section in sections)
    assert sum(map(len, sections)) <= slack.MAX_TOTAL


@some(20)
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


# --- a bot ---------------------------------------------------------------------------------------------------------


SAID = '{"ok":true,"channel":"C1","ts":"1700000000.000100","message":{}}'


async def told_by_bot(server: ChatServer, *told: Any) -> list[str | None]:
    session = Session()
    keys = slack.Settings(token="xoxb-very-secret", channel="C1", api_url=server.url + "/api/")
    channel: Any = slack.NOTIFIER.build("ops", keys, session)
    server.always = answer(200, SAID)
    try:
        return [await channel.deliver(one) for one in told]
    finally:
        await session.close()


async def test_a_bot_begins_a_thread_and_shows_its_end_in_the_channel_too() -> None:
    async with ChatServer() as server:
        first = make_notification()
        update = make_notification(what="updated", thread="C1/1700000000.000100")
        receipts = await told_by_bot(server, first, update, over("C1/1700000000.000100"))
    assert receipts == ["C1/1700000000.000100"] * 3
    assert {seen.path for seen in server.seen} == {"/api/chat.postMessage"}
    assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer xoxb-very-secret"}
    opened, updated, ended = (seen.json for seen in server.seen)
    assert opened["channel"] == "C1"
    assert "thread_ts" not in opened
    assert updated["thread_ts"] == ended["thread_ts"] == "1700000000.000100"
    assert "reply_broadcast" not in updated
    assert ended["reply_broadcast"] is True


async def test_the_thread_of_another_channel_is_none() -> None:
    async with ChatServer() as server:
        await told_by_bot(server, over("C2/1700000000.000100"), over("strange"))
    assert not any("thread_ts" in seen.json for seen in server.seen)


async def test_a_thread_that_is_gone_does_not_keep_the_message_back() -> None:
    async with ChatServer() as server:
        server.then(answer(200, '{"ok":false,"error":"thread_not_found"}'))
        assert await told_by_bot(server, over("C1/1.2")) == ["C1/1700000000.000100"]
    assert ["thread_ts" in seen.json for seen in server.seen] == [True, False]


async def test_the_token_of_a_bot_is_in_no_error() -> None:
    async with ChatServer() as server:
        server.then(echo(500))
        with pytest.raises(DeliveryError) as caught:
            await told_by_bot(server, make_notification())
    assert "xoxb" not in str(caught.value)
    assert "***" in str(caught.value)


async def test_a_webhook_has_no_threads() -> None:
    async with ChatServer() as server:
        session = Session()
        channel: Any = slack.NOTIFIER.build("ops", slack.Settings(url=server.url + "/x"), session)
        assert await channel.deliver(over("C1/1.2")) is None
        await session.close()
    assert "thread_ts" not in server.seen[0].json


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, "url: is missing"),
        ({"token": "x"}, "channel: is missing"),
        ({"token": "x", "channel": "C1", "url_env": "U"}, "token: and url exclude each other"),
        ({"url": "https://x/y", "channel": "C1"}, "channel: is for a bot"),
        ({"token": "x", "token_file": "y", "channel": "C1"}, "token: is given more than once"),
    ],
)
def test_it_is_a_webhook_or_a_bot(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        slack.Settings(**keys)


def test_a_token_that_no_header_takes_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="token: holds characters"):
        slack.NOTIFIER.build("ops", slack.Settings(token="a b", channel="C1"), Session())
