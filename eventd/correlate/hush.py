"""Rules ``silenced`` and ``maintenance``: nobody is told of what was silenced by hand or lies in a planned window. What
is still open when that ends is told then; the end of what was told is never held back.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from msgspec import UNSET, Struct, field

from eventd.checked import Checked, Fault, trying
from eventd.correlate.settings import KEEP_SILENCES, LONGEST, MAX_SILENCES
from eventd.correlate.state import Case
from eventd.matching import Choice
from eventd.model import Incident
from eventd.weekly import window, windows, zone


class Silence(Struct, frozen=True):
    """Nobody is told of what ``match`` fits, from ``starts`` until ``until`` (Unix seconds)."""

    id: str
    match: dict[str, str | list[str]]
    starts: float
    until: float
    who: str
    reason: str = ""

    @property
    def heard_at(self) -> float:
        """When it was made; what every state has."""
        return self.starts

    def cases(self) -> Iterator[Case]:
        """None: it is no problem."""
        return iter(())

    def covers(self, at: float) -> float | None:
        """When it ends, if it holds at ``at``."""
        return self.until if self.starts <= at < self.until else None


class Maintenance(Checked, frozen=True, forbid_unknown_fields=True):
    """``[[maintenance]]`` of the configuration: planned work on what ``match`` fits, either from ``start`` to ``end``
    or every week (``"Sat 22:00-Sun 02:00"``, see `eventd.weekly`) by the clock of ``time_zone``.

    ValueError names what does not fit together.
    """

    match: dict[str, str | list[str]] = field(default_factory=dict)
    reason: str = ""
    start: datetime | None = None
    end: datetime | None = None
    weekly: str | None = None
    time_zone: str = "UTC"

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        weekly, start, end = (given.get(name, UNSET) for name in ("weekly", "start", "end"))
        known = UNSET not in (weekly, start, end)
        if known and (weekly is None) == (start is None and end is None):
            yield "", "needs either start and end, or weekly"
        elif known and weekly is None and None in (start, end):
            yield ("end" if end is None else "start"), "is missing: needs both start and end"
        for name, check in (("time_zone", zone), ("weekly", windows)):
            if given.get(name) is not None:
                yield from trying(name, check, (given[name],))
        if isinstance(start, datetime) and isinstance(end, datetime) and _order(start, end, given.get("time_zone")):
            yield "end", "is not after start"

    def covers(self, at: float) -> float | None:
        """When it ends, if it holds at ``at``."""
        start, end = self.window(at)
        return end if start <= at < end else None

    def window(self, at: float) -> tuple[float, float]:
        """Begin and end (Unix seconds) of the window that holds at ``at``, else of the next one; of a window that comes
        only once and is over, of that one."""
        place = zone(self.time_zone)
        if self.weekly is not None:
            return window((self.weekly,), place, at)
        assert self.start is not None
        assert self.end is not None
        return _aware(self.start, place).timestamp(), _aware(self.end, place).timestamp()


class Hush:
    """The silences and windows in force. ``silences`` are states like any other: whoever changes one has to save it."""

    def __init__(self, windows: Sequence[Maintenance] = ()) -> None:
        self._silences: dict[str, Silence] = {}
        self._choice: Choice[Silence] | None = None
        self.plan(windows)

    @property
    def silences(self) -> Mapping[str, Silence]:
        """By their keys; to be looked at only."""
        return self._silences

    def plan(self, windows: Sequence[Maintenance]) -> None:
        """Have these windows from now on."""
        self._planned = Choice((window.match, window) for window in windows)

    def put(self, silence: Silence) -> None:
        """Have a silence, as it is."""
        self._silences[silence_key(silence.id)] = silence
        self._choice = None

    def drop(self, key: str) -> bool:
        """Have it no more; whether there was one."""
        self._choice = None
        return self._silences.pop(key, None) is not None

    def by(self, incident: Incident, at: float) -> tuple[str, float, str, str] | None:
        """The rule that keeps ``incident`` from being told at ``at``, until when (Unix seconds), why, and the name of
        the silence or window."""
        if self._choice is None:
            self._choice = Choice((silence.match, silence) for silence in self._silences.values())
        for silence in self._choice.fitting(incident):
            if (until := silence.covers(at)) is not None:
                return "silenced", until, _why(silence), _name(silence)
        for planned in self._planned.fitting(incident):
            if (until := planned.covers(at)) is not None:
                return "maintenance", until, _why(planned), _name(planned)
        return None

    def __bool__(self) -> bool:
        """Whether there is a silence or window at all: most often there is none, and nothing to look up."""
        return bool(self._silences or self._planned)

    def add(self, silence: Silence, now: float) -> list[str]:
        """Take a silence; the keys of those that were forgotten for it, long over.

        Raises:
            ValueError: there are too many, or it is over before it begins.
        """
        if not silence.starts < silence.until <= now + LONGEST or silence.until <= now:
            raise ValueError("the silence is over already")
        old = [key for key, known in self._silences.items() if known.until + KEEP_SILENCES < now]
        for key in old:
            self.drop(key)
        if len(self._silences) >= MAX_SILENCES:
            raise ValueError(f"there are {MAX_SILENCES} silences already")
        self.put(silence)
        return old


def silence_key(ident: str) -> str:
    """Key of a silence among the states."""
    return f"silence|{ident}"


def _name(one: Silence | Maintenance) -> str:
    name = f"the silence of {one.who}" if isinstance(one, Silence) else "the maintenance window"
    return f"{name} ({one.reason})" if one.reason else name


def _why(one: Silence | Maintenance) -> str:
    by = f"by {one.who}" if isinstance(one, Silence) else "planned"
    return f"{by}: {one.reason}" if one.reason else by


def _order(start: datetime, end: datetime, place: str | None) -> bool:
    """Whether they are the wrong way round, as far as that can be known."""
    try:
        found = zone(place or "UTC")
    except ValueError:
        return False
    return _aware(start, found) >= _aware(end, found)


def _aware(moment: datetime, place: tzinfo) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=place)
