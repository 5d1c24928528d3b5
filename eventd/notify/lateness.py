"""How late something is told, as pure functions of time."""

from collections.abc import Sequence

from msgspec.structs import replace

from eventd.model import Digest, Notification, Told

#: Delivered later than this, a message says so.
LATE_AFTER_S = 60.0


def members(told: Told) -> Sequence[Notification]:
    """What it tells, one by one."""
    return told.notifications if isinstance(told, Digest) else (told,)


def wanted_at(one: Notification) -> float:
    """When it was to be told, or what it takes the place of, Unix seconds."""
    return one.wanted_at.timestamp()


def news_at(one: Notification) -> float:
    """When it came up, Unix seconds: what takes the place of something old is news."""
    return (one.due_at or one.created_at).timestamp()


def marked_late(told: Told, now: float) -> Told:
    """The same, saying how late it is where that is worth saying."""
    late = round(now - min(map(wanted_at, members(told))), 1)
    if late <= LATE_AFTER_S:
        return told
    if isinstance(told, Digest):
        return replace(told, late_s=late)
    return replace(told, incident=replace(told.incident, late_s=late))
