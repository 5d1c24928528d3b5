"""Logs and alarms: which mnemonic means what, and what must not be taken for an IPsec event."""

import pytest
from huawei_lines import CAPTURED, CAPTURED_IPSEC, NEGO_BODY, STOP_BODY, decode, event, line, registry, stop_line

from eventd.model import Event, Malformed
from eventd.sender.syslog import VALUE_STYLES, body
from handlers.huawei._tables import NOTIFICATIONS, spellings

ADDRESSES = (
    "IfName=GE0/0/1, PolicyName=p, PolicyId=10, PolicyAlias=a, TunnelVpnName=v, PeerAddress=203.0.113.7, "
    "LocalAddress=198.51.100.1"
)
TEMPLATES = [template for group in registry().syslog_templates.values() for template in group]


@pytest.mark.parametrize("sample", [sample for sample in CAPTURED if sample not in CAPTURED_IPSEC])
def test_no_other_captured_line_is_taken_for_ipsec(sample):
    decoded = decode(sample)
    assert isinstance(decoded, Event)
    assert decoded.event is None or not decoded.event.startswith("ipsec.")


def test_two_captured_lines_are_about_ipsec():
    assert [decode(sample).event for sample in CAPTURED_IPSEC] == ["ipsec.negotiation.fail"] * 2


def test_the_captured_firewall_line_is_read():
    decoded = event(CAPTURED_IPSEC[0])
    assert (decoded.peer, decoded.peer_port, decoded.ifindex, decoded.policy_seq) == ("1.1.1.1", 500, 12, 0)
    assert (decoded.reason.text, decoded.reason.code) == ("acl configuration mismatch", 4)


def test_the_cloud_gateway_is_read_without_mnemonic_and_code():
    decoded = event(CAPTURED_IPSEC[1].replace("PeerAddress=[xx.xx.xx.xx]", "PeerAddress=[203.0.113.7]"))
    assert (decoded.peer, decoded.ifindex, decoded.policy, decoded.reason.name) == (
        "203.0.113.7",
        207,
        None,
        "version mismatch",
    )
    assert decoded.extra == {"prefix": "xx.xx.xx.xx"}


def test_other_words_of_the_cloud_gateway_are_no_failure():
    assert (
        event("2024-12-24T07:08:32.730275+00:00 host ipsec_ike[30085]: [192.0.2.1] IKE started. (A=[1])").event is None
    )


@pytest.mark.parametrize("row", NOTIFICATIONS.values(), ids=lambda row: row.name)
def test_every_notification_is_known_as_a_log_in_any_case(row):
    for spelling in spellings(row.name):
        for mnemonic in (spelling, spelling.upper()):
            text = f"Something happened. ({STOP_BODY.format(reason='spi conflict', peer='203.0.113.7')})"
            decoded = event(line(f"IPSEC/4/{mnemonic}", text))
            assert decoded.event == row.event
            assert decoded.vendor == "huawei"


@pytest.mark.parametrize("module", ["IPSEC", "IPSEC-VPN", "IPSEC_ADP", "X"])
def test_the_module_does_not_matter(module):
    assert event(stop_line("dpd timeout").replace("IPSEC/4/", f"{module}/4/")).event == "ipsec.tunnel.stop"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.mnemonic)
@pytest.mark.parametrize("style", VALUE_STYLES)
def test_every_template_comes_back_as_its_event(template, style):
    text = body(template, {}, style)
    decoded = event(line(f"{template.module}/{template.level}/{template.mnemonic}", text))
    assert decoded.event == template.event
    for field in template.fields:
        if field.field in ("peer", "local", "interface"):
            assert getattr(decoded, field.field) == field.default


@pytest.mark.parametrize(
    "tag", ["%%10IPSEC/4/IPSECTUNNELSTOP", "%%10 IFNET/2/linkDown", "%%10IPSEC_ADP/4/FLOWSELFHEAL"]
)
def test_a_line_of_h3c_with_our_mnemonic_is_not_ours(tag):
    decoded = event(line(tag, f"text ({STOP_BODY.format(reason='dpd timeout', peer='203.0.113.7')})"))
    assert (decoded.event, decoded.vendor) == (None, None)


def test_the_backup_unit_is_marked():
    text = (
        "An IPSec tunnel is teared down. (SrcIP=198.51.100.1, DstIP=203.0.113.7, OfflineReason=dpd timeout, State={})"
    )
    normal = event(line("IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_DOWN", text.format("Normal")))
    backup = event(line("IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_DOWN", text.format("Backup")))
    assert (normal.standby, backup.standby) == (False, True)
    assert (normal.peer, normal.local) == ("203.0.113.7", "198.51.100.1")
    assert event(stop_line("receive backup delete info")).standby


