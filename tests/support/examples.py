"""How many made-up inputs a property is tried with (docs/decisions/0042-what-a-run-of-the-tests-tries.md)."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

#: So many times as many inputs in a run with random ones.
TIMES = 5
COUNT = 40

# No deadline: what a single example may take is a matter of the machine, and of who else is using it.
_common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("steady", _common, max_examples=COUNT, derandomize=True)
settings.register_profile("random", _common, max_examples=COUNT * TIMES)
PROFILE = os.environ.get("EVENTD_HYPOTHESIS", "steady")


def some(count: int, variable: str = "", **more: Any) -> settings:
    """So many examples; in a run with random inputs ``TIMES`` as many, and always random ones as many as the
    environment says in ``variable``."""
    if asked := os.environ.get(variable):
        return settings(max_examples=int(asked), derandomize=False, **more)
    return settings(max_examples=count * (TIMES if PROFILE == "random" else 1), **more)
