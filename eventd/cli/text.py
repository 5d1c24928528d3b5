"""How events and reasons look to a person. Whatever came over the wire is made harmless for a terminal first."""

import sys
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

from eventd.model import Event, Malformed, Reason
from eventd.printable import printable

#: Width of the left column.
LABEL = 11
#: What stands for a sender that nobody knows: a message in hex came from nowhere.
UNKNOWN_SOURCES = (str(IPv4Address(0)), str(IPv6Address(0)))
#: Columns of a table that no terminal reads.
WIDE = 160


def line(label: str, *parts: object) -> str:
    """One indented line; empty where there is nothing to say."""
    said = "  ".join(printable(str(part)) for part in parts if part not in (None, ""))
    return f"  {label:<{LABEL}}{said}" if said else ""


def block(head: str, lines: Iterable[str]) -> str:
    """A heading and the lines that say something."""
    return "\n".join([head, *(text for text in lines if text)])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], wraps: Sequence[str] = ()) -> str:
    """Rows under headings; columns in ``wraps`` may break. Piped, lines are for grep and not cut at 80 columns."""
    from rich.console import Console  # here: it takes a tenth of a second
    from rich.table import Table
    from rich.text import Text

    found = Table(box=None, pad_edge=False)
    for heading in headings:
        found.add_column(heading, no_wrap=heading not in wraps, overflow="fold")
    for row in rows:
        found.add_row(*(Text(printable(cell)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    with console.capture() as capture:  # `click.echo` fails as other commands do; rich has its own way to end
        console.print(found)
    return "\n".join(text.rstrip() for text in capture.get().splitlines()) + "\n"


def event_block(found: Event | Malformed) -> str:
    """One message, readable: what, where, why, what to do."""
    stamp = found.received_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(found, Malformed):
        head = f"{stamp}  malformed: {found.error.reason} at byte {found.error.offset}"
        return block(head, [line("from", _known(found.source), found.transport), line("raw", found.raw)])
    device = "" if found.device in UNKNOWN_SOURCES else f"  {printable(found.device)}"
    head = f"{stamp}  {found.event or 'unrecognised'}  {found.severity}{device}"
    return block(head, [*_where(found), *reason_lines(found.reason), *_rest(found)])


def _where(event: Event) -> list[str]:
    port = "" if event.peer_port is None else f"port {event.peer_port}"
    said = event.header.notification or event.header.mnemonic or event.header.oid
    return [
        line(
            "message",
            said,
            event.transport,
            f"from {event.source}" if _known(event.source) else "",
            "standby unit" if event.standby else "",
        ),
        line("peer", event.peer, port, _named("inside", event.inside)),
        line("local", event.local),
        line("interface", event.interface, _named("index", event.ifindex), _named("vsys", event.vsys)),
        line("policy", event.policy, _named("sequence", event.policy_seq), _named("rule", event.rule)),
        line("tunnel", event.tunnel_index, _named("flow", event.flow), _named("role", event.role)),
    ]


def _known(source: str) -> str:
    return "" if source in UNKNOWN_SOURCES else source


def _named(name: str, value: object) -> str:
    return "" if value is None else f"{name} {value}"


def reason_lines(reason: Reason | None) -> list[str]:
    """Why, with meaning and numbered steps."""
    if reason is None:
        return []
    known = "" if reason.known else "not in the catalogue"
    kind = f"({reason.category}{', expected' if reason.expected else ''})"
    return [
        line("reason", reason.told, _named("code", reason.code), kind, known),
        line("meaning", reason.meaning),
        *(line("steps" if number == 1 else "", f"{number}. {step}") for number, step in enumerate(reason.actions, 1)),
        line("source", reason.source),
    ]


def _rest(event: Event) -> list[str]:
    extra = [line("also", f"{key}={value}") for key, value in event.extra.items()]
    return [*extra, *([line("raw", event.raw)] if event.event is None else [])]