@pytest.mark.parametrize(
    ("given", "kept"), [("300.1.1.1", "300.1.1.1"), ("0.0.0.0", None), ("", None), ("a" * 99, "a" * 99)]
)
def test_what_is_no_address_is_no_peer_and_the_stop_is_told_without(given: str, kept: str | None) -> None:
    decoded = event(line("IPSEC/4/IPSECTUNNELSTOP(l)", f"The IPSec tunnel is deleted. (SeqNum=10, DstIP={given})"))
    assert (decoded.event, decoded.peer, decoded.policy_seq) == ("ipsec.tunnel.stop", None, 10)
    assert decoded.extra.get("no_address") == decoded.extra.get("DstIP") == kept


def test_the_level_five_log_of_a_start_is_taken_whatever_its_text():
    decoded = event(line("IPSEC-VPN/5/IPSEC_TUNNEL_ESTABLISHED", "Up it is. (DstIP=203.0.113.7, Slot=1)"))
    assert (decoded.event, decoded.peer, decoded.slot, decoded.severity) == (
        "ipsec.tunnel.start",
        "203.0.113.7",
        1,
        "info",
    )


def test_the_access_controller_adds_a_connection_id():
    body_text = NEGO_BODY.format(reason="no valid local cert", code=54) + ", VsysName=Public, ConnID=7"
    assert event(line("IPSEC/4/IPSECNEGOFAIL", f"IPSec tunnel negotiation fails. ({body_text})")).conn_id == 7


@pytest.mark.parametrize("suffix", ["", "_active"])
def test_an_active_alarm_is_the_event(suffix):
    line_ = stop_line("dpd timeout").replace("IPSECTUNNELSTOP", f"hwIPSecTunnelStop{suffix}")
    assert event(line_).event == "ipsec.tunnel.stop"


def test_a_cleared_stop_alarm_is_not_a_stop():
    decoded = event(stop_line("dpd timeout").replace("IPSECTUNNELSTOP", "hwIPSecTunnelStop_clear"))
    assert (decoded.event, decoded.severity, decoded.extra["state"]) == (None, "info", "clear")


def test_a_stop_or_start_without_any_field_is_undecodable():
    for mnemonic in ("IPSECTUNNELSTOP", "IPSECTUNNELSTART", "IPSECNEGOFAIL"):
        decoded = decode(line(f"IPSEC/4/{mnemonic}", "The IPSec tunnel"))
        assert isinstance(decoded, Malformed)
        assert decoded.error.reason == "undecodable"


def test_flow_self_heal_needs_nothing_but_its_name():
    decoded = event(line("IPSEC_ADP/4/FLOWSELFHEAL", "Flow healed."))
    assert (decoded.event, decoded.peer, decoded.severity) == ("ipsec.flow.selfheal", None, "info")
    assert decoded.extra == {"text": "Flow healed."}


def test_flow_self_heal_takes_what_it_recognises():
    text = "OID=1.3.6.1.4 flow 10.1.2.3 -> 2001:DB8::2 (PeerIP=203.0.113.7, SlotID=2) at 12:30:15 from 10.1.2.3."
    decoded = event(line("IPSEC_ADP/4/FLOWSELFHEAL", text))
    assert (decoded.peer, decoded.slot) == ("203.0.113.7", 2)
    assert decoded.extra["addresses"] == "10.1.2.3, 2001:db8::2, 203.0.113.7"


@pytest.mark.parametrize(
    ("text", "name", "status", "expected"),
    [
        (
            "The link status of IPsec SLA detection change to down.",
            "hwIPSecSlaLinkDown",
            "down",
            ("ipsec.sla.down", "major", None),
        ),
        (
            "The link status of IPsec SLA detection change to down.",
            "hwIPSecSlaLinkDown_clear",
            "up",
            ("ipsec.sla.down", "info", "clear"),
        ),
        (
            "The link quality of IPsec SLA detection is worse than the threshold.",
            "hwIPSecSlaLinkDown",
            "-",
            ("ipsec.sla.degraded", "warning", None),
        ),
    ],
)
def test_sla_probes_are_told_apart_by_their_text(text, name, status, expected):
    decoded = event(line(f"IPSEC/4/{name}", f"{text} ({ADDRESSES}, Status={status})"))
    assert (decoded.event, decoded.severity, decoded.extra.get("state")) == expected
    assert (decoded.peer, decoded.local, decoded.policy_seq) == ("203.0.113.7", "198.51.100.1", 10)


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        (
            "IFNET/4/LINK_STATE",
            "The line protocol IP on the interface GE0/0/1 has entered the DOWN state.",
            ("link.down", "GigabitEthernet0/0/1", None),
        ),
        (
            "IFNET/4/LINKNO_STATE",
            "The line protocol on the interface Dialer1 has entered the UP state.",
            ("link.up", "Dialer1", None),
        ),
        ("IFPDT/4/IF_STATE", "Interface GE0/0/2 has turned into UP state.", ("link.up", "GigabitEthernet0/0/2", None)),
        (
            "IFNET/1/IF_LINKDOWN",
            "Interface 12 turned into DOWN state.(AdminStatus=1,OperStatus=2,InterfaceName=GE0/0/1)",
            ("link.down", "GigabitEthernet0/0/1", 12),
        ),
    ],
)
def test_interfaces_change_state_in_four_wordings(tag, text, expected):
    decoded = event(line(tag, text))
    assert (decoded.event, decoded.interface, decoded.ifindex) == expected


