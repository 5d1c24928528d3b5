"""Reads the configuration and the inventory: TOML in, frozen settings out, every problem at once.

Settings classes live beside what they set; here they are only read, named and checked against each other.
"""

import contextlib
import difflib
import ipaddress
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from eventd import correlate, inventory, store
from eventd.errors import ConfigError, Problem
from eventd.notify import routing, secrets
from eventd.notify.routing import Route
from eventd.parse.usm import User
from eventd.receivers.settings import Snmp, SyslogTcp, SyslogTls, SyslogUdp
from eventd.registry import load_notifiers
from eventd.web.settings import Token, Web

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")

#: Parts of the configuration that are reserved for later versions and refused by name rather than ignored.
RESERVED = {"maintenance": "maintenance windows are not built yet; remove the section"}


class SnmpUser(Struct, frozen=True, forbid_unknown_fields=True):
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


class SnmpReceiver(Snmp, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trap receiver: its sockets, and who may talk to them."""

    communities: tuple[str, ...] = ("public",)
    engine_id: str | None = None
    trusted_forwarders: tuple[str, ...] = ()
    users: tuple[SnmpUser, ...] = ()


class Receivers(Struct, frozen=True, forbid_unknown_fields=True):
    """Only the receivers named are started; without the table: UDP, TCP and traps on the default ports."""

    syslog_udp: SyslogUdp | None = None
    syslog_tcp: SyslogTcp | None = None
    syslog_tls: SyslogTls | None = None
    snmp: SnmpReceiver | None = None


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """``peer_labels`` puts peer addresses into metrics, for at most ``max_peers`` peers."""

    peer_labels: bool = True
    max_peers: Annotated[int, Meta(ge=0)] = 10_000


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """Logs go to stderr; ``auto`` is text on a terminal and JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ChannelConfig(Struct, frozen=True):
    """One channel: ``settings`` is an instance of its notifier's settings class."""

    name: str
    type: str
    settings: Any


class Config(Struct, frozen=True):
    """Everything a running eventd needs to know. ``access_users`` are the SNMPv3 users with their secrets read."""

    receivers: Receivers
    store: store.Settings
    web: Web
    correlate: correlate.Settings
    metrics: Metrics
    log: Log
    channels: tuple[ChannelConfig, ...]
    routes: tuple[Route, ...]
    inventory: inventory.Inventory
    handlers: tuple[str, ...]
    access_users: tuple[User, ...]
    tokens: Mapping[str, Token]
    path: str | None = None


def parse_duration(text: str) -> float:
    """``"30s"``, ``"5m"``, ``"1h30m"`` in seconds.

    Raises:
        ValueError: it is not of that form.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f'{text!r} is not a duration like "30s", "5m", "1h30m", "90d"')
    return sum(float(number) * UNITS[unit] for number, unit in _DURATION_PART.findall(text))


_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"-]+)\s*\]")
_KEY = re.compile(r"\s*([\w.\"-]+)\s*=")


def _line_index(text: str) -> dict[str, int]:
    """Line number of every table and key of a TOML text, under the names that problems use (``channels[0].url``)."""
    index: dict[str, int] = {}
    table, counts = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[2].replace('"', "")
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            index.setdefault(table, number)
        elif key := _KEY.match(line):
            index.setdefault(_join(table, key[1].replace('"', "")), number)
    return index


def _parent(key: str) -> str:
    """``a.b[0]`` → ``a.b`` → ``a`` → nothing."""
    return key[: max(key.rfind("."), key.rfind("["), 0)]


class _Reader:
    """Turns one TOML document into structs and remembers everything that is wrong with it."""

    def __init__(self, path: Path | None, text: str) -> None:
        self.path, self._lines = path, _line_index(text)
        self.problems: list[Problem] = []

    def fault(self, key: str, what: str) -> None:
        self.problems.append(Problem(key, what, str(self.path) if self.path else None, self._line(key)))

    def _line(self, key: str) -> int | None:
        """Where a key stands, or the nearest thing around it that is written down."""
        if f"{key}[0]" in self._lines:
            return self._lines[f"{key}[0]"]
        while key and key not in self._lines:
            key = _parent(key)
        return self._lines.get(key)

    def struct(self, cls: type[Struct], table: Any, key: str) -> Any:
        """An instance of ``cls``; on any problem None, after each has been noted."""
        if not isinstance(table, dict):
            self.fault(key, "expected a table")
            return None
        before = len(self.problems)
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        for name in table.keys() - fields.keys():
            self.fault(_join(key, name), f"unknown key{_did_you_mean(name, fields)}")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in table:
                given = self._anchored(name, table[name])
                values[field.name] = self.value(field.type, given, _join(key, name))
            elif field.required:
                self.fault(_join(key, name), "is missing")
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            self.fault(key, str(error))
            return None

    def _anchored(self, name: str, value: Any) -> Any:
        """File names are relative to the file that names them."""
        if name.endswith("_file") and isinstance(value, str) and self.path is not None:
            return str(self.beside(value))
        return value

    def value(self, kind: Any, value: Any, key: str) -> Any:
        """One value of type ``kind``: structs and arrays of structs by their parts, durations, the rest by msgspec."""
        inner = _struct_in(kind)
        if inner is not None and isinstance(value, dict):
            return self.struct(inner, value, key)
        if inner is not None and isinstance(value, list):
            return tuple(self.struct(inner, item, f"{key}[{index}]") for index, item in enumerate(value))
        if isinstance(value, str) and float in _members(kind) and str not in _members(kind):
            try:
                value = parse_duration(value)
            except ValueError as error:
                self.fault(key, str(error))
                return None
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.fault(key, _plain(str(error)))
            return None

    def secret(self, holder: Struct, name: str, key: str, *, required: bool) -> str | None:
        """The secret ``name`` of a struct that has it as ``name``, ``name_file`` or ``name_env``."""
        try:
            secrets.check_ways(holder, name, required=required)
            return secrets.read_secret(holder, name, Path())
        except ValueError as error:
            self.fault(_join(key, name), str(error))
            return None

    def beside(self, name: str) -> Path:
        """A path, read relative to the configuration file."""
        return Path(name) if self.path is None else self.path.parent / name


def load(path: str | None) -> Config:
    """Read a configuration file, or the embedded defaults where ``path`` is None.

    Raises:
        ConfigError: with every problem found.
    """
    reader, document = _read(Path(path)) if path is not None else (_Reader(None, ""), {})
    config = _build(reader, document, path)
    if reader.problems or config is None:
        raise ConfigError(reader.problems)
    return config


def _read(path: Path) -> tuple[_Reader, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return _Reader(path, text), tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("configuration", f"cannot be read: {_os_error(error)}", str(path))]) from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else None
        raise ConfigError([Problem("configuration", f"is not TOML: {error}", str(path), line)]) from error


SECTIONS: dict[str, type[Struct]] = {
    "store": store.Settings,
    "web": Web,
    "correlate": correlate.Settings,
    "metrics": Metrics,
    "log": Log,
}
KNOWN = (*SECTIONS, "receivers", "channels", "routes", "inventory", "handlers")


def _build(reader: _Reader, document: dict[str, Any], path: str | None) -> Config | None:
    for name in document.keys() - set(KNOWN):
        reader.fault(name, RESERVED.get(name) or f"unknown key{_did_you_mean(name, KNOWN)}")
    sections = {name: reader.struct(cls, document.get(name, {}), name) for name, cls in SECTIONS.items()}
    receivers = _receivers(reader, document.get("receivers"))
    channels = _channels(reader, document.get("channels"))
    routes = reader.value(tuple[Route, ...], document.get("routes", []), "routes") or ()
    _check_routes(reader, routes, channels)
    handlers = reader.value(tuple[str, ...], document.get("handlers", ["handlers"]), "handlers") or ()
    users = _users(reader, receivers)
    _check_receivers(reader, receivers)
    tokens = _tokens(reader, sections["web"])
    known = _inventory(reader, document.get("inventory"))
    if reader.problems or receivers is None:
        return None
    _check_tls_files(reader, "web", sections["web"].tls_cert_file, sections["web"].tls_key_file)
    return Config(
        **sections,
        receivers=receivers,
        channels=channels,
        routes=routes,
        inventory=known,
        handlers=handlers,
        access_users=users,
        tokens=tokens,
        path=path,
    )


def _receivers(reader: _Reader, table: Any) -> Receivers | None:
    if table is None:
        return Receivers(syslog_udp=SyslogUdp(), syslog_tcp=SyslogTcp(), snmp=SnmpReceiver())
    receivers: Receivers | None = reader.struct(Receivers, table, "receivers")
    if receivers is not None and receivers == Receivers():
        reader.fault("receivers", "no receiver is configured; remove the table to get the default ones")
    return receivers


def _check_receivers(reader: _Reader, receivers: Receivers | None) -> None:
    if receivers is None:
        return
    tls, snmp = receivers.syslog_tls, receivers.snmp
    if tls is not None:
        _check_tls_files(reader, "receivers.syslog_tls", tls.cert_file, tls.key_file)
    if snmp is None:
        return
    for index, cidr in enumerate(snmp.trusted_forwarders):
        _check_network(reader, cidr, f"receivers.snmp.trusted_forwarders[{index}]")
    if snmp.engine_id is not None:
        _engine_id(reader, snmp.engine_id, "receivers.snmp.engine_id")


def _check_tls_files(reader: _Reader, key: str, cert: str | None, private: str | None) -> None:
    if (cert is None) != (private is None):
        reader.fault(key, "a TLS certificate and its key are needed together")
    for name in (cert, private):
        if name is not None and not os.access(name, os.R_OK):
            reader.fault(key, f"{name} cannot be read")


def _check_network(reader: _Reader, cidr: str, key: str) -> None:
    try:
        ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        reader.fault(key, str(error))


def _engine_id(reader: _Reader, text: str, key: str) -> bytes | None:
    """An engine id in hex, 5 to 32 octets (RFC 3411 section 5, SnmpEngineID)."""
    with contextlib.suppress(ValueError):
        octets = bytes.fromhex(text.removeprefix("0x").replace(":", ""))
        if 5 <= len(octets) <= 32:
            return octets
    reader.fault(key, f"{text!r} is not an engine id: 5 to 32 octets in hex")
    return None


def _users(reader: _Reader, receivers: Receivers | None) -> tuple[User, ...]:
    if receivers is None or receivers.snmp is None:
        return ()
    users = [_user(reader, user, f"receivers.snmp.users[{n}]") for n, user in enumerate(receivers.snmp.users)]
    return tuple(user for user in users if user is not None)


def _user(reader: _Reader, user: SnmpUser, key: str) -> User | None:
    before = len(reader.problems)
    auth_key = reader.secret(user, "auth_key", key, required=user.level != "noAuthNoPriv")
    priv_key = reader.secret(user, "priv_key", key, required=user.level == "authPriv")
    engine_id = None if user.engine_id is None else _engine_id(reader, user.engine_id, _join(key, "engine_id"))
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


def _channels(reader: _Reader, tables: Any) -> tuple[ChannelConfig, ...]:
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
            reader.fault(_join(key, "name"), "is missing")
        elif name in {channel.name for channel in channels}:
            reader.fault(_join(key, "name"), f"{name!r} is used twice")
        if not isinstance(kind, str) or kind not in notifiers:
            reader.fault(_join(key, "type"), f"{kind!r} is not one of {', '.join(sorted(notifiers))}")
            continue
        settings = reader.struct(notifiers[kind].settings, own, key)
        channels.append(ChannelConfig(str(name), kind, settings))
    return tuple(channels)


def _check_routes(reader: _Reader, routes: tuple[Route | None, ...], channels: tuple[ChannelConfig, ...]) -> None:
    good = [route for route in routes if route is not None]
    for problem in routing.validate(good, [channel.name for channel in channels]):
        reader.fault(problem.key, problem.what)


def _tokens(reader: _Reader, web: Web | None) -> dict[str, Token]:
    found: dict[str, Token] = {}
    for index, token in enumerate(web.tokens if web else ()):
        secret = reader.secret(token, "token", f"web.tokens[{index}]", required=True)
        if secret is not None and len(secret) < 16:
            reader.fault(f"web.tokens[{index}].token", "is shorter than 16 characters")
        elif secret is not None:
            found[secret] = token
    return found


class _InventoryFile(Struct, frozen=True, forbid_unknown_fields=True):
    devices: tuple[inventory.Device, ...] = ()
    peers: tuple[inventory.Peer, ...] = ()


def _inventory(main: _Reader, name: Any) -> inventory.Inventory:
    if name is None:
        return inventory.Inventory()
    if not isinstance(name, str):
        main.fault("inventory", "expected the name of a file")
        return inventory.Inventory()
    try:
        reader, document = _read(main.beside(name))
    except ConfigError as error:
        main.problems.extend(error.problems)
        return inventory.Inventory()
    rows: _InventoryFile | None = reader.struct(_InventoryFile, document, "")
    if rows is not None:
        _check_inventory(reader, rows)
    main.problems.extend(reader.problems)
    if reader.problems or rows is None:
        return inventory.Inventory()
    return inventory.Inventory(rows.devices, rows.peers)


def _check_inventory(reader: _Reader, rows: _InventoryFile) -> None:
    names: set[str] = set()
    for index, device in enumerate(rows.devices):
        if device.name in names:
            reader.fault(f"devices[{index}].name", f"{device.name!r} is used twice")
        names.add(device.name)
        for address in device.addresses:
            _check_network(reader, address, f"devices[{index}].addresses")
        if device.time_zone is not None and not inventory.zone_known(device.time_zone):
            reader.fault(f"devices[{index}].time_zone", f"{device.time_zone!r} is not a known time zone")
    for index, peer in enumerate(rows.peers):
        if (peer.address is None) == (peer.cidr is None):
            reader.fault(f"peers[{index}]", "needs either address or cidr")
        else:
            _check_network(reader, peer.address or peer.cidr or "", f"peers[{index}]")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a type: of a union its members, without their annotations."""
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return tuple(member for part in typing.get_args(kind) for member in _members(part))
    return (kind,)


def _struct_in(kind: Any) -> type[Struct] | None:
    """The struct class that a type holds, alone or as the items of a tuple."""
    for member in _members(kind):
        item = typing.get_args(member)[0] if typing.get_origin(member) in (tuple, list) else member
        if isinstance(item, type) and issubclass(item, Struct):
            return item
    return None


def _plain(message: str) -> str:
    text = message.split(" - at ")[0]
    return text[:1].lower() + text[1:]


def _did_you_mean(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _os_error(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
