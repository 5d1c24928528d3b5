"""Stops with an outage reason: the hold, one or several tunnels, recovery, reminders, the lost all-clear."""

from itertools import pairwise

import pytest
from correlate_strategies import inventory, tell, timeline
from msgspec.structs import replace

from eventd.correlate import Settings
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Event

HOUR = 3600


def test_a_stop_without_a_start_opens_after_the_hold_with_the_time_of_the_stop() -> None:
    story = tell("0 stop dpd timeout interface=GigabitEthernet0/0/1")
    assert story.told == ["15 opened tunnel_down major"]
    incident = story.last
    assert incident.opened_at.isoformat() == "2026-01-05T10:00:00+00:00"
    assert (incident.device, incident.peer, incident.vsys) == ("FW1", "2.1.1.1", "public")
    assert incident.interface == "GigabitEthernet0/0/1"
    assert incident.cause is not None
    assert incident.cause.name == "dpd timeout"
    assert incident.fault_side == "path"
    assert incident.url == f"https://eventd.example/incidents/{incident.id}"
    assert incident.actions == ("Step for dpd timeout", "Step for all")


def test_a_start_within_the_hold_tells_nobody() -> None:
    story = tell("0 stop dpd timeout\n14 start")
    assert story.told == []
    assert story.suppressed == ["recovered-in-hold"]


def test_a_start_at_the_very_end_of_the_hold_is_too_late() -> None:
    assert tell("0 stop dpd timeout\n15 start").told[0] == "15 opened tunnel_down major"


def test_an_unknown_reason_and_no_reason_are_outages_too() -> None:
    assert tell("0 stop quantum flux").told == ["15 opened tunnel_down major"]
    assert tell("0 stop").told == ["15 opened tunnel_down major"]


def test_the_severity_comes_from_the_reason() -> None:
    story = tell("0 stop peer request")
    assert story.told == ["15 opened tunnel_down warning"]
    assert story.last.fault_side == "remote"


def test_it_resolves_when_it_stayed_up_for_the_recovery_hold() -> None:
    story = tell("0 stop dpd timeout\n100 start")
    assert story.told == ["15 opened tunnel_down major", "105 resolved tunnel_down major"]
    assert story.last.status == "resolved"
    assert "1 min 45 s" in story.last.summary


def test_a_stop_inside_the_recovery_hold_keeps_it_open() -> None:
    story = tell("0 stop dpd timeout\n100 start\n103 stop dpd timeout")
    assert story.told == ["15 opened tunnel_down major"]


def test_stop_and_start_match_although_each_lacks_what_the_other_says() -> None:
    story = tell(
        """
        0   start flow=A interface=GE1 policy_seq=10
        50  stop dpd timeout policy_seq=10 ifindex=7
        60  start flow=A tunnel_index=9
        """
    )
    assert story.suppressed == ["recovered-in-hold"]


def test_a_start_of_another_flow_does_not_end_the_hold() -> None:
    story = tell("0 stop dpd timeout flow=A\n5 start flow=B")
    assert story.told == ["15 opened tunnel_degraded major"]


def test_another_peer_and_another_vsys_are_another_matter() -> None:
    story = tell("0 stop dpd timeout\n5 start peer=2.1.1.2\n6 start vsys=guests")
    assert story.told == ["15 opened tunnel_down major"]


def test_vsys_public_is_the_same_as_none() -> None:
    assert tell("0 stop dpd timeout vsys=Public\n5 start\n").told == []


def test_while_other_tunnels_are_up_it_is_degraded() -> None:
    story = tell("0 start flow=A\n0 start flow=B\n100 stop dpd timeout flow=A\n200 start flow=A")
    assert story.told == ["115 opened tunnel_degraded major", "205 resolved tunnel_degraded major"]


def test_degraded_becomes_down_when_the_last_tunnel_goes_and_the_label_never_changes() -> None:
    story = tell("0 start flow=A\n0 start flow=B\n100 stop dpd timeout flow=A\n200 stop dpd timeout flow=B")
    assert story.told == [
        "115 opened tunnel_degraded major",
        "215 resolved tunnel_degraded major",
        "215 opened tunnel_down major",
    ]
    degraded, down = story.final.values()
    assert down.id in degraded.summary
    assert down.opened_at.timestamp() - degraded.opened_at.timestamp() == 100


