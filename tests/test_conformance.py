"""The page of conformance lists what the tests show, no more and no less."""

import subprocess
import sys
from pathlib import Path

import conformance
import pytest

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_tests_say(request: pytest.FixtureRequest) -> None:
    """Where this run has collected all of them, they need not be collected once more."""
    cases = conformance.cases(request.session.items)
    if conformance.PAGE.read_text() == conformance.page(cases) and not conformance.complaints(cases):
        return
    program = ROOT / "tests/support/conformance.py"
    result = subprocess.run(
        [sys.executable, str(program), "--check"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("section", "held"),
    [("RFC 1 §3.4", True), ("RFC 1 §3.4.1", True), ("RFC 1 §3.41", False), ("RFC 1 §3", False), ("RFC 12 §3.4", False)],
)
def test_a_box_holds_its_sections_and_those_below(section, held) -> None:
    box = conformance.Box("Syslog", "", ["RFC 1 §3.4"])
    assert box.holds(conformance.Case(section, "", "", "", "")) == held


def test_a_case_that_says_nothing_and_one_listed_twice_are_complaints() -> None:
    good = conformance.Case("RFC 6587 §3.4.1", "a count and a frame", "f", "t", "1")
    assert conformance.complaints([good, good._replace(id="2")]) == []
    assert conformance.complaints([good, good]) == ["f::t[1] is there 2 times"]
    assert len(conformance.complaints([good._replace(section="somewhere"), good._replace(what="x")])) == 2
