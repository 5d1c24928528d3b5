"""Rule ``waits-for-traffic``: an idle tunnel runs out, and the next packet brings it up again. Nobody is told of it,
unless anything else is known that may have ended it."""

from collections.abc import Iterator

from eventd.correlate import books, cases, evidence, links, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import CONTEXT_WINDOW
from eventd.correlate.state import Case, PeerState
from eventd.model import Event


def may_be(desk: Desk, peer: PeerState, event: Event) -> bool:
    """Whether the SA has run out of a peer that, as the inventory says, gets the next one with the next traffic, and
    that traffic has a way."""
    return reasons.ran_out(event.reason) and waits(desk, peer) and next(_cut(desk, peer), None) is None


def waits(desk: Desk, peer: PeerState) -> bool:
    """Whether a peer waits for traffic."""
    return cases.trigger(desk, peer) == "traffic"


def hold_is_over(desk: Desk, peer: PeerState, case: Case, at: float) -> bool:
    """Timer ``open``: whether a case is no more than that, and settled."""
    if not reasons.ran_out(case.stop):
        return False
    for since, line in _cut(desk, peer):
        case.idle = False
        if since < case.since - CONTEXT_WINDOW:  # later ones are in the chain by their own words
            case.step(at, f"{line} is down since {texts.clock(since)}")
        return False
    if not case.waits_idle:
        return False
    books.ran_out(peer, at)
    cases.drop(desk, peer, case, "waits-for-traffic", "no traffic")
    return True


def _cut(desk: Desk, peer: PeerState) -> Iterator[tuple[float, str]]:
    """Since when which lines are down that carried what is down of the peer, at this end and at the other: no traffic
    comes over them, and no failed negotiation either. A line over which a tunnel started since is up, whatever message
    got lost."""
    for end in (peer, *links.far_ends(desk, peer)):
        lines = desk.device(end.device, desk.now).lines_down
        for tunnel in end.tunnels.values() if lines else ():
            for line in evidence.line_names(tunnel.interface, tunnel.ifindex) if not tunnel.up else ():
                since = lines.get(line)
                if since is not None and (tunnel.started is None or tunnel.started.at < since):
                    yield since, line if end is peer else f"{end.device}: {line}"
