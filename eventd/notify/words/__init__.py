"""The languages of messages: a TOML file each, with the words that eventd itself puts around what devices say."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

Language = Literal["en", "zh"]


class Words:
    """One language. Keys are ``section.name`` of its file."""

    def __init__(self, language: str, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.language = language
        self._texts = {f"{section}.{name}": text for section, table in tables.items() for name, text in table.items()}

    def __call__(self, key: str, /, **filled: Any) -> str:
        """The text under ``key``; KeyError where there is none, which a test of the files rules out."""
        text = self._texts[key]
        return text.format(**filled) if filled else text

    def get(self, key: str, default: str) -> str:
        """The text under ``key``, else ``default``: for keys that come from data."""
        return self._texts.get(key, default)

    @property
    def keys(self) -> frozenset[str]:
        """All there are."""
        return frozenset(self._texts)

    def text(self, english: str) -> str:
        """What the judgement says in English, in this language as far as it is known there."""
        return english


@cache
def words(language: str = "en") -> Words:
    """The words of a language."""
    file = resources.files("eventd.notify.words").joinpath(f"{language}.toml")
    return Words(language, tomllib.loads(file.read_text(encoding="utf-8")))
