"""A tunnel that keeps changing is told once."""

import pytest
from correlate_strategies import tell


def cycles(count: int, every: int = 60, down: int = 20) -> str:
    return "\n".join(f"{n * every} stop dpd timeout\n{n * every + down} start" for n in range(count))


def test_four_changes_in_the_window_replace_the_single_alerts() -> None:
    story = tell(cycles(2), until=200)
    assert story.told[-2:] == ["80 resolved tunnel_down major", "80 opened flapping major"]
    single, flapping = list(story.final.values())[-2:]
    assert flapping.id in single.summary


def test_however_long_it_goes_on_it_is_told_once_and_ends_when_quiet() -> None:
    story = tell(cycles(30), until=4000)
    flaps = [line for line in story.told if "flapping" in line]
    assert flaps == ["80 opened flapping major", "2660 resolved flapping major"]
    assert len([line for line in story.told if "tunnel_down" in line]) == 4
    assert story.last.count == 30, "stops, as everywhere"


def test_short_flaps_inside_the_hold_count_as_well() -> None:
    story = tell(cycles(3, every=20, down=3), until=1000)
    assert story.told == ["43 opened flapping warning", "943 resolved flapping warning"], (
        "nobody would have been told of any of them"
    )


def test_what_was_back_before_anybody_was_told_is_forgiven_once() -> None:
    assert tell(cycles(2, every=20, down=3), until=1000).told == []
    story = tell("0 stop dpd timeout\n60 start\n700 stop dpd timeout\n701 start", until=2000)
    assert [line.split()[1:3] for line in story.told] == [["opened", "tunnel_down"], ["resolved", "tunnel_down"]]


def test_a_stop_that_its_own_start_has_overtaken_is_a_short_one() -> None:
    late = [f"{n * 60} start stamp={n * 60 + 1}\n{n * 60 + 2} stop dpd timeout stamp={n * 60}" for n in range(1, 4)]
    assert tell("\n".join(["0 start stamp=0", *late[:2]]), until=400).told == []
    assert tell("\n".join(["0 start stamp=0", *late]), until=400).told == ["182 opened flapping warning"]


def test_down_when_quiet_becomes_an_outage_since_the_last_stop() -> None:
    story = tell(cycles(2) + "\n120 stop dpd timeout", until=2000)
    assert story.told[-2:] == ["1020 resolved flapping major", "1020 opened tunnel_down major"]
    assert story.last.opened_at.minute == 2


@pytest.mark.parametrize(("away", "severity"), [(40, "major"), (5, "warning")])
def test_it_is_as_grave_as_the_outages_that_were_told_before_it(away: int, severity: str) -> None:
    text = "\n".join(f"{n * 1800} stop dpd timeout\n{n * 1800 + away} start" for n in range(4))
    assert f"opened flapping {severity}" in tell(text, until=6000).told[-1]


def test_an_outage_of_another_day_makes_it_no_graver() -> None:
    short = "\n".join(f"{90_000 + n * 20} stop dpd timeout\n{90_003 + n * 20} start" for n in range(3))
    assert tell(f"0 stop dpd timeout\n60 start\n{short}", until=90_100).told[-1].endswith("opened flapping warning")


def test_slow_changes_do_not_flap() -> None:
    times = (0, 1000, 3500, 4600, 8000)
    text = "\n".join(f"{at} stop dpd timeout\n{at + 20} start" for at in times)
    assert not [line for line in tell(text).told if "flapping" in line]


def test_stops_at_a_steady_pace_are_a_timer_and_not_a_dead_peer() -> None:
    text = "\n".join(f"{n * 1200 + n % 2 * 30} stop dpd timeout\n{n * 1200 + 40} start" for n in range(6))
    story = tell(text, until=6100)
    assert [line.split()[1:3] for line in story.told if "flapping" in line] == [["opened", "flapping"]]
    assert story.last.cause is not None
    assert (story.last.cause.category, story.last.severity) == ("configuration", "major"), "as those told before"
    assert "every 20 min" in story.last.summary
    assert tell(text, until=20_000).last.status == "resolved"


@pytest.mark.parametrize(
    ("reason", "category", "meaning"),
    [
        ("peer request", "configuration", "a shorter lifetime"),
        ("dpd timeout", "configuration", "keepalives"),
        ("disconnect track nqa/bfd/vrrp", "policy-track", "Meaning of disconnect"),
    ],
)
def test_a_steady_pace_says_more_than_a_reason_that_does_not_say_why(reason: str, category: str, meaning: str) -> None:
    text = "\n".join(f"{n * 1800} stop {reason}\n{n * 1800 + 43} start" for n in range(6))
    found = tell(text, until=9100).last
    assert found.kind == "flapping"
    assert found.cause is not None
    assert found.cause.category == category
    assert meaning in (found.cause.meaning or "")


LIFETIMES = "\n".join(f"{n * 3600} stop phase2 hard expiry\n{n * 3600 + 90} start" for n in range(9))


def test_lifetimes_that_are_not_renewed_in_time_are_one_incident_with_their_pace() -> None:
    story = tell(LIFETIMES, until=9 * 3600)
    assert [line.split()[1:3] for line in story.told].count(["opened", "tunnel_down"]) == 3
    assert [line for line in story.told if "opened flapping" in line] == ["10830 opened flapping warning"]
    assert (story.last.severity, story.last.count) == ("warning", 9)
    assert story.last.cause is not None
    assert story.last.cause.category == "lifetime"
    assert "every 1 h" in story.last.summary
    assert story.last.chain[0] == "10:00:00 tunnel stopped (3 times, last 12:00:00)"
    assert tell(LIFETIMES, until=40_000).last.status == "resolved"


def test_a_lifetime_that_runs_out_for_longer_than_before_is_told_at_once() -> None:
    story = tell(f"{LIFETIMES}\n32400 stop phase2 hard expiry", until=33_000)
    assert story.told[-1] == "32580 updated flapping warning", "as grave as its reason says"
    assert "is down now" in story.last.summary


def test_what_is_replaced_in_time_does_not_keep_a_flapping_open() -> None:
    renewed = "\n".join(f"{n * 600} stop phase2 hard expiry\n{n * 600 + 9} start" for n in range(1, 9))
    story = tell(f"{cycles(4)}\n{renewed}", until=4000)
    assert story.told[-1] == "1100 resolved flapping major"


def test_what_flaps_and_then_stays_down_is_told_at_once() -> None:
    short = cycles(3, every=28, down=8)
    story = tell(f"{short}\n89 stop dpd timeout", until=400)
    assert story.told == ["64 opened flapping warning", "105 updated flapping major"]
    assert "is down now" in story.last.summary
    assert story.last.title.startswith("2.1.1.1 flapping on FW1 and down now")


def test_its_chain_tells_every_down_and_up_also_those_nobody_was_told_of() -> None:
    story = tell(cycles(3, every=28, down=8), until=80)
    assert [line.split(" ", 1)[1] for line in story.last.chain] == [
        *["tunnel stopped", "tunnel started"] * 2,
        "tunnel stopped: dpd timeout",
        "tunnel started",
        "6 ups and downs within 15 min",
    ]
    assert story.last.count == 3


def test_failures_in_between_are_no_downs() -> None:
    lines = cycles(3, every=28, down=8) + "\n90 fail authentication fail\n99 fail authentication fail"
    assert tell(lines, until=120).last.count == 3


def test_ten_tunnels_going_down_together_once_do_not_flap() -> None:
    lines = [f"0.{n} stop dpd timeout flow={n}" for n in range(10)] + [f"5.{n} start flow={n}" for n in range(10)]
    assert tell("\n".join(lines)).told == []
