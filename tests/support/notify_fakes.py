"""Incidents to tell, an outbox in memory, a clock that moves by hand, a channel that does as it is told."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from eventd.contract import Lately, Pace, Settled, Turn, Waiting
from eventd.model import Digest, DigestReason, Incident, Notification, Reason, Witness, utc
from eventd.store.base import LONGEST_WAIT_S

T0 = 1_700_000_000.0


class HandClock:
    """Wall clock for tests: ``clock()`` is Unix seconds, ``jump`` moves it."""

    def __init__(self, now: float = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def jump(self, seconds: float) -> None:
        self.now += seconds


def make_incident(**changed: Any) -> Incident:
    """A plausible open incident; keywords replace fields."""
    incident = Incident(
        id="a1b2c3d4e5f6",
        kind="tunnel_down",
        status="open",
        severity="major",
        opened_severity="major",
        device="FW1",
        peer="203.0.113.7",
        peer_name="branch-7",
        site="Lyon",
        interface="GigabitEthernet0/0/1",
        vsys="public",
        opened_at=utc(T0 - 20),
        updated_at=utc(T0),
        cause=Reason("dpd timeout", name="dpd timeout", known=True, category="peer-unreachable", meaning="No answer."),
        summary="Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout",
        chain=("22:13:00 tunnel stopped: dpd timeout", "22:13:15 no start within 15 s"),
        witnesses=(Witness("syslog-udp", "FW1"),),
        actions=("ping 203.0.113.7 from FW1", "display ike sa remote 203.0.113.7"),
    )
    return msgspec.structs.replace(incident, **changed)


def make_resolved(**changed: Any) -> Incident:
    """The same, over after 3 min 20 s."""
    over = {"status": "resolved", "updated_at": utc(T0 + 180), "resolved_at": utc(T0 + 180)}
    return make_incident(**over | changed)


def make_notification(channel: str = "ops", incident: Incident | None = None, **changed: Any) -> Notification:
    """A notification of ``incident``; keywords replace fields."""
    incident = incident or make_incident()
    what = "resolved" if incident.status == "resolved" else "opened"
    notification = Notification(f"n-{incident.id}-{what}", channel, what, incident, utc(T0))  # type: ignore[arg-type]
    return msgspec.structs.replace(notification, **changed)


class MemoryOutbox:
    """`contract.Outbox` over a list, first in first out per channel, as the contract words it."""

    def __init__(self) -> None:
        self.pending: list[tuple[float, Notification]] = []
        self.in_flight: dict[str, Notification] = {}
        self.settled: list[Settled] = []
        self.incidents: list[Incident] = []
        self.asked_since: list[float] = []
        self.fail_next: list[Exception] = []
        self.changed = asyncio.Event()

    def put(self, *notifications: Notification) -> None:
        self.pending += [(0.0, notification) for notification in notifications]

    def _fail(self) -> None:
        if self.fail_next:
            raise self.fail_next.pop(0)

    async def claim(self, channel: str, now: float, turn: Turn = "first") -> Notification | None:
        self._fail()
        found = self.pending if turn in ("first", "gravest") else sorted(self.pending, key=lambda one: one[1].attempts)
        for due, notification in [one for one in found if turn != "untried" or not one[1].attempts]:
            if notification.channel == channel and (due <= now or due > now + LONGEST_WAIT_S):
                self.pending.remove((due, notification))
                self.in_flight[notification.id] = notification
                return notification
        return None

    async def waiting(self, channel: str, now: float, apart: Collection[str] = ()) -> Waiting:
        found = [n for due, n in self.pending if n.channel == channel and due <= now]
        oldest = min((n.wanted_at.timestamp() for n in found), default=None)
        return Waiting(len(found), oldest, sum(n.held for n in found))

    async def seal(
        self, channel: str, now: float, why: DigestReason, most: int, apart: Collection[str] = ()
    ) -> Digest | None:
        raise NotImplementedError("digests are for the real stores")

    async def tried(self, channel: str, at: Sequence[float]) -> None: ...

    async def lately(self, channel: str) -> Lately:
        return Lately()

    async def unseal(self, channel: str, most: int) -> None: ...

    async def lay_down(self, ident: str) -> None: ...

    async def take_up(self, ident: str) -> bool:
        return True

    async def settle(self, settled: Settled) -> None:
        self._fail()
        if (notification := self.in_flight.pop(settled.id, None)) is None:
            return
        if settled.outcome == "retry":
            assert settled.retry_at is not None
            tried = msgspec.structs.replace(notification, attempts=notification.attempts + 1)
            self.pending.insert(0, (settled.retry_at, tried))
        else:
            assert settled.outcome in {"delivered", "dead"}, settled
        self.settled.append(settled)
        self.changed.set()

    async def settle_then_claim(self, settled: Settled, channel: str, now: float) -> Notification | None:
        await self.settle(settled)
        return await self.claim(channel, now)

    async def next_due(self, channel: str) -> float | None:
        self._fail()
        return min((due for due, notification in self.pending if notification.channel == channel), default=None)

    async def alerting(self, channel: str, resolved_since: float) -> Sequence[Incident]:
        self._fail()
        self.asked_since.append(resolved_since)
        return [i for i in self.incidents if i.resolved_at is None or i.resolved_at.timestamp() >= resolved_since]

    @property
    def outcomes(self) -> list[str]:
        return [settled.outcome for settled in self.settled]


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Let the loop run until ``condition`` holds; fails the test when it does not come true."""
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


class ObedientChannel:
    """A channel that raises what it is told to, in order, then accepts. No plain text."""

    refresh_s: float | None = None
    pace = Pace()
    digests = 0

    def __init__(self, *troubles: BaseException | None) -> None:
        self.troubles = list(troubles)
        self.told: list[Notification] = []
        self.refreshed: list[list[Incident]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = 0

    async def _act(self) -> None:
        await self.gate.wait()
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble

    async def deliver(self, notification: Notification) -> None:
        self.told.append(notification)
        await self._act()

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None:
        self.refreshed.append(list(incidents))
        await self._act()

    async def close(self) -> None:
        self.closed += 1


class PlainChannel(ObedientChannel):
    """The same, with a plain-text way out."""

    def __init__(self, *troubles: BaseException | None, plain_trouble: BaseException | None = None) -> None:
        super().__init__(*troubles)
        self.plain_trouble = plain_trouble
        self.plain: list[Notification] = []

    async def deliver_plain(self, notification: Notification) -> None:
        self.plain.append(notification)
        if self.plain_trouble is not None:
            raise self.plain_trouble
