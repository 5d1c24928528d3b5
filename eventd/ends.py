"""Which end of an SA is the device's own, where a message names both without saying.

H3C's IPSEC log names source and destination of an SA, which has one direction: the loss of one tunnel is two lines with
the addresses the other way round. Known by, best first:

    inventory   an address of the device is listed, or the other one belongs to another device
    source      the message came from one of the two, or says so of itself (``-DevIP=``)
    learned     a message that does tell the ends apart (IKE log, notification) called one of them the device's own,
                or another device did so with the other one
    inventory   one of the two is a listed peer: so is the outer address of a branch that speaks for itself, which is
                why what is known of the devices comes first
    order       nothing: the lower address counts as the device's own, so that both directions still name one peer

``extra["ends"]`` says which of them it was, ``extra["direction"]`` is ``outbound`` where the device's own is the
source. What was decided by order is decided otherwise as soon as something is known: until then an incident may name
the wrong end.
"""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from eventd.contract import BY_ORDER, ENDS, UNORDERED
from eventd.inventory import Inventory
from eventd.model import Event, Reason

#: Devices whose own addresses we remember, as for host names; beyond that a sender is making them up.
MAX_DEVICES = 20_000
#: A firewall ends its tunnels on a handful of addresses; the oldest learned is forgotten first.
MAX_ADDRESSES = 32
#: Addresses whose order is remembered: the two ends of every tunnel of a large hub.
MAX_RANKED = 16_384
DIRECTION = "direction"
_SAYS_SO = "DevIP"


class Ends:
    """Tells the ends apart by one inventory and by what was learned.

    ``learned`` maps a device to the addresses it called its own, latest last. It is JSON as it stands and changed in
    place.
    """

    def __init__(self, inventory: Inventory, learned: dict[str, Any] | None = None) -> None:
        self._inventory = inventory
        self.learned: dict[str, list[str]] = {} if learned is None else learned
        #: The same by address: which devices called it their own.
        self._users: dict[str, set[str]] = {}
        for device, addresses in self.learned.items():
            for address in addresses:
                self._users.setdefault(address, set()).add(device)

    def order(self, event: Event) -> Event:
        """The event with its ends told apart, if it needs that; others are learned from."""
        if event.local is None or event.peer is None:
            return event
        if event.extra.get(ENDS) == UNORDERED:
            return self._ordered(event, event.local, event.peer)
        self._learn(event.device, event.local)
        return event

    def _learn(self, device: str, own: str) -> None:
        addresses = self.learned.get(device)
        if addresses is None:
            if len(self.learned) >= MAX_DEVICES:
                return
            addresses = self.learned[device] = []
        if own not in addresses:
            addresses.append(own)
            self._users.setdefault(own, set()).add(device)
            for oldest in addresses[:-MAX_ADDRESSES]:
                self._forget(device, oldest)
            del addresses[:-MAX_ADDRESSES]

    def _forget(self, device: str, address: str) -> None:
        users = self._users[address]
        users.discard(device)
        if not users:
            del self._users[address]

    def _ordered(self, event: Event, source: str, destination: str) -> Event:
        own, told = next(self._told(event, source, destination))
        peer = destination if own == source else source
        marks = {ENDS: told, DIRECTION: "outbound" if own == source else "inbound"}
        reason = event.reason and _filled(event.reason, own, peer)
        return replace(event, local=own, peer=peer, reason=reason, extra={**event.extra, **marks})

    def _told(self, event: Event, *ends: str) -> Iterator[tuple[str, str]]:
        """(own address, what tells it), best first."""
        for told, own in self._clues(event, ends):
            if own is not None:
                yield own, told
        yield min(ends, key=_rank), BY_ORDER

    def _clues(self, event: Event, ends: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
        device = event.device
        yield "inventory", self._listed(device, ends)
        yield "source", _only(ends, (event.source, event.extra.get(_SAYS_SO)))
        yield "learned", _only(ends, self.learned.get(device, ()))
        yield "learned", _other(ends, [end for end in ends if self._users.get(end, set()) - {device}])
        yield "inventory", _other(ends, [end for end in ends if self._inventory.peer(end) is not None])

    def _listed(self, device: str, ends: tuple[str, ...]) -> str | None:
        """The end that the inventory gives to the device, else the one that it does not give to another one."""
        if not self._inventory.devices:
            return None
        owners = {end: self._owner(end) for end in ends}
        own = [end for end in ends if owners[end] == device]
        return _only(ends, own) or (None if own else _other(ends, [end for end in ends if owners[end]]))

    def _owner(self, address: str) -> str | None:
        """The device in the inventory that has this address."""
        name = self._inventory.identify(engine_id=None, agent=None, hostname=None, source=address)
        return name if self._inventory.device(name) is not None else None


def _only(ends: tuple[str, ...], among: Any) -> str | None:
    """The one of two ends that is among some addresses; None where both or neither are."""
    found = [end for end in ends if end in among]
    return found[0] if len(found) == 1 else None


def _other(ends: tuple[str, ...], foreign: list[str]) -> str | None:
    """The end that is left where just one of them cannot be the device's own."""
    return next(end for end in ends if end not in foreign) if len(foreign) == 1 else None


@lru_cache(MAX_RANKED)
def _rank(address: str) -> tuple[int, int]:
    value = ipaddress.ip_address(address)
    return value.version, int(value)


def _filled(reason: Reason, own: str, peer: str) -> Reason:
    """The steps with the addresses that the catalogue left open."""
    actions = tuple(step.replace("<peer>", peer).replace("<local>", own) for step in reason.actions)
    return replace(reason, actions=actions)
