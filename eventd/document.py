"""One TOML document into checked values: every problem at once, each with its key and the line it stands on."""

import difflib
import math
import re
import tomllib
import types
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from eventd.checked import Checked, faults_in
from eventd.durations import UNITS, parse_duration
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

    def again(self) -> "Document":
        """The same document with nothing wrong with it yet."""
        other = Document(self.path, "")
        other._lines = self._lines
        return other

    def fault(self, key: str, what: str) -> None:
        """Note it, once."""
        if not any((one.key, one.what) == (key, what) for one in self.problems):
            self.problems.append(Problem(key, what, str(self.path) if self.path else None, self.line(key)))

    def line(self, key: str) -> int | None:
        """Where a key stands, or the nearest thing around it that is written down."""
        if f"{key}[0]" in self._lines:
            return self._lines[f"{key}[0]"]
        while key and key not in self._lines:
            key = _parent(key)
        return self._lines.get(key)

    def sound(self, key: str) -> bool:
        """Whether nothing was found wrong with ``key`` and what is below it."""
        return not any(
            problem.key == key or problem.key.startswith((f"{key}.", f"{key}[")) for problem in self.problems
        )

    def struct(self, cls: type[Struct], table: Any, key: str) -> Any:
        """An instance of ``cls``; on any problem None, after each has been noted."""
        found = self.draft(cls, table, key)
        return found if isinstance(found, cls) else None

    def draft(self, cls: type[Struct], table: Any, key: str) -> Any:
        """The same, but what can be known is kept: a `SimpleNamespace` with the good fields, so that what does not
        depend on the others can still be checked. None where there is no table."""
        if not isinstance(table, dict):
            self.fault(key, f"must be a table, not {_kind_of(table)}")
            return None
        before = len(self.problems)
        values = self._fields(cls, self.known(cls, table, key), key)
        if issubclass(cls, Checked):
            for field, what in cls.faults(values):
                self.fault(join(key, field) if field else key, what)
        if len(self.problems) > before:
            return SimpleNamespace(**values)
        return cls(**values)

    def known(self, cls: type[Struct], table: dict[str, Any], key: str) -> dict[str, Any]:
        """A table without the keys that ``cls`` does not know, each of which is noted."""
        fields = [field.encode_name for field in msgspec.structs.fields(cls)]
        for name in (name for name in table if name not in fields):
            self.fault(join(key, name), f"unknown key{did_you_mean(name, fields)}")
        return {name: value for name, value in table.items() if name in fields}

    def _fields(self, cls: type[Struct], table: dict[str, Any], key: str) -> dict[str, Any]:
        """The good fields of a table, defaults included; the others are noted."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in table:
                value = self.value(field.type, self._anchored(name, table[name]), join(key, name))
                if value is not UNSET:
                    values[field.name] = value
            elif field.required:
                self.fault(join(key, name), "is missing")
            else:
                values[field.name] = field.default if field.default is not NODEFAULT else field.default_factory()
        return values

    def _anchored(self, name: str, value: Any) -> Any:
        """File names are relative to the file that names them."""
        if name.endswith("_file") and isinstance(value, str) and self.path is not None:
            return str(self.beside(value))
        return value

    def value(self, kind: Any, value: Any, key: str) -> Any:
        """One value of type ``kind``: structs and arrays of structs by their parts, durations, the rest by msgspec."""
        inner, item = _struct_in(kind), _item_of(kind)
        if inner is not None and item is None and isinstance(value, dict):
            return self.draft(inner, value, key)
        if item is not None and isinstance(value, list):
            return self._items(inner, item, value, key)
        if isinstance(value, dict) and (item := _value_of(kind)) is not None:
            made = {name: self.value(item, one, join(key, name)) for name, one in value.items()}
            return {name: one for name, one in made.items() if one is not UNSET}
        timed = isinstance(value, str) and float in _members(kind) and str not in _members(kind)
        try:
            if timed:
                value = parse_duration(value)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError("is not a finite number")
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.fault(key, plain(str(error), kind, timed=timed))
        except OverflowError:
            self.fault(key, "is too large")
        except ValueError as error:
            self.fault(key, str(error))
        return UNSET

    def _items(self, inner: type[Struct] | None, item: Any, values: list[Any], key: str) -> Any:
        """The good ones of an array; all of them are looked at."""
        if inner is not None:
            return tuple(self.draft(inner, one, f"{key}[{index}]") for index, one in enumerate(values))
        made = [self.value(item, one, f"{key}[{index}]") for index, one in enumerate(values)]
        good = tuple(one for one in made if one is not UNSET)
        return good if good or not values else UNSET

    def secret(self, holder: Any, name: str, key: str, *, required: bool) -> str | None:
        """The secret ``name`` of a struct or a draft that has it as ``name``, ``name_file`` or ``name_env``."""
        found = list(secrets.ways_faults(_given(holder), name, required=required))
        for field, what in found:
            self.fault(join(key, field), what)
        try:
            return None if found else secrets.read_secret(holder, name, Path())
        except ValueError as error:
            self.blame(key, error)
            return None

    def blame(self, key: str, error: Exception) -> None:
        """Note what an exception says of ``key`` or of the fields below it that it names."""
        for field, what in faults_in(error):
            self.fault(join(key, field) if field else key, what)

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


def _item_of(kind: Any) -> Any:
    """The type of the items of an array type; None where it is none."""
    arrays = (member for member in _members(kind) if typing.get_origin(member) in (tuple, list))
    return next((typing.get_args(member)[0] for member in arrays), None)


def _value_of(kind: Any) -> Any:
    """The type of the values of a table of free keys; None where it is none."""
    tables = (member for member in _members(kind) if typing.get_origin(member) is dict)
    return next((typing.get_args(member)[1] for member in tables), None)


def _struct_in(kind: Any) -> type[Struct] | None:
    """The struct class that a type holds, alone or as the items of a tuple."""
    for member in _members(kind):
        item = typing.get_args(member)[0] if typing.get_origin(member) in (tuple, list) else member
        if isinstance(item, type) and issubclass(item, Struct):
            return item
    return None


def _given(holder: Any) -> dict[str, Any]:
    """The fields of a struct or of a draft."""
    if isinstance(holder, Struct):
        return {name: getattr(holder, name) for name in holder.__struct_fields__}
    return dict(vars(holder))


#: What msgspec calls the types of values, in the words of people who write TOML.
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date and time",
}
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_BOUND = re.compile(r"Expected `(\w+)`(?: of length)? (>=|<=|>|<) (\S+)")
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def _kind_of(value: Any) -> str:
    names = ((bool, "bool"), (str, "str"), (int, "int"), (float, "float"), (list, "array"), (dict, "object"))
    return next((_KINDS[name] for kind, name in names if isinstance(value, kind)), "a date or time")


def plain(message: str, kind: Any, *, timed: bool = False) -> str:
    """A message of msgspec about a value of type ``kind`` in plain words; ``timed``: it was a duration."""
    text = message.split(" - at ")[0]
    if text.startswith("Invalid enum value"):  # which it quotes, and it may be a secret in the wrong place
        choices = [str(choice) for member in _members(kind) for choice in typing.get_args(member)]
        return f"is not one of {', '.join(choices)}"
    if found := _WRONG_TYPE.fullmatch(text):
        wanted = [_KINDS.get(name, name) for name in found[1].split(" | ") if name != "null"]
        return f"must be {' or '.join(wanted)}, not {_KINDS.get(found[2], found[2])}"
    if found := _BOUND.fullmatch(text):
        bound = f"{float(found[3]):.15g}"
        if timed:
            bound = _duration(float(found[3]))
        what = {"str": f"must have {{}} {bound} characters", "array": f"must have {{}} {bound} items"}
        return what.get(found[1], f"must be {{}} {bound}").format(_BOUNDS[found[2]])
    return text[:1].lower() + text[1:]


def _duration(seconds: float) -> str:
    """As one would write it in a configuration."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:.15g}{unit}"
    return f"{seconds:.15g}s"


def did_you_mean(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def os_error(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
