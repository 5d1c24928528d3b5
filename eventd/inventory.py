"""What the operator knows about the network: devices and peers (``peers.toml``). Pure values and look-ups.

Without an inventory everything still works: names are addresses, clocks are read as UTC.
"""

import ipaddress
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

ClockMeaning = Literal["iso", "add-offset", "local"]
Text = Annotated[str, Meta(min_length=1)]


class Device(Struct, frozen=True, forbid_unknown_fields=True):
    """A firewall that sends us messages.

    ``clock`` says what its stamps mean: ``iso`` as ISO 8601 reads them (no offset = UTC), ``add-offset`` the clock
    shows UTC and the printed offset is to be added to get local time (so the offset is ignored), ``local`` the clock
    shows the local time of ``time_zone`` whatever offset is printed.
    """

    name: Text
    addresses: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    engine_ids: tuple[str, ...] = ()
    vendor: str | None = None
    time_zone: str | None = None
    clock: ClockMeaning = "iso"
    site: str | None = None


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
    """Look-ups over devices and peers. Build a new one to change anything."""

    def __init__(self, devices: Iterable[Device] = (), peers: Iterable[Peer] = ()) -> None:
        self.devices = tuple(devices)
        self.peers = tuple(peers)
        self._by_name = {device.name: device for device in self.devices}
        self._by_key: dict[str, Device] = {}
        for device in self.devices:
            self._by_key[device.name.casefold()] = device
            for key in (*device.hostnames, *device.addresses, *device.engine_ids):
                self._by_key[key.casefold()] = device
        self._peers: dict[tuple[int, int, int], Peer] = {}
        for peer in self.peers:
            network = ipaddress.ip_network(peer.address or peer.cidr or "", strict=False)
            self._peers[network.version, network.prefixlen, int(network.network_address)] = peer
        self._prefixes = sorted({(version, length) for version, length, _ in self._peers}, reverse=True)

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return self._by_name.get(name)

    def identify(self, *, engine_id: str | None, agent: str | None, hostname: str | None, source: str) -> str:
        """Name of the sending device, by the first of engine id, believed agent address, hostname and source address
        that the inventory lists; else the hostname, the believed agent address or the source address as it is."""
        for key in (engine_id, agent, hostname, source):
            if key and (device := self._by_key.get(key.casefold())):
                return device.name
        return hostname or agent or source

    def peer(self, address: str | None) -> Peer | None:
        """What is known of a peer address: its own row, else the row with the longest matching prefix."""
        if address is None or not self._prefixes:
            return None
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return None
        width = ip.max_prefixlen
        for version, length in self._prefixes:
            if version == ip.version:
                found = self._peers.get((version, length, int(ip) >> (width - length) << (width - length)))
                if found is not None:
                    return found
        return None


def zone_known(name: str) -> bool:
    """Whether a time zone of that name can be used."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return False
    return True
