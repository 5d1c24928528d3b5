"""Rule ``far-end``: both gateways of a link report one outage. The case of one of them tells it, with the words of
both; the matter of the other end is an *echo* of it: kept in its books, told nowhere.

Which devices are the ends is known from the inventory (also through NAT, where it lists the outer address), else from
the addresses that a device was seen to use as its own.
"""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from eventd.correlate import books, cases, indexes, phrases, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.fleet import Fleet
from eventd.correlate.settings import LINK_WINDOW, MAX_DEVICES
from eventd.correlate.state import Case, FaultSide, PeerState
from eventd.model import Reason

#: Addresses that many sites use at the same time (RFC 1918, RFC 6598, RFC 4193).
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)

#: Where a fault lies as the other end sees it.
OPPOSITE: dict[str, FaultSide] = {"local": "remote", "remote": "local"}


def join(desk: Desk, peer: PeerState, case: Case, at: float) -> bool:
    """Let the other end tell a case that is about to be told; False where there is no such end: then ``case`` tells
    what the other end holds back, too."""
    if (teller := told_by(desk, peer, case)) is not None:
        _echo(desk, *teller, peer, case, at)
        return True
    for other, held in _other_ends(desk, peer):
        if not held.announced and held.family == "tunnel" and abs(held.since - case.since) <= LINK_WINDOW:
            _echo(desk, peer, case, other, held, at)
            desk.settle(other.key, other)
    return False


def told_by(desk: Desk, peer: PeerState, case: Case) -> tuple[PeerState, Case] | None:
    """The other end that tells a matter, or will; None where this end does."""
    return next(((main, told) for main, told in _other_ends(desk, peer) if _tells(desk, main, told, peer, case)), None)


def is_single(desk: Desk, peer: PeerState) -> bool:
    """Whether nobody else can know of its tunnels: its address is no device's, and no other device has it as a peer."""
    return desk.fleet.is_alone(peer) and desk.fleet.owner(peer.peer) in (None, peer.device)


def _other_ends(desk: Desk, peer: PeerState) -> list[tuple[PeerState, Case]]:
    ends = [*far_ends(desk, peer), *same_ends(desk.fleet, peer), *_turned_round(desk.fleet, peer)]
    return [(other, other.case) for other in ends if other.case is not None]


def far_ends(desk: Desk, peer: PeerState) -> Iterator[PeerState]:
    """The other end of the link as its own device sees it; several where the addresses leave that open."""
    other = desk.fleet.owner(peer.peer)
    if other is None or other == peer.device:
        return
    for address in desk.fleet.addresses(peer.device):
        if desk.fleet.owner(address) == peer.device:
            for _, far in desk.fleet.between(other, address):
                if _may_end_at(desk, peer, far.peer) and _may_end_at(desk, far, peer.peer):
                    yield far


def same_ends(fleet: Fleet, peer: PeerState) -> Iterator[PeerState]:
    """The same tunnel under another device's name: the other unit of a pair, or a firewall whose logs and traps come
    by different ways and that no inventory names. Own address and flow agree; where no flow is said, the address must
    be one that nobody else can have."""
    if peer.peer is None or fleet.is_alone(peer):
        return
    ours = set(_ends(peer))
    found = {key: other for local, _ in ours for key, other in fleet.with_trait(indexes.by_end(peer.peer, local))}
    for _, other in sorted(found.items()):
        if other.device != peer.device and ours.intersection(_ends(other)):
            yield other


def _turned_round(fleet: Fleet, peer: PeerState) -> Iterator[PeerState]:
    """The other end of the link, of which one device only guessed which end is its own, and took it for the far one."""
    if peer.peer is None or fleet.is_alone(peer):
        return
    ours = {tunnel.local for tunnel in peer.tunnels.values() if tunnel.local}
    found = {key: other for local in ours for key, other in fleet.with_trait(indexes.by_end(peer.peer, local))}
    for _, other in sorted(found.items()):
        if other.device != peer.device and other.guessed != peer.guessed:
            yield other


def _ends(peer: PeerState) -> Iterator[tuple[str, str | None]]:
    for tunnel in peer.tunnels.values():
        if tunnel.local and (tunnel.flow or not _private(tunnel.local)):
            yield tunnel.local, tunnel.flow


