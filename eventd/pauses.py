"""How long the garbage collector may hold everything up."""

import gc
import time
from collections.abc import Callable
from typing import Any

#: A full collection that took longer than this, in seconds, found a heap of state: with 20,000 peers lost at once it
#: took half a second, in which nothing was received. Below it, nothing is worth setting aside.
LONGEST_PAUSE = 0.05


def spare(clock: Callable[[], float] = time.perf_counter) -> Callable[[], None]:
    """Have what survived a long full collection never looked at again; gives what ends that.

    What is remembered of peers lives long, in no cycle, and is freed as soon as nothing refers to it, collector or not.
    Looked at again and again it only costs. What is lost by this are cycles that were in use at that very moment and
    end later, the objects of some connection: a few kilobytes each time the state has grown by so much.
    """
    began = 0.0

    def after(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if info["generation"] < 2:
            return
        if phase == "start":
            began = clock()
        elif clock() - began > LONGEST_PAUSE:
            gc.freeze()

    gc.callbacks.append(after)
    return lambda: gc.callbacks.remove(after)
