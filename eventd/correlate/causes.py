"""What befell the place where many peers were lost, and so is the cause of their outage."""

from collections import Counter
from collections.abc import Iterable, Sequence

from eventd.correlate import evidence, indexes, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.evidence import LINK_DOWN, RESTART, Line
from eventd.correlate.places import OUTAGES, Falling, Place
from eventd.correlate.settings import CONTEXT_WINDOW, MAX_MIXED, MOSTLY
from eventd.correlate.state import Case, Note, PeerState
from eventd.model import Reason

UNKNOWN: Line = (None, None)
#: Reasons that say no more than that nobody answers: a line that died explains them.
SILENCE = ("peer-unreachable", "unknown")


def near(desk: Desk, place: Place, since: float, falling: Falling) -> list[Note]:
    """What happened to a place near ``since`` or later, or to the lines of those that fell there; in order of time."""
    owner = desk.fleet.owner(place.name) if place.kind == "far" else place.device
    if owner is None:
        return []
    device = desk.device(owner, desk.now)
    found = list(evidence.of_device(device, since))
    for line in _lines(place, falling):
        found += evidence.of_link(device, *line, since)
    return sorted(dict.fromkeys(found), key=lambda note: (note.at, note.text))


def named(place: Place, found: Sequence[Note], falling: Falling) -> Reason | None:
    """The cause that they name: the last of them (of a restart: the command for it), or all the lines that went down
    and carried nearly all of those that fell; None where they carried too few."""
    if not found:
        return None
    if found[-1].event == RESTART:  # the order says more than what it led to
        return evidence.reason(
            next((note for note in reversed(found) if note.event == RESTART and note.admin), found[-1])
        )
    if found[-1].event != LINK_DOWN or UNKNOWN in _lines(place, falling):
        return evidence.reason(found[-1])
    links = [note for note in found if note.event == LINK_DOWN]
    lines = [line_of(case, peer) for case, peer in falling]
    carried = sum(line != UNKNOWN and any(evidence.may_be(note, line) for note in links) for line in lines)
    return evidence.reason(*links) if carried >= MOSTLY * len(lines) else None


def commonest(place: Place, fallen: Iterable[Case]) -> Reason | None:
    """The reason that most of those that fell at a place give. An outage of peers that ended for reasons of several
    categories says how many for which: they may have less in common than the time."""
    given = [(texts.words(case.cause), case.cause) for case in fallen]
    counted = Counter(text for text, _ in given)
    said = {text: cause for text, cause in given if cause is not None}
    if not said:
        return None
    order = sorted(counted, key=lambda text: (text not in said, -counted[text], reasons.rank(said.get(text)), text))
    cause = evidence.shared(said[order[0]], place.kind)
    if place.kind not in OUTAGES or len({one.category for one in said.values()}) < 2:
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
