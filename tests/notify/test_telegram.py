"""Telegram's own ways: HTML, what it would make links of by itself, answers to the first message, groups that move."""

import html
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from chat_server import ChatServer, answer
from hostile import PAGE, RUNBOOK, TRIED, incident_of, over, texts, told_of
from hypothesis import given
from notify_fakes import make_notification

from eventd.contract import Pace
from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.notify import telegram
from eventd.notify.endpoint import Endpoint
from eventd.notify.session import Answer, Session

HERE = Endpoint("https://api.telegram.org/bot123456:ABC-secret")
TAKEN = '{"ok":true,"result":{"message_id":42,"chat":{"id":-100}}}'


def said(code: int, description: str, parameters: str = "{}") -> str:
    return f'{{"ok":false,"error_code":{code},"description":"{description}","parameters":{parameters}}}'


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (400, said(400, "Bad Request: can't parse entities: Unclosed start tag"), DeliveryFailure.RENDER, False),
        (400, said(400, "Bad Request: message text is empty"), DeliveryFailure.RENDER, False),
        (400, said(400, "Bad Request: ENTITIES_TOO_LONG"), DeliveryFailure.RENDER, False),
        (400, said(400, "Bad Request: message is too long"), DeliveryFailure.TOO_LARGE, False),
        (400, said(400, "Bad Request: chat not found"), DeliveryFailure.REFUSED, True),
        (400, said(400, "Bad Request: message thread not found"), DeliveryFailure.REFUSED, True),
        (401, said(401, "Unauthorized"), DeliveryFailure.REFUSED, True),
        (403, said(403, "Forbidden: bot was kicked from the supergroup chat"), DeliveryFailure.REFUSED, True),
        (403, said(403, "Forbidden: bot was blocked by the user"), DeliveryFailure.REFUSED, True),
        (404, said(404, "Not Found"), DeliveryFailure.REFUSED, True),
        (429, said(429, "Too Many Requests: retry after 7"), DeliveryFailure.RATE_LIMITED, True),
        (500, said(500, "Internal Server Error"), DeliveryFailure.SERVER_ERROR, True),
        (502, "<html>Bad Gateway</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, said(400, "strange"), DeliveryFailure.SERVER_ERROR, True),
        (200, "[1]", DeliveryFailure.SERVER_ERROR, True),
    ],
)
def test_what_an_answer_means(status: int, body: str, reason: DeliveryFailure, retryable: bool) -> None:
    error = telegram.judge(Answer(status, body), HERE)
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


def test_taken_is_what_says_ok() -> None:
    assert telegram.judge(Answer(200, TAKEN), HERE) is None


@pytest.mark.parametrize(("asked", "waits"), [("17", 17.0), ("0", 0.0), ("99999", 3600.0), ('"soon"', None)])
def test_the_wait_stands_in_the_body(asked: str, waits: float | None) -> None:
    error = telegram.judge(Answer(429, said(429, "Too Many", f'{{"retry_after":{asked}}}'), 3.0), HERE)
    assert error is not None
    assert error.retry_after_s == waits


def test_without_it_the_header_counts() -> None:
    error = telegram.judge(Answer(429, "", 3.0), HERE)
    assert error is not None
    assert error.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("dpd timeout", "dpd timeout"),
        ("GigabitEthernet0/0/1 203.0.113.0/24", "GigabitEthernet0/0/1 203.0.113.0/24"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("ask @bob now", "ask <code>@bob</code> now"),
        ("to fw1.example.net and <t.me/evil>", "to <code>fw1.example.net and &lt;t.me/evil&gt;</code>"),
        ("tg://user?id=1", "<code>tg://user?id=1</code>"),
        ("run /reboot", "run <code>/reboot</code>"),
        ("call +15551234567", "call <code>+15551234567</code>"),
    ],
)
def test_what_telegram_would_link_by_itself_is_code(wire: str, shown: str) -> None:
    assert telegram.escape(wire) == shown


