"""Silences and maintenance windows keep from telling, acknowledgements from recalling; an end is always told."""

from datetime import UTC, datetime

import pytest
from correlate_strategies import EPOCH, Story, parse, tell, timeline

from eventd.contract import Verdict
from eventd.correlate import Correlator, Maintenance, Settings, Silence
from eventd.inventory import Inventory

HOUR = 3600.0


def silence(until: float, starts: float = -10, **match: str | list[str]) -> Silence:
    return Silence("s1", dict(match), EPOCH + starts, EPOCH + until, "ann", "works on the line")


def lines(verdict: Verdict) -> list[tuple[str, bool, bool]]:
    return [(change.what, change.notify, change.first) for change in verdict.changes]


def silenced(text: str, until: float, made: Silence) -> Story:
    """A timeline that begins when the silence does."""
    story = tell("-100 start", until=-99)
    story.take(-10, story.correlator.silence(made, EPOCH - 10))
    for seconds, event in timeline(text):
        story.take(seconds, story.correlator.apply(event, EPOCH + seconds))
    story.take(until, story.correlator.tick(EPOCH + until))
    return story


def begun(*windows: Maintenance) -> Correlator:
    return Correlator(Settings(), Inventory(), None, windows)


def test_what_is_silenced_is_told_when_the_silence_ends() -> None:
    story = silenced("0 stop dpd timeout", 400, silence(300, peer="2.1.1.*"))
    assert story.told == ["300 updated tunnel_down major"]
    assert story.suppressed == ["silenced"]
    assert story.changes[-1][1].first
    assert story.correlator.open_incidents()[0].silenced is False


def test_what_is_over_when_the_silence_ends_was_nobodys_business() -> None:
    assert silenced("0 stop dpd timeout\n100 start", 400, silence(300)).told == []


def test_another_peer_is_told() -> None:
    assert silenced("0 stop dpd timeout", 60, silence(300, peer="9.9.9.9")).told == ["15 opened tunnel_down major"]


def test_another_peer_that_was_taken_down_on_purpose_is_told() -> None:
    story = silenced("0 stop config modify or manual offline", 900, silence(300, peer="9.9.9.9"))
    assert story.correlator.take_faults() == []
    assert story.told[:1] == ["15 opened tunnel_down info"]


def test_the_end_of_what_was_told_is_told_in_spite_of_a_silence() -> None:
    story = tell("0 stop dpd timeout", until=60)
    story.take(60, story.correlator.silence(silence(900, starts=60), EPOCH + 60))
    assert story.correlator.open_incidents()[0].silenced
    at, start = parse("100 start", 9)
    story.take(at, story.correlator.apply(start, EPOCH + at))
    story.take(200, story.correlator.tick(EPOCH + 200))
    assert story.told == ["15 opened tunnel_down major", "105 resolved tunnel_down major"]


def test_a_silence_taken_back_tells_at_once() -> None:
    story = silenced("0 stop dpd timeout", 60, silence(9000))
    assert story.told == []
    story.take(70, story.correlator.unsilence("s1", EPOCH + 70))
    assert story.told == ["70 updated tunnel_down major"]
    assert story.correlator.silences() == []


def test_two_silences_end_with_the_later_one() -> None:
    story = silenced("0 stop dpd timeout", 20, silence(300))
    other = Silence("s2", {}, EPOCH, EPOCH + 500, "bob")
    story.take(20, story.correlator.silence(other, EPOCH + 20))
    story.take(900, story.correlator.tick(EPOCH + 900))
    assert story.told == ["500 updated tunnel_down major"]


def test_a_silence_survives_a_restart_and_is_listed_for_a_day() -> None:
    story = silenced("0 stop dpd timeout", 20, silence(300))
    again = begun()
    again.load(story.saved.items())
    assert again.silences() == story.correlator.silences()
    assert lines(again.tick(EPOCH + 301)) == [("updated", True, True)]
    again.silence(Silence("s3", {}, EPOCH + 3 * 86_400, EPOCH + 4 * 86_400, "ann"), EPOCH + 2 * 86_400)
    assert [one.id for one in again.silences()] == ["s3"]


@pytest.mark.parametrize("until", [-20, -10])
def test_a_silence_that_is_over_is_refused(until: float) -> None:
    with pytest.raises(ValueError, match="over already"):
        begun().silence(silence(until), EPOCH)


