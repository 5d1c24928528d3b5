"""What a rule may look at and do: settings, inventory, the devices' context, and its findings."""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from eventd.contract import Verdict
from eventd.correlate import headlines, reasons
from eventd.correlate.fleet import Fleet
from eventd.correlate.hush import Hush
from eventd.correlate.settings import Settings
from eventd.correlate.state import Case, DeviceState, PeerState, State, decide
from eventd.correlate.texts import incident_id
from eventd.inventory import Inventory
from eventd.model import Change, ChangeKind, Incident, Member

#: What is concluded from most messages of a flood.
NOTHING, NOTHING_NEW = Verdict(), Verdict(duplicate=True)


class Desk:
    """Handed to every rule. Collects what the rules conclude until `verdict` takes it away.

    ``settle`` has to be called for every state that a rule touches beside the one it was called for. ``now`` is the
    moment that is being judged.
    """

    def __init__(
        self,
        settings: Settings,
        external_url: str | None,
        fleet: Fleet,
        settle: Callable[[str, State], None],
    ) -> None:
        self.settings, self.external_url, self.fleet, self.settle = settings, external_url, fleet, settle
        self.hush = Hush()
        self.now = 0.0
        self._changes: list[Change] = []
        self._suppressed: list[str] = []
        self._touched: dict[str, None] = {}

    @property
    def inventory(self) -> Inventory:
        """What the operator knows."""
        return self.fleet.inventory

    def device(self, name: str, at: float) -> DeviceState:
        """The state of a device; an empty one where nothing is known of it."""
        return self.fleet.context(name, at)

    def suppress(self, rule: str, owner: State | None = None, why: str = "") -> None:
        """Nobody is told, because of ``rule``; ``owner`` remembers it for whoever asks."""
        self._suppressed.append(rule)
        if isinstance(owner, PeerState | DeviceState):
            decide(owner.decisions, self.now, rule, why)

    def touch(self, key: str) -> None:
        """State that has to be saved."""
        self._touched[key] = None

    def publish(
        self,
        what: ChangeKind,
        case: Case,
        at: float,
        *,
        notify: bool = True,
        recalled: bool = False,
        taken: bool = False,
        joined: bool = False,
        news: str = "",
    ) -> None:
        """One step in the life of an announced incident, as it stands now; ``news`` says in a few words why it is told.
        ``recalled``: told once more, only because it is still open; ``taken``: it was acknowledged, or that was taken
        back; ``joined``: an outage of many tells it from now on. An end is told to whoever was told of the beginning,
        whatever has changed since."""
        case.updated_at = at
        case.worst_severity = reasons.worse(case.worst_severity, case.severity)
        case.timers.pop("publish", None)
        incident = self.incident(case)
        if news:
            incident = replace(incident, news=news)
        if what == "resolved":
            notify, kept = case.told, None
        else:
            kept = self._keeps(case, incident, at, recalled=recalled) if notify else None
            notify = notify and kept is None
        first, told = notify and not case.told, case.told
        taken, joined = taken and told, joined and told
        members = self._members(case, incident) if notify or taken or joined else ()
        self._changes.append(Change(what, incident, notify, first, kept, taken, joined, members))
        case.told = case.told or notify

    def _keeps(self, case: Case, incident: Incident, at: float, *, recalled: bool) -> str | None:
        """The rule after which nobody is told."""
        rule: str | None = None
        if case.group:
            rule = "grouped"
        elif (hushed := self.hush.by(incident, at)) is not None:
            rule, until, _, case.hush = hushed
            case.hushed, case.timers["unhush"] = True, until
        elif recalled and case.acked_by is not None:
            rule = "acked"
        if rule is not None:
            self.suppress(rule)
        return rule

    def opening(self, case: Case) -> Change | None:
        """An open incident that people were told of, as it is told to somebody who hears of it only now; None where
        another one tells it, or nobody is told of it just now."""
        incident = self.incident(case)
        if not case.told or case.group or incident.silenced:
            return None
        return Change("opened", incident, first=True, members=self._members(case, incident))

    def _members(self, case: Case, incident: Incident) -> tuple[Member, ...]:
        """What an outage of many has told, peer by peer."""
        return tuple(
            headlines.member(incident, peer, self.inventory, self.fleet.owner(peer.peer))
            for peer in self.told_with(case)
        )

    def told_with(self, case: Case) -> Iterator[PeerState]:
        """The peers that an outage of many has told, those that are back included."""
        if case.family != "group":
            return
        ident = incident_id(case)
        near = self.fleet.of_device(case.device) if case.peer is None else self.fleet.by_address(case.peer)
        yield from (peer for _, peer in near if ident in (peer.counted, peer.told_with))

    def tell_with(self, case: Case, peers: Iterable[PeerState]) -> None:
        """An outage of many tells of these from now on, whether their own hold is over or not."""
        ident = incident_id(case)
        for peer in peers:
            if ident not in (peer.counted, peer.told_with):
                peer.told_with = ident
                self.touch(peer.key)

    def incident(self, case: Case) -> Incident:
        """A case as people and machines see it."""
        incident = headlines.incident(case, self.inventory, self.external_url, self.fleet.owner(case.peer))
        hushed = case.resolved_at is None and self.hush.by(incident, self.now) is not None
        return replace(incident, silenced=True) if hushed else incident

    def joins(self, case: Case) -> str | None:
        """Of what outage it is part as far as silences and windows go. Empty: of any. The name of an interface: only of
        that one's, which is kept untold like itself. None: of no other's, as it is its peer that is named."""
        if not self.hush:
            return ""
        known = self.inventory.peer(case.peer)
        site = case.site or (known.site if known else None)
        held = replace(case, site=site, kind=case.kind or "tunnel_down")
        alone = headlines.wordless(held, self.inventory, self.fleet.owner(case.peer))
        if self.hush.by(alone, self.now) is None:
            return ""
        line = replace(alone, site=alone.device_site, peer=None, peer_name=None, owner=None, tags=())
        if self.hush.by(line, self.now) is None:
            return None
        return "" if self.hush.by(replace(line, interface=None), self.now) else line.interface or ""

    def verdict(self, *, duplicate: bool = False) -> Verdict:
        """Everything concluded since the last call."""
        if not (self._touched or self._changes or self._suppressed):
            return NOTHING_NEW if duplicate else NOTHING
        found = Verdict(duplicate, tuple(self._changes), tuple(self._suppressed), tuple(self._touched))
        if self._changes:
            self._changes.clear()
        if self._suppressed:
            self._suppressed.clear()
        self._touched.clear()
        return found
