"""What we write in any layout, our parser reads: every form with every time stamp and every value style."""

from datetime import UTC, datetime, timedelta, timezone

import fakehandlers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.model import Stamp, SyslogRecord
from eventd.parse.syslog import parse_syslog
from eventd.sender.syslog import FORMS, RELAY, TIMESTAMPS, VALUE_STYLES, Layout, body, compose, timestamps
from eventd.sender.templates import SendError

STOP = fakehandlers.STOP_SYSLOG
WHEN = datetime(2026, 7, 8, 9, 35, 40, 460_000, timezone(timedelta(hours=2)))
SECONDS = WHEN.replace(tzinfo=None, microsecond=0)
MILLIS = SECONDS.replace(microsecond=460_000)
#: kind → what a reader can know of it
STAMPS = {
    "date": Stamp(SECONDS),
    "date-zone": Stamp(SECONDS, 7200),
    "dst": Stamp(SECONDS, 7200, True),
    "subsecond": Stamp(MILLIS),
    "format-date": Stamp(SECONDS),
    "slashes": Stamp(SECONDS),
    "rfc3339": Stamp(MILLIS, 7200),
    "boot": None,
    "none": None,
}
PAIRS = [(form, kind) for form in FORMS for kind in timestamps(form)]


def read(form: str, kind: str | None = None, style: str = "bare", hostname: str = "FW-A.b_1") -> SyslogRecord:
    layout = Layout(form=form, timestamp=kind, value_style=style, hostname=hostname)
    return parse_syslog(compose(STOP, {"peer": "2001:db8::7", "reason": "peer request"}, WHEN, 12, layout))


@pytest.mark.parametrize(("form", "kind"), PAIRS)
@pytest.mark.parametrize("style", sorted(VALUE_STYLES))
def test_every_form_with_every_time_stamp_is_read_back(form: str, kind: str, style: str) -> None:
    record = read(form, kind, style)
    assert record.text.endswith(body(STOP, {"peer": "2001:db8::7", "reason": "peer request"}, style))
    # The console prints no host name; one behind a missing time stamp is not looked for.
    if form != "I" and (form, kind) != ("rfc5424", "none"):
        assert record.hostname == "FW-A.b_1"
    if form != "J":
        assert (record.mnemonic, record.level) == ("IPSECTUNNELSTOP", 4) or form == "I"
    if kind in STAMPS:
        assert record.stamp == STAMPS[kind]
    else:
        assert record.stamp is not None
        assert (record.stamp.when.month, record.stamp.when.day, record.stamp.when.time()) == (7, 8, SECONDS.time())


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_for_what_it_is(form: str) -> None:
    record = read(form)
    assert record.form == ("C" if form in ("rfc5424", "rfc3164") else form)  # what a relay wraps keeps its form
    assert record.relay == (RELAY if form == "rfc3164" else None)
    assert record.pri == (188 if form not in ("H", "I", "J") else None)
    assert record.mark == {"A": "l", "B": "l", "D": "l", "E": "l", "F": "l", "G": "t"}.get(form)
    assert record.seq == (12 if form in "ABDI" else None)
    assert record.oid == (STOP.oid if form in ("C", "D", "G", "H", "rfc5424", "rfc3164") else None)
    assert record.suffix == ("active" if form in "FI" else None)


def test_forms_with_a_time_stamp_of_their_own_refuse_others() -> None:
    with pytest.raises(SendError, match="form J cannot carry a date time stamp, only rfc3339"):
        read("J", "date")


def test_value_styles_are_those_seen_on_wires() -> None:
    values = {"peer": "192.0.2.7", "reason": "peer request", "conn_id": "7"}
    assert body(STOP, values, "bare").endswith(
        "DstIP=192.0.2.7, SrcIP=192.0.2.1, OfflineReason=peer request, ConnID=7)"
    )
    assert body(STOP, values, "quoted").endswith(
        'DstIP=192.0.2.7, SrcIP=192.0.2.1, OfflineReason="peer request", ConnID=7)'
    )
    assert body(STOP, values, "bracketed").endswith("SrcIP=[192.0.2.1], OfflineReason=[peer request], ConnID=[7])")


def test_a_key_without_value_and_default_is_left_out() -> None:
    assert "ConnID" not in body(STOP, {}, "bare")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("date", "Mar  1 2026 00:00:09"),
        ("date-zone", "Mar  1 2026 00:00:09-04:30"),
        ("dst", "Mar  1 2026 00:00:09-04:30 DST"),
        ("subsecond", "Mar  1 2026 00:00:09.007.1"),
        ("format-date", "2026-03-01 00:00:09"),
        ("slashes", "2026/03/01 00:00:09"),
        ("short-date", "Mar  1 00:00:09"),
        ("boot", "0.86409007"),
        ("rfc3339", "2026-03-01T00:00:09.007000-04:30"),
        ("none", ""),
    ],
)
def test_time_stamps_look_as_devices_print_them(kind: str, text: str) -> None:
    when = datetime(2026, 3, 1, 0, 0, 9, 7000, timezone(-timedelta(hours=4, minutes=30)))
    assert TIMESTAMPS[kind](when) == text


@given(st.datetimes(SECONDS.replace(year=2000), SECONDS.replace(year=2099)), st.sampled_from(sorted(STAMPS)))
def test_any_moment_is_read_back(when: datetime, kind: str) -> None:
    record = parse_syslog(compose(STOP, {}, when.replace(tzinfo=UTC), 1, Layout(form="A", timestamp=kind)))
    if STAMPS[kind] is not None:
        assert record.stamp is not None
        assert abs(record.stamp.when - when) < timedelta(seconds=1)
    assert record.hostname == "FW1"
