"""How a notification stands, in a few words: why it waits, or when it was settled."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from eventd.cli import story
from eventd.cli.remote import Remote
from eventd.notify.session import ASKS
from eventd.store.letters import Letter
from eventd.web.answers import ChannelRow

#: Enough of an id for a person, and for `retry` and `drop`.
SHORT = 10
#: Ends of which people want to know when they came.
ENDS = {"delivered": "told", "dead": "given up"}


def channels_of(remote: Remote) -> dict[str, ChannelRow]:
    """The channels of a running eventd by name, and how they stand."""
    return {row.name: row for row in msgspec.convert(remote.ask("status")["channels"], list[ChannelRow])}


def since(letter: Letter, now: datetime) -> datetime:
    """Since when it waits, or waited: when it was to be told; what is, or was to the end, held for later waits since it
    was made."""
    return letter.wanted_at if letter.wanted_at <= (letter.settled_at or now) else letter.created_at


def stands(letter: Letter, channels: Mapping[str, ChannelRow], now: datetime) -> str:
    """Why it waits, or when it was told or given up; empty for what a later one took the place of."""
    if letter.settled_at is None or letter.state not in ENDS:
        return waits(letter, channels, now)
    return f"{ENDS[letter.state]} at {story.moment(letter.settled_at, now)}"


def waits(letter: Letter, channels: Mapping[str, ChannelRow], now: datetime) -> str:
    """Empty for what does not wait."""
    if letter.state != "pending":
        return ""
    if letter.behind is not None:
        return f"after {letter.behind[:SHORT]}, which is about the same incident"
    channel = channels.get(letter.channel)
    if channel is None:
        return "the channel is not configured"
    return "; ".join(_waits(letter, channel, now)) or "in turn"


def _waits(letter: Letter, channel: ChannelRow, now: datetime) -> Iterator[str]:
    later = letter.next_try_at is not None and letter.next_try_at > now
    if letter.next_try_at is not None and later and not letter.attempts:
        until = story.moment(letter.next_try_at, now)
        if letter.held:
            yield f"quiet hours until {until}"
        elif letter.escalates:
            yield f"told at {until} unless somebody acknowledges the incident"
        else:
            yield f"not before {until}"
        return
    if channel.failing_since is not None:
        yield f"channel fails since {story.moment(channel.failing_since, now)}"
    if channel.rests_until is not None and channel.rests_until > now:
        asked = " as its far end asked" if ASKS in (letter.error or "") else ""
        yield f"channel rests{asked} until {story.moment(channel.rests_until, now)}"
    elif later and letter.next_try_at is not None:
        yield f"tried again at {story.moment(letter.next_try_at, now)}"
