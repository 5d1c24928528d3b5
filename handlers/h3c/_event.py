"""How H3C's messages become events (`handlers._common.dialect`), and what is peculiar to them."""

from typing import Any

from eventd.contract import ENDS, UNORDERED
from eventd.model import SyslogRecord
from handlers._common.dialect import Dialect, unclaimed
from handlers.h3c import _fields
from handlers.h3c._tables import TABLES
from handlers.h3c._varbinds import VARBINDS
from handlers.h3c.reasons import BOOK

__all__ = ("DIALECT", "unclaimed")

#: What stands between tag and text ("source"). MDC and context are virtual devices with a system name of their own, so
#: they stay in ``extra``.
SOURCE_ITEMS = {"slot": "slot", "cpu": "cpu"}
#: Mnemonics of the IPSEC module name the source and the destination of an SA, which has one direction: of the two or
#: more lines about one tunnel, half have the device's own address as source. The IKE module names its own end first.
ONE_WAY = "IPSEC_"
#: One end alone, because the other was cut off, may be anybody's.
ONE_END = {"local": "SA source", "peer": "SA destination"}


def read(record: SyslogRecord) -> tuple[dict[str, Any], dict[str, str]]:
    """(event field → value, wire key → text) of a log's body, with `ENDS` where it does not say which end is whose."""
    known, extra, listed = _fields.read(record)
    if not listed and (record.mnemonic or "").upper().startswith(ONE_WAY):
        if "local" in known and "peer" in known:
            extra[ENDS] = UNORDERED
        else:
            extra |= {name: str(known.pop(end)) for end, name in ONE_END.items() if end in known}
    return known, extra


DIALECT = Dialect(tables=TABLES, book=BOOK, varbinds=VARBINDS, read=read, id_fields=SOURCE_ITEMS)
kind_of, notification_of = DIALECT.kind_of, DIALECT.notification_of
syslog_event, trap_event = DIALECT.syslog_event, DIALECT.trap_event
