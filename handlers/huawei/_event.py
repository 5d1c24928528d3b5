"""Puts an event together: what the message is, what its fields say, why it happened, how bad that is."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from eventd.contract import Origin, event_from_syslog, event_from_trap
from eventd.errors import DecodeError
from eventd.model import Event, Severity, SyslogRecord, TrapRecord
from handlers.huawei._fields import WIRE_KEYS
from handlers.huawei._tables import BY_MNEMONIC, NOTIFICATIONS, STANDARD, VENDOR, Kind, Notification
from handlers.huawei._values import CONVERTERS
from handlers.huawei.reasons import CONDITION, PLACEHOLDERS, find, lists

#: Events that may be cleared in the same words with ``_clear`` behind the mnemonic, and what the clear is. A clear of
#: anything else is no documented message: it is named, but means nothing (a cleared stop alarm is not a stop).
CLEARED = {
    "link.down": "link.up",
    "ipsec.capacity": "ipsec.capacity",
    "ipsec.security": "ipsec.security",
    "ipsec.sla.down": "ipsec.sla.down",
    "ipsec.sla.degraded": "ipsec.sla.degraded",
}
#: The backup unit of a hot-standby pair mirrors what the active one does (IPSEC_TUNNEL_TEARED_DOWN, State).
BACKUP_STATE = "backup"
BACKUP_REASON = "receive backup delete info"


def is_h3c(record: SyslogRecord) -> bool:
    """A line of the other vendor with a mnemonic of this one."""
    return record.form == "comware"


def kind_of(record: SyslogRecord, kinds: Mapping[str, Kind] = BY_MNEMONIC) -> Kind:
    """What the mnemonic of a claimed record means."""
    return kinds[(record.mnemonic or record.app_name or "").casefold()]


def notification_of(record: TrapRecord) -> Notification:
    """The row of the table that defines this notification."""
    for oid in record.lookup:
        if row := NOTIFICATIONS.get(oid):
            return row
    raise DecodeError(VENDOR, f"{record.oid} is no notification of the table")


def unclaimed(record: SyslogRecord, origin: Origin) -> Event:
    """A record that turned out not to be ours."""
    return event_from_syslog(record, origin)


def syslog_event(
    record: SyslogRecord, origin: Origin, kind: Kind, known: dict[str, Any], extra: dict[str, str]
) -> Event:
    """The event of a syslog record whose fields were read; takes ``known`` and ``extra`` over."""
    for key, value in record.ids.items():
        field = WIRE_KEYS.get(key.lower())
        if field in ("slot", "cpu") and field not in known:
            known[field] = CONVERTERS[field](value)
        elif key != "OID":  # in the header
            extra.setdefault(key, value)
    event, severity = kind.event, kind.severity
    if record.suffix == "clear":
        event, severity = CLEARED.get(event or ""), "info"
        extra["state"] = "clear"
    _explain(kind, known, extra)
    known.setdefault("severity", severity)
    if event is None or severity == "info":
        known["severity"] = severity
    standby = extra.get("State", "").lower() == BACKUP_STATE or _mirrored(known)
    return event_from_syslog(record, origin, event=event, vendor=VENDOR, extra=extra, standby=standby, **known)


def trap_event(
    record: TrapRecord, origin: Origin, row: Notification, known: dict[str, Any], extra: dict[str, str]
) -> Event:
    """The event of a notification whose varbinds were read; takes ``known`` and ``extra`` over."""
    _explain(row, known, extra)
    known.setdefault("severity", row.severity)
    vendor = None if row.oid.startswith(STANDARD) else VENDOR
    return event_from_trap(
        record,
        origin,
        row.name,
        oid=row.oid,
        event=row.event,
        vendor=vendor,
        extra=extra,
        standby=_mirrored(known),
        **known,
    )


def _mirrored(known: Mapping[str, Any]) -> bool:
    reason = known.get("reason")
    return reason is not None and reason.name == BACKUP_REASON


def _explain(kind: Kind, known: dict[str, Any], extra: dict[str, str]) -> None:
    """Turn the ``reason`` and ``code`` of a message into a `Reason`, and let it say how bad the message is."""
    extra.update(kind.mark)
    text, code = known.pop("reason", None), known.pop("code", None)
    if not kind.space or (kind.space == CONDITION and extra.get("state") == "clear"):
        _keep_words(text, code, extra)
        return
    words = text
    if kind.implies and not (text and lists(kind.space, text)):
        words = kind.implies
    if words is None and code is None:
        return
    context = {name: str(known[name]) for name in PLACEHOLDERS if name in known}
    found = find(kind.space, words, code, context)
    known["reason"] = found.reason if text == words or text is None else replace(found.reason, text=text)
    if found.code_text is not None:
        extra["reason_code_text"] = found.code_text
    if found.reason.severity is not None:
        known["severity"] = severity_of(kind, found.reason.severity)


def _keep_words(text: str | None, code: int | None, extra: dict[str, str]) -> None:
    """A message of no reason space may still carry one (linkDown): it belongs to no catalogue, so it stays text."""
    if text is not None:
        extra["Reason"] = text
    if code is not None:
        extra["ReasonCode"] = str(code)


def severity_of(kind: Kind, severity: Severity) -> Severity:
    """Good news is never worse than ``info``, whatever text came with it."""
    return "info" if kind.severity == "info" else severity
