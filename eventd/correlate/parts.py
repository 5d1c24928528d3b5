"""A peer of which only some tunnels are out: which, and whether the rest is proven to work.

That a tunnel has not been reported lost proves nothing: dead-peer detection takes minutes, and a message may be lost.
Beside a loss two things prove that another tunnel works. A word of its own since shortly before (`DPD_TAKES`): it came
up, or began anew, while the lost one was dead already. Or that the line of the lost one is said to be down and its own
is not, which explains the loss, if both had been up together: what was up long before the lost one began may have
ended with that, for a device gives the networks of a peer to one tunnel at a time unless it is told otherwise.
"""

import re
from collections.abc import Iterator

from eventd.correlate import books, evidence, otherline, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import DPD_TAKES, LINK_WINDOW
from eventd.correlate.state import Case, DeviceState, PeerState, Tunnel

#: Protocol and ports of a flow at its end, where they are any.
ANY_PORTS = re.compile(r"(?: 0)+$")


def note(desk: Desk, peer: PeerState, case: Case) -> None:
    """Write into a case which tunnels are out, and what is known of the others."""
    case.beside, case.unproven, case.which = spared(desk, peer), is_unproven(desk, peer), which(peer)
    case.missing = sum(1 for _ in _down(peer))


def spared(desk: Desk, peer: PeerState) -> bool:
    """Whether the networks of all tunnels that are down are those of tunnels proven to be up: by another line, say."""
    device, up = desk.device(peer.device, desk.now), _up(desk, peer)
    return bool(up) and all(
        any(other.flow and other.flow == lost.flow and _is_proven(device, lost, other) for other in up)
        for lost in _down(peer)
    )


def is_unproven(desk: Desk, peer: PeerState) -> bool:
    """Whether tunnels are up as far as is known, and nothing proves it of any since others were lost."""
    device, up = desk.device(peer.device, desk.now), _up(desk, peer)
    return bool(up) and not any(_is_proven(device, lost, other) for lost in _down(peer) for other in up)


def which(peer: PeerState) -> str:
    """The tunnels that are down, each by what tells it from those that are up: its line, its flow, the far port."""
    up = [tunnel for tunnel in peer.tunnels.values() if tunnel.up]
    return texts.listed(name for lost in _down(peer) if up and (name := _name(lost, up)))


def then(peer: PeerState, case: Case) -> str:
    """The lines over which a peer was lost beside that of its case."""
    return texts.listed({otherline.line(lost) for lost in _down(peer) if lost.interface} - {case.interface})


def _name(lost: Tunnel, up: list[Tunnel]) -> str:
    own = {
        "flow": ANY_PORTS.sub("", lost.flow or ""),
        "port": "" if lost.port is None else f"port {lost.port}",
        "interface": otherline.line(lost),
    }
    return ", ".join(text for name, text in own.items() if text and all(_differs(lost, one, name) for one in up))


def _differs(lost: Tunnel, other: Tunnel, name: str) -> bool:
    ours, theirs = getattr(lost, name), getattr(other, name)
    return None not in (ours, theirs) and ours != theirs


def _down(peer: PeerState) -> Iterator[Tunnel]:
    return (tunnel for tunnel in peer.tunnels.values() if tunnel.up is False)


def _up(desk: Desk, peer: PeerState) -> list[Tunnel]:
    return [tunnel for tunnel in peer.tunnels.values() if books.is_up(tunnel, desk.now)]


def _is_proven(device: DeviceState, lost: Tunnel, other: Tunnel) -> bool:
    at, proven = lost.stopped.at if lost.stopped is not None else lost.since, books.proven_at(other)
    if proven >= at - DPD_TAKES:
        return True
    together = lost.started is not None and proven >= lost.started.at - LINK_WINDOW
    return together and _line_died(device, lost, at) and not _line_died(device, other, at)


def _line_died(device: DeviceState, tunnel: Tunnel, at: float) -> bool:
    """Whether the line of a tunnel is certainly one that went down by then."""
    line = (tunnel.interface, tunnel.ifindex)
    return any(evidence.is_line(note, line) for note in evidence.of_link(device, *line, at))
