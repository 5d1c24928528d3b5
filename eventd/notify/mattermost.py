"""Mattermost incoming webhooks: one message attachment with a coloured border.

Facts are from https://developers.mattermost.com/integrate/webhooks/incoming, …/integrate/reference/message-attachments
and the server's source (mattermost/mattermost, server/channels/app/webhook.go and server/public/model/post.go).
"""

import re
from typing import Any

from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import COLOURS, Card, Chat, UrlSettings, build_url_chat
from eventd.notify.endpoint import Endpoint, Part
from eventd.notify.markdown import backslashed, by_line, escaper, link, nameless
from eventd.notify.markup import Markup
from eventd.notify.session import Answer

#: ``PostMessageMaxRunesV2``: what a post has room for; more is split into several posts. An attachment may be far
#: longer (``PostPropsMaxUserRunes``, 760,000), but nobody reads more than a post.
MAX_POST = 16_383

#: ``id`` of the JSON error that judges the request, whatever the status (``HandleIncomingWebhook``). A webhook that is
#: not known answers 400, one on a server that allows none 501: both wait for a person, who may be quick.
IDS: dict[str, DeliveryFailure] = {
    "web.incoming_webhook.parse.app_error": DeliveryFailure.RENDER,
    "web.incoming_webhook.text.app_error": DeliveryFailure.RENDER,
    "web.incoming_webhook.split_props_length.app_error": DeliveryFailure.TOO_LARGE,
    "web.incoming_webhook.disabled.app_error": DeliveryFailure.REFUSED,
    "web.incoming_webhook.invalid.app_error": DeliveryFailure.REFUSED,
    "web.incoming_webhook.channel.app_error": DeliveryFailure.REFUSED,
}

#: ``<`` is for Slack's links and mentions too (``<!channel>``, ``<url|text>``), which the server looks for in the text
#: before it is Markdown: a backslash would leave them whole, an entity does not.
escape = escaper({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"} | backslashed("\\*_~|[]()#!"))

#: ``<`` where neither a backslash nor an entity would be read: Slack's links are looked for in code, too.
_NO_BRACKETS = str.maketrans("<>", "‹›")


def judge(answer: Answer, to: Endpoint) -> DeliveryError | None:
    """None where Mattermost took the message: 200 and ``ok``. Anything else under 200 is a failure that may pass."""
    if (failure := IDS.get(str(answer.said.get("id")))) is not None:
        return answer.error(to, failure, retryable=failure == DeliveryFailure.REFUSED)
    if not answer.ok:
        return answer.error(to)
    return None if answer.text.strip() == "ok" else answer.error(to, DeliveryFailure.SERVER_ERROR, retryable=True)


class Mattermost(Chat):
    """One incoming webhook."""

    markup = Markup(escape, ("**", "**"), "- ", link, lambda text: f"`{nameless(text).translate(_NO_BRACKETS)}`")
    limit = MAX_POST
    harmless = by_line(escape)
    digests = 60

    def message(self, card: Card) -> dict[str, Any]:
        """``fallback`` is what a notification on a phone shows. No ``title``: whether it is Markdown depends on the
        client, so what would be right in one has backslashes in another."""
        if card.bare:
            return {"text": card.body}
        summary = nameless(card.title).translate(_NO_BRACKETS)
        return {
            "attachments": [{"fallback": summary, "color": f"#{COLOURS[card.colour]:06X}", "text": card.body}],
        }

    def judge(self, answer: Answer) -> DeliveryError | None:
        """See `judge`."""
        return judge(answer, self.to)


class Settings(UrlSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` (or ``url_file``, ``url_env``): ``https://SERVER/hooks/ID``."""

    PARTS = (Part("url does not end in /hooks/ID", re.compile(r"/hooks/[^/?]+/?$")),)


NOTIFIER = Notifier(kind="mattermost", settings=Settings, build=build_url_chat(Mattermost))
