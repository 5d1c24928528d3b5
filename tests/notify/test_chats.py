"""What holds for every chat with limits of its own: digests fit, and hostile text changes no shape."""

import json
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from hostile import TRIED, digest_of, incident_of, over, texts, told_of
from hypothesis import given
from notify_fakes import make_incident, make_notification

from eventd.model import Told
from eventd.notify import discord, mattermost, slack, teams, telegram
from eventd.notify.chat import COLOURS
from eventd.notify.session import Session
from eventd.notify.words import Language

NOWHERE = "http://127.0.0.1:9/x"
KINDS: dict[str, Any] = {
    "discord": lambda say: discord.NOTIFIER.build("ops", discord.Settings(url=NOWHERE, language=say), Session()),
    "mattermost": lambda say: mattermost.NOTIFIER.build(
        "ops", mattermost.Settings(url=NOWHERE, language=say), Session()
    ),
    "slack": lambda say: slack.NOTIFIER.build("ops", slack.Settings(url=NOWHERE, language=say), Session()),
    "teams": lambda say: teams.NOTIFIER.build("ops", teams.Settings(url=NOWHERE, language=say), Session()),
    "telegram": lambda say: telegram.NOTIFIER.build(
        "ops", telegram.Settings(token="1:A", chat_id=-1, language=say), Session()
    ),
}


@cache
def chat(kind: str, language: str = "en") -> Any:
    return KINDS[kind](language)


def message(kind: str, told: Told) -> dict[str, Any]:
    channel = chat(kind)
    found: dict[str, Any] = channel.message(channel.card(told, channel.body(told)))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "title", ["*" * 120, "&" * 120, '"' * 120, "\U0001f525" * 120, "evil.example " * 9, "隧道" * 60]
)
@pytest.mark.parametrize("language", get_args(Language))
def test_a_full_digest_lists_every_incident(kind: str, title: str, language: str) -> None:
    channel = chat(kind, language)
    text = channel.body(digest_of(channel.digests, title))
    assert type(channel).size(text) <= channel.limit
    assert "…(cut)" not in text
    sent = str(channel.message(channel.card(digest_of(channel.digests, title), text)))
    assert all(f"incidents/a1b2c3d4e{n:03}" in sent for n in range(channel.digests))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "slack"])
def test_a_body_fills_its_limit_and_no_more(kind: str) -> None:
    channel = chat(kind)
    size = type(channel).size
    wordy = make_notification(incident=incident_of("", summary="é" * 700, title="t", chain=("a<b " * 175,) * 500))
    assert channel.limit * 0.4 < size(channel.body(wordy)) <= channel.limit


@pytest.mark.parametrize("kind", KINDS)
@TRIED
@given(texts)
def test_whatever_a_device_says_the_message_is_json_of_the_same_shape(kind: str, text: str) -> None:
    plain = msgspec.to_builtins(message(kind, told_of("x")))
    hostile = json.loads(msgspec.json.encode(message(kind, told_of(text))))
    assert hostile.keys() == plain.keys()
    assert "…(cut)" in str(hostile) or len(str(hostile)) < 60_000


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("slack", "1. Try `display ike sa | include &lt;a_b&gt;` or &lt;b&gt;\\n2. odd ' tick"),
        ("telegram", "1. Try <code>display ike sa | include &lt;a_b&gt;</code> or &lt;b&gt;\\n2. odd ` tick"),
        ("discord", "1. Try `display ike sa | include <a_b>` or \\\\<b\\\\>\\n2. odd \\\\` tick"),
        ("mattermost", "1. Try `display ike sa | include ‹a_b›` or &lt;b&gt;\\n2. odd ' tick"),
        ("teams", "{'type': 'TextRun', 'text': 'display ike sa | include <a_b>', 'fontType': 'Monospace'}"),
    ],
)
def test_commands_are_code(kind: str, shown: str) -> None:
    actions = ("Try `display ike sa | include <a_b>` or <b>", "odd ` tick")
    assert shown in str(message(kind, make_notification(incident=make_incident(actions=actions))))


@pytest.mark.parametrize("kind", ["discord", "mattermost", "teams"])
def test_the_colour_says_how_grave_it_is_and_whether_it_is_over(kind: str) -> None:
    ways = [make_notification(), told_of("x"), over()]
    grave, same, ended = (str(message(kind, told)) for told in ways)
    mark = {"discord": str(COLOURS["major"]), "mattermost": "#D93025", "teams": "attention"}[kind]
    green = {"discord": str(COLOURS["resolved"]), "mattermost": "#188038", "teams": "good"}[kind]
    assert mark in grave
    assert mark in same
    assert green in ended
    assert mark not in ended
