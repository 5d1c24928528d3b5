"""The device could not add an entry to its flow table: IPSEC_FAILED_ADD_FLOW_TABLE."""

from eventd.contract import Origin
from eventd.model import Event, SyslogRecord
from handlers.h3c import _event
from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

CAPACITY = "ipsec.capacity"
KINDS = logs(Kind("IPSEC_FAILED_ADD_FLOW_TABLE", CAPACITY, "major", space="negotiation", implies="no enough resource"))


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never refuses: the mnemonic alone is the event."""
    return _event.syslog_event(record, origin, _event.kind_of(record, KINDS), *_event.read(record))


HANDLER = handler(
    "capacity",
    KINDS,
    decode_syslog=decode_syslog,
    syslog_templates=(
        sentence(
            CAPACITY,
            "IPSEC/4/IPSEC_FAILED_ADD_FLOW_TABLE",
            "Failed to add flow-table due to {reason}.",
            source="recalled; the same sentence is transcribed for NAT_FAILED_ADD_FLOW_TABLE",
            reason="no enough resource",
        ),
    ),
)
