"""``eventd clear``: resolve an incident by hand."""

import click

from eventd.cli.remote import Remote, find, path, remote_options
from eventd.printable import printable


@click.command()
@remote_options
@click.option("--who", help="Who says so. Default: the name of the token.")
@click.argument("ident", metavar="ID")
def command(remote: Remote, ident: str, who: str | None) -> None:
    """Resolve an incident by hand, for instance because the all-clear was lost. What the device reports later is judged
    anew. A group takes along what it tells."""
    said = {} if who is None else {"who": who}
    incident = remote.ask(path("incidents", find(remote, ident)["id"], "clear"), "POST", said)
    click.echo(printable(f"{incident['id']} is resolved: {incident['title']}"))
