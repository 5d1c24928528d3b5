"""Feishu and Lark custom bots.

What a bot takes and answers: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot ("Custom bot usage
guide", the guide below). The service's own pages stop there; what was seen in the field is marked so.
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
    json_octets,
    link,
    signed,
)
from eventd.notify.secrets import read_secret
from eventd.notify.session import ID_HEADER, Answer, Session

#: The guide: 100 messages a minute, 5 a second, and 20 KB of request. (Code 19036 itself speaks of 30 KB, and 150 KiB
#: were seen to pass; neither is promised.)
PER_MINUTE = 100
APART_S = 0.2
MAX_REQUEST = 20_000
#: The request around the body: title (120 characters of headline, four octets each, and its state), keyword,
#: signature, the card itself.
AROUND = 1_500

#: https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-components/content-components/title :
#: the colours a header may have.
TEMPLATES = {"critical": "red", "major": "orange", "warning": "yellow", "info": "blue", "resolved": "green"}

#: https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-components/content-components/rich-text :
#: what would be markup is written as ``&#number;``. ``:`` begins an emoji or, behind a scheme, a link.
_MARKUP = re.compile(r"[&<>~*_`\[\]#!$|\\@]|:(?=[A-Za-z_/])|www(?=\.)", re.IGNORECASE)

#: Code → what it means. The guide: 9499, 11232, 19021, 19022, 19024. https://open.feishu.cn/document/server-docs/
#: api-call-guide/generic-error-code: 19002, 19036; .../frequency-control: 99991400. Seen in the field: 19001 ("incoming
#: webhook access token invalid"), 19007 ("Bot Not Enabled"), 11246 (a card that is not understood), 2200 ("internal
#: error", openclaw/openclaw#70879).
CODES: dict[int, Verdict] = {
    2200: BUSY,
    9499: LAYOUT,
    11232: LIMITED,
    11246: LAYOUT,
    19001: REFUSED,
    19002: LAYOUT,
    19007: REFUSED,
    19021: REFUSED,
    19022: REFUSED,
    # The keyword is looked for in parameters like `text` and `title`; whether a card's are among them is not said. In
    # plain text it is surely found.
    19024: LAYOUT,
    19036: TOO_LARGE,
    99991400: LIMITED,
}
#: Texts under which other codes, 9499 among them, mean the same as 11232 (ccfos/nightingale#1437).
_LIMITED = re.compile(r"too many request|frequency limit", re.IGNORECASE)


def escape(text: str) -> str:
    """One value in lark_md: no mention, link, emoji or emphasis from the wire."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", text)


def signature(secret: str, timestamp: int) -> str:
    """The guide: HMAC-SHA256 of nothing, under the key ``timestamp`` (in seconds), line feed, secret."""
    return signed(f"{timestamp}\n{secret}", "")


class Feishu(Robot):
    """One custom bot."""

    apart_s = APART_S
    # No code: within a line only cards of JSON 2.0 have it, and clients before 7.20 show nothing of those but the title
    # (https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-breaking-changes-release-notes).
    markup = Markup(escape, ("**", "**"), "• ", link)
    titled = True
    limit = MAX_REQUEST - AROUND
    size = json_octets
    #: A line of a digest takes at most 24 characters of headline, 6 octets each, and some 250 of markup, times and
    #: address.
    digests = 40
    #: ``StatusCode``: of older robots that have no ``code``; the guide calls it redundant.
    codes = ("code", "StatusCode")
    texts = ("msg", "StatusMessage")

    def __init__(self, to: Endpoint, settings: GuardedSettings, session: Session) -> None:
        super().__init__(to, settings, session)
        self._secret = read_secret(settings, "secret", session.base)

    def calls(self, *, bare: bool) -> str:
        """The guide, "at": open_id or user_id, ``all`` for everybody."""
        form = '<at user_id="{}"></at>' if bare else "<at id={}></at>"
        return "".join(map(form.format, self.mention))

    def message(self, card: Card) -> dict[str, Any]:
        """A card whose header has the colour of the severity."""
        text = self.called(card, card.body)
        if card.bare:
            return {"msg_type": "text", "content": {"text": self.keyed(text)}}
        title = {"tag": "plain_text", "content": self.keyed(card.title, " ")}
        return {
            "msg_type": "interactive",
            "card": {
                "config": {"wide_screen_mode": True},
                "header": {"title": title, "template": TEMPLATES[card.colour]},
                "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": text}}],
            },
        }

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """Signed in the body."""
        if self._secret:
            now = int(self.session.clock())
            message = {"timestamp": str(now), "sign": signature(self._secret, now), **message}
        return await self.session.post(self.to, message, {ID_HEADER: card.id})

    def read(self, code: int, text: str) -> Verdict | None:
        """By code, unless the text speaks of a rate."""
        return LIMITED if _LIMITED.search(text) else CODES.get(code)


class Settings(GuardedSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a custom bot."""

    TAKES = PER_MINUTE
    HOSTS = ("open.feishu.cn", "open.larksuite.com")
    #: The guide; older bots have no ``v2``.
    PARTS = (Part("url does not end in /open-apis/bot/v2/hook/ID", re.compile(r"/bot/(?:v2/)?hook/[^/?]+/?$")),)


NOTIFIER = Notifier(kind="feishu", settings=Settings, build=build_url_chat(Feishu))
