"""Mattermost's own ways: errors in JSON, Slack's mentions besides its own, one attachment."""

import re
from functools import cache
from typing import Any

import pytest
from chat_server import ChatServer, answer
from hostile import PAGE, RUNBOOK, TRIED, texts, told_of, without_commands
from hypothesis import given
from notify_fakes import make_notification

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify import mattermost
from eventd.notify.endpoint import Endpoint
from eventd.notify.session import Answer, Session

HERE = Endpoint("https://chat.example/hooks/xyzzy-secret")


def said(ident: str, status: int) -> str:
    return f'{{"id":"{ident}","message":"no","detailed_error":"","status_code":{status}}}'


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (400, said("web.incoming_webhook.invalid.app_error", 400), DeliveryFailure.REFUSED, True),
        (400, said("web.incoming_webhook.parse.app_error", 400), DeliveryFailure.RENDER, False),
        (400, said("web.incoming_webhook.text.app_error", 400), DeliveryFailure.RENDER, False),
        (400, said("web.incoming_webhook.split_props_length.app_error", 400), DeliveryFailure.TOO_LARGE, False),
        (403, said("web.incoming_webhook.permissions.app_error", 403), DeliveryFailure.REFUSED, True),
        (404, said("web.incoming_webhook.channel.app_error", 404), DeliveryFailure.REFUSED, True),
        (429, "limit exceeded", DeliveryFailure.RATE_LIMITED, True),
        (500, said("api.post.create_webhook_post.creating.app_error", 500), DeliveryFailure.SERVER_ERROR, True),
        (501, said("web.incoming_webhook.disabled.app_error", 501), DeliveryFailure.REFUSED, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "", DeliveryFailure.SERVER_ERROR, True),
    ],
)
def test_what_an_answer_means(status: int, body: str, reason: DeliveryFailure, retryable: bool) -> None:
    error = mattermost.judge(Answer(status, body), HERE)
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


def test_taken_is_what_says_ok() -> None:
    assert mattermost.judge(Answer(200, "ok"), HERE) is None


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("dpd timeout", "dpd timeout"),
        ("<!channel> <https://evil|bank>", "&lt;\\!channel&gt; &lt;https:\u2060//evil\\|bank&gt;"),
        ("@channel @bob ops@evil.example", "@\u2060channel @\u2060bob ops@\u2060evil.example"),
        ("www.evil.example", "www\u2060.evil.example"),
        ("`x` [a](b)", r"'x' \[a\]\(b\)"),
        ("# x #tag", r"\# x \#tag"),
    ],
)
def test_markup_from_the_wire_is_taken_off(wire: str, shown: str) -> None:
    assert mattermost.escape(wire) == shown


@cache
def nowhere() -> Any:
    return mattermost.NOTIFIER.build("ops", mattermost.Settings(url="http://127.0.0.1:9/x"), Session())


#: What the server looks for before anything is Markdown, wherever it stands: Slack's links and mentions.
SLACK = re.compile(r"<[^\n<>]+>")


@TRIED
@given(texts)
def test_nothing_from_the_wire_is_markup_a_link_or_a_mention(text: str) -> None:
    told = told_of(text)
    (attachment,) = nowhere().message(nowhere().card(told, nowhere().body(told)))["attachments"]
    body = attachment["text"]
    assert len(body) <= mattermost.MAX_POST
    assert not SLACK.search(body)
    assert not re.search(r"@[^\s\u2060]|www\.", body, re.IGNORECASE), "nor in code"
    shown = re.sub(r"\\[!-/:-@\[-`{-~]", "·", without_commands(body))
    shown = re.sub(r"\*\*(.*?)\*\*", r"\1", shown)
    for ours in (PAGE, RUNBOOK):
        shown = shown.replace(f"]({ours})", "").replace("[", "", 1)
    assert not re.search(r"@[^\s\u2060]|:/|www\.|[*_~`|<>\[\]]", shown.replace("\n- ", "\n"), re.IGNORECASE)
    assert not re.search(r"@[^\s\u2060]|:/|www\.|[<>]", attachment["fallback"], re.IGNORECASE)


async def test_the_fallback_is_a_post_without_attachments() -> None:
    async with ChatServer() as server:
        session = Session()
        channel: Any = mattermost.NOTIFIER.build("ops", mattermost.Settings(url=server.url + "/hooks/x"), session)
        server.then(answer(400, said("web.incoming_webhook.parse.app_error", 400)))
        with pytest.raises(DeliveryError, match="render"):
            await channel.deliver(make_notification())
        assert await channel.deliver_plain(told_of("@channel *x*")) is None
        await session.close()
    first, second = (seen.json for seen in server.seen)
    assert first.keys() == {"attachments"}
    assert second.keys() == {"text"}
    assert "@\u2060channel \\*x\\*" in second["text"]
