"""What all that tell people have in common: a text in their own markup, within their limits, a plain text when the
layout fails (`Texts`); and what chats have: one JSON POST, and an answer that may say no under any status (`Chat`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, ClassVar, Protocol

from msgspec import Meta, Struct

from eventd.checked import Fault, all_of
from eventd.contract import Channel, Pace
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Incident, Told
from eventd.notify.endpoint import Endpoint, Part, TransportSettings, configuring, endpoint
from eventd.notify.fit import fit
from eventd.notify.localtime import zone_faults
from eventd.notify.markup import BARE, Markup, clean
from eventd.notify.render import MAX_HEADLINE, MAX_PLAIN_LINE, colour, latest, plain, title
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import ID_HEADER, Answer, Session
from eventd.notify.template import Renderer
from eventd.notify.tried import tried_template
from eventd.notify.words import Language

#: What people can follow. Beyond it, what comes at once is told together.
READABLE_PER_MINUTE = 10
#: Colours by `Card.colour`, for services that take any: dark red, red, amber, blue, green.
COLOURS = {"critical": 0x8B0000, "major": 0xD93025, "warning": 0xF29900, "info": 0x1A73E8, "resolved": 0x188038}
#: Widths to which the headlines of a digest are cut, one after the other, until all of its lines fit.
WIDTHS = (MAX_HEADLINE, 70, 40, 24)
#: The same in plain text, whose limit may be far lower: of the last only the beginning of a name is left.
PLAIN_WIDTHS = (MAX_HEADLINE, MAX_PLAIN_LINE, *WIDTHS[2:], 8)


#: ``max_per_minute`` of a channel.
PerMinute = Annotated[int, Meta(ge=1)]


class Wording(Protocol):
    """Keys of every channel that tells people something in words. ``language`` and ``time_zone`` of the messages;
    ``max_per_minute``: what comes beyond it is told together, in one message that lists every incident;
    ``template_file`` and ``digest_template_file`` replace the layouts."""

    @property
    def language(self) -> Language: ...

    @property
    def time_zone(self) -> str: ...

    @property
    def max_per_minute(self) -> int: ...

    @property
    def template_file(self) -> str | None: ...

    @property
    def digest_template_file(self) -> str | None: ...


class ChatSettings(TransportSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of every chat (`Wording`)."""

    #: What the service itself takes in a minute; more than this cannot be configured.
    TAKES: ClassVar[int] = 60
    #: Hosts that the service's own addresses (``url``) have, as patterns; empty where anybody may run one.
    HOSTS: ClassVar[tuple[str, ...]] = ()
    #: What they have behind that, on a server of one's own too.
    PARTS: ClassVar[tuple[Part, ...]] = ()

    language: Language = "en"
    time_zone: str = "UTC"
    max_per_minute: PerMinute = READABLE_PER_MINUTE
    template_file: str | None = None
    digest_template_file: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from zone_faults(given)
        if given.get("max_per_minute", 0) > cls.TAKES:
            yield "max_per_minute", f"is more than the service takes, which is {cls.TAKES}"


