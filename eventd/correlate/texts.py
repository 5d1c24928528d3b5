"""What people read: one sentence for a tired engineer, the chain, the steps to take."""

from collections.abc import Callable
from hashlib import blake2b

from eventd.correlate import reasons
from eventd.correlate.phrases import (
    AWAITS,
    BECOMES,
    CLEARED_BY_DEVICE,
    ENDED,
    OVER,
    SERVICE_FAULT,
    SOOTHING,
    STANDS,
    UNEXPLAINED,
    UNEXPLAINED_STEPS,
)
from eventd.correlate.settings import MAX_ACTIONS, MAX_FIRST_STEPS, MAX_TEXT, MAX_TITLE
from eventd.correlate.state import PUBLIC, Case, Step
from eventd.inventory import Inventory, Peer
from eventd.model import Event, Incident, Reason, utc


def incident_id(case: Case) -> str:
    """Derived from what it is about and when it began: the same input gives the same id on every run."""
    what = f"{case.kind}|{case.family}|{case.device}|{case.vsys}|{case.peer}|{case.interface}|{case.since:.6f}"
    return blake2b(what.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def incident(case: Case, inventory: Inventory, external_url: str | None, *, recalled: bool = False) -> Incident:
    """An announced case as people and machines see it; ``recalled`` puts into its title for how long it has lasted."""
    known = inventory.peer(case.peer)
    ident = incident_id(case)
    return Incident(
        id=ident,
        kind=case.kind,
        status="open" if case.resolved_at is None else "resolved",
        severity=case.severity,
        device=case.device,
        peer=case.peer,
        peer_name=known.name if known else None,
        site=case.site,
        interface=case.interface,
        vsys=case.vsys,
        opened_at=utc(case.since),
        updated_at=utc(case.updated_at),
        resolved_at=None if case.resolved_at is None else utc(case.resolved_at),
        acked_by=case.acked_by,
        acked_note=case.acked_note or None,
        acked_until=None if case.acked_until is None else utc(case.acked_until),
        count=case.count,
        cause=case.cause,
        summary=summary(case, known),
        chain=chain(case),
        witnesses=tuple(case.witnesses),
        fault_side=reasons.side_of(case),
        parent=case.parent or None,
        children=tuple(case.children),
        actions=actions(case),
        url=None if external_url is None else f"{external_url.rstrip('/')}/incidents/{ident}",
        opened_severity=case.opened_severity,
        runbook_url=known.runbook_url if known else None,
        tags=known.tags if known else (),
        title=title(case, known, recalled=recalled),
        device_site=device.site if (device := inventory.device(case.device)) else None,
        continued_by=case.heir_id or None,
    )


def clock(at: float) -> str:
    """Time of day, UTC."""
    return utc(at).strftime("%H:%M:%S")


def span(seconds: float) -> str:
    """A duration in its two largest units: ``15 s``, ``2 min 5 s``, ``3 h``."""
    left, parts = round(max(0.0, seconds)), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def times(count: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def words(reason: Reason | None, *, glossed: bool = False) -> str:
    """A reason in the device's own words, ``glossed`` with what they mean where that cannot be guessed."""
    if reason is None:
        return "no reason given"
    return (reason.told if glossed else reason.text)[:MAX_TEXT] or "no reason given"


def chain(case: Case) -> tuple[str, ...]:
    """What happened, in order, one short line each."""
    lines = [_line(step) for step in case.steps]
    if case.left_out:
        lines.insert(MAX_FIRST_STEPS, f"… {case.left_out} more …")
    return tuple(lines)


def _line(step: Step) -> str:
    again = f" ({times(step.times)}, last {clock(step.until)})" if step.times > 1 else ""
    return f"{clock(step.at)} {step.text}{again}"


def actions(case: Case) -> tuple[str, ...]:
    """The steps of the cause, then those of the stop unless it was expected, none twice: what a reason advises when
    all goes well contradicts an alert."""
    merged: dict[str, None] = {}
    for reason in (case.cause, case.stop):
        if reason is not None and (reason is case.cause or not reason.expected):
            merged.update(dict.fromkeys(step for step in reason.actions if not _soothes(reason, step)))
    steps = (_named(step) for step in merged)
    found = [step for step in steps if step is not None]
    if not found and case.kind in UNEXPLAINED:
        found = [step.format(peer=case.peer or "the peer", device=case.device) for step in UNEXPLAINED_STEPS]
    return tuple([case.hint, *found] if case.hint else found)[:MAX_ACTIONS]


def _soothes(reason: Reason, step: str) -> bool:
    return reason.expected and step.casefold().startswith(SOOTHING)


def _named(step: str) -> str | None:
    """A step without the catalogue's ``<peer>``, where no message named it; None for a command that needs it."""
    if "<peer>" not in step:
        return step
    commands = step.split("`")[1::2]
    return None if any("<peer>" in command for command in commands) else step.replace("<peer>", "the peer")


def title(case: Case, known: Peer | None, *, recalled: bool = False) -> str:
    """What a phone shows first: who, what, why; at most `MAX_TITLE` characters."""
    who, why = _short_name(case, known), words(case.cause, glossed=True)
    if case.resolved_at is not None:
        lasted = f"after {span(case.resolved_at - case.since)}"
        by_hand = case.ending if _by_hand(case) else ""
        text = f"{who} {'has become ' + case.heir if case.heir else by_hand or _stand(ENDED, case)} {lasted}"
    else:
        text = f"{who} {_stand(STANDS, case)}: {why}" if case.cause else f"{who} {_stand(STANDS, case)}"
    if recalled:
        still = "DOWN" if case.kind == "tunnel_down" else "OPEN"
        lasted = " ".join(span(case.updated_at - case.since).split()[:2])
        text = f"STILL {still} for {lasted}: {text}"
    return text if len(text) <= MAX_TITLE else text[: MAX_TITLE - 1].rstrip() + "…"


def _stand(words: dict[str, str], case: Case) -> str:
    if case.family == "group" and case.kind == "negotiation_failing":
        return ("cannot negotiate with {}" if words is STANDS else "has no more failures with {}").format(
            f"{lost(case)} {'unknown peers' if case.stranger else 'peers'}"
        )
    text = words[_sort(case)].format(lost=lost(case), interface=case.interface)
    return text if case.resolved_at is not None else text + _standing(case)


def _by_hand(case: Case) -> bool:
    """Whether an operator ended it, who may know more than eventd."""
    return case.ending.startswith("cleared by ") and case.ending != CLEARED_BY_DEVICE


def _standing(case: Case) -> str:
    """How it stands right now, where the words of its kind leave that open."""
    if case.kind == "flapping":
        return " and down now" if case.awaits else ""
    if case.family != "group":
        return ""
    missing = f", {case.missing} still missing" if 0 < case.missing < case.count else ""
    return missing + (", flapping" if case.awaits else "") + (" that still work" if case.beside else "")


def _sort(case: Case) -> str:
    """Which words a case has: its kind, but a board that fails is no limit."""
    return "service_fault" if case.kind == "capacity" and case.awaits.startswith(SERVICE_FAULT) else case.kind


def _short_name(case: Case, known: Peer | None) -> str:
    if case.peer is None and case.family in ("tunnel", "failing"):
        return _peer(case, known)
    return (known.name if known and known.name else case.peer) or case.device


def summary(case: Case, known: Peer | None) -> str:
    """One sentence or two: device, peer, what, why, since when."""
    if case.resolved_at is not None:
        lasted = f"after {span(case.resolved_at - case.since)}"
        if case.heir:
            return (
                f"{case.device}: {BECOMES[case.kind].format(peer=_peer(case, known))} has become {case.heir}, {lasted}."
            )
        if _by_hand(case):
            what = f"the incident about {_peer(case, known)}" if case.peer else "the incident"
            return f"{case.device}: {what} was {case.ending} {lasted}; whether it works is not known."
        words = OVER[_sort(case)].format(peer=_peer(case, known), lost=lost(case), interface=case.interface)
        over = f"{case.device}: {words} {lasted}"
        return over + (f" ({case.ending})." if case.ending else ".")
    headline = _group if case.family == "group" else HEADLINES[case.kind]
    text = headline(case, _peer(case, known))
    text = f"{case.device}: {text} Since {utc(case.since):%Y-%m-%d %H:%M:%S} UTC."
    if case.stale:
        text += (
            " Nothing has been heard of it for long: the all-clear may have been lost. If it works, clear it by hand."
        )
    return text


def _peer(case: Case, known: Peer | None) -> str:
    if case.peer is None:
        where = f"an unnamed peer on {case.interface}" if case.interface else "an unnamed peer"
    else:
        where = f"{known.name} ({case.peer})" if known and known.name else case.peer
    return where if case.vsys == PUBLIC else f"{where} in vsys {case.vsys}"


def _why(reason: Reason | None) -> str:
    meaning = f" ({reason.meaning.rstrip('.')})" if reason and reason.meaning else ""
    return f"{words(reason)}{meaning}"


def _down(case: Case, peer: str) -> str:
    if case.nature == "expected":
        text = f"the tunnel to {peer} was taken down on purpose: {_why(case.stop)}; {AWAITS[case.awaits]}."
        return text if case.cause == case.stop else f"{text} Since then: {_why(case.cause)}."
    if case.waited:
        unproven = f"no start of it came within {span(case.waited)}"
        return f"the tunnel to {peer} is down: it was to be replaced ({words(case.stop)}), but {unproven}." + (
            "" if case.cause == case.stop else f" Cause: {_why(case.cause)}."
        )
    return f"the tunnel to {peer} is down: {_why(case.cause)}."


def _degraded(case: Case, peer: str) -> str:
    return f"some traffic to {peer} is cut off while the rest works: {_why(case.cause)}."


def _failing(case: Case, peer: str) -> str:
    beside = " while a tunnel to it works" if case.beside else ""
    unknown = " It was never seen with a tunnel and is not in the inventory." if case.stranger else ""
    return f"negotiation with {peer} fails{beside} ({times(case.failures)}): {_why(case.cause)}.{unknown}"


def _flapping(case: Case, peer: str) -> str:
    now = ", and is down now" if case.awaits else ""
    often = f"every {span(case.pace)}" if case.pace else f"down {times(case.count)}"
    return f"the tunnel to {peer} keeps going down and up ({often}){now}: {_why(case.cause)}."


def _selfheal(case: Case, _peer: str) -> str:
    where = f" ({case.awaits})" if case.awaits else ""
    if case.severity == "info":
        return f"lost IPsec flows were found and repaired by the device itself{where}, {times(case.count)}."
    return f"the device keeps losing and repairing IPsec flows{where}, {times(case.count)}: suspect a board or CPU."


def _condition(case: Case, peer: str) -> str:
    about = f" concerning {peer}" if case.peer else ""
    return f"{case.awaits}{about}: {_why(case.cause)}." if case.cause else f"{case.awaits}{about}."


def _silent(case: Case, _peer: str) -> str:
    return (
        f"nothing at all has been heard of it since {clock(case.since)}: the device, its way to eventd, or its "
        "configuration of log hosts and trap targets."
    )


def lost(case: Case) -> int:
    """How many peers an outage of many has taken, those included whose own hold is not over."""
    return max(case.count, case.fallen)


def _group(case: Case, peer: str) -> str:
    unknown = "peers that were never seen with a tunnel try" if case.stranger else "peers fail for one reason"
    what = {
        "negotiation_failing": f"{lost(case)} {unknown} to negotiate",
        "interface_outage": f"{lost(case)} peers on {case.interface} were lost together",
        "device_outage": f"{lost(case)} of its peers were lost together",
        "peer_outage": f"{peer} was lost by several devices",
    }[case.kind]
    return f"{what}{_standing(case)}: {_why(case.cause)}."


HEADLINES: dict[str, Callable[[Case, str], str]] = {
    "tunnel_down": _down,
    "tunnel_degraded": _degraded,
    "negotiation_failing": _failing,
    "flapping": _flapping,
    "flow_self_heal": _selfheal,
    "capacity": _condition,
    "security": _condition,
    "device_silent": _silent,
    "interface_outage": _group,
    "device_outage": _group,
    "peer_outage": _group,
}

#: What an event is called in a chain.
TOLD = {
    "ipsec.tunnel.stop": "tunnel stopped",
    "ipsec.tunnel.start": "tunnel started",
    "ipsec.tunnel.status": "tunnel status",
    "ipsec.negotiation.fail": "negotiation failed",
    "ipsec.negotiation.success": "negotiation succeeded",
    "ipsec.phase1.established": "phase 1 established",
    "ipsec.phase1.down": "phase 1 ended",
    "ipsec.dpd.success": "dead-peer probe answered",
    "ipsec.dpd.fail": "dead-peer probe unanswered",
    "ipsec.sla.down": "SLA probe says the link is down",
    "ipsec.sla.degraded": "SLA probe says the link is poor",
    "ipsec.flow.selfheal": "device repaired lost flows",
    "ipsec.capacity": "limit reached",
    "ipsec.security": "security event",
    "ipsec.sa.reset": "SAs reset by command",
    "ipsec.policy.change": "IPsec policy changed",
    "link.down": "link went down",
    "link.up": "link came up",
    "device.restart": "device restarted",
    "device.failover": "device switched over",
    "device.config": "configuration changed",
}


#: Events that are no IPsec matter and explain one.
NEIGHBOURS = ("link.down", "link.up", "device.restart", "device.failover")
#: What this unit of a pair now is, by the mark ``state``.
FAILOVERS = {
    "master": "this unit became the active one",
    "other": "this unit is the active one no more",
    "normal": "both units are well again and have their own roles",
}
#: What is watched, by the mark ``track``.
TRACKS = {
    "bfd": "BFD session",
    "nqa": "NQA test",
    "ip-link": "IP-link probe",
    "nhrp": "NHRP hub",
    "hrp": "heartbeat between the units",
    "sd-wan-site": "link between sites",
}


def told(event: Event) -> str:
    """One event as a line of a chain, without its time."""
    text = _neighbour(event) or TOLD.get(event.event or "", event.event or "")
    if event.interface and event.event in NEIGHBOURS:
        text += f" ({event.interface})"
    why = event.extra.get("Reason", "")[:MAX_TEXT] if event.reason is None else words(event.reason)
    return f"{text}: {why}" if why and (event.reason or event.event in NEIGHBOURS) else text


def _neighbour(event: Event) -> str | None:
    """What handlers mark more exactly than the name of the event says (`handlers/README.md`, marks in ``extra``)."""
    extra = event.extra
    if event.event == "ipsec.capacity" and extra.get("kind") == "service-fault":
        return "IPsec service failed"
    if event.event == "device.failover":
        return FAILOVERS.get(extra.get("state", ""))
    if event.event == "device.restart":
        return "a board restarted" if extra.get("kind") == "board" else None
    if event.event not in ("link.down", "link.up") or (track := extra.get("track")) is None:
        return None
    what = TRACKS.get(track, track)
    target = extra.get("target") or event.peer
    towards = f" to {target}" if target else ""
    return f"{what}{towards} {'failed' if event.event == 'link.down' else 'is back'}"
