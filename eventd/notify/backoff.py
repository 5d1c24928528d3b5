"""When to try again: exponential, with full jitter, so that what failed together does not come back together."""

import random

#: The first pause is about half a second on average, the longest average two and a half minutes: short enough that
#: an alarm is not held back much longer than the far end was away.
BASE_S = 1.0
CAP_S = 300.0


def full_jitter(attempts: int, rng: random.Random) -> float:
    """Seconds to wait after ``attempts`` earlier failures: evenly drawn from 0 to base * 2 ** attempts, capped.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("Full Jitter").
    """
    return rng.uniform(0.0, min(CAP_S, BASE_S * 2.0 ** min(attempts, 30)))
