"""Events of messages that say the same over and over: retries, twins, floods.

What an event says follows from the bytes of its message without the times in it, and from who sent it by which way
(`eventd.contract.Handler`). A message that repeats all that is not decoded anew.
"""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from msgspec.structs import replace

from eventd.contract import ENDS
from eventd.met import Met
from eventd.model import Event

#: Events remembered: what some hundred peers that retry every few seconds repeat. Some 3 kB each.
MAX_EVENTS = 2048
#: Messages of which is known that they came once, 100 bytes each: those of which one is kept are far fewer.
MAX_ONCE = 8192
#: Characters of the longest message remembered: twice a long tunnel log, or a trap in hex.
MAX_TEXT = 2048


class Repeats:
    """The latest events that came twice, by what was read of their messages. Belongs to one inventory and one set of
    handlers. In a storm of messages that never repeat nothing is kept, and what is kept stays."""

    def __init__(self) -> None:
        self._events: OrderedDict[Hashable, Event] = OrderedDict()
        self._met = Met(MAX_ONCE)
        self.get = self._events.get

    def keep(self, key: Hashable, event: Event, raw: str) -> None:
        """Remember the event of a message whose text is ``raw``, if it came before and another message makes the same
        of it. It does not where what was learned meanwhile decides which end is whose, and where something in it was
        concealed."""
        if not self._met.before(key) or len(raw) > MAX_TEXT or ENDS in event.extra or event.raw != raw:
            return
        if len(self._events) >= MAX_EVENTS:
            self._events.popitem(last=False)
        self._events[key] = event

    def __len__(self) -> int:
        return len(self._events)


def again(event: Event, raw: str, received_at: datetime, device_time: datetime | None) -> Event:
    """The event that another message tells once more."""
    return replace(event, received_at=received_at, device_time=device_time, raw=raw)
