"""The device, a board or its SNMP agent restarted: coldStart, warmStart, hwSysReloadNotification, hwBoardResetByCmd,
hwEntityReset with BASETRAP/4/ENTITYRESET (EDOC1000142054).

``extra["kind"]`` is ``board`` where it is one, ``extra["state"]`` is ``begun`` where the device is about to restart and
``done`` where it has restarted. coldStart tells that, if its SNMP agent did not restart alone (``kind`` is ``agent``:
RFC 3418 speaks of the SNMP entity); warmStart only that the agent was switched on ("snmp-agent trap enable feature-name
snmp", command reference). A reload that was called off (hwSysReloadAction ``reloadCancel``) is named and no restart.
"""

from msgspec.structs import replace

from eventd.contract import Origin
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers.huawei import _event, _fields, _varbinds
from handlers.huawei._family import handler
from handlers.huawei._templates import alarm

KEYS = {**_fields.WIRE_KEYS, "reasondescription": "reason"}


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never lacks anything: the mnemonic alone says it."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    _, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields, KEYS)
    return _event.syslog_event(record, origin, _event.kind_of(record), known, extra | cut)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: the standard notifications carry no varbinds."""
    known, extra = _varbinds.typed(record.varbinds)
    event = _event.trap_event(record, origin, _event.notification_of(record), known, extra)
    return replace(event, event=None) if extra.get("hwSysReloadAction") == "reloadCancel" else event


HANDLER = handler(
    "restart",
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(
        alarm(
            "hwEntityReset",
            4,
            "Physical entity is reset.",
            "Index Severity ProbableCause EventType ContainedIn PhysicalName RelativeResource ReasonDescription",
            module="BASETRAP",
            names=KEYS,
            Index="9",
            Severity="4",
            ProbableCause="1024",
            EventType="5",
            ContainedIn="8",
            PhysicalName="LPU Board 3",
            RelativeResource="",
            ReasonDescription="The board is reset by a user",
        ),
    ),
    trap_defaults={
        "hwSysReloadNotification": {"hwSysReloadAction": "3"},
        "hwBoardResetByCmd": {"entPhysicalName": "LPU Board 3", "reason": "reset by command"},
        "hwEntityReset": {"entPhysicalName": "LPU Board 3"},
    },
)
