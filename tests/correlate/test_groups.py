"""Many peers lost at once are one outage of what they have in common."""

from itertools import pairwise

import pytest
from correlate_strategies import EPOCH, inventory, lasting, tell, timeline
from examples import some
from hypothesis import given
from hypothesis import strategies as st

from eventd.correlate import Settings
from eventd.correlate.settings import MAX_CHILDREN
from eventd.inventory import Inventory, Peer
from eventd.model import Incident
from eventd.notify import routing
from eventd.notify.render import ENGLISH, _affected
from eventd.notify.routing import Route, Routes

UPLINK = "interface=GigabitEthernet0/0/1 ifindex=12"


def peers(count: int, first: int = 1) -> list[str]:
    return [f"10.0.{n >> 8}.{n & 255}" for n in range(first, first + count)]


def lines(verb: str, at: float, names: list[str], where: str = UPLINK, every: float = 0.1) -> str:
    return "\n".join(f"{at + n * every:g} {verb} peer={name} {where}" for n, name in enumerate(names))


def known(count: int, where: str = UPLINK, first: int = 1) -> str:
    """Peers that have a tunnel, long before anything happens."""
    return lines("start", -5000, peers(count, first), where)


def only(story, kind: str) -> Incident:
    [found] = [incident for incident in story.final.values() if incident.kind == kind]
    return found


