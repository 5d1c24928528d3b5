"""Which channels were told of an incident, what and when, and what failed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from eventd.cli import story
from eventd.cli.remote import Remote
from eventd.cli.text import block, line
from eventd.cli.waits import channels_of, waits
from eventd.store.letters import Letter
from eventd.web.answers import ChannelRow

#: Notifications that are shown, the latest; `eventd outbox list --state all --incident ID` has the rest.
SHOWN = 20
#: Told later than this says since when it waited.
LATE = timedelta(minutes=1)


def told_block(remote: Remote, incident: str, now: datetime) -> str:
    """Of an incident (its whole id); says so where nobody was to be told."""
    answer = remote.ask("outbox", incident=incident, state="all", limit=SHOWN)
    found = msgspec.convert(answer["items"], list[Letter])
    channels = channels_of(remote)
    lines = [_line(letter, channels, now) for letter in _each_once(found[::-1])]
    if answer["next"] is not None:
        lines.insert(0, line("", f"… earlier ones: eventd outbox list --state all --incident {incident}"))
    return block("told", lines or [line("", "nobody: no channel was to be told of it")])


def _each_once(letters: Sequence[Letter]) -> Iterator[Letter]:
    """Without what was not told at the same moment and for the same reason as one before it."""
    seen = set[tuple[object, ...]]()
    for letter in letters:
        untold = (letter.channel, letter.settled_at, letter.error)
        if letter.state != "superseded" or untold not in seen:
            yield letter
        seen.add(untold)


def _line(letter: Letter, channels: Mapping[str, ChannelRow], now: datetime) -> str:
    at = letter.settled_at or letter.wanted_at
    return line(story.moment(at, now)[-8:], letter.channel, letter.what, "; ".join(_became(letter, channels, now)))


def _became(letter: Letter, channels: Mapping[str, ChannelRow], now: datetime) -> Iterator[str]:
    yield {
        "delivered": "told",
        "superseded": f"not told: {letter.error or 'a later one took its place, or it was over before'}",
        "dead": f"NOT TOLD: {letter.error or 'given up'}",
        "pending": f"not told yet: {waits(letter, channels, now)}",
    }[letter.state]
    if letter.state == "delivered" and letter.digest is not None:
        yield "together with others"
    if letter.state == "delivered" and (letter.settled_at or now) - letter.wanted_at > LATE:
        yield f"late, wanted at {story.moment(letter.wanted_at, now)}"
    if letter.state not in ("dead", "superseded") and letter.error:
        yield f"tried {letter.attempts} times, lastly: {letter.error}"
    elif letter.state == "pending" and letter.behind is None:
        channel = channels.get(letter.channel)
        if channel is not None and channel.error:
            yield f"the channel's last try: {channel.error}"
    if letter.sent_again_as is not None:
        yield "sent again"
