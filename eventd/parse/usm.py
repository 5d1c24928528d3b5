"""The User-based Security Model of SNMPv3 (RFC 3414): whom a message is from, whether it is genuine and in time, and
its clear text. The wire layout is the business of `eventd.parse.snmp_v3`, keys and ciphers of `eventd.parse.usm_keys`.

The checks run in this order: user, level, digest, time, repetition, decryption. Nothing is learned from a message, and
none of its contents is looked at, before its digest was found right.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.parse import usm_keys
from eventd.parse.engines import MAX_BOOTS, MAX_ENGINES, MAX_TIME, STRICT, TIME_WINDOW, Allowance, Engines
from eventd.parse.usm_keys import MIN_PASSWORD, AuthProtocol, PrivProtocol

#: msgFlags (RFC 3412 section 6.4).
AUTH_FLAG, PRIV_FLAG, REPORTABLE_FLAG = 1, 2, 4
#: Security levels as msgFlags; a larger number is a higher level.
LEVELS = {"noAuthNoPriv": 0, "authNoPriv": AUTH_FLAG, "authPriv": AUTH_FLAG | PRIV_FLAG}
LEVEL_NAMES = {flags: name for name, flags in LEVELS.items()}

#: SnmpEngineID is OCTET STRING (SIZE(5..32)) (RFC 3411).
ENGINE_ID_SIZES = range(5, 33)
#: usmUserName is SnmpAdminString (SIZE(1..32)) (RFC 3414 section 5).
USER_NAME_SIZES = range(1, 33)

#: Localised keys kept, of each kind: one for every engine remembered, and room for as many names of engines that
#: strangers make up. Deriving one again costs some 2 µs (AES192C and AES256C: a millisecond, but only behind a good
#: digest).
MAX_KEYS = 2 * MAX_ENGINES
#: What a digest is remembered by: the shortest has so many octets.
DIGEST_KEY = 12


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
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        if faults := "; ".join(f"{field}: {what}" for field, what in user_faults(given)):
            raise ValueError(f"user {self.name!r}: {faults}")

    def __repr__(self) -> str:
        return f"User({self.name!r}, {self.level!r}, auth={self.auth!r}, priv={self.priv!r})"


def user_faults(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field of `User`, what is wrong). A field that is missing in ``given`` hides only what depends on it."""
    if "name" in given and len(given["name"].encode()) not in USER_NAME_SIZES:
        yield "name", "must have 1 to 32 octets"
    level = given.get("level")
    if level is not None and level not in LEVELS:
        yield "level", f"{level!r} is none of {', '.join(LEVELS)}"
    needed = LEVELS.get(level or "", 0)
    for kind, find, flag in (("auth", usm_keys.auth_protocol, AUTH_FLAG), ("priv", usm_keys.priv_protocol, PRIV_FLAG)):
        if kind in given and given[kind] is None:
            if needed & flag:
                yield kind, f"is missing, level {level} needs it"
        elif kind in given:
            yield from _protocol_faults(kind, find, given)
    if given.get("priv") and given.get("auth", "") is None and not needed:
        yield "priv", "needs auth"
    engine_id = given.get("engine_id")
    if engine_id is not None and len(engine_id) not in ENGINE_ID_SIZES:
        yield "engine_id", "must have 5 to 32 octets"


def _protocol_faults(kind: str, find: Callable[[str], object], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        find(given[kind])
    except ValueError as error:
        yield kind, str(error)
    field = f"{kind}_password"
    if field in given and (given[field] is None or len(given[field]) < MIN_PASSWORD):
        yield field, f"must have at least {MIN_PASSWORD} octets"


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


#: ``live``: everything. ``recorded``: what was received once is judged again at the recorded times; informs were meant
#: for an engine of ours whose id and boots nobody knows any more, so their time is judged like a device's. ``offline``:
#: messages of any age and order are read, so time and copies do not matter.
Checks = Literal["live", "recorded", "offline"]


class Usm:
    """The table of users and the clocks of engines; our own engine is authoritative for informs.

    Our boots and time are ``boots`` and the seconds since ``started_at`` (Unix seconds): the service keeps the boots
    and counts them up at each start. The default counts from 1970 and never restarts, so that it needs no place on
    disk.
    """

    def __init__(
        self,
        users: Iterable[User],
        engine_id: bytes,
        boots: int = 1,
        started_at: float = 0.0,
        engines: Engines | None = None,
        allowances: Mapping[bytes, Allowance] | None = None,
        checks: Checks = "live",
    ) -> None:
        if len(engine_id) not in ENGINE_ID_SIZES:
            raise ValueError("engine_id must have 5 to 32 octets")
        self.engine_id = engine_id
        self.engines = Engines() if engines is None else engines
        self._boots, self._started_at = boots, started_at
        self._allowances = allowances or {}
        self.checks: Checks = checks
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
        LEVEL_TOO_LOW (below what it must), WRONG_DIGEST, NOT_IN_TIME_WINDOW, REPLAYED, DECRYPTION_ERROR.
        """
        account = self.account(envelope)
        _check_level(account, envelope)
        if account.auth and envelope.level & AUTH_FLAG:
            key = self.auth_key(account, envelope.engine_id)
            _check_digest(account.auth, key, message, envelope)
            self._check_time(message, envelope, now)
        if account.priv and envelope.level & PRIV_FLAG:
            message = _decrypted(account.priv, self.priv_key(account, envelope.engine_id), message, envelope)
        return account, message

    def account(self, envelope: Envelope) -> Account:
        """The account named in a message, the one bound to its engine first; UNKNOWN_ENGINE, UNKNOWN_USER. Who names
        neither user nor our engine looks for it (RFC 3414 section 4)."""
        name, engine_id = envelope.user, envelope.engine_id
        if not 0 < len(engine_id) < ENGINE_ID_SIZES.stop or (not name and engine_id != self.engine_id):
            raise envelope.reject(RejectReason.UNKNOWN_ENGINE, f"engine id of {len(engine_id)} octets")
        if found := self._accounts.get((name, engine_id)) or self._accounts.get((name, None)):
            return found
        if name in self._names:
            raise envelope.reject(RejectReason.UNKNOWN_ENGINE, f"engine {engine_id.hex()} of user {name!r}")
        shown = name[: USER_NAME_SIZES.stop]  # one octet more than a name may have: too long shows as too long
        raise envelope.reject(RejectReason.UNKNOWN_USER, f"user {shown!r} of engine {engine_id.hex()}")

    def _check_time(self, message: bytes, envelope: Envelope, now: float) -> None:
        """Copies of informs are no matter here: they are answered again (`snmp.inform_key`)."""
        if self.checks == "offline":
            return
        engine_id, boots, time = envelope.engine_id, envelope.boots, envelope.time
        if engine_id == self.engine_id and self.checks == "live":
            fault = None if self._in_own_window(boots, time, now) else RejectReason.NOT_IN_TIME_WINDOW
        else:
            digest = message[envelope.digest_at : envelope.digest_at + DIGEST_KEY]
            allowed = self._allowances.get(engine_id, STRICT)
            fault = self.engines.check(engine_id, boots, time, digest, now, allowed)
        if fault is not None:
            raise envelope.reject(fault, f"engine {engine_id.hex()} at boots {boots}, time {time}")

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
