"""Why things stand as they do: which rule, which timers, what was decided, and what would have changed it; also for
what nobody was told of."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from eventd.correlate import rules, texts
from eventd.correlate.desk import Desk
from eventd.correlate.places import OUTAGES
from eventd.correlate.settings import CONTEXT_WINDOW, MAX_NAMED
from eventd.correlate.state import Case, Decision, DeviceState, GroupState, PeerState, device_key
from eventd.inventory import spellings
from eventd.model import utc

#: What a timer of a case waits for.
WAITS = {
    "open": "if it is not back by then, it is told",
    "resolve": "if it stays up until then, it is over",
    "down": "if it is not back by then, that is told",
    "grow": "if the tunnels are not back by then, it becomes a full outage",
    "line": "if the line is still down then, and nobody is missed with it, that is told",
    "silent": "if nothing was heard of the device until then, that is told",
    "quiet": "if nothing happens again until then, it is over",
    "forget": "if nothing happens again until then, it is forgotten",
    "escalate": "if it is not back by then, it gets graver",
    "stale": "if nothing is heard until then, the all-clear may have been lost",
    "remind": "if it is still open then, it is told again",
    "settle": "if nobody joins or comes back until then, the new number is told",
    "tally": "if the number is far from what was told by then, it is told",
    "unhush": "until then nobody is told",
    "unack": "until then somebody has it",
    "publish": "counters are written down",
}
#: Where nothing is open, what happened within a quarter of an hour may be what is asked about.
LATELY = 900.0
#: Timers that only tell what is known already.
TELLING = ("remind", "unhush")
#: What the timer ``stale`` waits for where no all-clear is awaited, by what is.
AWAITED = {
    "traffic": "if no traffic has come until then, it is told that it still waits",
    "peer": "if the far end has not come until then, it is told that it still waits",
    "nothing": "if nothing is heard until then, the matter is closed",
}
#: What the timer ``open`` waits for where that is no start.
HELD = {
    "weak": "if it does not fail again by then, it is over",
    "idle": "if it is not back by then, it waits for traffic and nobody is told",
    "failing": "if it has not succeeded by then, it is told",
}


class Wait(Struct, frozen=True):
    """A timer that runs: its name, when it fires, and what that means."""

    timer: str
    at: datetime
    means: str


class Told(Struct, frozen=True):
    """A rule that was applied: what it concludes in words, and what would have changed the outcome. ``times`` > 1 when
    it was applied again and again, last at ``last_at``."""

    rule: str
    at: datetime
    why: str
    concludes: str
    unless: str
    times: int = 1
    last_at: datetime | None = None


class Explanation(Struct, frozen=True):
    """How one peer or device stands, and why. ``incident`` is the open incident, ``parent`` the one that tells it;
    ``far_end`` is the device whose incident tells the matter of this one. ``near`` is what happened on the device
    lately that may explain things."""

    device: str
    vsys: str | None
    peer: str | None
    stands: str
    since: datetime | None
    says: str
    incident: str | None = None
    parent: str | None = None
    far_end: str | None = None
    judged: Told | None = None
    waits: tuple[Wait, ...] = ()
    decisions: tuple[Told, ...] = ()
    near: tuple[str, ...] = ()


def explain(desk: Desk, now: float, *, peer: str | None, device: str | None) -> Sequence[Explanation]:
    """For every peer of that address or name (of that device only, if one is given), or for the device itself."""
    desk.now = max(desk.now, now)
    if peer is not None:
        found = sorted(_called(desk, peer), key=lambda state: state.key)
        return [_of_peer(desk, state) for state in found if device in (None, state.device)]
    if device is None:
        return []
    groups = [group for group in desk.fleet.groups.values() if group.case is not None and group.case.device == device]
    outages = (_of_group(desk, group, group.case) for group in groups if group.case is not None)
    known = device_key(device) in desk.fleet.devices or device in desk.fleet.heard or any(desk.fleet.of_device(device))
    return [*outages, *([_of_device(desk, desk.device(device, now))] if known else ())]


def _called(desk: Desk, name: str) -> Iterator[PeerState]:
    """The peers of that address or name. Only the name of a network makes it necessary to look at all of them."""
    fleet, inventory = desk.fleet, desk.inventory
    yield from (state for _, state in fleet.by_address(name))
    named = inventory.peers_named(name)
    single = [address for row in named if row.address is not None for address in spellings(row.address)]
    states = fleet.peers.values() if any(row.cidr is not None for row in named) else _at(desk, single)
    for state in states:
        known = inventory.peer(state.peer) if state.peer != name else None
        if known is not None and known.name == name:
            yield state


def _at(desk: Desk, addresses: Iterable[str]) -> Iterator[PeerState]:
    return (state for address in addresses for _, state in desk.fleet.by_address(address))


def _of_peer(desk: Desk, peer: PeerState) -> Explanation:
    case, lately = peer.case, desk.now - LATELY
    main = desk.fleet.peers.get(peer.linked)
    return Explanation(
        device=peer.device,
        vsys=peer.vsys,
        peer=peer.peer,
        stands={True: "up", False: "down", None: "unknown"}[peer.up],
        since=utc(peer.since),
        says=_idle(peer) or _says(desk, case, main, peer.peer),
        incident=texts.incident_id(case) if case is not None and case.announced else None,
        parent=case.parent or None if case is not None else None,
        far_end=main.device if main is not None else None,
        judged=_judged(desk, case) if case is not None else None,
        waits=tuple(_waits(case)) if case is not None else (),
        decisions=tuple(_told(desk, one) for one in reversed(peer.decisions)),
        near=_near(desk.device(peer.device, desk.now), max(peer.since, lately) if case is None else case.began, peer),
    )


def _of_device(desk: Desk, device: DeviceState) -> Explanation:
    cases = list(device.conditions.values())
    return Explanation(
        device=device.device,
        vsys=None,
        peer=None,
        stands="unknown",
        since=None,
        says=" ".join([*(_says(desk, case, None) for case in cases), *_of_peers(desk, device.device)])
        or "Nothing is wrong with the device as far as it says.",
        waits=tuple(wait for case in cases for wait in _waits(case)),
        decisions=tuple(_told(desk, one) for one in reversed(device.decisions)),
        near=_near(device, min((case.since for case in cases), default=desk.now - LATELY)),
    )


def _of_group(desk: Desk, group: GroupState, case: Case) -> Explanation:
    """An outage of many peers of a device, or of a far end that several lost."""
    return Explanation(
        device=case.device,
        vsys=case.vsys,
        peer=case.peer,
        stands="down" if group.kind in OUTAGES else "unknown",
        since=utc(case.since),
        says=_says(desk, case, None),
        incident=texts.incident_id(case),
        judged=_told(desk, Decision(case.since, "group", texts.words(case.cause), 1, case.since)),
        waits=tuple(_waits(case)),
        near=_near(desk.device(case.device, desk.now), case.since),
    )


def _near(device: DeviceState, since: float, peer: PeerState | None = None) -> tuple[str, ...]:
    """What was noted of a device since shortly before ``since``, in order of time; not what is another peer's."""
    notes = [
        note
        for note in device.notes
        if note.at >= since - CONTEXT_WINDOW
        and (peer is None or (note.peer in (None, peer.peer) and note.vsys in (None, peer.vsys)))
    ]
    return tuple(f"{texts.clock(note.at)} {note.text}" for note in sorted(notes, key=lambda note: note.at))


