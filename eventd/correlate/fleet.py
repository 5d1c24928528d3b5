"""Everything that is remembered, and how to find it: peers, devices and groups by key, and what connects them.

The tables are bounded; who was heard of least recently and has nothing open makes room, and whoever drives them hears
of it through ``gone``. The indexes hold nothing of their own: they are made anew from the states on every start.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from eventd.correlate.settings import EVICT_SCAN, MAX_DEVICES, MAX_PEERS
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
        #: Keys of the peers of a device that have a case.
        self._busy: dict[str, set[str]] = {}
        self._of_device: dict[str, set[str]] = {}
        #: Keys of the peers with that address, whatever device reports them.
        self._by_address: dict[str, set[str]] = {}
        #: The devices that used an address as their own, and the other way round.
        self._owners: dict[str, set[str]] = {}
        self._owned: dict[str, set[str]] = {}
        #: Keys of the peers whose matter is told by a group, and those told by the other end, under the key of that.
        self._members: dict[str, set[str]] = {}
        self._echoes: dict[str, set[str]] = {}
        #: Where a peer stands in the two indexes above.
        self._places: dict[str, tuple[str, str]] = {}

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
        for key, state in self.states():
            for case in state.cases():
                if case.announced:
                    yield key, state, case

    def put(self, key: str, state: State) -> None:
        """Add a state that was loaded."""
        if isinstance(state, PeerState):
            self._add_peer(key, state)
            for tunnel in state.tunnels.values():
                self.own(state.device, tunnel.local)
        elif isinstance(state, DeviceState):
            self.devices[key] = state
        else:
            self.groups[key] = state
        self.index(key, state)

    def peer(self, event: Event, now: float, key: str | None = None) -> tuple[str, PeerState | None]:
        """The peer an event is about, made if it is new; None where there is no room for another."""
        key = key or peer_key(event)
        state = self.peers.get(key)
        if state is None:
            if len(self.peers) >= MAX_PEERS and not self._evict_peer():
                return key, None
            state = PeerState(
                key=key, device=event.device, vsys=vsys_of(event), peer=event.peer, heard_at=now, since=now
            )
            self._add_peer(key, state)
        else:
            self.peers.move_to_end(key)
        self.own(event.device, event.local)
        return key, state

    def device(self, name: str, now: float) -> tuple[str, DeviceState | None]:
        """A device, made if it is new; None where there is no room for another."""
        key = device_key(name)
        state = self.devices.get(key)
        if state is not None:
            self.devices.move_to_end(key)
        elif len(self.devices) < MAX_DEVICES or self._evict_device():
            state = self.devices[key] = DeviceState(device=name, heard_at=now)
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

    def drop_group(self, key: str) -> None:
        """Forget a group that is over."""
        self.groups.pop(key, None)
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
        if not isinstance(state, PeerState):
            return ""
        _move(self._busy, state.device, key, present=state.case is not None)
        place = (state.case.group if state.case else "", state.linked)
        before = self._places.get(key, ("", ""))
        if place == before:
            return ""
        for table, old, new in zip((self._members, self._echoes), before, place, strict=True):
            if old != new:
                _move(table, old, key, present=False)
            if new:
                _move(table, new, key, present=True)
        self._places[key] = place
        return before[0] if before[0] != place[0] else ""

    def busy(self, device: str) -> Iterator[tuple[str, PeerState]]:
        """Peers of a device that have a case, in a fixed order."""
        return self._all(self._busy.get(device, ()))

    def of_device(self, device: str) -> Iterator[tuple[str, PeerState]]:
        """All peers of a device."""
        return self._all(self._of_device.get(device, ()))

    def by_address(self, address: str) -> Iterator[tuple[str, PeerState]]:
        """The peers with that address, of whatever device."""
        return self._all(self._by_address.get(address, ()))

    def members(self, group: str) -> Iterator[tuple[str, PeerState]]:
        """The peers whose matters are open and told by a group."""
        return self._all(self._members.get(group, ()))

    def member_count(self, group: str) -> int:
        """How many they are."""
        return len(self._members.get(group, ()))

    def echoes(self, key: str) -> Iterator[tuple[str, PeerState]]:
        """The far ends of a peer's link whose matter is told by that peer's case."""
        return self._all(self._echoes.get(key, ()))

    def own(self, device: str, address: str | None) -> None:
        """Note that a device used an address as its own end of a tunnel."""
        if address:
            self._owners.setdefault(address, set()).add(device)
            self._owned.setdefault(device, set()).add(address)

    def owner(self, address: str | None) -> str | None:
        """The device that an address belongs to: by the inventory, else the only one that used it as its own."""
        if address is None:
            return None
        listed = self.inventory.device_at(address)
        if listed is not None:
            return listed
        owners = self._owners.get(address, ())
        return next(iter(owners)) if len(owners) == 1 else None

    def addresses(self, device: str) -> Sequence[str]:
        """The addresses of a device, listed and learned, in a fixed order."""
        return sorted({*self.inventory.addresses(device), *self._owned.get(device, ())})

    # --- room -----------------------------------------------------------------------------------------------------

    def _all(self, keys: Iterable[str]) -> Iterator[tuple[str, PeerState]]:
        for key in sorted(keys):
            yield key, self.peers[key]

    def _add_peer(self, key: str, state: PeerState) -> None:
        self.peers[key] = state
        _move(self._of_device, state.device, key, present=True)
        if state.peer is not None:
            _move(self._by_address, state.peer, key, present=True)

    def _has_case(self, device: str) -> bool:
        state = self.devices.get(device_key(device))
        return device in self._busy or (state is not None and bool(state.conditions))

    def _evict_device(self) -> bool:
        """Forget the device not heard of for longest that has nothing open."""
        oldest = islice(self.devices.items(), EVICT_SCAN)
        key = next((key for key, state in oldest if not state.conditions), None)
        if key is None:
            return False
        del self.devices[key]
        self._gone(key)
        return True

    def _evict_peer(self) -> bool:
        """Forget the peer not heard of for longest: one without a case, else one whose case nobody was told of."""
        oldest = list(islice(self.peers.items(), EVICT_SCAN))
        idle = (key for key, state in oldest if state.case is None)
        untold = (key for key, state in oldest if state.case is not None and not state.case.announced)
        key = next(idle, None) or next(untold, None)
        if key is None:
            return False
        state = self.peers.pop(key)
        state.case, state.linked = None, ""
        self.index(key, state)
        self._places.pop(key, None)
        _move(self._of_device, state.device, key, present=False)
        if state.peer is not None:
            _move(self._by_address, state.peer, key, present=False)
        self._gone(key)
        return True


def nameless(fleet: Fleet, event: Event) -> Iterator[tuple[str, PeerState]]:
    """The peers without a name at the interface or policy of an event that names its own."""
    for place in (event.interface, event.ifindex, event.policy):
        key = nameless_key(event, place)
        if place is not None and (state := fleet.peers.get(key)) is not None:
            yield key, state


def _move(table: dict[str, set[str]], place: str, key: str, *, present: bool) -> None:
    """Have ``key`` under ``place`` or not; a place that nobody is left in goes."""
    if present:
        table.setdefault(place, set()).add(key)
    elif place in table:
        table[place].discard(key)
        if not table[place]:
            del table[place]
