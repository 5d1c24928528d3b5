"""``eventd decode``: messages from files, one object per message out, in input order and constant memory."""

import sys
import time
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from eventd.cli import OUTPUT_LOST
from eventd.cli.options import Usm, format_option, usm_options
from eventd.cli.text import event_block
from eventd.decode import Decoder
from eventd.errors import ParseError
from eventd.inputs import Reader
from eventd.inventory import Inventory
from eventd.model import Event, Malformed, Message, to_json
from eventd.parse.snmp import Access
from eventd.parse.usm import User
from eventd.printable import printable_json
from eventd.registry import load


class _AnyCommunity(Access):
    """Whoever decodes a file wants to read it, not to keep strangers out."""

    def admits(self, community: bytes) -> bool:  # noqa: ARG002
        return True


@click.command()
@format_option("An object per line, or a block for people.", "json", "text")
@click.option(
    "--transport",
    type=click.Choice(["syslog", "trap"]),
    help="What bare lines and packets are. Default: told from each of them.",
)
@click.option("-c", "--config", type=click.Path(dir_okay=False), help="Inventory, handlers and SNMPv3 users of it.")
@click.option("--community", multiple=True, help="Accept only this SNMP community (may be repeated). Default: any.")
@usm_options
@click.argument("files", nargs=-1, metavar="[FILE…|-]", type=click.Path(allow_dash=True))
def command(
    form: str, transport: str | None, config: str | None, community: tuple[str, ...], files: tuple[str, ...], **usm: Any
) -> None:
    """Decode messages: text with one syslog message or hex-encoded SNMP message per line, recordings
    (time, transport, source and payload, parted by tabs), JSON lines of this command or of the journal, and packet
    captures (pcap, pcapng).

    One JSON object per message comes out, in input order.

    Exit status: 0 done (malformed messages come out too and do not change it), 1 a file could not be read, 2 wrong
    arguments or configuration.

    \b
    eventd decode received.log
    tail -F /var/log/fw.log | eventd decode -f text
    eventd decode --transport trap traps.hex
    """
    decoder = _decoder(config, community, Usm(usm))
    write = _write_json if form == "json" else _write_text
    unreadable = False
    for name in files or ("-",):
        try:
            with open_input(name) as stream:
                live = not stream.seekable()
                reader = Reader(stream, transport, lambda _: time.time())
                for found in reader:
                    write(decoder.decode(found) if isinstance(found, Message) else found)
                    if live:
                        sys.stdout.flush()
                tell_skipped(name, reader)
        except (OSError, ParseError) as error:
            if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) in OUTPUT_LOST:
                raise
            unreadable = True
            click.echo(f"eventd: {name}: {getattr(error, 'strerror', None) or error}", err=True)
    if unreadable:
        sys.exit(1)


def _decoder(path: str | None, communities: tuple[str, ...], usm: Usm) -> Decoder:
    users = []
    if usm.user:
        try:
            users.append(_user(usm))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    packages: tuple[str, ...] = ("handlers",)
    inventory = Inventory()
    if path is not None:
        from eventd.config import load as load_config  # half of the start-up time, and seldom needed

        config = load_config(path)
        packages, inventory, users = config.handlers, config.inventory, [*users, *config.access_users]
    access = Access(communities, users, checks="offline") if communities else _AnyCommunity((), users, checks="offline")
    return Decoder(load(packages), inventory, access, on_bug=_tell_bug)


def _user(usm: Usm) -> User:
    return User(
        name=usm.user,
        level=usm.level,
        auth=usm.auth if usm.auth_key else None,
        auth_password=usm.auth_key.encode() if usm.auth_key else None,
        priv=usm.priv if usm.priv_key else None,
        priv_password=usm.priv_key.encode() if usm.priv_key else None,
        engine_id=usm.engine_id,
    )


def _tell_bug(error: Exception, message: Message) -> None:
    click.echo(f"eventd: bug in a handler: {error!r} for {message.payload[:200]!r}", err=True)


def open_input(name: str) -> BufferedReader:
    """A file, or standard input for ``-``."""
    return Path(name).open("rb") if name != "-" else open(sys.stdin.fileno(), "rb", closefd=False)


def tell_skipped(name: str, reader: Reader) -> None:
    """On stderr, what a capture held that is no message."""
    if reader.skipped:
        notes = (f"{count} × {reason}" for reason, count in reader.skipped.most_common())
        click.echo(f"eventd: {name}: packets skipped: {', '.join(notes)}", err=True)


# --- output --------------------------------------------------------------------------------------------------------


def _write_json(found: Event | Malformed) -> None:
    sys.stdout.buffer.write(printable_json(to_json(found).decode()).encode() + b"\n")


def _write_text(found: Event | Malformed) -> None:
    sys.stdout.buffer.write(event_block(found).encode() + b"\n\n")
