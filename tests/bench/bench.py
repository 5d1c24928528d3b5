"""All parts of the benchmark, one after the other, and what they come to.

    make bench            beside other programs, and stage by stage: about four minutes
    make bench FULL=1     all loads, five rounds, all parts: about two hours

    python tests/bench/bench.py [--full] [--only PART] [--rounds N] [--to FOLDER]

Each part is a program of its own with a file of its own; one that fails is said and keeps none of the others back. What
they found is put together by `report`: goals, ``bench.json``, ``bench.svg`` and ``bench.md``.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from about import Clock  # noqa: E402  neither folder is a package
from report import Report  # noqa: E402
from results import Part  # noqa: E402
from tables import goals, parts, printed  # noqa: E402

#: Bytes of disk that ten million events take while they are written; what there is less for goes up to one million.
LARGEST_JOURNAL = 60e9

#: Between two looks at the disk: the temporary files by which SQLite makes an index cannot be seen otherwise.
LOOK_S = 0.25


class Plan(Struct, frozen=True):
    """A part: its program, what it is given in a short run and in a full one (None: left out there), its file."""

    script: str
    short: tuple[str, ...] | None
    full: tuple[str, ...]
    file: str


def plans() -> dict[str, Plan]:
    """In the order in which they run."""
    largest = ("--full",) if shutil.disk_usage(HERE).free > LARGEST_JOURNAL else ()
    return {
        "compare": Plan("compare.py", (), ("--full",), "compare.json"),
        "stages": Plan("stages.py", ("--rounds", "2", "--messages", "1024"), (), "stages.json"),
        "flame": Plan("flame.py", None, (), "flame.svg"),
        "growth": Plan("growth.py", None, largest, "growth.json"),
        "soak": Plan("soak.py", None, ("--full",), "soak.json"),
    }


def run(name: str, plan: Plan, given: tuple[str, ...], folder: Path) -> Part:
    """One part; what an earlier run left of it is gone."""
    (folder / plan.file).unlink(missing_ok=True)
    command = [plan.script, *given]
    print(f"\n== {' '.join(command)}", flush=True)
    clock, free = Clock(), [shutil.disk_usage(HERE).free]
    with subprocess.Popen([sys.executable, HERE / command[0], *given, "--to", folder]) as running:
        while running.poll() is None:
            time.sleep(LOOK_S)
            free.append(shutil.disk_usage(HERE).free)
    failed = f"ended with {running.returncode}" if running.returncode else ""
    part = Part(name, " ".join(command), clock.about(), (free[0] - min(free)) / 1e9, failed)
    print(f"-- {failed or 'done'} after {part.about.took_s:.0f} s", flush=True)
    return part


def main() -> None:
    """Run what was asked for; the exit code is 1 where a part failed."""
    known = plans()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all parts, as long as they take")
    parser.add_argument("--only", action="append", choices=list(known), help="this part")
    parser.add_argument("--rounds", help="of the comparison, other than planned")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of the files")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    clock, ran = Clock(), list[Part]()
    for name, plan in known.items():
        given = plan.full if asked.full else plan.short
        if name in (asked.only or known) and (given is not None or asked.only):
            rounds = ("--rounds", asked.rounds) if asked.rounds and name == "compare" else ()
            ran.append(run(name, plan, (*(given or ()), *rounds), asked.to))
            (asked.to / "parts.json").write_bytes(msgspec.json.encode(ran))
    found = Report.read(asked.to)
    found.write(asked.to)
    print("\n".join(printed([goals(found.goals), parts(ran)])))
    print("\n".join([f"{clock.about().took_s / 60:.1f} minutes in all", *found.others]))
    sys.exit(any(one.failed for one in ran))


if __name__ == "__main__":
    main()
