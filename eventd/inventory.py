"""What the operator knows about the network: devices and peers (``peers.toml``). Pure values and look-ups.

Without an inventory everything still works: names are addresses, clocks are read as UTC.
"""

import contextlib
import ipaddress
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct

from eventd.matching import Match, values

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ClockMeaning = Literal["iso", "add-offset", "local"]
Text = Annotated[str, Meta(min_length=1)]
#: Peer addresses whose row is remembered: looked up several times for each message, and taking an address apart is
#: most of that. More than the peers of the largest installation; some 100 bytes each.
ADDRESSES = 65_536
#: What is longer is no address, which has 45 characters at most and a zone behind it, but what somebody asks for: it is
#: not remembered.
MAX_ADDRESS_TEXT = 64


class Device(Struct, frozen=True, forbid_unknown_fields=True):
    """A firewall that sends us messages.

    ``clock`` says what its stamps mean: ``iso`` as ISO 8601 reads them (no offset = UTC), ``add-offset`` the clock
    shows UTC and the printed offset is to be added to get local time (so the offset is ignored), ``local`` the clock
    shows the local time of ``time_zone`` whatever offset is printed. A device that was heard and then says nothing for
    ``silent_after`` (seconds) is a problem; None: silence says nothing.
    """

    name: Text
    addresses: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    engine_ids: tuple[str, ...] = ()
    vendor: str | None = None
    time_zone: str | None = None
    clock: ClockMeaning = "iso"
    site: str | None = None
    silent_after: Annotated[float, Meta(ge=60, le=31_536_000)] | None = None


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    """A far gateway, by ``address`` or by ``cidr`` (the longest prefix wins)."""

    address: str | None = None
    cidr: str | None = None
    name: str | None = None
    site: str | None = None
    mode: Literal["site-to-site", "site-to-multisite"] | None = None
    trigger: Literal["auto", "traffic"] | None = None
    owner: str | None = None
    runbook_url: str | None = None
    tags: tuple[str, ...] = ()


class Inventory:
    """Look-ups over devices and peers. Build a new one to change anything. ValueError for what `faults` names."""

    def __init__(self, devices: Iterable[Device] = (), peers: Iterable[Peer] = ()) -> None:
        self.devices = tuple(devices)
        self.peers = tuple(peers)
        self._by_name = {device.name: device for device in self.devices}
        self._by_key: dict[str, Device] = {}
        #: Every address of a device in its one spelling, and whose it is.
        self._addresses: dict[str, str] = {}
        for device in self.devices:
            for field, key in _keys(device):
                self._by_key[key] = device
                if field == "addresses":
                    self._addresses[key] = device.name
        self._addresses_of: dict[str, tuple[str, ...]] = {}
        for address, name in self._addresses.items():
            self._addresses_of[name] = (*self.addresses(name), address)
        self._peers: dict[tuple[int, int, int], Peer] = {}
        self._peers_by_name: dict[str | None, list[Peer]] = {}
        for peer in self.peers:
            self._peers_by_name.setdefault(peer.name, []).append(peer)
            network = _network(peer)
            self._peers[network.version, network.prefixlen, int(network.network_address)] = peer
        self._prefixes = sorted({(version, length) for version, length, _ in self._peers}, reverse=True)
        # not of `self`: in a cycle it would outlive a reload, as what was there at the start is never looked at again
        self._row_of = lru_cache(maxsize=ADDRESSES)(partial(_longest_prefix, self._peers, self._prefixes))

    def strangers(self, match: Match) -> Iterator[tuple[str, str]]:
        """(match key, value) of what fits nothing that is listed, for keys that there are any values of: it may be
        meant, or be a typing error."""
        for key, listed in LISTED.items():
            known = {text for text in listed(self) if text}
            for value in values(match.get(key, [])) if known else ():
                fits = any(fnmatchcase(text, value) for text in known)
                if not fits and not (key == "peer" and self.peer(value) is not None):
                    yield key, value

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return self._by_name.get(name)

    def known_as(self, key: str) -> Device | None:
        """The device that lists a name, a host name, an address (canonical text) or an engine id (hex)."""
        return self._by_key.get(key.casefold())

    def device_at(self, address: str) -> str | None:
        """The device that lists an address (canonical text) as its own."""
        return self._addresses.get(address)

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses that a device lists, as canonical text."""
        return self._addresses_of.get(name, ())

    def identify(self, *, engine_id: str | None, agent: str | None, hostname: str | None, source: str) -> str:
        """Name of the sending device, by the first of engine id, believed agent address, hostname and source address
        that the inventory lists; else the hostname, the believed agent address or the source address as it is."""
        for key in (engine_id, agent, hostname, source):
            if key and (device := self.known_as(key)):
                return device.name
        return hostname or agent or source

    def peers_named(self, name: str) -> Sequence[Peer]:
        """The rows of peers of that name."""
        return self._peers_by_name.get(name, ())

    def peer(self, address: str | None) -> Peer | None:
        """What is known of a peer address: its own row, else the row with the longest matching prefix."""
        if address is None or not self._prefixes or len(address) > MAX_ADDRESS_TEXT:
            return None
        return self._row_of(address)


def _longest_prefix(
    rows: Mapping[tuple[int, int, int], Peer], prefixes: Iterable[tuple[int, int]], address: str
) -> Peer | None:
    try:
        ip = _ip(address)
    except ValueError:
        return None
    width = ip.max_prefixlen
    for version, length in prefixes:
        if version == ip.version:
            found = rows.get((version, length, int(ip) >> (width - length) << (width - length)))
            if found is not None:
                return found
    return None


def zone_known(name: str) -> bool:
    """Whether a time zone of that name can be used."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return False
    return True


