"""The messages behind one incident."""

from datetime import timedelta

from eventd.contract import JournalRow
from eventd.correlate.state import vsys_of
from eventd.model import Incident
from eventd.store import Store

#: How long before an incident began a message may have come that has to do with it: a failure may precede the stop.
BEFORE = timedelta(seconds=5)


async def evidence(store: Store, incident: Incident, limit: int) -> tuple[tuple[JournalRow, ...], bool]:
    """The latest ``limit`` messages about an incident, latest first, and whether there are more.

    The journal links a message to the incidents that it changed at once. The stop that an outage begins with is kept
    before anybody knows that it will be one; so what the same device said of the same peer meanwhile is added.
    """
    linked = await store.events(incident=incident.id, limit=limit)
    if incident.peer is None:
        return linked.items, linked.next is not None
    meanwhile = await store.events(
        device=incident.device,
        peer=incident.peer,
        since=(incident.opened_at - BEFORE).timestamp(),
        until=incident.resolved_at.timestamp() + 1.0 if incident.resolved_at else None,
        limit=limit,
    )
    found = {_key(row): row for row in meanwhile.items if incident.vsys in (None, vsys_of(row.event))}
    found |= {_key(row): row for row in linked.items}
    rows = sorted(found.values(), key=lambda row: row.event.received_at, reverse=True)
    more = len(rows) > limit or linked.next is not None or meanwhile.next is not None
    return tuple(rows[:limit]), more


def _key(row: JournalRow) -> tuple[object, ...]:
    event = row.event
    return event.received_at, event.transport, event.source, event.raw
