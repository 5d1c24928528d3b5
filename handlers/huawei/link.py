"""Something below a tunnel went down or came back: an interface, or what is watched for it (``extra["track"]``).

Interfaces: IFNET/4/IF_STATE, LINK_STATE and LINKNO_STATE (EDOC1000097209, EDOC1000141911), IFNET/1/IF_LINKDOWN with
linkDown (http://a10.tagan.ru/huawei/dc/IFNET_1.3.6.1.6.3.1.1.5.3_linkDown.html), IFNET/2/linkDown_active and _clear
(EDOC1100039602). Tracks: BFD, NQA and IP-link probes, NHRP hub (ALM-4286128131: nbma-address is the hub's public
address), SD-WAN site (ALM-4289404934). A track explains a stop; it is not the interface itself.
"""

import re
from typing import Any

from msgspec.structs import replace

from eventd.contract import Origin, SyslogTemplate
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers.huawei import _event, _fields, _varbinds
from handlers.huawei._family import handler, logs
from handlers.huawei._tables import BY_MNEMONIC, Kind
from handlers.huawei._templates import alarm, wire_fields

NAME = "huawei.link"
DOWN, UP = "link.down", "link.up"
#: Said in one mnemonic for both directions; the text decides.
EITHER = logs(*(Kind(name) for name in ("IF_STATE", "LINK_STATE", "LINKNO_STATE")))
KINDS = {**BY_MNEMONIC, **EITHER, **logs(Kind("IF_LINKDOWN", DOWN, "warning"), Kind("IF_LINKUP", UP))}
KEYS = {**_fields.WIRE_KEYS, "nbma-address": "peer"}
#: "Interface GE0/0/1 has turned into DOWN state." and "The line protocol IP on the interface GE0/0/1 has entered the
#: UP state."; the trap form names the interface by its index.
_STATE = re.compile(r"interface (\S+) (?:has )?(?:turned into|entered the) (up|down) state", re.IGNORECASE)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where a message for both directions says neither."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    outside, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields, KEYS)
    extra |= cut
    kind = _event.kind_of(record, KINDS)
    state = _STATE.search(outside)
    if state is not None:
        _name_interface(state[1], known)
    if kind.event is None:
        if state is None:
            raise DecodeError(NAME, "the text says neither up nor down")
        kind = Kind(kind.name, UP) if state[2].lower() == "up" else Kind(kind.name, DOWN, "warning")
    if "track" in kind.mark:
        _set_target_aside(kind, known, extra)
    return _event.syslog_event(record, origin, kind, known, extra)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: a linkDown without ifIndex still says that a link went down."""
    row = _event.notification_of(record)
    known, extra = _varbinds.typed(record.varbinds)
    event = _event.trap_event(record, origin, row, known, extra)
    if row.event == UP and extra.get("ifOperStatus") == "down":
        return replace(event, event=None)
    return event


def _name_interface(name: str, known: dict[str, Any]) -> None:
    if name.isdigit():
        known.setdefault("ifindex", int(name[:10]))
    else:
        known.setdefault("interface", name)


def _set_target_aside(kind: Kind, known: dict[str, Any], extra: dict[str, str]) -> None:
    """The far end of a probe is no gateway, except for the hub of an NHRP tunnel."""
    if kind.mark["track"] != "nhrp" and (target := known.pop("peer", None)):
        extra["target"] = target


HANDLER = handler(
    "link",
    {name: kind for name, kind in KINDS.items() if name not in BY_MNEMONIC},
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(
        SyslogTemplate(
            DOWN,
            "IFNET",
            2,
            "linkDown_active",
            "The interface status changes.",
            wire_fields(
                "ifName AdminStatus OperStatus Reason mainIfname",
                AdminStatus="UP",
                OperStatus="DOWN",
                Reason="Interface physical link is down",
                mainIfname="GigabitEthernet0/0/1",
            ),
            source="https://support.huawei.com/enterprise/en/doc/EDOC1100039602/c94f4042/ifnet-2-linkdown_active",
        ),
        SyslogTemplate(
            UP,
            "IFNET",
            2,
            "linkDown_clear",
            "The interface status changes.",
            wire_fields(
                "ifName AdminStatus OperStatus Reason mainIfname",
                AdminStatus="UP",
                OperStatus="UP",
                Reason="Interface physical link is up",
                mainIfname="GigabitEthernet0/0/1",
            ),
            source="a captured line of a CE switch",
        ),
        alarm(
            "NHRPHUBDOWN",
            4,
            "NHRP hub is down.",
            "Interface protocol-address mask next-hop nbma-address",
            module="NHRP",
            **{
                "protocol-address": "10.0.0.1",
                "mask": "255.255.255.0",
                "next-hop": "10.0.0.1",
                "nbma-address": "203.0.113.7",
            },
        ),
        alarm(
            "CONN_SITE_DISCONNECT",
            4,
            "The sites are disconnected.",  # the page's own words were elided where it was read
            "SrcSite DestSite",
            module="CONN",
            SrcSite="1",
            DestSite="2",
        ),
    ),
    trap_defaults={"linkDown": {"ifOperStatus": "2"}, "hwIpLinkDown": {"hwIpLinkName": "wan1"}},
)
