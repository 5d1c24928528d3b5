"""Telegram: ``sendMessage`` of the Bot API; what comes later about an incident answers its first message.

Facts without another source are from https://core.telegram.org/bots/api (sendMessage, HTML style, ReplyParameters,
ResponseParameters).
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from eventd.checked import Fault
from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Incident, Told
from eventd.notify.chat import Card, Chat, ChatSettings
from eventd.notify.endpoint import Endpoint, Part, configuring, endpoint
from eventd.notify.markup import Markup, clean
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import ID_HEADER, Answer, Session, parse_retry_after

API_URL = "https://api.telegram.org"
#: After entities are parsed. Code points, not UTF-16 units: somebody measured it (FerroxLabs/wayland#934); the page
#: says "characters".
MAX_TEXT = 4096
#: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this : to a group; and to any chat.
PER_MINUTE = 20
APART_S = 1.0

#: Parts of ``description`` that judge a 400, in small letters. The page has no list of them; these are what the server
#: (tdlib/telegram-bot-api) is known to answer.
PHRASES: tuple[tuple[str, DeliveryFailure], ...] = (
    ("can't parse entities", DeliveryFailure.RENDER),
    ("entities_too_long", DeliveryFailure.RENDER),  # about 9,500 bytes of addresses in all: telegram-bot-api#165
    ("message text is empty", DeliveryFailure.RENDER),
    ("must be encoded in utf-8", DeliveryFailure.RENDER),
    ("message is too long", DeliveryFailure.TOO_LARGE),
    ("message_too_long", DeliveryFailure.TOO_LARGE),
    ("chat not found", DeliveryFailure.REFUSED),
    ("message thread not found", DeliveryFailure.REFUSED),
    ("not enough rights", DeliveryFailure.REFUSED),
)

#: What Telegram makes a link, a mention or a command of by itself: names, tags, commands, phone numbers, addresses
#: with or without a scheme. Which exactly is its own affair, so this takes rather more.
_LIVE = re.compile(r"@\w|[#$]\w|(?<![\w/])/\w|\+\d{5}|:/|www\.|\.[^\W\d_]{2}", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z]+)[^<>]*>")
_TOKEN = re.compile(r"[A-Za-z0-9:_-]+")
#: What is wrong with any other.
NOT_ONE = "is not of the form 123456:ABC-DEF…"
_CHAT = re.compile(r"-?\d+|@\w+", re.ASCII)


def escape(text: str) -> str:
    """One value in Telegram's HTML. From the first to the last word that Telegram would make something of by itself it
    is code, where Telegram does not look for that; one entity for a value, because a message has at most 100."""
    found = list(_LIVE.finditer(text))
    if not found:
        return html.escape(text)
    begin = text.rfind(" ", 0, found[0].start()) + 1
    end = text.find(" ", found[-1].end())
    end = len(text) if end < 0 else end
    before, code, after = map(html.escape, (text[:begin], text[begin:end], text[end:]))
    return f"{before}<code>{code}</code>{after}"


def link(text: str, url: str) -> str:
    """A `Markup.link`; code within it would take its place."""
    if not url.startswith(("http://", "https://")):
        return text
    return f'<a href="{html.escape(url)}">{re.sub("</?code>", "", text)}</a>'


def visible(text: str) -> int:
    """Characters left of HTML once its tags and entities are parsed."""
    return len(html.unescape(_TAG.sub("", text)))


def closed(text: str) -> str:
    """``text`` with what a cut left open closed at its end."""
    still_open: list[str] = []
    for end, name in _TAG.findall(text):
        if not end:
            still_open.append(name)
        elif still_open and still_open[-1] == name:
            still_open.pop()
    return text + "".join(f"</{name}>" for name in reversed(still_open))


def judge(answer: Answer, to: Endpoint) -> DeliveryError | None:
    """None where Telegram took the message: ``{"ok": true}``."""
    said = answer.said
    if answer.ok and said.get("ok") is True:
        return None
    if answer.ok:
        return answer.error(to, DeliveryFailure.SERVER_ERROR, retryable=True)
    described = str(said.get("description", "")).lower()
    failure = next((failure for phrase, failure in PHRASES if phrase in described), None)
    if answer.status == 400 and failure is not None:
        return answer.error(to, failure, retryable=failure == DeliveryFailure.REFUSED)
    asked = _parameter(said, "retry_after")
    wait = answer.retry_after_s if asked is None else parse_retry_after(str(asked), 0.0)
    return Answer(answer.status, answer.text, wait).error(to)


def _parameter(said: Mapping[str, Any], name: str) -> Any:
    parameters = said.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


class Settings(ChatSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``token`` of the bot (or ``token_file``, ``token_env``), ``chat_id`` (a number, or ``@name`` of a public group),
    ``thread_id`` of a forum topic, ``api_url`` of a Bot API server of one's own."""

    TAKES: ClassVar[int] = PER_MINUTE
    #: https://core.telegram.org/bots/api#authorizing-your-bot ; a server of one's own takes the same tokens.
    PARTS = (
        Part("token " + NOT_ONE, re.compile(r"^\d+:[\w-]{20,}$", re.ASCII), "token"),
        Part("api_url is that of a bot: give the server alone", re.compile(r"^(?!.*/bot\d*:?)"), "api_url"),
    )

    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    chat_id: int | str
    thread_id: int | None = None
    api_url: str = API_URL

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        yield from ways_faults(given, "token", required=True)
        if given.get("token") is not None and not _TOKEN.fullmatch(given["token"]):
            yield "token", NOT_ONE
        if "chat_id" in given and not _CHAT.fullmatch(str(given["chat_id"])):
            yield "chat_id", 'is neither a number nor the "@name" of a public group'


