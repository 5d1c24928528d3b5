"""``eventd show``: one incident whole."""

import json

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, find, path, remote_options
from eventd.cli.told import told_block
from eventd.model import Incident
from eventd.printable import printable_json
from eventd.web.answers import ChildRow


@click.command()
@remote_options
@format_option("For people, or one object.")
@click.argument("ident", metavar="ID")
def command(remote: Remote, ident: str, form: str) -> None:
    """One incident whole: why, what to do, what happened, which channels were told of it, and the messages that prove
    it. The beginning of its ID is enough if no other begins so.

    Exit status: 0 done, 1 there is no such incident or no service, 2 wrong arguments.

    \b
    eventd show 751c
    eventd show 751c -f json | jq .under
    """
    whole = remote.ask(path("incidents", find(remote, ident)["id"]))
    if form == "json":
        click.echo(printable_json(json.dumps(whole, ensure_ascii=False)))
        return
    under = msgspec.convert(whole["under"], list[ChildRow])
    click.echo(story.incident_block(msgspec.convert(whole, Incident), story.now(), under))
    click.echo(told_block(remote, whole["id"], story.now()))
    click.echo(story.messages_block(whole["events"], story.now()), nl=bool(whole["events"]))
