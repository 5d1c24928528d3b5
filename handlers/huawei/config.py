"""Somebody changed the configuration: HWCM/5/TRAPLOG, DS/4/DATASYNC_CFGCHANGE, SHELL/5/CMDRECORD, hwCfgManEventlog.

CMDRECORD holds every command typed, so it is read: looking at things, or failing to change them, gets no event;
``reset ike sa`` and ``reset ipsec sa`` are ``ipsec.sa.reset``, ``reboot`` is ``device.restart``, ``hrp switch`` and
``slave switchover`` are ``device.failover``; the rest is a change.
"""

import contextlib
import re
from typing import Any

from eventd.contract import Origin, SyslogTemplate
from eventd.model import Event, SyslogRecord
from handlers._common.values import address
from handlers.huawei import _event
from handlers.huawei._family import handler, logs, read
from handlers.huawei._tables import BY_MNEMONIC, Kind
from handlers.huawei._templates import wire_fields

COMMAND = Kind("CMDRECORD", "device.config", mark={"kind": "command"})
CHANGED = Kind("TRAPLOG", "device.config", mark={"kind": "changed"})
KINDS = {**BY_MNEMONIC, **logs(COMMAND, CHANGED)}
#: Notifications about the configuration; TRAPLOG may wrap others.
CONFIG_BRANCH = "1.3.6.1.4.1.2011.6.10.2."
#: First words of commands that only look or move about (VRP command reference). ``log on`` is written when a
#: session begins (captured AR line).
HARMLESS = frozenset(
    ("display", "dir", "log", "more", "ping", "quit", "return", "screen-length", "system-view", "terminal", "tracert")
)
#: https://usg.zrnko.cz/resources/cli/reset_ike_sa.html: ``reset ike sa [ conn-id N | remote ADDRESS ] …``
_RESET = re.compile(
    r"reset\s+(ike|ipsec)\s+sa\b(?:.*?\bremote\s+(\S+))?(?:.*?\bconn-id\s+(\d{1,10})\b)?", re.IGNORECASE
)
#: What other commands do, by their first words (VRP command references).
DEEDS = {
    "reboot": Kind(COMMAND.name, "device.restart", "warning", {"kind": "command", "state": "ordered"}),
    "hrp switch active": Kind(COMMAND.name, "device.failover", "warning", {"kind": "command", "state": "master"}),
    "hrp switch standby": Kind(COMMAND.name, "device.failover", "warning", {"kind": "command", "state": "other"}),
    "slave switchover": Kind(COMMAND.name, "device.failover", "warning", {"kind": "command"}),
}


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never refuses: that something was configured is all it has to say."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    kind = _event.kind_of(record, KINDS)
    known, extra = read(record)
    if kind is CHANGED and record.oid is not None and not record.oid.startswith(CONFIG_BRANCH):
        return _event.unclaimed(record, origin)
    if kind is COMMAND:
        kind = _meaning(extra.get("Command", ""), extra.get("Result", ""), known)
    return _event.syslog_event(record, origin, kind, known, extra)


def _meaning(command: str, result: str, known: dict[str, Any]) -> Kind:
    if command.lower().split(" ", 1)[0] in HARMLESS or result.lower().startswith("fail"):
        return Kind(COMMAND.name, mark={"kind": "no change"})
    reset = _RESET.match(command.strip())
    if reset is None:
        words = " ".join(command.lower().split()) + " "
        return next((kind for deed, kind in DEEDS.items() if words.startswith(deed + " ")), COMMAND)
    if reset[2]:
        with contextlib.suppress(ValueError):
            known["peer"] = address(reset[2])
    if reset[3]:
        known["conn_id"] = int(reset[3])
    return Kind(COMMAND.name, "ipsec.sa.reset", mark={"scope": reset[1].lower()})


HANDLER = handler(
    "config",
    {name: kind for name, kind in KINDS.items() if name not in BY_MNEMONIC},
    decode_syslog=decode_syslog,
    syslog_templates=(
        SyslogTemplate(
            "device.config",
            "SHELL",
            5,
            "CMDRECORD",
            "Record command information.",
            wire_fields(
                "Task Ip User Command Result",
                Task="VT0",
                Ip="192.0.2.10",
                User="admin",
                Command="undo ipsec policy map1 10",
                Result="Success",
            ),
            source="a captured AR line",
        ),
        SyslogTemplate(
            "device.config",
            "HWCM",
            5,
            "TRAPLOG",
            "configure changed.",
            wire_fields(
                "EventIndex CommandSource ConfigSource ConfigDestination",
                EventIndex="7",
                CommandSource="1",
                ConfigSource="2",
                ConfigDestination="4",
            ),
            oid="1.3.6.1.4.1.2011.6.10.2.1",
            source="a captured S-series line",
        ),
    ),
)
