"""Where one syslog message ends and the next begins: RFC 6587 on streams, RFC 5426 in datagrams."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from eventd.parse.timestamps import WALL

#: RFC 5425 asks for 8192 octets, relays send up to 64 KiB.
MAX_MESSAGE_BYTES = 65_536

#: An octet count of more digits is no count: nobody sends messages of a megabyte, and believing a damaged count would
#: cost that much of the stream.
MAX_COUNT_DIGITS = 6

#: RFC 6587 section 3.4.1, with the PRI that every syslog message begins with: a number alone may begin a text.
_HEADER = re.compile(rb"(?<!\d)([1-9]\d{0,%d}) (<\d{1,3}>)" % (MAX_COUNT_DIGITS - 1))
#: What may still become a header when more bytes arrive.
_HEADER_SO_FAR = re.compile(rb"[1-9]\d{0,%d}(?: (?:<\d{0,3})?)?\Z" % (MAX_COUNT_DIGITS - 1))
#: The longest header (digits, blank, ``<191>``) and the byte before it, which must be no digit.
_HEADER_ROOM = 1 + MAX_COUNT_DIGITS + len(b" <191>")
#: RFC 6587 section 3.4.2: LF, or NUL as some senders have it. A CR before it goes with it.
_TRAILER = re.compile(rb"[\n\0]")
#: Whichever comes first, found in one go: looking for each by itself would read a long buffer once per short frame.
_TRAILER_OR_HEADER = re.compile(_TRAILER.pattern + b"|" + _HEADER.pattern)
_TRAILERS = b"\r\n\0"
_BLANKS = re.compile(rb"[\r\n\0]*")

#: How a message begins in the middle of a datagram: with a PRI, or with a time, a host name and a tag.
_NEXT_MESSAGE = re.compile(
    rb"(?<![\r\n\0])[\r\n\0]++(?=<\d{1,3}>|[#%*^]?"
    + WALL
    + rb" +\S+ +(?:%|[A-Z][A-Z0-9_-]*/[0-7]/|[\w./-]+(?:\[\w+\])?:))"
)


def split_datagram(payload: bytes) -> list[bytes]:
    """The messages of one datagram: usually one, several behind some relays. An empty datagram is one empty message.

    A line break splits only where what follows begins like a message, so that a text of several lines stays whole.
    """
    payload = payload.rstrip(_TRAILERS)
    if b"\n" not in payload and b"\0" not in payload:
        return [payload]
    return _NEXT_MESSAGE.split(payload.lstrip(_TRAILERS))


class StreamFramer:
    """Takes a byte stream apart; how the bytes are cut into reads makes no difference (`contract.Framer`).

    Each frame is judged by itself: octet counting where ``MSG-LEN SP <PRI>`` stands complete, else a line that ends
    with LF, CRLF or NUL. A damaged count costs its own frame: when what follows a counted frame begins neither a frame
    nor a line, a frame that a too large count swallowed is looked for inside, and what a too small count left over is
    a message that ends where the next frame begins. Holds at most one message, plus the last counted frame.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer known to hold no end of a line
        self._skip_octets = 0
        self._skip_line = False
        self._counting: bool | None = None  # whether this connection counts; None until it has shown
        self._again = 0  # bytes at the front of the buffer that were read once already
        self._last = b""  # the last counted frame, while what follows may still prove its count wrong
        self._errors = {"oversize": 0, "bad_length": 0, "truncated": 0}

    @property
    def errors(self) -> Mapping[str, int]:
        """Damaged frames: ``oversize`` (cut to the limit), ``bad_length`` (the count was wrong), ``truncated`` (the
        stream ended inside a counted frame)."""
        return MappingProxyType(self._errors)

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not whole, or is being skipped."""
        return bool(self._buffer or self._skip_octets)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by ``data``."""
        self._buffer += data
        messages: list[bytes] = []
        while self._buffer and self._step(messages):
            pass
        return messages

    def finish(self) -> list[bytes]:
        """The unterminated rest at the end of the stream."""
        rest = bytes(self._buffer)
        self._consume(len(rest))
        if self._skip_line or self._skip_octets:
            return []
        if header := _header(rest):
            self._errors["truncated"] += 1
            rest = rest[header.start(2) :]
        return self._cut(rest.strip(_TRAILERS))

    def _step(self, messages: list[bytes]) -> bool:
        """Consume something; False when more bytes are needed first."""
        if self._skip_octets:
            return self._skip()
        if self._skip_line or self._scanned:
            return self._line(messages)
        blanks = _BLANKS.match(self._buffer)
        if blanks and blanks.end():
            self._consume(blanks.end())
            return True
        return self._frame(messages)

    def _skip(self) -> bool:
        skipped = min(self._skip_octets, len(self._buffer))
        self._skip_octets -= skipped
        self._consume(skipped)
        return True

    def _frame(self, messages: list[bytes]) -> bool:
        """What begins here: a counted frame, a line, or neither."""
        if not self._buffer.startswith(b"<"):
            if header := _header(self._buffer):
                return self._counted(messages, int(header[1]), header.start(2))
            if _HEADER_SO_FAR.match(self._buffer):
                return False
            if self._last:
                return self._misaligned()
        self._last = b""
        return self._line(messages)

    def _counted(self, messages: list[bytes], length: int, start: int) -> bool:
        kept = min(length, self._max)
        if len(self._buffer) < start + kept:
            return False
        frame = bytes(self._buffer[start : start + kept])
        self._counting, self._last = True, b"" if length > kept or self._again else frame
        self._consume(start + kept)
        if length > kept:
            self._errors["oversize"] += 1
            self._skip_octets = length - kept
        messages.append(frame.rstrip(_TRAILERS))
        return True

    def _misaligned(self) -> bool:
        """The last count was wrong. Go back to a frame that begins inside what it spanned; each byte at most once, so
        that a hostile stream cannot make us read it again and again."""
        if len(self._buffer) < _HEADER_ROOM:
            return False
        last, self._last = self._last, b""
        self._errors["bad_length"] += 1
        swallowed = _HEADER.search(last + self._buffer[:_HEADER_ROOM], 1)
        if swallowed and swallowed.start() < len(last):
            self._buffer[:0] = last[swallowed.start() :]
            self._again = len(last) - swallowed.start()
        return True

    def _line(self, messages: list[bytes]) -> bool:
        """A line up to its end; where frames may be counted, up to the next frame if that comes first."""
        whole = self._buffer.startswith(b"<")
        counts = not whole if self._counting is None else self._counting
        limit = len(self._buffer) if self._skip_line else self._max + _HEADER_ROOM + 1
        found = (_TRAILER_OR_HEADER if counts else _TRAILER).search(
            self._buffer, max(self._scanned - _HEADER_ROOM, 1), limit
        )
        if found is None:
            return self._without_end(messages)
        end, behind = found.span()
        if found.lastindex:
            behind = end
            self._errors["bad_length"] += self._counting is None
        elif end <= self._max and not self._skip_line and (whole or self._counting is None):
            self._counting = False  # an undamaged line: whoever counts would not have sent it
        if not self._skip_line:
            messages += self._cut(bytes(self._buffer[:end]).removesuffix(b"\r"))
        self._skip_line = False
        self._consume(behind)
        return True

    def _without_end(self, messages: list[bytes]) -> bool:
        """Remember how far was looked; of a line beyond the limit keep only what may be the beginning of a frame."""
        if not self._skip_line and len(self._buffer) > self._max + _HEADER_ROOM:
            messages += self._cut(bytes(self._buffer[: self._max + 1]))
            self._skip_line = self._counting = True  # so long without an end: perhaps these are no lines after all
            self._consume(self._max - 1)
            return True
        if self._skip_line:
            self._consume(max(len(self._buffer) - _HEADER_ROOM, 0))
        self._scanned = len(self._buffer)
        return False

    def _cut(self, message: bytes) -> list[bytes]:
        if len(message) > self._max:
            self._errors["oversize"] += 1
            message = message[: self._max]
        return [message] if message else []

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0
        self._again = max(self._again - count, 0)


def _header(data: bytes | bytearray) -> re.Match[bytes] | None:
    """The header of a counted frame; a count that has no room for the PRI behind it is none."""
    header = _HEADER.match(data)
    return header if header and int(header[1]) >= len(header[2]) else None
