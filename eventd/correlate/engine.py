"""The correlator: finds the state an event belongs to, lets the rules judge it, and keeps the timers.

``(state, event | tick, now) → (state, changes)``. Before an event is judged, every timer due by then fires at its own
time, so that it makes no difference how often anybody ticks.

An exception of a rule is a bug of ours and costs at most the one event: what was concluded until then stands, the
failed timer is tried again later, all others fire. Whoever drives the correlator logs what `take_faults` gives.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain

import msgspec

from eventd.contract import Verdict
from eventd.correlate import (
    books,
    cases,
    devices,
    echoes,
    explain,
    groups,
    links,
    negotiation,
    rebase,
    renumbered,
    switchover,
    texts,
    timers,
    tunnels,
    twins,
)
from eventd.correlate.desk import Desk
from eventd.correlate.explain import Explanation
from eventd.correlate.fading import Fading
from eventd.correlate.fleet import Fleet, nameless
from eventd.correlate.hush import Maintenance, Silence, silence_key
from eventd.correlate.packing import decode, encode
from eventd.correlate.settings import HEAP_SLACK, MAX_FAULTS, Settings
from eventd.correlate.state import DeviceState, Fact, GroupState, PeerState, State, device_key, peer_key
from eventd.inventory import Inventory
from eventd.model import Change, Event, Incident, PeerStatus, utc

PEER_RULES: dict[str, echoes.PeerRule] = {
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

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        external_url: str | None = None,
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        self._fleet = Fleet(inventory, self._gone)
        self._desk = Desk(settings, external_url, self._fleet, self._settle)
        self._desk.hush.plan(maintenance)
        #: (when, key); an entry counts only while it is the one in `_armed`.
        self._heap: list[tuple[float, str]] = []
        self._armed: dict[str, float] = {}
        self._fading = Fading()
        self._faults: list[Exception] = []
        self._watched = _watched(inventory)
        #: Devices that were watched when the state was saved: what they said meanwhile nobody knows.
        self._resumed: list[DeviceState] = []

    # --- what the pipeline calls ------------------------------------------------------------------------------

    def apply(self, event: Event, now: float) -> Verdict:
        """Judge one event that arrived at ``now``. An event of no known kind changes nothing."""
        self._catch_up(now)
        duplicate = False
        if event.event is not None:
            self._fleet.hear(event.device, now)
            try:
                duplicate = self._judge(event, now)
            except Exception as error:  # noqa: BLE001 - a bug in one rule must not stop the judgement of all others
                self._fault(error)
        return self._desk.verdict(duplicate=duplicate)

    def hear(self, device: str, now: float) -> Verdict | None:
        """A message of whatever kind came from a device; None where that changes nothing, as nearly always."""
        if device not in self._watched:
            return None
        self._catch_up(now)
        self._fleet.hear(device, now)
        key, state = self._fleet.device(device, now)
        if state is not None and devices.heard(self._desk, state, now):
            self._settle(key, state)
        verdict = self._desk.verdict()
        return verdict if verdict.touched else None

    def tick(self, now: float) -> Verdict:
        """Let time pass: fire what is due by ``now``."""
        self._catch_up(now)
        return self._desk.verdict()

    def may_be_due(self, now: float) -> bool:
        """Whether `tick` may have something to do by ``now``; False is certain, and costs almost nothing."""
        return bool(self._heap) and self._heap[0][0] <= now

    def next_deadline(self) -> float | None:
        """When `tick` will have something to do; None if nothing is pending."""
        while self._heap:
            at, key = self._heap[0]
            state = self._fleet.find(key) if self._armed.get(key) == at else None
            if state is not None and timers.due(state) == at:
                return at
            heappop(self._heap)
            if state is not None:
                del self._armed[key]
                self._arm(key, state)
        return None

    def reconfigure(
        self,
        settings: Settings,
        inventory: Inventory,
        external_url: str | None = None,
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        """Judge by other settings from now on. Timers that run keep running as they were set."""
        self._watched = _watched(inventory)
        self._desk.hush.plan(maintenance)
        self._desk.settings, self._desk.external_url, self._fleet.inventory = settings, external_url, inventory

    def rebase(self, delta_s: float) -> Verdict:
        """The wall clock was set: it shows ``delta_s`` seconds more (back: less) than it would have.

        Everything that waits goes on waiting for as long as it had to. Open incidents keep id and beginning.
        """
        self._heap.clear()
        self._armed.clear()
        for key, state in self._fleet.states():
            rebase.shift(state, delta_s)
            self._fleet.index(key, state)
            self._desk.touch(key)
            self._arm(key, state)
        for device in self._fleet.heard:
            self._fleet.heard[device] += delta_s
        self._fading.shift(delta_s)
        return self._desk.verdict()

    def take_faults(self) -> list[Exception]:
        """What rules raised since the last call, at most the first `MAX_FAULTS`."""
        if not self._faults:
            return []
        taken, self._faults = self._faults, []
        return taken

    def clear(self, incident_id: str, now: float, who: str = "operator") -> Verdict:
        """Resolve an incident by hand: its tunnels count as not known. A group takes along what it tells. Nothing
        happens if it is not open."""
        self._catch_up(now)
        for key, state, case in self._fleet.announced():
            if texts.incident_id(case) == incident_id:
                members = list(self._fleet.members(key))
                if isinstance(state, PeerState) and case.group:
                    groups.uncount(self._desk, state, case, who)
                for each_key, each in [(key, state), *members]:
                    self._clear(each_key, each, now, who)
                break
        return self._desk.verdict()

    def _clear(self, key: str, state: State, now: float, who: str) -> None:
        if isinstance(state, PeerState):
            books.believe(state, None, now)
            books.begin_anew(state)
        for case in list(state.cases()):
            case.step(now, f"cleared by {who}")
            cases.resolve(self._desk, state, case, now, f"cleared by {who}")
        self._settle(key, state)

    def ack(
        self, incident_id: str, who: str | None, now: float, *, note: str = "", until: float | None = None
    ) -> Verdict:
        """Note who has taken an incident (None takes it back): it is not recalled any more, or not before ``until``
        (Unix seconds)."""
        self._catch_up(now)
        for key, state, case in self._fleet.announced():
            if texts.incident_id(case) == incident_id:
                cases.take(case, who, note, until)
                said = f": {note}" if note else ""
                news = f"taken by {who}{said}" if who else "nobody has it any more"
                case.step(now, news)
                self._desk.publish("updated", case, now, notify=False, taken=True, news=news)
                self._settle(key, state)
                break
        return self._desk.verdict()

    def silence(self, silence: Silence, now: float) -> Verdict:
        """Tell nobody of what it fits while it holds. ValueError: it is over already, or there are too many."""
        self._catch_up(now)
        for key in [silence_key(silence.id), *self._desk.hush.add(silence, now)]:
            self._desk.touch(key)
        return self._desk.verdict()

    def unsilence(self, ident: str, now: float) -> Verdict:
        """End a silence now; what it held back and is still open is told. Nothing happens if there is none."""
        self._catch_up(now)
        if self._desk.hush.drop(silence_key(ident)):
            self._desk.touch(silence_key(ident))
            for key, state, case in list(self._fleet.announced()):
                if case.hushed:
                    case.timers["unhush"] = now
                    self._settle(key, state)
            self._catch_up(now)
        return self._desk.verdict()

    def silences(self) -> Sequence[Silence]:
        """Every silence, those that ended lately included, by when they end."""
        return sorted(self._desk.hush.silences.values(), key=lambda silence: (silence.until, silence.id))

    def explain(self, now: float, *, peer: str | None = None, device: str | None = None) -> Sequence[Explanation]:
        """Why things stand as they do: for each known peer of that address or name, or for a device."""
        return explain.explain(self._desk, now, peer=peer, device=device)

    # --- what others look at ------------------------------------------------------------------------------------

    @property
    def fleet(self) -> Fleet:
        """All that is remembered, to be looked at only."""
        return self._fleet

    def open_incidents(self) -> Sequence[Incident]:
        """Every open incident, oldest first."""
        return sorted(self.each_open(), key=lambda incident: (incident.opened_at, incident.id))

    def each_open(self) -> Iterator[Incident]:
        """The same one by one, in no order. As of `peers`, somebody may be judged between two of them."""
        return (self._desk.incident(case) for _, _, case in self._fleet.announced())

    def told(self) -> Iterator[Change]:
        """Every open incident that people were told of, as it is told to somebody who hears of it only now; without
        those that another one tells, and what nobody is told of just now."""
        return filter(None, (self._desk.opening(case) for _, _, case in self._fleet.announced()))

    def open_counts(self) -> Mapping[tuple[str, str], int]:
        """How many incidents are open, by (kind, severity): cheap enough for every scrape."""
        return Counter((case.kind, case.severity) for _, _, case in self._fleet.announced())

    def named_peers(self) -> Iterator[PeerState]:
        """Every peer with an address, to be looked at only, in the order in which they were met: what every scrape
        does. Their `OrderedDict` itself would look each one up, which takes 10 ms where there are 20,000."""
        return (state for state in list(dict.values(self._fleet.peers)) if state.peer is not None)

    def peers(self) -> Iterator[PeerStatus]:
        """How every known peer stands."""
        return map(self.standing, self.named_peers())

    def standing(self, state: PeerState) -> PeerStatus:
        """How a peer stands."""
        known = self._fleet.inventory.peer(state.peer)
        return PeerStatus(
            device=state.device,
            vsys=state.vsys,
            peer=state.peer or "",
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
        return self._fleet.heard

    # --- what survives a restart --------------------------------------------------------------------------------

    def dump(self, key: str) -> bytes | None:
        """The state under a touched key; None if it is gone and is to be deleted."""
        state = self._fleet.find(key)
        if state is not None:
            return encode(state)
        silence = self._desk.hush.silences.get(key)
        return None if silence is None else msgspec.msgpack.encode(silence)

    def load(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Continue from what `dump` gave. Raises ValueError for bytes that it did not write."""
        loaded: list[tuple[str, State]] = []
        for key, blob in states:
            if key.startswith(silence_key("")):
                self._desk.hush.put(msgspec.msgpack.decode(blob, type=Silence))
            else:
                loaded.append((key, decode(key, blob)))
        for key, state in sorted(loaded, key=lambda pair: (pair[1].heard_at, pair[0])):
            self._fleet.put(key, state)
            self._fading.note(key, 0.0)
            if isinstance(state, DeviceState) and state.conditions.get(devices.SILENT):
                self._resumed.append(state)
            if not isinstance(state, GroupState):
                self._fleet.hear(state.device, max(state.heard_at, self._fleet.heard.get(state.device, 0.0)))
            self._arm(key, state)

    # --- judging --------------------------------------------------------------------------------------------------

    def _judge(self, event: Event, now: float) -> bool:
        if event.standby:
            self._desk.suppress("standby", self._fleet.peers.get(peer_key(event)), texts.told(event))
            return False
        rule = PEER_RULES.get(event.event or "")
        key, state = self._peer(event, now) if rule else self._fleet.device(event.device, now)
        if state is None:
            self._desk.suppress("limit")
            return False
        fact, telling = twins.recall(state.facts, event, now, self._desk.settings.twin_window)
        state.heard_at = now
        if telling == "retransmission":  # what was known stays as it is, and need not be saved once more
            return True
        self._fading.note(key, now)
        try:
            if telling in ("twin", "explained"):
                if telling == "explained" and isinstance(state, PeerState) and event.event == "ipsec.tunnel.stop":
                    tunnels.on_reason(self._desk, state, event, now)
                elif isinstance(state, PeerState) and event.event == "ipsec.tunnel.start":
                    books.also_started(state, event, now)
                self._corroborate(state, fact, event, now)
            elif telling == "new" and isinstance(state, DeviceState):
                fact.condition = devices.name_of(state, event)
                devices.RULES[event.event or ""](self._desk, state, event, now)
            elif telling == "new" and isinstance(state, PeerState) and rule is not None:
                self._judge_peer(state, fact, event, now, rule)
        finally:
            self._settle(key, state)
        return telling != "new"

    def _judge_peer(self, peer: PeerState, fact: Fact, event: Event, now: float, rule: echoes.PeerRule) -> None:
        before = peer.case.proofs if peer.case else 0
        if peer.linked:
            echoes.relay(self._desk, peer, event, now, rule)
        else:
            rule(self._desk, peer, event, now)
        if event.event == "ipsec.tunnel.start" and event.peer is not None:
            for key, other in nameless(self._fleet, event):
                tunnels.on_start_beside(self._desk, other, event, now)
                self._settle(key, other)
            elsewhere = switchover.relieved(self._desk, peer)
            for other in chain(elsewhere, renumbered.relieved(self._desk, peer, event)):
                self._settle(other.key, other)
        fact.joined = peer.case is not None and peer.case.proofs != before

    def _fault(self, error: Exception) -> None:
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(error)

    def _corroborate(self, state: State, fact: Fact, event: Event, now: float) -> None:
        """A further witness of what a case is about."""
        if isinstance(state, DeviceState):
            case = devices.told_also(self._desk, state, fact, event, now)
        elif fact.joined:
            case = state.case
        else:
            return
        if case is not None and case.witness(event) and case.announced:
            cases.progress(self._desk, case, now)

    def _peer(self, event: Event, now: float) -> tuple[str, PeerState | None]:
        if event.peer is None and event.event == "ipsec.negotiation.fail":
            return self._fleet.peer(event, now, negotiation.belongs_to(event, self._fleet.in_place_of(event)))
        return self._fleet.peer(event, now)

    # --- time -----------------------------------------------------------------------------------------------------

    def _catch_up(self, now: float) -> None:
        """Fire what is due by ``now``, each timer at its own time; then it is ``now``."""
        before = self._desk.now
        while self._resumed:
            watched = self._resumed.pop()
            if not watched.conditions[devices.SILENT].announced:
                devices.watch(self._desk, watched, now)
                self._settle(device_key(watched.device), watched)
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            if self._armed.get(key) != at:
                continue
            del self._armed[key]
            state = self._fleet.find(key)
            if state is None:
                continue
            if timers.due(state) == at:
                self._desk.now = at
                try:
                    timers.fire(self._desk, state, at)
                except Exception as error:  # noqa: BLE001 - the timers of other states must fire all the same
                    self._fault(error)
                self._settle(key, state)
            else:
                self._arm(key, state)
        if now != before:
            self._fading.fade(self._fleet.find, now - self._desk.settings.twin_window)
        self._desk.now = now

    def _settle(self, key: str, state: State) -> None:
        """After anything touched a state: it has to be saved, found and woken, and whoever depends on it has to know
        what has become of its case."""
        self._desk.touch(key)
        left = self._fleet.index(key, state)
        self._arm(key, state)
        if isinstance(state, GroupState):
            if state.case is None:
                self._fleet.drop_group(key)
        elif isinstance(state, PeerState):
            if state.case is None:
                links.release(self._desk, state)
            elif state.case.group:
                groups.moved(self._desk, state.case)
        if left:
            groups.left(self._desk, left)

    def _gone(self, key: str) -> None:
        self._armed.pop(key, None)
        self._desk.touch(key)

    def _arm(self, key: str, state: State) -> None:
        """Wake for the earliest timer. A later one than armed is found when that entry comes up."""
        at, armed = timers.due(state), self._armed.get(key)
        if at is not None and (armed is None or at < armed):
            self._armed[key] = at
            heappush(self._heap, (at, key))
            if len(self._heap) > 2 * len(self._armed) + HEAP_SLACK:  # entries that were overtaken, some for a day
                self._heap = [(at, key) for key, at in self._armed.items()]
                heapify(self._heap)


def _watched(inventory: Inventory) -> frozenset[str]:
    """The devices whose silence is a problem."""
    return frozenset(device.name for device in inventory.devices if device.silent_after is not None)
