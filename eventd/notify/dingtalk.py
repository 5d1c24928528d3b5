"""DingTalk custom robots.

What a robot takes: https://open.dingtalk.com/document/orgapp/custom-robot-access (the guide below) and
https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages (formats and codes). What was only seen in
the field is marked so.
"""

import re
from typing import Any

from eventd.contract import Notifier
from eventd.notify.chat import Card, build_url_chat
from eventd.notify.endpoint import Endpoint, Part
from eventd.notify.markup import Markup
from eventd.notify.robot import (
    BUSY,
    LAYOUT,
    LIMITED,
    REFUSED,
    TOO_LARGE,
    GuardedSettings,
    Robot,
    Verdict,
    harmless,
    json_octets,
    link,
    signed,
)
from eventd.notify.secrets import read_secret
from eventd.notify.session import ID_HEADER, Answer, Session

#: The guide: 20 messages a minute; who sends more is blocked for 10 minutes.
PER_MINUTE = 20
BLOCKED_S = 600.0
#: "message too long, exceed 20000 bytes" (code 460101, timonwong/prometheus-webhook-dingtalk#30): of the whole request.
MAX_REQUEST = 20_000
#: The request around the body: title (120 characters of headline, four octets each, and its state), keyword, whom to
#: call.
AROUND = 1_500

#: No page names colours; Nightingale's templates (ccfos/nightingale) have set them this way for years.
COLOURS = {
    "critical": "#D93026",
    "major": "#E8710A",
    "warning": "#B06000",
    "info": "#1A73E8",
    "resolved": "#188038",
}

BLOCKED = Verdict(LIMITED.failure, retryable=True, wait_s=BLOCKED_S)

#: Code → what it means. The page of formats: -1, 310000, 400013, 400101, 400102, 400105, 400106, 410100, 4301xx. Seen
#: in the field: 88 ("access_token is blank"), 40035 (a parameter is missing), 43004 (wrong content type), 90030
#: ("webhook over limit"), 101002 and 460101 (too long), 130101 ("send too fast, exceed 20 times per minute"), 660026
#: (a limit), 300001 and 300005 ("token is not exist").
CODES: dict[int, Verdict] = {
    -1: BUSY,
    **dict.fromkeys((130101, 410100), BLOCKED),
    **dict.fromkeys((90030, 660026), LIMITED),
    **dict.fromkeys((101002, 460101), TOO_LARGE),
    **dict.fromkeys((40035, 43004, 400105), LAYOUT),
    # Links or words that the service does not like: plain text has no links and few words.
    **dict.fromkeys((430101, 430102, 430103, 430104), LAYOUT),
    **dict.fromkeys((88, 300001, 300005, 310000, 400013, 400101, 400102, 400106), REFUSED),
}


def signature(secret: str, timestamp: int) -> str:
    """HMAC-SHA256 of ``timestamp`` (in milliseconds), line feed, secret, under the secret
    (https://open.dingtalk.com/document/robots/customize-robot-security-settings)."""
    return signed(secret, f"{timestamp}\n{secret}")


def _broken(text: str) -> str:
    """Lines end with two blanks, or are joined (jxxghp/MoviePilot-Plugins#875)."""
    return text.replace("\n", "  \n")


def size(text: str) -> int:
    """Length of a text as it will stand in the request."""
    return json_octets(_broken(text))


class Dingtalk(Robot):
    """One custom robot."""

    # No code: the guide lists headings, quotes, bold, italics, links, pictures and lists, and nothing else.
    markup = Markup(harmless, ("**", "**"), "- ", link)
    limit = MAX_REQUEST - AROUND
    size = size
    #: A line of a digest takes at most 24 characters of headline, 5 octets each, and some 250 of markup, times and
    #: address.
    digests = 40

    def __init__(self, to: Endpoint, settings: GuardedSettings, session: Session) -> None:
        super().__init__(to, settings, session)
        self._secret = read_secret(settings, "secret", session.base)

    def calls(self, *, bare: bool) -> str:  # noqa: ARG002  the same in both
        """Only whom the text names as well is called (page of formats, "at"). ``all`` is everybody."""
        return " ".join(f"@{who}" for who in self.mention)

    def message(self, card: Card) -> dict[str, Any]:
        """Markdown; its title is what lists of chats and phones show, and not in the message itself."""
        text = self.keyed(self.called(card, card.body))
        if card.bare:
            message: dict[str, Any] = {"msgtype": "text", "text": {"content": text}}
        else:
            first, newline, rest = _broken(text).partition("\n")
            coloured = f'<font color="{COLOURS[card.colour]}">{first.rstrip()}</font>  {newline}{rest}'
            message = {"msgtype": "markdown", "markdown": {"title": harmless(card.title), "text": coloured}}
        return message | ({"at": self._at()} if card.urgent and self.mention else {})

    def _at(self) -> dict[str, Any]:
        return {"atMobiles": [who for who in self.mention if who != "all"], "isAtAll": "all" in self.mention}

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """Signed in the address."""
        query: dict[str, str] = {}
        if self._secret:
            now = int(self.session.clock() * 1000)
            query = {"timestamp": str(now), "sign": signature(self._secret, now)}
        return await self.session.post(self.to, message, {ID_HEADER: card.id}, query=query)

    def read(self, code: int, text: str) -> Verdict | None:  # noqa: ARG002  the code says all
        """By code."""
        return CODES.get(code)


class Settings(GuardedSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a custom robot."""

    TAKES = PER_MINUTE
    HOSTS = ("oapi.dingtalk.com",)
    #: The guide.
    PARTS = (
        Part("url has not the path /robot/send", re.compile(r"/robot/send/?(?:\?|$)")),
        Part("url has no key, access_token=…, at its end", re.compile("[?&]access_token=[^&]")),
        Part(
            "mention has what is no telephone number, and calls nobody", re.compile(r"^(?:all|\+?[\d-]+)$"), "mention"
        ),
    )


NOTIFIER = Notifier(kind="dingtalk", settings=Settings, build=build_url_chat(Dingtalk))
