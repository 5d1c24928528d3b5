"""Rule ``grouped``: many peers lost at once are one outage of what they have in common: an interface, a device, or the
one far end that several devices lost. So are peers of a device that fail to negotiate for one reason, and strangers.

The group is a parent incident; the peers' own incidents are its children: kept and listed, but not told one by one.
A child that was told before its group was seen is still told when it ends.
"""

from collections.abc import Sequence

from eventd.correlate import (
    books,
    cases,
    causes,
    context,
    evidence,
    indexes,
    otherline,
    phrases,
    places,
    reasons,
    remnants,
    texts,
)
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
#: It does where this share of them goes up and down again and again: a few among many are the matter of those few.
MOST_FLAP = 0.5
AGAIN_AND_AGAIN = "peers go up and down again and again"


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
    _count(desk, key, group.case)
    if desk.fleet.member_count(key):
        _count_later(desk, group, group.case, TALLY_AGAIN)
        cases.progress(desk, group.case, desk.now)
    else:
        moved = _moved(group.case)
        _recount(desk, group, group.case, desk.now, [])
        group.case.step(desk.now, moved or f"all {group.case.count} {SORTS[group.kind].went}")
        over = "" if moved else otherline.instead(places.peers_at(desk, _place(group)), group.case.interface)
        cases.resolve(desk, group, group.case, desk.now, f"{phrases.OTHER_LINE}{over}" if over else moved)
    desk.settle(key, group)


def moved(desk: Desk, case: Case) -> None:
    """A child has changed: its parent is never less grave, and knows how many are up."""
    group = desk.fleet.groups.get(case.group)
    if group is None or group.case is None:
        return
    counted = _count(desk, case.group, group.case)
    if _rise(desk, group.case, desk.now, case.severity) or counted:
        desk.settle(case.group, group)


def lost_again(desk: Desk, key: str) -> None:
    """A child that flaps stays down: told when that makes the outage graver."""
    group = desk.fleet.groups.get(key)
    if group is not None and group.case is not None:
        _count_later(desk, group, group.case, TALLY)
        desk.settle(key, group)


def explained(desk: Desk, device: DeviceState, note: Note) -> None:
    """Something that may explain an open outage of the device was noted after it was told."""
    for key, group in list(desk.fleet.groups_of(device.device)):
        parent = group.case
        if (
            parent is None
            or group.kind not in OUTAGES
            or (parent.cause is not None and parent.cause.name in reasons.NAMED)
        ):
            continue
        falling = _members(desk, key)
        place = _place(group)
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
    left, severity = desk.fleet.member_count(_place(group).key), _severity(desk, group)
    held = places.held(desk, _place(group))
    total = max(case.count, min(case.fallen, case.count + len(held)))  # those still held are told when that is over
    fewer = _recount(desk, group, case, at, held)
    _hear_all(desk, group, case, held)
    news = bool(fewer) or case.count > case.fallen or _is_worse(case, severity)
    if news or _worth_telling(group, left) or _begins_to_flap(desk, group, case):
        if group.back:
            group.missing_told = left
        _tell(desk, group, case, at, total, severity, fewer=fewer, calm=True)
    elif case.rest is None and case.count > left:
        _tell_rest(desk, group, case, at)


def reheard(desk: Desk, key: str) -> None:
    """A child has found a better reason: when things stay so, it may be that of all that are left."""
    group = desk.fleet.groups.get(key)
    if group is not None and group.case is not None:
        group.case.timers.setdefault("settle", desk.now + desk.settings.group_window)
        desk.settle(key, group)


