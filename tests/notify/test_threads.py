"""What comes later about an incident belongs to its first message: store, delivery and channels together."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from chat_server import ChatServer, Seen, answer
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved, until

from eventd.contract import Batch
from eventd.model import utc
from eventd.notify import discord, slack, telegram
from eventd.notify.delivery import Delivery
from eventd.notify.session import Session
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry

TELEGRAM = '{"ok":true,"result":{"message_id":42}}'
DISCORD = '{"id":"1100000000000000001"}'
SLACK = '{"ok":true,"channel":"C1","ts":"1700000000.000100"}'


@pytest.mark.parametrize(
    ("notifier", "keys", "said", "shown"),
    [
        (
            telegram.NOTIFIER,
            lambda url: telegram.Settings(api_url=url, token="1:A", chat_id=-100),
            TELEGRAM,
            lambda seen: seen[1].json["reply_parameters"]["message_id"] == 42,
        ),
        (
            slack.NOTIFIER,
            lambda url: slack.Settings(api_url=url, token="xoxb", channel="C1"),
            SLACK,
            lambda seen: seen[1].json["thread_ts"] == "1700000000.000100",
        ),
        (
            discord.NOTIFIER,
            lambda url: discord.Settings(url=url + "/webhooks/1/tok"),
            DISCORD,
            lambda seen: seen[-1].path == "/webhooks/1/tok/messages/1100000000000000001" and len(seen) == 3,
        ),
    ],
    ids=["telegram", "slack", "discord"],
)
async def test_an_end_belongs_to_its_first_message(
    notifier: Any, keys: Callable[[str], Any], said: str, shown: Callable[[list[Seen]], bool]
) -> None:
    clock, session = HandClock(), Session()
    store = MemoryStore(clock=clock)
    async with ChatServer() as server:
        server.always = answer(200, said)
        channel = notifier.build("ops", keys(server.url), session)
        delivery = Delivery(store, {"ops": channel}, Telemetry(), clock, random.Random(1))
        task = asyncio.create_task(delivery.run())
        for incident, at in ((make_incident(), T0), (make_resolved(), T0 + 180)):
            clock.jump(2.0)
            await store.commit(Batch(notifications=[make_notification(incident=incident, created_at=utc(at))]))
            delivery.wake()
            await until(lambda: not store.totals()["ops"].pending)
        await delivery.drain(1.0)
        await asyncio.wait_for(task, 1.0)
        await session.close()
    assert "MAJOR" in server.seen[0].body.decode()
    assert "RESOLVED" in server.seen[1].body.decode()
    assert shown(server.seen)
