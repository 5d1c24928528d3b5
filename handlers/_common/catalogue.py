"""A vendor's `reasons.toml` as a catalogue, and the look-up of what a device gave as reason.

Offline reasons (why a tunnel ended) and negotiation reasons (why one was not made) are separate spaces: the same words
mean different things in them. Conditions are what other messages state.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.contract import Catalogue, CatalogueRow
from eventd.model import Reason

CONDITION = "condition"
_TRANSLATION = re.compile(r"reasons\.(\w+)\.toml")
SPACES = ("offline", "negotiation", CONDITION)
#: What an event can fill into a step, by placeholder.
PLACEHOLDERS = ("peer", "local", "interface", "policy")
MARKS = tuple(f"<{name}>" for name in PLACEHOLDERS)
#: Where a value is not known, what a step can do without.
DISPENSABLE = {
    "peer": re.compile(r"(?<=display ike sa)( remote <peer>)|(?<=display ipsec sa)( remote <peer>)"),
    "local": re.compile(r" from <local>| with source `?<local>`?| -a <local>"),
    "interface": re.compile(r"(?<=display interface) <interface>"),
    "policy": re.compile(r"(?!)"),
}
#: Filled reasons remembered, a kilobyte each: what some hundred peers that retry every few seconds repeat. Whoever
#: makes up peers makes up as many of them, and filling one anew takes a few microseconds.
MAX_FILLED = 2048
#: Texts and codes remembered with the row they were found in: a vendor has some two hundred reasons in a few spellings.
MAX_TEXTS = 1024
#: Steps of a row remembered without what an event did not say; four things to say make sixteen of each row at the most.
MAX_SHAPES = 1024
#: Longest reason, and longest values in its steps, that are remembered: Huawei's MIB allows 128 octets of reason, 63 of
#: interface name and 255 of policy name. Longer ones are explained all the same, each time anew.
MAX_REMEMBERED = 512
#: Two words of a reason may stand in the text of another; three have not been seen to.
MIN_WITHIN = 3

#: What an event says, in the order of `PLACEHOLDERS`.
Values = tuple[str | None, ...]


class Match(Struct, frozen=True):
    """The row that stands for a text and code, if any; what the code alone would mean where they contradict each
    other; and whether the words only came near."""

    row: CatalogueRow | None
    code_text: str | None
    loose: bool


class Found(Struct, frozen=True):
    """A filled reason; where text and code contradict each other, what the code alone would mean; and whether the
    words only came near those of the catalogue."""

    reason: Reason
    code_text: str | None = None
    loose: bool = False


def normalise(text: str) -> str:
    """Lower case, no quotes, brackets or final dot, ``-`` and ``_`` as blanks, blanks collapsed."""
    plain = re.sub(r"[\"\[\]“”]", "", text).replace("-", " ").replace("_", " ")
    return " ".join(plain.lower().split()).rstrip(".").rstrip()


class Book:
    """The reasons of one vendor. ``unknown`` stands for what the catalogue does not list.

    ``loosely`` brings wording down to the words that small changes leave alone (None where there are none): given, a
    text that is not listed is looked up by it, in its own space and then in the others, at last among the words of it.
    """

    def __init__(
        self, vendor: str, package: str, unknown: Reason, loosely: Callable[[str], str | None] | None = None
    ) -> None:
        self.unknown = unknown
        self.catalogue = Catalogue(vendor, _load(vendor, package), _translations(package))
        self._loosely = loosely
        self._by_text = self._index(normalise)
        self._by_loose = self._index(loosely) if loosely else {}
        self._by_code = {(row.space, code): row for row in self.catalogue.rows for code in row.codes}
        self._matched = lru_cache(MAX_TEXTS)(self._match)
        self._remembered = lru_cache(MAX_FILLED)(self._find)

    def _index(self, spelled: Callable[[str], str | None]) -> dict[tuple[str, str], CatalogueRow]:
        """Canonical names win over aliases, aliases over guesses."""
        found: dict[tuple[str, str], CatalogueRow] = {}
        for names in (lambda row: (row.reason.name,), lambda row: row.aliases, lambda row: row.aliases_unverified):
            for row in self.catalogue.rows:
                for key in map(spelled, names(row)):
                    if key is not None:
                        found.setdefault((row.space, key), row)
        return found

    def resolve(self, space: str, text: str | None, code: int | None, context: Mapping[str, Any]) -> Reason:
        """What a device gave as reason, explained, with the steps filled for this event.

        ``text`` is kept as it is; where only a code came, the catalogue's text stands in. The code decides only where
        the text is missing or unknown. ``context`` maps placeholder names (and others) to values; without
        one it lacks a step is said in words, or left out.
        """
        return self.find(space, text, code, context).reason

    def find(self, space: str, text: str | None, code: int | None, context: Mapping[str, Any]) -> Found:
        """As `resolve`, and how well text, code and catalogue agree."""
        values = tuple(map(context.get, PLACEHOLDERS))
        if sum(map(len, filter(None, values))) + len(text or "") > MAX_REMEMBERED:
            return self._filled(self._match(space, text, code), text, code, values)
        return self._remembered(space, text, code, values)

    def lists(self, space: str, text: str) -> bool:
        """Whether the catalogue lists this text."""
        return (space, normalise(text)) in self._by_text

    def _find(self, space: str, text: str | None, code: int | None, values: Values) -> Found:
        return self._filled(self._matched(space, text, code), text, code, values)

    def _match(self, space: str, text: str | None, code: int | None) -> Match:
        said = self._by_text.get((space, normalise(text))) if text else None
        coded = self._by_code.get((space, code)) if code is not None else None
        near = self._near(space, text) if text and said is None and coded is None else None
        contradicts = said is not None and coded is not None and said is not coded
        return Match(said or coded or near, coded.reason.name if contradicts and coded else None, near is not None)

    def _filled(self, match: Match, text: str | None, code: int | None, values: Values) -> Found:
        reason = match.row.reason if match.row else self.unknown
        said = text or reason.text or f"code {code}"
        filled = replace(reason, text=said, code=code, actions=_fill(reason.actions, values))
        return Found(filled, match.code_text, match.loose)

    def _near(self, space: str, text: str) -> CatalogueRow | None:
        if self._loosely is None:
            return None
        spaces = (space, *(other for other in SPACES if other != space))
        words = self._loosely(text) or ""
        for index, key in ((self._by_text, normalise(text)), (self._by_loose, words)):
            for where in spaces:
                if found := index.get((where, key)):
                    return found
        return self._within(space, set(words.split()))

    def _within(self, space: str, words: set[str]) -> CatalogueRow | None:
        """The row of this space most of whose words, at least `MIN_WITHIN`, all stand among ``words``."""
        fits = [
            (len(parts), key)
            for where, key in self._by_loose
            if where == space and words.issuperset(parts := key.split()) and len(parts) >= MIN_WITHIN
        ]
        return self._by_loose[space, max(fits)[1]] if fits else None


def _load(vendor: str, package: str) -> tuple[CatalogueRow, ...]:
    raw = tomllib.loads(files(package).joinpath("reasons.toml").read_text("utf-8"))
    sources: dict[str, str] = {key: row["ref"] for key, row in raw["source"].items()}
    return tuple(
        _row(vendor, space, name, row, sources, raw.get("last_step", {}).get(space, []))
        for space in SPACES
        for name, row in raw[space].items()
    )


def _translations(package: str) -> dict[str, dict[str, dict[str, str]]]:
    """What stands in ``reasons.<language>.toml`` beside the reasons, by language."""
    found = ((_TRANSLATION.fullmatch(file.name), file) for file in files(package).iterdir())
    return {name[1]: tomllib.loads(file.read_text("utf-8")) for name, file in found if name is not None}


def _row(
    vendor: str, space: str, name: str, row: Mapping[str, Any], sources: Mapping[str, str], last: list[str]
) -> CatalogueRow:
    cited = tuple(sources[key] for key in row["sources"])
    codes = tuple(row.get("codes", ()))
    return CatalogueRow(
        vendor=vendor,
        space=space,
        reason=Reason(
            text=name,
            name=name,
            code=codes[0] if codes else None,
            known=True,
            phase=row["phase"],
            category=row["category"],
            expected=row.get("expected", False),
            needs_recovery_check=row.get("needs_recovery_check", True),
            severity=row["severity"],
            meaning=row["meaning"],
            actions=(*row["actions"], *last),
            source=cited[0],
            gloss=row.get("gloss"),
        ),
        aliases=tuple(row.get("aliases", ())),
        aliases_unverified=tuple(row.get("aliases_unverified", ())),
        codes=codes,
        sources=cited,
        note=row.get("note"),
    )


def _fill(steps: tuple[str, ...], values: Values) -> tuple[str, ...]:
    """Steps for somebody who reads or types them."""
    shaped = _shaped(steps, tuple([bool(value) for value in values]))
    return tuple([_put(step, values) if "<" in step else step for step in shaped])


def _put(step: str, values: Values) -> str:
    for mark, value in zip(MARKS, values, strict=True):
        if value:
            step = step.replace(mark, value)
    return step


@lru_cache(MAX_SHAPES)
def _shaped(steps: tuple[str, ...], known: tuple[bool, ...]) -> tuple[str, ...]:
    """Steps without what an event did not say, and without those that need it."""
    return tuple(shaped for step in steps if (shaped := _shape(step, known)) is not None)


def _shape(step: str, known: tuple[bool, ...]) -> str | None:
    """None for a command that does something else, or nothing, without what is not known."""
    for name, is_known in zip(PLACEHOLDERS, known, strict=True):
        if not is_known:
            step = DISPENSABLE[name].sub("", step)
            if any(f"<{name}>" in command for command in step.split("`")[1::2]):
                return None
            step = step.replace(f"<{name}>", f"the {name}" if name != "local" else "this device")
    return step
