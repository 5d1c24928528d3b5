"""How Huawei's messages become events (`handlers._common.dialect`), and what is peculiar to them."""

import re
from collections.abc import Mapping
from typing import Any

from eventd.model import SyslogRecord
from handlers._common.dialect import Dialect, severity_of, unclaimed
from handlers.huawei import _fields
from handlers.huawei._layouts import Layouts
from handlers.huawei._tables import TABLES
from handlers.huawei._varbinds import VARBINDS
from handlers.huawei.reasons import BOOK

__all__ = ("DIALECT", "severity_of", "unclaimed")

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


_LAYOUTS = Layouts(_fields.WIRE_KEYS)


def is_h3c(record: SyslogRecord) -> bool:
    """A line of the other vendor with a mnemonic of this one."""
    return record.form == "comware"


def read(record: SyslogRecord) -> tuple[dict[str, Any], dict[str, str]]:
    """(event field → value, wire key → text) of a log's body."""
    found = _LAYOUTS.read(record.text)
    if found is not None:
        return found
    _LAYOUTS.learn(record.text)
    _, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields)
    return known, extra | cut


def _mirrored(known: Mapping[str, Any], extra: Mapping[str, str]) -> bool:
    reason = known.get("reason")
    return extra.get("State", "").lower() == BACKUP_STATE or (reason is not None and reason.name == BACKUP_REASON)


#: Short names that some messages print, and the names that the configuration and the tunnel messages print. A VRP8
#: alarm says GE0/0/1 (EDOC1100039602) where the interface view is GigabitEthernet0/0/1 (NetEngine 8000 F,
#: vrp_ifm_cfg_0030); S series print XGE for XGigabitEthernet in `display interface brief` (a guess for logs). 10GE,
#: 25GE, 40GE, 100GE and Eth-Trunk are names in full.
SHORT_NAMES = {"GE": "GigabitEthernet", "XGE": "XGigabitEthernet"}
_SHORT = re.compile(r"(X?GE)(?=\d)")


def interface(name: str) -> str:
    """An interface under its name in full."""
    found = _SHORT.match(name)
    return name if found is None else SHORT_NAMES[found[1]] + name[found.end() :]


DIALECT = Dialect(
    tables=TABLES,
    book=BOOK,
    varbinds=VARBINDS,
    read=read,
    id_fields=_fields.WIRE_KEYS,
    foreign=is_h3c,
    mirrored=_mirrored,
    cleared=CLEARED,
    interface=interface,
)
kind_of, notification_of = DIALECT.kind_of, DIALECT.notification_of
syslog_event, trap_event = DIALECT.syslog_event, DIALECT.trap_event
