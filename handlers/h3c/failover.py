"""A board or a VRRP router took over or gave up: HA_STANDBY_TO_MASTER, VRRP_STATUS_CHANGE.

``extra["state"]`` is what this unit now is: ``master`` or ``other``. Stops on the old master are expected.
"""

import re

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord
from handlers.h3c import _event
from handlers.h3c._family import handler, logs
from handlers.h3c._fields import MAX_TEXT
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

NAME = "h3c.failover"
FAILOVER = "device.failover"
VRRP = Kind("VRRP_STATUS_CHANGE", FAILOVER, "warning")
KINDS = logs(Kind("HA_STANDBY_TO_MASTER", FAILOVER, "warning", {"state": "master"}), VRRP)
#: "The status of IPv4 virtual router 10 (configured on Vlan-interface10) changed from Master to Initialize: Interface
#: event received." (captured)
_CHANGE = re.compile(r"(?:configured on (\S+?)\) )?changed from (\w+) to (\w+)(?::\s*(.*))?", re.IGNORECASE)
MASTER = "master"


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where a change of status does not say from what to what."""
    kind = _event.kind_of(record, KINDS)
    if kind is not VRRP:
        return _event.syslog_event(record, origin, kind, {}, {})
    change = _CHANGE.search(record.text[:MAX_TEXT])
    if change is None:
        raise DecodeError(NAME, "the text does not say what became what")
    interface, before, after, why = change.groups()
    known = {"interface": interface} if interface else {}
    extra = {"state": MASTER if after.casefold() == MASTER else "other"}
    if why:
        extra["text"] = why.rstrip(".")
    if MASTER not in (before.casefold(), after.casefold()):
        kind = Kind(kind.name)  # a backup that comes up takes nothing over
    return _event.syslog_event(record, origin, kind, known, extra)


HANDLER = handler(
    "failover",
    KINDS,
    decode_syslog=decode_syslog,
    syslog_templates=(
        sentence(
            FAILOVER,
            "VRRP4/6/VRRP_STATUS_CHANGE",
            "The status of IPv4 virtual router 10 (configured on {interface}) changed from Backup to Master: Timer"
            " expired.",
            source="a captured line, with the states the other way round",
        ),
        sentence(FAILOVER, "HA/5/HA_STANDBY_TO_MASTER", "Standby board in slot 1 changed to the master."),
    ),
)
