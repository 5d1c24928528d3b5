"""From one received message to one event: parse, find out who sent it, hand it to the handler that claims it.

Used by the pipeline and by `eventd decode`; it does no I/O.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.contract import Origin, event_from_syslog, event_from_trap
from eventd.ends import Ends
from eventd.errors import DecodeError, ParseError, RejectReason
from eventd.identity import Identities
from eventd.inventory import Inventory
from eventd.model import (
    EVENTS,
    SYSLOG_TRANSPORTS,
    Event,
    Fault,
    Malformed,
    Message,
    Stamp,
    SyslogRecord,
    TrapRecord,
    utc,
)
from eventd.parse.conceal import COMMUNITY_TRANSPORTS
from eventd.parse.snmp import Access, parse_notification, report_for
from eventd.parse.syslog import Glance, glance_at, parse_syslog
from eventd.parse.timestamps import resolve
from eventd.parse.typed import concealed, without_secrets
from eventd.registry import Registry
from eventd.repeats import Repeats, again

KNOWN_EVENTS = frozenset((*EVENTS, None))


#: All messages of one look at a socket arrived at once.
_arrival = lru_cache(maxsize=16)(utc)


class Unclaimed(Struct, frozen=True):
    """A well-formed log that no handler claims. Nine of ten lines are such on a firewall that logs its policies, and
    they are only counted: `Decoder.event` makes an event of one that somebody wants to see."""

    message: Message
    device: str


class Examined(Struct, frozen=True):
    """One message looked at: what it says, the answer that an inform's sender waits for, whether this inform was here
    before (its answer got lost, or came too late), and what to tell the sender of one that was refused, if it asked to
    be told (discovery of our engine, for one)."""

    result: Event | Malformed | Unclaimed
    response: bytes | None = None
    repeated: bool = False
    report: bytes | None = None


class Decoder:
    """Decodes messages with one registry, one inventory and one set of SNMP secrets.

    ``on_bug`` hears of exceptions that should not exist; the message then counts as ``handler_error``.
    ``learned`` is what `eventd.identity.Identities` remembers, ``learned_ends`` what `eventd.ends.Ends` does; both are
    changed in place.
    """

    def __init__(
        self,
        registry: Registry,
        inventory: Inventory,
        access: Access,
        trusted_forwarders: Iterable[str] = (),
        on_bug: Callable[[Exception, Message], None] | None = None,
        learned: dict[str, Any] | None = None,
        learned_ends: dict[str, Any] | None = None,
    ) -> None:
        self.registry, self.inventory, self.access = registry, inventory, access
        self.identities = Identities(inventory, trusted_forwarders, learned, access.engines)
        self.ends = Ends(inventory, learned_ends)
        self._repeats = Repeats()
        self._on_bug = on_bug

    def decode(self, message: Message) -> Event | Malformed:
        """One message in, one object out; never raises."""
        result = self.examine(message).result
        return result if isinstance(result, Malformed) else self.event(result)

    def event(self, result: Event | Unclaimed) -> Event:
        """What a well-formed message says of itself."""
        if isinstance(result, Event):
            return result
        record = parse_syslog(result.message.payload)
        return _discreet(event_from_syslog(record, self._origin(result.message, record, result.device)))

    def examine(self, message: Message) -> Examined:
        """As `decode`, and with it what else the pipeline has to know. An inform that was received well is answered
        even if we cannot make sense of it: its bytes are kept, and a repetition would change nothing."""
        response, repeated = None, False
        try:
            if message.transport in SYSLOG_TRANSPORTS:
                return Examined(self._syslog(message))
            record = parse_notification(message.payload, self.access, message.received_at)
            response, repeated = record.response, self._repeated(record, message)
            return Examined(self._trap(record, message), response, repeated)
        except ParseError as error:
            report = self._report(message, error.reason)
            return Examined(self._malformed(message, error.reason, error.offset), report=report)
        except DecodeError:
            return Examined(self._malformed(message, RejectReason.UNDECODABLE, 0), response, repeated)
        except Exception as error:  # noqa: BLE001  a bug in a handler must not become a remote off-switch
            if self._on_bug is not None:
                self._on_bug(error, message)
            return Examined(self._malformed(message, RejectReason.HANDLER_ERROR, 0), response, repeated)

    def _report(self, message: Message, reason: RejectReason) -> bytes | None:
        if message.transport != "snmp-v3" or message.reply is None:
            return None
        return report_for(message.payload, self.access, message.received_at, reason)

    def _malformed(self, message: Message, reason: RejectReason, offset: int) -> Malformed:
        if message.transport in COMMUNITY_TRANSPORTS:
            message = replace(message, payload=self.access.conceal(message.payload))
        return malformed(message, reason, offset)

    def _syslog(self, message: Message) -> Event | Unclaimed:
        glance = glance_at(message.payload)
        if glance is None:
            record = parse_syslog(message.payload)
            return self._claimed(message, record, self._sender(record, message))
        device = self._sender(glance, message)
        if not self.registry.claims(glance.mnemonic) and not glance.may_name_oid:
            return Unclaimed(message, device)
        key = (glance.untimed, message.transport, message.source, device)
        raw = message.payload.decode("utf-8", "backslashreplace")
        told = self._repeats.get(key)
        if told is not None:
            at = _arrival(message.received_at)
            return self.ends.order(again(told, raw, at, self._time(glance.stamp, device, at)))
        event = self._claimed(message, glance.record(), device)
        if isinstance(event, Event):
            self._repeats.keep(key, event, raw)
        return event

    def _sender(self, said: SyslogRecord | Glance, message: Message) -> str:
        return self.identities.of_syslog(said.hostname, said.relay, message.source, message.received_at)

    def _claimed(self, message: Message, record: SyslogRecord, device: str) -> Event | Unclaimed:
        handler = self.registry.for_syslog(record)
        if handler is None or handler.decode_syslog is None:
            return Unclaimed(message, device)
        event = _checked(handler.decode_syslog(record, self._origin(message, record, device)))
        return self.ends.order(_discreet(event))

    def _origin(self, message: Message, record: SyslogRecord, device: str) -> Origin:
        at = _arrival(message.received_at)
        return Origin(message.transport, message.source, at, device, self._time(record.stamp, device, at))

    def _trap(self, record: TrapRecord, message: Message) -> Event:
        device = self.identities.of_trap(record, message.source, message.received_at)
        at, raw = _arrival(message.received_at), record.raw.hex()
        sender = (record.version, record.user, record.level, record.engine_id, record.context)
        key = (record.alike, sender, message.transport, message.source, device)
        told = None if record.alike is None else self._repeats.get(key)
        if told is not None:
            return self.ends.order(again(told, raw, at, told.device_time))
        origin = Origin(message.transport, message.source, at, device)
        handler = self.registry.for_trap(record)
        if handler is None or handler.decode_trap is None:
            return self.ends.order(event_from_trap(record, origin))
        event = self.ends.order(_checked(handler.decode_trap(record, origin)))
        if record.alike is not None:
            self._repeats.keep(key, event, raw)
        return event

    def _repeated(self, record: TrapRecord, message: Message) -> bool:
        """Whether this inform of that sender was taken before."""
        if record.inform_key is None:
            return False
        return not self.access.memory.informs.add(message.source.encode() + record.inform_key, message.received_at)

    def _time(self, stamp: Stamp | None, device: str, received_at: datetime) -> datetime | None:
        if stamp is None:
            return None
        known = self.inventory.device(device)
        clock, zone = (known.clock, known.time_zone) if known else ("iso", None)
        return resolve(stamp, clock, zone, received_at)


def _checked(event: Event) -> Event:
    """What a handler returned, if it is what a handler may return."""
    if not isinstance(event, Event) or event.event not in KNOWN_EVENTS:
        raise TypeError(f"a handler returned {event!r:.200}")
    return event


def _discreet(event: Event) -> Event:
    """An event without the keys and passwords of a command that somebody typed: who may read that something was
    changed may not therefore know them."""
    shown = concealed(event.raw)
    if shown is event.raw:
        return event
    hidden = {name: without_secrets(text) for name, text in event.extra.items()}
    return replace(event, raw=shown, extra=hidden)


def malformed(message: Message, reason: RejectReason, offset: int) -> Malformed:
    """What is kept and shown of a message that could not be parsed: text for syslog, hex for SNMP."""
    syslog = message.transport in SYSLOG_TRANSPORTS
    return Malformed(
        event=None,
        transport=message.transport,
        received_at=utc(message.received_at),
        source=message.source,
        error=Fault(str(reason), offset),
        raw=concealed(message.payload.decode("utf-8", "backslashreplace")) if syslog else message.payload.hex(),
    )
