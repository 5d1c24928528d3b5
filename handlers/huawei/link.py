"""Something below a tunnel went down or came back: an interface, or what is watched for it (``extra["track"]``).

Interfaces: IFNET/4/IF_STATE, LINK_STATE and LINKNO_STATE (EDOC1000097209, EDOC1000141911), IFNET/1/IF_LINKDOWN with
linkDown (http://a10.tagan.ru/huawei/dc/IFNET_1.3.6.1.6.3.1.1.5.3_linkDown.html), IFNET/2/linkDown_active and _clear
(EDOC1100039602), PHY/1/PHY (captured). Tracks: BFD with STACHG_TODWN, STACHG_TOUP (captured) and STACHG_DWNTOUP
(EDOC1100039602), NQA and IP-link probes, the heartbeat of a hot-standby pair (ALM-15795049), NHRP hub
(ALM-4286128131: nbma-address is the hub's public address), SD-WAN site (ALM-4289404934). A track explains a stop; it is
not the interface itself. ``extra["target"]`` is the address that a probe watches, ``extra["state"]`` is ``shut`` where
somebody has shut the interface down.
"""

import re
from typing import Any

from msgspec.structs import replace

from eventd.contract import Origin, SyslogTemplate
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers.huawei import _event, _fields, _varbinds
from handlers.huawei._family import handler, logs
from handlers.huawei._tables import BY_MNEMONIC, Kind
from handlers.huawei._templates import alarm, wire_fields

DOWN, UP = "link.down", "link.up"
BFD = {"track": "bfd"}
#: Said in one mnemonic for both directions; the text decides.
EITHER = logs(*(Kind(name) for name in ("IF_STATE", "LINK_STATE", "LINKNO_STATE", "PHY")))
BFD_LOGS = logs(
    Kind("STACHG_TODWN", DOWN, "warning", BFD), Kind("STACHG_TOUP", UP, mark=BFD), Kind("STACHG_DWNTOUP", UP, mark=BFD)
)
KINDS = {**BY_MNEMONIC, **EITHER, **BFD_LOGS, **logs(Kind("IF_LINKDOWN", DOWN, "warning"), Kind("IF_LINKUP", UP))}
KEYS = {
    **_fields.WIRE_KEYS,
    "nbma-address": "peer",
    "peerip": "target",
    "peeripv6": "target",
    "targetaddress": "target",
    "bindinterfacename": "interface",
    "slotnumber": "slot",
    "downreason": "reason",
}
#: "Interface GE0/0/1 has turned into DOWN state." and "The line protocol IP on the interface GE0/0/1 has entered the
#: UP state."; the trap form names the interface by its index. PHY says "GigabitEthernet0/0/1: change status to down",
#: which people who write it from memory say without the colon.
_STATES = (
    re.compile(r"interface (\S+) (?:has )?(?:turned into|entered the) (up|down) state", re.IGNORECASE),
    re.compile(r"(?<!\S)(\S{1,64}?):? *change status to (up|down)\b", re.IGNORECASE),
)
HEARTBEAT = {"track": "hrp"}
#: ALM-15795049: "HRP link changes to [hwHrpTrapLinkState]."; its values are documented nowhere.
_HEARTBEAT_UP = re.compile(r"(?:changes to |^)(?:up|normal)\b", re.IGNORECASE)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """A message for both directions that says neither is no event."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    outside, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields, KEYS)
    extra |= cut | _shut(extra.get("AdminStatus"))
    kind = _event.kind_of(record, KINDS)
    state = next(filter(None, (pattern.search(outside) for pattern in _STATES)), None)
    if state is not None:
        _name_interface(state[1], known)
    if kind.event is None:
        if state is None:
            return _event.unclaimed(record, origin)
        kind = Kind(kind.name, UP) if state[2].lower() == "up" else Kind(kind.name, DOWN, "warning")
    elif kind.mark == HEARTBEAT and _HEARTBEAT_UP.search(outside):
        kind = Kind(kind.name, UP, mark=HEARTBEAT)
    _set_target_aside(kind, known)
    return _event.syslog_event(record, origin, kind, known, extra)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: a linkDown without ifIndex still says that a link went down."""
    row = _event.notification_of(record)
    known, extra = _varbinds.typed(record.varbinds)
    if row.mark == HEARTBEAT and any(map(_HEARTBEAT_UP.search, extra.values())):
        row = replace(row, event=UP, severity="info")
    _set_target_aside(row, known)
    event = _event.trap_event(record, origin, row, known, extra | _shut(extra.get("ifAdminStatus")))
    if row.event == UP and extra.get("ifOperStatus") == "down":
        return replace(event, event=None)
    return event


def _shut(wanted: str | None) -> dict[str, str]:
    """The mark of an interface that somebody wants to be down (ifAdminStatus, RFC 2863)."""
    return {"state": "shut"} if (wanted or "").casefold() == "down" else {}


def _name_interface(name: str, known: dict[str, Any]) -> None:
    if name.isdigit():
        known.setdefault("ifindex", int(name[:10]))
    else:
        known.setdefault("interface", name)


def _set_target_aside(kind: Kind, known: dict[str, Any]) -> None:
    """The far end of a probe is no gateway, except for the hub of an NHRP tunnel."""
    if kind.mark.get("track", "nhrp") != "nhrp" and (peer := known.pop("peer", None)):
        known.setdefault("target", peer)


def _changed(mnemonic: str, event: str, oper: str, reason: str, source: str) -> SyslogTemplate:
    fields = wire_fields(
        "ifName AdminStatus OperStatus Reason mainIfname",
        AdminStatus="UP",
        OperStatus=oper,
        Reason=reason,
        mainIfname="GigabitEthernet0/0/1",
    )
    return SyslogTemplate(event, "IFNET", 2, mnemonic, "The interface status changes.", fields, source=source)


def _bfd(mnemonic: str, event: str, text: str, keys: str, **given: str) -> SyslogTemplate:
    given = {"Discriminator": "16385", "Applications": "IPSEC", "ProcessPST": "False", **given}
    fields = wire_fields(keys, KEYS, **given)
    return SyslogTemplate(event, "BFD", 4, mnemonic, text, fields, source="captured lines of a CE switch")


HANDLER = handler(
    "link",
    {name: kind for name, kind in KINDS.items() if name not in BY_MNEMONIC},
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(
        _changed(
            "linkDown_active",
            DOWN,
            "DOWN",
            "Interface physical link is down",
            "https://support.huawei.com/enterprise/en/doc/EDOC1100039602/c94f4042/ifnet-2-linkdown_active",
        ),
        _changed("linkDown_clear", UP, "UP", "Interface physical link is up", "a captured line of a CE switch"),
        _bfd(
            "STACHG_TODWN",
            DOWN,
            "BFD session changed to Down.",
            "SlotNumber Discriminator Diagnostic Applications ProcessPST BindInterfaceName InterfacePhysicalState"
            " InterfaceProtocolState",
            Diagnostic="DetectDown",
            InterfacePhysicalState="Up",
            InterfaceProtocolState="Up",
        ),
        _bfd(
            "STACHG_TOUP",
            UP,
            "BFD session changed to Up.",
            "SlotNumber Discriminator FormerStatus Applications BindInterfaceName ProcessPST",
            FormerStatus="Down",
        ),
        alarm(
            "NHRPHUBDOWN",
            4,
            "NHRP hub is down.",
            "Interface protocol-address mask next-hop nbma-address",
            module="NHRP",
            names=KEYS,
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
