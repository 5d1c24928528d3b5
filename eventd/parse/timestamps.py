"""Timestamps of devices: every kind that info-center prints, RFC 3164, RFC 3339 and Comware's.

Two steps, because what a printed offset means depends on the device: `parse_stamp` reads what is printed, `resolve`
turns it into UTC under that device's clock rule. Nothing here judges; eventd orders by arrival.

Sources: ``info-center timestamp`` of USG (usg.zrnko.cz, info_center_timestamp) and of S-series (a10.tagan.ru,
info-center_timestamp); Comware's kinds from the F1000-E and MSR 5600 manuals; captures for the rest.
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

#: Stands for a year that was not printed: a leap year, so that 29 February survives until `resolve`.
NO_YEAR = 2000

#: 29 February without a year may be this far back (1896 to 1904 and 2096 to 2104 are the longest gaps).
LEAP_GAP_YEARS = 8

#: Stamps come in runs within one second from many devices; each distinct one is taken apart once (6 µs, 300 bytes). Few
#: of them are as many as the seconds by which the clocks of a fleet differ.
CACHED_STAMPS = 512

# Milliseconds, behind which some VRP releases print a second dotted number of unknown meaning; Comware's console puts
# a colon before the milliseconds.
_CLOCK = rb"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9})(?:\.\d{1,6})?)?"
# Each is taken where it stands, and not left to what follows. A possessive quantifier would say that shorter, but in
# Python 3.11.2, which Debian 12 has, a group in one has matched nothing.
_OFFSET, _SUMMER = rb"(?:[Zz]| ?[+-]\d\d:?\d\d)(?![\w:])", rb" DST(?!\S)"
_ZONE = rb"(?:(?P<zone>%s)|(?!%s))(?:(?P<dst>%s)|(?!%s))" % (_OFFSET, _OFFSET, _SUMMER, _SUMMER)

_DAY = rb"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(?P<day>\d{1,2}) {1,2}"
# Comware's ``Oct 9 14:59:04 2009``
_YEAR_LAST = _DAY + _CLOCK + rb" (?P<year>(?:19|20)\d\d)(?!\S)" + _ZONE
# ``Sep 15 2026 21:12:05``, ``Oct  5 2018 …``, ``Jun  1 10:02:03``
_LETTERED = _DAY + rb"(?:(?P<year>\d{4}) {1,2})?" + _CLOCK + _ZONE
# ``2018-10-05 10:52:13``, ``2018-7-23 01:00:34.270.1``, ``2018/10/05 09:52:14``, RFC 3339
_NUMERIC = rb"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})[ Tt]" + _CLOCK + _ZONE
# ``0.109391473``: milliseconds since start, in two 32-bit halves. Names no day.
_BOOT = rb"\d{1,10}\.\d{3,10}(?= )"


def _without_groups(pattern: bytes) -> bytes:
    return re.sub(rb"\(\?P<\w+>", rb"(?:", pattern)


_END = rb"(?![\w.])"
_FORMATS = (_YEAR_LAST, _LETTERED, _NUMERIC)
_KINDS = tuple(re.compile(kind + _END) for kind in _FORMATS)
#: One printed wall-clock time as a pattern without groups, to be built into patterns for whole headers.
WALL = rb"(?:" + rb"|".join(map(_without_groups, _FORMATS)) + rb")" + _END
#: The same, or time since start.
STAMP = rb"(?:" + WALL + rb"|" + _BOOT + rb")"


@lru_cache(maxsize=CACHED_STAMPS)
def parse_stamp(printed: bytes) -> Stamp | None:
    """What one printed timestamp says; None for time since start and for a moment that does not exist (14:99:16)."""
    for kind in _KINDS:
        if match := kind.fullmatch(printed):
            try:
                return _stamp(match)
            except ValueError:
                return None
    return None


def year_last(printed: bytes) -> bool:
    """Whether the year stands behind the time, as only Comware prints it."""
    return printed[-5:-4] == b" " and printed[-4:].isdigit()


def _stamp(match: re.Match[bytes]) -> Stamp:
    year = match["year"]
    month = MONTHS.get(match["month"]) or int(match["month"])
    second = 59 if match["second"] == b"60" else int(match["second"])  # a leap second, which datetime has not
    micros = int((match["fraction"] or b"0")[:6].ljust(6, b"0"))
    clock = int(match["hour"]), int(match["minute"]), second, micros
    when = datetime(int(year or NO_YEAR), month, int(match["day"]), *clock, tzinfo=UTC)
    return Stamp(when.replace(tzinfo=None), _offset(match["zone"]), match["dst"] is not None, year is not None)


def _offset(printed: bytes | None) -> int | None:
    """Seconds east of UTC; ValueError where no zone can be so far off (RFC 3339 section 5.6)."""
    if printed is None:
        return None
    if printed in (b"Z", b"z"):
        return 0
    sign, digits = printed.lstrip()[:1], printed.lstrip()[1:].replace(b":", b"")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(printed)
    seconds = hours * 3600 + minutes * 60
    return -seconds if sign == b"-" else seconds


def resolve(stamp: Stamp | None, clock: str, time_zone: str | None, received_at: datetime) -> datetime | None:
    """Device time in UTC, or None where the device printed none. Never raises.

    ``clock``: ``iso`` the offset as ISO 8601 reads it, none = UTC; ``add-offset`` the clock shows UTC and the offset is
    only information; ``local`` the clock shows local time of ``time_zone``, whatever offset is printed (None where
    that zone is unknown: a wrong time is worse than none).
    """
    if stamp is None:
        return None
    if stamp.year_known and clock != "local":
        return _absolute(stamp, clock)
    years = [stamp.when.year]
    if not stamp.year_known:
        # The latest possible year is the nearest one that the tolerance allows.
        years = list(range(received_at.year + 1, received_at.year - LEAP_GAP_YEARS - 1, -1))
    for year in years:
        try:
            moment = _in_utc(stamp, stamp.when.replace(year=year), clock, time_zone, received_at)
        except (ValueError, OverflowError):  # 29 February of a year that has none; year 1 or 9999 moved out of range
            continue
        if moment is None or stamp.year_known or moment - received_at <= FUTURE_TOLERANCE:
            return moment
    return None


def _in_utc(stamp: Stamp, when: datetime, clock: str, time_zone: str | None, received_at: datetime) -> datetime | None:
    if clock == "local":
        zone = _zone(time_zone)
        return None if zone is None else _in_zone(when, zone, stamp.dst, received_at)
    return _less_offset(stamp, when, clock)


@lru_cache(maxsize=CACHED_STAMPS)
def _absolute(stamp: Stamp, clock: str) -> datetime | None:
    """The moment of a stamp that says all, whenever it came; None where it is out of range."""
    try:
        return _less_offset(stamp, stamp.when, clock)
    except OverflowError:
        return None


def _less_offset(stamp: Stamp, when: datetime, clock: str) -> datetime:
    offset = stamp.offset_s if clock == "iso" else None
    return when.replace(tzinfo=UTC) - timedelta(seconds=offset or 0)


def _in_zone(when: datetime, zone: zoneinfo.ZoneInfo, dst: bool, received_at: datetime) -> datetime:
    """Local time to UTC; of the two readings of an hour that is repeated in autumn the one with DST where the stamp
    says so, else the one nearer to arrival."""
    first, second = (when.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if dst or abs(first - received_at) <= abs(second - received_at) else second


@lru_cache(maxsize=256)
def _zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return None