def test_who_has_taken_it_is_not_reminded_until_then() -> None:
    story = tell("0 stop dpd timeout", until=60)
    ident = story.last.id
    verdict = story.correlator.ack(ident, "ann", EPOCH + 60, note="carrier called", until=EPOCH + 10 * HOUR)
    assert lines(verdict) == [("updated", False, False)]
    [incident] = story.correlator.open_incidents()
    assert incident.acked_by == "ann"
    assert incident.chain[-1].endswith("taken by ann: carrier called")
    story.take(9 * HOUR, story.correlator.tick(EPOCH + 9 * HOUR))
    assert story.suppressed == ["acked", "acked"]
    assert story.correlator.open_incidents()[0].acked_by == "ann"
    story.take(11 * HOUR, story.correlator.tick(EPOCH + 11 * HOUR))
    assert story.told[-1].endswith("updated tunnel_down major")
    [incident] = story.correlator.open_incidents()
    assert incident.acked_by is None, "the time is over"
    assert incident.acked_until is None
    assert incident.chain[-1].endswith("the acknowledgement of ann has run out")
    assert story.changes[-1][1].incident.news == "the acknowledgement of ann has run out"


def test_what_an_incident_becomes_is_taken_with_it() -> None:
    lost = "\n".join(f"{n} stop dpd timeout peer=10.0.0.{n} interface=GE1" for n in range(1, 7))
    story = tell(lost, until=60)
    [parent] = [one for one in story.correlator.open_incidents() if one.kind == "interface_outage"]
    story.correlator.ack(parent.id, "ann", EPOCH + 60, until=EPOCH + HOUR)
    for n in range(1, 7):
        at, event = parse(f"{70 + n} stop dpd timeout peer=10.0.1.{n} interface=GE2", 50 + n)
        story.take(at, story.correlator.apply(event, EPOCH + at))
    story.take(200, story.correlator.tick(EPOCH + 200))
    [whole] = [one for one in story.correlator.open_incidents() if one.kind == "device_outage"]
    assert whole.acked_by == "ann"
    story.take(HOUR + 1, story.correlator.tick(EPOCH + HOUR + 1))
    [whole] = [one for one in story.correlator.open_incidents() if one.kind == "device_outage"]
    assert whole.acked_by is None


def test_a_child_that_is_cleared_is_not_counted_as_back() -> None:
    story = tell(MANY, until=60)
    child = next(one for one in story.correlator.open_incidents() if one.peer == "10.0.0.3")
    story.take(60, story.correlator.clear(child.id, EPOCH + 60, "ann"))
    for n in (1, 2, 4, 5, 6, 7, 8):
        at, event = parse(f"{100 + n} start peer=10.0.0.{n} interface=GE1", 50 + n)
        story.take(at, story.correlator.apply(event, EPOCH + at))
    story.take(400, story.correlator.tick(EPOCH + 400))
    parent = next(one for one in story.final.values() if one.kind == "interface_outage")
    assert (parent.status, parent.count) == ("resolved", 7)
    assert any("10.0.0.3 cleared by ann: not counted any more" in step for step in parent.chain)
    assert not any("of 8 are back" in step for step in parent.chain)


MANY = "\n".join(f"{n} stop dpd timeout peer=10.0.0.{n} interface=GE1" for n in range(1, 9))


def test_planned_peers_are_no_part_of_an_outage() -> None:
    planned = silence(300, peer="10.0.0.[1-6]")
    assert silenced(MANY, 60, planned).told == ["22 opened tunnel_down major", "23 opened tunnel_down major"]


def test_planned_peers_that_are_down_when_it_ends_are_one_outage() -> None:
    story = silenced(MANY, 400, silence(300, peer="10.0.0.*"))
    assert [line.split()[:3] for line in story.told] == [["300", "opened", "interface_outage"]]
    assert [one.count for one in story.correlator.open_incidents() if one.kind == "interface_outage"] == [8]


def test_a_silenced_interface_is_no_part_of_the_outage_of_another_one() -> None:
    other = "\n".join(f"{n} stop dpd timeout peer=10.0.1.{n} interface=GE2" for n in range(9, 15))
    story = silenced(f"{MANY}\n{other}", 400, silence(300, interface="GE1"))
    assert story.told == ["26 opened interface_outage critical", "300 updated interface_outage critical"]
    places = {one.interface: one.count for one in story.correlator.open_incidents() if one.kind == "interface_outage"}
    assert places == {"GE1": 8, "GE2": 6}


