"""Reads the configuration and the inventory: TOML in, frozen settings out, every problem at once.

Settings classes live beside what they set; here they are only read, named and checked against each other.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from eventd import correlate, credentials, heartbeat, inventory, recorder, store, verify
from eventd.checked import trying
from eventd.correlate import Maintenance
from eventd.credentials import SnmpEngine, SnmpUser
from eventd.discreet import Discreet
from eventd.document import Document, did_you_mean, join, read
from eventd.errors import ConfigError, Problem
from eventd.matching import faults
from eventd.notify import localtime, routing
from eventd.notify.routing import Quiet, Route, Routes
from eventd.parse.engines import Allowance
from eventd.parse.usm import User
from eventd.receivers.addresses import overlap, parse_listen
from eventd.receivers.settings import Snmp, SyslogTcp, SyslogTls, SyslogUdp, as_list
from eventd.registry import load_notifiers
from eventd.web.settings import Token, Web

#: A scrape of more series takes longer than the interval between two.
MAX_SERIES = 1_000_000


class SnmpReceiver(Snmp, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trap receiver: its sockets, and who may talk to them."""

    communities: tuple[str, ...] = ("public",)
    engine_id: str | None = None
    users: tuple[SnmpUser, ...] = ()
    engines: tuple[SnmpEngine, ...] = ()


class Receivers(Struct, frozen=True, forbid_unknown_fields=True):
    """Only the receivers named are started; without the table: UDP, TCP and traps on the default ports."""

    syslog_udp: SyslogUdp | None = None
    syslog_tcp: SyslogTcp | None = None
    syslog_tls: SyslogTls | None = None
    snmp: SnmpReceiver | None = None

    @property
    def trusted_forwarders(self) -> tuple[str, ...]:
        """Networks whose hosts speak for others, whatever they speak: one host often relays logs and traps."""
        given = (getattr(self, name) for name in self.__struct_fields__)
        return tuple(cidr for settings in given if settings is not None for cidr in settings.trusted_forwarders)


