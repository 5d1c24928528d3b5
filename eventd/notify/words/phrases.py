"""Puts what is composed in English into another language, gettext's way: the English phrase with its gaps is the key.

A text arrives with its gaps filled. It is laid over the phrases of a section, those with the most words of their own
first; what stands in a gap is put into the other language as that gap asks, or is taken over as it is. What fits no
phrase stays English, and no value ever loses a character.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import merge
from itertools import product

from msgspec import Struct

#: Section → English phrase → phrase of the language.
Sections = Mapping[str, Mapping[str, str]]

#: Gaps whose values have a shape; they are taken over as they are. All others may hold anything. Names of devices and
#: interfaces have no commas: what has is one gap too long.
SHAPES = {
    "n": r"\d+",
    "number": r"[\d.]+",
    "word": r"\S+",
    "clock": r"\d\d:\d\d:\d\d",
    "hour": r"\d\d:\d\d",
    "stamp": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "id": r"[0-9a-f]{12}",
    "device": r"[^,:]+",
    "interface": r"[^,]+",
    "command": r"`[^`]*`",
    "address": r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*",
    "item": r"[^,]+",
}
#: A value is tried in a gap at most so often per text: ten times what any text of the scenario book needs (30 on
#: average, 250 at most), and some ten milliseconds where somebody makes up a text that nearly fits everything.
MAX_TRIALS = 2_500
#: What is too long for any phrase of eventd: more than twice what is shown of any text (`eventd.notify.render`).
MAX_LENGTH = 2_000
#: Phrases in phrases: a line of a chain in a hint of a step has seven.
MAX_DEPTH = 20
#: How a text ends that eventd has cut, and how much of it must be left to tell which it was.
CUT, MIN_CUT = "…", 8

#: What stands between a gap and the words beside it: nothing beside wide marks, which bring their own room, nor between
#: ideographs; a blank between an ideograph and a letter or digit (https://www.w3.org/TR/clreq/#mixed_text_composition).
_MARK = r"[\u2010-\u2027\u3000-\u303f\uff00-\uff60]"
_IDEOGRAPH, _WORD = r"[\u2e80-\u2fff\u3040-\u9fff]", r"[A-Za-z0-9`]"
_NOTHING = re.compile(rf"{_MARK}.|.{_MARK}|{_IDEOGRAPH}{_IDEOGRAPH}", re.DOTALL)
_BLANK = re.compile(rf"{_IDEOGRAPH}{_WORD}|{_WORD}{_IDEOGRAPH}")

_TARGET_GAP = re.compile(r"\{(\w+)\}")
_GAP = re.compile(r"\{(\w+)(?::(\w+))?\}")
#: Gaps of the steps of handlers (`handlers/README.md`): a value of the event, or a command.
_STEP_GAP = re.compile(r"<(peer|local|interface|policy)>|`[^`]*`")


class Phrase(Struct, frozen=True):
    """``words`` stand around ``gaps`` (name and kind), so there is one more of them. ``target`` has ``{name}``."""

    words: tuple[str, ...]
    gaps: tuple[tuple[str, str], ...]
    target: str

    @property
    def weight(self) -> int:
        """How much of it are words of its own."""
        return sum(map(len, self.words))

    @property
    def rank(self) -> tuple[int, int]:
        """Whose turn it is: the wordiest first, of two alike the one with fewer gaps."""
        return -self.weight, len(self.gaps)


class _TooMuchError(Exception):
    """`MAX_TRIALS` or `MAX_DEPTH` were not enough."""


def phrase(english: str, other: str) -> Phrase:
    """``{name}`` or ``{name:kind}`` is a gap; the kind is the name where none is given."""
    found = list(_GAP.finditer(english))
    ends = [0, *(place for gap in found for place in gap.span()), len(english)]
    words = tuple(english[begin:end] for begin, end in zip(ends[::2], ends[1::2], strict=True))
    return Phrase(words, tuple((gap[1], gap[2] or gap[1]) for gap in found), other)


def step(english: str, other: str) -> Phrase:
    """A text of a handler: ``<peer>`` and its like and the commands are gaps. The other language has the same ones."""
    commands = [gap[0] for gap in _STEP_GAP.finditer(english) if gap[1] is None]

    def name(gap: re.Match[str]) -> str:
        if gap[1] is not None:
            return f"{{{gap[1]}:place}}"
        return f"{{c{commands.index(gap[0])}:command}}"

    target = _STEP_GAP.sub(lambda gap: name(gap).partition(":")[0] + "}", _braced(other))
    return phrase(_STEP_GAP.sub(name, _braced(english)), target)


def _braced(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"a text of a handler has no braces: {text}")
    return text


class Section:
    """The phrases for one kind of text."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self.fixed: dict[str, str] = {}
        self._led: dict[str, list[Phrase]] = {}
        for one in sorted(phrases, key=lambda one: one.rank):
            if not one.gaps:
                self.fixed[one.words[0]] = one.target
            else:
                self._led.setdefault(_lead(one.words[0]), []).append(one)

    def fitting(self, text: str) -> Iterator[Phrase]:
        """Those that may fit, the wordiest first."""
        return merge(self._led.get(_lead(text), ()), self._led.get("", ()), key=lambda one: one.rank)

    def cut(self, text: str) -> str | None:
        """The one phrase without gaps that was cut to ``text``."""
        begin = text.removesuffix(CUT).rstrip()
        found = [other for whole, other in self.fixed.items() if whole.startswith(begin)]
        return found[0] if text.endswith(CUT) and len(begin) >= MIN_CUT and len(found) == 1 else None


