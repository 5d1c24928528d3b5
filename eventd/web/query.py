"""Query keys of the API and of the desk: how each is read and described. Whoever serves a list and whoever documents
it look at the same tables."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from heapq import nsmallest
from ipaddress import ip_address
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from eventd.model import EVENTS, INCIDENT_KINDS, REASON_CATEGORIES, SEVERITIES, utc
from eventd.store.base import DEFAULT_PAGE, MAX_PAGE
from eventd.web.answers import RequestError

#: Digits of the largest number that SQLite can hold are 19; a page number or row number is far below.
MAX_DIGITS = 18

T = TypeVar("T")
Place = tuple[str, ...]


class Key(Struct, frozen=True):
    """One query key: ``read`` turns its text into a value or raises ValueError; the rest is for OpenAPI."""

    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str = ""


Keys = Mapping[str, Key]


def _text(text: str) -> str:
    return text


def _address(text: str) -> str:
    """Addresses are kept in canonical text; what is no address is looked for as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _number(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and low <= int(text) <= high):
        raise ValueError(f"{text!r} is not a number from {low} to {high}")
    return int(text)


def _prefix(text: str) -> str:
    if not (text.isascii() and text.isalnum() and text == text.lower()):
        raise ValueError(f"{text!r} is not the beginning of an id")
    return text


def _limit(text: str) -> int:
    return _number(text, 1, MAX_PAGE)


def _row(text: str) -> int:
    return _number(text, 0, 10**MAX_DIGITS - 1)


def _code(text: str) -> int:
    return _number(text, 0, 2**31 - 1)


def _time(text: str) -> float:
    """RFC 3339 or Unix seconds, as Unix seconds. A ``+`` that was not escaped arrives as a blank."""
    try:
        if text.isascii() and text.replace(".", "", 1).isdecimal():
            return utc(float(text)).timestamp()
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not a time (RFC 3339, or Unix seconds)") from None


