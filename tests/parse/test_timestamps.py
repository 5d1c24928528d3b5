"""Every kind of timestamp that devices print, and what it means under each clock rule."""

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from examples import some
from hypothesis import given
from hypothesis import strategies as st
from syslog_strategies import FORMS, STAMP_KINDS

from eventd.model import Stamp
from eventd.parse.syslog import parse_any, parse_syslog
from eventd.parse.timestamps import FUTURE_TOLERANCE, STAMP, parse_stamp, resolve, year_last

SECONDS = datetime(2026, 7, 8, 9, 35, 40)  # noqa: DTZ001  what a device prints has no zone
MILLIS = SECONDS.replace(microsecond=460_000)
NO_YEAR = SECONDS.replace(year=2000)
HOSTS = ("FW1", "HUAWEI-USG_6300.site-a", "192.0.2.1", "2001:db8::1", "4GT-X", "DSTFW", "北京")
EXPECTED = {
    "date": Stamp(SECONDS),
    "date-unpadded": Stamp(SECONDS),
    "date-zero": Stamp(SECONDS),
    "date-zone": Stamp(SECONDS, 7200),
    "date-blank-zone": Stamp(SECONDS, 7200),
    "date-west": Stamp(SECONDS, -14400),
    "dst": Stamp(SECONDS, 7200, True),
    "dst-bare": Stamp(SECONDS, None, True),
    "tenth": Stamp(SECONDS.replace(microsecond=400_000)),
    "millisecond": Stamp(MILLIS),
    "two-fractions": Stamp(MILLIS, 7200, True),
    "format-date": Stamp(SECONDS),
    "format-date-unpadded": Stamp(MILLIS),
    "slashes": Stamp(SECONDS),
    "short-date": Stamp(NO_YEAR, year_known=False),
    "short-date-zone": Stamp(NO_YEAR, 7200, year_known=False),
    "boot": None,
    "rfc3339": Stamp(SECONDS.replace(microsecond=460_123), 0),
    "rfc3339-z": Stamp(SECONDS, 0),
    "iso": Stamp(SECONDS),
    "comware": Stamp(SECONDS),
    "comware-console": Stamp(MILLIS),
    "impossible": None,
}


@pytest.mark.conformance("Huawei info-center timestamp", "every printed kind of time")
@pytest.mark.parametrize("kind", STAMP_KINDS)
def test_every_kind_is_read(kind) -> None:
    assert parse_stamp(STAMP_KINDS[kind].encode()) == EXPECTED[kind]


@pytest.mark.parametrize("kind", STAMP_KINDS)
def test_every_kind_in_every_form_leaves_host_name_and_tag_alone(kind) -> None:
    for form, host in itertools.product(FORMS, HOSTS):
        payload = FORMS[form].format(stamp=STAMP_KINDS[kind], host=host).encode()
        record = parse_syslog(payload)
        assert (record.stamp, record.hostname) == (EXPECTED[kind], host), payload
        tag = (record.module, record.level, record.mnemonic, record.text)
        assert tag == ("IPSEC", 4, "IPSECTUNNELSTOP", "gone"), payload
        assert record.form == ("comware" if kind.startswith("comware") else form), payload
        assert record.oid == ("1.3.6.1.4.1.2011.6.122.26.6.2" if form in "CDGH" else None), payload
        assert parse_any(payload) == record, payload


@pytest.mark.parametrize(
    "stamp",
    ["21Sep2026 10:00:00", "Sept 15 2026 21:12:05", "1789500000", "20260915T211205", "15.09.2026 21:12:05", "21:12:05"],
)
@pytest.mark.parametrize("form", FORMS)
def test_no_part_of_an_unknown_kind_becomes_the_host_name(form, stamp) -> None:
    record = parse_syslog(FORMS[form].format(stamp=stamp, host="FW1").encode())
    assert (record.stamp, record.hostname, record.mnemonic) == (None, None, "IPSECTUNNELSTOP")


