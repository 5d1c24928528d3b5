"""What else happened on a device: remembered for a short time, to explain and to excuse the stops near it."""

from eventd.correlate import evidence, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.evidence import LINK_DOWN, RESTART
from eventd.correlate.settings import (
    ADMIN_WINDOW,
    BOOT_TAKES,
    CONTEXT_WINDOW,
    LINE_TOLD,
    MAX_NOTES,
    RESTART_TOLD,
    RESTART_WAIT,
)
from eventd.correlate.state import Case, DeviceState, Note, vsys_of
from eventd.model import Event

#: A person said so: every stop near it is theirs.
SURE = 2
#: A person typed something: a stop near it is theirs only if its reason leaves that open.
PERHAPS = 1

#: How surely an event is somebody's doing.
ADMIN = {"ipsec.sa.reset": SURE, "ipsec.policy.change": SURE, "device.config": PERHAPS}
#: Mark of handlers: somebody typed it.
TYPED = "command"
#: Mark of handlers (``state``): somebody has shut that line down.
SHUT = "shut"
#: Mark of handlers: what is watched is the heartbeat between the units of a pair, which carries no tunnel.
HEARTBEAT = "hrp"
#: Reasons that a configuration command may well have caused. `dpd timeout` near a typed command stays an outage.
OPEN_CATEGORIES = ("administrative", "configuration", "rekey", "sa-desync", "unknown")
#: Policy changes that take nothing down.
HARMLESS = ("add", "attach")


