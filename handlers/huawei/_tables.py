"""`traps.toml` as values: what each notification is called, means and carries, and what each object is."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from eventd.model import Severity

VENDOR = "huawei"
#: Notifications below these are the standards' own (RFC 3418): any vendor's agent sends them.
STANDARD = "1.3.6.1.6.3."


class Kind(Struct, frozen=True):
    """What one mnemonic or notification means. ``mark`` goes into ``extra``; ``space`` is that of the reasons it
    carries, empty where it carries none; ``implies`` the catalogue name of the reason that its own name states."""

    name: str
    event: str | None = None
    severity: Severity = "info"
    mark: Mapping[str, str] = {}
    space: str = ""
    implies: str | None = None


class V1(Struct, frozen=True):
    """How the notification is named in SNMPv1."""

    enterprise: str
    generic: int
    specific: int


class Notification(Kind, frozen=True, kw_only=True):
    """One row of ``[notification]``; ``oid`` is its key."""

    oid: str
    family: str
    v1: V1
    source: str
    why: str | None = None
    objects: tuple[str, ...] = ()
    objects_2009: tuple[str, ...] = ()
    also: str | None = None
    note: str | None = None


class ObjectType(Struct, frozen=True):
    """One row of ``[object]``."""

    name: str
    field: str | None = None
    syntax: str = "unknown"
    index: tuple[str, ...] = ()
    enum: Mapping[str, int] = {}


def _load() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("traps.toml").read_text("utf-8"))


_RAW = _load()
OBJECTS = msgspec.convert(_RAW["object"], dict[str, ObjectType])
NOTIFICATIONS = msgspec.convert(
    {oid: {"oid": oid, **row} for oid, row in _RAW["notification"].items()}, dict[str, Notification]
)
SOURCES: dict[str, str] = {name: row["ref"] for name, row in _RAW["source"].items()}
OID_OF = {row.name: oid for oid, row in OBJECTS.items()}
ENUMS = {oid: {number: word for word, number in row.enum.items()} for oid, row in OBJECTS.items() if row.enum}


def family(name: str) -> tuple[Notification, ...]:
    """The notifications that one module decodes."""
    return tuple(row for row in NOTIFICATIONS.values() if row.family == name)


def oids(name: str) -> tuple[str, ...]:
    """Their OIDs."""
    return tuple(row.oid for row in family(name))


def mnemonics(name: str) -> tuple[str, ...]:
    """Their names as log mnemonics, upper case for `Handler`: the MIB name as VRP8 prints it, and without ``hw`` as
    VRP5 does. The second is documented for IPSECTUNNELSTART, IPSECTUNNELSTOP and IPSECNEGOFAIL; inferred for the rest.
    """
    return tuple(sorted({key for row in family(name) for key in spellings(row.name)}))


def spellings(notification: str) -> tuple[str, ...]:
    """Case-folded mnemonics of one notification."""
    folded = notification.casefold()
    return (folded, folded.removeprefix("hw")) if folded.startswith("hw") else (folded,)


#: Case-folded mnemonic → what it means, for everything that is also a notification.
BY_MNEMONIC: dict[str, Kind] = {key: row for row in NOTIFICATIONS.values() for key in spellings(row.name)}
