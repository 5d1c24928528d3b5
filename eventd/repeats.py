"""Events of messages that say the same over and over: retries, twins, floods.

What an event says follows from the bytes of its message without the times in it, and from who sent it by which way
(`eventd.contract.Handler`). A message that repeats all that is not decoded anew.
"""

from collections.abc import Hashable
from datetime import datetime

from msgspec.structs import replace

from eventd.contract import ENDS
from eventd.model import Event, Message

#: Events remembered: what some hundred peers that retry every few seconds repeat. Some 3 kB each.
MAX_EVENTS = 2048
#: Octets of the longest message remembered: twice a long tunnel log.
MAX_OCTETS = 2048


class Repeats:
    """The latest events, by what was read of their messages. Belongs to one inventory and one set of handlers."""

    def __init__(self) -> None:
        self._events: dict[Hashable, Event] = {}
        self.get = self._events.get

    def keep(self, key: Hashable, event: Event, message: Message) -> None:
        """Remember an event, if another message makes the same of it. It does not where what was learned meanwhile
        decides which end is whose, and where something in it was concealed."""
        if len(message.payload) > MAX_OCTETS or ENDS in event.extra or event.raw != _text(message):
            return
        if len(self._events) >= MAX_EVENTS:
            del self._events[next(iter(self._events))]
        self._events[key] = event

    def __len__(self) -> int:
        return len(self._events)

    def again(self, event: Event, message: Message, received_at: datetime, device_time: datetime | None) -> Event:
        """The event that ``message`` tells once more."""
        return replace(event, received_at=received_at, device_time=device_time, raw=_text(message))


def _text(message: Message) -> str:
    return message.payload.decode("utf-8", "backslashreplace")
