"""What every store promises, asked of both: the one on disk and its model in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from store_samples import START, at, batch, incident, malformed, notification, row, unix

from eventd.contract import Batch, Settled
from eventd.store import MemoryStore, Settings, SqliteStore, Store
from eventd.store.base import OWN_TALLIES

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
    while notification := await store.claim(channel, unix(10 * DAY)):
        sent.append((notification.id, notification.what))
        await store.settle(Settled(notification.id, outcome))
    return sent


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


async def test_a_retry_holds_its_place_and_keeps_the_others_waiting(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident("a")), notification("n2", incident("b"))]))
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
    assert await told(store) == [("n2", "opened")]
    assert await store.next_due("chat") is None
    assert await store.outbox_counts() == {"chat": {"dead": 1, "delivered": 1}}


async def test_settling_twice_or_something_unknown_changes_nothing(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await told(store)
    before = await store.ledger()
    for settled in (Settled("n1", "dead"), Settled("n1", "retry", 5.0), Settled("unknown", "delivered")):
        await store.settle(settled)
    assert await store.ledger() == before
    with pytest.raises(ValueError, match="nonsense"):
        await store.settle(Settled("n1", "nonsense"))


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


async def test_nothing_is_handed_out_beside_an_all_clear_in_flight_or_before_its_pause_is_over(store: Store) -> None:
    await store.commit(batch(notifications=[notification("up", incident("a"), "resolved")]))
    await store.claim("chat", unix(0))
    await store.commit(batch(notifications=[notification("down", incident("b"))]))
    assert (await store.claim("chat", unix(0)), await store.next_due("chat")) == (None, None)
    await store.settle(Settled("up", "retry", retry_at=unix(60)))
    assert (await store.claim("chat", unix(59)), await store.next_due("chat")) == (None, unix(60))
    assert await told(store) == [("down", "opened"), ("up", "resolved")]


async def test_the_replacement_tells_the_latest_picture(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident(count=1))]))
    await store.commit(batch(notifications=[notification("n2", incident(count=7), "updated")]))
    claimed = await store.claim("chat", unix(0))
    assert claimed is not None
    assert (claimed.what, claimed.incident.count) == ("opened", 7)


async def test_a_notification_in_somebodys_hands_or_tried_before_is_not_replaced(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.claim("chat", unix(0))
    await store.commit(batch(notifications=[notification("n2", incident(), "updated")]))
    await store.settle(Settled("n1", "retry", unix(0)))
    await store.commit(batch(notifications=[notification("n3", incident(), "updated")]))
    assert await told(store) == [("n1", "opened"), ("n3", "updated")]


async def test_news_of_what_is_being_retried_waits_behind_it(store: Store) -> None:
    await store.commit(batch(notifications=[notification("n1", incident())]))
    await store.claim("chat", unix(0))
    await store.settle(Settled("n1", "retry", unix(60)))
    await store.commit(batch(notifications=[notification("n2", incident(), "resolved")]))
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
