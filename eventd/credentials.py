"""Who may talk to eventd: SNMPv3 users and engines, and tokens of the API, with their secrets read and checked."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from eventd import inventory
from eventd.discreet import Discreet
from eventd.document import Document, join
from eventd.parse.engines import Allowance
from eventd.parse.usm import User, user_faults
from eventd.web.settings import Token

#: Shorter secrets are guessed.
MIN_TOKEN = 16


class SnmpUser(Discreet, frozen=True, forbid_unknown_fields=True):
    """One SNMPv3 user. Each secret also as ``*_file`` or ``*_env``; secrets are passphrases (RFC 3414 section 2.6)."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    level: Literal["noAuthNoPriv", "authNoPriv", "authPriv"] = "authPriv"
    auth: Literal["MD5", "SHA", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"] | None = None
    auth_key: str | None = None
    auth_key_file: str | None = None
    auth_key_env: str | None = None
    priv: Literal["DES", "AES", "AES128", "AES192", "AES256", "AES192C", "AES256C"] | None = None
    priv_key: str | None = None
    priv_key_file: str | None = None
    priv_key_env: str | None = None
    engine_id: str | None = None


class SnmpEngine(Struct, frozen=True, forbid_unknown_fields=True):
    """An exception for one SNMPv3 engine whose firmware cannot keep time as it should (see `engines.Allowance`)."""

    engine_id: str
    accept_boots_reset: bool = False
    ignore_time_window: bool = False


def engine_id(reader: Document, text: str, key: str) -> bytes | None:
    """The engine id that ``text`` writes down; None where it is none, which is noted."""
    try:
        return inventory.engine_id(text)
    except ValueError as error:
        reader.fault(key, str(error))
        return None


def users(reader: Document, rows: Iterable[Any]) -> tuple[User, ...]:
    """The SNMPv3 users of those rows that are all right."""
    found, seen = list[User](), dict[tuple[str, Any], str]()
    for index, row in enumerate(rows):
        key = f"receivers.snmp.users[{index}]"
        name, engine = getattr(row, "name", None), getattr(row, "engine_id", None)
        if name is not None and seen.setdefault((name, engine), key) != key:
            reader.fault(join(key, "name"), f"user {name!r} is listed twice for the same engine")
        if row is not None and (user := _user(reader, row, key)) is not None:
            found.append(user)
    return tuple(found)


#: Field of `User` → the key that it is made from.
USER_KEYS = {"auth_password": "auth_key", "priv_password": "priv_key"}


def _user(reader: Document, row: Any, key: str) -> User | None:
    given = {name: getattr(row, name) for name in ("name", "level", "auth", "priv") if hasattr(row, name)}
    engine = getattr(row, "engine_id", None)
    given["engine_id"] = None if engine is None else engine_id(reader, engine, join(key, "engine_id"))
    for kind, levels in (("auth", ("authNoPriv", "authPriv")), ("priv", ("authPriv",))):
        before = len(reader.problems)
        secret = reader.secret(row, f"{kind}_key", key, required=given.get("level") in levels)
        if len(reader.problems) == before:
            given[f"{kind}_password"] = None if secret is None else secret.encode()
    for field, what in user_faults(given):
        reader.fault(join(key, USER_KEYS.get(field, field)), what)
    return User(**given) if reader.sound(key) else None


def allowances(reader: Document, rows: Iterable[Any]) -> dict[bytes, Allowance]:
    """The exceptions, by engine id."""
    found: dict[bytes, Allowance] = {}
    for index, row in enumerate(rows):
        key = f"receivers.snmp.engines[{index}]"
        text = getattr(row, "engine_id", None)
        ident = None if text is None else engine_id(reader, text, join(key, "engine_id"))
        if ident is None:
            continue
        if ident in found:
            reader.fault(join(key, "engine_id"), f"{text!r} is listed twice")
        if reader.sound(key):
            found[ident] = Allowance(row.accept_boots_reset, row.ignore_time_window)
    return found


def tokens(reader: Document, rows: Iterable[Any]) -> dict[str, Token]:
    """The tokens, by secret."""
    found: dict[str, Token] = {}
    for index, token in enumerate(rows):
        key = f"web.tokens[{index}]"
        secret = reader.secret(token, "token", key, required=True) if token is not None else None
        if secret is None:
            continue
        if len(secret) < MIN_TOKEN:
            reader.fault(join(key, "token"), f"is shorter than {MIN_TOKEN} characters")
        elif secret in found:
            owner, other = (getattr(one, "name", "a token without a name") for one in (found[secret], token))
            reader.fault(join(key, "token"), f"{other!r} has the same secret as {owner!r}")
        else:
            found[secret] = token
    return found
