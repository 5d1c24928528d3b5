"""Huawei's info-center (and Comware's information center): the tag, what stands before it and behind it.

    [ "<" PRI ">" ] [ relay-header SP ] [ "#" ] timestamp SP hostname SP tag ":" [ids] text
    tag = [ "%%" 2DIGIT [SP] ] MODULE "/" level "/" MNEMONIC [SP] [ "(" mark ")" ] [ "[" seq "]" ]

Relays wrap such a message into headers of their own, so the tag is searched for and the header is read backwards from
it. ``%%01`` is Huawei, ``%%10`` Comware. The forms:

    A  …%%01MOD/4/NAME(l)[5]:text             VRP5 log           F  …NAME_active(l):CID=…-alarmID=…;text  VRP8 alarm log
    B  …(l)[5]:slot=1;text                    log of a board     G  …NAME(t):CID=…-OID=1.3.…;text         VRP8 trap
    C  …MOD/4/NAME:OID 1.3.… text             VRP5 trap          H  #time host MOD/4/NAME:OID 1.3.… text  trap buffer
    D  …%%01MOD/4/NAME(l)[5]:OID 1.3.… text   trap in a log      I  #47/active/NAME/Major/occurredTime:…  VRP8 console
    E  …%%01MOD/4/NAME(l):CID=…;text          VRP8 log           J  time host ipsec_ike[pid]: [addr] text cloud gateway

Sources: EDOC1100039602 and EDOC1100127053 (log format), EDOC1100086055 (a line without ``OID``), a10.tagan.ru
dc_cbb_log_format_s (documentation form), captures for what relays do; Comware: F1000-E and MSR 5600 manuals.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from eventd.model import Stamp, SyslogRecord
from eventd.parse.envelope import BLANKS, Envelope, checked_pri, read_hostname, read_text
from eventd.parse.header import COMWARE, Header, read_header
from eventd.parse.text import decode_text
from eventd.parse.timestamps import WALL, parse_stamp

#: How far behind PRI (RFC 5424: behind the structured data) a tag is looked for. Two relay headers of the longest host
#: names fit; what is further in is somebody's text.
TAG_WITHIN = 1024

#: The longest module name met has 17 letters; this much before a level the search for the tag begins.
_BEFORE_LEVEL = 48

#: Names repeat: a device knows some hundred mnemonics. Bounded, because the wire may hold anything: invented ones take
#: half a kilobyte each.
CACHED_NAMES = 512

#: Characters within which a text that is remembered up to its first bracket has one.
MAX_HEAD = 256

#: Program name of the cloud VPN gateway, which sends no tag (form J; Huawei Cloud VPN API, vpn_api_0145).
CLOUD_GATEWAY = "ipsec_ike"

#: A log counter has 32 bits.
MAX_SEQ_DIGITS = 10

_NAMES = rb"([A-Z0-9][A-Z0-9_-]{0,31})/([0-7])/([A-Za-z][A-Za-z0-9_-]{0,63})"
_MARK = rb" ?(?:\(([A-Za-z])\))?"
_TAIL = _NAMES + _MARK + rb" ?(?:\[(\d{1,%d})\])? ?:" % MAX_SEQ_DIGITS
#: Groups: version, module, level, mnemonic, mark, seq. The parts of a tag in this order are called a tag below.
_TAG = re.compile(rb"(?<![^\s>#*^%:])(?:%%? ?(\d\d) ?|(?=[A-Z]))" + _TAIL)
_LEVEL = re.compile(rb"/[0-7]/[A-Za-z]")
#: The common case in one go: ``<188>Nov 21 2026 04:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[12]:``. Groups: PRI, time,
#: host name, tag. It must take nothing that the slow way reads differently: the host name is plain and no number,
#: the version and the place of the year are not Comware's.
COMMON = re.compile(
    rb"(?:<(\d+)>)?(" + WALL + rb")(?<!\d \d{4}) (?![\d.]+ )([A-Za-z0-9][\w.-]{0,254}) (?:%%(0\d)|(?=[A-Z]))" + _TAIL
)
#: The same of Comware towards a log host: ``<190>Nov 21 04:00:00 2026 FW1 %%10IKE/6/IKE_P1_SA_TERMINATE:``.
COMMON_COMWARE = re.compile(rb"(?:<(\d+)>)?(" + WALL + rb") (?![\d.]+ )([A-Za-z0-9][\w.-]{0,254}) %%(10)" + _TAIL)
#: A tag that a relay took for the program's name (syslog-ng does). Comware's unicom layout has ``10`` without ``%`` and
#: a serial number in place of the mnemonic.
_TAG_AS_PROGRAM = re.compile(
    rb"(?:%%? ?(\d\d)|(10)(?=[A-Z]))?([A-Z0-9][A-Z0-9_-]{0,31})/([0-7])/([A-Za-z0-9][A-Za-z0-9_-]{0,63})" + _MARK
)
#: rsyslog's own forward formats (RSYSLOG_TraditionalForwardFormat, RSYSLOG_ForwardFormat) print ``%syslogtag:1:32%``.
CUT_AT = 32
#: A whole message of such a relay whose tag was cut (not one with a blank in it). Groups: PRI, time, host name, tag.
_CUT = re.compile(
    rb"(?:<(\d+)>)?(" + WALL + rb") (\S{1,255}) (?=[%%A-Z])(\S{%d})(?<!:) (?!\([A-Za-z]\)| ?\[\d+\] ?:| ?:)" % CUT_AT
)
#: What can be left of a tag. Groups as in `_TAG`, and before the mark the ``(`` behind which the mnemonic is whole.
_CUT_TAG = re.compile(rb"(?:%%(0\d|10))?" + _NAMES + rb"(?:(\()([A-Za-z])?(?:\)(?:\[\d*|\[(\d{1,10})\])?)?)?")
_FIELDS = re.compile(rb" \([A-Za-z][\w.-]*=")
#: A module where the program's name belongs: RSYSLOG_SyslogProtocol23Format ends that at the first ``/``.
_MODULE_AS_PROGRAM = re.compile(r"(%%(?:0\d|10))?([A-Z][A-Z0-9_-]{0,31})")
#: ``#47/active/linkDown/Major/occurredTime:2024-11-26 14:05:54/-/-/alarmID:0x…/CID=0x…:`` (form I). How the end of an
#: alarm is worded there was not seen; ``clear`` is what alarm logs have.
_ALARM_ID = rb"(?:[^/\s]{1,64}/){0,8}?alarmID:(\w{1,20})(?:/CID=(\w{1,20}))?:"
_CONSOLE_ALARM = re.compile(
    rb"#(\d{1,10})/(active|clear)(?:ed)?/([\w-]{1,64})/(\w{1,32})/occurredTime:([^/]{1,40})/" + _ALARM_ID
)
#: The same behind the header of a relay that cut it, and without the first colon. Groups: PRI, name of the relay; a
#: ``/`` behind the mnemonic, which is then whole.
_RELAYED_ALARM = re.compile(
    rb"(?:<(\d+)>)?" + WALL + rb" (\S{1,255}) #(\d{1,10})/(active|clear)(?:ed)?/([\w-]{1,64})(/)?(\w{0,32})"
    rb"(?:/[A-Za-z]{0,12}:?)? ([^/]{1,40})/" + _ALARM_ID
)
_OID = re.compile(
    rb"(?:OID[ =:]*\.?(\d{1,10}(?:\.\d{1,10}){1,127})|\.?(\d{1,10}(?:\.\d{1,10}){6,127}))(?:[;,:]|(?=[\s\0]|$))[\s\0]*"
)
#: ``VS=…-CID=…-OID=…;``, ``slot=…;``, ``Slot=…,Vcpu=…;``, Comware's ``-DevIP=…;``
_IDS = re.compile(rb"(?:-(?=[A-Za-z]{2,16}=)|(?=(?:VS|CID|[Ss]lot)=))((?:[^;()\s]|(?<=,) ){3,200});[\s\0]*")
#: Comware's cmcc layout ends its source with a blank.
_SOURCE = re.compile(rb"-([A-Za-z]{2,16}=[^\s;()]{1,64})[\s\0]+")
#: Two were seen in one message (``CID=…;slot=…;``); behind four it is the text that looks like ids.
MAX_ID_BLOCKS = 4
#: Comware prints each in a block of its own: ``DevIP``, ``MDC``, ``Context``, ``Chassis``, ``Slot``, a CPU.
MAX_SOURCE_BLOCKS = 6
_NEXT_ID = re.compile(rb"[-,] ?(?=[A-Za-z]{2,24}=)")
#: syslog-ng takes the year behind Comware's time for the host name, and the host name for the program's.
_YEAR_AS_HOST = re.compile(rb"\s*<\d+>1 \S+ (?:19|20)\d\d (\S{1,255}) ")
#: Key in ``ids`` of the number that stands for the mnemonic in Comware's unicom layout. Whether it counts messages or
#: names their kind is documented nowhere.
SERIAL = "serial"
_DOTTED = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10}){1,127}")
#: The longest OID and the word before it.
_OID_ROOM = 128 * 11 + 16
#: First bytes of everything that `_OID` and `_IDS` match.
_IDS_BEGIN = frozenset(b"OVCSs-.0123456789")
_IDS_FIRST = re.compile(rb"[ \t]*[%s]" % re.escape(bytes(sorted(_IDS_BEGIN))))
_IDS_FIRST_BEHIND = re.compile(rb"[%s]*+[%s]" % (re.escape(BLANKS), re.escape(bytes(sorted(_IDS_BEGIN)))))
_NO_IDS: Mapping[str, str] = MappingProxyType({})

#: version, module, level, mnemonic, mark, seq: what the groups of a tag's pattern are
Tag = Sequence[Any]


def may_hold_tag(payload: bytes) -> bool:
    """Whether it is worth looking for a tag. Almost free, and most lines of other systems hold nothing like it."""
    return _LEVEL.search(payload) is not None


def may_name_oid(payload: bytes, tag_end: int) -> bool:
    """Whether what stands behind the tag is more than text."""
    return _IDS_FIRST_BEHIND.match(payload, tag_end) is not None


def read_tagged(payload: bytes, envelope: Envelope) -> SyslogRecord | None:
    """The record of a message with a tag behind ``envelope``, where a device or a relay puts one; else None.

    Only the first tag counts: what looks like one behind it is text.
    """
    start = envelope.start
    limit = start + TAG_WITHIN
    level = _LEVEL.search(payload, start, limit)
    tag = _TAG.search(payload, max(start, level.start() - _BEFORE_LEVEL), limit) if level else None
    if tag is None:
        return None
    before = read_header(
        envelope.torn + payload[start : tag.start()],
        strong=tag[1] is not None or _OID.match(payload[tag.end() : tag.end() + _OID_ROOM].lstrip(BLANKS)) is not None,
        wrapped=envelope.form == "rfc5424",
    )
    return None if before is None else _behind(payload, tag, before, envelope)


def _behind(payload: bytes, tag: re.Match[bytes], before: Header, envelope: Envelope) -> SyslogRecord:
    inner = before.hostname is not None
    named = envelope.hostname
    if envelope.form == "rfc5424" and not inner and named is None and (torn := _YEAR_AS_HOST.match(payload)):
        named = read_hostname(torn[1])
    return build(
        payload,
        tag.end(),
        tag.groups(),
        envelope.pri if before.pri is None else before.pri,
        before.stamp or envelope.stamp,
        before.hostname if inner else named,
        (envelope.hostname if inner else None) or before.relay,
        before.form,
        envelope,
    )


def read_program(payload: bytes, envelope: Envelope) -> SyslogRecord | None:
    """The record of a message whose tag stands where the program's name belongs; None where it does not."""
    if envelope.app_name is None or "/" not in envelope.app_name:
        return None
    tag = _TAG_AS_PROGRAM.fullmatch(envelope.app_name.encode())
    if tag is None:
        return None
    version, unicom, module, level, mnemonic, mark = tag.groups()
    if unicom is not None and mnemonic.isdigit():
        return _unicom(payload, envelope, tag)
    if mnemonic[:1].isdigit():
        return None
    seq = (envelope.proc_id or "").encode()
    parts = (
        version or unicom,
        module,
        level,
        mnemonic,
        mark,
        seq if seq.isdigit() and len(seq) <= MAX_SEQ_DIGITS else None,
    )
    return build(payload, envelope.start, parts, envelope.pri, envelope.stamp, envelope.hostname, None, None, envelope)


