"""The books of a peer: which tunnels it has and whether they are up. No judgement here."""

from eventd.correlate.settings import MAX_TUNNELS_PER_PEER, PACE_STOPS, UP_TRUST
from eventd.correlate.state import TUNNEL_FIELDS, Moment, PeerState, Tunnel, moment, stamp
from eventd.model import Event

#: SAs that begin together: two directions, AH and ESP, and as many of the one before.
MAX_SPIS = 8
#: The nature of a stop of a tunnel that has run out, and waits for traffic (`Tunnel.nature`).
IDLE = "idle"
#: The nature of what its device has lost in a restart (`Tunnel.nature`), while nothing is known of it.
RESTARTED = "restart"
#: Any of these agreeing says that two messages are about one tunnel, wherever it ends here.
MADE_OF = ("flow", "policy", "policy_seq", "rule")


def find(peer: PeerState, event: Event, now: float, *, wanted: bool) -> Tunnel:
    """The tunnel an event is about, made if it is new.

    A log and a trap, or a stop and a start, may each lack what the other says; everything both say must agree. Of
    several candidates it is the first whose state is ``wanted`` (a stop wants one that is up).
    """
    key = _key(event)
    tunnel = peer.tunnels.get(key)
    if tunnel is None:
        tunnel = _find(peer, event, wanted=wanted)
        if tunnel is None:
            _make_room(peer)
            tunnel = peer.tunnels[key] = Tunnel(since=now)
        for name in TUNNEL_FIELDS:  # one that is under the very key has them
            if getattr(tunnel, name) is None and (said := getattr(event, name)) is not None:
                setattr(tunnel, name, said)
    tunnel.local, tunnel.port = event.local or tunnel.local, event.peer_port or tunnel.port
    return tunnel


def _find(peer: PeerState, event: Event, *, wanted: bool) -> Tunnel | None:
    fits = [known for known in peer.tunnels.values() if _fits(known, event)]
    fits = fits or [known for known in peer.tunnels.values() if _moved(known, event)]
    return next((known for known in fits if known.up is wanted), fits[0] if fits else None)


def put(peer: PeerState, tunnel: Tunnel, up: bool, now: float) -> bool:
    """Enter that a tunnel is up or down; True when that is a change from the known opposite, or a first stop."""
    before = tunnel.up
    if before is up:
        return False
    _count(peer, before, -1)
    _count(peer, up, 1)
    tunnel.up, tunnel.since = up, now
    _settle(peer, now)
    return before is not None or not up


def started(peer: PeerState, tunnel: Tunnel, event: Event, now: float, window: float) -> None:
    """Enter when a tunnel started, by our clock and the device's; a start that a later one has overtaken is none."""
    if overtaken(tunnel.started, event, now, window):
        return
    tunnel.before_start = tunnel.up
    if tunnel.stopped is not None and not tunnel.up:
        tunnel.absent = now - tunnel.stopped.at
    tunnel.started = peer.started = moment(event, now)
    tunnel.index = event.tunnel_index
    tunnel.spis = [event.extra["SPI"]] if "SPI" in event.extra else []


def turned(tunnel: Tunnel, up: bool, now: float, window: float, most: int) -> None:
    """Remember that it went up or down; of the latest ``window`` seconds, no more than ``most`` can ask for."""
    tunnel.turns = [*[at for at in tunnel.turns if at > now - window][-2 * most :], now]
    if not up:
        tunnel.stops = [*tunnel.stops[-PACE_STOPS + 1 :], now]


def turns(tunnel: Tunnel, hold: float) -> int:
    """How often it has gone up and down. Once back before anybody was told is forgiven: what is nothing when it happens
    alone makes no flapping of the one outage, or the one other blip, within the same quarter of an hour."""
    # they alternate, and the latest is what it is now
    last = len(tunnel.turns) - (0 if tunnel.up else 1)
    pairs = (tunnel.turns[place - 2 : place] for place in range(last, 1, -2))
    return len(tunnel.turns) - 2 * any(up - down < hold for down, up in pairs)


def begin_anew(peer: PeerState) -> None:
    """What it did is settled: no turn and no pace of before counts any more."""
    for tunnel in peer.tunnels.values():
        tunnel.turns, tunnel.stops = [], []


