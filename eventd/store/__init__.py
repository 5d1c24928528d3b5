"""What was decided, durably: one SQLite file with the journal, the incidents, the correlator's state and the outbox."""

from eventd.store.base import ChannelTotals, Page, Settings, Store
from eventd.store.memory import MemoryStore
from eventd.store.sqlite import SqliteStore

__all__ = ["ChannelTotals", "MemoryStore", "Page", "Settings", "SqliteStore", "Store"]
