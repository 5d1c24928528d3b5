"""``eventd outbox``: what was not delivered, and what is done about it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, RemoteError, act_on_each, find, pages, path, remote_options
from eventd.cli.text import table
from eventd.cli.waits import SHORT, channels_of, since, stands
from eventd.model import to_json
from eventd.printable import printable_json
from eventd.store.letters import Letter, dropped
from eventd.web.answers import ChannelRow

HEADINGS = ("id", "state", "channel", "since (UTC)", "what", "tries", "stands (UTC)", "reason")
STATES = ("pending", "dead", "superseded", "delivered", "all")


@click.group()
def command() -> None:
    """Notifications that were not delivered: those that wait, and those that were given up (dead). Nothing is lost
    because of it: what happened is in the journal, but people may not have been told."""


@command.command(name="list")
@remote_options
@click.option("--channel", help="Only of this channel.")
@click.option(
    "--state",
    type=click.Choice(STATES),
    help="Default: pending, and dead unless they were sent again or dropped.",
)
@click.option("--incident", help="Only about this incident; the beginning of its id is enough.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, latest first.")
@format_option("A table, or an object per line.")
def list_(remote: Remote, form: str, **wanted: Any) -> None:
    """What was not delivered, and why; the latest first. With --state also what was, and when.

    Exit status: 0 also when there is none, 1 if the service cannot be asked.

    \b
    eventd outbox list --channel pager
    eventd outbox list --state all --incident 751c08
    """
    if wanted["incident"] is not None:
        wanted["incident"] = find(remote, wanted["incident"])["id"]
    items, more = pages(remote, "outbox", **wanted)
    found = [msgspec.convert(item, Letter) for item in items]
    if more:
        click.echo(f"There are more than {len(found)}; --limit shows more.", err=True)
    if form == "json":
        for letter in found:
            click.echo(printable_json(to_json(letter).decode()))
        return
    if not found:
        click.echo("There is none.")
        return
    channels = channels_of(remote)
    rows = (_row(letter, channels) for letter in found)
    click.echo(table(HEADINGS, rows, wraps=("what", "stands (UTC)", "reason")), nl=False)
    for said in _failing(found, channels):
        click.echo(said)


def _failing(shown: Sequence[Letter], channels: Mapping[str, ChannelRow]) -> Iterator[str]:
    """Why channels fail for which something waits, where nothing that is ``shown`` says it."""
    now, said = story.now(), {(letter.channel, letter.error) for letter in shown}
    waiting = {letter.channel for letter in shown if letter.state == "pending"}
    for name in sorted(waiting & channels.keys()):
        channel = channels[name]
        if channel.failing_since is not None and channel.error and (name, channel.error) not in said:
            yield f"{name} fails since {story.moment(channel.failing_since, now)}: {channel.error}"


def _row(letter: Letter, channels: Mapping[str, ChannelRow]) -> tuple[str, ...]:
    now = story.now()
    said = letter.dropped_by and letter.error == dropped(letter.dropped_by)  # who closed it, and that it was dropped
    closed_by = None if said else letter.dropped_by
    marks = {"sent again as": letter.sent_again_as and letter.sent_again_as[:SHORT], "closed by": closed_by}
    reason = [letter.error or "", *(f"{mark} {value}" for mark, value in marks.items() if value)]
    return (
        letter.id[:SHORT],
        letter.state,
        letter.channel,
        story.moment(since(letter, now), now),
        f"{letter.what}: {letter.title or letter.incident}",
        str(letter.attempts),
        stands(letter, channels, now),
        ", ".join(filter(None, reason)),
    )


@command.command()
@remote_options
@click.option("--all-dead", is_flag=True, help="All that were given up and neither sent again nor dropped.")
@click.option("--channel", help="With --all-dead: only of this channel.")
@click.option("--who", help="Who wants it. Default: the name of the token.")
@click.argument("idents", nargs=-1, metavar="[ID]...")
def retry(remote: Remote, all_dead: bool, channel: str | None, who: str | None, idents: tuple[str, ...]) -> None:
    """Try again. What waits is tried at once, also if its channel is resting after a failure. What was given up stays
    so, and a new notification tells the incident as it stands now, marked as late.

    The beginning of an ID is enough if no other begins so. Exit status: 1 if one of them could not be tried again; the
    others are.

    \b
    eventd outbox retry 1f0c9a
    eventd outbox retry --all-dead --channel pager
    """
    if all_dead == bool(idents):
        raise click.UsageError("needs either IDs or --all-dead")
    if channel is not None and not all_dead:
        raise click.UsageError("--channel is for --all-dead")

    def again(ident: str) -> str:
        made = _post(remote, ident, "retry", who)
        by = "is tried at once" if made.id == ident else f"is sent again as {made.id[:SHORT]}"
        return f"{ident[:SHORT]} {by}: {made.what} on {made.channel}: {made.title}"

    dead = [one.id for one in _undelivered(remote, channel) if one.state == "dead"] if all_dead else []
    _act_on(remote, idents or dead, again)


@command.command()
@remote_options
@click.option("--channel", help="All of this channel that wait or were given up.")
@click.option("--who", help="Who wants it. Default: the name of the token.")
@click.argument("idents", nargs=-1, metavar="[ID]...")
def drop(remote: Remote, channel: str | None, who: str | None, idents: tuple[str, ...]) -> None:
    """Tell it no more: what waits is given up ("dropped by …"), what was given up is off the list. What is being told
    right now cannot be dropped.

    The beginning of an ID is enough if no other begins so. Exit status: 1 if one of them could not be dropped; the
    others are.

    \b
    eventd outbox drop 1f0c9a
    eventd outbox drop --channel old-chat --who "night shift"
    """
    if (channel is None) == (not idents):
        raise click.UsageError("needs either IDs or --channel")

    def gone(ident: str) -> str:
        letter = _post(remote, ident, "drop", who)
        return f"{ident[:SHORT]} is dropped: {letter.what} on {letter.channel}: {letter.title}"

    found = [one.id for one in _undelivered(remote, channel)] if channel is not None else []
    _act_on(remote, idents or found, gone)


def _post(remote: Remote, ident: str, what: str, who: str | None) -> Letter:
    said = {} if who is None else {"who": who}
    return msgspec.convert(remote.ask(path("outbox", ident, what), "POST", said), Letter)


def _undelivered(remote: Remote, channel: str | None) -> list[Letter]:
    """All of it, the oldest first: in that order it is told again."""
    items, _ = pages(remote, "outbox", math.inf, channel=channel)
    if not items:
        _known(remote, channel)
    return [msgspec.convert(item, Letter) for item in reversed(items)]


def _known(remote: Remote, channel: str | None) -> None:
    """RemoteError where nothing is found of a channel because there is none of that name."""
    names = channels_of(remote) if channel is not None else ()
    if channel is not None and channel not in names:
        raise RemoteError(f"there is no channel {channel!r}: {', '.join(names) or 'none'}")


def _act_on(remote: Remote, idents: Sequence[str], act: Callable[[str], str]) -> None:
    if not idents:
        click.echo("There is none.")
    act_on_each(remote, idents, act, "outbox")
