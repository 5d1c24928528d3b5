"""Discord's own ways: embeds, nobody mentioned, waits in the body, the first message turned green."""

import re
from functools import cache
from typing import Any

import pytest
from chat_server import ChatServer, answer, close_before_answer
from hostile import PAGE, RUNBOOK, TRIED, digest_of, over, texts, told_of, without_commands
from hypothesis import example, given
from notify_fakes import make_incident, make_notification

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify import discord
from eventd.notify.chat import COLOURS
from eventd.notify.endpoint import Endpoint
from eventd.notify.fit import fit
from eventd.notify.render import plain
from eventd.notify.session import Answer, Session

HERE = Endpoint("https://discord.com/api/webhooks/1/secret-token")
TAKEN = '{"id":"1100000000000000001","type":0}'


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (400, '{"message":"Invalid Form Body","code":50035,"errors":{}}', DeliveryFailure.RENDER, False),
        (400, '{"message":"Cannot send an empty message","code":50006}', DeliveryFailure.RENDER, False),
        (400, '{"message":"strange","code":1}', DeliveryFailure.REFUSED, False),
        (401, '{"message":"Invalid Webhook Token","code":50027}', DeliveryFailure.REFUSED, True),
        (403, '{"message":"Missing Permissions","code":50013}', DeliveryFailure.REFUSED, True),
        (404, '{"message":"Unknown Webhook","code":10015}', DeliveryFailure.REFUSED, True),
        (429, '{"message":"rate limited","retry_after":0.6,"global":false}', DeliveryFailure.RATE_LIMITED, True),
        (429, "error code: 1015", DeliveryFailure.RATE_LIMITED, True),
        (500, "", DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "", DeliveryFailure.SERVER_ERROR, True),
    ],
)
def test_what_an_answer_means(status: int, body: str, reason: DeliveryFailure, retryable: bool) -> None:
    error = discord.judge(Answer(status, body), HERE)
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


@pytest.mark.parametrize(("status", "body"), [(200, TAKEN), (204, "")])
def test_taken(status: int, body: str) -> None:
    assert discord.judge(Answer(status, body), HERE) is None


@pytest.mark.parametrize(
    ("body", "header", "waits"),
    [('{"retry_after":0.65,"global":true}', 1.0, 0.65), ('{"retry_after":"x"}', 1.0, None), ("1015", 9.0, 9.0)],
)
def test_the_wait_of_the_body_goes_before_that_of_the_header(body: str, header: float, waits: float | None) -> None:
    error = discord.judge(Answer(429, body, header), HERE)
    assert error is not None
    assert error.retry_after_s == waits


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("dpd timeout", "dpd timeout"),
        ("GE0/0/1_a*b*", r"GE0/0/1\_a\*b\*"),
        ("@everyone <@1>", "@\u2060everyone \\<@\u20601\\>"),
        ("https://evil", "https:\u2060//evil"),
        ("[x](y)", r"\[x\]\(y\)"),
        ("- x", "\u2060- x"),
        ("1. x", "\u20601. x"),
        ("10.0.0.1 x", "10.0.0.1 x"),
        ("x@", "x@\u2060"),
        ("\\*", r"\\\*"),
    ],
)
def test_markup_from_the_wire_is_taken_off(wire: str, shown: str) -> None:
    assert discord.escape(wire) == shown


@cache
def nowhere() -> Any:
    return discord.NOTIFIER.build("ops", discord.Settings(url="http://127.0.0.1:9/x"), Session())


def left_of(text: str) -> str:
    """What Discord would read as markup: without code of commands, escaped characters, our bold and our links."""
    text = re.sub(r"\\[\W_]", "·", without_commands(text))  # something stands there: nothing comes together
    return re.sub(r"\*\*(.*?)\*\*", r"\1", text)


@TRIED
@given(texts)
@example("@`code`")
def test_nothing_from_the_wire_is_markup_a_link_or_a_mention(text: str) -> None:
    told = told_of(text)
    message = nowhere().message(nowhere().card(told, nowhere().body(told)))
    assert message["allowed_mentions"] == {"parse": []}
    embed = message["embeds"][0]
    assert len(embed["title"]) <= discord.MAX_TITLE
    assert len(embed["description"]) <= discord.MAX_DESCRIPTION
    shown = left_of(embed["title"]) + "\n" + left_of(embed["description"])
    for ours in (PAGE, RUNBOOK):
        shown = shown.replace(f"]({ours})", "").replace("[", "", 1)
    assert not re.search(r"@[^\s\u2060]|:/|[*_~`|<>\[\]#]|^\s*(?:[-+=](?! \u2060?)|>)", shown.replace("\n- ", "\n"))


