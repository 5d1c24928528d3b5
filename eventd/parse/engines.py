"""What is remembered of the SNMP engines that sent us genuine messages: their clocks (RFC 3414 section 2.3), the
address each is pinned to, and the digests of the last minutes.

Nothing gets in here before its digest was found right: an unauthenticated sender can create nothing.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from eventd.contract import EngineChange
from eventd.errors import RejectReason
from eventd.parse.recent import Recent

#: RFC 3414 section 2.2.3, in seconds.
TIME_WINDOW = 150
#: RFC 3414 section 2.2.2. Engine time starts again at 0 with one more boot; an engine whose boots got here is
#: refused until it is given new keys.
MAX_TIME = MAX_BOOTS = 2**31 - 1

#: Engines remembered; the one unheard for longest is forgotten first, and its next message is taken as its first. Only
#: holders of a key get in, so this bounds the size of a fleet, not what an attacker can do. About 10 MB when full.
MAX_ENGINES = 20_000
#: An address stays its engine's for as long as this after the last message from there, in seconds: a day lets the
#: traps of a replaced firewall take over its address by themselves, and is reported all the same.
PIN_S = 86_400.0
#: Digests remembered per `TIME_WINDOW`: within it, time alone cannot tell a repeated message. 1,300 messages/s are
#: covered whole, with 300,000 × some 110 octets = 33 MB at worst; only holders of a key put anything in.
MAX_DIGESTS = 200_000
#: Changes waiting to be told; the pipeline takes them with every batch of 512 messages, each of which makes two or
#: three at most.
MAX_NOTICES = 2048


class Allowance(Struct, frozen=True):
    """What an engine may do that others may not, because its firmware cannot do better.

    ``accept_boots_reset``: it may start its clock anew without more boots than before, if it cannot have been up for
    longer than it was silent (and `TIME_WINDOW`). Messages of the first minutes of an earlier life can be repeated.
    ``ignore_time_window``: its boots and time are not looked at. Whatever it once sent can be repeated.
    """

    accept_boots_reset: bool = False
    ignore_time_window: bool = False


STRICT = Allowance()


class Engine(Struct):
    """One engine: its clock as heard last, the address it is pinned to, and where it was heard last.

    ``heard_at`` and ``address_at`` are Unix seconds: when ``time`` was heard, and when anything came from ``address``.
    Without ``address`` it speaks from one that belongs to another engine.
    """

    boots: int
    time: int
    heard_at: float
    address: str | None = None
    address_at: float = 0.0
    last: str | None = None


class EngineNotice(NamedTuple):
    """Something about an engine that an operator may want to know."""

    change: EngineChange
    engine_id: bytes
    detail: str


class Engines:
    """The table of engines, the last heard last.

    ``changes`` counts everything that `take_notices` tells in words.
    """

    def __init__(self, limit: int = MAX_ENGINES) -> None:
        self._limit = limit
        self._engines: OrderedDict[bytes, Engine] = OrderedDict()
        self._owners: dict[str, bytes] = {}
        self._digests = Recent(TIME_WINDOW, MAX_DIGESTS)
        self._notices: deque[EngineNotice] = deque(maxlen=MAX_NOTICES)
        self.changes: Counter[EngineChange] = Counter()

    def __len__(self) -> int:
        return len(self._engines)

    def __contains__(self, engine_id: bytes) -> bool:
        return engine_id in self._engines

    # --- time ----------------------------------------------------------------------------------------------------

    def check(
        self, engine_id: bytes, boots: int, time: int, digest: bytes, now: float, allowed: Allowance = STRICT
    ) -> RejectReason | None:
        """Why a message with a good digest is refused all the same: NOT_IN_TIME_WINDOW or REPLAYED; None if it is
        not. Within the window a message is told from a copy of it by its digest."""
        if not self.in_window(engine_id, boots, time, now, allowed):
            return RejectReason.NOT_IN_TIME_WINDOW
        return None if self._digests.add(digest, now) else RejectReason.REPLAYED

    def in_window(self, engine_id: bytes, boots: int, time: int, now: float, allowed: Allowance = STRICT) -> bool:
        """Whether a genuine message is in time (RFC 3414 section 3.2 step 7b); learns from it if it is newer."""
        known = self._engines.get(engine_id)
        if boots == MAX_BOOTS and not allowed.ignore_time_window:
            self._note(EngineChange.LATCHED, engine_id, f"boots {boots}: it needs a new engine id or new keys")
            return False
        if known is None:
            self._learn(engine_id, Engine(boots, time, now))
            self._note(EngineChange.LEARNED, engine_id, f"boots {boots}, time {time}")
            return True
        if boots > known.boots or (boots == known.boots and time > known.time):
            if boots > known.boots:
                self._note(EngineChange.REBOOTED, engine_id, f"boots {known.boots} to {boots}")
            self._set_clock(engine_id, known, boots, time, now)
            return True
        silent = max(0.0, now - known.heard_at)  # else a clock of ours that was set back would open the window
        if boots == known.boots and time >= known.time + silent - TIME_WINDOW:
            return True
        return self._excused(engine_id, known, (boots, time), now, allowed)

    def _excused(self, engine_id: bytes, known: Engine, clock: tuple[int, int], now: float, allowed: Allowance) -> bool:
        """Whether an exception lets a message in whose clock went back."""
        boots, time = clock
        detail = f"boots {known.boots} to {boots}, time {known.time} to {time}"
        if allowed.ignore_time_window:
            return True
        if allowed.accept_boots_reset and time <= max(0.0, now - known.heard_at) + TIME_WINDOW:
            self._set_clock(engine_id, known, boots, time, now)
            self._note(EngineChange.RESET_ACCEPTED, engine_id, detail)
            return True
        back = EngineChange.BOOTS_BACK if boots < known.boots else EngineChange.TIME_BACK
        self._note(back, engine_id, detail)
        return False

    def _set_clock(self, engine_id: bytes, known: Engine, boots: int, time: int, now: float) -> None:
        known.boots, known.time, known.heard_at = boots, time, now
        self._engines.move_to_end(engine_id)

    def _learn(self, engine_id: bytes, engine: Engine) -> None:
        self._engines[engine_id] = engine
        if engine.address is not None:
            self._owners[engine.address] = engine_id
        if len(self._engines) > self._limit:
            oldest = next(iter(self._engines))
            self.forget(oldest)
            self._note(EngineChange.FORGOTTEN, oldest, f"more than {self._limit} engines")

    def forget(self, engine_id: bytes) -> None:
        """Take the next genuine message of that engine as the first: for a device that lost count of its boots."""
        if (engine := self._engines.pop(engine_id, None)) is not None:
            self._release(engine_id, engine)

    # --- place ---------------------------------------------------------------------------------------------------

    def locate(self, engine_id: bytes, where: str, now: float, *, proven: bool) -> tuple[bytes | None, str | None]:
        """By which engine id and which address a sender may be known that spoke from ``where``.

        ``proven``: the engine's own key signed the message. Then the engine id stands, and the address is the one it
        was pinned to at first contact, wherever it speaks from now; None if that address is another engine's, whose
        name it must not get. Else the engine id is only claimed (noAuthNoPriv, or the context of an inform, which
        every holder of the key to *our* engine can choose): it stands where it contradicts nothing proven.
        """
        known = self._engines.get(engine_id)
        if known is None or not proven:
            return self._claimed(engine_id, known, where)
        if known.address is None or (known.address != where and now - known.address_at > PIN_S):
            self._pin(engine_id, known, where, now)
        if known.address == where:
            known.address_at, known.last = now, where
        elif known.last != where:
            known.last = where
            if known.address is None:
                self._note(EngineChange.SHARED, engine_id, f"{where} belongs to engine {self._owners[where].hex()}")
            else:
                self._note(EngineChange.MOVED, engine_id, f"{known.address} to {where}")
        return engine_id, known.address

    def places(self) -> Iterator[tuple[bytes, str | None]]:
        """Every engine with the address that it is pinned to."""
        return ((engine_id, engine.address) for engine_id, engine in self._engines.items())

    def _claimed(self, engine_id: bytes, known: Engine | None, where: str) -> tuple[bytes | None, str]:
        owner = self._owners.get(where)
        if owner == engine_id or (known is None and owner is None):
            return engine_id, where
        self._note(EngineChange.CLAIMED, engine_id, f"by {where}")
        return None, where

    def _pin(self, engine_id: bytes, engine: Engine, where: str, now: float) -> None:
        """Give it that address, unless another engine spoke from there within `PIN_S`."""
        owner_id = self._owners.get(where)
        if owner_id is not None:
            owner = self._engines[owner_id]
            if now - owner.address_at <= PIN_S:
                return
            self._note(EngineChange.REPINNED, engine_id, f"{where} belonged to engine {owner_id.hex()}")
            owner.address = None
        elif engine.address is not None:
            self._note(EngineChange.REPINNED, engine_id, f"{engine.address} to {where}")
        self._release(engine_id, engine)
        engine.address = where
        self._owners[where] = engine_id

    def _release(self, engine_id: bytes, engine: Engine) -> None:
        if engine.address is not None and self._owners.get(engine.address) == engine_id:
            del self._owners[engine.address]

    # --- telling -------------------------------------------------------------------------------------------------

    def _note(self, change: EngineChange, engine_id: bytes, detail: str) -> None:
        self.changes[change] += 1
        self._notices.append(EngineNotice(change, engine_id, detail))

    def take_notices(self) -> list[EngineNotice]:
        """What happened since the last call, oldest first."""
        if not self._notices:
            return []
        taken = list(self._notices)
        self._notices.clear()
        return taken

    # --- keeping -------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, tuple[int, int, float, str | None, float, str | None]]:
        """Engine id in hex → the fields of `Engine`, the last heard last. Fit for JSON."""
        return {
            engine_id.hex(): (e.boots, e.time, e.heard_at, e.address, e.address_at, e.last)
            for engine_id, e in self._engines.items()
        }

    def restore(self, snapshot: Mapping[str, Sequence[float | str | None]]) -> None:
        """Take over what `snapshot` returned, or the first three fields of each (earlier versions); of two clocks
        of one engine the newer stays. ValueError or TypeError if it is not a snapshot."""
        for name, (boots, time, heard_at, *place) in snapshot.items():
            engine_id, engine = bytes.fromhex(name), Engine(_int(boots), _int(time), float(heard_at or 0))
            if place:
                address, address_at, last = place
                engine.address, engine.address_at, engine.last = _text(address), float(address_at or 0), _text(last)
            known = self._engines.get(engine_id)
            if known is None or (engine.boots, engine.time) > (known.boots, known.time):
                self.forget(engine_id)
                self._learn(engine_id, engine)


def _int(value: float | str | None) -> int:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} in a snapshot of engines")
    return int(value)


def _text(value: float | str | None) -> str | None:
    return value if isinstance(value, str) else None