def test_a_probe_is_marked_as_one_and_its_target_is_no_peer():
    sample = next(sample for sample in CAPTURED if "hwBfdSessDown" in sample)
    decoded = event(sample)
    assert (decoded.event, decoded.peer, decoded.interface) == ("link.down", None, "GigabitEthernet1/0/1")
    assert (decoded.extra["track"], decoded.extra["target"]) == ("bfd", "10.1.0.1")


def test_the_hub_of_an_nhrp_tunnel_is_the_peer():
    text = "NHRP hub is down. (Interface=Tunnel0, protocol-address=10.0.0.1, nbma-address=203.0.113.7)"
    decoded = event(line("NHRP/4/NHRPHUBDOWN", f"OID 1.3.6.1.4.1.2011.6.122.73.0.2.4 {text}"))
    assert (decoded.event, decoded.peer, decoded.interface, decoded.extra["track"]) == (
        "link.down",
        "203.0.113.7",
        "Tunnel0",
        "nhrp",
    )


@pytest.mark.parametrize(
    ("command", "result", "expected"),
    [
        ("undo ipsec policy map1 10", "Success", "device.config"),
        ("display ipsec sa", "Success", None),
        ("DISPLAY ipsec sa", "Success", None),
        ("log on", "Success", None),
        ("undo ipsec policy map1 10", "Failed", None),
        ("reset ike sa", "Success", "ipsec.sa.reset"),
        ("reset ipsec sa remote 203.0.113.7", "Success", "ipsec.sa.reset"),
        ("reset ike sa remote 203.0.113.7", "Fail", None),
        ("reset counters interface", "Success", "device.config"),
    ],
)
def test_typed_commands_mean_what_they_do(command, result, expected):
    text = f'Record command information. (Task=VT0, Ip=192.0.2.10, User=admin, Command="{command}", Result={result})'
    decoded = event(line("SHELL/5/CMDRECORD", text))
    assert decoded.event == expected
    assert decoded.extra["Command"] == command
    assert decoded.peer == ("203.0.113.7" if expected == "ipsec.sa.reset" and "remote" in command else None)


def test_a_wrapped_notification_of_another_kind_is_no_configuration():
    assert (
        event(line("HWCM/5/TRAPLOG", "OID 1.3.6.1.4.1.2011.6.10.2.1 configure changed. (A=1)")).event == "device.config"
    )
    assert event(line("HWCM/5/TRAPLOG", "OID 1.3.6.1.4.1.2011.5.25.207.2.2 A user login. (A=1)")).event is None


def test_the_board_in_the_header_names_slot_and_cpu():
    decoded = event("<188>Nov 21 2026 04:00:00 FW1 %%01IPSEC_ADP/4/FLOWSELFHEAL(l)[7]:Slot=3,Vcpu=1;Flow healed.")
    assert (decoded.slot, decoded.cpu) == (3, 1)


@pytest.mark.parametrize("tag", ["%%01PHY/1/PHY(l)[1]", "%%01PHY/4/PHY_UPDOWN(l)[1]", "%%10IFNET/3/PHY_UPDOWN"])
@pytest.mark.parametrize("colon", ["", ":"])
@pytest.mark.parametrize("state", ["down", "up"])
def test_a_link_is_read_as_people_write_it_from_memory(tag, colon, state):
    decoded = event(f"<188>Nov 21 2026 04:00:00 FW1 {tag}: GigabitEthernet0/0/1{colon} change status to {state}.")
    assert (decoded.event, decoded.interface) == (f"link.{state}", "GigabitEthernet0/0/1")


@pytest.mark.parametrize("tag", ["%%01PHY/1/PHY(l)[1]", "%%01IFNET/4/IF_STATE(l)[1]", "%%10IFNET/3/PHY_UPDOWN"])
def test_a_link_message_that_says_neither_up_nor_down_is_no_event(tag):
    decoded = decode(f"<188>Nov 21 2026 04:00:00 FW1 {tag}: something was replugged.")
    assert isinstance(decoded, Event)
    assert decoded.event is None
    assert decoded.header.mnemonic == tag.rpartition("/")[2].partition("(")[0]


# No page or capture of these two was found; guessing that they are links and switch-overs could hide a real one.
@pytest.mark.parametrize("tag", ["PHY/4/PHY_STATUS_UP2DOWN", "HRPI/4/PRIORITY_CHANGE"])
def test_what_nobody_documents_is_well_formed_and_unrecognised(tag):
    decoded = decode(f"<188>Nov 21 2026 04:00:00 FW1 %%01{tag}(l)[1]: GigabitEthernet0/0/1 change status to down.")
    assert isinstance(decoded, Event)
    assert (decoded.event, decoded.header.mnemonic) == (None, tag.rpartition("/")[2])
