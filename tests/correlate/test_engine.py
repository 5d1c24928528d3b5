"""The correlator as others use it: bounds, restarts, reconfiguration, operators."""

from typing import get_args

import msgspec
import pytest
from correlate_strategies import EPOCH, inventory, parse, tell, timeline
from msgspec.structs import replace

from eventd.correlate import Correlator, Settings, devices, engine, fleet, headlines, phrases, texts
from eventd.correlate.context import ADMIN
from eventd.correlate.reasons import EXPLAINS
from eventd.correlate.timers import TIMERS
from eventd.inventory import Inventory
from eventd.model import EVENTS, REASON_CATEGORIES, Event, Incident


def test_every_event_has_exactly_one_rule_and_a_name_in_chains() -> None:
    assert set(engine.PEER_RULES).isdisjoint(devices.RULES)
    assert {*engine.PEER_RULES, *devices.RULES} == set(EVENTS)
    assert set(texts.TOLD) == set(EVENTS)
    assert set(ADMIN) < set(EVENTS)


def test_every_category_has_its_rank() -> None:
    assert {*REASON_CATEGORIES, "peer request", "named", "known"} == set(EXPLAINS)


def test_settings_have_the_documented_names_and_refuse_others() -> None:
    assert msgspec.convert({"outage_hold": 3}, Settings) == Settings(outage_hold=3.0)
    with pytest.raises(msgspec.ValidationError, match="nonsense"):
        msgspec.convert({"nonsense": 1}, Settings)


def test_an_event_of_no_known_kind_changes_nothing() -> None:
    correlator = Correlator(Settings(), Inventory())
    event = replace(parse("0 stop dpd timeout", 0)[1], event=None)
    assert correlator.apply(event, EPOCH) == engine.Verdict()
    assert correlator.next_deadline() is None


def test_next_deadline_is_when_the_next_timer_fires() -> None:
    story = tell("0 stop dpd timeout", until=1)
    assert story.correlator.next_deadline() == EPOCH + 15
    assert story.correlator.tick(EPOCH + 14.999) == engine.Verdict()
    assert story.correlator.tick(EPOCH + 15).changes
    assert tell("0 stop dpd timeout\n3 start").correlator.next_deadline() is None


def test_other_settings_leave_running_timers_and_open_incidents_alone() -> None:
    story = tell("0 stop dpd timeout peer=2.1.1.2\n20 stop dpd timeout", until=21)
    story.correlator.reconfigure(Settings(outage_hold=500.0), inventory(name="Branch-5"))
    changes = story.correlator.tick(EPOCH + 35).changes
    assert [change.incident.peer_name for change in changes] == ["Branch-5"]
    assert len(story.correlator.open_incidents()) == 2


def test_a_site_that_changes_while_open_does_not_change_the_label() -> None:
    story = tell("0 stop dpd timeout", known=inventory(site="Oslo"))
    story.correlator.reconfigure(Settings(), inventory(site="Bergen"))
    assert story.correlator.open_incidents()[0].site == "Oslo"


def test_an_operator_clears_an_incident_and_its_next_stop_is_a_new_one() -> None:
    story = tell("0 stop dpd timeout")
    ident = story.last.id
    verdict = story.correlator.clear(ident, EPOCH + 200, "anna")
    assert [change.what for change in verdict.changes] == ["resolved"]
    assert "cleared by anna" in verdict.changes[0].incident.summary
    assert verdict.touched
    assert story.correlator.open_incidents() == []
    assert story.correlator.clear(ident, EPOCH + 201) == engine.Verdict()
    story.take(300, story.correlator.apply(parse("300 stop dpd timeout", 99)[1], EPOCH + 300))
    assert story.correlator.tick(EPOCH + 315).changes[0].incident.id != ident


def test_what_flapped_and_was_cleared_flaps_again_only_with_new_turns() -> None:
    cycles = "\n".join(f"{20 * n} stop dpd timeout\n{20 * n + 3} start" for n in range(3))
    story = tell(cycles, until=50)
    ident = story.last.id
    assert [change.what for change in story.correlator.clear(ident, EPOCH + 55, "anna").changes] == ["resolved"]
    told = [
        change.incident.id
        for n, line in enumerate(cycles.splitlines())
        for change in story.correlator.apply(
            parse(f"{60 + n} {line.split(' ', 1)[1]}", 99 + n)[1], EPOCH + 60 + n
        ).changes
    ]
    assert len(told) == 1
    assert ident not in told


