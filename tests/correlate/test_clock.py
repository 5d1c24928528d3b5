"""What waits goes on waiting for as long as it had to, whatever is done to settings and clock."""

import msgspec
import pytest
from correlate_strategies import EPOCH, Story, inventory, parse, tell, timelines
from examples import some
from hypothesis import given
from hypothesis import strategies as st

from eventd.correlate import Correlator, Settings, packing, rebase, state
from eventd.correlate.settings import MIN_REMINDER, TIMER_STEP
from eventd.correlate.timers import TIMERS

DAY = 86_400.0


def set_clock(story: Story, seconds: float, at: float) -> None:
    """The wall clock is set at ``at``."""
    story.take(at + seconds, story.correlator.rebase(seconds))


def test_a_hold_armed_while_the_clock_was_ahead_still_runs_its_length() -> None:
    story = tell("0 stop dpd timeout", until=5)
    set_clock(story, -DAY, 5)
    assert story.correlator.next_deadline() == EPOCH + 15 - DAY
    story.take(14 - DAY, story.correlator.tick(EPOCH + 14 - DAY))
    assert not story.changes
    story.take(15 - DAY, story.correlator.tick(EPOCH + 15 - DAY))
    assert [change.what for _, change in story.changes] == ["opened"]
    assert story.last.opened_at.timestamp() == EPOCH - DAY


def test_a_start_within_the_hold_still_counts_after_the_clock_was_set_back() -> None:
    story = tell("0 stop dpd timeout", until=5)
    set_clock(story, -DAY, 5)
    story.take(8, story.correlator.apply(parse("8 start", 1)[1], EPOCH + 8 - DAY))
    story.take(60, story.correlator.tick(EPOCH + 60 - DAY))
    assert (story.told, story.suppressed) == ([], ["recovered-in-hold"])


def test_an_open_incident_keeps_its_id_and_ends_in_time_after_the_clock_was_set_back() -> None:
    story = tell("0 stop dpd timeout", until=20)
    ident = story.last.id
    set_clock(story, -DAY, 20)
    assert [incident.id for incident in story.correlator.open_incidents()] == [ident]
    story.take(30, story.correlator.apply(parse("30 start", 1)[1], EPOCH + 30 - DAY))
    story.take(35, story.correlator.tick(EPOCH + 35 - DAY))
    assert (story.last.id, story.last.status) == (ident, "resolved")


def test_a_clock_set_back_is_saved_so_that_a_restart_does_not_undo_it() -> None:
    story = tell("0 stop dpd timeout\n1 heal\n2 capacity severity=major", until=5)
    set_clock(story, -DAY, 5)
    again = Correlator(Settings(), inventory())
    again.load(story.saved.items())
    assert again.next_deadline() == story.correlator.next_deadline()
    assert max(again.devices().values()) == EPOCH + 2 - DAY


@given(timelines(most=12), st.floats(-DAY, DAY).map(round))
@some(20)
def test_a_clock_set_there_and_back_again_changes_nothing(events: list, delta: int) -> None:  # type: ignore[type-arg]
    story = tell(events)
    story.correlator.rebase(0.0)
    before = {key: story.correlator.dump(key) for key in story.saved}
    touched = story.correlator.rebase(float(delta)).touched
    assert set(touched) == {key for key, blob in before.items() if blob is not None}
    story.correlator.rebase(float(-delta))
    for key, blob in before.items():
        assert blob is not None
        found = story.correlator.dump(key)
        assert found is not None
        assert _rounded(key, found) == _rounded(key, blob)


def _rounded(key: str, blob: bytes) -> object:
    """State with its moments cut to microseconds."""

    def cut(value: object) -> object:
        if isinstance(value, float):
            return round(value, 6)
        if isinstance(value, dict):
            return {name: cut(inner) for name, inner in value.items()}
        return [cut(inner) for inner in value] if isinstance(value, list | tuple) else value

    return cut(msgspec.to_builtins(packing.decode(key, blob)))


def test_every_moment_that_is_remembered_moves_with_the_clock() -> None:
    """A field added to the state with the time of something must be added to the shift too."""
    story = tell("0 start flow=A\n60 phase1\n61 linkdown\n62 heal\n63 stop phase1 sa replace\n64 stop dpd timeout", 65)
    for key, blob in story.saved.items():
        moved = packing.decode(key, blob)
        rebase.shift(moved, -1000 * DAY)
        kept = [case.since for case in moved.cases() if case.announced]
        assert [at for at in _floats(msgspec.to_builtins(moved)) if at > EPOCH - DAY] == kept, key


def _floats(value: object) -> list[float]:
    if isinstance(value, float):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [at for one in inner for at in _floats(one)]


def test_a_reminder_of_nothing_does_not_hold_up_the_time() -> None:
    """Settings that come from elsewhere than a checked configuration."""
    story = tell("0 stop dpd timeout", until=15 + 3.5 * MIN_REMINDER, settings=Settings(reminder=0.0))
    assert len(story.told) == 4


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_that_sets_itself_again_at_once_is_moved_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = tell("0 stop dpd timeout", until=20)
    fired = []

    def restless(desk: object, owner: object, case: state.Case, at: float) -> None:
        fired.append(at - EPOCH)
        case.timers[name] = at - 5

    monkeypatch.setitem(TIMERS, name, restless)
    [key] = [key for key in story.saved if key.startswith("peer|")]
    held = story.correlator._fleet.peers[key]
    assert held.case is not None
    held.case.timers = {name: EPOCH + 30}
    story.correlator._settle(key, held)
    story.correlator.tick(EPOCH + 30 + 3 * TIMER_STEP)
    assert fired == [30 + n * TIMER_STEP for n in range(4)]
