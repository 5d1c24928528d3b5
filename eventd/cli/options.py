"""Options that several commands share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LEVELS = ("noAuthNoPriv", "authNoPriv", "authPriv")
AUTH_NAMES = ("MD5", "SHA", "SHA224", "SHA256", "SHA384", "SHA512")
PRIV_NAMES = ("DES", "AES128", "AES192", "AES256", "AES192C", "AES256C")
#: RFC 3414 section 11.2.
MIN_PASSWORD = 8
#: RFC 3411 SnmpEngineID.
ENGINE_ID_SIZES = range(5, 33)

_FILE = click.Path(exists=True, dir_okay=False)


class EngineId(click.ParamType[bytes]):
    """Hex, with or without ``0x`` and colons."""

    name = "HEX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            octets = bytes.fromhex(str(value).removeprefix("0x").replace(":", ""))
        except ValueError:
            octets = b""
        if len(octets) not in ENGINE_ID_SIZES:
            self.fail("an engine id is 5 to 32 octets in hex", param, ctx)
        return octets


def format_option(says: str, *forms: str) -> Callable[[Command], Command]:
    """``form``: how the answer is written, one of ``forms`` (text and json unless given; the first is the default)."""
    kinds = forms or ("text", "json")
    return click.option(
        "-f", "--format", "form", type=click.Choice(kinds), default=kinds[0], show_default=True, help=says
    )


def usm_options(command: Command) -> Command:
    """The SNMPv3 user: ``user``, ``level``, ``auth``, ``auth_key``, ``priv``, ``priv_key`` and ``engine_id``."""
    for option in reversed(_USM):
        command = option(command)
    return command


_USM = (
    click.option("--user", help="SNMPv3 user name."),
    click.option("--level", type=click.Choice(LEVELS, False), help="Default: what the keys given allow."),
    click.option(
        "--auth",
        type=click.Choice(AUTH_NAMES, False),
        default="SHA256",
        show_default=True,
        help="Authentication protocol.",
    ),
    click.option("--auth-key", help="Authentication password."),
    click.option("--auth-key-file", type=_FILE, help="File that holds it."),
    click.option(
        "--priv", type=click.Choice(PRIV_NAMES, False), default="AES128", show_default=True, help="Privacy protocol."
    ),
    click.option("--priv-key", help="Privacy password."),
    click.option("--priv-key-file", type=_FILE, help="File that holds it."),
    click.option("--engine-id", type=EngineId(), help="Authoritative engine id."),
)


class Usm:
    """The values of `usm_options`, checked together: ``level`` says which keys are used."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.user: str = options["user"] or ""
        self.auth: str = options["auth"]
        self.priv: str = options["priv"]
        self.engine_id: bytes | None = options["engine_id"]
        auth_key = _secret("auth", options["auth_key"], options["auth_key_file"])
        priv_key = _secret("priv", options["priv_key"], options["priv_key_file"])
        if priv_key is not None and auth_key is None and options["level"] is None:
            raise click.UsageError("--priv-key needs --auth-key too: SNMPv3 encrypts nothing that it does not sign")
        self.level: str = options["level"] or LEVELS[0 if auth_key is None else 1 if priv_key is None else 2]
        wanted = LEVELS.index(self.level)
        self.auth_key = _wanted("auth", auth_key, wanted >= 1, self.level)
        self.priv_key = _wanted("priv", priv_key, wanted >= 2, self.level)


def _secret(kind: str, given: str | None, file: str | None) -> str | None:
    if given is not None and file is not None:
        raise click.UsageError(f"--{kind}-key and --{kind}-key-file exclude each other")
    return Path(file).read_text(encoding="utf-8").rstrip("\r\n") if file is not None else given


def _wanted(kind: str, key: str | None, wanted: bool, level: str) -> str | None:
    if not wanted:
        return None
    if key is None:
        raise click.UsageError(f"level {level} needs --{kind}-key or --{kind}-key-file")
    if len(key.encode()) < MIN_PASSWORD:
        raise click.UsageError(f"--{kind}-key: at least {MIN_PASSWORD} octets (RFC 3414 section 11.2)")
    return key
