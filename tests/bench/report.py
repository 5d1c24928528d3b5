"""What is in the files of the parts, put together: goals and tables, ``bench.json``, ``bench.svg`` and ``bench.md``.

python tests/bench/report.py [--from FOLDER]
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from about import Measured, commit  # noqa: E402  neither folder is a package
from goals import Goal, judge  # noqa: E402
from growth_curve import Grown  # noqa: E402
from picture import svg  # noqa: E402
from results import Comparison, Costs, Latency, Part, Result, Soaked, summed, together  # noqa: E402
from tables import Table, comparison, curves, goals, parts, soak, stages, telling  # noqa: E402

Found = TypeVar("Found")


class Report(Struct):
    """What there is. ``others``: files of another commit, which are left out."""

    parts: list[Part] = []
    compared: Comparison | None = None
    stages: list[Costs] = []
    growth: list[Grown] = []
    soak: Soaked | None = None
    #: Medians of all rounds, and the rates as ratios to eventd's.
    summary: list[Result] = []
    goals: list[Goal] = []
    others: list[str] = []

    @classmethod
    def read(cls, folder: Path) -> "Report":
        """From the files of the parts, those that there are and that are of this commit."""
        made = cls(parts=_read(folder / "parts.json", list[Part]) or [])
        wanted = {"compared": ("compare", Comparison), "stages": ("stages", list[Costs])}
        wanted |= {"growth": ("growth", list[Grown]), "soak": ("soak", Soaked)}
        for field, (name, kind) in wanted.items():
            if (file := _read(folder / f"{name}.json", Measured)) is None:
                continue
            if file.about.commit == commit():
                setattr(made, field, msgspec.json.decode(file.found, type=kind))
            else:
                made.others.append(f"{name}.json is of {file.about.commit}")
        rows, latencies, known, scraped = list[Result](), list[Latency](), None, None
        if (told := made.compared) is not None:
            rows, latencies, known, scraped = summed(told.rows), together(told.latencies), told.tunnels, told.scraped
        made.summary = rows
        made.goals = list(judge(rows, latencies, known, scraped, made.growth, made.soak))
        return made

    def tables(self) -> Iterator[Table]:
        """All of it; those without rows are left out."""
        yield goals(self.goals)
        if self.compared is not None:
            yield from comparison(self.compared)
        yield stages(self.stages)
        yield telling(self.stages)
        yield curves(self.growth)
        if self.soak is not None:
            yield soak(self.soak)

    def write(self, folder: Path) -> None:
        """The three files."""
        (folder / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        bars = [] if self.compared is None else summed(self.compared.rows)
        (folder / "bench.svg").write_text(svg([(one.load, one.contender, one.rate) for one in bars], self.goals))
        tables = (table.markdown() for table in self.tables() if table.rows)
        (folder / "bench.md").write_text("\n\n".join([*self._head(), *tables]))

    def _head(self) -> Iterator[str]:
        """When, where, and with what."""
        machines = {
            f"Commit {part.about.commit}; " + ", ".join(f"{key} {value}" for key, value in part.about.machine.items())
            for part in self.parts
        }
        yield from sorted(machines)
        if self.compared is not None:
            yield ", ".join(f"{name} {version}" for name, version in self.compared.versions.items())
        yield from self.others
        yield parts(self.parts).markdown()


def _read(path: Path, kind: type[Found] | Any) -> Any:
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None


def main() -> None:
    """Read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, default=Path("build"))
    folder = parser.parse_args().folder
    found = Report.read(folder)
    print("\n".join(table.aligned() for table in found.tables() if table.rows))
    print("\n".join(found.others))
    found.write(folder)


if __name__ == "__main__":
    main()
