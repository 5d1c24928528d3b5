"""Others get the loop while a long list is made."""

import asyncio

import pytest

from eventd import turns


async def test_a_long_list_is_whole_and_lets_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ASIDE_S", 0.0)
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


async def test_who_is_busy_has_several_turns_for_one_of_work_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """By CPU time: whoever waits for something needs no turn."""
    spent = iter([0.0, 1.0, 1.0, 2.0, 2.0, 2.1])
    slept = 0

    async def sleep(_: float) -> None:
        nonlocal slept
        slept += 1

    monkeypatch.setattr(turns, "ASIDE_S", 1.0)
    turn = turns.Turn()
    monkeypatch.setattr(turns.asyncio, "sleep", sleep)
    await turn.over()
    assert slept == 0
    monkeypatch.setattr(turns.time, "perf_counter", lambda: float("inf"))
    monkeypatch.setattr(turns.time, "thread_time", lambda: next(spent))
    await turn.over()
    assert slept == 3