RECEIVERS = Receivers.__struct_fields__
#: Those of them that listen on TCP.
STREAMS = ("syslog_tcp", "syslog_tls")


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """``peer_labels`` puts peer addresses into metrics, for at most ``max_peers`` peers."""

    peer_labels: bool = True
    max_peers: Annotated[int, Meta(ge=0, le=MAX_SERIES)] = 10_000


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """Logs go to stderr; ``auto`` is text on a terminal and JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ChannelConfig(Struct, frozen=True):
    """One channel: ``settings`` is an instance of its notifier's settings class, ``key`` where it stands, ``quiet`` the
    hours in which it is told only what is grave."""

    name: str
    type: str
    settings: Any
    key: str = "channels"
    quiet: Quiet | None = None


class Config(Discreet, frozen=True, dict=True):
    """Everything a running eventd needs to know. ``access_users`` are the SNMPv3 users with their secrets read,
    ``access_allowances`` the exceptions for SNMPv3 engines by engine id."""

    receivers: Receivers
    store: store.Settings
    web: Web
    correlate: correlate.Settings
    metrics: Metrics
    log: Log
    record: recorder.Settings
    heartbeat: heartbeat.Settings
    notify: localtime.Settings
    channels: tuple[ChannelConfig, ...]
    routes: tuple[Route, ...]
    maintenance: tuple[Maintenance, ...]
    inventory: inventory.Inventory
    handlers: tuple[str, ...]
    access_users: tuple[User, ...]
    access_allowances: Mapping[bytes, Allowance]
    tokens: Mapping[str, Token]
    document: Document
    path: str | None = None

    @cached_property
    def routing(self) -> Routes:
        """The routes, to be asked for who is told."""
        return Routes(self.routes)

    @property
    def listeners(self) -> Mapping[str, Quiet | None]:
        """Who can be told: names of all channels, with their quiet hours."""
        return {channel.name: channel.quiet for channel in self.channels}


def load(path: str | None) -> Config:
    """Read a configuration file, or the embedded defaults where ``path`` is None.

    Raises:
        ConfigError: with every problem found, by reading and then by trying what was read all right.
    """
    reader, document = read(Path(path)) if path is not None else (Document(None, ""), {})
    parts = _parts(reader, document)
    if not reader.problems:
        return Config(**parts, path=path)
    tried, _ = verify.attempt(SimpleNamespace(**parts), reader.sound)
    raise ConfigError(reader.problems + tried)


def load_all(paths: Iterable[str | None]) -> list[Config]:
    """Several configurations.

    Raises:
        ConfigError: with every problem of each.
    """
    found, problems = list[Config](), list[Problem]()
    for path in paths:
        try:
            found.append(load(path))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


SECTIONS: dict[str, type[Struct]] = {
    "store": store.Settings,
    "web": Web,
    "correlate": correlate.Settings,
    "metrics": Metrics,
    "log": Log,
    "record": recorder.Settings,
    "heartbeat": heartbeat.Settings,
    "notify": localtime.Settings,
}
KNOWN = (*SECTIONS, "receivers", "channels", "routes", "maintenance", "inventory", "handlers")


def _parts(reader: Document, document: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Config`, each as far as it can be known."""
    for name in (name for name in document if name not in KNOWN):
        reader.fault(name, f"unknown key{did_you_mean(name, KNOWN)}")
    sections = {name: reader.draft(cls, document.get(name, {}), name) for name, cls in SECTIONS.items()}
    web, receivers = sections["web"], _receivers(reader, document.get("receivers"))
    time_zone = getattr(sections["notify"], "time_zone", "UTC") if reader.sound("notify") else "UTC"
    channels = _channels(reader, document.get("channels"), time_zone)
    routes = _tables(reader, Route, document, "routes")
    _check_routes(reader, routes, channels)
    windows = _tables(reader, Maintenance, document, "maintenance")
    _check_maintenance(reader, windows)
    handlers = reader.value(tuple[str, ...], document.get("handlers", ["handlers"]), "handlers") or ()
    snmp = getattr(receivers, "snmp", None)
    if tls := getattr(receivers, "syslog_tls", None):
        _check_tls_files(reader, "receivers.syslog_tls", tls, "cert_file", "key_file", "client_ca_file")
    _check_tls_files(reader, "web", web, "tls_cert_file", "tls_key_file")
    _check_ports(reader, receivers, web)
    if (engine := getattr(snmp, "engine_id", None)) is not None:
        credentials.engine_id(reader, engine, "receivers.snmp.engine_id")
    return {
        **sections,
        "receivers": receivers,
        "channels": channels,
        "routes": routes,
        "maintenance": windows,
        "handlers": handlers,
        "access_users": credentials.users(reader, getattr(snmp, "users", ())),
        "access_allowances": credentials.allowances(reader, getattr(snmp, "engines", ())),
        "tokens": credentials.tokens(reader, getattr(web, "tokens", ())),
        "inventory": _inventory(reader, document.get("inventory")),
        "document": reader,
    }


def _tables(reader: Document, cls: type[Struct], document: dict[str, Any], name: str) -> tuple[Any, ...]:
    """An array of tables; nothing where it is none."""
    given = document.get(name, [])
    if not isinstance(given, list):
        reader.fault(name, f"must be a list of tables: [[{name}]]")
        return ()
    return tuple(reader.draft(cls, table, f"{name}[{index}]") for index, table in enumerate(given))


def _receivers(reader: Document, table: Any) -> Any:
    if table is None:
        return Receivers(syslog_udp=SyslogUdp(), syslog_tcp=SyslogTcp(), snmp=SnmpReceiver())
    receivers = reader.draft(Receivers, table, "receivers")
    if receivers == Receivers():
        reader.fault("receivers", "no receiver is configured; remove the table to get the default ones")
    return receivers


def _check_ports(reader: Document, receivers: Any, web: Any) -> None:
    """No two sockets may want the same port of the same address: the second could not be opened."""
    taken: list[tuple[str, str, str]] = []
    for socket, key, address in listening(receivers, web):
        if next(trying(key, parse_listen, (address,)), None) is not None:
            continue
        for other_socket, other_key, other in taken:
            if socket == other_socket and overlap(address, other):
                reader.fault(key, f"{address} is taken by {other_key} ({other})")
        taken.append((socket, key, address))


