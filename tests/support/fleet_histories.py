"""Histories of a small network, for hypothesis: a hub with two uplinks and a standby unit, branches that report their
end of the same links, sites that change their address or go from one uplink to the other, a device that tells of each
direction (as H3C's do), one that is watched for silence, strangers; operators who take, clear and silence, planned
work, and a wall clock that is set.

A history is made of *bursts*, each of messages that belong together, so that what only comes of many messages (groups,
flapping, switch-overs, rekeys, stops with their cause beside them) is met often. The order within a burst is that in
which it happened; every device stamps and numbers its logs, and some things are told by an SNMP trap as well.
"""

from datetime import UTC, datetime
from typing import Literal

from correlate_strategies import EPOCH, Story, parse
from hypothesis import strategies as st
from msgspec import Struct

from eventd.contract import Verdict
from eventd.correlate import Correlator, Settings
from eventd.correlate.hush import Maintenance, Silence
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Incident

HUB, SPARE, WATCHED = "Hub", "Spare", "Watched"
HUB_ADDRESS = "198.51.100.1"
BRANCHES = {f"Branch{n}": f"203.0.113.{n}" for n in (1, 2, 3)}
#: The hub's peers that report the other end of the same link.
LINKS = {address: name for name, address in BRANCHES.items()}
UPLINKS = {"GE1": [f"10.0.1.{n}" for n in range(1, 9)], "GE2": [f"10.0.2.{n}" for n in range(1, 5)]}
COMWARE = "Comware"
DIRECTED = [f"10.0.3.{n}" for n in (1, 2, 3)]
REKEYED = [f"10.0.4.{n}" for n in (1, 2)]
#: Addresses of a site that gets another one now and then, and is known again by its flow.
ROAMING = [f"10.0.5.{n}" for n in (1, 2, 3)]
#: A site that has its tunnel over either of two lines of the hub, now and then over both.
MOVING = "10.0.6.1"
LINES = ("interface=GE1 local=198.51.100.1", "interface=GE2 local=198.51.200.1")
STRANGERS = [f"192.0.2.{n}" for n in (11, 12, 13)]

INVENTORIES = (
    Inventory([Device(HUB, (HUB_ADDRESS,)), Device(WATCHED, silent_after=1800.0)]),
    Inventory(
        [Device(HUB, (HUB_ADDRESS,), site="Centre"), Device(WATCHED, silent_after=3600.0)]
        + [Device(name, (address,)) for name, address in BRANCHES.items()],
        [
            Peer(cidr="10.0.1.0/24", trigger="auto"),
            Peer(address="10.0.2.1", trigger="traffic", name="Depot"),
            Peer(address=BRANCHES["Branch1"], mode="site-to-multisite", name="Branch1"),
        ],
    ),
)

Operation = Literal["ack", "give back", "clear", "silence", "unsilence", "set clock"]


class Act(Struct, frozen=True):
    """What an operator does, to the open incident at that place of the list, counted round; or that the wall clock
    is set: by ``lasts`` seconds ahead, or back where ``place`` is odd."""

    what: Operation
    place: int = 0
    lasts: float = 600.0


#: Planned work on one branch, for about as long as a few bursts take.
PLANNED = (
    Maintenance(
        {"device": "Branch2"},
        start=datetime.fromtimestamp(EPOCH + 200, UTC),
        end=datetime.fromtimestamp(EPOCH + 1300, UTC),
    ),
)

#: Seconds since `EPOCH`, and what came (a line of `correlate_strategies` without the time) or was done.
History = list[tuple[float, str | Act]]

_END = st.sampled_from(
    ("stop dpd timeout",) * 4
    + ("stop peer request", "stop config modify or manual offline", "stop phase2 hard expiry", "stop", "stop odd")
)
_FAIL = st.sampled_from(("authentication fail", "max transmit reached", "phase2 proposal or pfs mismatch"))
_GAPS = (20.0, 40.0, 66.0, 100.0, 310.0, 950.0, 4000.0)
#: Gaps after which no timer is about to fire, nor does any window end, nor a hold that began after the gap together
#: with a timer set before it (15 s and 60 s): seconds more or less decide nothing.
CLEAR_GAPS = (50.0, 100.0, 320.0, 950.0, 4000.0)


def _hub(peer: str) -> str:
    place = next((name for name, peers in UPLINKS.items() if peer in peers), "GE1")
    return f"device={HUB} peer={peer} interface={place} local={HUB_ADDRESS} flow=F{peer}"