@lru_cache(maxsize=MAX_DEVICES)
def _private(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return True
    return any(ip.version == network.version and ip in network for network in PRIVATE)


def _may_end_at(desk: Desk, peer: PeerState, address: str | None) -> bool:
    """Whether the tunnels of a peer may have that address as their own end: it is what they say, or an address of no
    other tunnel of the device either, as the outer one of an address translation is. Else it is another uplink."""
    ours = {tunnel.local for tunnel in peer.tunnels.values() if tunnel.local}
    if not ours or address in ours:
        return True
    return address is None or not desk.fleet.count_with(indexes.ending(peer.device, address))


def _tells(desk: Desk, main: PeerState, told: Case, peer: PeerState, case: Case) -> bool:
    """Whether ``main`` tells it: it does already, or is the end of the two that will."""
    if main.linked:
        return False
    if told.announced:
        return told.kind in ("tunnel_down", "tunnel_degraded", "negotiation_failing", "flapping")
    if told.family != "tunnel" or told.waits_idle or abs(told.since - case.since) > LINK_WINDOW:
        return False
    return _order(desk, main, told, case) < _order(desk, peer, case, told)


def _order(desk: Desk, peer: PeerState, case: Case, other: Case) -> tuple[bool, bool, int, float, bool, str]:
    """Who can tell the two ends apart tells it, then who has a name rather than an address, then the end whose device
    has lost more, then the first to notice, then who has the other one as a peer of the inventory, unless it was done
    on purpose, then the first by name."""
    falling = desk.fleet.count_near(indexes.lost(peer.device), case.since, desk.settings.group_window)
    first = case.since if abs(case.since - other.since) > desk.settings.twin_window else 0.0
    unlisted = desk.inventory.peer(peer.peer) is None and "expected" not in (case.nature, other.nature)
    return peer.guessed, texts.is_address(peer.device), -falling, first, unlisted, peer.device


def _echo(desk: Desk, main: PeerState, told: Case, peer: PeerState, case: Case, at: float) -> None:
    for step in case.steps:
        told.step(step.at, f"{case.device}: {step.text}")
    for witness in case.witnesses:
        told.add_witness(witness)
    told.proofs += 1
    told.probe = told.probe and case.probe
    if main.peer != peer.peer:
        told.far_device = case.device
    if not told.announced and case.fell is not None:
        told.since = min(told.since, case.fell)  # the first proof of the loss, whoever has it
    told.failures += case.failures
    far = main.peer != peer.peer
    told.side = told.side or (OPPOSITE.get(case.side or "") if far else case.side)
    explains = [hear(told, reason, case.device, far=far) for reason in (case.stop, case.cause)]
    peer.case, peer.linked, peer.fell = None, main.key, case.since
    desk.suppress("far-end", peer, f"told by the incident of {main.device}")
    severity = told.severity if _echoes_purpose(told, case) else case.severity
    if not told.announced:
        told.severity = reasons.worse(told.severity, severity)
    elif not cases.escalate(desk, told, at, severity, f"{case.device} reports it too"):
        cases.progress(desk, told, at, news=phrases.CAUSE_KNOWN if any(explains) else "")
    desk.settle(main.key, main)


def _echoes_purpose(told: Case, case: Case) -> bool:
    """Whether this end says no more than that the other one asked for what was done there on purpose."""
    return told.nature == "expected" and case.stop is not None and reasons.is_request(case.stop) and not case.failures


def hear(told: Case, reason: Reason | None, device: str, *, far: bool = True) -> bool:
    """Note what ``device``, the far end, says; True when it explains more than what was known."""
    told.far = told.far or (reason if far else None)
    if not reasons.better(reason, told.cause):
        return False
    told.cause, told.says = reason, device
    return True


def release(desk: Desk, peer: PeerState) -> None:
    """What told for the far end is over: it stands for itself again, up as far as this end is."""
    for key, echo in list(desk.fleet.echoes(peer.key)):
        echo.linked = ""
        books.believe(echo, peer.up or None, desk.now)
        desk.settle(key, echo)
