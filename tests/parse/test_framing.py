"""Streams and datagrams to messages: how the bytes were cut changes nothing, and damage costs what is damaged."""

import random

import pytest
from examples import some
from hypothesis import example, given
from hypothesis import strategies as st

from eventd.parse.framing import MAX_COUNT_DIGITS, MAX_MESSAGE_BYTES, StreamFramer, split_datagram

A = b"<188>Nov 21 2026 04:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[1]:one (PeerPort=500)"
B = b"<188>Nov 21 2026 04:00:01 FW1 %%01IPSEC/4/IPSECTUNNELSTART(l)[2]:two (PeerPort=500)"
C = b"<13>three"
#: Room for the header of a counted frame that a buffer may hold beside a whole message, and then some.
SLACK = 64


def counted(message: bytes, wrong_by: int = 0) -> bytes:
    return b"%d %s" % (len(message) + wrong_by, message)


def frames(data: bytes, framer: StreamFramer | None = None) -> list[bytes]:
    framer = framer or StreamFramer()
    return framer.feed(data) + framer.finish()


def errors(framer: StreamFramer) -> dict[str, int]:
    return {reason: count for reason, count in framer.errors.items() if count}


# --- the two framings ----------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 6587 §3.4.2", "a line ends with LF, CRLF or NUL, and an empty one is no message")
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0", b"\n\0", b"\n\n\n", b"\r\n\r\n"])
def test_lines_end_with_lf_crlf_or_nul_and_empty_ones_are_nothing(end) -> None:
    assert frames(end + A + end + B + end) == [A, B]


@pytest.mark.conformance("RFC 6587 §3.4.1", "counted frames follow each other without anything between them")
def test_counted_frames_need_no_end() -> None:
    assert frames(counted(A) + counted(B) + counted(C)) == [A, B, C]


@pytest.mark.conformance("RFC 6587 §3.4.1", "a line end behind or inside a counted frame is no message of its own")
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_line_end_behind_or_inside_a_counted_frame_is_no_message(end) -> None:
    assert frames(counted(A) + end + counted(B + end) + counted(C)) == [A, B, C]


@pytest.mark.conformance("RFC 6587 §3.4.1", "a counted frame may hold line ends")
def test_a_counted_frame_may_hold_line_ends() -> None:
    assert frames(counted(b"<13>first\nsecond\n\nthird") + counted(C)) == [b"<13>first\nsecond\n\nthird", C]


@pytest.mark.conformance("RFC 6587 §3.4.3", "both framings may change on one connection")
def test_both_framings_on_one_connection() -> None:
    framer = StreamFramer()
    assert frames(A + b"\n" + counted(B) + C + b"\n" + counted(A) + b"\n" + B, framer) == [A, B, C, A, B]
    assert not errors(framer)


@pytest.mark.conformance("RFC 6587 §3.4.2", "a line that begins with digits is not taken for a count")
@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-21T04:00:00Z FW1 ipsec_ike[1]: gone",
        b"12 tunnels are down",
        b"12 <b>tunnels</b> are down and this is longer",
        b"0012 <13>a count has no leading zeros",
        b"5",
        b"5 ",
        b"5 <",
        b"5 <1234>more digits than a PRI has",
        b"3 <13>no room for its own PRI",
        b"1234567 <13>a megabyte is no count",
        b"12,<13>",
    ],
)
def test_a_line_that_begins_with_a_number_is_a_line(line) -> None:
    framer = StreamFramer()
    assert frames(line + b"\n" + A + b"\n", framer) == [line, A]
    assert not errors(framer)


@pytest.mark.conformance("RFC 6587 §3.4.2", "what looks like a count inside a line does not end it")
def test_a_line_that_looks_counted_inside_does_not_end_there() -> None:
    assert frames(b"<13>send me 9 <13>forged\n" + A + b"\n") == [b"<13>send me 9 <13>forged", A]


