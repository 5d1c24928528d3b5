"""A negotiation failed or succeeded: IPSECNEGOFAIL in all its layouts, and the router branch's pairs.

ALM-4285734925 (V300 AR), ALM-303046755 (WAC and AP, adds ConnID), ALM-15795028 (no module name), the captured USG
V500 line of EDOC1100086055 (quoted reason, ends at PeerPort), and the cloud VPN gateway
(https://support.huaweicloud.com/intl/zh-cn/ae-ad-1-api-vpn/vpn_api_0145.html), which has neither mnemonic nor code.

The message carries no local address. It repeats with every retry.
"""

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord, TrapRecord
from handlers._common.fields import TRUNCATED
from handlers.huawei import _event, _varbinds
from handlers.huawei._family import handler, logs, read
from handlers.huawei._tables import BY_MNEMONIC, Kind, Notification, family
from handlers.huawei._templates import alarm

NAME = "huawei.negotiation"
GATEWAY = Kind("ipsec_ike", "ipsec.negotiation.fail", "warning", space="negotiation")
KINDS = {**BY_MNEMONIC, **logs(GATEWAY)}
FAIL = next(row for row in family("negotiation") if row.name == "hwIPSecNegoFail")


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where neither a peer nor a reason is left of a failure."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    kind = _event.kind_of(record, KINDS)
    if kind is GATEWAY and "negotiation fail" not in record.text:
        return _event.unclaimed(record, origin)
    known, extra = read(record)
    if not known and TRUNCATED not in extra:
        raise DecodeError(NAME, "no field says which peer or why")
    if kind is GATEWAY and record.text.startswith("["):
        # Which end the leading address names is documented nowhere, so it is shown and not believed.
        extra["prefix"] = record.text[1:].partition("]")[0]
    return _event.syslog_event(record, origin, kind, known, extra)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where no varbind says which peer or why."""
    known, extra = _varbinds.typed(record.varbinds)
    if not known:
        raise DecodeError(NAME, "no varbind says which peer or why")
    return _event.trap_event(record, origin, _event.notification_of(record), known, extra)


def failed_2009(row: Notification) -> Notification:
    """The meaning that ``row``'s OID had in the 2009 revision with an integer reason, where .9 was hwIPSecNegoFail."""
    return Notification(
        name=FAIL.name,
        event=FAIL.event,
        severity=FAIL.severity,
        space=FAIL.space,
        oid=row.oid,
        family=FAIL.family,
        v1=row.v1,
        source=row.source,
    )


HANDLER = handler(
    "negotiation",
    logs(GATEWAY),
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(
        alarm(
            "hwIPSecNegoFail",
            4,
            "IPSec tunnel negotiation fails.",
            "Ifindex SeqNum Reason ReasonCode PeerAddress PeerPort VsysName InterfaceName",
            Reason="phase1 proposal mismatch",
            ReasonCode="1",
        ),
    ),
    trap_defaults={
        "hwIPSecNegoFail": {"reason": "phase1 proposal mismatch", "code": "1"},
        "hwIPSecNegotiationFail": {"reason": "phase1 proposal mismatch"},
        "hwIPSecNegotiationSuccess": {"reason": ""},
    },
)
