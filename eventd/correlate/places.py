"""What peers that were lost at once have in common, and so which group a case belongs to.

Every question is asked of the *set* of all that fell near a case, never of the case in hand alone: whoever of them is
judged first, the answer is the same. What another tells (the other end of the link, an open group, the other unit of a
pair) is no part of that set, whether it was told already or only will be.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from eventd.correlate import (
    books,
    context,
    evidence,
    indexes,
    links,
    reasons,
    renumbered,
    restarts,
    switchover,
    texts,
)
from eventd.correlate.desk import Desk
from eventd.correlate.settings import MIN_EXPLAINED, MIN_GROUP, MOSTLY, TIMER_STEP
from eventd.correlate.state import Case, DeviceState, PeerState, numbered

#: Kinds of incident of one peer that a group may tell.
CHILD_KINDS = ("tunnel_down", "tunnel_degraded", "negotiation_failing", "flapping")


class Sort(Struct, frozen=True):
    """A sort of group: the kind of its incident, and how its chain tells who came, who went, who has not, and who of
    all that came did so for good."""

    incident: str
    came: str
    went: str
    left: str = "still missing"
    stayed: str = "stayed down"

    def gone(self, number: int, total: int) -> str:
        """How many of all have gone, as a sentence: ``8 of 10 are back``."""
        went = self.went if number != 1 else self.went.replace("are ", "is ").replace("have ", "has ")
        return f"{number} of {total} {went}"


SORTS = {
    "interface": Sort("interface_outage", "peers lost", "are back"),
    "device": Sort("device_outage", "peers lost", "are back"),
    "far": Sort("peer_outage", "devices lost it", "have it back"),
    "failing": Sort("negotiation_failing", "peers fail alike", "no longer fail", "still failing", "kept failing"),
    "strangers": Sort("negotiation_failing", "unknown peers fail", "no longer try", "still trying", "kept trying"),
}
#: Sorts that have lost tunnels.
OUTAGES = ("interface", "device", "far")


class Place(Struct, frozen=True):
    """Something that peers have in common: ``name`` is the interface, the address of a far end, or the reason of
    failing negotiations. ``device`` is empty for a far end."""

    kind: str
    device: str
    name: str

    @property
    def key(self) -> str:
        """Key of the group that has its outage."""
        return f"group|{self.kind}|{self.device}|{self.name}"


#: Which of the cases that fell are looked at.
Counts = Callable[[Desk, PeerState, Case], bool]
#: Cases that fell, with their peers, in the order of the peers' keys.
Falling = Sequence[tuple[Case, PeerState]]


def opened(desk: Desk, peer: PeerState, case: Case) -> Place | None:
    """The open group that a case still belongs to: it began while peers were joining, or while most are missing."""
    joins = "" if case.group else desk.joins(case)
    if joins is None:
        return None
    for place in _places(peer, case):
        group = desk.fleet.groups.get(place.key)
        if group is None or group.case is None or (joins and place.kind != "interface"):
            continue
        near = abs(case.began - group.joined_at) <= desk.settings.group_window
        if near or desk.fleet.member_count(place.key) >= MOSTLY * group.case.count:
            return place
    return None


def made(desk: Desk, peer: PeerState, case: Case) -> tuple[Place, Falling] | None:
    """The group that a case makes together with others that no group has, and all who belong to it."""
    if desk.joins(case) is None:
        return None
    if case.family == "failing":
        return _of_negotiation(desk, peer, case)
    # a group has as many as make one without those who may be back in a moment; it is of all that have fallen
    sure = _made(desk, peer, case, _is_sure)
    return None if sure is None else _made(desk, peer, case, _counting(case for case, _ in sure[1]))


def waits(desk: Desk, peer: PeerState, case: Case, timer: str) -> bool:
    """Hold a case for longer, as long again at most, where others fell with it and nobody knows yet whether so many
    stay down that it is one outage: it looks again each second."""
    case.due = case.due or desk.now
    case.timers[timer] = desk.now + TIMER_STEP  # one that grows is known by its timer
    until = 2 * case.due - case.began
    if (
        desk.now < until
        and desk.joins(case) is not None
        and _stands(desk, peer, case)  # else another tells it
        and opened(desk, peer, case) is None
        and _made(desk, peer, case, _is_sure) is None
        and _made(desk, peer, case, _may) is not None
    ):
        return True
    case.due = 0.0
    del case.timers[timer]
    return False


def flaps(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether it flaps, or does with its next turn."""
    hold, enough = desk.settings.outage_hold, max(2, desk.settings.flap_count - 1)  # one turn alone is none
    return case.kind == "flapping" or any(books.turns(one, hold) >= enough for one in peer.tunnels.values())


