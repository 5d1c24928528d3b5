"""Promises that hold for every timeline, not only for the ones we thought of. ``EVENTD_HISTORIES`` is the number of
timelines per promise, if it is set."""

import pytest
from correlate_strategies import EPOCH, inventory, lasting, parse, tell, timelines
from examples import some
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eventd.correlate import books, timers
from eventd.correlate.state import PeerState
from eventd.model import Event, utc

Timeline = list[tuple[float, Event]]

DAY = 86_400
#: Behind the end of a timeline: what falls due a day after the last event has fallen due, though that came twice.
AFTERWARDS = DAY + 10


def many(timelines: int) -> settings:
    """So many timelines, or as many as are asked for."""
    return some(timelines, "EVENTD_HISTORIES")


fractions = st.lists(st.floats(0, 1), max_size=6)
inventories = st.sampled_from(
    [inventory(), inventory(trigger="auto"), inventory(trigger="traffic"), inventory(mode="site-to-multisite")]
)


@many(40)
@given(timelines(), fractions)
def test_extra_ticks_change_nothing(events: Timeline, moments: list[float]) -> None:
    end = events[-1][0]
    plain = tell(events, until=end + DAY)
    ticked = tell(events, until=end + DAY, ticks=tuple(moment * end for moment in moments))
    assert [change for _, change in ticked.changes] == [change for _, change in plain.changes]
    assert ticked.suppressed == plain.suppressed


@pytest.mark.conformance("RFC 5424 §6.2.3", "a device clock that is wrong by any amount changes no incident")
@many(40)
@given(timelines(), st.data())
def test_a_device_clock_that_is_wrong_by_any_amount_changes_nothing(events: Timeline, data: st.DataObject) -> None:
    late = data.draw(st.lists(st.integers(0, 20), min_size=len(events), max_size=len(events)))
    wrong_by = data.draw(st.integers(-400 * DAY, 400 * DAY))

    def stamped(shift: int) -> Timeline:
        stamps = [utc(EPOCH + at - delay + shift) for (at, _), delay in zip(events, late, strict=True)]
        return [(at, replace(event, device_time=stamp)) for (at, event), stamp in zip(events, stamps, strict=True)]

    until = events[-1][0] + DAY
    right, wrong = tell(stamped(0), until=until), tell(stamped(wrong_by), until=until)
    assert wrong.changes == right.changes
    assert wrong.suppressed == right.suppressed
    assert wrong.duplicates == right.duplicates


@many(40)
@given(timelines(), st.sets(st.integers(0, 25), max_size=4), inventories)
def test_a_restart_at_any_point_changes_nothing(events: Timeline, points: set[int], known: object) -> None:
    until = events[-1][0] + DAY
    plain = tell(events, until=until, known=known)
    broken = tell(events, until=until, known=known, restarts=tuple(points))
    assert broken.changes == plain.changes
    assert broken.suppressed == plain.suppressed
    assert lasting(broken.saved) == lasting(plain.saved)


@many(40)
@given(timelines(), st.data())
def test_an_event_repeated_within_the_twin_window_changes_nothing(events: Timeline, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(events) - 1))
    at, event = events[position]
    again = at + data.draw(st.floats(0, 4.9))
    plain = tell(events, until=events[-1][0] + AFTERWARDS)
    doubled = sorted([*events, (again, event)], key=lambda pair: pair[0])
    story = tell(doubled, until=events[-1][0] + AFTERWARDS)
    assert story.picture() == plain.picture()
    assert story.duplicates == plain.duplicates + 1


@many(40)
@given(timelines(ways=False))
def test_every_event_told_by_a_second_way_changes_only_the_witnesses(events: Timeline) -> None:
    plain = tell(events, until=events[-1][0] + AFTERWARDS)
    both = [(at, event) for at, event in events] + [
        (at + 0.1, replace(event, transport="snmp-v3", raw=f"trap {event.raw}")) for at, event in events
    ]
    story = tell(sorted(both, key=lambda pair: pair[0]), until=events[-1][0] + AFTERWARDS)
    assert {i.id: (i.kind, i.status, i.severity, i.count, i.chain) for i in story.final.values()} == {
        i.id: (i.kind, i.status, i.severity, i.count, i.chain) for i in plain.final.values()
    }
    assert story.duplicates == plain.duplicates + len(events)


