"""``eventd doctor``: what would bite."""

import asyncio
import sys

import click
from click import style

from eventd.cli.options import format_option
from eventd.config import load
from eventd.doctor import LEVELS, Finding, examine
from eventd.model import to_json
from eventd.printable import printable, printable_json
from eventd.verify import verify

COLOURS = dict(zip(LEVELS, ("green", "cyan", "yellow", "red"), strict=True))


@click.command()
@click.option("-c", "--config", "path", type=click.Path(dir_okay=False), help="Configuration. Default: built-in.")
@format_option("For people, or an object per line.")
def command(path: str | None, form: str) -> None:
    """Look for what would bite: ports, receive buffers, open files, the clock, file rights, disks, certificates, far
    ends that are not reached, relays taken for devices, device clocks, devices never heard.

    Nothing is changed and no alert is sent. Run it as the user of the service, whether or not the service runs.
    Exit status: 0 when nothing is a problem, 1 otherwise, 2 for a bad configuration.

    \b
    eventd doctor -c /etc/eventd/eventd.toml
    """
    config = load(path)
    verify(config)
    found = asyncio.run(examine(config))
    for finding in found:
        click.echo(printable_json(to_json(finding).decode()) if form == "json" else _text(finding))
    if form == "text":
        counts = {level: sum(finding.level == level for finding in found) for level in reversed(LEVELS)}
        click.echo(", ".join(f"{count} {level}" for level, count in counts.items() if count))
    if any(finding.level == "problem" for finding in found):
        sys.exit(1)


def _text(finding: Finding) -> str:
    level = style(f"{finding.level:<8}", fg=COLOURS[finding.level], bold=finding.level == "problem")
    advice = f"\n{'':<26}→ {printable(finding.advice)}" if finding.advice else ""
    return f"{level} {finding.check:<16} {printable(finding.seen)}{advice}"
