"""A tunnel that goes over to another line of the same device is not lost: the same networks of the same peer are up."""

import pytest
from correlate_strategies import Story, tell

from eventd.correlate import Settings

#: Words in a timeline have no blanks: the flows of devices do.
NETWORKS = "10.0.0.0/16,10.9.20.0/24"
ONE, TWO = "interface=GE1 local=198.51.100.1", "interface=GE2 local=198.51.200.1"
KICK = "stop kick old sa with same flow"


def story(text: str, flow: str = NETWORKS, until: float = 90_000) -> Story:
    lines = (line if "flow=" in line else f"{line} flow={flow}" for line in text.splitlines())
    return tell("\n".join(lines), until=until)


def told(text: str, flow: str = NETWORKS) -> list[str]:
    return [what for line in story(text, flow).told if "updated" not in (what := " ".join(line.split()[1:4]))]


LOST = f"0 start {ONE}\n600 stop dpd timeout {ONE}\n"


def test_it_ends_the_incident_and_says_over_which_line() -> None:
    one = story(f"{LOST}640 start {TWO}\n4200 stop peer request {TWO}\n4203 start {ONE}")
    assert [line.split()[:3] for line in one.told] == [
        ["615", "opened", "tunnel_down"],
        ["645", "resolved", "tunnel_down"],
    ]
    assert one.last.title == "2.1.1.1 up again on FW1 over GE2 after 45 s"
    assert "(back over GE2)" in one.last.summary
    assert one.last.chain[-1].endswith("tunnel started over GE2")
    assert [(peer.up, peer.tunnels_up, peer.tunnels_down) for peer in one.correlator.peers()] == [(True, 1, 0)]


@pytest.mark.parametrize(
    "text",
    [
        f"{LOST}605 start {TWO}",
        f"0 start {ONE}\n599 start {TWO}\n600 stop peer request {ONE}",
        f"0 start {ONE}\n480 start {TWO}\n600 stop dpd timeout {ONE}",  # a dead line is noticed late
        f"0 start {ONE}\n480 start {TWO}\n3600 stop phase2 hard expiry {ONE}",  # or never, until its SA has run out
        f"0 start {TWO}\n600 start {ONE}\n600.4 {KICK} {TWO}",
        f"0 start {ONE}\n0 start {TWO}\n3600 {KICK} {ONE}",
        f"600 {KICK} {ONE}\n600.4 start {TWO}",
        f"0 start {ONE}\n480 start {TWO}\n500 start {ONE}\n501 stop peer request {TWO}",  # and at once back again
        f"0 start {ONE}\n480 start {TWO}\n500 stop peer request {TWO}\n501 start {ONE}",
    ],
)
def test_within_the_hold_or_before_the_stop_nobody_is_told(text: str) -> None:
    one = story(text)
    assert one.told == []
    assert "other-line" in one.suppressed
    assert [(peer.up, peer.tunnels_down) for peer in one.correlator.peers()] == [(True, 0)]


def test_it_may_go_there_and_back_at_any_time() -> None:
    there_and_back = f"{LOST}640 start {TWO}\n4240 stop peer request {TWO}\n4300 start {ONE}"
    lives = [("opened", "major"), ("resolved", "major"), ("opened", "warning"), ("resolved", "warning")]
    assert told(there_and_back) == [f"{what} tunnel_down {severity}" for what, severity in lives]


PAIR = f"0 start {ONE}\n1 start {TWO}\n"


def test_one_of_two_lines_that_were_both_up_for_long_is_a_warning() -> None:
    one = story(f"{PAIR}3590 start {TWO}\n3600 stop dpd timeout {ONE}\n7200 start {ONE}")
    assert [" ".join(line.split()[:4]) for line in one.told] == [
        "3615 opened tunnel_degraded warning",
        "7205 resolved tunnel_degraded warning",
    ]
    opened = next(change.incident for _, change in one.changes if change.notify)
    assert "while another one carries its traffic" in opened.summary


def test_with_the_other_one_it_is_an_outage_and_stays_one_line_short_when_that_is_back() -> None:
    both = f"{PAIR}3590 start {TWO}\n3600 stop dpd timeout {ONE}\n4000 stop dpd timeout {TWO}\n4100 start {TWO}"
    assert told(both) == [
        "opened tunnel_degraded warning",
        "resolved tunnel_degraded warning",
        "opened tunnel_down major",
        "resolved tunnel_down major",
        "opened tunnel_degraded warning",
    ]


