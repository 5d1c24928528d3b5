"""The BER cursor: what it reads, and every way in which it must refuse."""

import contextlib

import pytest
import snmp_strategies as some
from hypothesis import given
from hypothesis import strategies as st

from eventd.errors import ParseError, RejectReason
from eventd.parse import ber
from eventd.parse.ber import Cursor


def refused(act, *args):
    with pytest.raises(ParseError) as caught:
        act(*args)
    assert caught.value.reason is RejectReason.BAD_BER
    return caught.value


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_survives_encoding_in_the_shortest_form(number):
    encoded = ber.encode_integer(number)
    assert Cursor(encoded).integer() == number
    assert len(encoded) == 2 + next(n for n in range(1, 9) if -(2 ** (8 * n - 1)) <= number < 2 ** (8 * n - 1))


@given(st.integers(0, 2**64 - 1))
def test_an_unsigned_integer_survives_encoding(number):
    assert Cursor(ber.encode_integer(number, 0x46)).unsigned(0x46) == number


@given(some.oids)
def test_an_oid_survives_encoding(dotted):
    if dotted.count(".") < ber.MAX_SUB_IDS:
        assert Cursor(ber.encode_oid(dotted)).oid() == dotted
    else:
        with pytest.raises(ValueError, match="not an object identifier"):
            ber.encode_oid(dotted)


@given(st.binary(max_size=70_000))
def test_octets_survive_encoding_at_every_size_of_length(content):
    cursor = Cursor(ber.encode_octets(content))
    assert cursor.octets() == content
    cursor.finish()


@pytest.mark.parametrize(
    ("size", "header"),
    [(127, "047f"), (128, "048180"), (255, "0481ff"), (256, "04820100"), (65536, "0483010000")],
)
def test_lengths_take_the_shortest_definite_form(size, header):
    assert ber.encode_octets(bytes(size)).startswith(bytes.fromhex(header))
    assert len(ber.encode_octets(bytes(size))) == len(header) // 2 + size


@pytest.mark.parametrize(
    ("dotted", "encoded"),
    [
        ("0.0", "0600"),  # the null OID without content, as some agents send it
        ("0.0", "060100"),
        ("1.3.6.1.6.3.1.1.4.1.0", "060a2b060106030101040100"),
        ("2.999.3", "0603883703"),  # X.690 section 8.19.5
        ("1.3.4294967295", "06062b8fffffff7f"),
        ("2.4294967215", "06058fffffff7f"),
    ],
)
def test_oids_read_as_their_dotted_text(dotted, encoded):
    assert Cursor(bytes.fromhex(encoded)).oid() == dotted


@pytest.mark.conformance("RFC 3417 §8", "OIDs beyond 128 arcs of 32 bits are refused")
@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        ("06028001", "leading zero octet"),
        ("06022b81", "unfinished"),
        ("06062b9080808000", "above 32 bits"),
        ("0610" + "ff" * 15 + "7f", "above 32 bits"),
        ("068181" + "01" * 129, "130 sub-identifiers"),
        ("06828281"[:4] + "820281" + "01" * 641, "octets"),
    ],
)
def test_an_oid_beyond_the_limits_of_smi_is_refused(encoded, why):
    assert why in str(refused(Cursor(bytes.fromhex(encoded)).oid))


@pytest.mark.parametrize("dotted", ["1", "3.1", "1.40", "1.3.-1", "1.3.4294967296", "1..3", "", "x.y", ".1.3"])
def test_text_that_is_no_oid_is_not_encoded(dotted):
    with pytest.raises(ValueError):
        ber.encode_oid(dotted)


@pytest.mark.conformance("RFC 3417 §8", "indefinite, long and overlong lengths are refused at their place")
@pytest.mark.parametrize(
    ("encoded", "offset", "why"),
    [
        ("", 0, "truncated"),
        ("30", 0, "truncated"),
        ("3080", 1, "indefinite"),
        ("308501000000000000", 1, "5 octets"),
        ("30ff00", 1, "127 octets"),
        ("308201", 2, "truncated length"),
        ("3003020100ff"[:8], 0, "longer than what holds it"),
        ("3084ffffffff", 0, "longer than what holds it"),
    ],
)
def test_a_bad_length_is_refused_at_its_place(encoded, offset, why):
    error = refused(Cursor(bytes.fromhex(encoded)).enter)
    assert (error.offset, why in error.detail) == (offset, True), error


