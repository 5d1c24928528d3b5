"""Rule ``switch-over``: after a pair of devices switched over, the tunnels that ended on one unit live on the other."""

from collections.abc import Iterator, Sequence

from eventd.correlate import books, cases, evidence, links, moves
from eventd.correlate.desk import Desk
from eventd.correlate.fleet import FAILOVER
from eventd.correlate.settings import CONTEXT_WINDOW, TAKEOVER_WINDOW
from eventd.correlate.state import Case, Move, PeerState


def taken_over(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether another device has the peer now; then its case is over, and nobody is told."""
    other = heir_of(desk, peer, case)
    if other is None and not _speaks(desk, case):
        return False
    books.believe(peer, None if other is not None else True, desk.now)
    why = f"{other.device} has it" if other is not None else f"{peer.device} speaks again"
    cases.drop(desk, peer, case, "switch-over", why)
    return True


def awaited(desk: Desk, case: Case) -> float | None:
    """Until when it is too early to miss a peer whose device is being relieved: while others of that device keep coming
    up on the same other one, and for `TAKEOVER_WINDOW` at most; None where nothing is awaited."""
    if case.announced or not (known := desk.device(case.device, desk.now).moves):
        return None
    last = max(known, key=lambda move: move.at)
    near = last.at >= case.since - CONTEXT_WINDOW
    said = near and said_so(desk, case.since, case.device, last.device)
    if not said and not moves.evident(desk, case.device, last.device, case.since):
        return None
    until = min(last.at + desk.settings.outage_hold, case.since + TAKEOVER_WINDOW)
    return until if until > desk.now else None


def waits(desk: Desk, case: Case) -> bool:
    """Hold a case for longer while its switch-over goes on."""
    until = awaited(desk, case)
    if until is not None:
        case.timers["open"] = until
    return until is not None


def heir_of(desk: Desk, peer: PeerState, case: Case) -> PeerState | None:
    """The peer as the other unit has it, whose tunnel makes an end of a case that nobody was told of."""
    if case.announced or desk.fleet.is_alone(peer):
        return None
    units = _units(desk, peer)
    return next((other for other in units if _has_it(other, case) and _switched(desk, peer, other, case)), None)


def relieved(desk: Desk, peer: PeerState) -> Iterator[PeerState]:
    """Peers of other devices whose open matter ends because ``peer``, which has just started, has it now; and those of
    a unit that died without a word, which begin to be missed."""
    if peer.peer is None or desk.fleet.count_sharing(peer.peer) < 2:
        return
    left = list(moves.note(desk, peer))
    for other in _units(desk, peer):
        if _relieve(desk, other, peer):
            yield other
    for other in left:
        since = other.case.since if other.case is not None else desk.now
        found = moves.evident(desk, other.device, peer.device, since)
        yield from _moved_before(desk, other.device, found)
        if found and other.case is None and not other.linked:  # nobody at this own end is missed yet
            yield from _missed(desk, other, peer, found)


def _moved_before(desk: Desk, old: str, found: Sequence[Move]) -> Iterator[PeerState]:
    """Those that had moved before it was evident."""
    for move in found:
        for _, peer in desk.fleet.between(move.device, move.peer):
            for _, other in desk.fleet.between(old, move.peer):
                if _relieve(desk, other, peer):
                    yield other


def _relieve(desk: Desk, other: PeerState, peer: PeerState) -> bool:
    """End the open incident of ``other`` if ``peer`` is the same on the device that has taken it over."""
    case = other.case
    if case is None or not case.announced or case.family != "tunnel" or other.device == peer.device:
        return False
    if not (_has_it(peer, case) and _switched(desk, peer, other, case)):
        return False
    books.believe(other, None, desk.now)
    case.taker = peer.device
    case.step(desk.now, f"{peer.device} has it now")
    group = desk.fleet.groups.get(case.group)
    if group is not None and group.case is not None:
        group.case.taker, group.case.moved = peer.device, group.case.moved + 1
    cases.resolve(desk, other, case, desk.now, f"{peer.device} has taken it over")
    return True


def _units(desk: Desk, peer: PeerState) -> Sequence[PeerState]:
    """The peer as other devices have it which may be the other unit of a pair: the same tunnel, or one of the two
    devices has switched over, or takes the peers of the other."""
    fleet, address = desk.fleet, peer.peer
    if address is None or fleet.count_sharing(address) < 2:
        return ()
    found = {other.key: other for other in (*links.same_ends(fleet, peer), *fleet.shared(address))}
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
    same end of the tunnel, or one takes the peers of the other."""
    if any(same is other for same in links.same_ends(desk.fleet, one)):
        return True
    if said_so(desk, case.since, one.device, other.device):
        return True
    new = other if one.device == case.device else one
    return moves.came_up(new, case) and bool(moves.evident(desk, case.device, new.device, case.since))


def said_so(desk: Desk, since: float, *devices: str) -> bool:
    """Whether one of them said that it switched over, near ``since`` or later."""
    notes = (note for name in devices for note in desk.device(name, desk.now).notes)
    return any(note.event == FAILOVER and note.at >= since - CONTEXT_WINDOW for note in notes)


# --- a unit that died without a word ----------------------------------------------------------------------------------


def _missed(desk: Desk, other: PeerState, peer: PeerState, found: Sequence[Move]) -> Iterator[PeerState]:
    """What had the same own end as ``other`` on a device that says nothing while its peers come up elsewhere: held to
    be lost, unless it comes up there too."""
    first = min(move.at for move in found)
    ends = {tunnel.local for tunnel in other.tunnels.values() if tunnel.local}
    if desk.fleet.heard.get(other.device, first) >= first or not any(
        same is other for same in links.same_ends(desk.fleet, peer)
    ):
        return
    for _, old in desk.fleet.of_device(other.device):
        theirs = [tunnel for tunnel in old.tunnels.values() if tunnel.up and tunnel.local in ends]
        if old.case is not None or old.linked or not theirs:
            continue
        for tunnel in theirs:
            books.put(old, tunnel, False, desk.now)
        old.case = _left_behind(old, peer.device, first)
        yield old


def _left_behind(old: PeerState, taker: str, first: float) -> Case:
    """Held until whoever takes over has had its time."""
    case = Case(
        device=old.device, vsys=old.vsys, peer=old.peer, since=first, family="tunnel", severity="major", count=1
    )
    case.cause = evidence.left_behind(taker, old.device)
    case.step(first, f"{taker} takes over peers of {old.device}, which says nothing")
    case.timers["open"] = first + TAKEOVER_WINDOW
    case.interface = next((tunnel.interface for tunnel in old.tunnels.values() if tunnel.interface), None)
    return case


def _speaks(desk: Desk, case: Case) -> bool:
    """Whether a device thought dead has said something since."""
    lives = desk.fleet.heard.get(case.device, 0.0) > case.since
    return case.cause is not None and case.cause.name == evidence.LEFT_BEHIND and case.stop is None and lives
