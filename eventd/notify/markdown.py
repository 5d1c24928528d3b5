"""Markdown of chats: what came over the wire stays text in it, and only our own links are links."""

import re
from collections.abc import Callable
from urllib.parse import quote

#: Not seen and of no width; keeps what it parts from being read as one (a name, an address).
JOINER = "\u2060"

#: Where a chat would begin to see a name, an address or an emoji of its own accord: after ``@`` (at the end too, as
#: another value or code may stand behind it), within ``://`` and ``www.``, and in ``:name:``. That is neither a time
#: nor part of an IPv6 address, which people copy.
_LIVE = re.compile(
    r"(?<=@)(?![\s\u2060])|(?<=:)(?=/)|(?<=www)(?=\.)|(?<=(?<![0-9a-f:]):)(?=[\w+-]+:)|(?<=:)(?=[\w+-]*[g-z_+-][\w+-]*:)",
    re.IGNORECASE,
)
#: What would begin a list or a heading where a value stands first in a line.
_START = re.compile(r"^(?=[-+=]|\d{1,9}[.)](?:\s|$))")
#: Underscores that may mark up: within a word they mean nothing anywhere.
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_HOST = re.compile(r"https?://[^/?#]*")
#: What could call somebody, end a link or mark it up: in a host, of which brackets and underscores are part; behind it.
_IN_HOST = re.compile(r"[\s()<>\\|\"'`*~@{}^]")
_IN_ADDRESS = re.compile(r"[\s()<>\[\]\\|\"'`*_~@{}^]")


def nameless(text: str) -> str:
    """``text`` with nothing in it that a chat sees as a name, address or emoji, for places that know no markup."""
    return _LIVE.sub(JOINER, text)


def flat_underscores(text: str) -> str:
    """``text`` with what looks like an underscore in place of those that may mark it up, where none can be escaped."""
    return _EDGE_UNDERSCORE.sub("＿", text)


def escaper(escapes: dict[str, str]) -> Callable[[str], str]:
    """A `Markup.escape` for one line: ``escapes`` says what is written for a character that means something."""
    table = str.maketrans(escapes)

    def escape(text: str) -> str:
        return _START.sub(JOINER, nameless(text)).translate(table)

    return escape


def by_line(escape: Callable[[str], str]) -> Callable[[str], str]:
    """The same for text of several lines: a `Chat.harmless`."""
    return lambda text: "\n".join(map(escape, text.split("\n")))


def backslashed(marks: str) -> dict[str, str]:
    """Escapes by a backslash (CommonMark 2.4)."""
    return {mark: f"\\{mark}" for mark in marks}


def address(url: str) -> str | None:
    """``url`` as it may stand in a link whatever it holds; None where it does not lead to the web."""
    if (host := _HOST.match(url)) is None:
        return None
    return _IN_HOST.sub(_quoted, host[0]) + _IN_ADDRESS.sub(_quoted, url[host.end() :])


def _quoted(found: re.Match[str]) -> str:
    return quote(found[0], safe="")


def link(text: str, url: str) -> str:
    """A `Markup.link`."""
    to = address(url)
    return text if to is None else f"[{text}]({to})"
