"""A certificate was refused, or a protected packet was dropped: ``extra["kind"]`` is ``certificate``, ``packet`` or
``sa``.

IKE_VERIFY_CERT_FAIL, IPSEC_PACKET_DISCARDED, IPSEC_ANTI-REPLAY_WINDOWS_ERROR, and the notifications of missing SAs and
of failed authentication, encryption and decryption.
"""

from typing import Any

from eventd.contract import ENDS, Origin
from eventd.model import Event, SyslogRecord
from handlers._common.fields import typed
from handlers._common.values import NO_ADDRESS
from handlers.h3c import _event
from handlers.h3c._family import handler, logs
from handlers.h3c._fields import spelled
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence
from handlers.h3c.reasons import CONDITION

SECURITY = "ipsec.security"
REPLAY = Kind(
    "IPSEC_ANTI-REPLAY_WINDOWS_ERROR", SECURITY, "warning", {"kind": "packet"}, CONDITION, "anti-replay check failed"
)
KINDS = logs(
    Kind("IKE_VERIFY_CERT_FAIL", SECURITY, "major", {"kind": "certificate"}, CONDITION, "peer certificate refused"),
    Kind("IPSEC_PACKET_DISCARDED", SECURITY, "warning", {"kind": "packet"}, CONDITION),
    REPLAY,
)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never refuses: the mnemonic alone is the event."""
    kind = _event.kind_of(record, KINDS)
    known, extra = _event.read(record)
    if kind is REPLAY:
        _came_in(known, extra)
    return _event.syslog_event(record, origin, kind, known, extra)


def _came_in(known: dict[str, Any], extra: dict[str, str]) -> None:
    """Only packets that arrive can be late: their source is the peer."""
    for mark in (ENDS, NO_ADDRESS):
        extra.pop(mark, None)
    given = [
        (key, known.pop(end, None) or extra.pop(key, ""))
        for key, end in (("SA source", "local"), ("SA destination", "peer"))
    ]
    ends, others = typed(given, {"sasource": "peer", "sadestination": "local"}, spelled)
    known |= ends
    extra |= others


HANDLER = handler(
    "security",
    KINDS,
    decode_syslog=decode_syslog,
    syslog_templates=(
        sentence(
            SECURITY,
            "IKE/6/IKE_VERIFY_CERT_FAIL",
            "Failed to verify the peer certificate. Reason: {reason}.",
            reason="The certificate has expired",
        ),
        sentence(
            SECURITY,
            "IPSEC/6/IPSEC_PACKET_DISCARDED",
            "IPsec packet discarded, Src IP:{local}, Dst IP:{peer}, SPI:{SPI}, SN:{SN}, Cause:{reason}.",
            reason="ESP decryption failed",
            SN="1",
        ),
    ),
)