def also_started(peer: PeerState, event: Event, now: float) -> None:
    """A further witness of a start may tell of another SA that began with it: that of the other direction."""
    spi = event.extra.get("SPI")
    tunnel = find(peer, event, now, wanted=True) if spi is not None else None
    if tunnel is not None and spi is not None and spi not in tunnel.spis:
        tunnel.spis = [*tunnel.spis[-MAX_SPIS + 1 :], spi]


def believe(peer: PeerState, up: bool | None, now: float) -> None:
    """Every tunnel that was down counts as ``up`` from now on."""
    for tunnel in peer.tunnels.values():
        if tunnel.up is False:
            _count(peer, False, -1)
            _count(peer, up, 1)
            tunnel.up, tunnel.since = up, now
    _settle(peer, now)


def lost(peer: PeerState, stopped_at: float, now: float) -> None:
    """What stopped then and was taken as replaced is down after all, unless it has started since."""
    for tunnel in peer.tunnels.values():
        back = tunnel.started is not None and tunnel.started.at >= stopped_at
        if tunnel.stopped is not None and tunnel.stopped.at == stopped_at and not back:
            put(peer, tunnel, False, now)


def disbelieve(peer: PeerState, now: float) -> None:
    """Nothing of the peer is up: what was last seen up too long ago to be trusted is not known any more, and where no
    tunnel is known to be down, the one that stopped last is."""
    for tunnel in peer.tunnels.values():
        if tunnel.up:
            _count(peer, True, -1)
            tunnel.up, tunnel.since = None, now
    if not peer.tunnels_down and peer.tunnels:
        last = max(peer.tunnels.values(), key=lambda tunnel: tunnel.stopped.at if tunnel.stopped else 0.0)
        _count(peer, False, 1)
        last.up, last.since = False, now
    _settle(peer, now)


def ran_out(peer: PeerState, now: float) -> None:
    """What is down has only run out and waits for traffic: not known where other tunnels are up, else the peer is down
    until traffic comes."""
    if any_up(peer, now):
        believe(peer, None, now)
        return
    disbelieve(peer, now)
    for tunnel in peer.tunnels.values():
        if tunnel.up is False:
            tunnel.nature = IDLE


def forgotten(peer: PeerState, booted: float, now: float) -> bool:
    """Its device has restarted: of what was up and has not started since ``booted`` nothing is known any more. True
    where the peer was up until then, by a proof not too old to be trusted, and is not now."""
    was_up = any_up(peer, now)
    for tunnel in peer.tunnels.values():
        if tunnel.up and max(tunnel.since, tunnel.started.at if tunnel.started else 0.0) < booted:
            _count(peer, True, -1)
            tunnel.up, tunnel.nature = None, RESTARTED
    _settle(peer, now)
    return was_up and not peer.tunnels_up


def remembered(peer: PeerState, now: float) -> None:
    """Its device has not restarted after all: what was `forgotten` is up, as of when that was last proven."""
    for tunnel in peer.tunnels.values():
        if is_lost_in_restart(tunnel):
            _count(peer, True, 1)
            tunnel.up, tunnel.nature = True, "outage"
    _settle(peer, now)


def began_anew(peer: PeerState, since: float) -> bool:
    """Whether a tunnel that nobody had said to be down has started once more, and no SA of the peer was replaced."""
    if any(one.rule == "rekey" and one.until >= since for one in peer.decisions):
        return False
    return any(
        tunnel.started is not None
        and tunnel.started.at >= since
        and (tunnel.before_start or tunnel.nature == RESTARTED)
        for tunnel in peer.tunnels.values()
    )


def lost_in_restart(peer: PeerState) -> bool:
    """Whether nothing is up since its device restarted, of what was up before."""
    return not peer.tunnels_up and any(map(is_lost_in_restart, peer.tunnels.values()))


def is_lost_in_restart(tunnel: Tunnel) -> bool:
    """Whether nothing is known of it since its device restarted."""
    return tunnel.up is None and tunnel.nature == RESTARTED


def outlives_restart(tunnel: Tunnel) -> bool:
    """Whether an SA of it that ends now was there before its device is said to have restarted."""
    return tunnel.nature == RESTARTED and (tunnel.up is None or not tunnel.before_start)