@pytest.mark.conformance("RFC 3164 §4.3.2", "a time that does not exist is taken off the line and is no time")
@pytest.mark.parametrize(
    "printed",
    [
        "Feb 30 2026 10:00:00",
        "Nov 21 2026 24:00:00",
        "Nov 21 2026 14:99:16",
        "Nov 21 2026 10:00:61",
        "2026-13-01 10:00:00",
        "0000-01-01 10:00:00",
        "2026-11-21T10:00:00+24:00",
        "2026-11-21T10:00:00+01:60",
        "Feb 30 10:00:00",
    ],
)
def test_a_moment_that_does_not_exist_is_no_time_but_is_taken_off_the_line(printed) -> None:
    assert parse_stamp(printed.encode()) is None
    assert re.compile(STAMP).fullmatch(printed.encode())
    record = parse_syslog(FORMS["A"].format(stamp=printed, host="FW1").encode())
    assert (record.stamp, record.hostname) == (None, "FW1")


@pytest.mark.conformance("RFC 5424 §6.2.3", "a leap second is the second before it")
def test_a_leap_second_is_the_second_before() -> None:
    assert parse_stamp(b"Dec 31 2016 23:59:60") == Stamp(datetime(2016, 12, 31, 23, 59, 59))  # noqa: DTZ001


@pytest.mark.conformance("RFC 3164 §4.1.2", "29 February without a year")
def test_29_february_without_a_year_is_kept() -> None:
    stamp = parse_stamp(b"Feb 29 10:00:00")
    assert stamp is not None
    assert not stamp.year_known
    assert resolve(stamp, "iso", None, at("2028-03-01T00:00")) == at("2028-02-29T10:00")
    assert resolve(stamp, "iso", None, at("2026-03-01T00:00")) == at("2024-02-29T10:00")
    assert resolve(stamp, "iso", None, at("2103-03-01T00:00")) == at("2096-02-29T10:00")


@pytest.mark.conformance("H3C information center timestamp", "the year behind the time")
def test_only_comware_prints_the_year_last() -> None:
    assert {kind for kind, printed in STAMP_KINDS.items() if year_last(printed.encode())} == {
        "comware",
        "comware-console",
    }


# --- meaning -------------------------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ARRIVAL = at("2026-07-08T12:00")


@pytest.mark.conformance("Huawei info-center timestamp", "zone and meaning of the offset per device")
@pytest.mark.parametrize(
    ("printed", "clock", "zone", "expected"),
    [
        ("Jul 08 2026 09:35:40", "iso", None, "2026-07-08T09:35:40"),
        ("Jul 08 2026 09:35:40+02:00", "iso", None, "2026-07-08T07:35:40"),
        ("Jul 08 2026 09:35:40-04:00", "iso", None, "2026-07-08T13:35:40"),
        ("Jul 08 2026 09:35:40+02:00", "iso", "Asia/Shanghai", "2026-07-08T07:35:40"),
        # The S-series reference reads 03:58:15+07:00 as local 10:58:15: the clock shows UTC.
        ("Jan 8 2013 03:58:15+07:00", "add-offset", None, "2013-01-08T03:58:15"),
        ("Jan 8 2013 03:58:15", "add-offset", None, "2013-01-08T03:58:15"),
        ("Jul 08 2026 09:35:40", "local", "Asia/Shanghai", "2026-07-08T01:35:40"),
        # Simulators print -08:00 for Chinese time.
        ("Jul 08 2026 09:35:40-08:00", "local", "Asia/Shanghai", "2026-07-08T01:35:40"),
        ("Jul 08 2026 09:35:40+02:00 DST", "local", "Europe/Berlin", "2026-07-08T07:35:40"),
        ("Jan 08 2026 09:35:40", "local", "Europe/Berlin", "2026-01-08T08:35:40"),
        ("2026-07-08T09:35:40.460123Z", "iso", None, "2026-07-08T09:35:40.460123"),
    ],
)
def test_what_an_offset_means_is_the_devices_clock_rule(printed, clock, zone, expected) -> None:
    assert resolve(parse_stamp(printed.encode()), clock, zone, ARRIVAL) == at(expected)


@pytest.mark.conformance("Huawei info-center timestamp", "local time of an unknown zone is no time")
@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "Europe", "../../etc/passwd", "\0"])
def test_local_time_of_an_unknown_zone_is_unknown(zone) -> None:
    assert resolve(Stamp(SECONDS, 7200), "local", zone, ARRIVAL) is None


