"""What is told later, where there is no outbox: escalations, and what is held in quiet hours, by the outbox's rules."""

from msgspec.structs import replace

from eventd.model import Notification
from eventd.store.base import passed_untold, replaced_as, told_by_parent, untold_escalation


class Later:
    """Everything that waits for its time."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Notification] = {}
        self._announced = set[tuple[str, str]]()
        self._known = set[tuple[str, str]]()

    def put(self, one: Notification) -> Notification | None:
        """Take one; what has to be told at once, if anything."""
        about = (one.incident.id, one.channel)
        self._known.add(about)
        if covered := self._told_by_parent(one, about):
            self._waiting.pop(about, None)
        if covered or one.joined:
            return None
        if one.escalates and about in self._announced:
            one = replace(one, escalates=False, due_at=None)
        earlier = self._waiting.pop(about, None)
        if untold_escalation(one) or (earlier is not None and passed_untold(earlier.what, one)):
            return None
        if earlier is not None:
            due = None if one.due_at is None or earlier.due_at is None else min(one.due_at, earlier.due_at)
            one = replace(one, what=replaced_as(earlier.what, one.what) or one.what, due_at=due)
        if one.due_at is not None:
            self._waiting[about] = one
            return None
        self._announced.add(about)
        return one

    def _told_by_parent(self, one: Notification, about: tuple[str, str]) -> bool:
        covered = (told_by_parent(one), one.channel) in self._known and about not in self._announced
        return covered and (one.joined or about not in self._waiting)

    def next_due(self) -> float | None:
        """When the next is due, Unix seconds."""
        return min((one.due_at.timestamp() for one in self._waiting.values() if one.due_at is not None), default=None)

    def due(self, now: float) -> list[Notification]:
        """What is due at ``now``, in order of its time; it waits no more."""
        found = [one for one in self._waiting.values() if one.due_at is not None and one.due_at.timestamp() <= now]
        for one in found:
            about = (one.incident.id, one.channel)
            del self._waiting[about]
            self._announced.add(about)
        return sorted(found, key=lambda one: (one.due_at, one.channel))
