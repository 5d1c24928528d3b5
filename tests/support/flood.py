"""A sender at full speed: ``python flood.py PORT SOURCE SECONDS`` sends one datagram over and over, 64 per system call.

A process of its own, because a thread would share the interpreter with the test that looks on. Prints how many left.
"""

import ctypes
import signal
import socket
import sys
import time

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


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), bytes.fromhex(sys.argv[4])))
