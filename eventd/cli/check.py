"""``eventd check``: everything that can be found wrong with a configuration without starting anything."""

import sys
from pathlib import Path

import click

from eventd.cli.problems import report
from eventd.cli.routed import notes, quiet, routes
from eventd.config import Config, load
from eventd.errors import ConfigError, Problem
from eventd.printable import printable
from eventd.receivers.settings import Socket
from eventd.registry import Registry
from eventd.store import usable
from eventd.verify import verify


@click.command()
@click.option(
    "-c", "--config", "path", required=True, type=click.Path(dir_okay=False), help="Configuration to check (TOML)."
)
@click.option(
    "--scenarios",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of scenarios to play against it: a test of what would be alerted (docs/scenario-format.md).",
)
def command(path: str, scenarios: str | None) -> None:
    """Check configuration, inventory, handlers, channels, templates, certificates, keys and whether the store can be
    where it shall. Starts, makes and sends nothing. Run it as the user and in the folder of the service: secrets and
    the store are looked at with the rights of whoever asks.

    With --scenarios, play every scenario of that folder on a virtual clock instead of looking at the store.

    Exit status: 0 good, 1 a scenario does not end as it says, 2 something is wrong: every problem is told at once, with
    file, line and key.

    \b
    eventd check -c /etc/eventd/eventd.toml
    eventd check -c eventd.toml --scenarios scenarios/
    """
    try:
        config, problems = load(path), list[Problem]()
        try:
            found = verify(config)
        except ConfigError as error:
            problems += error.problems
        if scenarios is None and (trouble := usable.trouble(Path(config.store.path))) is not None:
            where = config.document.again()
            where.fault("store.path", trouble)
            problems += where.problems
        if problems:
            raise ConfigError(problems)
    except ConfigError as error:
        report(error)
        sys.exit(2)
    click.echo(f"{path}: good")
    for line in _summary(config, found):
        click.echo("  " + line)
    if scenarios is not None:
        from eventd.cli.scenarios import check_book  # the pipeline and pysnmp take time to import

        sys.exit(0 if check_book(config, found, scenarios) else 1)


def _summary(config: Config, found: Registry) -> list[str]:
    rows = sum(len(catalogue.rows) for catalogue in found.catalogues)
    lines = [f"receives  {kind} on {', '.join(s.addresses)}" for kind, s in _receivers(config)]
    lines.append(f"serves    {', '.join(config.web.addresses)}")
    lines.append(f"tells     {', '.join(f'{channel.name} ({channel.type})' for channel in config.channels)}")
    lines += [f"{'' if number else 'routes':<9} {printable(text)}" for number, text in enumerate(routes(config))]
    lines += [f"{'' if number else 'quiet':<9} {printable(text)}" for number, text in enumerate(quiet(config))]
    if config.heartbeat.on:
        lines.append(f"beats     every {config.heartbeat.every:g} s")
    lines.append(f"keeps     {config.store.path}")
    if config.record.path is not None:
        lines.append(f"records   {config.record.path}, {config.record.files} × {config.record.max_bytes} bytes at most")
    lines.append(f"knows     {len(found.handlers)} event families, {rows} reasons")
    lines.append(f"inventory {len(config.inventory.devices)} devices, {len(config.inventory.peers)} peers")
    if config.receivers.snmp and "public" in config.receivers.snmp.communities:
        lines.append('note      the SNMP community "public" is accepted: set receivers.snmp.communities')
    return lines + [f"note      {printable(text)}" for text in notes(config)]


def _receivers(config: Config) -> list[tuple[str, Socket]]:
    kinds = ("syslog_udp", "syslog_tcp", "syslog_tls", "snmp")
    return [(kind, settings) for kind in kinds if (settings := getattr(config.receivers, kind)) is not None]
