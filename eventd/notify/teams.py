"""Microsoft Teams by a Workflows webhook ("When a Teams webhook request is received"): an Adaptive Card.

All text is `TextRun`, which knows no Markdown (https://adaptivecards.microsoft.com/?topic=TextRun), unlike `TextBlock`,
whose Markdown the clients read differently and whose escapes the mobile ones do not know (that last is a guess).
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Told
from eventd.notify.chat import Card, Chat, UrlSettings, build_url_chat
from eventd.notify.endpoint import Endpoint, Part
from eventd.notify.markdown import JOINER, by_line
from eventd.notify.markup import Markup, text_and_address
from eventd.notify.robot import harmless as lookalike
from eventd.notify.session import Answer

#: A message has about 28 KB (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/
#: add-incoming-webhook and …/connectors-using). The webhook does not refuse more than that: the flow behind it fails.
MAX_MESSAGE = 28_000
#: What of it is left for everything but the body: the frame (under 500 bytes), the title, the address of the button.
FRAME = 3_000
MAX_ADDRESS = 1_000
#: More than four requests a second are throttled (same page).
APART_S = 0.25

#: Container styles (https://adaptivecards.microsoft.com/?topic=Container) by `Card.colour`.
STYLES = {
    "critical": "attention",
    "major": "attention",
    "warning": "warning",
    "info": "accent",
    "resolved": "good",
}

#: The status of Teams itself, where the webhook answers 200 for it (MicrosoftDocs/msteams-docs#7425).
_INNER_STATUS = re.compile(r"HTTP error (\d{3})")
#: What a flow answers under 400 while somebody has it switched off; nothing is wrong with the message.
_SWITCHED_OFF = re.compile("WorkflowTriggerIsNotEnabled")
#: What a body under 200 says when it is no success: an error in words, or the page of a proxy. Flows that answer on
#: their own may say anything else.
_BAD_NEWS = re.compile(r"error|fail|denied|throttl|too many|\b429\b|<html|<!doctype", re.IGNORECASE)

#: Our own marks in rendered text, from the private use area: bold begins, ends (as does code); a link begins, its
#: address, its end; code begins.
_BOLD, _PLAIN, _LINK, _TO, _END, _CODE = "\ue000\ue001\ue002\ue003\ue004\ue005"
_MARKS = re.compile("[\ue000-\ue005]")
_STYLES: dict[str, dict[str, Any]] = {_BOLD: {"weight": "Bolder"}, _CODE: {"fontType": "Monospace"}, _PLAIN: {}}
_LINKS = re.compile(f"{_LINK}([^{_TO}\n]*){_TO}([^{_END}\n]*){_END}")
_PIECES = re.compile(f"{_LINKS.pattern}|([{_BOLD}{_PLAIN}{_CODE}])|([^\ue000-\ue005]+)")
#: ``{{DATE(…)}}`` is a function of cards, ``${…}`` one of their templates.
_FUNCTION = re.compile(r"(?<=[{$])(?=\{)")


def escape(text: str) -> str:
    """One value: none of our marks, nothing that a card evaluates."""
    return _FUNCTION.sub(JOINER, _MARKS.sub("", text))


def _link(text: str, url: str) -> str:
    return f"{_LINK}{text}{_TO}{escape(url)}{_END}" if re.match("https?://", url) else text


def _runs(line: str) -> Iterator[dict[str, Any]]:
    style: dict[str, Any] = {}
    for text, url, mark, plain in _PIECES.findall(line):
        if mark:
            style = _STYLES[mark]
        elif url:
            yield {"type": "TextRun", "text": text or url, "selectAction": {"type": "Action.OpenUrl", "url": url}}
        elif plain:
            yield {"type": "TextRun", "text": plain, **style}


def blocks(text: str) -> list[dict[str, Any]]:
    """Rendered text as elements of a card, one for each line; more space above where a line was empty."""
    found: list[dict[str, Any]] = []
    spacing = "Default"
    for line in text.splitlines():
        if runs := list(_runs(line)):
            found.append({"type": "RichTextBlock", "spacing": spacing, "inlines": runs})
        spacing = "None" if runs else "Default"
    return found


def plain_blocks(text: str) -> list[dict[str, Any]]:
    """Plain text as the oldest element of all, whose Markdown it must not hold."""
    return [{"type": "TextBlock", "text": line, "wrap": True} for line in text.splitlines() if line]


def octets(text: str) -> int:
    """What the blocks of a text take in JSON."""
    return len(msgspec.json.encode(blocks(text)))


def judge(answer: Answer, to: Endpoint) -> DeliveryError | None:
    """None where the workflow took the message (202, empty) or the connector of old did (200 ``1``)."""
    if not answer.ok:
        if answer.status == 400 and _SWITCHED_OFF.search(answer.text):
            return answer.error(to, DeliveryFailure.REFUSED, retryable=True)
        return answer.error(to, DeliveryFailure.RENDER) if answer.status in {400, 422} else answer.error(to)
    if inner := _INNER_STATUS.search(answer.text):
        return Answer(int(inner[1]), answer.text, answer.retry_after_s).error(to)
    if not _BAD_NEWS.search(answer.text):
        return None
    busy = re.search(r"429|throttl|too many", answer.text, re.IGNORECASE)
    return answer.error(to, DeliveryFailure.RATE_LIMITED if busy else DeliveryFailure.SERVER_ERROR, retryable=True)


class Teams(Chat):
    """One webhook of one flow."""

    apart_s = APART_S
    markup = Markup(escape, (_BOLD, _PLAIN), "• ", _link, lambda text: f"{_CODE}{escape(text)}{_PLAIN}")
    titled = True
    limit = MAX_MESSAGE - FRAME
    size = octets
    harmless = by_line(lambda line: escape(lookalike(line)))
    digests = 40

    def text(self, told: Told) -> str:
        """`contract.Talker`, without our marks."""
        text = _LINKS.sub(lambda found: text_and_address(*found.groups()), super().text(told))
        return _MARKS.sub("", text)

    def message(self, card: Card) -> dict[str, Any]:
        """The title on the colour, the text below, a button to the incident."""
        title = {"type": "TextRun", "text": escape(card.title), "weight": "Bolder", "size": "Medium"}
        head = {"type": "Container", "style": STYLES[card.colour], "bleed": True, "items": [_block(title)]}
        content = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "body": plain_blocks(card.body) if card.bare else [head, *blocks(card.body)],
        }
        if card.link and len(card.link) <= MAX_ADDRESS and not card.bare:
            content["actions"] = [{"type": "Action.OpenUrl", "title": "eventd", "url": card.link}]
        kind = "application/vnd.microsoft.card.adaptive"
        return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}

    def judge(self, answer: Answer) -> DeliveryError | None:
        """See `judge`."""
        return judge(answer, self.to)


def _block(run: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [run]}


class Settings(UrlSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` of a workflow, in Power Automate or in Azure Logic Apps, or of a connector of old."""

    HOSTS = ("*.powerplatform.com", "*.logic.azure.com", "*.logic.azure.us", "*.logic.azure.cn", "*.webhook.office.com")
    #: Seen in the field, as no page promises it: ``…/workflows/ID/triggers/manual/paths/invoke?…&sig=…``, and
    #: ``…/IncomingWebhook/…`` of the connectors of old. Flows without ``sig`` ask for a log-in.
    PARTS = (
        Part(
            "url has no /workflows/ID/triggers/… in its path",
            re.compile("/workflows/[^/]+/triggers/|/IncomingWebhook/"),
        ),
        Part("url has no signature, sig=…, at its end", re.compile("[?&]sig=[^&]|/IncomingWebhook/[^/]")),
    )


NOTIFIER = Notifier(kind="teams", settings=Settings, build=build_url_chat(Teams))
