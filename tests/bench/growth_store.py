"""Growth of the file: what a commit, a question of the API, retention and a start cost with so many events on disk."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from growth_curve import Curve, Look, Subject
from growth_judge import device
from storm import peer, start_line, stop_line

from eventd import registry
from eventd.contract import Batch, JournalRow
from eventd.correlate import Correlator, Settings
from eventd.decode import Decoder
from eventd.errors import StoreError
from eventd.inventory import Inventory
from eventd.model import Event, Incident, Message
from eventd.parse.snmp import Access
from eventd.store import base as store
from eventd.store.rows import text
from eventd.store.sqlite import SqliteStore
from eventd.store.writer import incident_row

PEERS = 20_000
#: All of the journal arrived within it, evenly.
DAYS = 100
RETENTION_DAYS = 90
#: An incident for so many events, with the last `LINKS` of them; each tenth is open.
EVENTS_PER_INCIDENT = 100
LINKS = 5
#: Rows of one commit, and commits of one look.
ROWS, COMMITS = 256, 8
#: Events that get too old between two looks at retention.
PRUNED = 600
DAY_US = 86_400_000_000

#: Questions to which the answer may be nothing.
NOTHING = ("dead letters", "events of a peer since the last")

#: Real rows of a template each, with number, time, device and peer put in by SQLite: a million in some seconds.
EVENTS = """
WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < :rows)
INSERT INTO events (seq, received_at, device, peer, event, duplicate, json)
SELECT seq, :first + seq * :apart, 'FW' || (at % 500), printf('10.%d.%d.1', at >> 8, at & 255),
    CASE WHEN seq % 2 THEN 'ipsec.tunnel.stop' ELSE 'ipsec.tunnel.start' END, 0,
    replace(CASE WHEN seq % 2 THEN :stop ELSE :start END, '10.0.0.1', printf('10.%d.%d.1', at >> 8, at & 255))
FROM (SELECT seq, seq * 7919 % 20000 AS at FROM n)
"""
INCIDENTS = """
WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < :rows / :each)
INSERT INTO incidents
    (seq, id, status, kind, severity, device, peer, site, opened_at, updated_at, resolved_at, json)
SELECT seq, printf('%032x', seq), CASE WHEN seq % 10 THEN 'resolved' ELSE 'open' END, 'tunnel_down',
    CASE WHEN seq - :rows / :each / 2 IN (0, 1) THEN 'critical' ELSE 'major' END,
    'FW' || (seq % 500), '10.0.0.1', NULL, ended - :each * :apart, ended, CASE WHEN seq % 10 THEN ended END,
    replace(:json, 'the-id', printf('%032x', seq))
FROM (SELECT seq, :first + seq * :each * :apart AS ended FROM n)
"""
LINKED = """
WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < :rows / :each),
    m (back) AS (SELECT 0 UNION ALL SELECT back + 1 FROM m WHERE back < :links - 1)
INSERT INTO links (event, incident) SELECT seq * :each - back, printf('%032x', seq) FROM n, m ORDER BY 1
"""
OUTBOX = """
INSERT INTO outbox
    (seq, id, place, channel, incident, what, state, attempts, next_at, created_at, settled_at, wanted_at, json)
SELECT seq, id, seq, 'ops', id, 'opened', 'delivered', 1, 0, opened_at, opened_at, opened_at, json FROM incidents
"""
#: As the step of the schema that makes the table.
HOURS = """
INSERT INTO hours (hour, first, last) SELECT received_at / 3600000000, min(seq), max(seq) FROM events GROUP BY 1
"""
COUNTS = """
UPDATE ledger SET value = CASE name WHEN 'journal_rows' THEN :rows WHEN 'incidents_stored' THEN :rows / :each
    WHEN 'notifications_enqueued' THEN :rows / :each WHEN 'notifications_delivered' THEN :rows / :each ELSE value END
