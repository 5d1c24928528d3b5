"""A tunnel that keeps changing is told once."""

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
    story = tell(cycles(2, every=20, down=3), until=1000)
    assert story.told == ["23 opened flapping major", "923 resolved flapping major"]


def test_down_when_quiet_becomes_an_outage_since_the_last_stop() -> None:
    story = tell(cycles(2) + "\n120 stop dpd timeout", until=2000)
    assert story.told[-2:] == ["1020 resolved flapping major", "1020 opened tunnel_down major"]
    assert story.last.opened_at.minute == 2


def test_slow_changes_do_not_flap() -> None:
    assert not [line for line in tell(cycles(5, every=1000)).told if "flapping" in line]


def test_ten_tunnels_going_down_together_once_do_not_flap() -> None:
    lines = [f"0.{n} stop dpd timeout flow={n}" for n in range(10)] + [f"5.{n} start flow={n}" for n in range(10)]
    assert tell("\n".join(lines)).told == []
