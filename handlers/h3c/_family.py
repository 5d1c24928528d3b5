"""One `Handler` per family of `traps.toml`; most families need nothing but the tables."""

from collections.abc import Mapping

from eventd.contract import Handler, SyslogTemplate
from handlers._common.dialect import DecodeSyslog, DecodeTrap, logs
from handlers._common.templates import trap_templates
from handlers.h3c._event import DIALECT
from handlers.h3c._tables import TABLES, Kind
from handlers.h3c._templates import ADDRESSES, TRAP_DEFAULTS

__all__ = ("handler", "logs")


def handler(
    family: str,
    extra_logs: Mapping[str, Kind] | None = None,
    *,
    needs_fields: bool = False,
    decode_syslog: DecodeSyslog | None = None,
    decode_trap: DecodeTrap | None = None,
    syslog_templates: tuple[SyslogTemplate, ...] = (),
) -> Handler:
    """The handler of a family; ``needs_fields`` as `Dialect.handler` says."""
    return DIALECT.handler(
        family,
        extra_logs,
        needs_fields=needs_fields,
        decode_syslog=decode_syslog,
        decode_trap=decode_trap,
        syslog_templates=syslog_templates,
        trap_templates=trap_templates(TABLES, family, TRAP_DEFAULTS, addresses=ADDRESSES),
    )
