"""Bodies of a layout that was met before, read by one pattern.

A release prints the fields of one message in one order and one spelling, so what stands between their values is learned
from the first such message, and the next ones are matched against it as a whole. Only what `fields_of` and `typed` read
without a second thought is read so: every value is plain, perhaps in quotes or brackets, no two feed one field, and all
are of their type. Whatever else comes is left to these two.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from handlers._common.values import BLANK, CONVERTERS
from handlers.huawei._fields import BODY, CLOSERS, KEY, flow_goes_on

#: Layouts learned, and of one message: some twenty messages in the layouts of a few releases. As many patterns are made
#: and no more, 2 ms each: whoever makes up layouts gets them read as well, only slower.
MAX_LAYOUTS, MAX_OF_ONE = 64, 4
#: Fields of a layout, of which at most 20 were seen, and characters of the text that it is learned from.
MAX_FIELDS, MAX_TEXT = 32, 1024
#: Characters by which a layout is looked up. What stands farther in front differs where the layout does not: a gateway
#: puts an address there.
HEAD = 32
#: A value in which nothing can be mistaken.
_PLAIN = r'[^,"\[\]()]*+'
#: What stands before it, its key, what closes it, and the comma where it is not the last one. Nothing is given back:
#: blanks are plain too, and where one part ends and the next begins would be tried at each of them.
_FIELD = re.compile(rf'(\s*+({KEY})\s*+=\s*+["\[]?+){_PLAIN}(["\]]?+)(?:(,)|\)[^()]*+\Z)')
_END = r"\)[^()]*+"

Read = tuple[dict[str, Any], dict[str, str]]


class Layout(Struct, frozen=True):
    """One row of fields. ``known`` has place, event field and converter of those that feed one, ``others`` place and
    key of the rest."""

    pattern: re.Pattern[str]
    known: tuple[tuple[int, str, Callable[[str], Any]], ...]
    others: tuple[tuple[int, str], ...]

    def read(self, text: str, sign: int) -> Read | None:
        """As `Layouts.read`, of a text whose first sign stands at ``sign``."""
        found = self.pattern.fullmatch(text, sign)
        if found is None:
            return None
        values = list(map(str.strip, found.groups()))
        try:
            known = {field: value for at, field, convert in self.known if (value := convert(values[at])) is not None}
        except ValueError:
            return None
        return known, {key: values[at] for at, key in self.others if values[at] not in BLANK}


class Layouts:
    """The layouts met by whoever reads by one set of keys (wire key in lower case → event field)."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys, self._room = keys, MAX_LAYOUTS
        #: By the last `HEAD` characters before the first sign of a text.
        self._by_head: dict[str, list[Layout]] = {}

    def read(self, text: str) -> Read | None:
        """(event field → value, wire key → text) of a whole text; None where its layout is not known."""
        head = text.partition("=")[0]
        for layout in self._by_head.get(head[-HEAD:], ()):
            if (found := layout.read(text, len(head))) is not None:
                return found
        return None

    def learn(self, text: str) -> None:
        """Remember the layout of a text that was not read, if it is plain."""
        if not self._room or len(text) > MAX_TEXT:
            return
        head = text.partition("=")[0]
        known = self._by_head.get(head[-HEAD:], [])
        layout = _layout(text, len(head), self._keys) if len(known) < MAX_OF_ONE else None
        if layout is not None and all(layout.others != one.others or layout.pattern != one.pattern for one in known):
            self._by_head[head[-HEAD:]] = [*known, layout]
            self._room -= 1


def _layout(text: str, sign: int, keys: Mapping[str, str]) -> Layout | None:
    shape = _shape(text, sign)
    if shape is None:
        return None
    pattern, names = shape
    fields = [keys.get(name.lower()) for name in names]
    fed = [field for field in fields if field is not None]
    if len(set(fed)) < len(fed) or len(set(names)) < len(names) or flow_goes_on(names):
        return None
    return Layout(
        re.compile(pattern),
        tuple((at, field, CONVERTERS[field]) for at, field in enumerate(fields) if field is not None),
        tuple((at, name) for at, (name, field) in enumerate(zip(names, fields, strict=True)) if field is None),
    )


def _shape(text: str, sign: int) -> tuple[str, tuple[str, ...]] | None:
    """The pattern of a plain text from its first sign on, and its keys; None of any other text."""
    body = BODY.search(text)
    if body is None or body.end() > sign or body.start() < sign - HEAD:
        return None
    at = body.end()
    names: list[str] = []
    parts: list[str] = []
    while found := _FIELD.match(text, at):
        before, name, closer, comma = found.groups()
        if closer != CLOSERS.get(before[-1], "") or len(names) == MAX_FIELDS:
            return None
        names.append(name)
        before = text[max(at, sign) : found.end(1)]
        parts.append(re.escape(before) + f"({_PLAIN})" + re.escape(closer) + (comma or _END))
        at = found.end()
        if not comma:
            return "".join(parts), tuple(names)
    return None