def _roaming(peer: str) -> str:
    return f"device={HUB} peer={peer} interface=GE2 local={HUB_ADDRESS} flow=10.0.0.0/16,10.9.5.0/24"


def _moving(line: str) -> str:
    return f"device={HUB} peer={MOVING} {line} flow=10.0.0.0/16,10.9.6.0/24"


def _directed(peer: str) -> str:
    return f"device={COMWARE} peer={peer} local=198.51.100.9"


def _branch(name: str) -> str:
    return f"device={name} peer={HUB_ADDRESS} local={BRANCHES[name]} flow=F{name}"


@st.composite
def _places(draw: st.DrawFn) -> list[str]:
    """Ends of tunnels that share something."""
    sort = draw(st.sampled_from(("uplink", "uplink", "uplinks", "branches", "link", "one", "one", "one", "spare")))
    if sort in ("uplink", "uplinks"):
        names = ["GE1", "GE2"] if sort == "uplinks" else [draw(st.sampled_from(sorted(UPLINKS)))]
        peers = [peer for name in names for peer in UPLINKS[name]]
        return [_hub(peer) for peer in draw(st.lists(st.sampled_from(peers), min_size=2, unique=True))]
    if sort == "branches":
        return [_branch(name) for name in draw(st.lists(st.sampled_from(sorted(BRANCHES)), min_size=2, unique=True))]
    if sort == "link":
        name = draw(st.sampled_from(sorted(BRANCHES)))
        return [_hub(BRANCHES[name]), _branch(name)]
    if sort == "spare":
        return [_hub(UPLINKS["GE1"][0]).replace(HUB, SPARE, 1)]
    where = [*map(_branch, BRANCHES), *(_hub(peer) for peers in UPLINKS.values() for peer in peers[:2])]
    return [draw(st.sampled_from([*where, f"device={HUB} peer=none interface=GE1"]))]


#: What happens to a device, and the stops that come of it there.
_WITH_STOPS = (
    ("linkdown interface=GE1", "stop dpd timeout", [_hub(peer) for peer in UPLINKS["GE1"]]),
    ("restart", "stop dpd timeout", [_hub(peer) for peers in UPLINKS.values() for peer in peers]),
    ("failover", "stop peer request", [_hub(peer) for peers in UPLINKS.values() for peer in peers]),
    ("reset", "stop config modify or manual offline", [_hub(peer) for peer in UPLINKS["GE2"]]),
    ("config", "stop odd", [_hub(peer) for peer in UPLINKS["GE2"]]),
)


@st.composite
def _caused(draw: st.DrawFn) -> list[str]:
    what, end, where = draw(st.sampled_from(_WITH_STOPS))
    places = draw(st.lists(st.sampled_from(where), min_size=1, unique=True))
    return [f"{what} device={HUB} peer=none", *(f"{end} {place}" for place in places)]


@st.composite
def _rekey(draw: st.DrawFn) -> list[str]:
    """The old SA of a tunnel ends and the new one begins, in either order. Each tunnel does nothing else: where one was
    down already, there is no old SA that might end."""
    place = draw(st.sampled_from([_hub(peer) for peer in REKEYED]))
    why = draw(st.sampled_from(("phase2 hard expiry", "phase1 sa replace", "kick old sa with same flow")))
    old, new = f"stop {why} {place} tunnel_index=1", f"start {place} tunnel_index=2"
    return draw(st.sampled_from(([old, new], [new, old])))


@st.composite
def _roam(draw: st.DrawFn) -> list[str]:
    """A site is lost at one address, or comes up at one, or both."""
    old, new = draw(st.permutations(ROAMING))[:2]
    stop, start = f"stop dpd timeout {_roaming(old)}", f"start {_roaming(new)}"
    return draw(st.sampled_from(([stop, start], [start, stop], [stop], [start], [start])))


@st.composite
def _move(draw: st.DrawFn) -> list[str]:
    """A site is lost on one line of the hub, or comes up on one, or both."""
    old, new = map(_moving, draw(st.permutations(LINES)))
    why = draw(st.sampled_from(("dpd timeout", "peer request", "phase2 hard expiry", "kick old sa with same flow")))
    stop, start = f"stop {why} {old} tunnel_index=1", f"start {new} tunnel_index=1"
    return draw(st.sampled_from(([stop, start], [start, stop], [stop], [start])))


