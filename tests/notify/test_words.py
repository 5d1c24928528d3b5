"""The languages of messages: every file has all words, and every message has all its values in every language."""

from string import Formatter
from typing import get_args, get_type_hints

import pytest
from notify_fakes import make_notification

from eventd.model import SEVERITIES, Told
from eventd.notify.chat import UrlSettings
from eventd.notify.console import Settings as ConsoleSettings
from eventd.notify.email import Settings as MailSettings
from eventd.notify.render import duration_text, headline, plain, title
from eventd.notify.samples import samples
from eventd.notify.words import Language, words

LANGUAGES = get_args(Language)
OTHERS = [language for language in LANGUAGES if language != "en"]
TOLD: list[tuple[str, Told]] = [*samples(of_digests=False), *samples(of_digests=True)]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_keys_and_the_same_placeholders(language: str) -> None:
    english, other = words(), words(language)
    assert other.keys == english.keys
    different = [key for key in english.keys if placeholders(other.get(key, "")) != placeholders(english.get(key, ""))]
    assert different == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_word_was_forgotten(language: str) -> None:
    """What is the same in both languages has no words in it."""
    english, other = words(), words(language)
    same = [key for key in english.keys if other.get(key, "") == english.get(key, "")]
    assert same == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("settings", [UrlSettings, ConsoleSettings, MailSettings])
def test_every_channel_with_words_takes_every_language(settings: type, language: str) -> None:
    assert get_type_hints(settings)["language"] == Language
    assert words(language).language == language


@pytest.mark.parametrize(("name", "told"), TOLD)
def test_the_first_line_and_the_fallback_are_chinese(name: str, told: Told) -> None:
    say = words("zh")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in title(told, say)), name
    for text in (title(told, say), plain(told, say)):
        assert not [word for severity in SEVERITIES if (word := severity.upper()) in text]
        assert not {"UPDATE", "RESOLVED", "INCIDENTS", "Reason", "Incident"}.intersection(text.split())


def test_durations_read_as_in_the_language() -> None:
    assert duration_text(200, words("zh")) == "3 分 20 秒"
    assert duration_text(200) == "3m 20s"


def test_what_nobody_translated_stays_as_it_is() -> None:
    told = make_notification()
    assert headline(told.incident, words("zh")).endswith((told.incident.title or told.incident.summary)[-10:])
