"""Both ends of a link report one outage."""

import pytest
from correlate_strategies import EPOCH, lasting, tell
from examples import some
from hypothesis import given
from hypothesis import strategies as st

from eventd.inventory import Device, Inventory, Peer
from eventd.model import Incident

HUB, BRANCH = "device=HUB peer=2.1.1.1 local=1.1.1.1", "device=BRANCH peer=1.1.1.1 local=2.1.1.1"
UP = f"-3000 start {HUB}\n-3000 start {BRANCH}\n"


def only(story) -> Incident:
    assert len(story.final) == 1, [i.title for i in story.final.values()]
    return next(iter(story.final.values()))


def test_both_reports_are_one_incident_with_two_witnesses() -> None:
    story = tell(
        f"{UP}0 stop dpd timeout {HUB}\n8 stop dpd timeout {BRANCH}\n100 start {HUB}\n101 start {BRANCH}", until=400
    )
    incident = only(story)
    assert {witness.device for witness in incident.witnesses} == {"HUB", "BRANCH"}
    assert (incident.device, incident.fault_side, incident.status) == ("HUB", "path", "resolved")
    assert any("BRANCH: tunnel stopped: dpd timeout" in line for line in incident.chain)
    assert [line.split()[1] for line in story.told] == ["opened", "resolved"]
    assert "far-end" in story.suppressed
    assert all(peer.up for peer in story.correlator.peers())


@pytest.mark.parametrize(
    ("hub", "branch", "side"),
    [
        ("peer request", "dpd timeout", "remote"),
        ("dpd timeout", "peer request", "local"),
        ("dpd timeout", "dpd timeout", "path"),
        ("peer request", "config modify or manual offline", "remote"),
    ],
)
def test_what_both_say_tells_the_side(hub: str, branch: str, side: str) -> None:
    assert only(tell(f"{UP}0 stop {hub} {HUB}\n6 stop {branch} {BRANCH}")).fault_side == side


def test_within_the_twin_window_the_order_makes_no_difference() -> None:
    one = only(tell(f"{UP}0 stop dpd timeout {HUB}\n1 stop peer request {BRANCH}"))
    other = only(tell(f"{UP}0 stop peer request {BRANCH}\n1 stop dpd timeout {HUB}"))
    assert (one.device, one.peer, one.kind, one.fault_side) == (other.device, other.peer, other.kind, other.fault_side)


@pytest.mark.parametrize(("late", "teller"), [(3, "HUB"), (9, "BRANCH")])
def test_the_end_whose_peer_is_listed_tells_unless_it_notices_later(late: int, teller: str) -> None:
    text = f"{UP}0 stop dpd timeout {BRANCH}\n{late} stop dpd timeout {HUB}"
    story = tell(text, known=Inventory([], [Peer(address="2.1.1.1", name="b1")]))
    assert (only(story).device, only(story).opened_at.timestamp()) == (teller, EPOCH)


def test_the_start_of_the_far_end_proves_life_where_ours_was_lost() -> None:
    story = tell(f"{UP}0 stop dpd timeout {HUB}\n8 stop dpd timeout {BRANCH}\n100 start {BRANCH}", until=400)
    assert only(story).status == "resolved"
    assert all(peer.up for peer in story.correlator.peers())


def test_a_far_end_that_is_back_in_the_hold_wakes_nobody() -> None:
    assert (
        tell(f"{UP}0 stop dpd timeout {HUB}\n0 stop dpd timeout {BRANCH}\n9 start {BRANCH}\n9 start {HUB}").told == []
    )


def test_a_failure_at_the_far_end_explains_ours() -> None:
    story = tell(
        f"{UP}0 stop peer request {HUB}\n20 fail authentication fail {BRANCH}\n40 fail authentication fail {BRANCH}"
    )
    incident = only(story)
    assert incident.cause is not None
    assert incident.cause.name == "authentication fail"


def test_behind_an_address_translation_the_inventory_joins_the_ends() -> None:
    known = Inventory([Device(name="HUB", addresses=("1.1.1.1",)), Device(name="BRANCH", addresses=("2.1.1.1",))])
    inner = BRANCH.replace("local=2.1.1.1", "local=192.168.1.2")
    assert only(tell(f"0 stop dpd timeout {HUB}\n8 stop dpd timeout {inner}", known=known)).device == "HUB"
    alone = tell(f"0 stop dpd timeout {HUB}\n8 stop dpd timeout {inner}")
    assert len(alone.final) == 2


def test_two_uplinks_are_two_links() -> None:
    second = "device=BRANCH peer=1.1.1.9 local=2.1.1.1"
    story = tell(
        f"{UP}-3000 start device=HUB peer=3.1.1.1 local=1.1.1.9\n-3000 start {second}\n"
        f"0 stop dpd timeout {HUB}\n8 stop dpd timeout {second}"
    )
    assert len(story.final) == 2


