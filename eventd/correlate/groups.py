"""Rule ``grouped``: many peers lost at once are one outage of what they have in common: an interface, a device, or the
one far end that several devices lost. So are peers of a device that fail to negotiate for one reason, and strangers.

The group is a parent incident; the peers' own incidents are its children: kept and listed, but not told one by one.
A child that was told before its group was seen is still told when it ends.
"""

from collections import Counter
from collections.abc import Iterable

from eventd.correlate import books, cases, causes, context, evidence, phrases, places, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.places import CHILD_KINDS, OUTAGES, SORTS, Falling, Place
from eventd.correlate.settings import (
    MAX_CHILDREN,
    MAX_NAMED,
    TALLY,
    TALLY_AGAIN,
    TALLY_LEFT,
    TALLY_MORE,
    TALLY_TOTAL,
    TOLD_AGAIN,
)
from eventd.correlate.state import Case, DeviceState, GroupState, Note, PeerState
from eventd.model import Severity

#: What `Case.awaits` says of a group whose peers flap.
FLAPPING = "flapping"
#: Names of causes that were named by another message of the device.
NAMED = tuple(evidence.EXPLANATIONS)


def join(desk: Desk, peer: PeerState, case: Case, at: float) -> bool:
    """Make an incident that is about to be told the child of a group, an open one or one that it completes; False
    where it stands alone. The kind of ``case`` is set already."""
    if case.kind not in CHILD_KINDS:
        return False
    place = places.opened(desk, peer, case)
    if place is None:
        made = places.made(desk, peer, case)
        if made is None:
            return _goes_on(desk, peer, case)
        place, falling = made
        if place.key in desk.fleet.groups:  # most of its peers had come back, and are lost again
            _take_over(desk, place, falling, at)
        else:
            _form(desk, place, falling, at)
    _adopt(desk, desk.fleet.groups[place.key], place.key, peer, case)
    return True


