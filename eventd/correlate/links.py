"""Rule ``far-end``: both gateways of a link report one outage. The case of one of them tells it, with the words of
both; the matter of the other end is an *echo* of it: kept in its books, told nowhere.

Which devices are the ends is known from the inventory (also through NAT, where it lists the outer address), else from
the addresses that a device was seen to use as its own.
"""

from collections.abc import Iterator

from eventd.correlate import books, cases, reasons
from eventd.correlate.desk import Desk
from eventd.correlate.settings import LINK_WINDOW
from eventd.correlate.state import Case, PeerState
from eventd.model import Reason


def join(desk: Desk, peer: PeerState, case: Case, at: float) -> bool:
    """Let the other end tell a case that is about to be told; False where there is no such end."""
    for main in far_ends(desk, peer):
        if main.case is not None and _tells(desk, main, main.case, peer, case):
            _echo(desk, main, main.case, peer, case, at)
            return True
    return False


def far_ends(desk: Desk, peer: PeerState) -> Iterator[PeerState]:
    """The other end of the link as its own device sees it; several where the addresses leave that open."""
    other = desk.fleet.owner(peer.peer)
    if other is None or other == peer.device:
        return
    for address in desk.fleet.addresses(peer.device):
        if desk.fleet.owner(address) == peer.device:
            for _, far in desk.fleet.by_address(address):
                if far.device == other and _may_end_at(desk, peer, far.peer) and _may_end_at(desk, far, peer.peer):
                    yield far


def _may_end_at(desk: Desk, peer: PeerState, address: str | None) -> bool:
    """Whether the tunnels of a peer may have that address as their own end: it is what they say, or an address of no
    other tunnel of the device either, as the outer one of an address translation is. Else it is another uplink."""
    ours = {tunnel.local for tunnel in peer.tunnels.values() if tunnel.local}
    if not ours or address in ours:
        return True
    others = (other for _, other in desk.fleet.of_device(peer.device) if other is not peer)
    return not any(address == tunnel.local for other in others for tunnel in other.tunnels.values())


def _tells(desk: Desk, main: PeerState, told: Case, peer: PeerState, case: Case) -> bool:
    """Whether ``main`` tells it: it does already, or is the end of the two that will."""
    if main.linked:
        return False
    if told.announced:
        return told.kind in ("tunnel_down", "tunnel_degraded", "negotiation_failing", "flapping")
    if told.family != "tunnel" or abs(told.since - case.since) > LINK_WINDOW:
        return False
    return _order(desk, main, told, case) < _order(desk, peer, case, told)


def _order(desk: Desk, peer: PeerState, case: Case, other: Case) -> tuple[int, float, str]:
    """The end whose device has lost more tells it, then the first to notice, then the first by name."""
    falling = sum(1 for _, near in desk.fleet.busy(peer.device) if near.case is not None and not near.case.announced)
    first = case.since if abs(case.since - other.since) > desk.settings.twin_window else 0.0
    return -falling, first, peer.device


def _echo(desk: Desk, main: PeerState, told: Case, peer: PeerState, case: Case, at: float) -> None:
    for step in case.steps:
        told.step(step.at, f"{case.device}: {step.text}")
    for witness in case.witnesses:
        told.add_witness(witness)
    told.proofs += 1
    told.failures += case.failures
    explains = [hear(told, reason) for reason in (case.stop, case.cause)]
    peer.case, peer.linked = None, main.key
    desk.suppress("far-end", peer, f"told by the incident of {main.device}")
    if told.announced:
        cases.progress(desk, told, at, notify=any(explains))
    desk.settle(main.key, main)


def hear(told: Case, reason: Reason | None) -> bool:
    """Note what the far end says; True when it explains more than what was known."""
    told.far = told.far or reason
    if not reasons.better(reason, told.cause):
        return False
    told.cause = reason
    return True


def release(desk: Desk, peer: PeerState) -> None:
    """What told for the far end is over: it stands for itself again, up as far as this end is."""
    for key, echo in list(desk.fleet.echoes(peer.key)):
        echo.linked = ""
        books.believe(echo, peer.up or None, desk.now)
        desk.settle(key, echo)
