"""eventd beside other programs that could take its place, in one run on one machine.

    make bench            short, about three minutes
    make bench FULL=1     all loads, five rounds, about forty minutes

Every program runs as its own process with real sockets, all on one processor that the sender leaves to them; for each
load the searches for the highest rate without loss take turns, try by try, so that whatever else the machine does meets
all alike. docs/benchmarks.md says how to read it.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from contenders.aiosyslogd import Aiosyslogd  # noqa: E402  neither folder is a package
from contenders.base import CORES, Contender, peak_megabytes  # noqa: E402
from contenders.eventd import Eventd  # noqa: E402
from contenders.pysnmp import Pysnmp  # noqa: E402
from contenders.rsyslog import Rsyslog  # noqa: E402
from contenders.sec import Sec  # noqa: E402
from contenders.snmptrapd import Snmptrapd  # noqa: E402
from contenders.syslog_ng import SyslogNg  # noqa: E402
from goals import Goal, judge  # noqa: E402
from latency import SHARES, measure  # noqa: E402
from loads import LOADS, Load  # noqa: E402
from picture import svg  # noqa: E402
from results import OURS, Growth, Latency, Result, Spread, summed, together  # noqa: E402
from states import grown  # noqa: E402
from trial import Search  # noqa: E402

CONTENDERS: tuple[type[Contender], ...] = (Eventd, Rsyslog, SyslogNg, Sec, Aiosyslogd, Snmptrapd, Pysnmp)


class Plan(Struct, frozen=True):
    """What a run has time for. ``tries`` per search and round, ``seconds`` of each; ``latencies``: of which loads, at
    ``shares`` of the capacity for so many ``watched`` seconds; ``pairs`` of tries for few tunnels and many."""

    loads: tuple[str, ...]
    rounds: int
    tries: int
    seconds: float
    latencies: tuple[str, ...]
    shares: tuple[float, ...]
    watched: float
    pairs: int


SHORT = Plan(("relevant", "irrelevant", "changes", "traps"), 1, 6, 0.7, ("changes",), (0.5,), 3.0, 0)
FULL = Plan(tuple(load.name for load in LOADS), 5, 7, 1.0, ("relevant", "changes", "traps"), SHARES, 4.0, 7)


def compete(load: Load, plan: Plan, earlier: list[Result]) -> Iterator[Result]:
    """One round of all contenders of a load."""
    with ExitStack() as stack:
        searches = []
        for kind in CONTENDERS:
            if load.name in kind.loads and not kind.missing():
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE)))
                contender = kind(folder, load)
                stack.callback(contender.stop)
                before = [one.rate for one in earlier if (one.load, one.contender) == (load.name, kind.name)]
                searches.append(Search(contender, plan.seconds, median(before) if before else None))
        for _ in range(plan.tries):
            for search in searches:
                if not search.over:
                    search.step()
        for search in searches:
            if (best := search.best) is not None:
                one = search.contender
                memory = peak_megabytes(*one.pids)
                yield Result(
                    load.name, one.name, one.does, best.rate, best.cpu_us, memory, sender_bound=search.sender_bound
                )


class Run(Struct):
    """Everything that a run found."""

    rows: list[Result] = []
    latencies: list[Latency] = []
    growth: Growth | None = None

    def round(self, load: Load, plan: Plan) -> None:
        """One load once more."""
        self.rows += compete(load, plan, self.rows)
        capacity = self.capacity(load.name)
        if load.name in plan.latencies and capacity:
            self.latencies += (measure(load, share, capacity, plan.watched, HERE) for share in plan.shares)

    def capacity(self, load: str) -> float | None:
        """What eventd bore in the latest round of a load."""
        return next((one.rate for one in reversed(self.rows) if (one.load, one.contender) == (load, OURS)), None)

    def goals(self) -> list[Goal]:
        """What of all that was wanted."""
        return list(judge(summed(self.rows), together(self.latencies), self.growth))


def spread(values: tuple[float, ...]) -> str:
    """The least and the most."""
    return f"{min(values):,.0f}-{max(values):,.0f}" if len(values) > 1 else ""


def table(results: list[Result]) -> Iterator[str]:
    """A line for each program and load."""
    yield f"{'load':12}{'program':12}{'messages/s':>12}{'min-max':>18}{'of eventd':>11}{'CPU µs':>9}{'peak MB':>9}"
    for one in results:
        rate = f"{'>= ' if one.sender_bound else ''}{one.rate:,.0f}"
        figures = f"{one.ratio:11.2f}{one.cpu_us:9.1f}{one.peak_mb:9.0f}"
        yield f"{one.load:12}{one.contender:12}{rate:>12}{spread(one.rates):>18}{figures}"


def latency_table(latencies: list[Latency]) -> Iterator[str]:
    """A line for each share of the capacity of each load."""
    if latencies:
        heads = ("judged p50/p99/p999", "one commit", "committed", "told p50/p99/most")
        yield f"{'milliseconds':17}{'rate':>8}" + "".join(f"{head:>21}" for head in heads)
    for one in latencies:
        three = "".join(f"{_three(spread):>21}" for spread in (one.judged, one.commit, one.committed))
        told = "" if one.told is None else f"{one.told.p50:.0f}/{one.told.p99:.0f}/{one.told.largest:.0f}"
        lost = f"  lost {one.lost}" if one.lost else ""
        yield f"{one.load:12}{one.share:4.0%} {one.rate:8,.0f}{three}{told:>21}{lost}"


def _three(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.p50:.1f}/{spread.p99:.1f}/{spread.p999:.1f}"


def report(run: Run) -> Iterator[str]:
    """What is printed."""
    for kind in CONTENDERS:
        if missing := kind.missing():
            yield f"{kind.name} takes no part, as there is no {missing}"
    yield from table(summed(run.rows))
    yield from latency_table(together(run.latencies))
    if (more := run.growth) is not None:
        costs = f"{more.many_us:.0f} µs a message, few: {more.few_us:.0f}"
        yield f"{more.tunnels:,} tunnels known: {costs}: {more.more:+.0%}"
    yield "goals"
    for goal in run.goals():
        yield f"  {goal.what:44}{goal.wanted:>10}{goal.found:>14}  {goal.verdict}"


def write(run: Run, plan: Plan, load_before: tuple[float, float, float], folder: Path) -> None:
    """The files, of what there is so far."""
    results = summed(run.rows)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "load_average": (load_before, os.getloadavg()),
        "rounds": plan.rounds,
        "goals": run.goals(),
        "results": results,
        "latencies": run.latencies,
        "tunnels": run.growth,
    }
    (folder / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    (folder / "bench.svg").write_text(svg([(one.load, one.contender, one.rate) for one in results], run.goals()))


def main() -> None:
    """Run it, print the table, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all loads, five rounds")
    parser.add_argument("--load", action="append", choices=[load.name for load in LOADS], help="only this one")
    parser.add_argument("--rounds", type=int, help="other than planned")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of bench.json and bench.svg")
    asked = parser.parse_args()
    plan = FULL if asked.full else SHORT
    plan = msgspec.structs.replace(plan, loads=asked.load or plan.loads, rounds=asked.rounds or plan.rounds)
    os.sched_setaffinity(0, CORES[:-1] or CORES)
    run, before = Run(), os.getloadavg()
    asked.to.mkdir(parents=True, exist_ok=True)
    for _ in range(plan.rounds):
        for load in LOADS:
            if load.name in plan.loads:
                run.round(load, plan)
                print(".", end="", flush=True, file=sys.stderr)
        write(run, plan, before, asked.to)
    if plan.pairs:
        run.growth = grown(run.capacity("changes"), plan.pairs, plan.watched, HERE)
        write(run, plan, before, asked.to)
    print(file=sys.stderr)
    print("\n".join(report(run)))


if __name__ == "__main__":
    main()
