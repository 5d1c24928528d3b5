"""The cases of conformance, collected from the tests, and the page that lists them.

A test is a case when it carries the marker ``conformance(section, what)``: the section of the RFC or the vendor's page
that asks for it, and what it shows. Every parametrised call is one case with its id for a name; the marker may also
stand on a single ``pytest.param``, where it replaces that of the function.

    @pytest.mark.conformance("RFC 6587 §3.4.1", "a counted frame needs no end")

``python tests/support/conformance.py`` (``make conformance``) writes ``docs/conformance.md``; with ``--check`` it only
says whether that page is up to date. `conformance.toml` beside this file holds the boxes.
"""

import contextlib
import io
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/conformance.md"
BOXES = Path(__file__).with_suffix(".toml")
MARK = "conformance"
#: Longer ids are whole messages; the test's own id stays whole where pytest prints it.
MAX_ID = 60
HEAD = """# Conformance

Written by `make conformance` from the tests that carry the marker `conformance`; a test fails when it is out of date. A
box is ticked when tests show it, which are named below it; all their cases are in the table at the end.

To add a case, mark a test: `@pytest.mark.conformance(section, what)` with the section of the RFC or the page of the
vendor and what it shows. Every parametrised call counts as one case.
"""


class Case(NamedTuple):
    section: str
    what: str
    file: str
    test: str
    id: str


class Box(NamedTuple):
    receiver: str
    promise: str
    sections: list[str]
    besides: tuple[str, ...] = ()

    def holds(self, case: Case) -> bool:
        """A section takes in those below it."""
        return any(_within(case, section) for section in self.sections) and not any(
            _within(case, section) for section in self.besides
        )


def _within(case: Case, section: str) -> bool:
    """What follows the number of a section is not one more digit."""
    return re.match(re.escape(section) + r"(?![0-9])", case.section, re.IGNORECASE) is not None


def cases(items: Sequence[pytest.Item]) -> list[Case]:
    """All cases among the tests, in the order of their sections."""
    return sorted(_marked(items), key=lambda case: (_in_order(case.section), case.what, case.file))


def _marked(items: Sequence[pytest.Item]) -> Iterator[Case]:
    for item in items:
        mark = item.get_closest_marker(MARK)
        if mark is None or not isinstance(item, pytest.Function):
            continue
        section, what = mark.args
        call = getattr(item, "callspec", None)
        file = item.path.relative_to(ROOT).as_posix()
        yield Case(section, what, file, item.originalname, "" if call is None else call.id)


class _Collected:
    def __init__(self) -> None:
        self.cases: list[Case] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.cases = cases(session.items)


def collect() -> list[Case]:
    """All cases of all tests.

    Raises:
        RuntimeError: pytest could not collect them; the text is what it printed.
    """
    files = [str(file) for file in sorted((ROOT / "tests").rglob("test_*.py")) if f"mark.{MARK}" in file.read_text()]
    collected, printed = _Collected(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", "pyproject.toml"]
        code = pytest.main([*options, *files], plugins=[collected])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(printed.getvalue())
    return collected.cases


def _in_order(section: str) -> list[tuple[bool, int, str]]:
    """§10 comes behind §9."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"\d+|\D+", section)]


def boxes() -> list[Box]:
    return [Box(**row) for row in tomllib.loads(BOXES.read_text())["box"]]


def page(cases: Sequence[Case]) -> str:
    """The whole page."""
    return HEAD + "\n".join([*_boxes(cases), *_table(cases)]) + "\n"


def _boxes(cases: Sequence[Case]) -> Iterator[str]:
    for receiver in dict.fromkeys(box.receiver for box in boxes()):
        yield from ("", f"## {receiver} receiver", "")
        for box in boxes():
            if box.receiver == receiver:
                yield from _ticked(box, [case for case in cases if box.holds(case)])


def _ticked(box: Box, held: Sequence[Case]) -> Iterator[str]:
    counted = Counter(f"`{case.test}`" for case in held)
    yield f"- [{'x' if held else ' '}] {box.promise} ({', '.join(box.sections)})"
    if held:
        tests = ", ".join(test + (f" ({n})" if n > 1 else "") for test, n in counted.items())
        yield f"  {len(held)} cases: {tests}"


def _table(cases: Sequence[Case]) -> Iterator[str]:
    yield from ("", f"## All {len(cases)} cases", "", "| section | what | case | test |", "| --- | --- | --- | --- |")
    for case in cases:
        yield f"| {case.section} | {_cell(case.what)} | {_cell(_short(case.id))} | `{case.file}::{case.test}` |"


def _short(name: str) -> str:
    return name if len(name) <= MAX_ID else name[: MAX_ID - 1] + "…"


def _cell(text: str) -> str:
    return re.sub(r"([|\\<>*_`\[\]])", r"\\\1", text)


def complaints(cases: Sequence[Case]) -> list[str]:
    """What is wrong with the cases themselves."""
    nameless = [
        f"{case.file}::{case.test}: section and what have to say something" for case in cases if not _says(case)
    ]
    names = Counter(case for case in cases)
    return nameless + [f"{case.file}::{case.test}[{case.id}] is there {n} times" for case, n in names.items() if n > 1]


def _says(case: Case) -> bool:
    return bool(re.fullmatch(r"(RFC \d{4} §\S+|Huawei .+|H3C .+|draft-.+)", case.section)) and len(case.what) > 10


def main() -> int:
    cases = collect()
    text, wrong = page(cases), complaints(cases)
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            wrong.append("docs/conformance.md is not what the tests say: run `make conformance`")
    else:
        PAGE.write_text(text)
    sys.stdout.write("\n".join([*wrong, f"{len(cases)} cases"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