def test_a_last_tunnel_that_comes_back_in_its_hold_leaves_it_degraded() -> None:
    story = tell(
        "0 start flow=A\n0 start flow=B\n100 stop dpd timeout flow=A\n200 stop dpd timeout flow=B\n210 start flow=B"
    )
    assert story.told == ["115 opened tunnel_degraded major"]


def test_a_proof_of_being_up_older_than_a_day_counts_no_more() -> None:
    story = tell(f"0 start flow=A\n{25 * HOUR} stop dpd timeout flow=B")
    assert story.told == [f"{25 * HOUR + 15} opened tunnel_down major"]


def test_many_tunnels_of_one_peer_are_one_incident() -> None:
    lines = [f"0.{n:02} stop dpd timeout flow={n}" for n in range(50)]
    lines += [f"60.{n:02} start flow={n}" for n in range(50)]
    story = tell("\n".join(lines))
    assert story.told == ["15 opened tunnel_down major", "65 resolved tunnel_down major"]
    assert len(story.last.chain) <= 31


def test_tunnels_left_behind_by_a_recovery_are_told_as_degraded() -> None:
    story = tell("0 stop dpd timeout flow=A\n0 stop dpd timeout flow=B\n60 start flow=A")
    assert story.told == [
        "15 opened tunnel_down major",
        "65 resolved tunnel_down major",
        "80 opened tunnel_degraded warning",
    ]


def test_tunnels_left_behind_wait_for_traffic_where_the_inventory_says_so() -> None:
    known = inventory(trigger="traffic")
    story = tell("0 stop dpd timeout flow=A\n0 stop dpd timeout flow=B\n60 start flow=A", known=known)
    assert story.told[-1] == "65 resolved tunnel_down major"
    assert story.suppressed == ["waits-for-traffic"]


def test_phase_1_alone_resolves_but_only_after_a_minute_without_failures() -> None:
    assert tell("0 stop dpd timeout\n100 phase1").told[-1] == "160 resolved tunnel_down major"
    story = tell("0 stop dpd timeout\n100 phase1\n130 fail phase2 proposal or pfs mismatch")
    assert story.told[-1] == "130 updated tunnel_down major"


def test_phase_1_in_the_hold_buys_phase_2_a_minute() -> None:
    assert tell("0 stop dpd timeout\n10 phase1").suppressed == ["recovered-in-hold"]
    assert tell("0 stop dpd timeout\n10 phase1\n20 stop dpd timeout").told == ["35 opened tunnel_down major"]


def test_phase_1_proves_nothing_about_a_failing_phase_2() -> None:
    story = tell("0 stop dpd timeout\n20 fail phase2 proposal or pfs mismatch\n40 phase1", until=600)
    assert story.correlator.open_incidents()


def test_an_open_outage_is_recalled_every_four_hours_and_marked_stale_after_a_day() -> None:
    story = tell("0 stop dpd timeout", until=25 * HOUR)
    told = [line.split()[0] for line in story.told]
    assert told == [str(n) for n in [15, *(15 + 4 * HOUR * n for n in range(1, 7))]]
    assert "all-clear may have been lost" in story.last.summary
    assert story.last.status == "open"


def test_nobody_is_told_twice_within_minutes_that_it_is_still_open() -> None:
    """The reminder of the twenty-fourth hour and the word that nothing was heard for a day are one message."""
    story = tell("0 stop dpd timeout\n300 fail authentication fail", until=100_000)
    times = [float(line.split()[0]) for line in story.told]
    assert len(times) == 8
    assert all(later - earlier > 3600 for earlier, later in pairwise(times[1:]))


def test_a_sign_after_it_was_stale_makes_it_fresh_again() -> None:
    story = tell(f"0 stop dpd timeout\n{25 * HOUR} fail max transmit reached")
    assert "all-clear" not in story.last.summary


def test_status_messages_are_stops_and_starts() -> None:
    assert tell("0 status dpd timeout state=down\n10 status state=up").suppressed == ["recovered-in-hold"]
    assert tell("0 status dpd timeout state=down\n100 status state=up").told[-1] == "105 resolved tunnel_down major"


def test_an_sla_probe_without_answer_is_an_outage_until_it_clears() -> None:
    story = tell("0 sla-down\n100 sla-down state=clear")
    assert story.told == ["15 opened tunnel_down major", "105 resolved tunnel_down major"]


