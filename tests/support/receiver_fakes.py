"""What receivers' tests need around real sockets: a sink with a chosen capacity, a plain framer, senders."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence

import pytest

from eventd.model import Message

#: No wait in these tests is longer unless something is broken.
PATIENCE_S = 10.0
LOOK_EVERY_S = 0.002


class FakeSink:
    """A `eventd.contract.Sink` that keeps messages and is full at ``capacity``."""

    def __init__(self, capacity: float = float("inf")) -> None:
        self.capacity = capacity
        self.messages: list[Message] = []
        self.puts: list[int] = []
        self.crowd: set[str] = set()
        self._resumes: deque[Callable[[], None]] = deque()
        self._arrived = asyncio.Event()

    def put(self, messages: Sequence[Message]) -> None:
        assert messages, "an empty put is a wasted one"
        self.messages.extend(messages)
        self.puts.append(len(messages))
        self._arrived.set()

    @property
    def full(self) -> bool:
        return len(self.messages) >= self.capacity

    def crowded(self, source: str) -> bool:
        return source in self.crowd

    @property
    def waiting(self) -> int:
        return len(self._resumes)

    def on_room(self, resume: Callable[[], None]) -> None:
        self._resumes.append(resume)

    def make_room(self, capacity: float = float("inf")) -> None:
        """Raise the capacity and wake who waited, once each."""
        self.capacity = capacity
        for _ in range(len(self._resumes)):
            self._resumes.popleft()()

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    async def holds(self, count: int) -> list[Message]:
        """Wait until ``count`` messages have come in all."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.messages) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.messages


class LineFramer:
    """A `eventd.contract.Framer` of lines. ``!`` alone is a damaged frame, ``!!`` loses the stream."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self._rest = b""

    @property
    def pending(self) -> bool:
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line, reason in ((b"!", "bad_frame"), (b"!!", "sync_lost")):
            if line in lines:
                self.errors[reason] = self.errors.get(reason, 0) + lines.count(line)
        return [line for line in lines if line not in (b"!", b"!!")]

    def finish(self) -> list[bytes]:
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


async def until(true: Callable[[], object]) -> None:
    """Wait for something that only the kernel or another process can make true."""
    for _ in range(round(PATIENCE_S / LOOK_EVERY_S)):
        if true():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    pytest.fail(f"still not so after {PATIENCE_S} s")


async def turns(count: int = 5) -> None:
    """Let the loop turn, so that whatever is ready to happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def need_ipv6() -> None:
    """Skip the test on a machine without IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")


def udp_client(host: str = "127.0.0.1") -> socket.socket:
    """A socket to send datagrams from."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(PATIENCE_S)
    return sock