@pytest.mark.parametrize("left", [1, 4])
def test_most_are_lost_again_while_some_were_still_missing_and_that_is_told(left: int) -> None:
    """Whoever heard "28 of 30 are back" has gone to bed."""
    names = peers(30)
    story = tell(
        f"{known(60)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 200, names[left:])}\n"
        f"{lines('stop dpd timeout', 2000, names[left:])}\n{lines('start', 5000, names)}",
        until=9000,
    )
    told = [line for line in story.told if "interface_outage" in line]
    assert [int(float(line.split()[0])) // 100 for line in told] == [0, 2, 20, 50]
    news = [one.incident.news for _, one in story.changes if one.notify and one.incident.kind == "interface_outage"]
    assert news[2] == "30 of 30 missing again"


def test_an_outage_is_not_over_while_some_of_it_have_just_been_lost_again() -> None:
    """Nobody has "its 10 peers again" five seconds before half of them are told to be down."""
    names = peers(10)
    story = tell(
        f"{known(20)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 50, names)}\n"
        f"{lines('stop dpd timeout', 52, names[:4])}\n{lines('start', 900, names)}",
        until=2000,
    )
    parent = only(story, "interface_outage")
    assert [line.split()[1] for line in story.told if "interface_outage" in line][-1] == "resolved"
    assert [line for line in story.told if "interface_outage" not in line] == []
    assert parent.count == 10
    assert parent.resolved_at is not None
    assert parent.resolved_at.timestamp() >= EPOCH + 900


def test_an_outage_is_over_when_those_that_were_lost_again_are_back_in_their_hold() -> None:
    names = peers(10)
    story = tell(
        f"{known(20)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 50, names)}\n"
        f"{lines('stop dpd timeout', 53, names[:2])}\n{lines('start', 60, names[:2])}",
        until=2000,
    )
    parent = only(story, "interface_outage")
    assert parent.resolved_at is not None
    assert 55 < parent.resolved_at.timestamp() - EPOCH <= 66


def test_an_uplink_that_fails_and_returns_is_one_incident_with_its_children() -> None:
    names = peers(500)
    story = tell(
        f"{known(500)}\n{lines('stop dpd timeout', 0, names, every=0.06)}\n{lines('start', 200, names, every=0.06)}",
        until=2000,
    )
    parent = only(story, "interface_outage")
    assert [line.split(" ", 1)[1] for line in story.told] == [
        "opened interface_outage major",
        "updated interface_outage critical",
        "resolved interface_outage critical",
    ]
    children = [incident for incident in story.final.values() if incident.parent == parent.id]
    assert len(children) == len(parent.children) == 500
    assert {child.id for child in children} == set(parent.children)
    assert {child.status for child in children} == {"resolved"}
    assert parent.interface == "GigabitEthernet0/0/1"
    assert parent.chain[-1].endswith("all 500 are back")
    assert story.correlator._fleet.groups == {}


def test_how_many_are_affected_is_told_from_the_beginning_and_as_it_is_by_then() -> None:
    stops, starts = lines("stop dpd timeout", 0, peers(9), every=0.1), lines("start", 200, peers(7), every=0.1)
    story = tell(f"{known(9)}\n{stops}\n{starts}", until=400)
    told = [one.incident for _, one in story.changes if one.notify and one.incident.kind == "interface_outage"]
    assert [(one.count, one.missing) for one in told] == [(9, 9), (9, 2)]
    texts = [_affected(one, ENGLISH) for one in told]
    assert [text.partition(",")[0] for text in texts] == ["9 peers", "2 of 9 peers by now"]


def test_nothing_is_up_any_more_makes_it_critical_and_something_else_up_does_not() -> None:
    stops = lines("stop dpd timeout", 0, peers(6), every=1)
    assert only(tell(f"{known(6)}\n{stops}"), "interface_outage").severity == "critical"
    assert only(tell(f"{known(9)}\n{stops}"), "interface_outage").severity == "major"


def test_fewer_than_the_group_are_told_one_by_one() -> None:
    story = tell(f"{known(20)}\n{lines('stop dpd timeout', 0, peers(4))}")
    assert [line.split()[1:3] for line in story.told] == [["opened", "tunnel_down"]] * 4


def test_a_share_of_few_peers_is_a_group_of_three_at_least() -> None:
    assert only(tell(f"{known(6)}\n{lines('stop dpd timeout', 0, peers(3))}"), "interface_outage").count == 3
    assert tell(f"{known(2)}\n{lines('stop dpd timeout', 0, peers(2))}").last.kind == "tunnel_down"
    assert tell(f"{known(7)}\n{lines('stop dpd timeout', 0, peers(3))}").last.kind == "tunnel_down"


def test_a_link_that_went_down_makes_a_group_of_two_and_is_its_cause() -> None:
    text = f"{known(4)}\n-1 linkdown {UPLINK}\n{lines('stop dpd timeout', 0, peers(2))}"
    parent = only(tell(text), "interface_outage")
    assert parent.cause is not None
    assert (parent.cause.name, parent.fault_side) == ("link.down", "local")
    assert "link went down (GigabitEthernet0/0/1)" in parent.chain[0]
    elsewhere = text.replace(f"linkdown {UPLINK}", "linkdown interface=GigabitEthernet0/0/9 ifindex=99")
    assert tell(elsewhere).last.kind == "tunnel_down"


def test_a_parent_that_comes_late_takes_over_what_was_told_without_a_word_about_each() -> None:
    names = peers(6)
    story = tell(
        f"{known(20)}\n{lines('stop dpd timeout', 0, names, every=8)}\n{lines('start', 300, names)}", until=900
    )
    told = [line.split(" ", 1)[1] for line in story.told]
    assert told[:4] == ["opened tunnel_down major"] * 3 + ["opened interface_outage major"]
    parent = only(story, "interface_outage")
    assert len(parent.children) == 6
    assert {i.parent for i in story.final.values() if i.kind == "tunnel_down"} == {parent.id}
    assert [change.incident.parent for _, change in story.changes if change.joined] == [parent.id] * 3
    # whoever was told of an outage is told of its end; the others end with their parent
    assert told.count("resolved tunnel_down major") == 3
    assert told[-1] == "resolved interface_outage major"


def test_partial_recovery_is_told_when_it_stays_so() -> None:
    names = peers(10)
    story = tell(f"{known(10)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 200, names[:7])}", until=400)
    parent = only(story, "interface_outage")
    assert parent.status == "open"
    assert parent.chain[-1].endswith("7 of 10 are back, still missing: 10.0.0.10, 10.0.0.8, 10.0.0.9")
    assert [line.split()[1] for line in story.told] == ["opened", "updated"]


def test_peers_that_return_in_their_hold_make_no_group() -> None:
    names = peers(10)
    story = tell(f"{known(10)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 8, names)}")
    assert story.told == []


def test_several_interfaces_are_the_device() -> None:
    other = "interface=GigabitEthernet0/0/2 ifindex=13"
    text = f"{known(8)}\n{known(8, other, 101)}\n" + "\n".join(
        (lines("stop dpd timeout", 0, peers(4)), lines("stop dpd timeout", 0.05, peers(4, 101), other))
    )
    parent = only(tell(text), "device_outage")
    assert (parent.count, parent.interface) == (8, None)


def test_a_second_interface_turns_an_interface_outage_into_one_of_the_device() -> None:
    other = "interface=GigabitEthernet0/0/2 ifindex=13"
    text = f"{known(8)}\n{known(8, other, 101)}\n" + "\n".join(
        (lines("stop dpd timeout", 0, peers(6)), lines("stop dpd timeout", 30, peers(6, 101), other))
    )
    story = tell(text)
    device = only(story, "device_outage")
    assert only(story, "interface_outage").status == "resolved"
    assert "has become an outage of the whole device" in only(story, "interface_outage").summary
    assert {i.parent for i in story.final.values() if i.kind == "tunnel_down"} == {device.id}


@pytest.mark.parametrize("what", ["restart", "failover"])
def test_what_happened_to_the_device_is_named(what: str) -> None:
    parent = only(tell(f"{known(9)}\n-2 {what}\n{lines('stop dpd timeout', 0, peers(5))}"), "device_outage")
    assert parent.cause is not None
    assert parent.cause.name == f"device.{what}"


def test_a_peer_lost_by_several_devices_is_its_own_outage() -> None:
    stops = "0 stop dpd timeout device=HUB1\n2 stop dpd timeout device=HUB2"
    starts = "100 start device=HUB1\n103 start device=HUB2"
    story = tell(f"{stops}\n{starts}", until=500)
    parent = only(story, "peer_outage")
    assert (parent.peer, parent.count, parent.status) == ("2.1.1.1", 2, "resolved")
    assert {w.device for w in parent.witnesses} == {"HUB1", "HUB2"}
    assert [line.split(" ", 1)[1] for line in story.told] == [
        "opened peer_outage critical",
        "resolved peer_outage critical",
    ]


def test_one_more_on_the_same_line_long_after_joins_while_most_are_missing() -> None:
    outage = f"{known(20)}\n{lines('stop dpd timeout', 0, peers(8))}"
    late = lines("stop peer request", 900, ["10.9.9.9"])
    assert only(tell(f"{outage}\n{late}"), "interface_outage").count == 9
    back = lines("start", 300, peers(7))
    assert tell(f"{outage}\n{back}\n{late}").told[-1] == "915 opened tunnel_down warning"
    elsewhere = lines("stop peer request", 900, ["10.9.9.9"], "interface=GigabitEthernet0/0/7 ifindex=77")
    assert tell(f"{outage}\n{elsewhere}").told[-1] == "915 opened tunnel_down warning"


def test_clearing_the_parent_clears_its_children() -> None:
    story = tell(f"{known(6)}\n{lines('stop dpd timeout', 0, peers(6))}")
    parent = only(story, "interface_outage")
    verdict = story.correlator.clear(parent.id, EPOCH + 200, "ann")
    assert [change.what for change in verdict.changes] == ["resolved"] * 7
    assert [change.incident.kind for change in verdict.changes if change.notify] == ["interface_outage"]
    assert story.correlator.open_incidents() == []


def test_children_are_listed_up_to_a_bound() -> None:
    count = MAX_CHILDREN + 20
    parent = only(tell(f"{known(count)}\n{lines('stop dpd timeout', 0, peers(count), every=0.01)}"), "interface_outage")
    assert (parent.count, len(parent.children)) == (count, MAX_CHILDREN)


def test_groups_are_not_made_where_the_settings_forbid_it() -> None:
    story = tell(
        f"{known(9)}\n{lines('stop dpd timeout', 0, peers(9))}", settings=Settings(group_peers=50_000, group_share=1.0)
    )
    assert only(story, "interface_outage").count == 9, "all of them are a share of 1"
    story = tell(
        f"{known(10)}\n{lines('stop dpd timeout', 0, peers(9))}", settings=Settings(group_peers=10, group_share=1.0)
    )
    assert {i.kind for i in story.final.values()} == {"tunnel_down"}


def test_on_purpose_a_group_stays_information() -> None:
    story = tell(f"{known(9)}\n{lines('stop config modify or manual offline', 0, peers(9))}", until=60)
    assert only(story, "interface_outage").severity == "info"


@some(30)
@given(
    st.lists(st.sampled_from(["stop dpd timeout", "start", "stop peer request"]), min_size=5, max_size=40),
    st.lists(st.integers(0, 9), min_size=40, max_size=40),
    st.sets(st.integers(0, 40), max_size=4),
)
def test_a_restart_at_any_point_changes_nothing_for_groups(said: list[str], who: list[int], points: set[int]) -> None:
    names = peers(10)
    text = "\n".join(f"{n * 3} {what} peer={names[who[n]]} {UPLINK}" for n, what in enumerate(said))
    plain = tell(text, until=5000, known=inventory())
    broken = tell(text, until=5000, known=inventory(), restarts=tuple(points))
    assert broken.changes == plain.changes
    assert lasting(broken.saved) == lasting(plain.saved)
    live = {incident.id for incident in plain.correlator.open_incidents()}
    for incident in plain.final.values():
        assert incident.parent is None or incident.status == "resolved" or incident.parent in live


def test_peers_of_a_device_are_grouped_whoever_of_them_is_judged_first() -> None:
    """Four on one interface are too few for it, with the one on another they are enough for the device."""
    known = [f"start peer=10.0.1.{n} interface=GE1" for n in range(1, 12)]
    lost = [f"stop dpd timeout peer=10.0.1.{n} interface=GE1" for n in range(1, 5)]
    other = "stop dpd timeout peer=10.0.2.1 interface=GE2"
    for order in ([*lost, other], [other, *lost]):
        story = tell("\n".join(f"{n} {line}" for n, line in enumerate([*known, *order])), until=300)
        assert [line.split()[2] for line in story.told if "opened" in line] == ["device_outage"]


def test_a_loss_that_the_other_unit_tells_already_does_not_make_a_group() -> None:
    """Whoever of the three is judged first: one of them is told by the other unit of the pair."""
    end = "local=198.51.100.1 interface=GE1"
    told = f"0 stop dpd timeout device=Spare peer=10.0.1.1 flow=A {end}"
    lost = [
        f"stop dpd timeout device=Hub peer=10.0.1.{n} flow={flow} {end}" for n, flow in ((1, "A"), (2, "B"), (3, "C"))
    ]
    for order in (lost, lost[::-1]):
        story = tell("\n".join([told, *(f"{100 + n} {line}" for n, line in enumerate(order))]), until=400)
        assert sorted((i.kind, i.device) for i in story.final.values()) == [
            ("tunnel_down", "Hub"),
            ("tunnel_down", "Hub"),
            ("tunnel_down", "Spare"),
        ]


# --- what people are told of it -------------------------------------------------------------------------------------


def test_partial_recovery_is_told_also_when_the_outage_had_grown_after_its_opening() -> None:
    names = peers(60)
    stops = lines("stop dpd timeout", 0, names, every=0.5)
    story = tell(f"{known(60)}\n{stops}\n{lines('start', 300, names[:30])}", until=600)
    assert [line.split()[1] for line in story.told] == ["opened", "updated", "updated"]
    parent = only(story, "interface_outage")
    assert "30 still missing" in parent.title
    assert "30 still missing" in parent.summary


def test_an_uplink_that_flaps_counts_peers_and_says_that_it_flaps() -> None:
    names = peers(10)
    cycles = "\n".join(
        f"{lines('stop dpd timeout', at, names)}\n{lines('start', at + 40, names)}" for at in (0, 80, 160, 240)
    )
    story = tell(f"{known(10)}\n{cycles}", until=3000)
    parents = [incident for incident in story.final.values() if incident.kind == "interface_outage"]
    assert max(parent.count for parent in parents) == 10
    assert any("flapping" in change.incident.title for _, change in story.changes if change.notify)


def test_peers_that_swing_for_long_are_told_when_it_changes_and_not_every_minute() -> None:
    """A third of a line's peers is missing at any time, another third each minute: nobody needs that every minute."""
    names = peers(30)
    thirds = [names[n::3] for n in range(3)]
    swings = "\n".join(
        f"{lines('stop dpd timeout', 60 * n, thirds[n % 3])}\n{lines('start', 60 * n + 58, thirds[n % 3])}"
        for n in range(30)
    )
    story = tell(f"{known(60)}\n{swings}", until=6000)
    told = [one.incident for _, one in story.changes if one.notify and one.incident.kind == "interface_outage"]
    assert len(told) <= 7
    assert all(one.title != later.title for one, later in pairwise(told))
    assert told[-2].updated_at.timestamp() - EPOCH < 60 * 30 + 120  # not a quarter of an hour later
    assert told[-1].status == "resolved"


BLIP = 6


def blips(at: list[float], names: list[str]) -> str:
    """Times when an uplink is away for as long that nobody is told."""
    return "\n".join(f"{lines('stop dpd timeout', t, names)}\n{lines('start', t + BLIP, names)}" for t in at)


def test_an_uplink_that_is_lost_and_then_blips_is_told_once() -> None:
    names = peers(20)
    text = f"{known(20)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 60, names)}\n{blips([600], names)}"
    assert [line.split()[1:3] for line in tell(text, until=3000).told] == [
        ["opened", "interface_outage"],
        ["resolved", "interface_outage"],
    ]


@pytest.mark.parametrize("link", ["", f"-1 linkdown {UPLINK}\n199 linkdown {UPLINK}\n"])
def test_an_uplink_that_blips_again_and_again_is_one_incident_of_the_uplink(link: str) -> None:
    text = f"{known(20)}\n{blips([0, 100, 200], peers(20))}\n{link}"
    story = tell(sorted(timeline(text), key=lambda pair: pair[0]), until=3000)
    assert [line.split()[1:3] for line in story.told] == [
        ["opened", "interface_outage"],
        ["resolved", "interface_outage"],
    ]
    opened = next(change.incident for _, change in story.changes if change.notify)
    assert "lost 20 peers on GigabitEthernet0/0/1, flapping" in opened.title
    assert "still" not in opened.title
    assert "20 peers lost within 2 s" in " ".join(opened.chain)
    assert {incident.kind for incident in story.final.values()} == {"interface_outage", "flapping"}


def test_what_flaps_among_many_is_not_the_flapping_of_them_all_and_not_missing_while_it_is_up() -> None:
    names = peers(20)
    text = (
        f"{known(20)}\n{lines('stop dpd timeout', 0, names)}\n{lines('start', 100, names[:12])}\n"
        f"{blips([130, 160], names[:1])}\n{lines('start', 400, names[12:17])}"
    )
    story = tell(text, until=600)
    told = [change.incident for _, change in story.changes if change.notify and change.incident.kind != "flapping"]
    assert [incident.title.split(":")[0].partition(" on GigabitEthernet0/0/1")[2] for incident in told] == [
        "",
        ", 8 still missing",
        ", 3 still missing",
    ]
    assert not any("again and again" in line for incident in told for line in incident.chain)


def test_who_is_down_while_its_line_flaps_is_told_as_missing_by_the_opening() -> None:
    names = peers(20)
    text = (
        f"{known(20)}\n{blips([0, 100], names)}\n{lines('stop dpd timeout', 200, names)}\n{lines('start', 240, names)}"
    )
    news = [one.incident.news for _, one in tell(text, until=3000).changes if one.notify]
    assert not any("missing again" in (one or "") for one in news)


def test_what_stays_down_after_an_uplink_has_flapped_makes_the_outage_graver() -> None:
    names = peers(20)
    text = f"{known(20)}\n{blips([0, 100, 200], names)}\n{lines('stop dpd timeout', 300, names)}"
    story = tell(text, until=600)
    last = [change.incident for _, change in story.changes if change.notify][-1]
    assert (last.kind, last.severity) == ("interface_outage", "critical")
    assert last.news == "was major, 20 of 20 missing again"


def test_a_clear_by_hand_does_not_say_that_it_works() -> None:
    story = tell(f"{known(6)}\n{lines('stop dpd timeout', 0, peers(6))}")
    verdict = story.correlator.clear(only(story, "interface_outage").id, EPOCH + 200, "ann")
    for change in verdict.changes:
        assert "cleared by ann" in change.incident.title
        assert "not known" in change.incident.summary


def test_a_second_uplink_minutes_later_is_the_device() -> None:
    other = "interface=GigabitEthernet0/0/2 ifindex=13"
    text = f"{known(8)}\n{known(8, other, 101)}\n" + "\n".join(
        (lines("stop dpd timeout", 0, peers(8)), lines("stop dpd timeout", 300, peers(8, 101), other))
    )
    story = tell(text, until=600)
    opened = [change.incident for _, change in story.changes if change.what == "opened" and change.notify]
    assert [incident.kind for incident in opened] == ["interface_outage", "device_outage"]
    assert "lost 16 peers" in opened[-1].title


def test_a_link_that_is_told_late_becomes_the_cause() -> None:
    text = f"{known(9)}\n{lines('stop dpd timeout', 0, peers(9))}\n30 linkdown {UPLINK}"
    story = tell(text, until=60)
    parent = only(story, "interface_outage")
    assert parent.cause is not None
    assert (parent.cause.name, parent.fault_side) == ("link.down", "local")
    assert [line.split()[:2] for line in story.told] == [["15.4", "opened"], ["30", "updated"]]


def test_peers_lost_one_by_one_behind_a_line_that_is_down_are_one_outage() -> None:
    text = f"{known(30)}\n-1 linkdown {UPLINK}\n{lines('stop dpd timeout', 0, peers(20), every=45)}"
    told = [line.split()[1:3] for line in tell(text, until=1200).told]
    assert told.count(["opened", "tunnel_down"]) <= 2
    assert told.count(["opened", "interface_outage"]) == 1


def test_peers_that_still_work_by_another_way_are_said_to() -> None:
    spare = "interface=GigabitEthernet0/0/2 ifindex=13"
    text = f"{known(8)}\n{known(8, spare)}\n{lines('stop dpd timeout', 0, peers(8))}"
    parent = only(tell(text), "interface_outage")
    assert "lost tunnels of 8 peers on GigabitEthernet0/0/1, others unproven: " in parent.title
    assert not [step for step in parent.actions if "cuts every tunnel" in step]
    parent = only(tell(f"{text}\n{lines('start', 100, peers(8), spare)}"), "interface_outage")
    assert "lost tunnels of 8 peers on GigabitEthernet0/0/1, all still reachable: " in parent.title
    assert parent.severity == "major"  # which networks are left to them, no message says


def test_tunnels_whose_networks_others_carry_are_a_warning_until_those_fall_too() -> None:
    flow, spare = "flow=A", "flow=A interface=GigabitEthernet0/0/2 ifindex=13"
    first = f"{UPLINK} {flow}"
    proof = lines("start", -20, peers(8), spare)
    text = f"{known(8, first)}\n{known(8, spare)}\n{proof}\n{lines('stop dpd timeout', 0, peers(8), first)}"
    story = tell(text)
    parent = only(story, "interface_outage")
    assert (parent.severity, parent.worst_severity) == ("warning", "warning")
    assert {one.severity for one in story.final.values()} == {"warning"}
    again = tell(f"{text}\n{lines('stop dpd timeout', 300, peers(8), spare)}", until=600)
    assert {one.severity for one in again.final.values() if one.status == "open"} == {"critical", "major"}
    worse = [change.incident.news for _, change in again.changes if change.incident.news]
    assert worse[0] == "was warning, 8 cut off now"
    assert "Look at GigabitEthernet0/0/2, too:" in only(again, "interface_outage").actions[1]


def test_who_is_cut_off_is_told_apart_from_those_whom_another_line_carries() -> None:
    flow = "flow=10.0.0.0/16,10.9.20.0/24"
    first, spare = f"{UPLINK} {flow}", f"interface=GigabitEthernet0/0/2 ifindex=13 {flow}"
    proof = lines("start", -20, peers(5), spare)
    text = f"{known(8, first)}\n{known(5, spare)}\n{proof}\n{lines('stop dpd timeout', 0, peers(8), first)}"
    parent = only(tell(text), "interface_outage")
    assert "lost tunnels of 8 peers on GigabitEthernet0/0/1, 3 cut off: " in parent.title
    assert parent.severity == "major"
    back = lines("start", 300, peers(8)[5:], spare)
    parent = only(tell(f"{text}\n{back}", until=600), "interface_outage")
    assert "lost tunnels of 8 peers on GigabitEthernet0/0/1, 5 still partly down: " in parent.title
    assert parent.severity == "warning"
    again = lines("start", 900, peers(5), first)
    over = only(tell(f"{text}\n{back}\n{again}", until=1200), "interface_outage")
    assert "again over GigabitEthernet0/0/1, GigabitEthernet0/0/2" in over.title


def test_a_wrong_key_on_many_is_no_matter_of_the_line() -> None:
    stops = lines("stop peer request", 0, peers(8))
    fails = lines("fail authentication fail", 3, peers(8))
    parent = only(tell(f"{known(8)}\n{stops}\n{fails}"), "interface_outage")
    assert parent.actions[0].startswith("All of them fail for one reason")
    assert parent.actions[1].startswith("For one of them: ")


def test_reasons_that_differ_are_told_with_how_many_gave_which() -> None:
    names = peers(12)
    stops = [lines("stop dpd timeout", 0, names[:6]), lines("stop peer request", 1, names[6:9])]
    more = ["2 stop disconnect track nqa/bfd/vrrp", "3 stop something new", "4 stop phase2 hard expiry"]
    stops += [f"{stop} peer={name} {UPLINK}" for stop, name in zip(more, names[9:], strict=True)]
    story = tell("\n".join((known(20), *stops)), until=200)
    outage = only(story, "interface_outage")
    assert outage.cause is not None
    assert outage.cause.name == "dpd timeout"
    assert outage.cause.text == "6 dpd timeout, 3 peer request, 1 disconnect track nqa/bfd/vrrp and 2 of other reasons"
    assert "need not have anything in common" in outage.summary
    assert any("one by one" in step for step in outage.actions)


def test_the_commonest_reason_is_that_of_all_and_not_of_the_first() -> None:
    first, rest = lines("stop peer request", 0, peers(6)), lines("stop dpd timeout", 20, peers(20, 7))
    text = f"{known(40)}\n{first}\n{rest}"
    cause = only(tell(text, until=200), "interface_outage").cause
    assert cause is not None
    assert cause.text == "20 dpd timeout, 6 peer request"
    cause = only(tell(f"{text}\n{lines('start', 50, peers(15))}", until=200), "interface_outage").cause
    assert cause is not None
    assert cause.text == "dpd timeout", "while it is open it is the reason of those that are left"


def test_severity_follows_what_is_missing_and_the_chain_says_so() -> None:
    text = (
        f"{known(20)}\n{lines('stop dpd timeout', 0, peers(20))}\n{lines('start', 300, peers(16))}\n"
        f"{lines('stop dpd timeout', 700, peers(16))}\n{lines('start', 1500, peers(20))}"
    )
    story = tell(text, until=2000)
    outage = only(story, "interface_outage")
    told = [c.incident for _, c in story.changes if c.notify and c.incident.id == outage.id]
    assert [(i.opened_severity, i.severity, i.worst_severity, i.status) for i in told] == [
        ("critical", "critical", "critical", "open"),
        ("critical", "major", "critical", "open"),
        ("critical", "critical", "critical", "open"),
        ("critical", "critical", "critical", "resolved"),
    ]
    said = [line.rsplit("severity now ", 1)[-1] for line in outage.chain if "severity now" in line]
    assert said == ["major", "critical"]


def test_peers_that_came_back_and_are_lost_again_are_the_same_outage() -> None:
    text = (
        f"{known(20)}\n{lines('stop dpd timeout', 0, peers(20))}\n{lines('start', 300, peers(16))}\n"
        f"{lines('stop dpd timeout', 700, peers(16))}"
    )
    story = tell(text, until=1000)
    assert {i.id for i in story.final.values() if i.kind == "interface_outage"} == {
        i.id for i in story.correlator.open_incidents() if i.kind == "interface_outage"
    }
    assert only(story, "interface_outage").count == 20


def test_a_tunnel_that_dies_after_its_peer_failed_alike_with_others_is_told() -> None:
    fails = lines("fail authentication fail", 0, peers(5)) + "\n" + lines("fail authentication fail", 20, peers(5))
    story = tell(f"{known(5)}\n{fails}\n300 stop dpd timeout peer={peers(1)[0]} {UPLINK}", until=400)
    [down] = [change for _, change in story.changes if change.incident.kind == "tunnel_down"]
    assert (down.what, down.notify, down.incident.parent) == ("opened", True, None)
    assert len(only_group(story).children) == 5


def only_group(story) -> Incident:
    [found] = [i for i in story.final.values() if i.kind == "negotiation_failing" and i.peer is None]
    return found


OTHER = "interface=GigabitEthernet0/0/2 ifindex=13"


def test_two_links_that_go_down_are_the_cause_of_what_both_carried() -> None:
    text = "\n".join(
        (
            known(8),
            known(8, OTHER, 101),
            f"-1 linkdown {UPLINK}",
            f"-0.7 linkdown {OTHER}",
            lines("stop dpd timeout", 0, peers(8)),
            lines("stop dpd timeout", 0.05, peers(8, 101), OTHER),
        )
    )
    parent = only(tell(text), "device_outage")
    assert parent.cause is not None
    assert parent.cause.name == "link.down"
    assert parent.cause.text == "2 links went down (GigabitEthernet0/0/1, GigabitEthernet0/0/2)"
    assert parent.fault_side == "local"
    one = tell(text.replace("-0.7 linkdown", "-0.7 linkup"))  # the other line carried as many, and did not go down
    groups = [incident for incident in one.final.values() if incident.kind == "interface_outage"]
    causes = {group.interface: group.cause.name for group in groups if group.cause is not None}
    assert causes == {"GigabitEthernet0/0/1": "link.down", "GigabitEthernet0/0/2": "dpd timeout"}


def test_an_outage_that_takes_over_another_begins_with_it_and_keeps_its_chain_and_cause() -> None:
    text = "\n".join(
        (
            known(8),
            known(8, OTHER, 101),
            f"-1 linkdown {UPLINK}",
            lines("stop dpd timeout", 0, peers(8)),
            f"39 linkdown {OTHER}",
            lines("stop dpd timeout", 40, peers(8, 101), OTHER),
        )
    )
    story = tell(text, until=200)
    parent, before = only(story, "device_outage"), only(story, "interface_outage")
    assert parent.opened_at == before.opened_at
    assert parent.cause is not None
    assert parent.cause.text == "2 links went down (GigabitEthernet0/0/1, GigabitEthernet0/0/2)"
    assert [line.partition(" ")[2].split(":")[0] for line in parent.chain] == [
        "link went down (GigabitEthernet0/0/1)",
        "8 peers lost within 1 s",
        "link went down (GigabitEthernet0/0/2)",
        "8 peers lost within 1 s",
    ]


@pytest.mark.parametrize(
    ("between", "name"),
    [
        ("", "link.down"),
        ("-200 config Command=save\n-60 config Command=save", "link.down"),
        (f"-30 linkup peer=none {UPLINK}", "link.down"),
        (f"-90 linkup peer=none {UPLINK}", "dpd timeout"),
        (f"-30 start peer=10.0.0.9 {UPLINK}", "dpd timeout"),
        ("-30 start peer=10.0.0.9 interface=GigabitEthernet0/0/2", "link.down"),
    ],
)
def test_a_line_that_is_still_down_is_the_cause_however_late_its_tunnels_are_missed(between: str, name: str) -> None:
    text = f"{lines('start', -900, peers(9))}\n-300 linkdown peer=none {UPLINK}\n{between}\n"
    for count, kind in ((1, "tunnel_down"), (9, "interface_outage")):
        found = only(tell(text + lines("stop dpd timeout", 0, peers(count)), until=60), kind)
        assert found.cause is not None
        assert found.cause.name == name


def test_a_line_that_is_up_again_when_its_tunnels_are_missed_is_in_the_chain_from_down_to_up() -> None:
    blip = f"-800 linkdown peer=none {UPLINK}\n-797 linkup peer=none {UPLINK}"
    line = f"{blip}\n-130 linkdown peer=none {UPLINK}\n-30 linkup peer=none {UPLINK}\n-20 config Command=save"
    text = f"{lines('start', -900, peers(9))}\n{line}\n{lines('stop dpd timeout', 0, peers(9))}"
    parent = only(tell(text, until=60), "interface_outage")
    assert [line.partition(" ")[2].partition(" (")[::2] for line in parent.chain[:2]] == [
        ("link went down", "GigabitEthernet0/0/1)"),
        ("link came up", "GigabitEthernet0/0/1)"),
    ], "once each: the blip of long before is none of it"
    assert parent.fault_side == "local"


def test_a_blip_that_was_over_before_probes_could_miss_anybody_is_no_cause() -> None:
    line = f"-75 linkdown peer=none {UPLINK}\n-50 linkup peer=none {UPLINK}"
    text = f"{lines('start', -900, peers(9))}\n{line}\n{lines('stop dpd timeout', 0, peers(9))}"
    assert only(tell(text, until=60), "interface_outage").fault_side == "path"


@pytest.mark.parametrize(
    ("line", "reason", "name"),
    [
        ("-140 linkdown\n-40 linkup", "dpd timeout", "link.down"),
        ("-140 linkdown\n-40 linkup", "peer request", "peer request"),
        ("-140 linkdown\n-40 linkup", "phase2 proposal mismatch", "phase2 proposal mismatch"),
        ("-140 linkdown\n-40 linkup", "authentication fail", "authentication fail"),
        ("-20 linkdown\n-10 linkup", "peer request", "peer request"),
        ("-20 linkdown", "authentication fail", "authentication fail"),
        ("-20 linkdown", "peer request", "link.down"),
        ("-20 linkdown", "phase2 proposal mismatch", "link.down"),
    ],
)
def test_a_line_explains_silence_and_no_answer_of_the_far_end(line: str, reason: str, name: str) -> None:
    """Who is heard over a line that is up again ended it for a reason of its own; over one that is down nobody is."""
    said = "\n".join(f"{one} peer=none {UPLINK}" for one in line.split("\n"))
    text = f"{lines('start', -900, peers(9))}\n{said}\n"
    for count, kind in ((1, "tunnel_down"), (9, "interface_outage")):
        found = only(tell(text + lines(f"stop {reason}", 0, peers(count)), until=60), kind)
        assert found.cause is not None
        assert (found.cause.name or found.cause.text) == name
        assert "link went down" in found.chain[0]
        assert (found.fault_side == "local") is (name == "link.down")


@pytest.mark.parametrize(("later", "name"), [(110, "link.down"), (130, "dpd timeout"), (3600, "dpd timeout")])
def test_what_goes_down_long_after_the_loss_is_not_its_cause(later: int, name: str) -> None:
    text = f"{known(9)}\n{lines('stop dpd timeout', 0, peers(9))}\n{later} linkdown peer=none {UPLINK}"
    story = tell(text, until=4000)
    parent = only(story, "interface_outage")
    assert parent.cause is not None
    assert parent.cause.name == name
    assert parent.chain[-1].endswith("link went down (GigabitEthernet0/0/1)"), "it is told all the same"
    assert len(story.told) == (2 if name == "link.down" else 1)


@pytest.mark.parametrize("reason", ["dpd timeout", "authentication fail"])
@pytest.mark.parametrize("rest", [10, 60])
def test_a_line_that_goes_down_later_is_told_with_what_it_does_not_account_for(reason: str, rest: int) -> None:
    first, others = peers(10), peers(rest, 21)
    text = f"{known(80)}\n{lines(f'stop {reason}', 0, first)}\n900 linkdown peer=none {UPLINK}\n"
    story = tell(text + lines("stop dpd timeout", 902, others, every=0.05), until=1100)
    parent = only(story, "interface_outage")
    assert parent.cause is not None
    link = "link went down (GigabitEthernet0/0/1)"
    assert set(parent.cause.text.split(", ")) == {f"10 {reason}", f"{rest} {link}"}
    assert parent.count == 10 + rest
    heard = [change.incident for _, change in story.changes if change.notify]
    assert heard[-1].cause == parent.cause, "whoever hears how many they are hears why"


def test_a_line_that_no_tunnel_names_is_said_as_a_guess_where_nearly_all_fell_after_it() -> None:
    tunnel, physical = "interface=Tunnel1 ifindex=40", "interface=GigabitEthernet0/0/5"
    head = f"{known(8, tunnel)}\n-1 linkdown {physical}\n"
    parent = only(tell(head + lines("stop dpd timeout", 0, peers(8), tunnel)), "interface_outage")
    assert parent.cause is not None
    assert parent.cause.text == "probably because link went down (GigabitEthernet0/0/5)"
    assert (parent.cause.meaning or "").startswith("A guess: ")
    assert parent.chain[0].endswith("link went down (GigabitEthernet0/0/5)")
    others = (
        head + lines("stop dpd timeout", 0, peers(5), tunnel),  # of eight: some still work
        head + lines("stop peer request", 0, peers(8), tunnel),  # who asks is alive
        f"{known(2, physical, 50)}\n{head}" + lines("stop dpd timeout", 0, peers(8), tunnel),  # it has its own
        head + lines("stop dpd timeout", 90, peers(8), tunnel),
    )
    for text in others:
        cause = only(tell(text, until=200), "interface_outage").cause
        assert cause is not None
        assert cause.name != "link.down beneath"


@pytest.mark.parametrize("left", [3, 8])
def test_what_is_left_when_the_only_line_is_up_again_is_no_matter_of_the_line(left: int) -> None:
    fall = f"{known(20)}\n-1 linkdown peer=none {UPLINK}\n{lines('stop dpd timeout', 0, peers(20))}"
    back = lines("start", 310, peers(20 - left, left + 1))
    parent = only(tell(f"{fall}\n300 linkup peer=none {UPLINK}\n{back}", until=900), "interface_outage")
    assert parent.cause is not None
    assert parent.cause.name == "dpd timeout"
    assert parent.actions[0].startswith("The others are back: ")  # over the place that they all share
    assert any("link went down" in line for line in parent.chain)


OWNERS = Inventory(
    peers=[
        Peer(address="10.0.0.1", name="koeln", owner="emea", site="Köln", tags=("gold",)),
        Peer(address="10.0.0.2", owner="apac", site="Osaka", tags=("gold",)),
        Peer(address="10.0.0.30", owner="late"),
    ]
)


def heard(story, match: dict[str, str | list[str]]) -> list[str]:
    """What a channel hears that one route leads to, with the kinds of the incidents."""
    channels, routes = {"chat": None}, Routes([Route(channels=("chat",), match=match)])
    told = (routing.notifications(change, routes, channels, EPOCH + at) for at, change in story.changes)
    return [f"{one.what} {one.incident.kind}" for found in told for one in found]


@pytest.mark.parametrize("restarts", [(), tuple(range(60, 110, 7))])
def test_whoever_would_be_told_of_one_of_those_lost_at_once_hears_of_their_outage(restarts: tuple[int, ...]) -> None:
    """Also where that one is back before its own hold is over, and where it falls when the others are told already."""
    names = peers(30)
    story = tell(
        f"{known(60)}\n{lines('stop dpd timeout', 0, names[1:29])}\n14.5 stop dpd timeout peer=10.0.0.1 {UPLINK}\n"
        f"16 start peer=10.0.0.1 {UPLINK}\n50 stop dpd timeout peer=10.0.0.30 {UPLINK}\n"
        f"{lines('start', 600, names[1:])}",
        until=3000,
        known=OWNERS,
        restarts=restarts,
    )
    whole = [f"{what} interface_outage" for what in ("opened", "updated", "resolved")]
    assert heard(story, {}) == whole
    for match in (
        {"owner": "emea"},
        {"tag": "gold"},
        {"peer": "koeln"},
        {"peer": "10.0.0.2"},
        {"site": "Osaka", "owner": "apac"},
        {"owner": "apac", "kind": "tunnel_down", "severity": ["critical", "major"]},
        {"owner": "apac", "kind": "interface_outage"},
    ):
        assert heard(story, match) == whole, match
    assert heard(story, {"owner": "late"}) == whole[1:]
    assert heard(story, {"owner": "apac", "site": "Köln"}) == [], "no one of them is both"
    assert heard(story, {"peer": "10.0.0.40"}) == heard(story, {"owner": "emea", "severity": "info"}) == []


def test_who_is_counted_while_its_hold_is_running_is_told_by_that_count_and_of_the_end() -> None:
    fell = [lines("stop dpd timeout", 0, peers(6, 3)), lines("stop dpd timeout", 28, peers(2), every=0.5)]
    fell.append(lines("stop dpd timeout", 29, peers(12, 10)))
    back = [f"38 start peer=10.0.0.1 {UPLINK}", lines("start", 600, peers(20, 2))]
    story = tell("\n".join([known(60), *fell, *back]), until=3000, known=OWNERS)
    assert "20 in all" in str([change.incident.news for _, change in story.changes if change.notify])
    assert heard(story, {"owner": "emea"}) == heard(story, {"owner": "apac"}) == heard(story, {})[1:]


def test_who_was_told_of_the_outage_of_a_line_is_told_what_it_has_become() -> None:
    other = "interface=GigabitEthernet0/0/2 ifindex=13"
    story = tell(
        f"{known(6)}\n{known(6, other, 11)}\n{lines('stop dpd timeout', 0, peers(6))}\n"
        f"40 start peer=10.0.0.1 {UPLINK}\n{lines('stop dpd timeout', 45, peers(6, 11), other)}\n"
        f"{lines('start', 600, peers(6))}\n{lines('start', 600, peers(6, 11), other)}",
        until=3000,
        known=OWNERS,
    )
    assert heard(story, {"owner": "emea"}) == heard(story, {})
    assert "opened device_outage" in heard(story, {"owner": "emea"})


def test_an_outage_goes_to_no_channel_that_its_own_route_keeps_it_from() -> None:
    names = peers(10)
    story = tell(f"{known(30)}\n{lines('stop dpd timeout', 0, names)}", until=100, known=OWNERS)
    rows = [
        Route(channels=("oncall",), match={"kind": "interface_outage"}),
        Route(channels=("emea",), match={"owner": "emea"}),
    ]
    [opening] = [change for _, change in story.changes if change.notify]
    assert routing.route(opening.incident, Routes(rows), (), EPOCH, opening.members) == {"oncall": 0.0}
    assert routing.route(opening.incident, Routes(rows[::-1]), (), EPOCH, opening.members) == dict.fromkeys(
        ("oncall", "emea"), 0.0
    )