def test_a_lost_ike_sa_is_an_outage_and_an_expired_one_is_not() -> None:
    assert tell("0 phase1-down dpd timeout").told == ["15 opened tunnel_down major"]
    assert tell("0 phase1-down").told == []


def test_what_happened_on_the_device_is_in_the_chain() -> None:
    story = tell(
        """
        0 linkdown peer=none interface=GE1
        1 linkdown peer=none interface=GE2
        3 stop dpd timeout interface=GE1
        """
    )
    assert story.last.chain[:2] == (
        "10:00:00 link went down (GE1), 3 s before",
        "10:00:03 tunnel stopped: dpd timeout",
    )
    assert not any("GE2" in line for line in story.last.chain)
    assert story.suppressed == ["context", "context"]


def test_the_standby_unit_is_never_counted() -> None:
    story = tell("0 stop dpd timeout standby=yes\n1 stop receive backup delete info")
    assert story.told == []
    assert story.suppressed == ["standby", "standby"]


def test_the_inventory_names_the_peer() -> None:
    known = inventory(name="Branch-5", site="Oslo", runbook_url="https://wiki.example/b5", tags=("gold",))
    incident = tell("0 stop dpd timeout", known=known).last
    assert (incident.peer_name, incident.site, incident.tags) == ("Branch-5", "Oslo", ("gold",))
    assert incident.runbook_url == "https://wiki.example/b5"
    assert "Branch-5 (2.1.1.1)" in incident.summary


def test_a_status_that_nobody_understands_proves_nothing() -> None:
    story = tell("0 stop dpd timeout\n100 status state=unknown", until=600)
    assert story.told == ["15 opened tunnel_down major"]
    assert story.suppressed == ["context"]


def test_a_stop_of_another_tunnel_does_not_delay_the_recovery_of_the_first() -> None:
    story = tell("0 stop dpd timeout flow=A\n60 start flow=A\n62 stop dpd timeout flow=B")
    assert story.told == [
        "15 opened tunnel_down major",
        "65 resolved tunnel_down major",
        "80 opened tunnel_degraded warning",
    ]


def test_a_long_hold_is_kept_after_a_sign_of_life_that_came_to_nothing() -> None:
    story = tell("0 stop dpd timeout\n10 phase1\n20 stop dpd timeout", until=300, settings=Settings(outage_hold=120.0))
    assert story.told == ["140 opened tunnel_down major"]


def test_a_warning_about_a_peer_without_any_tunnel_becomes_major() -> None:
    story = tell("0 stop peer request", until=1000)
    assert story.told == ["15 opened tunnel_down warning", "900 updated tunnel_down major"]


def test_a_proof_too_old_to_be_trusted_does_not_keep_the_peer_up() -> None:
    (peer,) = tell(f"0 start flow=A\n{25 * HOUR} stop dpd timeout flow=B").correlator.peers()
    assert (peer.up, peer.tunnels_up, peer.tunnels_down) == (False, 0, 1)


def test_a_stop_without_a_peer_is_ended_by_any_start_at_its_place() -> None:
    stop = "0 stop dpd timeout peer=none interface=GE1 policy=branches"
    for place in ("interface=GE1 policy=branches", "interface=GE1"):
        story = tell(f"{stop}\n100 start {place}")
        assert story.told == ["15 opened tunnel_down major", "105 resolved tunnel_down major"]
        assert tell(f"{stop}\n9 start {place}").told == []
    for other in ("interface=GE2", "interface=GE1 policy=other", "vsys=guests interface=GE1"):
        assert tell(f"{stop}\n100 start {other}").told == ["15 opened tunnel_down major"]


def test_a_stop_without_a_peer_shows_no_placeholder() -> None:
    steps = ("Ping <peer> twice", "Run `reset ike sa remote <peer>`", "Look at the log")
    at, event = timeline("0 stop dpd timeout peer=none interface=GE1")[0]
    assert event.reason is not None
    event = replace(event, reason=replace(event.reason, actions=steps))
    assert tell([(at, event)]).last.actions == ("Ping the peer twice", "Look at the log")


def test_the_steps_of_an_expected_reason_do_not_contradict_the_alert() -> None:
    def with_steps(line: str, *steps: str) -> tuple[float, Event]:
        at, event = timeline(line)[0]
        assert event.reason is not None
        return at, replace(event, reason=replace(event.reason, actions=steps))

    stop = with_steps("0 stop kick old sa with same flow", "Nothing to do", "Compare the ACLs")
    fail = with_steps("3 fail authentication fail", "Compare the keys")
    assert tell([stop]).last.actions == ("Compare the ACLs",)
    assert tell([stop, fail]).last.actions == ("Compare the keys",)


