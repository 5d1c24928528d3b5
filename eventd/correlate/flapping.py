"""Rule ``flapping``: a tunnel that keeps changing, or that ends at a steady pace, is told once, instead of every time,
until it is quiet; and once more when it stays down.
"""

from itertools import pairwise

from eventd.correlate import books, cases, evidence, groups, opening, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import MIN_PACE, PACE_SPREAD, PACE_STOPS
from eventd.correlate.state import Case, PeerState, Tunnel
from eventd.model import Event, Severity

#: A tunnel that a timer ends is healthy: it is away for this share of the time at most.
SOON_BACK = 0.25
#: Quiet for so many distances between two steady stops: it has stopped.
PACES_QUIET = 2.5
#: Down for so many times its longest absence so far (`Case.waited`): this time it may be for good.
LONGER = 2.0
#: What `Case.awaits` says of a flapping tunnel that stays down.
DOWN = "down now"


def turned(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float, *, both: bool = False) -> bool:
    """A tunnel went up or down, or ``both``: down, and up again before we heard of it. True when the peer flaps, and
    the event is settled with that."""
    settings, down = desk.settings, both or not tunnel.up
    if down:
        books.turned(tunnel, False, now, settings.flap_window, settings.flap_count)
    if tunnel.up:
        books.turned(tunnel, True, now, settings.flap_window, settings.flap_count)
    pace = 0.0 if tunnel.up else _pace(tunnel)
    case = peer.case
    if case is not None and case.kind == "flapping":
        cases.record(case, event, now, bad=down)
        case.grow_since = now if down else case.grow_since
        steady = not case.pace and bool(pace) and _steady(case, pace, now)
        _wait(desk, case, tunnel, now)
        cases.progress(desk, case, now, news="stops at a steady pace" if steady else "")
        return True
    # what goes down may be back before anybody is told, and others go down with it: when it is up again is soon enough
    if not pace and (not tunnel.up or books.turns(tunnel, settings.outage_hold) < settings.flap_count):
        return False
    held = peer.case or cases.begin(event, now, "tunnel")
    _begin(desk, peer, held, tunnel, event, now, pace)
    return True


def unreplaced(desk: Desk, peer: PeerState, held: Case, now: float) -> bool:
    """No start came within the hold of a stop that was to be a replacement: a stop as any other, of the time when it
    came. True when the peer flaps with it."""
    late = [tunnel for tunnel in peer.tunnels.values() if tunnel.up is False and tunnel.nature == "rekey"]
    for tunnel in late:
        _count_stop(desk, tunnel)
    steady = next((tunnel for tunnel in late if _pace(tunnel)), None)
    if steady is None:
        return False
    _begin(desk, peer, held, steady, None, now, _pace(steady))
    return True


def replaced(desk: Desk, peer: PeerState, case: Case, tunnel: Tunnel) -> None:
    """What flaps is back after a stop that was to be a replacement: where that took longer than one takes, it was a
    stop as any other."""
    if tunnel.absent > desk.settings.rekey_hold:
        _count_stop(desk, tunnel)
    elif not peer.tunnels_down:
        case.timers.pop("down", None)


def await_replacement(desk: Desk, case: Case, now: float) -> None:
    """What flaps went down to be replaced: if that takes longer than ever before, it stays down."""
    case.timers["down"] = now + max(desk.settings.rekey_hold, LONGER * case.waited)


def _count_stop(desk: Desk, tunnel: Tunnel) -> None:
    at = tunnel.stopped.at if tunnel.stopped is not None else tunnel.since
    books.turned(tunnel, False, at, desk.settings.flap_window, desk.settings.flap_count)
    tunnel.nature = "outage"


def _pace(tunnel: Tunnel) -> float:
    """The steady distance of the latest stops in seconds, where it was soon back after each; else 0."""
    if len(tunnel.stops) < PACE_STOPS:
        return 0.0
    gaps = [later - earlier for earlier, later in pairwise(tunnel.stops)]
    mean = sum(gaps) / len(gaps)
    if mean < MIN_PACE or tunnel.absent > SOON_BACK * mean:
        return 0.0
    return mean if all(abs(gap - mean) <= PACE_SPREAD * mean for gap in gaps) else 0.0


def _wait(desk: Desk, case: Case, tunnel: Tunnel, now: float) -> None:
    case.timers["quiet"] = now + max(desk.settings.flap_window, PACES_QUIET * case.pace)
    if not tunnel.up:
        case.timers["down"] = now + max(desk.settings.outage_hold, LONGER * case.waited)
        return
    case.awaits = ""
    case.timers.pop("down", None)
    case.waited = max(case.waited, tunnel.absent)


