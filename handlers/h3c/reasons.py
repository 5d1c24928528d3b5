"""Why a tunnel ended or was not made: `reasons.toml` as a catalogue, and the look-up of what a device gave."""

import re

from eventd.model import Reason
from handlers._common.catalogue import CONDITION, SPACES, Book, normalise

__all__ = ("CATALOGUE", "CONDITION", "SPACES", "normalise")

#: Words that another edition of a text may have or lack without saying anything else.
SMALL = frozenset(
    re.findall(r"\w+", "a an the was were is are be been being had has have of for from by to in on with due reason")
)
_WORD = re.compile(r"[a-z0-9]+")


def loosely(text: str) -> str | None:
    """The words that count, in the singular and sorted; None where there are none."""
    words = _WORD.findall(text.lower().replace("time out", "timeout").replace("time-out", "timeout"))
    kept = {_singular(word) for word in words if word not in SMALL}
    return " ".join(sorted(kept)) or None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


BOOK = Book(
    "h3c",
    __package__,
    unknown=Reason(
        text="",
        meaning="The device gave a reason that this catalogue does not list.",
        actions=(
            "Look at the device itself: `display ike sa`, `display ipsec sa remote <peer>`, `display logbuffer`",
            "Look the text up in the log message reference of this device's release, and report it to be added",
        ),
    ),
    loosely=loosely,
)
CATALOGUE = BOOK.catalogue
resolve, find = BOOK.resolve, BOOK.find
