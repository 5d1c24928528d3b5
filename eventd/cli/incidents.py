"""``eventd incidents``: what is open, or was."""

from typing import Any

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, pages, remote_options
from eventd.cli.text import table
from eventd.correlate.texts import span
from eventd.model import INCIDENT_KINDS, SEVERITIES, Incident, to_json
from eventd.printable import printable_json

HEADINGS = ("id", "severity", "what", "device", "for", "taken by", "")


@click.command()
@remote_options
@click.option(
    "--status", type=click.Choice(["open", "resolved", "all"]), default="open", show_default=True, help="Which."
)
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only of this one, as it is now.")
@click.option("--kind", type=click.Choice(INCIDENT_KINDS), help="Only of this one.")
@click.option("--device", help="Only of this device.")
@click.option("--peer", help="Only with this peer (address).")
@click.option("--site", help="Only of this site.")
@click.option("--children", is_flag=True, help="Also those that an outage of many tells.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, latest first.")
@format_option("A table, or an object per line (docs/events.md).")
def command(remote: Remote, status: str, form: str, children: bool, **wanted: Any) -> None:
    """Incidents of the running service, the latest first. Without --children or --peer those that another one tells are
    left out.

    Exit status: 0 done (also where there is none), 1 the service does not answer, 2 wrong arguments.

    \b
    eventd incidents --severity critical
    eventd incidents --status all --device fw-oslo-1 -f json
    """
    parent = None if children or wanted["peer"] else "none"
    wanted["status"] = None if status == "all" else status
    items, more = pages(remote, "incidents", parent=parent, **wanted)
    found = [msgspec.convert(item, Incident) for item in items]
    if more:
        click.echo(f"There are more than {len(found)}; --limit shows more.", err=True)
    if form == "json":
        for incident in found:
            click.echo(printable_json(to_json(incident).decode()))
        return
    if not found:
        click.echo("Nothing is open." if status == "open" else "There is none.")
        return
    click.echo(table(HEADINGS, map(_row, found), wraps=("what",)), nl=False)


def _row(incident: Incident) -> tuple[str, ...]:
    end = incident.resolved_at or story.now()
    marks = ["silenced"] if incident.silenced else []
    marks += [f"part of {incident.parent}"] if incident.parent else []
    what = "devices" if incident.kind == "peer_outage" else "peers"
    marks += [f"{incident.count} {what}"] if incident.children else []
    return (
        incident.id,
        incident.severity if incident.status == "open" else "resolved",
        incident.title or incident.summary,
        incident.device,
        span((end - incident.opened_at).total_seconds()),
        incident.acked_by or "",
        ", ".join(marks),
    )
