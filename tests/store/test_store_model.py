"""The store on disk does whatever its model in memory does, under any sequence of commits, tries and restarts."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from examples import some
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace
from store_samples import at, batch, incident, malformed, notification, row, unix

from eventd.contract import Batch, Settled
from eventd.errors import OutboxError, StoreError
from eventd.store import MemoryStore, Settings, SqliteStore

T = TypeVar("T")

CHANNELS = ("chat", "pager")
INCIDENTS = st.sampled_from(["i1", "i2", "i3", "i4"])
SECONDS = st.integers(0, 100).map(float)
PLACES = {"device": st.sampled_from(["FW1", "FW2"]), "peer": st.sampled_from(["2.1.1.1", "2001:db8::1", None])}
RETENTION = 50.0


@st.composite
def rows(draw: st.DrawFn) -> Any:
    told = draw(st.lists(INCIDENTS, max_size=2))
    name = draw(st.sampled_from(["link.down", "ipsec.tunnel.stop"]))
    known = {key: draw(place) for key, place in PLACES.items()}
    return row(draw(SECONDS), *told, duplicate=draw(st.booleans()), name=name, **known)


@st.composite
def incidents(draw: st.DrawFn) -> Any:
    resolved = draw(st.none() | SECONDS)
    known = {key: draw(place) for key, place in PLACES.items()}
    parent, children = draw(st.none() | INCIDENTS), tuple(draw(st.lists(INCIDENTS, max_size=2)))
    return incident(
        draw(INCIDENTS), 0.0, resolved, parent=parent, children=children, count=draw(st.integers(1, 9)), **known
    )


@st.composite
def notifications(draw: st.DrawFn) -> Any:
    what = draw(st.sampled_from(["opened", "updated", "resolved"]))
    one = notification(
        f"n{draw(st.integers(0, 30))}", draw(incidents()), what, draw(st.sampled_from(CHANNELS)), draw(SECONDS)
    )
    way = draw(st.sampled_from(["now", "catches up", "held", "escalates"]))
    one = replace(one, joined=what == "updated" and draw(st.booleans()))
    if way in ("now", "catches up"):
        return replace(one, catches_up=way == "catches up")
    return replace(one, due_at=at(draw(SECONDS)), held=way == "held", escalates=way == "escalates")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    return batch(
        journal=draw(st.lists(rows(), max_size=4)),
        malformed=draw(st.lists(SECONDS.map(malformed), max_size=3)),
        states=draw(st.dictionaries(st.sampled_from("abc"), st.none() | st.binary(max_size=4), max_size=2)),
        incidents=draw(st.lists(incidents(), max_size=2)),
        notifications=draw(st.lists(notifications(), max_size=4)),
        tallies=draw(st.dictionaries(st.sampled_from(["received", "parsed"]), st.integers(1, 9))),
    )


class Stores(RuleBasedStateMachine):
    """Every rule is done to both; every invariant compares what both say."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="eventd-model-")
        self.runner = asyncio.Runner()
        self.time = 0.0
        self.claimed: list[str] = []
        self.settings = Settings(
            path=str(Path(self.folder, "eventd.db")),
            retention=RETENTION,
            sync="normal",
            max_malformed=4,
            max_malformed_bytes=600,
        )

    def wait(self, awaitable: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await awaitable

        return self.runner.run(awaited())

    def clock(self) -> float:
        return unix(self.time)

    @initialize()
    def open(self) -> None:
        self.real = self.wait(SqliteStore.open(self.settings, self.clock))
        self.model = MemoryStore(self.settings, self.clock)

    def same(self, ask: Any) -> Any:
        real, model = self.said(ask(self.real)), self.said(ask(self.model))
        assert real == model
        return real

    def said(self, asked: Awaitable[T]) -> T | str:
        try:
            return self.wait(asked)
        except OutboxError as error:
            return str(error)

    @rule(seconds=st.integers(0, 20))
    def time_passes(self, seconds: int) -> None:
        self.time += seconds

    @rule(batch=batches())
    def commit(self, batch: Batch) -> None:
        self.same(lambda store: store.commit(batch))

    @rule(batch=batches(), table=st.sampled_from(["events", "outbox", "ledger", "malformed"]))
    def a_commit_fails_midway(self, batch: Batch, table: str) -> None:
        """The disk refuses a row: nothing of the batch stays, whatever had been written before that row."""
        db = self.real._writer._db
        db.execute(
            f"CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.{table} BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        try:
            self.wait(self.real.commit(batch))
        except StoreError:
            return
        finally:
            db.execute("DROP TRIGGER refuse")
        self.wait(self.model.commit(batch))  # it had no row for that table

    @rule(channel=st.sampled_from(CHANNELS), turn=st.sampled_from(["first", "gravest", "least tried", "untried"]))
    def claim(self, channel: str, turn: Any) -> None:
        claimed = self.same(lambda store: store.claim(channel, self.clock(), turn))
        if claimed:
            self.claimed.append(claimed.id)

    @rule(
        channel=st.sampled_from(CHANNELS),
        why=st.sampled_from(["storm", "late", "quiet", "new"]),
        most=st.integers(1, 3),
        apart=st.sets(INCIDENTS, max_size=1),
    )
    def seal(self, channel: str, why: Any, most: int, apart: set[str]) -> None:
        assert self.same(lambda store: store.waiting(channel, self.clock(), apart))
        sealed = self.same(lambda store: store.seal(channel, self.clock(), why, most, apart))
        if sealed:
            self.claimed.append(sealed.id)

    @rule(channel=st.sampled_from(CHANNELS), most=st.integers(0, 2))
    def unseal(self, channel: str, most: int) -> None:
        if channel not in self.model._in_flight.values():  # its worker does it before anything else
            self.same(lambda store: store.unseal(channel, most))

    @rule(
        outcome=st.sampled_from(["delivered", "dead", "retry"]), delay=st.integers(0, 30), heard=st.booleans(),
        then=st.sampled_from([*CHANNELS, None]), data=st.data(),
    )  # fmt: skip
    def settle(self, outcome: str, delay: int, heard: bool, then: str | None, data: st.DataObject) -> None:
        if self.claimed:
            notification_id = data.draw(st.sampled_from(self.claimed))
            retry_at = self.clock() + delay if outcome == "retry" else None
            receipt = "r" if outcome == "delivered" else None
            refused_at = self.clock() if not heard else None
            settled = Settled(notification_id, outcome, retry_at, "why", receipt, heard, refused_at, retry_at)
            if then is None:
                self.same(lambda store: store.settle(settled))
            elif claimed := self.same(lambda store: store.settle_then_claim(settled, then, self.clock())):
                self.claimed.append(claimed.id)

    @rule(data=st.data(), act=st.sampled_from(["retry", "drop"]))
    def somebody_looks_after_it(self, data: st.DataObject, act: str) -> None:
        letters = self.wait(self.model.letters()).items
        known = [letter.id for letter in letters if letter.state in ("pending", "dead")] or ["n0"]
        ident = data.draw(st.sampled_from(known))
        if act == "retry":
            self.same(lambda store: store.retry(ident))
        else:
            self.same(lambda store: store.drop(ident, "ann"))

    @rule(data=st.data())
    def somebody_waits_to_tell_it(self, data: st.DataObject) -> None:
        if self.model._in_flight:
            ident = data.draw(st.sampled_from(sorted(self.model._in_flight)))
            self.same(lambda store: store.lay_down(ident))

    @rule(data=st.data())
    def somebody_tells_it_again(self, data: st.DataObject) -> None:
        if self.claimed:
            ident = data.draw(st.sampled_from(self.claimed))
            self.same(lambda store: store.take_up(ident))

    @rule(channel=st.sampled_from([*CHANNELS, None]))
    def release(self, channel: str | None) -> None:
        self.same(lambda store: store.release(channel))

    @rule()
    def restart(self) -> None:
        self.wait(self.real.close())
        self.real = self.wait(SqliteStore.open(self.settings, self.clock))
        self.model.restart()

    @rule()
    def prune(self) -> None:
        self.same(lambda store: store.prune(self.clock()))

    @invariant()
    def they_agree(self) -> None:
        for ask in (
            lambda s: s.load_states(),
            lambda s: s.load_incidents(),
            lambda s: s.incidents(limit=3),
            lambda s: s.incidents(status="resolved", device="FW2"),
            lambda s: s.events(),
            lambda s: s.events(limit=2, before=4),
            lambda s: s.events(limit=2, until=unix(60)),
            lambda s: s.events(limit=2, since=unix(10), before=4),
            lambda s: s.events(peer="2.1.1.1", event="link.down", since=unix(20), until=unix(80)),
            lambda s: s.events(incident="i1", device="FW1"),
            lambda s: s.malformed(),
            lambda s: s.ledger(),
            lambda s: s.outbox_counts(),
            lambda s: s.letters(),
            lambda s: s.letters(undelivered=True, channel="chat", wanted_before=unix(40), limit=2),
            lambda s: s.letters(incident="i1", state="dead", before=5),
            lambda s: s.oldest_waiting(self.clock()),
            lambda s: s.dead_letters(),
            *(lambda s, c=c: s.next_due(c) for c in CHANNELS),
            *(lambda s, c=c: s.waiting(c, self.clock()) for c in CHANNELS),
            *(lambda s, c=c: s.lately(c) for c in CHANNELS),
            *(lambda s, c=c: s.alerting(c, unix(50)) for c in CHANNELS),
        ):
            self.same(ask)
        assert self.real.totals() == self.model.totals()

    @invariant()
    def the_file_is_consistent(self) -> None:
        assert self.wait(self.real.check()) == []

    def teardown(self) -> None:
        self.wait(self.real.close())
        self.runner.close()
        shutil.rmtree(self.folder)


# Each step asks some fifteen questions of a real file.
Stores.TestCase.settings = some(10, stateful_step_count=25)
test_the_store_on_disk_does_what_its_model_does = pytest.mark.timeout(300)(Stores.TestCase)
