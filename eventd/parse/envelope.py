"""What stands around the text of a syslog message: PRI and the headers of RFC 5424 and RFC 3164.

RFC 3164 knows no invalid message (section 4.3): its header is read as far as it is there, and the rest is text.
"""

import ipaddress
import re

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.model import Stamp
from eventd.parse.text import BOM, decode_text
from eventd.parse.timestamps import WALL, parse_stamp

#: PRI is facility (0-23) x 8 + severity (0-7): RFC 5424 section 6.2.1.
MAX_PRI = 191
BLANKS = b" \t\r\n\0"
_PRIS = {b"%d" % pri: pri for pri in range(MAX_PRI + 1)}

_PRI = re.compile(rb"<(\d+)>")
_ADDRESS = re.compile(rb"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+(?:%\w+)?")
_DOTTED_NUMBER = re.compile(rb"[0-9.]+")
#: A program with its process id, a PRI, a tag of info-center that was cut off before its colon.
_NO_NAME = re.compile(rb"\A(?:[\[%]|<\d+>)|\]\Z|\A[A-Z0-9_-]+/[0-7](?:/|\Z)")
#: RFC 5424 section 6, up to MSGID. Lengths beyond the maxima are tolerated, and a time that does not exist.
_RFC5424 = re.compile(rb"1 (-|\d{4}-\d\d-\d\dT[\d:.,+Zz-]+) (\S+) (\S+) (\S+) (\S+) ")
#: Says that it is RFC 5424: version 1 and either NILVALUE or the beginning of an RFC 3339 time.
_CLAIMS_RFC5424 = re.compile(rb"1 (?:- |\d{4}-\d\d-\d\dT)")
#: Section 6.3; a closing bracket inside a value should be escaped, and is tolerated where it is not.
_STRUCTURED_DATA = re.compile(
    rb'(?:-|(?:\[[^\s=\]"]++(?: ++[^\s=\]"]++="[^"\\]*+(?:\\.[^"\\]*+)*+")*+ *+\])++)(?=\s|$)', re.DOTALL
)
_GAP = re.compile(rb"[ \t]*+(?:%s)?" % BOM)
_WALL = re.compile(WALL)
#: syslog-ng 3.38 puts the first word of a time it cannot read (with a zone, with an unpadded day) where RFC 5424 has
#: the program's name, and the rest into the text: ``<188>1 … relay Sep - - - 21 2026 16:03:04+08:00 FW1 …``.
_TORN_TIME = re.compile(rb"[#%*^]?" + WALL)
#: The longest time, ``Sep 21 2026 16:03:04.123456789.123456 +08:00 DST``, fits.
_TIME_WITHIN = 64
_WORD = re.compile(rb"[ \t]+(\S{1,255})(?=\s|$)")
#: TAG of RFC 3164 section 4.1.3: name, process id in brackets, colon.
_PROGRAM = re.compile(rb"[ \t]*([^\s\[\]:\"'=(),]{1,128})(?:\[([^\]\s]{0,64})\])?:(?=\s|$)")


class Envelope(Struct, frozen=True):
    """Header fields of one message. The text begins at byte ``start`` of the payload; ``torn`` was its first word."""

    form: str
    start: int
    pri: int | None = None
    stamp: Stamp | None = None
    hostname: str | None = None
    app_name: str | None = None
    proc_id: str | None = None
    msg_id: str | None = None
    structured_data: str | None = None
    torn: bytes = b""


def read_pri(payload: bytes, start: int) -> tuple[int | None, int]:
    """PRI at ``start`` and the offset behind it; None where the message has none.

    Raises:
        ParseError: ``bad_pri``, a number in angle brackets that can be no PRI (above 191, or with a leading zero).
    """
    match = _PRI.match(payload, start)
    if match is None:
        return None, start
    return checked_pri(match[1], start), match.end()


def checked_pri(digits: bytes, at: int = 0) -> int:
    """The number of a PRI whose ``<`` stands at byte ``at``; raises as `read_pri`."""
    pri = _PRIS.get(digits)
    if pri is None:
        raise ParseError(RejectReason.BAD_PRI, at + 1, f"<{digits[:8].decode()}> is not 0 to {MAX_PRI}")
    return pri


def read_hostname(word: bytes) -> str | None:
    """A word as host name or address; None for what can be neither: an OID, a number, a time, a program's name."""
    while word.startswith(BOM):
        word = word.removeprefix(BOM)
    if _DOTTED_NUMBER.fullmatch(word) or b":" in word:
        return word.decode() if is_address(word) else None
    return None if word in (b"", b"-") or _NO_NAME.search(word) else decode_text(word)


def read_text(data: bytes) -> str:
    """The text of a message, without what stands around it: blanks, line ends, NUL, byte order mark."""
    return decode_text(data.strip(BLANKS)).strip(" \t\r\n\0")


def is_address(word: bytes) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    if not _ADDRESS.fullmatch(word):  # of ten words nine are none, and to be told so by `ipaddress` takes 3 µs
        return False
    try:
        ipaddress.ip_address(word.decode())
    except ValueError:
        return False
    return True


def read_rfc5424(payload: bytes, start: int, pri: int) -> Envelope | None:
    """The header behind PRI; None where it is not RFC 5424. Structured data that is damaged stays in the text."""
    header = _RFC5424.match(payload, start)
    if header is None:
        return None
    time, hostname, app_name, proc_id, msg_id = header.groups()
    data = _STRUCTURED_DATA.match(payload, header.end())
    gap = _GAP.match(payload, data.end() if data else header.end())
    start = gap.end() if gap else header.end()
    return Envelope(
        form="rfc5424",
        start=start,
        pri=pri,
        stamp=parse_stamp(time),
        hostname=read_hostname(hostname),
        app_name=_nil(app_name),
        proc_id=_nil(proc_id),
        msg_id=_nil(msg_id),
        structured_data=_nil(data[0]) if data else None,
        torn=_torn_off(app_name, payload[start : start + _TIME_WITHIN]),
    )


def _torn_off(app_name: bytes, text: bytes) -> bytes:
    """The program's name and a blank, where together with the text it is a time; else nothing."""
    word = app_name + b" "
    time = _TORN_TIME.match(word + text)
    return word if time and time.end() > len(word) else b""


def _nil(value: bytes) -> str | None:
    return None if value == b"-" else decode_text(value)


def claims_rfc5424(payload: bytes, start: int) -> bool:
    """Whether what stands behind PRI says that it is RFC 5424, be it right or not."""
    return _CLAIMS_RFC5424.match(payload, start) is not None


def read_rfc3164(payload: bytes, start: int, pri: int | None) -> Envelope:
    """As much of time, host name and program as is there behind PRI."""
    stamp = _WALL.match(payload, start)
    at, hostname = (stamp.end() if stamp else start), None
    program = _PROGRAM.match(payload, at)
    if stamp and not program and (word := _WORD.match(payload, at)):
        hostname = read_hostname(word[1])
        if hostname is not None:
            at = word.end()
            program = _PROGRAM.match(payload, at)
    if program and not (stamp or program[2]):
        program = None  # the first word of a text that has no header: `error: …`
    return Envelope(
        form="rfc3164",
        start=program.end() if program else at,
        pri=pri,
        stamp=parse_stamp(stamp[0]) if stamp else None,
        hostname=hostname,
        app_name=decode_text(program[1]) if program else None,
        proc_id=decode_text(program[2]) if program and program[2] else None,
    )
