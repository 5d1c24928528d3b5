"""The bounded queue between receivers and pipeline, and who may have how much of it."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from eventd.model import Message

#: Messages held between sockets and pipeline. Beyond it the bytes stay in the kernel, where UDP loss is counted and
#: TCP senders are slowed down. At 500 bytes a message this is 10 MB.
INTAKE_CAPACITY = 20_000
#: The same in bytes, because a datagram may have 64 KiB and a forged source costs nothing.
INTAKE_CAPACITY_BYTES = 64 * 2**20
#: Share of the intake below which who was held may go on: a source alone is held at a half.
RESUME_LOAD = 0.25


class Intake:
    """The bounded queue between receivers and pipeline (a `contract.Sink`).

    A message counts with its bytes, and at least as one of ``capacity``. One source may have as much as is still free
    for others, so half when it is alone and a third each when they are two (Choudhury and Hahne's dynamic threshold):
    there is always room for who has sent nothing yet. ``poll`` has the receivers take what is waiting in the kernel.
    """

    def __init__(self, capacity: int = INTAKE_CAPACITY) -> None:
        self._least = INTAKE_CAPACITY_BYTES // capacity
        self._messages: deque[Message] = deque()
        self._load, self._load_of = 0, dict[str, int]()
        self._arrived = asyncio.Event()
        self._waiting: list[Callable[[], None]] = []
        self.closed = False
        #: Is shown everything that comes in, with the bytes of its payloads; must not wait (`eventd.recorder`).
        self.tap: Callable[[Sequence[Message], int], None] | None = None
        self.poll: Callable[[], None] = lambda: None

    def put(self, messages: Sequence[Message]) -> None:
        """Append all and wake the pipeline."""
        if self.tap is not None:
            self.tap(messages, sum(len(message.payload) for message in messages))
        self._messages.extend(messages)
        least, load_of, load = self._least, self._load_of, 0
        for message in messages:
            cost, source = len(message.payload), message.source
            if cost < least:  # a call of `max` takes as long as the rest
                cost = least
            load += cost
            load_of[source] = load_of.get(source, 0) + cost
        self._load += load
        self._arrived.set()

    @property
    def full(self) -> bool:
        """True while receivers should not read on."""
        return self._load + self._least > INTAKE_CAPACITY_BYTES

    def crowded(self, source: str) -> bool:
        """True while ``source`` has more here than is left for others."""
        return self._load_of.get(source, 0) > INTAKE_CAPACITY_BYTES - self._load

    def on_room(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once there is room again."""
        self._waiting.append(resume)

    def wake(self) -> None:
        """Have the pipeline look at what else there is to do."""
        self._arrived.set()

    def close(self) -> None:
        """No more messages will come; what is queued is still processed."""
        self.closed = True
        self._arrived.set()

    async def arrival(self, timeout: float) -> None:
        """Until there is a message, or nothing more to wait for, or ``timeout`` seconds are over."""
        if not self._messages and not self.closed:
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._arrived.wait()

    def taken(self) -> Iterator[Message]:
        """What waits and what comes meanwhile, in order; each is queued until it is asked for."""
        while self._messages:
            message = self._messages.popleft()
            self._release(message)
            yield message

    def up_to(self, now: float) -> float:
        """The time up to which everything that arrived was taken: that of the first that waits, else ``now``."""
        return self._messages[0].received_at if self._messages else now

    def _release(self, message: Message) -> None:
        cost = max(len(message.payload), self._least)
        self._load -= cost
        left = self._load_of[message.source] - cost
        if left:
            self._load_of[message.source] = left
        else:
            del self._load_of[message.source]
        if self._waiting and self._load < INTAKE_CAPACITY_BYTES * RESUME_LOAD:
            waiting, self._waiting = self._waiting, []
            for resume in waiting:
                resume()

    def queued(self) -> Mapping[tuple[str, ...], float]:
        """How many messages wait, by transport: the ``queued`` term of the ledger."""
        return {(transport,): n for transport, n in Counter(m.transport for m in self._messages).items()}

    def __len__(self) -> int:
        return len(self._messages)