def _unicom(payload: bytes, envelope: Envelope, tag: re.Match[bytes]) -> SyslogRecord:
    """A record without mnemonic; version and module stand in for the program's name: ``10IKE``."""
    _, version, module, level, serial, mark = tag.groups()
    parts = (version, module, level, b"", mark, None)
    record = build(payload, envelope.start, parts, envelope.pri, envelope.stamp, envelope.hostname)
    ids = {**record.ids, SERIAL: serial.decode()}
    return replace(record, mnemonic=None, app_name=(version + module).decode(), ids=ids)


def read_module(payload: bytes, envelope: Envelope) -> SyslogRecord | None:
    """The record of a message of which a relay left no more than the module, where the program's name belongs.

    Without a version it has to say what it is by its ids, because anything may be called like a module.
    """
    found = _MODULE_AS_PROGRAM.fullmatch(envelope.app_name or "")
    if found is None or envelope.pri is None:
        return None
    version, module = found.groups()
    if version is None and not _IDS_FIRST.match(payload, envelope.start):
        return None
    seq = (envelope.proc_id or "").encode()
    tag = (
        version and version[2:].encode(),
        module.encode(),
        b"%d" % (envelope.pri & 7),
        b"",
        None,
        seq if seq.isdigit() and len(seq) <= MAX_SEQ_DIGITS else None,
    )
    record = build(payload, envelope.start, tag, envelope.pri, envelope.stamp, envelope.hostname, around=envelope)
    if version is None and record.oid is None and not record.ids:
        return None
    name = f"10{module}" if version == "%%10" else module
    return replace(record, mnemonic=None, app_name=name, suffix=_state(record) if "alarmID" in record.ids else None)


