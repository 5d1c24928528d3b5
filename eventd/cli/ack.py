"""``eventd ack``: somebody has taken an incident."""

import click
import msgspec

from eventd.cli import story
from eventd.cli.remote import Remote, act_on_each, path, remote_options
from eventd.model import Incident


@click.command()
@remote_options
@click.option("--note", help="What is being done about it.")
@click.option("--until", metavar="TIME|DURATION", help='Recalled again after that: "2h", or RFC 3339. Default: never.')
@click.option("--who", help="Who has taken it. Default: the name of the token.")
@click.option("--undo", is_flag=True, help="Nobody has it any more.")
@click.argument("idents", nargs=-1, required=True, metavar="ID...")
def command(
    remote: Remote, idents: tuple[str, ...], note: str | None, until: str | None, who: str | None, undo: bool
) -> None:
    """Take incidents: everybody sees who has them, and they are not recalled any more. Each ends as any other does.

    The beginning of an ID is enough if no other begins so. Exit status: 1 if one of them could not be taken; the others
    are.

    \b
    eventd ack 751c --note "carrier called, ticket 4711" --until 2h
    eventd ack 751c 9ff2 --who "night shift"
    eventd ack 751c --undo
    """
    given = {"note": note, "until": until, "who": who}
    said = {name: value for name, value in given.items() if value is not None}
    if undo and said:
        raise click.UsageError(f"--undo takes no --{next(iter(said))}")

    def take(ident: str) -> str:
        target = path("incidents", ident, "ack")
        found = msgspec.convert(remote.ask(target, "DELETE") if undo else remote.ask(target, "POST", said), Incident)
        taken = "is nobody's" if undo else _taken(found)
        return f"{ident} {taken}: {found.title or found.summary}"

    act_on_each(remote, idents, take)


def _taken(incident: Incident) -> str:
    until = f" until {story.moment(incident.acked_until, story.now())} UTC" if incident.acked_until else ""
    note = f" ({incident.acked_note})" if incident.acked_note else ""
    return f"is taken by {incident.acked_by}{until}{note}"
