"""What the requests that change something say: the keys of their JSON bodies, as the tables of `eventd.web.query` are
for query strings. Whoever reads a body and whoever documents it look at the same tables."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import msgspec
from aiohttp import web

from eventd.durations import parse_duration
from eventd.matching import FACTS, faults
from eventd.printable import HIDDEN
from eventd.web.answers import RequestError
from eventd.web.query import Key, Keys

#: Who took it stands in a line of the chain and in alerts.
MAX_WHO = 100
#: A note or reason is read in a chat message.
MAX_NOTE = 500
#: One value of a match; the longest names of devices and interfaces have some dozens of characters.
MAX_VALUE = 200
#: Values under one key; more of them want a tag in the inventory.
MAX_VALUES = 100

#: A moment to come, once it is known what time it is: Unix seconds by Unix seconds.
Moment = Callable[[float], float]

_HIDDEN = re.compile(f"[{HIDDEN}]")


def _text(limit: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError("is not a text")
        text = " ".join(value.split())
        if len(text) > limit:
            raise ValueError(f"is longer than {limit} characters")
        if _HIDDEN.search(text):
            raise ValueError("holds characters that cannot be seen")
        return text

    return read


def _who(value: Any) -> str | None:
    if value is None:
        return None
    if not (text := _text(MAX_WHO)(value)):
        raise ValueError("is empty")
    return text


def _until(value: Any) -> Moment:
    """RFC 3339, Unix seconds, or a duration from now."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        at = float(value)
        return lambda _: at
    if not isinstance(value, str):
        raise TypeError("is neither a time (RFC 3339) nor a duration")
    try:
        length = parse_duration(value)
    except ValueError:
        return _moment(value)
    return lambda now: now + length


def _moment(text: str) -> Moment:
    try:
        moment = datetime.fromisoformat(text)
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'{text!r} is neither a time (RFC 3339) nor a duration like "2h"') from None
    return lambda _: at


def _length(value: Any) -> Moment:
    if not isinstance(value, str):
        raise TypeError("is not a duration")
    length = parse_duration(value)
    return lambda now: now + length


def _match(value: Any) -> dict[str, str | list[str]]:
    """A match in the language of routes and windows. An empty one would silence everything by mistake."""
    if not isinstance(value, dict) or not value:
        raise ValueError(f"is not an object with some of the keys {', '.join(FACTS)}")
    read = {key: _values(key, wanted) for key, wanted in value.items()}
    if problems := [f"{problem.key.partition('.')[2]}: {problem.what}" for problem in faults(read, "match")]:
        raise ValueError("; ".join(problems))
    return read


def _values(key: str, wanted: Any) -> str | list[str]:
    if isinstance(wanted, list) and len(wanted) <= MAX_VALUES:
        return [_value(key, one) for one in wanted]
    return _value(key, wanted)


def _value(key: str, one: Any) -> str:
    if not isinstance(one, str) or not one or len(one) > MAX_VALUE:
        raise ValueError(f"{key}: is not a text of 1 to {MAX_VALUE} characters, or a list of up to {MAX_VALUES}")
    try:
        return str(ip_address(one)) if key == "peer" else one
    except ValueError:
        return one


_TEXT = {"type": "string"}
_MOMENT: Mapping[str, Any] = {"oneOf": [_TEXT, {"type": "number"}]}
_VALUES = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": MAX_VALUES}]}

WHO = Key(_who, {"type": "string", "minLength": 1, "maxLength": MAX_WHO}, "By whom; the name of the token if absent.")
ACK: Keys = {
    "who": Key(_who, {"type": ["string", "null"], "maxLength": MAX_WHO}, f"{WHO.description} null takes it back."),
    "note": Key(_text(MAX_NOTE), {"type": "string", "maxLength": MAX_NOTE}, "What is being done about it."),
    "until": Key(_until, _MOMENT, "When it is recalled again all the same: RFC 3339, Unix seconds or a duration."),
}
#: Acts that need no more than that.
BY: Keys = {"who": WHO}
SILENCE: Keys = {
    "match": Key(
        _match,
        {"type": "object", "minProperties": 1, "propertyNames": {"enum": list(FACTS)}, "additionalProperties": _VALUES},
        "What it is about: every key must agree, with any of its values; shell wildcards may be used.",
    ),
    "until": Key(_until, _MOMENT, "When it ends: RFC 3339, Unix seconds or a duration from now."),
    "duration": Key(_length, _TEXT, "The same as a duration; either this or `until`."),
    "reason": Key(_text(MAX_NOTE), {"type": "string", "maxLength": MAX_NOTE}, "Why."),
    "who": WHO,
}


async def body(request: web.Request, keys: Keys, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON object of a request as checked values; no body is an empty one.

    Raises `RequestError` (400) with everything that is wrong.
    """
    sent = _object(await request.read())
    values: dict[str, Any] = {}
    problems = [f"{name}: is missing" for name in required if name not in sent]
    for name, value in sent.items():
        try:
            if name not in keys:
                raise ValueError("unknown key")
            values[name] = keys[name].read(value)
        except (ValueError, TypeError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise RequestError(400, f"{'; '.join(problems)}; known keys: {', '.join(keys)}")
    return values


def _object(sent: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(sent) if sent.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError(400, "the body is not a JSON object")
    return found
