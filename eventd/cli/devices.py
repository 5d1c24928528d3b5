"""``eventd devices``: who sends to the running service, and what was learned of them, also as an inventory."""

from collections import Counter
from collections.abc import Iterable, Iterator

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, remote_options
from eventd.cli.text import table
from eventd.correlate.texts import span
from eventd.model import to_json
from eventd.parse.envelope import is_address
from eventd.printable import printable_json
from eventd.web.answers import DeviceRow, Learned, Some

#: Rows of one answer, as many as the API gives.
PAGE = 1000
HEADINGS = ("device", "last heard", "site", "host names", "sends from", "own addresses", "SNMP engines")
#: What an inventory calls what was learned.
FIELDS = {"addresses": ("sources", "addresses"), "hostnames": ("hostnames",), "engine_ids": ("engine_ids",)}


@click.command()
@remote_options
@click.option("--device", help="Only this one.")
@format_option("toml: [[devices]] of an inventory, of what was learned.", "text", "json", "toml")
def command(remote: Remote, device: str | None, form: str) -> None:
    """Devices that the running service knows: when each was heard, and what was learned that no inventory says.

    Exit status: 0 done, 1 the service does not answer, 2 wrong arguments.

    \b
    eventd devices
    eventd devices -f toml > learned.toml
    """
    rows = list(_rows(remote, device))
    if form == "json":
        for row in rows:
            click.echo(printable_json(to_json(row).decode()))
    elif form == "toml":
        click.echo("\n\n".join(_inventory(rows)) or "# no device was heard yet")
    elif not rows:
        click.echo("No device was heard yet, and the inventory names none.")
    else:
        click.echo(table(HEADINGS, map(_cells, rows), wraps=HEADINGS[3:]), nl=False)


def _rows(remote: Remote, device: str | None) -> Iterator[DeviceRow]:
    before = None
    while True:
        answer = remote.ask("devices", device=device, limit=PAGE, before=before)
        yield from (msgspec.convert(item, DeviceRow) for item in answer["items"])
        before = answer["next"]
        if before is None:
            return


def _cells(row: DeviceRow) -> tuple[str, ...]:
    heard = (
        "never" if row.last_message_at is None else f"{span((story.now() - row.last_message_at).total_seconds())} ago"
    )
    learned = _learned(row)
    some = (learned.hostnames, learned.sources, learned.addresses, learned.engine_ids)
    return (row.device, heard, row.site or "", *map(_listed, some))


def _learned(row: DeviceRow) -> Learned:
    nothing = Some(0, ())
    return row.learned or Learned(nothing, nothing, nothing, nothing, nothing, 0)


def _listed(some: Some) -> str:
    left = some.count - len(some.items)
    return ", ".join(some.items) + (f" and {left} more" if left else "")


# --- as an inventory -------------------------------------------------------------------------------------------------


def _inventory(rows: list[DeviceRow]) -> Iterator[str]:
    """A block per device that is not in the inventory or has more than it says. What several use is nobody's: one
    key of an inventory belongs to one device."""
    used = Counter(key for row in rows for key in _keys(row))
    for row in rows:
        found = {field: [item for item in _items(row, field) if used[item.casefold()] == 1] for field in FIELDS}
        shared = sorted({item for field in FIELDS for item in _items(row, field) if used[item.casefold()] > 1})
        lines = [f"{field} = [{', '.join(map(_quoted, items))}]" for field, items in found.items() if items]
        if row.in_inventory and not lines:
            continue
        head = ["[[devices]]", f"name = {_quoted(row.device)}"]
        if row.in_inventory:  # a second row of that name would be refused
            head = [f"# {_quoted(row.device)} is in the inventory, without these:"]
            lines = [f"# {line}" for line in lines]
        notes = [f"# also used by others: {', '.join(map(_quoted, shared))}"] if shared else []
        yield "\n".join([*head, *lines, *notes, *_left_out(row)])


def _keys(row: DeviceRow) -> set[str]:
    """All that the device would be known by."""
    return {row.device.casefold(), *(item.casefold() for field in FIELDS for item in _items(row, field))}


def _items(row: DeviceRow, field: str) -> Iterable[str]:
    """What the field of an inventory would hold."""
    found = [item for name in FIELDS[field] for item in getattr(_learned(row), name).items]
    own = row.device if field == "addresses" and not row.in_inventory and is_address(row.device.encode()) else None
    return dict.fromkeys(item for item in (own, *found) if item and (item == own or item != row.device))


def _left_out(row: DeviceRow) -> Iterator[str]:
    for name in ("sources", "addresses", "hostnames", "engine_ids"):
        some = getattr(_learned(row), name)
        if some.count > len(some.items):
            yield f"# and {some.count - len(some.items)} more {name.replace('_', ' ')}"


def _quoted(text: str) -> str:
    """A basic string (TOML 1.0): whatever a device calls itself, on one line and harmless for a terminal."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
