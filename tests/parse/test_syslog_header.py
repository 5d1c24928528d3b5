"""What stands before a tag: header of a device, header of a relay, or a sentence that quotes a tag."""

import pytest

from eventd.parse.syslog import parse_syslog

OID = b"1.3.6.1.4.1.2011.6.122.26.6.2"
TRAP = b"IPSEC/4/IPSECTUNNELSTOP:OID " + OID + b" gone"
LOG = b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[7]:gone"
BARE = b"IPSEC/4/IPSECTUNNELSTOP:gone"
TIME = b"Nov 21 2026 04:00:00 "


@pytest.mark.conformance("Huawei info-center log format", "a sentence that quotes a tag is text")
@pytest.mark.parametrize("tag", [TRAP, LOG, BARE])
@pytest.mark.parametrize(
    "before",
    [
        b"<38>Nov 21 04:00:00 bastion sshd[12]: Invalid user ",
        b"<38>Nov 21 04:00:00 bastion sshd[12]: Invalid user " + TIME + b"FW1 ",
        b"<38>Nov 21 04:00:00 bastion sshd[12]: user=",
        b"<38>2026-11-21T04:00:00Z bastion app: said: FW1 ",
        b"<38>1 2026-11-21T04:00:00Z bastion sshd 12 - - Invalid user ",
        b"<38>1 2026-11-21T04:00:00Z bastion sshd 12 - - Invalid user " + TIME + b"FW1 ",
        b"<13>Nov 21 04:00:00 bastion a user typed ",
        b"<190>" + TIME + b"bastion something happened: somebody said ",
        # The sender's own tag is damaged (level 9, counter of eleven digits): what follows is still its text.
        b"<190>" + TIME + b"bastion %%01POLICY/9/POLICYPERMIT(l):vsys=public, ",
        b"<190>" + TIME + b"bastion %%01POLICY/6/POLICYPERMIT(l)[99999999999]:x ",
        b"<190>" + TIME + b'bastion msg="',
    ],
)
def test_a_quoted_tag_is_text(before, tag) -> None:
    record = parse_syslog(before + tag)
    assert (record.mnemonic, record.hostname) == (None, "bastion")
    assert record.text.endswith(tag.decode())


@pytest.mark.parametrize("tag", [b"%%01SHELL/5/CMDRECORD(l)", b"SHELL/5/CMDRECORD"])
@pytest.mark.parametrize("quoted", [TRAP, LOG])
def test_a_tag_in_place_of_the_program_comes_before_one_in_the_text(tag, quoted) -> None:
    record = parse_syslog(b"<189>1 2026-11-21T04:00:00Z FW1 " + tag + b" 31 - - Record. (Command=" + quoted + b")")
    assert (record.mnemonic, record.seq, record.hostname) == ("CMDRECORD", 31, "FW1")
    assert quoted.decode() in record.text


@pytest.mark.conformance("Huawei info-center timestamp", "a time nobody has seen costs the host name and not the event")
@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize(
    "time",
    [
        b"21.11.2026 04h00 ",
        b"21 Nov 2026 04:00:00 ",
        b"20261121040000 ",
        b"20261121T040000 ",
        b"@4000000065a1b2c3 ",
        b"Samstag, ",
        b"4.UTC ",
    ],
)
@pytest.mark.parametrize("host", [b"FW1 ", b""])
def test_an_unknown_time_costs_the_host_name_and_not_the_event(time, host, tag) -> None:
    record = parse_syslog(b"<188>" + time + host + tag)
    if b"," in time:  # a word with a comma belongs to a sentence
        assert record.mnemonic is None
    else:
        assert record.mnemonic == "IPSECTUNNELSTOP"
        assert record.hostname is None or (record.hostname, host) == ("@4000000065a1b2c3", b"")
        assert record.stamp is None


@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize("zone", [b"UTC ", b"CEST ", b"GMT+8 "])
def test_an_unknown_word_behind_the_time_costs_the_host_name_and_not_the_event(zone, tag) -> None:
    record = parse_syslog(b"<188>" + TIME + zone + b"FW1 " + tag)
    assert (record.mnemonic, record.hostname) == ("IPSECTUNNELSTOP", None)


