"""Rules about a device as a whole: flow self-heal, capacity, security, poor SLA. Each opens at once and ends by its
clear or by silence."""

from collections.abc import Callable

from eventd.correlate import cases, context, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import CONDITION_QUIET, MAX_CONDITIONS, MAX_HEALS
from eventd.correlate.state import Case, DeviceState
from eventd.model import Event, Severity

#: Event → kind of incident, and the first words of its summary.
CONDITIONS = {
    "ipsec.capacity": ("capacity", "an IPsec limit was reached"),
    "ipsec.security": ("security", "IPsec security events"),
    "ipsec.sla.degraded": ("tunnel_degraded", "the tunnel works poorly"),
}


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


def on_condition(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """Capacity and security: one incident per device, vsys, peer and what."""
    kind, headline = CONDITIONS[event.event or ""]
    what = event.header.notification or event.header.mnemonic
    name = _name(event, kind)
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
    case.awaits = f"{headline} ({what})" if what else headline
    if kind != "tunnel_degraded":
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


def case_of(device: DeviceState, event: Event) -> Case | None:
    """The open condition that an event is a witness of."""
    if event.event == "ipsec.flow.selfheal":
        return device.conditions.get("selfheal")
    kind = CONDITIONS.get(event.event or "")
    return device.conditions.get(_name(event, kind[0])) if kind else None


def _clear(desk: Desk, device: DeviceState, case: Case | None, event: Event, now: float) -> None:
    if case is None:
        desk.suppress("context", device, f"{texts.told(event)}: cleared")
    else:
        case.step(now, "cleared by the device")
        cases.resolve(desk, device, case, now, "cleared by the device")


def _tell(desk: Desk, case: Case, now: float, kind: str, severity: Severity) -> None:
    if not case.announced:
        cases.announce(desk, case, now, kind, severity)
    elif not cases.escalate(desk, case, now, severity):
        cases.progress(desk, case, now)


Rule = Callable[[Desk, DeviceState, Event, float], None]

RULES: dict[str, Rule] = {
    "ipsec.flow.selfheal": on_selfheal,
    **dict.fromkeys(CONDITIONS, on_condition),
    **dict.fromkeys(
        (
            "ipsec.sa.reset",
            "ipsec.policy.change",
            "ipsec.dpd.fail",
            "link.down",
            "link.up",
            "device.restart",
            "device.failover",
            "device.config",
        ),
        context.remember,
    ),
}

assert set(CONDITIONS) <= set(texts.TOLD)
