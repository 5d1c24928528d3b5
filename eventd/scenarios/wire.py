"""The messages of a timeline, as the devices of each vendor word them."""

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from eventd.contract import SyslogTemplate, TrapTemplate
from eventd.errors import ConfigError, Problem
from eventd.model import SYSLOG_TRANSPORTS, Message
from eventd.registry import Registry
from eventd.scenarios.book import Scenario, Sender
from eventd.scenarios.script import OURS, Line
from eventd.sender import syslog
from eventd.sender.templates import SendError, Template, check_addresses, choose, complete, fill

#: The first second of every timeline.
EPOCH = datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()
#: Where devices send from that say nothing of it: 192.0.2.1 (RFC 5737) for the first, and so on.
FIRST_SOURCE = ipaddress.IPv4Address("192.0.2.1")
#: Values of a header that only have to be of four octets.
FIRST_REQUEST_ID, FIRST_UPTIME = 0x0100_0000, 0x0200_0000


class Spoken(Struct, frozen=True):
    """A line of the timeline and the message that it became; None for what is no message."""

    line: Line
    message: Message | None


class _Device(Struct):
    """A sender, and how many messages it has numbered."""

    sender: Sender
    source: str
    hostname: str
    ahead: float
    seq: int = 0
    last: Message | None = None


class Wire:
    """Makes the messages of scenarios from the templates of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._rows = [row for catalogue in registry.catalogues for row in catalogue.rows]
        self._syslog: dict[str, dict[str, list[SyslogTemplate]]] = {}
        self._traps: dict[str, dict[str, list[TrapTemplate]]] = {}
        for handler in registry.handlers:
            for line in handler.syslog_templates:
                self._syslog.setdefault(handler.vendor, {}).setdefault(line.event, []).append(line)
            for trap in handler.trap_templates:
                self._traps.setdefault(handler.vendor, {}).setdefault(trap.event, []).append(trap)

    def messages(self, scenario: Scenario) -> list[Spoken]:
        """What the whole timeline is on the wire, in order.

        Raises:
            ConfigError: lines that no device could say.
        """
        devices = _devices(scenario)
        spoken: list[Spoken] = []
        problems: dict[int, Problem] = {}
        for number, line in enumerate(scenario.script):
            if line.who in OURS:
                spoken.append(Spoken(line, None))
                continue
            try:
                message = self._message(line, devices[line.who], number)
            except (SendError, ValueError, KeyError) as error:
                what = str(error) if isinstance(error, SendError) else f"cannot be sent: {error}"
                what = what.removesuffix("; --force sends it")  # which there is only on the command line
                problems.setdefault(line.number, Problem("timeline", what, scenario.file, line.number))
                continue
            devices[line.who].last = message
            spoken.append(Spoken(line, message))
        if problems:
            raise ConfigError(list(problems.values()))
        return spoken

    def _message(self, line: Line, device: _Device, number: int) -> Message:
        at = round(EPOCH + line.at, 6)
        if line.do == "again":
            if device.last is None:
                raise SendError(f"{line.who} has said nothing yet that it could say again")
            return Message(device.last.transport, device.source, 0, at, device.last.payload)
        if line.payload is not None:
            return Message(line.way, device.source, 0, at, line.payload)
        if line.way in SYSLOG_TRANSPORTS:
            return Message(line.way, device.source, 0, at, self._line(line, device))
        return Message(line.way, device.source, 0, at, self._trap(line, device, number))

    def _line(self, line: Line, device: _Device) -> bytes:
        template, values = self._filled(self._syslog, line, device)
        device.seq = device.seq + 1 if line.seq is None else line.seq
        sent = line.at if line.sent is None else line.sent
        when = datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=sent + device.ahead)
        style = line.style or "bare"
        layout = syslog.Layout(hostname=device.hostname, form=line.dialect or None, value_style=style)
        return syslog.compose(template, values, when, device.seq, layout)

    def _trap(self, line: Line, device: _Device, number: int) -> bytes:
        from eventd.sender import traps  # pysnmp takes 0.2 s to import

        template, values = self._filled(self._traps, line, device)
        community = device.sender.community
        if line.dialect == "v1":
            agent = device.source if ":" not in device.source else "0.0.0.0"  # noqa: S104  v1 can say no other
            series = traps.trap_v1(template, values, community, agent)
        else:
            series = traps.trap_v2c(template, values, community, inform=line.way == "snmp-inform")
        return series.at(FIRST_REQUEST_ID + number, FIRST_UPTIME + int(line.at * 100))

    def _filled(
        self, templates: Mapping[str, Mapping[str, Sequence[Template]]], line: Line, device: _Device
    ) -> tuple[Template, dict[str, str]]:
        if device.sender.vendor not in templates:
            raise SendError(f"no {device.sender.vendor} device is known to tell anything by {line.way}")
        template = choose(templates[device.sender.vendor], line.event, line.fields)
        values = fill(template, line.fields)
        check_addresses(values)
        return template, complete(template, values, self._rows)


def _devices(scenario: Scenario) -> dict[str, _Device]:
    names = dict.fromkeys(line.who for line in scenario.script if line.who not in OURS)
    return {name: _device(name, index, scenario) for index, name in enumerate(names)}


def _device(name: str, index: int, scenario: Scenario) -> _Device:
    sender = scenario.senders.get(name, Sender())
    known = scenario.known.device(name) if scenario.known else None
    address = sender.address or (known.addresses[0] if known and known.addresses else str(FIRST_SOURCE + index))
    hostname = sender.hostname or (known.hostnames[0] if known and known.hostnames else name)
    return _Device(sender, address, hostname, sender.ahead_s)
