"""TCP segments of a capture: whatever is split, doubled or out of order, the messages are those that were sent."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.parse import streams
from eventd.parse.packets import Segment, Skip
from eventd.parse.streams import FIN, RST, SYN, Streams

DATA = 0x18
FIRST = b"<188>Nov 21 2026 04:00:00 FW1 first"
SECOND = b"<188>Nov 21 2026 04:00:01 FW1 second"


def segment(sequence: int, payload: bytes = b"", flags: int = DATA, port: int = 40000) -> Segment:
    return Segment(float(sequence % 1000), "192.0.2.1", port, "192.0.2.9", 514, payload, sequence % 2**32, flags)


def read(*segments: Segment) -> tuple[list[bytes], dict[Skip, int]]:
    flows = Streams()
    found = [message for one in segments for _, message in flows.feed(one)]
    found += [message for _, message in flows.finish()]
    return found, dict(flows.skipped)


messages = st.lists(
    st.text("ab 1", max_size=30).map(lambda text: b"<13>" + text.encode() + b"."), min_size=1, max_size=8
)


@given(messages, st.booleans(), st.integers(0, 2**32 - 1), st.data())
def test_what_was_sent_is_found_however_it_was_cut_doubled_and_shuffled(
    sent: list[bytes], counted: bool, start: int, data: st.DataObject
) -> None:
    stream = b"".join(b"%d %s" % (len(one), one) if counted else one + b"\n" for one in sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream)), max_size=10)) | {0, len(stream)})
    pieces = [
        segment(start + 1 + begin, stream[begin:end]) for begin, end in itertools.pairwise(cuts) if stream[begin:end]
    ]
    first, rest = pieces[0], pieces[1:]
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=3))
    shuffled = data.draw(st.permutations([*rest, *again]))
    # The first comes first, because a stream is known by how it begins.
    if not streams._SYSLOG.search(first.payload):
        first = segment(start + 1, stream)
    end = segment(start + 1 + len(stream), flags=FIN)
    found, skipped = read(segment(start, flags=SYN), first, *shuffled, end, *again)
    assert found == sent
    assert skipped == {}


def test_segments_that_overlap_are_taken_once() -> None:
    assert read(segment(0, flags=SYN), segment(1, FIRST), segment(11, FIRST[10:] + b"\n"), segment(1, FIRST + b"\n"))[
        0
    ] == [FIRST]


def test_a_capture_that_begins_in_the_middle_gives_what_it_has() -> None:
    assert read(segment(500, b"e end of one\n" + FIRST + b"\n")) == ([b"e end of one", FIRST], {})


@pytest.mark.parametrize("flags", [FIN, RST])
def test_the_end_of_a_connection_ends_the_last_message(flags: int) -> None:
    flows = Streams()
    assert list(flows.feed(segment(1, FIRST))) == []
    assert [message for _, message in flows.feed(segment(1 + len(FIRST), flags=flags))] == [FIRST]
    assert list(flows.finish()) == []


def test_a_hole_costs_the_message_it_is_in_and_is_counted() -> None:
    lost = segment(1 + len(FIRST) + 5, SECOND[5:] + b"\n" + FIRST + b"\n")
    found, skipped = read(segment(0, flags=SYN), segment(1, FIRST), lost)
    assert found == [FIRST, SECOND[5:], FIRST]
    assert skipped == {Skip.GAP: 1}


def test_only_so_much_waits_for_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_WAITING", 3)
    flows = Streams()
    line = SECOND + b"\n"
    found = [*flows.feed(segment(1, FIRST + b"\n"))]
    for number in range(5):
        found += flows.feed(segment(100 + number * len(line), line))
    assert [message for _, message in found] == [FIRST] + [SECOND] * 5
    assert flows.skipped == {Skip.GAP: 1}


def test_the_same_ports_used_again_are_another_connection() -> None:
    once = (segment(0, flags=SYN), segment(1, FIRST + b"\n"), segment(2 + len(FIRST), flags=FIN))
    again = (segment(9000, flags=SYN), segment(9001, SECOND + b"\n"), segment(9002 + len(SECOND), flags=FIN))
    idle = (segment(77, flags=SYN), segment(78, flags=FIN))
    assert read(*once, *idle, *again)[0] == [FIRST, SECOND]


def test_connections_do_not_mix_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_FLOWS", 2)
    halves = [segment(1, FIRST[:20], port=port) for port in (1, 2, 3)]
    rest = [segment(21, FIRST[20:] + b"\n", port=port) for port in (2, 3)]
    assert read(*halves, *rest)[0] == [FIRST[:20], FIRST, FIRST]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"\x16\x03\x01\x02\x00\x01", Skip.TLS), (b"GET / HTTP/1.1\r\n", Skip.STRANGE), (b"SSH-2.0-x\r\n", Skip.STRANGE)],
)
def test_streams_that_are_no_syslog_are_counted(payload: bytes, reason: Skip) -> None:
    assert read(segment(0, flags=SYN), segment(1, payload), segment(1 + len(payload), FIRST)) == ([], {reason: 2})


@given(st.lists(st.builds(segment, st.integers(0, 300), st.binary(max_size=40), st.integers(0, 255)), max_size=30))
def test_no_segments_raise_anything_or_are_held_for_ever(segments: list[Segment]) -> None:
    read(*segments)
