"""What a relay left of a Huawei line is still the event that it was."""

import pytest
from huawei_lines import STOP_BODY, event, nego_line, stop_line

from eventd.model import Event

BODY = STOP_BODY.format(peer="203.0.113.7", reason="dpd timeout")
STOP = f"The IPSec tunnel is deleted. ({BODY})"
OID = "OID 1.3.6.1.4.1.2011.6.122.26.6.2 "


def same(found: Event, whole: Event) -> bool:
    fields = ("event", "vendor", "hostname", "peer", "local", "rule", "tunnel_index", "reason", "severity", "interface")
    return all(getattr(found, name) == getattr(whole, name) for name in fields)


@pytest.mark.parametrize("behind", ["", "Slot=1,Vcpu=0;", OID, "CID=0x814f041e;", "CID=0x814f041e-alarmID=0xFF732001;"])
@pytest.mark.parametrize("app", ["%%01IPSEC", "%%01IPSEC-VPN"])
def test_a_stop_of_which_the_protocol_23_format_left_the_module_is_told_by_its_words(app: str, behind: str) -> None:
    found = event(f"<188>1 2026-11-21T04:00:00+00:00 FW1 {app} 12 - - {behind}{STOP}")
    assert same(found, event(stop_line("dpd timeout")))
    assert found.header.mnemonic is None
    assert found.extra["recognised_by"] == ("oid" if behind == OID else "text")


def test_a_cleared_stop_alarm_is_no_stop_behind_such_a_relay_either() -> None:
    found = event(f"<188>1 2026-11-21T04:00:00+00:00 FW1 %%01IPSEC - - - CID=0x1-alarmID=0x2-clearType=a;{STOP}")
    assert found.event is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The IPSec tunnel is established. (DstIP=203.0.113.7)", "ipsec.tunnel.start"),
        ("IPSec tunnel negotiation fails. (PeerAddress=203.0.113.7)", "ipsec.negotiation.fail"),
        ("An IPSec tunnel is teared down. (DstIP=203.0.113.7)", "ipsec.tunnel.stop"),
        ("The link status of IPsec SLA detection change to down. (PeerAddress=203.0.113.7)", "ipsec.sla.down"),
    ],
)
def test_each_documented_sentence_tells_its_event(text: str, name: str) -> None:
    for program in ("%%01IPSEC", "IPSEC"):
        found = event(f"<188>1 2026-11-21T04:00:00+00:00 FW1 {program} - - - {text}")
        assert (found.event, found.peer) == (name, "203.0.113.7")


def test_another_sentence_of_the_module_is_no_event() -> None:
    found = event("<188>1 2026-11-21T04:00:00+00:00 FW1 %%01IPSEC - - - Something else happened. (DstIP=203.0.113.7)")
    assert (found.event, found.reason) == (None, None)
    quoted = "Command recorded. (Command=say The IPSec tunnel is deleted.)"
    assert event(f"<188>1 2026-11-21T04:00:00+00:00 FW1 %%01IPSEC - - - {quoted}").event is None


def test_a_mnemonic_cut_at_32_characters_is_told_by_the_sentence() -> None:
    text = f"An IPSec tunnel is teared down. ({BODY})"
    found = event(f"<189>Nov 21 04:00:00 FW1 %%01IPSEC-VPN/5/IPSEC_TUNNEL_TEA {text}")
    assert (found.event, found.peer, found.reason.name) == ("ipsec.tunnel.stop", "203.0.113.7", "dpd timeout")


def test_a_tag_cut_behind_the_mnemonic_is_the_same_event() -> None:
    found = event(f"<188>Nov 21 04:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[1 {STOP}")
    assert same(found, event(stop_line("dpd timeout")))
    assert found.header.mnemonic == "IPSECTUNNELSTOP"


def test_a_whole_list_has_nothing_truncated() -> None:
    assert "truncated" not in event(stop_line("dpd timeout")).extra


def test_a_peer_that_was_cut_is_no_peer() -> None:
    whole = stop_line("dpd timeout", peer="203.0.113.180")
    found = event(whole[: whole.index("0, InsideIP")])
    assert (found.event, found.peer, found.rule) == ("ipsec.tunnel.stop", None, 5)
    assert found.extra == {"truncated": "DstIP=203.0.113.18"}


def test_a_reason_that_was_cut_is_no_reason() -> None:
    whole = stop_line("dpd timeout")
    found = event(whole[: whole.index("imeout, Vsys")])
    assert (found.peer, found.reason, found.extra) == ("203.0.113.7", None, {"truncated": "OfflineReason=dpd t"})
    for end in ("ReasonCode=1", "ReasonCode=15"):
        line = nego_line("", 153)
        assert event(line[: line.index("ReasonCode=")] + end).reason is None


