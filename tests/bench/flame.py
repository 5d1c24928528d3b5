"""Flame graphs of a whole eventd under load, one above the other in one SVG.

    python tests/bench/flame.py [--py-spy PATH] [--load NAME] [--seconds N] [--to FOLDER]

py-spy (of PyPI; `make bench` puts it into an environment of its own) looks 250 times a second where each thread of the
running process is, from outside. The sender goes on as fast as the process takes it. What waits is not shown.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import count
from pathlib import Path

from msgspec import Struct, field

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from contenders.eventd import Eventd  # noqa: E402  neither folder is a package
from loads import LOADS, Load  # noqa: E402
from service import until  # noqa: E402
from storm import send_datagrams  # noqa: E402

PY_SPY = HERE.parent.parent / "build/bench-venv/bin/py-spy"
WANTED = ("relevant", "fresh", "irrelevant", "changes", "traps", "fresh traps", "v3 traps")
SAMPLES_PER_S = 250
CHUNK = 2000
WIDTH, ROW, GAP = 1000, 15, 30
#: Narrower frames cannot be read.
LEAST_SHARE = 0.004
LETTER = 6.2
#: What is outside of these calls each other in the same way at any time.
OUTSIDE = ("Handle._run (", "_WorkItem.run (")
#: Innermost functions of threads that have nothing to do.
WAITS = ("_worker (", "Condition.wait (", "Writer._run (eventd/notify/console.py", "EpollSelector.select (")
STYLE = "text{font:10px sans-serif;fill:#222}.t{font-size:13px}rect{stroke:#fff;stroke-width:.5}"
#: By the room a frame belongs to, first match; the rest is of Python and its libraries.
COLOURS = {
    "eventd/receivers": "#8dd3c7",
    "eventd/parse": "#fdb462",
    "handlers/": "#fdb462",
    "eventd/decode": "#fdb462",
    "eventd/correlate": "#fb8072",
    "eventd/store": "#80b1d3",
    "eventd/": "#bebada",
    "": "#d9d9d9",
}


class Frame(Struct):
    """A function with those it called; ``samples`` are its own and theirs."""

    name: str = "all"
    samples: int = 0
    callees: dict[str, "Frame"] = field(default_factory=dict)


def record(load: Load, py_spy: Path, seconds: float) -> Counter[str]:
    """Stacks (``outermost;…;innermost``) by how often they were seen."""
    with tempfile.TemporaryDirectory(dir=HERE) as name:
        folder = Path(name)
        eventd = Eventd(folder, load)
        over, sent = threading.Event(), list[int]()
        sender = threading.Thread(target=_send, args=(eventd, over, sent))
        sender.start()
        try:
            raw = folder / "stacks"
            command = [py_spy, "record", "--pid", str(eventd.pids[0]), "--format", "raw", "--output", raw]
            command += ["--duration", f"{seconds:.0f}", "--rate", str(SAMPLES_PER_S), "--function"]
            subprocess.run(command, check=True, capture_output=True)
        finally:
            over.set()
            sender.join()
            until(lambda: eventd.done() == load.relevant(sum(sent)), "all of it to be done")
            eventd.stop()
        lines = (line.rpartition(" ") for line in raw.read_text().splitlines())
        return Counter({stack: int(times) for stack, _, times in lines if not _waits(stack)})


def _waits(stack: str) -> bool:
    innermost = stack.rpartition(";")[2]
    return any(name in innermost for name in WAITS)


def _send(eventd: Eventd, over: threading.Event, sent: list[int]) -> None:
    for first in count(0, CHUNK):
        if over.is_set():
            return
        sent.append(send_datagrams(eventd.port, eventd.load.messages(first, CHUNK)))


def grown(stacks: Counter[str]) -> Frame:
    """As a tree."""
    root = Frame()
    for stack, times in stacks.items():
        here = root
        here.samples += times
        for name in _inside(stack.split(";")):
            here = here.callees.setdefault(name, Frame(name))
            here.samples += times
    return root


def _inside(names: list[str]) -> list[str]:
    outside = [place for place, name in enumerate(names) if name.startswith(OUTSIDE)]
    return names[outside[-1] + 1 :] if outside else names


def drawn(frame: Frame, x: float, y: int, scale: float, total: int) -> Iterator[str]:
    """A frame and those above it."""
    width = frame.samples * scale
    if frame.samples < total * LEAST_SHARE:
        return
    share = f"{frame.samples / total:.1%}"
    colour = next(colour for room, colour in COLOURS.items() if room in frame.name)
    function, _, file = frame.name.partition(" (")
    label = function[: int(width / LETTER)] if width > 4 * LETTER else ""
    yield f"<g><title>{escape(function)} {escape(_place(file))} {share}</title>"
    yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" fill="{colour}"/>'
    yield f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(label)}</text></g>' if label else "</g>"
    for callee in sorted(frame.callees.values(), key=lambda one: -one.samples):
        yield from drawn(callee, x, y + ROW, scale, total)
        x += callee.samples * scale


def _place(file: str) -> str:
    """A file without where it lies on this machine."""
    path = file.rstrip(")")
    for room in ("eventd/", "handlers/", "site-packages/"):
        if room in path:
            return path[path.rindex(room) :]
    return path.rpartition("/")[2]


def depth(frame: Frame, total: int) -> int:
    """Rows of its picture."""
    seen = [one for one in frame.callees.values() if one.samples >= total * LEAST_SHARE]
    return 1 + max((depth(one, total) for one in seen), default=0)


def picture(graphs: dict[str, Frame]) -> str:
    """All of them, each with its title."""
    parts, y = list[str](), 0
    for title, root in graphs.items():
        parts.append(f'<text class="t" x="0" y="{y + 18}">{escape(title)}</text>')
        parts += drawn(root, 0.0, y + GAP - 6, WIDTH / root.samples, root.samples)
        y += GAP + ROW * depth(root, root.samples)
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def own(root: Frame, least: float = 0.015) -> Iterator[tuple[float, str]]:
    """Functions by their own share of all samples, largest first."""
    found = Counter[str]()
    waiting = [root]
    while waiting:
        frame = waiting.pop()
        found[frame.name] += frame.samples - sum(one.samples for one in frame.callees.values())
        waiting += frame.callees.values()
    for name, samples in found.most_common():
        if samples < least * root.samples:
            return
        function, _, file = name.partition(" (")
        yield samples / root.samples, f"{function} {_place(file)}"


def main() -> None:
    """Record, write the picture, print where most samples were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--py-spy", type=Path, default=PY_SPY)
    parser.add_argument("--load", action="append", choices=WANTED, help="only this one")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--to", type=Path, default=Path("build"), help="folder of flame.svg")
    asked = parser.parse_args()
    graphs = {}
    for load in LOADS:
        if load.name in (asked.load or WANTED):
            graphs[load.name] = root = grown(record(load, asked.py_spy, asked.seconds))
            print(f"{load.name}: {root.samples} samples")
            for share, name in own(root):
                print(f"  {share:6.1%}  {name}")
    asked.to.mkdir(parents=True, exist_ok=True)
    (asked.to / "flame.svg").write_text(picture(graphs))


if __name__ == "__main__":
    main()
