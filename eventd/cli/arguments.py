"""Kinds of arguments that `eventd send` takes."""

from datetime import datetime, timedelta, timezone
from typing import Any

import click

from eventd.sender import syslog


class Target(click.ParamType[tuple[str, int | None]]):
    """``HOST:PORT``, ``[IPv6]:PORT``, or a host alone for the default port."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int | None]:
        if isinstance(value, tuple):
            return value
        host, port = _split_target(str(value))
        if not host or (port and not (port.isdecimal() and 0 < int(port) <= 0xFFFF)):
            self.fail(f"{value!r} is no HOST:PORT or [IPv6]:PORT", param, ctx)
        return host, int(port) if port else None


def _split_target(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:  # an IPv6 address without brackets cannot have a port
        return text, ""
    host, _, port = text.partition(":")
    return host, port


class Offset(click.ParamType[timezone]):
    """``+08:00``."""

    name = "±HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timezone:
        if isinstance(value, timezone):
            return value
        try:
            parsed = datetime.strptime(str(value), "%z").tzinfo
        except ValueError:
            self.fail(f"{value!r} is no UTC offset like +08:00", param, ctx)
        return timezone((parsed.utcoffset(None) if parsed else None) or timedelta())


class Form(click.ParamType[str]):
    """A layout by its name, in any case."""

    name = "|".join(syslog.ALL_FORMS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        named = {form.casefold(): form for form in syslog.ALL_FORMS}
        found = named.get(str(value).casefold())
        if found is None:
            self.fail(f"{value!r} is none of {', '.join(syslog.ALL_FORMS)}", param, ctx)
        return found
