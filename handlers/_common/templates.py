"""What `eventd send` needs to send a vendor's notifications: the varbinds of each, with something in them."""

from collections.abc import Mapping

from eventd.contract import TrapTemplate, WireVar
from eventd.model import Syntax
from handlers._common.tables import Notification, Tables

_SYNTAXES = {
    "OCTET STRING": Syntax.OCTET_STRING,
    "IpAddress": Syntax.IP_ADDRESS,
    "Gauge32": Syntax.GAUGE32,
    "Integer32": Syntax.INTEGER,
    "INTEGER": Syntax.INTEGER,
    "unknown": Syntax.OCTET_STRING,
}


def trap_templates(
    tables: Tables, family: str, defaults: Mapping[str, str], given: Mapping[str, Mapping[str, str]]
) -> tuple[TrapTemplate, ...]:
    """A template for each notification of a family that has an event, in the order of the table.

    ``given`` maps notification names to defaults of their own. Objects whose OID no MIB copy showed are left out.
    """
    rows = (row for row in tables.family(family) if row.event is not None)
    return tuple(_template(tables, row, {**_fitting(row, defaults), **given.get(row.name, {})}) for row in rows)


def _fitting(row: Notification, defaults: Mapping[str, str]) -> Mapping[str, str]:
    """A message that belongs to no reason space gives no IPsec reason."""
    return defaults if row.space else {**defaults, "reason": ""}


def _template(tables: Tables, row: Notification, defaults: Mapping[str, str]) -> TrapTemplate:
    assert row.event is not None
    return TrapTemplate(
        event=row.event,
        oid=row.oid,
        notification=row.name,
        varbinds=tuple(
            _wire_var(tables, tables.oid_of[name], defaults) for name in row.objects if name in tables.oid_of
        ),
        v1_enterprise=row.v1.enterprise,
        v1_generic=row.v1.generic,
        v1_specific=row.v1.specific,
        source=tables.sources[row.source],
    )


def _wire_var(tables: Tables, oid: str, defaults: Mapping[str, str]) -> WireVar:
    row = tables.objects[oid]
    syntax, name = _SYNTAXES[row.syntax], row.field or row.name
    fallback: str | int = {Syntax.OCTET_STRING: "", Syntax.IP_ADDRESS: "192.0.2.1"}.get(syntax, 1)
    value: str | int = defaults.get(name, defaults.get(row.name, fallback))
    if syntax in (Syntax.GAUGE32, Syntax.INTEGER):
        value = int(value)
    return WireVar(oid, syntax, name, value, columnar=bool(row.index))