def test_an_outage_that_is_told_when_a_silence_ends_says_so() -> None:
    story = silenced(MANY, 400, silence(300, peer="10.0.0.*"))
    parent = next(one for one in story.correlator.open_incidents() if one.kind == "interface_outage")
    assert any(line.endswith("the silence of ann (works on the line) has ended") for line in parent.chain)
    assert len(parent.children) == 8


def test_a_whole_device_that_is_silenced_has_its_outage_untold() -> None:
    story = silenced(MANY, 60, silence(300, device="FW1"))
    assert story.told == []
    assert "interface_outage" in {one.kind for one in story.correlator.open_incidents()}


def window(**given: object) -> Maintenance:
    return Maintenance(**given)  # type: ignore[arg-type]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_planned_work_is_told_when_it_is_over_and_left_something_down() -> None:
    start = datetime.fromtimestamp(EPOCH - 60, UTC)
    end = datetime.fromtimestamp(EPOCH + 600, UTC)
    correlator = begun(window(start=start, end=end, reason="new uplink"))
    story = Story(correlator)
    for at, event in timeline("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2\n100 start peer=2.1.1.2"):
        story.take(at, correlator.apply(event, EPOCH + at))
    story.take(900, correlator.tick(EPOCH + 900))
    assert story.told == ["600 updated tunnel_down major"]
    assert set(story.suppressed) == {"maintenance"}


@pytest.mark.parametrize(
    ("weekly", "zone", "inside", "outside"),
    [
        (
            "Sat 22:00-Sun 02:00",
            "UTC",
            ["2026-11-28T22:00", "2026-11-29T01:59"],
            ["2026-11-28T21:59", "2026-11-29T02:00"],
        ),
        ("Sat 22:00-02:00", "UTC", ["2026-11-29T01:00"], ["2026-11-29T02:00", "2026-11-28T01:00"]),
        ("Sun 23:00-Mon 01:00", "UTC", ["2026-11-29T23:30", "2026-11-30T00:30"], ["2026-11-30T01:00"]),
        ("Sat 22:00-Sun 02:00", "Europe/Berlin", ["2026-11-28T21:00", "2026-11-29T00:59"], ["2026-11-29T01:00"]),
        ("Mon 00:00-Fri 24:00", "UTC", ["2026-11-25T12:00"], ["2026-11-28T00:00"]),
    ],
)
def test_weekly_windows(weekly: str, zone: str, inside: list[str], outside: list[str]) -> None:
    found = window(weekly=weekly, time_zone=zone)
    for text in inside:
        until = found.covers(moment(text + "+00:00").timestamp())
        assert until is not None, text
        assert found.covers(until) is None
    for text in outside:
        at = moment(text + "+00:00").timestamp()
        assert found.covers(at) is None, text
        start, end = found.window(at)
        assert at < start < end, "the next one"
        assert found.covers(start) == end


def test_the_next_window_is_by_the_clock_of_its_zone_also_across_a_change_of_it() -> None:
    found = window(weekly="Sun 01:30-03:30", time_zone="Europe/Berlin")
    start, end = found.window(moment("2026-03-25T00:00+00:00").timestamp())
    assert (start, end) == (moment("2026-03-29T00:30+00:00").timestamp(), moment("2026-03-29T01:30+00:00").timestamp())
    once = window(start=moment("2026-11-28T21:00+00:00"), end=moment("2026-11-28T22:00+00:00"))
    assert {once.window(moment(f"2026-11-2{day}T21:30+00:00").timestamp()) for day in (1, 8, 9)} == {
        (moment("2026-11-28T21:00+00:00").timestamp(), moment("2026-11-28T22:00+00:00").timestamp())
    }


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "either start and end, or weekly"),
        ({"start": moment("2026-01-01T00:00+00:00")}, "both start and end"),
        ({"start": moment("2026-01-02T00:00"), "end": moment("2026-01-01T00:00")}, "not after"),
        ({"weekly": "Sat 22-Sun 2"}, "not like"),
        ({"weekly": "Xyz 22:00-23:00"}, "none of Mon"),
        ({"weekly": "Sat 22:00-23:00", "time_zone": "Nowhere/Land"}, "not a known time zone"),
        ({"weekly": "Sat 22:00-23:00", "end": moment("2026-01-01T00:00")}, "either"),
    ],
)
def test_windows_that_make_no_sense_are_refused(given: dict, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        window(**given)