def engine_id(text: str) -> bytes:
    """An SNMP engine id as people write it: hex, also with ``0x`` in front or colons between the octets.

    Raises:
        ValueError: it is not 5 to 32 octets in hex (RFC 3411 section 5, SnmpEngineID).
    """
    try:
        octets = bytes.fromhex(text.casefold().removeprefix("0x").replace(":", ""))
    except ValueError:
        octets = b""
    if not 5 <= len(octets) <= 32:
        raise ValueError(f"{text!r} is not an engine id: 5 to 32 octets in hex")
    return octets


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """One value per address: IPv4-mapped IPv6 is IPv4."""
    ip = ipaddress.ip_address(text)
    return getattr(ip, "ipv4_mapped", None) or ip


def spellings(address: str) -> Sequence[str]:
    """The canonical texts of one address: IPv4 may come mapped into IPv6. ValueError if it is none."""
    ip = _ip(address)
    return (str(ip), *([str(ipaddress.ip_address(f"::ffff:{ip}"))] if ip.version == 4 else ()))


def _network(peer: Peer) -> Network:
    """What a row is about. ValueError: neither or both of address and cidr, no such thing, or host bits in a cidr."""
    if peer.address is not None and peer.cidr is None:
        return ipaddress.ip_network(_ip(peer.address))
    if peer.cidr is None or peer.address is not None:
        raise ValueError("needs either address or cidr")
    network = ipaddress.ip_network(peer.cidr)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


#: How each field by which a device can be known is brought into its one spelling.
_SPELLING: dict[str, Callable[[str], str]] = {
    "hostnames": str.casefold,
    "addresses": lambda text: str(_ip(text.partition("%")[0])),
    "engine_ids": lambda text: engine_id(text).hex(),
}


def _keys(device: Device) -> Iterator[tuple[str, str]]:
    """(field, key) of everything a device is known by."""
    yield "name", device.name.casefold()
    for field, spelled in _SPELLING.items():
        for text in getattr(device, field):
            yield field, spelled(text)


#: Match key → every value that an inventory lists.
LISTED: dict[str, Callable[[Inventory], Iterable[str | None]]] = {
    "site": lambda inventory: [
        *(peer.site for peer in inventory.peers),
        *(device.site for device in inventory.devices),
    ],
    "device": lambda inventory: [device.name for device in inventory.devices],
    "peer": lambda inventory: [text for peer in inventory.peers for text in (peer.name, peer.address)],
    "owner": lambda inventory: [peer.owner for peer in inventory.peers],
    "tag": lambda inventory: [tag for peer in inventory.peers for tag in peer.tags],
}


def faults(devices: Iterable[Device], peers: Iterable[Peer]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of rows that cannot be used, or of which two claim the same. A row that lacks a field
    because that one is of the wrong type is checked as far as it goes."""
    owners: dict[str, int] = {}
    rows = tuple(devices)
    for index, device in enumerate(rows):
        for field, what in _device_faults(device):
            yield f"devices[{index}].{field}", what
        for field, key in _spelled_right(device):
            owner = owners.setdefault(key, index)
            if owner != index:
                yield f"devices[{index}].{field}", _claimed_twice(field, key, device, rows[owner], f"devices[{owner}]")
    yield from _peer_faults(peers)


def _claimed_twice(field: str, key: str, device: Device, owner: Device, place: str) -> str:
    if field == "name" and key == getattr(owner, "name", "").casefold():
        return f"{device.name!r} is the name of {place} already"
    mine, other = (getattr(one, "name", "a device without a name") for one in (device, owner))
    return f"{key!r} of {mine!r} belongs to {other!r} ({place}) already"


def _device_faults(device: Device) -> Iterator[tuple[str, str]]:
    for field, spelled in _SPELLING.items():
        for text in getattr(device, field, ()):
            try:
                spelled(text)
            except ValueError as error:
                yield field, str(error)
    zone = getattr(device, "time_zone", "")
    if zone and not zone_known(zone):
        yield "time_zone", f"{zone!r} is not a known time zone"
    if getattr(device, "clock", None) == "local" and zone is None:
        yield "clock", '"local" needs time_zone'


def _spelled_right(device: Device) -> Iterator[tuple[str, str]]:
    """`_keys` without those that are misspelled."""
    if hasattr(device, "name"):
        yield "name", device.name.casefold()
    for field, spelled in _SPELLING.items():
        for text in getattr(device, field, ()):
            with contextlib.suppress(ValueError):
                yield field, spelled(text)


def _peer_faults(peers: Iterable[Peer]) -> Iterator[tuple[str, str]]:
    rows: dict[Network, tuple[int, Peer]] = {}
    for index, peer in enumerate(peers):
        address, cidr = (getattr(peer, field, UNSET) for field in ("address", "cidr"))
        if UNSET in (address, cidr):
            continue
        if (address is None) == (cidr is None):
            yield f"peers[{index}]", "needs either address or cidr"
            continue
        try:
            place, first = rows.setdefault(_network(peer), (index, peer))
        except ValueError as error:
            yield f"peers[{index}].{'cidr' if address is None else 'address'}", str(error)
            continue
        if place != index:
            yield f"peers[{index}]", f"{_title(peer)} is the same peer as {_title(first)} (peers[{place}])"


def _title(peer: Peer) -> str:
    text = peer.address or peer.cidr or ""
    name = getattr(peer, "name", None)
    return f"{name!r} ({text})" if name else text
