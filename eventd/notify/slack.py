"""Slack: an incoming webhook, and what speaks like one (Rocket.Chat); or a bot, whose messages about one incident are
one thread."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from eventd.checked import Fault
from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import Card, Chat, ChatSettings
from eventd.notify.endpoint import Endpoint, Part, configuring, endpoint
from eventd.notify.markdown import flat_underscores, nameless
from eventd.notify.markup import CUT, Markup
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import ID_HEADER, Answer, Session

API_URL = "https://slack.com/api"

#: https://docs.slack.dev/reference/block-kit/blocks : blocks per message, characters per section.
MAX_BLOCKS = 50
MAX_SECTION = 3000
#: The real limit over all blocks is undocumented, about 13,200 characters (slackapi/bolt-js#2509).
MAX_TOTAL = 12_000
#: So much of that is text which `sections` leaves whole.
MAX_BODY = MAX_TOTAL - len(CUT) - 1
#: Empty lines, each of which begins a block, that leave blocks enough for all of the text; with more of them none does.
MAX_GAPS = MAX_BLOCKS - 2 * MAX_TOTAL // MAX_SECTION - 2
#: ``text`` without blocks: cut by Slack beyond 40,000 characters, and at some lesser length broken into several
#: messages, which loses nothing (https://docs.slack.dev/changelog/2018-04-truncating-really-long-messages).
MAX_PLAIN = MAX_TOTAL
#: One message per second and webhook (https://docs.slack.dev/apis/web-api/rate-limits).
APART_S = 1.0

#: Words in the body that judge the request, whatever the status: https://docs.slack.dev/messaging/
#: sending-messages-using-incoming-webhooks, "Handling errors", and for bots https://docs.slack.dev/reference/methods/
#: chat.postMessage, "Errors". What is not listed is judged by its status, and under 200 may pass.
WORDS: dict[str, tuple[DeliveryFailure, bool]] = {
    **dict.fromkeys(
        (
            "invalid_payload",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_attachments",
            "no_text",
            "too_many_attachments",
            "too_many_contents",
        ),
        (DeliveryFailure.RENDER, False),
    ),
    **dict.fromkeys(("msg_too_long", "msg_blocks_too_long"), (DeliveryFailure.TOO_LARGE, False)),
    **dict.fromkeys(("ratelimited", "rate_limited", "message_limit_exceeded"), (DeliveryFailure.RATE_LIMITED, True)),
    **dict.fromkeys(
        ("fatal_error", "internal_error", "request_timeout", "rollup_error", "service_unavailable"),
        (DeliveryFailure.SERVER_ERROR, True),
    ),
    **dict.fromkeys(
        (
            "access_denied",
            "account_inactive",
            "action_prohibited",
            "as_user_not_supported",
            "channel_is_archived",
            "channel_not_found",
            "ekm_access_denied",
            "enterprise_is_restricted",
            "invalid_auth",
            "invalid_token",
            "is_archived",
            "missing_scope",
            "no_active_hooks",
            "no_permission",
            "no_service",
            "no_service_id",
            "no_team",
            "not_allowed_token_type",
            "not_authed",
            "not_in_channel",
            "org_login_required",
            "posting_to_general_channel_denied",
            "restricted_action",
            "restricted_action_non_threadable_channel",
            "restricted_action_read_only_channel",
            "restricted_action_thread_locked",
            "team_access_not_granted",
            "team_disabled",
            "token_expired",
            "token_revoked",
            "user_not_found",
        ),
        (DeliveryFailure.REFUSED, True),
    ),
}

#: What is wrong with the thread only: the message can stand for itself. ``thread_not_found`` is of
#: conversations.replies; that this method would say it is a guess.
THREADLESS = frozenset(
    (
        "cannot_reply_to_message",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    )
)

#: https://docs.slack.dev/authentication/tokens; tokens that are rotated have ``xoxe.`` in front
#: (https://docs.slack.dev/authentication/using-token-rotation).
_BOT = re.compile(r"^(?:xoxe\.)?xoxb-")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})
#: There is no escape for these: what looks like them takes their place.
_EMPHASIS = str.maketrans({"*": "∗", "~": "～"})
_MENTION = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def escape(text: str) -> str:
    """One value in mrkdwn: no links, mentions, emphasis, emoji or code from the wire.

    ``&``, ``<`` and ``>`` are all that Slack itself reads (https://docs.slack.dev/messaging/formatting-message-text);
    a word joiner after ``@`` keeps look-alikes from reading names in plain text.
    """
    return nameless(flat_underscores(text.translate(_ESCAPES | _EMPHASIS)))


def coded(text: str) -> str:
    """The same in code or an address, where nothing else means anything."""
    return _MENTION.sub("@\u2060", text.translate(_ESCAPES))


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters; leaves no half of an ``&amp;`` behind."""
    return text if len(text) <= limit else _HALF_ENTITY.sub("", text[: limit - len(CUT)]) + CUT


def sections(text: str) -> list[str]:
    """Rendered text as sections within Slack's limits: a new one at each empty line and where one is full."""
    if text.count("\n\n") > MAX_GAPS:
        text = re.sub("\n{2,}", "\n", text)
    found: list[str] = [""]
    left = MAX_TOTAL
    for line in (_cut(line.rstrip(), MAX_SECTION) for line in text.splitlines()):
        if not line or len(found[-1]) + len(line) + 1 > MAX_SECTION:
            found.append("")
        if len(line) + 1 > left - len(CUT) or len(found) > MAX_BLOCKS:
            return [*filter(None, found[: MAX_BLOCKS - 1]), CUT]
        left -= len(line) + 1
        found[-1] += ("\n" if found[-1] else "") + line
    return [section for section in found if section]


def _word(text: str) -> str:
    """What a body says: a bare word, or ``ok``/``success`` and ``error`` of a JSON object (Rocket.Chat)."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.strip()
    if not isinstance(found, dict):
        return str(found)
    return "ok" if True in (found.get("ok"), found.get("success")) else str(found.get("error", ""))


def judge(answer: Answer, to: Endpoint) -> DeliveryError | None:
    """None where Slack took the message: 200 and ``ok``. Anything else under 200 is a failure that may pass."""
    word = _word(answer.text)
    if word in WORDS:
        failure, retryable = WORDS[word]
        return answer.error(to, failure, retryable)
    if not answer.ok:
        return answer.error(to)
    return None if word == "ok" else answer.error(to, DeliveryFailure.SERVER_ERROR, retryable=True)


class Settings(ChatSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Either ``url`` of an incoming webhook (or ``url_file``, ``url_env``), or ``token`` of a bot with the scope
    ``chat:write`` (or ``token_file``, ``token_env``) and the ``channel`` it was invited to. ``api_url`` is for bots."""

    HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
    #: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks; ``/hooks/`` is of Rocket.Chat, and
    #: ``/triggers/`` of workflows, which take variables instead of messages.
    PARTS = (
        Part("url does not end in /services/T…/B…/KEY", re.compile(r"/(?:services(?:/[^/?]+){3}|hooks/[^?]*[^/?])/?$")),
        Part("token does not begin with xoxb-, as that of a bot does", _BOT, "token"),
        Part("channel is neither a name, which holds no blanks, nor an id", re.compile(r"^\S+$"), "channel"),
    )

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    channel: str | None = None
    api_url: str = API_URL

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        bot = any(given.get(f"token{way}") is not None for way in ("", "_file", "_env"))
        yield from ways_faults(given, "url", required=not bot)
        yield from ways_faults(given, "token")
        if bot and any(given.get(f"url{way}") is not None for way in ("", "_file", "_env")):
            yield "token", "and url exclude each other: a bot or a webhook"
        if bot and "channel" in given and not given["channel"]:
            yield "channel", "is missing: a bot is told where to post"
        if not bot and given.get("channel") is not None:
            yield "channel", "is for a bot (token); the address of a webhook says where it posts"


class Slack(Chat):
    """One incoming webhook."""

    apart_s = APART_S
    markup = Markup(
        escape, ("*", "*"), "• ", lambda text, url: f"<{coded(url)}|{text}>", lambda text: f"`{coded(text)}`"
    )
    limit = MAX_BODY
    plain_limit = MAX_PLAIN
    harmless = escape
    digests = 45

    def fits(self, text: str, *, bare: bool) -> bool:
        """Nor is a line longer than a section."""
        lines = [] if bare else text.splitlines()
        return super().fits(text, bare=bare) and all(len(line) <= MAX_SECTION for line in lines)

    def message(self, card: Card) -> dict[str, Any]:
        """``verbatim`` keeps Slack from making links and mentions out of plain text."""
        if card.bare:
            return {"text": card.body, "mrkdwn": False}
        return {
            "text": _cut(escape(card.title), MAX_SECTION),
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": section, "verbatim": True}}
                for section in sections(card.body)
            ],
        }

    def judge(self, answer: Answer) -> DeliveryError | None:
        """None where Slack took the message: 200 and ``ok``. Anything else under 200 is a failure that may pass."""
        return judge(answer, self.to)


