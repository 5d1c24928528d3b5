"""What is remembered, per peer and per device. Plain values only, so that a restart continues from the bytes.

Keys: ``peer|<device>|<vsys>|<address>``, ``device|<name>`` and ``group|<kind>|<device>|<place>``. A message without a
peer address gets ``?<interface>`` in place of the address.

All of it can be written down as a tree, so that it is in no cycle, and the garbage collector need not look at it
(``gc=False``): it would at every change.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, field

from eventd.correlate.settings import MAX_DECISIONS, MAX_FIRST_STEPS, MAX_STEPS, MAX_WITNESSES
from eventd.model import Event, Reason, Severity, Witness

PUBLIC = "public"

FaultSide = Literal["local", "remote", "path", "unknown"]

#: Family and timer of the condition that a line is down which no outage tells of; it is named by that and the line.
LINE = "line"

#: What tells two tunnels of one peer apart. The tunnel index is not in it: it changes with every negotiation.
TUNNEL_FIELDS = ("flow", "interface", "ifindex", "policy", "policy_seq", "rule", "inside", "local")


class Stamp(Struct, frozen=True, array_like=True, gc=False):
    """When a device says it happened: its own clock, then its message counter. Only compared within one device."""

    at: float
    seq: int | None = None

    def before(self, other: "Stamp") -> bool:
        """Whether the device says that this came first; False when it does not say."""
        if self.at != other.at:
            return self.at < other.at
        return self.seq is not None and other.seq is not None and self.seq < other.seq


class Moment(Struct, frozen=True, array_like=True, gc=False):
    """When something arrived, and when the device says it happened."""

    at: float
    stamp: Stamp | None = None


class Tunnel(Struct, omit_defaults=True, gc=False):
    """One tunnel under a peer: what the messages said of it so far, and whether it is up (None = not known).

    ``turns`` are the times of its latest ups and downs, those of rekeys and planned work left out (``nature`` is that
    of its last stop), ``stops`` the latest times it went down. ``before_start`` is what ``up`` was before the last
    start, ``index`` the tunnel index of that start: every negotiation gets another one (``spis``
    are those of the SAs that began with it, where it is SAs that are told of); ``absent`` is for how many
    seconds it was down before it. ``paired``: it and another one were both up for long for the same networks.
    ``port`` is the far one, by which peers behind one address translation differ.
    """

    flow: str | None = None
    interface: str | None = None
    ifindex: int | None = None
    policy: str | None = None
    policy_seq: int | None = None
    rule: int | None = None
    inside: str | None = None
    local: str | None = None
    up: bool | None = None
    since: float = 0.0
    started: Moment | None = None
    stopped: Moment | None = None
    before_start: bool | None = None
    nature: str = "outage"
    turns: list[float] = field(default_factory=list)
    index: int | None = None
    spis: list[str] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    absent: float = 0.0
    paired: bool = False
    port: int | None = None


class Fact(Struct, array_like=True, gc=False):
    """Something that was reported, first ``at`` and last at ``until``, by which ways so far (``way → checksum of the
    bytes``), and whether it is part of the case in hand; of a device, which of its conditions it is about."""

    at: float
    until: float
    event: str
    reason: str | None
    code: int | None
    ident: tuple[str | int | None, ...]
    ways: dict[str, int]
    joined: bool = False
    condition: str = ""


class Step(Struct, array_like=True, gc=False):
    """One line of a chain; ``times`` > 1 when it repeated without anything between, last at ``until``."""

    at: float
    text: str
    times: int = 1
    until: float = 0.0


class Case(Struct, kw_only=True, omit_defaults=True, gc=False):
    """A matter under judgement: held back (``announced`` false) or an open incident.

    ``timers`` maps the names of `eventd.correlate.timers` to Unix seconds. ``nature`` is how the stop reads:
    ``outage``, ``rekey`` or ``expected``. ``stop`` is the reason of the stop, ``cause`` the one that explains most.
    ``awaits`` is a key of `eventd.correlate.phrases.AWAITS`; conditions of a device keep their headline there.
    ``far`` is the reason that the other end of the link gave; ``side`` is where the fault lies, where something other
    than the reasons says so. ``group`` is the key of the group that tells it, ``parent`` that group's incident.
    ``children`` are the incidents that a group has told, the latest `MAX_CHILDREN` of them; its ``fallen`` are the
    peers that had fallen when it was last told. ``hushed``: something was kept from being told that is to be told when
    that ends. ``hint`` is a step that something near it suggests; ``beside``: while another tunnel worked; ``pace`` is
    the steady distance of its stops in seconds. ``missing`` is how many children of a group, or tunnels of a peer, are
    not back, ``flaps`` how many more flap and are up right now, ``names`` those of its first peers, ``taker`` the
    device that has taken over ``moved`` of them. ``far_device`` is the other end, where it told its side; ``says``
    another device that gave the cause; ``hush`` what kept it untold; ``probe``: only a probe says that it is down.
    ``told``: somebody was notified of it. ``idle``: its stops say no more than that the SA of a peer ran out that waits
    for traffic. ``given``: what a message had in place of the peer's address, and is none. ``rest``: why those of a
    group that are left are missing, where that is another reason; ``lines_up``: which of the lines that its chain names
    are up again, and since when. ``due``: when its hold was over, while it waits whether others stay down with it.
    ``back_by``: until when a peer is awaited whose device has restarted; 0 where its device did not. ``of``: how many
    peers the device of a group had that has restarted. ``over``: the other line that it came back over. ``unproven``:
    nothing has shown since that the tunnels which are left work. ``which`` are those that are out. ``then``: the lines
    over which it was lost after that of its interface. ``cut``: how many of those of a group that are missing have no
    tunnel left, as counted last. ``knew``: the cause before its latest stop.
    """

    device: str
    vsys: str
    peer: str | None
    since: float
    family: str
    nature: str = "outage"
    kind: str = ""
    announced: bool = False
    severity: Severity = "major"
    opened_severity: Severity = "major"
    worst_severity: Severity = "info"
    stop: Reason | None = None
    cause: Reason | None = None
    count: int = 0
    failures: int = 0
    fallen: int = 0
    proofs: int = 0
    interface: str | None = None
    ifindex: int | None = None
    policy: str | None = None
    policy_seq: int | None = None
    site: str | None = None
    steps: list[Step] = field(default_factory=list)
    left_out: int = 0
    witnesses: list[Witness] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)
    grow_since: float = 0.0
    waited: float = 0.0
    awaits: str = ""
    escalate_to: Severity = "major"
    weak: bool = False
    stranger: bool = False
    stale: bool = False
    ending: str = ""
    heir: str = ""
    updated_at: float = 0.0
    resolved_at: float | None = None
    acked_by: str | None = None
    far: Reason | None = None
    side: FaultSide | None = None
    group: str = ""
    parent: str = ""
    children: list[str] = field(default_factory=list)
    told: bool = True
    hushed: bool = False
    hint: str = ""
    beside: bool = False
    heir_id: str = ""
    pace: float = 0.0
    missing: int = 0
    flaps: int = 0
    names: list[str] = field(default_factory=list)
    taker: str = ""
    moved: int = 0
    far_device: str = ""
    says: str = ""
    probe: bool = False
    hush: str = ""
    acked_note: str = ""
    acked_until: float | None = None
    idle: bool = False
    given: str = ""
    rest: Reason | None = None
    lines_up: dict[str, float] = field(default_factory=dict)
    back_by: float = 0.0
    of: int = 0
    over: str = ""
    due: float = 0.0
    unproven: bool = False
    which: str = ""
    then: str = ""
    cut: int = 0
    knew: Reason | None = None

    @property
    def waits_idle(self) -> bool:
        """Whether it is nothing but a tunnel that waits for traffic, as far as is known by now."""
        return self.idle and not self.announced and not self.failures

    @property
    def growing(self) -> bool:
        """Whether it is told, and a stop since then is held back that may make an outage of it."""
        return "grow" in self.timers

    @property
    def lost(self) -> int:
        """How many peers an outage of many has taken, those included whose own hold is not over."""
        return max(self.count, self.fallen)

    @property
    def away(self) -> int:
        """How many of those are not back: children, and those whose own hold is not over."""
        return self.missing + self.lost - self.count

    @property
    def is_reached(self) -> bool:
        """Whether all that are missing are known to have a tunnel left that works."""
        return self.family == "group" and self.beside and not self.unproven

    @property
    def fell(self) -> float | None:
        """When the outage began that it is, or may become, or the latest one of what flaps; None where none of its
        tunnels stopped."""
        if self.growing or self.kind == "flapping":
            return self.grow_since or self.since  # earlier versions did not keep it of what flaps
        return self.since if self.family == "tunnel" and not self.waits_idle else None

    @property
    def began(self) -> float:
        """When what it is about began: the loss, else the case itself."""
        return self.since if self.fell is None else self.fell

    def step(self, at: float, text: str) -> None:
        """Add a line to the chain, in order of time; a repetition of the latest line is counted on it."""
        place = len(self.steps)
        while place and self.steps[place - 1].at > at:
            place -= 1
        if place and self.steps[place - 1].text == text:
            last = self.steps[place - 1]
            last.times, last.until = last.times + 1, max(at, last.until)
            return
        self.steps.insert(place, Step(at, text, 1, at))
        if len(self.steps) > MAX_STEPS:
            del self.steps[MAX_FIRST_STEPS]
            self.left_out += 1

    def witness(self, event: Event) -> bool:
        """Note who reported; True when that is new."""
        self.proofs += 1
        return self.add_witness(Witness(event.transport, event.device))

    def add_witness(self, witness: Witness) -> bool:
        """Add one; True when it is new and there is room."""
        if witness in self.witnesses or len(self.witnesses) >= MAX_WITNESSES:
            return False
        self.witnesses.append(witness)
        return True

    def sooner(self, timer: str, at: float) -> None:
        """Set a timer, or bring it forward."""
        self.timers[timer] = min(at, self.timers.get(timer, at))


class Decision(Struct, array_like=True, gc=False):
    """Something that was judged and led to no incident: by which rule, and why; ``times`` > 1 when it repeated, last
    at ``until``."""

    at: float
    rule: str
    why: str
    times: int = 1
    until: float = 0.0


def decide(decisions: list[Decision], at: float, rule: str, why: str) -> None:
    """Add a decision; a repetition of the latest is counted on it."""
    if decisions and (decisions[-1].rule, decisions[-1].why) == (rule, why):
        last = decisions[-1]
        last.times, last.until = last.times + 1, at
        return
    decisions.append(Decision(at, rule, why, 1, at))
    del decisions[:-MAX_DECISIONS]


class PeerState(Struct, kw_only=True, omit_defaults=True, gc=False):
    """All that is known of one peer of one device. ``linked`` is the key of the peer at the other end of the link,
    while that one's case tells the matter of this one, too, which began at ``fell``; ``counted`` is the parent incident
    that has counted it. ``guessed``: which address is the peer's and which the device's own is a guess
    (`eventd.contract.BY_ORDER`). ``told_with`` is the parent incident that has told it while its own hold was running.
    ``last_severity`` is how grave its latest incident was that is over, and
    ``last_ended`` when it ended. ``same`` is for what is saved (`eventd.correlate.packing`)."""

    key: str = ""
    linked: str = ""
    counted: str = ""
    told_with: str = ""
    guessed: bool = False
    fell: float = 0.0
    device: str
    vsys: str
    peer: str | None
    heard_at: float
    since: float
    up: bool | None = None
    state_changes: int = 0
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    tunnels_up: int = 0
    tunnels_down: int = 0
    facts: list[Fact] = field(default_factory=list)
    last_stop: Reason | None = None
    started: Moment | None = None
    replaced_at: float | None = None
    replaced: Reason | None = None
    last_severity: Severity = "info"
    last_ended: float = 0.0
    case: Case | None = None
    decisions: list[Decision] = field(default_factory=list)
    same: tuple[str, ...] = ()

    def cases(self) -> Iterator[Case]:
        """The matter in hand, if any."""
        if self.case is not None:
            yield self.case

    def close(self, case: Case) -> None:
        """Forget a matter that is over."""
        if self.case is case:
            self.case = None


class Note(Struct, frozen=True, array_like=True, gc=False):
    """Something that happened on a device and may explain a stop near it. ``admin``: how surely a person did it
    (2 = said so, 1 = may have). ``event`` is the event's name. ``shut``: it is a line that somebody has shut down."""

    at: float
    text: str
    vsys: str | None = None
    interface: str | None = None
    ifindex: int | None = None
    peer: str | None = None
    admin: int = 0
    event: str = ""
    shut: bool = False


