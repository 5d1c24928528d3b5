"""What the standards and the vendor ask of a syslog receiver, seen from the event that comes out."""

from datetime import datetime

import pytest
from huawei_lines import registry
from hypothesis import given
from hypothesis import strategies as st

from eventd.decode import Decoder
from eventd.inventory import Device, Inventory
from eventd.model import Event, Malformed, Message, utc
from eventd.parse.snmp import Access

ARRIVAL = "2026-11-21T04:00:05+00:00"
BODY = "%%01IPSEC/4/IPSECTUNNELSTOP(l)[5]:The IPSec tunnel is deleted. (DstIP=203.0.113.7, OfflineReason=dpd timeout)"


def decoded(
    payload: str | bytes, arrival: str = ARRIVAL, source: str = "192.0.2.1", device: Device | None = None
) -> Event | Malformed:
    data = payload.encode() if isinstance(payload, str) else payload
    decoder = Decoder(registry(), Inventory([device] if device else []), Access([]))
    return decoder.decode(Message("syslog-udp", source, 514, datetime.fromisoformat(arrival).timestamp(), data))


def event(payload: str | bytes, **known: str | Device) -> Event:
    found = decoded(payload, **known)  # type: ignore[arg-type]
    assert isinstance(found, Event), found
    return found


# --- what is missing --------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3164 §4.3.3", "a message without PRI is taken, and says nothing of its priority")
@pytest.mark.parametrize("text", ["Use the BFG!", f"Nov 21 04:00:00 FW1 {BODY}", f"{BODY}", "\t indented", "ÿ"])
def test_a_message_without_pri(text) -> None:
    found = event(text)
    assert (found.header.pri, found.severity) == (None, "major" if BODY in text else "info")
    assert found.event == ("ipsec.tunnel.stop" if BODY in text else None)


