"""Rules about a device as a whole: flow self-heal, capacity, security, poor SLA. Each opens at once and ends by its
clear or by silence."""

from collections.abc import Callable

from eventd.correlate import cases, context, evidence, groups, lines, phrases, reasons, remnants, restarts, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import CONDITION_QUIET, MAX_CONDITIONS, MAX_HEALS
from eventd.correlate.state import PUBLIC, Case, DeviceState, Fact, FaultSide, PeerState
from eventd.model import Event, Severity

#: Event → kind of incident, and the first words of its summary.
CONDITIONS = {
    "ipsec.capacity": ("capacity", "an IPsec limit was reached"),
    "ipsec.security": ("security", "IPsec security events"),
    "ipsec.sla.degraded": ("tunnel_degraded", "the tunnel works poorly"),
}
#: What is told once and stays true until something else is said: silence about it is no all-clear.
STANDING = ("certificate", "service-fault")
#: Name of the condition, of its timer, and its family.
SILENT = "silent"


def on_selfheal(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """The device lost flows and restored them: worth knowing; repeated, the device itself is at fault."""
    settings = desk.settings
    context.note(device, event, now)
    device.heals = [at for at in device.heals if at > now - settings.selfheal_window][-MAX_HEALS + 1 :]
    device.slots = device.slots[len(device.slots) - len(device.heals) :] if device.heals else []
    device.heals.append(now)
    device.slots.append("" if event.slot is None else str(event.slot))
    case = device.conditions.get("selfheal")
    if case is None:
        case = device.conditions["selfheal"] = cases.begin(event, now, "selfheal")
        case.peer, case.interface = None, None
    cases.record(case, event, now)
    case.timers["quiet"] = now + settings.selfheal_window
    case.awaits = _slot(device)
    _tell(desk, case, now, "flow_self_heal", "warning" if len(device.heals) >= settings.selfheal_count else "info")


def _slot(device: DeviceState) -> str:
    slots = set(device.slots)
    return f"all in slot {device.slots[0]}" if len(slots) == 1 and device.slots[0] else ""


def on_line(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """Noted; and an outage of many that was told without a cause has one now."""
    remnants.line(desk, device, event)
    context.line(device, event, now)
    context.remember(desk, device, event, now)
    lines.up_again(desk, device)
    if event.event == "link.down":
        groups.explained(desk, device, device.notes[-1])


def on_restart(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """Noted; and what is told already about the device explains itself, reported by itself or by those at the other
    end. What is still held back finds the note when it is told; of what a group tells, the group is told it once."""
    context.remember(desk, device, event, now)
    note = device.notes[-1]
    sides: list[tuple[str, FaultSide, PeerState]] = [("", "local", peer) for _, peer in desk.fleet.busy(device.device)]
    for address in desk.fleet.addresses(device.device):
        if device.device in desk.fleet.ends_at(address):
            far = f"{device.device}: "
            peers = (peer for _, peer in desk.fleet.by_address(address) if peer.device != device.device)
            sides += [(far, "remote", peer) for peer in peers]
    parents: dict[str, str] = {}
    for who, side, peer in sides:
        case = peer.case
        if case is None or case.family != "tunnel" or not case.announced:
            continue
        if case.group:
            parents.setdefault(case.group, who)
            continue
        case.side = side if case.side != "local" else case.side
        case.step(now, who + texts.told(event))
        named = context.name(case, note, desk.settings.twin_window, device.device if who else "")
        cases.progress(desk, case, now, news=phrases.CAUSE_KNOWN if named else "")
        desk.settle(peer.key, peer)
    for key, who in parents.items():
        groups.noted(desk, key, who + texts.told(event), note, far=bool(who))
    restarts.heard(desk, device, event, now)


# --- silence --------------------------------------------------------------------------------------------------------


def heard(desk: Desk, device: DeviceState, now: float) -> bool:
    """Something, whatever it was, came from a device whose silence would be a problem; True when that changes
    anything."""
    case = device.conditions.get(SILENT)
    if case is not None and not case.announced:
        return False
    if case is not None:
        case.step(now, "it speaks again")
        cases.resolve(desk, device, case, now, "it speaks again")
    watch(desk, device, now)
    return True


def watch(desk: Desk, device: DeviceState, now: float) -> None:
    """Wait for its next message from now on."""
    known = desk.inventory.device(device.device)
    if known is not None and known.silent_after is not None:
        case = device.conditions.setdefault(
            SILENT, Case(device=device.device, vsys=PUBLIC, peer=None, since=now, family=SILENT)
        )
        case.timers[SILENT] = now + known.silent_after


def fell_silent(desk: Desk, device: DeviceState, case: Case, at: float) -> None:
    """Timer ``silent``: it may have spoken since the timer was set, for which nothing is written down each time."""
    known = desk.inventory.device(device.device)
    if known is None or known.silent_after is None:
        device.close(case)
        return
    last = desk.fleet.heard.get(device.device, case.since)
    if last + known.silent_after > at:
        case.timers[SILENT] = last + known.silent_after
        return
    case.since, case.count = last, 1
    case.step(last, "last message")
    case.step(at, f"nothing heard for {texts.span(at - last)}")
    cases.announce(desk, case, at, "device_silent", "major")


# --- conditions that the device states ------------------------------------------------------------------------------


def on_condition(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """Capacity and security: one incident per device, vsys, peer and what."""
    kind, headline = CONDITIONS[event.event or ""]
    what = event.header.notification or event.header.mnemonic
    name = name_of(device, event)
    if name not in device.conditions and len(device.conditions) >= MAX_CONDITIONS:
        name = f"{kind}|others"
    if event.extra.get("state", "").casefold() == "clear":
        _clear(desk, device, device.conditions.get(name) or _only(device, name), event, now)
        return
    case = device.conditions.get(name)
    if reasons.severity(event, "info") == "info":
        desk.suppress("hygiene", device, texts.told(event))
        return
    if case is None:
        case = device.conditions[name] = cases.begin(event, now, name)
        case.peer = None if name.endswith("|others") else event.peer
    cases.record(case, event, now)
    headline = phrases.SERVICE_FAULT if event.extra.get("kind") == "service-fault" else headline
    case.awaits = f"{headline} ({what})" if what else headline
    if event.extra.get("kind") in STANDING:
        case.timers["stale"] = now + desk.settings.stale_after
    elif kind != "tunnel_degraded":
        case.timers["quiet"] = now + CONDITION_QUIET
    _tell(desk, case, now, kind, reasons.severity(event, "info"))


def _name(event: Event, kind: str) -> str:
    """Kind, vsys, peer and what exactly. A clear of another name says in ``clears`` which one it ends."""
    header, reason = event.header, event.reason
    what = event.extra.get("clears") or header.notification or header.mnemonic or (reason.text if reason else "")
    return f"{kind}|{event.vsys or ''}|{event.peer or ''}|{what.casefold()}"


def _only(device: DeviceState, name: str) -> Case | None:
    """The one condition of that kind, vsys and peer: a log may clear what a trap, of another name, has raised."""
    alike = name.rpartition("|")[0] + "|"
    fits = [case for known, case in device.conditions.items() if known.startswith(alike)]
    return fits[0] if len(fits) == 1 else None


def name_of(device: DeviceState, event: Event) -> str:
    """The condition that an event is about; "" where it is about none."""
    if event.event == "ipsec.flow.selfheal":
        return "selfheal"
    kind = CONDITIONS.get(event.event or "")
    name = _name(event, kind[0]) if kind else ""
    return device.also.get(name, name)


def told_also(desk: Desk, device: DeviceState, fact: Fact, event: Event, now: float) -> Case | None:
    """A twin of what a condition is about, and under which name that is told from now on; the condition, if open. That
    a device has restarted may come as the twin of what it says of a board."""
    if event.event == evidence.RESTART:
        restarts.heard(desk, device, event, now)
    name = name_of(device, event)
    if name and fact.condition and name != fact.condition and name not in device.conditions:
        device.also[name] = fact.condition
        while len(device.also) > MAX_CONDITIONS:
            del device.also[next(iter(device.also))]
    return device.conditions.get(fact.condition)


def _clear(desk: Desk, device: DeviceState, case: Case | None, event: Event, now: float) -> None:
    if case is None:
        desk.suppress("context", device, f"{texts.told(event)}: cleared")
    else:
        case.step(now, phrases.CLEARED_BY_DEVICE)
        cases.resolve(desk, device, case, now, phrases.CLEARED_BY_DEVICE)


def _tell(desk: Desk, case: Case, now: float, kind: str, severity: Severity) -> None:
    if not case.announced:
        cases.announce(desk, case, now, kind, severity)
    elif not cases.escalate(desk, case, now, severity, f"reported {texts.times(case.count)}"):
        cases.progress(desk, case, now)


Rule = Callable[[Desk, DeviceState, Event, float], None]

RULES: dict[str, Rule] = {
    "ipsec.flow.selfheal": on_selfheal,
    "device.restart": on_restart,
    "link.down": on_line,
    "link.up": on_line,
    **dict.fromkeys(CONDITIONS, on_condition),
    **dict.fromkeys(
        (
            "ipsec.sa.reset",
            "ipsec.policy.change",
            "ipsec.dpd.fail",
            "device.failover",
            "device.config",
        ),
        context.remember,
    ),
}

assert set(CONDITIONS) <= set(texts.TOLD)
