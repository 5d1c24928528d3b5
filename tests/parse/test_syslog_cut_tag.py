"""A stock rsyslog cuts the program's name, which is Huawei's tag, at 32 characters: what is left still counts."""

import pytest

from eventd.parse.infocenter import CUT_AT
from eventd.parse.syslog import parse_syslog

HEADER = b"<188>Nov 21 05:46:07 HUB-FW-01 "
D = b"OID 1.3.6.1.4.1.2011.6.122.26.6.2 "
F = b"CID=0x814f041e-alarmID=0xFF732001;"
CLEAR = b"CID=0x1-alarmID=0x2-clearType=x;"
TEXT = b"The IPSec tunnel is deleted. (Ifindex=12, DstIP=203.0.113.7)"


@pytest.mark.conformance("RFC 3164 §4.1.3", "a tag cut by a relay at 32 characters keeps what is whole")
@pytest.mark.parametrize(
    ("tag", "behind", "mnemonic", "mark", "suffix", "seq", "form"),
    [
        (b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[1", b"", "IPSECTUNNELSTOP", "l", None, None, "A"),
        (b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[1", b"Slot=1,Vcpu=0;", "IPSECTUNNELSTOP", "l", None, None, "B"),
        (b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[1", D, "IPSECTUNNELSTOP", "l", None, None, "D"),
        (b"%%01IPSEC/4/IPSECNEGOFAIL(l)[12]", b"", "IPSECNEGOFAIL", "l", None, 12, "A"),
        (b"%%01IPSEC_ADP/4/FLOWSELFHEAL(l)[", b"", "FLOWSELFHEAL", "l", None, None, "A"),
        (b"%%01IPSEC/4/IPSECTUNNELSTOP_acti", F, "IPSECTUNNELSTOP", None, "active", None, "F"),
        (b"%%01IPSEC/4/IPSECNEGOFAIL_active", F, "IPSECNEGOFAIL", None, "active", None, "F"),
        (b"%%01IPSEC/4/IPSECTUNNELSTOP_clea", CLEAR, "IPSECTUNNELSTOP", None, "clear", None, "F"),
        (b"%%01IPSEC/4/hwIPSecTunnelStatus_", CLEAR, "hwIPSecTunnelStatus", None, "clear", None, "F"),
        (b"%%01IPSEC-VPN/5/IPSEC_TUNNEL_TEA", b"", None, None, None, None, "A"),
        (b"IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_", b"", None, None, None, None, "C"),
    ],
)  # fmt: skip
def test_a_tag_cut_by_a_relay_keeps_what_is_whole(tag, behind, mnemonic, mark, suffix, seq, form):
    assert len(tag) == CUT_AT
    record = parse_syslog(HEADER + tag + b" " + behind + TEXT)
    assert (record.mnemonic, record.mark, record.suffix, record.seq) == (mnemonic, mark, suffix, seq)
    assert (record.hostname, record.pri, record.form, record.text) == ("HUB-FW-01", 188, form, TEXT.decode())
    assert record.module in ("IPSEC", "IPSEC_ADP", "IPSEC-VPN")
    assert record.app_name == (None if mnemonic else record.module)
    assert record.stamp is not None


@pytest.mark.parametrize("stamp", [b"2026-11-21T05:46:07.123456+00:00", b"Nov 21 2026 05:46:07"])
def test_a_cut_tag_is_read_behind_every_usual_time(stamp):
    record = parse_syslog(b"<188>" + stamp + b" FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT)
    assert record.mnemonic == "IPSECTUNNELSTOP"


@pytest.mark.conformance("RFC 3164 §4.1.3", "what no relay cut stays text")
@pytest.mark.parametrize(
    "payload",
    [
        HEADER + b"sshd[7]: login of %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT,
        HEADER + b"sshd[7]: %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT,
        HEADER + b"logger %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT,
        HEADER + b"%%01IPSEC/4/IPSECTUNNELSTOP(l) " + TEXT,  # shorter than where a relay cuts
        HEADER + b"%%01IPSEC/4/IPSECTUNNELSTOP(l)[123456 " + TEXT,  # longer
        b"<188>%%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT,
        HEADER + b"IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_ is what the manual says",  # neither version nor body
        b"<188>1 2026-11-21T05:46:07Z relay app - - - %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 " + TEXT,
    ],
)
def test_what_no_relay_cut_stays_text(payload):
    record = parse_syslog(payload)
    assert (record.module, record.mnemonic) == (None, None)


def test_a_console_alarm_behind_a_relay_is_still_one():
    for tag in (
        b"#12/active/IPSECTUNNELSTOP/Major ",
        b"#12/active/IPSECNEGOFAIL/Major/o ",
        b"#1/active/linkDown/Major/occurredTime: ",
    ):
        record = parse_syslog(
            b"<13>Nov 21 05:55:39 relay " + tag + b"2026-11-21 05:55:39/-/-/alarmID:0xFF732001/CID=0x814f041e:" + TEXT
        )
        assert record.form == "I"
        assert record.mnemonic == tag.split(b"/")[2].decode()
        assert (record.suffix, record.hostname, record.text) == ("active", "relay", TEXT.decode())
        assert record.ids["severity"] == "Major"
        assert record.stamp is not None


def test_a_console_alarm_whose_mnemonic_was_cut_has_none():
    record = parse_syslog(
        b"<13>Nov 21 05:55:39 relay #12/active/IPSEC_TUNNEL_TEARED_D 2026-11-21 05:55:39/-/-/alarmID:0xFF732001:" + TEXT
    )
    assert (record.form, record.mnemonic, record.suffix) == ("I", None, "active")


@pytest.mark.parametrize("app_name", [b"%%01IPSEC", b"IPSEC"])
def test_a_module_in_place_of_the_program_is_read_with_what_stands_behind_it(app_name):
    record = parse_syslog(
        b"<188>1 2026-11-21T05:55:40+00:00 FW1 " + app_name + b" 12 - - OID 1.3.6.1.4.1.2011.6.122.26.6.2 " + TEXT
    )
    assert (record.module, record.mnemonic, record.app_name, record.level) == ("IPSEC", None, "IPSEC", 4)
    assert (record.oid, record.text, record.seq) == ("1.3.6.1.4.1.2011.6.122.26.6.2", TEXT.decode(), 12)


@pytest.mark.conformance("RFC 3164 §4.1.3", "a module in place of the program behind an old header")
@pytest.mark.parametrize("stamp", [b"Nov 21 2026 05:46:07", b"2026-11-21T05:46:07Z"])
def test_a_module_in_place_of_the_program_is_read_behind_an_old_header(stamp):
    oid = b"1.3.6.1.4.1.2011.6.122.26.6.2"
    record = parse_syslog(b"<188>" + stamp + b" FW1 IPSEC: OID " + oid + b" The IPSec tunnel is deleted.")
    assert (record.module, record.app_name, record.hostname) == ("IPSEC", "IPSEC", "FW1")
    assert (record.oid, record.text) == (oid.decode(), "The IPSec tunnel is deleted.")


@pytest.mark.parametrize("app_name", [b"IPSEC", b"sshd", b"%%20IPSEC"])
def test_a_program_without_version_or_ids_is_a_program(app_name):
    record = parse_syslog(b"<188>1 2026-11-21T05:55:40+00:00 FW1 " + app_name + b" 12 - - Hello there")
    assert record.module is None
    assert record.app_name == app_name.decode()


def test_a_relay_that_was_told_no_program_prints_a_hyphen() -> None:
    record = parse_syslog(HEADER + b"- IPSEC/4/IPSECTUNNELSTOP:" + D + TEXT)
    assert (record.mnemonic, record.hostname) == ("IPSECTUNNELSTOP", "HUB-FW-01")
