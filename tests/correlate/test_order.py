"""Whoever of a burst is heard first, the same becomes of it: each of these once depended on that."""

import itertools

import pytest
from correlate_strategies import Story, tell
from fleet_histories import LINES, outcomes

from eventd.inventory import Device, Inventory

HUB = "device=Hub local=198.51.100.1"


def at(peer: str, interface: str = "GE1") -> str:
    return f"{HUB} peer={peer} interface={interface} flow=F{peer}"


def end(peer: str) -> str:
    """The far end of a link of the hub."""
    return f"device=Branch{peer} peer=198.51.100.1 local={peer} flow=F{peer}"


def in_every_order(
    before: str, burst: list[str], known: Inventory | None = None, until: float = 200.0, spread: float = 0.1
) -> Story:
    """The burst ``spread`` seconds apart in every order, always with the same outcome; the story of the last."""
    found = []
    for order in itertools.permutations(burst):
        lines = [f"{place * spread:g} {said} seq={burst.index(said) + 100}" for place, said in enumerate(order)]
        found.append(tell(f"{before}\n" + "\n".join(lines), until=until, known=known))
    assert len({tuple(outcomes(story)) for story in found}) == 1
    return found[-1]


def kinds(story: Story, *, told: bool = True) -> list[str]:
    changes = [change for _, change in story.changes if change.what == "opened" and change.notify is told]
    return sorted(change.incident.kind for change in changes)


def known(*places: str) -> str:
    return "\n".join(f"-3000 start {place}" for place in places)


FOUR = [at(f"10.0.1.{n}") for n in range(1, 5)]
OTHER = at("10.0.2.1", "GE2")


def test_four_on_one_interface_and_one_on_another() -> None:
    story = in_every_order(known(*FOUR, OTHER), [f"stop dpd timeout {place}" for place in (*FOUR, OTHER)])
    assert kinds(story) == ["interface_outage", "tunnel_down"]


def test_too_few_on_one_interface_are_the_device() -> None:
    three = FOUR[:3]
    story = in_every_order(known(*three, OTHER), [f"stop dpd timeout {place}" for place in (*three, OTHER)])
    assert kinds(story) == ["device_outage"]


def test_a_peer_that_failed_before_anything_was_known_of_it_is_one_of_those_that_fell() -> None:
    burst = [f"stop dpd timeout {place}" for place in FOUR[:3]]
    story = in_every_order(f"-100 fail authentication fail {FOUR[2]}", burst)
    assert kinds(story) == ["interface_outage"]


def test_a_peer_whose_failing_is_told_falls_with_the_others() -> None:
    before = known(*FOUR[:3]) + "".join(f"\n{t} fail max transmit reached {FOUR[2]}" for t in (-300, -290, -280))
    story = in_every_order(before, [f"stop dpd timeout {place}" for place in FOUR[:3]])
    assert kinds(story) == ["interface_outage", "negotiation_failing"]
    assert [i.parent is not None for i in story.final.values() if i.kind == "tunnel_down"] == [True] * 3


def test_a_peer_of_a_group_that_fails_alike_falls_with_the_others() -> None:
    failing = [at(f"10.0.1.{n}") for n in range(3, 8)]
    fails = "".join(
        f"\n{t + n} fail authentication fail {place}" for t in (-300, -280) for n, place in enumerate(failing)
    )
    story = in_every_order(known(*FOUR[:3]) + fails, [f"stop dpd timeout {place}" for place in FOUR[:3]])
    assert kinds(story).count("interface_outage") == 1
    assert kinds(story).count("tunnel_down") == 0


def test_what_the_other_unit_has_does_not_count() -> None:
    spare = FOUR[0].replace("device=Hub", "device=Spare")
    burst = [f"stop dpd timeout {place}" for place in FOUR[:3]]
    story = in_every_order(f"{known(*FOUR[:3])}\n-20 start {spare}", burst)
    assert kinds(story) == ["tunnel_down", "tunnel_down"]
    assert "switch-over" in story.suppressed


def test_who_tells_of_both_ends_is_whose_device_lost_more() -> None:
    link, far = at("203.0.113.1"), end("203.0.113.1")
    story = in_every_order(known(link, far, OTHER), [f"stop dpd timeout {place}" for place in (link, far, OTHER)])
    assert sorted((i.device, i.peer) for i in story.final.values()) == [("Hub", "10.0.2.1"), ("Hub", "203.0.113.1")]


