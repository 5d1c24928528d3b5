"""A bug in a rule costs at most the event that met it; names that somebody invented cost nobody anything."""

from typing import Any

import pytest
from correlate_strategies import DEVICE, EPOCH, parse, tell

from eventd.correlate import Correlator, Settings, engine, fleet, timers
from eventd.correlate.desk import Desk
from eventd.correlate.settings import FAULT_PAUSE, MAX_FAULTS
from eventd.inventory import Inventory


def broken(*_: Any) -> None:
    raise KeyError("a bug in a rule")


def only_for(peer: str, right: Any) -> Any:
    """A timer that fails for one peer."""
    return lambda desk, owner, case, at: broken() if case.peer == peer else right(desk, owner, case, at)


def test_a_bug_in_a_rule_is_kept_for_the_log_and_the_next_event_is_judged_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(engine.PEER_RULES, "ipsec.dpd.success", broken)
    story = tell("0 stop dpd timeout\n1 dpd-ok\n2 stop dpd timeout peer=2.1.1.2")
    assert [type(error) for error in story.correlator.take_faults()] == [KeyError]
    assert story.correlator.take_faults() == []
    assert story.told == ["15 opened tunnel_down major", "17 opened tunnel_down major"]


def test_what_a_rule_concluded_before_it_failed_is_in_its_own_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine.PEER_RULES["ipsec.tunnel.stop"]

    def half(desk: Any, *rest: Any) -> None:
        right(desk, *rest)
        desk.suppress("half")
        broken()

    monkeypatch.setitem(engine.PEER_RULES, "ipsec.tunnel.stop", half)
    correlator = Correlator(Settings(), Inventory())
    verdict = correlator.apply(parse("0 stop dpd timeout", 0)[1], EPOCH)
    assert (verdict.suppressed, len(verdict.touched)) == (("half",), 1)
    following = correlator.apply(parse("1 linkdown", 1)[1], EPOCH + 1)
    assert (following.suppressed, following.touched) == (("context",), (f"device|{DEVICE}",))
    assert correlator.next_deadline() == EPOCH + 15, "the hold that was begun is not lost"


def test_a_bug_in_a_timer_stops_no_other_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(timers.TIMERS, "open", only_for("2.1.1.1", right := timers.TIMERS["open"]))
    story = tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2", until=20)
    assert [change.incident.peer for _, change in story.changes] == ["2.1.1.2"]
    assert story.correlator.next_deadline() == EPOCH + 15 + FAULT_PAUSE
    assert len(story.correlator.take_faults()) == 1
    monkeypatch.setitem(timers.TIMERS, "open", right)
    story.take(100, story.correlator.tick(EPOCH + 100))
    assert [change.incident.peer for _, change in story.changes] == ["2.1.1.2", "2.1.1.1"]


@pytest.mark.parametrize(
    ("before", "failing_at", "told"),
    [
        ("0 stop dpd timeout", 15, "75 opened tunnel_down major"),
        ("0 start flow=A\n1 start flow=B\n2 stop dpd timeout flow=A\n30 stop dpd timeout flow=B", 45,
         "105 opened tunnel_down major"),
    ],
)  # fmt: skip
def test_an_opening_that_a_bug_has_held_up_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch, before: str, failing_at: int, told: str
) -> None:
    right, failed = Desk.publish, []

    def once(self: Desk, what: Any, case: Any, at: float, **more: Any) -> None:
        if what == "opened" and at == EPOCH + failing_at and not failed:
            failed.append(at)
            broken()
        right(self, what, case, at, **more)

    monkeypatch.setattr(Desk, "publish", once)
    story = tell(before, until=failing_at + FAULT_PAUSE)
    assert failed
    assert story.told[-1] == told


def test_faults_that_nobody_takes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(timers.TIMERS, "open", broken)
    story = tell("0 stop dpd timeout", until=15 + 3 * MAX_FAULTS * FAULT_PAUSE)
    assert len(story.correlator.take_faults()) == MAX_FAULTS


def test_invented_names_do_not_shut_out_a_real_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_DEVICES", 20)
    forged = "\n".join(f"{n} heal device=FORGED{n}" for n in range(1, 20))
    more = "\n".join(f"{n} config device=FORGED{n}" for n in range(4000, 4060))
    story = tell(f"0 capacity severity=major device=REAL\n{forged}\n{more}\n4100 capacity severity=warning device=NEW")
    assert "NEW" in story.correlator.devices()
    assert "NEW" in {incident.device for incident in story.correlator.open_incidents()}
    assert len(story.correlator.devices()) == len(story.correlator._fleet.devices) == 20


def test_a_device_with_an_open_incident_is_not_forgotten_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_DEVICES", 20)
    others = "\n".join(f"{n} config device=FORGED{n}" for n in range(1, 60))
    story = tell(f"0 capacity severity=major device=REAL\n{others}", until=60)
    assert "REAL" in story.correlator.devices()
    assert [incident.device for incident in story.correlator.open_incidents()] == ["REAL"]


def test_what_is_noted_of_busy_devices_goes_when_they_have_nothing_open() -> None:
    story = tell("\n".join(f"{n} stop dpd timeout device=F{n}\n{n} start device=F{n}" for n in range(50)))
    assert len(story.correlator._fleet._busy) == len(story.correlator._fleet._shelves) == 0
