"""Other languages than English, for tests: what is composed for people in the scenario book, and what of it is left in
English."""

import re
from collections.abc import Iterator
from functools import cache

import scenario_book

from eventd.contract import CatalogueRow
from eventd.notify.words import Words, words
from eventd.notify.words.phrases import Phrases
from eventd.registry import load

LANGUAGES = ["zh"]
#: Two words or more of English beside each other.
ENGLISH = re.compile(r"[a-z]{2,} [a-z]{2,}")


@cache
def say(language: str) -> Words:
    """With what the vendors say."""
    return words(language, load().catalogues)


@cache
def lexicon(language: str) -> Phrases:
    found = say(language).phrases
    assert found is not None
    return found


@cache
def rows() -> tuple[CatalogueRow, ...]:
    """Every reason of every vendor."""
    return tuple(row for catalogue in load().catalogues for row in catalogue.rows)


def composed(name: str) -> Iterator[str]:
    """Everything composed for people in a scenario, whether they were told or not."""
    for one in (step.incident for step in scenario_book.outcome(name).played.steps):
        meaning = one.cause.meaning if one.cause is not None else None
        yield from filter(None, (one.title, one.summary, one.news, *one.chain, *one.actions, meaning))


@cache
def device_words() -> str:
    """Every reason as devices word it."""
    return "\n".join(spelling.casefold() for row in rows() for spelling in (row.reason.text, *row.aliases))


def own_words(name: str) -> str:
    """All that a scenario brings along: its file, and its messages."""
    heard = scenario_book.outcome(name).played.heard
    found = (str(getattr(one.found, "raw", "")) for one in heard)
    return "\n".join(((scenario_book.BOOK / f"{name}.toml").read_text("utf-8"), *found)).casefold()


def left_in_english(language: str) -> dict[str, str]:
    """Texts of the book that fit no phrase of a language, and what was taken for a value and is none; with where."""
    missing: dict[str, str] = {}
    seen: set[str] = set()
    for name in scenario_book.names():
        for text in composed(name):
            if text not in seen:
                seen.add(text)
                missing |= dict.fromkeys(_left(language, text, name), f"{name}: {text}")
    assert len(seen) > 3000
    return missing


def _left(language: str, text: str, name: str) -> Iterator[str]:
    values: list[str] = []
    if lexicon(language)(text, values.append) is None:
        yield text
    for value in values:
        sentence = ENGLISH.search(value) and not value.startswith("`")
        if sentence and value.removesuffix("…").casefold() not in device_words() + own_words(name):
            yield value


#: What no language changes: addresses, times of day, names of interfaces, commands.
VALUE = re.compile(r"`[^`]*`|\d[\d.:/]*\d|[A-Z][a-zA-Z]*\d[\d/]*")


def values_lost(language: str) -> dict[str, str]:
    """Texts of a fifth of the book which have lost a value."""
    pairs = {text: say(language).text(text) for name in scenario_book.names()[::5] for text in composed(name)}
    return {text: other for text, other in pairs.items() if set(VALUE.findall(text)) - set(VALUE.findall(other))}