def test_an_address_that_several_devices_use_belongs_to_none() -> None:
    other = "device=OTHER peer=9.9.9.9 local=2.1.1.1"
    assert len(tell(f"{UP}-3000 start {other}\n0 stop dpd timeout {HUB}\n8 stop dpd timeout {BRANCH}").final) == 2


_WHO = (HUB, BRANCH)
_WHAT = ("stop dpd timeout", "stop peer request", "start", "fail authentication fail", "phase1")


@some(40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_WHAT),
            st.sampled_from(_WHO),
            st.sampled_from((1, 4, 9, 16, 40)),
        ),
        max_size=20,
    ),
    st.sets(st.integers(0, 20), max_size=3),
)
def test_a_restart_at_any_point_changes_nothing_for_links(said, points: set[int]) -> None:
    at, lines = 0, []
    for what, who, gap in said:
        at += gap
        lines.append(f"{at} {what} {who}")
    text = UP + "\n".join(lines)
    plain, broken = tell(text, until=9000), tell(text, until=9000, restarts=tuple(points))
    assert broken.changes == plain.changes
    assert lasting(broken.saved) == lasting(plain.saved)
    fleet = plain.correlator._fleet
    for peer in fleet.peers.values():
        assert not peer.linked or fleet.peers[peer.linked].case is not None


def test_the_end_that_spoke_first_tells_it_and_names_the_other() -> None:
    first = only(tell(f"{UP}0 stop dpd timeout {HUB}\n8 stop dpd timeout {BRANCH}"))
    assert first.title == "tunnel to BRANCH down on HUB: dpd timeout, since 10:00 UTC"
    assert first.peer_name == "BRANCH"
    assert "the tunnel to BRANCH (2.1.1.1) is down" in first.summary
    assert only(tell(f"{UP}0 stop dpd timeout {BRANCH}\n8 stop dpd timeout {HUB}")).title.startswith(
        "tunnel to HUB down"
    )


def test_the_other_end_is_named_even_if_it_says_nothing_about_it() -> None:
    assert only(tell(f"{UP}0 stop dpd timeout {HUB}")).title.startswith("tunnel to BRANCH down on HUB")


def test_the_reason_of_the_other_end_is_told_as_its_own_and_its_steps_are_taken_there() -> None:
    told = only(tell(f"{UP}0 stop peer request {HUB}\n8 stop dpd timeout {BRANCH}"))
    assert "BRANCH says dpd timeout" in told.summary
    assert told.actions == (
        "On BRANCH: Step for dpd timeout", "On BRANCH: Step for all", "Step for peer request", "Step for all",
    )  # fmt: skip
    own = only(tell(f"{UP}0 stop peer request {HUB}\n8 stop dpd timeout {BRANCH}\n90 fail authentication fail {HUB}"))
    assert "says" not in own.summary
    assert own.actions[0] == "Step for authentication fail"


OF_BRANCH = f"{BRANCH} interface=GE8"
LINK = "linkdown device=BRANCH interface=GE8 peer=none"


def test_the_line_of_the_far_end_is_the_cause_of_a_timeout_here() -> None:
    up = f"-3000 start {HUB}\n-3000 start {OF_BRANCH}\n"
    incident = only(tell(f"{up}0 {LINK}\n30 stop dpd timeout {HUB}\n40 stop dpd timeout {OF_BRANCH}"))
    assert incident.cause is not None
    assert (incident.device, incident.fault_side, incident.cause.name) == ("HUB", "remote", "link.down")
    assert any("BRANCH: link went down (GE8), 30 s before" in line for line in incident.chain)
    assert incident.actions[0].startswith("On BRANCH: Look at that interface first")


def test_another_line_of_the_far_end_says_nothing() -> None:
    up = f"-3000 start {HUB}\n-3000 start {OF_BRANCH}\n"
    other = LINK.replace("GE8", "GE9")
    incident = only(tell(f"{up}0 {other}\n30 stop dpd timeout {HUB}\n40 stop dpd timeout {OF_BRANCH}"))
    assert incident.cause is not None
    assert (incident.fault_side, incident.cause.name) == ("path", "dpd timeout")
    assert not any("link went down" in line for line in incident.chain)


def test_a_line_that_went_down_is_not_replaced_by_the_timeout_of_the_far_end() -> None:
    up = f"-3000 start {HUB}\n-3000 start {OF_BRANCH}\n"
    story = tell(f"{up}0 {LINK}\n1 stop interface down {OF_BRANCH}\n31 stop dpd timeout {HUB}")
    incident = only(story)
    assert incident.cause is not None
    assert (incident.device, incident.fault_side, incident.cause.name) == ("BRANCH", "local", "link.down")
    assert [line.split()[1] for line in story.told] == ["opened"]


