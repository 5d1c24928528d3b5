"""The recording format: what is written is read back, and what is damaged is refused with its place."""

import contextlib
import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventd.errors import ParseError, RejectReason
from eventd.model import SYSLOG_TRANSPORTS, TRANSPORTS, Message
from eventd.parse.recording import UNKNOWN_SOURCE, format_line, parse_line

sources = st.ip_addresses().map(str)
times = st.floats(0, 4102444800, allow_nan=False).map(lambda seconds: round(seconds, 6))
messages = st.builds(
    Message,
    transport=st.sampled_from(TRANSPORTS),
    source=sources,
    port=st.integers(0, 65535),
    received_at=times,
    payload=st.binary(max_size=300),
)


@given(messages)
@example(Message("syslog-udp", "::1", 514, 0.000001, b"\\x41\\ \\t \t\n\r\x00 \xff \xc2\x85 \xe2\x80\xa8 \xe9\x98\xb2"))
def test_what_is_written_is_read_back(message: Message) -> None:
    line = format_line(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line.decode("utf-8").splitlines()) == 1
    assert parse_line(line, now=1.0) == message


def test_a_recording_looks_as_documented() -> None:
    syslog = Message("syslog-tls", "2001:db8::7", 6514, 1_790_000_000.25, b"<188>a\tb\\c\n\xff")
    trap = Message("snmp-v2c", "192.0.2.1", 0, 1_790_000_000.0, b"\x30\x03")
    assert format_line(syslog) == (
        b"2026-09-21T14:13:20.250000Z\tsyslog-tls\t[2001:db8::7]:6514\t<188>a\\tb\\\\c\\n\\xff\n"
    )
    assert format_line(trap) == b"2026-09-21T14:13:20.000000Z\tsnmp-v2c\t192.0.2.1\t3003\n"


@pytest.mark.parametrize(
    ("written", "source", "port"),
    [
        (b"192.0.2.1", "192.0.2.1", 0),
        (b"192.0.2.1:514", "192.0.2.1", 514),
        (b"2001:DB8::1", "2001:db8::1", 0),
        (b"[2001:db8::1]", "2001:db8::1", 0),
        (b"[2001:db8::1]:514", "2001:db8::1", 514),
    ],
)
def test_every_documented_source_is_read(written: bytes, source: str, port: int) -> None:
    message = parse_line(b"2026-11-21T00:00:00Z\tsyslog-udp\t" + written + b"\t<188>x", now=0)
    assert message is not None
    assert (message.source, message.port) == (source, port)


def test_an_offset_in_the_time_is_honoured() -> None:
    message = parse_line(b"1970-01-01T08:00:01.5+08:00\tsyslog-udp\t192.0.2.1\tx", now=0)
    assert message is not None
    assert message.received_at == 1.5


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"   \n", b"# a comment\n", b"# 1970-01-01T00:00:00Z\tsyslog-udp\t::1\tx"]
)
def test_comments_and_empty_lines_are_no_messages(line: bytes) -> None:
    assert parse_line(line, now=0) is None


@pytest.mark.parametrize(
    "line",
    [
        b"<188>Nov 21 2026 10:00:00 FW1 %%01IPSEC/4/X(l): text with \\n kept",
        b"#Sep 21 2026 16:03:04+08:00 HUAWEI LINE/5/VTYUSERLOGIN:OID 1.3.6 x",
        b"a\tb\tc\td",
        b"2026-11-21T00:00:00Z\tcarrier-pigeon\t::1\tx",
    ],
)
def test_any_other_line_is_a_bare_syslog_message_received_now(line: bytes) -> None:
    assert parse_line(line + b"\r\n", now=7.0) == Message("syslog-udp", UNKNOWN_SOURCE, 0, 7.0, line)


@pytest.mark.parametrize(
    ("line", "offset"),
    [
        (b"yesterday\tsyslog-udp\t::1\tx", 0),
        (b"2026-11-21T00:00:00Z\tsyslog-udp\tnowhere\tx", 32),
        (b"2026-11-21T00:00:00Z\tsyslog-udp\t192.0.2.1:99999\tx", 32),
        (b"2026-11-21T00:00:00Z\tsyslog-udp\t192.0.2.1:\tx", 32),
        (b"2026-11-21T00:00:00Z\tsyslog-udp\t::1\tab\\q", 38),
        (b"2026-11-21T00:00:00Z\tsyslog-udp\t::1\tab\\", 38),
        (b"2026-11-21T00:00:00Z\tsnmp-v1\t::1\t30zz", 33),
    ],
)
def test_a_damaged_recording_is_refused_at_its_place(line: bytes, offset: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse_line(line, now=0)
    assert (caught.value.reason, caught.value.offset) == (RejectReason.BAD_FRAME, offset)


@given(st.binary(max_size=200), st.sampled_from([*SYSLOG_TRANSPORTS, "snmp-v1", "x"]), st.binary(max_size=20))
def test_no_bytes_raise_anything_but_the_documented_error(payload: bytes, transport: str, place: bytes) -> None:
    line = b"2026-11-21T00:00:00Z\t" + transport.encode() + b"\t" + place + b"\t" + payload
    with contextlib.suppress(ParseError):
        message = parse_line(line, now=0)
        assert message is None or ipaddress.ip_address(message.source)
