"""TCP segments of a capture into syslog messages: each direction of each connection put in order and framed (RFC 6587).

A capture is not a host: it may begin in the middle of a connection, lack packets, and hold some twice. What is held
twice is taken once; a hole ends the message before it and is counted.
"""

import re
from collections import Counter
from collections.abc import Iterator

from eventd.parse.framing import StreamFramer
from eventd.parse.packets import Segment, Skip

#: RFC 9293 section 3.1.
FIN, SYN, RST = 0x01, 0x02, 0x04
#: Sequence numbers count modulo this.
_WRAP = 2**32

#: Segments held while one before them is missing: more than any window that a syslog sender fills.
MAX_WAITING = 256
#: Connections followed at a time; beyond it the one that began first is ended.
MAX_FLOWS = 10_000

#: How a stream of syslog begins, or a line or frame further on where the capture began late.
_SYSLOG = re.compile(rb"(?:\A|[\n\0]|\A[^<\n]*?(?<!\d))(?:[1-9]\d{0,5} )?<\d{1,3}>")
#: A TLS record of a handshake (RFC 8446 section 5.1).
_TLS = b"\x16\x03"

Key = tuple[str, int, str, int]


class _Flow:
    """One direction of one connection."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.framer = StreamFramer()
        self.waiting: dict[int, bytes] = {}
        self.refused: Skip | None = None
        self.begun = self.over = False


class Streams:
    """All connections of one capture. ``skipped`` counts segments that gave nothing, by reason."""

    def __init__(self) -> None:
        self._flows: dict[Key, tuple[_Flow, Segment]] = {}
        self.skipped: Counter[Skip] = Counter()

    def feed(self, segment: Segment) -> Iterator[tuple[Segment, bytes]]:
        """Messages completed by one segment, each with the segment that completed it."""
        key = (segment.source, segment.source_port, segment.target, segment.target_port)
        known = self._flows.get(key)
        if segment.flags & SYN and (known is None or known[0].begun or known[0].over):
            yield from self._end(key)
            self._flows[key] = _Flow((segment.sequence + 1) % _WRAP), segment
        elif known is None:
            if not segment.payload:
                return
            self._flows[key] = _Flow(segment.sequence), segment
        flow = self._flows[key][0]
        self._flows[key] = flow, segment
        if flow.over:
            return  # sent again after the end
        if segment.payload:
            yield from ((segment, message) for message in self._take(flow, segment))
        if segment.flags & (FIN | RST):
            yield from ((segment, message) for message in self._finish(flow))
        if len(self._flows) > MAX_FLOWS:
            yield from self._end(next(iter(self._flows)))

    def finish(self) -> Iterator[tuple[Segment, bytes]]:
        """What is left when the capture ends."""
        for key in list(self._flows):
            yield from self._end(key)

    def _end(self, key: Key) -> Iterator[tuple[Segment, bytes]]:
        if key in self._flows:
            flow, last = self._flows.pop(key)
            yield from ((last, message) for message in self._finish(flow))

    def _take(self, flow: _Flow, segment: Segment) -> list[bytes]:
        start = (segment.sequence + bool(segment.flags & SYN)) % _WRAP
        if not flow.begun:
            flow.begun, flow.refused = True, _refusal(segment.payload)
        if flow.refused is not None:
            self.skipped[flow.refused] += 1
            return []
        if len(flow.waiting.get(start, b"")) < len(segment.payload):
            flow.waiting[start] = segment.payload
        found = _drain(flow)
        return found if len(flow.waiting) <= MAX_WAITING else [*found, *self._over_hole(flow)]

    def _over_hole(self, flow: _Flow) -> list[bytes]:
        """Go on behind what is missing: the message before it ends there."""
        self.skipped[Skip.GAP] += 1
        found = flow.framer.finish()
        flow.framer = StreamFramer()
        flow.expected = (flow.expected + min(_ahead(start, flow.expected) for start in flow.waiting)) % _WRAP
        return [*found, *_drain(flow)]

    def _finish(self, flow: _Flow) -> list[bytes]:
        found: list[bytes] = []
        while flow.waiting:
            found += self._over_hole(flow)
        flow.over = True
        return [*found, *flow.framer.finish()]


def _drain(flow: _Flow) -> list[bytes]:
    """Hand on everything up to the next hole."""
    found: list[bytes] = []
    while flow.waiting:
        start = min(flow.waiting, key=lambda one: _ahead(one, flow.expected))
        ahead = _ahead(start, flow.expected)
        if ahead > 0:
            break
        fresh = flow.waiting.pop(start)[-ahead:]
        found += flow.framer.feed(fresh)
        flow.expected = (flow.expected + len(fresh)) % _WRAP
    return found


def _ahead(sequence: int, expected: int) -> int:
    """How far behind (negative) or before us a sequence number is (RFC 9293 section 3.4)."""
    return (sequence - expected + _WRAP // 2) % _WRAP - _WRAP // 2


def _refusal(payload: bytes) -> Skip | None:
    if payload.startswith(_TLS):
        return Skip.TLS
    return None if _SYSLOG.search(payload) else Skip.STRANGE
