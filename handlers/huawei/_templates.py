"""What `eventd send` needs to speak like a Huawei device: the fields of each log and the varbinds of each notification.

Keys are spelled as in the vendor's templates; which event field feeds a key is what the decoder reads from it.
"""

from collections.abc import Mapping

from eventd.contract import SyslogTemplate, TrapTemplate, WireField
from handlers._common import templates
from handlers.huawei._fields import WIRE_KEYS
from handlers.huawei._tables import NOTIFICATIONS, SOURCES, TABLES

#: What is sent where nothing is given. Addresses and names are those of RFC 5737 and of a small firewall.
DEFAULTS: dict[str, str] = {
    "peer": "203.0.113.7",
    "local": "198.51.100.1",
    "target": "203.0.113.1",
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
    """A template for each notification of a family that has an event; ``given`` as `templates.trap_templates` says."""
    return templates.trap_templates(TABLES, name, DEFAULTS, given or {})


def wire_fields(keys: str, names: Mapping[str, str] = WIRE_KEYS, **given: str) -> tuple[WireField, ...]:
    """The fields of a log, in wire order, from their keys (separated by blanks). ``names`` says which event field a
    key (in lower case) feeds; ``given`` are defaults by key."""
    return tuple(_wire_field(key, names.get(key.lower(), key), given) for key in keys.split())


def _wire_field(key: str, field: str, given: Mapping[str, str]) -> WireField:
    return WireField(key, field, given.get(key, DEFAULTS.get(field, "")))


def alarm(
    row: str,
    level: int,
    text: str,
    keys: str,
    module: str = "IPSEC",
    mnemonic: str = "",
    names: Mapping[str, str] = WIRE_KEYS,
    **given: str,
) -> SyslogTemplate:
    """The log of a notification: ``row`` is its MIB name; VRP5 prints it without ``hw`` and in upper case, where no
    page gives it a ``mnemonic`` of its own."""
    found = next(known for known in NOTIFICATIONS.values() if known.name == row)
    assert found.event is not None
    return SyslogTemplate(
        event=found.event,
        module=module,
        level=level,
        mnemonic=mnemonic or row.removeprefix("hw").upper(),
        text=text,
        fields=wire_fields(keys, names, **given),
        oid=found.oid,
        source=SOURCES[found.source],
    )
