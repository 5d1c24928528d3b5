"""The life of a case, whatever it is about: held, announced, escalated, superseded, resolved, dropped.

A peer has at most one case at a time; a device may have several conditions. A kind never changes while an incident is
open, because the alert's name is made of it: a case that becomes something else is resolved and its successor opened.
"""

from msgspec.structs import replace

from eventd.correlate import phrases, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import (
    ADMIN_AUTO_WAIT,
    ADMIN_DOWN_WAIT,
    ADMIN_UNKNOWN_WAIT,
    MIN_REMINDER,
    QUIET_UPDATE,
)
from eventd.correlate.state import Case, PeerState, State, vsys_of
from eventd.model import SEVERITIES, Event, Severity

#: How a dropped case was judged harmless, by its nature.
DROPPED_AS = {"outage": "recovered-in-hold", "expected": "recovered-in-hold", "rekey": "rekey"}
#: Kinds that end by a proof of life, and so may wait for ever for a lost one.
NEEDS_ALL_CLEAR = ("tunnel_down", "tunnel_degraded", "negotiation_failing")


def begin(event: Event, now: float, family: str, nature: str = "outage") -> Case:
    """A new case, not announced. The event itself is not yet recorded."""
    return Case(
        device=event.device,
        vsys=vsys_of(event),
        peer=event.peer,
        since=now,
        family=family,
        nature=nature,
        severity="info",
    )


def record(
    case: Case, event: Event, now: float, text: str | None = None, *, bad: bool = True, after: bool = False
) -> bool:
    """Write an event into the case; True when its reason explains more than what was known. A start (not ``bad``) is
    told but not counted; what was done ``after`` it, to mend it, explains nothing."""
    case.witness(event)
    case.step(now, texts.told(event) if text is None else text)
    case.count += bad
    case.stale = False
    case.given = case.given or texts.given_as(event)
    case.policy = case.policy or event.policy
    case.policy_seq = event.policy_seq if case.policy_seq is None else case.policy_seq
    case.ifindex = event.ifindex if case.ifindex is None else case.ifindex
    if not case.announced:
        case.interface = case.interface or event.interface
    explains = not after and reasons.better(event.reason, case.cause)
    if explains:
        case.cause, case.says = event.reason, event.device if event.device != case.device else ""
    return explains


def announce(desk: Desk, case: Case, at: float, kind: str, severity: Severity) -> None:
    """Open the incident. From here on its labels stand still."""
    known = desk.inventory.peer(case.peer)
    device = desk.inventory.device(case.device)
    case.kind, case.announced, case.told = kind, True, False
    case.severity = case.opened_severity = case.worst_severity = severity
    case.site = (known.site if known else None) or (device.site if device else None)
    case.timers["remind"] = next_reminder(desk, at)
    if kind in NEEDS_ALL_CLEAR:
        case.timers["stale"] = at + desk.settings.stale_after
    _watch(desk, case, at)
    desk.publish("opened", case, at)


def next_reminder(desk: Desk, at: float) -> float:
    """When an open incident is recalled next."""
    return at + max(desk.settings.reminder, MIN_REMINDER)


def progress(desk: Desk, case: Case, now: float, *, news: str = "") -> None:
    """An announced case has moved: tell ``news``, or publish quietly and not too often where there is none."""
    if "stale" in case.timers:
        case.timers["stale"] = now + desk.settings.stale_after
    if news or now - case.updated_at >= QUIET_UPDATE:
        desk.publish("updated", case, now, notify=bool(news), news=news)
    else:
        case.timers.setdefault("publish", case.updated_at + QUIET_UPDATE)


def escalate(desk: Desk, case: Case, at: float, severity: Severity, why: str) -> bool:
    """Raise the severity and tell, with ``why``; False when it is that grave already."""
    if SEVERITIES.index(severity) <= SEVERITIES.index(case.severity):
        _watch(desk, case, at)
        return False
    news = f"was {case.severity}, {why}"
    case.severity = severity
    _watch(desk, case, at)
    desk.publish("updated", case, at, news=news)
    return True


def bounded(desk: Desk, case: Case, severity: Severity) -> Severity:
    """A warning at most where nothing is known to be cut off: a tunnel works, or a peer tries that nobody knows."""
    unknown = case.stranger and (case.peer is not None or bool(desk.inventory.peers))
    harmless = case.beside or (case.family == "failing" and unknown)
    return min(severity, "warning", key=SEVERITIES.index) if harmless else severity


