"""One `Handler` per family of `traps.toml`; most families need nothing but the tables."""

from collections.abc import Mapping

from eventd.contract import Handler, SyslogTemplate
from handlers._common.dialect import DecodeSyslog, DecodeTrap, logs
from handlers._common.tables import Kind
from handlers.huawei._event import DIALECT, read
from handlers.huawei._templates import trap_templates

__all__ = ("handler", "logs", "read")


def handler(
    family: str,
    extra_logs: Mapping[str, Kind] | None = None,
    *,
    needs_fields: bool = False,
    decode_syslog: DecodeSyslog | None = None,
    decode_trap: DecodeTrap | None = None,
    syslog_templates: tuple[SyslogTemplate, ...] = (),
    trap_defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> Handler:
    """The handler of a family; ``trap_defaults`` are what `eventd send` fills in, by notification name."""
    return DIALECT.handler(
        family,
        extra_logs,
        needs_fields=needs_fields,
        decode_syslog=decode_syslog,
        decode_trap=decode_trap,
        syslog_templates=syslog_templates,
        trap_templates=trap_templates(family, trap_defaults),
    )
