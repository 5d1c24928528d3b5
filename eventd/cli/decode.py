"""``eventd decode``: messages from files, one object per message out, in input order and constant memory."""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from eventd.cli import OUTPUT_LOST
from eventd.cli.options import Usm, usm_options
from eventd.cli.text import event_block
from eventd.decode import Decoder, malformed
from eventd.errors import ParseError, RejectReason
from eventd.inventory import Inventory
from eventd.model import Event, Malformed, Message, to_json
from eventd.parse import pcap
from eventd.parse.framing import split_datagram
from eventd.parse.recording import UNKNOWN_SOURCE, parse_line
from eventd.parse.snmp import Access, transport_of
from eventd.parse.usm import User
from eventd.printable import printable_json
from eventd.registry import load

#: The longest datagram (64 KiB) with every octet as an escape, and room for the fields before it.
MAX_LINE = 512 * 1024
#: A bare PDU in hex: a BER SEQUENCE.
_HEX_PDU = re.compile(rb"30(?:[0-9A-Fa-f]{2})+")

Input = Message | Malformed


class _AnyCommunity(Access):
    """Whoever decodes a file wants to read it, not to keep strangers out."""

    def admits(self, community: bytes) -> bool:  # noqa: ARG002
        return True


@click.command()
@click.option("-f", "--format", "form", type=click.Choice(["json", "text"]), default="json", show_default=True)
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
    (time, transport, source and payload, parted by tabs), and packet captures (pcap, pcapng).

    One JSON object per message comes out, in input order. Malformed messages come out too and do not change the exit
    status.
    """
    decoder = _decoder(config, community, Usm(usm))
    write = _write_json if form == "json" else _write_text
    unreadable = False
    for name in files or ("-",):
        try:
            with _open(name) as stream:
                live = not stream.seekable()
                for found in _inputs(stream, name, transport):
                    write(decoder.decode(found) if isinstance(found, Message) else found)
                    if live:
                        sys.stdout.flush()
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
    access = Access(communities, users) if communities else _AnyCommunity((), users)
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


def _open(name: str) -> BufferedReader:
    return Path(name).open("rb") if name != "-" else open(sys.stdin.fileno(), "rb", closefd=False)


# --- input ---------------------------------------------------------------------------------------------------------


def _inputs(stream: BufferedReader, name: str, transport: str | None) -> Iterator[Input]:
    if stream.peek(4)[:4] in pcap.MAGICS:
        return _from_capture(stream, name, transport)
    return _from_lines(stream, transport)


def _from_lines(stream: BufferedReader, transport: str | None) -> Iterator[Input]:
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield malformed(_bare(line[:200]), RejectReason.OVERSIZE, MAX_LINE)
        elif (found := _from_line(line, transport)) is not None:
            yield found


def _bare(payload: bytes) -> Message:
    return Message("syslog-udp", UNKNOWN_SOURCE, 0, time.time(), payload)


def _from_line(line: bytes, transport: str | None) -> Input | None:
    text = line.strip()
    if b"\t" not in text and _is_hex(text, transport):
        return _from_hex(text)
    try:
        return parse_line(line, time.time())
    except ParseError as error:
        return malformed(_bare(line.rstrip(b"\r\n")), error.reason, error.offset)


def _is_hex(text: bytes, transport: str | None) -> bool:
    if transport == "trap":
        return bool(text) and not text.startswith(b"#")
    return transport is None and _HEX_PDU.fullmatch(text) is not None


def _from_hex(text: bytes) -> Input:
    try:
        payload = bytes.fromhex(text.decode("ascii").removeprefix("0x").replace(":", ""))
    except ValueError:
        return malformed(_bare(text), RejectReason.BAD_FRAME, 0)
    return Message(transport_of(payload), UNKNOWN_SOURCE, 0, time.time(), payload)


def _from_capture(stream: BufferedReader, name: str, transport: str | None) -> Iterator[Message]:
    capture = pcap.Capture(stream.read)
    other = 0
    for datagram in capture:
        kind = "trap" if _is_snmp(datagram.payload) else "syslog"
        if transport not in (None, kind):
            other += 1
            continue
        payloads = [datagram.payload] if kind == "trap" else split_datagram(datagram.payload)
        for payload in payloads:
            way = transport_of(payload) if kind == "trap" else "syslog-udp"
            yield Message(way, datagram.source, datagram.source_port, datagram.at, payload)
    _tell_skipped(name, capture.skipped, other)


def _is_snmp(payload: bytes) -> bool:
    """Whether a datagram is one BER SEQUENCE from the first octet to the last: a syslog line that begins with ``0``
    (time since boot) is not."""
    if len(payload) < 2 or payload[0] != 0x30:
        return False
    size = payload[1] & 0x7F if payload[1] & 0x80 else 0
    length = int.from_bytes(payload[2 : 2 + size]) if size else payload[1]
    return 2 + size + length == len(payload)


def _tell_skipped(name: str, skipped: Counter[pcap.Skip], other: int) -> None:
    notes = [f"{count} × {reason}" for reason, count in skipped.most_common()]
    if other:
        notes.append(f"{other} × other transport")
    if notes:
        click.echo(f"eventd: {name}: packets skipped: {', '.join(notes)}", err=True)


# --- output --------------------------------------------------------------------------------------------------------


def _write_json(found: Event | Malformed) -> None:
    sys.stdout.buffer.write(printable_json(to_json(found).decode()).encode() + b"\n")


def _write_text(found: Event | Malformed) -> None:
    sys.stdout.buffer.write(event_block(found).encode() + b"\n\n")
