"""Slack incoming webhooks, and what speaks like them (Mattermost, Rocket.Chat)."""

import re
from typing import Any

import msgspec

from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import Card, Chat, UrlSettings, build_url_chat
from eventd.notify.endpoint import Endpoint
from eventd.notify.render import CUT, Markup
from eventd.notify.session import Answer

#: https://docs.slack.dev/reference/block-kit/blocks : blocks per message, characters per section.
MAX_BLOCKS = 50
MAX_SECTION = 3000
#: The real limit over all blocks is undocumented, about 13,200 characters (slackapi/bolt-js#2509).
MAX_TOTAL = 12_000
#: One message per second and webhook (https://docs.slack.dev/apis/web-api/rate-limits).
APART_S = 1.0

#: Words in the body that judge the request, whatever the status: https://docs.slack.dev/messaging/
#: sending-messages-using-incoming-webhooks, "Handling errors". What is not listed is judged by its status.
WORDS: dict[str, tuple[DeliveryFailure, bool]] = {
    **dict.fromkeys(
        (
            "invalid_payload",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_attachments",
            "no_text",
            "too_many_attachments",
        ),
        (DeliveryFailure.RENDER, False),
    ),
    **dict.fromkeys(("msg_too_long", "msg_blocks_too_long"), (DeliveryFailure.TOO_LARGE, False)),
    **dict.fromkeys(("ratelimited", "rate_limited", "message_limit_exceeded"), (DeliveryFailure.RATE_LIMITED, True)),
    **dict.fromkeys(("rollup_error", "internal_error", "service_unavailable"), (DeliveryFailure.SERVER_ERROR, True)),
    **dict.fromkeys(
        (
            "action_prohibited",
            "channel_is_archived",
            "channel_not_found",
            "invalid_token",
            "no_active_hooks",
            "no_service",
            "no_service_id",
            "no_team",
            "posting_to_general_channel_denied",
            "team_disabled",
            "user_not_found",
        ),
        (DeliveryFailure.REFUSED, False),
    ),
}

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})
_MENTION = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def escape(text: str) -> str:
    """One value in mrkdwn: no links, mentions or code from the wire.

    ``&``, ``<`` and ``>`` are all that Slack itself reads (https://docs.slack.dev/messaging/formatting-message-text);
    a word joiner after ``@`` keeps look-alikes from reading names in plain text.
    """
    return _MENTION.sub("@\u2060", text.translate(_ESCAPES))


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters; leaves no half of an ``&amp;`` behind."""
    return text if len(text) <= limit else _HALF_ENTITY.sub("", text[: limit - len(CUT)]) + CUT


def sections(text: str) -> list[str]:
    """Rendered text as sections within Slack's limits: a new one at each empty line and where one is full."""
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


class Slack(Chat):
    """One incoming webhook."""

    apart_s = APART_S
    markup = Markup(escape, ("*", "*"), "• ", lambda text, url: f"<{escape(url)}|{text}>")
    limit = MAX_TOTAL
    digests = 80

    def message(self, card: Card) -> dict[str, Any]:
        """``verbatim`` keeps Slack from making links and mentions out of plain text."""
        if card.bare:
            return {"text": _cut(escape(card.body), MAX_SECTION), "mrkdwn": False}
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


NOTIFIER = Notifier(kind="slack", settings=UrlSettings, build=build_url_chat(Slack))
