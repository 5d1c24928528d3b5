"""How values become columns."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

#: (name in the ledger, channel or "") → increment.
Tally = Counter[tuple[str, str]]


def micros(when: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (when - EPOCH) // MICROSECOND


def text(value: Any) -> str:
    """JSON. Kept as text and not as bytes, so that SQL can look into it."""
    return msgspec.json.encode(value).decode()