def read_cut(payload: bytes) -> SyslogRecord | None:
    """The record of a message whose tag a relay cut at `CUT_AT` characters, colon and all; None where it did not.

    Where the mnemonic may have been cut too there is none, and the module stands in for the program's name.
    """
    message = _CUT.match(payload)
    tag = _CUT_TAG.fullmatch(message[4]) if message else None
    if message is None or tag is None or (hostname := read_hostname(message[3])) is None:
        return None
    version, module, level, mnemonic, opened, mark, seq = tag.groups()
    pri = None if message[1] is None else checked_pri(message[1])
    parts = (version, module, level, mnemonic, mark, seq)
    record = build(payload, message.end(), parts, pri, parse_stamp(message[2]), hostname)
    if version is None and record.oid is None and not record.ids and not _FIELDS.search(payload, message.end()):
        return None
    return record if opened else _uncut(record, mnemonic.decode())


def _uncut(record: SyslogRecord, printed: str) -> SyslogRecord:
    """With mnemonic and suffix where an alarm's ``_active`` or ``_clear`` was cut, else without a mnemonic."""
    name, _, suffix = printed.rpartition("_")
    if "alarmID" in record.ids and name and any(whole.startswith(suffix) for whole in ("active", "clear")):
        return replace(record, mnemonic=name, suffix=_state(record, suffix))
    module = f"10{record.module}" if record.form == COMWARE else record.module
    return replace(record, mnemonic=None, suffix=None, app_name=module)


