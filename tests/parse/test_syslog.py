"""Any message: RFC 5424, RFC 3164, what relays make of info-center's lines, and what nobody meant to send."""

import os
import socket
import subprocess

import pytest
from examples import some
from hypothesis import given
from hypothesis import strategies as st
from peers import peer
from syslog_strategies import check, fuzz_syslog, golden, outcome, payloads

from eventd.errors import ParseError, RejectReason
from eventd.model import SyslogRecord
from eventd.parse import infocenter
from eventd.parse.syslog import parse_any, parse_syslog
from eventd.parse.text import decode_text


def parse(payload: bytes) -> SyslogRecord:
    record = parse_syslog(payload)
    assert parse_any(payload) == record
    return record


IDS_PARTS = (
    *(b"OID 1.3.6", b"1.3.6.1.4.1.2011", b"-OID=1.3.6.1", b"VS=Admin", b"CID=0x1", b"slot=3", b"-DevIP=192.0.2.1"),
    *(b"(", b")", b";", b",", b":", b" ", b"\0", b"\n", b"=", b"-", b".", b"7", b"x"),
)


def header(record: SyslogRecord) -> tuple[object, ...]:
    return record.pri, record.hostname, record.app_name, record.proc_id, record.msg_id, record.structured_data


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"\n", b"\0", b" \t\r\n\0", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing_is_refused_as_empty(payload) -> None:
    with pytest.raises(ParseError) as refused:
        parse_syslog(payload)
    assert (refused.value.reason, refused.value.offset) == (RejectReason.EMPTY, 0)


@pytest.mark.conformance("RFC 5424 §6.2.1", "a number in angle brackets that is no PRI is refused with a reason")
@pytest.mark.parametrize("pri", [b"192", b"999", b"00", b"013", b"0188", b"1234", b"9" * 5000])
@pytest.mark.parametrize(
    "rest", [b"text", b"Nov 21 2026 04:00:00 FW1 %%01A/4/B(l):text", b"Nov 21 04:00:00 h sshd: text"]
)
def test_a_number_in_brackets_that_is_no_pri_is_refused(pri, rest) -> None:
    for lead in (b"", b"\xef\xbb\xbf", b" "):
        refusal = outcome(parse_syslog, lead + b"<" + pri + b">" + rest)
        assert refusal == (RejectReason.BAD_PRI, len(lead) + 1)


@pytest.mark.conformance("RFC 3164 §4.3.3", "what only begins like a PRI is text")
@pytest.mark.parametrize("payload", [b"<>x", b"<html>", b"<13", b"<13 >x", b"<-1>x", b"<1a>x", b"<", b">", b"<\xff>"])
def test_what_only_begins_like_a_pri_is_text(payload) -> None:
    record = parse(payload)
    assert (record.form, record.pri, record.level, record.text) == ("rfc3164", None, None, decode_text(payload))


@pytest.mark.conformance("RFC 5424 §6.2.1", "PRI 0 to 191 are accepted and give the level")
@pytest.mark.parametrize("pri", [0, 7, 13, 188, 191])
def test_every_pri_gives_its_level(pri) -> None:
    record = parse(b"<%d>text" % pri)
    assert (record.pri, record.level) == (pri, pri & 7)


@pytest.mark.conformance("RFC 5424 §6", "a message that claims version 1 without its header is refused with a reason")
@pytest.mark.parametrize(
    "rest",
    [
        b"1 2026-11-21T04:00:00Z",
        b"1 2026-11-21T04:00:00Z h",
        b"1 2026-11-21T04:00:00Z h app 1 ID",
        b"1 - - - - ",
        b"1 2026-11-21Tnoon h app 1 ID - text",
    ],
)
def test_what_says_it_is_rfc5424_and_is_not_is_refused(rest) -> None:
    assert outcome(parse_syslog, b"<13>" + rest) == (RejectReason.BAD_HEADER, 4)


@pytest.mark.conformance("RFC 5424 §6.2.2", "what does not claim version 1 is a text")
@pytest.mark.parametrize(
    "rest", [b"1 tunnel is down", b"1", b"1 ", b"2 2026-11-21T04:00:00Z h a 1 I - x", b"1\t- - - - - -"]
)
def test_what_does_not_say_so_is_text(rest) -> None:
    assert parse(b"<13>" + rest).text == rest.decode().strip()


