"""How eventd bears growth: CPU and latency over the number of peers, incidents, routes, channels, rows of the journal.

    python tests/bench/growth.py [--curve NAME] [--rounds N] [--full] [--to FOLDER] [--work FOLDER]

Each curve has all its sizes at once and looks at them in turn; costs are medians. The exponent is that of the upper
half of the sizes: 0 is flat, a logarithm is about 0.1, a straight line 1. What is worse than a logarithm is said so,
with the reason where there has to be one.
``--full`` adds the sizes that take long: a journal of ten million rows needs 40 GB.
"""

import argparse
import asyncio
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import growth_judge  # noqa: E402  neither folder is a package
import growth_latency  # noqa: E402
import growth_store  # noqa: E402
import growth_web  # noqa: E402
from about import Clock  # noqa: E402
from growth_curve import Grown, measure, picture, row  # noqa: E402

from eventd.telemetry import setup_logging  # noqa: E402

CURVES = (*growth_judge.CURVES, *growth_store.CURVES, *growth_web.CURVES, *growth_latency.CURVES)


def main() -> None:
    """Measure what was asked for, print it, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curve", action="append", help="only those whose name begins so")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of growth.json and growth.svg")
    parser.add_argument("--work", type=Path, default=HERE, help="where databases are made, and removed again")
    asked = parser.parse_args()
    setup_logging(json=True, level="error")
    clock, found = Clock(), list[Grown]()
    for curve in CURVES:
        if asked.curve is None or any(curve.name.startswith(name) for name in asked.curve):
            grown = asyncio.run(measure(curve, asked.rounds, asked.work, full=asked.full))
            print("\n".join(map(row, grown)), flush=True)
            found += grown
    clock.write(asked.to / "growth.json", found)
    (asked.to / "growth.svg").write_text(picture(found))
    worse = [one for one in found if one.is_worse]
    print("worse than a logarithm:", ", ".join(one.name for one in worse if not one.why) or "none")
    print("and for a reason:", ", ".join(f"{one.name} ({one.why})" for one in worse if one.why) or "none")


if __name__ == "__main__":
    main()
