"""Timestamps of devices: every kind that info-center prints, RFC 3164, RFC 3339 and Comware's.

Two steps, because what a printed offset means depends on the device: `parse_stamp` reads what is printed, `resolve`
turns it into UTC under that device's clock rule. Nothing here judges; eventd orders by arrival.
"""

import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from eventd.model import Stamp

MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}

#: A stamp without a year belongs to the year nearest to its arrival; a device's clock may run ahead by this much,
#: which covers every zone difference and a wrong DST rule.
FUTURE_TOLERANCE = timedelta(hours=26)

_CLOCK = rb"(?P<h{n}>\d{{1,2}}):(?P<m{n}>\d\d):(?P<s{n}>\d\d)"
#: Fractions: milliseconds, then on some VRP releases a second dotted number of unknown meaning; Comware uses a colon.
_FRACTION = rb"(?:[.:](?P<f{n}>\d{{1,9}})(?:\.\d+)?)?"
_ZONE = rb"(?P<z{n}>Z|[+-]\d\d:?\d\d)?(?P<dst{n}> DST\b)?"


def _numbered(pattern: bytes, n: int) -> bytes:
    return pattern.decode().format(n=n).encode()


#: The word kinds: ``Sep 15 2026 21:12:05``, ``Oct  5 2018 …``, ``Jun  1 10:02:03``, and Comware's year after the time.
_WORDS = (
    rb"(?P<mon>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?"
    + _numbered(_CLOCK + _FRACTION, 1)
    + rb"(?: (?P<late>(?:19|20)\d\d)(?= ))?"
    + _numbered(_ZONE, 1)
)
#: The number kinds: ``2018-10-05 10:52:13``, ``2018-7-23 01:00:34.270.1``, ``2018/10/05 09:52:14``, RFC 3339.
_NUMBERS = (
    rb"(?P<y2>\d{4})(?P<sep>[-/])(?P<mo2>\d{1,2})(?P=sep)(?P<d2>\d{1,2})[ T]"
    + _numbered(_CLOCK + _FRACTION, 2)
    + _numbered(_ZONE, 2)
)
#: One printed timestamp. ``boot`` is the time since start in two 32-bit halves of milliseconds; it names no day.
PATTERN = rb"(?:" + _WORDS + rb"|" + _NUMBERS + rb"|(?P<boot>\d{1,10}\.\d{3,10})(?= ))"
STAMP = re.compile(PATTERN)


@lru_cache(maxsize=4096)
def parse_stamp(printed: bytes) -> Stamp | None:
    """What one printed timestamp says; None for a boot-relative one and for a date that does not exist."""
    match = STAMP.fullmatch(printed) or STAMP.match(printed + b" ")
    if match is None or match["boot"] is not None:
        return None
    try:
        return _words(match) if match["mon"] is not None else _numbers(match)
    except ValueError:
        return None


def _words(match: re.Match[bytes]) -> Stamp:
    year = match["year"] or match["late"]
    # A leap year stands in for the unknown one, so that 29 February survives until `resolve`.
    when = _moment(int(year) if year else 2000, MONTHS[match["mon"]], int(match["day"]), match, "1")
    return Stamp(when, _offset(match["z1"]), match["dst1"] is not None, year is not None)


def _numbers(match: re.Match[bytes]) -> Stamp:
    when = _moment(int(match["y2"]), int(match["mo2"]), int(match["d2"]), match, "2")
    return Stamp(when, _offset(match["z2"]), match["dst2"] is not None)


def _moment(year: int, month: int, day: int, match: re.Match[bytes], n: str) -> datetime:
    fraction = match["f" + n]
    micros = int(fraction[:6].ljust(6, b"0")) if fraction else 0
    second = min(int(match["s" + n]), 59)  # a leap second is printed as 60
    return datetime(year, month, day, int(match["h" + n]), int(match["m" + n]), second, micros)  # noqa: DTZ001  naive


def _offset(printed: bytes | None) -> int | None:
    if printed is None:
        return None
    if printed == b"Z":
        return 0
    seconds = int(printed[1:3]) * 3600 + int(printed[-2:]) * 60
    return -seconds if printed[:1] == b"-" else seconds


def resolve(stamp: Stamp | None, clock: str, time_zone: str | None, received_at: datetime) -> datetime | None:
    """Device time in UTC, or None where the device printed none. Never raises.

    ``clock``: ``iso`` the offset as ISO 8601 reads it, none = UTC; ``add-offset`` the clock shows UTC and the offset is
    only information; ``local`` the clock shows local time of ``time_zone``, whatever offset is printed.
    """
    if stamp is None:
        return None
    try:
        if stamp.year_known:
            return _to_utc(stamp, stamp.when, clock, time_zone)
        return _nearest_year(stamp, clock, time_zone, received_at)
    except (OverflowError, ValueError):
        return None


def _nearest_year(stamp: Stamp, clock: str, time_zone: str | None, received_at: datetime) -> datetime | None:
    candidates = []
    for year in (received_at.year - 1, received_at.year, received_at.year + 1):
        try:
            candidates.append(_to_utc(stamp, stamp.when.replace(year=year), clock, time_zone))
        except ValueError:  # 29 February of a year that has none
            continue
    possible = [moment for moment in candidates if moment <= received_at + FUTURE_TOLERANCE]
    return min(possible, key=lambda moment: abs(moment - received_at), default=None)


def _to_utc(stamp: Stamp, when: datetime, clock: str, time_zone: str | None) -> datetime:
    if clock == "local" and (zone := _zone(time_zone)) is not None:
        return when.replace(tzinfo=zone).astimezone(UTC)
    offset = stamp.offset_s if clock == "iso" and stamp.offset_s is not None else 0
    return when.replace(tzinfo=UTC) - timedelta(seconds=offset)


@lru_cache(maxsize=256)
def _zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
