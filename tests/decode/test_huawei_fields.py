"""Bodies taken apart: keys, the three styles of values, damage, and what fits no field."""

import pytest
from huawei_lines import event, line, stop_line

from handlers.huawei._fields import fields_of, loose_fields, typed


def fields(text):
    return dict(fields_of(text)[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It ends. (SeqNum=10,TunnelIndex=83, RuleNum=5)", {"SeqNum": "10", "TunnelIndex": "83", "RuleNum": "5"}),
        ('It fails. (Reason="acl, Code=4, mismatch", Code=4)', {"Reason": "acl, Code=4, mismatch", "Code": "4"}),
        (
            "It fails. (PolicyName=[], Reason=[a, B=c], SeqNum=[0])",
            {"PolicyName": "", "Reason": "a, B=c", "SeqNum": "0"},
        ),
        ("It ends. (protocol-address=10.0.0.1, DomainNo.=72)", {"protocol-address": "10.0.0.1", "DomainNo.": "72"}),
        ("It ends. (A=1, Reason=dpd tim", {"A": "1"}),
        ('It ends. (A=1, Reason="dpd tim', {"A": "1"}),
        ("It ends. (A=1, Reason=nat (udp) lost).", {"A": "1", "Reason": "nat (udp) lost"}),
        ("It ends. (A=1, Reason=nat (udp)", {"A": "1"}),
        ("It ends (again). (A=1)", {"A": "1"}),
        ("It ends. (A=  [1], B=\t[2])", {"A": "1", "B": "2"}),
        ("It ends. (A=1, B=2) for good.", {"A": "1", "B": "2"}),
        ("It ends. (A=1, B=2, Reas", {"A": "1"}),
        ("It ends. (A=1, RuleNum=2, Reas", {"A": "1", "RuleNum": "2"}),
        ("It ends. (A=1, B=, C=-, D)", {"A": "1", "B": "", "C": "-, D"}),
        ("It ends.", {}),
        ("It ends. ()", {}),
        ("It ends.(A=1,B=2)", {"A": "1", "B": "2"}),
        ("It ends. (A = 1, B  =2, C= 3)", {"A": "1", "B": "2", "C": "3"}),
        (
            'It fails. (Reason = "acl, Code = 4, mismatch", Code = 4)',
            {"Reason": "acl, Code = 4, mismatch", "Code": "4"},
        ),
        ("It fails. (Reason = [a, B = c], SeqNum = [0])", {"Reason": "a, B = c", "SeqNum": "0"}),
        ("It ends. ( A = 1, Reason = dpd tim", {"A": "1"}),
        ("It ends. (Reason=[a, B=c] gone, N=0)", {"Reason": "[a, B=c] gone", "N": "0"}),
        ("It ends. (Reason=[a] to [b], N=[0])", {"Reason": "[a] to [b]", "N": "0"}),
        ("It ends. (Reason=[x](http://y), N=0)", {"Reason": "[x](http://y)", "N": "0"}),
        ('It ends. (Reason="a" gone, N=0)', {"Reason": '"a" gone', "N": "0"}),
        ('It ends. (Reason="dpd timeout, Vsys=a, N=0)', {"Reason": "dpd timeout", "Vsys": "a", "N": "0"}),
        ("It ends. (Reason=[a, Vsys=b, N=0)", {"Reason": "a", "Vsys": "b", "N": "0"}),
        ('It ends. (A="b", Reason="dpd timeout, N=0)', {"A": "b", "Reason": "dpd timeout", "N": "0"}),
        ('It ends. (Reason="a "b" c, B=1", N=0)', {"Reason": 'a "b" c, B=1', "N": "0"}),
    ],
)
def test_a_body_is_split_at_keys_only(text, expected):
    assert fields(text) == expected


def test_flow_info_keeps_its_commas_and_whatever_looks_like_a_key_inside():
    flow = "source=10.1.2.0/24, dest=10.1.1.0/24, port=0, proto=0, dscp=0"
    decoded = event(stop_line("dpd timeout").replace("10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0", flow))
    assert decoded.flow == flow
    assert decoded.reason.name == "dpd timeout"


@pytest.mark.parametrize("key", ["FlowInfo", "flowInfo", "FLOWINFO"])
@pytest.mark.parametrize(
    "flow", ["SrcIP=10.1.2.0/24, DstIP=10.1.1.0/24, Port=0", "LocalIP=10.1.2.1, Slot=2", "a, b, PolicyName=x", "x"]
)
def test_flow_info_keeps_keys_of_other_places(key, flow):
    """Only what a template prints behind FlowInfo ends it."""
    whole = "10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0"
    decoded = event(stop_line("dpd timeout").replace(f"FlowInfo={whole}", f"{key}={flow}"))
    assert (decoded.flow, decoded.peer, decoded.local) == (flow, "203.0.113.7", "198.51.100.1")
    assert (decoded.reason.name, decoded.interface, decoded.extra) == ("dpd timeout", "GigabitEthernet0/0/1", {})


