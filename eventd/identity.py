"""Who sent it: the name of the device behind a message.

In this order: the engine id of an SNMPv3 message, the address or name that a trusted forwarder passes on (v1
agent-addr, snmpTrapAddress, the host in the header of a syslog relay), the host name in the message, the source
address (of SNMPv3 the one that the engine is pinned to); the first one that the inventory lists decides. Without an
inventory the host name is the device, so that a virtual system with a source address of its own is still the device
whose name it prints.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from eventd.inventory import Inventory
from eventd.model import TrapRecord
from eventd.newcomers import Newcomers
from eventd.parse.engines import Engines
from eventd.parse.envelope import is_address

#: Source addresses whose host name we remember. A fleet is a few thousand; beyond that a sender is making them up, and
#: the one unheard for longest is forgotten, so that invented ones do not keep a real one out.
MAX_LEARNED_SOURCES = 20_000
#: A source that used two host names within this many seconds of each other speaks for several devices (a relay), and
#: its traps keep the address as their name. A firewall that was renamed stops using the old name at once, so an hour
#: later its traps have the new one.
SEVERAL_WITHIN_S = 3600.0
#: Anybody can say anything at this security level of v3.
UNPROVEN_LEVEL = "noAuthNoPriv"
#: Two names are enough to know that there are several.
MAX_NAMES_PER_SOURCE = 2
_NOTHING: dict[str, float] = {}


class Seen(Struct):
    """The host names, source addresses and SNMP engine ids (hex) that a device was seen to use."""

    hostnames: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    engine_ids: set[str] = field(default_factory=set)


class Identities:
    """Names devices by one inventory and by what their own messages said.

    ``learned`` maps a source address to the host names it was seen to use and when it last did (Unix seconds), so that
    traps, which carry no host name, and syslogs of one firewall meet under one device name even without an inventory.
    It is JSON as it stands and changed in place; earlier versions kept one name per address, which is read too.
    """

    def __init__(
        self,
        inventory: Inventory,
        trusted_forwarders: Iterable[str] = (),
        learned: dict[str, Any] | None = None,
        engines: Engines | None = None,
    ) -> None:
        self.inventory = inventory
        self._engines = Engines() if engines is None else engines
        self._forwarders = [ipaddress.ip_network(cidr, strict=False) for cidr in trusted_forwarders]
        self.newcomers = Newcomers()
        #: What the last line said of its sender, and who that is: most lines come in runs of one device.
        self._latest: tuple[tuple[str | None, str | None, str, float], str] | None = None
        self.learned: dict[str, dict[str, float]] = {} if learned is None else learned
        for source, names in self.learned.items():
            self.learned[source] = _names(names)

    def of_syslog(self, hostname: str | None, relay: str | None, source: str, received_at: float) -> str:
        """The device that a line is from, by the names in its header; its host name is remembered for the address it
        came from. A source that makes up names is the device itself, under those that are too many
        (`eventd.newcomers`)."""
        said = hostname, relay, source, received_at
        if self._latest is not None and self._latest[0] == said:
            return self._latest[1]
        self._latest = None
        relay = relay if relay and self._trusted(source) else None
        if hostname:
            origin = relay if relay and is_address(relay.encode()) else source
            if not self._believed(source, origin, hostname, received_at):  # which is counted each time
                return self.inventory.identify(engine_id=None, agent=relay, hostname=None, source=source)
            self._learn(origin, hostname, received_at)
        device = self.inventory.identify(engine_id=None, agent=relay, hostname=hostname, source=source)
        self._latest = said, device
        return device

    def _believed(self, source: str, origin: str, hostname: str, at: float) -> bool:
        """Whether ``source`` may use a host name. One that has a single name may, and no table is needed for it."""
        known = self.learned.get(origin)
        if known is None or (len(known) == 1 and hostname in known):
            return True
        if self.inventory.known_as(hostname) is not None or self._trusted(source):
            return True
        return self.newcomers.admit(source, hostname, at, known)

    def of_trap(self, record: TrapRecord, source: str, received_at: float) -> str:
        """The device that a notification is from. One of v3 is known by its engine and by the address that this
        engine is pinned to (`Engines.locate`)."""
        agent = record.agent if record.agent and self._trusted(source) else None
        if record.engine_id is None:
            return self._named(None, agent, source)
        proven = record.level != UNPROVEN_LEVEL and not record.inform
        if proven and agent is None and self._trusted(source):
            return self._named(record.engine_id, None, record.engine_id.hex())  # the relay's address is nobody's
        where = agent or source
        believed, address = self._engines.locate(record.engine_id, where, received_at, proven=proven)
        if address == where:
            return self._named(believed, agent, source)
        return self._named(believed, None, address or record.engine_id.hex())

    def seen(self) -> dict[str, Seen]:
        """What every device was seen to use, by its name: by its syslogs and its engine, whatever the inventory says. A
        source that speaks for several devices is none of theirs."""
        found: defaultdict[str, Seen] = defaultdict(Seen)
        for source, names in self.learned.items():
            for name in names:
                one = found[self.inventory.identify(engine_id=None, agent=None, hostname=name, source=source)]
                one.hostnames.add(name)
                if len(names) == 1:
                    one.sources.add(source)
        for engine_id, address in self._engines.places():
            one = found[self._named(engine_id, None, address or engine_id.hex())]
            one.engine_ids.add(engine_id.hex())
            if address is not None:
                one.sources.add(address)
        return dict(found)

    def _named(self, engine_id: bytes | None, agent: str | None, source: str) -> str:
        return self.inventory.identify(
            engine_id=engine_id.hex() if engine_id else None,
            agent=agent,
            hostname=self._learned_name(agent or source),
            source=source,
        )

    def _learn(self, source: str, hostname: str, at: float) -> None:
        if self.learned.get(source, _NOTHING).get(hostname) == at:
            return  # once for all that one look at a socket brought
        names = self.learned.pop(source, None)
        if names is None:
            if len(self.learned) >= MAX_LEARNED_SOURCES:
                del self.learned[next(iter(self.learned))]
            self.learned[source] = {hostname: at}
            return
        self.learned[source] = names  # behind all others: it was heard last
        names[hostname] = at
        if len(names) > 1:
            for name in [name for name, heard in names.items() if abs(at - heard) > SEVERAL_WITHIN_S]:
                del names[name]  # also one heard in the future: the clock was set back
            while len(names) > MAX_NAMES_PER_SOURCE:
                del names[min(names, key=names.__getitem__)]

    def _learned_name(self, source: str) -> str | None:
        """The host name of a source that has just one."""
        names = self.learned.get(source, ())
        return next(iter(names)) if len(names) == 1 else None

    def _trusted(self, source: str) -> bool:
        if not self._forwarders:
            return False
        address = ipaddress.ip_address(source)
        return any(address in network for network in self._forwarders)


def _names(kept: Any) -> dict[str, float]:
    """Host names of one source as they were saved: with their times, or (before 0.2) one name, "" for several."""
    if isinstance(kept, dict):
        return {name: float(at) for name, at in kept.items() if isinstance(at, int | float)}
    return {kept: 0.0} if kept and isinstance(kept, str) else {}
