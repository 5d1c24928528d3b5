"""What to do with values that no database takes: a lone surrogate in a text, a number of more than 64 bits, a field of
the wrong type. Only a bug makes them, but one bad row must not hold up all that come after it.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from eventd.contract import Batch
from eventd.model import Fault, Malformed

T = TypeVar("T")

#: What Python and its SQLite driver raise for such values. Their other errors are the file's, and may pass.
ERRORS = (
    UnicodeError,
    OverflowError,
    TypeError,
    ValueError,
    AttributeError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
#: Violations that no later try heals; a number given twice, in contrast, means that the file is damaged.
CONSTRAINTS = ("SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK")

#: Characters kept of a row that was left out: a long trap.
MAX_NOTE = 8192


def is_permanent(error: Exception) -> bool:
    """Whether ``error`` is about the values and would come again."""
    if isinstance(error, sqlite3.IntegrityError):
        return error.sqlite_errorname in CONSTRAINTS
    return isinstance(error, ERRORS) and not isinstance(error, sqlite3.OperationalError)


def pieces(batch: Batch) -> Iterator[Batch]:
    """One batch per row, in the order in which they are written; the tallies are not in any."""
    yield from (Batch(states={key: blob}) for key, blob in batch.states.items())
    yield from (Batch(incidents={key: incident}) for key, incident in batch.incidents.items())
    yield from (Batch(journal=[row]) for row in batch.journal)
    yield from (Batch(malformed=[message]) for message in batch.malformed)
    yield from (Batch(notifications=[notification]) for notification in batch.notifications)


def mended(batch: Batch) -> Batch:
    """The same with every text made writable; ``batch`` itself if it cannot be taken apart."""
    try:
        plain = msgspec.to_builtins(batch, builtin_types=(bytes, datetime))
        return msgspec.convert(_mended(plain), Batch, builtin_types=(bytes, datetime))
    except (*ERRORS, msgspec.MsgspecError):
        return batch


def writable(text: str) -> str:
    """Text as UTF-8 can carry it: lone surrogates become ``\\udc80``."""
    return text.encode("utf-8", "backslashreplace").decode()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(inner) for inner in value]
    return value


def note(piece: Batch, now: float) -> Malformed:
    """What stands in the file for a row that was left out."""
    return Malformed(
        event=None,
        transport="store",
        received_at=datetime.fromtimestamp(now, UTC),
        source="",
        error=Fault("unstorable", 0),
        raw=_shown(piece)[:MAX_NOTE],
    )


def _shown(piece: Batch) -> str:
    rows = (*piece.journal, *piece.malformed, *piece.notifications, *piece.incidents.values(), *piece.states)
    try:
        return ascii(rows[0])
    except Exception as error:  # noqa: BLE001 - a value that cannot even be shown
        return f"{type(rows[0]).__name__}, not shown: {type(error).__name__}"
