"""From a notification to text for people: the facts once, the layout in a template per channel.

Whatever came over the wire is hostile: every value is made one printable line and escaped by the channel's own rule.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import resources
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Incident, Notification, Reason
from eventd.printable import HIDDEN

CUT = "…(cut)"
#: The first line of a message, which is all that a phone shows of it.
MAX_HEADLINE = 120
#: One value of a fact: a sentence or two; the whole text is in the API.
MAX_VALUE = 700
#: Lines of the chain: how it began and how it stands; what lies between is in the API.
CHAIN_HEAD, CHAIN_TAIL = 4, 8
#: Steps beyond this are not read in a chat.
MAX_STEPS = 8
#: A result beyond this is no message but a runaway template; channels cut to their own limits below it.
MAX_RENDERED = 100_000

#: What does not print, and every blank.
_UNPRINTABLE = re.compile(rf"[{HIDDEN}\t\n \xa0\u202f]+")

KIND_TEXTS = {
    "tunnel_down": "IPsec tunnel down",
    "tunnel_degraded": "IPsec tunnel degraded",
    "negotiation_failing": "IPsec negotiation failing",
    "flapping": "IPsec tunnel flapping",
    "flow_self_heal": "IPsec flow repaired by the device",
    "interface_outage": "Interface outage",
    "device_outage": "Device outage",
    "peer_outage": "Peer outage",
    "capacity": "IPsec capacity",
    "security": "IPsec security",
    "device_silent": "Device silent",
}


def clean(value: object) -> str:
    """One printable line: no control, invisible, direction-changing or broken characters, blanks collapsed."""
    return _UNPRINTABLE.sub(" ", str(value)).strip()


def cut(text: str, limit: int, marker: str = CUT) -> str:
    """At most ``limit`` characters, ending in ``marker`` where something was left out."""
    return text if len(text) <= limit else text[: max(0, limit - len(marker))].rstrip() + marker


def short(value: object, limit: int) -> str:
    """`clean` and `cut` in one, without reading far more of a giant text than will be shown."""
    text, enough = str(value), 4 * limit
    return cut(clean(text if len(text) <= enough else text[:enough] + CUT), limit)


def duration_text(seconds: float) -> str:
    """``45s``, ``3m 20s``, ``2h 5m``, ``3d 4h``: the two largest units."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def time_text(when: datetime) -> str:
    """A point in time as people read it, to the second, in UTC."""
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")


def peer_text(incident: Incident) -> str:
    """Name and address of the peer, whichever are known."""
    if incident.peer_name and incident.peer and incident.peer_name != incident.peer:
        return f"{incident.peer_name} ({incident.peer})"
    return incident.peer_name or incident.peer or ""


def reason_text(reason: Reason | None) -> str:
    """The device's own words, with the numeric code where there is one."""
    if reason is None:
        return ""
    return reason.text + ("" if reason.code is None else f" (code {reason.code})")


def headline(incident: Incident) -> str:
    """What it is about in one short line, even where the incident brings none."""
    if incident.title or incident.summary:
        return short(incident.title or incident.summary, MAX_HEADLINE)
    about = ", ".join(filter(None, (incident.device, peer_text(incident))))
    return short(f"{KIND_TEXTS.get(incident.kind, incident.kind)}: {about}", MAX_HEADLINE)


def story(incident: Incident) -> str:
    """The whole of it in a sentence or two, where the headline leaves something out."""
    return incident.summary if incident.title else ""


def state(notification: Notification) -> str:
    """``MAJOR``, ``UPDATE MAJOR``, ``RESOLVED``, or ``CHANGED`` where another incident goes on with it."""
    if notification.incident.status == "resolved":
        return "CHANGED" if notification.incident.continued_by else "RESOLVED"
    return ("UPDATE " if notification.what == "updated" else "") + notification.incident.severity.upper()


def _late(incident: Incident) -> str:
    return f"this message is {duration_text(incident.late_s)} late" if incident.late_s else ""


