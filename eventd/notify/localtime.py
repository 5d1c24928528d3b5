"""Times in texts for people, by the clock of a time zone and with their offset from UTC.

The judgement composes its texts in UTC. Only the times that it puts there itself, in places of their own, are put into
another zone; what a device said stays as it is. There are no abbreviations: CST is the time of Shanghai, of Chicago and
of Havana.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from eventd.checked import Checked, Fault, trying
from eventd.weekly import zone

#: Where the judgement writes times, in English and in Chinese: at the end of a title, in its sentences, and in lines of
#: the chain, whose offset the heading says.
_TITLE = re.compile(r"(?P<before>since |始于 )(?P<day>\d\d [A-Z][a-z]{2} |\d+ 月 \d\d 日 )?(?P<clock>\d\d:\d\d) UTC$")
_TOLD = re.compile(r"(?:since |始于 )(?P<day>\d\d [A-Z][a-z]{2} |\d+ 月 \d\d 日 )?\d\d:\d\d (?:UTC|[+-]\d\d:\d\d)$")
_TAIL = re.compile(rf"[,，] ?{_TOLD.pattern}")
_LASTED = re.compile(r"(?: after |历时 )\d+ \w[^:：,，]*$")
_SINCE = re.compile(r"(?P<before>Since |始于 )(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC(?=[.。])")
_SILENT = re.compile(r"(?P<before>has been heard of it since |：自 )(?P<clock>\d\d:\d\d:\d\d)(?=: | 起未收到)")
_LINE = re.compile(
    r"(?P<before>^|, last |，最近 | is down since )(?P<clock>\d\d:\d\d:\d\d)"
    r"(?= |\)$|）$|(?<= is down since \d\d:\d\d:\d\d)$)"
)
_DAY = timedelta(days=1)


class Settings(Checked, frozen=True, forbid_unknown_fields=True):
    """``time_zone`` (an IANA name) of the messages of all channels that have none of their own."""

    time_zone: str = "UTC"

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from zone_faults(given)


def zone_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a ``time_zone``, if there is one."""
    yield from trying("time_zone", zone, [given["time_zone"]] if given.get("time_zone") is not None else [])


def offset(when: datetime, where: tzinfo) -> str:
    """``UTC``, or ``+08:00``."""
    text = f"{when.astimezone(where):%z}"
    return "UTC" if where is UTC else f"{text[:3]}:{text[3:5]}"


def moment(when: datetime, where: tzinfo) -> str:
    """``2023-11-14 22:13:00 UTC``, or ``2023-11-15 06:13:00 +08:00``."""
    return f"{when.astimezone(where):%Y-%m-%d %H:%M:%S} {offset(when, where)}"


def title(text: str, near: datetime, where: tzinfo) -> str:
    """A title with its time in the zone. ``near``: a time not half a day from those in it."""

    def local(found: re.Match[str]) -> str:
        when = _nearest(found["clock"], near)
        there = when.astimezone(where)
        # A title names the day where it is not today's; then it is that of when it began.
        day = ""
        if found["day"]:
            day = f"{there.month} 月 {there:%d} 日 " if "月" in found["day"] else f"{there:%d %b} "
        return f"{found['before']}{day}{there:%H:%M} {offset(when, where)}"

    return text if where is UTC else _TITLE.sub(local, text)


def told_in(title: str) -> Literal["nothing", "clock", "day", "span"]:
    """What a title says of times, by whatever clock: since when (with the day or without), or how long it lasted."""
    if found := _TOLD.search(title):
        return "day" if found["day"] else "clock"
    return "span" if _LASTED.search(title) else "nothing"


def tail(title: str) -> str:
    """How a title ends that says since when it is; empty where it does not."""
    found = _TAIL.search(title)
    return found[0] if found else ""


def sentences(text: str, near: datetime, where: tzinfo) -> str:
    """A summary, likewise."""

    def stamp(found: re.Match[str]) -> str:
        when = datetime.strptime(found["stamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        return found["before"] + moment(when, where)

    def clock(found: re.Match[str]) -> str:
        when = _nearest(found["clock"], near)
        return f"{found['before']}{when.astimezone(where):%H:%M:%S} {offset(when, where)}"

    return text if where is UTC else _SILENT.sub(clock, _SINCE.sub(stamp, text))


def line(text: str, near: datetime, where: tzinfo) -> str:
    """A line of the chain: without the offset, which is that of ``near``."""

    def clock(found: re.Match[str]) -> str:
        return f"{found['before']}{_nearest(found['clock'], near) + shift:%H:%M:%S}"

    shift = near.astimezone(where).utcoffset() or timedelta()
    return _LINE.sub(clock, text) if shift else text


def _nearest(clock: str, near: datetime) -> datetime:
    """When it was this time of day (UTC), nearest to ``near``."""
    hour, minute, second = map(int, f"{clock}:00".split(":")[:3])
    there = near.astimezone(UTC)
    try:
        same = there.replace(hour=hour, minute=minute, second=second, microsecond=0)
    except ValueError:  # no time of day: somebody else's digits
        return there
    return min((same - _DAY, same, same + _DAY), key=lambda when: abs(when - there))
