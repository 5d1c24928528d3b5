"""Fields of a log, as (wire key, text) pairs, brought to the types of an event."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handlers._common.values import BLANK, CONVERTERS, NO_ADDRESS

#: Key in ``extra`` of the last field of a message that was cut off.
TRUNCATED = "truncated"


def typed(
    fields: Iterable[tuple[str, str]], keys: Mapping[str, str], spelled: Callable[[str], str] = str.lower
) -> tuple[dict[str, Any], dict[str, str]]:
    """(event field → value, wire key → text of everything else); ``keys`` maps wire keys, as ``spelled``, to fields.

    Values of the wrong type, a second value for one field and keys nobody knows are kept as text; fields that are
    not given are in neither.
    """
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    for key, value in fields:
        field, text = keys.get(spelled(key)), value.strip()
        if field is not None and field not in known:
            try:
                converted = CONVERTERS[field](text)
            except ValueError:
                extra[key] = text
                if field == "peer":
                    extra.setdefault(NO_ADDRESS, text)
            else:
                if converted is not None:
                    known[field] = converted
        elif text not in BLANK:
            extra.setdefault(key, text)
    return known, extra