@pytest.mark.conformance("RFC 3164 §4.3", "host name and relay are told apart")
@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize(
    ("before", "host", "relay"),
    [
        (b"<13>Nov 21 04:00:00 relay1 root: FW1 ", "FW1", "relay1"),
        (b"<13>Nov 21 04:00:00 root: ", None, None),
        (b"<13>Nov 21 04:00:00 relay1 root[5]: " + TIME + b"FW1 ", "FW1", "relay1"),
        (b"172.18.0.129 " + TIME + b"FW1 ", "FW1", "172.18.0.129"),
        (b"<188>" + TIME + b"172.18.0.129: " + TIME + b"FW1 ", "FW1", None),
        (b"<188>" + TIME + b"10.0.0.100 ", "10.0.0.100", None),
        (b"<188>" + TIME + b"2001:db8::1 ", "2001:db8::1", None),
        (b"<188>" + TIME + b"172.18.0.129 FW1 ", "FW1", "172.18.0.129"),
        (b"<188>" + TIME + b"2001:db8::1 FW1 23 4 ", "FW1", "2001:db8::1"),
        (b"<188>" + TIME + b"FW1 FW1 ", "FW1", "FW1"),
        (b"<188>" + TIME + b"172.18.0.129 172.18.0.130 ", "172.18.0.129", "172.18.0.130"),
        (b"<188>" + TIME + b"relay1 FW1 ", None, None),
        (b"172.18.0.129 FW1 ", "FW1", "172.18.0.129"),
        (b"<188>" + TIME + OID + b" ", None, None),
        (b"<188>" + TIME + b"- ", None, None),
        (b"<188>" + TIME + "核心".encode("gbk") + b" ", "核心", None),
        (b"<188>" + TIME + "核心墙".encode() + b" ", "核心墙", None),
        (b"<188>" + TIME + b"FW/1(a)#b ", "FW/1(a)#b", None),
    ],
)
def test_host_name_and_relay_are_told_apart(before, host, relay, tag) -> None:
    record = parse_syslog(before + tag)
    assert (record.mnemonic, record.hostname, record.relay) == ("IPSECTUNNELSTOP", host, relay)


@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize("host", ['"},{"x', "</font><at", "a,b", "a;b", "'\""])
@pytest.mark.parametrize(("before", "relay"), [(b"<188>", None), (b"<188>Nov 21 04:00:00 syslog01 ", "syslog01")])
def test_a_device_may_be_called_anything_that_is_one_word(host, before, relay, tag) -> None:
    record = parse_syslog(before + TIME + host.encode() + b" " + tag)
    assert (record.mnemonic, record.hostname, record.relay) == ("IPSECTUNNELSTOP", host, relay)


@pytest.mark.parametrize("tag", [TRAP, LOG])
@pytest.mark.parametrize(
    "before", [b'user="x ', b'{"user":"x ', b"%%01SHELL/5/CMD(l ", b'bastion "x ', b'bastion 1,"x ']
)
def test_what_quotes_a_tag_is_no_name_of_a_device(before, tag) -> None:
    assert parse_syslog(b"<190>" + TIME + before + tag).mnemonic is None


@pytest.mark.parametrize("tag", [TRAP, LOG])
def test_a_tag_cut_off_before_its_colon_is_no_host_name(tag) -> None:
    for end in range(1, tag.index(b":")):
        hostname = parse_syslog(b"<188>" + TIME + tag[:end]).hostname
        assert hostname is None or hostname in "IPSEC/"  # the first word, before it shows that it is none


def test_ids_are_taken_off_as_often_as_devices_print_them() -> None:
    line = b"<188>" + TIME + b"FW1 %%01A/4/B(t):CID=0x1-OID=1.3.6.1.4.1.2011;slot=2;"
    record = parse_syslog(line + b"gone")
    assert (dict(record.ids), record.oid, record.text) == ({"CID": "0x1", "slot": "2"}, "1.3.6.1.4.1.2011", "gone")
    record = parse_syslog(line + b"slot=3;" * 9 + b"gone")
    assert record.text == "slot=3;" * 7 + "gone"
