"""Who is connected: how many connections one source may have, and who has to leave when there is no room for more."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

#: Part of all connections that one source may have unless the configuration says so. A quarter is room for every
#: device behind a relay, and takes four addresses to use up the whole.
SOURCE_SHARE = 4


class Guest(Protocol):
    """A connection as the roster sees it; ``proven`` when a whole message came over it and none is overdue now."""

    source: str

    @property
    def proven(self) -> bool: ...


G = TypeVar("G", bound=Guest)


class Roster(Generic[G]):
    """Open connections, oldest first, at most ``most`` in all and ``most_per_source`` of one source."""

    def __init__(self, most: int, most_per_source: int | None = None) -> None:
        self._most, self._most_per_source = most, most_per_source or max(1, most // SOURCE_SHARE)
        self._guests: dict[G, None] = {}
        self._by_source: dict[str, dict[G, None]] = {}

    def __contains__(self, guest: G) -> bool:
        return guest in self._guests

    def __iter__(self) -> Iterator[G]:
        return iter(tuple(self._guests))

    def of(self, source: str) -> tuple[G, ...]:
        """The connections of one source, oldest first."""
        return tuple(self._by_source.get(source, ()))

    def add(self, guest: G) -> None:
        self._guests[guest] = None
        self._by_source.setdefault(guest.source, {})[guest] = None

    def remove(self, guest: G) -> None:
        del self._guests[guest]
        own = self._by_source[guest.source]
        del own[guest]
        if not own:
            del self._by_source[guest.source]

    def has_its_share(self, source: str) -> bool:
        """Whether ``source`` may not have another connection."""
        return len(self._by_source.get(source, ())) >= self._most_per_source

    @property
    def full(self) -> bool:
        """Whether somebody has to leave before another can come."""
        return len(self._guests) >= self._most

    def least_missed(self, newcomer: str) -> G | None:
        """Who may be sent away for a connection of ``newcomer``: the oldest that is not proven, of the source that has
        most of those. None where that would be a source with fewer connections than the newcomer's.

        A sender whose connection was closed opens another; one that never said anything loses nothing by it.
        """
        idle: dict[str, list[G]] = {}
        for guest in self._guests:
            if not guest.proven:
                idle.setdefault(guest.source, []).append(guest)
        if not idle:
            return None
        source = max(idle, key=lambda source: len(idle[source]))
        if len(idle[source]) < len(self._by_source.get(newcomer, ())):
            return None
        return idle[source][0]