@pytest.mark.conformance("RFC 6587 §3.5", "an unterminated line is a message when the connection ends")
def test_what_is_unterminated_comes_out_at_the_end_only() -> None:
    framer = StreamFramer()
    assert framer.feed(A) == []
    assert framer.finish() == [A]
    assert framer.finish() == []


@pytest.mark.conformance("RFC 6587 §3.5", "a frame cut by the end of the connection is delivered as far as it came")
def test_a_stream_that_ends_inside_a_counted_frame_gives_what_there_is() -> None:
    framer = StreamFramer()
    assert frames(counted(A) + counted(B)[:-9], framer) == [A, B[:-9]]
    assert errors(framer) == {"truncated": 1}


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 6587 §3.4.1", "a count too small costs no other message")
@pytest.mark.parametrize("wrong_by", [-40, -7, -1])
def test_a_count_too_small_costs_no_other_message(wrong_by) -> None:
    framer = StreamFramer()
    assert frames(counted(A) + counted(A, wrong_by) + counted(B) + counted(C), framer) == [
        A,
        A[:wrong_by],
        A[wrong_by:],
        B,
        C,
    ]
    assert errors(framer) == {"bad_length": 1}


@pytest.mark.conformance("RFC 6587 §3.4.1", "a count too large costs no other message")
@pytest.mark.parametrize("wrong_by", [1, 2, 3, 5, 8, 40, len(B)])
def test_a_count_too_large_costs_no_other_message(wrong_by) -> None:
    """What it swallowed of the next frame is found again, once what follows does not fit."""
    framer = StreamFramer()
    found = frames(counted(A, wrong_by) + counted(B) + counted(C) + counted(A), framer)
    assert found[0].startswith(A)
    assert found[1:] == [B, C, A]
    # Three bytes are exactly the header of the next frame: what follows is a message, and nothing shows the damage.
    assert errors(framer) == ({} if wrong_by == 3 else {"bad_length": 1})


def test_a_count_that_ends_with_a_later_frame_swallows_what_is_between() -> None:
    """It cannot be told from a message that quotes one; the raw bytes hold it all."""
    framer = StreamFramer()
    assert frames(counted(A, len(counted(B))) + counted(B) + counted(C), framer) == [A + counted(B), C]


@pytest.mark.conformance("RFC 6587 §3.4", "junk between frames ends where the next frame begins")
@pytest.mark.parametrize("junk", [b"junk without an end ", b"\xff\xfe\x00\x01 ", b"7 apples ", b"99999999 <13>"])
def test_junk_between_counted_frames_ends_where_the_next_one_begins(junk) -> None:
    framer = StreamFramer()
    assert frames(counted(A) + junk + counted(B) + counted(C), framer)[-2:] == [B, C]
    assert errors(framer) == {"bad_length": 1}


def test_no_byte_is_read_more_than_twice() -> None:
    """A frame full of beginnings of frames, each with a wrong count, must not multiply."""
    hostile = counted(b"<13>" + b"900 <13>" * 120) + b"x" * 40 + b"\n"
    found = frames(hostile * 20)
    assert sum(map(len, found)) <= 2 * len(hostile) * 20


# --- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 6587 §3.4.2", "a line beyond the limit is cut, counted, and costs nothing else")
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize(("extra", "cut"), [(-1, 0), (0, 0), (1, 1), (10, 1), (500, 1)])
def test_a_line_beyond_the_limit_is_cut_and_counted(end, extra, cut) -> None:
    framer = StreamFramer(100)
    line = b"<13>" + b"x" * (96 + extra)
    assert frames(line + end + C + end, framer) == [line[:100], C]
    assert errors(framer) == ({"oversize": 1} if cut else {})


@pytest.mark.conformance("RFC 6587 §3.4.1", "a counted frame beyond the limit is cut, counted, and costs nothing else")
@pytest.mark.parametrize(("extra", "cut"), [(-1, 0), (0, 0), (1, 1), (5000, 1)])
def test_a_counted_frame_beyond_the_limit_is_cut_and_counted(extra, cut) -> None:
    framer = StreamFramer(100)
    message = b"<13>" + b"x" * (96 + extra)
    assert frames(counted(message) + counted(C), framer) == [message[:100], C]
    assert errors(framer) == ({"oversize": 1} if cut else {})


