"""What the parts of the benchmark find, as it stands in their files."""

from collections.abc import Sequence
from statistics import median

import msgspec
from about import About
from msgspec import Struct

OURS = "eventd"


class Result(Struct, frozen=True):
    """One contender under one load; medians of the rounds that found a rate. ``rates`` and ``cpus`` are those of each
    round, ``ratio`` is the rate by ours. ``open_ended``: in most rounds the end was not found (`trial.Search`)."""

    load: str
    contender: str
    does: str
    rate: float
    cpu_us: float
    peak_mb: float
    rates: tuple[float, ...] = ()
    cpus: tuple[float, ...] = ()
    ratio: float = 1.0
    open_ended: bool = False


class Spread(Struct, frozen=True):
    """Percentiles of a latency in milliseconds, of so many samples."""

    p50: float
    p99: float
    p999: float
    largest: float
    samples: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of measured values, at least one."""
        ranked = sorted(seconds)
        p50, p99, p999 = (ranked[min(len(ranked) - 1, int(len(ranked) * share))] for share in (0.5, 0.99, 0.999))
        return cls(p50 * 1e3, p99 * 1e3, p999 * 1e3, ranked[-1] * 1e3, len(ranked))

    def __str__(self) -> str:
        """A percentile is told where at least one sample lies beyond it."""
        told = ((self.p50, 2), (self.p99, 100), (self.p999, 1000))
        return "/".join(f"{value:,.0f}" if self.samples >= least else "-" for value, least in told)


class Latency(Struct, frozen=True):
    """How long eventd takes at a share of its capacity; None where messages were lost.

    ``judged``: from the socket to the end of the step that judged it, ``commit``: what one commit takes (both of
    eventd's own histograms, so between their buckets it is a guess); ``committed``: from the sending to the commit, of
    every message; ``told``: from the sending to the arrival at a webhook in ms, of each probe that arrived.
    """

    load: str
    share: float
    rate: float
    lost: int
    judged: Spread | None
    commit: Spread | None
    committed: Spread | None
    told: tuple[float, ...]

    @property
    def telling(self) -> Spread | None:
        """Of what was told."""
        return Spread.of([one / 1e3 for one in self.told]) if self.told and not self.lost else None


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


class Borne(Struct, frozen=True):
    """One try at a rate: messages lost, CPU µs per message, and the time to the commit; None where any was lost."""

    lost: int
    cpu_us: float
    committed: Spread | None


class Scraped(Struct, frozen=True):
    """Tries at a rate with so many peers known, in turn without and with somebody who asks for ``answers`` (seconds
    that each took, by path) every second."""

    peers: int
    rate: float
    without: tuple[Borne, ...]
    beside: tuple[Borne, ...]
    answers: dict[str, tuple[float, ...]]

    @property
    def lost(self) -> int:
        """Of all messages beside which was scraped."""
        return sum(one.lost for one in self.beside)


class Part(Struct, frozen=True):
    """One part of a run; ``disk_gb``: what it took of the disk at most, temporary files and what others did meanwhile
    included; ``failed``: why it did, empty where it did not."""

    name: str
    command: str
    about: About
    disk_gb: float
    failed: str = ""


def p99(tries: Sequence[Borne]) -> float | None:
    """Median of the 99th percentiles to the commit, in ms; None if anything was lost."""
    found = [one.committed.p99 for one in tries if one.committed is not None]
    return median(found) if found and len(found) == len(tries) else None


#: Where the time of a message goes, and of a notification.
STAGES = {
    "receive": "from the kernel into the intake and out of it",
    "parse": "a line's header; a whole trap, digest and cipher",
    "decode": "the rest, or what was read before",
    "correlate": "rules, indexes, timers",
    "state": "what has changed, as bytes",
    "row": "events as JSON and columns",
    "commit": "the transaction but for that",
    "fold": "the write-ahead log into the database, by a thread aside",
    "route": "who is told of a change",
    "count": "ledger and metrics",
}
TELLING = {"outbox": "taken from it and settled, two transactions", "render": "one chat message"}


class Costs(Struct, frozen=True):
    """CPU µs: of each stage and of the whole per message, of telling per notification; medians of the rounds."""

    load: str
    stages: dict[str, float]
    whole: float
    between: float
    telling: dict[str, float]
    notifications_per_1000: float


class Comparison(Struct):
    """Of all rounds; ``versions`` by program, ``absent``: what those that take no part lack."""

    rounds: int
    versions: dict[str, str]
    absent: dict[str, str]
    rows: list[Result] = []
    latencies: list[Latency] = []
    tunnels: Growth | None = None
    scraped: Scraped | None = None


class Seen(Struct, frozen=True):
    """One look at a soak: seconds since the start, memory, CPU share of one processor, p99 of both ways, and what was
    lost."""

    at_s: float
    megabytes: float
    cpu: float
    p99_judged_s: float
    p99_commit_s: float
    scrape_s: float
    lost: int
    store_megabytes: float


class Soaked(Struct, frozen=True):
    """Minutes at ``rate`` messages/s, which is ``share`` of what it bore; None where somebody chose the rate."""

    bears: float
    rate: float
    share: float | None
    seconds: float
    sent: int
    lost: int
    events: int
    seen: list[Seen]

    @property
    def mb_per_minute(self) -> float:
        """Slope of memory after the first third, by least squares."""
        points = [(one.at_s / 60, one.megabytes) for one in self.seen[len(self.seen) // 3 :]]
        if len(points) < 2:
            return 0.0
        middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
        across = sum((x - middle[0]) ** 2 for x, _ in points)
        return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / across

    @property
    def bytes_per_message(self) -> float:
        """What memory grows by."""
        return self.mb_per_minute * 2**20 / (60 * self.rate)

    @property
    def grown(self) -> float:
        """What memory grew by after the first third, as a share of what it was then."""
        watched = self.seen[len(self.seen) // 3 :]
        return self.mb_per_minute * (watched[-1].at_s - watched[0].at_s) / 60 / watched[0].megabytes


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
                median(one.open_ended for one in same) > 0.5,
            )
        )
    return results


def together(latencies: Sequence[Latency]) -> list[Latency]:
    """Of several rounds the one with the median of the 99th percentile to the commit, where nothing was lost; what was
    told is that of all rounds, because there is little of it, and ``lost`` the most of one."""
    found = []
    for load, share in dict.fromkeys((one.load, one.share) for one in latencies):
        same = [one for one in latencies if (one.load, one.share) == (load, share)]
        same.sort(key=lambda one: one.committed.p99 if one.committed else float("inf"))
        middle = same[(len(same) - 1) // 2]
        told, lost = tuple(ms for one in same for ms in one.told), max(one.lost for one in same)
        found.append(msgspec.structs.replace(middle, told=told, lost=lost))
    return found
