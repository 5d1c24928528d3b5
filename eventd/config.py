"""Reads the configuration and the inventory: TOML in, frozen settings out, every problem at once.

Settings classes live beside what they set; here they are only read, named and checked against each other.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from eventd import correlate, inventory, recorder, store
from eventd.correlate import Maintenance
from eventd.discreet import Discreet
from eventd.document import Document, did_you_mean, join, read
from eventd.errors import ConfigError
from eventd.matching import faults
from eventd.notify import routing
from eventd.notify.routing import Route
from eventd.parse.engines import Allowance
from eventd.parse.usm import User
from eventd.receivers.addresses import overlap
from eventd.receivers.settings import Snmp, Socket, SyslogTcp, SyslogTls, SyslogUdp
from eventd.registry import load_notifiers
from eventd.web.settings import Token, Web

#: A scrape of more series takes longer than the interval between two.
MAX_SERIES = 1_000_000


class SnmpUser(Discreet, frozen=True, forbid_unknown_fields=True):
    """One SNMPv3 user. Each secret also as ``*_file`` or ``*_env``; secrets are passphrases (RFC 3414 section 2.6)."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    level: Literal["noAuthNoPriv", "authNoPriv", "authPriv"] = "authPriv"
    auth: Literal["MD5", "SHA", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"] | None = None
    auth_key: str | None = None
    auth_key_file: str | None = None
    auth_key_env: str | None = None
    priv: Literal["DES", "AES", "AES128", "AES192", "AES256", "AES192C", "AES256C"] | None = None
    priv_key: str | None = None
    priv_key_file: str | None = None
    priv_key_env: str | None = None
    engine_id: str | None = None


class SnmpEngine(Struct, frozen=True, forbid_unknown_fields=True):
    """An exception for one SNMPv3 engine whose firmware cannot keep time as it should (see `engines.Allowance`)."""

    engine_id: str
    accept_boots_reset: bool = False
    ignore_time_window: bool = False


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


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """``peer_labels`` puts peer addresses into metrics, for at most ``max_peers`` peers."""

    peer_labels: bool = True
    max_peers: Annotated[int, Meta(ge=0, le=MAX_SERIES)] = 10_000


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """Logs go to stderr; ``auto`` is text on a terminal and JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ChannelConfig(Struct, frozen=True):
    """One channel: ``settings`` is an instance of its notifier's settings class."""

    name: str
    type: str
    settings: Any


class Config(Discreet, frozen=True):
    """Everything a running eventd needs to know. ``access_users`` are the SNMPv3 users with their secrets read,
    ``access_allowances`` the exceptions for SNMPv3 engines by engine id."""

    receivers: Receivers
    store: store.Settings
    web: Web
    correlate: correlate.Settings
    metrics: Metrics
    log: Log
    record: recorder.Settings
    channels: tuple[ChannelConfig, ...]
    routes: tuple[Route, ...]
    maintenance: tuple[Maintenance, ...]
    inventory: inventory.Inventory
    handlers: tuple[str, ...]
    access_users: tuple[User, ...]
    access_allowances: Mapping[bytes, Allowance]
    tokens: Mapping[str, Token]
    path: str | None = None


def load(path: str | None) -> Config:
    """Read a configuration file, or the embedded defaults where ``path`` is None.

    Raises:
        ConfigError: with every problem found.
    """
    reader, document = read(Path(path)) if path is not None else (Document(None, ""), {})
    config = _build(reader, document, path)
    if reader.problems or config is None:
        raise ConfigError(reader.problems)
    return config


SECTIONS: dict[str, type[Struct]] = {
    "store": store.Settings,
    "web": Web,
    "correlate": correlate.Settings,
    "metrics": Metrics,
    "log": Log,
    "record": recorder.Settings,
}
KNOWN = (*SECTIONS, "receivers", "channels", "routes", "maintenance", "inventory", "handlers")


def _build(reader: Document, document: dict[str, Any], path: str | None) -> Config | None:
    for name in document.keys() - set(KNOWN):
        reader.fault(name, f"unknown key{did_you_mean(name, KNOWN)}")
    sections = {name: reader.struct(cls, document.get(name, {}), name) for name, cls in SECTIONS.items()}
    receivers = _receivers(reader, document.get("receivers"))
    channels = _channels(reader, document.get("channels"))
    routes = reader.value(tuple[Route, ...], document.get("routes", []), "routes") or ()
    _check_routes(reader, routes, channels)
    windows = reader.value(tuple[Maintenance, ...], document.get("maintenance", []), "maintenance") or ()
    _check_maintenance(reader, windows)
    handlers = reader.value(tuple[str, ...], document.get("handlers", ["handlers"]), "handlers") or ()
    users = _users(reader, receivers)
    allowances = _allowances(reader, receivers)
    _check_receivers(reader, receivers)
    _check_web(reader, sections["web"])
    _check_ports(reader, receivers, sections["web"])
    tokens = _tokens(reader, sections["web"])
    known = _inventory(reader, document.get("inventory"))
    if reader.problems or receivers is None:
        return None
    return Config(
        **sections,
        receivers=receivers,
        channels=channels,
        routes=routes,
        maintenance=windows,
        inventory=known,
        handlers=handlers,
        access_users=users,
        access_allowances=allowances,
        tokens=tokens,
        path=path,
    )


def _receivers(reader: Document, table: Any) -> Receivers | None:
    if table is None:
        return Receivers(syslog_udp=SyslogUdp(), syslog_tcp=SyslogTcp(), snmp=SnmpReceiver())
    receivers: Receivers | None = reader.struct(Receivers, table, "receivers")
    if receivers is not None and receivers == Receivers():
        reader.fault("receivers", "no receiver is configured; remove the table to get the default ones")
    return receivers


def _check_receivers(reader: Document, receivers: Receivers | None) -> None:
    if receivers is None:
        return
    tls, snmp = receivers.syslog_tls, receivers.snmp
    if tls is not None:
        _check_tls_files(reader, "receivers.syslog_tls", tls.cert_file, tls.key_file)
    if snmp is None:
        return
    if snmp.engine_id is not None:
        _engine_id(reader, snmp.engine_id, "receivers.snmp.engine_id")


def _check_web(reader: Document, web: Web | None) -> None:
    if web is not None:
        _check_tls_files(reader, "web", web.tls_cert_file, web.tls_key_file)


def _check_ports(reader: Document, receivers: Receivers | None, web: Web | None) -> None:
    """No two sockets may want the same port of the same address: the second could not be opened."""
    taken: list[tuple[str, str, str]] = []
    for socket, key, address in listening(receivers, web):
        for other_socket, other_key, other in taken:
            if socket == other_socket and overlap(address, other):
                reader.fault(key, f"{address} is taken by {other_key} ({other})")
        taken.append((socket, key, address))


def listening(receivers: Receivers | None, web: Web | None) -> Iterator[tuple[str, str, str]]:
    """(kind of socket, key, address) of everything that listens."""
    for name in RECEIVERS:
        settings: Socket | None = getattr(receivers, name, None)
        for address in settings.addresses if settings else ():
            yield ("tcp" if isinstance(settings, SyslogTcp) else "udp"), f"receivers.{name}.listen", address
    if web is not None:
        yield "tcp", "web.listen", web.listen


def _check_tls_files(reader: Document, key: str, cert: str | None, private: str | None) -> None:
    if (cert is None) != (private is None):
        reader.fault(key, "a TLS certificate and its key are needed together")
    for name in (cert, private):
        if name is not None and not os.access(name, os.R_OK):
            reader.fault(key, f"{name} cannot be read")


def _engine_id(reader: Document, text: str, key: str) -> bytes | None:
    try:
        return inventory.engine_id(text)
    except ValueError as error:
        reader.fault(key, str(error))
        return None


def _users(reader: Document, receivers: Receivers | None) -> tuple[User, ...]:
    if receivers is None or receivers.snmp is None:
        return ()
    users = [_user(reader, user, f"receivers.snmp.users[{n}]") for n, user in enumerate(receivers.snmp.users)]
    return tuple(user for user in users if user is not None)


def _user(reader: Document, user: SnmpUser, key: str) -> User | None:
    before = len(reader.problems)
    auth_key = reader.secret(user, "auth_key", key, required=user.level != "noAuthNoPriv")
    priv_key = reader.secret(user, "priv_key", key, required=user.level == "authPriv")
    engine_id = None if user.engine_id is None else _engine_id(reader, user.engine_id, join(key, "engine_id"))
    if len(reader.problems) > before:
        return None
    try:
        return User(
            name=user.name,
            level=user.level,
            auth=user.auth,
            auth_password=auth_key.encode() if auth_key is not None else None,
            priv=user.priv,
            priv_password=priv_key.encode() if priv_key is not None else None,
            engine_id=engine_id,
        )
    except ValueError as error:
        reader.fault(key, str(error))
        return None


def _allowances(reader: Document, receivers: Receivers | None) -> dict[bytes, Allowance]:
    found: dict[bytes, Allowance] = {}
    for index, engine in enumerate(receivers.snmp.engines if receivers and receivers.snmp else ()):
        key = f"receivers.snmp.engines[{index}]"
        engine_id = _engine_id(reader, engine.engine_id, join(key, "engine_id"))
        if engine_id is None:
            continue
        if engine_id in found:
            reader.fault(join(key, "engine_id"), f"{engine.engine_id!r} is listed twice")
        found[engine_id] = Allowance(engine.accept_boots_reset, engine.ignore_time_window)
    return found


def _channels(reader: Document, tables: Any) -> tuple[ChannelConfig, ...]:
    notifiers = load_notifiers()
    if tables is None:
        tables = [{"name": "console", "type": "console"}]
    if not isinstance(tables, list):
        reader.fault("channels", "expected an array of tables: [[channels]]")
        return ()
    channels: list[ChannelConfig] = []
    for index, table in enumerate(tables):
        key = f"channels[{index}]"
        own = dict(table) if isinstance(table, dict) else {}
        name, kind = own.pop("name", None), own.pop("type", None)
        if not isinstance(name, str) or not name:
            reader.fault(join(key, "name"), "is missing")
        elif name in {channel.name for channel in channels}:
            reader.fault(join(key, "name"), f"{name!r} is used twice")
        if not isinstance(kind, str) or kind not in notifiers:
            reader.fault(join(key, "type"), f"{kind!r} is not one of {', '.join(sorted(notifiers))}")
            continue
        settings = reader.struct(notifiers[kind].settings, own, key)
        channels.append(ChannelConfig(str(name), kind, settings))
    return tuple(channels)


def _check_routes(reader: Document, routes: tuple[Route | None, ...], channels: tuple[ChannelConfig, ...]) -> None:
    good = [route for route in routes if route is not None]
    for problem in routing.validate(good, [channel.name for channel in channels]):
        reader.fault(problem.key, problem.what)


def _check_maintenance(reader: Document, windows: tuple[Maintenance | None, ...]) -> None:
    for index, window in enumerate(windows):
        for problem in faults(window.match, f"maintenance[{index}].match") if window is not None else ():
            reader.fault(problem.key, problem.what)


def _tokens(reader: Document, web: Web | None) -> dict[str, Token]:
    found: dict[str, Token] = {}
    for index, token in enumerate(web.tokens if web else ()):
        secret = reader.secret(token, "token", f"web.tokens[{index}]", required=True)
        if secret is not None and len(secret) < 16:
            reader.fault(f"web.tokens[{index}].token", "is shorter than 16 characters")
        elif secret in found:
            reader.fault(f"web.tokens[{index}].token", f"{token.name!r} has the same secret as {found[secret].name!r}")
        elif secret is not None:
            found[secret] = token
    return found


class _InventoryFile(Struct, frozen=True, forbid_unknown_fields=True):
    devices: tuple[inventory.Device, ...] = ()
    peers: tuple[inventory.Peer, ...] = ()


def _inventory(main: Document, name: Any) -> inventory.Inventory:
    if name is None:
        return inventory.Inventory()
    if not isinstance(name, str):
        main.fault("inventory", "expected the name of a file")
        return inventory.Inventory()
    try:
        reader, document = read(main.beside(name))
    except ConfigError as error:
        main.problems.extend(error.problems)
        return inventory.Inventory()
    rows: _InventoryFile | None = reader.struct(_InventoryFile, document, "")
    if rows is not None:
        for key, what in inventory.faults(rows.devices, rows.peers):
            reader.fault(key, what)
    main.problems.extend(reader.problems)
    if reader.problems or rows is None:
        return inventory.Inventory()
    return inventory.Inventory(rows.devices, rows.peers)
