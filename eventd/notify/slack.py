"""Slack incoming webhooks, and what speaks like them (Mattermost, Rocket.Chat)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from eventd.checked import Fault, all_of
from eventd.contract import Channel, Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Incident, Notification
from eventd.notify.endpoint import Endpoint, TransportSettings, configuring, endpoint
from eventd.notify.render import CUT, Renderer, headline, plain, state
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import Answer, Session
from eventd.notify.trial import tried_template

#: https://docs.slack.dev/reference/block-kit/blocks : blocks per message, characters per section.
MAX_BLOCKS = 50
MAX_SECTION = 3000
#: The real limit over all blocks is undocumented, about 13,200 characters (slackapi/bolt-js#2509).
MAX_TOTAL = 12_000
#: One message per second and webhook (https://docs.slack.dev/apis/web-api/rate-limits).
INTERVAL_S = 1.0

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


class Settings(TransportSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` (or ``url_file``, ``url_env``) is the webhook, a secret. ``template_file`` replaces the layout."""

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    template_file: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from ways_faults(given, "url", required=True)


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


def payload(notification: Notification, text: str) -> dict[str, Any]:
    """The message. ``verbatim`` keeps Slack from making links and mentions out of plain text."""
    incident = notification.incident
    return {
        "text": _cut(escape(f"{state(notification)} {headline(incident)}"), MAX_SECTION),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": section, "verbatim": True}}
            for section in sections(text)
        ],
    }


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


class Slack:
    """One incoming webhook."""

    refresh_s: float | None = None
    interval_s = INTERVAL_S

    def __init__(self, to: Endpoint, render: Renderer, session: Session) -> None:
        self.far_ends = (to,)
        self._to, self._render, self._session = to, render, session

    async def deliver(self, notification: Notification) -> None:
        await self._post(payload(notification, self._render(notification)))

    async def deliver_plain(self, notification: Notification) -> None:
        """The fallback: text only, no blocks, no template."""
        await self._post({"text": _cut(escape(plain(notification)), MAX_SECTION), "mrkdwn": False})

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None: ...

    async def close(self) -> None: ...

    async def _post(self, message: dict[str, Any]) -> None:
        if (error := judge(await self._session.post(self._to, message), self._to)) is not None:
            raise error


def build(name: str, settings: Settings, session: Session) -> Channel:
    """Raises `ConfigError` where the address, the template or the CA file cannot be used."""
    with configuring(name):
        to, render = all_of(
            lambda: endpoint(read_secret(settings, "url", session.base) or "", settings, session.base),
            lambda: tried_template("slack.j2", settings.template_file, escape, session.base),
        )
        return Slack(to, render, session)


NOTIFIER = Notifier(kind="slack", settings=Settings, build=build)