@pytest.mark.parametrize(
    ("end", "truncated"),
    [
        ("RuleNum=5, Dst", "Dst"),
        ("RuleNum=5,", ""),
        ('DstIP=203.0.113.7, OfflineReason="aaa, b=', 'OfflineReason="aaa, b='),
        ("FlowInfo=10.1.2.0 X, src=1", "FlowInfo=10.1.2.0 X, src=1"),
        ("Ifindex=1", "Ifindex=1"),
    ],
)
def test_what_was_left_of_the_last_field_is_kept_as_it_was(end: str, truncated: str) -> None:
    prefix = "" if end == "Ifindex=1" else "Ifindex=12, "
    found = event(f"<188>Nov 21 2026 04:00:00 FW1 IPSEC/4/IPSECTUNNELSTOP:The IPSec tunnel is deleted. ({prefix}{end}")
    assert found.event == "ipsec.tunnel.stop"
    assert found.extra["truncated"] == truncated
    assert found.reason is None


UNTAGGED = (
    (
        "IPSec tunnel negotiation fails. (Reason=phase1 proposal dh mismatch, PeerAddress=203.0.113.7)",
        "negotiation.fail",
    ),
    ("The IPSec tunnel is deleted. (DstIP=203.0.113.7, OfflineReason=dpd timeout)", "tunnel.stop"),
    ("The IPSec tunnel is established. (DstIP=203.0.113.7)", "tunnel.start"),
    ("The link status of IPsec SLA detection change to down. (PeerAddress=203.0.113.7, Status=down)", "sla.down"),
    ("The link quality of IPsec SLA detection is worse than the threshold. (PeerAddress=203.0.113.7)", "sla.degraded"),
)


@pytest.mark.parametrize(("text", "name"), UNTAGGED)
@pytest.mark.parametrize("header", ["<188>Nov 21 2026 04:00:00 FW1 ", "Nov 21 2026 04:00:00 FW1 "])
def test_a_text_without_any_tag_is_told_by_how_it_begins(header: str, text: str, name: str) -> None:
    found = event(header + text)
    assert (found.event, found.vendor, found.hostname, found.peer) == (f"ipsec.{name}", "huawei", "FW1", "203.0.113.7")
    assert found.extra["recognised_by"] == "text"


@pytest.mark.parametrize("words", ["He said: The IPSec tunnel is deleted.", "Our IPSec tunnel is deleted.", "x"])
def test_a_text_without_a_tag_that_begins_otherwise_is_nobodys(words: str) -> None:
    found = event(f"<188>Nov 21 2026 04:00:00 FW1 {words} (DstIP=203.0.113.7)")
    assert (found.event, found.vendor) == (None, None)


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        ("1.3.6.1.4.1.2011.6.122.26.6.6", "ipsec.policy.change"),
        ("1.3.6.1.4.1.2011.6.122.26.6.7", "ipsec.sa.reset"),
        ("1.3.6.1.4.1.2011.6.122.26.6.15", "ipsec.capacity"),
        ("1.3.6.1.4.1.2011.6.122.26.6.2", "ipsec.tunnel.stop"),
        ("1.3.6.1.4.1.2011.6.122.34.0.2.12", "ipsec.security"),
        ("1.3.6.1.4.1.2011.5.25.38.3.1", "link.down"),
        ("1.3.6.1.4.1.2011.5.25.122.1.2", "device.failover"),
    ],
)
@pytest.mark.parametrize("word", ["OID ", ""])
def test_a_mnemonic_that_nobody_knows_is_told_by_the_notification_it_names(oid: str, name: str, word: str) -> None:
    """VRP5 prints the OID in front of the text; most of its mnemonics are documented nowhere."""
    text = f"{word}{oid} Something happened. (VsysName=Public, DstIP=203.0.113.7)"
    found = event(f"<188>Nov 21 2026 04:00:00 FW1 SOME/4/NOBODYKNOWS:{text}")
    assert (found.event, found.vendor, found.header.mnemonic, found.header.oid) == (name, "huawei", "NOBODYKNOWS", oid)
    other = event("<188>Nov 21 2026 04:00:00 FW1 SOME/4/NOBODYKNOWS:OID 1.3.6.1.4.1.2011.9.9 Something. (A=1)")
    assert (other.event, other.vendor) == (None, None)