@pytest.mark.conformance("Huawei info-center timestamp", "the hour that comes twice in autumn")
@pytest.mark.parametrize(
    ("printed", "arrival", "expected"),
    [
        ("Oct 25 2026 02:30:00 DST", "2026-10-25T10:00", "2026-10-25T00:30"),
        ("Oct 25 2026 02:30:00", "2026-10-25T00:31", "2026-10-25T00:30"),
        ("Oct 25 2026 02:30:00", "2026-10-25T01:31", "2026-10-25T01:30"),
    ],
)
def test_an_hour_that_comes_twice_is_told_by_the_word_dst_or_by_arrival(printed, arrival, expected) -> None:
    assert resolve(parse_stamp(printed.encode()), "local", "Europe/Berlin", at(arrival)) == at(expected)


@pytest.mark.conformance("RFC 3164 §4.1.2", "a missing year is the nearest one, at most 26 hours ahead")
@pytest.mark.parametrize(
    ("printed", "arrival", "expected"),
    [
        ("Jul  8 09:35:40", "2026-07-08T09:35:41", "2026-07-08T09:35:40"),
        ("Dec 31 23:59:58", "2027-01-01T00:00:03", "2026-12-31T23:59:58"),
        ("Jan  1 00:00:05", "2026-12-31T23:59:59", "2027-01-01T00:00:05"),
        ("Jan  1 08:00:00", "2026-12-31T16:00:00", "2027-01-01T08:00:00"),
        ("Jan  2 01:00:00", "2026-12-31T23:30:00", "2027-01-02T01:00:00"),
        ("Jan  2 02:00:00", "2026-12-31T23:30:00", "2026-01-02T02:00:00"),
        ("Dec 31 16:00:00-08:00", "2027-01-01T00:00:10", "2027-01-01T00:00:00"),
        ("Jan  1 07:59:59+08:00", "2027-01-01T00:00:10", "2026-12-31T23:59:59"),
        ("Nov 23 12:00:00", "2026-11-21T00:00:00", "2025-11-23T12:00:00"),
    ],
)
def test_a_missing_year_is_the_nearest_with_26_hours_of_future(printed, arrival, expected) -> None:
    assert resolve(parse_stamp(printed.encode()), "iso", None, at(arrival)) == at(expected)


@pytest.mark.conformance("Huawei info-center timestamp", "time since start names no day")
def test_a_boot_stamp_or_none_names_no_day() -> None:
    assert resolve(parse_stamp(b"0.109391473"), "iso", None, ARRIVAL) is None
    assert resolve(None, "local", "Europe/Berlin", ARRIVAL) is None


offsets = st.none() | st.integers(-86_340, 86_340)
stamps = st.builds(Stamp, st.datetimes(), offsets, st.booleans(), st.booleans())
arrivals = st.datetimes(timezones=st.just(UTC))
clocks = st.sampled_from(["iso", "add-offset", "local"])
zones = st.sampled_from([None, "UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Nowhere"])


@some(100)
@given(stamps, clocks, zones, arrivals)
def test_meaning_is_found_or_not_but_never_raises(stamp, clock, zone, arrival) -> None:
    moment = resolve(stamp, clock, zone, arrival)
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.conformance("RFC 3164 §4.1.2", "every moment of a year is found without its year")
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.integers(-363 * 86400, 26 * 3600 - 1),
)
def test_whoever_sent_within_a_year_is_placed_right_without_the_year(arrival, ahead) -> None:
    arrived = arrival.replace(tzinfo=UTC)
    sent = (arrived + timedelta(seconds=ahead)).replace(microsecond=0)
    stamp = parse_stamp(f"{sent:%b} {sent.day:2} {sent:%H:%M:%S}".encode())
    moment = resolve(stamp, "iso", None, arrived)
    assert moment == sent
    assert moment - arrived <= FUTURE_TOLERANCE


@some(100)
@given(st.one_of(st.binary(max_size=60), st.from_regex(re.compile(STAMP), fullmatch=True)))
def test_any_bytes_are_a_stamp_or_none(data) -> None:
    stamp = parse_stamp(data)
    assert stamp is None or stamp.when.tzinfo is None
