"""One syslog message to one `SyslogRecord`: RFC 5424, RFC 3164, and every form of Huawei's info-center."""

import re

from msgspec import Struct

from eventd.errors import ParseError, RejectReason
from eventd.model import Stamp, SyslogRecord
from eventd.parse import infocenter
from eventd.parse.envelope import (
    Envelope,
    checked_pri,
    claims_rfc5424,
    read_pri,
    read_rfc3164,
    read_rfc5424,
    read_text,
)
from eventd.parse.timestamps import WALL, parse_stamp

#: A byte order mark or blanks before the message say nothing.
_LEADING = re.compile(rb"(?:\xef\xbb\xbf|[ \t\r\n\0])*+")


#: The common line of anybody else: time, host name, program. Like `infocenter.COMMON` it must take nothing that
#: `parse_any` reads differently.
_LOCAL = re.compile(
    rb"(?:<(\d+)>)?("
    + WALL
    + rb") (?![\d.]+ )([A-Za-z0-9][\w.-]{0,254}) ([A-Za-z][\w.-]{0,127})(?:\[(\d{1,64})\])?:[ ]"
)


class Glance(Struct, frozen=True):
    """A message in the common layout of info-center, as far as a look at its header tells: enough to know that nobody
    wants the rest, or that the rest was read before. No relay has added anything to it."""

    found: re.Match[bytes]
    pri: int | None
    hostname: str
    mnemonic: str
    relay: None = None

    @property
    def stamp(self) -> Stamp | None:
        """The device's time."""
        return parse_stamp(self.found[2])

    @property
    def may_name_oid(self) -> bool:
        """Whether a notification OID may stand before its text."""
        return infocenter.may_name_oid(self.found.string, self.found.end())

    @property
    def untimed(self) -> tuple[bytes, bytes, int]:
        """What it says beside its time, and how long it is: the records of messages that agree in this differ in
        ``stamp`` and ``raw`` alone."""
        payload, (start, end) = self.found.string, self.found.span(2)
        return payload[:start], payload[end:], len(payload)

    def record(self) -> SyslogRecord:
        """The whole of it."""
        tag = self.found.groups()[3:]
        return infocenter.build(self.found.string, self.found.end(), tag, self.pri, self.stamp, self.hostname)


def glance_at(payload: bytes) -> Glance | None:
    """A look at a message; None where it is in no common layout. ParseError as of `parse_syslog`."""
    found = infocenter.COMMON.match(payload) or infocenter.COMMON_COMWARE.match(payload)
    if found is None:
        return None
    digits, hostname, module, mnemonic = found.group(1, 3, 5, 7)
    pri = None if digits is None else checked_pri(digits)
    return Glance(found, pri, hostname.decode(), infocenter.names(module, mnemonic)[1])


def parse_syslog(payload: bytes) -> SyslogRecord:
    """One whole message to a record.

    Raises:
        ParseError: ``empty``; ``bad_pri`` (a number in angle brackets that is no PRI); ``bad_header`` (says that it is
            RFC 5424 version 1, is not, and holds no info-center tag either). Everything else is a record.
    """
    if (glance := glance_at(payload)) is not None:
        return glance.record()
    if (local := _LOCAL.match(payload)) and not infocenter.may_hold_tag(payload):
        digits, stamp, *words = local.groups(b"")
        hostname, app_name, proc_id = map(bytes.decode, words)
        pri = checked_pri(digits) if digits else None
        envelope = Envelope("rfc3164", local.end(), pri, parse_stamp(stamp), hostname, app_name, proc_id or None)
        module = infocenter.read_module(payload, envelope) if app_name.isupper() else None
        return module or _plain(payload, envelope)
    return parse_any(payload)


def parse_any(payload: bytes) -> SyslogRecord:
    """As `parse_syslog`, without its shortcut for the common case."""
    leading = _LEADING.match(payload)
    start = leading.end() if leading else 0
    if start == len(payload):
        raise ParseError(RejectReason.EMPTY)
    if cut := infocenter.read_cut(payload) or infocenter.read_relayed_alarm(payload):
        return cut
    pri, start = read_pri(payload, start)
    claimed = pri is not None and claims_rfc5424(payload, start)
    envelope = read_rfc5424(payload, start, pri) if claimed and pri is not None else None
    around = envelope or Envelope("bare", start, pri)
    if found := (
        infocenter.read_program(payload, around)
        or infocenter.read_tagged(payload, around)
        or infocenter.read_console_alarm(payload, around.start, pri)
    ):
        return found
    if envelope is None:
        if claimed:
            raise ParseError(RejectReason.BAD_HEADER, start, "version 1 without the header of RFC 5424")
        envelope = read_rfc3164(payload, start, pri)
    return (
        infocenter.read_program(payload, envelope)
        or infocenter.read_module(payload, envelope)
        or _plain(payload, envelope)
    )


def _plain(payload: bytes, envelope: Envelope) -> SyslogRecord:
    return SyslogRecord(
        raw=payload,
        text=read_text(payload[envelope.start :]),
        form="J" if envelope.app_name == infocenter.CLOUD_GATEWAY else envelope.form,
        pri=envelope.pri,
        stamp=envelope.stamp,
        hostname=envelope.hostname,
        level=None if envelope.pri is None else envelope.pri & 7,
        app_name=envelope.app_name,
        proc_id=envelope.proc_id,
        msg_id=envelope.msg_id,
        structured_data=envelope.structured_data,
    )
