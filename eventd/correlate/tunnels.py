"""Rules for stops, starts and signs of life: ``recovered-in-hold``, ``rekey``, ``standby``, ``waits-for-traffic``."""

from eventd.correlate import (
    books,
    cases,
    context,
    flapping,
    idling,
    negotiation,
    opening,
    otherline,
    parts,
    phrases,
    places,
    reasons,
    remnants,
    renumbered,
    restarts,
    switchover,
    tallies,
    texts,
)
from eventd.correlate.desk import Desk
from eventd.correlate.settings import WEAK_HOLD
from eventd.correlate.state import Case, Moment, PeerState, Tunnel, moment
from eventd.model import Event, Reason, Severity

#: From harmless to grave; a case is as grave as its gravest stop.
NATURES = ("rekey", "expected", "outage")
#: The event of a probe that runs through a tunnel: no answer says nothing of the tunnel itself.
PROBE = "ipsec.sla.down"
#: Status words of devices, and what they mean (RFC 2863 uses 1 and 2; the vendor's MIB gives no enumeration).
UP_WORDS = ("up", "1", "established", "clear", "active")
DOWN_WORDS = ("down", "2", "0", "deleted", "inactive")
#: A start in a chain.
STARTED = texts.TOLD["ipsec.tunnel.start"]


# --- stops ------------------------------------------------------------------------------------------------------


