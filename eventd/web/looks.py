"""How values look on the pages: moments, lengths of time, steps, headings; and what must not be seen is written out."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape

from eventd.model import Event, Incident
from eventd.notify.render import duration_text, kind_text, peer_text
from eventd.printable import HIDDEN
from eventd.skew import LARGE_S

#: A device's name or reason may hold it. Line breaks and tabs may stay: they do nothing in HTML.
_HIDDEN = re.compile(f"[{HIDDEN}]")


@cache
def environment() -> jinja2.Environment:
    """The templates of this room: everything is escaped, nothing undefined passes."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("eventd.web", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=reveal,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=moment,
        clock=clock,
        skew=skew,
        step=step,
        span=span,
        heading=heading,
        address=address,
        fields=fields,
        kind=kind_text,
    )
    made.tests["web_link"] = _is_web_link
    return made


def reveal(value: Any) -> Any:
    """Text with everything that cannot be seen written out as an escape; what is no text stays."""
    if not isinstance(value, str) or _HIDDEN.search(value) is None:
        return value
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


#: What a message says, in the order in which people ask.
FIELDS = (
    "peer", "peer_port", "local", "interface", "policy", "policy_seq", "vsys", "inside", "tunnel_index", "conn_id",
    "flow", "role", "slot", "device_time",
)  # fmt: skip


def fields(event: Event) -> list[tuple[str, Any]]:
    """What was read from a message, by name: first what eventd knows, then all else it said."""
    named = [(name.replace("_", " "), getattr(event, name)) for name in FIELDS]
    said = [("message", event.header.notification or event.header.mnemonic or event.header.oid), *named]
    return [(name, value) for name, value in (*said, *event.extra.items()) if value not in (None, "")]


def step(text: str) -> Markup:
    """A step to take; what stands in backticks is a command to type."""
    parts = reveal(text).split("`")
    if len(parts) % 2 == 0:  # one backtick has no partner
        return escape("`".join(parts))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if index % 2 else part for index, part in enumerate(parts))


def moment(value: datetime) -> Markup:
    """A point in time in UTC, as a ``time`` element."""
    return Markup('<time datetime="{}Z">{}</time>').format(
        value.replace(tzinfo=None).isoformat(timespec="milliseconds"), value.strftime("%Y-%m-%d %H:%M:%S")
    )


def clock(value: datetime, now: datetime) -> Markup:
    """The same, shorter: only the time of day if it is today, without the year if it is this one."""
    near = "%H:%M:%S" if value.date() == now.date() else "%m-%d %H:%M"
    shown = value.strftime(near if value.year == now.year else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}Z" title="{} UTC">{}</time>').format(
        value.replace(tzinfo=None).isoformat(timespec="milliseconds"), value.strftime("%Y-%m-%d %H:%M:%S"), shown
    )


def span(value: timedelta) -> str:
    """A length of time in its two largest units: ``3d 4h``."""
    return duration_text(value.total_seconds())


def skew(seconds: float) -> str:
    """How far the clock of a device is from ours: ``8h 0m ahead``, or that it is right."""
    if abs(seconds) < LARGE_S:
        return "right"
    return f"{duration_text(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"


def heading(incident: Incident) -> str:
    """What it is about, in the words of every alert; where it brings none, what kind of trouble, with whom:
    ``IPsec tunnel down: branch-berlin (2.1.1.1)``."""
    return incident.title or f"{kind_text(incident.kind)}: {peer_text(incident) or incident.device}"


def address(wanted: Mapping[str, str | None]) -> str:
    """The query of a page that shows this; keys that are None are left out."""
    return urlencode({name: value for name, value in wanted.items() if value is not None}, errors="replace")


def _is_web_link(text: str | None) -> bool:
    """Addresses from the inventory may be anything; only these two kinds become links."""
    return text is not None and text.startswith(("http://", "https://"))
