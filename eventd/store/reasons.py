"""Reasons that repeat: kept once per block of the journal, as they were told, and named by the rows that have them."""

from msgspec.structs import replace

from eventd.model import Event, Reason
from eventd.store.rows import text

#: Rows of a block are those whose numbers differ in so many bits only, as in `queries.sql`; what a block has goes with
#: its last row.
BLOCK_BITS = 14

#: Different reasons remembered of a block, a few MB: those of a few thousand peers. More stay in their rows.
MAX_REASONS = 4096

#: Characters of a row whose reason is remembered. A trap with its reason has some 2,500; a text that its sender made up
#: may have 64 KiB, and thousands of those would fill the memory.
MAX_ROW = 4096


class Reasons:
    """Which were written for the block in hand. ``new``: number and JSON of those that have to be written."""

    def __init__(self) -> None:
        self.new: list[tuple[int, str]] = []
        self._block, self._known = -1, dict[Reason, int]()

    def forget(self) -> None:
        """What was written may be gone: a transaction was rolled back, or retention passed by."""
        self._known.clear()
        self.new.clear()

    def take_out(self, seq: int, event: Event) -> tuple[str, int | None]:
        """JSON of an event, without its reason where the second value says under which number that is kept. What comes
        for the first time in a block stays in its row: in a large fleet most do not come again."""
        if event.reason is None:
            return text(event), None
        if seq >> BLOCK_BITS != self._block:
            self._block = seq >> BLOCK_BITS
            self._known.clear()
        known = self._known.get(event.reason)
        if known is None:
            whole = text(event)
            if len(self._known) < MAX_REASONS and len(whole) <= MAX_ROW:
                self._known[event.reason] = 0
            return whole, None
        if not known:
            known = self._known[event.reason] = seq
            self.new.append((seq, text(event.reason)))
        return text(replace(event, reason=None)), known
