"""Work in a thread aside, told to the loop that waits for it."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


def answer(done: "asyncio.Future[T]", result: T, failed: Exception | None = None) -> bool:
    """From that thread: it is done, or has ``failed``. False where the loop is gone, and with it whoever waited."""
    try:
        done.get_loop().call_soon_threadsafe(_settle, done, result, failed)
    except RuntimeError:
        return False
    return True


def _settle(done: "asyncio.Future[T]", result: T, failed: Exception | None) -> None:
    if done.done():
        return
    if failed is None:
        done.set_result(result)
    else:
        done.set_exception(failed)
