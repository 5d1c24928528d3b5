"""Picks the template of an event and fills it with what the caller gave."""

import difflib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from eventd.contract import CatalogueRow, SyslogTemplate, TrapTemplate
from eventd.errors import EventdError
from eventd.model import Event

Template = TypeVar("Template", SyslogTemplate, TrapTemplate)

#: Fields of an `Event` that hold an address.
ADDRESSES = ("peer", "local", "inside")


class SendError(EventdError):
    """What was asked for cannot be sent; the text says what could."""


def pairs(words: Iterable[str]) -> dict[str, str]:
    """Words of the form ``key=value``; `SendError` where one is not, or a key comes twice."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise SendError(f"{word!r} is no key=value")
        if key in found:
            raise SendError(f"{key} is given twice")
        found[key] = value
    return found


def wire_name(template: SyslogTemplate | TrapTemplate) -> str:
    """The mnemonic of a log or the MIB name of a notification."""
    return template.mnemonic if isinstance(template, SyslogTemplate) else template.notification


def choose(templates: Mapping[str, Sequence[Template]], wanted: str, given: Iterable[str] = ()) -> Template:
    """The template named by event name, mnemonic or notification name.

    Where an event has several, it is the one that takes all the names ``given`` and says most of what an `Event` can
    hold: people who test want to see the whole of it.

    Raises:
        SendError: no such template; says which names are near and which exist.
    """
    every: list[Template] = [template for named in templates.values() for template in named]
    if group := templates.get(wanted.lower()) or [one for one in every if _is_named(one, wanted)]:
        names = {name.casefold() for name in given}
        return max(group, key=lambda template: (names <= accepted(template).keys(), _wealth(template)))
    near = _near(wanted, [*templates, *map(wire_name, every)])
    raise SendError(f"no event {wanted!r}{near}; known: {', '.join(sorted(templates))}")


def _is_named(template: SyslogTemplate | TrapTemplate, wanted: str) -> bool:
    return wire_name(template).casefold() == wanted.casefold()


def knows(templates: Mapping[str, Sequence[SyslogTemplate | TrapTemplate]], wanted: str) -> bool:
    """Whether `choose` would find something."""
    named = (_is_named(template, wanted) for group in templates.values() for template in group)
    return wanted.lower() in templates or any(named)


def check_addresses(values: Mapping[str, str]) -> None:
    """Raises `SendError` where an address field holds what is none; empty and ``-`` stand for "not given"."""
    wrong = [f"{field}: {values[field]!r} is no address" for field in ADDRESSES if not _is_address(values.get(field))]
    if wrong:
        raise SendError("; ".join(wrong) + "; --force sends it")


def _is_address(value: str | None) -> bool:
    if value in (None, "", "-"):
        return True
    try:
        ipaddress.ip_address(value or "")
    except ValueError:
        return False
    return True


def _wealth(template: SyslogTemplate | TrapTemplate) -> int:
    return len(set(accepted(template).values()) & {*Event.__struct_fields__, "code"})


def accepted(template: SyslogTemplate | TrapTemplate) -> dict[str, str]:
    """Every spelling a caller may use for a value (case-folded) → the field it feeds."""
    if isinstance(template, TrapTemplate):
        return {var.field.casefold(): var.field for var in template.varbinds}
    names = {field.key.casefold(): field.field for field in template.fields}
    return names | {field.field.casefold(): field.field for field in template.fields}


def _spelled(template: SyslogTemplate | TrapTemplate) -> list[str]:
    keys = [field.key for field in template.fields] if isinstance(template, SyslogTemplate) else []
    return [*keys, *accepted(template).values()]


def fill(template: SyslogTemplate | TrapTemplate, given: Mapping[str, str]) -> dict[str, str]:
    """Field → value for everything given, by contract name or wire key.

    Raises:
        SendError: a name that this template does not have, or two names for one field; all of them at once.
    """
    names, filled, problems = accepted(template), dict[str, str](), list[str]()
    for name, value in given.items():
        field = names.get(name.casefold())
        if field is None:
            problems.append(f"{wire_name(template)} has no field {name!r}{_near(name, _spelled(template))}")
        elif field in filled:
            problems.append(f"{name} was given under two names")
        else:
            filled[field] = value
    if problems:
        raise SendError("; ".join([*problems, f"known: {', '.join(sorted(set(names.values())))}"]))
    return filled


def complete(
    template: SyslogTemplate | TrapTemplate, values: Mapping[str, str], rows: Iterable[CatalogueRow]
) -> dict[str, str]:
    """Where only one of ``reason`` and ``code`` was given, the other from the catalogue, so that they agree."""
    filled = dict(values)
    if not {"reason", "code"} <= set(accepted(template).values()) or ("reason" in values) == ("code" in values):
        return filled
    for row in rows:
        codes = [str(code) for code in row.codes or (row.reason.code,) if code is not None]
        names = [name for name in (row.reason.name, *row.aliases) if name]
        if values.get("code") in codes and names:
            return filled | {"reason": names[0]}
        if codes and values.get("reason", "").casefold() in map(str.casefold, names):
            return filled | {"code": codes[0]}
    return filled


def _near(name: str, known: Iterable[str]) -> str:
    spelled = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), spelled, n=3)
    return f" (did you mean {' or '.join(spelled[one] for one in near)}?)" if near else ""
