"""``eventd reasons``: found by code, name, alias and words; who must act; what is near when nothing fits."""

import fakehandlers
import msgspec
import pytest
from click.testing import CliRunner, Result

from eventd.cli import main
from eventd.cli.reasons import WHO_BY_CATEGORY, search
from eventd.model import REASON_CATEGORIES
from eventd.registry import load


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.reasons.load", fakehandlers.load)


def reasons(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["reasons", *arguments])


def names(*arguments: str) -> list[str]:
    result = reasons(*arguments, "-f", "json")
    assert result.exit_code == 0, result.output
    return [msgspec.json.decode(line)["name"] for line in result.output.splitlines()]


def test_every_category_says_who_acts() -> None:
    assert set(WHO_BY_CATEGORY) == set(REASON_CATEGORIES)
    assert set(WHO_BY_CATEGORY.values()) == {"local", "carrier", "both"}


def test_without_argument_all_are_listed_one_per_line() -> None:
    lines = reasons().output.splitlines()
    assert len(lines) == 1 + len(fakehandlers.CATALOGUE.rows)
    assert lines[0].split() == ["reason", "code", "space", "vendor", "category", "who", "acts", "expected"]
    assert next(line for line in lines if line.startswith("config modify")).split()[-1] == "yes"


def test_a_code_finds_its_reason() -> None:
    assert names("4") == ["flow or peer mismatch"]


@pytest.mark.parametrize("text", ["dpd timeout", "DPD-Timeout", '"dpd timeout"', "[dpd_timeout]", "dpd timeout."])
def test_every_writing_of_a_name_finds_that_reason_alone(text: str) -> None:
    assert names(text) == ["dpd timeout"]


def test_an_alias_finds_its_reason() -> None:
    assert names("acl configuration mismatch") == ["flow or peer mismatch"]


def test_words_are_looked_for_everywhere() -> None:
    assert names("mismatch") == ["phase1 proposal mismatch", "flow or peer mismatch"]
    assert names("unanswered") == ["dpd timeout"]
    assert names("peer mismatch") == names("peer", "mismatch") == ["flow or peer mismatch"]


def test_space_and_vendor_narrow_the_search() -> None:
    assert names("peer", "--space", "negotiation") == ["flow or peer mismatch"]
    assert reasons("peer", "--vendor", "nobody").exit_code == 1


def test_a_hit_is_told_with_everything_known() -> None:
    output = reasons("authentication fail").output
    for said in (
        "authentication fail",
        "code 15",
        "negotiation reason",
        "who acts   both",
        "1. Do this",
        "2. Then that",
    ):
        assert said in output
    assert "Often a typing error." in output
    assert "manual p. 1" in output


@pytest.mark.parametrize(
    ("text", "who"), [("peer request", "peer"), ("no valid local cert", "local"), ("dpd timeout", "carrier")]
)
def test_who_must_act_is_said(text: str, who: str) -> None:
    assert f"who acts   {who}\n" in reasons(text).output


def test_an_expected_reason_says_so() -> None:
    assert "expected: no page by itself" in reasons("config modify or manual offline").output


@pytest.mark.parametrize("text", ["authentification fail", "dpd timout"])
def test_nothing_found_is_a_failure_with_what_is_near(text: str) -> None:
    result = reasons(text)
    assert result.exit_code == 1
    assert "near: " in result.output
    assert any(name in result.output for name in ("authentication fail", "dpd timeout"))


@pytest.mark.parametrize("text", ["99", "zzzz", "", '""'])
def test_nothing_near_is_just_nothing(text: str) -> None:
    result = reasons(text)
    assert (result.exit_code, "near" in result.output) == (1, False)


@pytest.mark.parametrize("text", ["psk", "PSK", "pre-shared key"])
def test_what_people_call_it_finds_what_the_steps_call_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("eventd.cli.reasons.load", load)
    assert {"authentication fail", "malformed message"} <= set(names(text))


def test_conditions_are_a_space_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.reasons.load", load)
    assert "own certificate expired" in names("--space", "condition")
    assert names("licence exhausted") == ["licence exhausted"]


def test_a_reason_that_means_it_comes_before_one_whose_steps_only_name_it() -> None:
    rows = [row for catalogue in load().catalogues for row in catalogue.rows if row.vendor == "huawei"]
    assert search(rows, "psk")[0].reason.name == "malformed message"
