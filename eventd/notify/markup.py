"""Values as text for people: one printable line, as long as there is room, and marked up as a channel does it.

Whatever came over the wire is hostile: every value is made one printable line and escaped by the channel's own rule.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from eventd.printable import HIDDEN

CUT = "…(cut)"

_COMMAND = re.compile(r"`([^`]+)`")
#: What does not print, and every blank.
_UNPRINTABLE = re.compile(rf"[{HIDDEN}\t\n \xa0\u202f]+")


def clean(value: object) -> str:
    """One printable line: no control, invisible, direction-changing or broken characters, blanks collapsed."""
    return _UNPRINTABLE.sub(" ", str(value)).strip()


def cut(text: str, limit: int, marker: str = CUT) -> str:
    """At most ``limit`` characters, ending in ``marker`` where something was left out."""
    return text if len(text) <= limit else text[: max(0, limit - len(marker))].rstrip() + marker


def short(value: object, limit: int, marker: str = CUT) -> str:
    """`clean` and `cut` in one, without reading far more of a giant text than will be shown."""
    text, enough = str(value), 4 * limit
    return cut(clean(text if len(text) <= enough else text[:enough] + marker), limit, marker)


class Step(str):
    """Text in which back-ticks are around commands, whoever put them there."""

    __slots__ = ()


def text_and_address(text: str, url: str) -> str:
    """A link where there are no links."""
    return url if text == url else f"{text} {url}"


class Markup(Struct, frozen=True):
    """How a channel marks text up. ``escape`` makes any single value harmless in it; ``bold`` stands before and after
    what is bold, ``bullet`` before a line of a list; ``link`` makes a link of an escaped text and an address, ``code``
    a command of a text that holds no back-tick, None where there is no such markup."""

    escape: Callable[[str], str] = str
    bold: tuple[str, str] = ("", "")
    bullet: str = "- "
    link: Callable[[str, str], str] = text_and_address
    code: Callable[[str], str] | None = None

    def __call__(self, value: object) -> str:
        """``value`` as one harmless line; the commands of a `Step` as code."""
        text = clean(value)
        if self.code is None or not isinstance(value, Step):
            return self.escape(text)
        marked = [*map(self.escape, _COMMAND.split(text)[::2]), ""]
        codes = [*map(self.code, _COMMAND.findall(text)), ""]
        return "".join(piece for pair in zip(marked, codes, strict=False) for piece in pair)


#: No markup at all.
BARE = Markup()