@pytest.mark.conformance("RFC 3164 §4.1.2", "a message without a host name is its sender's")
@pytest.mark.parametrize("source", ["192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("head", ["", "<188>", "<188>Nov 21 2026 04:00:00 ", "<188>1 2026-11-21T04:00:00Z - - - - - "])
def test_a_message_without_host_name(head, source) -> None:
    found = event(head + BODY, source=source)
    assert (found.event, found.hostname, found.device) == ("ipsec.tunnel.stop", None, source)


@pytest.mark.conformance("RFC 3164 §4.3.2", "a message without a time, or with one that cannot be, goes by its arrival")
@pytest.mark.parametrize(
    "printed",
    [
        "",
        "0.109391473 ",
        "Nov 21 2026 14:99:16 ",
        "Nov 31 2026 04:00:00 ",
        "Feb 29 2025 04:00:00 ",
        "2026-13-01 04:00:00 ",
        "2026-11-21 24:00:01 ",
        "Nov 21 2026 04:00:00+25:00 ",
    ],
)
def test_a_message_without_a_time(printed) -> None:
    found = event(f"<188>{printed}FW1 {BODY}")
    assert (found.event, found.device, found.device_time) == ("ipsec.tunnel.stop", "FW1", None)
    assert found.received_at == datetime.fromisoformat(ARRIVAL)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3164 §4.1.2", "a missing year around New Year")
@pytest.mark.parametrize(
    ("printed", "arrival", "year"),
    [
        ("Dec 31 23:59:59", "2026-01-01T00:00:01+00:00", 2025),
        ("Dec 31 23:59:59", "2025-12-31T23:59:59+00:00", 2025),
        ("Jan  1 00:00:00", "2025-12-31T23:59:59+00:00", 2026),
        ("Jan  1 07:59:59", "2025-12-31T23:59:59+00:00", 2026),  # local time east of Greenwich
        ("Jan  2 01:59:58", "2025-12-31T23:59:59+00:00", 2026),  # 26 h less a second
        ("Jan  2 02:00:00", "2025-12-31T23:59:59+00:00", 2025),
        ("Dec 31 16:00:00", "2026-01-01T00:00:00+00:00", 2025),  # local time west of Greenwich
        ("Jun 30 12:00:00", "2026-01-01T00:00:00+00:00", 2025),
        ("Feb 29 12:00:00", "2024-03-01T00:00:00+00:00", 2024),
    ],
)
def test_a_missing_year_around_new_year(printed, arrival, year) -> None:
    found = event(f"<188>{printed} FW1 {BODY}", arrival=arrival)
    assert found.device_time is not None
    assert found.device_time.year == year


@pytest.mark.conformance("Huawei info-center timestamp", "zone and meaning of the clock, as the inventory has them")
@pytest.mark.parametrize(
    ("printed", "clock", "zone", "utc_time"),
    [
        ("Jan 8 2013 03:58:15+07:00", "iso", None, "2013-01-07T20:58:15"),
        # The S-series reference: the clock shows UTC, and 10:58:15 is the local time.
        ("Jan 8 2013 03:58:15+07:00", "add-offset", None, "2013-01-08T03:58:15"),
        ("Jan 8 2013 03:58:15+07:00", "local", "Asia/Shanghai", "2013-01-07T19:58:15"),
        ("Jan 8 2013 03:58:15-08:00", "local", "Asia/Shanghai", "2013-01-07T19:58:15"),  # eNSP
        ("Jan 8 2013 03:58:15", "local", "Europe/Berlin", "2013-01-08T02:58:15"),
        ("Jul 8 2013 03:58:15", "local", "Europe/Berlin", "2013-07-08T01:58:15"),
        ("Jul 08 2026 09:35:45+02:00 DST", "iso", None, "2026-07-08T07:35:45"),
        ("Jul 08 2026 09:35:45 DST", "local", "Europe/Berlin", "2026-07-08T07:35:45"),
        ("2013-01-08 03:58:15", "local", "Asia/Kolkata", "2013-01-07T22:28:15"),
        ("Jan 8 2013 03:58:15", "iso", "Asia/Shanghai", "2013-01-08T03:58:15"),
    ],
)
def test_the_clock_of_a_device(printed, clock, zone, utc_time) -> None:
    device = Device(name="FW1", clock=clock, time_zone=zone)
    found = event(f"<188>{printed} FW1 {BODY}", device=device)
    assert found.device_time == datetime.fromisoformat(utc_time + "+00:00")


@pytest.mark.conformance("RFC 5424 §6.2.3", "fractions of one to six digits, and longer ones cut to microseconds")
@pytest.mark.parametrize("digits", range(1, 10))
def test_a_fraction_of_any_length(digits) -> None:
    found = event(f"<188>1 2026-11-21T04:00:00.{'123456789'[:digits]}Z FW1 app - - - text")
    assert found.device_time == utc(1_795_233_600).replace(microsecond=int("123456789"[:digits][:6].ljust(6, "0")))


@pytest.mark.conformance("RFC 5424 §6.2.3", "a fraction that no clock has costs the time and nothing else")
def test_a_fraction_without_end() -> None:
    found = event(f"<188>1 2026-11-21T04:00:00.{'1' * 40}Z FW1 app - - - text")
    assert (found.device, found.device_time) == ("FW1", None)


# --- nothing is lost --------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5424 §8.5", "what cannot be read is kept as it came, with the reason and the place")
@pytest.mark.parametrize(
    ("payload", "reason", "offset"),
    [
        (b"<192>x", "bad_pri", 1),
        (b"<013>x", "bad_pri", 1),
        (b"<188>1 2026-11-21T04:00:00Z FW1", "bad_header", 5),
        (b"", "empty", 0),
        (b" \r\n\0", "empty", 0),
    ],
)
def test_what_cannot_be_read_is_kept(payload, reason, offset) -> None:
    found = decoded(payload)
    assert isinstance(found, Malformed)
    assert (found.error.reason, found.error.offset, found.raw) == (reason, offset, payload.decode())


@pytest.mark.conformance("RFC 5424 §8.5", "every message is an event or a refusal, and its octets are in it")
@given(st.binary(max_size=300))
def test_every_octet_of_every_message_is_kept(payload) -> None:
    assert decoded(payload).raw == payload.decode("utf-8", "backslashreplace")


@pytest.mark.conformance("RFC 5424 §6.4", "octets that are no text reach the event as escapes, the rest as it is")
@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\xb7\xd6\xd6\xa7", "分支"),
        ("分支".encode(), "分支"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\xffb", "a\\xffb"),
        (b"\x80", "\\x80"),
        (b"\xb7\xd6\xff", "\\xb7\\xd6\\xff"),
        ("é".encode("latin-1") + b" zone", "\\xe9 zone"),
    ],
)
def test_octets_that_are_no_text(octets, text) -> None:
    found = event(b"<188>Nov 21 2026 04:00:00 FW1 " + BODY.encode().replace(b"dpd timeout", octets))
    assert found.reason is not None
    assert (found.reason.text, found.peer) == (text, "203.0.113.7")