def _goes_on(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether what a child has become stays with its group: an outage of many tells that a child is down altogether;
    that peers failed to negotiate does not."""
    group = desk.fleet.groups.get(case.group)
    if group is not None and group.kind in OUTAGES:
        _adopt(desk, group, case.group, peer, case)
        return True
    case.group = case.parent = ""
    return False


def left(desk: Desk, key: str) -> None:
    """A child has ended: with the last one the group does, else it is told how many are back once that stays so."""
    group = desk.fleet.groups.get(key)
    if group is None or group.case is None:
        return
    group.back += 1
    down = group.case.missing = desk.fleet.member_count(key)
    if down:
        _count_later(desk, group, group.case, TALLY_AGAIN)
        cases.progress(desk, group.case, desk.now)
    else:
        moved = _moved(group.case)
        group.case.step(desk.now, moved or f"all {group.case.count} {SORTS[group.kind].went}")
        cases.resolve(desk, group, group.case, desk.now, moved)
    desk.settle(key, group)


def graver(desk: Desk, case: Case) -> None:
    """A child has become graver: its parent is never less grave."""
    group = desk.fleet.groups.get(case.group)
    if group is not None and group.case is not None and _rise(desk, group.case, desk.now, case.severity):
        desk.settle(case.group, group)


def explained(desk: Desk, device: DeviceState, note: Note) -> None:
    """Something that may explain an open outage of the device was noted after it was told."""
    for key, group in list(desk.fleet.groups_of(device.device)):
        parent = group.case
        if parent is None or group.kind not in OUTAGES or (parent.cause is not None and parent.cause.name in NAMED):
            continue
        falling = _members(desk, key)
        place = Place(group.kind, group.device, group.place)
        near = causes.near(desk, place, parent.since, falling)
        cause = causes.named(place, near, falling) if note in near else None
        if cause is None:
            continue
        parent.step(note.at, note.text)
        parent.cause, parent.side = cause, "local"
        cases.progress(desk, parent, desk.now, news=phrases.CAUSE_KNOWN)
        desk.settle(key, group)


def noted(desk: Desk, key: str, text: str, note: Note, *, far: bool) -> None:
    """A restart that belongs into the chain of an open group, ``far`` if not of the device that reports it; and into
    its cause where it is the device that was lost."""
    group = desk.fleet.groups.get(key)
    if group is None or group.case is None:
        return
    group.case.step(desk.now, text)
    lost = group.kind in OUTAGES and (group.kind == "far") == far
    named = lost and context.name(group.case, note, desk.settings.twin_window)
    if named:
        group.case.side = "remote" if far else "local"
    cases.progress(desk, group.case, desk.now, news=phrases.CAUSE_KNOWN if named else "")
    desk.settle(key, group)


def settled(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Timer ``settle``: nobody joined or came back for `group_window`. Tell what has changed since it was told."""
    missing, severity = desk.fleet.member_count(_place(group).key), _severity(desk, group)
    if case.count > case.fallen or _is_worse(case, severity) or _worth_telling(group, missing):
        if group.back:
            group.missing_told = missing
        _tell(desk, group, case, at, case.count, severity)


def tallied(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Timer ``tally``: peers have been joining or coming back for a while, and may go on so for long. Tell how many
    they are by now, those included whose hold is not over, if that is far from what was told."""
    held = places.held(desk, _place(group))
    total, severity = case.count + held, _severity(desk, group)
    grown = total >= (TALLY_MORE if held else TALLY_TOTAL) * case.fallen
    if grown or _is_worse(case, severity) or _shrunk(group, case):
        if group.back:
            group.tallied = case.missing
        _tell(desk, group, case, at, total, severity)


def _count_later(desk: Desk, group: GroupState, case: Case, wait: float) -> None:
    """Something has changed: tell it when it stays so, and look at it in any case before long."""
    case.timers["settle"] = desk.now + desk.settings.group_window
    if group.kind in OUTAGES:  # who only fails to negotiate can wait; strangers would call people out at will
        case.timers.setdefault("tally", max(desk.now + wait, group.told_at + TALLY_AGAIN))


def _place(group: GroupState) -> Place:
    return Place(group.kind, group.device, group.place)


def _is_worse(case: Case, severity: Severity) -> bool:
    return reasons.worse(case.severity, severity) != case.severity


def _shrunk(group: GroupState, case: Case) -> bool:
    """Whether so many are back, while others still come, that it is news."""
    told = min(filter(None, (group.tallied, group.missing_told)), default=0)
    return bool(group.back) and case.missing <= (TOLD_AGAIN * told if told else TALLY_LEFT * case.count)


def _tell(desk: Desk, group: GroupState, case: Case, at: float, total: int, severity: Severity) -> None:
    """Tell how many are lost and how many are back; ``total`` are those who fell."""
    names = [texts.peer_name(desk.inventory, peer) for _, peer in desk.fleet.members(_place(group).key)]
    worse = _is_worse(case, severity)
    if severity != case.severity and not worse:  # the gravest are back, or something of the place is up again
        case.step(at, f"severity now {severity}")
        case.severity = severity
    if group.back:
        news = _moved(case) or SORTS[group.kind].gone(case.count - len(names), case.count)
        case.step(at, f"{news}, {SORTS[group.kind].left}: {_listed(names)}")
    else:
        grown = total > case.fallen
        news = f"{total} in all, {case.fallen} before" if grown else f"{len(names)} of {case.count} missing again"
        case.step(at, news)
    group.back, case.fallen, case.missing, group.told_at = 0, total, len(names), at
    if not _rise(desk, case, at, severity, news):
        cases.progress(desk, case, at, news=news)


def _moved(case: Case) -> str:
    """Which device has taken over how many; empty where none has."""
    return f"{case.taker} has taken over {case.moved} of {case.count}" if case.taker else ""


def _rise(desk: Desk, case: Case, at: float, severity: Severity, news: str = "") -> bool:
    """Raise the severity of a parent and tell, with a line of its chain; False when it is that grave already."""
    rises = _is_worse(case, severity)
    if rises:
        case.step(at, f"severity now {severity}")
    return rises and cases.escalate(desk, case, at, severity, news or f"a peer is {severity} now")


def _worth_telling(group: GroupState, missing: int) -> bool:
    """Whether so many are back that the number is news: the first time, then once a few of the rest are left."""
    return bool(group.back) and (not group.missing_told or missing <= TOLD_AGAIN * group.missing_told)


# --- the parent -----------------------------------------------------------------------------------------------------


def _form(desk: Desk, place: Place, falling: Falling, at: float) -> None:
    """Open the parent, and take over those of its children that are told already."""
    first = min(falling, key=lambda one: (one[0].since, one[1].key))[0]
    far = place.kind == "far"
    devices = sorted({one.device for one, _ in falling})
    merged = _merged(desk, place)
    since = min([first.since, *(case.since for _, _, case in merged)])
    parent = Case(
        device=(desk.fleet.owner(place.name) or devices[0]) if far else place.device,
        vsys=first.vsys,
        peer=place.name if far else None,
        since=since,
        family="group",
        kind=SORTS[place.kind].incident,
        stranger=place.kind == "strangers",
        interface=place.name if place.kind == "interface" else None,
        fallen=len(falling),
    )
    group = GroupState(
        kind=place.kind, device=place.device, place=place.name, heard_at=at, joined_at=first.since, case=parent
    )
    desk.fleet.add_group(place.key, group)
    before = [one for key, _, _ in merged for one in _members(desk, key)]
    for step in sorted((step for _, _, case in merged for step in case.steps), key=lambda step: step.at):
        parent.step(step.at, step.text)
    _explain(desk, place, parent, [*before, *falling])
    names = [texts.peer_name(desk.inventory, peer) if not far else one.device for one, peer in falling]
    parent.names = sorted(set(names))[:MAX_NAMED]
    came = SORTS[place.kind].came
    parent.step(first.since, f"{len(falling)} {came} within {texts.span(at - first.since)}: {_listed(names)}")
    for key, old, case in merged:
        cases.supersede(desk, old, case, parent, desk.now)
        desk.settle(key, old)
    parent.fallen += len(before)
    parent.beside = place.kind in OUTAGES and all(books.any_up(peer, at) for _, peer in falling)
    cases.announce(desk, parent, at, parent.kind, _severity(desk, group, falling))
    _take_over(desk, place, [*before, *falling], at)
    parent.timers["settle"] = at + desk.settings.group_window
    desk.settle(place.key, group)


def _take_over(desk: Desk, place: Place, falling: Falling, at: float) -> None:
    """Have as children those that are told already."""
    group = desk.fleet.groups[place.key]
    for case, peer in falling:
        if peer.case is case and case.announced and case.group != place.key and not case.growing:
            _adopt(desk, group, place.key, peer, case)
            desk.publish("updated", case, at, notify=False)
            desk.settle(peer.key, peer)


def _merged(desk: Desk, place: Place) -> list[tuple[str, GroupState, Case]]:
    """The outages of single interfaces that an outage of their device takes over."""
    groups = list(desk.fleet.groups_of(place.device)) if place.kind == "device" else []
    return [(key, group, group.case) for key, group in groups if group.kind == "interface" and group.case is not None]


def _members(desk: Desk, key: str) -> Falling:
    """What a group tells that is open."""
    return [(peer.case, peer) for _, peer in desk.fleet.members(key) if peer.case is not None]


def _adopt(desk: Desk, group: GroupState, key: str, peer: PeerState, case: Case) -> None:
    parent = group.case
    assert parent is not None
    case.group, case.parent = key, texts.incident_id(parent)
    parent.children = [*parent.children[-MAX_CHILDREN + 1 :], texts.incident_id(case)]
    if peer.counted != case.parent:  # a peer that comes and goes is one peer, whatever many incidents it has
        peer.counted, parent.count = case.parent, parent.count + 1
    parent.missing = desk.fleet.member_count(key) + (not desk.fleet.is_member(key, peer.key))
    parent.beside = parent.beside and books.any_up(peer, desk.now)
    group.joined_at = max(group.joined_at, case.fell or case.since)
    if parent.missing > group.missing_told:
        group.missing_told = 0  # so many are lost again that their return is news again
    if parent.missing > group.tallied:
        group.tallied = 0
    for witness in case.witnesses:
        parent.add_witness(witness)
    if (name := texts.peer_name(desk.inventory, peer)) not in parent.names and len(parent.names) < MAX_NAMED:
        parent.names = sorted([*parent.names, name])
    if parent.announced:
        news = "peers go up and down again and again"
        if case.kind != "flapping" or parent.awaits == FLAPPING:
            news = ""
        else:
            parent.awaits = FLAPPING
            parent.step(desk.now, news)
        _count_later(desk, group, parent, TALLY)
        cases.progress(desk, parent, desk.now, news=news)
    desk.settle(key, group)


def _explain(desk: Desk, place: Place, parent: Case, falling: Falling) -> None:
    """Name the cause: what happened to the place, else what most of its children say, or what may well lie beneath."""
    near = causes.near(desk, place, parent.since, falling) if place.kind in OUTAGES else []
    typed = evidence.by_hand(desk.device(parent.device, desk.now), parent.since) if place.kind in OUTAGES else []
    known = {(step.at, step.text) for step in parent.steps}
    for note in [*typed, *near]:
        if (note.at, note.text) not in known:
            parent.step(note.at, note.text)
    if (cause := causes.named(place, near, falling)) is not None:
        parent.cause = cause
        parent.side = "remote" if place.kind == "far" else "local"
        return
    counted = Counter(case.cause.text for case, _ in falling if case.cause is not None)
    said = {case.cause.text: case.cause for case, _ in falling if case.cause is not None}
    if counted:
        text = min(counted, key=lambda text: (-counted[text], reasons.rank(said[text]), text))
        parent.cause = evidence.shared(said[text], place.kind)
    line = causes.beneath(desk, place, parent, falling)
    if line is not None:
        parent.step(line.at, line.text)
        parent.cause = evidence.beneath(line)


def _severity(desk: Desk, group: GroupState, falling: Falling = ()) -> Severity:
    """As grave as the gravest child; an outage major at least, and critical where nothing of the place is up any more,
    but information where it was on purpose."""
    place = Place(group.kind, group.device, group.place)
    severity: Severity = "info"
    for child in [*(one for one, _ in falling), *(peer.case for _, peer in desk.fleet.members(place.key))]:
        if child is not None and reasons.worse(severity, child.severity) != severity:
            severity = reasons.worse(severity, _gravity(desk, child))
    if severity == "info" or group.kind not in OUTAGES:
        return severity
    nothing_up = not any(peer.tunnels_up for peer in places.peers_at(desk, place))
    return "critical" if nothing_up else reasons.worse(severity, "major")


def _gravity(desk: Desk, child: Case) -> Severity:
    """How grave a child is, or will be when its own hold is over."""
    if not child.announced and context.on_purpose(
        desk.device(child.device, desk.now), child, desk.settings.twin_window
    ):
        return "info"
    return cases.bounded(desk, child, child.severity)


def _listed(names: Iterable[str]) -> str:
    """The first few names, and how many more."""
    found = sorted(set(names))
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return ", ".join(found[:MAX_NAMED]) + more
