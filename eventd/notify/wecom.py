"""WeCom (WeChat Work) group robots, which WeCom calls message pushes since 2025.

What a robot takes: https://developer.work.weixin.qq.com/document/path/99110 (the guide below; before, path/91770).
Codes: https://developer.work.weixin.qq.com/document/path/90455, with texts that are not to be relied on, it says.
"""

import re
from typing import Any

from eventd.contract import Notifier
from eventd.model import Told
from eventd.notify.chat import Card, build_url_chat, urgent
from eventd.notify.endpoint import Part
from eventd.notify.fit import octets
from eventd.notify.markup import Markup
from eventd.notify.robot import (
    BUSY,
    LAYOUT,
    LIMITED,
    REFUSED,
    TOO_LARGE,
    Robot,
    RobotSettings,
    Verdict,
    harmless,
    link,
)

#: The guide: 20 messages a minute.
PER_MINUTE = 20
MINUTE_S = 60.0
#: The guide: octets of ``content`` in UTF-8, as Markdown and as text.
MAX_MARKDOWN = 4096
MAX_TEXT = 2048

#: The guide: the three colours there are, ``info`` (green), ``comment`` (grey) and ``warning`` (orange).
COLOURS = {"critical": "warning", "major": "warning", "warning": "warning", "info": "comment", "resolved": "info"}
_FONT = '<font color="{}">{}</font>'
AROUND = len(_FONT.format("warning", ""))

#: Code → what it means (path/90455); 93000, "invalid webhook url", is what a robot that is gone answers.
CODES: dict[int, Verdict] = {
    -1: BUSY,
    6000: BUSY,
    40008: LAYOUT,
    40033: LAYOUT,
    40035: LAYOUT,
    40058: LAYOUT,
    44004: LAYOUT,
    45002: TOO_LARGE,
    45009: Verdict(LIMITED.failure, retryable=True, wait_s=MINUTE_S),
    45033: LIMITED,
    93000: REFUSED,
}
#: 40058 is any parameter; "markdown.content exceed max length 4096" is one of them (dromara/domain-admin#82).
_TOO_LONG = "exceed max length"


class Wecom(Robot):
    """One group robot."""

    markup = Markup(harmless, ("**", "**"), "• ", link, lambda text: f"`{harmless(text)}`")
    limit = MAX_MARKDOWN - AROUND
    plain_limit = MAX_TEXT
    size = octets
    #: A line of a digest takes at most 24 characters of headline, 4 octets each, and some 250 of markup, times and
    #: address.
    digests = 10

    def calls(self, *, bare: bool) -> str:  # noqa: ARG002  the same in both
        """The guide: ``<@userid>`` in the text, in both kinds of message. Everybody is called otherwise."""
        return "".join(f"<@{who}>" for who in self.mention if who != "all")

    async def deliver(self, told: Told) -> str | None:
        """Only plain text can call everybody (the guide, ``mentioned_list``)."""
        all_called = urgent(told) and "all" in self.mention
        return await (self.deliver_plain(told) if all_called else super().deliver(told))

    def message(self, card: Card) -> dict[str, Any]:
        """Markdown whose first line has the colour of the severity."""
        text = self.called(card, card.body)
        if card.bare:
            everybody = {"mentioned_list": ["@all"]} if card.urgent and "all" in self.mention else {}
            return {"msgtype": "text", "text": {"content": text, **everybody}}
        first, newline, rest = text.partition("\n")
        content = _FONT.format(COLOURS[card.colour], first) + newline + rest
        return {"msgtype": "markdown", "markdown": {"content": content}}

    def read(self, code: int, text: str) -> Verdict | None:
        """By code."""
        return TOO_LARGE if _TOO_LONG in text else CODES.get(code)


class Settings(RobotSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a group robot: there is neither secret nor keyword."""

    TAKES = PER_MINUTE
    HOSTS = ("qyapi.weixin.qq.com",)
    #: The guide.
    PARTS = (
        Part("url has not the path /cgi-bin/webhook/send", re.compile(r"/webhook/send/?(?:\?|$)")),
        Part("url has no key, key=…, at its end", re.compile("[?&]key=[^&]")),
    )


NOTIFIER = Notifier(kind="wecom", settings=Settings, build=build_url_chat(Wecom))
