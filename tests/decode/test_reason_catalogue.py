"""The reason catalogue: every name, alias and code is recognised from the wire, and the table itself is sound."""

import re
import tomllib
from importlib.resources import files

import pytest
from huawei_lines import event, nego_line, stop_line, trap

from eventd.model import REASON_CATEGORIES, SEVERITIES
from handlers.h3c import reasons as h3c
from handlers.huawei.reasons import BOOK, CATALOGUE, MAX_REMEMBERED, PLACEHOLDERS, SPACES, normalise, resolve

RAW = tomllib.loads(files("handlers.huawei").joinpath("reasons.toml").read_text("utf-8"))
ROWS = CATALOGUE.rows
SPELLINGS = [
    (row.space, spelling, row.reason.name)
    for row in ROWS
    if row.space != "condition"  # which no message names
    for spelling in (row.reason.name, *row.aliases, *row.aliases_unverified)
]
CODES = [(code, row.reason.name) for row in ROWS for code in row.codes]
#: The causes that ALM-4285734913 lists, in its order and spelling.
ALARM_CAUSES = (
    "dpd timeout",
    "config modify or manual offline",
    "modecfg address soft expiry",
    "re-auth timeout",
    "aaa cut user",
    "kick old sa with same flow",
    "spi conflict",
    "phase1 sa replace",
    "phase2 sa replace",
    "disconnect track nqa/bfd/vrrp",
    "receive invalid spi notify",
    "dns resolution status change",
    "ikev1 phase1-phase2 sa dependent offline",
    "exchange timeout",
)


@pytest.mark.parametrize(("space", "spelling", "name"), SPELLINGS)
def test_every_spelling_is_recognised_in_a_whole_line(space, spelling, name):
    line = stop_line(spelling) if space == "offline" else nego_line(spelling)
    reason = event(line).reason
    assert (reason.name, reason.text, reason.known) == (name, spelling, True)


@pytest.mark.parametrize(("space", "spelling", "name"), SPELLINGS)
def test_every_spelling_is_recognised_in_a_trap(space, spelling, name):
    notification = "hwIPSecTunnelStop" if space == "offline" else "hwIPSecNegoFail"
    given = {"reason": spelling} if space == "offline" else {"reason": spelling, "code": "0"}
    reason = event(trap(notification, given)).reason
    assert (reason.name, reason.text, reason.known) == (name, spelling, True)


@pytest.mark.parametrize(("code", "name"), CODES)
def test_every_code_alone_is_recognised_in_line_and_trap(code, name):
    for message in (nego_line("", code), trap("hwIPSecNegoFail", {"reason": "", "code": str(code)})):
        reason = event(message).reason
        assert (reason.name, reason.code, reason.text) == (name, code, name)


#: ReasonCode and text as the pages of the three product lines list them (ALM-4285734925, ALM-303046755, campus switch).
PAGE_CODES = {
    1: "phase1 proposal mismatch",
    2: "phase2 proposal or pfs mismatch",
    3: "encapsulation mode mismatch",
    4: "flow or peer mismatch",
    5: "version mismatch",
    6: "responder dh mismatch",
    7: "initiator dh mismatch",
    10: "ip assigned fail",
    12: "peer address mismatch",
    13: "config ID mismatch",
    14: "construct local ID fail",
    15: "authentication fail",
    16: "rekey no find old sa",
    17: "rekey fail",
    18: "first packet limited",
    21: "invalid cookie",
    24: "invalid length",
    26: "unsupported version",
    28: "malformed payload",
    30: "malformed message",
    31: "cookie mismatch",
    32: "exchange mode mismatch",
    33: "unknown exchange type",
    34: "critical drop",
    35: "uncritical drop",
    36: "route limit",
    39: "local address mismatch",
    40: "nat detection fail",
    41: "ipsec tunnel number reaches limitation",
    42: "dynamic peers number reaches limitation",
    43: "none of user's interface is selected",
    44: "in disconnect state",
    45: "proposal mismatch or use sm in ikev2",
    46: "flow conflict",
    47: "ikev2 not support sm in ipsec proposal",
    48: "netmask mismatch",
    49: "no policy applied on interface",
    50: "fragment packet limit",
    51: "fragment packet reassemble timeout",
    52: "form cert payload fail",
    53: "max transmit reached",
    54: "no valid local cert",
}
#: What the responder says on the product line of ALM-15795028.
RESPONDER_TEXTS = tuple(
    f"phase1 proposal {item} mismatch"
    for item in (
        "encryption algorithm",
        "authentication method",
        "authentication algorithm",
        "dh",
        "integrity algorithm",
    )
)


@pytest.mark.conformance(
    "Huawei ALM-4285734925, ALM-303046755", "every ReasonCode of the pages is the reason listed beside it"
)
def test_the_codes_are_those_of_the_pages():
    assert dict(CODES) == PAGE_CODES


@pytest.mark.conformance("Huawei ALM-15795028", "the five texts of the responder are reasons of their own")
@pytest.mark.parametrize("text", RESPONDER_TEXTS)
def test_the_responder_names_the_item_that_differs(text):
    assert event(nego_line(text, "")).reason.name == text


@pytest.mark.conformance("Huawei ALM-4285734913", "each cause of the stop alarm is explained, with steps")
@pytest.mark.parametrize("cause", ALARM_CAUSES)
def test_each_cause_of_the_stop_alarm_is_explained(cause):
    reason = event(stop_line(cause)).reason
    assert reason.known
    assert reason.name == cause
    assert reason.meaning
    assert reason.actions


