"""Why a notification waits, as `eventd outbox list` says it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from notify_fakes import make_notification

from eventd.cli.waits import since, stands, waits
from eventd.store.letters import make_letter
from eventd.web.answers import ChannelRow

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def letter(**changed: Any) -> Any:
    told = make_notification("noc", created_at=at(-5))
    return replace(make_letter(told, "pending", 0.0, None, (None, None, None, None, None)), **changed)


@pytest.mark.parametrize(
    ("changed", "channel", "says"),
    [
        ({}, {}, "in turn"),
        ({"state": "dead"}, {}, ""),
        ({"next_try_at": at(240), "held": True}, {}, "quiet hours until 07:00:00"),
        ({"next_try_at": at(15), "escalates": True}, {}, "told at 03:15:00 unless somebody acknowledges the incident"),
        ({"behind": "1f0c9a5577aabb"}, {"failing_since": at(-9)}, "after 1f0c9a5577, which is about the same incident"),
        ({"attempts": 2, "next_try_at": at(2)}, {}, "tried again at 03:02:00"),
        ({"attempts": 2, "next_try_at": at(-1)}, {}, "in turn"),
        (
            {"attempts": 2, "next_try_at": at(2), "error": "rate_limited: https://x answered 429, asks to wait 90 s"},
            {"failing_since": at(-9), "rests_until": at(2)},
            "channel fails since 02:51:00; channel rests as its far end asked until 03:02:00",
        ),
        (
            {"attempts": 2, "next_try_at": at(2), "error": "rate_limited: https://x answered 429"},
            {"failing_since": at(-9), "rests_until": at(2)},
            "channel fails since 02:51:00; channel rests until 03:02:00",
        ),
        (
            {},
            {"failing_since": at(-9), "rests_until": at(1)},
            "channel fails since 02:51:00; channel rests until 03:01:00",
        ),
        ({"channel": "gone"}, {}, "the channel is not configured"),
    ],
)
def test_it_says_why(changed: dict[str, Any], channel: dict[str, Any], says: str) -> None:
    assert waits(letter(**changed), {"noc": ChannelRow("noc", "slack", **channel)}, NOW) == says


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "in turn"),
        ({"state": "delivered", "settled_at": at(-3)}, "told at 02:57:00"),
        ({"state": "dead", "settled_at": at(-600)}, "given up at 2026-11-26 17:00:00"),
        ({"state": "superseded", "settled_at": at(-3)}, ""),
    ],
)
def test_it_says_when_it_was_settled(changed: dict[str, Any], says: str) -> None:
    assert stands(letter(**changed), {"noc": ChannelRow("noc", "slack")}, NOW) == says


def test_nothing_waits_since_the_future() -> None:
    assert since(letter(), NOW) == at(-5)
    assert since(letter(wanted_at=at(240), held=True), NOW) == at(-5)
    given_up = letter(wanted_at=at(-2), state="dead", settled_at=at(-4), held=True)
    assert since(given_up, NOW) == at(-5), "nor since later than it was given up"
