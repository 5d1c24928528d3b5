"""The scenario book: every file ends as it says, and the page says how."""

from collections import Counter

import languages
import pytest
import scenario_book

#: Of incident identity and of causes.
GOAL = 0.98


@pytest.mark.parametrize("name", scenario_book.names())
def test_it_ends_as_it_says(name: str) -> None:
    outcome = scenario_book.outcome(name)
    if outcome.scenario.pending is not None and not outcome.good:
        pytest.xfail(outcome.scenario.pending)
    assert outcome.complaints == []


def test_the_page_is_current() -> None:
    played = list(scenario_book.outcomes().values())
    assert scenario_book.PAGE.read_text() == scenario_book.page(played), "run `make scenarios`"


def test_the_goals_are_met() -> None:
    settled = [one for one in scenario_book.outcomes().values() if one.scenario.pending is None]
    score = scenario_book.total(settled)
    assert score.right > 100
    assert min(score.precision, score.recall, score.cause) >= GOAL
    assert score.suppressed == 0


def test_the_book_is_a_book() -> None:
    assert len(scenario_book.names()) >= 80
    titles = Counter(one.scenario.title for one in scenario_book.outcomes().values())
    assert [title for title, times in titles.items() if times > 1] == []


def test_silence_is_expected_about_as_often_as_noise() -> None:
    """A book of outages only would be content with a program that cries at everything."""
    quiet = sum(one.scenario.nothing for one in scenario_book.outcomes().values())
    assert quiet >= len(scenario_book.names()) / 5


@pytest.mark.timeout(300)  # it may be the one that plays the whole book, on a busy machine
@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_all_of_it_can_be_told_in_every_language(language: str) -> None:
    """What is missing goes into eventd/notify/words/phrases.<language>.toml (docs/channels.md, "Languages")."""
    assert languages.left_in_english(language) == {}
    assert languages.values_lost(language) == {}
