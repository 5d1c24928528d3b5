"""What near an outage names its cause: a link that went down, a restart, a switch-over."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from eventd.correlate.settings import CONTEXT_WINDOW
from eventd.correlate.state import DeviceState, Note
from eventd.model import Reason


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
            "Leave the single tunnels alone: they come back with the line",
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
OF_DEVICE = ("device.restart", "device.failover")

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
ONE_PLACE = "All of them share one place: look there first (uplink, carrier, power), not at the single tunnels"


def of_device(device: DeviceState, since: float) -> Sequence[Note]:
    """What happened to a whole device near ``since`` or later."""
    return [note for note in device.notes if note.event in OF_DEVICE and note.at >= since - CONTEXT_WINDOW]


def of_link(device: DeviceState, interface: str | None, ifindex: int | None, since: float) -> Sequence[Note]:
    """Lines of a device that went down near ``since`` or later, and may be that interface."""
    pairs = ((note, ((note.interface, interface), (note.ifindex, ifindex))) for note in device.notes)
    return [
        note
        for note, names in pairs
        if note.event == "link.down"
        and note.at >= since - CONTEXT_WINDOW
        and all(one is None or other is None or one == other for one, other in names)
    ]


def by_hand(device: DeviceState, since: float) -> Sequence[Note]:
    """What somebody typed near ``since``."""
    return [note for note in device.notes if note.admin and note.at >= since - CONTEXT_WINDOW]


def reason(note: Note) -> Reason:
    """The cause that a note names."""
    found = EXPLANATIONS[note.event]
    return Reason(
        text=note.text,
        name=note.event,
        known=True,
        category=found.category,
        meaning=found.meaning,
        actions=found.actions,
        source="eventd: named by another message of the device",
    )


def paced(cause: Reason | None) -> Reason:
    """What a steady pace of stops says, in the words of the device as far as it gave any."""
    text = f"stops at a steady pace ({cause.text})" if cause is not None and cause.text else "stops at a steady pace"
    return Reason(
        text=text,
        name="steady pace",
        known=True,
        category=PACED.category,
        severity="warning",
        meaning=PACED.meaning,
        actions=PACED.actions,
        source="eventd: judged from the times of the stops",
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


def shared(cause: Reason, sort: str) -> Reason:
    """A reason that many peers gave: first what they have in common, then its steps as they read for one of them."""
    alike = TOGETHER["failing"] if cause.category in ALIKE else ONE_PLACE
    steps = () if sort == "strangers" else tuple(f"For one of them: {step}" for step in cause.actions[:FOR_ONE])
    return replace(cause, actions=(TOGETHER.get(sort, alike), *steps))
