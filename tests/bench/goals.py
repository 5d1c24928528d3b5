"""What eventd shall reach beside others, in the same run, and whether it does."""

from collections.abc import Iterator, Sequence
from statistics import median

from growth_curve import Grown
from msgspec import Struct
from results import OURS, Growth, Latency, Result, Scraped, Soaked, p99

#: (load, program, times its rate)
RATES = (
    ("relevant", "rsyslog", 1.0),
    ("relevant", "syslog-ng", 1.5),
    ("relevant", "aiosyslogd", 8.0),
    ("fresh", "rsyslog", 1.0),
    ("fresh", "syslog-ng", 1.5),
    ("irrelevant", "syslog-ng", 1.0),
    ("changes", "syslog-ng", 0.5),
    ("traps", "snmptrapd", 4.0),
    ("traps", "pysnmp", 50.0),
    ("fresh traps", "snmptrapd", 4.0),
    ("fresh traps", "pysnmp", 50.0),
    ("v3 traps", "snmptrapd", 1.5),
    ("v3 traps", "pysnmp", 20.0),
)
#: Loads that have to meet the goal of latency.
SOON = ("relevant", "fresh", "irrelevant", "changes", "tls", "traps", "fresh traps", "v3 traps")
#: Share of capacity, and the 99th percentile from the sending to the commit in ms that it shall stay below.
SHARE, P99_MS = 0.5, 100.0
#: What 100,000 tunnels may add to the CPU per message.
MORE = 0.25
#: What scraping may add to that percentile, as a share or in ms: runs differ by as much.
LATER, LATER_MS = 0.25, 10.0
#: Growth of memory in bytes per message, after the first third. A Python object of the smallest kind, kept for each
#: message about IPsec (6 of 40), is 8 bytes per message.
FLAT_BYTES = 8.0
#: And what it may have grown by then, by what it is: a process that works wavers by as much.
FLAT_SHARE = 0.02
#: A soak that leaves more of its processor idle than this was not at the share of what eventd bears.
AT_WORK = 0.6
#: The soak that counts: shorter ones are shorter than what memory wavers by.
SOAK_S, SOAK_SHARE = 600.0, 0.8


class Goal(Struct, frozen=True):
    """``by`` is what was found by what is wanted, where more is better: at 1.0 and above it is reached. None: not
    measured in this run. ``by_cpu``: the same of messages per CPU second, which others' work on the machine changes
    less than the rate."""

    what: str
    wanted: str
    found: str
    by: float | None
    by_cpu: float | None = None

    @property
    def verdict(self) -> str:
        """In words and numbers."""
        if self.by is None:
            return "not measured"
        word = f"reached: {self.by:.2f} times that" if self.by >= 1 else f"missed: {self.by:.2f} of that"
        return word if self.by_cpu is None else f"{word} (by CPU time {self.by_cpu:.2f})"


def judge(
    results: Sequence[Result],
    latencies: Sequence[Latency],
    tunnels: Growth | None = None,
    scraped: Scraped | None = None,
    curves: Sequence[Grown] = (),
    soak: Soaked | None = None,
) -> Iterator[Goal]:
    """All of them, whether measured or not."""
    yield from _rates(results)
    yield from _latencies(latencies)
    yield _tunnels(tunnels)
    yield _scraped(scraped)
    yield _curves(curves)
    yield _soak(soak)


def _rates(results: Sequence[Result]) -> Iterator[Goal]:
    found = {(one.load, one.contender): one for one in results}
    for load, program, times in RATES:
        ours, theirs = found.get((load, OURS)), found.get((load, program))
        what, wanted = f"{load}: rate by {program}'s", f">= {times:g}"
        if ours is None or theirs is None:
            yield Goal(what, wanted, "", None)
            continue
        ratio = ours.rate / theirs.rate
        sign = "<= " if theirs.open_ended else ">= " if ours.open_ended else ""
        yield Goal(what, wanted, f"{sign}{ratio:.2f}", ratio / times, theirs.cpu_us / ours.cpu_us / times)


def _latencies(latencies: Sequence[Latency]) -> Iterator[Goal]:
    found = {one.load: one for one in latencies if one.share == SHARE}
    for load in SOON:
        what, wanted = f"{load}: p99 to the commit at {SHARE:.0%}", f"< {P99_MS:g} ms"
        if (one := found.get(load)) is None:
            yield Goal(what, wanted, "", None)
        elif one.committed is None:
            yield Goal(what, wanted, f"lost {one.lost}", 0.0)
        else:
            yield Goal(what, wanted, f"{one.committed.p99:.0f} ms", P99_MS / one.committed.p99)


def _tunnels(tunnels: Growth | None) -> Goal:
    what, wanted = "100,000 tunnels: CPU per message", f"< {MORE:+.0%}"
    if tunnels is None:
        return Goal(what, wanted, "", None)
    return Goal(what, wanted, f"{tunnels.more:+.0%}", (1 + MORE) / (1 + tunnels.more))


def _scraped(scraped: Scraped | None) -> Goal:
    what = "scraped every second: none lost, p99 to the commit"
    wanted = f"< {LATER:+.0%} or {LATER_MS:+g} ms"
    if scraped is None:
        return Goal(what, wanted, "", None)
    with_, without = p99(scraped.beside), p99(scraped.without)
    if with_ is None or without is None:
        return Goal(what, wanted, f"lost {scraped.lost}", 0.0)
    ratio, most = with_ / without, max((1 + LATER) * without, without + LATER_MS)
    return Goal(what, wanted, f"{with_:.0f} ms, {ratio - 1:+.0%}", most / with_)


def _curves(curves: Sequence[Grown]) -> Goal:
    what, wanted = "growth: no step worse than a logarithm", "all curves"
    if not curves:
        return Goal(what, wanted, "", None)
    good = sum(not one.is_worse for one in curves)
    excused = sum(one.is_worse and bool(one.why) for one in curves)
    found = f"{good} of {len(curves)}" + (f", {excused} have to" if excused else "")
    return Goal(what, wanted, found, good / len(curves))


def _soak(soak: Soaked | None) -> Goal:
    what = f"memory over {SOAK_S / 60:.0f} minutes at {SOAK_SHARE:.0%}"
    wanted = f"< {FLAT_SHARE:+.0%}, {FLAT_BYTES:g} B a message"
    if soak is None or soak.share != SOAK_SHARE or soak.seconds < SOAK_S:
        return Goal(what, wanted, "" if soak is None else f"{soak.seconds:.0f} s only", None)
    if soak.lost:
        return Goal(what, wanted, f"lost {soak.lost}", 0.0)
    if (at_work := median(one.cpu for one in soak.seen)) < AT_WORK:
        return Goal(what, wanted, f"{at_work:.0%} of a processor only", None)
    grows, grown = soak.bytes_per_message, soak.grown
    least = min(FLAT_BYTES / max(grows, 1.0), FLAT_SHARE / max(grown, FLAT_SHARE / 10))  # what falls is flat
    return Goal(what, wanted, f"{grown:+.1%}, {grows:.1f} B", least)
