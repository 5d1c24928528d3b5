"""One syslog message to one `SyslogRecord`: RFC 5424, RFC 3164, and every form of Huawei's info-center.

The grammar, as met on wires and in manuals (EDOC1100039602, EDOC1100127053, EDOC1100086055, captures):

    [ "<" PRI ">" ] [ relay-header SP ] [ "#" ] timestamp SP hostname SP tag ":" [ids] text
    tag = [ "%%" 2DIGIT [SP] ] MODULE "/" level "/" MNEMONIC [SP] [ "(" mark ")" ] [ "[" seq "]" ]

Relays wrap such a message into headers of their own, so the tag is searched for, and the header is read backwards
from it. RFC 3164 knows no invalid message (section 4.3): whatever is not a Huawei message still becomes a record.
"""

import re
from collections.abc import Mapping

from eventd.errors import ParseError, RejectReason
from eventd.model import SyslogRecord
from eventd.parse.text import BOM, decode_text
from eventd.parse.timestamps import PATTERN, STAMP, parse_stamp

#: How far into a message the tag may stand: two relay headers and RFC 5424 structured data in front of it.
TAG_WITHIN = 2048
#: PRI is facility (0–23) × 8 + severity (0–7): RFC 5424 section 6.2.1.
MAX_PRI = 191

_BLANK = b" \t\r\n\0"
_STAMP = re.sub(rb"\?P<\w+>", b"?:", PATTERN).replace(rb"(?P=sep)", rb"[-/]")
_TAG = (
    rb"(?P<version>%%? ?\d\d ?)?(?P<module>[A-Z][A-Z0-9_-]{0,63})/(?P<level>[0-7])/(?P<mnemonic>[A-Za-z][\w-]{0,127}) ?"
    rb"(?:\((?P<mark>[A-Za-z])\))? ?(?:\[(?P<seq>\d{1,10})\])?:"
)
#: The common case in one go: ``<188>Nov 21 2026 04:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[12]:``.
_COMMON = re.compile(
    rb"(?:<(?P<pri>\d{1,3})>)?(?P<buffer>#)?(?P<stamp>" + _STAMP + rb") (?P<host>[^\s%:]+) " + _TAG,
)
_ANY_TAG = re.compile(rb"(?:(?<=\s)|(?<=^)|(?<=[>#:]))" + _TAG)
_PRI = re.compile(rb"<(\d{1,3})>")
#: Console alarms of VRP8: ``#47/active/linkDown/Major/occurredTime:2024-11-26 14:05:54/-/-/alarmID:0x…/CID=0x…:text``.
_CONSOLE = re.compile(
    rb"#(?P<seq>\d{1,10})/(?P<state>active|cleared?)/(?P<mnemonic>[\w-]+)/(?P<severity>\w+)/occurredTime:(?P<stamp>[^/]+)/"
    rb"[^:]*?alarmID:(?P<alarm>0x[0-9a-fA-F]+)/(?:CID=(?P<cid>[0-9a-fA-Fx]+))?:"
)
_RFC5424 = re.compile(
    rb"1 (?P<stamp>-|\d{4}-\d\d-\d\dT\S+) (?P<host>\S+) (?P<app>\S+) (?P<proc>\S+) (?P<msgid>\S+)(?: (?P<rest>.*))?\Z",
    re.DOTALL,
)
_CLAIMS_5424 = re.compile(rb"1 (?:-|\d{4}-\d\d-\d\dT\S+) ")
_STRUCTURED = re.compile(rb'(?:\[[^\s=\]"]{1,64}(?: [^\s=\]"]{1,64}="(?:\\.|[^"\\])*")*\])+', re.DOTALL)
_PROGRAM = re.compile(rb"(?P<app>[\w./@-]{1,64}?)(?:\[(?P<proc>[\w.-]{1,32})\])?: ?")
#: ``ipsec_ike[30085]:`` of the cloud VPN gateway (form J).
CLOUD_GATEWAY = "ipsec_ike"

_NAMED_OID = re.compile(r"OID[ =]?(\d+(?:\.\d+){4,})\s*")
_BARE_OID = re.compile(r"(\d+(?:\.\d+){6,})\s+")
_IDS = re.compile(r"((?:VS|CID)=[^;]{1,300});\s*")
_ID_PARTS = re.compile(r"-(?=(?:CID|alarmID|clearType|OID)=)")
_BOARD = re.compile(r"slot=(\w+)(?:,\s*vcpu=(\w+))?;\s*", re.IGNORECASE)
_HOSTNAME = re.compile(rb"[A-Za-z0-9_][\w.:()-]{0,254}")
_NO_IDS: Mapping[str, str] = {}