def test_the_title_is_short_and_a_reminder_says_how_long_it_has_lasted() -> None:
    story = tell("0 stop dpd timeout", until=4 * HOUR + 100, known=inventory(name="branch-001"))
    opened, reminded = (change.incident for _, change in story.changes)
    assert opened.title == "branch-001 down on FW1: dpd timeout, since 10:00 UTC"
    assert opened.news is None
    assert (reminded.title, reminded.news) == (opened.title, "STILL DOWN for 4 h")
    assert story.correlator.open_incidents()[0].title == opened.title
    over = tell("0 stop dpd timeout\n100 start", known=inventory(name="branch-001")).last
    assert over.title == "branch-001 up again on FW1 after 1 min 45 s"


def test_a_title_stays_short_whatever_the_device_writes() -> None:
    assert len(tell("0 stop " + "x" * 999).last.title) == 120
    named = tell("0 stop dpd timeout peer=none interface=GE1").last.title
    assert named == "an unnamed peer on GE1 down on FW1: dpd timeout, since 10:00 UTC"


def test_a_stop_whose_remote_address_is_none_is_told_by_what_is_known() -> None:
    last = tell("0 stop dpd timeout peer=none interface=GE1 no_address=300.1.1.1 flow=A").last
    assert last.title == "an unnamed peer (given as 300.1.1.1) on GE1 down on FW1: dpd timeout, since 10:00 UTC"
    assert last.chain[0] == "10:00:00 tunnel stopped: dpd timeout (remote address given as 300.1.1.1, flow A)"
    assert "the tunnel to an unnamed peer (given as 300.1.1.1) on GE1 is down" in last.summary
    assert "tunnel stopped: dpd timeout (flow A)" in tell("0 stop dpd timeout peer=none flow=A").last.chain[0]


def test_a_line_without_a_name_is_told_by_its_index() -> None:
    chain = tell("0 linkdown ifindex=7\n1 stop dpd timeout ifindex=7").last.chain
    assert chain[0] == "10:00:00 link went down (interface index 7), 1 s before"


def test_a_title_that_is_too_long_loses_names_before_its_cause() -> None:
    known = Inventory(peers=[Peer(address=f"10.0.0.{n}", name=f"branch-{n}-" + "x" * 40) for n in (1, 2)])
    stops = "".join(f"{n} stop dpd timeout peer=10.0.0.{n} interface=GE1\n" for n in (1, 2))
    titles = [i.title for i in tell(f"0 linkdown interface=GE1\n{stops}", known=known).final.values()]
    [title] = [title for title in titles if title.startswith("FW1 lost")]
    assert title == "FW1 lost 2 peers on GE1: link went down, since 10:00 UTC"
    one = Inventory(peers=[Peer(address="2.1.1.1", name="x" * 200)])
    cut = tell("0 stop dpd timeout", known=one).last.title
    assert len(cut) == 120
    assert cut.endswith("x…: dpd timeout, since 10:00 UTC")


def test_the_device_that_was_lost_is_named_once() -> None:
    known = Inventory(devices=[Device(name="HUB", addresses=("2.1.1.1",))])
    stops = "".join(f"{n} stop dpd timeout device=BR{n} local=3.1.1.{n}\n" for n in range(1, 4))
    [lost] = [i for i in tell(stops, known=known).final.values() if i.kind == "peer_outage"]
    assert lost.summary.startswith("HUB (2.1.1.1) was lost by 3 devices: dpd timeout")


def test_a_title_says_on_which_day_it_began_if_that_was_another_one() -> None:
    assert tell("0 stop dpd timeout", until=20 * HOUR).last.title.endswith(": dpd timeout, since 05 Jan 10:00 UTC")


@pytest.mark.parametrize(
    "line", ["heal slot=1", "capacity severity=major", "security severity=major", "fail authentication fail", "stop"]
)
def test_every_kind_has_a_title_open_and_over(line: str) -> None:
    story = tell(f"0 {line}\n1 {line}\n200 start", until=8000)
    assert {change.incident.status for _, change in story.changes} == {"open", "resolved"}
    assert all(0 < len(change.incident.title) <= 120 for _, change in story.changes)
