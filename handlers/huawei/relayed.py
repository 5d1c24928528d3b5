"""Messages of which a relay left no mnemonic: they are told by their notification OID or by their sentence.

rsyslog's RSYSLOG_SyslogProtocol23Format ends the tag ``%%01IPSEC/4/IPSECTUNNELSTOP(l)[12]`` behind the module, and its
forward formats cut a long one within the mnemonic. The record then has the module in place of the program's name. The
sentences are those of the pages that the handler of each mnemonic names.

The alarm pages numbered 100000 print their texts without module and mnemonic at all (ALM-15795028, ALM-15859603,
ALM-15859601, ALM-15795049), so such a text is taken by the words it begins with.
"""

from collections.abc import Callable

from msgspec.structs import replace

from eventd.contract import Handler, Origin
from eventd.model import Event, SyslogRecord
from handlers.huawei import (
    _event,
    advisory,
    capacity,
    dpd,
    failover,
    link,
    negotiation,
    phase1,
    policy_change,
    sa_reset,
    security,
    sla,
    tunnel_start,
    tunnel_status,
    tunnel_stop,
)
from handlers.huawei._tables import NOTIFICATIONS, VENDOR

#: Modules that IPsec messages were seen to come from.
MODULES = ("IPSEC", "IPSEC-VPN", "IKE")
#: How the texts of those pages begin. Lines without a tag are told by these alone, so they are whole phrases.
OPENINGS = (
    "the ipsec tunnel is deleted",
    "the ipsec tunnel is established",
    "ipsec tunnel negotiation fails",
    "the link status of ipsec sla detection",
    "the link quality of ipsec sla detection",
    "hrp link changes to",
    "hrp core state changed",
)
#: Case-folded words of the fixed part of a message → its mnemonic.
BY_SENTENCE = {
    "ipsec tunnel is deleted": "IPSECTUNNELSTOP",
    "ipsec tunnel is teared down": "IPSEC_TUNNEL_TEARED_DOWN",
    "ipsec tunnel is established": "IPSECTUNNELSTART",
    "ipsec tunnel negotiation fails": "IPSECNEGOFAIL",
    "of ipsec sla detection": sla.DOWN,
    "hrp link changes to": "hwHrpDeviceID",
    "hrp core state changed": failover.HRP,
}
_FAMILIES = (
    advisory,
    capacity,
    dpd,
    failover,
    link,
    negotiation,
    phase1,
    policy_change,
    sa_reset,
    security,
    sla,
    tunnel_start,
    tunnel_status,
    tunnel_stop,
)
_HANDLERS: tuple[Handler, ...] = tuple(family.HANDLER for family in _FAMILIES)
_OWNERS: dict[str, Callable[[SyslogRecord, Origin], Event] | None] = {
    mnemonic.casefold(): handler.decode_syslog for handler in _HANDLERS for mnemonic in handler.mnemonics
}


def mnemonic_of(record: SyslogRecord) -> str | None:
    """The mnemonic that the message must have had; None where nothing says."""
    if record.oid is not None and (row := NOTIFICATIONS.get(record.oid)) is not None:
        return row.name
    sentence = record.text.partition("(")[0].casefold()
    return next((name for words, name in BY_SENTENCE.items() if words in sentence), None)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """As the handler of that mnemonic; a message that no mnemonic is found for is nobody's. The header stays as it was
    read, and ``extra["recognised_by"]`` says what told the message: ``oid`` or ``text``."""
    name = mnemonic_of(record)
    decode = _OWNERS.get(name.casefold()) if name else None
    if decode is None or _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    event = decode(replace(record, mnemonic=name), origin)
    told = {"recognised_by": "text" if record.oid is None else "oid"}
    return replace(event, header=replace(event.header, mnemonic=None), extra={**event.extra, **told})


HANDLER = Handler(
    name="huawei.relayed", vendor=VENDOR, mnemonics=MODULES, openings=OPENINGS, decode_syslog=decode_syslog
)
