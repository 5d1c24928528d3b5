"""Rule ``not-back``: a device that has restarted has none of its tunnels left, whatever was last known of them. Peers
come back by themselves within minutes; those that do not were lost in the restart, and no message will say so.

A coldStart says only that the SNMP agent has started (RFC 3418), which it does alone as well: it counts when something
else shows that the device has (`was_none`), and never when an SA from before it is heard of (`contradicted`).
"""

from eventd.correlate import books, cases, evidence, idling, links, switchover, texts
from eventd.correlate.desk import Desk
from eventd.correlate.fleet import FAILOVER
from eventd.correlate.settings import BOOT_TAKES, MOVED_PEERS, RESTART_TOLD, RESTART_WAIT
from eventd.correlate.state import Case, DeviceState, Note, PeerState, device_key
from eventd.model import Event, Reason

#: Mark of handlers (``state``): the device has restarted, and does not merely say that it will.
DONE = "done"
#: Marks of handlers (``state``) of what says that it restarts, be it by command.
SAID = ("ordered", "begun", DONE)
#: Mark of handlers (``kind``): it is the word of the SNMP agent.
AGENT = "agent"
#: What happens on a device that boots, and when its SNMP agent restarts does not.
SHOWS = (evidence.LINK_DOWN, evidence.LINK_UP, FAILOVER)
#: Kinds of incident that leave open whether anything is up.
PARTIAL = ("tunnel_degraded", "negotiation_failing")


def heard(desk: Desk, device: DeviceState, event: Event, now: float) -> None:
    """A device says that it has restarted; what it says again within `RESTART_WAIT` is the same restart."""
    if event.extra.get("state") in SAID and event.extra.get("kind") != AGENT:
        device.restart_shown = now
    if event.extra.get("state") != DONE or now - device.restarted < RESTART_WAIT:
        return
    device.restarted = now
    cause = evidence.reason(Note(now, texts.told(event), event=event.event or ""))
    for _, peer in desk.fleet.of_device(device.device):
        if peer.tunnels:
            _lost(desk, peer, cause, now)
            desk.settle(peer.key, peer)


def was_none(desk: Desk, peer: PeerState, now: float) -> bool:
    """Whether nothing but its SNMP agent shows by now that the device of an awaited peer has restarted: then its
    tunnels count as before, and nobody is awaited any more."""
    device = desk.device(peer.device, now)
    if _is_said(device):
        return False
    if any(_shows(other, device.restarted) for _, other in desk.fleet.of_device(device.device)):
        device.restart_shown = now
        desk.settle(device_key(device.device), device)
        return False
    _take_back(desk, device, now)
    return True


def contradicted(desk: Desk, peer: PeerState, now: float) -> None:
    """An SA ended that a restart of its device would have ended: there was none, unless something else shows it. What
    comes within the moment of that word may have been overtaken by it."""
    device = desk.device(peer.device, now)
    if not _is_said(device) and now - device.restarted > desk.settings.twin_window:
        _take_back(desk, device, now)


def _is_said(device: DeviceState) -> bool:
    near = device.restarted - BOOT_TAKES
    return device.restart_shown >= device.restarted - RESTART_TOLD or any(
        note.event in SHOWS and note.at >= near for note in device.notes
    )


def _shows(peer: PeerState, restarted: float) -> bool:
    """Whether a peer had to begin anew, or tries to."""
    fails = peer.case is not None and peer.case.failures and peer.case.since >= restarted
    return books.began_anew(peer, restarted - BOOT_TAKES) or bool(fails and books.lost_in_restart(peer))


def _take_back(desk: Desk, device: DeviceState, now: float) -> None:
    for key, peer in desk.fleet.of_device(device.device):
        case = peer.case
        books.remembered(peer, now)
        if case is not None and case.back_by:
            case.back_by = 0.0
            if case.announced:
                case.timers.pop("grow", None)
            elif case.failures:
                case.family, case.timers = "failing", {"open": now + desk.settings.outage_hold}
            else:
                cases.drop(desk, peer, case, "context", "nothing but its SNMP agent says so")
        desk.settle(key, peer)


def is_back(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether the other end of the link says that a peer which is awaited has come back."""
    if not case.back_by or links.is_single(desk, peer):
        return False
    return any(
        far.up and far.started is not None and far.started.at >= case.since - BOOT_TAKES
        for far in links.far_ends(desk, peer)
    )


def _lost(desk: Desk, peer: PeerState, cause: Reason, now: float) -> None:
    case = peer.case
    if case is not None and not case.announced and case.cause is not None and case.cause.name == evidence.LEFT_BEHIND:
        books.believe(peer, True, peer.heard_at)  # it was held to be lost because its device said nothing
        peer.case = case = None
    was_up = books.forgotten(peer, now - BOOT_TAKES, now)
    if not was_up or peer.peer is None or peer.linked or idling.waits(desk, peer) or _moved(desk, peer, now):
        return
    if case is None:
        peer.case = _awaited(peer, cause, now)
    elif case.announced and case.kind in PARTIAL:
        case.grow_since, case.nature = now, "outage"
        case.timers["grow"] = case.back_by = now + RESTART_WAIT
    elif not case.announced and case.family == "failing":
        case.family, case.since, case.severity, case.stranger = "tunnel", now, "major", False
        case.timers = {"open": now + RESTART_WAIT}
        case.back_by = now + RESTART_WAIT


def _awaited(peer: PeerState, cause: Reason, now: float) -> Case:
    case = Case(device=peer.device, vsys=peer.vsys, peer=peer.peer, since=now, family="tunnel", count=1)
    case.cause, case.side = cause, "local"
    case.timers["open"] = case.back_by = now + RESTART_WAIT
    tunnels = peer.tunnels.values()
    case.interface = next((tunnel.interface for tunnel in tunnels if tunnel.interface), None)
    case.ifindex = next((tunnel.ifindex for tunnel in tunnels if tunnel.ifindex is not None), None)
    return case


def _moved(desk: Desk, peer: PeerState, now: float) -> bool:
    """Whether another device has taken it over since its own one was last seen to have it."""
    last = peer.started.at if peer.started is not None else peer.heard_at
    twins = {other.key: other for other in links.same_ends(desk.fleet, peer)}
    others = [*twins.values(), *desk.fleet.shared(peer.peer or "")]
    return any(
        any(tunnel.up and tunnel.since > last for tunnel in other.tunnels.values())
        and (other.key in twins or _relieves(desk, other.device, peer.device, now))
        for other in others
        if other.device != peer.device
    )


def _relieves(desk: Desk, new: str, old: str, now: float) -> bool:
    """Whether ``new`` has taken over peers of ``old``, or one of them said lately that it has."""
    return switchover.said_so(desk, now, new, old) or (
        sum(move.device == new for move in desk.device(old, now).moves) >= MOVED_PEERS
    )