def on_stop(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """A tunnel ended."""
    if _of_connection(event):
        desk.suppress("context", peer, texts.told(event))
        return
    nature = reasons.nature(event.reason)
    if nature == "standby":
        desk.suppress("standby", peer, texts.told(event))
        return
    tunnel = books.find(peer, event, now, wanted=True)
    outlived = _outlived(tunnel, event, now, desk.settings.rekey_hold)
    if books.is_lost_in_restart(tunnel) or (outlived and books.outlives_restart(tunnel)):
        restarts.contradicted(desk, peer, now)
    if books.overtaken(tunnel.started, event, now, desk.settings.twin_window):
        _came_late(desk, peer, tunnel, event, now, nature)
    elif outlived:
        desk.suppress("rekey", peer, f"{texts.told(event)}, of the SA before the one that has just started")
    elif (heir := otherline.heir(peer, tunnel, event.reason, now)) is not None:
        _gone_over(desk, peer, tunnel, heir, event, now)
    elif nature == "rekey" and _replaced(desk, peer, tunnel, event.reason, now):
        desk.suppress("rekey", peer, texts.told(event))
        if peer.case is not None and event.reason is not None and not event.reason.needs_recovery_check:
            on_sign(desk, peer, event, now)  # what is replaced was alive, whatever start got lost
    else:
        _down(desk, peer, tunnel, event, now, nature)


def _gone_over(desk: Desk, peer: PeerState, tunnel: Tunnel, heir: Tunnel, event: Event, now: float) -> None:
    """Its networks are up on another line: nothing was lost, or it is back by now."""
    over = otherline.line(heir)
    said = f"its networks are up over {over}"
    desk.suppress("other-line", peer, f"{texts.told(event)}: {said}")
    lost = tunnel.up is not None and books.overtaken(heir.started, event, now, desk.settings.twin_window)
    missed = tunnel.up is False
    otherline.hand_over(desk, peer, tunnel, heir, now)
    if missed:
        _relieved(desk, peer, event, now, said, over)
    if lost and reasons.nature(event.reason) == "outage":
        peer.last_stop = event.reason
        flapping.turned(desk, peer, heir, event, now, both=True)


def _of_connection(event: Event) -> bool:
    """Whether it tells of all tunnels of a policy together, which are told of one by one with their peers as well."""
    return event.peer is None and event.extra.get("scope") == "connection"


def on_reason(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """A further witness of a stop says why, which nobody had said: the stop is judged by that while it is held back."""
    nature, case = reasons.nature(event.reason), peer.case
    peer.last_stop = event.reason
    if case is None or case.family != "tunnel" or event.reason is None:
        return
    case.step(now, f"the reason: {texts.words(event.reason)}")
    if reasons.unsaid(case.cause) or reasons.better(event.reason, case.cause):
        case.cause, case.says = event.reason, ""
    if case.announced or nature == "standby":
        return
    tunnel = books.find(peer, event, now, wanted=False)
    if nature != "outage" and tunnel.turns:
        del tunnel.turns[-1:], tunnel.stops[-1:]  # the stop was counted as one of a tunnel that flaps
    if (heir := otherline.heir(peer, tunnel, event.reason, now)) is not None:
        otherline.hand_over(desk, peer, tunnel, heir, now)
        if not peer.tunnels_down:
            cases.drop(desk, peer, case, "other-line", f"up over {otherline.line(heir)}")
        return
    if nature == "rekey" and (_just_started(desk, tunnel, now) or _replaced(desk, peer, tunnel, event.reason, now)):
        books.put(peer, tunnel, True, now)
        if not peer.tunnels_down:
            cases.drop(desk, peer, case, "rekey")
        return
    tunnel.nature = nature
    alone = case.count == 1 and not any(desk.fleet.echoes(peer.key))
    case.idle = (case.idle or alone) and idling.may_be(desk, peer, event)
    if case.count == 1:
        case.nature, case.stop, case.severity = nature, event.reason, stop_severity(event, nature)
        case.timers["open"] = max(now, case.since + _wait(desk, nature))


def _wait(desk: Desk, nature: str) -> float:
    return desk.settings.rekey_hold if nature == "rekey" else desk.settings.outage_hold


def _outlived(tunnel: Tunnel, event: Event, now: float, window: float) -> bool:
    """Whether the stop is that of an older SA, by its index, and a newer one has started just before: make before
    break, whatever reason the device gives for the old one."""
    if not tunnel.up or tunnel.started is None or now - tunnel.started.at > window:
        return False
    if "SPI" in event.extra and tunnel.spis:
        return event.extra["SPI"] not in tunnel.spis
    return None not in (event.tunnel_index, tunnel.index) and event.tunnel_index != tunnel.index


def _came_late(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float, nature: str) -> None:
    """The stop was overtaken by its own start: two changes that are already over."""
    desk.suppress(cases.DROPPED_AS[nature], peer, f"{texts.told(event)}, before the start that arrived first")
    if nature == "outage" and tunnel.before_start is not False:
        peer.last_stop = event.reason
        flapping.turned(desk, peer, tunnel, event, now, both=True)


def _replaced(desk: Desk, peer: PeerState, tunnel: Tunnel, reason: Reason | None, now: float) -> bool:
    """Whether the newer SA is proven by a start shortly before, or needs no proof by the catalogue's word."""
    if tunnel.up and _just_started(desk, tunnel, now):
        return True
    if reason is None or reason.needs_recovery_check:
        return False
    if tunnel.up is not False or tunnel.nature != books.IDLE:  # a new IKE SA, say, is not the traffic waited for
        tunnel.nature = "rekey"
    tunnel.stopped = Moment(now)
    peer.replaced_at, peer.replaced = now, reason
    return True


def _just_started(desk: Desk, tunnel: Tunnel, now: float) -> bool:
    return tunnel.started is not None and now - tunnel.started.at <= desk.settings.rekey_hold


def _down(desk: Desk, peer: PeerState, tunnel: Tunnel, event: Event, now: float, nature: str) -> None:
    was_lost = tunnel.up is False and tunnel.nature == "outage"  # whatever is said of it since, that is what it is
    books.put(peer, tunnel, False, now)
    if not books.overtaken(tunnel.stopped, event, now, desk.settings.twin_window):
        tunnel.nature, tunnel.stopped = "outage" if was_lost else nature, moment(event, now)
    peer.last_stop = event.reason
    if peer.case is not None:
        if peer.case.back_by:  # it is not awaited any more: its own stop says that it is lost
            peer.case.timers.pop("grow", None)
        peer.case.stranger, peer.case.back_by = False, 0.0  # it had a tunnel
        peer.case.knew = peer.case.cause
    if nature == "outage" and not was_lost and flapping.turned(desk, peer, tunnel, event, now):
        return
    case = peer.case
    if case is None:
        case = peer.case = cases.begin(event, now, "tunnel", nature)
        _hold(desk, peer, case, event, now, nature)
    elif not case.announced:
        _hold(desk, peer, case, event, now, nature)
    elif case.kind == "flapping":
        cases.record(case, event, now)
        if nature == "rekey":
            flapping.await_replacement(desk, case, now)
        cases.progress(desk, case, now)
    else:
        _again(desk, peer, case, event, now, nature)


def _hold(desk: Desk, peer: PeerState, case: Case, event: Event, now: float, nature: str) -> None:
    """Wait whether the tunnel comes back. A case that began with failures becomes one about the tunnel."""
    if case.family == "failing":
        case.family, case.since, case.nature = "tunnel", now, nature
        case.timers.clear()
    elif NATURES.index(nature) > NATURES.index(case.nature):
        case.nature = nature
    if case.weak:
        case.weak = False
        case.timers.pop("open", None)
    case.sooner("open", now + _wait(desk, nature))
    case.probe = event.event == PROBE and (case.probe or not case.count)
    case.idle = (case.idle or not case.count) and idling.may_be(desk, peer, event)
    after = _mends(desk, case, nature, now)
    cases.record(case, event, now, after=after)
    if case.stop is None or (not after and reasons.better(event.reason, case.stop)):
        case.stop = event.reason
    case.severity = reasons.worse(case.severity, stop_severity(event, nature))


def _mends(desk: Desk, case: Case, nature: str, now: float) -> bool:
    """Whether a stop on purpose comes in the middle of an outage: somebody resets what is dead already."""
    lost = case.nature == "outage" and case.stop is not None
    return lost and nature == "expected" and now > case.since + desk.settings.twin_window


def stop_severity(event: Event, nature: str) -> Severity:
    """As the catalogue says; but a stop is harmless only on purpose."""
    if nature == "expected":
        return event.reason.severity or "info" if event.reason else "info"
    found = reasons.severity(event)
    return "major" if found == "info" else found


def _again(desk: Desk, peer: PeerState, case: Case, event: Event, now: float, nature: str) -> None:
    """A further stop while an incident is open. Of a partial outage nothing may be out until it is believed to be over,
    of a full one something has to be up."""
    case.probe = case.probe and event.event == PROBE
    explains = cases.record(case, event, now, after=_mends(desk, case, nature, now))
    if case.kind == "tunnel_degraded" or not books.any_up(peer, now):
        case.timers.pop("resolve", None)
    if case.kind != "tunnel_down" and "grow" not in case.timers:
        case.grow_since, case.due = now, 0.0
        case.timers["grow"] = now + _wait(desk, nature)
        case.stop, case.nature = event.reason, nature
    if case.nature == "expected" and nature == "outage":
        case.nature, case.stop, case.awaits = "outage", event.reason, ""
        case.timers["escalate"] = now + desk.settings.outage_hold
        case.escalate_to = stop_severity(event, nature)
    tells = explains and case.nature != "expected" and "grow" not in case.timers
    cases.progress(desk, case, now, news=phrases.CAUSE_KNOWN if tells else "")


# --- starts and signs of life -----------------------------------------------------------------------------------


def on_start(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """A tunnel began."""
    if _of_connection(event):
        desk.suppress("context", peer, texts.told(event))
        return
    remnants.carries(desk, event, now)
    tunnel = books.find(peer, event, now, wanted=False)
    if tunnel.nature != "rekey" and books.overtaken(tunnel.stopped, event, now, desk.settings.twin_window):
        desk.suppress("overtaken", peer, "start before the stop that arrived first")
        return
    fresh = tunnel.up is not True
    over = otherline.line(tunnel) if otherline.take_over(desk, peer, tunnel, event, now) else ""
    books.started(peer, tunnel, event, now, desk.settings.twin_window)
    changed = books.put(peer, tunnel, True, now)
    books.traffic_came(peer, now)
    case = peer.case
    if changed and tunnel.nature == "rekey" and case is not None and case.kind == "flapping":
        flapping.replaced(desk, peer, case, tunnel)
    if changed and tunnel.nature == "outage" and flapping.turned(desk, peer, tunnel, event, now):
        return
    _relieved(desk, peer, event, now, f"tunnel started over {over}" if over else STARTED, over, fresh=fresh)


def _relieved(
    desk: Desk, peer: PeerState, event: Event, now: float, said: str, over: str, *, fresh: bool = False
) -> None:
    """A tunnel that may have been missed is up, ``over`` another line if that is not empty, as ``said`` in the chain;
    ``fresh`` where it has just come up."""
    case = peer.case
    if case is None:
        return
    if not case.announced:
        _back_in_hold(desk, peer, case, event, now, said, over)
    elif case.kind == "flapping":
        cases.progress(desk, case, now)
    else:
        _back(desk, peer, case, event, now, said, over, fresh=fresh or bool(over))


def _back_in_hold(desk: Desk, peer: PeerState, case: Case, event: Event, now: float, said: str, over: str) -> None:
    if case.family == "tunnel" and peer.tunnels_down:
        case.witness(event)
        case.step(now, said)
    elif over:
        cases.drop(desk, peer, case, "other-line", f"up over {over}")
    else:
        cases.drop(desk, peer, case)


def _back(
    desk: Desk, peer: PeerState, case: Case, event: Event, now: float, said: str, over: str = "", *, fresh: bool
) -> None:
    case.witness(event)
    case.step(now, said)
    case.over = over
    if case.kind == "tunnel_degraded" or not peer.tunnels_down:
        case.timers.pop("grow", None)
    if case.kind == "tunnel_degraded" and peer.tunnels_down:
        _mended(desk, peer, case)
        cases.progress(desk, case, now)
        return
    # A start of what was up already is a rekey: it proves this tunnel, not that the failing one is mended.
    case.sooner("resolve", now + (desk.settings.recovery_hold if fresh else WEAK_HOLD))
    case.weak = not fresh
    cases.progress(desk, case, now)


def _mended(desk: Desk, peer: PeerState, case: Case) -> None:
    """Some of what is out is back, or what was left is proven by now."""
    unproven = case.unproven
    parts.note(desk, peer, case)
    if unproven and not case.unproven:
        if (severity := cases.bounded(desk, case, case.severity)) != case.severity:
            case.severity = severity
            case.step(desk.now, f"severity now {severity}")
        if case.group:
            tallies.reheard(desk, case.group)


def on_start_beside(desk: Desk, nameless: PeerState, event: Event, now: float) -> None:
    """A start that names its peer ends the matter of stops in the same place that named none."""
    case = nameless.case
    if case is None or case.kind == "flapping" or not negotiation.same_place(event, case):
        return
    books.believe(nameless, True, now)
    if case.announced:
        _back(desk, nameless, case, event, now, STARTED, fresh=True)
    else:
        cases.drop(desk, nameless, case)


def on_sign(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """Phase 1 established, negotiation succeeded, DPD answered: the peer lives, the tunnel is not proven."""
    case = peer.case
    if case is None or case.kind == "flapping" or not _proves(event, case):
        desk.suppress("context", peer, texts.told(event))
        return
    case.witness(event)
    case.step(now, texts.told(event))
    if case.announced:
        failing = case.kind == "negotiation_failing"
        case.weak = "resolve" not in case.timers or case.weak
        case.sooner("resolve", now + (desk.settings.recovery_hold if failing else WEAK_HOLD))
        cases.progress(desk, case, now)
    elif case.family == "failing":
        cases.drop(desk, peer, case)
    else:
        case.weak = True
        case.timers["open"] = now + WEAK_HOLD


def _proves(event: Event, case: Case) -> bool:
    """Phase 1 says nothing about a failure of phase 2: it comes before every retry of it."""
    return event.event != "ipsec.phase1.established" or case.cause is None or case.cause.phase != "ipsec"


# --- messages that say up or down in a field ----------------------------------------------------------------------


def on_status(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """hwIPSecTunnelStatusChange and the like: a stop or a start in one message. Its status has no documented values,
    so where it does not say plainly, a reason means a stop (a guess) and no reason means nothing."""
    said = (event.extra.get("state") or event.extra.get("status") or "").casefold()
    if said in UP_WORDS:
        on_start(desk, peer, event, now)
    elif said in DOWN_WORDS or event.reason is not None:
        on_stop(desk, peer, event, now)
    else:
        desk.suppress("context", peer, texts.told(event))


def on_sla(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """A probe through the tunnel: no answer is a stop of what it is there for, its clear a start."""
    cleared = event.extra.get("state", "").casefold() == "clear"
    (on_start if cleared else on_stop)(desk, peer, event, now)


def on_phase1_down(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """An IKE SA that ends in the order of things, or at the peer's wish, leaves its tunnels alone; one that died takes
    them with it."""
    meant = event.reason is None or event.reason.category == "administrative"
    if meant or reasons.nature(event.reason) != "outage":
        if peer.case is not None:
            peer.case.step(now, texts.told(event))
        desk.suppress("context", peer, texts.told(event))
        return
    on_stop(desk, peer, event, now)


# --- timers -------------------------------------------------------------------------------------------------------


def hold_is_over(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Timer ``open`` of a case about a tunnel: the start did not come."""
    if case.weak:
        books.believe(peer, True, at)
        cases.drop(desk, peer, case)
        return
    if case.back_by > at:
        case.timers["open"] = case.back_by
        return
    if case.back_by and restarts.was_none(desk, peer, at):
        return
    if restarts.is_back(desk, peer, case):
        cases.drop(desk, peer, case, "far-end", "the other end has it again")
        return
    if switchover.taken_over(desk, peer, case) or switchover.waits(desk, case):
        return
    if renumbered.gone(desk, peer, case) or idling.hold_is_over(desk, peer, case, at):
        return
    if places.waits(desk, peer, case, "open"):
        return
    device = desk.device(case.device, at)
    if context.on_purpose(device, case, desk.settings.twin_window):
        case.nature, case.severity = "expected", "info"
    if case.nature == "rekey" and flapping.unreplaced(desk, peer, case, at):
        return
    context.explain(desk, case)
    case.waited = at - case.since if case.nature == "rekey" else 0.0
    kind = "tunnel_degraded" if books.any_up(peer, at) else "tunnel_down"
    _set_expectation(desk, case, kind)
    case.step(at, f"no {'answer' if case.probe else 'start'} within {texts.span(at - case.since)}")
    parts.note(desk, peer, case)
    _open(desk, peer, case, at, kind, cases.bounded(desk, case, case.severity))


def _open(
    desk: Desk, peer: PeerState, case: Case, at: float, kind: str, severity: Severity, *, heir: bool = False
) -> None:
    if kind == "tunnel_down":
        books.disbelieve(peer, at)
    opening.open_case(desk, peer, case, at, kind, severity, heir=heir)


def _set_expectation(desk: Desk, case: Case, kind: str) -> None:
    if case.nature != "expected":
        return
    case.awaits, wait, case.escalate_to = cases.expectation(desk, case, kind)
    if wait is not None:
        case.timers["escalate"] = case.since + wait


def grown(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Timer ``grow``: a partial outage or failing negotiation has taken the (last) tunnel with it."""
    if case.back_by and restarts.was_none(desk, peer, at):
        return
    kind = "tunnel_degraded" if books.any_up(peer, at) else "tunnel_down"
    if kind == case.kind:
        beside = case.beside
        _mended(desk, peer, case)
        if beside and not case.beside:
            cases.escalate(desk, case, at, heir_severity(case), "some traffic is cut off now")
        return
    if places.waits(desk, peer, case, "grow"):
        return
    heir = cases.successor(case, kind, case.grow_since)
    cases.supersede(desk, peer, case, heir, at)
    peer.case = heir
    severity = case.severity if case.nature == "expected" else reasons.worse(case.severity, heir_severity(heir))
    if case.nature != "expected" and case.cause is not None and case.cause.severity is not None:
        severity = reasons.worse(severity, case.cause.severity)  # of failures beside a tunnel that worked until now
    heir.then = parts.then(peer, heir) if case.kind == "tunnel_degraded" else ""
    heir.waited = at - case.grow_since if case.nature == "rekey" else 0.0
    _set_expectation(desk, heir, kind)
    _open(desk, peer, heir, at, kind, severity, heir=True)


def heir_severity(case: Case) -> Severity:
    """As grave as the stop that made it grow; major where it does not say."""
    found = case.stop.severity if case.stop else None
    return "major" if found is None or found == "info" else found


def recovered(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Timer ``resolve``: it stayed up. Tunnels that are still down become a case of their own."""
    if case.weak:
        books.believe(peer, True, at)
    cases.resolve(desk, peer, case, at, f"{phrases.OTHER_LINE}{case.over}" if case.over else "")
    if not peer.tunnels_down:
        return
    known = desk.inventory.peer(case.peer)
    if known is not None and (known.trigger == "traffic" or known.mode == "site-to-multisite"):
        books.believe(peer, None, at)
        desk.suppress("waits-for-traffic", peer, "other tunnels are back")
        return
    rest = peer.case = cases.successor(case, "", at)
    rest.resolved_at = None
    if known is None or known.trigger != "auto":
        rest.severity = "warning"  # what is missing may only wait for traffic
    rest.timers["open"] = at + desk.settings.outage_hold
