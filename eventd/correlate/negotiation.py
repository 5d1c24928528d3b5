"""Rules for failed negotiations: one incident however often it retries, joined to the stop it belongs to.

``single-failure``: one failed attempt of a stranger, or beside a working tunnel, tells nothing; its second does.
"""

from collections.abc import Iterable

from eventd.correlate import books, cases, context, opening, phrases, reasons, tallies, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import ADMIN_AUTO_WAIT, FAIL_MEMORY, STRANGER_QUIET
from eventd.correlate.state import Case, PeerState
from eventd.model import Event


def on_fail(desk: Desk, peer: PeerState, event: Event, now: float) -> None:
    """A negotiation failed."""
    if books.overtaken(peer.started, event, now, desk.settings.twin_window):
        desk.suppress("recovered-in-hold", peer, f"{texts.told(event)}, before the start that arrived first")
        return
    case = peer.case
    if case is None:
        case = peer.case = _begin(desk, peer, event, now)
    explains = _join(case, event, now)
    if case.announced:
        _retried(desk, peer, case, event, now, explains)
    elif case.family == "tunnel":
        _while_held(desk, case, now)
    elif "open" not in case.timers:
        _open(desk, peer, case, now)


def _begin(desk: Desk, peer: PeerState, event: Event, now: float) -> Case:
    """Failures right after a replaced SA disprove the replacement; otherwise they stand alone."""
    hold = desk.settings.rekey_hold
    if peer.replaced_at is not None and now - peer.replaced_at <= hold:
        case = cases.begin(event, peer.replaced_at, "tunnel", "rekey")
        case.stop, case.cause, case.count = peer.replaced, peer.replaced, 1
        books.lost(peer, peer.replaced_at, now)
        case.severity = "major"
        case.step(peer.replaced_at, f"tunnel stopped: {texts.words(peer.replaced)}")
        case.timers["open"] = peer.replaced_at + hold
    else:
        lost = books.lost_in_restart(peer)  # it would have come back by itself
        case = cases.begin(event, now, "tunnel" if lost else "failing")
        case.severity = "major" if lost else case.severity
        case.timers["open"] = now + desk.settings.outage_hold
    known = peer.tunnels or desk.inventory.peer(event.peer) or desk.fleet.ends_at(event.peer)
    case.stranger = not known
    return case


def _join(case: Case, event: Event, now: float) -> bool:
    case.failures += 1
    case.probe = False
    explains = cases.record(case, event, now, bad=case.kind != "flapping")
    if explains and not case.announced:
        case.severity = reasons.worse(case.severity, reasons.severity(event, "warning"))
    return explains


def _while_held(desk: Desk, case: Case, now: float) -> None:
    if case.weak:
        case.weak = False
        case.timers.pop("open", None)
    case.sooner("open", now + desk.settings.outage_hold)


def _retried(desk: Desk, peer: PeerState, case: Case, event: Event, now: float, explains: bool) -> None:
    if case.kind == "negotiation_failing" or case.weak:
        case.timers.pop("resolve", None)
        case.weak = False
    if case.nature == "expected" and case.awaits in ("traffic", "peer") and not books.any_up(peer, now):
        case.awaits, case.escalate_to = "trying", "major"
        case.timers.setdefault("escalate", now + ADMIN_AUTO_WAIT)
    if (case.stranger or case.beside) and case.kind == "negotiation_failing":
        case.timers["quiet"] = now + STRANGER_QUIET
    if explains:
        case.severity = reasons.worse(case.severity, cases.bounded(desk, case, reasons.severity(event, "warning")))
    cases.progress(desk, case, now, news=phrases.CAUSE_KNOWN if explains else "")
    if explains and case.group:
        tallies.reheard(desk, case.group)


def hold_is_over(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    """Timer ``open`` of failures without a stop."""
    if case.failures < 2 and (case.stranger or books.any_up(peer, at)):
        case.timers["forget"] = case.since + max(FAIL_MEMORY, desk.settings.outage_hold)
        return
    _open(desk, peer, case, at)


def _open(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    case.timers.pop("forget", None)
    context.explain(desk, case)
    case.beside = books.any_up(peer, at)
    severity = case.severity
    severity = cases.bounded(desk, case, severity)
    if case.stranger or case.beside:
        case.timers["quiet"] = at + STRANGER_QUIET
    opening.open_case(desk, peer, case, at, "negotiation_failing", severity)


def forgotten(desk: Desk, peer: PeerState, case: Case, _at: float) -> None:
    """Timer ``forget``: there was no second attempt."""
    cases.drop(desk, peer, case, "single-failure", "no second")


def belongs_to(event: Event, runs: Iterable[Iterable[tuple[str, PeerState]]]) -> str | None:
    """Key of the peer whose case a failure without an address belongs to: same interface or policy on that device,
    the oldest of several. Each of ``runs`` has the oldest in front."""
    found = (
        next(
            ((state.case.since, key) for key, state in run if state.case and same_place(event, state.case)),
            None,
        )
        for run in runs
    )
    fits = [one for one in found if one is not None]
    return min(fits)[1] if fits else None


def same_place(event: Event, case: Case) -> bool:
    """Whether interface and policy agree, as far as both say them, and both say one."""
    pairs = (
        (event.interface, case.interface),
        (event.ifindex, case.ifindex),
        (event.policy, case.policy),
        (event.policy_seq, case.policy_seq),
    )
    known = [one == other for one, other in pairs if one is not None and other is not None]
    return bool(known) and all(known)
