"""Windows that come back every week, as people write them, by the clock of a time zone."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_WINDOW = re.compile(
    r"(?P<first>[A-Za-z]{3}|daily)(?:-(?P<to>[A-Za-z]{3}))? (?P<hour>[0-2]?\d):(?P<minute>[0-5]\d)"
    r" ?- ?(?:(?P<last>[A-Za-z]{3}) )?(?P<until>[0-2]?\d):(?P<past>[0-5]\d)"
)
EXAMPLES = '"Sat 22:00-Sun 02:00", "Mon-Fri 08:00-18:00" or "daily 22:00-07:00"'


def zone(name: str) -> tzinfo:
    """A time zone by its IANA name. ValueError: there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # no such zone, no name at all, or a folder of zones
        known = "" if _data() else "; this system has no time zone data (package tzdata)"
        raise ValueError(f"{name!r} is not a known time zone{known}") from error


def _data() -> bool:
    """Whether any zone is known here: images without tzdata know none."""
    return bool(available_timezones())


@lru_cache  # of every channel and window of a configuration; errors are not kept
def windows(text: str) -> Sequence[tuple[int, int]]:
    """Each window that a text names: minutes from Monday 0:00 to its begin, and its length. ValueError: it names none.

    A window that would end before it begins ends on the next day; one that names the day of its end, in the next week.
    """
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not like {EXAMPLES}")
    daily = found["first"] == "daily"
    if found["last"] and (daily or found["to"]):
        raise ValueError(f"{text!r} names several days and the day of the end: write a window for each")
    first = 0 if daily else _day(found["first"])
    last = 6 if daily else _day(found["to"] or found["first"])
    begin, end = _minutes(found["hour"], found["minute"]), _minutes(found["until"], found["past"])
    if found["last"] is not None:
        length = ((_day(found["last"]) - first) * _DAY_MINUTES + end - begin) % _WEEK_MINUTES or _WEEK_MINUTES
    else:
        length = (end - begin) % _DAY_MINUTES or _DAY_MINUTES
    days = range(first, first + (last - first) % 7 + 1)
    return tuple((day % 7 * _DAY_MINUTES + begin, length) for day in days)


def always(texts: Iterable[str]) -> bool:
    """Whether there is no time of the week that is in no window."""
    found = sorted(one for text in texts for one in windows(text))
    end = max((begin + length for begin, length in found), default=0) - _WEEK_MINUTES  # of what began last week
    for begin, length in found:
        if begin > max(end, 0):
            return False
        end = max(end, begin + length)
    return end >= _WEEK_MINUTES


def covers(texts: Iterable[str], place: tzinfo, at: float) -> float | None:
    """When the window ends that holds at ``at`` (both Unix seconds); None while none does."""
    start, end = window(texts, place, at)
    return end if start <= at else None


def window(texts: Iterable[str], place: tzinfo, at: float) -> tuple[float, float]:
    """Begin and end (Unix seconds) of the window that holds at ``at``, of several the one that ends last; else of the
    next one. There has to be at least one text."""
    found = [one for text in texts for each in windows(text) for one in _weeks(*each, place, at)]
    holding = [one for one in found if one[0] <= at]
    return max(holding, key=lambda one: one[1]) if holding else min(found)


def _weeks(begin: int, length: int, place: tzinfo, at: float) -> Iterable[tuple[float, float]]:
    """Those of last week, this one and the next that are not over at ``at``."""
    local = datetime.fromtimestamp(at, place).replace(tzinfo=None)
    monday = (local - timedelta(days=local.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    for week in (-1, 0, 1):
        start = monday + timedelta(weeks=week, minutes=begin)
        stamps = [moment.replace(tzinfo=place).timestamp() for moment in (start, start + timedelta(minutes=length))]
        if at < stamps[1]:
            yield stamps[0], stamps[1]


def _day(name: str) -> int:
    if name.casefold() not in _DAYS:
        raise ValueError(f"{name!r} is none of {', '.join(day.capitalize() for day in _DAYS)}")
    return _DAYS.index(name.casefold())


def _minutes(hour: str, minute: str) -> int:
    if int(hour) * 60 + int(minute) > _DAY_MINUTES:
        raise ValueError(f"{hour}:{minute} is no time of day")
    return int(hour) * 60 + int(minute)