@many(50)
@given(timelines(), inventories, st.floats(0, 1))
def test_everything_open_is_open_for_a_reason_and_everything_down_is_somebodys_matter(
    events: Timeline, known: object, part: float
) -> None:
    story = tell(events, until=events[-1][0] + part * 2000, known=known)
    fleet = story.correlator.fleet
    states = [*fleet.peers.values(), *fleet.devices.values(), *fleet.groups.values()]
    for state in states:
        assert all(case.timers for case in state.cases())
        if isinstance(state, PeerState):
            ups = [tunnel.up for tunnel in state.tunnels.values()]
            assert (state.tunnels_up, state.tunnels_down) == (ups.count(True), ups.count(False))
            waiting = [
                tunnel for tunnel in state.tunnels.values() if tunnel.up is False and tunnel.nature == books.IDLE
            ]
            assert state.case is not None or state.tunnels_down == len(waiting)
            assert not (waiting and state.tunnels_up)
    dues = [timers.due(state) for state in states]
    assert story.correlator.next_deadline() == min((due for due in dues if due is not None), default=None)


@many(33)
@given(timelines())
def test_the_life_of_an_incident_is_opened_then_updated_then_resolved_once(events: Timeline) -> None:
    story = tell(events, until=events[-1][0] + 2 * DAY)
    lives: dict[str, list[str]] = {}
    labels: dict[str, tuple[object, ...]] = {}
    for _, change in story.changes:
        incident = change.incident
        lives.setdefault(incident.id, []).append(change.what)
        label = (incident.kind, incident.opened_severity, incident.peer, incident.interface, incident.site)
        assert labels.setdefault(incident.id, label) == label
        assert incident.opened_at <= incident.updated_at
    for life in lives.values():
        assert life[0] == "opened"
        assert life.count("opened") == 1
        assert "resolved" not in life[:-1]
    open_now = {incident.id for incident in story.correlator.open_incidents()}
    assert open_now == {ident for ident, life in lives.items() if life[-1] != "resolved"}


@many(20)
@given(timelines())
def test_proof_that_everything_is_up_resolves_everything(events: Timeline) -> None:
    end = events[-1][0] + 5000
    flows = ("", "flow=A", "flow=B", "interface=GigabitEthernet0/0/1 policy_seq=10")
    starts = [
        parse(f"{end + n} start peer={peer} {flow}", 1000 + n)
        for n, (peer, flow) in enumerate((p, f) for p in ("2.1.1.1", "2.1.1.2") for f in flows)
    ]
    story = tell(events + starts, until=end + DAY)
    assert [i for i in story.correlator.open_incidents() if i.peer] == []


@many(20)
@given(timelines())
def test_the_same_input_gives_the_same_bytes(events: Timeline) -> None:
    assert tell(events).picture() == tell(events).picture()
    assert all(at >= EPOCH for at in tell(events).correlator.devices().values())


@many(33)
@given(
    st.permutations(
        ["0 stop dpd timeout flow=A stamp=0", "1 start flow=A stamp=1", "2 fail authentication fail stamp=0"]
    )
)
def test_any_order_of_arrival_within_the_window_ends_the_same(order: list[str]) -> None:
    lines = [f"{n} {line.split(' ', 1)[1]}" for n, line in enumerate(order)]
    story = tell("\n".join(lines), until=2000)
    assert story.told == []
    assert next(story.correlator.peers()).up is True


@many(10)
@given(st.permutations(["stop dpd timeout stamp=1", "start stamp=2", "stop dpd timeout stamp=3", "start stamp=0"]))
def test_a_tunnel_that_ended_last_is_down_in_whatever_order_its_messages_arrive(order: list[str]) -> None:
    lines = [f"{n} {line} flow=A" for n, line in enumerate(order)]
    story = tell("0 start flow=A stamp=-900\n" + "\n".join(lines).replace("0 ", "1 ", 1), until=120)
    assert next(story.correlator.peers()).up is False
    assert [(i.kind, i.status) for i in story.final.values()] == [("tunnel_down", "open")]
