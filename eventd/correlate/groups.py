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
    phrases,
    places,
    reasons,
    remnants,
    tallies,
    texts,
)
from eventd.correlate.desk import Desk
from eventd.correlate.places import CHILD_KINDS, OUTAGES, SORTS, Falling, Place
from eventd.correlate.settings import LOST_AGAIN, MAX_CHILDREN, MAX_NAMED, TALLY, TALLY_AGAIN
from eventd.correlate.state import Case, DeviceState, GroupState, Note, PeerState


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
    """A child has ended: with the last one the group does, unless others have fallen meanwhile whose hold is not over;
    else it is told how many are back once that stays so."""
    group = desk.fleet.groups.get(key)
    if group is None or group.case is None:
        return
    group.back += 1
    tallies.count(desk, key, group.case)
    if desk.fleet.member_count(key):
        tallies.count_later(desk, group, group.case, TALLY_AGAIN)
        cases.progress(desk, group.case, desk.now)
    else:
        tallies.end(desk, group, group.case, desk.now)
    desk.settle(key, group)


def uncount(desk: Desk, peer: PeerState, case: Case, who: str) -> None:
    """A child is about to be cleared by hand: whether its peer is back nobody knows, so it is not counted any more."""
    group = desk.fleet.groups.get(case.group)
    if group is None or group.case is None or group.case.count < 2:
        return
    parent = group.case
    group.back, parent.count, parent.fallen = group.back - 1, parent.count - 1, max(1, parent.fallen - 1)
    parent.step(desk.now, f"{texts.peer_name(desk.inventory, peer)} cleared by {who}: not counted any more")


def moved(desk: Desk, case: Case) -> None:
    """A child has changed: its parent is never less grave, and knows how many are up."""
    group = desk.fleet.groups.get(case.group)
    if group is None or group.case is None:
        return
    counted = tallies.count(desk, case.group, group.case)
    if counted and not group.case.missing and group.left_told:  # all are up: told where it stays so
        group.case.timers["settle"] = desk.now + desk.settings.group_window
    if reasons.worse(group.case.severity, case.severity) != group.case.severity:
        tallies.reach(desk, group, group.case, desk.now, places.held(desk, tallies.place_of(group)))
    if tallies.rise(desk, group.case, desk.now, case.severity) or counted:
        desk.settle(case.group, group)


def lost_again(desk: Desk, key: str) -> None:
    """A child that flaps stays down: told when that makes the outage graver."""
    group = desk.fleet.groups.get(key)
    if group is not None and group.case is not None:
        tallies.count_later(desk, group, group.case, TALLY)
        desk.settle(key, group)


def explained(desk: Desk, device: DeviceState, note: Note) -> None:
    """Something that may explain an open outage of the device was noted after it was told; of one that a line explains,
    another line of those that were lost. Who has fallen counts, whether its own hold is over or not."""
    for key, group in list(desk.fleet.groups_of(device.device)):
        parent = group.case
        if parent is None or group.kind not in OUTAGES:
            continue
        name = parent.cause.name if parent.cause is not None else None
        named = name in reasons.NAMED
        if named and (name != evidence.LINK_DOWN or parent.lines_up):
            continue
        falling, fell = tallies.fallen(desk, group, parent)
        place = tallies.place_of(group)
        near = causes.near(desk, place, parent.since, falling)
        cause = causes.named(desk, place, near, falling, fell)
        if note not in near or (cause == parent.cause if cause is not None else named):
            continue
        parent.step(note.at, note.text)
        if cause is not None:
            parent.cause, parent.side = cause, "local"
        cases.progress(desk, parent, desk.now, news=phrases.CAUSE_KNOWN if cause is not None else "")
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


def _form(desk: Desk, place: Place, falling: Falling, at: float) -> None:
    """Open the parent, and take over those of its children that are told already."""
    merged = _merged(desk, place)
    parent = _parent(desk, place, falling, merged)
    fell = min(case.began for case, _ in falling)
    group = GroupState(kind=place.kind, device=place.device, place=place.name, heard_at=at, joined_at=fell, case=parent)
    group.taken = [old.place for _, old, _ in merged]
    if any(case.back_by for case, _ in falling):
        parent.of = desk.fleet.count_with(indexes.at(place.device, ""))
    desk.fleet.add_group(place.key, group)
    before = [one for key, _, _ in merged for one in tallies.members(desk, key)]
    for step in sorted((step for _, _, case in merged for step in case.steps), key=lambda step: step.at):
        parent.step(step.at, step.text)
    _explain(desk, place, parent, [*before, *falling])
    names = [tallies.name(desk, group, peer) for _, peer in falling]
    parent.names = sorted(set(names))[:MAX_NAMED]
    came, took = SORTS[place.kind].came, max(1.0, max(case.began for case, _ in falling) - fell)
    parent.step(fell, f"{len(falling)} {came} within {texts.span(took)}: {texts.listed(names)}")
    flapping = sum(places.flaps(desk, peer, case) for case, peer in falling)
    parent.awaits = tallies.FLAPPING if tallies.MOST_FLAP * len(falling) <= flapping else ""
    for case, _ in falling:
        _kept_no_more(parent, case, at)
    told = [peer for _, _, case in merged for peer in desk.told_with(case)]
    for key, old, case in merged:
        cases.supersede(desk, old, case, parent, desk.now)
        desk.settle(key, old)
    desk.tell_with(parent, [*told, *(peer for _, peer in falling)])
    parent.fallen += len(before)
    swing = sum(not peer.tunnels_down and places.flaps(desk, peer, case) for case, peer in [*before, *falling])
    group.left_told = parent.fallen - swing
    if place.kind in OUTAGES:
        tallies.note_reach(desk, parent, at, [*before, *falling])
    severity = tallies.severity_of(desk, group, falling)
    for _, _, case in merged:
        severity = reasons.worse(severity, case.severity)  # what grows gets no less grave
    cases.announce(desk, parent, at, parent.kind, severity)
    _take_over(desk, place, [*before, *falling], at)
    parent.timers["settle"] = at + desk.settings.group_window
    desk.settle(place.key, group)


