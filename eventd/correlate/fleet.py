"""Everything that is remembered, and how to find it: peers, devices and groups by key, and what connects them.

The tables are bounded; who was heard of least recently and has nothing open makes room, and whoever drives them hears
of it through ``gone``. The indexes hold nothing of their own: they are made anew from the states on every start.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from eventd.contract import BY_ORDER, ENDS
from eventd.correlate.indexes import (
    ENDING,
    NOTHING,
    NOWHERE,
    Seen,
    Sets,
    Shelf,
    Shelves,
    Standing,
    seen,
    shelves_at,
    sign,
    standing,
    traits,
)
from eventd.correlate.settings import EVICT_SCAN, MAX_DEVICES, MAX_PEERS, MAX_UNITS
from eventd.correlate.state import (
    PUBLIC,
    Case,
    Decision,
    DeviceState,
    GroupState,
    PeerState,
    State,
    device_key,
    nameless_key,
    peer_key,
    vsys_of,
)
from eventd.inventory import Inventory
from eventd.model import Event

#: The event of a pair of devices that switches over.
FAILOVER = "device.failover"


class Fleet:
    """The states under their keys. ``gone`` is called with the key of each that was forgotten to make room."""

    def __init__(self, inventory: Inventory, gone: Callable[[str], None]) -> None:
        self.inventory = inventory
        self._gone = gone
        #: Least recently heard first.
        self.peers: OrderedDict[str, PeerState] = OrderedDict()
        self.devices: OrderedDict[str, DeviceState] = OrderedDict()
        self.groups: dict[str, GroupState] = {}
        #: When each device spoke last, Unix seconds; least recently first.
        self.heard: OrderedDict[str, float] = OrderedDict()
        #: Peers of a device that have a case, and all of them.
        self._busy, self._of_device = Sets[str](), Sets[str]()
        #: Peers with that address, whatever device reports them; those of one device.
        self._by_address, self._between = Sets[str](), Sets[tuple[str, str]]()
        #: Peers by what their tunnels say, and what that is.
        self._traits = Sets[Shelf]()
        self._seen: dict[str, Seen] = {}
        #: The devices with tunnels that end at an address, and the other way round.
        self._owners, self._owned = Sets[str](), Sets[str]()
        #: Peers whose matter is told by a group, and those told by the other end, under the key of that.
        self._members, self._echoes = Sets[str](), Sets[str]()
        #: Those of a group that flap and are up right now.
        self._swinging = Sets[str]()
        #: Peers with a case by what it has in common with others.
        self._shelves = Shelves[Shelf]()
        #: Where a peer with a case, or one told by the other end, stands in the indexes of cases.
        self._standing: dict[str, Standing] = {}
        self._groups_of = Sets[str]()
        #: Devices that have a note of a switch-over.
        self._switched: set[str] = set()
        #: Keys of the states with an open incident.
        self._announced: dict[str, None] = {}

    # --- states under keys ----------------------------------------------------------------------------------------

    def find(self, key: str) -> State | None:
        """The state under a key."""
        return self.peers.get(key) or self.devices.get(key) or self.groups.get(key)

    def states(self) -> Iterator[tuple[str, State]]:
        """Every state with its key."""
        for table in (self.peers, self.devices, self.groups):
            yield from table.items()

    def announced(self) -> Iterator[tuple[str, State, Case]]:
        """Every open incident with the state it belongs to."""
        for key in list(self._announced):
            state = self.find(key)
            for case in state.cases() if state is not None else ():
                if case.announced and state is not None:
                    yield key, state, case

    def put(self, key: str, state: State) -> None:
        """Add a state that was loaded."""
        if isinstance(state, PeerState):
            self._add_peer(key, state)
        elif isinstance(state, DeviceState):
            self.devices[key] = state
        else:
            self.add_group(key, state)
        self.index(key, state)

    def peer(self, event: Event, now: float, key: str | None = None) -> tuple[str, PeerState | None]:
        """The peer an event is about, made if it is new; None where there is no room for another."""
        key = key or peer_key(event)
        state = self.peers.get(key)
        if state is None:
            if len(self.peers) >= MAX_PEERS and not self._evict_peer():
                return key, None
            guessed = event.extra.get(ENDS) == BY_ORDER
            state = PeerState(
                key=key,
                device=event.device,
                vsys=vsys_of(event),
                peer=event.peer,
                heard_at=now,
                since=now,
                guessed=guessed,
            )
            self._add_peer(key, state)
        else:
            self.peers.move_to_end(key)
        return key, state

    def device(self, name: str, now: float) -> tuple[str, DeviceState | None]:
        """A device, made if it is new; None where there is no room for another. It may be another one that tells of it:
        that does not mean that it has spoken."""
        key = device_key(name)
        state = self.devices.get(key)
        if state is not None:
            self.devices.move_to_end(key)
        elif len(self.devices) < MAX_DEVICES or self._evict_device():
            state = self.devices[key] = DeviceState(device=name, heard_at=self.heard.get(name, now))
        return key, state

    def context(self, name: str, now: float) -> DeviceState:
        """What is known of a device; an empty one where that is nothing."""
        return self.devices.get(device_key(name)) or DeviceState(device=name, heard_at=now)

    def decisions(self, device: str, vsys: str, peer: str, interface: str) -> Sequence[Decision]:
        """What was decided of a peer, the one without an address at that interface, or else of the device; the latest
        of it, oldest first. "" for what an incident does not have."""
        key = f"peer|{device}|{vsys or PUBLIC}|{peer or f'?{interface}'}"
        state = self.peers.get(key) or self.devices.get(device_key(device))
        return () if state is None else state.decisions

    def add_group(self, key: str, group: GroupState) -> None:
        """Have a new group."""
        self.groups[key] = group
        self._groups_of.add(group.device, key)

    def drop_group(self, key: str) -> None:
        """Forget a group that is over."""
        group = self.groups.pop(key, None)
        if group is not None:
            self._groups_of.discard(group.device, key)
        self._gone(key)

    def hear(self, device: str, now: float) -> None:
        """Note when a device spoke. At the limit another one is forgotten: invented names must not shut out a real
        device for ever."""
        if device not in self.heard and len(self.heard) >= MAX_DEVICES:
            oldest = list(islice(self.heard, EVICT_SCAN))
            del self.heard[next((name for name in oldest if not self._has_case(name)), oldest[0])]
        self.heard[device] = now
        self.heard.move_to_end(device)

    # --- what connects them ---------------------------------------------------------------------------------------

    def index(self, key: str, state: State) -> str:
        """Bring the indexes up to date after anything touched a state. The key of the group it has left, or ""."""
        if isinstance(state, DeviceState):
            self._note_told(key, told=any(case.announced for case in state.cases()))
            if any(note.event == FAILOVER for note in state.notes):
                self._switched.add(state.device)
            else:
                self._switched.discard(state.device)
            return ""
        self._note_told(key, told=state.case is not None and state.case.announced)
        return self._stand(key, state) if isinstance(state, PeerState) else ""

    def _note_told(self, key: str, *, told: bool) -> None:
        if told:
            self._announced[key] = None
        else:
            self._announced.pop(key, None)

    def _stand(self, key: str, peer: PeerState) -> str:
        self._see(key, peer)
        before, found = self._standing.get(key, NOWHERE), sign(peer)
        if found == before.sign:
            return ""
        now = standing(peer, found, before)
        self._move(key, peer, before, now)
        return before.group if before.group != now.group else ""

    def _see(self, key: str, peer: PeerState) -> None:
        now, before = seen(peer), self._seen.get(key, NOTHING)
        if now == before:
            return
        lost = set(traits(peer, before - now))  # mostly none: looked at is what has changed, of however many tunnels
        if lost:
            lost.difference_update(traits(peer, now))
        for trait in traits(peer, now - before):
            self._traits.add(trait, key)
            if trait[0] == ENDING:
                self._owners.add(str(trait[2]), peer.device)
                self._owned.add(peer.device, str(trait[2]))
        for trait in lost:
            self._traits.discard(trait, key)
            if trait[0] == ENDING and not self._traits.at(trait):
                self._owners.discard(str(trait[2]), peer.device)
                self._owned.discard(peer.device, str(trait[2]))
        self._seen[key] = now

    def _move(self, key: str, peer: PeerState, before: Standing, now: Standing) -> None:
        for was, is_now in ((before.shelves, now.shelves), (before.places, now.places)):
            if was != is_now:
                self._shelves.move(key, was, is_now)
        for table, old, new in (
            (self._busy, peer.device if before.busy else "", peer.device if now.busy else ""),
            (self._members, before.group, now.group),
            (self._swinging, before.swings, now.swings),
            (self._echoes, before.linked, now.linked),
        ):
            if old != new:
                if old:
                    table.discard(old, key)
                if new:
                    table.add(new, key)
        if now is NOWHERE:
            del self._standing[key]
        else:
            self._standing[key] = now

    def busy(self, device: str) -> Iterator[tuple[str, PeerState]]:
        """Peers of a device that have a case, in a fixed order."""
        return self._all(self._busy.at(device))

    def near(self, shelf: Shelf, since: float, window: float) -> Iterator[tuple[str, PeerState]]:
        """Peers on a shelf whose case began within ``window`` seconds of ``since``, in a fixed order."""
        return ((key, self.peers[key]) for key in self._shelves.near(shelf, since, window))

    def count_near(self, shelf: Shelf, since: float, window: float) -> int:
        """How many they are."""
        return self._shelves.count(shelf, since, window)

    def on(self, shelf: Shelf) -> Sequence[tuple[str, PeerState]]:
        """All peers on a shelf, the case that began first in front."""
        return [(key, self.peers[key]) for _, key in self._shelves.oldest_first(shelf)]

    def in_place_of(self, event: Event) -> Iterator[Iterator[tuple[str, PeerState]]]:
        """Peers of a device whose case may be in the place of an event, in runs that each begin with the oldest."""
        for shelves in shelves_at(event):
            shortest = min((self._shelves.oldest_first(shelf) for shelf in shelves), key=len)
            yield ((key, self.peers[key]) for _, key in shortest)

    def of_device(self, device: str) -> Iterator[tuple[str, PeerState]]:
        """All peers of a device."""
        return self._all(self._of_device.at(device))

    def by_address(self, address: str) -> Iterator[tuple[str, PeerState]]:
        """The peers with that address, of whatever device."""
        return self._all(self._by_address.at(address))

    def count_sharing(self, address: str) -> int:
        """How many devices' peers have that address."""
        return len(self._by_address.at(address))

    def shared(self, address: str) -> Sequence[PeerState]:
        """The peers with that address, if so few devices have them that two may be a pair."""
        keys = self._by_address.at(address)
        return [self.peers[key] for key in sorted(keys)] if 1 < len(keys) <= MAX_UNITS else ()

    def is_alone(self, peer: PeerState) -> bool:
        """Whether nobody else has its address."""
        return peer.peer is None or len(self._by_address.at(peer.peer)) < 2

    def between(self, device: str, address: str) -> Iterator[tuple[str, PeerState]]:
        """The peers of one device with that address, of whatever vsys."""
        return self._all(self._between.at((device, address)))

    def with_trait(self, trait: Shelf) -> Iterator[tuple[str, PeerState]]:
        """The peers whose tunnels say that (`eventd.correlate.indexes`)."""
        return self._all(self._traits.at(trait))

    def count_with(self, trait: Shelf) -> int:
        """How many they are."""
        return len(self._traits.at(trait))

    def count_others(self, trait: Shelf, key: str) -> int:
        """How many they are besides the one of that key."""
        keys = self._traits.at(trait)
        return len(keys) - (key in keys)

    def groups_of(self, device: str) -> Iterator[tuple[str, GroupState]]:
        """The groups of a device."""
        return ((key, self.groups[key]) for key in sorted(self._groups_of.at(device)))

    def has_groups(self, device: str) -> bool:
        """Whether there are any."""
        return bool(self._groups_of.at(device))

    def switched(self) -> Iterator[str]:
        """The devices that said lately that they had switched over."""
        return iter(sorted(self._switched))

    def members(self, group: str) -> Iterator[tuple[str, PeerState]]:
        """The peers whose matters are open and told by a group."""
        return self._all(self._members.at(group))

    def is_member(self, group: str, key: str) -> bool:
        """Whether that peer's matter is open and told by a group."""
        return key in self._members.at(group)

    def member_count(self, group: str) -> int:
        """How many they are."""
        return len(self._members.at(group))

    def swinging_count(self, group: str) -> int:
        """How many of them flap, and are up right now: nobody misses them."""
        return len(self._swinging.at(group))

    def is_swinging(self, group: str, key: str) -> bool:
        """Whether that peer is one of those."""
        return key in self._swinging.at(group)

    def echoes(self, key: str) -> Iterator[tuple[str, PeerState]]:
        """The far ends of a peer's link whose matter is told by that peer's case."""
        return self._all(self._echoes.at(key))

    def owner(self, address: str | None) -> str | None:
        """The device that an address belongs to: by the inventory, else the only one that used it as its own."""
        if address is None:
            return None
        listed = self.inventory.device_at(address)
        if listed is not None:
            return listed
        owners = self._owners.at(address)
        return next(iter(owners)) if len(owners) == 1 else None

    def ends_at(self, address: str | None) -> Sequence[str]:
        """The devices that may be the far end at an address: its owner, else all that used it as their own."""
        if address is None:
            return ()
        listed = self.inventory.device_at(address)
        return sorted(self._owners.at(address)) if listed is None else [listed]

    def used(self, device: str) -> Sequence[str]:
        """The addresses that a device used as its own ends of tunnels, in a fixed order."""
        return sorted(self._owned.at(device))

    def addresses(self, device: str) -> Sequence[str]:
        """The addresses of a device, listed and learned, in a fixed order."""
        return sorted({*self.inventory.addresses(device), *self._owned.at(device)})

    # --- room -----------------------------------------------------------------------------------------------------

    def _all(self, keys: Iterable[str]) -> Iterator[tuple[str, PeerState]]:
        for key in sorted(keys):
            yield key, self.peers[key]

    def _add_peer(self, key: str, state: PeerState) -> None:
        self.peers[key] = state
        self._of_device.add(state.device, key)
        if state.peer is not None:
            self._by_address.add(state.peer, key)
            self._between.add((state.device, state.peer), key)

    def _has_case(self, device: str) -> bool:
        state = self.devices.get(device_key(device))
        return bool(self._busy.at(device)) or (state is not None and bool(state.conditions))

    def _evict_device(self) -> bool:
        """Forget the device not heard of for longest that has nothing open."""
        oldest = islice(self.devices.items(), EVICT_SCAN)
        key = next((key for key, state in oldest if not state.conditions), None)
        if key is None:
            return False
        self._switched.discard(self.devices.pop(key).device)
        self._announced.pop(key, None)
        self._gone(key)
        return True

    def _evict_peer(self) -> bool:
        """Forget the peer not heard of for longest: one without a case, else one whose case nobody was told of."""
        oldest = list(islice(self.peers.items(), EVICT_SCAN))
        idle = (key for key, state in oldest if state.case is None)
        untold = (
            key
            for key, state in oldest
            if state.case is not None and not state.case.announced and not self._echoes.at(key)
        )
        key = next(idle, None) or next(untold, None)
        if key is None:
            return False
        state = self.peers.pop(key)
        state.case, state.linked = None, ""
        state.tunnels.clear()
        self.index(key, state)
        self._seen.pop(key, None)
        self._of_device.discard(state.device, key)
        if state.peer is not None:
            self._by_address.discard(state.peer, key)
            self._between.discard((state.device, state.peer), key)
        self._gone(key)
        return True


def nameless(fleet: Fleet, event: Event) -> Iterator[tuple[str, PeerState]]:
    """The peers without a name at the interface or policy of an event that names its own."""
    for place in (event.interface, event.ifindex, event.policy):
        key = nameless_key(event, place)
        if place is not None and (state := fleet.peers.get(key)) is not None:
            yield key, state
