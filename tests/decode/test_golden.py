"""Each folder below `tests/golden` is one message, where it comes from, and the event it must become, byte for byte."""

import json
import tomllib
from pathlib import Path

import pytest
from huawei_lines import decode, registry

from eventd.model import EVENTS, to_json

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/*/expected.json"))
#: How much a case proves, strongest first.
KINDS = ("real device", "manual", "MIB", "made up")
#: Events that no Huawei document knows a message for.
WITHOUT_MESSAGE = {"ipsec.phase1.down"}


def name_of(case: Path) -> str:
    return "/".join(case.parts[-3:])


def wire(case: Path) -> str | bytes:
    text, octets = case / "input.txt", case / "input.hex"
    return text.read_text().rstrip("\n") if text.exists() else bytes.fromhex(octets.read_text())


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_golden_message_becomes_the_expected_event(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    assert json.loads(to_json(decode(wire(case)))) == expected


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_golden_case_says_where_it_comes_from(case: Path) -> None:
    source = tomllib.loads((case / "source.toml").read_text())
    assert source["kind"] in KINDS
    assert source["ref"]
    decoded = json.loads((case / "expected.json").read_text())
    assert (decoded["event"] or "none") == case.parent.name


def test_every_event_that_huawei_has_a_message_for_has_a_golden_case() -> None:
    seen = {case.parent.name for case in CASES if case.parts[-3] == "huawei"}
    assert set(EVENTS) - WITHOUT_MESSAGE <= seen


def test_events_with_both_transports_have_golden_cases_of_both() -> None:
    for vendor in registry().vendors:
        for event in set(registry().syslog_templates_of([vendor])) & set(registry().trap_templates_of([vendor])):
            inputs = {path.name for path in (GOLDEN / vendor / event).glob("*/input.*")}
            assert inputs == {"input.txt", "input.hex"}, (vendor, event)
