"""The lines of a timeline: when, who, by which way, what.

+0s          FW1 syslog ipsec.tunnel.stop peer=203.0.113.7 reason="dpd timeout"
+2s          FW1 trap/v1 ipsec.tunnel.stop peer=203.0.113.7
+0s..30s x50 FW1 syslog/F ipsec.tunnel.stop peer=203.0.113.1+{n}
+3s          FW1 raw <188>Nov 21 2026 04:00:00 FW1 …
+3s          FW1 hex 30820…
+4s          FW1 again
+1m          eventd restart 20s
+5m          operator ack peer=203.0.113.7 who=anna for=2h
"""

import ipaddress
import re
import shlex
from collections.abc import Callable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from eventd.durations import parse_duration
from eventd.errors import EventdError
from eventd.matching import FACTS
from eventd.sender.syslog import ALL_FORMS, VALUE_STYLES
from eventd.sender.templates import SendError, pairs

#: The sender that stands for ourselves.
EVENTD = "eventd"
#: The sender that stands for whoever uses the API.
OPERATOR = "operator"
#: What an operator can do, with the keys beside those that say which incidents are meant.
ACTS = {
    "ack": ("who", "note", "for"),
    "unack": (),
    "clear": ("who",),
    "silence": ("who", "reason", "for"),
    "unsilence": (),
}
#: First word of a way → transport of a syslog message.
SYSLOG = {"syslog": "syslog-udp", "syslog-udp": "syslog-udp", "syslog-tcp": "syslog-tcp", "syslog-tls": "syslog-tls"}
#: Ways of SNMP, with the versions that can be asked for.
SNMP = {"trap": ("v1", "v2c"), "inform": ("v2c",)}
#: Words that are followed by the message itself.
VERBATIM = ("raw", "hex")
#: Pairs that say how a line is sent, not what: the counter in the header, and when the device says that it sent it.
MANNERS = ("seq", "sent")
#: A storm that a person can still review; each message costs a millisecond.
MAX_REPEATS = 5_000
#: A timeline beyond this is no example any more.
LONGEST = 30 * 86_400.0

_SPAN = re.compile(r"(\+[^.\s]+(?:\.\d+[a-z]+)?)(?:\.\.(\S+))?")
_SUM = re.compile(r"([0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+)\+(\d+)")


class ScriptError(EventdError):
    """A line that says nothing that can be done."""


class Line(Struct, frozen=True, kw_only=True):
    """One thing that happens. ``at`` is in seconds since the beginning, ``number`` the line of the file.

    ``do`` is ``send``, ``again`` (the same octets once more), ``restart``, which takes ``lasts`` seconds in which
    nothing is received, or one of `ACTS` with its ``fields``, which holds for ``lasts``. Of ``send``, either
    ``payload`` is the message, or ``event`` and ``fields`` say what it tells.
    """

    at: float
    who: str
    do: str = "send"
    way: str = "syslog-udp"
    dialect: str = ""
    style: str = ""
    event: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    payload: bytes | None = None
    seq: int | None = None
    sent: float | None = None
    lasts: float = 0.0
    number: int = 0
    text: str = ""


def moment(text: str) -> float:
    """``+1m30s`` as seconds since the beginning.

    Raises:
        ValueError: it is not of that form, or too far off.
    """
    if not text.startswith("+"):
        raise ValueError(f'{text!r} is not a moment like "+15s", "+1m30s", "+2h"')
    seconds = parse_duration(text[1:])
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is later than thirty days")
    return seconds


def lines(number: int, text: str) -> Iterator[Line]:
    """What one line of a timeline makes happen: nothing for a comment or an empty line, many for a repeated one.

    Raises:
        ScriptError: it cannot be understood; the text says why.
    """
    text = text.strip()
    if not text or text.startswith("#"):
        return
    try:
        first, last, count, rest = _when(text)
        who, _, rest = rest.partition(" ")
        template = OURS.get(who, _theirs)(rest.strip())
        for index in range(count):
            at = first if count == 1 else first + (last - first) * index / (count - 1)
            yield replace(template(index + 1), at=round(at, 6), who=who, number=number, text=text)
    except (ValueError, SendError) as error:
        raise ScriptError(str(error)) from error


