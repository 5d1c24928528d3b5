"""``eventd clear``: resolve an incident by hand."""

import click

from eventd.cli.remote import Remote, act_on_each, path, remote_options


@click.command()
@remote_options
@click.option("--who", help="Who says so. Default: the name of the token.")
@click.argument("idents", nargs=-1, required=True, metavar="ID...")
def command(remote: Remote, idents: tuple[str, ...], who: str | None) -> None:
    """Resolve incidents by hand, for instance because the all-clear was lost. What the device reports later is judged
    anew. A group takes along what it tells.

    The beginning of an ID is enough if no other begins so. Exit status: 1 if one of them could not be cleared; the
    others are.

    \b
    eventd clear 751c
    eventd clear 751c 9ff2 --who ann
    """
    said = {} if who is None else {"who": who}

    def clear(ident: str) -> str:
        incident = remote.ask(path("incidents", ident, "clear"), "POST", said)
        return f"{ident} is resolved: {incident['title'] or incident['summary']}"

    act_on_each(remote, idents, clear)
