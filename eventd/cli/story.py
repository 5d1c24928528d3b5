"""Incidents and explanations as text for people, on a terminal or in a pipe."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from click import style

from eventd.cli.text import block, line, reason_lines
from eventd.correlate.explain import Explanation, Told, Wait
from eventd.correlate.texts import span, times
from eventd.model import Event, Incident
from eventd.printable import printable
from eventd.web.answers import ChildRow

COLOURS = {"critical": "red", "major": "yellow", "warning": "cyan", "info": "blue"}
STANDS = {"up": "green", "down": "red", "unknown": "white"}
SIDES = {"local": "on this side", "remote": "on the far side", "path": "on the way between", "unknown": "not known"}
#: Messages that are shown under an incident or an explanation; the API has the rest.
MESSAGES = 10
#: Children that are named.
CHILDREN = 20


def moment(at: datetime, now: datetime) -> str:
    """Time of day in UTC, with the date if that is another one."""
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def badge(incident: Incident) -> str:
    """Severity or that it is over, in its colour."""
    if incident.status != "open":
        return style("resolved", fg="green")
    return style(incident.severity, fg=COLOURS[incident.severity], bold=incident.severity == "critical")


def taken(incident: Incident, now: datetime) -> str:
    """By whom, until when, and their note; empty where nobody has it."""
    if incident.acked_by is None:
        return ""
    until = f" until {moment(incident.acked_until, now)}" if incident.acked_until else ""
    return f"{incident.acked_by}{until}" + (f": {incident.acked_note}" if incident.acked_note else "")


def incident_block(incident: Incident, now: datetime, under: Sequence[ChildRow] = ()) -> str:
    """One incident whole. ``under`` are its children as far as they are kept."""
    end = incident.resolved_at or now
    lasted = f"{'lasted' if incident.resolved_at else 'for'} {span((end - incident.opened_at).total_seconds())}"
    others = [witness.device for witness in incident.witnesses if witness.device != incident.device]
    return block(
        f"{badge(incident)} {printable(incident.title or incident.summary)}",
        [
            line("says", incident.summary),
            line("id", incident.id, incident.kind),
            line("since", f"{moment(incident.opened_at, now)} UTC", lasted),
            line("over", f"{moment(incident.resolved_at, now)} UTC" if incident.resolved_at else ""),
            line("where", incident.device, incident.vsys, incident.interface, incident.site),
            line("peer", incident.peer, incident.peer_name),
            line("taken by", taken(incident, now)),
            line("silenced", "yes: nobody is told while it lasts" if incident.silenced else ""),
            line("fault", SIDES[incident.fault_side]),
            line("far end", ", ".join(dict.fromkeys(others))),
            *reason_lines(_without_steps(incident)),
            *_list("to do", (f"{number}. {step}" for number, step in enumerate(incident.actions, 1))),
            *_list("happened", incident.chain),
            line("part of", incident.parent),
            *_list("under it", _children(incident, under, now)),
        ],
    )


def _without_steps(incident: Incident) -> Any:
    """The cause; its steps are among those of the incident, which are told once."""
    return incident.cause and msgspec.structs.replace(incident.cause, actions=())


def _children(incident: Incident, under: Sequence[ChildRow], now: datetime) -> Iterator[str]:
    """How many, the first of them by name, and how many are not kept any more."""
    if not incident.children:
        return
    still = sum(child.status == "open" for child in under)
    yield f"{still} open, {len(under) - still} over; told by this one"
    shown = under[:CHILDREN]
    widths = [max((len(name) for name in names), default=0) for names in zip(*map(_who, shown), strict=True)]
    for child in shown:
        name, device = (text.ljust(width) for text, width in zip(_who(child), widths, strict=True))
        over = (
            f"over {moment(child.resolved_at, now)}" if child.resolved_at else f"since {moment(child.opened_at, now)}"
        )
        state = (child.severity if child.status == "open" else "resolved").ljust(len("resolved"))
        yield "  ".join((child.id, state, name, device, over, child.cause or "")).rstrip()
    if len(under) > CHILDREN:
        yield f"and {len(under) - CHILDREN} more: eventd show {incident.id} -f json | jq .under"
    if gone := len(incident.children) - len(under):
        yield f"{gone} {'is' if gone == 1 else 'are'} not kept any more"


def _who(child: ChildRow) -> tuple[str, str]:
    """Whom it is about, and which device says so; harmless for a terminal."""
    peer = f"{child.peer_name} ({child.peer})" if child.peer_name and child.peer else child.peer_name or child.peer
    return printable(peer or child.interface or child.kind), printable(child.device)


def _list(label: str, texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield line(label if number == 0 else "", text)


def messages_block(rows: Iterable[Mapping[str, Any]], now: datetime) -> str:
    """The messages that prove it, latest first, one line each."""
    events = [msgspec.convert(row, Event) for row in list(rows)[:MESSAGES]]
    return block("messages, latest first", (_message(event, now) for event in events)) if events else ""


def _message(event: Event, now: datetime) -> str:
    why = event.reason.text if event.reason is not None else ""
    peer = f"peer {event.peer}" if event.peer else ""
    return line(
        moment(event.received_at, now)[-8:], event.event or "unrecognised", event.device, peer, why, event.transport
    )


def explanation_block(one: Explanation, now: datetime) -> str:
    """How one peer or device stands, and why."""
    who = one.device if one.peer is None else f"{one.peer} on {one.device}"
    who += f" (vsys {one.vsys})" if one.vsys not in (None, "public") else ""
    stands = "" if one.peer is None else f" is {style(one.stands, fg=STANDS[one.stands], bold=True)}"
    since = "" if one.since is None else f" since {moment(one.since, now)} UTC ({_ago(one.since, now)})"
    return block(
        f"{printable(who)}{stands}{since}",
        [
            line("", one.says),
            line("incident", one.incident, f"part of {one.parent}" if one.parent else ""),
            line("told by", f"the incident of {one.far_end}, at the other end" if one.far_end else ""),
            *(_told("rule", one.judged, now) if one.judged else ()),
            *_list("waits", (_wait(wait, now) for wait in one.waits)),
            *(
                text
                for number, told in enumerate(one.decisions)
                for text in _told("" if number else "lately", told, now)
            ),
            *_list("near it", one.near[-MESSAGES:]),
        ],
    )


def _told(label: str, told: Told, now: datetime) -> Iterator[str]:
    again = f" ({times(told.times)}, last {moment(told.last_at, now)})" if told.last_at else ""
    yield line(label, f"{moment(told.at, now)}{again}  {told.rule}: {told.why}")
    yield line("", f"so: {told.concludes}")
    yield line("", f"unless: {told.unless}")


def _wait(wait: Wait, now: datetime) -> str:
    left = (wait.at - now).total_seconds()
    when = f"in {span(left)}" if left > 0 else "now"
    return f"{moment(wait.at, now)} ({when})  {wait.timer}: {wait.means}"


def _ago(at: datetime, now: datetime) -> str:
    return span((now - at).total_seconds())


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)
