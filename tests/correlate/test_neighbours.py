"""Probes, boards and pairs near an outage: told as what they are, and named as its cause only where they can be."""

import pytest
from correlate_strategies import tell, timeline
from msgspec.structs import replace

from eventd.correlate import texts

STOP = "3 stop dpd timeout interface=GE1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("linkdown peer=none track=bfd target=198.51.100.9 interface=GE1", "BFD session to 198.51.100.9 failed (GE1)"),
        ("linkdown peer=none track=nqa", "NQA test failed"),
        ("linkup peer=none track=ip-link", "IP-link probe is back"),
        ("linkdown peer=none track=hrp", "heartbeat between the units failed"),
        ("linkdown track=nhrp interface=GE1", "NHRP hub to 2.1.1.1 failed (GE1)"),
        ("linkdown peer=none track=lacp", "lacp failed"),
        (
            "failover peer=none state=master kind=vrrp interface=GE1",
            "switch-over: this unit became the active one (GE1)",
        ),
        (
            "failover peer=none state=other Reason=priority",
            "switch-over: this unit is the active one no more: priority",
        ),
        ("failover peer=none state=loading", "device switched over"),
        ("restart peer=none kind=board Reason=heartbeat-lost", "a board restarted: heartbeat-lost"),
        ("restart peer=none", "device restarted"),
    ],
)
def test_a_neighbour_is_told_as_what_it_is(line: str, told: str) -> None:
    assert tell(f"0 {line}\n{STOP}").last.chain[0] == f"10:00:00 {told}, 3 s before"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("linkdown peer=none interface=GE1", "interface_outage"),
        ("linkdown peer=none track=bfd interface=GE1", "interface_outage"),
        ("linkdown peer=none track=bfd interface=GE2", "tunnel_down"),
        ("linkdown peer=none track=nqa target=198.51.100.9", "tunnel_down"),
        ("linkdown peer=none track=hrp interface=GE1", "tunnel_down"),
    ],
)
def test_a_probe_is_a_cause_only_where_it_names_the_line(line: str, kind: str) -> None:
    known = "\n".join(f"-9 start peer=2.1.1.{n} interface=GE1" for n in range(1, 5))
    stops = "\n".join(f"1 stop dpd timeout peer=2.1.1.{n} interface=GE1" for n in (1, 2))
    assert tell(f"{known}\n0 {line}\n{stops}").last.kind == kind


def test_a_typed_reboot_excuses_what_leaves_it_open() -> None:
    """As every typed command does: a peer that does not answer stays an outage."""
    typed = "0 restart peer=none kind=command"
    assert tell(f"{typed}\n3 stop quantum flux").told[0] == "18 opened tunnel_down info"
    assert tell("3 stop quantum flux").told[0] == "18 opened tunnel_down major"
    assert tell(f"{typed}\n3 stop dpd timeout").told[0] == "18 opened tunnel_down major"


def test_what_somebody_typed_is_told() -> None:
    story = tell("0 config kind=command Command=undo-ipsec-policy\n5 stop dpd timeout", until=60)
    [incident] = story.final.values()
    assert any("configuration changed: undo-ipsec-policy, 5 s before" in line for line in incident.chain)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Interface physical link is down", ""),
        ("The main interface is down", ": The main interface is down"),
        ("Link down", ""),
        ("down by command", ": down by command"),
    ],
)
def test_a_reason_that_says_no_more_than_that_the_link_is_down_is_left_out(reason: str, said: str) -> None:
    [(_, event)] = timeline("0 linkdown peer=none interface=GE1")
    assert texts.told(replace(event, extra={"Reason": reason})) == f"link went down (GE1){said}"
