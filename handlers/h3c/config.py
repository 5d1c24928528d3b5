"""Somebody changed the configuration: CFGMAN_CFGCHANGED, SHELL_CMD.

SHELL_CMD holds every command typed, so it is read: looking at things gets no event; ``reset ike sa`` and ``reset ipsec
sa`` are ``ipsec.sa.reset``, ``reboot`` is ``device.restart``; the rest is a change. Who typed it and where stands
before the text (``User``, ``IPAddr``, ``Line``).
"""

import contextlib
import re
from typing import Any

from eventd.contract import Origin
from eventd.model import Event, SyslogRecord
from handlers._common.values import address
from handlers.h3c import _event
from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

CONFIG = "device.config"
COMMAND = Kind("SHELL_CMD", CONFIG, mark={"kind": "command"})
#: ``reboot [ slot N [ subslot N ] ] [ force ]`` (Comware 7 fundamentals command reference); with a slot: a board.
REBOOT = Kind(COMMAND.name, "device.restart", "warning", {"kind": "command", "state": "ordered"})
_REBOOT = re.compile(r"reboot(?:\s+force)?\s*$", re.IGNORECASE)
KINDS = logs(COMMAND, Kind("CFGMAN_CFGCHANGED", CONFIG, mark={"kind": "changed"}))
#: First words of commands that only look or move about (Comware fundamentals command reference); any of them may be
#: shortened to what is unambiguous (a captured line has ``dis`` for ``display``).
HARMLESS = (
    "display",
    "dir",
    "more",
    "ping",
    "quit",
    "return",
    "screen-length",
    "su",
    "super",
    "system-view",
    "terminal",
    "tracert",
)
#: Shorter beginnings are ambiguous among these and others.
MIN_SHORTENED = 3
#: A command line has at most 511 characters (Comware fundamentals configuration guide).
MAX_COMMAND = 600
_COMMAND = re.compile(r"\bCommand is\s+(.*)", re.IGNORECASE | re.DOTALL)
#: ``reset ike sa [ connection-id N ]``, ``reset ipsec sa [ … | remote ADDRESS | … ]`` (V5 and V7 security command
#: references)
_RESET = re.compile(
    r"reset\s+(ike|ipsec)\s+sa\b(?:.*?\bremote\s+(?:ipv6\s+)?(\S+))?(?:.*?\bconnection-id\s+(\d{1,10})\b)?"
    r"(?:\s+(\d{1,10})\s*$)?",
    re.IGNORECASE,
)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never refuses: that something was configured is all it has to say."""
    kind, text = _event.kind_of(record, KINDS), record.text[:MAX_COMMAND]
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    if kind is COMMAND and (command := _COMMAND.search(text)):
        extra["Command"] = command[1].strip().rstrip(".")
        kind = _meaning(extra["Command"], known)
    return _event.syslog_event(record, origin, kind, known, extra)


def _meaning(command: str, known: dict[str, Any]) -> Kind:
    if _only_looks(command):
        return Kind(COMMAND.name, mark={"kind": "no change"})
    reset = _RESET.match(command)
    if reset is None:
        return REBOOT if _REBOOT.match(command) else COMMAND
    if reset[2]:
        with contextlib.suppress(ValueError):
            known["peer"] = address(reset[2])
    if number := reset[3] or reset[4]:
        known["conn_id"] = int(number)
    return Kind(COMMAND.name, "ipsec.sa.reset", mark={"scope": reset[1].lower()})


def _only_looks(command: str) -> bool:
    first = command.casefold().split(" ", 1)[0]
    return first in HARMLESS or (len(first) >= MIN_SHORTENED and any(name.startswith(first) for name in HARMLESS))


HANDLER = handler(
    "config",
    KINDS,
    decode_syslog=decode_syslog,
    syslog_templates=(
        sentence(
            CONFIG,
            "SHELL/6/SHELL_CMD",
            "-Line={Line}-IPAddr={IPAddr}-User={User}; Command is {Command}",
            source="captured lines",
            Line="vty0",
            IPAddr="192.0.2.10",
            User="admin",
            Command="undo ipsec policy map1 10",
        ),
        sentence(
            CONFIG,
            "CFGMAN/5/CFGMAN_CFGCHANGED",
            "-EventIndex={EventIndex}-CommandSource={CommandSource}-ConfigSource={ConfigSource}-ConfigDestination="
            "{ConfigDestination}; Configuration is changed.",
            source="an example of H3C's information center configuration guide",
            EventIndex="12",
            CommandSource="2",
            ConfigSource="4",
            ConfigDestination="2",
        ),
        sentence(
            "ipsec.sa.reset",
            "SHELL/6/SHELL_CMD",
            "-Line={Line}-IPAddr={IPAddr}-User={User}; Command is reset ipsec sa remote {peer}",
            source="captured lines of other commands",
            Line="vty0",
            IPAddr="192.0.2.10",
            User="admin",
        ),
    ),
)
