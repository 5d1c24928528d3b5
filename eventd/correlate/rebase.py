"""What a step of the wall clock changes in what is remembered: every moment of ours moves with it, so that all spans
between them stay as they were. Stamps of the devices' own clocks are not ours and stay."""

from msgspec.structs import replace

from eventd.correlate.state import Case, DeviceState, Fact, GroupState, Moment, PeerState, State


def shift(state: State, delta: float) -> None:
    """Move all that ``state`` remembers by ``delta`` seconds."""
    state.heard_at += delta
    for case in state.cases():
        _case(case, delta)
    if isinstance(state, GroupState):
        state.joined_at += delta
        state.told_at += delta
        return
    for fact in state.facts:
        _fact(fact, delta)
    for decision in state.decisions:
        decision.at, decision.until = decision.at + delta, decision.until + delta
    if isinstance(state, PeerState):
        _peer(state, delta)
    else:
        _device(state, delta)


def _peer(peer: PeerState, delta: float) -> None:
    peer.since, peer.fell = peer.since + delta, peer.fell + delta
    peer.last_ended = peer.last_ended and peer.last_ended + delta
    peer.started = _moment(peer.started, delta)
    peer.replaced_at = None if peer.replaced_at is None else peer.replaced_at + delta
    for tunnel in peer.tunnels.values():
        tunnel.since += delta
        tunnel.started, tunnel.stopped = _moment(tunnel.started, delta), _moment(tunnel.stopped, delta)
        tunnel.turns = [at + delta for at in tunnel.turns]
        tunnel.stops = [at + delta for at in tunnel.stops]


def _device(device: DeviceState, delta: float) -> None:
    device.notes = [replace(note, at=note.at + delta) for note in device.notes]
    device.lines_down = {line: at + delta for line, at in device.lines_down.items()}
    device.moves = [replace(move, at=move.at + delta) for move in device.moves]
    device.restarted = device.restarted and device.restarted + delta
    device.restart_shown = device.restart_shown and device.restart_shown + delta
    device.heals = [at + delta for at in device.heals]


def _case(case: Case, delta: float) -> None:
    """An announced case keeps its beginning, of which its id is made."""
    if not case.announced:
        case.since += delta
    case.grow_since += delta
    case.back_by = case.back_by and case.back_by + delta
    case.due = case.due and case.due + delta
    case.updated_at += delta
    case.acked_until = None if case.acked_until is None else case.acked_until + delta
    case.timers = {name: at + delta for name, at in case.timers.items()}
    for step in case.steps:
        step.at, step.until = step.at + delta, step.until + delta


def _fact(fact: Fact, delta: float) -> None:
    fact.at, fact.until = fact.at + delta, fact.until + delta


def _moment(moment: Moment | None, delta: float) -> Moment | None:
    return None if moment is None else replace(moment, at=moment.at + delta)