def listening(receivers: Any, web: Any) -> Iterator[tuple[str, str, str]]:
    """(kind of socket, key, address) of everything that listens, of settings or of drafts of them."""
    for name in RECEIVERS:
        for address in as_list(getattr(getattr(receivers, name, None), "listen", ())):
            yield ("tcp" if name in STREAMS else "udp"), f"receivers.{name}.listen", address
    for address in as_list(getattr(web, "listen", ())):
        yield "tcp", "web.listen", address


def _check_tls_files(reader: Document, key: str, settings: Any, cert: str, private: str, *more: str) -> None:
    given = {name: getattr(settings, name) for name in (cert, private, *more) if hasattr(settings, name)}
    if cert in given and private in given and (given[cert] is None) != (given[private] is None):
        reader.fault(join(key, cert if given[cert] else private), "a TLS certificate and its key are needed together")
    _check_readable(reader, key, given)


def _check_readable(reader: Document, key: str, files: Mapping[str, str | None]) -> None:
    for name, file in files.items():
        if file is not None and not os.access(file, os.R_OK):
            reader.fault(join(key, name), f"{file} cannot be read")


def _channels(reader: Document, tables: Any, time_zone: str) -> tuple[ChannelConfig, ...]:
    if tables is None:
        tables = [{"name": "console", "type": "console"}]
    if not isinstance(tables, list):
        reader.fault("channels", "must be a list of tables: [[channels]]")
        return ()
    notifiers, channels = load_notifiers(), list[ChannelConfig]()
    for index, table in enumerate(tables):
        key = f"channels[{index}]"
        if not isinstance(table, dict):
            reader.fault(key, "must be a table")
            continue
        own = dict(table)
        name, kind, hours = (own.pop(common, None) for common in ("name", "type", "quiet"))
        quiet = None if hours is None else reader.draft(Quiet, hours, join(key, "quiet"))
        if not isinstance(name, str) or not name:
            reader.fault(join(key, "name"), "is missing" if name is None else "must be text that is not empty")
        elif name in {channel.name for channel in channels}:
            reader.fault(join(key, "name"), f"{name!r} is used twice")
        settings = None
        if not isinstance(kind, str) or kind not in notifiers:
            what = "is missing: one of" if kind is None else f"{kind!r} is not one of"
            reader.fault(join(key, "type"), f"{what} {', '.join(sorted(notifiers))}")
        else:
            own = reader.known(notifiers[kind].settings, own, key)  # what nobody knows hides no other fault
            if "time_zone" in notifiers[kind].settings.__struct_fields__:
                own.setdefault("time_zone", time_zone)
            settings = reader.draft(notifiers[kind].settings, own, key)
        channels.append(ChannelConfig(str(name), str(kind), settings, key, quiet))
    return tuple(channels)


def _check_routes(reader: Document, routes: tuple[Any, ...], channels: tuple[ChannelConfig, ...]) -> None:
    """Routes that are no good otherwise are checked as far as they go."""
    known = [channel.name for channel in channels]
    for index, row in enumerate(routes):
        filled = Route(channels=getattr(row, "channels", tuple(known)), match=getattr(row, "match", {}))
        for problem in routing.validate([filled], known):
            reader.fault(problem.key.replace("routes[0]", f"routes[{index}]", 1), problem.what)


def _check_maintenance(reader: Document, windows: tuple[Any, ...]) -> None:
    for index, window in enumerate(windows):
        for problem in faults(getattr(window, "match", {}), f"maintenance[{index}].match"):
            reader.fault(problem.key, problem.what)


class _InventoryFile(Struct, frozen=True, forbid_unknown_fields=True):
    devices: tuple[inventory.Device, ...] = ()
    peers: tuple[inventory.Peer, ...] = ()


def _inventory(main: Document, name: Any) -> inventory.Inventory:
    if not isinstance(name, str):
        if name is not None:
            main.fault("inventory", "must be text, the name of a file")
        return inventory.Inventory()
    try:
        reader, document = read(main.beside(name))
    except ConfigError as error:
        main.problems.extend(error.problems)
        return inventory.Inventory()
    rows = reader.draft(_InventoryFile, document, "")
    devices, peers = (tuple(filter(None, getattr(rows, kind, ()))) for kind in ("devices", "peers"))
    for key, what in inventory.faults(devices, peers):
        reader.fault(key, what)
    main.problems.extend(reader.problems)
    return inventory.Inventory() if reader.problems else inventory.Inventory(devices, peers)
