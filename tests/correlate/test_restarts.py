"""A device that has restarted has no tunnel left: who does not come back is missed, whatever it was known as before."""

import pytest
from correlate_strategies import EPOCH, Story, tell

from eventd.correlate import rebase
from eventd.inventory import Inventory, Peer
from eventd.model import Incident

NAMES = [f"10.0.0.{n}" for n in range(1, 21)]
WAIT = 300
DONE = "0 restart peer=none state=done"


def each(verb: str, at: float, names: list[str] = NAMES, more: str = "", every: float = 0.5) -> str:
    return "\n".join(f"{at + n * every} {verb} peer={name} {more}" for n, name in enumerate(names)) + "\n"


UP = each("start", -900)
BACK = each("start", 40, NAMES[:15])


def parents(told: list[str]) -> list[str]:
    return [line for line in told if "device_outage" in line]


def test_those_that_do_not_come_back_are_one_outage_with_the_restart_as_its_cause() -> None:
    story = tell(f"{UP}{DONE}\n{BACK}", until=900)
    assert parents(story.told) == [f"{WAIT} opened device_outage major"]
    parent = next(incident for incident in story.final.values() if incident.kind == "device_outage")
    assert parent.cause is not None
    assert (parent.cause.name, parent.fault_side, len(parent.children)) == ("device.restart", "local", 5)
    assert parent.title == "FW1 lost 5 of 20 peers: device restarted, since 10:00 UTC"
    children = [incident for incident in story.final.values() if incident.kind == "tunnel_down"]
    assert {one.peer for one in children} == set(NAMES[15:])
    assert all(one.parent == parent.id for one in children)
    assert {peer.peer for peer in story.correlator.peers() if peer.up} == set(NAMES[:15])


ORDER = "-3 restart peer=none kind=command state=ordered User=anna Command=reboot"


@pytest.mark.parametrize("begun", ["-2 restart peer=none state=begun", "-4 restart peer=none state=begun via=snmp", ""])
def test_a_restart_on_command_says_so_and_sends_nobody_to_look_for_a_crash(begun: str) -> None:
    told = sorted((ORDER, *filter(None, [begun])), key=lambda line: float(line.split()[0]))
    story = tell("\n".join([UP, *told, each("stop dpd timeout", 0), "200 restart peer=none state=done"]), until=300)
    parent = next(incident for incident in story.final.values() if incident.kind == "device_outage")
    assert parent.cause is not None
    assert (parent.cause.text, parent.cause.name) == ("restart ordered by anna: reboot", "device.restart")
    assert parent.actions[0] == "No crash to look for: restart ordered by anna: reboot; ask what it was for"
    assert not any("crash" in step for step in parent.actions[1:])
    texts = [line[9:] for line in parent.chain]
    assert "restart ordered by anna: reboot" in texts  # once, although it was typed and befell the device
    assert ("device is restarting" in texts) == bool(begun)


def test_those_that_do_not_come_back_after_a_restart_on_command_know_it() -> None:
    """Between the command and the word that it is done lies the boot, and the device tells no stops."""
    order = "-155 restart peer=none kind=command state=ordered User=anna Command=reboot"
    story = tell(f"{UP}{order}\n-150 restart peer=none state=begun\n{DONE}\n{BACK}", until=900)
    parent = next(incident for incident in story.final.values() if incident.kind == "device_outage")
    assert parent.cause is not None
    assert parent.cause.text == "restart ordered by anna: reboot"
    assert [line[9:] for line in parent.chain[:3]] == [
        "restart ordered by anna: reboot",
        "device is restarting",
        "device restarted",
    ]


def test_one_peer_that_a_restart_on_command_took_says_so_too() -> None:
    story = tell(f"-900 start\n{ORDER}\n0 stop dpd timeout\n200 restart peer=none state=done", until=300)
    assert story.last.cause is not None
    assert story.last.cause.text == "restart ordered by anna: reboot"


def test_before_they_are_back_nothing_is_known_of_them() -> None:
    story = tell(f"{UP}{DONE}", until=20)
    assert {peer.up for peer in story.correlator.peers()} == {None}


def test_when_nobody_comes_back_it_is_critical_at_once() -> None:
    assert parents(tell(f"{UP}{DONE}", until=900).told) == [f"{WAIT} opened device_outage critical"]


def test_nothing_is_up_where_the_rest_waits_for_traffic_either() -> None:
    idle = Inventory(peers=tuple(Peer(address=name, trigger="traffic") for name in NAMES[15:]))
    assert parents(tell(f"{UP}{DONE}", until=900, known=idle).told) == [f"{WAIT} opened device_outage critical"]