class Move(Struct, frozen=True, array_like=True, gc=False):
    """A peer of one device came up on another one, ``device``."""

    at: float
    device: str
    peer: str


class DeviceState(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is known of one device beyond its peers. ``also`` has further names of its conditions: a log and a trap
    about one thing name it differently. ``moves`` are the latest of its peers that came up elsewhere.
    ``restarted`` is when it said first that it had restarted, the latest time; ``restart_shown`` when something other
    than its SNMP agent last showed that it does."""

    device: str
    heard_at: float
    notes: list[Note] = field(default_factory=list)
    heals: list[float] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    conditions: dict[str, Case] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)
    lines_down: dict[str, float] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    restarted: float = 0.0
    restart_shown: float = 0.0

    def cases(self) -> Iterator[Case]:
        """Conditions open on the device."""
        yield from self.conditions.values()

    def close(self, case: Case) -> None:
        """Forget a condition that is over."""
        for name, known in self.conditions.items():
            if known is case:
                del self.conditions[name]
                return


class GroupState(Struct, kw_only=True, gc=False):
    """An outage of many peers with one cause: all on an interface or a device, or one peer that many devices lost.

    ``place`` is the interface or the peer address, ``joined_at`` when the latest of them began, ``back`` how many have
    come back since anybody was told, ``missing_told`` how many had not when that was last told; ``tallied`` the same
    where it was told while they were still coming back; ``left_told`` how many were missing by what was told
    last, its opening included; who flaps and is up is not. ``told_at`` is when the number was last told again,
    ``taken`` are the interfaces of the outages that it has taken over.
    """

    kind: str
    device: str
    place: str
    heard_at: float
    joined_at: float
    case: Case | None
    back: int = 0
    missing_told: int = 0
    tallied: int = 0
    left_told: int = 0
    told_at: float = 0.0
    taken: list[str] = field(default_factory=list)

    def cases(self) -> Iterator[Case]:
        """The parent incident."""
        if self.case is not None:
            yield self.case

    def close(self, case: Case) -> None:
        """It is over."""
        if self.case is case:
            self.case = None


State = PeerState | DeviceState | GroupState


#: An interface of which only the number is known.
UNNAMED = "interface "


def numbered(ifindex: int) -> str:
    """What an interface is called whose name no message says."""
    return f"{UNNAMED}{ifindex}"


def vsys_of(event: Event) -> str:
    """The virtual system; not said means the public one, and devices spell that one ``Public`` or ``public``."""
    vsys = event.vsys
    return PUBLIC if not vsys or vsys.casefold() == PUBLIC else vsys


def peer_key(event: Event) -> str:
    """Key of the peer that an event is about."""
    if event.peer:
        return f"peer|{event.device}|{vsys_of(event)}|{event.peer}"
    return nameless_key(event, event.interface or event.ifindex or event.policy)


def nameless_key(event: Event, place: str | int | None) -> str:
    """Key of the peer without a name at an interface or policy of the device of ``event``."""
    return f"peer|{event.device}|{vsys_of(event)}|?{place or ''}"


def device_key(device: str) -> str:
    """Key of a device."""
    return f"device|{device}"


def stamp(event: Event) -> Stamp | None:
    """When an event happened, by its device's own clock; traps do not say."""
    return None if event.device_time is None else Stamp(event.device_time.timestamp(), event.header.seq)


def moment(event: Event, now: float) -> Moment:
    """When an event arrived and happened."""
    return Moment(now, stamp(event))