@pytest.mark.conformance("RFC 3417 §8", "a length may be padded")
def test_a_length_may_be_padded_to_four_octets():
    cursor = Cursor(bytes.fromhex("308400000003020105")).enter()
    assert cursor.integer() == 5
    cursor.finish()


@pytest.mark.conformance("RFC 3417 §8", "an INTEGER has one to eight octets")
@pytest.mark.parametrize("encoded", ["0200", "0209" + "00" * 9])
def test_an_integer_has_one_to_eight_octets(encoded):
    refused(Cursor(bytes.fromhex(encoded)).integer)


@pytest.mark.conformance("RFC 3417 §8", "a Counter64 has at most eight octets and a zero")
@pytest.mark.parametrize("encoded", ["4600", "460a" + "00" * 10, "460901" + "00" * 8])
def test_an_unsigned_integer_has_at_most_eight_octets_and_a_zero(encoded):
    refused(Cursor(bytes.fromhex(encoded)).unsigned, 0x46)


def test_an_unsigned_integer_sent_without_its_leading_zero_is_not_negative():
    assert Cursor(bytes.fromhex("4204ffffffff")).unsigned(0x42) == 2**32 - 1


def test_an_integer_out_of_the_wanted_range_is_refused():
    refused(Cursor(ber.encode_integer(-1)).integer, 0, 10)
    refused(Cursor(ber.encode_integer(11)).integer, 0, 10)


def test_another_tag_than_the_expected_one_is_refused():
    assert "0x04" in str(refused(Cursor(ber.encode_octets(b"x")).integer))


def test_a_child_cannot_read_past_its_parent():
    # inside the outer value stands an integer that claims one octet more than the outer value has
    data = bytes.fromhex("3003020201ff")
    inner = Cursor(data).enter()
    assert refused(inner.integer).offset == 2


def test_a_child_cannot_leave_octets_behind_unnoticed():
    inner = Cursor(bytes.fromhex("3004020101ff")).enter()
    assert inner.integer() == 1
    assert refused(inner.finish).offset == 5


def test_peek_at_the_end_is_refused():
    refused(Cursor(b"").peek)


def test_what_is_remembered_of_oids_is_bounded():
    for number in range(2 * ber.OID_CACHE):
        for behind in ("", ".1.1.1.1.1.1"):
            Cursor(ber.encode_oid(f"1.3.6.1.4.1.99999.{number}{behind}.{number}")).oid()
        assert max(len(ber._objects), len(ber._rows)) <= ber.OID_CACHE


@given(
    st.binary(max_size=2 * ber.OBJECT_OCTETS),
    st.sampled_from((0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF)),
    st.binary(min_size=1),
)
def test_an_oid_reads_the_same_in_two_parts_as_in_one(before, odd, behind):
    """Object and row are remembered apart: a sub-identifier may span the cut, or be wrong on either side of it."""
    content = before[: ber.OBJECT_OCTETS - 1] + bytes((odd,)) + behind
    in_one = outcome(ber._text, content)
    for _ in range(2):
        assert outcome(ber.oid_text, b"\x81" + content + b"\x01", 1, 1 + len(content)) == in_one


def outcome(read, *given):
    try:
        return read(*given)
    except ValueError:
        return None


@pytest.mark.conformance("RFC 3417 §8", "whatever the octets, reading stays inside them")
@given(st.binary(max_size=60), st.integers(0, 60))
def test_whatever_the_octets_a_read_gives_a_place_inside_or_the_documented_error(data, pos):
    found = []
    with contextlib.suppress(ParseError):
        found.append(ber.read_tlv(data, pos, len(data)))
    for _, start, stop in found:
        assert pos < start <= stop <= len(data)
