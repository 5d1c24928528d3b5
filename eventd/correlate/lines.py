"""Condition `LINE`: a line is down, and the peers that it carried have gone over to other lines. Nothing is cut off,
and no outage tells of it; but the next line that dies may cut them off: a warning, until the line is up again.
"""

from collections.abc import Iterator

from eventd.correlate import cases, evidence, indexes, texts
from eventd.correlate.desk import Desk
from eventd.correlate.settings import CONTEXT_WINDOW, MAX_CONDITIONS, MAX_NAMED
from eventd.correlate.state import LINE, PUBLIC, Case, DeviceState, PeerState, Tunnel, device_key


def left(desk: Desk, tunnel: Tunnel, device_name: str) -> None:
    """A tunnel has gone over to another line: if its own is down, that is told when all who go have gone."""
    device = desk.fleet.devices.get(device_key(device_name))
    names = evidence.line_names(tunnel.interface, tunnel.ifindex)
    name = next((name for name in names if device is not None and name in device.lines_down), None)
    if device is None or name is None:
        return
    case = device.conditions.get(f"{LINE}|{name}")
    if case is None:
        if len(device.conditions) >= MAX_CONDITIONS:
            return
        case = Case(device=device_name, vsys=PUBLIC, peer=None, since=device.lines_down[name], family=LINE)
        case.interface = name
        device.conditions[f"{LINE}|{name}"] = case
    case.timers.setdefault(LINE, desk.now + desk.settings.group_window)
    desk.settle(device_key(device_name), device)


def settled(desk: Desk, device: DeviceState, case: Case, at: float) -> None:
    """Timer ``line``: whoever went over has gone. While others are missed with the line, their outage tells of it."""
    down = [note for note in device.notes if evidence.still_down(device, note)]
    note = next((one for one in down if case.interface in evidence.line_names(one.interface, one.ifindex)), None)
    if note is None:
        device.close(case)
        return
    peers = [peer for _, peer in desk.fleet.with_trait(indexes.at(device.device, case.interface or ""))]
    if any(_misses(peer, case) for peer in peers):
        case.timers[LINE] = at + desk.settings.group_window
        return
    gone = {peer.key: over for peer in peers if (over := set(_over(peer, case)))}
    if not gone:
        device.close(case)
        return
    names = sorted({texts.peer_name(desk.inventory, peer) for peer in peers if peer.key in gone})
    case.count, case.names, case.over = len(gone), names[:MAX_NAMED], texts.listed(set().union(*gone.values()))
    if case.announced:
        cases.progress(desk, case, at)
        return
    case.cause, case.side = evidence.reason(note), "local"
    case.step(note.at, note.text)
    case.step(at, f"{len(gone)} peers have gone over to {case.over}: {texts.listed(names)}")
    cases.announce(desk, case, at, "interface_outage", "warning")


def up_again(desk: Desk, device: DeviceState) -> None:
    """A line has come up: what was told of it while it was down is over."""
    for case in list(device.conditions.values()):
        if case.family != LINE or case.interface in device.lines_down:
            continue
        if case.announced:
            cases.resolve(desk, device, case, desk.now, "")
        else:
            device.close(case)


def _misses(peer: PeerState, case: Case) -> bool:
    """Whether a peer lost a tunnel with the line that has not gone elsewhere."""
    return any(
        tunnel.up is False and (tunnel.stopped is None or tunnel.stopped.at >= case.since - CONTEXT_WINDOW)
        for tunnel in _on(peer, case)
    )


def _over(peer: PeerState, case: Case) -> Iterator[str]:
    """The lines over which the networks are up that a peer had on this one."""
    flows = {tunnel.flow for tunnel in _on(peer, case) if not tunnel.up}
    for tunnel in peer.tunnels.values():
        if tunnel.up and tunnel.flow in flows:
            yield next(iter(evidence.line_names(tunnel.interface, tunnel.ifindex)), "another line")


def _on(peer: PeerState, case: Case) -> Iterator[Tunnel]:
    for tunnel in peer.tunnels.values():
        if case.interface in evidence.line_names(tunnel.interface, tunnel.ifindex):
            yield tunnel