def _lead(text: str) -> str:
    """The first word, if it is whole."""
    first, blank, _ = text.partition(" ")
    return first if blank else ""


class Phrases:
    """All sections of a language. A gap of a kind that is a section holds a phrase of it and nothing else, except in
    the sections that are ``loose``; ``whole`` names those in which whole texts are looked up, in this order."""

    def __init__(
        self,
        sections: Sections,
        steps: Iterable[Sections] = (),
        *,
        whole: Iterable[str] = (),
        loose: Iterable[str] = (),
    ) -> None:
        self._sources, self._steps = sections, tuple(steps)
        self.whole, self.loose = tuple(whole), frozenset(loose)

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """Made when first needed: a channel in English never does."""
        found = {name: [phrase(*pair) for pair in pairs.items()] for name, pairs in self._sources.items()}
        for texts in self._steps:
            for name, pairs in texts.items():
                found.setdefault(name, []).extend(step(*pair) for pair in pairs.items())
        return {name: Section(phrases) for name, phrases in found.items()}

    def __call__(
        self, english: str, taken: Callable[[str], object] = lambda _: None, *, among: Sequence[str] = ()
    ) -> str | None:
        """The text in the language; None where it fits no phrase of ``among``, else of ``whole``. ``taken`` is told of
        every value that was taken over as it is, for tests."""
        if not english or len(english) > MAX_LENGTH:
            return None
        search = _Search(self.sections, self.loose)
        try:
            for name, text in product(among or self.whole, dict.fromkeys((english, english.removesuffix(".")))):
                if (found := search.phrase(name, text)) is not None:
                    for value in found[1]:
                        taken(value)
                    return found[0]
        except _TooMuchError:
            pass
        return None


#: A text in the other language, and the values in it that were taken over.
_Found = tuple[str, tuple[str, ...]]


class _Search:
    """One text that is looked up."""

    def __init__(self, sections: Mapping[str, Section], loose: frozenset[str]) -> None:
        self._sections, self._loose = sections, loose
        self._known: dict[tuple[str, str], _Found | None] = {}
        self._trials = self._depth = 0

    def phrase(self, name: str, text: str) -> _Found | None:
        """``text`` as a phrase of a section."""
        key = (name, text)
        if key not in self._known:
            self._known[key] = None  # a phrase that holds itself is none
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise _TooMuchError
            self._known[key] = self._phrase(self._sections[name], text)
            self._depth -= 1
        return self._known[key]

    def _phrase(self, section: Section, text: str) -> _Found | None:
        if (found := section.fixed.get(text)) is not None:
            return found, ()
        for one in section.fitting(text):
            if (filled := self._fill(one, text, 0, 0)) is not None:
                return _filled(one.target, filled)
        return None if (whole := section.cut(text)) is None else (whole, ())

    def _fill(self, one: Phrase, text: str, gap: int, start: int) -> dict[str, _Found] | None:
        """What stands in the gaps from ``gap`` on, whose words begin at ``start``; None where it does not fit."""
        if not text.startswith(one.words[gap], start):
            return None
        start += len(one.words[gap])
        if gap == len(one.gaps):
            return {} if start == len(text) else None
        name, kind = one.gaps[gap]
        for end in _ends(text, start, one.words[gap + 1], last=gap + 1 == len(one.gaps)):
            self._trials += 1
            if self._trials > MAX_TRIALS:
                raise _TooMuchError
            value = self._value(kind, text[start:end])
            rest = self._fill(one, text, gap + 1, end) if value is not None else None
            if value is not None and rest is not None:
                return {name: value, **rest}
        return None

    def _value(self, kind: str, text: str) -> _Found | None:
        if kind in self._sections:
            found = self.phrase(kind, text)
            if found is not None or kind not in self._loose:
                return found
        shape = SHAPES.get(kind)
        return (text, (text,)) if shape is None or re.fullmatch(shape, text) else None


def _filled(target: str, found: Mapping[str, _Found]) -> _Found:
    first, *rest = _TARGET_GAP.split(target)
    values = [found[name][0] for name in rest[::2]]
    parts = [_parted("", first, values[0]) if values else first]
    for value, words, after in zip(values, rest[1::2], [*values[1:], ""], strict=True):
        parts += (value, _parted(value, words, after))
    return "".join(parts), tuple(value for _, taken in found.values() for value in taken)


def _parted(before: str, words: str, after: str) -> str:
    """The words between two values, with the blanks that belong there. Values keep theirs, and so do two of which only
    a blank is between."""
    core = words.strip(" ")
    if not core:
        return words
    begin, end = words[: len(words) - len(words.lstrip(" "))], words[len(words.rstrip(" ")) :]
    return _blank(before[-1:] + core[0], begin) + core + _blank(core[-1] + after[:1], end)


def _blank(beside: str, given: str) -> str:
    if _NOTHING.fullmatch(beside):
        return ""
    return " " if _BLANK.fullmatch(beside) else given


def _ends(text: str, start: int, words: str, *, last: bool) -> Iterator[int]:
    """Where a gap may end that is followed by ``words``, or by nothing else than them."""
    if last:
        end = len(text) - len(words)
        if end > start and text.endswith(words):
            yield end
        return
    end = text.find(words, start + 1)
    while end != -1:
        yield end
        end = text.find(words, end + 1)


def gaps(english: str) -> set[str]:
    """Names of the gaps of a phrase."""
    return {gap[1] for gap in _GAP.finditer(english)}