@pytest.mark.parametrize(("who", "side"), [("HUB", "local"), ("BRANCH", "remote")])
@pytest.mark.parametrize("at", [-35, 200])
def test_a_restart_at_either_end_is_the_cause(who: str, side: str, at: int) -> None:
    lines = [f"{at} restart device={who}", f"0 stop dpd timeout {HUB}"]
    story = tell(UP + "\n".join(lines if at < 0 else reversed(lines)), until=400)
    incident = only(story)
    assert incident.cause is not None
    assert (incident.fault_side, incident.cause.name) == (side, "device.restart")
    assert [line.split()[1] for line in story.told] == (["opened"] if at < 0 else ["opened", "updated"])
    assert "restarted" in incident.actions[0]
    assert incident.actions[0].startswith("On BRANCH: ") == (who == "BRANCH")


@pytest.mark.parametrize("late", ["1200 restart device=BRANCH", "60 restart device=BRANCH kind=command"])
def test_a_restart_long_after_or_on_command_is_no_cause_of_what_was_before(late: str) -> None:
    incident = only(tell(f"{UP}0 stop dpd timeout {HUB}\n{late}", until=1300))
    assert incident.cause is not None
    assert incident.cause.name == "dpd timeout"


def test_a_wrong_key_stays_the_cause_although_a_line_went_down() -> None:
    up = f"-3000 start {HUB}\n-3000 start {OF_BRANCH}\n"
    stops = f"31 stop dpd timeout {HUB}\n35 fail authentication fail {HUB}"
    incident = only(tell(f"{up}0 {LINK}\n{stops}"))
    assert incident.cause is not None
    assert incident.cause.name == "authentication fail"


def test_a_hub_that_restarted_is_told_to_those_that_lost_it() -> None:
    ends = [f"device=B{n} peer=1.1.1.1 local=2.1.1.{n}" for n in range(1, 9)]
    lines = [f"-3000 start {end}" for end in ends] + ["-3000 start " + HUB]
    lines += [f"{n} stop dpd timeout {end}" for n, end in enumerate(ends)] + ["200 restart device=HUB"]
    group = next(i for i in tell("\n".join(lines), until=400).final.values() if i.kind == "peer_outage")
    assert group.cause is not None
    assert (group.cause.name, group.fault_side) == ("device.restart", "remote")
    assert any("HUB: device restarted" in line for line in group.chain)


def test_the_restart_of_a_branch_is_not_the_cause_of_many_lost_by_the_hub() -> None:
    ends = [f"device=HUB peer=2.1.1.{n} local=1.1.1.1" for n in range(1, 9)]
    lines = [f"-3000 start {end}" for end in ends] + ["-3000 start device=BRANCH peer=1.1.1.1 local=2.1.1.1"]
    lines += [f"{n} stop dpd timeout {end}" for n, end in enumerate(ends)] + ["200 restart device=BRANCH"]
    group = next(i for i in tell("\n".join(lines), until=400).final.values() if i.kind == "device_outage")
    assert group.cause is not None
    assert group.cause.name == "dpd timeout"


def test_a_far_end_that_notices_late_still_names_its_line() -> None:
    up = f"-3000 start {HUB}\n-3000 start {BRANCH}\n"
    incident = only(tell(f"{up}0 {LINK}\n5 stop dpd timeout {HUB}\n40 stop dpd timeout {OF_BRANCH}"))
    assert incident.cause is not None
    assert (incident.device, incident.fault_side, incident.cause.name) == ("HUB", "remote", "link.down")


@pytest.mark.parametrize("first", [HUB, BRANCH])
@pytest.mark.parametrize(("trigger", "rises"), [(None, 900), ("auto", 120)])
def test_a_reset_at_one_end_is_no_alarm_until_the_tunnel_is_overdue(
    first: str, trigger: str | None, rises: int
) -> None:
    """What the other end says is the echo of the reset; what the inventory says of the branch holds at both ends."""
    known = Inventory(peers=(Peer(address="2.1.1.1", trigger=trigger),)) if trigger else Inventory()
    stops = {BRANCH: "stop config modify or manual offline", HUB: "stop peer request"}
    lines = [f"{0 if end == first else 0.5} {what} {end}" for end, what in stops.items()]
    story = tell(
        "\n".join([UP, "-1 reset peer=1.1.1.1 device=BRANCH Command=reset", *sorted(lines)]), until=4000, known=known
    )
    incident = only(story)
    opened, overdue = [line.split() for line in story.told][:2]
    assert (opened[1], opened[3]) == ("opened", "info")
    assert float(overdue[0]) == pytest.approx(rises, abs=1)
    assert (incident.severity, incident.worst_severity) == ("major", "major")
