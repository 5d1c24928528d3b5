"""Whatever a channel does, it comes back as a value: no bug of one stops the others."""

import asyncio
import traceback
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from eventd.errors import DeliveryError, DeliveryFailure

T = TypeVar("T")

#: A channel's own limits are shorter (`session.TOTAL_TIMEOUT_S`); this one is for channels that have none.
TRY_TIMEOUT_S = 60.0


async def guarded(action: Awaitable[T]) -> T | DeliveryError:
    """What it returns, or how it failed. No bug of a channel gets past here, and no text of an unforeseen exception
    either: it may hold an address."""
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            return await action
    except DeliveryError as error:
        return error
    except TimeoutError:
        return DeliveryError(DeliveryFailure.TIMEOUT, f"no end within {TRY_TIMEOUT_S:.0f} s", retryable=True)
    except Exception as error:  # noqa: BLE001 - a bug of one channel must not stop the others
        return DeliveryError(DeliveryFailure.INTERNAL, where(error), retryable=True)


def failure_in(result: object) -> DeliveryError | None:
    """How it failed, if it did."""
    return result if isinstance(result, DeliveryError) else None


def where(error: Exception) -> str:
    """An unforeseen exception by type and place, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