def test_their_return_ends_it() -> None:
    story = tell(f"{UP}{DONE}\n{BACK}{each('start', 1000, NAMES[15:])}", until=2000)
    assert {incident.status for incident in story.final.values()} == {"resolved"}


def test_one_of_many_is_told_by_itself() -> None:
    story = tell(f"{UP}{DONE}\n{each('start', 40, NAMES[:19])}", until=900)
    assert story.told == [f"{WAIT} opened tunnel_down major"]


@pytest.mark.parametrize(
    "said", ["0 restart peer=none", "0 restart peer=none kind=board", "0 restart peer=none via=snmp"]
)
def test_a_restart_that_is_only_announced_or_of_a_part_forgets_nothing(said: str) -> None:
    story = tell(f"{UP}{said}", until=900)
    assert story.told == []
    assert {peer.up for peer in story.correlator.peers()} == {True}


def test_what_it_says_of_a_board_in_the_same_moment_hides_nothing() -> None:
    story = tell(f"{UP}-1 restart peer=none kind=board via=snmp\n{DONE} via=log\n{BACK}", until=900)
    assert len(parents(story.told)) == 1


@pytest.mark.parametrize("again", ["0.2", "3", "30", "100", "200", "299"])
def test_a_restart_told_again_is_the_same(again: str) -> None:
    twice = f"{again} restart peer=none state=done via=trap\n"
    text = sorted(f"{UP}{DONE}\n{twice}{BACK}".splitlines(), key=lambda line: float(line.split()[0]))
    assert parents(tell("\n".join(text), until=900).told) == [f"{WAIT} opened device_outage major"]
    whole = sorted(f"{UP}{DONE}\n{twice}{each('start', 40)}".splitlines(), key=lambda line: float(line.split()[0]))
    assert tell("\n".join(whole), until=1200).told == []


def test_a_word_of_it_that_starts_have_overtaken_takes_nothing_back() -> None:
    story = tell(f"{UP}{each('start', 0, NAMES[:15])}60 restart peer=none state=done", until=900)
    assert parents(story.told) == [f"{60 + WAIT} opened device_outage major"]
    assert {peer.peer for peer in story.correlator.peers() if peer.up} == set(NAMES[:15])


def test_a_second_restart_later_is_another_one() -> None:
    story = tell(f"{UP}{DONE}\n{each('start', 40)}3600 restart peer=none state=done", until=5000)
    assert parents(story.told) == [f"{3600 + WAIT} opened device_outage critical"]


def test_a_restart_of_eventd_loses_nobody() -> None:
    text = f"{UP}{DONE}\n{BACK}100 linkup peer=none interface=GE9"
    story = tell(text, until=900)
    again = tell(text, until=900, restarts=tuple(range(15, len(text.splitlines()))))
    assert again.picture() == story.picture()
    assert parents(again.told) == parents(story.told) != []


def test_who_waits_for_traffic_is_not_missed() -> None:
    known = Inventory(peers=tuple(Peer(address=name, trigger="traffic") for name in NAMES[15:]))
    assert tell(f"{UP}{DONE}\n{BACK}", until=900, known=known).told == []


def test_who_was_last_seen_up_long_ago_is_not_missed() -> None:
    text = each("start", -90_000, NAMES[15:]) + each("start", -900, NAMES[:15])
    assert tell(f"{text}{DONE}\n{BACK}", until=900).told == []


def test_who_was_down_before_is_told_once() -> None:
    story = tell(f"{UP}-500 stop dpd timeout peer={NAMES[19]}\n{DONE}\n{each('start', 40, NAMES[:19])}", until=900)
    assert [line for line in story.told if "opened" in line] == ["-485 opened tunnel_down major"]


def test_who_fails_afterwards_is_down_and_silence_is_no_recovery() -> None:
    fails = "".join(f"{60 + n * 30} fail authentication fail peer={NAMES[19]}\n" for n in range(8))
    story = tell(f"{UP}{DONE}\n{each('start', 40, NAMES[:19])}{fails}", until=12_000)
    assert story.told[0] == f"{WAIT} opened tunnel_down major"
    (incident,) = story.final.values()
    assert (incident.kind, incident.status) == ("tunnel_down", "open")
    assert incident.cause is not None
    assert incident.cause.name == "authentication fail"