def parse_syslog(payload: bytes) -> SyslogRecord:
    """One whole message to a record.

    Raises:
        ParseError: ``empty``; ``bad_pri`` (a number in angle brackets that is no PRI); ``bad_header`` (says that it is
            RFC 5424 version 1 and is not).
    """
    common = _COMMON.match(payload)
    if common is not None:
        pri = _checked_pri(common["pri"])
        return _tagged(payload, common, pri, common["stamp"], common["host"].decode("utf-8", "replace"), None)
    return _uncommon(payload)


def _uncommon(payload: bytes) -> SyslogRecord:
    if not payload.strip(_BLANK):
        raise ParseError(RejectReason.EMPTY)
    match = _PRI.match(payload)
    pri = _checked_pri(match[1]) if match else None
    start = match.end() if match else 0
    if console := _CONSOLE.match(payload, start):
        return _console(payload, console, pri)
    tag = _ANY_TAG.search(payload, start, TAG_WITHIN)
    if tag is not None:
        return _relayed(payload, payload[start : tag.start()], tag, pri)
    rest = payload[start:]
    if pri is not None and (new := _RFC5424.match(rest)):
        return _rfc5424(payload, new, pri)
    if pri is not None and _CLAIMS_5424.match(rest):
        raise ParseError(RejectReason.BAD_HEADER, start, "version 1 without the fields of RFC 5424")
    return _rfc3164(payload, rest, pri)


def _checked_pri(digits: bytes | None) -> int | None:
    if digits is None:
        return None
    if int(digits) > MAX_PRI or (digits[:1] == b"0" and len(digits) > 1):
        raise ParseError(RejectReason.BAD_PRI, 1, f"<{digits.decode()}>")
    return int(digits)


# --- Huawei ------------------------------------------------------------------------------------------------------


def _tagged(
    payload: bytes,
    tag: re.Match[bytes],
    pri: int | None,
    stamp: bytes | None,
    host: str | None,
    relay: str | None,
    **envelope: str | None,
) -> SyslogRecord:
    text = decode_text(payload[tag.end() :].strip(_BLANK))
    text, ids, oid = _take_ids(text)
    version, mark = tag["version"], tag["mark"]
    mnemonic, suffix = _cut_suffix(tag["mnemonic"].decode())
    return SyslogRecord(
        raw=payload,
        text=text,
        form=_form(version, mark, ids, oid, tag),
        pri=pri,
        stamp=parse_stamp(stamp) if stamp is not None else None,
        hostname=host,
        relay=relay,
        module=tag["module"].decode(),
        level=tag["level"][0] - 48,
        mnemonic=mnemonic,
        suffix=suffix,
        mark=mark.decode().lower() if mark else None,
        seq=int(tag["seq"]) if tag["seq"] else None,
        oid=oid,
        ids=ids,
        **envelope,
    )


def _cut_suffix(mnemonic: str) -> tuple[str, str | None]:
    for suffix in ("active", "clear"):
        if mnemonic.endswith("_" + suffix):
            return mnemonic[: -len(suffix) - 1], suffix
    return mnemonic, None


def _take_ids(text: str) -> tuple[str, Mapping[str, str], str | None]:
    """What stands between the tag's colon and the text: ``(text, ids, oid)``."""
    first = text[:1]
    if first == "O" and (named := _NAMED_OID.match(text)):
        return text[named.end() :], _NO_IDS, named[1]
    if first.isdigit() and (bare := _BARE_OID.match(text)):
        return text[bare.end() :], _NO_IDS, bare[1]
    if first in ("C", "V") and (block := _IDS.match(text)):
        ids = dict(part.partition("=")[::2] for part in _ID_PARTS.split(block[1]))
        return text[block.end() :], ids, ids.get("OID")
    if first in ("s", "S") and (board := _BOARD.match(text)):
        ids = {"slot": board[1]} if board[2] is None else {"slot": board[1], "vcpu": board[2]}
        return text[board.end() :], ids, None
    return text, _NO_IDS, None


