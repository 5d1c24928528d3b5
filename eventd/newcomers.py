"""How many devices one address may make up: the host names that nobody listed, by the source that uses them.

A firewall has a name, a relay one for each firewall behind it. Whoever invents names would fill every table of devices
with them, so that an address gets so many and no more: what it says under further ones counts as its own. The devices
of the inventory and those behind a trusted forwarder are not counted.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: Unlisted host names per address: a branch network behind one relay that nobody configured. For more of them one line
#: of configuration says that it is meant (`trusted_forwarders`, or the devices in the inventory).
MAX_NAMES = 500
#: All such names; those of the address that was unheard for longest go first. About 3 MB.
MAX_ALL_NAMES = 20_000
#: A name that was not heard for a day leaves its place to another: devices are replaced, and given names.
KEPT_S = 86_400.0


class Refused(NamedTuple):
    """How many messages of a source came under names beyond its bound, and the latest of these names."""

    messages: int
    hostname: str


class Newcomers:
    """The names in use, and what was refused since anybody asked. Times are Unix seconds."""

    def __init__(self) -> None:
        #: Host names and when each was last heard, by source; who and what was heard last is last.
        self._names: dict[str, dict[str, float]] = {}
        self._count = 0
        self._refused: dict[str, Refused] = {}

    def admit(self, source: str, hostname: str, at: float, others: Iterable[str] = ()) -> bool:
        """Whether ``source`` may speak for ``hostname``. ``others`` are names that it had before it had several."""
        names = self._names.pop(source, None)
        if names is None:
            names = dict.fromkeys(others, at)
            self._count += len(names)
        self._names[source] = names
        if names.pop(hostname, None) is None:
            if len(names) >= MAX_NAMES and not self._made_room(names, at):
                self._refuse(source, hostname)
                return False
            self._count += 1
        names[hostname] = at
        while self._count > MAX_ALL_NAMES:
            self._count -= len(self._names.pop(next(iter(self._names))))
        return True

    def _made_room(self, names: dict[str, float], at: float) -> bool:
        oldest = next(iter(names))
        if abs(at - names[oldest]) < KEPT_S:  # one heard in the future: the clock was set back
            return False
        del names[oldest]
        self._count -= 1
        return True

    def _refuse(self, source: str, hostname: str) -> None:
        before = self._refused.get(source)
        self._refused[source] = Refused(before.messages + 1 if before else 1, hostname)

    def take_refused(self) -> Mapping[str, Refused]:
        """What was refused since the last call, by source: as many as send within one batch."""
        taken, self._refused = self._refused, {}
        return taken

    def __len__(self) -> int:
        return self._count
