"""The recording format: one received message per line, written by ``run --record``, read by ``decode`` and ``replay``.

Four fields parted by a tab: time of reception (RFC 3339, UTC), transport, source, payload. A syslog payload is text
with ``\\\\``, ``\\t``, ``\\n``, ``\\r`` and ``\\xNN`` escapes; an SNMP payload is hex. A line whose second field is
no transport is a bare syslog message; a line starting with ``# `` is a comment.
"""

import ipaddress
import re
from datetime import UTC, datetime
from functools import lru_cache

from eventd.errors import ParseError, RejectReason
from eventd.model import SYSLOG_TRANSPORTS, TRANSPORTS, Message, utc

#: Source of a bare line: the unspecified address, because nobody wrote down where it came from.
UNKNOWN_SOURCE = str(ipaddress.IPv4Address(0))

_ESCAPES = {ord("\\"): rb"\\", ord("\t"): rb"\t", ord("\n"): rb"\n", ord("\r"): rb"\r"}
_PLAIN = {escape[1:]: bytes([octet]) for octet, escape in _ESCAPES.items()}
#: What may not stand in a line as it is: control characters (C1 too: they drive terminals), the backslash, the
#: separators that editors take for line ends, and octets that are no UTF-8 (surrogates after decoding).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u2028\u2029\udc80-\udcff]")
#: Of these nothing need be escaped: most messages hold no others, and to see that costs a tenth of the search.
_SAFE = bytes(octet for octet in range(0x20, 0x7F) if octet != ord("\\"))
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\\tnr])|)")
#: ``[address]`` or an address without colons, each with or without port; or a bare IPv6 address.
_SOURCE = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?|([^\[\]]*:[^\[\]]*:[^\[\]]*)")
_TRANSPORTS = {name.encode(): name for name in TRANSPORTS}


def format_line(message: Message) -> bytes:
    """One line, with its line feed, from which `parse_line` makes the same message again."""
    stamp = _format_time(message.received_at)
    syslog = message.transport in SYSLOG_TRANSPORTS
    payload = _escape(message.payload) if syslog else message.payload.hex().encode()
    head = f"{stamp}\t{message.transport}\t{_format_source(message.source, message.port)}\t"
    return head.encode() + payload + b"\n"


def is_bare(line: bytes) -> bool:
    """Whether a line is a message without time and source: neither a recording, nor a comment, nor empty."""
    fields = line.split(b"\t", 3)
    recorded = len(fields) == 4 and fields[1] in _TRANSPORTS
    return not recorded and bool(line.strip()) and not line.startswith(b"# ")


def parse_line(line: bytes, now: float) -> Message | None:
    """The message of one line, None for a comment or an empty line.

    ``now`` (Unix seconds) is when a bare message counts as received.

    Raises:
        ParseError: ``bad_frame`` where the line is a recording with a broken time, source or payload.
    """
    line = line.rstrip(b"\r\n")
    if not line.strip() or line.startswith(b"# "):
        return None
    if is_bare(line):
        return Message("syslog-udp", UNKNOWN_SOURCE, 0, now, line)
    stamp, name, place, payload = line.split(b"\t", 3)
    transport = _TRANSPORTS[name]
    source, port = _parse_source(place, len(stamp) + len(name) + 2)
    start = len(line) - len(payload)
    read = _unescape if transport in SYSLOG_TRANSPORTS else _unhex
    return Message(transport, source, port, _parse_time(stamp), read(payload, start))


def _bad(offset: int, detail: str) -> ParseError:
    return ParseError(RejectReason.BAD_FRAME, offset, detail)


def _escape(payload: bytes) -> bytes:
    if not payload.translate(None, _SAFE):
        return payload

    def escaped(match: re.Match[str]) -> str:
        octets = match[0].encode("utf-8", "surrogateescape")
        return "".join(_ESCAPES.get(octet, b"\\x%02x" % octet).decode() for octet in octets)

    return _UNSAFE.sub(escaped, payload.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _unescape(payload: bytes, start: int) -> bytes:
    def plain(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2]:
            return _PLAIN[match[2]]
        raise _bad(start + match.start(), "a backslash that begins no escape")

    return _ESCAPED.sub(plain, payload) if b"\\" in payload else payload


def _unhex(payload: bytes, start: int) -> bytes:
    try:
        return bytes.fromhex(payload.decode("ascii"))
    except ValueError:
        raise _bad(start, "the payload of an SNMP message must be hex") from None


def _parse_time(stamp: bytes) -> float:
    try:
        when = datetime.fromisoformat(stamp.decode("ascii"))
        # A time without zone can only be ours with the Z lost: UTC.
        seconds = round(when.replace(tzinfo=when.tzinfo or UTC).timestamp(), 6)
        utc(seconds)  # an offset can carry the first and the last day of the calendar out of it
    except (ValueError, OverflowError):
        raise _bad(0, "no RFC 3339 time") from None
    return seconds


@lru_cache(maxsize=64)
def _format_time(seconds: float) -> str:
    """RFC 3339; remembered, because what is read from a socket in one go has the same time."""
    return utc(seconds).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _format_source(source: str, port: int) -> str:
    if not port:
        return source
    return f"[{source}]:{port}" if ":" in source else f"{source}:{port}"


def _parse_source(place: bytes, start: int) -> tuple[str, int]:
    """Address and port of ``address``, ``address:port`` or ``[address]:port``; port 0 where none is given."""
    text = place.decode("ascii", "replace")
    match = _SOURCE.fullmatch(text)
    try:
        if match and (port := int(match[3] or 0)) <= 0xFFFF:
            return str(ipaddress.ip_address(match[1] or match[2] or match[4])), port
    except ValueError:
        pass
    raise _bad(start, f"no address: {text!r}")
