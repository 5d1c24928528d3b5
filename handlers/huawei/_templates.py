"""What `eventd send` needs to speak like a Huawei device: the fields of each log and the varbinds of each notification.

Keys are spelled as in the vendor's templates; which event field feeds a key is what the decoder reads from it.
"""

from collections.abc import Mapping

from eventd.contract import SyslogTemplate, TrapTemplate, WireField, WireVar
from eventd.model import Syntax
from handlers.huawei._fields import WIRE_KEYS
from handlers.huawei._tables import NOTIFICATIONS, OBJECTS, OID_OF, SOURCES, Notification, family

_SYNTAXES = {
    "OCTET STRING": Syntax.OCTET_STRING,
    "IpAddress": Syntax.IP_ADDRESS,
    "Gauge32": Syntax.GAUGE32,
    "Integer32": Syntax.INTEGER,
    "INTEGER": Syntax.INTEGER,
    "unknown": Syntax.OCTET_STRING,
}
#: What is sent where nothing is given. Addresses and names are those of RFC 5737 and of a small firewall.
DEFAULTS: dict[str, str] = {
    "peer": "203.0.113.7",
    "local": "198.51.100.1",
    "inside": "0.0.0.0",  # noqa: S104  a value on the wire that stands for "not applicable", not an address to listen on
    "peer_port": "500",
    "ifindex": "12",
    "interface": "GigabitEthernet0/0/1",
    "policy": "map1",
    "policy_seq": "10",
    "rule": "5",
    "tunnel_index": "83",
    "slot": "0",
    "cpu": "0",
    "conn_id": "83",
    "flow": "10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0",
    "role": "Initiator",
    "vsys": "Public",
    "reason": "dpd timeout",
    "auth_method": "pre-shared-key",
    "hwIPSecTunnelLifeSize": "1843200",
    "hwIPSecTunnelLifeTime": "3600",
    "hwIPSecTrapAuthenticationID": "203.0.113.7",
    "hwIPSecTrapAuthenticationIDType": "ip",
}


def trap_templates(name: str, given: Mapping[str, Mapping[str, str]] | None = None) -> tuple[TrapTemplate, ...]:
    """A template for each notification of a family that has an event, in the order of the table.

    ``given`` maps notification names to defaults of their own. Objects whose OID no MIB copy showed are left out.
    """
    rows = (row for row in family(name) if row.event is not None)
    return tuple(_trap_template(row, {**DEFAULTS, **(given or {}).get(row.name, {})}) for row in rows)


def _trap_template(row: Notification, defaults: Mapping[str, str]) -> TrapTemplate:
    assert row.event is not None
    return TrapTemplate(
        event=row.event,
        oid=row.oid,
        notification=row.name,
        varbinds=tuple(_wire_var(OID_OF[name], defaults) for name in row.objects if name in OID_OF),
        v1_enterprise=row.v1.enterprise,
        v1_generic=row.v1.generic,
        v1_specific=row.v1.specific,
        source=SOURCES[row.source],
    )


def _wire_var(oid: str, defaults: Mapping[str, str]) -> WireVar:
    row = OBJECTS[oid]
    syntax, name = _SYNTAXES[row.syntax], row.field or row.name
    fallback: str | int = {Syntax.OCTET_STRING: "", Syntax.IP_ADDRESS: "192.0.2.1"}.get(syntax, 1)
    value: str | int = defaults.get(name, defaults.get(row.name, fallback))
    if syntax in (Syntax.GAUGE32, Syntax.INTEGER):
        value = int(value)
    return WireVar(oid, syntax, name, value, columnar=bool(row.index))


def wire_fields(keys: str, **given: str) -> tuple[WireField, ...]:
    """The fields of a log, in wire order, from their keys (separated by blanks). ``given`` are defaults by key."""
    return tuple(_wire_field(key, given) for key in keys.split())


def _wire_field(key: str, given: Mapping[str, str]) -> WireField:
    field = WIRE_KEYS.get(key.lower(), key)
    return WireField(key, field, given.get(key, DEFAULTS.get(field, "")))


def alarm(row: str, level: int, text: str, keys: str, module: str = "IPSEC", **given: str) -> SyslogTemplate:
    """The log of a notification: ``row`` is its MIB name; VRP5 prints it without ``hw`` and in upper case."""
    found = next(known for known in NOTIFICATIONS.values() if known.name == row)
    assert found.event is not None
    return SyslogTemplate(
        event=found.event,
        module=module,
        level=level,
        mnemonic=row.removeprefix("hw").upper(),
        text=text,
        fields=wire_fields(keys, **given),
        oid=found.oid,
        source=SOURCES[found.source],
    )
