"""What eventd shall reach beside others, in the same run, and whether it does."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from results import OURS, Growth, Latency, Result

#: (load, program, times its rate)
RATES = (
    ("relevant", "rsyslog", 1.0),
    ("relevant", "syslog-ng", 1.5),
    ("relevant", "aiosyslogd", 8.0),
    ("irrelevant", "syslog-ng", 1.0),
    ("changes", "syslog-ng", 0.5),
    ("traps", "snmptrapd", 4.0),
    ("traps", "pysnmp", 50.0),
    ("v3 traps", "snmptrapd", 1.5),
    ("v3 traps", "pysnmp", 20.0),
)
#: Share of capacity, and the 99th percentile from the sending to the commit in ms that it shall stay below.
SHARE, P99_MS = 0.5, 100.0
#: What 100,000 tunnels may add to the CPU per message.
MORE = 0.25


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


def judge(results: Sequence[Result], latencies: Sequence[Latency], growth: Growth | None) -> Iterator[Goal]:
    """All of them."""
    for load, program, times in RATES:
        ours, theirs = (
            next((one for one in results if (one.load, one.contender) == (load, name)), None)
            for name in (OURS, program)
        )
        what, wanted = f"{load}: rate by {program}'s", f">= {times:g}"
        if ours is None or theirs is None:
            yield Goal(what, wanted, "", None)
            continue
        ratio = ours.rate / theirs.rate
        sign = "<= " if theirs.sender_bound else ">= " if ours.sender_bound else ""
        yield Goal(what, wanted, f"{sign}{ratio:.2f}", ratio / times, theirs.cpu_us / ours.cpu_us / times)
    yield from _latencies(latencies)
    what, wanted = "100,000 tunnels: CPU per message", f"< {MORE:+.0%}"
    if growth is None:
        yield Goal(what, wanted, "", None)
    else:
        yield Goal(what, wanted, f"{growth.more:+.0%}", (1 + MORE) / (1 + growth.more))


def _latencies(latencies: Sequence[Latency]) -> Iterator[Goal]:
    wanted = f"< {P99_MS:g} ms"
    measured = [one for one in latencies if one.share == SHARE]
    for one in measured:
        what = f"{one.load}: p99 to the commit at {SHARE:.0%}"
        if one.committed is None:
            yield Goal(what, wanted, f"lost {one.lost}", 0.0)
        else:
            yield Goal(what, wanted, f"{one.committed.p99:.0f} ms", P99_MS / one.committed.p99)
    if not measured:
        yield Goal(f"p99 to the commit at {SHARE:.0%}", wanted, "", None)
