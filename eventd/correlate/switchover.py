"""Rule ``switch-over``: after a pair of devices switched over, the tunnels that ended on one unit live on the other."""

from collections.abc import Iterator, Sequence

from eventd.correlate import books, cases, links
from eventd.correlate.desk import Desk
from eventd.correlate.fleet import FAILOVER
from eventd.correlate.settings import CONTEXT_WINDOW
from eventd.correlate.state import Case, PeerState


def taken_over(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether another device has the peer now; then its case is over, and nobody is told."""
    other = heir_of(desk, peer, case)
    if other is None:
        return False
    books.believe(peer, None, desk.now)
    cases.drop(desk, peer, case, "switch-over", f"{other.device} has it")
    return True


def heir_of(desk: Desk, peer: PeerState, case: Case) -> PeerState | None:
    """The peer as the other unit has it, whose tunnel makes an end of a case that nobody was told of."""
    if peer.peer is None or case.announced:
        return None
    units = _units(desk, peer)
    return next((other for other in units if _has_it(other, case) and _switched(desk, peer, other, case)), None)


def relieved(desk: Desk, peer: PeerState) -> Iterator[PeerState]:
    """Peers of other devices whose open matter ends because ``peer``, which has just started, has it now."""
    if peer.peer is None:
        return
    for other in _units(desk, peer):
        case = other.case
        if case is None or not case.announced or case.family != "tunnel":
            continue
        if _has_it(peer, case) and _switched(desk, peer, other, case):
            books.believe(other, None, desk.now)
            case.step(desk.now, f"{peer.device} has it now")
            cases.resolve(desk, other, case, desk.now, f"{peer.device} has taken it over")
            yield other


def _units(desk: Desk, peer: PeerState) -> Sequence[PeerState]:
    """The peer as other devices have it which may be the other unit of a pair: the same tunnel, or one of the two
    devices has switched over."""
    fleet, address = desk.fleet, peer.peer
    if address is None:
        return ()
    found = {other.key: other for other in links.same_ends(fleet, peer)}
    switched = list(fleet.switched())
    if peer.device in switched:
        found.update(fleet.by_address(address))
    for device in switched:
        found.update(fleet.between(device, address))
    return [other for _, other in sorted(found.items()) if other.device != peer.device]


def _has_it(other: PeerState, case: Case) -> bool:
    return bool(other.up) and other.started is not None and other.started.at >= case.since - CONTEXT_WINDOW


def _switched(desk: Desk, one: PeerState, other: PeerState, case: Case) -> bool:
    """Whether one of the two said that it switched over, near the beginning of ``case`` or later, or both have the
    same end of the tunnel."""
    if any(same is other for same in links.same_ends(desk.fleet, one)):
        return True
    return any(
        note.event == FAILOVER and note.at >= case.since - CONTEXT_WINDOW
        for name in (one.device, other.device)
        for note in desk.device(name, desk.now).notes
    )
