"""The judgement as it stood when the service ended."""

import gc
from collections.abc import Iterable
from pathlib import Path

from eventd.correlate import Correlator
from eventd.errors import StoreError


def restore(correlator: Correlator, states: Iterable[tuple[str, bytes]], path: Path | str) -> None:
    """Load what was saved. Raises `StoreError` that names the state which cannot be read.

    That makes many objects that stay, in no cycle: looking for cycles among them takes longer than making them (half
    of a start with 20,000 peers), and would hold up everything each time it is done later.
    """
    gc.disable()
    try:
        for key, blob in states:
            try:
                correlator.load([(key, blob)])
            except (ValueError, TypeError) as error:
                raise StoreError(f"{path}: the state of {key!r} cannot be read: {error}") from error
    finally:
        gc.freeze()
        gc.enable()
