"""A limit was reached, or there is room again (``extra["state"] = "clear"``): tunnels, IKE peers, sessions, bandwidth,
licences, and the IPsec service of a board (``extra["kind"] = "service-fault"``).

One OID has two meanings: …26.6.9 is hwIPSecTunnelReachMax, but in one of the two 2009-10 revisions of the MIB it was
the failed negotiation, recognised by the integer at …26.5.4.
"""

from eventd.contract import Origin
from eventd.model import Event, TrapRecord
from handlers.huawei import _event, _varbinds
from handlers.huawei._family import handler
from handlers.huawei.negotiation import failed_2009


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    """Never lacks anything: most of these notifications carry no varbinds."""
    row = _event.notification_of(record)
    known, extra = _varbinds.typed(record.varbinds)
    if row.also is not None and "code" in known:
        row = failed_2009(row)
    return _event.trap_event(record, origin, row, known, extra)


HANDLER = handler("capacity", decode_trap=decode_trap)
