"""The device, a board or its SNMP agent restarted: coldStart, warmStart, hwSysReloadNotification, hwBoardResetByCmd.

A reload that was called off (hwSysReloadAction ``reloadCancel``) is named, but is no restart.
"""

from msgspec.structs import replace

from eventd.contract import Origin
from eventd.model import Event, TrapRecord
from handlers.huawei import _event, _varbinds
from handlers.huawei._family import handler


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: the standard notifications carry no varbinds."""
    known, extra = _varbinds.typed(record.varbinds)
    event = _event.trap_event(record, origin, _event.notification_of(record), known, extra)
    return replace(event, event=None) if extra.get("hwSysReloadAction") == "reloadCancel" else event


HANDLER = handler(
    "restart", decode_trap=decode_trap, trap_defaults={"hwSysReloadNotification": {"hwSysReloadAction": "3"}}
)
