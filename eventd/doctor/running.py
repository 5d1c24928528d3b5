"""Whether the service of a configuration runs, and what other processes hold (proc(5)); nothing is touched."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
#: State of a TCP socket that listens (include/net/tcp_states.h).
_LISTEN = "0A"


class Running(Struct, frozen=True):
    """The eventd that has the store open."""

    pid: int


def running(store: str) -> Running | None:
    """The eventd that holds the lock of the store at this path. Read from /proc/locks: to try the lock oneself could
    keep a starting service from getting it."""
    try:
        beside = Path(store + ".lock")
        inode, text = beside.stat().st_ino, beside.read_text("ascii", "replace").strip()
        locked = re.search(rf"FLOCK +\w+ +WRITE +\d+ \w+:\w+:{inode} ", (PROC / "locks").read_text())
    except OSError:
        return None
    return Running(int(text)) if locked and text.isdecimal() else None


def holders(kind: str, port: int) -> list[tuple[int | None, str]]:
    """(pid, program) of whoever listens on a ``tcp`` or ``udp`` port; pid None where we may not see whose it is."""
    inodes = set(_inodes(kind, port))
    if not inodes:
        return []
    found = [(pid, _program(pid)) for pid in _pids() if inodes & set(_sockets(pid))]
    return list(found) or [(None, "a program of another user")]


def _inodes(kind: str, port: int) -> Iterator[str]:
    for table in (kind, kind + "6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (kind == "udp" or fields[3] == _LISTEN):
                    yield fields[9]


def _pids() -> Iterator[int]:
    return (int(folder.name) for folder in PROC.iterdir() if folder.name.isdecimal())


def _sockets(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(link.readlink())
                if target.startswith("socket:["):
                    yield target[8:-1]


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()
    return "a program that just ended"