"""


def _event(line: str, at: float) -> Event:
    decoder = Decoder(registry.load(), Inventory(), Access(["public"]))
    found = decoder.decode(Message("syslog-udp", "192.0.2.1", 514, at, line.encode()))
    assert isinstance(found, Event)
    return found


def _incident(at: float) -> Incident:
    """One of a tunnel that went down, as the correlator has it."""
    correlator = Correlator(Settings(), Inventory())
    correlator.apply(_event(stop_line(0), at), at)
    [opened] = [change for change in correlator.tick(at + 60).changes if change.what == "opened"]
    return opened.incident


def fill(path: Path, rows: int) -> float:
    """Put so many events into a file that has its schema; Unix seconds of the first one."""
    now = time.time()
    first, apart = round((now - DAYS * 86_400) * 1e6), max(1, DAYS * DAY_US // rows)
    incident = incident_row(_incident(now))
    given: dict[str, Any] = {
        "rows": rows,
        "each": EVENTS_PER_INCIDENT,
        "links": LINKS,
        "first": first,
        "apart": apart,
        "stop": text(_event(stop_line(0), now)),
        "start": text(_event(start_line(0), now)),
        "json": incident["json"].replace(incident["id"], "the-id"),
    }
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -500000")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    for statement in (EVENTS, HOURS, INCIDENTS, LINKED, OUTBOX, COUNTS):
        used = {name: value for name, value in given.items() if f":{name}" in statement}
        db.execute(statement, used)
    for _, sql in indexes:
        db.execute(sql)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    return first / 1e6


class Journal(Subject):
    """A store that holds so many events."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.path, self.rows = folder / "eventd.db", rows
        self._sent = self._pruned = 0

    async def open(self) -> None:
        """Make the file, fill it, and open it again."""
        settings = self.settings()
        await (await SqliteStore.open(settings)).close()
        self.first = await asyncio.to_thread(fill, self.path, self.rows)
        self.store = await SqliteStore.open(settings)
        now = time.time()
        self._samples = [
            _event(line(n, device=device(n)), now) for n in range(0, PEERS, 20) for line in (stop_line, start_line)
        ]

    def settings(self) -> store.Settings:
        """As many days are kept as are in it, but for the first ones."""
        return store.Settings(str(self.path), retention=RETENTION_DAYS * 86_400.0)

    async def close(self) -> None:
        await self.store.close()

    def looks(self) -> Sequence[Look]:
        midway = self.first + DAYS * 43_200
        few = 86_400.0 * DAYS / self.rows * 1000
        one = peer(self.rows * 2 // 5 * 7919 % PEERS)  # of a row before then that retention does not reach

        def ask(**filters: Any) -> Awaitable[Any]:
            return self.store.events(**filters)

        asked: dict[str, Callable[[], Awaitable[Any]]] = {
            "newest events": lambda: ask(),
            "events of a peer": lambda: ask(peer=one, limit=1),
            "events of a device": lambda: ask(device="FW7"),
            "stops of a device": lambda: ask(device="FW7", event="ipsec.tunnel.stop"),
            "events of a peer then": lambda: ask(peer=one, until=midway, limit=1),
            "events of a peer since the last": lambda: ask(peer=one, since=time.time() - 3600.0),
            "events of a device up to then": lambda: ask(device="FW7", until=midway, limit=20),
            "events of a device then": lambda: ask(device="FW7", since=midway, until=midway + 100 * few),
            "all events then": lambda: ask(since=midway, until=midway + few),
            "events before then": lambda: ask(until=midway),
            "events of an incident": lambda: ask(incident=f"{self.rows // EVENTS_PER_INCIDENT:032x}"),
            "newest incidents": lambda: self.store.incidents(),
            "the two critical incidents": lambda: self.store.incidents(severity="critical"),
            "incidents of a device": lambda: self.store.incidents(device="FW100"),
            "latest that are over": lambda: self.store.over(None, 15),
            "latest of a device": lambda: self.store.over("FW101", 15),
            "outbox by state": lambda: self.store.outbox_counts(),
            "dead letters": lambda: self.store.dead_letters(),
        }
        looks = [Look(name, "CPU µs", self._asked(name, question)) for name, question in asked.items()]
        return [
            Look("commit", "CPU µs per row", self._commits),
            Look("commit beside retention", "µs per row", self._commit_beside_retention),
            Look("retention", "CPU µs per row", self._prune),
            Look("start", "CPU µs", self._start),
            Look("announced", "CPU µs per open incident", self._announced),
            *looks,
        ]

    def _asked(self, name: str, question: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[tuple[float, float]]]:
        async def probe() -> tuple[float, float]:
            wall, cpu = time.perf_counter(), time.process_time()
            with suppress(TooLongError):
                found = await _given_up(question)
                assert getattr(found, "items", found) or name in NOTHING, f"{name}: nothing is found"
            return (time.process_time() - cpu) * 1e6, (time.perf_counter() - wall) * 1e3

        return probe

    async def _announced(self) -> tuple[float, float]:
        """What an Alertmanager has to be told again: all of them, each time."""
        wall, cpu = time.perf_counter(), time.process_time()
        found = await self.store.alerting("ops", time.time() - 3600)
        return (time.process_time() - cpu) * 1e6 / len(found), (time.perf_counter() - wall) * 1e3

    async def _commits(self) -> tuple[float, float]:
        cpu = time.process_time()
        waits = [await self._commit() for _ in range(COMMITS)]
        return (time.process_time() - cpu) / COMMITS / ROWS * 1e6, max(waits) * 1e3

    async def _commit(self) -> float:
        """Commit some rows of peers that are far apart; seconds it took."""
        places = range(self._sent, self._sent + ROWS)
        rows = [JournalRow(self._samples[place * 7919 % len(self._samples)]) for place in places]
        self._sent += ROWS
        started = time.perf_counter()
        await self.store.commit(Batch(journal=rows))
        return time.perf_counter() - started

    def _next_cut(self) -> float:
        """A moment by which `PRUNED` more events are too old than by the one before, as retention sees it."""
        self._pruned += PRUNED
        return self.first + self._pruned * DAYS * 86_400 / self.rows + RETENTION_DAYS * 86_400

    async def _prune(self) -> tuple[float, float]:
        now, wall, cpu = self._next_cut(), time.perf_counter(), time.process_time()
        gone = await self.store.prune(now)
        return (time.process_time() - cpu) / max(1, gone) * 1e6, (time.perf_counter() - wall) * 1e3

    async def _commit_beside_retention(self) -> tuple[float, float]:
        """How long commits take that wait for the slices of retention."""
        pruning = asyncio.create_task(self.store.prune(self._next_cut()))
        waits = []
        while not pruning.done():
            waits.append(await self._commit())
        await pruning
        return sum(waits) / len(waits) / ROWS * 1e6, max(waits) * 1e3

    async def _start(self) -> tuple[float, float]:
        """Open the file anew."""
        await self.store.close()
        wall, cpu = time.perf_counter(), time.process_time()
        self.store = await SqliteStore.open(self.settings())
        await self.store.load_states()
        return (time.process_time() - cpu) * 1e6, (time.perf_counter() - wall) * 1e3


class TooLongError(Exception):
    """A question was given up after `QUERY_TIMEOUT_S`, which shows in what it cost."""


async def _given_up(question: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await question()
    except StoreError as error:
        if "interrupted" not in str(error):
            raise
        raise TooLongError from error


async def journal(folder: Path, size: int) -> Subject:
    """So many events are on disk."""
    found = Journal(folder, size)
    await found.open()
    return found


CURVES = (Curve("journal", (30_000, 100_000, 1_000_000), journal, (10_000_000,)),)
