"""One thing that was looked at."""

from typing import Literal

from msgspec import Struct

#: From good to bad: a note is worth knowing, a warning will bite some day, a problem bites now.
LEVELS = ("ok", "note", "warning", "problem")
Level = Literal["ok", "note", "warning", "problem"]


class Finding(Struct, frozen=True):
    """``check`` is what was looked at, ``seen`` what was found there, ``advice`` what to do, None where nothing is."""

    check: str
    level: Level
    seen: str
    advice: str | None = None
