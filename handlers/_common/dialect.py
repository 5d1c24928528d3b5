"""Puts an event together: what the message is, what its fields say, why it happened, how bad that is. And one
`Handler` per family of a vendor's `traps.toml`, most of which need nothing but the tables."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.contract import (
    ENDS,
    UNORDERED,
    Handler,
    Origin,
    SyslogTemplate,
    TrapTemplate,
    event_from_syslog,
    event_from_trap,
)
from eventd.errors import DecodeError
from eventd.model import Event, Severity, SyslogRecord, TrapRecord
from handlers._common.catalogue import CONDITION, Book
from handlers._common.fields import TRUNCATED
from handlers._common.tables import STANDARD, Kind, Notification, Tables
from handlers._common.values import CONVERTERS
from handlers._common.varbinds import Varbinds

DecodeSyslog = Callable[[SyslogRecord, Origin], Event]
DecodeTrap = Callable[[TrapRecord, Origin], Event]
#: (event field → value, wire key → text) of a log's body
ReadFields = Callable[[SyslogRecord], tuple[dict[str, Any], dict[str, str]]]
#: What stands in the steps until it is known which end is whose.
_UNSURE = {"peer": "<peer>", "local": "<local>"}


def logs(*kinds: Kind) -> dict[str, Kind]:
    """Meanings of logs that are no notifications, by case-folded mnemonic."""
    return {kind.name.casefold(): kind for kind in kinds}


def unclaimed(record: SyslogRecord, origin: Origin) -> Event:
    """A record that turned out not to be ours."""
    return event_from_syslog(record, origin)


def severity_of(kind: Kind, severity: Severity) -> Severity:
    """Good news is never worse than ``info``, whatever text came with it."""
    return "info" if kind.severity == "info" else severity


class Dialect(Struct, frozen=True, kw_only=True):
    """How one vendor's messages become events.

    ``id_fields`` names the event field of what stands between tag and text, by lower-case key (``slot`` and ``cpu``
    count). ``cleared`` maps events that may be cleared in the same words with ``_clear`` behind the mnemonic to what
    the clear is; a clear of anything else is no documented message: it is named, but means nothing. ``mirrored`` says
    whether the backup unit of a pair speaks. ``foreign`` tells a line of another vendor with a mnemonic of this one.
    ``interface`` brings the names of an interface to one.
    """

    tables: Tables
    book: Book
    varbinds: Varbinds
    read: ReadFields
    id_fields: Mapping[str, str]
    foreign: Callable[[SyslogRecord], bool] = lambda _: False
    mirrored: Callable[[Mapping[str, Any], Mapping[str, str]], bool] = lambda _known, _extra: False
    cleared: Mapping[str, str] = {}
    interface: Callable[[str], str] = str

    # --- events -----------------------------------------------------------------------------------------------------

    def kind_of(self, record: SyslogRecord, kinds: Mapping[str, Kind] | None = None) -> Kind:
        """What the mnemonic of a claimed record means, or where nobody knows it, the notification that it names."""
        key = (record.mnemonic or record.app_name or "").casefold()
        found = (self.tables.by_mnemonic if kinds is None else kinds).get(key)
        return found if found is not None else self.tables.notifications[record.oid or ""]

    def notification_of(self, record: TrapRecord) -> Notification:
        """The row of the table that defines this notification."""
        for oid in record.lookup:
            if row := self.tables.notifications.get(oid):
                return row
        raise DecodeError(self.tables.vendor, f"{record.oid} is no notification of the table")

    def syslog_event(
        self, record: SyslogRecord, origin: Origin, kind: Kind, known: dict[str, Any], extra: dict[str, str]
    ) -> Event:
        """The event of a syslog record whose fields were read; takes ``known`` and ``extra`` over."""
        for key, value in record.ids.items():
            field = self.id_fields.get(key.lower())
            if field in ("slot", "cpu") and field not in known:
                known[field] = CONVERTERS[field](value)
            elif key != "OID":  # in the header
                extra.setdefault(key, value)
        event, severity = kind.event, kind.severity
        if record.suffix == "clear":
            event, severity = self.cleared.get(event or ""), "info"
            extra["state"] = "clear"
        self._explain(kind, known, extra)
        known.setdefault("severity", severity)
        if event is None or severity == "info":
            known["severity"] = severity
        standby = self.mirrored(known, extra)
        return event_from_syslog(
            record, origin, event=event, vendor=self.tables.vendor, extra=extra, standby=standby, **known
        )

    def trap_event(
        self, record: TrapRecord, origin: Origin, row: Notification, known: dict[str, Any], extra: dict[str, str]
    ) -> Event:
        """The event of a notification whose varbinds were read; takes ``known`` and ``extra`` over."""
        self._explain(row, known, extra)
        known.setdefault("severity", row.severity)
        vendor = None if row.oid.startswith(STANDARD) else self.tables.vendor
        return event_from_trap(
            record,
            origin,
            row.name,
            oid=row.oid,
            event=row.event,
            vendor=vendor,
            extra=extra,
            standby=self.mirrored(known, {}),
            **known,
        )

    def _explain(self, kind: Kind, known: dict[str, Any], extra: dict[str, str]) -> None:
        """Turn the ``reason`` and ``code`` of a message into a `Reason`, and let it say how bad the message is."""
        if (printed := known.get("interface")) and (name := self.interface(printed)) != printed:
            known["interface"], extra["interface_printed"] = name, printed
        if target := known.pop("target", None):
            extra["target"] = target
        extra.update(kind.mark)
        text, code = known.pop("reason", None), known.pop("code", None)
        if not kind.space or (kind.space == CONDITION and extra.get("state") == "clear"):
            _keep_words(text, code, extra)
            return
        words = text
        if kind.implies and not (text and self.book.lists(kind.space, text)):
            words = kind.implies
        if words is None and code is None:
            return
        context = {**known, **_UNSURE} if extra.get(ENDS) == UNORDERED else known
        found = self.book.find(kind.space, words, code, context)
        known["reason"] = found.reason if text == words or text is None else replace(found.reason, text=text)
        if found.code_text is not None:
            extra["reason_code_text"] = found.code_text
        if found.loose:
            extra.setdefault("recognised_by", "wording")
        if found.reason.severity is not None:
            known["severity"] = severity_of(kind, found.reason.severity)

    # --- handlers ---------------------------------------------------------------------------------------------------

    def handler(
        self,
        family: str,
        extra_logs: Mapping[str, Kind] | None = None,
        *,
        needs_fields: bool = False,
        decode_syslog: DecodeSyslog | None = None,
        decode_trap: DecodeTrap | None = None,
        syslog_templates: tuple[SyslogTemplate, ...] = (),
        trap_templates: tuple[TrapTemplate, ...] = (),
    ) -> Handler:
        """The handler of a family. ``needs_fields``: without any known field the message is undecodable, because
        nothing says which tunnel it is about."""
        name = f"{self.tables.vendor}.{family}"
        extra_logs = extra_logs or {}
        needed = name if needs_fields else None
        return Handler(
            name=name,
            vendor=self.tables.vendor,
            mnemonics=(*self.tables.mnemonics(family), *extra_logs),
            oids=self.tables.oids(family),
            decode_syslog=decode_syslog or self._syslog_decoder({**self.tables.by_mnemonic, **extra_logs}, needed),
            decode_trap=decode_trap or self._trap_decoder(needed),
            syslog_templates=syslog_templates,
            trap_templates=trap_templates,
        )

    def _syslog_decoder(self, kinds: Mapping[str, Kind], needed: str | None) -> DecodeSyslog:
        def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
            if self.foreign(record):
                return unclaimed(record, origin)
            known, extra = self.read(record)
            if needed and not known and TRUNCATED not in extra:
                raise DecodeError(needed, "no field says which tunnel")
            return self.syslog_event(record, origin, self.kind_of(record, kinds), known, extra)

        return decode_syslog

    def _trap_decoder(self, needed: str | None) -> DecodeTrap:
        def decode_trap(record: TrapRecord, origin: Origin) -> Event:
            known, extra = self.varbinds.typed(record.varbinds)
            if needed and not known:
                raise DecodeError(needed, "no varbind says which tunnel")
            return self.trap_event(record, origin, self.notification_of(record), known, extra)

        return decode_trap


def _keep_words(text: str | None, code: int | None, extra: dict[str, str]) -> None:
    """A message of no reason space may still carry one (linkDown): it belongs to no catalogue, so it stays text."""
    if text is not None:
        extra["Reason"] = text
    if code is not None:
        extra["ReasonCode"] = str(code)
