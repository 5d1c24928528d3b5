"""``eventd silence``: nobody is told of what is known or planned."""

import json
from datetime import datetime
from typing import Any

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, RemoteError, path, remote_options
from eventd.cli.text import table
from eventd.printable import printable, printable_json

#: What people of amtool type.
ALIASES = {"query": "list", "ls": "list", "expire": "remove", "rm": "remove", "delete": "remove"}
HEADINGS = ("id", "kind", "status", "from (UTC)", "until (UTC)", "match", "by", "reason")


class _Group(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


@click.group(cls=_Group)
def command() -> None:
    """Silences: nobody is told of what they fit. What is still open when one ends is told then; the end of what was
    told is never held back."""


@command.command()
@remote_options
@click.option("-d", "--for", "--duration", "length", metavar="DURATION", help='How long: "2h", "90m", "1d".')
@click.option("--until", metavar="TIME", help="Until when, RFC 3339; instead of --for.")
@click.option("--reason", "--comment", "reason", default="", help="Why.")
@click.option("--who", "--author", "who", help="Who says so. Default: the name of the token.")
@click.argument("matches", nargs=-1, required=True, metavar="KEY=VALUE...")
def add(
    remote: Remote, matches: tuple[str, ...], length: str | None, until: str | None, reason: str, who: str | None
) -> None:
    """Silence what fits every KEY: severity kind status site device peer interface vsys category fault_side owner tag.

    A key given twice means any of its values; values may hold shell wildcards. The id of the silence is printed.

    Exit status: 0 done, 1 it could not be made, 2 wrong arguments.

    \b
    eventd silence add device=FW1 'peer=10.2.*' --for 2h --reason "new uplink"
    """
    if (length is None) == (until is None):
        raise click.UsageError("needs either --for or --until")
    body = {"match": _match(matches), "reason": reason, "who": who, "duration": length, "until": until}
    made = remote.ask("silences", "POST", {name: value for name, value in body.items() if value is not None})
    click.echo(made["id"])
    fits = made["incidents"]
    click.echo(f"It fits {fits} open incident{'' if fits == 1 else 's'}; until {_until(made)} UTC.", err=True)
    for note in made.get("notes", ()):  # an older service has none
        click.echo(printable(f"note: {note}"), err=True)


def _match(given: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise click.UsageError(f"{text!r} is not KEY=VALUE")
        found.setdefault(key, []).append(value)
    return found


@command.command(name="list")
@remote_options
@click.option(
    "--status",
    type=click.Choice(["current", "active", "pending", "expired", "all"]),
    default="current",
    show_default=True,
    help="current: in force and to come. expired: that ended within a day, and planned work that is over.",
)
@format_option("A table, or an object per line.")
def list_(remote: Remote, status: str, form: str) -> None:
    """Silences, and planned work (kind maintenance) as the configuration of the service has it: of a weekly window the
    one that holds, or the next. The one that ends first comes first.

    Exit status: 0 done (also where there is none), 1 the service does not answer, 2 wrong arguments.

    \b
    eventd silence list
    eventd silence list --status all -f json
    """
    only = None if status in ("all", "current") else status
    found = remote.ask("silences", status=only, limit=1000)["items"]
    found = [row for row in found if status != "current" or row["status"] != "expired"]
    if form == "json":
        for row in found:
            click.echo(printable_json(json.dumps(row, ensure_ascii=False)))
    elif not found:
        click.echo("There is none.")
    else:
        click.echo(table(HEADINGS, map(_row, found), wraps=("until (UTC)", "match", "reason")), nl=False)


def _row(row: Any) -> tuple[str, ...]:
    pairs = ((key, [value] if isinstance(value, str) else value) for key, value in row["match"].items())
    match = " ".join(f"{key}={','.join(values)}" for key, values in pairs) or "everything"
    window = f" ({row['window']})" if row["window"] else ""
    times = (_moment(row["starts_at"]), _moment(row["until"]) + window)
    return row["id"], row["kind"], row["status"], *times, match, row["who"], row["reason"]


def _until(row: Any) -> str:
    return _moment(row["until"])


def _moment(text: str) -> str:
    return story.moment(msgspec.convert(text, datetime), story.now())


@command.command()
@remote_options
@click.argument("idents", nargs=-1, required=True, metavar="ID...")
def remove(remote: Remote, idents: tuple[str, ...]) -> None:
    """End silences now; what they held back and is still open is told. The beginning of an ID is enough if no other
    begins so. Planned work is ended in the configuration of the service.

    Exit status: 0 done, 1 there is no such silence, 2 wrong arguments.

    \b
    eventd silence remove 9ff2
    """
    known = [row["id"] for row in remote.ask("silences", limit=1000)["items"]]
    for given in idents:
        found = [ident for ident in known if ident == given] or [ident for ident in known if ident.startswith(given)]
        if len(found) != 1:
            raise RemoteError(f"{given!r} is not enough: {', '.join(found)}" if found else f"no silence {given!r}")
        remote.ask(path("silences", found[0]), "DELETE")
        click.echo(printable(f"{found[0]} has ended"))
