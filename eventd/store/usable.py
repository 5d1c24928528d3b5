"""Whether a store could be at a path, looked at without touching anything: nothing is created, opened by SQLite or
locked."""

import os
import stat
from pathlib import Path

from eventd.store.database import APPLICATION_ID, schema

#: The header of the file (https://www.sqlite.org/fileformat.html section 1.3): magic, schema and program.
HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
_USER_VERSION, _APPLICATION_ID = slice(60, 64), slice(68, 72)


def trouble(path: Path) -> str | None:
    """Why there can be no store at ``path``; None if nothing speaks against it. What only the kernel knows (quotas, a
    file system that takes no folder) is found by nobody before it is tried."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _no_room(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    if stat.S_ISDIR(mode):
        return f"{path} is a folder: name a file in it"
    if not stat.S_ISREG(mode):
        return f"{path} is no ordinary file"
    return _not_writable(path, os.R_OK | os.W_OK) or _not_writable(path.parent, os.W_OK | os.X_OK) or _foreign(path)


def _no_room(path: Path) -> str | None:
    """Why it cannot be made: the nearest folder above it that exists takes nothing."""
    if path.is_symlink():
        return f"{path} is a link to what does not exist"
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        return f"{above} is no folder"
    missing = path.absolute().parent != above
    return _not_writable(above, os.W_OK | os.X_OK, f", so {path.parent} cannot be made" if missing else "")


def _not_writable(path: Path, wanted: int, so: str = "") -> str | None:
    if os.access(path, wanted, effective_ids=True):
        return None
    return f"user {os.geteuid()} cannot write {'in ' if path.is_dir() else ''}{path}{so}"


def _foreign(path: Path) -> str | None:
    """What the file is, if it is not ours. An empty one becomes ours; of one that was made and never folded back, the
    header still says nothing."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if not header:
        return None
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        return f"{path} is no SQLite file"
    program, version = (int.from_bytes(header[part]) for part in (_APPLICATION_ID, _USER_VERSION))
    if program not in (APPLICATION_ID, 0) or (program == 0 and not path.with_name(path.name + "-wal").exists()):
        return f"{path} is a database of another program"
    if version > len(schema()):
        return f"{path} is of a newer eventd: schema version {version}, this one knows {len(schema())}"
    return None
