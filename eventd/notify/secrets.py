"""Secrets in settings: a key ``x`` may also be given as ``x_file`` or ``x_env``. Values never appear in a message."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from eventd.checked import Fault

#: Far above any token or webhook address; a larger file is a mistake (a key store, a device) and is not read.
MAX_SECRET_BYTES = 65_536


def ways(settings: Struct, key: str) -> list[str]:
    """Which of ``key``, ``key_file``, ``key_env`` are given, and well: a draft of settings has no field that failed."""
    return [way for way in (key, f"{key}_file", f"{key}_env") if getattr(settings, way, None) is not None]


def ways_faults(given: Mapping[str, Any], key: str, *, required: bool = False) -> Iterator[Fault]:
    """For `Checked.faults` of settings: where a secret is given twice, or not though required."""
    every = (key, f"{key}_file", f"{key}_env")
    used = [way for way in every if given.get(way) is not None]
    if len(used) > 1:
        yield key, f"is given more than once: {', '.join(used)}"
    if required and not used and all(way in given for way in every):
        yield key, f"is missing (also possible: {key}_file, {key}_env)"


def read_secret(settings: Struct, key: str, base: Path) -> str | None:
    """The value of a secret; None where none of the three ways is used. Relative files are relative to ``base``.

    Raises:
        ValueError: the file or the variable cannot be read or is empty; says which, and never what is inside.
    """
    for way in ways(settings, key):
        given = str(getattr(settings, way))
        value = given if way == key else _from_env(way, given) if way.endswith("_env") else _from_file(way, given, base)
        if not value:
            raise ValueError(f"{way}: is empty")
        return value
    return None


def _from_env(way: str, name: str) -> str:
    if name not in os.environ:
        raise ValueError(f"{way}: environment variable {name} is not set")
    return os.environ[name].strip()


def _from_file(way: str, name: str, base: Path) -> str:
    try:
        with (base / name).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        if len(content) > MAX_SECRET_BYTES:
            raise ValueError(f"{way}: {name} is larger than {MAX_SECRET_BYTES} bytes")
        return content.decode().strip()
    except OSError as error:
        raise ValueError(f"{way}: {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{way}: {name} is not UTF-8 text") from None  # the cause holds the bytes