def _says(desk: Desk, case: Case | None, main: PeerState | None, address: str | None = None) -> str:
    if case is not None and case.announced:
        return " ".join([desk.incident(case).summary, *_teller(desk, case)])
    if case is not None:
        why = texts.words(case.stop or case.cause)
        return f"Held back since {texts.clock(case.since)} UTC: {why}. Nobody is told yet{_until(case)}."
    if main is not None:
        end = "the other end of the link" if main.peer != address else "which has the same tunnel"
        return f"Told by the incident of {main.device}, {end}."
    return "Nothing is open."


def _idle(peer: PeerState) -> str:
    down = peer.case is None and peer.up is False and not peer.linked
    return "Nothing is open: its tunnels have run out, and the next traffic brings them up." if down else ""


def _until(case: Case) -> str:
    """Until when a case is held back, and what for."""
    wait = next(_waits(case), None)
    return "" if wait is None else f": until {wait.at:%H:%M:%S} UTC, and {wait.means}"


def _of_peers(desk: Desk, device: str) -> Iterator[str]:
    """What is in hand of the peers of a device, the first few by name."""
    busy = [(peer.case, texts.peer_name(desk.inventory, peer)) for _, peer in desk.fleet.busy(device) if peer.case]
    for one, many, found in (
        ("A peer has an open incident", "{} peers have open incidents", [each for each in busy if each[0].announced]),
        ("A stop is held back", "{} stops are held back", [each for each in busy if not each[0].announced]),
    ):
        named = [_held(case, name) for case, name in sorted(found, key=lambda each: (each[0].since, each[1]))]
        more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
        if named:
            yield f"{one if len(named) == 1 else many.format(len(named))}: {', '.join(named[:MAX_NAMED])}{more}."