def _when(text: str) -> tuple[float, float, int, str]:
    """First and last moment, how many, and the rest of the line."""
    word, _, rest = text.partition(" ")
    found = _SPAN.fullmatch(word)
    if found is None:
        raise ValueError(f'{word!r} is not a moment like "+15s" or a span like "+0s..30s"')
    first = moment(found[1])
    last = moment("+" + found[2].removeprefix("+")) if found[2] else first
    rest = rest.strip()
    count = re.match(r"x(\d+)\s+", rest)
    if last < first:
        raise ValueError(f"{word!r} ends before it begins")
    if count is None:
        if last != first:
            raise ValueError(f"{word!r} is a span: say how many, as in x50")
        return first, last, 1, rest
    many = int(count[1])
    if not 1 <= many <= MAX_REPEATS:
        raise ValueError(f"x{many}: from 1 to {MAX_REPEATS}")
    return first, last, many, rest[count.end() :]


def _ours(rest: str) -> Callable[[int], Line]:
    verb, *more = rest.split() or [""]
    if verb != "restart" or len(more) > 1:
        raise ValueError("of eventd a timeline can only say: restart, and how long it takes")
    lasts = parse_duration(more[0]) if more else 0.0
    return lambda _: Line(at=0, who=EVENTD, do="restart", lasts=lasts)


def _acts(rest: str) -> Callable[[int], Line]:
    verb, *words = shlex.split(rest) or [""]
    if verb not in ACTS:
        raise ValueError(f"{verb!r} is nothing an operator can do: {', '.join(ACTS)}")
    given, known = pairs(words), (*ACTS[verb], *FACTS)
    for key in given.keys() - set(known):
        raise ValueError(f"{key!r} is no key of {verb}: {', '.join(known)}")
    if verb == "silence" and "for" not in given:
        raise ValueError("for how long? A silence needs for=")
    lasts = parse_duration(given.pop("for", "0s"))
    return lambda _: Line(at=0, who=OPERATOR, do=verb, fields=given, lasts=lasts)


def _theirs(rest: str) -> Callable[[int], Line]:
    way, _, rest = rest.partition(" ")
    if way == "again" and not rest:
        return lambda _: Line(at=0, who="", do="again")
    if way in VERBATIM:
        transport = "syslog-udp" if way == "raw" else "snmp"
        payload = rest.strip().encode() if way == "raw" else bytes.fromhex(rest)
        return lambda _: Line(at=0, who="", way=transport, payload=payload)
    transport, dialect, style = _way(way)
    event, *words = shlex.split(rest) or [""]
    if not event:
        raise ValueError(f"what does it say by {way}? An event is missing")
    given = pairs(words)
    _fill(given, 1)
    seq, sent = given.pop("seq", None), given.pop("sent", None)
    counter, when = None if seq is None else int(seq), None if sent is None else moment(sent)

    def made(index: int) -> Line:
        return Line(
            at=0, who="", way=transport, dialect=dialect, style=style, event=event, fields=_fill(given, index),
            seq=counter, sent=when,
        )  # fmt: skip

    return made


def _way(text: str) -> tuple[str, str, str]:
    """Transport, dialect (form of a line, version of SNMP) and style of values."""
    kind, *more = text.split("/")
    if kind in SYSLOG:
        dialect, style = (*more, "", "")[:2]
        if len(more) <= 2 and dialect in ("", *ALL_FORMS) and style in ("", *VALUE_STYLES):
            return SYSLOG[kind], dialect, style
        raise ValueError(f"{text!r}: a form is one of {' '.join(ALL_FORMS)}, a style one of {' '.join(VALUE_STYLES)}")
    if kind in SNMP:
        version = more[0] if more else "v2c"
        if len(more) <= 1 and version in SNMP[kind]:
            return ("snmp-inform" if kind == "inform" else f"snmp-{version}"), version, ""
        raise ValueError(f"{text!r}: a version is one of {' '.join(SNMP[kind])}")
    raise ValueError(f"{text!r} is no way to tell: {' '.join((*SYSLOG, *SNMP, *VERBATIM))} again")


def _fill(fields: dict[str, str], index: int) -> dict[str, str]:
    """``{n}`` is the number of the repetition, and an address may be given as a sum: ``203.0.113.1+{n}``."""
    return {key: _value(value, index) for key, value in fields.items()}


def _value(value: str, index: int) -> str:
    filled = value.replace("{n}", str(index))
    if added := _SUM.fullmatch(filled):
        return str(ipaddress.ip_address(added[1]) + int(added[2]))
    return filled


#: Who is no device.
OURS = {EVENTD: _ours, OPERATOR: _acts}
