"""Who may read what should be secret, and certificates that run out."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from msgspec import Struct

from eventd.config import Config
from eventd.doctor.finding import Finding

#: Files named by settings that hold nothing secret.
PUBLIC = frozenset(("cert_file", "client_ca_file", "tls_ca_file", "tls_cert_file", "template_file"))
#: Of a certificate; renewals come weeks before the end, so that one this near has failed to come.
SOON_DAYS = 14

_CHMOD = "chmod 600, owner the user of the service"


def examine(config: Config) -> Iterator[Finding]:
    """Secrets, what holds messages, and certificates."""
    sources = [("receivers", config.receivers), ("web", config.web)]
    sources += [(f"channels.{channel.name}", channel.settings) for channel in config.channels]
    named = [found for key, value in sources for found in _files(key, value)]
    found = [*_secrets(named), *_inline(config, sources), *_kept(config)]
    yield from found or [Finding("file rights", "ok", "no secret, store or recording is open to everybody")]
    yield from _certificates(named)


def _files(key: str, value: Any) -> Iterator[tuple[str, Path]]:
    """(key, path) of every file that settings name, at any depth."""
    for name, one in _fields(value):
        if name.endswith("_file") and isinstance(one, str):
            yield f"{key}.{name}", Path(one)
        else:
            yield from _files(f"{key}.{name}" if isinstance(value, Struct) else f"{key}[{name}]", one)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield name, getattr(value, name)
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield str(index), one


def _secrets(named: list[tuple[str, Path]]) -> Iterator[Finding]:
    for key, path in named:
        if key.rpartition(".")[2] in PUBLIC:
            continue
        mode = _mode(path)
        if mode & stat.S_IWOTH:
            yield Finding("file rights", "problem", f"{key}: everybody may change {path}", _CHMOD)
        elif mode & stat.S_IROTH:
            yield Finding("file rights", "warning", f"{key}: everybody on this machine may read {path}", _CHMOD)


def _inline(config: Config, sources: list[tuple[str, Any]]) -> Iterator[Finding]:
    """Secrets written into a configuration that everybody may read; one that everybody may change needs no secret."""
    if config.path is None:
        return
    mode, path = _mode(Path(config.path)), config.path
    if mode & stat.S_IWOTH:
        yield Finding("file rights", "problem", f"everybody may change {path}", "chmod 644")
    if not mode & stat.S_IROTH:
        return
    inline = [found for key, value in sources for found in _secrets_in(key, value)]
    snmp = config.receivers.snmp
    if snmp is not None and set(snmp.communities) - {"public"}:
        inline.append("receivers.snmp.communities")
    if inline:
        seen = f"everybody on this machine may read {path}, which holds {', '.join(inline)}"
        yield Finding("file rights", "warning", seen, "chmod 640, or put the secrets into files (*_file)")


def _secrets_in(key: str, value: Any) -> Iterator[str]:
    """Settings that are secrets (what can also be given as ``*_file``) and stand in the configuration itself."""
    names = value.__struct_fields__ if isinstance(value, Struct) else ()
    for name, one in _fields(value):
        if f"{name}_file" in names and isinstance(one, str):
            yield f"{key}.{name}"
        else:
            yield from _secrets_in(f"{key}.{name}" if names else f"{key}[{name}]", one)


def _kept(config: Config) -> Iterator[Finding]:
    """Files that hold messages as they came, communities included."""
    kept = [("store.path", config.store.path), ("record.path", config.record.path)]
    for key, path in kept:
        if path is not None and _mode(Path(path)) & (stat.S_IROTH | stat.S_IWOTH):
            seen = f"{key}: everybody on this machine may read {path}, which holds SNMP communities"
            yield Finding("file rights", "warning", seen, "chmod o= on it and on its folder")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _certificates(named: list[tuple[str, Path]]) -> Iterator[Finding]:
    """Our own server certificates."""
    for key, path in named:
        if key.rpartition(".")[2] not in ("cert_file", "tls_cert_file"):
            continue
        try:
            end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:
            yield Finding("certificates", "problem", f"{key}: {path} cannot be read: {error}")
            continue
        yield expiry("certificates", f"{key}: {path}", end)


def expiry(check: str, what: str, end: datetime) -> Finding:
    """How long a certificate is still good."""
    days = (end - datetime.now(UTC)).total_seconds() / 86_400
    if days < 0:
        return Finding(check, "problem", f"{what} ran out on {end:%Y-%m-%d}", "renew it")
    if days < SOON_DAYS:
        return Finding(check, "warning", f"{what} runs out on {end:%Y-%m-%d}", "renew it")
    return Finding(check, "ok", f"{what} is good until {end:%Y-%m-%d}")
