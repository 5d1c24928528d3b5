"""The User-based Security Model of SNMPv3 (RFC 3414): whom a message is from, whether it is genuine and in time, and
its clear text. The wire layout is the business of `eventd.parse.snmp_v3`, keys and ciphers of `eventd.parse.usm_keys`.

The checks run in this order: user, level, digest, time, decryption. Nothing is learned from a message, and none of
its contents is looked at, before its digest was found right.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.parse import usm_keys
from eventd.parse.usm_keys import MIN_PASSWORD, AuthProtocol, PrivProtocol

#: msgFlags (RFC 3412 section 6.4).
AUTH_FLAG, PRIV_FLAG, REPORTABLE_FLAG = 1, 2, 4
#: Security levels as msgFlags; a larger number is a higher level.
LEVELS = {"noAuthNoPriv": 0, "authNoPriv": AUTH_FLAG, "authPriv": AUTH_FLAG | PRIV_FLAG}
LEVEL_NAMES = {flags: name for name, flags in LEVELS.items()}

#: RFC 3414 section 2.2.3, in seconds.
TIME_WINDOW = 150
#: RFC 3414 section 2.2.2. Engine time starts again at 0 with one more boot; an engine whose boots got here is
#: refused until it is given new keys.
MAX_TIME = MAX_BOOTS = 2**31 - 1
#: SnmpEngineID is OCTET STRING (SIZE(5..32)) (RFC 3411).
ENGINE_ID_SIZES = range(5, 33)
#: usmUserName is SnmpAdminString (SIZE(1..32)) (RFC 3414 section 5).
USER_NAME_SIZES = range(1, 33)

#: Engines whose clock is remembered; the one unheard for longest is forgotten first. Only holders of a key get in, so
#: this bounds the size of a fleet, not what an attacker can do.
MAX_ENGINES = 4096
#: Localised keys kept. Anybody can make us derive one by naming a new engine, for some 2 µs of work.
MAX_KEYS = 8192


class User(Struct, frozen=True):
    """A user as configured. ``level`` is a floor: messages below it are refused, whatever they say of themselves.

    With ``engine_id`` the user speaks for that engine only, and the same name may be listed once per engine; without
    it engines are learned. A ValueError names everything that does not fit together. Passwords do not show in
    ``repr``. Protocol names are those of `usm_keys.AUTH` and `usm_keys.PRIV`.
    """

    name: str
    level: str
    auth: str | None = None
    auth_password: bytes | None = None
    priv: str | None = None
    priv_password: bytes | None = None
    engine_id: bytes | None = None

    def __post_init__(self) -> None:
        if faults := "; ".join(self._faults()):
            raise ValueError(f"user {self.name!r}: {faults}")

    def __repr__(self) -> str:
        return f"User({self.name!r}, {self.level!r}, auth={self.auth!r}, priv={self.priv!r})"

    def _faults(self) -> Iterator[str]:
        if len(self.name.encode()) not in USER_NAME_SIZES:
            yield "name must have 1 to 32 octets"
        if self.level not in LEVELS:
            yield f"level {self.level!r} is none of {', '.join(LEVELS)}"
        needed = LEVELS.get(self.level, 0)
        yield from _faults_of("auth", self.auth, self.auth_password, usm_keys.auth_protocol, needed & AUTH_FLAG)
        yield from _faults_of("priv", self.priv, self.priv_password, usm_keys.priv_protocol, needed & PRIV_FLAG)
        if self.priv and not self.auth:
            yield "priv needs auth"
        if self.engine_id is not None and len(self.engine_id) not in ENGINE_ID_SIZES:
            yield "engine_id must have 5 to 32 octets"


def _faults_of(
    kind: str, name: str | None, password: bytes | None, find: Callable[[str], object], needed: int
) -> Iterator[str]:
    if name is None:
        if needed:
            yield f"the level needs {kind}"
        return
    try:
        find(name)
    except ValueError as error:
        yield f"{kind}: {error}"
    if password is None or len(password) < MIN_PASSWORD:
        yield f"{kind} password must have at least {MIN_PASSWORD} octets"


class Account(Struct, frozen=True, eq=False):
    """A `User` made ready: protocols looked up, ``floor`` and ``ceiling`` the lowest and highest level as msgFlags."""

    user: User
    floor: int
    ceiling: int
    auth: AuthProtocol | None
    priv: PrivProtocol | None

    @classmethod
    def of(cls, user: User) -> "Account":
        """What the configuration says, in the form that messages are checked against."""
        auth = usm_keys.auth_protocol(user.auth) if user.auth else None
        priv = usm_keys.priv_protocol(user.priv) if user.priv else None
        return cls(user, LEVELS[user.level], (AUTH_FLAG if auth else 0) | (PRIV_FLAG if priv else 0), auth, priv)


class Envelope(Struct, frozen=True):
    """What stands around the contents of a v3 message (RFC 3412 section 6, RFC 3414 section 2.4). The ``*_at`` and
    ``*_end`` are offsets into the message; ``data_at`` is where the scopedPDU, or its cipher text, begins."""

    msg_id: int
    max_size: int
    flags: int
    params_at: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    digest_at: int
    digest_end: int
    salt: bytes
    data_at: int
    data_end: int

    @property
    def level(self) -> int:
        """Security level, as msgFlags."""
        return self.flags & (AUTH_FLAG | PRIV_FLAG)

    @property
    def reportable(self) -> bool:
        """Whether the sender wants to be told of failures."""
        return bool(self.flags & REPORTABLE_FLAG)

    def reject(self, reason: RejectReason, detail: str) -> ParseError:
        """The error that names this message's security parameters as the place."""
        return ParseError(reason, self.params_at, detail)


