"""``eventd explain``: why things stand as they do, also what nobody was told of."""

import json
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from eventd.cli import story
from eventd.cli.options import format_option
from eventd.cli.remote import Remote, RemoteError, find, path, remote_options
from eventd.cli.told import told_block
from eventd.correlate.explain import Explanation
from eventd.model import Incident
from eventd.printable import printable_json
from eventd.web.answers import ChildRow


@click.command()
@remote_options
@click.option("--device", help="Only as this device sees the peer.")
@click.option("--at", metavar="TIME", help="The incidents and messages near then (RFC 3339), instead of the latest.")
@format_option("For people, or one object.")
@click.argument("what", metavar="PEER|ID|DEVICE")
def command(remote: Remote, what: str, device: str | None, at: str | None, form: str) -> None:
    """Why a peer (address or name), an incident (ID, or how it begins) or a device stands as it does: by which rule,
    which timers run until when, what was decided lately, and what would have changed it.

    Exit status: 0 done, 1 nothing is known of it or no service answers, 2 wrong arguments.

    \b
    eventd explain 203.0.113.7
    eventd explain 751c
    eventd explain fw-oslo-1 --at 2026-11-26T03:10:00Z
    """
    found = _ask(remote, what, device, at)
    if form == "json":
        click.echo(printable_json(json.dumps(found, ensure_ascii=False)))
        return
    told = told_block(remote, found["incident"]["id"], story.now()) if found["incident"] is not None else ""
    click.echo("\n\n".join(text for text in (*_blocks(found, _under(remote, found["incident"])), told) if text))


def _ask(remote: Remote, what: str, device: str | None, at: str | None) -> Any:
    """As a peer, else as an incident, else as a device; what is said if it is none of them is about the peer."""
    try:
        return remote.ask("explain", peer=what, device=device, at=at)
    except RemoteError as error:
        if error.status != 404:
            raise
        unknown = error
    for name, given in (("incident", lambda: find(remote, what)["id"]), ("device", lambda: what)):
        try:
            return remote.ask("explain", at=at, **{name: given()})
        except RemoteError as error:
            if error.status != 404:
                raise
    raise RemoteError(f"{unknown}, and it is neither an incident nor a device", 404)


def _under(remote: Remote, incident: Any) -> list[ChildRow]:
    """What is known of the children of an incident that has any."""
    if incident is None or not incident["children"]:
        return []
    return msgspec.convert(remote.ask(path("incidents", incident["id"]))["under"], list[ChildRow])


def _blocks(found: Any, under: list[ChildRow]) -> Iterator[str]:
    now = story.now()
    if found.get("notice"):
        yield found["notice"]
    if found["incident"] is not None:
        yield story.incident_block(msgspec.convert(found["incident"], Incident), now, under)
    for one in found["explanations"]:
        yield story.explanation_block(msgspec.convert(one, Explanation), now)
    others = [msgspec.convert(one, Incident) for one in found["incidents"]]
    if others:
        lines = [f"  {one.id}  {story.moment(one.opened_at, now)}  {story.badge(one)}  {one.title}" for one in others]
        if found.get("more"):  # an older service does not say
            lines.append(f"  and {found['more']} more")
        yield "\n".join(["incidents, latest first" if found["at"] is None else "incidents open then", *lines])
    yield story.messages_block(found["messages"], now)