@TRIED
@given(texts)
def test_neither_in_the_fallback(text: str) -> None:
    card = nowhere().card(told_of(text), type(nowhere()).harmless(plain(told_of(text))), bare=True)
    message = nowhere().message(card)
    assert message["allowed_mentions"] == {"parse": []}
    shown = message.get("content") or message["embeds"][0]["description"]
    assert not re.search(r"@[^\s\u2060]|:/|[*_~`|<>\[\]#]", re.sub(r"\\[\W_]", "·", shown))


def test_a_title_of_any_length_fits() -> None:
    told = make_notification(incident=make_incident(title="*" * 120))
    message = nowhere().message(nowhere().card(told, "x"))
    assert len(message["embeds"][0]["title"]) <= 256


def test_what_an_escaped_bracket_begins_is_no_tag_to_cut_off() -> None:
    assert fit("\\<" + "x" * 300, 256).startswith("\\<xxx")


def test_plain_text_beyond_a_content_is_an_embed() -> None:
    for length, key in ((2000, "content"), (2001, "embeds")):
        message = nowhere().message(nowhere().card(make_notification(), "x" * length, bare=True))
        assert key in message
    assert len(message["embeds"][0]["description"]) == 2001


def test_the_pace_is_that_of_a_channel() -> None:
    assert nowhere().pace.apart_s == 1.0
    with pytest.raises(ValueError, match="which is 30"):
        discord.Settings(url="https://x/y", max_per_minute=31)


async def deliver(server: ChatServer, *told: Any) -> tuple[list[str | None], list[str]]:
    """The receipts, and what was noted on the way."""
    session, notes = Session(), list[str]()
    session.failures.note = lambda _channel, error, **about: notes.append(f"{about} {error}")  # type: ignore[method-assign]
    channel: Any = discord.NOTIFIER.build(
        "ops", discord.Settings(url=server.url + "/webhooks/1/tok?thread_id=9"), session
    )
    server.always = answer(200, TAKEN)
    receipts = [await channel.deliver(one) for one in told]
    await session.close()
    return receipts, notes


async def test_an_end_is_a_new_message_and_turns_the_first_one_green() -> None:
    async with ChatServer() as server:
        receipts, notes = await deliver(server, make_notification(), over("1100000000000000001"))
    assert receipts == ["1100000000000000001"] * 2
    assert [(seen.method, seen.path) for seen in server.seen] == [
        ("POST", "/webhooks/1/tok?thread_id=9&wait=true"),
        ("POST", "/webhooks/1/tok?thread_id=9&wait=true"),
        ("PATCH", "/webhooks/1/tok/messages/1100000000000000001?thread_id=9"),
    ]
    opened, ended, edited = (seen.json["embeds"][0] for seen in server.seen)
    assert opened["color"] == COLOURS["major"]
    assert edited == ended
    assert edited["color"] == COLOURS["resolved"]
    assert edited["title"].startswith("RESOLVED")
    assert not notes


@pytest.mark.parametrize("behaviour", [answer(404, '{"code":10008}'), answer(429, ""), close_before_answer])
async def test_an_edit_that_fails_costs_nothing(behaviour: Any) -> None:
    async with ChatServer() as server:
        server.then(answer(200, TAKEN), behaviour)
        receipts, notes = await deliver(server, over("42"))
    assert receipts == ["1100000000000000001"]
    assert len(notes) == 1
    assert "edit of the first message" in notes[0]


async def test_an_update_edits_nothing_and_neither_does_an_end_without_a_first_message() -> None:
    async with ChatServer() as server:
        await deliver(server, make_notification(what="updated", thread="42"), over(None), over("../../x"))
    assert [seen.method for seen in server.seen] == ["POST"] * 3


async def test_an_end_that_is_refused_edits_nothing() -> None:
    async with ChatServer() as server:
        server.then(answer(400, '{"code":50035}'))
        with pytest.raises(DeliveryError, match="render"):
            await deliver(server, over("42"))
    assert [seen.method for seen in server.seen] == ["POST"]


async def test_a_digest_is_nobodys_first_message() -> None:
    async with ChatServer() as server:
        receipts, _ = await deliver(server, digest_of(2))
    assert receipts == [None]
