"""What a curve of growth is: one quantity over sizes that are far apart, and how fast it grows."""

import gc
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from math import log
from pathlib import Path
from statistics import median

from msgspec import Struct

#: Exponents of growth over the upper half of a curve above this are worse than a logarithm: from 1,000 to 10,000 a
#: logarithm grows by a third (exponent 0.12), a straight line tenfold (1). Between them lies the noise.
WORSE = 0.25


class Look(Struct, frozen=True):
    """One way to look at a subject: what it costs then, and the longest that anything waited, in ms. ``why`` says what
    it has to grow with, where it has to; what costs less than ``unfelt`` is felt by nobody and counts as that."""

    name: str
    unit: str
    probe: Callable[[], Awaitable[tuple[float, float]]]
    why: str = ""
    unfelt: float = 0.0


class Subject(ABC):
    """Something of a certain size that can be looked at over and over."""

    @abstractmethod
    def looks(self) -> Sequence[Look]:
        """In which ways."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back."""


class Curve(Struct, frozen=True):
    """``make(folder, size)`` makes a subject; ``full`` are sizes that take long."""

    name: str
    sizes: tuple[int, ...]
    make: Callable[[Path, int], Awaitable[Subject]]
    full: tuple[int, ...] = ()


class Grown(Struct, frozen=True):
    """A curve as it was measured: medians, and the median of the longest waits."""

    name: str
    unit: str
    sizes: tuple[int, ...]
    costs: tuple[float, ...]
    latencies_ms: tuple[float, ...]
    why: str = ""
    unfelt: float = 0.0

    @property
    def exponent(self) -> float:
        """``cost ~ size ** exponent`` over the upper half."""
        return self._exponent([max(cost, self.unfelt) for cost in self.costs])

    @property
    def wait_exponent(self) -> float:
        """The same of the longest wait."""
        return self._exponent(self.latencies_ms)

    def _exponent(self, values: Sequence[float]) -> float:
        low = max(0, len(self.sizes) // 2 - 1)
        return log(values[-1] / values[low]) / log(self.sizes[-1] / self.sizes[low])

    @property
    def is_worse(self) -> bool:
        """Whether it grows faster than it may."""
        return self.exponent > WORSE


async def measure(curve: Curve, rounds: int, where: Path, *, full: bool) -> list[Grown]:
    """All sizes in turn, so that whatever else the machine does meets all alike."""
    sizes = (*curve.sizes, *(curve.full if full else ()))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        looks: list[Sequence[Look]] = []
        for size in sizes:
            (here := folder / str(size)).mkdir()
            subject = await curve.make(here, size)
            stack.push_async_callback(subject.close)
            looks.append(subject.looks())
        gc.collect()
        gc.freeze()
        seen = [[[await look.probe() for look in alike] for alike in zip(*looks, strict=True)] for _ in range(rounds)]
        gc.unfreeze()
        return [
            Grown(
                f"{curve.name}: {look.name}" if look.name else curve.name,
                look.unit,
                sizes,
                tuple(median(turn[place][size][0] for turn in seen) for size in range(len(sizes))),
                tuple(median(turn[place][size][1] for turn in seen) for size in range(len(sizes))),
                look.why,
                look.unfelt,
            )
            for place, look in enumerate(looks[0])
        ]


def row(grown: Grown) -> str:
    """As lines of a table."""
    title = f"{grown.name}, {grown.unit}"
    verdict = f"  ~ size^{grown.exponent:.2f}{' WORSE' if grown.is_worse else ''}"
    verdict += f": {grown.why}" if grown.is_worse and grown.why else ""
    lines = [f"{title:56}" + "".join(f"{size:>12,}" for size in grown.sizes) + verdict]
    lines.append(f"{'':56}" + "".join(f"{cost:12,.1f}" for cost in grown.costs))
    if any(grown.latencies_ms):
        waits = "".join(f"{wait:12,.1f}" for wait in grown.latencies_ms)
        lines.append(f"{'  longest wait, ms':56}{waits}  ~ size^{grown.wait_exponent:.2f}")
    return "\n".join(lines)


WIDTH, HEIGHT, GAP, ACROSS = 220, 110, 64, 4
STYLE = "text{font:11px sans-serif;fill:#444}.t{font-weight:bold}polyline{fill:none;stroke:#36c;stroke-width:2}"
STYLE += "rect{fill:none;stroke:#ccc}.w{stroke:#c33}circle{fill:#444}"


def picture(grown: Sequence[Grown]) -> str:
    """Small pictures, each from nothing to twice its first cost at least, over the logarithm of the size."""
    parts = []
    for place, one in enumerate(grown):
        left, top = place % ACROSS * (WIDTH + GAP) + 10, place // ACROSS * (HEIGHT + GAP) + 34
        most = max(2 * one.costs[0], *one.costs) * 1.05
        span = log(one.sizes[-1] / one.sizes[0])
        points = [
            (left + WIDTH * log(size / one.sizes[0]) / span, top + HEIGHT * (1 - cost / most))
            for size, cost in zip(one.sizes, one.costs, strict=True)
        ]
        parts.append(f'<text class="t" x="{left}" y="{top - 18}">{one.name}</text>')
        parts.append(f'<text x="{left}" y="{top - 5}">{one.unit}, up to {most:,.0f}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}"/>')
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline class="{"w" if one.is_worse else ""}" points="{line}"/>')
        parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="2.5"/>' for x, y in points]
        labels = zip(points[:: len(points) - 1], one.sizes[:: len(points) - 1], ("start", "end"), strict=True)
        parts += [
            f'<text x="{x:.0f}" y="{top + HEIGHT + 13}" text-anchor="{anchor}">{size:,}</text>'
            for (x, _), size, anchor in labels
        ]
    rows = -(-len(grown) // ACROSS)
    size = f'width="{ACROSS * (WIDTH + GAP)}" height="{rows * (HEIGHT + GAP) + 10}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'
