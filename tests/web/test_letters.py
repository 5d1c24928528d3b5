"""What was not delivered, over the API: listed, told again, dropped, and by whom."""

import json
from typing import Any

import pytest
from correlate_strategies import EPOCH
from structlog.testing import capture_logs
from web_fakes import FakeService, Site, serving

from eventd.contract import Batch, Settled
from eventd.errors import StoreError
from eventd.model import Notification, utc
from eventd.web.settings import Token

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"
TOKENS = {READ: Token(name="screen", role="read"), OPERATE: Token(name="ann", role="operate")}


@pytest.fixture
async def site():
    """``dead1`` was given up, ``wait1`` waits, ``done1`` was delivered, ``gone1`` is of a channel that is no more."""
    async with serving(FakeService(tokens=TOKENS)) as site:
        await site.service.tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2 device=FW2", until=60)
        one, two = site.service.correlator.open_incidents()
        for number, (ident, about, channel, outcome) in enumerate(
            [
                ("done1", one, "noc", "delivered"),
                ("gone1", one, "pigeon", "dead"),
                ("dead1", one, "noc", "dead"),
                ("wait1", two, "noc", None),
            ]
        ):
            told = Notification(ident, channel, "opened", about, utc(EPOCH + 20 + number))
            await site.service.store.commit(Batch(notifications=[told]))
            if outcome:
                assert await site.service.store.claim(channel, EPOCH + 60)
                await site.service.store.settle(
                    Settled(ident, outcome, error="refused: 404" if outcome == "dead" else None)
                )
        yield site


async def act(site: Site, path: str, *, token: str | None = OPERATE, **known: Any) -> tuple[int, Any]:
    status, _, text = await site.ask(f"/api/v1/outbox/{path}", method="POST", token=token, **known)
    return status, json.loads(text)


async def ids(site: Site, query: str = "") -> list[str]:
    answer = await site.json(f"outbox{query}", headers={"Authorization": f"Bearer {READ}"})
    return [row["id"] for row in answer["items"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["wait1", "dead1", "gone1"]),
        ("?state=all", ["wait1", "dead1", "gone1", "done1"]),
        ("?state=dead", ["dead1", "gone1"]),
        ("?state=delivered", ["done1"]),
        ("?channel=noc", ["wait1", "dead1"]),
        ("?id=wa", ["wait1"]),
        ("?limit=1", ["wait1"]),
        ("?limit=1&before=4", ["dead1"]),
    ],
)
async def test_what_was_not_delivered_is_listed(query: str, found: list[str], site: Site) -> None:
    assert await ids(site, query) == found


async def test_letters_of_one_incident_say_what_and_why(site: Site) -> None:
    one, _ = site.service.correlator.open_incidents()
    answer = await site.json(f"outbox?incident={one.id}&channel=noc", headers={"Authorization": f"Bearer {READ}"})
    [row] = answer["items"]
    assert (row["id"], row["what"], row["state"], row["error"], row["attempts"]) == (
        "dead1", "opened", "dead", "refused: 404", 1,
    )  # fmt: skip
    assert (row["incident"], row["title"], row["severity"]) == (one.id, one.title, "major")
    assert answer["next"] is None


async def test_a_dead_one_is_told_again_by_a_new_one_and_the_worker_is_told(site: Site) -> None:
    with capture_logs() as logs:
        status, again = await act(site, "dead1/retry")
    assert (status, again["state"], again["channel"], again["created_at"]) == (
        200,
        "pending",
        "noc",
        "2026-01-05T10:00:22Z",
    )
    assert site.service.tried_again == ["noc"]
    assert await ids(site) == [again["id"], "wait1", "gone1"]
    [line] = [line for line in logs if line["event"] == "told again"]
    assert (line["who"], line["notification"], line["by"]) == ("ann", "dead1", again["id"])
    assert await act(site, "dead1/retry") == (409, {"error": f"dead1 was sent again as {again['id']}"})


async def test_one_that_waits_is_tried_at_once(site: Site) -> None:
    await site.service.store.claim("noc", EPOCH + 60)
    await site.service.store.settle(Settled("wait1", "retry", EPOCH + 900, "connect"))
    status, row = await act(site, "wait1/retry", json={"who": "night shift"})
    assert (status, row["id"], row["next_try_at"]) == (200, "wait1", None)
    assert site.service.tried_again == ["noc"]


async def test_what_is_dropped_says_by_whom(site: Site) -> None:
    with capture_logs() as logs:
        status, row = await act(site, "wait1/drop", json={"who": "night shift"})
        assert (status, row["state"], row["error"]) == (200, "dead", "dropped by night shift")
        status, row = await act(site, "dead1/drop")
    assert (status, row["error"], row["dropped_by"]) == (200, "refused: 404", "ann")
    assert await ids(site) == ["gone1"]
    assert [(line["notification"], line["who"]) for line in logs if line["event"] == "dropped"] == [
        ("wait1", "night shift"),
        ("dead1", "ann"),
    ]


async def test_what_is_being_told_cannot_be_dropped(site: Site) -> None:
    await site.service.store.claim("noc", EPOCH + 60)
    assert await act(site, "wait1/drop") == (409, {"error": "wait1 is being told right now"})


async def test_nothing_is_put_into_the_queue_of_a_channel_that_is_no_more(site: Site) -> None:
    assert await act(site, "gone1/retry") == (409, {"error": "there is no channel 'pigeon' any more"})
    assert (await act(site, "gone1/drop"))[0] == 200


@pytest.mark.parametrize("what", ["retry", "drop"])
async def test_who_may_not_and_what_is_not_there(what: str, site: Site) -> None:
    assert (await act(site, f"wait1/{what}", token=READ))[0] == 403
    assert (await act(site, f"wait1/{what}", token=None))[0] == 401
    for ident in ("nobody", "wait", "%00", "a" * 3000, "%F0%9F%94%A5"):
        assert (await act(site, f"{ident}/{what}"))[0] == 404
    assert (await act(site, f"done1/{what}"))[0] == 409
    assert (await act(site, f"wait1/{what}", json={"why": "x"}))[0] == 400
    assert await ids(site) == ["wait1", "dead1", "gone1"]


async def test_a_store_that_cannot_be_written_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> Any:
        raise StoreError("eventd.db: database or disk is full")

    monkeypatch.setattr(site.service.store, "drop", full)
    assert await act(site, "wait1/drop") == (503, {"error": "eventd.db: database or disk is full"})