class UrlSettings(ChatSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a chat of which the webhook address is all there is to know: ``url`` (or ``url_file``, ``url_env``)."""

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        yield from ways_faults(given, "url", required=True)


def urgent(told: Told) -> bool:
    """Whether something critical opened."""
    each = told.notifications if isinstance(told, Digest) else (told,)
    return any(one.what == "opened" and one.incident.severity == "critical" for one in each)


class Card(Struct, frozen=True):
    """What a message is made of. ``title``: one printable line, not escaped; ``body``: in the chat's own markup,
    within its limits, or without any where ``bare``; ``colour``: severity or ``resolved``; ``link``: where to look;
    ``urgent``: something critical opened."""

    id: str
    title: str
    body: str
    colour: str
    link: str | None
    thread: str | None
    bare: bool = False
    urgent: bool = False


class Texts:
    """What is told, in words: subclasses say in which markup, within which limits, and how it is sent."""

    refresh_s: float | None = None
    #: Seconds between two messages.
    apart_s: ClassVar[float] = 0.0
    markup: ClassVar[Markup] = BARE
    #: Whether the title has a place of its own, and is therefore not in the body.
    titled: ClassVar[bool] = False
    #: Longest body, by `size`.
    limit: int = 4000
    size: ClassVar[Callable[[str], int]] = len
    #: The same for plain text, where they differ.
    plain_limit: int | None = None
    plain_size: ClassVar[Callable[[str], int] | None] = None
    #: Makes plain text harmless where it could mean something to the service or its clients.
    harmless: ClassVar[Callable[[str], str]] = str
    #: Incidents in a digest at most: what people read in one message. `holds` says for how many of them there is room.
    digests: int = 30

    def __init__(self, settings: Wording, session: Session) -> None:
        """Raises ValueError where a template cannot be used."""
        self.session, self._say = session, session.words(settings.language, time_zone=settings.time_zone)
        self.pace = Pace(settings.max_per_minute, self.apart_s)
        self._message, self._digest = all_of(
            lambda: self._template("message.j2", "template_file", settings.template_file),
            lambda: self._template("digest.j2", "digest_template_file", settings.digest_template_file),
        )

    def _template(self, own: str, key: str, file: str | None) -> Renderer:
        return tried_template(own, file, self.markup, self.session.base, key=key, say=self._say, titled=self.titled)

    async def _send(self, card: Card) -> str | None:
        """Send it; the receipt, if any. Raises `DeliveryError`."""
        raise NotImplementedError

    # --- `contract.Channel` ---------------------------------------------------------------------------------------

    async def deliver(self, told: Told) -> str | None:
        """In the layout of the channel."""
        return await self._send(self.card(told, self.body(told)))

    async def deliver_plain(self, told: Told) -> str | None:
        """The fallback: no template, no markup, one short text."""
        return await self._send(self.card(told, self.plain_body(told), bare=True))

    def holds(self, digest: Digest) -> int:
        """`contract.Measures`: how many incidents of ``digest`` there is room for, in the layout as in plain text."""
        count = len(latest(digest))
        room = self._room(count, self._plain(digest, PLAIN_WIDTHS[-1]), bare=True)
        with suppress(DeliveryError):  # of a layout that fails only the plain text is left
            room = min(room, self._room(count, self._digest(digest, WIDTHS[-1]), bare=False))
        return room

    def _room(self, count: int, text: str, *, bare: bool) -> int:
        if self.fits(text, bare=bare):
            return count
        limit, size = self._bounds(bare=bare)
        return max(1, min(count - 1, count * limit // max(1, size(text))))

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None: ...

    async def close(self) -> None: ...

    # --- what a message is made of --------------------------------------------------------------------------------

    def text(self, told: Told) -> str:
        """`contract.Talker`: the title, where it has a place of its own, and the body."""
        return "\n".join((title(told, self._say), self.body(told))) if self.titled else self.body(told)

    def body(self, told: Told) -> str:
        """The rendered text within the limits. Of a digest every line is kept, if need be with less in each; raises
        `DeliveryError` (``too_large``) where there is no room for that."""
        if isinstance(told, Digest):
            return self._whole(told, partial(self._digest, told), WIDTHS)
        return fit(self._message(told), self.limit, type(self).size, self._tail(told.incident))

    def plain_body(self, told: Told) -> str:
        """The same as plain text."""
        if isinstance(told, Digest) and len(latest(told)) > 1:
            return self._whole(told, partial(self._plain, told), PLAIN_WIDTHS, bare=True)
        text, bounds = self._plain(told, PLAIN_WIDTHS[0]), self._bounds(bare=True)
        where = "" if isinstance(told, Digest) else clean(told.incident.url or "")
        fitted = fit(text, *bounds, self._say("value.cut"))
        return fitted if where in fitted else fit(text, *bounds, f"{self._say('value.cut')} {where}")

    def _plain(self, told: Told, width: int) -> str:
        return plain(told, self._say, width, type(self).harmless)

    def _whole(
        self, digest: Digest, text_of: Callable[[int], str], widths: Sequence[int], *, bare: bool = False
    ) -> str:
        for width in widths:
            if self.fits(text := text_of(width), bare=bare):
                return text
        detail = f"{len(latest(digest))} incidents are more than one message has room for"
        raise DeliveryError(DeliveryFailure.TOO_LARGE, detail, retryable=False)

    def fits(self, text: str, *, bare: bool) -> bool:
        """Whether all of ``text`` will be in the message. A service that divides it in some way says so here."""
        limit, size = self._bounds(bare=bare)
        return size(text) <= limit

    def _bounds(self, *, bare: bool) -> tuple[int, Callable[[str], int]]:
        if not bare:
            return self.limit, type(self).size
        return self.plain_limit or self.limit, type(self).plain_size or type(self).size

    def _tail(self, incident: Incident) -> str:
        marker = self._say("value.cut")
        if incident.url is None:
            return marker
        return f"{marker} {self.markup.link(self.markup.escape(clean(incident.id)), clean(incident.url))}"

    def card(self, told: Told, body: str, *, bare: bool = False) -> Card:
        """What a message is made of."""
        one = None if isinstance(told, Digest) else told
        link = self.session.external_url if one is None else one.incident.url
        thread = None if one is None else one.thread
        return Card(told.id, title(told, self._say), body, colour(told), link, thread, bare, urgent(told))


class Chat(Texts):
    """One chat. A service is a subclass that says how it differs."""

    def __init__(self, to: Endpoint, settings: ChatSettings, session: Session) -> None:
        """Raises ValueError where a template cannot be used."""
        super().__init__(settings, session)
        self.to, self.far_ends = to, (to,)

    def message(self, card: Card) -> dict[str, Any]:
        """The JSON object to post."""
        raise NotImplementedError

    def judge(self, answer: Answer) -> DeliveryError | None:
        """None where the far end took the message."""
        return None if answer.ok else answer.error(self.to)

    def receipt(self, answer: Answer) -> str | None:  # noqa: ARG002  for subclasses
        """What the far end calls the message, where a later one can refer to it."""
        return None

    async def post(self, message: dict[str, Any], card: Card) -> Answer:
        """Send it. A service whose requests are signed, or go elsewhere for a card with a thread, says so here."""
        return await self.session.post(self.to, message, {ID_HEADER: card.id})

    async def _send(self, card: Card) -> str | None:
        answer = await self.post(self.message(card), card)
        if (error := self.judge(answer)) is not None:
            raise error
        return self.receipt(answer)


def build_url_chat(kind: type[Chat]) -> Callable[[str, UrlSettings, Session], Channel]:
    """A `Notifier.build` for chats with `UrlSettings`."""

    def build(name: str, settings: UrlSettings, session: Session) -> Channel:
        with configuring(name):
            url = read_secret(settings, "url", session.base) or ""
            return kind(endpoint(url, settings, session.base), settings, session)

    return build
