"""Rules ``silenced`` and ``maintenance``: nobody is told of what was silenced by hand or lies in a planned window. What
is still open when that ends is told then; the end of what was told is never held back.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct, field

from eventd.checked import Checked, Fault, trying
from eventd.correlate.settings import KEEP_SILENCES, LONGEST, MAX_SILENCES
from eventd.correlate.state import Case
from eventd.matching import matches
from eventd.model import Incident

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(
    r"(?P<day>[A-Za-z]{3}) (?P<hour>[0-2]?\d):(?P<minute>[0-5]\d)"
    r" ?- ?(?:(?P<last>[A-Za-z]{3}) )?(?P<until>[0-2]?\d):(?P<past>[0-5]\d)"
)


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
    or every week (``"Sat 22:00-Sun 02:00"``) by the clock of ``time_zone``.

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
        for name, check in (("time_zone", _zone), ("weekly", _week_minutes)):
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
        zone = _zone(self.time_zone)
        if self.weekly is not None:
            return _weekly_window(self.weekly, zone, at)
        assert self.start is not None
        assert self.end is not None
        return _aware(self.start, zone).timestamp(), _aware(self.end, zone).timestamp()


class Hush:
    """The silences and windows in force. ``silences`` are states like any other: whoever changes one has to save it."""

    def __init__(self, windows: Sequence[Maintenance] = ()) -> None:
        self.windows = tuple(windows)
        self.silences: dict[str, Silence] = {}

    def by(self, incident: Incident, at: float) -> tuple[str, float, str, str] | None:
        """The rule that keeps ``incident`` from being told at ``at``, until when (Unix seconds), why, and the name of
        the silence or window."""
        for rule, found in (("silenced", self.silences.values()), ("maintenance", self.windows)):
            for one in found:
                until = one.covers(at)
                if until is not None and matches(one.match, incident):
                    return rule, until, _why(one), _name(one)
        return None

    def add(self, silence: Silence, now: float) -> list[str]:
        """Take a silence; the keys of those that were forgotten for it, long over.

        Raises:
            ValueError: there are too many, or it is over before it begins.
        """
        if not silence.starts < silence.until <= now + LONGEST or silence.until <= now:
            raise ValueError("the silence is over already")
        old = [key for key, known in self.silences.items() if known.until + KEEP_SILENCES < now]
        for key in old:
            del self.silences[key]
        if len(self.silences) >= MAX_SILENCES:
            raise ValueError(f"there are {MAX_SILENCES} silences already")
        self.silences[silence_key(silence.id)] = silence
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


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # no such zone, no name at all, or a folder of zones
        raise ValueError(f"{name!r} is not a known time zone") from error


def _order(start: datetime, end: datetime, zone: str | None) -> bool:
    """Whether they are the wrong way round, as far as that can be known."""
    try:
        found = _zone(zone or "UTC")
    except ValueError:
        return False
    return _aware(start, found) >= _aware(end, found)


def _aware(moment: datetime, zone: tzinfo) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _week_minutes(text: str) -> tuple[int, int]:
    """Begin of a weekly window in minutes since Monday 0:00, and its length. ValueError: it is none."""
    found = _WEEKLY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text!r} is not like "Sat 22:00-Sun 02:00"')
    begin = _minute(found["day"], found["hour"], found["minute"])
    end = _minute(found["last"] or found["day"], found["until"], found["past"])
    if found["last"] is None and end <= begin:
        end += 24 * 60
    return begin, (end - begin) % (7 * 24 * 60) or 7 * 24 * 60


def _minute(day: str, hour: str, minute: str) -> int:
    if day.casefold() not in _DAYS or int(hour) > 24:
        raise ValueError(f"weekly: {day} {hour}:{minute} is no day and time")
    return (_DAYS.index(day.casefold()) * 24 + int(hour)) * 60 + int(minute)


def _weekly_window(text: str, zone: tzinfo, at: float) -> tuple[float, float]:
    """The first that is not over at ``at``: of last week, this one, or the next."""
    begin, length = _week_minutes(text)
    local = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    monday = (local - timedelta(days=local.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = (monday + timedelta(weeks=week, minutes=begin) for week in (-1, 0, 1))
    windows = ((start, start + timedelta(minutes=length)) for start in starts)
    stamps = (tuple(moment.replace(tzinfo=zone).timestamp() for moment in window) for window in windows)
    return next((start, end) for start, end in stamps if at < end)
