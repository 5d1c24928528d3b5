"""How many a group tells of: who came, who is back, how grave that is, and when it has changed enough to be told (rule
``grouped``)."""

from collections.abc import Container

from msgspec import Struct

from eventd.correlate import (
    books,
    cases,
    causes,
    context,
    idling,
    otherline,
    parts,
    phrases,
    places,
    reasons,
    remnants,
    texts,
)
from eventd.correlate.desk import Desk
from eventd.correlate.places import OUTAGES, SORTS, Falling, Place
from eventd.correlate.settings import (
    LOST_AGAIN,
    MAX_NAMED,
    TALLY_AGAIN,
    TALLY_LEFT,
    TALLY_MORE,
    TALLY_TOTAL,
    TIMER_STEP,
    TOLD_AGAIN,
)
from eventd.correlate.state import Case, GroupState, PeerState
from eventd.model import Severity

#: What `Case.awaits` says of a group whose peers flap.
FLAPPING = "flapping"
#: It does where this share of them goes up and down again and again: a few among many are the matter of those few.
MOST_FLAP = 0.5
AGAIN_AND_AGAIN = "peers go up and down again and again"


def settled(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Timer ``settle``: nobody joined or came back for `group_window`. Tell what has changed since it was told."""
    if not desk.fleet.member_count(place_of(group).key):
        end(desk, group, case, at)
        return
    tally = _tally(desk, group, case, at)
    lost_more = case.count > case.fallen
    if lost_more or _worth_telling(group, case, tally.left) or _is_news(desk, group, case, tally):
        if group.back:
            group.missing_told = tally.left
        # those still held are told when that is over
        tally.fell = max(case.count, min(case.fallen, tally.fell))
        _tell(desk, group, case, at, tally, calm=True)
    elif case.rest is None and case.count > desk.fleet.member_count(place_of(group).key):
        _tell_rest(desk, group, case, at)


def end(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """All that a group has told are back. It is over, unless others will join it as soon as their hold is over."""
    if places.held(desk, place_of(group)):
        case.timers["settle"] = at + TIMER_STEP
        return
    moved = taken_over(case)
    recount(desk, group, case, at, [])
    case.step(at, moved or f"all {case.count} {SORTS[group.kind].went}")
    fell = (peer for peer in places.peers_at(desk, place_of(group)) if peer.counted == texts.incident_id(case))
    over = "" if moved else otherline.instead(fell, case.interface)
    cases.resolve(desk, group, case, at, f"{phrases.OTHER_LINE}{over}" if over else moved)


def reheard(desk: Desk, key: str) -> None:
    """A child has found a better reason: when things stay so, it may be that of all that are left."""
    group = desk.fleet.groups.get(key)
    if group is not None and group.case is not None:
        group.case.timers.setdefault("settle", desk.now + desk.settings.group_window)
        desk.settle(key, group)


def tallied(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Timer ``tally``: peers have been joining or coming back for a while, and may go on so for long. Tell how many
    they are by now, those included whose hold is not over, if that is far from what was told."""
    if not desk.fleet.member_count(place_of(group).key):
        return  # which `settled` looks at
    tally = _tally(desk, group, case, at)
    grown = tally.fell >= (TALLY_MORE if tally.held else TALLY_TOTAL) * case.fallen
    if grown or _shrunk(group, case, tally.left) or _is_news(desk, group, case, tally):
        if group.back:
            group.tallied = tally.left
        _tell(desk, group, case, at, tally)


class _Tally(Struct):
    """What a group comes to by now: who is ``held``, how many are ``left``, how many ``fell`` in all, those included
    whose hold is not over, how grave that is, and what is news of it where ``fewer`` did than was told."""

    held: Falling
    left: int
    fell: int
    severity: Severity
    fewer: str


def _tally(desk: Desk, group: GroupState, case: Case, at: float) -> _Tally:
    held = places.held(desk, place_of(group))
    reach(desk, group, case, at, held)
    fell, severity = case.count + _uncounted(case, held), severity_of(desk, group)
    fewer = recount(desk, group, case, at, held)
    _hear_all(desk, group, case, held)
    return _Tally(held, _left(desk, group), fell, severity, fewer)


def _is_news(desk: Desk, group: GroupState, case: Case, tally: _Tally) -> bool:
    """Whether it is other than what was told, however many have come or gone."""
    wrong = bool(tally.fewer) or _is_worse(case, tally.severity) or _lost_again(desk, group, tally.left)
    return wrong or _begins_to_flap(desk, group, case)


def recount(desk: Desk, group: GroupState, case: Case, at: float, held: Falling) -> str:
    """Those that were counted while their own hold was running, and came back in it, are none that fell; news where
    most of what was told did. Who is still ``held`` is looked at once more."""
    total, told = case.count + _uncounted(case, held), case.fallen
    if held:
        case.timers.setdefault("settle", at + desk.settings.group_window)
    if total >= told:
        return ""
    case.fallen = total
    if group.back and total > TALLY_LEFT * told:  # how many are back is about to be told, and those are some of them
        case.step(at, f"{told - total} of {told} over within the hold: not counted any more")
        cases.progress(desk, case, at)
        return ""
    down = _down(desk, place_of(group).key)
    names = "" if held or not down else f": {_names(desk, group, down)}"
    if not held:
        case.names = sorted({name(desk, group, peer) for _, peer in down} or case.names)[:MAX_NAMED]
    news = f"{total} of {told} {SORTS[group.kind].stayed}"
    case.step(at, news + names)
    cases.progress(desk, case, at)
    return news if total <= TALLY_LEFT * told else ""


def fallen(desk: Desk, group: GroupState, case: Case) -> tuple[Falling, int]:
    """Those of an outage that are open, with those who will join it when their hold is over; and how many fell in all,
    of whom some may be back."""
    held = places.held(desk, place_of(group))
    return [*members(desk, place_of(group).key), *held], case.count + _uncounted(case, held)


def _uncounted(case: Case, held: Falling) -> int:
    """How many of those that will join were not with it before."""
    ident = texts.incident_id(case)
    return sum(peer.counted != ident for _, peer in held)


def _hear_all(desk: Desk, group: GroupState, case: Case, held: Falling) -> None:
    """The reasons of all that fell, and not only of those that had when it was told first; as long as none is back. And
    what befell the place, where that is why for nearly all who have fallen since."""
    if group.kind in OUTAGES and causes.is_given(case.cause) and _befell(desk, group, case):
        return
    children = [child for child, _ in (*members(desk, place_of(group).key), *held)]
    refused = group.kind in OUTAGES and not causes.is_given(case.cause) and causes.refused(children)
    if len(children) < case.count + _uncounted(case, held) or not (refused or causes.is_given(case.cause)):
        return
    before, case.cause = case.cause, causes.commonest(place_of(group), children) or case.cause
    if case.cause != before:
        case.side = None if refused else case.side
        cases.progress(desk, case, desk.now, news=phrases.CAUSE_KNOWN if refused else "")


def _befell(desk: Desk, group: GroupState, case: Case) -> bool:
    place, (falling, fell) = place_of(group), fallen(desk, group, case)
    cause = causes.named(desk, place, causes.near(desk, place, case.since, falling), falling, fell)
    if cause is None or (causes.is_given(cause) and len(falling) < fell):  # the numbers are those of all that fell
        return False
    case.cause, case.side = cause, "remote" if group.kind == "far" else "local"
    cases.progress(desk, case, desk.now)
    return True


def reach(desk: Desk, group: GroupState, case: Case, at: float, held: Falling) -> None:
    """How many of those that are missing are cut off, and whether what is left to the others is proven to work. It is
    less grave once nobody is cut off; what makes it graver is told."""
    if group.kind not in OUTAGES:
        return
    before = (case.cut, case.beside, case.unproven)
    note_reach(desk, case, at, [*_down(desk, place_of(group).key), *held])
    if before == (case.cut, case.beside, case.unproven):
        return
    if case.beside:
        _ease(case, at, severity_of(desk, group, held))
    cases.progress(desk, case, at)


def note_reach(desk: Desk, case: Case, at: float, left: Falling) -> None:
    """Note the same of those who are ``left``; nothing where that is nobody."""
    if not left:
        return
    gone = {peer.key for _, peer in left}
    kept = {one.key: one for child, one in left if books.any_up(one, at) and child.kind in ("", "tunnel_degraded")}
    case.cut = len(gone) - len(kept)  # among them who is about to be back
    case.beside = not case.cut
    case.unproven = any(parts.is_unproven(desk, peer) for peer in kept.values())


def _ease(case: Case, at: float, severity: Severity) -> None:
    """The gravest are back, or something of the place is up again."""
    if severity != case.severity and not _is_worse(case, severity):
        case.step(at, f"severity now {severity}")
        case.severity = severity


def count_later(desk: Desk, group: GroupState, case: Case, wait: float) -> None:
    """Something has changed: tell it when it stays so, and look at it in any case before long."""
    case.timers["settle"] = desk.now + desk.settings.group_window
    if group.kind in OUTAGES:  # who only fails to negotiate can wait; strangers would call people out at will
        case.timers.setdefault("tally", max(desk.now + wait, group.told_at + TALLY_AGAIN))


def place_of(group: GroupState) -> Place:
    return Place(group.kind, group.device, group.place)


def count(desk: Desk, key: str, parent: Case) -> bool:
    """How many children are down, and how many flap and are up; True where that is another number than before."""
    before, flaps = (parent.missing, parent.flaps), desk.fleet.swinging_count(key)
    parent.missing, parent.flaps = desk.fleet.member_count(key) - flaps, flaps
    return before != (parent.missing, parent.flaps)


def _mostly_flaps(desk: Desk, group: GroupState, case: Case) -> bool:
    """Whether half of all that fell, or more, go up and down again and again: what they have in common does."""
    children = (peer.case for _, peer in desk.fleet.members(place_of(group).key))
    return MOST_FLAP * case.count <= sum(child is not None and child.kind == "flapping" for child in children)


def _begins_to_flap(desk: Desk, group: GroupState, case: Case) -> bool:
    return not case.awaits and _mostly_flaps(desk, group, case)


def _is_worse(case: Case, severity: Severity) -> bool:
    return reasons.worse(case.severity, severity) != case.severity


def _shrunk(group: GroupState, case: Case, left: int) -> bool:
    """Whether so many are back, while others still come, that it is news."""
    told = min(filter(None, (group.tallied, group.missing_told)), default=0)
    told_up = not left and not group.left_told
    return bool(group.back) and not told_up and left <= (TOLD_AGAIN * told if told else TALLY_LEFT * case.count)


def _lost_again(desk: Desk, group: GroupState, left: int) -> bool:
    """Whether so many more are missing than was told last that whoever heard that is wrong by now."""
    return left >= max(LOST_AGAIN * group.left_told, group.left_told + desk.settings.group_peers)


def _tell(desk: Desk, group: GroupState, case: Case, at: float, tally: _Tally, *, calm: bool = False) -> None:
    """Tell how many are lost and how many are back. ``calm``: nobody comes or goes."""
    desk.tell_with(case, (peer for _, peer in tally.held))
    key, flapped = place_of(group).key, case.awaits
    count(desk, key, case)
    down = _down(desk, key)
    case.awaits = FLAPPING if _mostly_flaps(desk, group, case) else ""
    _ease(case, at, tally.severity)
    case.rest = remnants.reason(desk, place_of(group), case, down, calm=calm)
    before, case.fallen = case.fallen, tally.fell
    if group.back or not down:
        news = taken_over(case) or _gone(group, case)
        names = _names(desk, group, down)
        case.step(at, f"{news}, {_left_word(group, case)}: {names}" if down else news)
        news = remnants.news(case, len(down), _left_word(group, case), names) or news
    elif tally.fewer:
        news = tally.fewer
    elif tally.fell > before:
        news = f"{tally.fell} in all, {before} before"
        case.step(at, news)
    elif case.awaits and not flapped:
        news = AGAIN_AND_AGAIN
        case.step(at, news)
    else:
        news = f"{len(down)} of {case.count} missing again"
        case.step(at, news)
    group.back, group.told_at, group.left_told = 0, at, len(down)
    if not rise(desk, case, at, tally.severity, news):
        cases.progress(desk, case, at, news=news)


def _left_word(group: GroupState, case: Case) -> str:
    """What is to be said of those that are not back."""
    return phrases.PARTLY if case.is_reached else SORTS[group.kind].left


def _gone(group: GroupState, case: Case) -> str:
    """How many are back; one that flaps and is up is."""
    flap = f", {case.flaps} of them flapping" if case.flaps else ""
    return SORTS[group.kind].gone(case.lost - case.away, case.lost) + flap


def _tell_rest(desk: Desk, group: GroupState, case: Case, at: float) -> None:
    """Tell why those that are left are missing, where they have found a reason of their own since it was told."""
    down = _down(desk, place_of(group).key)
    case.rest = remnants.reason(desk, place_of(group), case, down, calm=True)
    news = remnants.news(case, len(down), _left_word(group, case), _names(desk, group, down))
    if news and case.rest != case.cause:
        case.step(at, news)
        cases.progress(desk, case, at, news=news)


def _down(desk: Desk, key: str) -> Falling:
    """The children that are not up in between."""
    return [one for one in members(desk, key) if not desk.fleet.is_swinging(key, one[1].key)]


def name(desk: Desk, group: GroupState, peer: PeerState) -> str:
    """What one of those is called that a group tells: of a far end that several devices lost, the device."""
    return peer.device if group.kind == "far" else texts.peer_name(desk.inventory, peer)


def _names(desk: Desk, group: GroupState, falling: Falling) -> str:
    return texts.listed(name(desk, group, peer) for _, peer in falling)


def taken_over(case: Case) -> str:
    """Which device has taken over how many; empty where none has."""
    return f"{case.taker} has taken over {case.moved} of {case.count}" if case.taker else ""


def rise(desk: Desk, case: Case, at: float, severity: Severity, news: str = "") -> bool:
    """Raise the severity of a parent and tell, with a line of its chain; False when it is that grave already."""
    if not _is_worse(case, severity):
        return False
    case.step(at, f"severity now {severity}")
    graver = f"{case.cut} cut off now" if case.cut and case.severity == "warning" else f"a peer is {severity} now"
    return cases.escalate(desk, case, at, severity, news or graver)


def _left(desk: Desk, group: GroupState) -> int:
    """How many children are missing: one that flaps and is up is not."""
    key = place_of(group).key
    return desk.fleet.member_count(key) - desk.fleet.swinging_count(key)


def _worth_telling(group: GroupState, case: Case, left: int) -> bool:
    """Whether so many are back that the number is news: the first time, then once a few of the rest are left, and once
    where all of the rest flap and are up, unless that is all that was ever told of it."""
    if not left:
        return bool(group.left_told) and bool(group.told_at or not case.awaits)
    return bool(group.back) and (not group.missing_told or left <= TOLD_AGAIN * group.missing_told)


def members(desk: Desk, key: str) -> Falling:
    """What a group tells that is open."""
    return [(peer.case, peer) for _, peer in desk.fleet.members(key) if peer.case is not None]


def severity_of(desk: Desk, group: GroupState, falling: Falling = ()) -> Severity:
    """As grave as the gravest child; an outage major at least, and critical where nothing of the place is up any more,
    but information where it was on purpose, and a warning where other tunnels carry the same networks."""
    place = place_of(group)
    severity: Severity = "info"
    for child, peer in [*falling, *members(desk, place.key)]:
        if reasons.worse(severity, child.severity) != severity:
            severity = reasons.worse(severity, _gravity(desk, child, peer))
    beside = group.case is not None and group.case.beside and severity == "warning"
    if severity == "info" or group.kind not in OUTAGES or beside:
        return severity
    whole = [place, *(Place("interface", group.device, name) for name in group.taken)]
    # what moved elsewhere, or is only being replaced, is not down
    fell = {peer.key for _, peer in falling}
    nothing_up = any(all(_is_down(desk, peer, fell) for peer in places.peers_at(desk, one)) for one in whole)
    return "critical" if nothing_up else reasons.worse(severity, "major")


def _is_down(desk: Desk, peer: PeerState, fell: Container[str]) -> bool:
    """Whether nothing of a peer is up; of one that is missed since its device restarted, that is to be told yet.
    ``fell``: the keys of peers that are told with it, whatever they wait for."""
    if peer.case is not None and peer.key not in fell and not places.counts(desk, peer, peer.case):
        return False
    if books.lost_in_restart(peer) and idling.waits(desk, peer):  # nobody misses it, and it is not up
        return True
    return peer.up is False or (peer.case is not None and bool(peer.case.back_by) and not peer.tunnels_up)


def _gravity(desk: Desk, child: Case, peer: PeerState) -> Severity:
    """How grave a child is, or will be when its own hold is over."""
    if not child.announced and child.family == "tunnel":
        child.beside = parts.spared(desk, peer)
    if not child.announced and context.on_purpose(
        desk.device(child.device, desk.now), child, desk.settings.twin_window
    ):
        return "info"
    return cases.bounded(desk, child, child.severity)
