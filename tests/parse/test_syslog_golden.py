"""Every header that was seen on a wire or in a manual, against the record it must become."""

import tomllib
from typing import Any

import pytest
from syslog_strategies import HEADERS, golden, outcome, plain

from eventd.parse.syslog import parse_any, parse_syslog

CASES = golden()


def layout_of(case: Any) -> pytest.MarkDecorator:
    """Whose layout a line has."""
    whose = "H3C information center" if "comware" in case.name else "Huawei info-center"
    return pytest.mark.conformance(f"{whose} log format", "a collected line of a device or a relay")


def test_all_lines_of_the_collection_are_there() -> None:
    assert [case.name[:2] for case in CASES] == [f"{number:02d}" for number in range(1, len(CASES) + 1)]
    assert len(CASES) >= 34


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name, marks=layout_of(case)) for case in CASES])
def test_a_collected_line_becomes_its_record(case) -> None:
    record = parse_syslog(case.payload)
    assert plain(record) == case.expected
    assert record.raw == case.payload


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("tail", [b"\n", b"\r\n", b"\0", b"\n\0", b" \n"])
def test_what_ends_a_datagram_is_no_text(case, tail) -> None:
    assert plain(parse_syslog(case.payload + tail)) == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_long_way_reads_the_same(case) -> None:
    assert outcome(parse_any, case.payload) == parse_syslog(case.payload)


@pytest.mark.conformance("RFC 5424 §8.3", "a collected line cut anywhere is still a record")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_line_cut_anywhere_is_still_a_record(case) -> None:
    for end in range(1, len(case.payload)):
        found = outcome(parse_syslog, case.payload[:end])
        # A cut RFC 5424 header says what it is and is not it; a cut anywhere else costs nothing but the rest.
        if isinstance(found, tuple):
            assert found[0] == "bad_header"
            assert case.payload.startswith((b"<189>1 ", b"<134>1 "))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_line_says_where_it_comes_from(case) -> None:
    told = tomllib.loads((HEADERS / case.name / "source.toml").read_text())
    assert told["kind"] in ("real", "template", "made")
    assert told["source"]