def peers_at(desk: Desk, place: Place) -> Iterator[PeerState]:
    """The peers that had a tunnel at a place."""
    if place.kind == "far":
        yield from (peer for _, peer in desk.fleet.by_address(place.name))
        return
    yield from (peer for _, peer in desk.fleet.with_trait(indexes.at(place.device, place.name)))


def held(desk: Desk, place: Place) -> Falling:
    """The cases of peers that have fallen, whose hold is not over, and that will join the open group of an outage."""
    shelf = indexes.falling_far(place.name) if place.kind == "far" else indexes.falling(place.device)
    window = max(desk.settings.outage_hold, desk.settings.rekey_hold)
    near = ((its, its.case) for _, its in desk.fleet.near(shelf, desk.now, window))
    waiting = ((its, case) for its, case in near if case is not None and not case.announced and not case.weak)
    which = _counting(its.case for _, its in desk.fleet.members(place.key) if its.case is not None)
    return [
        (case, its)
        for its, case in waiting
        if case.back_by <= desk.now and which(desk, its, case) and opened(desk, its, case) == place
    ]


def _places(peer: PeerState, case: Case) -> Iterator[Place]:
    if case.stranger:
        yield Place("strangers", peer.device, "")
        return
    if case.family == "failing" and not case.growing:
        yield _failing(peer, case)
    where = place_of(case)
    yield Place("device", peer.device, "")
    if where:
        yield Place("interface", peer.device, where)
    if peer.peer is not None:
        yield Place("far", "", peer.peer)


def _failing(peer: PeerState, case: Case) -> Place:
    return Place("failing", peer.device, texts.words(case.cause))


def place_of(case: Case) -> str:
    """The interface of a case as far as it is known."""
    if case.interface:
        return case.interface
    return "" if case.ifindex is None else numbered(case.ifindex)


def _of_negotiation(desk: Desk, peer: PeerState, case: Case) -> tuple[Place, Falling] | None:
    """Peers that fail for one reason, as many as make a group; or two strangers, who would else page at will."""
    if desk.joins(case):
        return None
    if case.stranger:
        place, needed = Place("strangers", peer.device, ""), MIN_EXPLAINED
        near: Iterable[tuple[str, PeerState]] = desk.fleet.on(indexes.strangers(peer.device))
    else:
        place, needed = _failing(peer, case), desk.settings.group_peers
        near = desk.fleet.near(indexes.failing(peer.device, case), case.since, desk.settings.group_window)
    others = [(other.case, other) for _, other in near if other.case not in (None, case)]
    falling = _sorted(peer, case, (one for one in others if one[0] is not None and desk.joins(one[0]) == ""))
    return (place, falling) if len(falling) >= needed else None


# --- what fell ------------------------------------------------------------------------------------------------------


def _may(_desk: Desk, _peer: PeerState, _case: Case) -> bool:
    """All that fell."""
    return True


def counts(desk: Desk, peer: PeerState, case: Case) -> bool:
    """All that fell but those of which an SA may only be replaced: that is normal as long as its hold is not over."""
    return case.nature != "rekey" or _is_sure(desk, peer, case)


def _counting(sure: Iterable[Case]) -> Counts:
    """Who counts beside those that are ``sure``: where most of these were not replaced, whoever waits for that as long
    as any other stop is held back is of the same wave."""
    failed = [case.nature == "rekey" for case in sure]
    return _overdue if sum(failed) * 2 > len(failed) else counts


def _overdue(desk: Desk, peer: PeerState, case: Case) -> bool:
    return counts(desk, peer, case) or desk.now - case.began >= desk.settings.outage_hold


