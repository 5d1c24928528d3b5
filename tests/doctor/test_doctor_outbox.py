"""What the store of a service says of its channels."""

from pathlib import Path

from doctoring import bad, config
from notify_fakes import T0, make_incident, make_notification

from eventd.contract import Batch, Settled
from eventd.doctor import outbox
from eventd.store import Settings, SqliteStore


async def test_a_channel_that_fails_and_what_was_given_up_are_told(tmp_path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(tmp_path / "eventd.db")))
    told = [make_notification("noc", make_incident(id=f"i{n}")) for n in range(3)]
    await store.commit(Batch(notifications=[*told, make_notification("pager")]))
    for one in told[:2]:
        await store.claim("noc", T0)
        await store.settle(Settled(one.id, "retry", T0 + 60, f"refused: https://x answered 404: {one.id}"))
    await store.claim("pager", T0)
    await store.settle(Settled("n-a1b2c3d4e5f6-opened", "dead", error="refused: https://y answered 400"))
    await store.close()
    served = config(tmp_path, '[[channels]]\nname = "pager"\ntype = "console"\n')
    (problem, seen), warning = bad(outbox.examine(served))
    assert problem == "problem"
    assert seen.startswith("noc: 2 tried and not taken, the oldest wanted at 2023-11-14 22:13:")
    assert seen.endswith("refused: https://x answered 404: n-i1-opened")
    assert warning == ("warning", "pager: 1 given up and neither sent again nor dropped")
    advice = [list(outbox.examine(settings))[-1].advice for settings in (served, config(tmp_path))]
    assert advice == [
        "eventd outbox list --channel pager, then retry or drop",
        "it is configured no more: eventd outbox drop --channel pager",
    ]


async def test_where_nothing_failed_all_is_well(tmp_path: Path) -> None:
    assert list(outbox.examine(config(tmp_path))) == [], "there is no store yet"
    await (await SqliteStore.open(Settings(path=str(tmp_path / "eventd.db")))).close()
    assert [finding.level for finding in outbox.examine(config(tmp_path))] == ["ok"]