@pytest.mark.parametrize(
    ("before", "severity"),
    [
        (f"{PAIR}3570 start {TWO}", "warning"),  # it began anew while the other one was dead already
        (f"{PAIR}3569 start {TWO}", "major"),
        (
            f"{PAIR}3599 linkdown interface=GE1",
            "warning",
        ),  # which explains the loss, and is no matter of the other line
        (f"{PAIR}3599 linkdown interface=GE1\n3599 linkdown interface=GE2", "major"),
        (f"0 start {TWO}\n400 start {ONE}\n3599 linkdown interface=GE1", "major"),  # they may never have been a pair
    ],
)
def test_what_is_left_has_to_be_proven(before: str, severity: str) -> None:
    assert told(f"{before}\n3600 stop dpd timeout {ONE}") == [f"opened tunnel_degraded {severity}"]


def test_it_may_be_proven_later() -> None:
    one = story(f"{PAIR}3600 stop dpd timeout {ONE}\n3700 start {TWO}")
    assert one.told[0].split()[1:4] == ["opened", "tunnel_degraded", "major"]
    assert "carries its traffic" in one.last.summary
    assert "unproven" not in one.last.title


LESS = f"{PAIR}3600 stop dpd timeout {ONE}"


@pytest.mark.parametrize(
    ("before", "one", "other", "expected"),
    [
        (LESS, f"stop phase2 hard expiry {ONE}", f"start {TWO}", "open warning"),  # it is missed as before
        (LESS, f"{KICK} {ONE}", f"start {TWO}", "resolved"),  # the device has them no pair
        (f"{LESS}\n3700 stop dpd timeout {TWO}\n3800 start {ONE}", f"{KICK} {ONE}", f"start {TWO}", "resolved"),
        (LESS, f"start {ONE}", f"stop dpd timeout {TWO}", "open warning"),  # one line is out, now that one
    ],
)
def test_of_a_pair_the_order_within_a_moment_decides_nothing(before: str, one: str, other: str, expected: str) -> None:
    found = [story(f"{before}\n4000 {first}\n4000.5 {second}") for first, second in ((one, other), (other, one))]
    assert len(found[0].final) == len(found[1].final)
    for ended in (one.last for one in found):
        assert f"{ended.kind} {ended.status} {ended.severity}".startswith(f"tunnel_degraded {expected}")


@pytest.mark.parametrize(
    ("before", "one", "other", "after"),
    [
        (f"600 stop dpd timeout {ONE}", f"stop phase2 hard expiry {ONE}", f"start {TWO}", TWO),  # it was lost before
        (f"600 stop phase2 hard expiry {ONE}", f"start {ONE}", f"{KICK} {TWO}", ONE),  # of which nothing was known
        (f"300 start {TWO}\n301 {KICK} {ONE}\n600 {KICK} {TWO}", f"start {ONE}", f"{KICK} {TWO}", ONE),  # that, too
    ],
)
def test_an_end_that_ended_nothing_is_no_up_or_down(before: str, one: str, other: str, after: str) -> None:
    """Down, up, down, up: it flaps, in whichever order what was sent in one moment arrives."""
    text = f"0 start {ONE}\n{before}\n{{}}\n1100 stop dpd timeout {after}\n1130 start {after}"
    sent = f"1001 {one} seq=101 stamp=1000", f"1001 {other} seq=102 stamp=1000.5"
    for moment in (sent, sent[::-1]):
        assert "opened flapping" in " ".join(told(text.format("\n".join(moment))))


def test_what_comes_back_for_a_moment_is_still_out() -> None:
    assert told(f"{LESS}\n4000 start {ONE}\n4002 stop dpd timeout {ONE}") == ["opened tunnel_degraded major"]


def test_a_stop_that_says_where_the_networks_are_ends_the_matter() -> None:
    held = story(f"{LESS}\n3605 {KICK} {ONE}")
    assert held.told == []
    assert "other-line" in held.suppressed
    ended = story(f"{LESS}\n4000 {KICK} {ONE}").last
    assert ended.chain[-1].endswith("its networks are up over GE2")
    assert "(back over GE2)" in ended.summary


