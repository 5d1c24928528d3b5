"""Times by the clock of a channel's zone: which are put into it, which are not, and what is wrong with a zone."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from channel_kinds import TAKEN
from chat_server import ChatServer, answer
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_incident, make_notification, make_resolved

from eventd import weekly
from eventd.config import load
from eventd.errors import ConfigError
from eventd.model import Reason
from eventd.notify import localtime, wecom
from eventd.notify.markup import BARE
from eventd.notify.render import plain
from eventd.notify.session import Session
from eventd.notify.template import Renderer, own_template
from eventd.notify.words import words

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEAR = datetime(2023, 11, 14, 22, 13, tzinfo=UTC)
SAID = "timer 22:13 UTC, last 22:14:00"
OPENED = make_incident(
    opened_at=NEAR,
    title=f"b1 down on FW1: {SAID}, since 22:13 UTC",
    summary=f"FW1: the tunnel to b1 is down: {SAID}. Since 2023-11-14 22:13:00 UTC.",
    chain=(f"22:13:00 tunnel stopped: {SAID}", "22:13:15 no start within 15 s (3 times, last 22:20:00)"),
    cause=Reason(SAID),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b1 down on FW1, since 22:13 UTC", "b1 down on FW1, since 06:13 +08:00"),
        ("b1 down on FW1, since 14 Nov 22:13 UTC", "b1 down on FW1, since 15 Nov 06:13 +08:00"),
        ("b1 在 FW1 上中断，始于 22:13 UTC", "b1 在 FW1 上中断，始于 06:13 +08:00"),
        ("b1 在 FW1 上中断，始于 11 月 14 日 22:13 UTC", "b1 在 FW1 上中断，始于 11 月 15 日 06:13 +08:00"),
        ("b1 up again on FW1 after 3 min", "b1 up again on FW1 after 3 min"),
        ("since 22:13 UTC or so", "since 22:13 UTC or so"),
        ("since 99:99 UTC", "since 06:13 +08:00"),
    ],
)
def test_a_title_says_its_time_by_the_clock_of_the_zone(text: str, shown: str) -> None:
    assert localtime.title(text, NEAR, SHANGHAI) == shown
    assert localtime.title(text, NEAR, UTC) == text


def test_a_line_of_the_chain() -> None:
    said = "22:13:00 link went down (GigabitEthernet0/0/1) is down since 20:01:02"
    assert (
        localtime.line(said, NEAR, SHANGHAI) == "06:13:00 link went down (GigabitEthernet0/0/1) is down since 04:01:02"
    )
    assert localtime.line(f"22:13:00 x: {SAID}", NEAR, SHANGHAI) == f"06:13:00 x: {SAID}"


def test_who_has_not_been_heard_of() -> None:
    said = "FW1: nothing at all has been heard of it since 22:13:00: its way. Since 2023-11-14 22:18:00 UTC."
    shown = localtime.sentences(said, NEAR, SHANGHAI)
    assert shown == (
        "FW1: nothing at all has been heard of it since 06:13:00 +08:00: its way. Since 2023-11-15 06:18:00 +08:00."
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_whole_message_and_its_fallback_have_no_time_of_another_clock(language: str) -> None:
    say = words(language, time_zone="Asia/Shanghai")  # type: ignore[arg-type]
    for told in (make_notification(incident=OPENED), make_notification(incident=make_resolved(opened_at=NEAR))):
        for text in (Renderer(own_template("message.j2"), BARE, say)(told), plain(told, say)):
            left = text.replace(SAID, "…")
            assert "UTC" not in left
            assert "22:1" not in left
            assert "2023-11-15 06:13:00 +08:00" in left
    text = Renderer(own_template("message.j2"), BARE, say)(make_notification(incident=OPENED))
    assert "06:13:00" in text
    assert "06:20:00" in text
    assert text.count(SAID) == 4, "what the device says stays: title, summary, reason and line"
    heading = {"en": "What happened (+08:00)", "zh": "经过（+08:00）"}[language]
    assert heading in text


@given(st.text(max_size=80), st.sampled_from([localtime.title, localtime.sentences, localtime.line]))
def test_no_text_breaks_it(text: str, way: object) -> None:
    assert isinstance(way(text, NEAR, SHANGHAI), str)  # type: ignore[operator]


def test_the_offset_is_that_of_the_day() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert localtime.moment(NEAR, paris) == "2023-11-14 23:13:00 +01:00"
    assert localtime.moment(NEAR.replace(month=7), paris) == "2023-07-15 00:13:00 +02:00"
    assert localtime.moment(NEAR, UTC) == "2023-11-14 22:13:00 UTC"


def written(folder: Path, text: str) -> str:
    file = folder / "eventd.toml"
    file.write_text(text)
    return str(file)


CHANNELS = """
[[channels]]
name = "noc"
type = "console"
[[channels]]
name = "oslo"
type = "console"
time_zone = "Europe/Oslo"
[[channels]]
name = "am"
type = "alertmanager"
urls = ["http://127.0.0.1:9"]
"""


def test_a_channel_has_its_own_zone_or_that_of_all(tmp_path: Path) -> None:
    zones = [
        [getattr(channel.settings, "time_zone", None) for channel in load(written(tmp_path, text)).channels]
        for text in (f'[notify]\ntime_zone = "Asia/Shanghai"\n{CHANNELS}', CHANNELS)
    ]
    assert zones == [["Asia/Shanghai", "Europe/Oslo", None], ["UTC", "Europe/Oslo", None]]


def test_a_zone_that_nobody_knows_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = f'[notify]\ntime_zone = "Asia/Shanghia"\n{CHANNELS}'.replace("Europe/Oslo", "CST")
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, bad))
    assert {(problem.key, problem.what) for problem in error.value.problems} == {
        ("notify.time_zone", "'Asia/Shanghia' is not a known time zone"),
        ("channels[1].time_zone", "'CST' is not a known time zone"),
    }
    monkeypatch.setattr(weekly, "available_timezones", set)
    with pytest.raises(ConfigError, match="no time zone data"):
        load(written(tmp_path, bad))


async def test_a_chat_is_told_by_its_own_clock() -> None:
    async with ChatServer() as server:
        server.always = answer(200, TAKEN["wecom"])
        settings = wecom.Settings(url=f"{server.url}/x", time_zone="Asia/Shanghai", language="zh")
        await wecom.NOTIFIER.build("noc", settings, Session()).deliver(make_notification(incident=OPENED))
        said = json.dumps(server.seen[0].json, ensure_ascii=False)
    assert "2023-11-15 06:13:00 +08:00" in said
