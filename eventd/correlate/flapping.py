"""Rule ``flapping``: a tunnel that keeps changing is told once, instead of every time, until it is quiet."""

from eventd.correlate import cases, opening, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.state import Case, PeerState, Tunnel
from eventd.model import Event


def turned(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float, turns: int = 1) -> bool:
    """Count ``turns`` ups or downs of a tunnel; True when the peer flaps, and the event is settled with that."""
    settings = desk.settings
    tunnel.turns = [at for at in tunnel.turns if at > now - settings.flap_window][-settings.flap_count :]
    tunnel.turns.extend([now] * turns)
    case = peer.case
    if case is not None and case.kind == "flapping":
        cases.record(case, event, now, bad=turns > 1 or not tunnel.up)
        case.timers["quiet"] = now + settings.flap_window
        cases.progress(desk, case, now)
        return True
    if len(tunnel.turns) < settings.flap_count:
        return False
    _begin(desk, peer, tunnel, event, now)
    return True


def _begin(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float) -> None:
    case, since = peer.case, tunnel.turns[0]
    fresh = case is None
    flap = cases.begin(event, since, "tunnel") if case is None else cases.successor(case, "flapping", since)
    flap.kind, flap.nature, flap.waited = "flapping", "outage", 0.0
    cases.record(flap, event, now)
    flap.count = (len(tunnel.turns) + (not tunnel.up)) // 2  # downs: ups and downs alternate
    if fresh or flap.cause is None:
        flap.cause = peer.last_stop
    flap.step(now, f"{len(tunnel.turns)} ups and downs within {desk.settings.flap_window / 60:g} min")
    if case is not None and case.announced:
        cases.supersede(desk, peer, case, flap, now)
    elif case is not None:
        desk.suppress("flapping", peer, texts.words(case.stop or case.cause))
    peer.case = flap
    flap.timers["quiet"] = now + desk.settings.flap_window
    grave = reasons.worse(flap.severity, "warning")
    if flap.cause is not None and flap.cause.severity is not None:
        grave = reasons.worse(grave, flap.cause.severity)
    opening.open_case(desk, peer, flap, now, "flapping", grave, heir=case is not None and case.announced)


def quiet(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Nothing changed for `flap_window`: it is over, or it stays down."""
    for tunnel in peer.tunnels.values():
        tunnel.turns.clear()
    if not peer.tunnels_down:
        cases.resolve(desk, peer, case, at, "quiet")
        return
    since = max(tunnel.since for tunnel in peer.tunnels.values() if tunnel.up is False)
    kind = "tunnel_degraded" if peer.tunnels_up else "tunnel_down"
    heir = cases.successor(case, kind, since)
    heir.stop = peer.last_stop
    cases.supersede(desk, peer, case, heir, at)
    peer.case = heir
    opening.open_case(desk, peer, heir, at, kind, case.severity, heir=True)
