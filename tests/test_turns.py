"""Others get the loop while a long list is made."""

import asyncio

import pytest

from eventd import turns


async def test_a_long_list_is_whole_and_lets_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    worked = 0

    async def work() -> None:
        nonlocal worked
        while True:
            worked += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(work())
    assert await turns.in_turns(range(1000)) == [*range(1000)]
    others.cancel()
    assert worked >= 1000 // (2 * turns.ROWS_PER_LOOK)


async def test_the_first_of_many_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ROWS_AT_ONCE", 10)
    rows = [n * 7919 % 1000 for n in range(1000)]
    assert await turns.smallest(rows, 25, lambda row: -row) == [*range(999, 974, -1)]
    assert await turns.smallest(rows, 2000, lambda row: row) == [*range(1000)]
