"""``eventd ack``: somebody has taken an incident."""

import click

from eventd.cli.remote import Remote, find, path, remote_options
from eventd.printable import printable


@click.command()
@remote_options
@click.option("--note", help="What is being done about it.")
@click.option("--until", metavar="TIME|DURATION", help='Recalled again after that: "2h", or RFC 3339. Default: never.')
@click.option("--who", help="Who has taken it. Default: the name of the token.")
@click.option("--undo", is_flag=True, help="Nobody has it any more.")
@click.argument("ident", metavar="ID")
def command(remote: Remote, ident: str, note: str | None, until: str | None, who: str | None, undo: bool) -> None:
    """Take an incident: everybody sees who has it, and it is not recalled any more. It ends as any other does."""
    given = {"note": note, "until": until, "who": who}
    said = {name: value for name, value in given.items() if value is not None}
    if undo and said:
        raise click.UsageError(f"--undo takes no --{next(iter(said))}")
    target = path("incidents", find(remote, ident)["id"], "ack")
    incident = remote.ask(target, "DELETE") if undo else remote.ask(target, "POST", said)
    taken = "is nobody's" if undo else f"is taken by {incident['acked_by']}"
    click.echo(printable(f"{incident['id']} {taken}: {incident['title']}"))