@st.composite
def _both_ways(draw: st.DrawFn) -> list[str]:
    """Tunnels of a device that tells of each SA, and an SA has one direction."""
    said = draw(st.sampled_from(("stop dpd timeout", "stop dpd timeout", "start")))
    names = draw(st.lists(st.sampled_from(DIRECTED), min_size=1, unique=True))
    return [f"{said} {_directed(name)} protocol=ESP direction={way}" for name in names for way in ("in", "out")]


@st.composite
def _device(draw: st.DrawFn) -> list[str]:
    what = ("restart", "failover", "reset", "config", "heal", "capacity severity=major", "security severity=warning")
    links = ("linkdown interface=GE1", "linkdown interface=GE2", "linkup interface=GE1")
    name = draw(st.sampled_from((HUB, SPARE, WATCHED, COMWARE, *BRANCHES)))
    return [f"{draw(st.sampled_from((*what, *links, 'capacity severity=major state=clear')))} device={name} peer=none"]


@st.composite
def _strange(draw: st.DrawFn) -> list[str]:
    names = draw(st.lists(st.sampled_from(STRANGERS), min_size=1, max_size=4))
    return [f"fail authentication fail device={HUB} peer={name}" for name in names]


_OF_THEIR_OWN = {
    "strange": _strange(),
    "device": _device(),
    "caused": _caused(),
    "rekey": _rekey(),
    "roam": _roam(),
    "roams": _roam(),
    "move": _move(),
    "moves": _move(),
    "both ways": _both_ways(),
}


@st.composite
def _burst(draw: st.DrawFn, plain: bool) -> list[str]:
    """Messages that come within a second or two."""
    sorts = ("stops", "stops", "starts", "starts", "fails", "flap", "signs", *_OF_THEIR_OWN)
    sort = draw(st.sampled_from([name for name in sorts if not plain or name != "flap"]))
    if sort in _OF_THEIR_OWN:
        return draw(_OF_THEIR_OWN[sort])
    places = draw(_places())
    if sort == "flap":
        return [f"{said} {places[0]}" for said in ("start", "stop dpd timeout") * 4]
    if sort == "signs":
        return [f"{draw(st.sampled_from(('phase1', 'success', 'dpd-ok')))} {place}" for place in places]
    said = {"stops": _END, "starts": st.just("start"), "fails": _FAIL.map(lambda text: f"fail {text}")}[sort]
    each = draw(said)
    if plain and sort == "fails":
        places = [place for place in places if "peer=none" not in place] or [_hub(UPLINKS["GE1"][0])]
    return [f"{each} {place}" for place in places]


_ACTS = st.builds(
    Act,
    st.sampled_from(("ack", "give back", "clear", "silence", "unsilence", "set clock")),
    st.integers(0, 5),
    st.sampled_from((50.0, 5000.0)),
)


@st.composite
def histories(
    draw: st.DrawFn,
    most: int = 8,
    operated: bool = True,
    within: float = 2.0,
    gaps: tuple[float, ...] = _GAPS,
    plain: bool = False,
) -> History:
    """Bursts some time apart, the messages of each ``within`` so many seconds; now and then an operator does
    something. It begins with most tunnels up. In a ``plain`` one, no tunnel changes twice in one burst (but for
    rekeys), and every failure names its peer. Of some bursts all is told by traps as well, though not of rekeys in a
    ``plain`` one: a trap does not say when a stop was. What a device says of itself is told in the same ways each time:
    logs and traps name it differently, and only as twins are they known to mean one thing."""
    found: History = []
    at, number = 0.0, 0
    doubled = st.just(draw(st.booleans()))
    up = [_hub(peer) for peers in UPLINKS.values() for peer in peers] + [_hub(a) for a in BRANCHES.values()]
    up += [*map(_directed, DIRECTED), *map(_hub, REKEYED), _roaming(ROAMING[0]), _moving(LINES[0])]
    bursts = [[f"start {where}" for where in [*up, *map(_branch, BRANCHES)]][draw(st.integers(0, 21)) :]]
    bursts += draw(st.lists(_burst(plain), min_size=1, max_size=most))
    for burst in bursts:
        step = within / len(burst)
        twice = draw(st.integers(0, 5)) == 0 and not (plain and "tunnel_index" in burst[0])
        twice = draw(doubled) if burst[0].startswith(("capacity", "security")) else twice
        for line in burst:
            number += 1
            at += step
            said = f"{line} seq={number} stamp={at:.3f}"
            found += [(round(at, 3), each) for each in ((said, by_trap(said)) if twice else (said,))]
        at += draw(st.sampled_from(gaps))
        if operated and draw(st.integers(0, 3)) == 0:
            found.append((at - 1, draw(_ACTS)))
    return found


