"""Tells people when the kernel drops datagrams that were meant for us: not everybody has Prometheus."""

from collections import Counter, deque
from collections.abc import Callable, Mapping

from eventd.telemetry import RateLimit, get_logger

#: How often the kernel's counters are looked at: soon enough to be seen while it happens.
LOOK_EVERY_S = 10.0
#: One line a minute says how much was lost since the last one.
SAY_EVERY_S = 60.0
#: For so long after a loss the page and the API still speak of it.
LATELY_S = 600.0

ADVICE = "raise net.core.rmem_max and recv_buffer_bytes, or find who floods"

log = get_logger("receivers")


class Losses:
    """``drops``: what the kernel dropped since the start, by transport (see `Listeners.kernel_drops`); ``clock``: Unix
    seconds."""

    def __init__(self, drops: Callable[[], Mapping[tuple[str, ...], float]], clock: Callable[[], float]) -> None:
        self._drops, self._clock, self._limit = drops, clock, RateLimit(SAY_EVERY_S, clock)
        self._seen, self._unsaid = Counter[str](), Counter[str]()
        self._lately: deque[tuple[float, str, int]] = deque()

    def total(self) -> dict[str, int]:
        """Datagrams dropped since the start, by transport."""
        return {transport: int(count) for (transport,), count in self._drops().items()}

    async def look(self) -> None:
        """Log what is new."""
        self._look(self._clock())

    def _look(self, now: float) -> None:
        for transport, count in self.total().items():
            lost = count - self._seen[transport]
            self._seen[transport] = count
            if lost > 0:
                self._lately.append((now, transport, lost))
                self._unsaid[transport] += lost
            if self._unsaid[transport] and self._limit.allow(transport) is not None:
                log.warning(
                    "the kernel dropped messages before eventd could read them",
                    transport=transport,
                    lost=self._unsaid.pop(transport),
                    since_start=count,
                    advice=ADVICE,
                )
        while self._lately and self._lately[0][0] < now - LATELY_S:
            self._lately.popleft()

    def lately(self) -> str | None:
        """A sentence about the last ten minutes; None where nothing was lost in them."""
        self._look(self._clock())
        lost = Counter[str]()
        for _, transport, count in self._lately:
            lost[transport] += count
        if not lost:
            return None
        told = ", ".join(f"{count} {transport}" for transport, count in sorted(lost.items()))
        return (
            f"Messages are lost: within {LATELY_S / 60:.0f} minutes the kernel dropped {told} before eventd could read "
            f"them. What to do: {ADVICE}."
        )
