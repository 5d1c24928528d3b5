"""Discord webhooks: an embed per message; when an incident ends, its first message is shown as resolved too.

Facts without another source are from https://docs.discord.com/developers/resources/webhook (Execute Webhook, Edit
Webhook Message) and https://docs.discord.com/developers/resources/message (embed limits, allowed mentions).
"""

import re
from typing import Any, ClassVar

from eventd.contract import Notifier
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Told
from eventd.notify.chat import COLOURS, Card, Chat, UrlSettings
from eventd.notify.endpoint import Endpoint, Part, configuring, endpoint
from eventd.notify.fit import fit
from eventd.notify.markdown import backslashed, by_line, escaper, link
from eventd.notify.markup import Markup
from eventd.notify.secrets import read_secret
from eventd.notify.session import ID_HEADER, Answer, Session, parse_retry_after

#: Characters are code points (a maintainer in discord/discord-api-docs#1315). All embeds of a message together have
#: 6,000, which one title and one description cannot exceed.
MAX_TITLE = 256
MAX_DESCRIPTION = 4096
MAX_CONTENT = 2000
#: 30 a minute for a channel and 5 in 2 s for a webhook (discord/discord-api-docs#367; not in the documentation, which
#: asks clients to go by the answers). An edit counts too.
PER_MINUTE = 30
APART_S = 1.0
#: Message flag: an address in the plain text shows no page.
SUPPRESS_EMBEDS = 1 << 2

#: https://docs.discord.com/developers/topics/opcodes-and-status-codes : JSON error codes that are about what we sent.
RENDER_CODES = frozenset((50006, 50035, 50109))  # empty message, invalid form body, not JSON

escape = escaper(backslashed("\\*_~`|<>[]()#"))


def judge(answer: Answer, to: Endpoint) -> DeliveryError | None:
    """None where Discord took the message: 204, or with ``wait=true`` 200 and the message."""
    said = answer.said
    if answer.ok:
        taken = answer.status == 204 or "id" in said
        return None if taken else answer.error(to, DeliveryFailure.SERVER_ERROR, retryable=True)
    if answer.status == 429:
        # Seconds, with a fraction; the header has them in whole. Cloudflare's own 429 has only the header.
        asked = parse_retry_after(str(said["retry_after"]), 0.0) if "retry_after" in said else answer.retry_after_s
        return Answer(answer.status, answer.text, asked).error(to)
    if answer.status == 400 and said.get("code") in RENDER_CODES:
        return answer.error(to, DeliveryFailure.RENDER)
    return answer.error(to)


class Settings(UrlSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` (or ``url_file``, ``url_env``): ``https://discord.com/api/webhooks/ID/TOKEN``, with ``?thread_id=…`` for
    a thread of the channel."""

    TAKES: ClassVar[int] = PER_MINUTE
    HOSTS = ("discord.com", "*.discord.com", "discordapp.com")
    #: ``/slack`` or ``/github`` behind that takes what others send.
    PARTS = (Part("url does not end in /api/webhooks/ID/TOKEN", re.compile(r"/webhooks/\d+/[^/?]+/?(?:\?|$)")),)


class Discord(Chat):
    """One webhook."""

    apart_s = APART_S
    markup = Markup(escape, ("**", "**"), "- ", link, "`{}`".format)
    titled = True
    limit = MAX_DESCRIPTION
    harmless = by_line(escape)
    digests = 16

    def __init__(self, name: str, to: Endpoint, settings: Settings, session: Session) -> None:
        super().__init__(to, settings, session)
        self._name = name

    def message(self, card: Card) -> dict[str, Any]:
        """``allowed_mentions`` with nothing in it: nobody is notified, whatever the text says."""
        quiet: dict[str, Any] = {"allowed_mentions": {"parse": []}}
        if not card.bare:
            return quiet | {"embeds": [self._embed(card)]}
        if len(card.body) <= MAX_CONTENT:
            return quiet | {"content": card.body, "flags": SUPPRESS_EMBEDS}
        return quiet | {"embeds": [{"description": card.body}]}

    def _embed(self, card: Card) -> dict[str, Any]:
        embed = {
            "title": fit(escape(card.title), MAX_TITLE),
            "description": card.body,
            "color": COLOURS[card.colour],
        }
        return embed | ({"url": card.link} if card.link else {})

    def judge(self, answer: Answer) -> DeliveryError | None:
        """See `judge`."""
        return judge(answer, self.to)

    def receipt(self, answer: Answer) -> str | None:
        """The id of the message."""
        found = answer.said.get("id")
        return None if found is None else str(found)

    async def deliver(self, told: Told) -> str | None:
        """A digest gives no receipt: it is about several incidents, and not over when one of them is."""
        receipt = await super().deliver(told)
        return None if isinstance(told, Digest) else receipt

    async def deliver_plain(self, told: Told) -> str | None:
        """Likewise."""
        receipt = await super().deliver_plain(told)
        return None if isinstance(told, Digest) else receipt

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """A new message, so that people notice; of an incident that ended, the first one changes as well."""
        answer = await self.session.post(self.to, message, {ID_HEADER: card.id}, query={"wait": "true"})
        if card.thread and card.thread.isdecimal() and card.colour == "resolved" and answer.ok and not card.bare:
            await self._edit(card.thread, message)
        return answer

    async def _edit(self, first: str, message: dict[str, Any]) -> None:
        """What fails here is counted and logged, and that is all: people have been told."""
        try:
            answer = await self.session.post(self.to, message, method="PATCH", path=f"/messages/{first}")
            error = self.judge(answer)
        except DeliveryError as failed:
            error = failed
        if error is not None:
            self.session.failures.note(self._name, error, during="edit of the first message")


def build(name: str, settings: Settings, session: Session) -> Chat:
    """Raises `ConfigError` where the address, the CA file or a template cannot be used."""
    with configuring(name):
        url = read_secret(settings, "url", session.base) or ""
        return Discord(name, endpoint(url, settings, session.base), settings, session)


NOTIFIER = Notifier(kind="discord", settings=Settings, build=build)
