"""The incidents that one tells instead of them."""

from eventd.model import Incident
from eventd.store import Store
from eventd.store.base import MAX_PAGE
from eventd.web.answers import ChildRow


async def children(store: Store, incident: Incident) -> list[ChildRow]:
    """Those of its children that are kept: first the open ones, which go back longest first, then the latest over."""
    if not incident.children:
        return []
    found = (await store.incidents(child_of=incident.id, limit=MAX_PAGE)).items
    return sorted(map(_row, found), key=_place)


def _row(child: Incident) -> ChildRow:
    return ChildRow(
        id=child.id,
        kind=child.kind,
        status=child.status,
        severity=child.severity,
        device=child.device,
        peer=child.peer,
        peer_name=child.peer_name,
        interface=child.interface,
        opened_at=child.opened_at,
        resolved_at=child.resolved_at,
        cause=child.cause.text if child.cause else None,
        title=child.title or child.summary,
    )


def _place(row: ChildRow) -> tuple[bool, float, str, str]:
    since = row.opened_at.timestamp() if row.resolved_at is None else -row.resolved_at.timestamp()
    return row.status != "open", since, row.peer_name or row.peer or "", row.device
