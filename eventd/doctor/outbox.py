"""What the store says of channels: what was tried and waits, and what was given up."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from eventd.config import Config
from eventd.doctor.finding import Finding
from eventd.model import utc
from eventd.store.database import open_reader
from eventd.store.reader import Reader

#: Of what a far end answered.
MAX_ERROR = 200


def examine(config: Config) -> Iterator[Finding]:
    """Channels as they stand in the outbox; a store that cannot be read is told elsewhere (`doctor.senders`)."""
    path = Path(config.store.path)
    if not path.exists():
        return
    try:
        with contextlib.closing(open_reader(path)) as db:
            reader = Reader(db)
            failing, dead = reader.all("outbox_failing"), reader.all("outbox_dead")
    except (sqlite3.Error, OSError, ValueError):
        return
    served = {channel.name for channel in config.channels}
    for channel, count, wanted_at, error, _ in failing:
        since = f"{utc(wanted_at / 1e6):%Y-%m-%d %H:%M:%S} UTC"
        seen = f"{channel}: {count} tried and not taken, the oldest wanted at {since}: {(error or '')[:MAX_ERROR]}"
        yield Finding("outbox", "problem", seen, f"eventd test-alert {channel}, then eventd outbox list")
    for channel, count in dead:
        seen = f"{channel}: {count} given up and neither sent again nor dropped"
        advice = f"eventd outbox list --channel {channel}, then retry or drop"
        if channel not in served:
            advice = f"it is configured no more: eventd outbox drop --channel {channel}"
        yield Finding("outbox", "warning", seen, advice)
    if not failing and not dead:
        yield Finding("outbox", "ok", "nothing that was tried waits, and nothing was given up")