def test_a_line_beyond_the_limit_on_a_counting_connection_ends_at_the_next_frame() -> None:
    framer = StreamFramer(100)
    assert frames(counted(C) + b"<13>" + b"x" * 400 + counted(C) + counted(C), framer) == [
        C,
        b"<13>" + b"x" * 96,
        C,
        C,
    ]


@pytest.mark.conformance("RFC 5424 §8.12", "a stream without an end fills no memory")
@pytest.mark.parametrize(
    "piece",
    [b"x" * 1000, b"<13>" + b"x" * 996, b"9" * 1000, b"65000 <13>" + b"x" * 990, b"1 <" * 300, b"\0" * 999 + b"1"],
    ids=["text", "lines", "digits", "counted", "headers", "blanks"],
)
def test_memory_stays_within_two_messages(piece) -> None:
    framer = StreamFramer(4096)
    for _ in range(2000):
        framer.feed(piece)
        held = len(framer._buffer) + len(framer._last)
        assert held <= 2 * 4096 + len(piece) + SLACK


def test_a_line_that_comes_byte_by_byte_is_looked_at_once() -> None:
    """Quadratic work would take minutes here."""
    framer = StreamFramer()
    framer.feed(counted(C))
    for _ in range(MAX_MESSAGE_BYTES + SLACK):
        framer.feed(b"x")
    assert framer.feed(b"\n" + C + b"\n") == [C]


def test_the_default_limit_and_the_longest_count_fit_each_other() -> None:
    message = b"<13>" + b"x" * (MAX_MESSAGE_BYTES - 4)
    assert len(str(MAX_MESSAGE_BYTES)) <= MAX_COUNT_DIGITS
    assert frames(counted(message)) == [message]


# --- how bytes are cut changes nothing -------------------------------------------------------------------------------

_PIECES = st.one_of(
    st.sampled_from(
        (
            *(A, B, C, counted(A), counted(B), counted(C), counted(A, 1), counted(A, -3), counted(B, 20)),
            *(counted(C, 300), b"\n", b"\r", b"\r\n", b"\0", b" ", b"<13>", b"12 ", b"0", b"7", b"<", b">", b"1"),
            *(b"x" * 150, b"9 <1>"),
        )
    ),
    st.binary(max_size=12),
)
streams = st.lists(_PIECES, max_size=25).map(b"".join)


@pytest.mark.conformance("RFC 6587 §3.4", "a stream cut in two at every octet gives the same messages")
@pytest.mark.parametrize(
    "stream",
    [counted(A) + counted(B) + counted(C), A + b"\n" + B + b"\r\n" + C + b"\0", counted(A) + B + b"\n" + counted(C)],
    ids=["counted", "lines", "both"],
)
def test_a_stream_cut_at_every_octet_gives_the_same_messages(stream) -> None:
    for at in range(len(stream) + 1):
        framer = StreamFramer()
        assert framer.feed(stream[:at]) + framer.feed(stream[at:]) + framer.finish() == [A, B, C]
        assert not errors(framer)


@pytest.mark.conformance("RFC 6587 §3.4", "any split of a stream into reads gives the same messages")
@some(150)
@given(streams, st.randoms(use_true_random=False), st.sampled_from([40, 128, 65536]))
@example(counted(A, 5) + counted(B) + b"ab\n", random.Random(0), 128)
@example(counted(A) + b"<13>" + b"x" * 150 + b"\n" + b"y 9 <13>three\n", random.Random(1), 40)
def test_any_split_of_a_stream_gives_the_same_messages(stream, rng, limit) -> None:
    whole, bytewise, cut = StreamFramer(limit), StreamFramer(limit), StreamFramer(limit)
    expected = frames(stream, whole)
    single = [message for at in range(len(stream)) for message in bytewise.feed(stream[at : at + 1])]
    assert single + bytewise.finish() == expected
    pieces, rest = [], stream
    while rest:
        length = rng.randrange(1, 60)
        pieces += cut.feed(rest[:length])
        rest = rest[length:]
    assert pieces + cut.finish() == expected
    assert dict(whole.errors) == dict(bytewise.errors) == dict(cut.errors)
    assert all(expected)
    assert all(len(message) <= limit for message in expected)


