"""What near an outage names its cause: a link that went down, a restart, a switch-over."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from eventd.correlate.phrases import COME_BACK
from eventd.correlate.settings import CONTEXT_WINDOW, DPD_TAKES, RESTART_TOLD
from eventd.correlate.state import DeviceState, Note, numbered
from eventd.model import Reason, Severity


class Explanation(Struct, frozen=True):
    """What an event near an outage of many peers means, and what to do."""

    category: str
    meaning: str
    actions: tuple[str, ...]


#: General knowledge of networks, of no vendor.
EXPLANATIONS = {
    "link.down": Explanation(
        "peer-unreachable",
        "The line that carries these tunnels went down, and they with it",
        (
            "Look at that interface first: cable, optics, line protocol, errors",
            "Where it is a carrier's line, open a ticket there with the time above",
            COME_BACK,
        ),
    ),
    "device.restart": Explanation(
        "peer-unreachable",
        "The device restarted, and all its tunnels ended with it",
        (
            "Find out why it restarted: power, a crash, or somebody's command",
            "Wait until it is up, then look at the tunnels that are still missing",
        ),
    ),
    "device.failover": Explanation(
        "peer-unreachable",
        "The pair switched over, and these tunnels did not come back on the unit that took over",
        (
            "See which unit is active now, and why they switched",
            "Check that both units have the same IPsec configuration and that their tunnels are synchronised",
        ),
    ),
}
#: A restart that somebody ordered; its first step says who and how, as far as that is known.
ORDERED = Explanation(
    "peer-unreachable",
    "Somebody restarted the device by command, and all its tunnels ended with it",
    EXPLANATIONS["device.restart"].actions[1:],
)
#: A line that somebody shut down; its first step says which.
SHUT = Explanation(
    "peer-unreachable",
    "Somebody shut down the line that carries these tunnels, and they ended with it",
    (COME_BACK,),
)
RESTART = "device.restart"
OF_DEVICE = ("device.restart", "device.failover")
LINK_DOWN, LINK_UP = "link.down", "link.up"
#: An interface by its name and number, as far as they are known.
Line = tuple[str | None, int | None]

#: A line that no tunnel names, and that those which were lost may well run over: their interface is a logical one.
BENEATH = Explanation(
    "peer-unreachable",
    "A guess: this line went down just before, and nothing else explains the loss; the tunnels name another interface, "
    "which may well run over that line",
    (
        "See whether their interface runs over that line: its source address, and the route to the peers",
        "If so, look at that line first: cable, optics, line protocol, errors; else ping one of the peers",
    ),
)

#: Name of the cause that says so.
BENEATH_NAME = "link.down beneath"

#: Stops at a steady pace, whatever reason the device gives for each.
PACED = Explanation(
    "configuration",
    "A tunnel that ends at a steady pace and comes back each time does not lose its peer: a timer differs at both "
    "ends, as when one side waits for keepalives (heartbeats) that the other never sends",
    (
        "Compare keepalive, heartbeat and DPD settings of both ends: intervals, timeouts, and whether both send at all",
        "Compare the lifetimes of both ends; the pace of the stops is the timer to look for",
    ),
)

#: The same where each time the far end asks for it.
PACED_BY_PEER = Explanation(
    "configuration",
    "The far end ends the tunnel at a steady pace, and it comes back each time: most likely a timer over there runs "
    "out first, a shorter lifetime that is not renewed in time or an idle timeout",
    (
        "Compare the lifetimes of both ends, of IKE and of IPsec; the pace of the stops is the timer to look for",
        "Look for an idle timeout at the far end: a tunnel without traffic ends by it",
    ),
)

#: What to do where nothing is named but what they have in common, by sort of group.
TOGETHER = {
    "far": "Several devices lost it: look at that site first (power, uplink, its firewall), not at the single tunnels",
    "failing": "All of them fail for one reason: look for what changed on this device (keys, certificates, proposals)",
    "strangers": "None of them is in the inventory or was ever seen with a tunnel: scanners, or sites nobody listed; "
    "restrict who may reach UDP 500 and 4500",
}
#: Categories that are no matter of a line.
ALIKE = ("authentication", "configuration", "administrative", "capacity")
#: Steps shown for one of many.
FOR_ONE = 3
MIXED = "They ended for reasons that need not have anything in common but the time"
MIXED_STEP = "Look at those whose reason no line explains one by one: what was typed, a wrong key, a lifetime"
ONE_PLACE = "All of them share one place: look there first (uplink, carrier, power), not at the single tunnels"
#: In place of that where most of those who share it are back.
FEW_LEFT = "The others are back: look for what those that are left have in common (site, provider), then at one of them"


def of_device(device: DeviceState, since: float) -> Sequence[Note]:
    """What happened to a whole device near ``since`` or later; of a restart from the command that led to it on."""
    near = [note for note in device.notes if note.event in OF_DEVICE and note.at >= since - CONTEXT_WINDOW]
    restarts = [note.at for note in near if note.event == RESTART]
    told = min(restarts, default=0.0) - RESTART_TOLD
    led = [note for note in device.notes if restarts and note.event == RESTART and told <= note.at < restarts[0]]
    return [*(note for note in led if note not in near), *near]


def of_link(device: DeviceState, interface: str | None, ifindex: int | None, since: float) -> Sequence[Note]:
    """Lines of a device that went down near ``since`` or later, and may be that interface; and that interface itself
    however long ago it went down, while it still is, or was until just now (`lasted`): how soon a peer is missed is a
    setting of the tunnel."""
    line = (interface, ifindex)
    return [
        note
        for note in device.notes
        if note.event == LINK_DOWN
        and may_be(note, line)
        and (note.at >= since - CONTEXT_WINDOW or (is_line(note, line) and lasted(device, note, since)))
    ]


def may_be(note: Note, line: Line) -> bool:
    """Whether nothing says that a note is about another line."""
    return all(None in pair or pair[0] == pair[1] for pair in zip((note.interface, note.ifindex), line, strict=True))


def is_line(note: Note, line: Line) -> bool:
    """Whether a note is certainly about a line."""
    pairs = zip((note.interface, note.ifindex), line, strict=True)
    return any(one is not None and one == other for one, other in pairs)


def still_down(device: DeviceState, note: Note) -> bool:
    """Whether a line that went down has not come up since, as far as the device and its tunnels have told."""
    names = line_names(note.interface, note.ifindex) if note.event == LINK_DOWN else ()
    return bool(names) and all(device.lines_down.get(name) == note.at for name in names)


def came_up(device: DeviceState, note: Note) -> Note | None:
    """That a line which went down is up again, as far as it is remembered."""
    if note.event != LINK_DOWN:
        return None
    line = (note.interface, note.ifindex)
    said = (one for one in device.notes if one.event in (LINK_DOWN, LINK_UP) and one.at > note.at)
    after = next((one for one in said if is_line(one, line)), None)
    return after if after is not None and after.event == LINK_UP else None


def lasted(device: DeviceState, note: Note, since: float) -> bool:
    """Whether a line is down, or was until shortly before ``since`` for so long that it is only now that its peers
    are missed."""
    up = came_up(device, note)
    if up is None:
        return still_down(device, note)
    return up.at >= since - CONTEXT_WINDOW and up.at - note.at >= DPD_TAKES


def line_names(interface: str | None, ifindex: int | None) -> Sequence[str]:
    """What a line may be called in `DeviceState.lines_down`."""
    return [name for name in (interface, None if ifindex is None else numbered(ifindex)) if name]


def by_hand(device: DeviceState, since: float) -> Sequence[Note]:
    """What somebody typed near ``since``."""
    return [note for note in device.notes if note.admin and note.at >= since - CONTEXT_WINDOW]


def reason(*notes: Note) -> Reason:
    """The cause that notes of one event name; several are lines of which each says its interface."""
    first, lines = notes[0], listed(notes)
    if first.event == RESTART and first.admin:
        ordered = _judged(first.text, RESTART, ORDERED, "named by the command that was typed")
        return replace(ordered, actions=(f"No crash to look for: {first.text}; ask what it was for", *ordered.actions))
    means = SHUT if all(note.shut for note in notes) else EXPLANATIONS[first.event]
    named = _judged(first.text, first.event, means, "named by another message of the device")
    if means is SHUT:
        ask = f"No fault of a line to look for: {', '.join(lines)} shut down by command; ask what it was for"
        named = replace(named, actions=(ask, *named.actions))
    if len(lines) == 1:
        return named
    names = ", ".join(lines)
    text = f"{len(lines)} links went down ({names})"
    step = named.actions[0] if means is SHUT else look_at(names)
    return replace(named, text=text, actions=(step, *named.actions[1:]))


def listed(notes: Iterable[Note]) -> Sequence[str]:
    """The lines that notes are about, each once: by its interface, else in the words of its note."""
    return list(dict.fromkeys(note.interface or note.text for note in notes))


def look_at(names: str) -> str:
    """The first step where the lines of those names are down."""
    return f"Look at {names} first: cable, optics, line protocol, errors"


def beneath(note: Note) -> Reason:
    """The guess that what was lost ran over a line."""
    text = f"probably because {note.text}"
    return _judged(text, BENEATH_NAME, BENEATH, "a guess from what came shortly before", "major")


def paced(cause: Reason | None, *, requested: bool) -> Reason:
    """What a steady pace of stops says, in the words of the device as far as it gave any; ``requested`` by the peer."""
    text = f"stops at a steady pace ({cause.text})" if cause is not None and cause.text else "stops at a steady pace"
    found = PACED_BY_PEER if requested else PACED
    return _judged(text, "steady pace", found, "judged from the times of the stops", "warning")


def _judged(text: str, name: str, means: Explanation, source: str, severity: Severity | None = None) -> Reason:
    """A cause that no message gives as one; ``source`` says how we came to it."""
    return Reason(
        text=text,
        name=name,
        known=True,
        category=means.category,
        severity=severity,
        meaning=means.meaning,
        actions=means.actions,
        source=f"eventd: {source}",
    )


#: Name of the cause of what `eventd.correlate.switchover` misses.
LEFT_BEHIND = "not taken over"


def left_behind(taker: str, old: str) -> Reason:
    """Others of its device came up on another one, which has taken them over, and this peer did not."""
    return Reason(
        text=f"not taken over by {taker}",
        name=LEFT_BEHIND,
        known=True,
        category="peer-unreachable",
        severity="major",
        meaning=f"Other peers of {old} came up on {taker} while {old} said nothing; of this one no start is known",
        actions=(
            f"See whether {old} is alive: it has said nothing since before its peers moved",
            f"See whether the tunnel stands on {taker}; if not, compare how both are configured for this peer",
            "Where the units of a pair synchronise their tunnels, look at the state of that",
        ),
        source="eventd: judged from the starts on the other device",
    )


def mixed(cause: Reason, text: str) -> Reason:
    """The commonest (`shared`) of several reasons of peers lost at once, without its code, which is that of one;
    ``text`` says how many gave which."""
    first = [step for step in cause.actions[:1] if step != TOGETHER["failing"]]  # which says that there is one
    name = None if cause.name in EXPLANATIONS else cause.name  # it befell only some of them
    steps = (*first, MIXED_STEP, *(step for step in cause.actions[1:] if step != COME_BACK))
    return replace(cause, text=text, name=name, code=None, gloss=None, meaning=MIXED, actions=steps)


def of_few(cause: Reason) -> Reason:
    """A reason that many gave (`shared`) where few of them are left: what all had in common works again."""
    return replace(cause, actions=tuple(FEW_LEFT if step == ONE_PLACE else step for step in cause.actions))


def shared(cause: Reason, sort: str) -> Reason:
    """A reason that many peers gave: first what they have in common, then its steps as they read for one of them."""
    alike = TOGETHER["failing"] if cause.category in ALIKE else ONE_PLACE
    steps = () if sort == "strangers" else tuple(f"For one of them: {step}" for step in cause.actions[:FOR_ONE])
    return replace(cause, actions=(TOGETHER.get(sort, alike), *steps))
