"""Text from the wire made harmless: what drives a terminal, hides text or turns it round is written out (RFC 5424
section 8.2 for control characters; direction marks do to the reader of a log what escapes do to his terminal)."""

import re

#: For a character class: control characters, soft hyphens, invisible and direction-changing ones, line and paragraph
#: separators, lone surrogates, annotations, tags. Not tab and line feed: whether they do harm depends on the place.
HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    r"\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_JSON_ESCAPE = re.compile(rf"[{HIDDEN}]")


def printable(text: str, keep: str = "") -> str:
    """Everything that does not print as an escape, except the characters in ``keep``."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text
    )


def printable_json(text: str) -> str:
    """The same JSON, to be shown: JSON itself escapes only what is below U+0020, and means the same with more."""
    return text if text.isprintable() else _JSON_ESCAPE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    octets = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{octets[at : at + 2].hex()}" for at in range(0, len(octets), 2))
