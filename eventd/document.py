"""One TOML document into checked values: every problem at once, each with its key and the line it stands on."""

import difflib
import math
import re
import tomllib
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from eventd.durations import parse_duration
from eventd.errors import ConfigError, Problem
from eventd.notify import secrets

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"-]+)\s*\]")
_KEY = re.compile(r"\s*([\w.\"-]+)\s*=")


def _line_index(text: str) -> dict[str, int]:
    """Line number of every table and key of a TOML text, under the names that problems use (``channels[0].url``)."""
    index: dict[str, int] = {}
    table, counts = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[2].replace('"', "")
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            index.setdefault(table, number)
        elif key := _KEY.match(line):
            index.setdefault(join(table, key[1].replace('"', "")), number)
    return index


def _parent(key: str) -> str:
    """``a.b[0]`` → ``a.b`` → ``a`` → nothing."""
    return key[: max(key.rfind("."), key.rfind("["), 0)]


class Document:
    """Turns one TOML document into structs and remembers everything that is wrong with it."""

    def __init__(self, path: Path | None, text: str) -> None:
        self.path, self._lines = path, _line_index(text)
        self.problems: list[Problem] = []

    def fault(self, key: str, what: str) -> None:
        self.problems.append(Problem(key, what, str(self.path) if self.path else None, self.line(key)))

    def line(self, key: str) -> int | None:
        """Where a key stands, or the nearest thing around it that is written down."""
        if f"{key}[0]" in self._lines:
            return self._lines[f"{key}[0]"]
        while key and key not in self._lines:
            key = _parent(key)
        return self._lines.get(key)

    def struct(self, cls: type[Struct], table: Any, key: str) -> Any:
        """An instance of ``cls``; on any problem None, after each has been noted."""
        if not isinstance(table, dict):
            self.fault(key, "expected a table")
            return None
        before = len(self.problems)
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        for name in table.keys() - fields.keys():
            self.fault(join(key, name), f"unknown key{did_you_mean(name, fields)}")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in table:
                given = self._anchored(name, table[name])
                values[field.name] = self.value(field.type, given, join(key, name))
            elif field.required:
                self.fault(join(key, name), "is missing")
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            self.fault(key, str(error))
            return None

    def _anchored(self, name: str, value: Any) -> Any:
        """File names are relative to the file that names them."""
        if name.endswith("_file") and isinstance(value, str) and self.path is not None:
            return str(self.beside(value))
        return value

    def value(self, kind: Any, value: Any, key: str) -> Any:
        """One value of type ``kind``: structs and arrays of structs by their parts, durations, the rest by msgspec."""
        inner = _struct_in(kind)
        if inner is not None and isinstance(value, dict):
            return self.struct(inner, value, key)
        if inner is not None and isinstance(value, list):
            return tuple(self.struct(inner, item, f"{key}[{index}]") for index, item in enumerate(value))
        if isinstance(value, str) and float in _members(kind) and str not in _members(kind):
            try:
                value = parse_duration(value)
            except ValueError as error:
                self.fault(key, str(error))
                return None
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(key, "is not a finite number")
            return None
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.fault(key, _plain(str(error), kind))
        except OverflowError:
            self.fault(key, "is too large")
        return None

    def secret(self, holder: Struct, name: str, key: str, *, required: bool) -> str | None:
        """The secret ``name`` of a struct that has it as ``name``, ``name_file`` or ``name_env``."""
        try:
            secrets.check_ways(holder, name, required=required)
            return secrets.read_secret(holder, name, Path())
        except ValueError as error:
            self.fault(join(key, name), str(error))
            return None

    def beside(self, name: str) -> Path:
        """A path, read relative to the configuration file."""
        return Path(name) if self.path is None else self.path.parent / name


def read(path: Path) -> tuple[Document, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return Document(path, text), tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("configuration", f"cannot be read: {os_error(error)}", str(path))]) from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else None
        raise ConfigError([Problem("configuration", f"is not TOML: {error}", str(path), line)]) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise ConfigError([Problem("configuration", f"cannot be read: {error}", str(path))]) from error


def join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a type: of a union its members, without their annotations."""
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return tuple(member for part in typing.get_args(kind) for member in _members(part))
    return (kind,)


def _struct_in(kind: Any) -> type[Struct] | None:
    """The struct class that a type holds, alone or as the items of a tuple."""
    for member in _members(kind):
        item = typing.get_args(member)[0] if typing.get_origin(member) in (tuple, list) else member
        if isinstance(item, type) and issubclass(item, Struct):
            return item
    return None


def _plain(message: str, kind: Any) -> str:
    text = message.split(" - at ")[0]
    if text.startswith("Invalid enum value"):  # which it quotes, and it may be a secret in the wrong place
        choices = [str(choice) for member in _members(kind) for choice in typing.get_args(member)]
        return f"is not one of {', '.join(choices)}"
    return text[:1].lower() + text[1:]


def did_you_mean(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def os_error(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
