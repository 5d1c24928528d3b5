"""What people read of a case in pieces: durations, reasons, the chain, the steps to take (the sentences:
`eventd.correlate.headlines`)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b

from eventd.correlate.phrases import COME_BACK, CUTS_ALL, LOOK_TOO, ONLY_PART, SOOTHING, UNEXPLAINED, UNEXPLAINED_STEPS
from eventd.correlate.settings import MAX_ACTIONS, MAX_DEVICES, MAX_FIRST_STEPS, MAX_NAMED, MAX_TEXT
from eventd.correlate.state import LINE, Case, PeerState, Step
from eventd.inventory import Inventory
from eventd.model import Event, Reason, utc


def incident_id(case: Case) -> str:
    """Derived from what it is about and when it began: the same input gives the same id on every run."""
    what = f"{case.kind}|{case.family}|{case.device}|{case.vsys}|{case.peer}|{case.interface}|{case.since:.6f}"
    return blake2b(what.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


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


@lru_cache(maxsize=MAX_DEVICES)
def is_address(name: str) -> bool:
    """Whether a device is known by nothing but its address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def peer_name(inventory: Inventory, peer: PeerState) -> str:
    """A peer by its name, else its address."""
    known = inventory.peer(peer.peer)
    return (known.name if known else None) or peer.peer or "an unnamed peer"


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more."""
    found = sorted(set(names))
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return ", ".join(found[:MAX_NAMED]) + more


def shortened(text: str, limit: int = MAX_TEXT) -> str:
    """At most ``limit`` characters, the last of which says that something was left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def words(reason: Reason | None, *, glossed: bool = False) -> str:
    """A reason in the device's own words, ``glossed`` with what they mean where that cannot be guessed."""
    if reason is None:
        return "no reason given"
    return shortened(reason.told if glossed else reason.text) or "no reason given"


def kept_no_more(case: Case) -> str:
    """That the silence or window has ended which kept a case untold."""
    return f"{case.hush or 'what kept it untold'} has ended"


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
    all goes well contradicts an alert, and what to do about an unknown reason is no matter once the cause is known. The
    steps of a reason that another device gave are to be taken there."""
    merged: dict[str, None] = {}
    for reason in (case.cause, case.stop):
        if reason is not None and (reason is case.cause or not (reason.expected or _is_beaten(reason, case.cause))):
            at = f"On {case.says}: " if case.says and reason is case.cause else ""
            steps = (_named(step) for step in reason.actions if not (_soothes(reason, step) or _cuts(case, step)))
            merged.update(dict.fromkeys(at + step for step in steps if step is not None))
    found = list(merged)
    if not found and case.kind in UNEXPLAINED:
        found = [step.format(peer=case.peer or "the peer", device=case.device) for step in UNEXPLAINED_STEPS]
    part = ONLY_PART.format(which=case.which) if case.which and case.kind == "tunnel_degraded" else ""
    if case.family == LINE or case.then:
        found = [step for step in found if step != COME_BACK]
    if case.family == "group" and case.then and case.rest is None:
        found.insert(1, LOOK_TOO.format(names=case.then))
    return tuple(step for step in (case.hint, part, *found) if step)[:MAX_ACTIONS]


def _is_beaten(stop: Reason, cause: Reason | None) -> bool:
    return not stop.known and cause is not None and cause.known


def _soothes(reason: Reason, step: str) -> bool:
    return reason.expected and step.casefold().startswith(SOOTHING)


def _cuts(case: Case, step: str) -> bool:
    """Whether a step would cut what is left to a peer, or to each of many."""
    return CUTS_ALL in step and (case.kind == "tunnel_degraded" or (case.family == "group" and case.beside))


def _named(step: str) -> str | None:
    """A step without the catalogue's ``<peer>``, where no message named it; None for a command that needs it."""
    if "<peer>" not in step:
        return step
    commands = step.split("`")[1::2]
    return None if any("<peer>" in command for command in commands) else step.replace("<peer>", "the peer")


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
#: Characters of what was given as an address: more than the longest one has.
MAX_GIVEN = 64
#: Events that are always about one peer, whether they name it or not.
OF_ONE_PEER = ("ipsec.tunnel.stop", "ipsec.negotiation.fail")
#: Events that somebody may have typed: the command says what was changed.
TYPED = ("device.config", "ipsec.sa.reset")
#: What this unit of a pair now is, by the mark ``state``.
FAILOVERS = {
    "master": "switch-over: this unit became the active one",
    "other": "switch-over: this unit is the active one no more",
    "normal": "both units are well again and have their own roles",
}
#: How far a restart is, by the mark ``state``.
RESTARTS = {"ordered": "restart ordered", "begun": "device is restarting"}
#: "Interface physical link is down": what IFNET gives as the reason for a link that went down.
SAME_AGAIN = re.compile(r"(?:interface )?(?:physical )?(?:link )?(?:is |went )?(?:down|up)\.?", re.IGNORECASE)
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
    if event.event in NEIGHBOURS and (place := _place(event)):
        text += f" ({place})"
    if event.event in TYPED and (typed := event.extra.get("Command")):
        return f"{text}: {shortened(typed)}"  # without its secrets since it was decoded
    why = _said(event.extra.get("Reason", "")) if event.reason is None else words(event.reason)
    text = f"{text}: {why}" if why and (event.reason or event.event in NEIGHBOURS) else text
    return text + _unnamed(event)


def _said(why: str) -> str:
    """The reason of a neighbour, unless it only says once more that a link is down or up."""
    return "" if SAME_AGAIN.fullmatch(why) else shortened(why)


def _place(event: Event) -> str:
    """The interface by its name, else by its index."""
    return event.interface or ("" if event.ifindex is None else f"interface index {event.ifindex}")


def given_as(event: Event) -> str:
    """What a message has in place of the peer's address, and is none; empty where it has an address, or nothing."""
    return "" if event.peer is not None else shortened(event.extra.get("no_address", ""), MAX_GIVEN)


def _unnamed(event: Event) -> str:
    """What else tells a stop or a failure whose remote address is not given, or is none."""
    if event.peer is not None or event.event not in OF_ONE_PEER:
        return ""
    given, flow = given_as(event), event.flow
    told = [*([f"remote address given as {given}"] if given else ()), *([f"flow {flow}"] if flow else ())]
    return f" ({shortened(', '.join(told))})" if told else ""


def _restart(extra: Mapping[str, str]) -> str | None:
    """How far it is; where it was ordered, by whom and with which words, as far as that is known."""
    text = RESTARTS.get(extra.get("state", ""))
    if text is None or extra.get("kind") != "command":
        return text
    by, typed = extra.get("User", "")[:MAX_GIVEN], shortened(extra.get("Command", ""))
    return text + (f" by {by}" if by else "") + (f": {typed}" if typed else "")


def _neighbour(event: Event) -> str | None:
    """What handlers mark more exactly than the name of the event says (`handlers/README.md`, marks in ``extra``)."""
    extra = event.extra
    if event.event == "ipsec.capacity" and extra.get("kind") == "service-fault":
        return "IPsec service failed"
    if event.event == "device.failover":
        return FAILOVERS.get(extra.get("state", ""))
    if event.event == "device.restart":
        return "a board restarted" if extra.get("kind") == "board" else _restart(extra)
    if event.event not in ("link.down", "link.up") or (track := extra.get("track")) is None:
        return None
    what = TRACKS.get(track, track)
    target = extra.get("target") or event.peer
    towards = f" to {target}" if target else ""
    return f"{what}{towards} {'failed' if event.event == 'link.down' else 'is back'}"