def _is_sure(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Those that are told, or would be by now: their hold is over, or they will stop again and again."""
    if case.due or (case.announced and not case.growing):
        return True
    hold = case.timers.get("grow" if case.growing else "open")
    return (hold is not None and hold <= desk.now) or flaps(desk, peer, case)


def _sorted(peer: PeerState, case: Case, others: Iterable[tuple[Case | None, PeerState]]) -> Falling:
    found = [(case, peer), *((other, its) for other, its in others if other is not None)]
    return sorted(found, key=lambda one: one[1].key)


def _fallen(desk: Desk, shelf: indexes.Shelf, peer: PeerState, case: Case, which: Counts) -> Falling:
    """The outages that began near ``case``, itself included, held back or told."""
    near = desk.fleet.near(shelf, case.began, desk.settings.group_window)
    others = ((other.case, other) for _, other in near if other is not peer and other.case is not None)
    fallen = ((its_case, its) for its_case, its in others if which(desk, its, its_case))
    joins = desk.joins(case)
    alike = (one for one in fallen if desk.joins(one[0]) == joins)
    return _sorted(peer, case, (one for one in alike if _stands(desk, one[1], one[0])))


def _stands(desk: Desk, peer: PeerState, case: Case) -> bool:
    """Whether a case is, or will be, told for itself as things are."""
    if case.back_by and (case.back_by > desk.now or restarts.is_back(desk, peer, case)):
        return False
    if case.announced and not case.growing:
        return True
    if desk.fleet.has_groups(peer.device) and (place := opened(desk, peer, case)) is not None and place.kind != "far":
        return False
    if case.growing:
        return True
    if switchover.awaited(desk, case) is not None:
        return False
    if renumbered.heir_of(desk, peer, case) is not None:
        return False
    if links.is_single(desk, peer):
        return not case.weak
    return not case.weak and links.told_by(desk, peer, case) is None and switchover.heir_of(desk, peer, case) is None


def _made(desk: Desk, peer: PeerState, case: Case, which: Counts) -> tuple[Place, Falling] | None:
    return _of_device(desk, peer, case, which) or _of_far_end(desk, peer, case, which)


def _of_far_end(desk: Desk, peer: PeerState, case: Case, which: Counts) -> tuple[Place, Falling] | None:
    """The one far end that several devices lost, as far as none of them lost it with others of its own peers."""
    if peer.peer is None or desk.joins(case):
        return None
    fallen = _fallen(desk, indexes.falling_far(peer.peer), peer, case, which)
    if len({its.device for _, its in fallen}) < MIN_EXPLAINED:
        return None
    alone = [one for one in fallen if one[1] is peer or _of_device(desk, one[1], one[0], which) is None]
    if len({its.device for _, its in alone}) < MIN_EXPLAINED:
        return None
    return Place("far", "", peer.peer), alone


def _of_device(desk: Desk, peer: PeerState, case: Case, which: Counts) -> tuple[Place, Falling] | None:
    """The interface or the device that was lost, if enough of its peers were, and ``case`` is one of them."""
    planned = desk.joins(case) or ""
    fallen = _of_lines(desk, peer.device, case, _fallen(desk, indexes.falling(peer.device), peer, case, which))
    apart = _apart(fallen)
    alike = [one for one in fallen if one not in apart] if apart else fallen
    place = _in_common(desk, peer.device, alike, planned)
    if any(one is case for one, _ in apart) and (place is None or place.kind != "device"):
        fallen, place = apart, _in_common(desk, peer.device, apart, planned)
    if place is None:
        return None
    theirs = fallen if place.kind == "device" else [one for one in fallen if place_of(one[0]) == place.name]
    if not any(one is case for one, _ in theirs):
        return None  # on another interface than nearly all others: their outage is not its own
    return place, [one for one in theirs if not one[0].group.startswith(indexes.FAR)]


def _of_lines(desk: Desk, name: str, case: Case, fallen: Falling) -> Falling:
    """Those of all that fell who may have the same matter as ``case`` by what befell their lines: a line that went down
    explains those on it, and nobody on another one. What befell the whole device explains all."""
    device = desk.device(name, desk.now)
    if evidence.of_device(device, _first(fallen)):
        return fallen
    dead = {id(one) for one, _ in fallen if _fell_with_line(desk, device, one)}
    ours = id(case) in dead or not place_of(case)
    return [one for one in fallen if not dead or not place_of(one[0]) or (id(one[0]) in dead) is ours]


def _fell_with_line(desk: Desk, device: DeviceState, case: Case) -> bool:
    """Whether the line that is certainly that of a case went down, and is why it began."""
    line = (case.interface, case.ifindex)
    return any(
        note.event == evidence.LINK_DOWN and evidence.is_line(note, line) and context.accounts(desk, device, note, case)
        for note in device.notes
    )


def _apart(fallen: Falling) -> Falling:
    """Those of all that fell who have a matter of their own, unless the whole device was lost: they are refused on
    another interface than that of most others, who get no answer."""
    where, _ = _commonest(fallen)
    if not where or _refused(fallen, where):
        return ()
    return [one for one in fallen if place_of(one[0]) not in (where, "") and reasons.answered(one[0].cause)]


def _commonest(fallen: Falling) -> tuple[str, int]:
    """The interface of most of them, and of how many."""
    counted = Counter(where for case, _ in fallen if (where := place_of(case)))
    return max(counted.items(), key=lambda item: (item[1], item[0]), default=("", 0))


def _refused(fallen: Falling, where: str) -> bool:
    """Whether most of those on an interface have a reason that no line explains."""
    said = [reasons.answered(case.cause) for case, _ in fallen if place_of(case) == where]
    return sum(said) * 2 > len(said)


def _in_common(desk: Desk, name: str, fallen: Falling, planned: str = "") -> Place | None:
    """The place of an outage of many, if those who fell on a device make one: that of an interface which is ``planned``
    to be out, or what they themselves say."""
    if len(fallen) < MIN_EXPLAINED:
        return None
    if planned:
        return _line(desk, name, planned, fallen)
    device, whole = desk.device(name, desk.now), Place("device", name, "")
    if sum(bool(case.back_by) for case, _ in fallen) >= MIN_EXPLAINED:  # it has restarted
        return whole
    if evidence.of_device(device, _first(fallen)) and _enough(desk, whole, len(fallen), True):
        return whole
    where, lost = _commonest(fallen)
    refused = bool(where) and _refused(fallen, where)
    # as all of them did, or none (`_of_lines`)
    dead = next((_fell_with_line(desk, device, one) for one, _ in fallen if place_of(one) == where), False)
    elsewhere = _another(desk, name, where, refused=refused, dead=dead)
    elsewhere = elsewhere or _enough(desk, whole, len(fallen) - lost, False)
    line = _line(desk, name, where, fallen) if where and lost >= MOSTLY * len(fallen) and not elsewhere else None
    return line or (whole if _enough(desk, whole, len(fallen), False) else None)


def _line(desk: Desk, name: str, where: str, fallen: Falling) -> Place | None:
    """An interface of a device, if enough of those who fell are on it."""
    here = [case for case, _ in fallen if place_of(case) == where]
    device, place, since = desk.device(name, desk.now), Place("interface", name, where), _first(fallen)
    if len(here) >= MIN_EXPLAINED and where in device.lines_down:  # and the device has not said that it is up again
        return place
    known = len(here) < desk.settings.group_peers and any(
        context.accounts(desk, device, note, case)
        for case in here
        for note in evidence.of_link(device, case.interface, case.ifindex, since)
    )
    return place if _enough(desk, place, len(here), known) else None


def _first(fallen: Falling) -> float:
    return min(case.began for case, _ in fallen)


def _another(desk: Desk, device: str, where: str, *, refused: bool, dead: bool) -> bool:
    """Whether another interface of the device is out unplanned, with most of its peers, and not for a reason of another
    sort: refused or not, and for a line that went down (``dead``) or not."""
    return any(
        group.kind == "interface"
        and group.place != where
        and group.case is not None
        and not group.case.hushed
        and reasons.answered(group.case.cause) is refused
        and (group.case.cause is not None and group.case.cause.name == evidence.LINK_DOWN) is dead
        and desk.fleet.member_count(key) >= MOSTLY * group.case.count
        for key, group in desk.fleet.groups_of(device)
    )


def _enough(desk: Desk, place: Place, lost: int, explained: bool) -> bool:
    if lost >= desk.settings.group_peers:
        return True
    if lost < (MIN_EXPLAINED if explained else MIN_GROUP):
        return False
    return lost >= desk.settings.group_share * desk.fleet.count_with(indexes.at(place.device, place.name))
