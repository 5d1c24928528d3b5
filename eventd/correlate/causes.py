"""What befell the place where many peers were lost, and so is the cause of their outage."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from eventd.correlate import context, evidence, indexes, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.evidence import LINK_DOWN, RESTART, Line
from eventd.correlate.places import OUTAGES, Falling, Place
from eventd.correlate.settings import CONTEXT_WINDOW, MAX_MIXED, MOSTLY
from eventd.correlate.state import Case, DeviceState, Note, PeerState
from eventd.model import Reason

UNKNOWN: Line = (None, None)
#: Reasons that say no more than that nobody answers: a line that died explains them.
SILENCE = ("peer-unreachable", "unknown")


def near(desk: Desk, place: Place, since: float, falling: Falling) -> list[Note]:
    """What happened to a place near ``since`` or later, or to the lines of those that fell there; in order of time."""
    device = _device(desk, place)
    if device is None:
        return []
    found = list(evidence.of_device(device, since))
    for line in _lines(place, falling):
        found += evidence.of_link(device, *line, since)
    return sorted(dict.fromkeys(found), key=lambda note: (note.at, note.text))


def named(desk: Desk, place: Place, found: Sequence[Note], falling: Falling, fell: int) -> Reason | None:
    """The cause that they name: the last of them (of a restart: the command for it), or all the lines that went down,
    beside what others say for whom that does not account, where these would make a group of their own; None where it
    accounts for too few of all that ``fell``, of whom ``falling`` are known still."""
    device = _device(desk, place)
    if device is None:
        return None
    nameless = UNKNOWN in _lines(place, falling)
    lines = [UNKNOWN if nameless else line_of(case, peer) for case, peer in falling]
    befell = [
        [note for note in found if _befell(note, line, nameless) and context.accounts(desk, device, note, case)]
        if not refused((case,))
        else []
        for (case, _), line in zip(falling, lines, strict=True)
    ]
    known = [note for note in found if any(note in notes for notes in befell)]
    if not known:
        return None
    last = known[-1]
    if sum(any(note.event == last.event for note in notes) for notes in befell) < MOSTLY * fell:
        return None
    alike = [note for note in known if note.event == last.event]
    if last.event == RESTART:  # the order says more than what it led to
        return evidence.reason(next((note for note in reversed(alike) if note.admin), last))
    if last.event != LINK_DOWN:
        return evidence.reason(last)
    dead = evidence.reason(last) if nameless else evidence.reason(*alike)
    others = sum(not notes for notes in befell) >= desk.settings.group_peers
    told = (replace(case, cause=dead) if notes else case for (case, _), notes in zip(falling, befell, strict=True))
    return commonest(place, told) if others else dead


def _befell(note: Note, line: Line, nameless: bool) -> bool:
    """Whether a note is of the whole device, or may be of that line; ``nameless`` where none names its own."""
    return note.event != LINK_DOWN or (evidence.may_be(note, line) and (nameless or line != UNKNOWN))


def _device(desk: Desk, place: Place) -> DeviceState | None:
    owner = desk.fleet.owner(place.name) if place.kind == "far" else place.device
    return None if owner is None else desk.device(owner, desk.now)


def commonest(place: Place, fallen: Iterable[Case]) -> Reason | None:
    """The reason that most of those that fell at a place give. An outage of peers that ended for reasons of several
    categories, or only some of them with a line, says how many for which: they may have less in common than the time.
    """
    fallen = list(fallen)
    alone = MOSTLY * len(fallen) > sum(bool(case.pace) for case in fallen)  # a few steady ones of many are chance
    causes = [case.stop if alone and case.pace and case.stop is not None else case.cause for case in fallen]
    given = [(texts.words(cause), cause) for cause in causes]
    counted = Counter(text for text, _ in given)
    said = {text: cause for text, cause in given if cause is not None}
    if not said:
        return None
    order = sorted(counted, key=lambda text: (text not in said, -counted[text], reasons.rank(said.get(text)), text))
    cause = said[order[0]]
    cause = evidence.shared(cause, place.kind) if is_given(cause) else cause  # what befell them is shared already
    if place.kind not in OUTAGES or len({(one.category, is_given(one)) for one in said.values()}) < 2:
        return cause
    rest = sum(counted[text] for text in order[MAX_MIXED:])
    mix = ", ".join(f"{counted[text]} {text}" for text in order[:MAX_MIXED])
    return evidence.mixed(cause, f"{mix} and {rest} of other reasons" if rest else mix)


def is_given(cause: Reason | None) -> bool:
    """Whether a cause is what those that fell say, and not what befell their place."""
    return cause is None or cause.name not in (*reasons.NAMED, evidence.BENEATH_NAME)


def refused(fallen: Iterable[Case]) -> bool:
    """Whether all of them try again and are told why not: what befell their place is over and no reason any more."""
    return all(case.failures and is_given(case.cause) and reasons.says_why(case.cause) for case in fallen)


def beneath(desk: Desk, place: Place, parent: Case, falling: Falling) -> Note | None:
    """A guess: the line that went down just before, that no tunnel names and nearly all at a place may run over, where
    nothing else explains the outage."""
    silent = parent.cause is None or parent.cause.category in SILENCE
    all_there = desk.fleet.count_with(indexes.at(place.device, place.name))
    if place.kind == "far" or not silent or UNKNOWN in _lines(place, falling) or len(falling) < MOSTLY * all_there:
        return None
    first, last = parent.since - CONTEXT_WINDOW, parent.since + desk.settings.twin_window
    found = [
        note
        for note in desk.device(place.device, desk.now).notes
        if note.event == LINK_DOWN
        and first <= note.at <= last
        and (names := evidence.line_names(note.interface, note.ifindex))
        and not any(desk.fleet.count_with(indexes.at(place.device, name)) for name in names)
    ]
    return found[-1] if found else None


def line_of(case: Case, peer: PeerState) -> Line:
    """The interface that a case, else a tunnel of its peer, names."""
    said = [(case.interface, case.ifindex), *((one.interface, one.ifindex) for one in peer.tunnels.values())]
    return next((line for line in said if line != UNKNOWN), UNKNOWN)


def _lines(place: Place, falling: Falling) -> set[Line]:
    """The lines of those that fell at a place; `UNKNOWN`, which may be any, only where none of them names its own."""
    lines = {line_of(case, peer) for case, peer in falling} if place.kind != "far" else set()
    return lines - {UNKNOWN} or {UNKNOWN}