class Read(HTMLParser):
    """Which text stands in which tags, read by rules other than the channel's own."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.loose, self.links = "", list[str]()
        assert "<" not in re.sub(r'</?(?:b|code|a)(?: href="[^"<>]*")?>', "", text), "no half tag, no raw bracket"
        self.feed(text)
        self.close()
        assert not self.open, "left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "a", "code"}
        self.open.append(tag)
        self.links += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.loose += data if not {"a", "code"} & set(self.open) else "\n"


@cache
def nowhere() -> Any:
    return telegram.NOTIFIER.build("ops", telegram.Settings(token="1:A", chat_id=-1), Session())


@TRIED
@given(texts)
def test_nothing_from_the_wire_is_a_link_a_mention_or_a_command(text: str) -> None:
    found = Read(nowhere().body(told_of(text)))
    assert set(found.links) <= {PAGE, RUNBOOK}
    assert not re.search(r"@\w|://|www\.|t\.me|\.example|(?<![\w/])/\w|(?<!\w)#\w|\+1555", found.loose, re.IGNORECASE)


@TRIED
@given(texts)
def test_wherever_it_is_cut_the_html_is_whole(text: str) -> None:
    long = incident_of(text, chain=((text * 20)[:700],) * 12, actions=((text * 20)[:700],) * 8)
    body = nowhere().body(make_notification(incident=long))
    assert telegram.visible(body) <= telegram.MAX_TEXT
    Read(body)


@pytest.mark.parametrize(
    "template",
    [
        "{{ b('x' * 9000) }}",
        "{{ link('x' * 5000, 'https://e.example/') }}",
        "{{ 'x' * 4060 }} {{ link('y' * 90, 'https://e.example/' ~ 'z' * 90) }}",
    ],
)
def test_a_cut_within_a_tag_is_mended(template: str, tmp_path: Any) -> None:
    (tmp_path / "own.j2").write_text(template)
    session = Session(base=tmp_path)
    channel: Any = telegram.NOTIFIER.build(
        "ops", telegram.Settings(token="1:A", chat_id=-1, template_file="own.j2"), session
    )
    body = channel.body(make_notification())
    assert telegram.visible(body) <= telegram.MAX_TEXT
    Read(body)


@pytest.mark.parametrize(
    ("text", "length"), [("a&amp;b", 3), ("<b>x</b> &lt;", 3), ('<a href="https://x/y">z</a>', 1), ("\U0001f525", 1)]
)
def test_what_counts_is_what_is_left_after_parsing(text: str, length: int) -> None:
    assert telegram.visible(text) == length


def test_a_message_of_exactly_the_limit_is_sent_whole() -> None:
    line = "&amp;" * telegram.MAX_TEXT
    assert telegram.visible(line) == telegram.MAX_TEXT
    assert html.unescape(line) == "&" * telegram.MAX_TEXT


def test_the_pace_is_that_of_a_group() -> None:
    assert nowhere().pace == Pace(10, 1.0)
    with pytest.raises(ValueError, match="max_per_minute: is more than the service takes, which is 20"):
        telegram.Settings(token="1:A", chat_id=1, max_per_minute=21)


@pytest.mark.parametrize("token", ["", "a b", "1:A/../x", "1:A?x"])
def test_a_token_that_cannot_be_one_is_a_configuration_error(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT", token)
    with pytest.raises(ConfigError, match="token"):
        telegram.NOTIFIER.build("ops", telegram.Settings(token_env="BOT", chat_id=1), Session())
    with pytest.raises(ValueError, match="token: is not of the form"):
        telegram.Settings(token=token, chat_id=1)


@pytest.mark.parametrize("chat", [5, -1001234567890, "-1001234567890", "@noc_group"])
def test_a_chat_is_a_number_or_a_name(chat: int | str) -> None:
    assert telegram.Settings(token="1:A", chat_id=chat).chat_id == chat


@pytest.mark.parametrize("chat", ["noc", "", "@", "@noc group", "1.5", "https://t.me/noc", "٣"])
def test_anything_else_is_no_chat(chat: str) -> None:
    with pytest.raises(ValueError, match='chat_id: is neither a number nor the "@name" of a public group'):
        telegram.Settings(token="1:A", chat_id=chat)


class Bench:
    """One bot whose far end is at hand."""

    def __init__(self, server: ChatServer, **keys: Any) -> None:
        server.always = answer(200, TAKEN)
        self.session = Session()
        settings = telegram.Settings(api_url=server.url, token="1:A", **{"chat_id": -100, **keys})
        self.channel: Any = telegram.NOTIFIER.build("ops", settings, self.session)


async def test_a_message_is_html_without_preview_in_its_topic() -> None:
    async with ChatServer() as server:
        bench = Bench(server, thread_id=5)
        assert await bench.channel.deliver(make_notification()) == "-100/42"
        await bench.session.close()
    assert server.seen[0].path == "/bot1:A/sendMessage"
    sent = server.seen[0].json
    assert (sent["chat_id"], sent["message_thread_id"], sent["parse_mode"]) == (-100, 5, "HTML")
    assert sent["link_preview_options"] == {"is_disabled": True}
    assert "reply_parameters" not in sent


async def test_what_comes_later_answers_the_first_message_of_this_chat() -> None:
    async with ChatServer() as server:
        bench = Bench(server)
        for thread in ("-100/42", "-7/42", "strange", None):
            await bench.channel.deliver(over(thread))
        await bench.session.close()
    first, *others = (seen.json for seen in server.seen)
    assert first["reply_parameters"] == {"message_id": 42, "allow_sending_without_reply": True}
    assert not any("reply_parameters" in other for other in others)


async def test_html_that_is_refused_leaves_text_that_is_not_parsed() -> None:
    async with ChatServer() as server:
        bench = Bench(server)
        server.then(answer(400, said(400, "Bad Request: can't parse entities")))
        with pytest.raises(DeliveryError, match="render"):
            await bench.channel.deliver(make_notification())
        assert await bench.channel.deliver_plain(told_of("\U0001f525 @bob")) == "-100/42"
        await bench.session.close()
    sent = server.seen[1].json
    assert "parse_mode" not in sent
    units = len(sent["text"].encode("utf-16-le")) // 2
    assert sent["entities"] == [{"type": "pre", "offset": 0, "length": units}]


async def test_a_group_that_became_a_supergroup_is_followed_and_said() -> None:
    async with ChatServer() as server:
        bench = Bench(server, thread_id=5)
        moved = said(400, "Bad Request: group chat was upgraded to a supergroup chat", '{"migrate_to_chat_id":-1009}')
        server.then(answer(400, moved))
        notes: list[str] = []
        bench.session.failures.note = lambda _channel, error, **_: notes.append(str(error))  # type: ignore[method-assign]
        assert await bench.channel.deliver(over("-100/41")) == "-1009/42"
        await bench.channel.deliver(over("-100/41"))
        await bench.session.close()
    assert [seen.json["chat_id"] for seen in server.seen] == [-100, -1009, -1009]
    assert "reply_parameters" not in server.seen[1].json, "numbers of the old chat mean nothing in the new one"
    assert "message_thread_id" not in server.seen[1].json
    assert len(notes) == 1
    assert "chat_id is -1009" in notes[0]


async def test_a_move_that_leads_nowhere_ends() -> None:
    async with ChatServer() as server:
        bench = Bench(server)
        server.always = answer(400, said(400, "upgraded", '{"migrate_to_chat_id":-1009}'))
        with pytest.raises(DeliveryError, match="refused"):
            await bench.channel.deliver(make_notification())
        await bench.session.close()
    assert len(server.seen) == 2