def test_a_damaged_rfc5424_header_does_not_hide_a_tag() -> None:
    record = parse(b"<188>1 2026-11-21T04:00:00Z FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l):gone")
    assert (record.mnemonic, record.hostname, record.text) == ("IPSECTUNNELSTOP", "FW1", "gone")


# --- RFC 5424 ------------------------------------------------------------------------------------------------------


def rfc5424(
    sd: bytes, msg: bytes = b"text", head: bytes = b"<165>1 2003-10-11T22:14:15.003Z host app 42 ID47 "
) -> SyslogRecord:
    return parse(head + sd + (b" " + msg if msg else b""))


@pytest.mark.conformance("RFC 5424 §6.5", "every field of a full message is read")
def test_all_fields_of_rfc5424_are_read() -> None:
    record = rfc5424(b'[exampleSDID@32473 iut="3" eventSource="App"][x@1 y="z"]')
    assert record.form == "rfc5424"
    assert header(record) == (
        165,
        "host",
        "app",
        "42",
        "ID47",
        '[exampleSDID@32473 iut="3" eventSource="App"][x@1 y="z"]',
    )
    assert (record.text, record.level) == ("text", 5)
    assert record.stamp is not None
    assert (record.stamp.when.isoformat(), record.stamp.offset_s) == ("2003-10-11T22:14:15.003000", 0)


@pytest.mark.conformance("RFC 5424 §6", "NILVALUE in every field")
def test_nilvalue_is_none_everywhere() -> None:
    record = parse(b"<13>1 - - - - - -")
    assert header(record) == (13, None, None, None, None, None)
    assert (record.stamp, record.text) == (None, "")


@pytest.mark.conformance("RFC 5424 §6.2.3", "times with and without fraction, Z and offset")
@pytest.mark.parametrize(
    "time",
    ["2003-10-11T22:14:15Z", "2003-10-11T22:14:15.1+00:00", "2003-10-11T22:14:15.000003-07:00", "2003-10-11T22:14:15z"],
)
def test_every_time_of_rfc3339_is_read(time) -> None:
    stamp = parse(f"<13>1 {time} h a 1 I - x".encode()).stamp
    assert stamp is not None
    assert stamp.offset_s == (-25200 if time.endswith("-07:00") else 0)


@pytest.mark.conformance("RFC 5424 §6.2.3", "a time that does not exist costs only the time")
def test_a_time_that_does_not_exist_costs_only_the_time() -> None:
    record = parse(b"<13>1 2003-13-11T22:14:15Z h a 1 I - x")
    assert (record.stamp, record.hostname, record.text) == (None, "h", "x")


@pytest.mark.conformance("RFC 5424 §6.3", "structured data is kept as written, escapes and line ends too")
@pytest.mark.parametrize(
    "sd",
    [
        rb'[a b="with \"quotes\" and \\ and \]"]',
        rb'[a b="an unescaped ] inside"]',
        rb'[a b="other \escapes \n are literal"]',
        b"[a]",
        b'[a b=""][c]',
        '[a b="隧道"]'.encode(),
        b'[a b="two\nlines"]',
    ],
)
def test_structured_data_is_kept_as_it_was_written(sd) -> None:
    record = rfc5424(sd)
    assert (record.structured_data, record.text) == (sd.decode(), "text")
    assert rfc5424(sd, b"").text == ""


@pytest.mark.conformance("RFC 5424 §6.3", "damaged structured data stays in the text")
@pytest.mark.parametrize("sd", [b"[a b=c]", b'[a b="c]', b'[a b="c"', b"[]", b"[ a]", b"none", b'[a b="c"]x'])
def test_damaged_structured_data_stays_in_the_text(sd) -> None:
    record = rfc5424(sd)
    assert (record.structured_data, record.text) == (None, (sd + b" text").decode())
    assert record.app_name == "app"


@pytest.mark.conformance("RFC 5424 §6.2.4", "names longer than 255, 48, 128 and 32 characters are taken")
def test_fields_longer_than_allowed_are_taken() -> None:
    host, app, proc, msg = "h" * 300, "a" * 100, "p" * 200, "m" * 64
    record = parse(f"<13>1 - {host} {app} {proc} {msg} - x".encode())
    assert header(record) == (13, host, app, proc, msg, None)