def _form(
    version: bytes | None, mark: bytes | None, ids: Mapping[str, str], oid: str | None, tag: re.Match[bytes]
) -> str:
    """Which layout it is; the letters are those of docs/events.md."""
    if version is not None and b"10" in version:
        return "comware"
    if "alarmID" in ids:
        return "F"
    if "OID" in ids:
        return "G"
    if "CID" in ids:
        return "E"
    if "slot" in ids:
        return "B"
    if version is not None:
        return "D" if oid is not None else "A"
    return "H" if b"#" in tag.string[: tag.start("module")] else "C"


def _relayed(payload: bytes, header: bytes, tag: re.Match[bytes], pri: int | None) -> SyslogRecord:
    """A tag behind headers of relays: the last timestamp and the word behind it are the device's own."""
    header = header.replace(BOM, b"")
    stamps = list(STAMP.finditer(header))
    words = _words_after(header, stamps[-1].end()) if stamps else header.strip(b"# \t").split()
    if stamps:
        host = words[0] if words else None
    else:  # a kind of timestamp we do not know must not become the host name
        host = words[0] if len(words) == 1 else None
    relay_words = _words_after(header, stamps[0].end()) if len(stamps) > 1 else []
    return _tagged(
        payload,
        tag,
        pri,
        stamps[-1][0] if stamps else None,
        _host(host),
        _host(relay_words[0]) if relay_words else None,
    )


def _words_after(header: bytes, at: int) -> list[bytes]:
    return header[at:].replace(b" DST ", b" ", 1).split()


def _host(word: bytes | None) -> str | None:
    """A word as host name; a word that can be none (``-``, brackets, a tag) is None."""
    if word is None or not _HOSTNAME.fullmatch(word) or word.endswith(b":"):
        return None
    return word.decode("utf-8", "replace")


def _console(payload: bytes, match: re.Match[bytes], pri: int | None) -> SyslogRecord:
    text, ids, oid = _take_ids(decode_text(payload[match.end() :].strip(_BLANK)))
    found = {"alarmID": match["alarm"].decode(), "severity": match["severity"].decode(), **ids}
    if match["cid"]:
        found["CID"] = match["cid"].decode()
    return SyslogRecord(
        raw=payload,
        text=text,
        form="I",
        pri=pri,
        stamp=parse_stamp(match["stamp"]),
        mnemonic=match["mnemonic"].decode(),
        suffix="active" if match["state"] == b"active" else "clear",
        seq=int(match["seq"]),
        oid=oid,
        ids=found,
    )


# --- RFC 5424 and RFC 3164 ---------------------------------------------------------------------------------------


def _nil(word: bytes) -> str | None:
    return None if word == b"-" else decode_text(word)


def _rfc5424(payload: bytes, match: re.Match[bytes], pri: int) -> SyslogRecord:
    rest = match["rest"] or b""
    data, text = None, rest
    if rest.startswith(b"-"):
        text = rest[1:]
    elif structured := _STRUCTURED.match(rest):
        data, text = decode_text(structured[0]), rest[structured.end() :]
    app = _nil(match["app"])
    return SyslogRecord(
        raw=payload,
        text=decode_text(text.strip(_BLANK)),
        form="J" if app == CLOUD_GATEWAY else "rfc5424",
        pri=pri,
        stamp=parse_stamp(match["stamp"]) if match["stamp"] != b"-" else None,
        hostname=_nil(match["host"]),
        level=pri & 7,
        app_name=app,
        proc_id=_nil(match["proc"]),
        msg_id=_nil(match["msgid"]),
        structured_data=data,
    )


def _rfc3164(payload: bytes, rest: bytes, pri: int | None) -> SyslogRecord:
    rest = rest.strip(_BLANK).removeprefix(BOM)
    stamp = STAMP.match(rest)
    host = None
    if stamp is not None:
        rest = rest[stamp.end() :].lstrip()
        word, _, behind = rest.partition(b" ")
        # `program:` or `program[pid]:` right after the time: a local daemon that names no host.
        if behind and not word.endswith(b":") and (host := _host(word)) is not None:
            rest = behind
    program = _PROGRAM.match(rest)
    app = program["app"].decode() if program else None
    return SyslogRecord(
        raw=payload,
        text=decode_text((rest[program.end() :] if program else rest).strip(_BLANK)),
        form="J" if app == CLOUD_GATEWAY else "rfc3164",
        pri=pri,
        stamp=parse_stamp(stamp[0]) if stamp else None,
        hostname=host,
        level=pri & 7 if pri is not None else None,
        app_name=app,
        proc_id=program["proc"].decode() if program and program["proc"] else None,
    )
