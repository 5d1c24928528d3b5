"""A timer that only moves when it is looked at."""


class Stopwatch:
    """Time that each look takes, and none that anything else does: what a step holds is the same on every machine."""

    def __init__(self, look: float = 0.0) -> None:
        self.now, self.look = 0.0, look

    def __call__(self) -> float:
        self.now += self.look
        return self.now
