"""Facts are told apart from their copies for `twin_window` seconds; after that nobody asks for them.

What a message is compared with is forgotten when the next one comes. Most peers are quiet for weeks after they spoke,
so that the facts of those who spoke once would be a third of all that is remembered: whoever spoke is looked at again.
"""

from collections import OrderedDict
from collections.abc import Callable

from eventd.correlate import twins
from eventd.correlate.state import GroupState, State


class Fading:
    """The keys of states with facts, and when the first fact of each since the last look came (Unix seconds)."""

    def __init__(self) -> None:
        self._told_at: OrderedDict[str, float] = OrderedDict()

    def note(self, key: str, at: float) -> None:
        """A state has a fact since ``at``."""
        self._told_at.setdefault(key, at)

    def fade(self, find: Callable[[str], State | None], before: float) -> None:
        """Forget all facts last told before that time."""
        while self._told_at:
            key = next(iter(self._told_at))
            if self._told_at[key] >= before:
                return
            del self._told_at[key]
            state = find(key)
            if state is None or isinstance(state, GroupState):
                continue
            if not state.facts or state.facts[-1].until < before:  # else it is early enough once it is quiet
                twins.forget(state.facts, before)
            if state.facts:
                self._told_at[key] = state.facts[-1].until

    def shift(self, delta_s: float) -> None:
        """The clock was set."""
        for key in self._told_at:
            self._told_at[key] += delta_s

    def __len__(self) -> int:
        return len(self._told_at)