def _state(record: SyslogRecord, suffix: str = "") -> str:
    """Only the end of an alarm has a ``clearType``."""
    return "clear" if suffix.startswith("c") or "clearType" in record.ids else "active"


def read_console_alarm(payload: bytes, start: int, pri: int | None) -> SyslogRecord | None:
    """The record of an alarm as the console prints it; None where it is none."""
    alarm = _CONSOLE_ALARM.match(payload, start)
    return None if alarm is None else _console_alarm(payload, alarm.end(), alarm.groups(), pri)


def read_relayed_alarm(payload: bytes) -> SyslogRecord | None:
    """The same behind a relay that took it for a program's name."""
    alarm = _RELAYED_ALARM.match(payload)
    if alarm is None or (hostname := read_hostname(alarm[2])) is None:
        return None
    pri = None if alarm[1] is None else checked_pri(alarm[1])
    seq, suffix, mnemonic, whole, *rest = alarm.groups()[2:]
    record = _console_alarm(payload, alarm.end(), (seq, suffix, mnemonic, *rest), pri)
    return replace(record, hostname=hostname, mnemonic=record.mnemonic if whole else None)


def _console_alarm(payload: bytes, end: int, alarm: Tag, pri: int | None) -> SyslogRecord:
    seq, suffix, mnemonic, severity, occurred, alarm_id, component = alarm
    ids = {"alarmID": alarm_id.decode("utf-8", "replace")}
    if severity:
        ids["severity"] = severity.decode("utf-8", "replace")
    if component is not None:
        ids["CID"] = component.decode("utf-8", "replace")
    more, oid, text = _read_ids(payload[end:].strip(BLANKS))
    return SyslogRecord(
        raw=payload,
        text=read_text(text),
        form="I",
        pri=pri,
        stamp=parse_stamp(occurred),
        level=None if pri is None else pri & 7,
        mnemonic=decode_text(mnemonic),
        suffix=suffix.decode(),
        seq=int(seq),
        oid=oid,
        ids={**ids, **more},
    )


