"""What the tests of floods share, and a sender at full speed.

``python flood.py PORT SOURCE SECONDS HEX`` sends one datagram over and over, 64 per system call, and prints how many
left. It is a process of its own, because a thread would share the interpreter with the test that looks on.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sqlite3
import sys
import time
from collections import Counter

from service import Service, until

#: EVENTD_FLOOD_S=20 floods for longer; the default keeps the suite short.
SECONDS = float(os.environ.get("EVENTD_FLOOD_S", "0.5"))
FLOODER = "127.0.0.2"
OTHERS = [f"127.0.1.{n}" for n in range(1, 21)]
#: A flood leaves a full queue behind, and the machine may be busy with other tests.
LONG_S = 240.0
#: Messages per second of each of the others.
RATE = 50

#: Messages per sendmmsg(2).
BURST = 64


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct mmsghdr of <sys/socket.h> on Linux with 64 bits."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("parts", ctypes.POINTER(_Iovec)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("sent", ctypes.c_uint),
        ("padding2", ctypes.c_int),
    )


def flood(port: int, source: str, seconds: float, payload: bytes) -> int:
    """Send to loopback until the time is over or SIGTERM comes; how many datagrams left."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    libc = ctypes.CDLL(None, use_errno=True)
    part = _Iovec(payload, len(payload))
    headers = (_Header * BURST)(*[_Header(parts=ctypes.pointer(part), count=1)] * BURST)
    sent, end = 0, time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
        while not stopped and time.monotonic() < end:
            sent += max(0, libc.sendmmsg(sock.fileno(), headers, BURST, 0))
    return sent


def journal(eventd: Service) -> Counter[str]:
    """How many events of each source are in the journal."""
    with contextlib.closing(sqlite3.connect(eventd.folder / "eventd.db")) as db:
        return Counter(
            dict(db.execute("SELECT json_extract(json, '$.source'), count(*) FROM events GROUP BY 1").fetchall())
        )


def settled(eventd: Service) -> dict[str, float]:
    return until(
        lambda: (m := eventd.metrics()) and not eventd.total(m, "eventd_queued") and not eventd.ledger_faults() and m,
        "the queue to empty and the ledger to balance",
        LONG_S,
    )


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), bytes.fromhex(sys.argv[4])))