def _watch(desk: Desk, case: Case, at: float) -> None:
    """A peer of which nothing is up does not stay below major for ever, however harmless the reason read."""
    below = SEVERITIES.index(case.severity) < SEVERITIES.index("major")
    if case.kind == "tunnel_down" and below and "escalate" not in case.timers:
        wait = _overdue(desk, case)
        if wait is not None:
            case.escalate_to, case.timers["escalate"] = "major", max(at, case.since + wait)


def _overdue(desk: Desk, case: Case) -> float | None:
    """Seconds after which a peer should have a tunnel again; None where it waits for others, or nothing is awaited."""
    known, triggered = desk.inventory.peer(case.peer), trigger(desk, case)
    waits = triggered == "traffic" or (known is not None and known.mode == "site-to-multisite")
    if waits or case.awaits == "nothing":
        return None
    if triggered == "auto":
        return ADMIN_AUTO_WAIT
    return ADMIN_DOWN_WAIT if case.nature == "expected" else ADMIN_UNKNOWN_WAIT


def trigger(desk: Desk, one: Case | PeerState) -> str | None:
    """What brings the tunnels to a peer up: what the inventory says of it, else of this end as the other one sees it,
    which is the same tunnel."""
    far, fleet = desk.fleet.owner(one.peer), desk.fleet
    here = [] if far is None else [own for own in fleet.addresses(one.device) if any(fleet.between(far, own))]
    rows = (desk.inventory.peer(address) for address in (one.peer, *here))
    return next((row.trigger for row in rows if row is not None and row.trigger), None)


def resolve(desk: Desk, owner: State, case: Case, at: float, ending: str) -> None:
    """Close an announced incident and forget it."""
    case.resolved_at, case.ending = at, ending
    case.timers.clear()
    owner.close(case)
    if isinstance(owner, PeerState) and case.family == "tunnel":
        owner.last_severity, owner.last_ended = case.severity, at
    desk.publish("resolved", case, at)


def drop(desk: Desk, owner: State, case: Case, rule: str | None = None, why: str = "") -> None:
    """Forget a case that was never announced."""
    owner.close(case)
    what = texts.words(case.stop or case.cause)
    passed = why or ("negotiated" if case.family == "failing" else "back")
    desk.suppress(rule or DROPPED_AS[case.nature], owner, f"{what}: {passed} after {texts.span(desk.now - case.since)}")


def take(case: Case, who: str | None, note: str = "", until: float | None = None) -> None:
    """Note who has an open incident, why, and until when (Unix seconds); None gives it back."""
    case.acked_by, case.acked_note, case.acked_until = who, note, until
    case.timers.pop("unack", None)
    if until is not None:
        case.timers["unack"] = until


def successor(case: Case, kind: str, since: float) -> Case:
    """What ``case`` turns into: same story, new kind, not announced yet."""
    return replace(
        case,
        kind=kind,
        since=since,
        family="tunnel",
        announced=False,
        steps=list(case.steps),
        witnesses=list(case.witnesses),
        timers={name: at for name, at in case.timers.items() if name == "unack"},
        weak=False,
        stale=False,
        told=False,
        escalate_to="major",
        idle=False,
        beside=False,
        unproven=False,
        which="",
        then="",
        due=0.0,
    )


def supersede(desk: Desk, owner: State, case: Case, heir: Case, at: float) -> None:
    """Resolve an announced case because ``heir`` goes on with it, and whoever has it has that. The heir's kind is set;
    it is not announced here."""
    if case.acked_by is not None:
        take(heir, case.acked_by, case.acked_note, case.acked_until)
    case.heir_id = texts.incident_id(heir)
    case.heir = f"{phrases.HEIRS[heir.kind]}, incident {case.heir_id}"
    resolve(desk, owner, case, at, "")


def expectation(desk: Desk, case: Case, kind: str) -> tuple[str, float | None, Severity]:
    """After a stop on purpose: what is awaited, for how many seconds (None = as long as it takes), and how grave it
    is when it does not come."""
    known, triggered = desk.inventory.peer(case.peer), trigger(desk, case)
    if case.stop is not None and case.stop.expected and not case.stop.needs_recovery_check:
        return "nothing", None, "info"
    if known is not None and known.mode == "site-to-multisite":
        return "peer", None, "info"
    if triggered == "traffic":
        return "traffic", None, "info"
    if triggered == "auto":
        return "auto", ADMIN_AUTO_WAIT, "major"
    if kind == "tunnel_degraded":
        return "nothing", None, "info"
    return "unknown", ADMIN_UNKNOWN_WAIT, "warning"
