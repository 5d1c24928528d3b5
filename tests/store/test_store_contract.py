"""What every store promises, asked of both: the one on disk and its model in memory."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from store_samples import START, at, batch, incident, malformed, notification, row, unix

from eventd.contract import Batch, Lately, Settled, Turn, Waiting
from eventd.errors import OutboxError
from eventd.model import Digest, Incident, Notification
from eventd.store import MemoryStore, Settings, SqliteStore, Store
from eventd.store.base import OWN_TALLIES
from eventd.store.letters import Letter

DAY = 86400.0


@pytest.fixture(params=[MemoryStore, SqliteStore])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    settings = Settings(path=str(tmp_path / "eventd.db"), sync="normal", max_malformed=5, max_malformed_bytes=1500)
    store = await request.param.open(settings, clock=lambda: unix(0))
    yield store
    assert await store.check() == []
    await store.close()


async def told(store: Store, channel: str = "chat", outcome: str = "delivered") -> list[tuple[str, str]]:
    """Deliver all that is pending on a channel: (id, what) in the order in which it went out."""
    sent = []
    while (notification := await store.claim(channel, unix(10 * DAY))) is not None:
        assert isinstance(notification, Notification)
        sent.append((notification.id, notification.what))
        await store.settle(Settled(notification.id, outcome))
    return sent


def later(id_: str, about: Incident, seconds: float, *, what: str = "opened", **changed: bool) -> Notification:
    """One that is not to be told before so many seconds."""
    return replace(notification(id_, about, what), due_at=at(seconds), **changed)


# --- journal, states, incidents -------------------------------------------------------------------------------------


async def test_what_was_committed_is_read_back_as_it_was(store: Store) -> None:
    one, bad = incident(), malformed(1)
    rows = [row(0, "i1"), row(1, duplicate=True)]
    await store.commit(Batch(journal=rows, malformed=[bad], states={"k": b"\x00\xff"}, incidents={one.id: one}))
    assert (await store.events()).items == tuple(reversed(rows))
    assert (await store.malformed()).items == (bad,)
    assert await store.load_states() == [("k", b"\x00\xff")]
    assert await store.load_incidents() == [one]
    assert await store.incident("i1") == one
    assert await store.incident("none") is None


async def test_a_state_of_none_is_deleted_and_a_later_state_wins(store: Store) -> None:
    await store.commit(Batch(states={"a": b"1", "b": b"1"}))
    await store.commit(Batch(states={"a": None, "b": b"2", "never": None}))
    assert await store.load_states() == [("b", b"2")]


async def test_an_incident_keeps_its_rank_when_it_changes(store: Store) -> None:
    await store.commit(batch(incidents=[incident("a"), incident("b")]))
    await store.commit(batch(incidents=[incident("a", resolved=9)]))
    assert [i.id for i in (await store.incidents()).items] == ["b", "a"]
    assert [i.id for i in await store.load_incidents()] == ["b"]
    assert [i.id for i in await store.load_incidents("resolved")] == ["a"]
    assert (await store.ledger())["incidents_stored"] == 2


async def test_pages_follow_each_other_without_gap_or_repeat(store: Store) -> None:
    await store.commit(Batch(journal=[row(n) for n in range(25)]))
    seen, before = [], None
    while True:
        page = await store.events(limit=10, before=before)
        seen += [item.event.received_at for item in page.items]
        await store.commit(Batch(journal=[row(100)]))  # what arrives meanwhile does not shift the pages
        if (before := page.next) is None:
            break
    assert seen == [at(n) for n in reversed(range(25))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"device": "FW2"}, [3, 1]),
        ({"peer": "9.9.9.9"}, [2]),
        ({"event": "link.down"}, [3]),
        ({"incident": "i1"}, [2, 0]),
        ({"since": unix(1), "until": unix(3)}, [2, 1]),
        ({"device": "FW1", "peer": "9.9.9.9", "incident": "i1"}, [2]),
        ({"device": "x' OR 1=1 --"}, []),
    ],
)
async def test_the_journal_can_be_filtered(store: Store, wanted: dict[str, object], found: list[int]) -> None:
    rows = [
        row(0, "i1"),
        row(1, device="FW2"),
        row(2, "i2", "i1", peer="9.9.9.9"),
        row(3, device="FW2", name="link.down"),
    ]
    await store.commit(Batch(journal=rows))
    assert [item.event.received_at for item in (await store.events(**wanted)).items] == [at(n) for n in found]  # type: ignore[arg-type]


async def test_by_time_the_latest_comes_first_also_after_a_clock_was_set_back(store: Store) -> None:
    await store.commit(Batch(journal=[row(seconds) for seconds in (10, 20, 15, 15, 30, 12)]))
    seen, before = [], None
    while True:
        page = await store.events(until=unix(25), limit=2, before=before)
        seen += [item.event.received_at for item in page.items]
        if (before := page.next) is None:
            break
    assert seen == [at(n) for n in (20, 15, 15, 12, 10)]


@pytest.mark.parametrize(("since", "until"), [(None, 7201), (7199, None), (3600, 10_000), (0, 1), (90_000, None)])
async def test_of_a_time_the_same_is_found_after_a_clock_was_set_back(
    store: Store, since: int | None, until: int | None
) -> None:
    """Hours are looked up by the numbers of their rows, and one row of an hour may be far from the others."""
    times = [0, 7200, 3600, 3601, 20_000, 7199, 40_000, 9000, 0, 7201]
    for part in (times[:3], times[3:]):
        await store.commit(Batch(journal=[row(seconds) for seconds in part]))
    asked = {name: None if at is None else unix(at) for name, at in (("since", since), ("until", until))}
    found = [item.event.received_at for item in (await store.events(device="FW1", **asked)).items]
    assert found == [at(n) for n in reversed(times) if (since or 0) <= n < (until or 100_000)]


async def test_incidents_can_be_filtered(store: Store) -> None:
    many = [incident("a", severity="critical", site="north"), incident("b", kind="capacity", peer=None, resolved=4)]
    await store.commit(batch(incidents=many))
    for wanted, found in (
        ({"status": "open"}, ["a"]),
        ({"kind": "capacity"}, ["b"]),
        ({"severity": "critical"}, ["a"]),
        ({"site": "north", "device": "FW1"}, ["a"]),
        ({"peer": "2.1.1.1"}, ["a"]),
        ({"site": "south"}, []),
        ({"id": "a"}, ["a"]),
        ({"id": "aa"}, []),
        ({"id": "b", "status": "open"}, []),
    ):
        assert [i.id for i in (await store.incidents(**wanted)).items] == found  # type: ignore[arg-type]


async def test_an_event_may_be_linked_to_an_incident_that_is_decided_later(store: Store) -> None:
    await store.commit(Batch(journal=[row(0, "later")]))
    await store.commit(batch(incidents=[incident("later")]))
    assert len((await store.events(incident="later")).items) == 1


async def test_only_the_newest_malformed_messages_are_kept_in_number_and_in_bytes(store: Store) -> None:
    await store.commit(Batch(malformed=[malformed(n) for n in range(4)]))
    await store.commit(Batch(malformed=[malformed(n) for n in range(4, 8)]))
    assert [m.received_at for m in (await store.malformed()).items] == [at(n) for n in (7, 6, 5, 4, 3)]
    await store.commit(Batch(malformed=[malformed(9, raw="x" * 1100)]))
    assert [m.received_at for m in (await store.malformed()).items] == [at(9), at(7)]
    await store.commit(Batch(malformed=[malformed(10, raw="x" * 2000)]))
    assert (await store.malformed()).items == ()
    ledger = await store.ledger()
    assert ledger["malformed_rows"] == ledger["pruned_malformed_rows"] == 10


async def test_the_ledger_adds_up_what_batches_count_and_what_the_store_counts(store: Store) -> None:
    assert set(await store.ledger()) == OWN_TALLIES
    for _ in range(2):
        await store.commit(Batch(journal=[row()], tallies={"received": 3, "parsed": 2}))
    ledger = await store.ledger()
    assert (ledger["received"], ledger["parsed"], ledger["journal_rows"]) == (6, 4, 2)


async def test_a_batch_may_not_count_under_the_names_of_the_store(store: Store) -> None:
    with pytest.raises(ValueError, match="journal_rows"):
        await store.commit(Batch(journal=[row()], tallies={"journal_rows": 1}))
    assert (await store.ledger())["journal_rows"] == 0


async def test_small_values_are_kept(store: Store) -> None:
    assert await store.meta_get("engine") is None
    await store.meta_set("engine", "80000009")
    await store.meta_set("engine", "8000000a")
    assert await store.meta_get("engine") == "8000000a"


# --- outbox ---------------------------------------------------------------------------------------------------------


async def test_each_channel_is_told_in_the_order_of_enqueueing(store: Store) -> None:
    many = [notification(f"n{n}", incident(f"i{n}"), channel="ab"[n % 2]) for n in range(6)]
    await store.commit(batch(notifications=many))
    assert [id_ for id_, _ in await told(store, "a")] == ["n0", "n2", "n4"]
    assert [id_ for id_, _ in await told(store, "b")] == ["n1", "n3", "n5"]
    assert await told(store, "c") == []


async def test_a_retry_waits_for_its_time(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a"))]))
    assert await store.next_due("chat") == 0
    first = await store.claim("chat", unix(1))
    assert first is not None
    assert first.attempts == 0
    assert await store.claim("chat", unix(1)) is None, "nothing overtakes what is in flight"
    assert await store.next_due("chat") is None
    await store.settle(Settled("n1", "retry", retry_at=unix(60), error="timeout"))
    assert await store.next_due("chat") == unix(60)
    assert await store.claim("chat", unix(59)) is None
    again = await store.claim("chat", unix(60))
    assert again is not None
    assert (again.id, again.attempts) == ("n1", 1)
    await store.settle(Settled("n1", "dead", error="refused"))
    assert await store.next_due("chat") is None
    assert await store.outbox_counts() == {"chat": {"dead": 1}}


async def test_what_is_retried_holds_up_its_own_incident_and_no_other(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a")), notification("n2", incident("b"))]))
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", retry_at=unix(60)))
    await store.commit(batch(notifications=[notification("n3", incident("a"), "updated")]))
    assert await store.next_due("chat") == 0
    other = await store.claim("chat", unix(1))
    assert other is not None
    assert other.id == "n2"
    await store.settle(Settled("n2", "delivered"))
    assert (await store.claim("chat", unix(59)), await store.next_due("chat")) == (None, unix(60))
    assert await told(store) == [("n3", "opened")]


async def test_what_was_put_off_before_the_clock_was_set_back_is_due(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.claim("chat", unix(DAY))
    await store.settle(Settled("n1", "retry", retry_at=unix(DAY + 60)))
    assert await store.claim("chat", unix(DAY + 59)) is None
    again = await store.claim("chat", unix(0))
    assert again is not None
    assert again.id == "n1"


async def test_what_is_to_be_told_later_is_told_later_even_after_hours(store: Store) -> None:
    await store.commit(batch(notifications=[later("n1", incident(), 9 * 3600), notification("n2", incident("b"))]))
    assert await store.waiting("chat", unix(0)) == Waiting(1, unix(0), 0)
    first = await store.claim("chat", unix(0))
    assert first is not None
    assert first.id == "n2"
    await store.settle(Settled("n2", "delivered"))
    assert (await store.claim("chat", unix(0)), await store.next_due("chat")) == (None, unix(9 * 3600))
    assert await told(store) == [("n1", "opened")]


async def test_news_does_not_put_off_what_it_replaces(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.commit(batch(notifications=[later("n2", incident(), 600, what="updated", held=True)]))
    assert await store.next_due("chat") == 0


@pytest.mark.parametrize("over", [replace(incident(), acked_by="ada"), incident(resolved=4000.0)])
async def test_an_escalation_is_not_told_once_somebody_has_it_or_it_is_over(store: Store, over: Incident) -> None:
    await store.commit(batch(notifications=[later("n1", incident(), 900, escalates=True)]))
    what = "updated" if over.acked_by else "resolved"
    await store.commit(batch(notifications=[later("n2", over, 1200, what=what, escalates=True)]))
    assert await store.outbox_counts() == {"chat": {"superseded": 2}}
    why = "ada acknowledged the incident in time" if over.acked_by else "it was over in time"
    assert [one.error for one in (await store.letters()).items] == [why, why], "nobody was told"
    assert await told(store) == []


@pytest.mark.parametrize("way", [{"escalates": True}, {"held": True}])
async def test_what_waits_is_not_told_by_itself_once_an_outage_of_many_tells_it(store: Store, way: Any) -> None:
    part = incident(parent="many")
    await store.commit(batch(notifications=[later("n1", incident(), 900, **way)]))
    await store.commit(batch(notifications=[later("n2", incident("many"), 950, **way)]))
    await store.commit(batch(notifications=[later("n3", part, 950, what="updated", joined=True, **way)]))
    assert await store.outbox_counts() == {"chat": {"superseded": 2, "pending": 1}}
    assert [one.error for one in (await store.letters(incident="i1")).items] == [
        "told by incident many, which it is part of"
    ] * 2
    assert await told(store) == [("n2", "opened")]
    over = replace(part, status="resolved", resolved_at=at(4000.0), updated_at=at(4000.0))
    await store.commit(
        batch(notifications=[replace(notification("n4", over, "resolved"), escalates=way.get("escalates", False))])
    )
    assert await told(store) == []
    ledger = await store.ledger()
    assert ledger["notifications_enqueued"] == ledger["notifications_superseded"] + ledger["notifications_delivered"]


async def test_an_outage_of_many_that_a_channel_does_not_hear_of_takes_nothing_back(store: Store) -> None:
    part = incident(parent="many")
    told_elsewhere = replace(notification("n2", incident("many")), channel="other")
    joins = later("n3", part, 900, what="updated", held=True, joined=True)
    await store.commit(batch(notifications=[later("n1", incident(), 900, held=True), told_elsewhere, joins]))
    assert await told(store) == [("n1", "opened")]


async def test_what_was_told_before_it_joined_an_outage_of_many_is_told_as_over(store: Store) -> None:
    part = incident(parent="many")
    await store.commit(batch(notifications=[notification("n1", incident()), notification("n2", incident("many"))]))
    assert await told(store) == [("n1", "opened"), ("n2", "opened")]
    await store.commit(batch(notifications=[later("n3", part, 900, what="updated", held=True, joined=True)]))
    over = replace(part, status="resolved", resolved_at=at(4000.0), updated_at=at(4000.0))
    await store.commit(batch(notifications=[notification("n4", over, "resolved")]))
    assert await told(store) == [("n4", "resolved")]


async def test_an_escalation_that_is_being_told_is_told_the_end_too(store: Store) -> None:
    await store.commit(batch(notifications=[later("n1", incident(), 900, escalates=True)]))
    assert await store.claim("chat", unix(901))
    over = [later("n2", incident(resolved=902.0), 1802, what="resolved", escalates=True)]
    await store.commit(batch(notifications=over))
    await store.settle(Settled("n1", "delivered"))
    assert await store.next_due("chat") == 0
    assert await told(store) == [("n2", "resolved")]


async def test_an_escalation_keeps_its_time_and_once_told_hears_everything_at_once(store: Store) -> None:
    await store.commit(batch(notifications=[later("n1", incident(), 900, escalates=True)]))
    await store.commit(batch(notifications=[later("n2", incident(count=2), 1500, what="updated", escalates=True)]))
    assert await store.next_due("chat") == unix(900)
    assert await told(store) == [("n2", "opened")]
    await store.commit(batch(notifications=[later("n3", incident(count=3), 2500, what="updated", escalates=True)]))
    assert await store.next_due("chat") == 0
    over = incident(resolved=4000.0)
    await store.commit(batch(notifications=[later("n4", over, 5000, what="resolved", escalates=True)]))
    assert await told(store) == [("n4", "resolved")]


async def test_a_digest_binds_what_is_due_in_order_and_is_told_again_as_it_was(store: Store) -> None:
    many = [notification(f"n{n}", incident(f"i{n}")) for n in range(5)]
    await store.commit(batch(notifications=[notification("up", incident("old"), "resolved"), *many]))
    digest = await store.seal("chat", unix(1), "storm", 4)
    assert digest is not None
    assert [one.id for one in digest.notifications] == ["n0", "n1", "n2", "n3"]
    assert digest.more == 2, "n4 and the end of another"
    assert await store.claim("chat", unix(1)) is None
    await store.commit(batch(notifications=[notification("n9", incident("i1", count=4), "updated")]))
    await store.settle(Settled(digest.id, "retry", retry_at=unix(50)))
    other = await store.claim("chat", unix(2))
    assert other is not None
    assert other.id == "n4", "what is not in the digest need not wait for it"
    await store.settle(Settled("n4", "delivered"))
    again = await store.claim("chat", unix(50))
    assert isinstance(again, Digest)
    assert (again.id, again.why, again.attempts, again.more) == (digest.id, "storm", 1, 2)
    assert [one.id for one in again.notifications] == ["n0", "n1", "n2", "n3"]
    await store.settle(Settled(digest.id, "delivered"))
    assert await told(store) == [("n9", "updated"), ("up", "resolved")]
    assert store.totals()["chat"].delivered == 7


async def test_whoever_begins_to_serve_a_channel_learns_of_its_troubles(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a")), notification("n2", incident("b"))]))
    assert await store.lately("chat") == Lately()
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", unix(5), "connect: nobody there"))
    assert await store.lately("chat") == Lately((), failing=True)
    await store.claim("chat", unix(0))
    await store.settle(Settled("n2", "retry", unix(600), "rate_limited: not so fast"))
    assert await store.lately("chat") == Lately((), failing=True, rests_until=unix(600))
    for refused_at in (unix(700), unix(800), None):
        await store.claim("chat", unix(700))
        await store.settle(Settled("n1", "retry", unix(1), "refused: 403", refused_at=refused_at))
    assert (await store.lately("chat")).refused == {"n1": unix(700)}
    await store.claim("chat", unix(700))
    await store.settle(Settled("n1", "dead", error="refused: 403"))
    assert (await store.lately("chat")).refused == {}
    for times in ((unix(1), unix(2.5)), (unix(2.5),)):
        await store.tried("chat", times)
    assert ((await store.lately("chat")).tried, (await store.lately("other")).tried) == ((unix(2.5),), ())


async def test_since_when_a_channel_fails_is_known_until_something_is_delivered(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a")), notification("n2", incident("b"))]))
    for since in (unix(3), None):
        await store.claim("chat", unix(5))
        await store.settle(Settled("n1", "retry", unix(1), "connect: nobody there", failing_since=since))
        assert (await store.lately("chat")).failing_since == unix(3)
    await store.claim("chat", unix(5))
    await store.settle(Settled("n1", "dead", error="too old"))
    assert (await store.lately("chat")).failing_since == unix(3)
    await store.claim("chat", unix(5))
    await store.settle(Settled("n2", "delivered"))
    assert (await store.lately("chat")).failing_since is None


async def test_whoever_was_told_anything_is_told_the_end(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n0", incident())]))
    await store.claim("chat", unix(0))
    await store.settle(Settled("n0", "dead", error="refused"))
    await store.commit(batch(notifications=[notification("n1", incident(), "updated")]))
    first = await store.claim("chat", unix(1))
    assert isinstance(first, Notification)
    assert (first.what, first.first) == ("updated", True)
    await store.settle(Settled("n1", "delivered"))
    await store.retry("n0")
    await store.commit(batch(notifications=[notification("n2", incident(resolved=30), "resolved")]))
    end = await store.claim("chat", unix(2))
    assert isinstance(end, Notification)
    assert (end.id, end.what, end.first) == ("n2", "resolved", False)


async def test_a_digest_takes_everything_of_an_incident_and_nothing_that_is_to_be_told_later(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a"))]))
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", retry_at=unix(1)))
    await store.commit(batch(notifications=[notification("n2", incident("a", resolved=9), "resolved")]))
    await store.commit(batch(notifications=[later("n3", incident("b"), 600), notification("n4", incident("c"))]))
    digest = await store.seal("chat", unix(2), "late", 9)
    assert digest is not None
    assert [one.id for one in digest.notifications] == ["n4", "n2"]
    await store.settle(Settled(digest.id, "dead", error="refused"))
    assert await told(store) == [("n3", "opened")]
    assert await store.outbox_counts() == {"chat": {"dead": 2, "delivered": 1, "superseded": 1}}


async def test_a_digest_without_room_for_all_takes_what_is_critical_now(store: Store) -> None:
    grave = [incident(f"i{n}", severity="critical", resolved=9 if n == 3 else None) for n in range(3, 6)]
    waiting = [notification(f"n{n}", incident(f"i{n}")) for n in range(6)]
    await store.commit(batch(notifications=waiting, incidents=[*grave, *(one.incident for one in waiting[:3])]))
    for first, second in (("n0", "n4"), ("n1", "n2")):
        assert await store.claim("chat", unix(1)) is not None
        await store.settle(Settled(first, "delivered"))
        digest = await store.seal("chat", unix(1), "storm", 2)
        assert digest is not None
        assert digest.notifications[0].id == second
        await store.settle(Settled(digest.id, "delivered"))
    assert store.totals()["chat"].pending == 0


async def test_whose_turn_it_is(store: Store) -> None:
    grave = [incident(f"i{n}", severity="critical", resolved=9 if n == 1 else None) for n in (1, 3)]
    waiting = [notification(f"n{n}", incident(f"i{n}")) for n in range(5)]
    await store.commit(batch(notifications=waiting, incidents=[*grave, *(waiting[n].incident for n in (0, 2, 4))]))

    async def turn(turn: Turn) -> str | None:
        if (claimed := await store.claim("chat", unix(1), turn)) is None:
            return None
        await store.settle(Settled(claimed.id, "retry", unix(0)))
        return claimed.id

    assert [await turn("gravest") for _ in range(2)] == ["n3", "n3"], "critical and open now"
    assert [await turn("first") for _ in range(2)] == ["n0", "n0"]
    assert [await turn("untried") for _ in range(4)] == ["n1", "n2", "n4", None]
    assert [await turn("least tried") for _ in range(4)] == ["n1", "n2", "n4", "n0"]
    digest = await store.seal("chat", unix(1), "storm", 9, ["i4"])
    assert digest is not None
    await store.settle(Settled(digest.id, "retry", unix(0)))
    assert await turn("untried") is None
    assert await turn("least tried") == "n4", "a digest is not told before what was tried less often"
    assert await turn("first") == digest.id


async def test_nothing_due_makes_no_digest(store: Store) -> None:
    await store.commit(batch(notifications=[later("n1", incident(), 60)]))
    assert await store.seal("chat", unix(0), "storm", 9) is None
    assert await store.seal("none", unix(0), "storm", 9) is None


async def test_later_messages_carry_what_the_far_end_calls_the_first(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident()), notification("m", incident("other"))]))
    first = await store.claim("chat", unix(0))
    assert isinstance(first, Notification)
    assert first.thread is None
    await store.settle(Settled("n1", "delivered", receipt="msg-17"))
    for number, receipt in ((2, "msg-18"), (3, None)):
        what = "updated" if number == 2 else "resolved"
        await store.commit(batch(notifications=[notification(f"n{number}", incident(), what)]))
        threads = {}
        while told := await store.claim("chat", unix(number)):
            assert isinstance(told, Notification)
            threads[told.id] = told.thread
            await store.settle(Settled(told.id, "delivered", receipt=receipt if told.id != "m" else None))
        assert threads.pop("m", None) is None
        assert threads == {f"n{number}": "msg-17"}


async def test_settling_twice_or_something_unknown_changes_nothing(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await told(store)
    before = await store.ledger()
    for settled in (Settled("n1", "dead"), Settled("n1", "retry", 5.0), Settled("unknown", "delivered")):
        await store.settle(settled)
    assert await store.ledger() == before
    with pytest.raises(ValueError, match="nonsense"):
        await store.settle(Settled("n1", "nonsense"))


async def test_what_comes_next_is_handed_out_as_soon_as_the_one_before_is_settled(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(2)]))
    first = await store.claim("chat", unix(0))
    assert first is not None
    second = await store.settle_then_claim(Settled(first.id, "delivered"), "chat", unix(0))
    assert second is not None
    assert (first.id, second.id) == ("n0", "n1")
    assert await store.claim("chat", unix(0)) is None, "it is in flight"
    assert await store.settle_then_claim(Settled(second.id, "delivered"), "chat", unix(0)) is None
    assert (await store.outbox_counts())["chat"]["delivered"] == 2


async def test_a_notification_enqueued_again_is_ignored(store: Store) -> None:
    n1 = notification("n1", incident())
    await store.commit(batch(notifications=[n1, n1]))
    await told(store)
    await store.commit(batch(notifications=[n1]))
    assert await told(store) == []
    assert (await store.ledger())["notifications_enqueued"] == 1


@pytest.mark.parametrize(
    ("whats", "expected"),
    [
        (["opened", "updated"], [("n1", "opened")]),
        (["opened", "updated", "updated"], [("n2", "opened")]),
        (["opened", "resolved"], [("n1", "resolved")]),
        (["opened", "updated", "resolved"], [("n2", "resolved")]),
        (["updated", "updated"], [("n1", "updated")]),
        (["updated", "resolved"], [("n1", "resolved")]),
        (["resolved", "opened"], [("n0", "resolved"), ("n1", "opened")]),
        (["resolved", "updated"], [("n0", "resolved"), ("n1", "updated")]),
        (["opened", "resolved", "opened", "updated"], [("n1", "resolved"), ("n3", "opened")]),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_news_replaces_what_was_not_told_yet_and_loses_no_announcement(
    store: Store, whats: list[str], expected: list[tuple[str, str]], together: bool
) -> None:
    many = [notification(f"n{n}", incident(count=n + 1), what) for n, what in enumerate(whats)]
    for part in [many] if together else [[n] for n in many]:
        await store.commit(batch(notifications=part))
    assert await told(store) == expected
    totals = store.totals()["chat"]
    assert (totals.enqueued, totals.pending) == (len(whats), 0)
    assert totals.delivered + totals.superseded == len(whats)


@pytest.mark.parametrize(("lasted", "expected"), [(899, []), (900, [("n1", "resolved")])])
@pytest.mark.parametrize("together", [True, False])
async def test_what_was_over_soon_and_never_announced_is_not_told_but_kept(
    store: Store, lasted: float, expected: list[tuple[str, str]], together: bool
) -> None:
    many = [notification("n0", incident()), notification("n1", incident(resolved=lasted), "resolved", seconds=lasted)]
    for part in [many] if together else [[n] for n in many]:
        await store.commit(batch(notifications=part))
    assert await told(store) == expected
    totals = store.totals()["chat"]
    assert (totals.enqueued, totals.pending, totals.delivered) == (2, 0, len(expected))
    assert (await store.incident("i1")) is not None
    assert len(await store.alerting("chat", unix(0))) == len(expected)


async def test_what_somebody_may_know_of_is_never_cancelled(store: Store) -> None:
    end = notification("end", incident(resolved=30), "resolved")
    await store.commit(batch(notifications=[notification("n0", incident())]))
    await store.claim("chat", unix(0))
    await store.commit(batch(notifications=[end]))
    await store.release()
    assert await told(store) == [("n0", "opened"), ("end", "resolved")]


async def test_openings_and_updates_overtake_all_clears(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"up{n}", incident(f"a{n}"), "resolved") for n in range(3)]))
    await store.commit(batch(notifications=[notification("down", incident("b")), notification("up", incident("c"))]))
    await store.commit(batch(notifications=[notification("news", incident("d"), "updated")]))
    assert [id_ for id_, _ in await told(store)] == ["down", "up", "news", "up0", "up1", "up2"]


async def test_an_end_that_goes_on_as_another_incident_is_told_before_it(store: Store) -> None:
    grown = replace(incident("a", resolved=40), continued_by="b")
    await store.commit(batch(notifications=[notification("over", incident("c"), "resolved")]))
    await store.commit(batch(notifications=[notification("grown", grown, "resolved")]))
    await store.commit(batch(notifications=[notification("larger", incident("b"))]))
    assert [id_ for id_, _ in await told(store)] == ["grown", "larger", "over"]


async def test_nothing_is_handed_out_beside_what_is_in_flight(store: Store) -> None:
    await store.commit(batch(notifications=[notification("up", incident("a"), "resolved")]))
    await store.claim("chat", unix(0))
    await store.commit(batch(notifications=[notification("down", incident("b"))]))
    assert (await store.claim("chat", unix(0)), await store.next_due("chat")) == (None, None)
    assert await store.seal("chat", unix(0), "storm", 9) is None
    await store.settle(Settled("up", "delivered"))
    assert await told(store) == [("down", "opened")]


async def test_the_replacement_tells_the_latest_picture(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident(count=1))]))
    await store.commit(batch(notifications=[notification("n2", incident(count=7), "updated")]))
    claimed = await store.claim("chat", unix(0))
    assert isinstance(claimed, Notification)
    assert (claimed.what, claimed.incident.count) == ("opened", 7)


@pytest.mark.parametrize("in_hand", [False, True])
async def test_what_takes_the_place_of_something_untold_is_as_late_as_that(store: Store, in_hand: bool) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    if in_hand:
        await store.claim("chat", unix(0))
    for n, seconds in ((2, 60.0), (3, 120.0)):
        await store.commit(batch(notifications=[notification(f"n{n}", incident(), "updated", seconds=seconds)]))
    if in_hand:
        await store.settle(Settled("n1", "retry", unix(125), "connect"))
    assert (await store.waiting("chat", unix(130))).oldest == unix(0)
    assert await store.oldest_waiting(unix(130)) == {"chat": unix(0)}
    [waits] = (await store.letters(state="pending")).items
    assert (waits.id, waits.created_at, waits.wanted_at) == ("n3", at(120), at(0))
    claimed = await store.claim("chat", unix(130))
    assert isinstance(claimed, Notification)
    assert (claimed.what, claimed.wanted_at, claimed.first) == ("opened", at(0), True)
    await store.settle(Settled("n3", "delivered"))
    await store.commit(batch(notifications=[notification("n4", incident(), "updated", seconds=140.0)]))
    end = notification("end", incident(resolved=600), "resolved", seconds=600.0)
    await store.commit(batch(notifications=[end]))
    assert [one.wanted_at for one in (await store.letters(state="pending")).items] == [at(600)], "the end is no later"


async def test_what_is_in_somebodys_hands_is_replaced_only_when_he_could_not_tell_it(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident()), notification("other", incident("i2"))]))
    await store.claim("chat", unix(0))
    await store.commit(batch(notifications=[notification("n2", incident(count=2), "updated")]))
    assert [(one.id, one.state) for one in (await store.letters(incident="i1")).items] == [
        ("n2", "pending"), ("n1", "pending"),
    ]  # fmt: skip
    await store.settle(Settled("n1", "retry", unix(60)))
    await store.commit(batch(notifications=[notification("n3", incident(count=3), "updated")]))
    assert await told(store) == [("n3", "opened"), ("other", "opened")]


@pytest.mark.parametrize("meanwhile", [True, False])
@pytest.mark.parametrize(
    ("heard", "lasted", "expected"),
    [(False, 39, []), (False, 900, [("end", "resolved")]), (True, 39, [("end", "resolved")])],
)
async def test_what_was_over_before_it_could_be_told_is_not_told_as_if_it_lasted(
    store: Store, meanwhile: bool, heard: bool, lasted: float, expected: list[tuple[str, str]]
) -> None:
    """Of what was soon over nothing is told, unless the far end may have heard of its beginning."""
    end = notification("end", incident(resolved=lasted), "resolved", seconds=lasted)
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.claim("chat", unix(0))
    if meanwhile:
        await store.commit(batch(notifications=[end]))
    await store.settle(Settled("n1", "retry", unix(60), "server_error: answered 500", heard=heard))
    if not meanwhile:
        await store.commit(batch(notifications=[end]))
    assert await told(store) == expected
    totals = store.totals()["chat"]
    assert (totals.enqueued, totals.pending, totals.delivered) == (2, 0, len(expected))


async def test_that_a_far_end_may_have_heard_of_it_is_remembered_over_what_replaces_it(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    for ident, heard in (("n1", True), ("n2", False)):
        await store.claim("chat", unix(0))
        await store.settle(Settled(ident, "retry", unix(0), "timeout", heard=heard))
        await store.commit(batch(notifications=[notification("n2", incident(), "updated")]))
    await store.commit(batch(notifications=[notification("end", incident(resolved=30), "resolved")]))
    assert await told(store) == [("end", "resolved")]


async def test_what_has_to_be_repeated_as_it_was_is_not_replaced_after_another_failure(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.claim("chat", unix(0))
    await store.release()
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", unix(60), heard=False))
    await store.commit(batch(notifications=[notification("n2", incident(resolved=30), "resolved")]))
    assert await told(store) == [("n1", "opened"), ("n2", "resolved")]


async def test_an_incident_updated_again_and_again_keeps_its_place_in_the_queue(store: Store) -> None:
    await store.commit(batch(notifications=[notification("slow", incident("other")), notification("n0", incident())]))
    for n in range(1, 9):
        late = notification(f"late{n}", incident(f"late{n}"))
        await store.commit(batch(notifications=[late, notification(f"n{n}", incident(), "updated")]))
    assert [id_ for id_, _ in await told(store)][:3] == ["slow", "n8", "late1"]


async def test_the_same_incident_on_two_channels_is_told_on_both(store: Store) -> None:
    both = [notification("n1", incident(), channel="a"), notification("n2", incident(), "updated", channel="b")]
    await store.commit(batch(notifications=both))
    assert await told(store, "a") == [("n1", "opened")]
    assert await told(store, "b") == [("n2", "updated")]


async def test_a_notification_about_an_incident_nobody_stored_brings_it_along(store: Store) -> None:
    await store.commit(Batch(notifications=[notification("n1", incident("test"))]))
    assert await store.incident("test") == incident("test")


async def test_a_released_notification_is_handed_out_again_and_not_replaced(store: Store) -> None:
    await store.commit(
        batch(notifications=[notification("n1", incident()), notification("m", incident(), channel="b")])
    )
    await store.claim("chat", unix(0))
    await store.claim("b", unix(0))
    await store.release("chat")
    await store.commit(batch(notifications=[notification("n2", incident(), "updated")]))
    assert await told(store) == [("n1", "opened"), ("n2", "updated")]
    assert await store.claim("b", unix(0)) is None
    await store.release()
    assert await told(store, "b") == [("m", "opened")]


async def test_what_somebody_held_when_he_was_cut_off_is_told_again_first_and_alone(store: Store) -> None:
    """In a digest it would have another id: nobody could tell that it is the same."""
    await store.commit(
        batch(
            notifications=[
                notification("over", incident("i0", 0, 2000), "resolved"),
                notification("n1", incident("i1")),
            ]
        )
    )
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "delivered"))
    held = await store.claim("chat", unix(0))
    assert held is not None
    assert held.id == "over"
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(2, 6)]))
    await store.release()
    assert await store.seal("chat", unix(0), "storm", 9) is None
    assert await store.next_due("chat") == 0
    again = await store.claim("chat", unix(0))
    assert again is not None
    assert again.id == "over", "although it is an all-clear and there is news"
    await store.settle(Settled("over", "retry", unix(60)))
    digest = await store.seal("chat", unix(0), "storm", 2)
    assert isinstance(digest, Digest)
    assert [one.id for one in digest.notifications] == ["n2", "n3"]
    await store.settle(Settled(digest.id, "delivered"))
    assert await store.seal("chat", unix(60), "storm", 9) is None, "nor may it be bound in when it was not taken"
    again = await store.claim("chat", unix(60))
    assert again is not None
    assert (again.id, again.attempts) == ("over", 1)
    await store.settle(Settled("over", "delivered"))
    digest = await store.seal("chat", unix(60), "storm", 9)
    assert isinstance(digest, Digest)
    assert [one.id for one in digest.notifications] == ["n4", "n5"]


async def test_a_digest_is_taken_apart_for_a_channel_that_shows_less(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    sealed = await store.seal("chat", unix(0), "storm", 9)
    assert isinstance(sealed, Digest)
    await store.release()
    await store.unseal("chat", 3)
    assert await store.claim("chat", unix(0)) == sealed, "as many as fit stay together"
    await store.release()
    await store.unseal("chat", 0)
    one = await store.claim("chat", unix(0))
    assert isinstance(one, Notification)
    assert one.id == "n0"
    await store.settle(Settled("n0", "dead"))
    again = await store.seal("chat", unix(0), "storm", 9)
    assert isinstance(again, Digest)
    assert [member.id for member in again.notifications] == ["n1", "n2"]
    await store.unseal("chat", 1)  # also out of the hands of who has it
    assert await store.next_due("chat") is not None
    await store.seal("chat", unix(0), "late", 9)  # the same id once more is no conflict


async def test_what_waits_for_a_channel_that_is_gone_is_given_up_at_once(store: Store) -> None:
    about = [incident(f"i{n}") for n in range(6)]
    await store.commit(
        batch(notifications=[notification(f"n{n}", one, channel="gone") for n, one in enumerate(about)] + [
            notification("m", about[0])
        ])
    )  # fmt: skip
    await store.claim("gone", unix(0))
    await store.settle(Settled("n0", "delivered"))
    await store.seal("gone", unix(0), "storm", 2)
    await store.release()
    await store.claim("gone", unix(0))
    await store.settle(
        Settled((await store.letters(state="pending", channel="gone")).items[-1].digest or "", "retry", unix(9))
    )
    await store.claim("gone", unix(0))
    await store.release()
    assert await store.give_up("gone", "no more") == 5
    assert await store.outbox_counts() == {"gone": {"delivered": 1, "dead": 5}, "chat": {"pending": 1}}
    assert {letter.error for letter in (await store.letters(state="dead")).items} == {"no more"}
    assert store.totals()["gone"].dead == 5
    assert (await store.next_due("gone"), await store.claim("gone", unix(99))) == (None, None)
    assert await store.give_up("gone", "no more") == 0
    assert await store.check() == []


async def test_what_is_over_comes_by_its_end_and_children_only_with_their_device(store: Store) -> None:
    ends = {"a": (30, "FW1", None), "b": (90, "FW2", "a"), "c": (60, "FW2", None), "d": (60, "FW1", "c")}
    for ident, (end, device, parent) in ends.items():
        await store.commit(batch(incidents=[incident(ident, device=device, parent=parent, resolved=end)]))
    assert [i.id for i in await store.over(None, 9)] == ["c", "a"]
    assert [i.id for i in await store.over("FW2", 9)] == ["b", "c"]
    assert [i.id for i in await store.over("FW1", 1)] == ["d"]


async def test_alerting_lists_what_was_announced_and_still_matters(store: Store) -> None:
    open_, resolved, old = incident("open"), incident("new", resolved=100), incident("old", resolved=10)
    dead, other = incident("dead"), incident("other")
    announced = [notification(f"n-{i.id}", i) for i in (open_, resolved, old)]
    refused = [notification("n-dead", dead), notification("n-dead2", dead, "updated")]
    await store.commit(batch(notifications=refused, incidents=[incident("untold")]))
    assert await told(store, outcome="dead") == [("n-dead2", "opened")]
    await store.commit(batch(notifications=[*announced, notification("n-other", other, channel="b")]))
    assert [i.id for i in await store.alerting("chat", unix(100))] == ["open", "new"]
    await told(store)
    changed = incident("open", severity="critical")
    await store.commit(batch(incidents=[changed]))
    assert await store.alerting("chat", unix(100.5)) == [changed]


async def test_a_channel_is_reminded_of_no_news_of_what_it_was_never_told(store: Store) -> None:
    one, other = incident(count=11, news="11 in all, 6 before"), incident(count=14, news="14 in all, 11 before")
    await store.commit(batch(notifications=[notification("n1", incident(count=6), "opened")]))
    await store.commit(batch(notifications=[notification("n2", one, "updated", seconds=60)]))
    assert [about.news for about in await store.alerting("chat", 0)] == [None]
    await told(store)
    assert [about.news for about in await store.alerting("chat", 0)] == [None]
    await store.commit(batch(notifications=[notification("n3", other, "updated", seconds=120)]))
    assert [about.news for about in await store.alerting("chat", 0)] == [other.news]
    await told(store)
    assert await store.alerting("chat", 0) == [other]


# --- retention ------------------------------------------------------------------------------------------------------


async def test_what_is_old_and_unneeded_goes_and_the_ledger_still_balances(store: Store) -> None:
    gone, stays = incident("gone", resolved=10), incident("stays", resolved=10)
    old = [row(0), row(1, "gone"), row(2, "stays"), row(3, "live"), row(4, "never-stored")]
    await store.commit(
        batch(
            journal=old,
            incidents=[incident("live")],
            notifications=[notification("n1", gone)],
            malformed=[malformed(0)],
        )
    )
    await told(store)
    await store.commit(batch(notifications=[notification("n2", stays)], journal=[row(91 * DAY)]))
    removed = await store.prune(unix(90 * DAY + 3600))
    assert removed == 3 + 1 + 1 + 1  # events, incident, notification, malformed
    assert [i.id for i in (await store.incidents()).items] == ["stays", "live"]
    assert [r.incidents for r in (await store.events()).items] == [(), ("live",), ("stays",)]
    assert await store.outbox_counts() == {"chat": {"pending": 1}}
    ledger = await store.ledger()
    assert (ledger["journal_rows"], ledger["pruned_journal_rows"]) == (6, 3)
    assert (ledger["notifications_delivered"], ledger["pruned_notifications_delivered"]) == (1, 1)
    assert await store.check() == []
    assert await store.prune(unix(90 * DAY + 3600)) == 0


async def test_relatives_of_an_open_incident_are_kept(store: Store) -> None:
    family = [
        incident("parent", resolved=5),
        incident("open", parent="parent", children=("child",)),
        incident("child", resolved=5),
        incident("stranger", resolved=5),
    ]
    await store.commit(batch(incidents=family))
    assert await store.prune(unix(100 * DAY)) == 1
    assert await store.incident("stranger") is None


async def test_old_notifications_of_an_open_incident_go_unless_they_announced_it(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident()), notification("n2", incident(), "updated")]))
    await told(store)
    assert await store.outbox_counts() == {"chat": {"superseded": 1, "delivered": 1}}
    assert await store.prune(unix(100 * DAY)) == 1
    assert await store.outbox_counts() == {"chat": {"delivered": 1}}
    assert [i.id for i in await store.alerting("chat", unix(200 * DAY))] == ["i1"]


async def test_what_is_exactly_as_old_as_the_retention_stays(store: Store) -> None:
    await store.commit(Batch(journal=[row(0)]))
    assert await store.prune(START.timestamp() + 90 * DAY) == 0
    assert await store.prune(START.timestamp() + 90 * DAY + 0.001) == 1


async def test_a_long_tail_is_pruned_past_rows_that_have_to_stay(store: Store) -> None:
    times = [(n * 7919) % 1700 for n in range(1700)]  # arrival and clock disagree, as after a clock was set back
    rows = [row(time, "live") if n % 3 else row(time) for n, time in enumerate(times)]
    await store.commit(batch(journal=rows, incidents=[incident("live")]))
    assert await store.prune(unix(100 * DAY)) == len([r for r in rows if not r.incidents])
    assert await store.check() == []


async def test_numbers_are_not_given_twice_after_everything_was_pruned(store: Store) -> None:
    await store.commit(Batch(journal=[row(n) for n in range(3)]))
    first = await store.events(limit=1)
    await store.prune(unix(100 * DAY))
    await store.commit(Batch(journal=[row(n) for n in range(3)]))
    assert (await store.events(before=first.next)).items == ()


async def test_incidents_are_found_by_what_tells_them(store: Store) -> None:
    parent, child = incident("aa"), replace(incident("bb"), parent="aa")
    await store.commit(batch(incidents=[parent, child]))
    assert [one.id for one in (await store.incidents(parent="none")).items] == ["aa"]
    assert [one.id for one in (await store.incidents(parent="aa")).items] == ["bb"]
    assert len((await store.incidents()).items) == 2


async def test_incidents_are_found_by_the_list_of_the_one_that_tells_them(store: Store) -> None:
    """Its list holds, too, what has another parent since, and what is not kept any more."""
    parent = replace(incident("aa"), children=("bb", "cc", "gone"))
    others = [replace(incident("bb"), parent="aa"), replace(incident("cc"), parent="dd"), incident("dd")]
    await store.commit(batch(incidents=[parent, *others]))
    assert [one.id for one in (await store.incidents(child_of="aa")).items] == ["cc", "bb"]
    assert [one.id for one in (await store.incidents(child_of="aa", parent="dd")).items] == ["cc"]
    assert (await store.incidents(child_of="bb")).items == ()
    assert (await store.incidents(child_of="never")).items == ()


# --- what operators do with the outbox ------------------------------------------------------------------------------


async def dead(store: Store, *notifications: Notification, error: str = "refused: 404") -> None:
    """Have them given up."""
    await store.commit(batch(notifications=list(notifications)))
    for one in notifications:
        assert await store.claim(one.channel, unix(DAY)) is not None
        await store.settle(Settled(one.id, "dead", error=error))


async def one_letter(store: Store, ident: str) -> Letter:
    letter = await store.letter(ident)
    assert letter is not None
    assert letter in (await store.letters(id=ident)).items
    return letter


async def balanced(store: Store) -> dict[str, int]:
    """The totals of the channel, which must add up."""
    found = msgspec.structs.asdict(store.totals()["chat"])
    assert found["enqueued"] == sum(n for name, n in found.items() if name != "enqueued")
    counts = (await store.outbox_counts())["chat"]
    assert {name: n for name, n in found.items() if n and name != "enqueued"} == counts
    return found


async def test_what_was_not_delivered_is_listed_with_why(store: Store) -> None:
    await dead(store, notification("n1", incident("i1", title="branch down")))
    await store.commit(batch(notifications=[notification("n2", incident("i2"), seconds=5)]))
    await store.commit(
        batch(notifications=[later("n3", incident("i3"), 50), notification("m1", incident("i1"), channel="pager")])
    )
    await store.claim("chat", unix(10))
    await store.settle(Settled("n2", "retry", unix(70), "timeout: 15 s"))
    given_up, tried = await one_letter(store, "n1"), await one_letter(store, "n2")
    assert (given_up.state, given_up.error, given_up.settled_at) == ("dead", "refused: 404", at(0))
    assert (given_up.incident, given_up.title, given_up.severity, given_up.attempts) == (
        "i1",
        "branch down",
        "major",
        1,
    )
    assert (tried.state, tried.error, tried.next_try_at, tried.attempts) == ("pending", "timeout: 15 s", at(70), 1)
    held = await one_letter(store, "n3")
    assert (held.wanted_at, held.next_try_at, held.settled_at) == (at(50), at(50), None)
    assert await store.oldest_waiting(unix(40)) == {"chat": unix(5), "pager": unix(0)}
    assert await store.oldest_waiting(unix(3)) == {"pager": unix(0)}
    assert await store.letter("n") is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["n5", "n4", "n3", "n2", "n1"]),
        ({"undelivered": True}, ["n5", "n4", "n2"]),
        ({"channel": "pager"}, ["n5"]),
        ({"state": "dead"}, ["n2"]),
        ({"incident": "i3"}, ["n4", "n3"]),
        ({"undelivered": True, "wanted_before": unix(4)}, ["n2"]),
        ({"id": "n3"}, ["n3"]),
        ({"state": "delivered", "before": 1}, []),
    ],
)
async def test_letters_can_be_filtered(store: Store, wanted: dict[str, Any], found: list[str]) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("i1"))]))
    assert await told(store) == [("n1", "opened")]
    await dead(store, notification("n2", incident("i2"), seconds=3))
    replaced = [notification("n3", incident("i3"), seconds=4), notification("n4", incident("i3"), "updated", seconds=4)]
    await store.commit(batch(notifications=[*replaced, notification("n5", incident("i4"), channel="pager", seconds=4)]))
    assert [letter.id for letter in (await store.letters(**wanted)).items] == found


async def test_a_letter_says_what_holds_it_and_behind_which_it_waits(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("i1"))]))
    assert await store.claim("chat", unix(0)) is not None
    await store.commit(batch(notifications=[notification("n2", incident("i1"), "resolved")]))
    await store.commit(batch(notifications=[later("n3", incident("i2"), 5000, held=True)]))
    await store.commit(batch(notifications=[later("n4", incident("i3"), 5000, escalates=True)]))
    found = {one.id: (one.behind, one.held, one.escalates) for one in (await store.letters()).items}
    assert found == {
        "n1": (None, False, False),
        "n2": ("n1", False, False),
        "n3": (None, True, False),
        "n4": (None, False, True),
    }
    assert (await one_letter(store, "n2")).behind == "n1"
    await store.settle(Settled("n1", "delivered"))
    assert (await one_letter(store, "n2")).behind is None


async def test_letters_come_in_pages(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(5)]))
    first = await store.letters(limit=2)
    second = await store.letters(limit=3, before=first.next)
    assert [letter.id for letter in (*first.items, *second.items)] == ["n4", "n3", "n2", "n1", "n0"]
    assert second.next is None


async def test_a_dead_one_is_told_again_as_things_stand_now_and_stays_dead(store: Store) -> None:
    await dead(store, notification("n1", incident("i1"), seconds=1))
    await store.commit(batch(incidents=[incident("i1", count=7)]))
    again = await store.retry("n1")
    assert (again.state, again.what, again.attempts, again.created_at) == ("pending", "opened", 0, at(1))
    assert again.id != "n1"
    assert await store.dead_letters() == {}
    old = await one_letter(store, "n1")
    assert (old.state, old.sent_again_as, old.undelivered) == ("dead", again.id, False)
    assert await balanced(store) == {"enqueued": 2, "pending": 1, "delivered": 0, "dead": 1, "superseded": 0}
    claimed = await store.claim("chat", unix(DAY))
    assert isinstance(claimed, Notification)
    assert (claimed.id, claimed.incident.count, claimed.created_at) == (again.id, 7, at(1))
    await store.settle(Settled(again.id, "dead", error="refused again"))
    with pytest.raises(OutboxError, match=f"n1 was sent again as {again.id}"):
        await store.retry("n1")
    third = await store.retry(again.id)
    assert third.id not in ("n1", again.id)
    assert await balanced(store) == {"enqueued": 3, "pending": 1, "delivered": 0, "dead": 2, "superseded": 0}


async def test_a_dead_opening_of_what_is_over_is_told_as_over(store: Store) -> None:
    await dead(store, notification("n1", incident("i1")))
    await store.commit(batch(incidents=[incident("i1", resolved=9)]))
    again = await store.retry("n1")
    assert (again.what, again.state) == ("resolved", "pending"), "however short it was: somebody asked for it"
    assert await told(store) == [(again.id, "resolved")]


async def test_a_dead_escalation_or_held_one_is_told_again_at_once(store: Store) -> None:
    one = replace(later("n1", incident("i1"), 900, escalates=True), held=True)
    await dead(store, one)
    again = await store.retry("n1")
    assert (again.state, again.next_try_at, again.wanted_at) == ("pending", None, at(0))
    assert (await store.waiting("chat", unix(1))).held == 0


async def test_what_waits_is_due_at_once_after_a_retry(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("i1"))]))
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", unix(300), "connect"))
    assert await store.claim("chat", unix(1)) is None
    assert (await store.retry("n1")).next_try_at is None
    assert await store.next_due("chat") == 0.0
    assert (await balanced(store))["enqueued"] == 1
    claimed = await store.claim("chat", unix(1))
    assert claimed is not None
    assert (claimed.id, claimed.attempts) == ("n1", 1)


async def test_a_digest_is_tried_at_once_as_a_whole(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    sealed = await store.seal("chat", unix(1), "storm", 2)
    assert sealed is not None
    await store.settle(Settled(sealed.id, "retry", unix(300), "connect"))
    await store.retry("n1")
    again = await store.claim("chat", unix(2))
    assert isinstance(again, Digest)
    assert [one.id for one in again.notifications] == ["n0", "n1"]
    assert {(await one_letter(store, ident)).digest for ident in ("n0", "n1")} == {sealed.id}


async def test_what_waits_is_dropped_and_says_by_whom(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("i1")), notification("n2", incident("i2"))]))
    gone = await store.drop("n1", "ann")
    assert (gone.state, gone.error, gone.dropped_by, gone.undelivered) == ("dead", "dropped by ann", "ann", False)
    assert await balanced(store) == {"enqueued": 2, "pending": 1, "delivered": 0, "dead": 1, "superseded": 0}
    assert await told(store) == [("n2", "opened")]
    assert (await store.retry("n1")).state == "pending", "somebody thought better of it"


async def test_a_dead_one_is_closed_and_keeps_its_error(store: Store) -> None:
    await dead(store, notification("n1", incident("i1")))
    assert await store.dead_letters() == {"chat": 1}
    closed = await store.drop("n1", "ann")
    assert (closed.state, closed.error, closed.dropped_by, closed.undelivered) == ("dead", "refused: 404", "ann", False)
    assert (await balanced(store))["dead"] == 1
    assert await store.dead_letters() == {}
    with pytest.raises(OutboxError, match="was dropped by ann"):
        await store.drop("n1", "bob")


async def test_what_is_being_told_right_now_is_not_dropped(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    await store.claim("chat", unix(1))
    with pytest.raises(OutboxError, match="is being told right now"):
        await store.drop("n0", "ann")
    assert (await store.drop("n1", "ann")).state == "dead"
    await store.settle(Settled("n0", "retry", unix(1), "connect"))
    assert (await store.drop("n0", "ann")).state == "dead"


async def test_what_only_waits_to_be_told_again_is_dropped_from_whoever_holds_it(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    await store.claim("chat", unix(1))
    await store.lay_down("n0")
    assert await store.take_up("n0")
    with pytest.raises(OutboxError, match="is being told right now"):
        await store.drop("n0", "ann")
    await store.lay_down("n0")
    await store.commit(batch(notifications=[notification("later", incident("i0"), "updated")]))
    assert (await store.drop("n0", "ann")).error == "dropped by ann"
    assert not await store.take_up("n0")
    await store.settle(Settled("n0", "retry", unix(1), "connect"))
    sealed = await store.seal("chat", unix(1), "storm", 3)
    assert sealed is not None
    await store.lay_down(sealed.id)
    await store.drop("n1", "ann")
    assert not await store.take_up(sealed.id), "it does not list the same any more"
    with pytest.raises(OutboxError, match="is being told right now"):
        await store.drop("n2", "ann")
    await store.settle(Settled(sealed.id, "retry", unix(1), "connect"))
    assert await balanced(store) == {"enqueued": 4, "pending": 2, "delivered": 0, "dead": 2, "superseded": 0}


async def test_of_a_digest_in_flight_nothing_is_dropped_and_later_it_lists_the_others(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(2)]))
    sealed = await store.seal("chat", unix(1), "storm", 2)
    assert sealed is not None
    with pytest.raises(OutboxError, match="is being told right now"):
        await store.drop("n1", "ann")
    await store.settle(Settled(sealed.id, "retry", unix(1), "connect"))
    await store.drop("n0", "ann")
    again = await store.claim("chat", unix(2))
    assert isinstance(again, Digest)
    assert (again.id, [one.id for one in again.notifications]) == (sealed.id, ["n1"])


@pytest.mark.parametrize("act", ["retry", "drop"])
async def test_nothing_is_done_about_what_was_told_or_replaced_or_does_not_exist(store: Store, act: str) -> None:
    await store.commit(
        batch(notifications=[notification("n1", incident("i1")), notification("n2", incident("i1"), "updated")])
    )
    await told(store)

    async def does(ident: str) -> OutboxError:
        with pytest.raises(OutboxError) as caught:
            await (store.retry(ident) if act == "retry" else store.drop(ident, "ann"))
        return caught.value

    assert [str(await does(ident)) for ident in ("n1", "n2")] == ["n1 is superseded already", "n2 is delivered already"]
    missing = await does("n9")
    assert (str(missing), missing.missing) == ("no notification 'n9'", True)


async def test_a_digest_that_surely_did_not_go_out_is_made_anew_of_how_things_stand(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    sealed = await store.seal("chat", unix(0), "storm", 9)
    assert isinstance(sealed, Digest)
    for n, resolved in ((0, None), (1, 30.0)):
        said = "resolved" if resolved else "updated"
        await store.commit(batch(notifications=[notification(f"m{n}", incident(f"i{n}", resolved=resolved), said)]))
    await store.settle(Settled(sealed.id, "retry", unix(60), "connect", heard=False))
    again = await store.seal("chat", unix(60), "late", 9)
    assert isinstance(again, Digest)
    assert [(one.id, one.what, one.attempts) for one in again.notifications] == [
        ("m0", "opened", 1),
        ("n2", "opened", 1),
    ], "and what was over by then is not told"
    await store.settle(Settled(again.id, "retry", unix(90), "timeout", heard=True))
    await store.settle(Settled(again.id, "retry", unix(120), "connect", heard=False))
    assert (await store.claim("chat", unix(120))) == replace(again, attempts=3, notifications=tuple(
        replace(one, attempts=3) for one in again.notifications
    )), "somebody may have heard of it once"  # fmt: skip
    await store.check()
    await balanced(store)


async def test_a_digest_that_was_in_somebodys_hands_when_he_was_cut_off_stays_as_it_is(store: Store) -> None:
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(2)]))
    sealed = await store.seal("chat", unix(0), "storm", 9)
    assert isinstance(sealed, Digest)
    await store.release()
    assert await store.claim("chat", unix(0)) == sealed
    await store.settle(Settled(sealed.id, "retry", unix(60), "connect", heard=False))
    again = await store.claim("chat", unix(60))
    assert isinstance(again, Digest)
    assert again.id == sealed.id
