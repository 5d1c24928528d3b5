"""What is left of an outage of many whose line is up again: by now it may be missing for another reason.

The cause of the outage stays what it was. What is told while it is open is the reason of those that are still missing.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from eventd.correlate import causes, evidence, lines, reasons, texts
from eventd.correlate.desk import Desk
from eventd.correlate.evidence import LINK_DOWN, LINK_UP
from eventd.correlate.places import OUTAGES, Falling, Place
from eventd.correlate.settings import MAX_NAMED
from eventd.correlate.state import Case, DeviceState, Note, device_key
from eventd.model import Event, Reason, utc

#: So many times those that are left fell: most are back.
FEW = 2


def line(desk: Desk, device: DeviceState, event: Event) -> None:
    """A line of which the chain of an outage says that it went down is up again, or went down once more. Called before
    the event is noted, by which what is no longer true is forgotten."""
    if event.extra.get("track") is not None or event.event not in (LINK_DOWN, LINK_UP):
        return
    where, now = (event.interface, event.ifindex), desk.now
    name = event.interface or texts.told(event)
    for key, group in list(desk.fleet.groups_of(device.device)):
        parent = group.case
        if parent is None or group.kind not in OUTAGES:
            continue
        if event.event == LINK_DOWN and parent.lines_up.pop(name, None) is not None:
            parent.rest = None
        elif event.event == LINK_DOWN or not any(evidence.is_line(note, where) for note in _told(device, parent)):
            continue
        elif name not in parent.lines_up:
            parent.lines_up[name] = now
        else:
            continue
        parent.step(now, texts.told(event))
        desk.settle(key, group)


def carries(desk: Desk, event: Event, now: float) -> None:
    """A tunnel began over a line: it is up, whatever became of the message that said so."""
    device = desk.fleet.devices.get(device_key(event.device))
    if device is None or not device.lines_down:
        return
    late = now - desk.settings.twin_window  # what went down since may have been overtaken by this
    names = evidence.line_names(event.interface, event.ifindex)
    proven = [name for name in names if device.lines_down.get(name, now) < late]
    if not proven:
        return
    for key, group in list(desk.fleet.groups_of(device.device)):
        parent = group.case
        for note in _told(device, parent) if parent is not None else ():
            if parent is not None and note.interface in proven and evidence.still_down(device, note):
                parent.lines_up[note.interface] = now
                parent.step(now, f"line {note.interface} is up again")
                desk.settle(key, group)
    for name in proven:
        del device.lines_down[name]
    lines.up_again(desk, device)
    desk.settle(device_key(device.device), device)


def up_before(device: DeviceState, parent: Case, near: Iterable[Note]) -> None:
    """Say which of the lines that befell an outage were up again before it was told; ``near`` in order of time."""
    for note in near:
        up = evidence.came_up(device, note)
        if up is not None:
            parent.step(up.at, up.text)
            parent.lines_up[up.interface or up.text] = up.at
        elif note.event == LINK_DOWN and note.interface is not None:
            parent.lines_up.pop(note.interface, None)


def _told(device: DeviceState, parent: Case) -> Sequence[Note]:
    """The lines that went down, as far as the chain of an outage says so."""
    said = {(step.at, step.text) for step in parent.steps}
    return [note for note in device.notes if note.event == LINK_DOWN and (note.at, note.text) in said]


def reason(desk: Desk, place: Place, parent: Case, left: Falling, *, calm: bool) -> Reason | None:
    """Why what is left of an outage is missing, where that is another reason than that of the outage: a line that is
    still down and theirs, or while others are up again, or what they say for themselves; of more than a few when they
    come back no more (``calm``) and no line is down, or when that is what is told of all that fell."""
    cause = parent.cause
    if cause is None or not left or len(left) == parent.count:
        return None
    device = desk.device(parent.device, desk.now)
    down = [note for note in _told(device, parent) if evidence.still_down(device, note)]
    if causes.is_given(cause) and (dead := causes.named(desk, place, down, left, len(left))) is not None:
        return dead
    certain = len(left) <= MAX_NAMED or (calm and not down) or causes.is_given(cause)
    if certain and (own := _own(place, parent, left)) is not None:
        return evidence.of_few(own) if FEW * len(left) <= parent.lost else own
    if cause.name != LINK_DOWN or not parent.lines_up or not down:
        return None
    return _lines(down, parent.lines_up)


def _lines(down: Sequence[Note], up: dict[str, float]) -> Reason:
    names = ", ".join(evidence.listed(down))
    again = ", ".join(up)
    text = f"link {names} is still down; {again} {'is' if len(up) == 1 else 'are'} up again since"
    text = f"{text} {utc(max(up.values())):%H:%M}"
    found = evidence.reason(*down)
    return replace(found, text=text, actions=(evidence.look_at(names), *found.actions[1:]))


def _own(place: Place, parent: Case, left: Falling) -> Reason | None:
    """What those that are left say, unless that is no more than that nobody answers while the line is not up."""
    said = [case.cause if causes.is_given(case.cause) else case.stop for case, _ in left]
    given = causes.is_given(parent.cause)
    if not given and not parent.lines_up and not all(reasons.says_why(one) for one in said):
        return None
    if len(said) == 1:
        return said[0]
    if given:  # of the same reason, too, the steps are those of one that is left
        return causes.commonest(place, [case for case, _ in left])
    return causes.commonest(place, [replace(case, cause=one) for (case, _), one in zip(left, said, strict=True)])


def news(case: Case, number: int, left: str, names: str) -> str:
    """How many are left, and why; empty where they have no reason of their own."""
    if case.rest is None or texts.words(case.rest) == texts.words(case.cause):
        return ""
    who = "" if case.rest.name == LINK_DOWN else f" ({names})"
    return f"{number} {left}{who}: {texts.words(case.rest)}"