def test_who_waits_for_traffic_and_then_fails_is_down() -> None:
    known = Inventory(peers=(Peer(address=NAMES[19], trigger="traffic"),))
    fails = f"1000 fail authentication fail peer={NAMES[19]}\n1030 fail authentication fail peer={NAMES[19]}"
    story = tell(f"{UP}{DONE}\n{each('start', 40, NAMES[:19])}{fails}", until=9000, known=known)
    assert story.told[0] == "1015 opened tunnel_down major"
    assert story.last.status == "open"


def test_what_failed_beside_a_working_tunnel_is_down_when_that_is_gone() -> None:
    name = NAMES[19]
    fails = "".join(f"{at} fail authentication fail peer={name} flow=B\n" for at in (-60, -30))
    story = tell(f"{UP}{fails}{DONE}\n{each('start', 40, NAMES[:19])}", until=9000)
    assert story.final[story.last.id].status == "open"
    assert story.last.kind == "tunnel_down"


def test_peers_that_the_other_unit_has_taken_over_are_not_missed() -> None:
    up = each("start", -900, more="device=FW1 local=1.1.1.1")
    moved = each("start", -400, NAMES[:17], more="device=FW2 local=1.1.1.1")
    story = tell(f"{up}{moved}0 restart peer=none state=done device=FW1", until=900)
    assert {incident.peer for incident in story.final.values() if incident.kind == "tunnel_down"} == set(NAMES[17:])


def test_a_twin_that_takes_them_over_while_they_are_awaited_ends_it() -> None:
    up = each("start", -900, more="device=FW1 local=1.1.1.1")
    moved = each("start", 100, more="device=FW2 local=1.1.1.1")
    assert tell(f"{up}0 restart peer=none state=done device=FW1\n{moved}", until=900).told == []


def test_a_dead_unit_that_boots_again_has_not_got_what_nobody_took_over() -> None:
    """Held to be lost, because others moved and it said nothing; that it speaks again is then no all-clear."""
    up = each("start", -900, more="device=FW1 local=1.1.1.1")
    moved = each("start", -130, NAMES[:15], more="device=FW2 local=1.1.1.1")
    story = tell(f"{up}{moved}0 restart peer=none state=done device=FW1", until=900)
    missed = {incident.peer for incident in story.final.values() if incident.kind == "tunnel_down"}
    assert missed == set(NAMES[15:])


def test_a_second_hub_with_tunnels_of_its_own_hides_nothing() -> None:
    up = each("start", -900, more="device=FW2 local=1.1.1.9") + each("start", -800, more="device=FW1 local=1.1.1.1")
    rekeys = each("start", -300, more="device=FW2 local=1.1.1.9")
    back = each("start", 40, NAMES[:15], more="device=FW1 local=1.1.1.1")
    story = tell(f"{up}{rekeys}0 restart peer=none state=done device=FW1\n{back}", until=900)
    assert len(parents(story.told)) == 1


def test_a_step_of_the_clock_does_not_shorten_the_wait() -> None:
    state = tell(f"{UP}{DONE}", until=20).correlator
    device = next(iter(state.fleet.devices.values()))
    before, case = device.restarted, next(iter(state.fleet.peers.values())).case
    assert case is not None
    due = case.back_by
    for one in (device, next(iter(state.fleet.peers.values()))):
        rebase.shift(one, 3600)
    assert (device.restarted - before, case.back_by - due) == (3600, 3600)


def refusals(names: list[str], at: float, times: int = 6) -> str:
    return "".join(each("fail authentication fail", at + n * 40, names) for n in range(times))


def of(story: Story) -> Incident:
    return next(incident for incident in story.final.values() if incident.kind == "device_outage")


def test_those_that_are_refused_after_a_restart_are_missing_for_that_reason() -> None:
    rest = sorted(refusals(NAMES[15:], 60).splitlines(), key=lambda line: float(line.split()[0]))
    parent = of(tell(f"{UP}{DONE}\n{BACK}" + "\n".join(rest), until=900))
    assert parent.cause is not None
    assert parent.cause.name == "authentication fail"
    assert parent.title == "FW1 lost 5 of 20 peers: authentication fail, since 10:00 UTC"
    assert any("device restarted" in line for line in parent.chain)
    assert any("Step for authentication fail" in step for step in parent.actions)