def test_keys_are_matched_in_any_case():
    for key in ("Ifindex", "IfIndex", "IFINDEX"):
        assert typed([(key, "12")])[0] == {"ifindex": 12}


@pytest.mark.parametrize("value", ["", "-", "0.0.0.0", "::", "[]", '""'])
def test_what_is_not_given_is_null_and_not_kept(value):
    decoded = event(stop_line("dpd timeout").replace("InsideIP=0.0.0.0", f"InsideIP={value}"))
    assert decoded.inside is None
    assert "InsideIP" not in decoded.extra


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("DstIP", "peer", "branch.example.net"),
        ("Ifindex", "ifindex", "GE0/0/1"),
        ("SeqNum", "policy_seq", "-1"),
        ("TunnelIndex", "tunnel_index", "99999999999999999999"),
        ("RuleNum", "rule", "٣"),
    ],
)
def test_a_value_of_the_wrong_type_is_kept_as_text(key, field, value):
    known, extra = typed([(key, value)])
    assert field not in known
    assert extra == {key: value} | ({"no_address": value} if field == "peer" else {})


def test_a_second_value_for_one_field_is_kept_beside_the_first():
    known, extra = typed([("DstIP", "203.0.113.7"), ("PeerAddress", "203.0.113.8")])
    assert known == {"peer": "203.0.113.7"}
    assert extra == {"PeerAddress": "203.0.113.8"}


def test_unknown_keys_go_to_extra_under_their_wire_name():
    assert event(stop_line("dpd timeout").replace("SlotID=0", "SlotID=0, NewKey=some, thing")).extra == {
        "NewKey": "some, thing"
    }


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("2001:DB8:0::1", "2001:db8::1"), ("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7")],
)
def test_addresses_are_canonical(written, canonical):
    assert event(stop_line("dpd timeout", peer=written)).peer == canonical


@pytest.mark.parametrize(
    ("written", "vsys"),
    [("Public", "public"), ("public", "public"), ("_public_", "public"), ("Sales", "Sales"), ("", None)],
)
def test_the_root_system_has_one_name(written, vsys):
    assert event(stop_line("dpd timeout").replace("VsysName=Public", f"VsysName={written}")).vsys == vsys


def test_slots_are_numbers_or_names():
    assert typed([("SlotID", "3"), ("CpuID", "1")])[0] == {"slot": 3, "cpu": 1}
    assert typed([("SlotID", "LPU 3")])[0] == {"slot": "LPU 3"}


def test_loose_fields_are_found_anywhere():
    text = 'Flow restored Slot=2; peer PeerIP=203.0.113.7 (Flow="a b", N=[x])'
    assert dict(loose_fields(text)) == {"Slot": "2", "PeerIP": "203.0.113.7", "Flow": "a b", "N": "x"}


def test_a_line_cut_anywhere_behind_its_first_value_is_still_the_event():
    whole = stop_line("dpd timeout")
    for cut in range(whole.index("Ifindex=") + len("Ifindex=1"), len(whole)):
        decoded = event(whole[:cut])
        assert decoded.event == "ipsec.tunnel.stop"
        assert set(decoded.extra) == {"truncated"}
        assert decoded.peer in (None, "203.0.113.7")
        assert decoded.reason is None or decoded.reason.name == "dpd timeout"


@pytest.mark.parametrize(
    "text",
    ["a" * 60_000, "(" * 60_000, ", A=" * 15_000, 'R="' + ", b=1" * 12_000, " " * 60_000, "R=[[" + ", b=1" * 12_000],
)
def test_long_hostile_bodies_cost_time_in_proportion(text):
    """Any quadratic step would take minutes here and end in the test's timeout."""
    fields_of(f"x (A=1, {text}")
    list(loose_fields(text))
    event(line("IPSEC_ADP/4/FLOWSELFHEAL", text))


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("GE0/0/1", "GigabitEthernet0/0/1"),
        ("GE0/0/1.100", "GigabitEthernet0/0/1.100"),
        ("XGE1/0/1", "XGigabitEthernet1/0/1"),
        ("25GE1/0/41", "25GE1/0/41"),
        ("Eth-Trunk1", "Eth-Trunk1"),
        ("GigabitEthernet0/0/1", "GigabitEthernet0/0/1"),
        ("GE", "GE"),
    ],
)
def test_an_interface_has_one_name_and_what_was_printed_is_kept(printed, name):
    found = event(stop_line("dpd timeout").replace("GigabitEthernet0/0/1", printed))
    assert (found.interface, found.extra.get("interface_printed")) == (name, None if name == printed else printed)
