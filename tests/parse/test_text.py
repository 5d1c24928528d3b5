"""Bytes to text: UTF-8, GBK, neither, and messages that a datagram cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.parse.text import decode_text

NAME = "核心防火墙"


def test_the_byte_order_mark_is_no_text() -> None:
    assert decode_text(b"\xef\xbb\xbfgone") == "gone"


@pytest.mark.conformance("RFC 5424 §6.4", "names in the encoding they were sent in")
@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030"])
def test_names_are_read_in_the_encoding_they_were_sent_in(encoding) -> None:
    assert decode_text(f"policy {NAME} matched".encode(encoding)) == f"policy {NAME} matched"


@pytest.mark.conformance("RFC 5424 §8.3", "a message cut inside a character is read as before")
@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 3), ("gbk", 2)])
def test_a_cut_last_character_does_not_change_how_the_rest_is_read(encoding, width) -> None:
    data = f"policy {NAME}".encode(encoding)
    for cut in range(1, width):
        escaped = "".join(f"\\x{byte:02x}" for byte in data[-width:][:-cut])
        assert decode_text(data[:-cut]) == f"policy {NAME[:-1]}{escaped}"


def test_one_gbk_character_at_the_end_is_not_taken_for_cut_utf8() -> None:
    assert decode_text(b"policy " + "浣".encode("gbk")) == "policy 浣"


@pytest.mark.conformance("RFC 5424 §6.4", "octets that are no text are escaped, none is lost")
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\xff\xfeb", "a\\xff\\xfeb"),
        (b"\x80", "\\x80"),
        (b"a\xc4", "a\\xc4"),
        ("隧".encode() + b"\xff", "隧\\xff"),
        (b"\xed\xa0\x80 \xff", "\\xed\\xa0\\x80 \\xff"),
    ],
)
def test_what_is_no_text_is_escaped(data, text) -> None:
    assert decode_text(data) == text


@given(st.binary(max_size=60))
def test_stray_bytes_are_what_backslashreplace_makes_of_them(data) -> None:
    data += b"\xff "  # is in neither encoding
    assert decode_text(data) == data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
