"""A process that dies at any moment loses nothing it was told is durable, and leaves a file that is consistent."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from store_samples import batch, incident, notification, row, unix
from store_writer import run_python

from eventd.contract import Batch, Settled
from eventd.store import Settings, SqliteStore

KILLS = 10
WRITER = run_python.__code__.co_filename


def killed_after(path: Path, first: int, seconds: float) -> list[str]:
    """Run the writer, ``kill -9`` it so long after it opened the file, and return what it had acknowledged."""
    command = [sys.executable, WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(seconds)
        process.kill()
        lines = process.stdout.read().splitlines(keepends=True)
    return [line.rstrip() for line in lines if line.endswith("\n")]


async def test_kill_9_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path, rng, committed, settled = tmp_path / "eventd.db", random.Random(9), 0, set[str]()
    for _ in range(KILLS):
        said = killed_after(path, committed + 1, rng.uniform(0.0, 0.15))
        acknowledged = [int(line.split()[1]) for line in said if line.startswith("commit")]
        settled |= {line.split()[1] for line in said if line.startswith("settled")}
        store = await SqliteStore.open(Settings(path=str(path)))
        assert await store.check() == []
        states = dict(await store.load_states())
        durable = int(states.get("last", b"0"))
        last = acknowledged[-1] if acknowledged else committed
        assert durable in (last, last + 1), "at most the one commit whose answer was cut off is more than was said"
        ledger = await store.ledger()
        assert ledger["received"] == sum(n % 7 + 2 for n in range(1, durable + 1)), "each batch exactly once"
        assert ledger["journal_rows"] == sum(n % 7 + 1 for n in range(1, durable + 1))
        for n in acknowledged[-3:]:
            assert len((await store.events(device=f"batch{n}")).items) == n % 7 + 1
        assert ledger["notifications_enqueued"] == durable
        assert len(settled) <= ledger["notifications_delivered"] <= len(settled) + KILLS
        await store.close()
        committed = durable
    assert committed > KILLS, "the writer never got going: nothing was tested"
    assert settled


async def test_a_restart_repeats_at_most_the_one_in_flight_and_under_the_same_id(tmp_path: Path) -> None:
    settings = Settings(path=str(tmp_path / "eventd.db"))
    store = await SqliteStore.open(settings)
    await store.commit(batch(notifications=[notification(f"n{n}", incident(f"i{n}")) for n in range(3)]))
    first = await store.claim("chat", unix(0))
    assert first is not None
    await store.settle(Settled(first.id, "delivered"))
    in_flight = await store.claim("chat", unix(0))
    assert in_flight is not None
    await store.close()  # as after a crash: nothing says how the second ended
    store = await SqliteStore.open(settings)
    await store.commit(batch(notifications=[notification("n9", incident("i1"), "updated")]))
    repeated = []
    while again := await store.claim("chat", unix(0)):
        repeated.append(again.id)
        await store.settle(Settled(again.id, "delivered"))
    assert repeated == [in_flight.id, "n2", "n9"], "and news of it did not replace what may have been told already"
    await store.close()


async def test_a_write_ahead_log_torn_anywhere_leaves_a_whole_number_of_commits(tmp_path: Path) -> None:
    """What a loss of power may leave behind: the log ends anywhere, even in the middle of a page."""
    live = tmp_path / "live.db"
    store = await SqliteStore.open(Settings(path=str(live)))
    for n in range(1, 13):
        await store.commit(Batch(journal=[row(n)] * n, states={"last": b"%d" % n}, tallies={"batches": 1}))
    log = (tmp_path / "live.db-wal").read_bytes()
    rng, seen = random.Random(4), set[int]()
    for n, cut in enumerate(sorted(rng.randrange(len(log)) for _ in range(12))):
        torn = tmp_path / f"torn{n}.db"
        shutil.copyfile(live, torn)
        Path(f"{torn}-wal").write_bytes(log[:cut])
        recovered = await SqliteStore.open(Settings(path=str(torn)))
        assert await recovered.check() == []
        batches = (await recovered.ledger()).get("batches", 0)
        assert dict(await recovered.load_states()).get("last", b"0") == b"%d" % batches
        assert len((await recovered.events()).items) == sum(range(batches + 1))
        seen.add(batches)
        await recovered.close()
    await store.close()
    assert len(seen) > 3, seen


async def test_the_process_ends_even_if_nobody_closed_the_store(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from eventd.store import *; from eventd.contract import Batch\n"
        "async def main():\n"
        "    store = await SqliteStore.open(Settings(path=sys.argv[1]))\n"
        "    await store.commit(Batch(tallies={'received': 1}))\n"
        "asyncio.run(main())\n"
    )
    assert run_python(program, tmp_path / "eventd.db").returncode == 0
    store = await SqliteStore.open(Settings(path=str(tmp_path / "eventd.db")))
    assert (await store.ledger())["received"] == 1
    await store.close()