def test_an_acknowledgement_stays_with_the_incident() -> None:
    story = tell("0 stop dpd timeout")
    change = story.correlator.ack(story.last.id, "anna", EPOCH + 200).changes[0]
    assert (change.incident.acked_by, change.notify) == ("anna", False)
    resolved = story.correlator.apply(parse("300 start", 9)[1], EPOCH + 300), story.correlator.tick(EPOCH + 400)
    assert resolved[1].changes[0].incident.acked_by == "anna"


def test_peers_tell_how_they_stand() -> None:
    story = tell("0 start flow=A\n50 stop dpd timeout flow=A\n51 phase1 peer=2.1.1.2")
    down, unknown = story.correlator.peers()
    assert (down.up, down.tunnels_down, down.state_changes, down.last_reason) == (False, 1, 1, "dpd timeout")
    assert down.incident == story.last.id
    assert (unknown.up, unknown.incident) == (None, None)
    assert story.correlator.devices() == {"FW1": EPOCH + 51}


def test_the_oldest_idle_peer_is_forgotten_first_and_one_with_an_incident_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "MAX_PEERS", 3)
    story = tell("0 stop dpd timeout\n1 start peer=2.1.1.2\n2 start peer=2.1.1.3\n3 start peer=2.1.1.2")
    story.take(200, story.correlator.apply(parse("200 start peer=2.1.1.4", 9)[1], EPOCH + 200))
    assert [status.peer for status in story.correlator.peers()] == ["2.1.1.1", "2.1.1.2", "2.1.1.4"]
    assert len(story.saved) == 3


def test_when_all_have_open_incidents_a_new_peer_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_PEERS", 1)
    story = tell("0 stop dpd timeout\n60 stop dpd timeout peer=2.1.1.2")
    assert story.suppressed == ["limit"]
    assert len(story.final) == 1


def test_strangers_that_only_failed_once_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_PEERS", 10)
    lines = [f"{n * 0.1} fail authentication fail peer=10.0.{n // 250}.{n % 250}" for n in range(500)]
    assert len(tell("\n".join(lines), until=50).correlator._fleet.peers) == 10


def test_tunnels_facts_chains_and_notes_are_bounded() -> None:
    lines = [f"{n * 0.001:.3f} stop r{n} flow={n}" for n in range(600)]
    lines += [f"1.{n:03} linkdown peer=none interface=GE{n}" for n in range(300)]
    story = tell("\n".join(lines), until=3)
    [peer] = story.correlator._fleet.peers.values()
    [device] = story.correlator._fleet.devices.values()
    assert len(peer.tunnels) == 256
    assert peer.tunnels_down == 256
    assert len(peer.facts) <= 128
    assert len(device.notes) <= 64
    assert peer.case is not None
    assert len(peer.case.steps) == 30
    assert any("more …" in line for line in texts.chain(peer.case))


def test_state_from_elsewhere_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Correlator(Settings(), Inventory()).load([("peer|FW1|public|2.1.1.1", b"\xc1")])


def test_time_that_jumps_back_does_not_lose_a_timer() -> None:
    story = tell("100 stop dpd timeout", until=100)
    story.correlator.apply(parse("10 start peer=2.1.1.2", 5)[1], EPOCH + 10)
    assert story.correlator.tick(EPOCH + 115).changes[0].what == "opened"


def test_what_happened_while_it_was_off_is_judged_at_its_own_time() -> None:
    story = tell("0 stop dpd timeout", until=1)
    fresh = Correlator(Settings(), Inventory())
    fresh.load(story.saved.items())
    [change] = fresh.tick(EPOCH + 3600).changes
    assert change.incident.updated_at.timestamp() == EPOCH + 15


def test_every_way_to_end_is_worded() -> None:
    statuses = get_args(Incident.__annotations__["status"])
    assert statuses == ("open", "resolved")
    words = {*headlines.HEADLINES, "given_up"}
    assert words == set(phrases.OVER) == set(phrases.ENDED) == set(phrases.NOUNS) == {*phrases.STANDS, "given_up"}
    assert set(phrases.OF_TUNNELS) < set(phrases.OF_PEERS) < words
    assert "publish" in TIMERS


def test_hostile_text_is_cut() -> None:
    event: Event = timeline("0 stop " + "x" * 5000)[0][1]
    correlator = Correlator(Settings(), Inventory())
    correlator.apply(event, EPOCH)
    incident = correlator.tick(EPOCH + 20).changes[0].incident
    assert len(incident.summary) < 500
    assert max(map(len, incident.chain)) < 300
