"""Settings that say what does not fit together, field by field, so that one mistake does not hide the next."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct

#: A field and what is wrong with it; the field is empty where the whole is meant.
Fault = tuple[str, str]

_NAMED = re.compile(r"([a-z]\w*): (.+)", re.DOTALL)


class SettingsError(ValueError):
    """Everything that does not fit together in one table of settings."""

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__("; ".join(f"{field}: {what}" if field else what for field, what in faults))
        self.faults = tuple(faults)


class Checked(Struct, frozen=True):
    """Base of settings that are checked beyond the types of their fields."""

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:  # noqa: ARG003  for subclasses to use
        """What is wrong with the fields in ``given``, defaults included. A field that failed its type is not in it,
        and hides only the checks that need it."""
        return iter(())

    def __post_init__(self) -> None:
        if found := list(self.faults({name: getattr(self, name) for name in self.__struct_fields__})):
            raise SettingsError(found)


def trying(field: str, check: Callable[[Any], object], values: Collection[Any]) -> Iterator[Fault]:
    """A fault for each of ``values`` that ``check`` refuses with a ValueError."""
    for value in values:
        try:
            check(value)
        except ValueError as error:
            yield field, str(error)


def faults_in(error: Exception) -> tuple[Fault, ...]:
    """What an exception says, under the fields it names: those of `SettingsError`, else a text ``field: what``."""
    if isinstance(error, SettingsError):
        return error.faults
    named = _NAMED.fullmatch(str(error))
    return ((named[1], named[2]) if named else ("", str(error)),)


def all_of(*steps: Callable[[], Any]) -> list[Any]:
    """What each step makes. Every step is taken, and the ValueErrors of all of them are raised together."""
    made, found = list[Any](), dict[Fault, None]()
    for step in steps:
        try:
            made.append(step())
        except ValueError as error:
            found |= dict.fromkeys(faults_in(error))
    if found:
        raise SettingsError(list(found))
    return made
