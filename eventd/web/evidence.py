"""The messages behind one incident."""

from collections.abc import Sequence
from datetime import timedelta

from eventd.contract import JournalRow
from eventd.correlate.state import vsys_of
from eventd.model import Incident
from eventd.store import Store
from eventd.store.base import MAX_PAGE
from eventd.web.answers import ChildRow

#: How long before an incident began a message may have come that has to do with it: a failure may precede the stop.
BEFORE = timedelta(seconds=5)


async def evidence(
    store: Store, incident: Incident, limit: int, under: Sequence[ChildRow] = ()
) -> tuple[tuple[JournalRow, ...], bool]:
    """The latest ``limit`` messages about an incident, latest first, and whether there are more.

    The journal links a message to the incidents that it changed at once. The stop that an outage begins with is kept
    before anybody knows that it will be one; so what the same device said of the same peer meanwhile is added. What an
    outage of many (``under`` are its children) is about was said of them.
    """
    linked = await store.events(incident=incident.id, limit=limit)
    pairs: set[tuple[str, str | None]] = {(child.device, child.peer) for child in under if child.peer}
    pairs = pairs or {(incident.device, incident.peer)}
    if not any(peer for _, peer in pairs):
        return linked.items, linked.next is not None
    device, peer = (_one(part) for part in zip(*pairs, strict=True))
    meanwhile = await store.events(
        device=device,
        peer=peer,
        since=(incident.opened_at - BEFORE).timestamp(),
        until=incident.resolved_at.timestamp() + 1.0 if incident.resolved_at else None,
        limit=MAX_PAGE if under else limit,
    )
    about = (row for row in meanwhile.items if (row.event.device, row.event.peer) in pairs)
    found = {_key(row): row for row in about if incident.vsys in (None, vsys_of(row.event))}
    found |= {_key(row): row for row in linked.items}
    rows = sorted(found.values(), key=lambda row: row.event.received_at, reverse=True)
    more = len(rows) > limit or linked.next is not None or meanwhile.next is not None
    return tuple(rows[:limit]), more


def _one(values: tuple[str | None, ...]) -> str | None:
    """What they all are; None where they differ, which filters nothing."""
    return values[0] if len(set(values)) == 1 else None


def _key(row: JournalRow) -> tuple[object, ...]:
    event = row.event
    return event.received_at, event.transport, event.source, event.raw