def build(
    payload: bytes,
    tag_end: int,
    tag: Tag,
    pri: int | None,
    stamp: Stamp | None,
    hostname: str | None,
    relay: str | None = None,
    form: str | None = None,
    around: Envelope | None = None,
) -> SyslogRecord:
    """A record of what stood before the tag, the tag, and the payload from ``tag_end`` on."""
    version, module, level, mnemonic, mark, seq = tag
    text = payload[tag_end:].strip(BLANKS)
    ids, oid = _NO_IDS, None
    if text and text[0] in _IDS_BEGIN:
        ids, oid, text = _read_ids(text, comware=version == b"10")
    module_name, mnemonic_name, suffix = names(module, mnemonic)
    return SyslogRecord(
        payload,
        read_text(text),
        form or _form(version, mark, suffix, ids, oid),
        pri,
        stamp,
        hostname,
        relay,
        module_name,
        level[0] - 48,
        mnemonic_name,
        suffix,
        mark.decode().lower() if mark else None,
        int(seq) if seq else None,
        oid,
        ids,
        around.app_name if around else None,
        around.proc_id if around else None,
        around.msg_id if around else None,
        around.structured_data if around else None,
    )


@lru_cache(maxsize=CACHED_NAMES)
def names(module: bytes, mnemonic: bytes) -> tuple[str, str, str | None]:
    """Module, mnemonic and the suffix by which VRP8 tells the begin of an alarm from its end."""
    name, _, suffix = mnemonic.decode().rpartition("_")
    if name and suffix in ("active", "clear"):
        return module.decode(), name, suffix
    return module.decode(), mnemonic.decode(), None


def _read_ids(text: bytes, *, comware: bool = False) -> tuple[Mapping[str, str], str | None, bytes]:
    """What stands between tag and text: ids, notification OID, and the text behind them. No part of it goes on behind a
    bracket, and up to the first one the messages of a device are alike."""
    head = text[: text.find(b"(", 0, MAX_HEAD) + 1]
    ids, oid, at = _ids_of_head(head, comware) if head else _ids_before(text, comware)
    return ids, oid, text[at:]


def _ids_before(text: bytes, comware: bool) -> tuple[Mapping[str, str], str | None, int]:
    """Ids, notification OID, and where the text begins."""
    ids, oid, at = _NO_IDS, None, 0
    for _ in range(MAX_SOURCE_BLOCKS if comware else MAX_ID_BLOCKS):
        block = _IDS.match(text, at) or (_SOURCE.match(text, at) if comware else None)
        if block is None:
            break
        more, named = _ids(block[1])
        ids, oid = ({**ids, **more} if ids else more), oid or named
        at = block.end()
    if oid is None and (printed := _OID.match(text, at)):
        oid = (printed[1] or printed[2]).decode()
        at = printed.end()
    return ids, oid, at


_ids_of_head = lru_cache(maxsize=CACHED_NAMES)(_ids_before)


@lru_cache(maxsize=CACHED_NAMES)
def _ids(block: bytes) -> tuple[Mapping[str, str], str | None]:
    pairs = (part.partition(b"=") for part in _NEXT_ID.split(block))
    ids = {decode_text(key): decode_text(value) for key, _, value in pairs}
    oid = ids.pop("OID") if _DOTTED.fullmatch(ids.get("OID", "")) else None
    return MappingProxyType(ids), oid


def _form(
    version: bytes | None, mark: bytes | None, suffix: str | None, ids: Mapping[str, str], oid: str | None
) -> str:
    """Which layout of info-center it is."""
    if version == b"10":
        return COMWARE
    if not ids and version is None and mark is None:
        return "C"
    if suffix is not None or "alarmID" in ids:
        return "F"
    if not ids:
        return "A" if oid is None else "D"
    if ids.keys() & {"CID", "VS"}:
        return "G" if oid is not None or mark in (b"t", b"T") else "E"
    return "B"
