"""Texts within the limits of a channel: what is left out is at the end, whole lines first, and marked."""

import re
from collections.abc import Callable

from eventd.notify.markup import CUT

#: The beginning of an entity, an escape or a tag at the end of a cut text. An escaped bracket begins no tag.
_HALF = re.compile(r"(&[a-zA-Z0-9#]{0,7}|\\+|(?<!\\)<[^<>\n]*)$")


def octets(text: str) -> int:
    """Length in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def fit(text: str, limit: int, size: Callable[[str], int] = len, tail: str = CUT) -> str:
    """At most ``limit`` by ``size`` (characters, or `octets`). A text that is longer ends in ``tail``, which should say
    where the rest is. Cut at the end of a line where that keeps at least half; never inside an entity or a tag."""
    if size(text) <= limit:
        return text
    room = limit - size(tail) - 1
    kept = _longest(text, room, size)
    line_end = kept.rfind("\n")
    whole = kept[:line_end] if line_end * 2 > len(kept) else _HALF.sub("", kept)
    return f"{whole.rstrip()}\n{tail}" if line_end * 2 > len(kept) else whole.rstrip() + tail


def _longest(text: str, room: int, size: Callable[[str], int]) -> str:
    """The longest beginning of ``text`` within ``room``."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= room else (low, middle - 1)
    return text[:low]
