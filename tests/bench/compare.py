"""eventd beside other programs that could take its place, in one run on one machine.

    make bench            short, about three minutes
    make bench FULL=1     every search three times, finer

Every program runs as its own process with real sockets; for each load the searches for the highest rate without loss
take turns, try by try, so that whatever else the machine does meets all alike. docs/benchmarks.md says how to read it.
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

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from contenders.base import Contender, peak_megabytes  # noqa: E402  neither folder is a package
from contenders.eventd import Eventd  # noqa: E402
from contenders.pysnmp import Pysnmp  # noqa: E402
from contenders.rsyslog import Rsyslog  # noqa: E402
from contenders.snmptrapd import Snmptrapd  # noqa: E402
from contenders.syslog_ng import SyslogNg  # noqa: E402
from loads import LOADS, Load  # noqa: E402
from peers import found  # noqa: E402
from picture import svg  # noqa: E402
from trial import Search  # noqa: E402

CONTENDERS: tuple[type[Contender], ...] = (Eventd, Rsyslog, SyslogNg, Snmptrapd, Pysnmp)

#: What a short run has time for.
SHORT = ("relevant", "irrelevant", "changes", "traps")


class Result(Struct, frozen=True):
    """One contender under one load; medians of the rounds that found a rate."""

    load: str
    contender: str
    does: str
    rate: float
    cpu_us: float
    peak_mb: float
    rates: tuple[float, ...] = ()
    ratio: float = 1.0


def compete(load: Load, tries: int, seconds: float) -> Iterator[Result]:
    """One round of all contenders of a load."""
    with ExitStack() as stack:
        searches = []
        for kind in CONTENDERS:
            if load.name in kind.loads and (kind.needs is None or found(kind.needs)):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE)))
                contender = kind(folder, load)
                stack.callback(contender.stop)
                searches.append(Search(contender, seconds))
        for _ in range(tries):
            for search in searches:
                if not search.over:
                    search.step()
        for search in searches:
            if search.best is not None:
                one = search.contender
                memory = peak_megabytes(one.pid)
                yield Result(load.name, one.name, one.does, search.best.rate, search.best.cpu_us, memory)


def summed(rounds: list[Result]) -> list[Result]:
    """Medians over the rounds, and the rates as ratios to eventd's under the same load."""
    results: list[Result] = []
    for load, contender in dict.fromkeys((one.load, one.contender) for one in rounds):
        same = [one for one in rounds if (one.load, one.contender) == (load, contender)]
        rate, cpu_us, peak_mb = (median(getattr(one, name) for one in same) for name in ("rate", "cpu_us", "peak_mb"))
        ours = next((one.rate for one in results if (one.load, one.contender) == (load, Eventd.name)), rate)
        rates = tuple(round(one.rate) for one in same)
        results.append(Result(load, contender, same[0].does, rate, cpu_us, peak_mb, rates, rate / ours))
    return results


def main() -> None:
    """Run it, print the table, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="three rounds of longer and finer searches")
    parser.add_argument("--load", action="append", choices=[load.name for load in LOADS], help="only this one")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of bench.json and bench.svg")
    asked = parser.parse_args()
    rounds, tries, seconds = (3, 12, 3.0) if asked.full else (1, 6, 0.7)
    wanted = asked.load or [load.name for load in LOADS if asked.full or load.name in SHORT]
    loads = [load for load in LOADS if load.name in wanted]
    rows = [one for _ in range(rounds) for load in loads for one in compete(load, tries, seconds)]
    results = summed(rows)
    for kind in CONTENDERS:
        if kind.needs is not None and not found(kind.needs):
            print(f"{kind.name} is not installed")
    print(f"{'load':12}{'program':12}{'messages/s':>12}{'of eventd':>11}{'CPU µs':>9}{'peak MB':>9}")
    for one in results:
        print(f"{one.load:12}{one.contender:12}{one.rate:12,.0f}{one.ratio:11.2f}{one.cpu_us:9.1f}{one.peak_mb:9.0f}")
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "rounds": rounds}
    asked.to.mkdir(parents=True, exist_ok=True)
    (asked.to / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode({**about, "results": results})))
    (asked.to / "bench.svg").write_text(svg([(one.load, one.contender, one.rate) for one in results]))


if __name__ == "__main__":
    main()