def _open_facts(incident: Incident) -> Iterator[tuple[str, str]]:
    told = story(incident)
    meaning = (incident.cause.meaning or "") if incident.cause else ""
    yield "What", told
    where = (("site", incident.device_site), ("vsys", incident.vsys), ("interface", incident.interface))
    places = ", ".join(f"{name} {value}" for name, value in where if value)
    yield "Device", incident.device + (f" ({places})" if places else "")
    yield "Peer", peer_text(incident) + (f" (site {incident.site})" if incident.peer and incident.site else "")
    yield "Reason", reason_text(incident.cause)
    yield "Meaning", "" if meaning.rstrip(".") in told else meaning
    yield "Fault side", incident.fault_side if incident.fault_side != "unknown" else ""
    yield "Since", time_text(incident.opened_at)
    yield "Occurrences", str(incident.count) if incident.count > 1 else ""
    yield "Affects", f"{len(incident.children)} peers, each with an incident of its own" if incident.children else ""
    yield "Acknowledged by", incident.acked_by or ""
    yield "Late", _late(incident)


def _resolved_facts(incident: Incident) -> Iterator[tuple[str, str]]:
    ended = incident.resolved_at or incident.updated_at
    yield "What", story(incident)
    yield "Device", incident.device
    yield "Peer", peer_text(incident)
    yield "Duration", duration_text((ended - incident.opened_at).total_seconds())
    yield "From", f"{time_text(incident.opened_at)} to {time_text(ended)}"
    yield "Was", reason_text(incident.cause)
    yield "Late", _late(incident)


def chain_lines(incident: Incident) -> list[str]:
    """What happened: the first and the last lines, with the number of those between."""
    lines, hidden = incident.chain, len(incident.chain) - CHAIN_HEAD - CHAIN_TAIL
    if hidden > 0:
        lines = (*lines[:CHAIN_HEAD], f"… {hidden} more …", *lines[-CHAIN_TAIL:])
    return [short(line, MAX_VALUE) for line in lines]


def action_lines(incident: Incident) -> list[str]:
    """What to do next, the first `MAX_STEPS` steps."""
    return [short(step, MAX_VALUE) for step in incident.actions[:MAX_STEPS]]


def view(notification: Notification) -> dict[str, Any]:
    """What a template may use: ``state``, ``headline``, ``facts`` (pairs of name and text), ``chain``, ``actions``,
    ``incident`` and ``notification`` as they are (docs/channels.md)."""
    incident = notification.incident
    resolved = incident.status == "resolved"
    facts = _resolved_facts(incident) if resolved else _open_facts(incident)
    return {
        "state": state(notification),
        "headline": headline(incident),
        "facts": [(name, short(text, MAX_VALUE)) for name, text in facts if text],
        "chain": [] if resolved else chain_lines(incident),
        "actions": [] if resolved else action_lines(incident),
        "incident": incident,
        "notification": notification,
    }


def plain(notification: Notification) -> str:
    """The fallback without any template: state, headline, reason, since when, id. One line each, printable."""
    incident = notification.incident
    device, peer, reason = incident.device, peer_text(incident), reason_text(incident.cause)
    lines = (
        f"{state(notification)}: {headline(incident)}",
        f"Device {short(device, MAX_VALUE)} Peer {short(peer, MAX_VALUE) or '-'}",
        f"Reason {short(reason, MAX_VALUE) or '-'} Since {time_text(incident.opened_at)}",
        f"Incident {short(incident.id, MAX_VALUE)}",
    )
    return "\n".join(lines)


class Renderer:
    """One compiled template. ``escape`` makes any single value harmless in the channel's own markup."""

    def __init__(self, source: str, escape: Callable[[str], str]) -> None:
        """Raises ValueError where ``source`` is not a template."""
        environment = SandboxedEnvironment(
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # HTML rules fit no chat; `finalize` escapes every value instead
            finalize=lambda value: escape(clean(value)),
        )
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"template line {error.lineno}: {error.message}") from error

    def __call__(self, notification: Notification) -> str:
        """The text, at most `MAX_RENDERED` characters.

        Raises:
            DeliveryError: ``render``, not retryable; the text names what went wrong.
        """
        try:
            return cut(self._template.render(view(notification)).strip(), MAX_RENDERED)
        except Exception as error:
            detail = f"{type(error).__name__}: {cut(clean(error), MAX_VALUE)}"
            raise DeliveryError(DeliveryFailure.RENDER, detail, retryable=False) from error


def own_template(name: str) -> str:
    """The text of a template that comes with eventd."""
    return resources.files("eventd.notify").joinpath(name).read_text(encoding="utf-8")
