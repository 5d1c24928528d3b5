"""Whether the store and the recording can be written, and how much room there is."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from eventd.config import Config
from eventd.doctor.finding import Finding
from eventd.store import damage, usable

MIB = 2**20
#: With less the next storm fills it: a journal row is about 1.5 kB, so this is 70,000 events.
LITTLE_BYTES = 100 * MIB
#: A day of a busy site, so that somebody has the time to do something.
SOME_BYTES = 1024 * MIB


def examine(config: Config) -> Iterator[Finding]:
    """Store and recording."""
    path = Path(config.store.path)
    found = list(_place("store.path", path, SOME_BYTES))
    if all(finding.level != "problem" for finding in found) and (trouble := usable.trouble(path)) is not None:
        found = [Finding("disk", "problem", f"store.path: {trouble}", "set store.path to a file of eventd's own")]
    yield from found
    yield from _damage(path)
    if config.record.path is not None:
        yield from _place("record.path", Path(config.record.path), config.record.max_bytes * config.record.files)


def _damage(path: Path) -> Iterator[Finding]:
    """What the last start that found its write-ahead log damaged wrote down."""
    with contextlib.suppress(sqlite3.Error, msgspec.MsgspecError):
        if path.exists() and (found := damage.last(path)) is not None:
            grave = found.what in damage.GRAVE
            seen = f"at the start of {found.at:%Y-%m-%d %H:%M} UTC the end of the store's log was unreadable "
            seen += f"({found.octets} octets): {damage.MEANING[found.what]}"
            yield Finding("disk", "warning" if grave else "note", seen, "look at the disk's own log" if grave else "")


def _place(key: str, path: Path, wanted: int) -> Iterator[Finding]:
    """A file, and the nearest folder above it that exists."""
    folder = next((above for above in path.absolute().parents if above.exists()), Path("/"))
    user = f"user {os.geteuid()}"
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        advice = "run this as the user of the service, and make that user the owner of the folder"
        yield Finding("disk", "problem", f"{key}: {user} cannot write in {folder}", advice)
        return
    if path.exists() and not os.access(path, os.W_OK):
        yield Finding("disk", "problem", f"{key}: {user} cannot write {path}", "make the user of the service its owner")
        return
    yield _room(key, folder, wanted)


def _room(key: str, folder: Path, wanted: int) -> Finding:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    seen = f"{key}: {free // MIB} MiB are free below {folder}"
    if found.f_files and not found.f_favail:
        return Finding("disk", "problem", f"{key}: no inodes are left below {folder}", "remove small files there")
    if free < LITTLE_BYTES:
        return Finding("disk", "problem", seen, "make room, or keep less (store.retention)")
    if free < wanted:
        seen += f", and {wanted // MIB} MiB may be needed"
        return Finding("disk", "warning", seen, "make room, or keep less (store.retention, record.files)")
    return Finding("disk", "ok", seen)
