"""eventd beside other programs that could take its place, in one run on one machine.

    python tests/bench/compare.py [--full] [--load NAME] [--rounds N] [--watched S] [--to FOLDER]

Every program runs as its own process with real sockets, all on one processor that the sender leaves to them; for each
load the searches for the highest rate without loss take turns, try by try, so that whatever else the machine does meets
all alike. docs/benchmarks.md says how to read it.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from about import Clock  # noqa: E402  neither folder is a package
from contenders.aiosyslogd import Aiosyslogd  # noqa: E402
from contenders.base import CORES, Contender, peak_megabytes  # noqa: E402
from contenders.eventd import Eventd  # noqa: E402
from contenders.pysnmp import Pysnmp  # noqa: E402
from contenders.rsyslog import Rsyslog  # noqa: E402
from contenders.sec import Sec  # noqa: E402
from contenders.snmptrapd import Snmptrapd  # noqa: E402
from contenders.syslog_ng import SyslogNg  # noqa: E402
from goals import SOON  # noqa: E402
from latency import measure  # noqa: E402
from loads import FLEET_PEERS, LOADS, Load  # noqa: E402
from results import OURS, Comparison, Result  # noqa: E402
from scraped import beside  # noqa: E402
from states import MODEST_RATE, few_and_many, grown  # noqa: E402
from tables import comparison, printed  # noqa: E402
from trial import Search  # noqa: E402

CONTENDERS: tuple[type[Contender], ...] = (Eventd, Rsyslog, SyslogNg, Sec, Aiosyslogd, Snmptrapd, Pysnmp)


class Plan(Struct, frozen=True):
    """What a run has time for. ``tries`` per search and round, ``seconds`` of each; ``latencies``: of which
    loads, at which shares of the capacity and in how many of the rounds (``watches``), for so many ``watched`` seconds;
    ``pairs`` of tries for few tunnels and many."""

    loads: tuple[str, ...]
    rounds: int
    tries: int
    seconds: float
    latencies: tuple[str, ...]
    watches: Mapping[float, int]
    watched: float
    pairs: int


SHORT = Plan(
    ("relevant", "fresh", "irrelevant", "changes", "traps", "fresh traps"), 1, 5, 0.7, ("changes",), {0.5: 1}, 5.0, 0
)
FULL = Plan(tuple(load.name for load in LOADS), 5, 5, 1.0, SOON, {0.5: 5, 0.1: 1, 0.9: 1}, 5.0, 5)


#: Tries of a round in which nothing is known yet: eight steps of 1.8 are a hundredfold.
FIRST_TRIES = 12


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
        for _ in range(plan.tries if all(search.known for search in searches) else FIRST_TRIES):
            for search in searches:
                if not search.over:
                    search.step()
        for search in searches:
            if (best := search.best) is not None:
                one = search.contender
                memory = peak_megabytes(*one.pids)
                yield Result(
                    load.name, one.name, one.does, best.rate, best.cpu_us, memory, open_ended=search.open_ended
                )


def started(rounds: int) -> Comparison:
    """Nothing found yet."""
    absent = {kind.name: missing for kind in CONTENDERS if (missing := kind.missing())}
    return Comparison(rounds, {kind.name: kind.version() for kind in CONTENDERS if kind.name not in absent}, absent)


def capacity(found: Comparison, load: str) -> float | None:
    """What eventd bore in the latest round of a load, in messages/s."""
    return next((one.rate for one in reversed(found.rows) if (one.load, one.contender) == (load, OURS)), None)


def one_round(found: Comparison, load: Load, plan: Plan, number: int) -> None:
    """One load once more, for the first time in round 0."""
    found.rows += compete(load, plan, found.rows)
    bears = capacity(found, load.name)
    if load.name in plan.latencies and bears:
        shares = [share for share, rounds in plan.watches.items() if number < rounds]
        found.latencies += (measure(load, share, bears, plan.watched, HERE) for share in shares)


def fleets(found: Comparison, plan: Plan) -> None:
    """What many tunnels add, and what scraping them does to reception."""
    bears = capacity(found, "changes") or MODEST_RATE
    with few_and_many(HERE) as (few, many):
        found.tunnels = grown(few, many, bears, plan.pairs, plan.watched)
        # half of what the processor has time for, and not of what it bears with few peers
        found.scraped = beside(many, FLEET_PEERS, 1e6 / found.tunnels.many_us, plan.pairs, plan.watched)


def report(found: Comparison) -> Iterator[str]:
    """What is printed."""
    for name, missing in found.absent.items():
        yield f"{name} takes no part, as there is no {missing}"
    yield from printed(comparison(found))


def main() -> None:
    """Run it, print the tables, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all loads, five rounds")
    parser.add_argument("--load", action="append", choices=[load.name for load in LOADS], help="only this one")
    parser.add_argument("--rounds", type=int, help="other than planned")
    parser.add_argument("--watched", type=float, help="seconds of each look at latency, other than planned")
    parser.add_argument("--pairs", type=int, help="of tries for few tunnels and many, other than planned")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of compare.json")
    asked = parser.parse_args()
    plan = FULL if asked.full else SHORT
    given = {"loads": asked.load, "rounds": asked.rounds, "watched": asked.watched, "pairs": asked.pairs}
    plan = msgspec.structs.replace(plan, **{name: value for name, value in given.items() if value is not None})
    os.sched_setaffinity(0, CORES[:-1] or CORES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the programs that were started end with it
    found, clock, file = started(plan.rounds), Clock(), asked.to / "compare.json"
    for number in range(plan.rounds):
        for load in LOADS:
            if load.name in plan.loads:
                one_round(found, load, plan, number)
                print(".", end="", flush=True, file=sys.stderr)
        clock.write(file, found)
    if plan.pairs:
        fleets(found, plan)
        clock.write(file, found)
    print(file=sys.stderr)
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()
