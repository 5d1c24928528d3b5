"""One `Handler` per family of `traps.toml`; most families need nothing but the tables."""

from collections.abc import Callable, Mapping
from typing import Any

from eventd.contract import Handler, Origin, SyslogTemplate
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers.huawei import _event, _fields, _tables, _varbinds
from handlers.huawei._templates import trap_templates

DecodeSyslog = Callable[[SyslogRecord, Origin], Event]
DecodeTrap = Callable[[TrapRecord, Origin], Event]


def logs(*kinds: _tables.Kind) -> dict[str, _tables.Kind]:
    """Meanings of logs that are no notifications, by case-folded mnemonic."""
    return {kind.name.casefold(): kind for kind in kinds}


def read(record: SyslogRecord) -> tuple[dict[str, Any], dict[str, str]]:
    """(event field → value, wire key → text) of a log's body."""
    _, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields)
    return known, extra | cut


def handler(
    family: str,
    extra_logs: Mapping[str, _tables.Kind] | None = None,
    *,
    needs_fields: bool = False,
    decode_syslog: DecodeSyslog | None = None,
    decode_trap: DecodeTrap | None = None,
    syslog_templates: tuple[SyslogTemplate, ...] = (),
    trap_defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> Handler:
    """The handler of a family. ``needs_fields``: without any known field the message is undecodable."""
    name = f"{_tables.VENDOR}.{family}"
    extra_logs = extra_logs or {}
    needed = name if needs_fields else None
    return Handler(
        name=name,
        vendor=_tables.VENDOR,
        mnemonics=(*_tables.mnemonics(family), *extra_logs),
        oids=_tables.oids(family),
        decode_syslog=decode_syslog or _syslog_decoder({**_tables.BY_MNEMONIC, **extra_logs}, needed),
        decode_trap=decode_trap or _trap_decoder(needed),
        syslog_templates=syslog_templates,
        trap_templates=trap_templates(family, trap_defaults),
    )


def _syslog_decoder(kinds: Mapping[str, _tables.Kind], needed: str | None) -> DecodeSyslog:
    def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
        if _event.is_h3c(record):
            return _event.unclaimed(record, origin)
        known, extra = read(record)
        if needed and not known and _fields.TRUNCATED not in extra:
            raise DecodeError(needed, "no field says which tunnel")
        return _event.syslog_event(record, origin, _event.kind_of(record, kinds), known, extra)

    return decode_syslog


def _trap_decoder(needed: str | None) -> DecodeTrap:
    def decode_trap(record: TrapRecord, origin: Origin) -> Event:
        known, extra = _varbinds.typed(record.varbinds)
        if needed and not known:
            raise DecodeError(needed, "no varbind says which tunnel")
        return _event.trap_event(record, origin, _event.notification_of(record), known, extra)

    return decode_trap
