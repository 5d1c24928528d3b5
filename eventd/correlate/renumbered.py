"""Rule ``renumbered``: a peer with a dynamic address comes back under another one. To the device that is another peer;
what says that it is the same are its networks: the same flow in the same place, which a device gives to one peer at a
time.
"""

from collections.abc import Iterator

from eventd.correlate import books, cases, indexes, phrases
from eventd.correlate.desk import Desk
from eventd.correlate.state import TUNNEL_FIELDS, Case, PeerState, Tunnel
from eventd.model import Event

#: Kinds of incident that end with it.
ENDS = ("tunnel_down", "tunnel_degraded", "flapping")

#: Category of reasons by which the device itself went over to another address of the peer: the first one is lost, which
#: is worth knowing.
BY_DEVICE = "address"


def gone(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether all that a held case misses is up under another address; then its case is over, and nobody is told."""
    heir = heir_of(desk, peer, case)
    if heir is None:
        return False
    for tunnel in _down(peer):
        books.forget(peer, tunnel, desk.now)
    cases.drop(desk, peer, case, "renumbered", f"as {heir.peer}")
    return True


def heir_of(desk: Desk, peer: PeerState, case: Case) -> PeerState | None:
    """The peer that has all that a case of another address misses."""
    down = _down(peer) if case.family == "tunnel" and not case.announced and not _by_device(case) else []
    found = [_heir(desk, peer, tunnel) for tunnel in down]
    return found[0] if found and None not in found else None


def relieved(desk: Desk, peer: PeerState, event: Event) -> Iterator[PeerState]:
    """The peer of another address that ``peer``, which has just started for the first time, is: its incident ends."""
    for old in _others(desk, peer, event.flow):
        case = old.case
        if case is None or not case.announced or case.kind not in ENDS or _by_device(case):
            continue
        desk.settle(peer.key, peer)  # it may be new, and is to be found
        found = [tunnel for tunnel in _down(old) if _heir(desk, old, tunnel) is peer]
        for tunnel in found:
            books.forget(old, tunnel, desk.now)
        if found:
            case.step(desk.now, f"its networks are back from {peer.peer}")
            if not old.tunnels_down:
                cases.resolve(desk, old, case, desk.now, f"{phrases.RENUMBERED}{peer.peer}")
            yield old


def _by_device(case: Case) -> bool:
    return case.stop is not None and case.stop.category == BY_DEVICE


def _down(peer: PeerState) -> list[Tunnel]:
    return [tunnel for tunnel in peer.tunnels.values() if tunnel.up is False or books.is_lost_in_restart(tunnel)]


def _heir(desk: Desk, peer: PeerState, tunnel: Tunnel) -> PeerState | None:
    """The other peer that has a tunnel of the same flow in the same place since after this one came up, and never lost
    it: a second way to a site was up before, or goes up and down by itself."""
    before = tunnel.started.at if tunnel.started is not None else 0.0
    for other in _others(desk, peer, tunnel.flow):
        for theirs in other.tunnels.values():
            if theirs.up and theirs.stopped is None and theirs.since > before and _alike(theirs, tunnel):
                return other
    return None


def _others(desk: Desk, peer: PeerState, flow: str | None) -> list[PeerState]:
    """Who else has that flow, if that is one only, and the inventory does not say that the two are different peers."""
    if not flow or peer.peer is None:
        return []
    shelf = indexes.flow_of(peer, flow)
    if desk.fleet.count_others(shelf, peer.key) != 1:  # nobody's but its own, or that of many, which says nothing
        return []
    others = [other for _, other in desk.fleet.with_trait(shelf) if other is not peer and other.peer is not None]
    rows = [desk.inventory.peer(one.peer) for one in (peer, *others)]
    return others if None in rows or rows[0] == rows[-1] else []


def _alike(one: Tunnel, other: Tunnel) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in TUNNEL_FIELDS]
    return one.flow == other.flow and all(ours == theirs or None in (ours, theirs) for ours, theirs in pairs)
