"""What a run of the benchmark finds, as it stands in ``bench.json``."""

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

OURS = "eventd"


class Result(Struct, frozen=True):
    """One contender under one load; medians of the rounds that found a rate. ``rates`` and ``cpus`` are those of each
    round, ``ratio`` is the rate by ours. ``sender_bound``: in most rounds the sender was too slow to find the end."""

    load: str
    contender: str
    does: str
    rate: float
    cpu_us: float
    peak_mb: float
    rates: tuple[float, ...] = ()
    cpus: tuple[float, ...] = ()
    ratio: float = 1.0
    sender_bound: bool = False


class Spread(Struct, frozen=True):
    """Percentiles of a latency in milliseconds; of few samples only the largest means something beside the median."""

    p50: float
    p99: float
    p999: float
    largest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of measured values, at least one."""
        ranked = sorted(seconds)
        p50, p99, p999 = (ranked[min(len(ranked) - 1, int(len(ranked) * share))] for share in (0.5, 0.99, 0.999))
        return cls(p50 * 1e3, p99 * 1e3, p999 * 1e3, ranked[-1] * 1e3)


class Latency(Struct, frozen=True):
    """How long eventd takes at a share of its capacity; None where messages were lost.

    ``judged``: from the socket to the end of the step that judged it, ``commit``: what one commit takes (both of
    eventd's own histograms, so between their buckets it is a guess); ``committed``: from the sending to the commit, of
    every message; ``told``: from the sending to the arrival at a webhook, of those that open an incident at once.
    """

    load: str
    share: float
    rate: float
    messages: int
    told_of: int
    lost: int
    judged: Spread | None
    commit: Spread | None
    committed: Spread | None
    told: Spread | None


class Growth(Struct, frozen=True):
    """CPU µs per message of the same messages with few tunnels known and with many; ``ratios`` of pairs of tries."""

    tunnels: int
    few_us: float
    many_us: float
    ratios: tuple[float, ...]

    @property
    def more(self) -> float:
        """What the tunnels add, as a share."""
        return median(self.ratios) - 1


def summed(rounds: Sequence[Result]) -> list[Result]:
    """Medians over the rounds, and the rates as ratios to eventd's under the same load."""
    results: list[Result] = []
    for load, contender in dict.fromkeys((one.load, one.contender) for one in rounds):
        same = [one for one in rounds if (one.load, one.contender) == (load, contender)]
        rate, cpu_us, peak_mb = (median(getattr(one, name) for one in same) for name in ("rate", "cpu_us", "peak_mb"))
        ours = next((one.rate for one in results if (one.load, one.contender) == (load, OURS)), rate)
        results.append(
            Result(
                load,
                contender,
                same[0].does,
                rate,
                cpu_us,
                peak_mb,
                tuple(round(one.rate) for one in same),
                tuple(round(one.cpu_us, 1) for one in same),
                rate / ours,
                median(one.sender_bound for one in same) > 0.5,
            )
        )
    return results


def together(latencies: Sequence[Latency]) -> list[Latency]:
    """Of several rounds the one with the median of the 99th percentile to the commit, where nothing was lost."""
    found = []
    for load, share in dict.fromkeys((one.load, one.share) for one in latencies):
        same = [one for one in latencies if (one.load, one.share) == (load, share)]
        same.sort(key=lambda one: one.committed.p99 if one.committed else float("inf"))
        found.append(same[(len(same) - 1) // 2])
    return found
