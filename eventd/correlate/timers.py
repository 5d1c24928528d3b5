"""What happens when a case's timer fires. Timers of the same instant fire in the order of `TIMERS`."""

from collections.abc import Callable

from eventd.correlate import (
    books,
    cases,
    devices,
    flapping,
    groups,
    lines,
    negotiation,
    phrases,
    tallies,
    texts,
    tunnels,
)
from eventd.correlate.desk import Desk
from eventd.correlate.settings import FAULT_PAUSE, TIMER_STEP
from eventd.correlate.state import Case, DeviceState, GroupState, PeerState, State
from eventd.model import SEVERITIES

#: The share of the time between two reminders within which one more message would be one too many.
STALE_INSTEAD = 0.5

Timer = Callable[[Desk, State, Case, float], None]


def _of_peer(fire: Callable[[Desk, PeerState, Case, float], None]) -> Timer:
    def timer(desk: Desk, owner: State, case: Case, at: float) -> None:
        assert isinstance(owner, PeerState)
        fire(desk, owner, case, at)

    return timer


def _of_group(fire: Callable[[Desk, GroupState, Case, float], None]) -> Timer:
    def timer(desk: Desk, owner: State, case: Case, at: float) -> None:
        assert isinstance(owner, GroupState)
        fire(desk, owner, case, at)

    return timer


def _of_device(fire: Callable[[Desk, DeviceState, Case, float], None]) -> Timer:
    def timer(desk: Desk, owner: State, case: Case, at: float) -> None:
        assert isinstance(owner, DeviceState)
        fire(desk, owner, case, at)

    return timer


def _open(desk: Desk, peer: PeerState, case: Case, at: float) -> None:
    family = negotiation if case.family == "failing" else tunnels
    family.hold_is_over(desk, peer, case, at)


def _quiet(desk: Desk, owner: State, case: Case, at: float) -> None:
    if isinstance(owner, PeerState) and case.kind == "flapping":
        flapping.quiet(desk, owner, case, at)
    else:
        cases.resolve(desk, owner, case, at, "it did not happen again")


def _down(desk: Desk, _owner: State, case: Case, at: float) -> None:
    flapping.stays_down(desk, case, at)


def _escalate(desk: Desk, _owner: State, case: Case, at: float) -> None:
    if "resolve" in case.timers:  # it is back, and about to be believed
        case.timers["escalate"] = case.timers["resolve"]
        return
    overdue = f"not back after {texts.span(at - case.since)}"
    case.step(at, overdue)
    case.awaits = case.awaits and ("late" if case.awaits in ("unknown", "late") else "overdue")
    cases.escalate(desk, case, at, case.escalate_to, overdue)


def _stale(desk: Desk, owner: State, case: Case, at: float) -> None:
    if case.awaits == "nothing" and isinstance(owner, PeerState):
        books.believe(owner, None, at)
        cases.resolve(desk, owner, case, at, phrases.GIVEN_UP)
        return
    case.stale = True
    case.step(at, phrases.NOT_AWAITED.get(case.awaits, phrases.NOT_HEARD))
    if "remind" in case.timers:
        case.timers["remind"] = cases.next_reminder(desk, at)
    desk.publish("updated", case, at, recalled=True, news=_still(case, at))


def _remind(desk: Desk, _owner: State, case: Case, at: float) -> None:
    """Still open. What is merely good to know is not repeated, nor what is told before long for having been silent."""
    case.timers["remind"] = following = cases.next_reminder(desk, at)
    if case.timers.get("stale", following) - at < STALE_INSTEAD * (following - at):
        return
    if SEVERITIES.index(case.severity) > 0:
        desk.publish("updated", case, at, recalled=True, news=_still(case, at))


def _still(case: Case, at: float) -> str:
    """Why something is told that is as it was."""
    down = "DOWN" if case.kind == "tunnel_down" and not case.probe else "OPEN"
    lasted = " ".join(texts.span(at - case.since).split()[:2])
    waits = phrases.NOT_AWAITED.get(case.awaits)
    return f"STILL {down} for {lasted}" + (f", {waits}" if waits else "")


def _unhush(desk: Desk, owner: State, case: Case, at: float) -> None:
    """What kept it from being told has ended. If something else does now, that sets the timer anew; and if others that
    fell with it were kept untold as well, they are one outage."""
    if case.hushed:
        case.hushed = False
        if isinstance(owner, PeerState) and not case.told and not case.group:
            groups.join(desk, owner, case, at)
        ended = texts.kept_no_more(case)
        case.step(at, ended)
        desk.publish("updated", case, at, news=ended)


def _unack(desk: Desk, _owner: State, case: Case, at: float) -> None:
    """Whoever has taken it has it no more, and it is still open."""
    ended = f"the acknowledgement of {case.acked_by} has run out"
    cases.take(case, None)
    case.step(at, ended)
    desk.publish("updated", case, at, taken=True, news=ended)


def _publish(desk: Desk, _owner: State, case: Case, at: float) -> None:
    desk.publish("updated", case, at, notify=False)


TIMERS: dict[str, Timer] = {
    "resolve": _of_peer(tunnels.recovered),
    "open": _of_peer(_open),
    "down": _down,
    "grow": _of_peer(tunnels.grown),
    "settle": _of_group(tallies.settled),
    "tally": _of_group(tallies.tallied),
    "quiet": _quiet,
    "silent": _of_device(devices.fell_silent),
    "line": _of_device(lines.settled),
    "forget": _of_peer(negotiation.forgotten),
    "escalate": _escalate,
    "stale": _stale,
    "remind": _remind,
    "unhush": _unhush,
    "unack": _unack,
    "publish": _publish,
}


def due(owner: State) -> float | None:
    """When the next timer of any of its cases fires."""
    if isinstance(owner, DeviceState):
        return min((at for case in owner.cases() for at in case.timers.values()), default=None)
    waits = owner.case is not None and owner.case.timers
    return min(waits.values()) if waits else None


def fire(desk: Desk, owner: State, at: float) -> None:
    """Fire the first timer that is due at ``at``, and only that one: it may have changed the others.

    Whatever the rule raises passes on, after its timer was set to try again.
    """
    for case in owner.cases():
        for name, timer in TIMERS.items():
            if case.timers.get(name, at + 1) <= at:
                del case.timers[name]
                before = dict(case.timers)
                try:
                    timer(desk, owner, case, at)
                except Exception:
                    _try_again(owner, case, name, at)
                    raise
                finally:
                    _move_on(_current(owner, case), name, before, at)
                return


def _current(owner: State, case: Case) -> Case | None:
    """``case``, or what came in its place."""
    return owner.case if isinstance(owner, PeerState) else case


def _try_again(owner: State, case: Case, name: str, at: float) -> None:
    """After a failure. What had already come in the place of ``case`` is still to be announced."""
    now = _current(owner, case)
    if now is case:
        case.timers.setdefault(name, at + FAULT_PAUSE)
    elif now is not None:
        now.timers.setdefault("open", at + FAULT_PAUSE)


def _move_on(case: Case | None, fired: str, before: dict[str, float], at: float) -> None:
    """Time never stands still: of what a timer set for now or earlier, only timers behind it in `TIMERS` may still
    fire at this instant."""
    order = list(TIMERS)
    for name, when in list(case.timers.items()) if case is not None else []:
        if case is not None and when <= at and before.get(name) != when:
            case.timers[name] = at if order.index(name) > order.index(fired) else at + TIMER_STEP
