"""What the journal says of those who send: relays taken for devices, clocks that are off, devices never heard."""

import contextlib
import ipaddress
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from eventd.config import Config
from eventd.doctor.finding import Finding
from eventd.inventory import Device
from eventd.model import Event
from eventd.skew import LARGE_S, Skews, advice
from eventd.store.base import MAX_PAGE
from eventd.store.database import open_reader
from eventd.store.reader import Reader

#: Names of one list that are told; the rest is a number.
MAX_NAMED = 10


class Heard(Struct):
    """What is known of senders: host names by source address, devices of the journal, and its latest events (newest
    first)."""

    names: dict[str, set[str]]
    devices: set[str]
    latest: list[Event]


def examine(config: Config) -> Iterator[Finding]:
    """Senders, as far as there is a store."""
    path = Path(config.store.path)
    if not path.exists():
        yield Finding("senders", "note", f"nothing is known of senders yet: there is no store at {path}")
        return
    try:
        heard = _heard(path)
    except (sqlite3.Error, OSError, ValueError) as error:
        yield Finding("senders", "warning", f"{path} cannot be read: {error}", "run this as the user of the service")
        return
    yield from several_names(heard, config.receivers.trusted_forwarders)
    yield from skewed(heard)
    yield from never_heard(heard, config.inventory.devices)


def _heard(path: Path) -> Heard:
    with contextlib.closing(open_reader(path)) as db:
        reader = Reader(db)
        [[kept]] = reader.all("meta_get", ("learned_hostnames",)) or [["{}"]]
        learned: dict[str, Any] = msgspec.json.decode(kept)
        devices = {device for (device,) in reader.all("devices_heard")}
        latest = [row.event for row in reader.events({}, MAX_PAGE).items]
    names = {source: set(used) if isinstance(used, dict) else {str(used)} for source, used in learned.items()}
    for event in latest:
        if event.hostname:
            names.setdefault(event.source, set()).add(event.hostname)
    return Heard(names, devices, latest)


def several_names(heard: Heard, forwarders: tuple[str, ...]) -> Iterator[Finding]:
    """Sources that speak for several devices: traps from there carry no name, so that all of them count as one."""
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in forwarders]
    several = {source: names for source, names in heard.names.items() if len(names) > 1}
    unknown = 0
    for source, names in sorted(several.items()):
        seen = f"{source} speaks for {_named(names)}"
        if any(ipaddress.ip_address(source) in network for network in networks):
            yield Finding("senders", "ok", f"{seen}, as a trusted forwarder")
            continue
        unknown += 1
        if unknown <= MAX_NAMED:
            trusted = f'trusted_forwarders = ["{source}"] at its receiver, if it is a relay'
            yield Finding("senders", "warning", seen, f"{trusted}; else have each device send by itself")
    if unknown > MAX_NAMED:
        yield Finding("senders", "warning", f"{unknown - MAX_NAMED} more sources speak for several devices each")
    if not several:
        yield Finding("senders", "ok", f"none of {len(heard.names)} sources uses several host names")


def skewed(heard: Heard) -> Iterator[Finding]:
    """Devices whose clock, as far as their latest messages tell, is far from ours."""
    skews = Skews()
    for event in reversed(heard.latest):
        if event.device_time is not None:
            arrived = event.received_at.timestamp()
            skews.heard(event.device, event.device_time.timestamp() - arrived, arrived)
    off = {device: skew for device, skew in skews.seconds().items() if abs(skew) >= LARGE_S}
    for device, skew in sorted(off.items())[:MAX_NAMED]:
        way = "ahead of" if skew > 0 else "behind"
        yield Finding("device clocks", "warning", f"{device} is {abs(skew):.0f} s {way} us", advice(skew))
    if len(off) > MAX_NAMED:
        yield Finding("device clocks", "warning", f"{len(off) - MAX_NAMED} more devices have a clock that is off")
    if skews.seconds() and not off:
        yield Finding("device clocks", "ok", f"{len(skews.seconds())} devices are within {LARGE_S:.0f} s of us")


def never_heard(heard: Heard, devices: tuple[Device, ...]) -> Iterator[Finding]:
    """Devices of the inventory of which nothing ever came. What is no IPsec event is not in the journal, but its source
    and host name are known all the same."""
    known = {name.casefold() for names in heard.names.values() for name in names}
    silent = [
        device.name
        for device in devices
        if device.name not in heard.devices
        and not known & {device.name.casefold(), *(name.casefold() for name in device.hostnames)}
        and not heard.names.keys() & set(device.addresses)
    ]
    if silent:
        seen = f"of {len(devices)} devices in the inventory nothing was ever heard from {_named(silent)}"
        where = "info-center loghost and snmp-agent target-host there, firewalls on the way, allow of the receiver here"
        yield Finding("inventory", "warning", seen, where)
    elif devices:
        yield Finding("inventory", "ok", f"each of its {len(devices)} devices was heard")


def _named(names: set[str] | list[str]) -> str:
    shown = sorted(names)[:MAX_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