def _held(case: Case, name: str) -> str:
    wait = None if case.announced else next(_waits(case), None)
    return f"{name} ({texts.words(case.stop or case.cause)}" + (f", until {wait.at:%H:%M:%S} UTC)" if wait else ")")


def _teller(desk: Desk, case: Case) -> Iterator[str]:
    """Which incident tells it, if not its own, and what keeps that one from being told."""
    group = desk.fleet.groups.get(case.group) if case.group else None
    teller = group.case if group is not None and group.case is not None else case
    if teller is not case:
        yield f"It is told by incident {texts.incident_id(teller)}: {desk.incident(teller).title}."
    hushed = desk.hush.by(desk.incident(teller), desk.now)
    if hushed is not None:
        _, until, _, name = hushed
        yield f"Nobody is told of it before {utc(until):%Y-%m-%d %H:%M} UTC, because of {name}."


def _judged(desk: Desk, case: Case) -> Told:
    """The rule that an open or held case goes by."""
    name = _rule(desk, case)
    return _told(desk, Decision(case.since, name, texts.words(case.stop or case.cause), 1, case.since))


def _rule(desk: Desk, case: Case) -> str:
    hushed = desk.hush.by(desk.incident(case), desk.now) if case.announced else None
    if case.group:
        return "grouped"
    if hushed is not None and not case.told:
        return hushed[0]
    if case.kind == "flapping" or case.family == "failing":
        return "flapping" if case.kind == "flapping" else "failing"
    if case.waits_idle:
        return "waits-for-traffic"
    if case.back_by:
        return "not-back"
    return {"rekey": "unproven-replacement", "expected": "on-purpose"}.get(case.nature, "outage-hold")


def _told(desk: Desk, one: Decision) -> Told:
    rule = rules.RULES[one.rule]
    return Told(
        rule=one.rule,
        at=utc(one.at),
        why=one.why,
        concludes=rules.worded(rule.concludes, desk.settings),
        unless=rules.worded(rule.unless, desk.settings),
        times=one.times,
        last_at=utc(one.until) if one.times > 1 else None,
    )


def _waits(case: Case) -> Iterator[Wait]:
    for name, at in sorted(case.timers.items(), key=lambda pair: pair[1]):
        if not (case.group and name in TELLING):  # the parent speaks for it
            yield Wait(name, utc(at), _means(case, name))


def _means(case: Case, timer: str) -> str:
    if timer == "stale":
        return AWAITED.get(case.awaits, WAITS[timer])
    if timer == "open":
        sort = "weak" if case.weak else "idle" if case.waits_idle else case.family
        return HELD.get(sort, WAITS[timer])
    return WAITS[timer]