def test_a_far_end_that_is_lost_with_others_of_the_device_is_the_device() -> None:
    far = "device=Other peer=10.0.1.1 local=192.0.2.77 flow=X"
    burst = [f"stop dpd timeout {place}" for place in (*FOUR[:3], far)]
    story = in_every_order(known(*FOUR[:3], far), burst)
    assert kinds(story) == ["interface_outage", "tunnel_down"]


def test_stops_that_somebody_typed_are_information_together_as_well() -> None:
    burst = [f"config {HUB} peer=none", *(f"stop odd {place}" for place in FOUR[:3])]
    story = in_every_order(known(*FOUR[:3]), burst)
    assert [(i.kind, i.severity) for i in story.final.values() if i.parent is None] == [("interface_outage", "info")]


@pytest.mark.parametrize(("device", "side"), [("Hub", "local"), ("Branch203.0.113.1", "remote")])
def test_a_restart_says_where_the_fault_lies(device: str, side: str) -> None:
    place = at("203.0.113.1")
    listed = Inventory([Device("Hub", ("198.51.100.1",)), Device("Branch203.0.113.1", ("203.0.113.1",))])
    story = in_every_order(known(place), [f"restart device={device} peer=none", f"stop dpd timeout {place}"], listed)
    incident = next(iter(story.final.values()))
    assert incident.fault_side == side
    assert [line.count("restarted") for line in incident.chain].count(1) == 1


@pytest.mark.parametrize("state", ["", " state=done"])
def test_who_was_refused_before_its_device_restarted_falls_with_the_others(state: str) -> None:
    """On the other interface it would be a matter of its own; what befell the whole device befell it too."""
    places = [*FOUR[:2], OTHER]
    refused = "".join(f"\n{t} fail authentication fail {OTHER}" for t in (-50, -45))
    burst = [f"restart device=Hub peer=none{state}", *(f"stop dpd timeout {place}" for place in places)]
    story = in_every_order(known(*places) + refused, burst)
    assert kinds(story) == ["device_outage", "negotiation_failing"]
    assert [i.parent is not None for i in story.final.values() if i.kind == "tunnel_down"] == [True] * 3
    told = [float(line.split()[0]) for line in story.told if "device_outage" in line]
    assert told[0] < 17, "what its own stop says is not waited for as after a restart"


def test_an_end_of_a_known_link_is_no_stranger() -> None:
    listed = Inventory([Device("Hub", ("198.51.100.1",)), Device("Branch203.0.113.1", ("203.0.113.1",))])
    strange = "".join(f"{t} fail authentication fail {HUB} peer=192.0.2.11\n" for t in (-300, -290))
    both = (at("203.0.113.1"), end("203.0.113.1"))
    before = strange + "".join(f"-100 fail phase2 proposal or pfs mismatch {place}\n" for place in both)
    story = in_every_order(before, [f"fail phase2 proposal or pfs mismatch {place}" for place in both], listed)
    assert [i.parent for i in story.final.values()] == [None, None]


def test_a_condition_of_two_names_is_one() -> None:
    trap = f"security severity=warning {HUB} peer=none via=snmp"
    log = f"security severity=warning {HUB} peer=none"
    story = in_every_order("", [trap, log])
    again = tell(f"0 {trap}\n0.1 {log} seq=1\n45 {log} seq=2", until=200)
    assert kinds(story) == kinds(again) == ["security"]


@pytest.mark.parametrize("first", ["start", "stop"])
def test_a_line_that_is_left_in_the_moment_another_comes_up_is_not_why_the_peer_was_lost_before(first: str) -> None:
    """Whichever of the two the device says came first."""
    one, other = (f"device=Hub peer=10.0.6.1 flow=10.0.0.0/16,10.9.6.0/24 {line}" for line in LINES)
    burst = [f"start {one}", f"stop dpd timeout {other}"]
    stamped = burst if first == "start" else burst[::-1]
    story = in_every_order(f"-100 stop peer request {one}", [f"{said} stamp={n}" for n, said in enumerate(stamped)])
    incident = next(iter(story.final.values()))
    assert incident.status == "resolved"
    assert incident.cause is not None
    assert incident.cause.text == "peer request"


def test_lifetimes_that_run_out_at_once_are_judged_together() -> None:
    """The hold of each is over at another moment, those of three on one interface maybe before that of the rest."""
    places = [*FOUR[:3], OTHER]
    story = in_every_order("", [f"stop phase2 hard expiry {place}" for place in places], spread=1.3)
    assert kinds(story) == ["device_outage"]