@pytest.mark.conformance("RFC 5424 §6.4", "the byte order mark is no text")
@pytest.mark.parametrize(("msg", "text"), [(b"\xef\xbb\xbftext", "text"), (b"  text ", "text"), (b"\xc4\xe3", "你")])
def test_the_text_comes_without_its_byte_order_mark(msg, text) -> None:
    assert rfc5424(b"-", msg).text == text


@pytest.mark.conformance("RFC 5424 §6.2.4", "an OID, a number or a time is no host name")
@pytest.mark.parametrize("host", [b"1.3.6.1.4.1.2011", b"2026", b"10:00:00"])
def test_an_oid_or_a_number_is_no_host_name_anywhere(host) -> None:
    assert parse(b"<13>1 - " + host + b" a 1 I - x").hostname is None
    assert parse(b"<13>Nov 21 2026 04:00:00 " + host + b" x").hostname is None
    assert parse(b"<13>Nov 21 2026 04:00:00 " + host + b" %%01A/4/B(l):x").hostname is None
    assert parse(host + b" %%01A/4/B(l):x").hostname is None


@pytest.mark.conformance("RFC 5424 §6.2.4", "names and addresses of both families are host names")
@pytest.mark.parametrize("host", ["1.3.6.1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "fw.example.org", "FW-A_1"])
def test_names_and_addresses_are_host_names_everywhere(host) -> None:
    assert parse(f"<13>1 - {host} a 1 I - x".encode()).hostname == host
    assert parse(f"<13>Nov 21 2026 04:00:00 {host} x".encode()).hostname == host
    assert parse(f"<13>Nov 21 2026 04:00:00 {host} %%01A/4/B(l):x".encode()).hostname == host


# --- RFC 3164 ------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3164 §4.1", "the header is read as far as it is there, with and without PRI")
@pytest.mark.parametrize(
    ("rest", "host", "app", "proc", "text"),
    [
        ("Oct 11 22:14:15 mymachine su: 'su root' failed", "mymachine", "su", None, "'su root' failed"),
        ("Oct 11 22:14:15 mymachine sshd[4711]: Accepted", "mymachine", "sshd", "4711", "Accepted"),
        ("Oct 11 22:14:15 sshd[4711]: no host", None, "sshd", "4711", "no host"),
        ("Oct 11 22:14:15 su: no host", None, "su", None, "no host"),
        ("Oct 11 22:14:15 mymachine no program here", "mymachine", None, None, "no program here"),
        ("Oct 11 22:14:15 mymachine", "mymachine", None, None, ""),
        ("Oct 11 22:14:15", None, None, None, ""),
        ("Oct 11 2026 22:14:15 FW1 postfix/smtp[9]: x", "FW1", "postfix/smtp", "9", "x"),
        ("2026-10-11T22:14:15.5+02:00 h kernel: [1.5] up", "h", "kernel", None, "[1.5] up"),
        ("Use the BFG!", None, None, None, "Use the BFG!"),
        ("error: the first word of a text", None, None, None, "error: the first word of a text"),
        ("sshd[4711]: without a time", None, "sshd", "4711", "without a time"),
        ("3.5 volts low", None, None, None, "3.5 volts low"),
    ],
)
def test_rfc3164_is_read_as_far_as_it_is_there(rest, host, app, proc, text) -> None:
    for pri in (13, None):
        record = parse((f"<{pri}>" if pri else "").encode() + rest.encode())
        assert record.form == "rfc3164"
        assert (header(record), record.text) == ((pri, host, app, proc, None, None), text)


# --- info-center behind relays ---------------------------------------------------------------------------------------

TRAP = b"IPSEC/4/IPSECTUNNELSTOP:OID 1.3.6.1.4.1.2011.6.122.26.6.2 gone"
LOG = b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[7]:gone"
INNER = b"Sep 15 2026 21:12:21+08:00 FW1 "


@pytest.mark.conformance("Huawei info-center log format", "the tag is found behind the headers of devices and relays")
@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize(
    ("before", "host", "relay"),
    [
        (b"<188>" + INNER, "FW1", None),
        (INNER, "FW1", None),
        (b"<188>", None, None),
        (b"", None, None),
        (b"<188>FW1 ", "FW1", None),
        (b"<188>Nov 21 04:00:00 relay1 " + INNER, "FW1", "relay1"),
        (b"<188>Nov 21 04:00:00 192.0.2.9 " + INNER, "FW1", "192.0.2.9"),
        (b"<188>Nov 21 04:00:00 relay1 <188>" + INNER, "FW1", "relay1"),
        (b"<188>Nov 21 04:00:00 relay1 huawei: " + INNER, "FW1", "relay1"),
        (b"<188>Nov 21 04:00:00 relay1 logger[5]: ", "relay1", None),
        (b"<188>Nov 21 04:00:00 FW1 Sep 15 2026 21:12:21 ", "FW1", None),
        (b"<188>2026-11-21T04:00:00Z FW1 192.0.2.9 23 4 ", "FW1", "192.0.2.9"),
        (b"<188>2026-11-21T04:00:00Z FW1 23 4 ", "FW1", None),
        (b"<188>2026-11-21T04:00:00Z FW1 1.3.6.1.4.1 23 4 ", None, None),
        (b"<188>1 2026-11-21T04:00:00Z FW1 - - - - ", "FW1", None),
        (b"<188>1 2026-11-21T04:00:00Z - - - - - FW1 ", "FW1", None),
        (b"<188>1 2026-11-21T04:00:00Z relay1 huawei - - - " + INNER, "FW1", "relay1"),
        (b'<188>1 2026-11-21T04:00:00Z relay1 huawei - - [o ip="1.1.1.1"] \xef\xbb\xbf<188>' + INNER, "FW1", "relay1"),
        (b"<188>" + b"a word of a header that nobody knows ", None, None),
    ],
)
def test_a_tag_is_found_behind_any_header(before, host, relay, tag) -> None:
    record = parse(before + tag)
    assert (record.module, record.level, record.mnemonic, record.text) == ("IPSEC", 4, "IPSECTUNNELSTOP", "gone")
    assert (record.hostname, record.relay, record.form) == (host, relay, "C" if tag is TRAP else "A")
    assert record.pri == (188 if before.startswith(b"<188>") else None)


@pytest.mark.conformance("Huawei info-center log format", "a tag quoted by another program is text")
@pytest.mark.parametrize(
    "before",
    [
        b"<86>Nov 21 04:00:00 bastion sshd[1]: Invalid user ",
        b"<86>Nov 21 04:00:00 bastion app: said: ",
        b"<86>1 2026-11-21T04:00:00Z bastion sshd 1 - - Invalid user ",
    ],
)
def test_a_bare_tag_quoted_by_another_program_is_not_an_event(before) -> None:
    record = parse(before + TRAP)
    assert (record.mnemonic, record.hostname) == (None, "bastion")
    assert TRAP.decode() in record.text


def test_the_first_tag_is_the_senders_and_what_is_quoted_behind_it_is_text() -> None:
    record = parse(b"<189>" + INNER + b'%%01SHELL/5/CMDRECORD(l)[1]:Record. (Command="' + LOG + b'")')
    assert (record.mnemonic, record.seq) == ("CMDRECORD", 1)


@pytest.mark.conformance("Huawei info-center log format", "the level in the tag counts, whatever PRI says")
def test_the_level_of_the_tag_beats_pri() -> None:
    record = parse(b"<191>" + INNER + LOG)
    assert (record.pri, record.level) == (191, 4)


@pytest.mark.conformance("Huawei info-center log format", "every way to write mnemonic, suffix, mark and counter")
@pytest.mark.parametrize(
    ("tag", "mnemonic", "suffix", "mark", "seq"),
    [
        (b"%%01IFNET/2/linkDown_active(l):x", "linkDown", "active", "l", None),
        (b"%%01IFNET/2/linkDown_clear(L)[5]:x", "linkDown", "clear", "l", 5),
        (b"%%01IFNET/2/hwAllocFail (t):x", "hwAllocFail", None, "t", None),
        (b"%% 01 IFNET/2/IF_STATE(l) [5]:x", "IF_STATE", None, "l", 5),
        (b"%%01IFNET/2/SA_CLEAR:x", "SA_CLEAR", None, None, None),
        (b"%%01IFNET/2/_active(l):x", None, None, None, None),
        (b"%%01IFNET/2/X_active_clear(l):x", "X_active", "clear", "l", None),
        (b"IFNET/2/IF_STATE :x", "IF_STATE", None, None, None),
    ],
)
def test_every_way_to_write_a_tag_is_read(tag, mnemonic, suffix, mark, seq) -> None:
    record = parse(b"<188>" + INNER + tag)
    assert (record.mnemonic, record.suffix, record.mark, record.seq) == (mnemonic, suffix, mark, seq)


@pytest.mark.conformance("Huawei info-center log format", "what is no tag is text")
@pytest.mark.parametrize(
    "tag", [b"%%01IFNET/8/X(l):x", b"%%01IFNET/4/X(l)x", b"GE1/0/1: down", b"A/B/4/C", b"http://A/4/1:"]
)
def test_what_is_no_tag_is_text(tag) -> None:
    record = parse(b"<188>" + INNER + tag)
    assert (record.form, record.mnemonic, record.hostname) == ("rfc3164", None, "FW1")


@pytest.mark.conformance("Huawei info-center log format", "OID, component, alarm and slot are taken off the text")
@pytest.mark.parametrize(
    ("behind", "ids", "oid", "text"),
    [
        (b"slot=3; gone", {"slot": "3"}, None, "gone"),
        (b"Slot=1,Vcpu=2;gone", {"Slot": "1", "Vcpu": "2"}, None, "gone"),
        (b"Slot=1, Vcpu=2; gone", {"Slot": "1", "Vcpu": "2"}, None, "gone"),
        (b"CID=2160731923;gone", {"CID": "2160731923"}, None, "gone"),
        (b"CID=0x1-alarmID=0x2-clearType=x_y;gone", {"CID": "0x1", "alarmID": "0x2", "clearType": "x_y"}, None, "gone"),
        (b"VS=Admin-VS-CID=0x1-OID=1.3.6.1;gone", {"VS": "Admin-VS", "CID": "0x1"}, "1.3.6.1", "gone"),
        (b"CID=0x1-OID=none;gone", {"CID": "0x1", "OID": "none"}, None, "gone"),
        (b"CID=0x1;slot=3;gone", {"CID": "0x1", "slot": "3"}, None, "gone"),
        (b"OID 1.3.6.1.4 gone", {}, "1.3.6.1.4", "gone"),
        (b" OID .1.3.6.1.4 gone", {}, "1.3.6.1.4", "gone"),
        (b"1.3.6.1.4.1.2011.6 gone", {}, "1.3.6.1.4.1.2011.6", "gone"),
        (b"OID 1.3.6.1.4", {}, "1.3.6.1.4", ""),
        (b"OID [oid] gone", {}, None, "OID [oid] gone"),
        (b"1.3.6.1 logged in", {}, None, "1.3.6.1 logged in"),
        (b"192.0.2.1 is gone; it was there", {}, None, "192.0.2.1 is gone; it was there"),
        (b"slot=3 is gone; it was there", {}, None, "slot=3 is gone; it was there"),
        (b"CID=0x1 and no end", {}, None, "CID=0x1 and no end"),
        (b"IPVer=4,Protocol=tcp;x", {}, None, "IPVer=4,Protocol=tcp;x"),
        (b"CID=;gone", {"CID": ""}, None, "gone"),
    ],
)
def test_what_stands_between_tag_and_text_is_taken_off(behind, ids, oid, text) -> None:
    record = parse(b"<188>" + INNER + b"%%01IPSEC/4/X(l):" + behind)
    assert (dict(record.ids), record.oid, record.text) == (ids, oid, text)


@pytest.mark.parametrize(("proc", "seq"), [("51", 51), ("-", None), ("٣", None), ("x1", None), ("9" * 40, None)])
def test_a_tag_in_place_of_the_program_has_its_counter_for_process_id(proc, seq) -> None:
    for written in (
        f"<189>1 - FW1 %%01HWCM/5/TRAPLOG(l) {proc} - - gone",
        f"<189>1 - FW1 HWCM/5/TRAPLOG {proc} - - gone",
    ):
        record = parse(written.encode())
        assert (record.module, record.mnemonic, record.seq, record.hostname) == ("HWCM", "TRAPLOG", seq, "FW1")


def test_digits_of_other_scripts_are_no_numbers() -> None:
    record = parse("<188>Nov 21 2026 04:00:00 FW1 %%01A/4/B(l)[٣]:CID=٣-OID=١.٢;gone".encode())
    assert (record.seq, record.oid) == (None, None)
    assert parse("<٣>text".encode()).pri is None


def test_a_tag_too_far_inside_is_somebodys_text() -> None:
    assert parse(b"<188>" + INNER + b"x" * 5000 + b" " + LOG).mnemonic is None


@pytest.mark.conformance("RFC 5424 §6.4", "Chinese text in UTF-8, GBK and GB18030")
@pytest.mark.parametrize("text", ["OfflineReason=对端请求", "中文 (DstIP=2.1.1.1)"])
def test_chinese_text_is_read_in_both_encodings(text) -> None:
    for encoding in ("utf-8", "gbk", "gb18030"):
        assert parse(b"<188>" + INNER + b"%%01IPSEC/4/X(l):" + text.encode(encoding)).text == text


@given(st.binary(max_size=200))
def test_any_bytes_become_text_that_can_be_written(data) -> None:
    decode_text(data).encode()


@given(st.text())
def test_text_in_utf8_is_kept(text) -> None:
    assert decode_text(text.encode("utf-8", "replace")) == text.encode("utf-8", "replace").decode().removeprefix(
        "\ufeff"
    )


# --- real senders --------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5424 §6", "util-linux logger in every form it can send")
@pytest.mark.peer
@pytest.mark.parametrize("options", [["--rfc3164"], ["--rfc5424"], ["--rfc5424=notime,nohost"], ["--rfc5424=notq"]])
@pytest.mark.parametrize(("text", "mnemonic"), [("hello world", None), (LOG.decode(), "IPSECTUNNELSTOP")])
def test_what_logger_sends_is_read(options, text, mnemonic) -> None:
    who = ["--tag", "relayd", "--id=4711", "--priority", "local7.warning"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        where = ["--server", "127.0.0.1", "--port", str(receiver.getsockname()[1]), "--udp"]
        subprocess.run([peer("logger"), *where, *options, *who, "--", text], check=True, timeout=10)
        record = parse(receiver.recv(65535))
    assert (record.pri, record.mnemonic, record.text) == (188, mnemonic, "gone" if mnemonic else "hello world")
    assert (record.hostname is None) == ("nohost" in options[0])
    if mnemonic is None:
        assert (record.app_name, record.proc_id) == ("relayd", "4711")


# --- anything ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", [1, 2, 3, 4])
def test_byte_order_marks_alone_are_no_host_name(marks: int) -> None:
    assert parse_syslog(b"Jul 10 2026 10:00:00\t" + b"\xef\xbb\xbf" * marks).hostname is None


@pytest.mark.conformance("RFC 5424 §8.12", "any bytes are a record or a counted refusal")
@some(400)
@given(payloads)
def test_any_bytes_are_a_record_or_a_parse_error(payload) -> None:
    check(payload)


def test_mutated_lines_are_records_or_parse_errors() -> None:
    """``EVENTD_FUZZ=200000`` for the long run."""
    n = int(os.environ.get("EVENTD_FUZZ", "3000"))
    forms = fuzz_syslog(n, seed=20261121)
    assert forms.total() == n
    assert {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "comware", "rfc5424", "rfc3164"} <= forms.keys()


@pytest.mark.conformance("RFC 5424 §8.12", "messages made to cost time do not")
@pytest.mark.parametrize(
    "hostile",
    [
        b"A/4/" * 16000,
        b"A/4/B" * 13000,
        b"%%01" * 16000,
        b"<13>1 - - - - - [a" + b' b="c"' * 10000,
        b"<13>1 - - - - - [a" + b"]" * 60000,
        b"<13>1 - - - - - " + b"[a]" * 20000 + b"x",
        b"Jan 1 00:00:00 " * 4000,
        b"<188>Jan 1 2026 00:00:00 FW1 A/4/B:" + b"1." * 30000,
        b"<188>Jan 1 2026 00:00:00 FW1 A/4/B:" + b"slot=1;" * 9000,
        b"<188>Jan 1 2026 00:00:00 FW1 A/4/B:" + b"-a=" * 20000,
        b" " * 65000 + b"x",
        b"#1/active/" + b"a/" * 30000,
    ],
    ids=range(12),
)
@pytest.mark.timeout(5)
def test_hostile_messages_take_no_time(hostile) -> None:
    check(hostile)


@given(st.lists(st.sampled_from(IDS_PARTS), max_size=8).map(b"".join), st.booleans())
def test_ids_end_before_the_first_bracket(text: bytes, comware: bool) -> None:
    """So that what stands up to it can be remembered."""
    ids, oid, at = infocenter._ids_before(text, comware)
    assert infocenter._read_ids(text, comware=comware) == (ids, oid, text[at:])


def test_the_golden_lines_cover_every_form() -> None:
    forms = {case.expected["form"] for case in golden()}
    assert forms >= set("ABCDEFGHIJ") | {"comware"}
