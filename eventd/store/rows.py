"""How values become columns, and rows values again."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eventd.model import Notification
from eventd.store.letters import Letter, make_letter
from eventd.telemetry import get_logger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_notification = msgspec.json.Decoder(Notification)

log = get_logger("store")

#: (name in the ledger, channel or "") → increment.
Tally = Counter[tuple[str, str]]


def micros(when: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (when - EPOCH) // MICROSECOND


def moment(us: int) -> datetime:
    """The inverse."""
    return EPOCH + timedelta(microseconds=us)


def text(value: Any) -> str:
    """JSON. Kept as text and not as bytes, so that SQL can look into it."""
    return msgspec.json.encode(value).decode()


def letter(row: Any) -> Letter:
    """A row of ``outbox_letters``."""
    _, json, state, attempts, next_at, settled_at, *rest = row
    settled = None if settled_at is None else moment(settled_at)
    return make_letter(replace(_notification.decode(json), attempts=attempts), state, next_at, settled, tuple(rest))


def letters(rows: Iterable[Any]) -> Iterator[Letter]:
    """Rows of ``outbox_letters``; one that cannot be read back hides no other."""
    for row in rows:
        try:
            yield letter(row)
        except msgspec.MsgspecError as error:
            log.error("notification left out of the list", why="cannot be read back", row=row[0], error=str(error))


class Earlier(Struct, frozen=True):
    """A pending notification about the same incident on the same channel."""

    id: str
    lane: int
    place: int
    what: str
    next_at: float
    wanted_at: int
    attempts: int
    last_error: str | None
    alone: bool
    digest: str | None