def test_of_many_that_are_out_the_number_is_told_and_not_half_a_name() -> None:
    flows = [f"flow=10.113.{n}.0/24,10.1.0.0/24" for n in range(5)]
    starts = "\n".join(f"{n} start {ONE} {flow}" for n, flow in enumerate(flows))
    stops = "\n".join(f"{3600 + n} stop dpd timeout {ONE} {flow}" for n, flow in enumerate(flows[:3]))
    one = story(f"{starts}\n{stops}", until=4000)
    assert "partly down on FW1 (3 tunnels), others unproven: " in one.last.title
    assert one.last.summary.startswith("FW1: 3 tunnels to 2.1.1.1 are down, and nothing has shown since")


def test_what_is_cut_off_beside_a_lost_line_is_told_as_that() -> None:
    one = story(
        f"{PAIR}2 start {TWO} rule=9 flow=A\n3600 stop dpd timeout {ONE}\n3999 start {TWO}\n"
        f"4000 stop dpd timeout {TWO} rule=9 flow=A"
    )
    assert one.last.severity == "major"
    assert "is cut off" in one.last.summary
    assert "Out is A, GE1." in one.last.summary


@pytest.mark.parametrize("flow", ["0.0.0.0/0,0.0.0.0/0", "A"])
def test_a_flow_that_names_no_networks_is_no_identity(flow: str) -> None:
    assert told(f"{LOST}601 start {TWO}", flow) == ["opened tunnel_degraded warning"]


def test_another_flow_or_vsys_is_another_tunnel() -> None:
    assert told(f"{LOST}640 start {TWO} flow=10.0.0.0/16,10.9.21.0/24")[-1] == "opened tunnel_degraded warning"
    assert told(f"{LOST}640 start {TWO} vsys=vpn2") == ["opened tunnel_down major"]


def test_what_keeps_going_from_line_to_line_flaps() -> None:
    lines = "\n".join(
        f"{at} stop dpd timeout {old}\n{at + 20} start {new}"
        for at, old, new in [(600, ONE, TWO), (700, TWO, ONE), (800, ONE, TWO)]
    )
    assert told(f"0 start {ONE}\n{lines}")[-2] == "opened flapping major"


def test_the_reason_may_come_after_the_stop() -> None:
    text = f"{PAIR}3600 stop {ONE} via=snmp\n3600.5 {KICK} {ONE} via=trap"
    assert told(text) == []


def test_by_the_devices_clock_a_start_before_the_stop_is_no_interruption() -> None:
    text = f"0 start {ONE} seq=1 stamp=0\n600 stop peer request {ONE} seq=3 stamp=600\n601 start {TWO} seq=2 stamp=599"
    assert told(text) == []


DEAD_LINE = f"0 start {ONE}\n600 linkdown interface=GE1\n602 stop dpd timeout {ONE}\n608 start {TWO}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5000 linkup interface=GE1", ["668 opened", "5000 resolved"]),
        (f"5000 start {ONE}", ["668 opened", "5000 resolved"]),  # whatever became of the message that it is up
        ("640 linkup interface=GE1", []),
        (f"609 stop dpd timeout {TWO}\n700 linkup interface=GE1", []),  # which is an outage, told as that
    ],
)
def test_a_line_whose_peers_have_all_gone_over_is_told_while_it_is_down(text: str, expected: list[str]) -> None:
    one = story(DEAD_LINE + text)
    assert [" ".join(line.split()[:2]) for line in one.told if "interface_outage" in line][:2] == expected


def test_a_line_that_is_down_reads_as_that() -> None:
    one = story(DEAD_LINE, until=700)
    assert one.last.title.startswith("FW1 lost line GE1, 1 peer (2.1.1.1) went over to GE2: link went down, since")
    assert (one.last.kind, one.last.severity, one.last.interface) == ("interface_outage", "warning", "GE1")
    assert one.last.actions[0].startswith("Look at that interface first")
    assert story(DEAD_LINE + "800 linkup interface=GE1").last.title == "FW1 has line GE1 again after 3 min 20 s"


def test_the_stop_that_began_an_incident_stays_its_cause_when_another_line_comes_up_at_once() -> None:
    ended = tell(
        f"0 start {ONE} flow={NETWORKS}\n600 stop dpd timeout {ONE} flow={NETWORKS}\n601 start {TWO} flow={NETWORKS}",
        settings=Settings(outage_hold=0),
    )
    assert ended.last.status == "resolved"
    assert ended.last.cause is not None