def remember(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """Rule ``context``: note what happened, tell nobody."""
    note(device, event, now)
    desk.suppress("context", device, texts.told(event))


def note(device: DeviceState, event: Event, now: float) -> None:
    """Keep an event for the chains of stops near it; a line that went down, as long as that it is up again."""
    oldest = now - max(CONTEXT_WINDOW, ADMIN_WINDOW) * 2
    device.notes.append(
        Note(
            now,
            texts.told(event),
            None if event.vsys is None else vsys_of(event),
            event.interface,
            event.ifindex,
            event.peer,
            0 if _harmless(event) else _admin(event),
            event.event or "" if _explains(event) else "",
            event.extra.get("state") == SHUT,
        )
    )
    device.notes = [known for known in device.notes if known.at >= oldest or _lasts(device, known, now)]
    if len(device.notes) > MAX_NOTES:  # a line that went down is worth more than its many probes
        places = (at for at, known in enumerate(device.notes[:-1]) if not evidence.still_down(device, known))
        del device.notes[next(places, 0)]


def _lasts(device: DeviceState, known: Note, now: float) -> bool:
    """Whether what a note tells is not over: a line is down, peers are awaited after a restart, or it shows whether the
    device has restarted."""
    if evidence.came_up(device, known) is not None or evidence.still_down(device, known):
        return True
    if known.event == RESTART and now - known.at <= RESTART_TOLD + RESTART_WAIT:
        return True
    return now - device.restarted <= RESTART_WAIT and known.at >= device.restarted - BOOT_TAKES


def line(device: DeviceState, event: Event, now: float) -> None:
    """Keep which lines of a device are down. A probe (``track``) says nothing of the line itself."""
    if event.extra.get("track") is not None:
        return
    for name in evidence.line_names(event.interface, event.ifindex):
        device.lines_down.pop(name, None)
        if event.event == LINK_DOWN:
            device.lines_down[name] = now
            if len(device.lines_down) > MAX_NOTES:
                del device.lines_down[next(iter(device.lines_down))]


def _admin(event: Event) -> int:
    return max(ADMIN.get(event.event or "", 0), PERHAPS if event.extra.get("kind") == TYPED else 0)


def _explains(event: Event) -> bool:
    """Whether a note may be named as a cause. A probe that failed (``track``) says something of a line only where it
    names one; otherwise it is told in the chain and no more."""
    track = event.extra.get("track")
    return track is None or (track != HEARTBEAT and (event.interface is not None or event.ifindex is not None))


def explain(desk: Desk, case: Case) -> None:
    """Write what happened near the beginning of a case into its chain, at its own end and, as far as that restarted
    or lost the line, at the other; and where that says the fault lies, and why."""
    device = desk.device(case.device, desk.now)
    for known in device.notes:
        if _near(known, case, desk.settings.twin_window, device) and _concerns(known, case):
            before = _tell(case, known)
            if known.event == RESTART:
                case.side = "local"
                name(case, known, desk.settings.twin_window)
            elif known.event == LINK_DOWN and _carries(known, case) and accounts(desk, device, known, case):
                case.side = "local"
                case.hint = f"Look at {known.interface or 'the interface'} first: {known.text}{before}"
                name(case, known, desk.settings.twin_window)
    for far in desk.fleet.ends_at(case.peer):
        there = desk.device(far, desk.now)
        for known in there.notes if far != case.device else ():
            if _near(known, case, desk.settings.twin_window, there) and (
                known.event == RESTART or (known.event == LINK_DOWN and _carries_there(desk, known, case, far))
            ):
                _tell(case, known, f"{far}: ")
                case.side = case.side or "remote"
                name(case, known, desk.settings.twin_window, far)


def name(case: Case, known: Note, twin_window: float, says: str = "") -> bool:
    """Name what befell a line or a device as the cause, as for a group of peers, unless a better one is known; whether
    that is news. A restart that somebody ordered, or that came long after, is no cause of what was there before."""
    late = twin_window if known.admin else RESTART_TOLD
    found = evidence.reason(known)
    if case.nature != "outage" or known.at > case.since + late or not reasons.better(found, case.cause):
        return False
    case.cause, case.says = found, says
    return True


def accounts(desk: Desk, device: DeviceState, known: Note, case: Case) -> bool:
    """Whether what befell a device may be why a case began, which it came before or was told soon after. A line of the
    case's own device is not why a far end ended it that was heard: it explains silence, if it was away for long enough
    to be missed, and what nobody knows to read only as long as it is down."""
    window, began = desk.settings.twin_window, case.began
    told = window if known.admin else RESTART_TOLD if known.event == RESTART else LINE_TOLD
    first = began - CONTEXT_WINDOW - desk.settings.group_window  # of a group, it is near the one that fell first
    first = min(first, began - RESTART_TOLD) if known.event == RESTART else first
    if known.at > began + told or not (known.at >= first or evidence.lasted(device, known, began)):
        return False
    if known.event != LINK_DOWN or device.device != case.device:
        return True
    said = case.stop or (case.cause if case.cause is None or case.cause.name not in reasons.NAMED else None)
    up = evidence.came_up(device, known)
    if up is None or up.at >= began - window:
        return not reasons.answered(said)
    return reasons.leaves_open(said) and evidence.lasted(device, known, began)


def _carries_there(desk: Desk, known: Note, case: Case, far: str) -> bool:
    """Whether a line of the other end is certainly the one that its side of the tunnels went over."""
    ours = desk.fleet.addresses(case.device)
    peers = (peer for address in ours for _, peer in desk.fleet.between(far, address))
    tunnels = (tunnel for peer in peers for tunnel in peer.tunnels.values())
    return any(evidence.is_line(known, (tunnel.interface, tunnel.ifindex)) for tunnel in tunnels)


def _tell(case: Case, known: Note, who: str = "") -> str:
    ago = case.since - known.at
    before = f", {texts.span(ago)} before" if ago >= 1 else ""
    case.step(known.at, f"{who}{known.text}{before}")
    return before


def _near(known: Note, case: Case, twin_window: float, device: DeviceState) -> bool:
    """A restart is told of when it is over: it may well come after what it did. A line that carries the case is near
    while it is down, and a little longer."""
    if known.event == RESTART:
        return case.since - CONTEXT_WINDOW <= known.at
    lasts = evidence.lasted(device, known, case.since) and (device.device != case.device or _carries(known, case))
    return (lasts or case.since - CONTEXT_WINDOW <= known.at) and known.at <= case.since + twin_window


def on_purpose(device: DeviceState, case: Case, twin_window: float) -> bool:
    """Whether a case that reads as an outage is somebody's doing."""
    return case.nature == "outage" and not case.failures and not case.back_by and by_hand(device, case, twin_window)


def by_hand(device: DeviceState, case: Case, twin_window: float) -> bool:
    """Whether somebody's command near its beginning accounts for this case."""
    needed = PERHAPS if case.stop is None or case.stop.category in OPEN_CATEGORIES else SURE
    return any(
        known.admin >= needed
        and case.since - ADMIN_WINDOW <= known.at <= case.since + twin_window
        and _concerns(known, case)
        for known in device.notes
    )


def _carries(known: Note, case: Case) -> bool:
    """Whether a line is certainly the one that a case went over."""
    return evidence.is_line(known, (case.interface, case.ifindex))


def _harmless(event: Event) -> bool:
    said = (event.extra.get("change", ""), event.header.notification or "", event.header.mnemonic or "")
    return event.event == "ipsec.policy.change" and any(word.casefold().endswith(HARMLESS) for word in said)


def _concerns(known: Note, case: Case) -> bool:
    pairs = (
        (known.vsys, case.vsys),
        (known.interface, case.interface),
        (known.ifindex, case.ifindex),
        (known.peer, case.peer),
    )
    return all(one is None or other is None or one == other for one, other in pairs)
