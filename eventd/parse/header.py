"""What stands between the PRI and the tag of info-center: times, host names, and what relays added.

Read backwards: the last time and the name behind it are the device's own, what stands before them is a relay's. The
same reading tells a header from a sentence: anybody can make some program log a text that holds a tag (the name of a
user who may not log in is enough), but only what stands where a device or a relay puts it is one.
"""

import re

from msgspec import Struct

from eventd.model import Stamp
from eventd.parse.envelope import BLANKS, MAX_PRI, is_address, read_hostname
from eventd.parse.timestamps import STAMP, parse_stamp, year_last

#: Form of H3C's messages.
COMWARE = "comware"

#: Host name, program and columns of two relays.
MAX_RELAY_WORDS = 6
#: Behind a time that we know: host name, address, facility, severity, and a word that may belong to the time.
MAX_OWN_WORDS = 6
MAX_NAMES = 2
#: Where no time is known: the words of one that nobody has seen yet, and a host name.
MAX_UNKNOWN_WORDS = 8

#: Buffers and consoles print ``#`` (Huawei) or ``%`` ``*`` ``^`` (Comware) before the time.
_CONSOLE_MARK = re.compile(rb"(?<![^\s>])([#%*^])(?=[A-Za-z0-9])")
_MARKS = BLANKS + b"#%*^"
_STAMPS = re.compile(rb"(?<![\w.:+-])" + STAMP)
_PRIS = re.compile(rb"<(\d{1,3})>")
_NUMBER = re.compile(rb"\d{1,3}")
#: No word of a header holds these: fields of a text do, and a tag that is damaged.
_NO_HEADER = re.compile(rb'[=,;"]|%%')
#: The one word between a device's time and its tag may hold some of them: a device may be called ``"a,b"``.
_NO_DEVICE = re.compile(rb"=|%%")


class Header(Struct, frozen=True):
    """What a message says before its tag. ``form`` is set where that alone tells the layout."""

    pri: int | None = None
    stamp: Stamp | None = None
    hostname: str | None = None
    relay: str | None = None
    form: str | None = None


class _Words(Struct, frozen=True):
    """The words before a tag. A word that ends with a colon names a program, which passed on what is behind it."""

    stamp: bytes | None  # the last time
    leading: list[bytes]  # before the first time
    relay: list[bytes]  # between the first and the last, and up to a program behind it
    own: list[bytes]  # the rest
    own_stamp: bool  # whether the last time is the first thing behind the last program


def read_header(before: bytes, *, strong: bool, wrapped: bool) -> Header | None:
    """The header in front of a tag; None where ``before`` is a sentence that quotes one.

    ``strong``: the tag has a version or an OID, which no sentence has by accident. ``wrapped``: ``before`` begins the
    text of a message that named its program already (RFC 5424).
    """
    pris = [int(digits) for digits in _PRIS.findall(before) if int(digits) <= MAX_PRI]
    mark = _CONSOLE_MARK.search(before)
    words = _split(_PRIS.sub(b" ", before))
    if not _is_header(words, strong, wrapped):
        return None
    form = None if mark is None else "H" if mark[1] == b"#" else COMWARE
    hostname, relay = _names(words)
    return Header(
        pri=pris[-1] if pris else None,
        stamp=parse_stamp(words.stamp) if words.stamp else None,
        hostname=hostname,
        relay=relay,
        form=COMWARE if words.stamp and year_last(words.stamp) else form,
    )


def _split(before: bytes) -> _Words:
    stamps = list(_STAMPS.finditer(before))
    first, last = (stamps[0].start(), stamps[-1]) if stamps else (0, None)
    leading = before[:first].strip(_MARKS).split()
    relay = _STAMPS.sub(b" ", before[first : last.start()]).strip(_MARKS).split() if last else []
    own = before[last.end() if last else 0 :].strip(BLANKS if last else _MARKS).split()
    own = [word for word in own if word != b"-"]  # rsyslog where the message it got names no program (RFC 5424)
    program = max((place for place, word in enumerate(own, 1) if word.endswith(b":")), default=0)
    return _Words(last[0] if last else None, leading, relay + own[:program], own[program:], bool(last and not program))


def _is_header(words: _Words, strong: bool, wrapped: bool) -> bool:
    others = words.leading + words.relay
    if len(others) > MAX_RELAY_WORDS or any(word.endswith(b":") for word in others[:-1]):
        return False
    checked = others if strong and _is_device(words) else others + words.own
    if (wrapped and words.leading) or any(_NO_HEADER.search(word) for word in checked):
        return False
    if words.own_stamp:
        return len(words.own) <= MAX_OWN_WORDS and sum(not _is_column(word) for word in words.own) <= MAX_NAMES
    if wrapped or words.relay:
        return len(words.own) <= (1 if strong else 0)
    return len(words.own) <= (MAX_UNKNOWN_WORDS if strong else 1)


def _is_device(words: _Words) -> bool:
    """Whether nothing but what may be a device's name stands between its time and the tag."""
    if not words.own_stamp or len(words.own) != 1:
        return False
    return read_hostname(words.own[0]) is not None and not _NO_DEVICE.search(words.own[0])


def _is_column(word: bytes) -> bool:
    """Facility, severity or address: some relays put them between host name and tag."""
    return _NUMBER.fullmatch(word) is not None or is_address(word)


def _names(words: _Words) -> tuple[str | None, str | None]:
    """Host name of the device, and name or address of the relay nearest to us."""
    relays = [word for word in words.leading if is_address(word)] + words.relay
    relay = read_hostname(relays[0]) if relays else None
    if not words.own:
        return relay, None
    own = words.own
    if len(own) > 1 and (is_address(own[0]) or own[0] == own[1]) and not _is_column(own[1]):
        relay = relay or read_hostname(own[0])  # a relay put the sender's address, or the same name again, first
        own = own[1:]
    name, columns = own[0], own[1:]
    if not all(_is_column(word) for word in columns) or (words.stamp is None and _may_be_time(own)):
        return None, relay
    addresses = [word for word in columns if is_address(word)]
    return read_hostname(name), relay or (addresses[0].decode() if addresses else None)


def _may_be_time(own: list[bytes]) -> bool:
    """Where no time is known, what stands in its place must not become the host name."""
    return len(own) > 1 or (own[0][:1].isdigit() and not is_address(own[0]))
