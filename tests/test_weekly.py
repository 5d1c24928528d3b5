"""Windows that come back every week."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.weekly import always, covers, windows

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mon 08:00-18:00", [(480, 600)]),
        ("mon 8:00 - 18:00", [(480, 600)]),
        ("Mon 22:00-06:00", [(1320, 480)]),
        ("Sat 22:00-Sun 02:00", [(5 * 1440 + 1320, 240)]),
        ("Sun 22:00-Mon 02:00", [(6 * 1440 + 1320, 240)]),
        ("Mon 08:00-Mon 08:00", [(480, 7 * 1440)]),
        ("Mon-Wed 00:00-24:00", [(0, 1440), (1440, 1440), (2880, 1440)]),
        ("Sat-Mon 01:00-02:00", [(5 * 1440 + 60, 60), (6 * 1440 + 60, 60), (60, 60)]),
        ("daily 22:00-07:00", [(day * 1440 + 1320, 540) for day in range(7)]),
    ],
)
def test_what_a_text_names(text: str, found: list[tuple[int, int]]) -> None:
    assert list(windows(text)) == found


@given(st.integers(0, 7 * 1440 - 1), st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1439))
def test_a_window_holds_from_its_begin_to_its_end(minute: int, day: int, begin: int, end: int) -> None:
    name = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day]
    text = f"{name} {begin // 60}:{begin % 60:02}-{end // 60}:{end % 60:02}"
    length = (end - begin) % 1440 or 1440
    inside = (minute - day * 1440 - begin) % (7 * 1440) < length
    assert (covers((text,), UTC, (MONDAY + timedelta(minutes=minute)).timestamp()) is not None) == inside


def test_the_clock_of_the_zone_counts_also_when_it_changes() -> None:
    paris = ZoneInfo("Europe/Paris")
    night = datetime(2026, 10, 25, 0, 30, tzinfo=paris)  # at 3:00 clocks go back to 2:00
    end = covers(("Sat 22:00-Sun 07:00",), paris, night.timestamp())
    assert end is not None
    assert datetime.fromtimestamp(end, paris) == datetime(2026, 10, 25, 7, tzinfo=paris)
    assert end - night.timestamp() == 7.5 * 3600


def test_of_two_windows_the_one_that_ends_later_counts() -> None:
    at = (MONDAY + timedelta(hours=9)).timestamp()
    assert covers(("Mon 08:00-10:00", "daily 07:00-12:00"), UTC, at) == (MONDAY + timedelta(hours=12)).timestamp()


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        ((), False),
        (("daily 00:00-24:00",), True),
        (("daily 07:00-07:00",), True),
        (("Tue 08:00-Tue 08:00",), True),
        (("daily 22:00-07:00", "daily 07:00-22:00"), True),
        (("Mon-Fri 00:00-24:00", "Sat 00:00-Mon 00:00"), True),
        (("daily 22:00-07:00", "daily 07:01-22:00"), False),
        (("Mon 00:00-Sun 23:59",), False),
        (("Tue-Sun 00:00-24:00",), False),
    ],
)
def test_whether_a_time_is_left_that_is_in_no_window(texts: tuple[str, ...], whole: bool) -> None:
    assert always(texts) is whole
