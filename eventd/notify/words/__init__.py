"""The languages of messages: a TOML file each, with the words that eventd itself puts around what devices say."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from importlib import resources
from typing import Any, Literal

from eventd.contract import Catalogue
from eventd.notify.words.phrases import Phrases, Sections
from eventd.weekly import zone

Language = Literal["en", "zh"]


class Words:
    """One language. Keys are ``section.name`` of its file; ``phrases`` are what the judgement says, in it; ``zone`` is
    whose clock its readers have."""

    def __init__(
        self,
        language: str,
        tables: Mapping[str, Mapping[str, str]],
        phrases: Phrases | None = None,
        where: tzinfo = UTC,
    ) -> None:
        self.language, self.phrases, self.zone = language, phrases, where
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
        found = self.phrases(english) if self.phrases is not None else None
        return english if found is None else found

    def reason(self, text: str) -> str:
        """A reason: as the device words it; in this language where the words are eventd's own."""
        found = self.phrases(text, among=("happened", "text")) if self.phrases is not None else None
        return text if found is None else found


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("eventd.notify.words").joinpath(name).read_text(encoding="utf-8"))


def words(language: str = "en", catalogues: Iterable[Catalogue] = (), time_zone: str = "UTC") -> Words:
    """The words of a language, with what the ``catalogues`` of vendors say in it. Raises ValueError for a zone that is
    not known."""
    where = UTC if time_zone == "UTC" else zone(time_zone)
    steps = [catalogue.texts[language] for catalogue in catalogues if language in catalogue.texts]
    return _words(language, steps, where)


def _words(language: str, steps: Sequence[Sections], where: tzinfo) -> Words:
    tables = _read(f"{language}.toml")
    if language == "en":
        return Words(language, tables, where=where)
    found = _read(f"phrases.{language}.toml")
    whole, loose = found.pop("whole"), found.pop("loose")
    return Words(language, tables, Phrases(found, steps, whole=whole, loose=loose), where)
