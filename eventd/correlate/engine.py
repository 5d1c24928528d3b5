"""The correlator: finds the state an event belongs to, lets the rules judge it, and keeps the timers.

``(state, event | tick, now) → (state, changes)``. Before an event is judged, every timer due by then fires at its own
time, so that it makes no difference how often anybody ticks.

An exception of a rule is a bug of ours and costs at most the one event: what was concluded until then stands, the
failed timer is tried again later, all others fire. Whoever drives the correlator logs what `take_faults` gives.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice

from eventd.contract import Verdict
from eventd.correlate import books, cases, devices, negotiation, rebase, texts, timers, tunnels, twins
from eventd.correlate.desk import Desk
from eventd.correlate.settings import EVICT_SCAN, MAX_DEVICES, MAX_FAULTS, MAX_PEERS, Settings
from eventd.correlate.state import (
    Case,
    DeviceState,
    Fact,
    PeerState,
    State,
    decode,
    device_key,
    encode,
    nameless_key,
    peer_key,
    vsys_of,
)
from eventd.inventory import Inventory
from eventd.model import Event, Incident, PeerStatus, utc

PEER_RULES: dict[str, Callable[[Desk, PeerState, Event, float], None]] = {
    "ipsec.tunnel.stop": tunnels.on_stop,
    "ipsec.tunnel.start": tunnels.on_start,
    "ipsec.tunnel.status": tunnels.on_status,
    "ipsec.sla.down": tunnels.on_sla,
    "ipsec.phase1.down": tunnels.on_phase1_down,
    "ipsec.phase1.established": tunnels.on_sign,
    "ipsec.negotiation.success": tunnels.on_sign,
    "ipsec.dpd.success": tunnels.on_sign,
    "ipsec.negotiation.fail": negotiation.on_fail,
}


class Correlator:
    """Judges events per peer and per device. Not thread-safe; `now` is Unix seconds and its only clock."""

    def __init__(self, settings: Settings, inventory: Inventory, external_url: str | None = None) -> None:
        self._desk = Desk(settings, inventory, external_url, self._context_of)
        #: Least recently heard first.
        self._peers: OrderedDict[str, PeerState] = OrderedDict()
        self._devices: OrderedDict[str, DeviceState] = OrderedDict()
        self._heard: OrderedDict[str, float] = OrderedDict()
        #: Keys of the peers of a device that have a case.
        self._busy: dict[str, set[str]] = {}
        #: (when, key); an entry counts only while it is the one in `_armed`.
        self._heap: list[tuple[float, str]] = []
        self._armed: dict[str, float] = {}
        self._faults: list[Exception] = []

    # --- what the pipeline calls ------------------------------------------------------------------------------

    def apply(self, event: Event, now: float) -> Verdict:
        """Judge one event that arrived at ``now``. An event of no known kind changes nothing."""
        self._catch_up(now)
        duplicate = False
        if event.event is not None:
            self._hear(event.device, now)
            try:
                duplicate = self._judge(event, now)
            except Exception as error:  # noqa: BLE001 - a bug in one rule must not stop the judgement of all others
                self._fault(error)
        return self._desk.verdict(duplicate=duplicate)

    def tick(self, now: float) -> Verdict:
        """Let time pass: fire what is due by ``now``."""
        self._catch_up(now)
        return self._desk.verdict()

    def next_deadline(self) -> float | None:
        """When `tick` will have something to do; None if nothing is pending."""
        while self._heap:
            at, key = self._heap[0]
            if self._armed.get(key) == at and timers.due(self._state(key)) == at:
                return at
            heappop(self._heap)
            if self._armed.get(key) == at:
                del self._armed[key]
                self._arm(key, self._state(key))
        return None

    def reconfigure(self, settings: Settings, inventory: Inventory, external_url: str | None = None) -> None:
        """Judge by other settings from now on. Timers that run keep running as they were set."""
        self._desk.settings, self._desk.inventory, self._desk.external_url = settings, inventory, external_url

    def rebase(self, delta_s: float) -> Verdict:
        """The wall clock was set: it shows ``delta_s`` seconds more (back: less) than it would have.

        Everything that waits goes on waiting for as long as it had to. Open incidents keep id and beginning.
        """
        self._heap.clear()
        self._armed.clear()
        for states in (self._peers, self._devices):
            for key, state in states.items():
                rebase.shift(state, delta_s)
                self._settle(key, state)
        for device in self._heard:
            self._heard[device] += delta_s
        return self._desk.verdict()

    def take_faults(self) -> list[Exception]:
        """What rules raised since the last call, at most the first `MAX_FAULTS`."""
        taken, self._faults = self._faults, []
        return taken

    def clear(self, incident_id: str, now: float, who: str = "operator") -> Verdict:
        """Resolve an incident by hand: its tunnels count as not known. Nothing happens if it is not open."""
        self._catch_up(now)
        for key, state, case in self._announced():
            if texts.incident_id(case) == incident_id:
                if isinstance(state, PeerState):
                    books.believe(state, None, now)
                case.step(now, f"cleared by {who}")
                cases.resolve(self._desk, state, case, now, f"cleared by {who}")
                self._settle(key, state)
                break
        return self._desk.verdict()

    def ack(self, incident_id: str, who: str | None, now: float) -> Verdict:
        """Note who has taken an incident (None takes it back)."""
        self._catch_up(now)
        for key, _, case in self._announced():
            if texts.incident_id(case) == incident_id:
                case.acked_by = who
                self._desk.touch(key)
                self._desk.publish("updated", case, now, notify=False)
                break
        return self._desk.verdict()

    # --- what others look at ------------------------------------------------------------------------------------

    def open_incidents(self) -> Sequence[Incident]:
        """Every open incident, oldest first."""
        desk = self._desk
        found = [texts.incident(case, desk.inventory, desk.external_url) for _, _, case in self._announced()]
        return sorted(found, key=lambda incident: (incident.opened_at, incident.id))

    def open_counts(self) -> Mapping[tuple[str, str], int]:
        """How many incidents are open, by (kind, severity): cheap enough for every scrape."""
        return Counter((case.kind, case.severity) for _, _, case in self._announced())

    def peers(self) -> Iterator[PeerStatus]:
        """How every known peer stands."""
        for state in self._peers.values():
            if state.peer is None:
                continue
            known = self._desk.inventory.peer(state.peer)
            yield PeerStatus(
                device=state.device,
                vsys=state.vsys,
                peer=state.peer,
                peer_name=known.name if known else None,
                site=known.site if known else None,
                up=state.up,
                since=utc(state.since),
                state_changes=state.state_changes,
                tunnels_up=state.tunnels_up,
                tunnels_down=state.tunnels_down,
                last_reason=state.last_stop.text if state.last_stop else None,
                incident=texts.incident_id(state.case) if state.case and state.case.announced else None,
            )

    def devices(self) -> Mapping[str, float]:
        """When each device was last heard, Unix seconds."""
        return self._heard

    # --- what survives a restart --------------------------------------------------------------------------------

    def dump(self, key: str) -> bytes | None:
        """The state under a touched key; None if it is gone and is to be deleted."""
        state = self._peers.get(key) or self._devices.get(key)
        return None if state is None else encode(state)

    def load(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Continue from what `dump` gave. Raises `msgspec.DecodeError` for bytes that it did not write."""
        loaded = [(key, decode(key, blob)) for key, blob in states]
        for key, state in sorted(loaded, key=lambda pair: (pair[1].heard_at, pair[0])):
            if isinstance(state, PeerState):
                self._peers[key] = state
                self._index(key, state)
            else:
                self._devices[key] = state
            self._hear(state.device, max(state.heard_at, self._heard.get(state.device, 0.0)))
            self._arm(key, state)

    # --- judging --------------------------------------------------------------------------------------------------

    def _judge(self, event: Event, now: float) -> bool:
        if event.standby:
            self._desk.suppress("standby")
            return False
        rule = PEER_RULES.get(event.event or "")
        key, state = self._peer(event, now) if rule else self._device(event, now)
        if state is None:
            self._desk.suppress("limit")
            return False
        fact, telling = twins.recall(state.facts, event, now, self._desk.settings.twin_window)
        state.heard_at = now
        try:
            if telling == "twin":
                self._corroborate(state, fact, event, now)
            elif telling == "new" and isinstance(state, DeviceState):
                devices.RULES[event.event or ""](self._desk, state, event, now)
            elif telling == "new" and isinstance(state, PeerState) and rule is not None:
                before = state.case.proofs if state.case else 0
                rule(self._desk, state, event, now)
                if event.event == "ipsec.tunnel.start" and event.peer is not None:
                    self._end_nameless(event, now)
                fact.joined = state.case is not None and state.case.proofs != before
        finally:
            self._settle(key, state)
        return telling != "new"

    def _fault(self, error: Exception) -> None:
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(error)

    def _hear(self, device: str, now: float) -> None:
        """Note when a device spoke. At the limit another one is forgotten: invented names must not shut out a real
        device for ever."""
        if device not in self._heard and len(self._heard) >= MAX_DEVICES:
            oldest = list(islice(self._heard, EVICT_SCAN))
            del self._heard[next((name for name in oldest if not self._has_case(name)), oldest[0])]
        self._heard[device] = now
        self._heard.move_to_end(device)

    def _has_case(self, device: str) -> bool:
        state = self._devices.get(device_key(device))
        return device in self._busy or (state is not None and bool(state.conditions))

    def _end_nameless(self, event: Event, now: float) -> None:
        """Stops without a peer at the place of this start are over."""
        for place in (event.interface, event.ifindex, event.policy):
            key = nameless_key(event, place)
            state = self._peers.get(key)
            if place is not None and state is not None and state.case is not None:
                tunnels.on_start_beside(self._desk, state, event, now)
                self._settle(key, state)

    def _corroborate(self, state: State, fact: Fact, event: Event, now: float) -> None:
        """A further witness of what a case is about."""
        if isinstance(state, DeviceState):
            case = devices.case_of(state, event)
        elif fact.joined:
            case = state.case
        else:
            return
        if case is not None and case.witness(event) and case.announced:
            cases.progress(self._desk, case, now)

    def _peer(self, event: Event, now: float) -> tuple[str, PeerState | None]:
        key = peer_key(event)
        if event.peer is None and event.event == "ipsec.negotiation.fail":
            busy = ((name, self._peers[name]) for name in sorted(self._busy.get(event.device, ())))
            key = negotiation.belongs_to(event, busy) or key
        state = self._peers.get(key)
        if state is None:
            if len(self._peers) >= MAX_PEERS and not self._evict():
                return key, None
            state = PeerState(device=event.device, vsys=vsys_of(event), peer=event.peer, heard_at=now, since=now)
            self._peers[key] = state
        else:
            self._peers.move_to_end(key)
        return key, state

    def _device(self, event: Event, now: float) -> tuple[str, DeviceState | None]:
        key = device_key(event.device)
        state = self._devices.get(key)
        if state is not None:
            self._devices.move_to_end(key)
        elif len(self._devices) < MAX_DEVICES or self._evict_device():
            state = self._devices[key] = DeviceState(device=event.device, heard_at=now)
        return key, state

    def _evict_device(self) -> bool:
        """Forget the device not heard of for longest that has nothing open."""
        oldest = islice(self._devices.items(), EVICT_SCAN)
        key = next((key for key, state in oldest if not state.conditions), None)
        if key is None:
            return False
        del self._devices[key]
        self._armed.pop(key, None)
        self._desk.touch(key)
        return True

    def _context_of(self, device: str, now: float) -> DeviceState:
        return self._devices.get(device_key(device)) or DeviceState(device=device, heard_at=now)

    def _evict(self) -> bool:
        """Forget the peer not heard of for longest: one without a case, else one whose case nobody was told of."""
        oldest = list(islice(self._peers.items(), EVICT_SCAN))
        idle = (key for key, state in oldest if state.case is None)
        untold = (key for key, state in oldest if state.case is not None and not state.case.announced)
        key = next(idle, None) or next(untold, None)
        if key is None:
            return False
        state = self._peers.pop(key)
        self._armed.pop(key, None)
        state.case = None
        self._index(key, state)
        self._desk.touch(key)
        return True

    # --- time -----------------------------------------------------------------------------------------------------

    def _catch_up(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            if self._armed.get(key) != at:
                continue
            del self._armed[key]
            state = self._state(key)
            if timers.due(state) == at:
                try:
                    timers.fire(self._desk, state, at)
                except Exception as error:  # noqa: BLE001 - the timers of other states must fire all the same
                    self._fault(error)
                self._settle(key, state)
            else:
                self._arm(key, state)

    def _settle(self, key: str, state: State) -> None:
        """After anything touched a state: it has to be saved, found and woken."""
        self._desk.touch(key)
        if isinstance(state, PeerState):
            self._index(key, state)
        self._arm(key, state)

    def _index(self, key: str, state: PeerState) -> None:
        if state.case is not None:
            self._busy.setdefault(state.device, set()).add(key)
        elif state.device in self._busy:
            self._busy[state.device].discard(key)
            if not self._busy[state.device]:
                del self._busy[state.device]

    def _arm(self, key: str, state: State) -> None:
        """Wake for the earliest timer. A later one than armed is found when that entry comes up."""
        at, armed = timers.due(state), self._armed.get(key)
        if at is not None and (armed is None or at < armed):
            self._armed[key] = at
            heappush(self._heap, (at, key))

    def _state(self, key: str) -> State:
        return self._peers[key] if key in self._peers else self._devices[key]

    def _announced(self) -> Iterator[tuple[str, State, Case]]:
        for states in (self._peers, self._devices):
            for key, state in states.items():
                for case in state.cases():
                    if case.announced:
                        yield key, state, case
