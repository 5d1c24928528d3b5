"""Rule ``other-line``: a device with several lines gives the networks of a peer to one tunnel at a time. Where they
come up over another line, or have just done so, the tunnel that had them is not lost but has gone there. Two lines that
were both up for long are a pair: one of them lost is worth knowing, though nothing is cut off.
"""

from collections.abc import Iterable, Iterator

from eventd.correlate import books, indexes, lines, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import LINK_WINDOW
from eventd.correlate.state import PeerState, Tunnel, numbered
from eventd.model import Event, Reason


def take_over(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float) -> bool:
    """A tunnel is about to come up, or to begin anew: it goes on for those that had its networks on other lines, and
    are lost; whether there are any. Where it was up, or one stopped after this start by the device's clock, the
    networks were never away; where it was down itself, they are away since then, and are back now."""
    was = tunnel.up
    lost = [old for old in _others(peer, tunnel) if _is_lost(old) and not _are_pair(old, tunnel)]
    for old in lost:
        if old.stopped is not None and now - old.stopped.at <= desk.settings.twin_window:
            _take_back(peer, old.stopped.at)
        just_lost = now - old.since <= desk.settings.twin_window
        never_away = was or (just_lost and books.overtaken(old.stopped, event, now, desk.settings.twin_window))
        if never_away and old.nature == "outage":
            del old.turns[-1:], old.stops[-1:]
        hand_over(desk, peer, old, tunnel, now)
        if never_away and was is None:
            books.put(peer, tunnel, True, now)
    return bool(lost)


def hand_over(desk: Desk, peer: PeerState, old: Tunnel, new: Tunnel, now: float) -> None:
    """Another tunnel goes on for one whose networks it has; if the line of that is down, somebody has to know."""
    books.hand_over(peer, old, new, now)
    lines.left(desk, old, peer.device)


def _take_back(peer: PeerState, stopped_at: float) -> None:
    """Its latest stop and a start on another line are one moment: as if the start had been heard first, that stop says
    nothing of why the peer was lost before."""
    case = peer.case
    if case is not None and case.since < stopped_at and case.cause == peer.last_stop:
        case.cause = case.knew


def heir(peer: PeerState, tunnel: Tunnel, reason: Reason | None, now: float) -> Tunnel | None:
    """What has taken the networks of a tunnel that stops over on another line: it came up there shortly before, or the
    device says that it did, which makes them no pair. Lines that were both up for long are noted to be one."""
    up = [other for other in _others(peer, tunnel) if other.up]
    if reasons.is_kicked(reason):
        tunnel.paired = False
        return up[0] if up else None
    for other in up:
        if _are_pair(tunnel, other):
            continue
        if _left_over(tunnel, other, reason):
            return other
        if tunnel.up and now - max(tunnel.since, other.since) > LINK_WINDOW:
            tunnel.paired = other.paired = True
        elif _came_later(tunnel, other, now):
            return other
    return None


def instead(peers: Iterable[PeerState], interface: str | None) -> str:
    """The lines over which peers of an interface are up, where some of them are not up over that one; else empty."""
    if not interface:
        return ""
    found = [{line(tunnel) for tunnel in peer.tunnels.values() if tunnel.up} for peer in peers]
    gone = any(one and interface not in one for one in found)
    return texts.listed(set().union(*(one & {interface} or one for one in found))) if gone else ""


def line(tunnel: Tunnel) -> str:
    """What a person calls the line of a tunnel."""
    number = "" if tunnel.ifindex is None else numbered(tunnel.ifindex)
    return tunnel.interface or number or tunnel.local or "another line"


def _others(peer: PeerState, tunnel: Tunnel) -> Iterator[Tunnel]:
    """The other tunnels of a peer for the same networks."""
    if len(peer.tunnels) > 1 and tunnel.flow and indexes.names_networks(tunnel.flow):
        yield from (other for other in peer.tunnels.values() if other.flow == tunnel.flow and other is not tunnel)


def _are_pair(one: Tunnel, other: Tunnel) -> bool:
    """Whether neither goes on for the other."""
    return one.paired and other.paired


def _is_lost(tunnel: Tunnel) -> bool:
    return tunnel.up is False or books.is_lost_in_restart(tunnel)


def _left_over(tunnel: Tunnel, other: Tunnel, reason: Reason | None) -> bool:
    """Whether a tunnel has run out that was not renewed since another one has its networks: nobody missed it."""
    ran_out = reasons.nature(reason) == "rekey" and reason is not None and reason.needs_recovery_check
    return ran_out and other.since > (tunnel.started.at if tunnel.started is not None else 0.0)


def _came_later(tunnel: Tunnel, other: Tunnel, now: float) -> bool:
    """Whether another tunnel began, or began anew, after one that stops now, and so shortly before that it may not have
    been noticed earlier."""
    began = max(other.since, other.started.at if other.started is not None else 0.0)
    return now - began <= LINK_WINDOW and began > (tunnel.since if tunnel.up else 0.0)
