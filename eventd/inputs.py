"""Messages out of files, for `eventd decode` and `eventd replay`: recordings, plain text, hex, JSON lines, captures."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from io import BufferedReader

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eventd.decode import malformed
from eventd.errors import ParseError, RejectReason
from eventd.model import SYSLOG_TRANSPORTS, TRANSPORTS, Malformed, Message, utc
from eventd.parse import pcap
from eventd.parse.framing import split_datagram
from eventd.parse.packets import Datagram, Segment
from eventd.parse.recording import UNKNOWN_SOURCE, is_bare, parse_line
from eventd.parse.snmp import transport_of
from eventd.parse.streams import Streams

#: The longest datagram (64 KiB) with every octet as an escape, and room for the fields before it.
MAX_LINE = 512 * 1024
#: A bare PDU in hex: a BER SEQUENCE.
_HEX_PDU = re.compile(rb"30(?:[0-9A-Fa-f]{2})+")

#: Messages of one file held back while it is put in order: what several devices with wrong clocks wrote in an hour or
#: two, and a few hundred megabytes at most. Receivers write within milliseconds of the right order.
REORDER = 200_000

Input = Message | Malformed


class _Row(Struct):
    """What is needed of a JSON line, as `decode` prints it and the journal of the API has it."""

    transport: str
    source: str
    received_at: datetime
    raw: str


_row = msgspec.json.Decoder(_Row)


class Reader:
    """The messages of one file, in the order of the file and in constant memory; what is no message is `Malformed`.

    ``transport`` (``syslog``, ``trap``) says what bare lines and packets are; None: told from each of them.
    ``received`` gives the time (Unix seconds) at which a bare message counts as received.
    ``skipped`` counts, while iterating, the packets of a capture that gave no message, by reason.

    Raises (while iterating):
        ParseError: a capture is damaged.
        OSError: the file cannot be read.
    """

    def __init__(self, stream: BufferedReader, transport: str | None, received: Callable[[bytes], float]) -> None:
        self._stream, self._transport, self._received = stream, transport, received
        self.skipped: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Input]:
        if self._stream.peek(4)[:4] in pcap.MAGICS:
            return self._from_capture()
        return self._from_lines()

    def _from_lines(self) -> Iterator[Input]:
        while line := self._stream.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := self._stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield malformed(self._bare(line[:200]), RejectReason.OVERSIZE, MAX_LINE)
            elif (found := self._from_line(line)) is not None:
                yield found

    def _bare(self, payload: bytes, transport: str = "syslog-udp") -> Message:
        return Message(transport, UNKNOWN_SOURCE, 0, self._received(payload), payload)

    def _from_line(self, line: bytes) -> Input | None:
        text = line.strip()
        if text[:1] == b"{" and (row := _json_row(text)) is not None:
            return self._from_json(row)
        if b"\t" not in text and self._is_hex(text):
            return self._from_hex(text)
        try:
            return self._bare(line.rstrip(b"\r\n")) if is_bare(line) else parse_line(line, 0.0)
        except ParseError as error:
            return malformed(self._bare(line.rstrip(b"\r\n")), error.reason, error.offset)

    def _is_hex(self, text: bytes) -> bool:
        if self._transport == "trap":
            return bool(text) and not text.startswith(b"#")
        return self._transport is None and _HEX_PDU.fullmatch(text) is not None

    def _from_hex(self, text: bytes) -> Input:
        try:
            payload = bytes.fromhex(text.decode("ascii").removeprefix("0x").replace(":", ""))
        except ValueError:
            return malformed(self._bare(text), RejectReason.BAD_FRAME, 0)
        return self._bare(payload, transport_of(payload))

    def _from_json(self, row: _Row) -> Input:
        message = Message(row.transport, row.source, 0, round(row.received_at.timestamp(), 6), row.raw.encode())
        if row.transport in SYSLOG_TRANSPORTS:
            return message
        try:
            return replace(message, payload=bytes.fromhex(row.raw))
        except ValueError:
            return malformed(message, RejectReason.BAD_FRAME, 0)

    def _from_capture(self) -> Iterator[Message]:
        capture, streams = pcap.Capture(self._stream.read), Streams()
        try:
            for packet in capture:
                if isinstance(packet, Segment):
                    yield from self._of_kind("syslog", streams.feed(packet), "syslog-tcp")
                elif _is_snmp(packet.payload):
                    yield from self._of_kind("trap", [(packet, packet.payload)], transport_of(packet.payload))
                else:
                    messages = ((packet, message) for message in split_datagram(packet.payload))
                    yield from self._of_kind("syslog", messages, "syslog-udp")
            yield from self._of_kind("syslog", streams.finish(), "syslog-tcp")
        finally:
            for skipped in (capture.skipped, streams.skipped):
                self.skipped.update({str(reason): count for reason, count in skipped.items()})

    def _of_kind(self, kind: str, found: Iterable[tuple[Datagram, bytes]], way: str) -> Iterator[Message]:
        for packet, payload in found:
            if self._transport in (None, kind):
                yield Message(way, packet.source, packet.source_port, packet.at, payload)
            else:
                self.skipped["other transport"] += 1


def _json_row(text: bytes) -> _Row | None:
    """A line of JSON that is a message; None where it is anything else, a syslog message that looks like JSON say."""
    try:
        row = _row.decode(text)
        row.raw.encode()
    except (msgspec.DecodeError, UnicodeError):
        return None
    return row if row.transport in TRANSPORTS and row.received_at.tzinfo is not None else None


def _is_snmp(payload: bytes) -> bool:
    """Whether a datagram is one BER SEQUENCE from the first octet to the last: a syslog line that begins with ``0``
    (time since boot) is not."""
    if len(payload) < 2 or payload[0] != 0x30:
        return False
    size = payload[1] & 0x7F if payload[1] & 0x80 else 0
    length = int.from_bytes(payload[2 : 2 + size]) if size else payload[1]
    return 2 + size + length == len(payload)


def time_of(found: Input) -> float:
    """When it was received, Unix seconds."""
    return found.received_at if isinstance(found, Message) else found.received_at.timestamp()


def at_time(found: Input, at: float) -> Input:
    """The same, as if received at ``at`` (Unix seconds)."""
    return replace(found, received_at=at if isinstance(found, Message) else utc(at))


def in_order(files: Iterable[Iterable[Input]]) -> Iterator[Input]:
    """What several files hold, by time; equal times in the order of the files and of their lines.

    A file may be out of order by `REORDER` messages; one that is later still comes when it is met, and as if it had
    been received then.
    """
    latest = float("-inf")
    for found in heapq.merge(*map(_sorted, files), key=time_of):
        at = time_of(found)
        if at < latest:
            yield at_time(found, latest)
        else:
            latest = at
            yield found


def _sorted(found: Iterable[Input]) -> Iterator[Input]:
    waiting: list[tuple[float, int, Input]] = []
    for number, one in enumerate(found):
        heapq.heappush(waiting, (time_of(one), number, one))
        if len(waiting) > REORDER:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
