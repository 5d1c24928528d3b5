"""A tunnel came up or went down, in one message for both: hwIPSecTunnelStatusChange (MIB revisions 2021-10 and later).

The MIB gives no values for hwIPSecTunnelStatus, so which of the two it was is judged here: ``extra["state"]`` is
``up``, ``down`` or ``unknown``, and ``extra["state_basis"]`` says what the judgement rests on.
"""

from typing import Any

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers._common.fields import TRUNCATED
from handlers.huawei import _event, _varbinds
from handlers.huawei._family import handler, read

NAME = "huawei.tunnel_status"
#: Where the number may stand: the trap's object, and the key a log is likely to use (its text was not found).
STATUS_KEYS = ("hwIPSecTunnelStatus", "TunnelStatus", "Status")
#: A guess: 1 is up in ifOperStatus and in most status objects of Huawei. No other number is believed, because a wrong
#: "up" would close an outage.
GUESSED_UP = ("1", "up")
GUESSED_DOWN = ("down",)


def judge(reason: str | None, status: str) -> tuple[str, str]:
    """(state, basis). A reason is only given for what ended, so its presence says down."""
    if reason is not None:
        return "down", "a reason is given"
    if status.lower() in GUESSED_UP:
        return "up", f"no reason and status {status} (guess: the MIB gives no values)"
    if status.lower() in GUESSED_DOWN:
        return "down", f"status {status}"
    return "unknown", "no reason and no status that is understood"


def _mark(known: dict[str, Any], extra: dict[str, str]) -> None:
    status = next((extra[key] for key in STATUS_KEYS if key in extra), "")
    extra["state"], extra["state_basis"] = judge(known.get("reason"), status)
    if extra["state"] != "down":
        known["severity"] = "info"


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where no field says which tunnel."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    known, extra = read(record)
    if not known and TRUNCATED not in extra:
        raise DecodeError(NAME, "no field says which tunnel")
    _mark(known, extra)
    return _event.syslog_event(record, origin, _event.kind_of(record), known, extra)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where no varbind says which tunnel."""
    known, extra = _varbinds.typed(record.varbinds)
    if not known:
        raise DecodeError(NAME, "no varbind says which tunnel")
    _mark(known, extra)
    return _event.trap_event(record, origin, _event.notification_of(record), known, extra)


HANDLER = handler(
    "tunnel_status",
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    trap_defaults={"hwIPSecTunnelStatusChange": {"hwIPSecTunnelStatus": "2", "hwIPSecTunnelSrcPort": "500"}},
)
