"""The device or a board of it restarts or has restarted: SysReloadNotification, SYSTEM_REBOOT, BOARD_REBOOT,
SYSLOG_RESTART. coldStart and warmStart are everybody's. ``extra["state"]`` is ``begun`` where it is about to
restart and ``done`` where it has restarted, ``extra["kind"]`` is ``board`` where it is one.

A reload that was called off (SysReloadAction ``reloadCancel``) is named, but is no restart.
"""

from msgspec.structs import replace

from eventd.contract import Origin
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers.h3c import _event, _varbinds
from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

RESTART = "device.restart"
KINDS = logs(
    Kind("SYSTEM_REBOOT", RESTART, "major", {"state": "begun"}),
    Kind("BOARD_REBOOT", RESTART, "warning", {"kind": "board"}),
    Kind("SYSLOG_RESTART", RESTART, "warning", {"state": "done"}),
)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never lacks anything: the mnemonic alone is the event."""
    return _event.syslog_event(record, origin, _event.kind_of(record, KINDS), {}, {})


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: that a reload is meant is all it has to say."""
    known, extra = _varbinds.typed(record.varbinds)
    event = _event.trap_event(record, origin, _event.notification_of(record), known, extra)
    called_off = any(name.endswith("SysReloadAction") and text == "reloadCancel" for name, text in extra.items())
    return replace(event, event=None) if called_off else event


HANDLER = handler(
    "restart",
    KINDS,
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(sentence(RESTART, "DEV/5/SYSTEM_REBOOT", "System is rebooting now."),),
)
