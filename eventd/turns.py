"""Long work, done without keeping the loop to itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds of work after which others get their turn: a receive buffer that needs no privilege holds some 280 datagrams,
#: which come in 20 ms where 15,000 are sent a second.
TURN_S = 0.003
#: Rows between two looks at the clock.
ROWS_PER_LOOK = 16
#: Rows that are sorted or looked through at a time: a millisecond's work.
ROWS_AT_ONCE = 512


async def turns(rows: Iterable[T]) -> AsyncIterator[T]:
    """Row by row. What they are made from may change meanwhile, which ``rows`` has to bear."""
    until, looked = time.perf_counter() + TURN_S, 0
    for number, row in enumerate(rows):
        yield row
        if number - looked >= ROWS_PER_LOOK:
            looked = number
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + TURN_S


async def in_turns(rows: Iterable[T]) -> list[T]:
    """All of them."""
    return [row async for row in turns(rows)]


async def portions(rows: Iterable[T]) -> AsyncIterator[list[T]]:
    """All of them, some at a time, for what takes less than a microsecond each, as a turn of its own would."""
    for some in together(rows, ROWS_AT_ONCE):
        yield some
        await asyncio.sleep(0)


async def smallest(rows: Iterable[T], count: int, key: Callable[[T], Any]) -> list[T]:
    """The first ``count`` of them in the order of ``key``."""
    found: list[tuple[Any, int, T]] = []
    async for some in portions(enumerate(rows)):
        found = sorted([*found, *((key(row), number, row) for number, row in some)])[:count]
    return [row for _, _, row in found]


def together(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The same rows, up to ``size`` at a time; none is taken before its list is asked for."""
    rows = iter(rows)
    while some := list(islice(rows, size)):
        yield some


def one_turn(rows: Iterable[T], timer: Callable[[], float]) -> Iterator[T]:
    """Row by row, as many as one turn has time for by ``timer`` and one at least; the others stay where they are."""
    until = timer() + TURN_S
    for row in rows:
        yield row
        if timer() > until:
            return