def play(
    history: History,
    known: Inventory,
    *,
    until: float = 90_000.0,
    ticks: tuple[float, ...] = (),
    restarts: frozenset[int] = frozenset(),
    planned: tuple[Maintenance, ...] = (),
) -> Story:
    """What became of it when it had ended and so many seconds more had passed; ``ticks`` and ``restarts`` as of
    `correlate_strategies.tell`, ``planned`` is maintenance. Times are those of a clock that nobody sets."""
    settings = Settings()
    story = Story(Correlator(settings, known, "https://eventd.example", planned))
    before, clock = 0.0, EPOCH
    for position, (at, said) in enumerate(history):
        for tick in sorted(ticks):
            if before < tick <= at:
                story.take(tick, story.correlator.tick(clock + tick))
        before = at
        if position in restarts:
            assert story.correlator.take_faults() == [], "no rule fails, whatever happens"
            story.correlator = Correlator(settings, known, "https://eventd.example", planned)
            story.correlator.load(story.saved.items())
        if isinstance(said, str):
            story.take(at, story.correlator.apply(parse(f"{at} {said}", position)[1], clock + at))
        else:
            story.take(at, story.correlator.tick(clock + at))
            if said.what == "set clock":
                delta = -said.lasts if said.place % 2 else said.lasts
                clock += delta
                story.take(at, story.correlator.rebase(delta))
            else:
                story.take(at, _operate(story.correlator, said, clock + at))
    story.take(before + until, story.correlator.tick(clock + before + until))
    assert story.correlator.take_faults() == [], "no rule fails, whatever happens"
    return story


def _operate(correlator: Correlator, said: Act, now: float) -> Verdict:
    if said.what == "silence":
        match = ({"device": HUB}, {"kind": "tunnel_down"}, {"peer": "10.0.1.*"})[said.place % 3]
        return correlator.silence(Silence(f"s{said.place % 3}", dict(match), now, now + said.lasts, "ann"), now)
    if said.what == "unsilence":
        return correlator.unsilence(f"s{said.place % 3}", now)
    opened = correlator.open_incidents()
    if not opened:
        return correlator.tick(now)
    ident = opened[said.place % len(opened)].id
    if said.what == "clear":
        return correlator.clear(ident, now, "ann")
    return correlator.ack(ident, "ann" if said.what == "ack" else None, now, note="on it")


def by_trap(line: str) -> str:
    """The same, told by an SNMP trap, which has neither counter nor time."""
    return " ".join(word for word in line.split() if not word.startswith("stamp=")) + " via=snmp"


Outcome = tuple[str, ...]


def outcomes(story: Story) -> list[Outcome]:
    """What every incident came to, without what depends on when a message arrived: kind, device, peer, status,
    severity, name of the cause, where the fault lies, kind of the parent, whether anybody was told, and how often of
    its beginning and its end. Whoever fails to negotiate together with others is as good as they are: the first
    stranger may be told by name before there is a group, whoever that is. What has become another incident is as
    grave as that one, and its fault where that one's is: it may have ended a second before that was known. Of a link
    both ends of which fail to negotiate, the end that tells it is the one whose second failure comes first."""
    told: dict[str, list[str]] = {}
    for _, change in story.changes:
        if change.notify and change.what != "updated":
            told.setdefault(change.incident.id, []).append(change.what)
    return sorted(_outcome(story, incident, told.get(incident.id, [])) for incident in story.final.values())


def _outcome(story: Story, incident: Incident, told: list[str]) -> Outcome:
    parent = story.final.get(incident.parent or "")
    above = parent.kind if parent is not None else ""
    last = story.final.get(incident.continued_by or "", incident)
    device, peer = incident.device, incident.peer or ""
    if incident.kind == "negotiation_failing" and device == HUB and peer in LINKS:
        device, peer = LINKS[peer], HUB_ADDRESS
    return (
        incident.kind,
        device,
        "one of several" if above == "negotiation_failing" or peer in STRANGERS else peer,
        incident.status,
        last.severity,
        (incident.cause.name or incident.cause.text) if incident.cause else "",
        last.fault_side,
        above,
        *(() if peer in STRANGERS and above else told),
    )
