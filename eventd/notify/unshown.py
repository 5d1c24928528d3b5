"""What is told of an incident that a far end will not show: that there is one, without a word from the wire."""

from msgspec.structs import replace

from eventd.model import Digest, Incident, Notification, Told

#: A phrase that every language has (eventd/notify/words/phrases.*.toml).
UNSHOWN = "Incident {id} could not be shown here"


def unshown(told: Told) -> Told:
    """The same in eventd's own words alone: id, link, kind, severity and times."""
    if isinstance(told, Digest):
        return replace(told, notifications=tuple(map(_bare, told.notifications)))
    return _bare(told)


def _bare(told: Notification) -> Notification:
    """Made anew instead of emptied: a field that comes in later is not in it by mistake."""
    one = told.incident
    bare = Incident(
        id=one.id,
        kind=one.kind,
        status=one.status,
        severity=one.severity,
        device="",
        peer=None,
        peer_name=None,
        site=None,
        interface=None,
        vsys=None,
        opened_at=one.opened_at,
        updated_at=one.updated_at,
        resolved_at=one.resolved_at,
        late_s=one.late_s,
        url=one.url,
        opened_severity=one.opened_severity,
        worst_severity=one.worst_severity,
        title=UNSHOWN.format(id=one.id),
        continued_by=one.continued_by,
    )
    return replace(told, incident=bare)