class EngineClocks:
    """Boots and time of the engines that sent us genuine messages (RFC 3414 section 2.3), the last heard last."""

    def __init__(self, limit: int = MAX_ENGINES) -> None:
        self._limit = limit
        self._clocks: OrderedDict[bytes, tuple[int, int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clocks)

    def in_window(self, engine_id: bytes, boots: int, time: int, now: float) -> bool:
        """Whether a genuine message is in time (RFC 3414 section 3.2 step 7b); learns from it if it is newer."""
        if boots == MAX_BOOTS:
            return False
        known = self._clocks.get(engine_id)
        if known is None or (boots, time) > known[:2]:
            self._learn(engine_id, (boots, time, now))
            return True
        known_boots, known_time, heard_at = known
        return boots == known_boots and time >= known_time + (now - heard_at) - TIME_WINDOW

    def _learn(self, engine_id: bytes, clock: tuple[int, int, float]) -> None:
        self._clocks[engine_id] = clock
        self._clocks.move_to_end(engine_id)
        if len(self._clocks) > self._limit:
            self._clocks.popitem(last=False)

    def forget(self, engine_id: bytes) -> None:
        """Take the next genuine message of that engine as the first: for a device that lost count of its boots."""
        self._clocks.pop(engine_id, None)

    def snapshot(self) -> dict[str, tuple[int, int, float]]:
        """Engine id in hex → boots, time, Unix seconds at which that time was heard. Fit for JSON."""
        return {engine_id.hex(): clock for engine_id, clock in self._clocks.items()}

    def restore(self, snapshot: Mapping[str, Sequence[float]]) -> None:
        """Take over what `snapshot` returned; of two clocks of one engine the newer stays. ValueError if it is not
        a snapshot."""
        for engine, (boots, time, heard_at) in snapshot.items():
            engine_id, clock = bytes.fromhex(engine), (int(boots), int(time), float(heard_at))
            if clock[:2] > self._clocks.get(engine_id, (-1, -1, 0.0))[:2]:
                self._learn(engine_id, clock)


class Usm:
    """The table of users and the clocks of engines; our own engine is authoritative for informs.

    Our boots and time are ``boots`` and the seconds since ``started_at`` (Unix seconds). The default counts from 1970
    and never restarts, so that it needs no place on disk and a replay at the recorded time sees the same clock.
    """

    def __init__(self, users: Iterable[User], engine_id: bytes, boots: int = 1, started_at: float = 0.0) -> None:
        if len(engine_id) not in ENGINE_ID_SIZES:
            raise ValueError("engine_id must have 5 to 32 octets")
        self.engine_id = engine_id
        self.engines = EngineClocks()
        self._boots, self._started_at = boots, started_at
        self._accounts: dict[tuple[bytes, bytes | None], Account] = {}
        for user in users:
            key = user.name.encode(), user.engine_id
            if key in self._accounts:
                raise ValueError(f"user {user.name!r} is listed twice for the same engine")
            self._accounts[key] = Account.of(user)
        self._names = {name for name, _ in self._accounts}
        # Per table, so that a changed password takes its keys with it.
        self.auth_key = lru_cache(MAX_KEYS)(_auth_key)
        self.priv_key = lru_cache(MAX_KEYS)(_priv_key)

    def clock(self, now: float) -> tuple[int, int]:
        """Our own snmpEngineBoots and snmpEngineTime."""
        extra_boots, time = divmod(max(0, int(now - self._started_at)), MAX_TIME + 1)
        return min(self._boots + extra_boots, MAX_BOOTS), time

    def open(self, message: bytes, envelope: Envelope, now: float) -> tuple[Account, bytes]:
        """The account a message is from, and the message with its contents in the clear from ``data_at`` on.

        Raises `ParseError`: UNKNOWN_ENGINE, UNKNOWN_USER, UNSUPPORTED_LEVEL (beyond what the account can do),
        LEVEL_TOO_LOW (below what it must), WRONG_DIGEST, NOT_IN_TIME_WINDOW, DECRYPTION_ERROR.
        """
        account = self.account(envelope)
        _check_level(account, envelope)
        if account.auth and envelope.level & AUTH_FLAG:
            key = self.auth_key(account, envelope.engine_id)
            _check_digest(account.auth, key, message, envelope)
            self._check_time(envelope, now)
        if account.priv and envelope.level & PRIV_FLAG:
            message = _decrypted(account.priv, self.priv_key(account, envelope.engine_id), message, envelope)
        return account, message

    def account(self, envelope: Envelope) -> Account:
        """The account named in a message, the one bound to its engine first; UNKNOWN_ENGINE, UNKNOWN_USER."""
        name, engine_id = envelope.user, envelope.engine_id
        if not 0 < len(engine_id) < ENGINE_ID_SIZES.stop:
            raise envelope.reject(RejectReason.UNKNOWN_ENGINE, f"engine id of {len(engine_id)} octets")
        if found := self._accounts.get((name, engine_id)) or self._accounts.get((name, None)):
            return found
        if name in self._names:
            raise envelope.reject(RejectReason.UNKNOWN_ENGINE, f"engine {engine_id.hex()} of user {name!r}")
        shown = name[: USER_NAME_SIZES.stop]  # one octet more than a name may have: too long shows as too long
        raise envelope.reject(RejectReason.UNKNOWN_USER, f"user {shown!r} of engine {engine_id.hex()}")

    def _check_time(self, envelope: Envelope, now: float) -> None:
        if envelope.engine_id == self.engine_id:
            in_window = self._in_own_window(envelope.boots, envelope.time, now)
        else:
            in_window = self.engines.in_window(envelope.engine_id, envelope.boots, envelope.time, now)
        if not in_window:
            detail = f"engine {envelope.engine_id.hex()} at boots {envelope.boots}, time {envelope.time}"
            raise envelope.reject(RejectReason.NOT_IN_TIME_WINDOW, detail)

    def _in_own_window(self, boots: int, time: int, now: float) -> bool:
        """RFC 3414 section 3.2 step 7a."""
        own_boots, own_time = self.clock(now)
        return boots == own_boots != MAX_BOOTS and abs(time - own_time) <= TIME_WINDOW


def _auth_key(account: Account, engine_id: bytes) -> bytes:
    assert account.auth is not None
    assert account.user.auth_password is not None
    return usm_keys.auth_key(account.auth, account.user.auth_password, engine_id)


def _priv_key(account: Account, engine_id: bytes) -> bytes:
    assert account.auth is not None
    assert account.priv is not None
    assert account.user.priv_password is not None
    return usm_keys.priv_key(account.auth, account.priv, account.user.priv_password, engine_id)


def _check_level(account: Account, envelope: Envelope) -> None:
    level = envelope.level
    if level not in LEVEL_NAMES or level & ~account.ceiling:
        raise envelope.reject(RejectReason.UNSUPPORTED_LEVEL, f"msgFlags {envelope.flags:#04x}")
    if level < account.floor:
        detail = f"{LEVEL_NAMES[level]} from a user that must use {account.user.level}"
        raise envelope.reject(RejectReason.LEVEL_TOO_LOW, detail)


def _check_digest(auth: AuthProtocol, key: bytes, message: bytes, envelope: Envelope) -> None:
    """In constant time. A digest of another length than the protocol's, above all an empty one, is wrong."""
    start, stop = envelope.digest_at, envelope.digest_end
    blanked = message[:start] + bytes(stop - start) + message[stop:]
    if not hmac.compare_digest(usm_keys.digest(auth, key, blanked), message[start:stop]):
        raise ParseError(RejectReason.WRONG_DIGEST, start, f"user {envelope.user!r}")


def _decrypted(priv: PrivProtocol, key: bytes, message: bytes, envelope: Envelope) -> bytes:
    """The message with clear text in place of cipher text: offsets into it stay true."""
    data = message[envelope.data_at : envelope.data_end]
    try:
        clear = usm_keys.decrypt(priv, key, envelope.boots, envelope.time, envelope.salt, data)
    except ValueError as error:
        raise ParseError(RejectReason.DECRYPTION_ERROR, envelope.data_at, str(error)) from None
    return message[: envelope.data_at] + clear