@pytest.mark.parametrize("left", [3, 8])
def test_what_those_that_are_left_find_out_later_is_told_with_the_outage_of_many(left: int) -> None:
    """They were told with all the others, as lost in the restart, long before they tried again."""
    stops = each("stop dpd timeout", 5)
    late = sorted(refusals(NAMES[:left], 700, 2).splitlines(), key=lambda line: float(line.split()[0]))
    story = tell(f"{UP}0 restart peer=none\n{stops}{each('start', 300, NAMES[left:])}" + "\n".join(late), until=1500)
    parent = of(story)
    assert parent.cause is not None
    assert parent.cause.name == "authentication fail"
    said = [change.incident.news or "" for _, change in story.changes if change.notify and change.what == "updated"]
    assert said[-1].startswith(f"{left} still missing (")
    assert said[-1].endswith("authentication fail")
    assert len(said) == 2


def test_when_all_are_refused_after_a_restart_the_outage_says_so_later() -> None:
    stops = each("stop dpd timeout", 5)
    late = sorted(refusals(NAMES, 700, 2).splitlines(), key=lambda line: float(line.split()[0]))
    story = tell(f"{UP}0 restart peer=none\n{stops}" + "\n".join(late), until=1500)
    cause = of(story).cause
    assert cause is not None
    assert cause.name == "authentication fail"
    assert [change.incident.news for _, change in story.changes if change.notify and change.what == "updated"] == [
        "cause known"
    ]


# --- the word of an SNMP agent --------------------------------------------------------------------------------------

COLD = "0 restart peer=none state=done kind=agent via=snmp"


def told_of(*parts: str) -> Story:
    text = "\n".join(line for part in parts for line in part.splitlines())
    return tell("\n".join(sorted(text.splitlines(), key=lambda line: float(line.split()[0]))), until=900)


def test_the_word_of_an_agent_alone_loses_nobody() -> None:
    story = told_of(UP, COLD)
    assert story.told == []
    assert {peer.up for peer in story.correlator.peers()} == {True}
    assert all(
        tunnel.since < EPOCH for peer in story.correlator.fleet.peers.values() for tunnel in peer.tunnels.values()
    )


@pytest.mark.parametrize(
    "shown",
    [
        "-90 linkup peer=none interface=GE1",
        "20 linkup peer=none interface=GE1",
        "-600 restart peer=none state=begun",
        "-600 restart peer=none kind=command state=ordered Command=reboot",
        "20 restart peer=none state=done",
        f"100 start peer={NAMES[0]}",
        f"-60 start peer={NAMES[0]}",
        f"100 fail authentication fail peer={NAMES[0]}",
    ],
)
def test_with_anything_else_that_shows_it_a_restart_is_one(shown: str) -> None:
    story = told_of(UP, COLD, shown)
    assert [line.split()[1:3] for line in parents(story.told)] == [["opened", "device_outage"]]
    assert 18 <= len([one for one in story.final.values() if one.kind == "tunnel_down"]) <= 20


@pytest.mark.parametrize(
    "nothing",
    [
        f"-100 stop dpd timeout peer={NAMES[0]}\n-90 start peer={NAMES[0]}",
        f"-60 start peer={NAMES[0]} tunnel_index=9\n-58 stop phase2 hard expiry peer={NAMES[0]} tunnel_index=3",
        f"100 start peer={NAMES[0]} tunnel_index=9\n102 stop phase2 hard expiry peer={NAMES[0]} tunnel_index=3",
        f"100 stop phase2 hard expiry peer={NAMES[0]}\n102 start peer={NAMES[0]}",
        "20 fail authentication fail peer=9.9.9.9\n50 fail authentication fail peer=9.9.9.9",
        "20 start peer=9.9.9.9",
        "20 restart peer=none kind=board",
        "-600 linkup peer=none interface=GE1",
    ],
)
def test_what_an_agent_that_restarts_alone_leaves_as_it_is_shows_nothing(nothing: str) -> None:
    story = told_of(UP.replace("peer=", "tunnel_index=3 peer="), COLD, nothing)
    assert {peer.up for peer in story.correlator.peers() if peer.peer in NAMES} == {True}
    assert [line for line in story.told if "9.9.9.9" not in line and "negotiation" not in line] == []


def test_a_tunnel_that_really_stops_after_it_is_an_outage_of_its_own() -> None:
    story = told_of(UP, COLD, f"100 stop dpd timeout peer={NAMES[0]}")
    assert story.told == ["115 opened tunnel_down major"]
    assert story.last.cause is not None
    assert story.last.cause.name == "dpd timeout"


def test_a_peer_that_failed_beside_its_tunnel_still_does() -> None:
    fails = "\n".join(f"{at} fail authentication fail peer={NAMES[0]} flow=B" for at in (-60, -30, 10))
    story = told_of(UP, fails, COLD)
    [incident] = story.final.values()
    assert (incident.kind, incident.status, incident.severity) == ("negotiation_failing", "open", "warning")
