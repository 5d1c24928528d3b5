"""Which device has taken over the peers of another one, where no message says so: several of them come up there soon
after one another, and soon after the other one lost them or fell silent."""

from collections.abc import Iterator, Sequence

from eventd.correlate.desk import Desk
from eventd.correlate.settings import CONTEXT_WINDOW, MAX_MOVES, MOVED_PEERS, TAKEOVER_WINDOW
from eventd.correlate.state import Case, Move, PeerState, device_key


def note(desk: Desk, peer: PeerState) -> Iterator[PeerState]:
    """Remember that ``peer`` has just come up on its device; that peer as the devices have it that it may have left."""
    if peer.peer is None or not _fresh(desk, peer):
        return
    for other in desk.fleet.shared(peer.peer):
        if other.device == peer.device or other.vsys != peer.vsys or not _leaves(desk, other):
            continue
        _, device = desk.fleet.device(other.device, desk.now)
        if device is not None:
            move = Move(desk.now, peer.device, peer.peer)
            others = [one for one in device.moves if (one.device, one.peer) != (move.device, move.peer)]
            device.moves = [*others[-MAX_MOVES + 1 :], move]
            desk.settle(device_key(device.device), device)
            yield other


def evident(desk: Desk, old: str, new: str, since: float) -> Sequence[Move]:
    """The moves that prove that ``new`` has taken over peers of ``old`` that it lost about ``since``; empty where they
    are too few."""
    first, last = since - CONTEXT_WINDOW, since + TAKEOVER_WINDOW
    found = [move for move in desk.device(old, desk.now).moves if move.device == new and first <= move.at <= last]
    return found if len(found) >= MOVED_PEERS else ()


def came_up(peer: PeerState, case: Case) -> bool:
    """Whether it came up on its device near the beginning of ``case`` of another one or later, and was not lost with
    it."""
    return any(
        tunnel.up
        and tunnel.since >= case.since - CONTEXT_WINDOW
        and (tunnel.stopped is None or tunnel.stopped.at < tunnel.since - TAKEOVER_WINDOW)
        for tunnel in peer.tunnels.values()
    )


def _fresh(desk: Desk, peer: PeerState) -> bool:
    """Whether it is up since just now, and was not merely away for a while."""
    return any(
        tunnel.up
        and tunnel.since >= desk.now - desk.settings.twin_window
        and (tunnel.stopped is None or tunnel.stopped.at < tunnel.since - TAKEOVER_WINDOW)
        for tunnel in peer.tunnels.values()
    )


def _leaves(desk: Desk, other: PeerState) -> bool:
    """Whether it was up there until now, as far as is known, or was lost lately."""
    if other.case is None:
        return bool(other.up)
    return other.case.family == "tunnel" and desk.now - other.case.since <= TAKEOVER_WINDOW
