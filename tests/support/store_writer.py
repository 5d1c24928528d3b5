"""A process that commits, claims and settles as fast as it can and says on stdout what was acknowledged.

    python store_writer.py DATABASE FIRST

Each line is ``commit N`` once batch N is durable, or ``settled ID`` once a delivery is. It ends only by being killed.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

from store_samples import batch, incident, malformed, notification, row, unix

from eventd.contract import Settled
from eventd.store import Settings, SqliteStore


def run_python(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a few lines of Python in a process of their own, with ``path`` as argument."""
    return subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=30)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def commits(store: SqliteStore, first: int) -> None:
    for n in range(first, first + 1_000_000):
        about = incident(f"i{n // 3}", resolved=n if n % 3 == 2 else None)
        await store.commit(
            batch(
                journal=[row(n, about.id, device=f"batch{n}") for _ in range(n % 7 + 1)],
                malformed=[malformed(n)],
                states={"last": b"%d" % n, f"k{n % 50}": None if n % 2 else b"x" * 300},
                notifications=[notification(f"n{n}", about, ("opened", "updated", "resolved")[n % 3])],
                tallies={"received": n % 7 + 2},
            )
        )
        say(f"commit {n}")


async def deliveries(store: SqliteStore) -> None:
    while True:
        if told := await store.claim("chat", unix(0)):
            await store.settle(Settled(told.id, "delivered"))
            say(f"settled {told.id}")
        else:
            await asyncio.sleep(0)


async def main(path: str, first: int) -> None:
    store = await SqliteStore.open(Settings(path=path, max_malformed=20))
    say("open")
    await asyncio.gather(commits(store, first), deliveries(store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
