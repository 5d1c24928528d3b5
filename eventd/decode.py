"""From one received message to one event: parse, find out who sent it, hand it to the handler that claims it.

Used by the pipeline and by `eventd decode`; it does no I/O.
"""

import ipaddress
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from eventd.contract import Origin, event_from_syslog, event_from_trap
from eventd.errors import DecodeError, ParseError, RejectReason
from eventd.inventory import Inventory
from eventd.model import EVENTS, SYSLOG_TRANSPORTS, Event, Fault, Malformed, Message, SyslogRecord, TrapRecord, utc
from eventd.parse.snmp import Access, parse_notification, report_for
from eventd.parse.syslog import parse_syslog
from eventd.parse.timestamps import resolve
from eventd.registry import Registry

#: Source addresses whose host name we remember. A fleet is a few thousand; beyond that a sender is making them up.
MAX_LEARNED_SOURCES = 20_000
KNOWN_EVENTS = frozenset((*EVENTS, None))
#: A source that used two host names within this many seconds of each other speaks for several devices (a relay), and
#: its traps keep the address as their name. A firewall that was renamed stops using the old name at once, so an hour
#: later its traps have the new one.
SEVERAL_WITHIN_S = 3600.0
#: Two names are enough to know that there are several.
MAX_NAMES_PER_SOURCE = 2


class Decoder:
    """Decodes messages with one registry, one inventory and one set of SNMP secrets.

    ``on_bug`` hears of exceptions that should not exist; the message then counts as ``handler_error``.
    ``learned`` maps a source address to the host names it was seen to use and when it last did (Unix seconds), so that
    traps, which carry no host name, and syslogs of one firewall meet under one device name even without an inventory.
    It is JSON as it stands and changed in place; earlier versions kept one name per address, which is read too.
    """

    def __init__(
        self,
        registry: Registry,
        inventory: Inventory,
        access: Access,
        trusted_forwarders: Iterable[str] = (),
        on_bug: Callable[[Exception, Message], None] | None = None,
        learned: dict[str, Any] | None = None,
    ) -> None:
        self.registry, self.inventory, self.access = registry, inventory, access
        self._forwarders = [ipaddress.ip_network(cidr, strict=False) for cidr in trusted_forwarders]
        self._on_bug = on_bug
        self.learned: dict[str, dict[str, float]] = {} if learned is None else learned
        for source, names in self.learned.items():
            self.learned[source] = _names(names)

    def decode(self, message: Message) -> Event | Malformed:
        """One message in, one object out; never raises."""
        return self.examine(message)[0]

    def examine(self, message: Message) -> tuple[Event | Malformed, bytes | None]:
        """As `decode`, and with it the answer that an inform's sender waits for."""
        try:
            if message.transport in SYSLOG_TRANSPORTS:
                return _checked(self._syslog(message)), None
            event, response = self._trap(message)
            return _checked(event), response
        except ParseError as error:
            return malformed(message, error.reason, error.offset), None
        except DecodeError:
            return malformed(message, RejectReason.UNDECODABLE, 0), None
        except Exception as error:  # noqa: BLE001  a bug in a handler must not become a remote off-switch
            if self._on_bug is not None:
                self._on_bug(error, message)
            return malformed(message, RejectReason.HANDLER_ERROR, 0), None

    def report(self, message: Message) -> bytes | None:
        """What to answer to a refused v3 message that asked to be told why (discovery of our engine, for one)."""
        return report_for(message.payload, self.access, message.received_at)

    def _syslog(self, message: Message) -> Event:
        record = parse_syslog(message.payload)
        received_at = utc(message.received_at)
        device = self._syslog_device(record, message.source, message.received_at)
        origin = Origin(message.transport, message.source, received_at, device, self._time(record, device, received_at))
        handler = self.registry.for_syslog(record)
        if handler is None or handler.decode_syslog is None:
            return event_from_syslog(record, origin)
        return handler.decode_syslog(record, origin)

    def _trap(self, message: Message) -> tuple[Event, bytes | None]:
        record = parse_notification(message.payload, self.access, message.received_at)
        origin = Origin(
            message.transport, message.source, utc(message.received_at), self._trap_device(record, message.source)
        )
        handler = self.registry.for_trap(record)
        if handler is None or handler.decode_trap is None:
            return event_from_trap(record, origin), record.response
        return handler.decode_trap(record, origin), record.response

    def _time(self, record: SyslogRecord, device: str, received_at: datetime) -> datetime | None:
        if record.stamp is None:
            return None
        known = self.inventory.device(device)
        clock, zone = (known.clock, known.time_zone) if known else ("iso", None)
        return resolve(record.stamp, clock, zone, received_at)

    def _syslog_device(self, record: SyslogRecord, source: str, received_at: float) -> str:
        hostname = record.hostname
        if hostname:
            self._learn(source, hostname, received_at)
        return self.inventory.identify(engine_id=None, agent=None, hostname=hostname, source=source)

    def _learn(self, source: str, hostname: str, at: float) -> None:
        names = self.learned.get(source)
        if names is None:
            if len(self.learned) < MAX_LEARNED_SOURCES:
                self.learned[source] = {hostname: at}
            return
        names[hostname] = at
        if len(names) > 1:
            for name in [name for name, heard in names.items() if abs(at - heard) > SEVERAL_WITHIN_S]:
                del names[name]  # also one heard in the future: the clock was set back
            while len(names) > MAX_NAMES_PER_SOURCE:
                del names[min(names, key=names.__getitem__)]

    def _learned_name(self, source: str) -> str | None:
        """The host name of a source that has just one."""
        names = self.learned.get(source, ())
        return next(iter(names)) if len(names) == 1 else None

    def _trap_device(self, record: TrapRecord, source: str) -> str:
        agent = record.agent if record.agent and self._trusted(source) else None
        return self.inventory.identify(
            engine_id=record.engine_id.hex() if record.engine_id else None,
            agent=agent,
            hostname=self._learned_name(agent or source),
            source=source,
        )

    def _trusted(self, source: str) -> bool:
        if not self._forwarders:
            return False
        address = ipaddress.ip_address(source)
        return any(address in network for network in self._forwarders)


def _names(kept: Any) -> dict[str, float]:
    """Host names of one source as they were saved: with their times, or (before 0.2) one name, "" for several."""
    if isinstance(kept, dict):
        return {name: float(at) for name, at in kept.items() if isinstance(at, int | float)}
    return {kept: 0.0} if kept and isinstance(kept, str) else {}


def _checked(event: Event) -> Event:
    """What a handler returned, if it is what a handler may return."""
    if not isinstance(event, Event) or event.event not in KNOWN_EVENTS:
        raise TypeError(f"a handler returned {event!r:.200}")
    return event


def malformed(message: Message, reason: RejectReason, offset: int) -> Malformed:
    """What is kept and shown of a message that could not be parsed: text for syslog, hex for SNMP."""
    syslog = message.transport in SYSLOG_TRANSPORTS
    return Malformed(
        event=None,
        transport=message.transport,
        received_at=utc(message.received_at),
        source=message.source,
        error=Fault(str(reason), offset),
        raw=message.payload.decode("utf-8", "backslashreplace") if syslog else message.payload.hex(),
    )