@pytest.mark.conformance("RFC 6587 §3.4", "any messages framed either way come back")
@some(60)
@given(
    st.lists(st.binary(min_size=1, max_size=80).map(lambda text: b"<13>" + text.strip(b"\r\n\0")), max_size=12),
    st.booleans(),
)
def test_what_was_framed_comes_back(messages, counting) -> None:
    if not counting:
        messages = [message.replace(b"\n", b" ").replace(b"\0", b" ") for message in messages]
    messages = [message.rstrip(b"\r\n\0") for message in messages]
    stream = b"".join(map(counted, messages)) if counting else b"".join(message + b"\n" for message in messages)
    framer = StreamFramer()
    assert frames(stream, framer) == messages
    assert not errors(framer)


# --- datagrams -----------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5426 §3.1", "a datagram is one message, with or without a line end")
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\0", b"\n\0", b"\r\n\r\n"])
def test_a_datagram_is_one_message_without_its_end(end) -> None:
    assert split_datagram(A + end) == [A]


@pytest.mark.conformance("RFC 5426 §3.1", "an empty datagram is one message to be counted")
@pytest.mark.parametrize("payload", [b"", b"\n", b"\0", b"\r\n\0"])
def test_an_empty_datagram_is_one_empty_message(payload) -> None:
    assert split_datagram(payload) == [b""]


@pytest.mark.conformance("RFC 5426 §3.1", "several lines that a relay put into one datagram are several messages")
def test_lines_of_a_relay_are_messages_of_their_own() -> None:
    bare = A.removeprefix(b"<188>")
    cloud = b"2024-12-24T07:08:32.730275+00:00 host ipsec_ike[30085]: [192.0.2.1] gone"
    assert split_datagram(b"\n".join([A, bare, B, cloud, b"#" + bare]) + b"\n") == [A, bare, B, cloud, b"#" + bare]
    assert split_datagram(A + b"\r\n\r\n" + B + b"\0" + C) == [A, B, C]


@pytest.mark.conformance("RFC 5426 §3.1", "a text of several lines stays one message")
@pytest.mark.parametrize(
    "text",
    [
        b"SA information:\nRole: initiator\nLocal IP: 192.0.2.1",
        b"a list\n  <188 items>\n\nand more",
        b"log of today\n2026-11-21 04:00:00 nothing happened",
        b"one\n<b>two</b>\n<1234>",
    ],
)
def test_a_text_of_several_lines_is_not_torn_apart(text) -> None:
    assert split_datagram(b"<190>Nov 21 04:00:00 2026 H3C %%10IKE/6/IKE_P1_SA_ESTABLISH_FAIL: " + text) == [
        b"<190>Nov 21 04:00:00 2026 H3C %%10IKE/6/IKE_P1_SA_ESTABLISH_FAIL: " + text
    ]


def test_a_text_of_several_lines_before_a_further_message_keeps_its_lines() -> None:
    assert split_datagram(C + b"\nmore of it\n" + A) == [C + b"\nmore of it", A]


@pytest.mark.conformance("RFC 5426 §3.1", "splitting a datagram loses nothing but line ends")
@given(streams)
def test_a_datagram_loses_nothing_but_line_ends(stream) -> None:
    parts = split_datagram(stream)
    assert parts
    assert b"".join(parts).translate(None, b"\r\n\0") == stream.translate(None, b"\r\n\0")


def test_a_hostile_datagram_takes_no_time() -> None:
    for payload in (b"\n" * 65000 + b"x", b"\nJan 1 00:00:00 " * 4000, b"\n2026-01-01 00:00:00 a" * 3000 + b"!"):
        assert b"".join(split_datagram(payload))
