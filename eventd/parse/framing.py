"""Where one syslog message ends and the next begins: RFC 6587 on streams, RFC 5426 in datagrams."""

import re
from collections import Counter
from collections.abc import Mapping

#: RFC 5425 asks for 8192 octets, relays send up to 64 KiB.
MAX_MESSAGE_BYTES = 65_536
#: An octet count of more digits is no count: nine digits are a gigabyte.
MAX_COUNT_DIGITS = 9
#: A count this many times the largest message is damage, not a long message, and must not swallow what follows.
SANE_COUNT_FACTOR = 16

_COUNT = re.compile(rb"([1-9]\d{0,8}) (?=<\d{1,3}>)")
#: What may still become ``MSG-LEN SP <PRI>`` when more bytes arrive.
_COUNT_SO_FAR = re.compile(rb"[1-9]\d{0,8}(?: (?:<\d{0,3})?)?\Z")
#: Bytes that a whole ``MSG-LEN SP <PRI>`` may take: so far beyond the limit a new frame is still looked for.
_COUNT_ROOM = 16
_END = re.compile(rb"[\n\0]")
_BLANK = b"\r\n\0"
_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
#: A further line of a datagram that is a message of its own and not the second line of a text.
_NEXT_MESSAGE = re.compile(rb"[\r\n\0]+(?=<\d{1,3}>|#?" + _MONTHS + rb" {1,2}\d{1,2} |#?\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T])")


def split_datagram(payload: bytes) -> list[bytes]:
    """The messages of one datagram: usually one, several behind some relays. An empty datagram is one empty message.

    A line break splits only where what follows begins like a message, so that a text of several lines stays whole.
    """
    payload = payload.rstrip(_BLANK)
    if b"\n" not in payload and b"\0" not in payload:
        return [payload]
    return [part for part in _NEXT_MESSAGE.split(payload) if part.strip(_BLANK)] or [payload]


class StreamFramer:
    """Takes a byte stream apart; how the bytes are cut into reads makes no difference (`contract.Framer`).

    Each frame is judged by itself: octet counting where ``MSG-LEN SP <PRI>`` stands complete, else a line that ends
    with LF, CRLF or NUL. A damaged count therefore costs its own frame. Never holds more than one message.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._skip_octets = 0
        self._skip_line = False
        self._counting = False
        self._errors: Counter[str] = Counter()

    @property
    def errors(self) -> Mapping[str, int]:
        """Damaged frames by reason: ``oversize`` (cut), ``bad_length`` (the count was wrong), ``truncated``."""
        return self._errors

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
        self._buffer.clear()
        if self._skip_line or self._skip_octets:
            return []
        if count := _COUNT.match(rest):
            self._errors["truncated"] += 1
            rest = rest[count.end() :]
        rest = rest.strip(_BLANK)
        return [rest[: self._max]] if rest else []

    def _step(self, messages: list[bytes]) -> bool:
        """Consume something; False when more bytes are needed first."""
        if self._skip_octets:
            skipped = min(self._skip_octets, len(self._buffer))
            self._skip_octets -= skipped
            del self._buffer[:skipped]
            return True
        if self._skip_line:
            return self._skip_to_end_of_line()
        blanks = len(self._buffer) - len(self._buffer.lstrip(_BLANK))
        if blanks:
            del self._buffer[:blanks]
            return True
        if count := _COUNT.match(self._buffer):
            return self._counted(messages, int(count[1]), count.end())
        if _COUNT_SO_FAR.match(self._buffer):
            return False
        return self._line(messages)

    def _skip_to_end_of_line(self) -> bool:
        end = _END.search(self._buffer)
        if end is None:
            self._buffer.clear()
            return False
        del self._buffer[: end.end()]
        self._skip_line = False
        return True

    def _counted(self, messages: list[bytes], length: int, start: int) -> bool:
        if length > self._max * SANE_COUNT_FACTOR:
            self._errors["bad_length"] += 1
            del self._buffer[:start]
            return True
        kept = min(length, self._max)
        if len(self._buffer) < start + kept:
            return False
        self._counting = True
        message = bytes(self._buffer[start : start + kept])
        del self._buffer[: start + kept]
        if length > kept:
            self._errors["oversize"] += 1
            self._skip_octets = length - kept
        messages.append(message.rstrip(_BLANK))
        return True

    def _line(self, messages: list[bytes]) -> bool:
        end = _END.search(self._buffer)
        if self._counting and (again := _COUNT.search(self._buffer, 1, self._max + _COUNT_ROOM)):
            # The last count was too small: what is left of its message stands before the next frame.
            if end is None or again.start() < end.start():
                self._errors["bad_length"] += 1
                self._take(messages, again.start(), again.start())
                return True
        if end is not None:
            self._take(messages, end.start(), end.end())
            return True
        if len(self._buffer) > self._max + _COUNT_ROOM:
            self._take(messages, len(self._buffer), len(self._buffer))
            self._skip_line = True
        return False

    def _take(self, messages: list[bytes], length: int, consumed: int) -> None:
        message = bytes(self._buffer[:length]).rstrip(_BLANK)
        del self._buffer[:consumed]
        if len(message) > self._max:
            self._errors["oversize"] += 1
            message = message[: self._max]
        if message:
            messages.append(message)
