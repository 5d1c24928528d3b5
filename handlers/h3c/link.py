"""Something below a tunnel went down or came back: an interface (PHY_UPDOWN, LINK_UPDOWN and kin) or a BFD session.

A BFD session has ``extra["track"] = "bfd"`` and its far end in ``extra["target"]``: it explains a stop, it is not the
interface itself. linkDown and linkUp are everybody's notifications.
"""

import re
from typing import Any

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord
from handlers._common.values import MAX_DIGITS
from handlers.h3c import _event
from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

NAME = "h3c.link"
DOWN, UP = "link.down", "link.up"
BFD = Kind("BFD_CHANGE_FSM", mark={"track": "bfd"})
KINDS = logs(
    *map(
        Kind,
        (
            "PHY_UPDOWN",
            "LINK_UPDOWN",
            "PROTOCOL_UPDOWN",
            "LINEPROTO_UPDOWN",
            "TUNNEL_PHY_UPDOWN",
            "TUNNEL_LINK_UPDOWN",
        ),
    ),
    BFD,
)
#: "Physical state on the interface GigabitEthernet1/0/1 changed to down." (V7), "Ethernet0/6 link status is DOWN.",
#: "Line protocol on the interface Vlan-interface1 is UP." (V5): all captured but the last, which is recalled.
#: "GigabitEthernet0/0/1 change status to down" is how Huawei says it, under this mnemonic where people mix them up.
_STATE = re.compile(
    r"(?<!\S)(\S{1,64}?):? (?:link status is|changed? (?:status )?to|is) (?:protocol )?(up|down)\b", re.IGNORECASE
)
#: "Sess[10.0.10.1/10.0.10.2, LD/RD:1/2, Interface:Vlan10, SessType:Ctrl, LinkType:INET], Ver:1, Sta: UP->DOWN, Diag: 1"
_SESSION = re.compile(r"Sess\[[^/\],]{1,64}/([^,\]]{1,64})([^\]]{0,256})\]", re.IGNORECASE)
_INTERFACE = re.compile(r"Interface:\s{0,3}([^,]{1,64})", re.IGNORECASE)
_CHANGE = re.compile(r"Sta:\s{0,3}(\w{1,16})\s{0,3}->\s{0,3}(\w{1,16})", re.IGNORECASE)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """A text that says neither up nor down is no event. Raises `DecodeError` for a BFD session that says less."""
    kind = _event.kind_of(record, KINDS)
    if kind is BFD:
        return _session(record, origin)
    state = _STATE.search(record.text)
    if state is None:
        return _event.unclaimed(record, origin)
    return _event.syslog_event(record, origin, _turned(kind, state[2]), _named(state[1]), {})


def _named(interface: str) -> dict[str, Any]:
    """An interface by its name, or by its index where the text has no more."""
    index = interface.isascii() and interface.isdigit() and len(interface) <= MAX_DIGITS
    return {"ifindex": int(interface)} if index else {"interface": interface}


def _session(record: SyslogRecord, origin: Origin) -> Event:
    session, change = _SESSION.match(record.text), _CHANGE.search(record.text)
    if session is None or change is None:
        raise DecodeError(NAME, "the text does not say which session became what")
    interface = _INTERFACE.search(session[2])
    before, after = change.groups()
    up, was_up = after.casefold() == "up", before.casefold() == "up"
    kind = _turned(BFD, after) if up or was_up else BFD
    known = {"interface": interface[1].strip()} if interface else {}
    return _event.syslog_event(record, origin, kind, known, {"target": session[1].strip()})


def _turned(kind: Kind, state: str) -> Kind:
    up = state.casefold() == "up"
    return Kind(kind.name, UP if up else DOWN, "info" if up else "warning", kind.mark)


def _template(event: str, state: str) -> tuple[str, str, str]:
    return event, "IFNET/3/PHY_UPDOWN", f"Physical state on the interface {{interface}} changed to {state}."


HANDLER = handler(
    "link",
    KINDS,
    decode_syslog=decode_syslog,
    syslog_templates=tuple(
        sentence(*_template(event, state), source="captured lines") for event, state in ((DOWN, "down"), (UP, "up"))
    ),
)