def _parent(desk: Desk, place: Place, falling: Falling, merged: Sequence[tuple[str, GroupState, Case]]) -> Case:
    """The case of a group, before anything is known of it but who fell first and where."""
    first = min(falling, key=lambda one: (one[0].began, one[1].key))[0]
    far = place.kind == "far"
    return Case(
        device=(desk.fleet.owner(place.name) or min(case.device for case, _ in falling)) if far else place.device,
        vsys=first.vsys,
        peer=place.name if far else None,
        since=min([first.began, *(case.since for _, _, case in merged)]),
        family="group",
        kind=SORTS[place.kind].incident,
        stranger=place.kind == "strangers",
        interface=place.name if place.kind == "interface" else None,
        fallen=len(falling),
    )


def _kept_no_more(parent: Case, case: Case, at: float) -> None:
    """Say in the chain why a child is told only now that nobody was told of before: a silence or a window has ended."""
    ended = "" if case.told or case.hushed or not case.hush else texts.kept_no_more(case)
    if ended and all(step.text != ended for step in parent.steps):
        parent.step(at, ended)


def _take_over(desk: Desk, place: Place, falling: Falling, at: float) -> None:
    """Have as children those that are told already."""
    group = desk.fleet.groups[place.key]
    for case, peer in falling:
        if peer.case is case and case.announced and case.group != place.key and not case.growing:
            _adopt(desk, group, place.key, peer, case)
            desk.publish("updated", case, at, notify=False, joined=True)
            desk.settle(peer.key, peer)


def _merged(desk: Desk, place: Place) -> list[tuple[str, GroupState, Case]]:
    """The outages of single interfaces that an outage of their device takes over; not of those that are planned."""
    groups = list(desk.fleet.groups_of(place.device)) if place.kind == "device" else []
    open_ones = [(key, group, group.case) for key, group in groups if group.case is not None]
    return [one for one in open_ones if one[1].kind == "interface" and not one[2].hushed]


def _adopt(desk: Desk, group: GroupState, key: str, peer: PeerState, case: Case) -> None:
    parent = group.case
    assert parent is not None
    case.group, case.parent = key, texts.incident_id(parent)
    _kept_no_more(parent, case, desk.now)
    if (ident := texts.incident_id(case)) not in parent.children:
        parent.children = [*parent.children[-MAX_CHILDREN + 1 :], ident]
    if peer.counted != case.parent:  # a peer that comes and goes is one peer, whatever many incidents it has
        peer.counted, parent.count = case.parent, parent.count + 1
    _count_with(desk, key, parent, peer, flaps=case.kind == "flapping" and not peer.tunnels_down)
    parent.beside = parent.beside and books.any_up(peer, desk.now)
    parent.unproven = parent.unproven or case.unproven
    if case.then:
        parent.then = case.then
        parent.step(desk.now, f"lost over {case.then}, too: {texts.words(case.stop)}")
    group.joined_at = max(group.joined_at, case.began)
    if parent.missing > group.missing_told:
        parent.rest = None
    if parent.missing >= LOST_AGAIN * group.missing_told:  # so many are lost again that their return is news again
        group.missing_told = 0
    if parent.missing >= LOST_AGAIN * group.tallied:
        group.tallied = 0
    for witness in case.witnesses:
        parent.add_witness(witness)
    if (name := tallies.name(desk, group, peer)) not in parent.names and len(parent.names) < MAX_NAMED:
        parent.names = sorted([*parent.names, name])
    if parent.announced:
        tallies.count_later(desk, group, parent, TALLY)
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
    cause = causes.named(desk, place, near, falling, len(falling))
    if cause is not None and not causes.refused(case for case, _ in falling):
        parent.cause = cause
        parent.side = "remote" if place.kind == "far" else "local"
        return
    parent.cause = causes.commonest(place, [case for case, _ in falling])
    line = causes.beneath(desk, place, parent, falling)
    if line is not None:
        parent.step(line.at, line.text)
        parent.cause = evidence.beneath(line)
