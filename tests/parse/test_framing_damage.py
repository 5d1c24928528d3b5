"""Damaged and hostile streams: what is damaged is lost, nothing else, and nobody can make it expensive."""

import os
import time

import pytest
from framing_strategies import SLACK, counted, fuzz_framing, held

from eventd.parse.framing import MAX_MESSAGE_BYTES, StreamFramer

A, B, C = b"<188>first message", b"<188>second message", b"<13>third"
#: Seconds of processor time for half a mebibyte of anything. One is ordinary on a slow machine for the smallest frames;
#: reading a whole buffer for each of them took 17.
AFFORDABLE_S = 5.0


@pytest.mark.conformance("RFC 6587 §3.4", "damaged streams cut anywhere lose no undamaged message")
def test_streams_cut_anywhere_are_the_same_and_damage_costs_no_neighbour() -> None:
    """``EVENTD_FUZZ=200000`` for the long run."""
    n = int(os.environ.get("EVENTD_FUZZ", "2500"))
    met = fuzz_framing(n, seed=20261121)
    assert met.total() == n
    kinds = {"no_digits", "no_count", "absurd", "too_small", "second_half", "whole", "bad_length", "truncated"}
    assert kinds <= met.keys()


@pytest.mark.conformance("RFC 6587 §3.4", "damage in the first frame costs no other")
@pytest.mark.parametrize(
    "damaged", [b"1x8 " + A, b"18x " + A, b"sage", b"99999999 " + A, b"0 " + A, b"018 " + A, b" " + A]
)
def test_damage_in_the_first_frame_costs_no_other(damaged) -> None:
    framer = StreamFramer()
    assert framer.feed(damaged + counted(B) + counted(C) + counted(A))[-3:] == [B, C, A]
    assert framer.errors["bad_length"] >= 1


@pytest.mark.conformance("RFC 6587 §3.4.2", "a line that quotes a counted frame is one line")
def test_a_line_without_pri_that_quotes_a_frame_is_one_line_on_a_connection_of_lines() -> None:
    lines = [b"2018-10-05 10:52:13 USG6300 up", b"2018-10-05 10:52:14 USG6300 sent 9 <13>third"]
    framer = StreamFramer()
    assert framer.feed(b"\n".join(lines) + b"\n") == lines
    assert framer.errors["bad_length"] == 0


@pytest.mark.conformance("RFC 6587 §3.4.3", "a connection that counts is recognised behind a first frame without count")
def test_a_connection_that_counts_is_found_again_behind_a_first_frame_without_count() -> None:
    """It begins like a line and has no end, so it costs up to the limit, and then no more."""
    framer = StreamFramer(200)
    found = framer.feed(A + counted(B) * 40)
    assert set(found[1:]) == {B}
    assert len(found) > 40 - 200 // len(counted(B)) - 1
    assert framer.errors["oversize"] == 1


@pytest.mark.conformance("RFC 6587 §3.4.2", "a line beyond the limit ends at its own end")
def test_a_line_beyond_the_limit_ends_at_its_end_and_not_before() -> None:
    framer = StreamFramer(100)
    assert framer.feed(b"<13>" + b"x" * 5000 + b"\n" + A + b"\n") == [b"<13>" + b"x" * 96, A]
    assert framer.errors["oversize"] == 1


@pytest.mark.parametrize(
    "unit",
    [
        b"1 <1>",
        b"5 <13>a",
        b"5 <13>ab",
        b"4 <13>x",
        b"6 <13>aab",
        b"9 <1",
        b"<13>",
        b"1",
        b"\n",
        b"\0\r",
        b"99999 <13>",
        b"9 <13>3 <1>",
        b"12 <13>3 <1>zzzz",
        b"60000 <13>" + b"1 <1>" * 11_000 + b"zzz",
    ],
    ids=lambda unit: unit[:12].decode(),
)
def test_hostile_streams_cost_no_more_than_their_length(unit) -> None:
    stream = unit * (2**19 // len(unit) + 1)
    framer = StreamFramer()
    began = time.process_time()
    for at in range(0, len(stream), 2**18):  # as much as asyncio reads at once
        framer.feed(stream[at : at + 2**18])
        assert held(framer) <= 2 * MAX_MESSAGE_BYTES + SLACK
    assert time.process_time() - began < AFFORDABLE_S