class SlackBot(Slack):
    """One bot in one channel (https://docs.slack.dev/reference/methods/chat.postMessage)."""

    def __init__(self, to: Endpoint, settings: Settings, session: Session) -> None:
        super().__init__(to, settings, session)
        self._channel = settings.channel

    def message(self, card: Card) -> dict[str, Any]:
        """The same, with the channel, and no previews of pages."""
        return {**super().message(card), "channel": self._channel, "unfurl_links": False, "unfurl_media": False}

    def receipt(self, answer: Answer) -> str | None:
        """``CHANNEL/TS``: a time stamp is the name of a message in its channel only."""
        found = answer.said.get("ts")
        return None if found is None else f"{self._channel}/{found}"

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """Into the thread of the first message; an end is shown in the channel too, so that people notice."""
        channel, _, ts = (card.thread or "").rpartition("/")
        if not ts or channel != self._channel:
            return await self._post(message, card)
        ended = {"reply_broadcast": True} if card.colour == "resolved" else {}
        answer = await self._post({**message, "thread_ts": ts, **ended}, card)
        return await self._post(message, card) if _word(answer.text) in THREADLESS else answer

    async def _post(self, message: dict[str, Any], card: Card) -> Answer:
        return await self.session.post(self.to, message, {ID_HEADER: card.id}, path="/chat.postMessage")


def build(name: str, settings: Settings, session: Session) -> Slack:
    """Raises `ConfigError` where the address, the token, the CA file or a template cannot be used."""
    with configuring(name):
        token = read_secret(settings, "token", session.base)
        if token is None:
            url = read_secret(settings, "url", session.base) or ""
            return Slack(endpoint(url, settings, session.base), settings, session)
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("token: holds characters that HTTP does not allow")
        api = endpoint(settings.api_url.rstrip("/"), settings, session.base, "api_url")
        to = Endpoint(api.url, headers={"Authorization": f"Bearer {token}"}, tls=api.tls, proxy=api.proxy)
        return SlackBot(to, settings, session)


NOTIFIER = Notifier(kind="slack", settings=Settings, build=build)
