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
#: The same of work for which nobody is in a hurry, as answers to people and scrapes.
ASIDE_S = 0.001
#: So many times that long others have the loop after each turn of such work while they are busy, else once; a turn of
#: theirs that has begun by then is not cut short. What other shares came to stands in
#: docs/decisions/0058-answers-wait-for-reception.md.
OTHERS = 5
#: Rows between two looks at the clock.
ROWS_PER_LOOK = 16
#: Rows that are sorted or looked through at a time: a millisecond's work.
ROWS_AT_ONCE = 512


class Turn:
    """A turn of work aside, of which there is one at a time: between two of them others have the loop for as long, and
    for longer while they are busy."""

    #: When the latest one was over, whoever's it was.
    ended = 0.0

    def __init__(self) -> None:
        self._until = time.perf_counter() + ASIDE_S

    async def over(self) -> None:
        """Wait for the next turn, if this one is over."""
        now = time.perf_counter()
        if now <= self._until:
            return
        Turn.ended, longest, busy = now, now + OTHERS * ASIDE_S, True
        while now < Turn.ended + ASIDE_S or (busy and now < longest):
            before = time.thread_time()
            await asyncio.sleep(ASIDE_S)
            now, busy = time.perf_counter(), time.thread_time() - before > ASIDE_S / 2
        self._until = now + ASIDE_S


async def turns(rows: Iterable[T], every: int = ROWS_PER_LOOK) -> AsyncIterator[T]:
    """Row by row. What they are made from may change meanwhile, which ``rows`` has to bear. The clock is looked at
    after every so many."""
    turn = Turn()
    for number, row in enumerate(rows, 1):
        yield row
        if number % every == 0:
            await turn.over()


async def in_turns(rows: Iterable[T]) -> list[T]:
    """All of them."""
    return [row async for row in turns(rows)]


async def portions(rows: Iterable[T]) -> AsyncIterator[list[T]]:
    """All of them, some at a time, for what takes less than a microsecond each, as a look at the clock would."""
    async for some in turns(together(rows, ROWS_AT_ONCE), 1):
        yield some


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