def tallied(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Timer ``tally``: peers have been joining or coming back for a while, and may go on so for long. Tell how many
    they are by now, those included whose hold is not over, if that is far from what was told."""
    held = places.held(desk, _place(group))
    total, severity = case.count + len(held), _severity(desk, group)
    fewer = _recount(desk, group, case, at, held)
    _hear_all(desk, group, case, held)
    grown = total >= (TALLY_MORE if held else TALLY_TOTAL) * case.fallen
    left = desk.fleet.member_count(_place(group).key)
    news = bool(fewer) or grown or _is_worse(case, severity)
    if news or _shrunk(group, case, left) or _begins_to_flap(desk, group, case):
        if group.back:
            group.tallied = left
        _tell(desk, group, case, at, total, severity, fewer=fewer)


def _recount(desk: Desk, group: GroupState, case: Case, at: float, held: Sequence[Case]) -> str:
    """Those that were counted while their own hold was running, and came back in it, are none that fell; news where
    most of what was told did. Who is still ``held`` is looked at once more."""
    total, told = case.count + len(held), case.fallen
    if held:
        case.timers.setdefault("settle", at + desk.settings.group_window)
    if total >= told:
        return ""
    case.fallen = total
    down = _down(desk, _place(group).key)
    names = "" if held or not down else f": {_names(desk, down)}"
    if not held and group.kind != "far":
        case.names = sorted({texts.peer_name(desk.inventory, peer) for _, peer in down} or case.names)[:MAX_NAMED]
    news = f"{total} of {told} {SORTS[group.kind].stayed}"
    case.step(at, news + names)
    cases.progress(desk, case, at)
    return news if total <= TALLY_LEFT * told else ""


def _hear_all(desk: Desk, group: GroupState, case: Case, held: Sequence[Case]) -> None:
    """The reasons of all that fell, and not only of those that had when it was told first; as long as none is back."""
    children = [*(child for child, _ in _members(desk, _place(group).key)), *held]
    refused = group.kind in OUTAGES and not causes.is_given(case.cause) and causes.refused(children)
    if len(children) < case.count + len(held) or not (refused or causes.is_given(case.cause)):
        return
    before, case.cause = case.cause, causes.commonest(_place(group), children) or case.cause
    if case.cause != before:
        case.side = None if refused else case.side
        cases.progress(desk, case, desk.now, news=phrases.CAUSE_KNOWN if refused else "")


def _count_later(desk: Desk, group: GroupState, case: Case, wait: float) -> None:
    """Something has changed: tell it when it stays so, and look at it in any case before long."""
    case.timers["settle"] = desk.now + desk.settings.group_window
    if group.kind in OUTAGES:  # who only fails to negotiate can wait; strangers would call people out at will
        case.timers.setdefault("tally", max(desk.now + wait, group.told_at + TALLY_AGAIN))


def _place(group: GroupState) -> Place:
    return Place(group.kind, group.device, group.place)


def _count(desk: Desk, key: str, parent: Case) -> bool:
    """How many children are down, and how many flap and are up; True where that is another number than before."""
    before, flaps = (parent.missing, parent.flaps), desk.fleet.swinging_count(key)
    parent.missing, parent.flaps = desk.fleet.member_count(key) - flaps, flaps
    return before != (parent.missing, parent.flaps)


def _mostly_flaps(desk: Desk, group: GroupState, case: Case) -> bool:
    """Whether half of all that fell, or more, go up and down again and again: what they have in common does."""
    children = (peer.case for _, peer in desk.fleet.members(_place(group).key))
    return MOST_FLAP * case.count <= sum(child is not None and child.kind == "flapping" for child in children)


def _begins_to_flap(desk: Desk, group: GroupState, case: Case) -> bool:
    return not case.awaits and _mostly_flaps(desk, group, case)


def _is_worse(case: Case, severity: Severity) -> bool:
    return reasons.worse(case.severity, severity) != case.severity


def _shrunk(group: GroupState, case: Case, left: int) -> bool:
    """Whether so many are back, while others still come, that it is news."""
    told = min(filter(None, (group.tallied, group.missing_told)), default=0)
    return bool(group.back) and left <= (TOLD_AGAIN * told if told else TALLY_LEFT * case.count)


def _tell(
    desk: Desk,
    group: GroupState,
    case: Case,
    at: float,
    total: int,
    severity: Severity,
    *,
    fewer: str = "",
    calm: bool = False,
) -> None:
    """Tell how many are lost and how many are back; ``total`` are those who fell, ``fewer`` says that they are not as
    many as was told. ``calm``: nobody comes or goes."""
    key, flapped = _place(group).key, case.awaits
    _count(desk, key, case)
    down = _down(desk, key)
    case.awaits = FLAPPING if _mostly_flaps(desk, group, case) else ""
    worse = _is_worse(case, severity)
    if severity != case.severity and not worse:  # the gravest are back, or something of the place is up again
        case.step(at, f"severity now {severity}")
        case.severity = severity
    case.rest = remnants.reason(desk, _place(group), case, down, calm=calm)
    before, case.fallen = case.fallen, total
    if group.back:
        news = _moved(case) or _gone(group, case)
        names = _names(desk, down)
        case.step(at, f"{news}, {SORTS[group.kind].left}: {names}" if down else news)
        news = remnants.news(case, len(down), SORTS[group.kind].left, names) or news
    elif fewer:
        news = fewer
    elif total > before:
        news = f"{total} in all, {before} before"
        case.step(at, news)
    elif case.awaits and not flapped:
        news = AGAIN_AND_AGAIN
        case.step(at, news)
    else:
        news = f"{len(down)} of {case.count} missing again"
        case.step(at, news)
    group.back, group.told_at = 0, at
    if not _rise(desk, case, at, severity, news):
        cases.progress(desk, case, at, news=news)


def _gone(group: GroupState, case: Case) -> str:
    """How many are back; one that flaps and is up is."""
    flap = f", {case.flaps} of them flapping" if case.flaps else ""
    return SORTS[group.kind].gone(case.lost - case.away, case.lost) + flap


def _tell_rest(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Tell why those that are left are missing, where they have found a reason of their own since it was told."""
    down = _down(desk, _place(group).key)
    case.rest = remnants.reason(desk, _place(group), case, down, calm=True)
    if (news := remnants.news(case, len(down), SORTS[group.kind].left, _names(desk, down))) and case.rest != case.cause:
        case.step(at, news)
        cases.progress(desk, case, at, news=news)


def _down(desk: Desk, key: str) -> Falling:
    """The children that are not up in between."""
    return [one for one in _members(desk, key) if not desk.fleet.is_swinging(key, one[1].key)]


def _names(desk: Desk, falling: Falling) -> str:
    return texts.listed(texts.peer_name(desk.inventory, peer) for _, peer in falling)


def _moved(case: Case) -> str:
    """Which device has taken over how many; empty where none has."""
    return f"{case.taker} has taken over {case.moved} of {case.count}" if case.taker else ""


def _rise(desk: Desk, case: Case, at: float, severity: Severity, news: str = "") -> bool:
    """Raise the severity of a parent and tell, with a line of its chain; False when it is that grave already."""
    rises = _is_worse(case, severity)
    if rises:
        case.step(at, f"severity now {severity}")
    return rises and cases.escalate(desk, case, at, severity, news or f"a peer is {severity} now")


def _worth_telling(group: GroupState, left: int) -> bool:
    """Whether so many are back that the number is news: the first time, then once a few of the rest are left."""
    return bool(group.back) and (not group.missing_told or left <= TOLD_AGAIN * group.missing_told)


# --- the parent -----------------------------------------------------------------------------------------------------


def _form(desk: Desk, place: Place, falling: Falling, at: float) -> None:
    """Open the parent, and take over those of its children that are told already."""
    first = min(falling, key=lambda one: (_fell(one[0]), one[1].key))[0]
    far = place.kind == "far"
    devices = sorted({one.device for one, _ in falling})
    merged = _merged(desk, place)
    fell = _fell(first)
    since = min([fell, *(case.since for _, _, case in merged)])
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
    group = GroupState(kind=place.kind, device=place.device, place=place.name, heard_at=at, joined_at=fell, case=parent)
    group.taken = [old.place for _, old, _ in merged]
    if any(case.back_by for case, _ in falling):
        parent.of = desk.fleet.count_with(indexes.at(place.device, ""))
    desk.fleet.add_group(place.key, group)
    before = [one for key, _, _ in merged for one in _members(desk, key)]
    for step in sorted((step for _, _, case in merged for step in case.steps), key=lambda step: step.at):
        parent.step(step.at, step.text)
    _explain(desk, place, parent, [*before, *falling])
    names = [texts.peer_name(desk.inventory, peer) if not far else one.device for one, peer in falling]
    parent.names = sorted(set(names))[:MAX_NAMED]
    came = SORTS[place.kind].came
    parent.step(fell, f"{len(falling)} {came} within {texts.span(at - fell)}: {texts.listed(names)}")
    parent.awaits = (
        FLAPPING if MOST_FLAP * len(falling) <= sum(places.flaps(desk, peer, case) for case, peer in falling) else ""
    )
    for key, old, case in merged:
        cases.supersede(desk, old, case, parent, desk.now)
        desk.settle(key, old)
    parent.fallen += len(before)
    parent.beside = place.kind in OUTAGES and all(books.any_up(peer, at) for _, peer in falling)
    severity = _severity(desk, group, falling)
    for _, _, case in merged:
        severity = reasons.worse(severity, case.severity)  # what grows gets no less grave
    cases.announce(desk, parent, at, parent.kind, severity)
    _take_over(desk, place, [*before, *falling], at)
    parent.timers["settle"] = at + desk.settings.group_window
    desk.settle(place.key, group)


def _fell(case: Case) -> float:
    return case.since if case.fell is None else case.fell


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
    _count_with(desk, key, parent, peer, flaps=case.kind == "flapping" and not peer.tunnels_down)
    parent.beside = parent.beside and books.any_up(peer, desk.now)
    group.joined_at = max(group.joined_at, case.fell or case.since)
    left = parent.missing + parent.flaps
    if left > group.missing_told:
        parent.rest = None
        group.missing_told = 0  # so many are lost again that their return is news again
    if left > group.tallied:
        group.tallied = 0
    for witness in case.witnesses:
        parent.add_witness(witness)
    if (name := texts.peer_name(desk.inventory, peer)) not in parent.names and len(parent.names) < MAX_NAMED:
        parent.names = sorted([*parent.names, name])
    if parent.announced:
        _count_later(desk, group, parent, TALLY)
        cases.progress(desk, parent, desk.now)
    desk.settle(key, group)


def _count_with(desk: Desk, key: str, parent: Case, peer: PeerState, *, flaps: bool) -> None:
    """As `_count`, with a peer that is only about to be a child."""
    others = desk.fleet.member_count(key) - desk.fleet.is_member(key, peer.key)
    flapping = desk.fleet.swinging_count(key) - desk.fleet.is_swinging(key, peer.key)
    parent.flaps = flapping + flaps
    parent.missing = others + 1 - parent.flaps


def _explain(desk: Desk, place: Place, parent: Case, falling: Falling) -> None:
    """Name the cause: what happened to the place, else what most of its children say, or what may well lie beneath."""
    near = causes.near(desk, place, parent.since, falling) if place.kind in OUTAGES else []
    typed = evidence.by_hand(desk.device(parent.device, desk.now), parent.since) if place.kind in OUTAGES else []
    known = {(step.at, step.text) for step in parent.steps}
    for note in dict.fromkeys((*typed, *near)):  # what was typed may be what befell it
        if (note.at, note.text) not in known:
            parent.step(note.at, note.text)
    remnants.up_before(desk.device(parent.device, desk.now), parent, near)
    cause = causes.named(place, near, falling)
    if cause is not None and not causes.refused(case for case, _ in falling):
        parent.cause = cause
        parent.side = "remote" if place.kind == "far" else "local"
        return
    parent.cause = causes.commonest(place, [case for case, _ in falling])
    line = causes.beneath(desk, place, parent, falling)
    if line is not None:
        parent.step(line.at, line.text)
        parent.cause = evidence.beneath(line)


def _severity(desk: Desk, group: GroupState, falling: Falling = ()) -> Severity:
    """As grave as the gravest child; an outage major at least, and critical where nothing of the place is up any more,
    but information where it was on purpose, and a warning where other tunnels carry the same networks."""
    place = Place(group.kind, group.device, group.place)
    severity: Severity = "info"
    for child, peer in [*falling, *_members(desk, place.key)]:
        if reasons.worse(severity, child.severity) != severity:
            severity = reasons.worse(severity, _gravity(desk, child, peer))
    beside = group.case is not None and group.case.beside and severity == "warning"
    if severity == "info" or group.kind not in OUTAGES or beside:
        return severity
    whole = [place, *(Place("interface", group.device, name) for name in group.taken)]
    # what moved elsewhere, or is only being replaced, is not down
    nothing_up = any(all(_is_down(desk, peer) for peer in places.peers_at(desk, one)) for one in whole)
    return "critical" if nothing_up else reasons.worse(severity, "major")


def _is_down(desk: Desk, peer: PeerState) -> bool:
    """Whether nothing of a peer is up; of one that is missed since its device restarted, that is to be told yet."""
    if peer.case is not None and not places.counts(desk, peer, peer.case):
        return False
    return peer.up is False or (peer.case is not None and bool(peer.case.back_by) and not peer.tunnels_up)


def _gravity(desk: Desk, child: Case, peer: PeerState) -> Severity:
    """How grave a child is, or will be when its own hold is over."""
    if not child.announced and child.family == "tunnel":
        child.beside = books.spared(peer, desk.now)
    if not child.announced and context.on_purpose(
        desk.device(child.device, desk.now), child, desk.settings.twin_window
    ):
        return "info"
    return cases.bounded(desk, child, child.severity)
