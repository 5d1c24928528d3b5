"""Whatever a channel says that a digest may have is in the message, to the last incident."""

import asyncio
import json
from collections import Counter
from typing import Any, get_args

import pytest
from channel_kinds import MAKERS, TEMPLATED
from chat_server import ChatServer
from hostile import digest_of
from msgspec.structs import replace
from notify_fakes import T0, HandClock, make_incident, make_notification, until
from peers import library

from eventd.contract import Batch, Measures, Pace
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Notification, Told, utc
from eventd.notify import apprise
from eventd.notify.chat import Texts
from eventd.notify.delivery import Delivery
from eventd.notify.render import latest
from eventd.notify.session import Session
from eventd.notify.words import Language
from eventd.registry import load_notifiers
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry

KINDS = [kind for kind in TEMPLATED if kind != "console"]
ADDRESS = f"https://eventd.{'network-operations.' * 10}example.net/eventd/incidents/"
HARD = ("branch " * 20, '*&<"\\' * 24, "\U0001f525" * 120, "<b x>" * 24)


def channel_of(kind: str, language: str = "en", **keys: Any) -> Any:
    return load_notifiers()[kind].build(
        "ops", MAKERS[kind]("http://127.0.0.1:9", {"language": language, **keys}), Session()
    )


def longest(channel: Any, text: str) -> Digest:
    """As many as the channel would ever seal, with the longest of everything, cut down to what it holds."""
    whole = digest_of(channel.digests, text, site=text, peer_name=text, device=text)
    told = [
        replace(one, created_at=utc(T0 - 4000), incident=replace(one.incident, url=ADDRESS + one.incident.id))
        for one in whole.notifications
    ]
    digest = replace(whole, why="late", notifications=tuple(told))
    while (most := channel.holds(digest)) < len(digest.notifications):
        digest = replace(digest, notifications=digest.notifications[:most])
    return digest


async def overheard(channel: Any, told: Told, *, bare: bool) -> str:
    """The message as it is handed to the service."""
    said = list[str]()

    async def mail(_told: Told, text: str, page: str | None) -> None:
        said.extend(filter(None, (text, page)))

    async def send(card: Any) -> None:
        said.append(card.body if isinstance(channel, apprise.Apprise) else str(channel.message(card)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            channel, "_mail" if hasattr(channel, "_mail") else "_send", mail if hasattr(channel, "_mail") else send
        )
        await (channel.deliver_plain if bare else channel.deliver)(told)
    return min(said, key=lambda text: sum(one.incident.id in text for one in latest(told)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", get_args(Language))
async def test_of_the_longest_digest_nothing_is_missing(kind: str, language: str) -> None:
    channel = channel_of(kind, language)
    for text in HARD:
        digest = longest(channel, text)
        for bare in (False, True):
            said = await overheard(channel, digest, bare=bare)
            missing = [one.incident.id for one in digest.notifications if one.incident.id not in said]
            assert missing == [], (text, bare, len(digest.notifications))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_layout_of_ones_own_is_no_way_to_lose_one(kind: str, tmp_path: Any) -> None:
    layout = tmp_path / "own.j2"
    layout.write_text("{% for line in lines %}\n{{ line.incident.summary }}\n\n{{ line.incident.id }}\n\n{% endfor %}")
    channel = channel_of(kind, digest_template_file=str(layout))
    digest = longest(channel, "*" * 120)
    digest = replace(digest, notifications=digest.notifications[: channel.holds(digest)])
    said = await overheard(channel, digest, bare=False)
    assert [one.incident.id for one in digest.notifications if one.incident.id not in said] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_what_does_not_fit_is_not_sent(kind: str) -> None:
    channel = channel_of(kind)
    giant = digest_of(400, "*" * 120, site="x" * 40)
    assert isinstance(channel, Measures)
    assert channel.holds(giant) < 400
    for bare in (False, True):
        with pytest.raises(DeliveryError) as caught:
            await overheard(channel, giant, bare=bare)
        assert caught.value.reason == DeliveryFailure.TOO_LARGE


async def told_all(channel: Any, count: int) -> MemoryStore:
    """A storm, until all of it is told."""
    clock, telemetry = HandClock(), Telemetry()
    store = MemoryStore(clock=clock)
    storm = [
        make_notification(
            incident=make_incident(id=f"a1b2c3d4e{n:03}", url=f"https://eventd.example.net/incidents/a1b2c3d4e{n:03}"),
            id=f"n{n}",
        )
        for n in range(count)
    ]
    await store.commit(Batch(notifications=storm))
    delivery = Delivery(store, {"ops": channel}, telemetry, clock)
    task = asyncio.create_task(delivery.run())

    def done() -> bool:
        clock.jump(5.0)
        delivery.wake()
        return not store.totals()["ops"].pending

    await until(done, 20)
    await delivery.drain(1.0)
    await task
    assert (store.totals()["ops"].delivered, store.totals()["ops"].dead) == (count, 0)
    return store


async def test_a_storm_by_apprise_names_every_incident_once() -> None:
    library("apprise")
    async with ChatServer() as server:
        urls = (f"{server.url.replace('http', 'json')}/x",)
        session = Session(external_url="https://eventd.example.net")
        await told_all(apprise.NOTIFIER.build("ops", apprise.Settings(urls=urls), session), 90)
        said = [json.loads(seen.body)["message"] for seen in server.seen]
    assert "…(cut)" not in "".join(said)
    found = Counter(n for n in range(90) for text in said if f"a1b2c3d4e{n:03}" in text)
    assert sorted(found) == list(range(90))
    assert set(found.values()) == {1}


class Small(Texts):
    """A far end that takes less than it says, and only says so."""

    digests, taken = 40, 7

    def __init__(self) -> None:
        self.pace, self.told = Pace(3), list[Told]()

    def holds(self, digest: Digest) -> int:
        return len(latest(digest))

    async def deliver(self, told: Told) -> str | None:
        if isinstance(told, Digest) and len(told.notifications) > self.taken:
            raise DeliveryError(DeliveryFailure.TOO_LARGE, "413", retryable=False)
        self.told.append(told)
        return None

    deliver_plain = deliver

    async def close(self) -> None: ...


async def test_what_only_the_far_end_finds_too_large_is_told_in_smaller_ones() -> None:
    channel = Small()
    await told_all(channel, 60)
    ids = Counter(
        one.incident.id
        for told in channel.told
        for one in ((told,) if isinstance(told, Notification) else latest(told))
    )
    assert (len(ids), set(ids.values())) == (60, {1})
