"""WeCom's own ways: three colours, two limits, the codes."""

import re
from typing import Any

import pytest
from chat_server import ChatServer, answer
from hostile import digest_of
from notify_fakes import make_incident, make_notification, make_resolved

from eventd.errors import DeliveryFailure
from eventd.notify import wecom
from eventd.notify.session import Answer, Session


def robot(**keys: Any) -> Any:
    return wecom.NOTIFIER.build("ops", wecom.Settings(url="http://127.0.0.1:9/x", **keys), Session())


def content_of(channel: Any, incident: Any) -> str:
    told = make_notification(incident=incident)
    message = channel.message(channel.card(told, channel.body(told)))
    assert message["msgtype"] == "markdown"
    return str(message["markdown"]["content"])


@pytest.mark.parametrize(
    ("incident", "colour", "state"),
    [
        (make_incident(severity="critical"), "warning", "CRITICAL"),
        (make_incident(severity="major"), "warning", "MAJOR"),
        (make_incident(severity="info"), "comment", "INFO"),
        (make_resolved(), "info", "RESOLVED"),
    ],
)
def test_the_first_line_has_the_colour(incident: Any, colour: str, state: str) -> None:
    first, *rest = content_of(robot(), incident).splitlines()
    assert first.startswith(f'<font color="{colour}">**{state} Tunnel to branch-7')
    assert first.endswith("**</font>")
    assert "<" not in "".join(rest)


@pytest.mark.parametrize(
    ("body", "reason", "retryable", "wait"),
    [
        ('{"errcode":-1,"errmsg":"system busy"}', DeliveryFailure.SERVER_ERROR, True, None),
        ('{"errcode":45009,"errmsg":"api freq out of limit"}', DeliveryFailure.RATE_LIMITED, True, 60.0),
        ('{"errcode":45033,"errmsg":"x"}', DeliveryFailure.RATE_LIMITED, True, None),
        ('{"errcode":93000,"errmsg":"invalid webhook url"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":40008,"errmsg":"invalid message type"}', DeliveryFailure.RENDER, False, None),
        ('{"errcode":40058,"errmsg":"invalid Request Parameter"}', DeliveryFailure.RENDER, False, None),
        (
            '{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}',
            DeliveryFailure.TOO_LARGE,
            False,
            None,
        ),
        ('{"errcode":44004,"errmsg":"empty content"}', DeliveryFailure.RENDER, False, None),
        ('{"errcode":45002,"errmsg":"content size out of limit"}', DeliveryFailure.TOO_LARGE, False, None),
    ],
)
def test_a_code_under_200_is_a_verdict(body: str, reason: DeliveryFailure, retryable: bool, wait: float | None) -> None:
    error = robot().judge(Answer(200, body))
    assert (error.reason, error.retryable, error.retry_after_s) == (reason, retryable, wait)


def test_there_is_neither_secret_nor_keyword() -> None:
    assert not {"secret", "keyword"} & set(wecom.Settings.__struct_fields__)


async def test_everybody_is_called_by_plain_text_when_something_critical_opens_and_only_then() -> None:
    async with ChatServer() as server:
        server.always = answer(200, '{"errcode":0,"errmsg":"ok"}')
        session = Session()
        settings = wecom.Settings(url=server.url + "/cgi-bin/webhook/send?key=k", mention=("all", "wang"))
        ops: Any = wecom.NOTIFIER.build("ops", settings, session)
        for told in (
            make_notification(incident=make_incident(severity="critical")),
            make_notification(incident=make_incident(severity="major")),
            make_notification(incident=make_resolved(severity="critical")),
        ):
            await ops.deliver(told)
        await session.close()
    called, *others = (seen.json for seen in server.seen)
    assert called["msgtype"] == "text"
    assert called["text"]["mentioned_list"] == ["@all"]
    assert called["text"]["content"].endswith("\n<@wang>")
    assert len(called["text"]["content"].encode()) <= wecom.MAX_TEXT
    assert [one["msgtype"] for one in others] == ["markdown"] * 2
    assert "all" not in re.findall("<@([a-z]+)>", str(others))


def test_plain_text_keeps_the_headlines_for_which_there_is_room() -> None:
    """Whoever calls everybody is told in plain text, of a digest too."""
    title = f"HUB-A: 8 peers on {'GigabitEthernet0/0/1'} lost together: dpd timeout, since 14:19 UTC"
    assert title in robot().plain_body(digest_of(2, title))


def test_calls_are_in_the_text() -> None:
    assert content_of(robot(mention=["wang", "li"]), make_incident(severity="critical")).endswith("\n<@wang><@li>")
