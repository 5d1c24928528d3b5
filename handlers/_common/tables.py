"""A vendor's `traps.toml` as values: what each notification is called, means and carries, and what each object is."""

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from eventd.model import Severity

#: Notifications below these are the standards' own (RFC 3418, RFC 2787): any vendor's agent sends them.
STANDARD = ("1.3.6.1.6.3.", "1.3.6.1.2.1.")


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
    """One row of ``[notification]``; ``oid`` is its key. ``objects_2009`` and ``objects_old`` are what earlier
    revisions carried, ``logs`` mnemonics that vendor pages give it beside what its name makes."""

    oid: str
    family: str
    v1: V1
    source: str
    why: str | None = None
    objects: tuple[str, ...] = ()
    objects_2009: tuple[str, ...] = ()
    objects_old: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    also: str | None = None
    note: str | None = None


class ObjectType(Struct, frozen=True):
    """One row of ``[object]``. The first ``texts`` parts of ``index`` are texts behind their length (RFC 2578 7.7);
    ``unit`` is what its number counts."""

    name: str
    field: str | None = None
    syntax: str = "unknown"
    index: tuple[str, ...] = ()
    texts: int = 0
    enum: Mapping[str, int] = {}
    unit: str | None = None


class Tables:
    """The tables of one vendor, read from the data file beside its handlers.

    ``package`` holds ``traps.toml``; ``spellings`` gives the case-folded log mnemonics of a notification's name, none
    where the vendor's logs are not named so; ``prepare`` may rewrite what was read before it is checked.
    """

    def __init__(
        self,
        vendor: str,
        package: str,
        spellings: Callable[[str], tuple[str, ...]] = lambda _: (),
        prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda raw: raw,
    ) -> None:
        raw = prepare(tomllib.loads(files(package).joinpath("traps.toml").read_text("utf-8")))
        rows = {oid: {"oid": oid, **row} for oid, row in raw["notification"].items()}
        self.vendor = vendor
        self.objects = msgspec.convert(raw["object"], dict[str, ObjectType])
        self.notifications = msgspec.convert(rows, dict[str, Notification])
        self.sources: dict[str, str] = {name: row["ref"] for name, row in raw["source"].items()}
        self.oid_of = {row.name: oid for oid, row in self.objects.items()}
        self.enums = {
            oid: {number: word for word, number in row.enum.items()} for oid, row in self.objects.items() if row.enum
        }
        self.spellings = spellings
        #: Case-folded mnemonic → what it means, for everything that is also a notification.
        self.by_mnemonic: dict[str, Kind] = {
            key: row for row in self.notifications.values() for key in self._mnemonics(row)
        }

    def family(self, name: str) -> tuple[Notification, ...]:
        """The notifications that one module decodes."""
        return tuple(row for row in self.notifications.values() if row.family == name)

    def oids(self, name: str) -> tuple[str, ...]:
        """Their OIDs."""
        return tuple(row.oid for row in self.family(name))

    def mnemonics(self, name: str) -> tuple[str, ...]:
        """Their names as log mnemonics."""
        return tuple(sorted({key for row in self.family(name) for key in self._mnemonics(row)}))

    def _mnemonics(self, row: Notification) -> tuple[str, ...]:
        return (*self.spellings(row.name), *(name.casefold() for name in row.logs))
