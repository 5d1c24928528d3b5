"""What `eventd send` needs to send a vendor's notifications: the varbinds of each, with something in them."""

from collections.abc import Mapping
from typing import Literal

from eventd.contract import TrapTemplate, WireVar
from eventd.model import Syntax
from handlers._common.tables import Notification, ObjectType, Tables

#: Field of the table → event field that feeds it, and what is made of the address in it.
Addresses = Mapping[str, tuple[str, Literal["inet", "inet-type", "ipv4"]]]

_SYNTAXES = {
    "OCTET STRING": Syntax.OCTET_STRING,
    "IpAddress": Syntax.IP_ADDRESS,
    "Gauge32": Syntax.GAUGE32,
    "Integer32": Syntax.INTEGER,
    "INTEGER": Syntax.INTEGER,
    "unknown": Syntax.OCTET_STRING,
}
_NUMBERS = (Syntax.GAUGE32, Syntax.INTEGER)


def trap_templates(
    tables: Tables,
    family: str,
    defaults: Mapping[str, str],
    given: Mapping[str, Mapping[str, str]] | None = None,
    addresses: Addresses | None = None,
) -> tuple[TrapTemplate, ...]:
    """A template for each notification of a family that has an event, in the order of the table.

    ``given`` maps notification names to defaults of their own. ``addresses`` are the fields of vendors who send octets
    and not text; their tables are also indexed by more than the varbinds say, so columns get the index of a row of
    ``defaults``. Objects whose OID no MIB copy showed are left out.
    """
    rows = (row for row in tables.family(family) if row.event is not None)
    return tuple(
        _template(tables, row, {**_fitting(row, defaults), **(given or {}).get(row.name, {})}, addresses or {})
        for row in rows
    )


def _fitting(row: Notification, defaults: Mapping[str, str]) -> Mapping[str, str]:
    """A message that belongs to no reason space gives no IPsec reason."""
    return defaults if row.space else {**defaults, "reason": ""}


def _template(tables: Tables, row: Notification, defaults: Mapping[str, str], addresses: Addresses) -> TrapTemplate:
    assert row.event is not None
    oids = [tables.oid_of[name] for name in row.objects if name in tables.oid_of]
    return TrapTemplate(
        event=row.event,
        oid=row.oid,
        notification=row.name,
        varbinds=tuple(_wire_var(tables, oid, defaults, addresses) for oid in oids),
        v1_enterprise=row.v1.enterprise,
        v1_generic=row.v1.generic,
        v1_specific=row.v1.specific,
        source=tables.sources[row.source],
    )


def _wire_var(tables: Tables, oid: str, defaults: Mapping[str, str], addresses: Addresses) -> WireVar:
    row = tables.objects[oid]
    instance = _instance(tables, row, defaults) if addresses else ""
    syntax, name = _SYNTAXES[row.syntax], row.field or row.name
    if name in addresses:
        end, encoding = addresses[name]
        encoding = "ipv4" if syntax is Syntax.IP_ADDRESS else encoding
        return WireVar(oid, syntax, end, defaults[end], bool(row.index), encoding, instance)
    fallback: str | int = {Syntax.OCTET_STRING: "", Syntax.IP_ADDRESS: "192.0.2.1"}.get(syntax, 1)
    value: str | int = defaults.get(name, defaults.get(row.name, fallback))
    if syntax in _NUMBERS:
        value = int(value)
    return WireVar(oid, syntax, name, value, bool(row.index), "", instance)


def _instance(tables: Tables, row: ObjectType, defaults: Mapping[str, str]) -> str:
    """The index of the row that ``defaults`` are of, for tables with more than one index object."""
    if len(row.index) < 2:
        return ""
    fields = (tables.objects[tables.oid_of[name]].field if name in tables.oid_of else None for name in row.index)
    return ".".join(defaults.get(field or "", "1") for field in fields)