@pytest.mark.parametrize("written", ['"DPD Timeout"', "[dpd_timeout]", "dpd  timeout.", "DPD-TIMEOUT"])
def test_spelling_is_compared_without_case_quotes_hyphens_and_dots(written):
    assert event(stop_line(written)).reason.name == "dpd timeout"


def test_the_two_spaces_are_separate():
    assert not event(stop_line("phase1 proposal mismatch")).reason.known
    assert not event(nego_line("dpd timeout")).reason.known


def test_an_unknown_reason_is_kept_verbatim_and_needs_a_look():
    decoded = event(stop_line("Quantum Flux, again"))
    assert decoded.reason.text == "Quantum Flux, again"
    assert (decoded.reason.known, decoded.reason.name, decoded.reason.category) == (False, None, "unknown")
    assert decoded.reason.needs_recovery_check
    assert decoded.severity == "major"
    assert any("203.0.113.7" in step for step in decoded.reason.actions)


def test_the_code_speaks_where_the_text_is_unknown():
    reason = event(nego_line("some new wording", 5)).reason
    assert (reason.text, reason.name, reason.code) == ("some new wording", "version mismatch", 5)


def test_text_wins_over_a_code_that_contradicts_it_and_says_so():
    decoded = event(nego_line("version mismatch", 15))
    assert decoded.reason.name == "version mismatch"
    assert decoded.reason.code == 15
    assert decoded.extra["reason_code_text"] == "authentication fail"


def test_a_code_nobody_documented_is_unknown():
    reason = event(nego_line("", 8)).reason
    assert (reason.known, reason.code, reason.text) == (False, 8, "code 8")


BOOKS = (BOOK, h3c.BOOK)
FULL = {"peer": "203.0.113.7", "local": "198.51.100.1", "interface": "GigabitEthernet0/0/1", "policy": "map1"}


@pytest.mark.parametrize("given", [(), ("peer",), ("local", "interface"), ("peer", "interface"), tuple(FULL)])
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.catalogue.vendor)
def test_no_step_has_a_hole_whatever_an_event_says(book, given):
    context = {name: FULL[name] for name in given}
    for row in book.catalogue.rows:
        steps = book.resolve(row.space, row.reason.name, None, context).actions
        assert not [step for step in steps if re.search(r"<[a-z]+>|  ", step)], row.reason.name
        assert not [command for step in steps for command in step.split("`")[1::2] if command != command.strip()]
        assert steps or "peer" not in given, row.reason.name
        if given == tuple(FULL):
            assert len(steps) == len(row.reason.actions)


def test_a_step_does_without_what_is_not_known():
    said = resolve("offline", "dpd timeout", None, {"peer": "203.0.113.7"}).actions
    assert said[0].startswith("`ping 203.0.113.7`: no answer")
    assert "`display interface` too" in said[0]
    without = resolve("offline", "dpd timeout", None, {}).actions
    assert not any("reset" in step for step in without), "a reset without a peer would cut them all"


def test_a_cryptic_reason_has_a_gloss():
    assert resolve("negotiation", "malformed message", 30, {}).told == "malformed message (pre-shared keys differ)"
    assert resolve("offline", "dpd timeout", None, {}).told == "dpd timeout"


def test_a_reason_of_any_length_is_explained():
    text = "x" * (MAX_REMEMBERED * 10)
    assert resolve("offline", text, None, {}).text == text


def test_severity_comes_from_the_catalogue_and_not_from_the_level():
    assert event(stop_line("phase2 sa replace")).severity == "info"
    assert event(nego_line("no valid local cert", 54)).severity == "critical"


def test_no_spelling_means_two_things_in_one_space():
    seen = {}
    for space, spelling, name in SPELLINGS:
        assert seen.setdefault((space, normalise(spelling)), name) == name
    assert len(CODES) == len({code for code, _ in CODES})


def test_every_row_is_complete():
    for row in ROWS:
        reason = row.reason
        assert row.sources, reason.name
        assert reason.category in REASON_CATEGORIES
        assert reason.severity in SEVERITIES
        assert reason.phase in ("ike", "ipsec", "both", "none")
        assert reason.meaning
        assert reason.actions
    assert len({(row.space, row.reason.meaning) for row in ROWS}) == len(ROWS)


def test_every_placeholder_is_one_that_an_event_can_fill():
    for row in ROWS:
        for step in row.reason.actions:
            for word in step.split("<")[1:]:
                assert word.partition(">")[0] in PLACEHOLDERS, step


def test_every_source_is_cited_and_listed_once():
    cited = {key for space in SPACES for row in RAW[space].values() for key in row["sources"]}
    assert cited == set(RAW["source"])
    assert len({source["ref"] for source in RAW["source"].values()}) == len(RAW["source"])


def test_a_step_that_cuts_something_comes_after_one_that_looks():
    """At night the first line is typed first."""
    for row in ROWS:
        first = row.reason.actions[0]
        assert "`reset " not in first, first


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.space}/{row.reason.name}")
def test_what_wakes_somebody_says_what_to_type(row):
    """Also the marks around commands come in pairs, so that channels can show them as code."""
    steps = row.reason.actions
    assert all(step.count("`") % 2 == 0 for step in steps)
    own = steps[: len(steps) - (row.space == "negotiation")]
    if row.reason.severity in ("major", "critical"):
        assert any("`" in step for step in own), row.reason.name