def one_of(*allowed: str, description: str = "") -> Key:
    """A key with a closed set of values."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")
        return text

    return Key(read, {"type": "string", "enum": list(allowed)}, description)


def write_place(place: Place) -> str:
    """A cursor of a list that is kept in memory: the sort key of the last row shown, so that rows that come or go
    between two pages move no other row."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_place(text: str) -> Place:
    """The other way round."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(plain, type=tuple[str, ...])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise ValueError(f"{text!r} is not the `next` of an earlier page") from None


def page(rows: Iterable[T], place: Callable[[T], Place], limit: int, before: Place = ()) -> dict[str, Any]:
    """One page of a list kept in memory, sorted by ``place``: what follows the cursor ``before``."""
    found = nsmallest(limit + 1, (row for row in rows if place(row) > before), key=place)
    following = write_place(place(found[limit - 1])) if len(found) > limit else None
    return {"items": found[:limit], "next": following}


NAME = Key(_text, {"type": "string"})
DEVICE = Key(_text, {"type": "string"}, "Name of the device.")
PEER = Key(_address, {"type": "string"}, "Address of the far gateway.")
SITE = Key(_text, {"type": "string"}, "Site in the inventory.")
MOMENT: Mapping[str, Any] = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}
LIMIT = Key(
    _limit,
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE},
    "How many rows at most.",
)
BEFORE = Key(_row, {"type": "integer"}, "The `next` of an earlier page.")
AFTER_PLACE = Key(read_place, {"type": "string"}, "The `next` of an earlier page.")

REFRESH = one_of("off", description="Do not reload by itself.")

NO_KEYS: Keys = {}
INCIDENTS: Keys = {
    "id": Key(_prefix, {"type": "string", "pattern": "^[0-9a-z]+$"}, "How the id begins."),
    "status": one_of("open", "resolved"),
    "kind": one_of(*INCIDENT_KINDS),
    "severity": one_of(*SEVERITIES),
    "device": DEVICE,
    "peer": PEER,
    "site": SITE,
    "parent": Key(_text, {"type": "string"}, "Id of the incident that tells them; `none`: told by themselves."),
    "limit": LIMIT,
    "before": BEFORE,
}
JOURNAL: Keys = {
    "device": DEVICE,
    "peer": PEER,
    "event": one_of(*EVENTS),
    "incident": Key(_text, {"type": "string"}, "Id of the incident they belong to."),
    "since": Key(_time, MOMENT, "Received then or later."),
    "until": Key(_time, MOMENT, "Received before then."),
    "limit": LIMIT,
    "before": BEFORE,
}
PEERS: Keys = {
    "device": DEVICE,
    "peer": PEER,
    "site": SITE,
    "up": one_of("true", "false", "unknown", description="How the peer stands."),
    "limit": LIMIT,
    "before": AFTER_PLACE,
}
DEVICES: Keys = {
    "device": DEVICE,
    "site": SITE,
    "vendor": NAME,
    "limit": LIMIT,
    "before": AFTER_PLACE,
}
SILENCES: Keys = {
    "status": one_of("active", "pending", "expired"),
    "limit": LIMIT,
    "before": AFTER_PLACE,
}
REJECTED: Keys = {"limit": LIMIT, "before": BEFORE}
OUTBOX: Keys = {
    "id": Key(_prefix, {"type": "string", "pattern": "^[0-9a-z]+$"}, "How the id begins."),
    "channel": Key(_text, {"type": "string"}, "Name of the channel."),
    "state": one_of(
        "pending",
        "dead",
        "superseded",
        "delivered",
        "all",
        description="If not given: what waits, and what was given up and neither sent again nor dropped.",
    ),
    "incident": Key(_text, {"type": "string"}, "Id of the incident they are about."),
    "limit": LIMIT,
    "before": BEFORE,
}
EXPLAIN: Keys = {
    "peer": Key(_address, {"type": "string"}, "Address or name of a peer."),
    "incident": Key(_text, {"type": "string"}, "Id of an incident."),
    "device": Key(_text, {"type": "string"}, "Name of a device; with `peer`: only as this device sees it."),
    "at": Key(_time, MOMENT, "The messages and incidents near then instead of the latest."),
}
REASONS: Keys = {
    "vendor": NAME,
    "space": one_of("offline", "negotiation", "condition"),
    "name": Key(_text, {"type": "string"}, "Canonical name."),
    "code": Key(_code, {"type": "integer"}, "Number on the wire."),
    "category": one_of(*REASON_CATEGORIES),
    "limit": LIMIT,
    "before": AFTER_PLACE,
}
DESK: Keys = {
    "device": Key(_text, {"type": "string"}, "Show only this device."),
    "peers": one_of("all", description="Show peers that are up, too."),
    "refresh": REFRESH,
}
INCIDENT_PAGE: Keys = {"refresh": REFRESH}
WHY_PAGE: Keys = {**EXPLAIN, "refresh": REFRESH}
REJECTED_PAGE: Keys = {"before": BEFORE, "refresh": REFRESH}


def query(request: web.Request, keys: Keys) -> dict[str, Any]:
    """The query of a request as checked values; ``limit`` is always there where the list has one.

    Raises `RequestError` (400) with everything that is wrong: keys that are not known (rather than ignoring them),
    given twice or empty, and values that cannot be read.
    """
    values: dict[str, Any] = {"limit": DEFAULT_PAGE} if "limit" in keys else {}
    problems = []
    for name in dict.fromkeys(request.query):
        try:
            values[name] = _value(name, request.query.getall(name), keys)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise RequestError(400, f"{'; '.join(problems)}; known keys: {', '.join(keys) or 'none'}")
    return values


def _value(name: str, texts: list[str], keys: Keys) -> Any:
    if name not in keys:
        raise ValueError("unknown key")
    if len(texts) > 1:
        raise ValueError("given more than once")
    if not texts[0]:
        raise ValueError("is empty")
    return keys[name].read(texts[0])
