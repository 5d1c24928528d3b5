"""The garbage collector looks at a large state once, and not again."""

import gc
from collections.abc import Iterator

import pytest

from eventd import pauses


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    frozen = gc.get_freeze_count()
    yield
    if not frozen:
        gc.unfreeze()


def collected(seconds: float) -> tuple[int, int]:
    """Objects set aside, and those still looked at, after a full collection that took so long."""
    times = iter((0.0, seconds))
    end = pauses.spare(lambda: next(times))
    try:
        gc.collect()
        return gc.get_freeze_count(), len(gc.get_objects())
    finally:
        end()


def test_what_survived_a_long_collection_is_set_aside() -> None:
    before = gc.get_freeze_count()
    state = [[number] for number in range(50_000)]
    aside, left = collected(pauses.LONGEST_PAUSE + 0.01)
    assert aside - before > len(state) > left


def test_a_short_collection_sets_nothing_aside() -> None:
    before = gc.get_freeze_count()
    assert collected(pauses.LONGEST_PAUSE - 0.01)[0] == before


def test_young_generations_say_nothing() -> None:
    end = pauses.spare(lambda: pytest.fail("asked for the time"))
    try:
        gc.collect(1)
    finally:
        end()
    assert len([callback for callback in gc.callbacks if callback.__module__ == "eventd.pauses"]) == 0