class Telegram(Chat):
    """One bot in one chat."""

    apart_s = APART_S
    markup = Markup(escape, ("<b>", "</b>"), "• ", link, lambda text: f"<code>{html.escape(text)}</code>")
    limit = MAX_TEXT
    size = visible
    plain_size = len
    digests = 25

    def __init__(self, name: str, to: Endpoint, settings: Settings, session: Session) -> None:
        super().__init__(to, settings, session)
        self._name, self._chat, self._topic = name, settings.chat_id, settings.thread_id

    def body(self, told: Told) -> str:
        """HTML that can be parsed, wherever it was cut."""
        return closed(super().body(told))

    def _tail(self, incident: Incident) -> str:
        marker = self._say("value.cut")
        return marker if incident.url is None else f"{marker} {html.escape(clean(incident.url))}"

    def message(self, card: Card) -> dict[str, Any]:
        """Without markup all of it is one block of code by ``entities``: nothing is parsed, so nothing can be wrong."""
        message: dict[str, Any] = {"link_preview_options": {"is_disabled": True}}
        if card.bare:
            units = len(card.body.encode("utf-16-le")) // 2  # entities count in UTF-16
            message |= {"text": card.body, "entities": [{"type": "pre", "offset": 0, "length": units}]}
        else:
            message |= {"text": card.body, "parse_mode": "HTML"}
        return message | ({} if self._topic is None else {"message_thread_id": self._topic})

    def judge(self, answer: Answer) -> DeliveryError | None:
        """See `judge`."""
        return judge(answer, self.to)

    def receipt(self, answer: Answer) -> str | None:
        """``CHAT/MESSAGE``: numbers of messages mean something only in their chat."""
        result = answer.said.get("result")
        found = result.get("message_id") if isinstance(result, dict) else None
        return None if found is None else f"{self._chat}/{found}"

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """To the chat; where it has become a supergroup, which is a new chat, to that one from now on."""
        answer = await self._post(message, card)
        moved = _parameter(answer.said, "migrate_to_chat_id")
        if answer.ok or not isinstance(moved, int) or moved == self._chat:
            return answer
        what = f"the group is a supergroup now: its chat_id is {moved}, please put that into the configuration"
        self.session.failures.note(self._name, DeliveryError(DeliveryFailure.REFUSED, what, retryable=True))
        self._chat, self._topic = moved, None
        return await self._post({key: of for key, of in message.items() if key != "message_thread_id"}, card)

    async def _post(self, message: dict[str, Any], card: Card) -> Answer:
        to = {"chat_id": self._chat, **message}
        chat, _, first = (card.thread or "").rpartition("/")
        if first.isdecimal() and chat == str(self._chat):
            to["reply_parameters"] = {"message_id": int(first), "allow_sending_without_reply": True}
        return await self.session.post(self.to, to, {ID_HEADER: card.id}, path="/sendMessage")


def build(name: str, settings: Settings, session: Session) -> Chat:
    """Raises `ConfigError` where the token, the address, the CA file or a template cannot be used."""
    with configuring(name):
        token = read_secret(settings, "token", session.base) or ""
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"token: {NOT_ONE}")
        to = endpoint(f"{settings.api_url.rstrip('/')}/bot{token}", settings, session.base, "api_url")
        return Telegram(name, to, settings, session)


NOTIFIER = Notifier(kind="telegram", settings=Settings, build=build)
