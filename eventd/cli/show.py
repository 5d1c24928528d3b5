"""``eventd show``: one incident whole."""

import json

import click
import msgspec

from eventd.cli import story
from eventd.cli.remote import Remote, find, path, remote_options
from eventd.model import Incident
from eventd.printable import printable_json
from eventd.web.answers import ChildRow


@click.command()
@remote_options
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.argument("ident", metavar="ID")
def command(remote: Remote, ident: str, form: str) -> None:
    """One incident whole: why, what to do, what happened, and the messages that prove it. The beginning of its ID is
    enough if no other begins so."""
    whole = remote.ask(path("incidents", find(remote, ident)["id"]))
    if form == "json":
        click.echo(printable_json(json.dumps(whole, ensure_ascii=False)))
        return
    under = msgspec.convert(whole["under"], list[ChildRow])
    click.echo(story.incident_block(msgspec.convert(whole, Incident), story.now(), under))
    click.echo(story.messages_block(whole["events"], story.now()), nl=bool(whole["events"]))
