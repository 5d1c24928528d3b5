"""Promises that hold for every history of a network, whatever its devices and operators do (`fleet_histories`).

``EVENTD_HISTORIES`` is the number of histories per promise."""

from random import Random

from correlate_strategies import Story, lasting
from examples import some
from fleet_histories import CLEAR_GAPS, INVENTORIES, PLANNED, History, by_trap, histories, outcomes, play
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from eventd.correlate import Correlator, Settings, timers
from eventd.correlate.state import Case, PeerState
from eventd.inventory import Inventory
from eventd.model import SEVERITIES

MANY = some(20, "EVENTD_HISTORIES", suppress_health_check=list(HealthCheck))
inventories = st.sampled_from(INVENTORIES)


@MANY
@given(histories(), inventories, st.frozensets(st.integers(0, 90), max_size=5), st.lists(st.floats(0, 1), max_size=6))
def test_restarts_and_ticks_at_any_point_change_nothing(
    history: History, known: Inventory, points: frozenset[int], parts: list[float]
) -> None:
    """The same changes in the same order, the same rules applied and the same bytes saved."""
    plain = play(history, known, planned=PLANNED)
    ticks = tuple(part * history[-1][0] for part in parts)
    broken = play(history, known, restarts=points, ticks=ticks, planned=PLANNED)
    assert [change for _, change in broken.changes] == [change for _, change in plain.changes]
    assert broken.suppressed == plain.suppressed
    assert lasting(broken.saved) == lasting(plain.saved)


@MANY
@given(histories(), inventories, st.floats(0, 1))
def test_what_is_remembered_is_consistent_at_any_moment(history: History, known: Inventory, part: float) -> None:
    story = play(history[: 1 + int(part * len(history))], known, until=part * 3000, planned=PLANNED)
    _consistent(story)
    again = Correlator(Settings(), known, "https://eventd.example")
    again.load(story.saved.items())
    assert {key: again.dump(key) for key in story.saved} == story.saved
    assert again.next_deadline() == story.correlator.next_deadline()
    one, other = story.correlator.fleet, again.fleet
    assert set(one.groups) == set(other.groups)
    for key in one.groups:
        assert list(map(_key, one.members(key))) == list(map(_key, other.members(key)))
    for index in ("_busy", "_of_device", "_by_address", "_between", "_traits", "_owners", "_owned", "_echoes"):
        assert getattr(one, index)._keys == getattr(other, index)._keys, index
    assert one._shelves._rows == other._shelves._rows
    assert one._standing == other._standing
    assert set(one._announced) == set(other._announced)
    assert one._switched == other._switched


def _key(pair: tuple[str, PeerState]) -> str:
    return pair[0]


def _consistent(story: Story) -> None:
    fleet = story.correlator.fleet
    opened = {incident.id: incident for incident in story.correlator.open_incidents()}
    assert {key for key, _ in fleet.states()} <= set(story.saved)
    faded = story.correlator._desk.now - story.correlator._desk.settings.twin_window
    now = {key: story.correlator.dump(key) or b"" for key, _ in fleet.states()}
    assert lasting(now, faded) == lasting({key: story.saved[key] for key in now}, faded)
    for _, state in fleet.states():
        assert all(_owned(case) for case in state.cases())
        if isinstance(state, PeerState) and state.linked:
            assert state.case is None
            assert fleet.peers[state.linked].case is not None
            assert not fleet.peers[state.linked].linked
    for incident in opened.values():
        if incident.parent is not None:
            assert incident.parent in opened
            grave = SEVERITIES.index(incident.severity)
            assert SEVERITIES.index(opened[incident.parent].severity) >= grave
            assert incident.id in opened[incident.parent].children
    dues = [timers.due(state) for _, state in fleet.states()]
    assert story.correlator.next_deadline() == min((due for due in dues if due is not None), default=None)


def _owned(case: Case) -> bool:
    """Whether something will become of a case, and by timers that there are."""
    return bool(case.timers) and set(case.timers) <= set(timers.TIMERS)


@MANY
@given(histories(), inventories)
def test_what_is_told_begins_once_and_ends_once(history: History, known: Inventory) -> None:
    story = play(history, known, planned=PLANNED)
    lives: dict[str, list[str]] = {}
    told: dict[str, list[str]] = {}
    for _, change in story.changes:
        lives.setdefault(change.incident.id, []).append(change.what)
        if change.notify:
            told.setdefault(change.incident.id, []).append("first" if change.first else change.what)
    for ident, life in lives.items():
        assert (life[0], life.count("opened")) == ("opened", 1)
        assert "resolved" not in life[:-1]
        heard = told.get(ident, [])
        assert not heard or (heard[0] == "first" and heard.count("first") == 1)
        assert bool(heard and life[-1] == "resolved") == ("resolved" in heard)
    assert {incident.id for incident in story.correlator.open_incidents()} == {
        ident for ident, life in lives.items() if life[-1] != "resolved"
    }


@MANY
@given(histories(operated=False), inventories, st.randoms(use_true_random=False))
def test_messages_that_come_again_change_nothing(history: History, known: Inventory, random: Random) -> None:
    """Any number of messages again in the same bytes, up to the twin window later: the same outcomes."""
    again = [(at + random.uniform(0, 4.9), said) for at, said in history if random.random() < 0.3]
    assert outcomes(play(_in_time([*history, *again]), known)) == outcomes(play(history, known))


@MANY
@given(histories(operated=False), inventories, st.floats(0.01, 4.5))
def test_a_second_way_of_telling_changes_nothing(history: History, known: Inventory, later: float) -> None:
    """Every message by SNMP as well, up to the twin window later: the same outcomes."""
    twins = [(at + later, by_trap(said)) for at, said in history if isinstance(said, str)]
    assert outcomes(play(_in_time([*history, *twins]), known)) == outcomes(play(history, known))


@MANY
@given(
    histories(operated=False, within=1.0, gaps=CLEAR_GAPS, plain=True), inventories, st.randoms(use_true_random=False)
)
def test_the_order_of_arrival_within_the_twin_window_changes_nothing(
    history: History, known: Inventory, random: Random
) -> None:
    """The messages of each burst, all sent within a second, arrive in any order, up to four seconds late: the same
    outcomes (`fleet_histories.outcomes`: no times and no ids). Bursts are further apart than that, so that nothing
    arrives on the other side of a timer. No tunnel changes twice in one burst: a start that was over before it arrived
    proves nothing, and one that arrived in time does (`test_properties` has what holds of the tunnel itself). Every
    failure names its peer: one that does not belongs to the oldest case in its place, and which is that is a matter of
    arrival."""
    late = [(at + random.uniform(0, 4), said) for at, said in history]
    assert outcomes(play(_in_time(late), known)) == outcomes(play(history, known))


def _in_time(history: History) -> History:
    return sorted(history, key=lambda pair: pair[0])