def _begin(
    desk: Desk, peer: PeerState, held: Case, tunnel: Tunnel, event: Event | None, now: float, pace: float
) -> None:
    """``held`` is the case of the peer so far, or a new one; ``event`` what it does not know of yet."""
    case, since = peer.case, tunnel.stops[0] if pace else tunnel.turns[0]
    fresh = case is None
    flap = cases.successor(held, "flapping", since)
    flap.kind, flap.nature, flap.awaits, flap.waited = "flapping", "outage", "", tunnel.absent
    flap.grow_since = tunnel.stops[-1] if tunnel.stops else since
    if case is None or not case.announced:
        _tell_turns(flap, tunnel, now)
    if pace:
        _tell_stops(flap, tunnel, now)
    if event is not None:
        cases.record(flap, event, now)
    flap.count = len(tunnel.stops) if pace else len(tunnel.turns) // 2  # ups and downs alternate
    if fresh or flap.cause is None:
        flap.cause = peer.last_stop
    if pace:
        _steady(flap, pace, now)
    else:
        flap.step(now, f"{len(tunnel.turns)} ups and downs within {desk.settings.flap_window / 60:g} min")
    if case is not None and case.announced:
        cases.supersede(desk, peer, case, flap, now)
    elif case is not None:
        desk.suppress("flapping", peer, texts.words(case.stop or case.cause))
    peer.case = flap
    _wait(desk, flap, tunnel, now)
    told = case is not None and case.announced
    # what was always back before anybody was told is worth knowing, and no more; what was told stays as grave as it was
    before = flap.severity if told else peer.last_severity if peer.last_ended >= since else "warning"
    grave = reasons.worse(before, "warning")
    opening.open_case(desk, peer, flap, now, "flapping", grave, heir=told)


def _steady(flap: Case, pace: float, now: float) -> bool:
    """Note the pace; True where it explains more than the reasons that the device gives."""
    flap.pace = pace
    flap.step(now, f"stops at a steady pace, every {texts.span(pace)}")
    if reasons.says_why(flap.cause):
        return False
    requested = flap.cause is not None and reasons.is_request(flap.cause)
    flap.cause, flap.says = evidence.paced(flap.cause, requested=requested), ""
    return True


def _tell_turns(flap: Case, tunnel: Tunnel, now: float) -> None:
    """The ups and downs that nobody was told of, as far as they are not in the chain yet."""
    known, up = {step.at for step in flap.steps}, bool(tunnel.up)
    for place, at in enumerate(reversed(tunnel.turns)):
        if at < now and at not in known:
            flap.step(at, "tunnel started" if up is (place % 2 == 0) else "tunnel stopped")


def _tell_stops(flap: Case, tunnel: Tunnel, now: float) -> None:
    """The steady stops, of which the earlier ones had incidents of their own."""
    known = {step.at for step in flap.steps}
    for at in tunnel.stops:
        if at < now and at not in known:
            flap.step(at, "tunnel stopped")


def stays_down(desk: Desk, case: Case, at: float) -> None:
    """Timer ``down``: what flaps has been down for longer than ever before. Told at once."""
    case.awaits = DOWN
    case.step(at, "stays down")
    stated = case.cause.severity if case.cause is not None else None
    grave: Severity = "major" if stated is None or stated == "info" else stated
    if not cases.escalate(desk, case, at, reasons.worse(grave, "warning"), "stays down"):
        cases.progress(desk, case, at, news="stays down")
    groups.lost_again(desk, case.group)


def quiet(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Nothing changed for `flap_window`: it is over, or it stays down."""
    for tunnel in peer.tunnels.values():
        tunnel.turns.clear()
        tunnel.stops.clear()
    if not peer.tunnels_down:
        cases.resolve(desk, peer, case, at, "quiet")
        return
    since = max(tunnel.since for tunnel in peer.tunnels.values() if tunnel.up is False)
    kind = "tunnel_degraded" if peer.tunnels_up else "tunnel_down"
    heir = cases.successor(case, kind, since)
    heir.stop, heir.awaits, heir.waited, heir.pace = peer.last_stop, "", 0.0, 0.0
    cases.supersede(desk, peer, case, heir, at)
    peer.case = heir
    opening.open_case(desk, peer, heir, at, kind, case.severity, heir=True)