def traffic_came(peer: PeerState, now: float) -> None:
    """A tunnel started: of those that wait for traffic of their own nothing is known any more."""
    for tunnel in peer.tunnels.values() if peer.tunnels_down else ():
        if tunnel.nature == IDLE and tunnel.up is False:
            _count(peer, False, -1)
            tunnel.up, tunnel.since = None, now


def any_up(peer: PeerState, now: float) -> bool:
    """Whether some tunnel is known to be up, by a proof that is not too old to be trusted."""
    return bool(peer.tunnels_up) and any(is_up(tunnel, now) for tunnel in peer.tunnels.values())


def is_up(tunnel: Tunnel, now: float) -> bool:
    """The same of one tunnel."""
    return bool(tunnel.up) and now - proven_at(tunnel) <= UP_TRUST


def proven_at(tunnel: Tunnel) -> float:
    """When a tunnel that is up was last shown to be: it came up, began anew, or an SA of it was replaced."""
    replaced = tunnel.stopped.at if tunnel.stopped is not None and tunnel.nature == "rekey" else 0.0
    return max(tunnel.since, tunnel.started.at if tunnel.started is not None else 0.0, replaced)


def overtaken(by: Moment | None, event: Event, now: float, window: float) -> bool:
    """Whether what came in shortly before ``event`` happened after it, as the device's own clock says."""
    if by is None or by.stamp is None or now - by.at > window:
        return False
    said = stamp(event)
    return said is not None and said.before(by.stamp)


def hand_over(peer: PeerState, old: Tunnel, new: Tunnel, now: float) -> None:
    """Another tunnel goes on for one that is lost, or about to be: how that stood and what it did is as if the other
    had, unless that is down itself; of the first one nothing is known any more."""
    if new.up is not False:
        new.turns, new.stops = sorted([*old.turns, *new.turns]), sorted([*old.stops, *new.stops])[-PACE_STOPS:]
    if new.up is None:
        new.up, new.nature, new.stopped = old.up, old.nature, old.stopped
    else:
        _count(peer, old.up, -1)
    old.up, old.since, old.nature, old.turns, old.stops = None, now, "outage", [], []
    _settle(peer, now)


def forget(peer: PeerState, tunnel: Tunnel, now: float) -> None:
    """The peer has that tunnel no more, as another one has it."""
    _count(peer, tunnel.up, -1)
    peer.tunnels = {key: known for key, known in peer.tunnels.items() if known is not tunnel}
    _settle(peer, now)


def _key(event: Event) -> str:
    return (
        f"{event.flow}|{event.interface}|{event.ifindex}|{event.policy}|{event.policy_seq}|{event.rule}"
        f"|{event.inside}|{event.local}"
    )


def _fits(tunnel: Tunnel, event: Event) -> bool:
    for name in TUNNEL_FIELDS:
        ours, theirs = getattr(tunnel, name), getattr(event, name)
        if ours != theirs and ours is not None and theirs is not None:
            return False
    return True


def _moved(tunnel: Tunnel, event: Event) -> bool:
    """Whether it is the same but for the local address, as after a dial-up line got another one: what makes up a tunnel
    is its policy and flow, if they are known."""
    same = [(getattr(tunnel, name), getattr(event, name)) for name in TUNNEL_FIELDS if name != "local"]
    return all(ours == theirs or ours is None or theirs is None for ours, theirs in same) and any(
        getattr(event, name) is not None and getattr(tunnel, name) == getattr(event, name) for name in MADE_OF
    )


def _make_room(peer: PeerState) -> None:
    """At the limit, forget the tunnel that has not changed for longest, one that is not down if there is one."""
    if len(peer.tunnels) < MAX_TUNNELS_PER_PEER:
        return
    key = min(peer.tunnels, key=lambda name: (peer.tunnels[name].up is False, peer.tunnels[name].since))
    _count(peer, peer.tunnels.pop(key).up, -1)


def _count(peer: PeerState, up: bool | None, by: int) -> None:
    if up:
        peer.tunnels_up += by
    elif up is False:
        peer.tunnels_down += by


def _settle(peer: PeerState, now: float) -> None:
    up = True if peer.tunnels_up else False if peer.tunnels_down else None
    if up is peer.up:
        return
    if up is not None and peer.up is not None:
        peer.state_changes += 1
    peer.up, peer.since = up, now
