"""The text of an H3C log, a sentence or a list of ``Name: value``, taken apart and typed.

Sentences name the ends of an SA as its source and destination address and the reason behind "for the reason of"; later
releases of Comware V7 print one item a line behind ``SA information:``. The sentences are those of the log books as a
third party transcribed them (IKE and IPSEC entries), the names of the list come from a table that somebody built for
such logs; neither was seen on a wire. So everything is read leniently: case, punctuation, ``is`` or ``:`` or ``=``.

Lines may arrive as LF, CR LF, as rsyslog escapes them (``#012``), as `` - ``, or as nothing but a blank. A message ends
anywhere behind 1024 octets.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from eventd.model import SyslogRecord
from handlers._common.fields import TRUNCATED, typed

#: Name of an item, lower case and without anything but letters and digits → event field. The vendor's misspellings
#: ("Recived retransmissions") are among the rest, which goes to ``extra``.
ITEMS = {
    "role": "role",
    "reason": "reason",
    "cause": "reason",
    "sasource": "local",
    "sadestination": "peer",
    "localip": "local",
    "localaddress": "local",
    "localaddr": "local",
    "remoteip": "peer",
    "remoteaddress": "peer",
    "remoteaddr": "peer",
    "peerip": "peer",
    "peeraddress": "peer",
    "remoteport": "peer_port",
    "peerport": "peer_port",
    "connectionid": "conn_id",
    "tunnelid": "tunnel_index",
    "interface": "interface",
    "ipsecpolicy": "policy",
    "ipsecpolicyname": "policy",
    "policyname": "policy",
    "sequencenumber": "policy_seq",
    "slot": "slot",
}
#: Names that begin an item even where only a blank stands before it.
_NAMES = (
    r"Role|SA information|Reason|Local (?:IP|addr(?:ess)?|ID type|ID|port)|Remote (?:IP|addr(?:ess)?|ID type|ID|port)"
    r"|(?<!ved )Retransmissions|Rece?i?e?ived retransmissions|(?:Inside|Outside) VPN[ -]instance"
    r"|(?:Initiator|Responder) cookie|Connection ID|Tunnel ID|Message ID|IKE profile name|IPsec policy(?: name)?"
    r"|(?:Sour(?:ce)?|Dest(?:ination)?) addr(?:ess)?|(?:In|Out)bound (?:AH|ESP) SPI|ACL number"
)
#: Between two items. Most characters begin no name, and to see that first halves the time.
_BREAK = re.compile(
    rf"(?:\r?\n|#015#012|#012|#015| [-•·] )+|(?=[acdilmorst])(?<=[\s,;])(?=(?:{_NAMES})\s{{0,3}}[:：])", re.IGNORECASE
)
_ITEM = re.compile(r"[\s•·*,;-]{0,8}([A-Za-z][A-Za-z0-9 /_-]{1,40}?)\s{0,3}[:：](.*)", re.DOTALL)
#: A list has at least so many items; a sentence with one colon in it is none.
MIN_ITEMS = 2
#: Names of items whose spelling is remembered: those of all messages are some 60, and none has more than 41 letters.
MAX_NAMES = 512
#: Nothing of Comware's is longer than 1024 octets; what is, is read up to here and kept whole.
MAX_TEXT = 4096
#: Comware cuts a message at 1024 octets (the most that RFC 3164 section 4.1 allows); a relay may have shortened the
#: header since, so a message nearly as long may be a cut one.
MAYBE_CUT = 960

_ADDRESS = r"\s{0,3}(?:ip\s{0,3})?(?:addr(?:ess)?)?\s{0,3}(?:is|was|are|[:=])\s{0,3}([0-9A-Za-z:.%]{1,64})"
_SOURCE = re.compile(r"\b(?:source|src)\b" + _ADDRESS, re.IGNORECASE)
_DESTINATION = re.compile(r"\b(?:destination|dest|dst)\b" + _ADDRESS, re.IGNORECASE)
#: "for the reason of …", "due to …", "Reason: …", "Cause:…"; up to a full stop or the sentence about the SA.
_REASON = re.compile(
    r"(?:\bfor (?:the )?reasons? (?:of|that)|\bdue to:?|\bbecause(?: of)?|\b(?:reason|cause)(?: is|:|=))\s{0,3}"
    r"(.*?)(?:(\.)(?=\s|$)|,?\s(?=the [\w ]{0,12}SA['’]s\b)|$)",
    re.IGNORECASE | re.DOTALL,
)
_DETAIL = re.compile(r"\b(protocol|spi|sn)\s{0,3}(?:is|[:=])\s{0,3}(\w{1,32})", re.IGNORECASE)
_DETAIL_NAMES = {"protocol": "protocol", "spi": "SPI", "sn": "SN"}


def read(record: SyslogRecord) -> tuple[dict[str, Any], dict[str, str], bool]:
    """(event field → value, wire key → text, whether it was a list). In a sentence the source of an SA is ``local`` and
    its destination ``peer``."""
    return read_text(record.text, may_be_cut=len(record.raw) >= MAYBE_CUT)


def read_text(text: str, *, may_be_cut: bool = False) -> tuple[dict[str, Any], dict[str, str], bool]:
    """As `read`."""
    text = text[:MAX_TEXT]
    if text.count(":") + text.count("：") < MIN_ITEMS:  # most are sentences, and looking for items takes longest
        return *typed(_sentence(text), ITEMS, spelled), False
    parts = [part for part in map(str.strip, _BREAK.split(text)) if part]
    found = [_ITEM.fullmatch(part) for part in parts]
    items = [item for item in found if item]
    if len(items) < MIN_ITEMS:
        return *typed(_sentence(text), ITEMS, spelled), False
    whole = not may_be_cut or text.rstrip().endswith(".")
    kept = items if whole or items[-1][0] != parts[-1] else items[:-1]
    fields = [(item[1].strip(), _bare(item[2])) for item in kept]
    fields += [
        pair for part, item in zip(parts, found, strict=True) if not item for pair in _sentence(part, alone=False)
    ]
    known, extra = typed(fields, ITEMS, spelled)
    if not whole:
        extra[TRUNCATED] = parts[-1]
    _set_flow(known, extra)
    return known, extra, True


@lru_cache(MAX_NAMES)
def spelled(name: str) -> str:
    """A name as `ITEMS` has it."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _bare(value: str) -> str:
    return value.strip(" \t\r\n;,").rstrip(".").strip("\"'[] ")


def _sentence(text: str, *, alone: bool = True) -> Iterator[tuple[str, str]]:
    """Fields of a sentence. What the end of the text has cut off, if the sentence stands ``alone``, is `TRUNCATED`."""
    for key, pattern in (("SA source", _SOURCE), ("SA destination", _DESTINATION)):
        if found := pattern.search(text):
            value = found[1].rstrip(".")
            if alone and found.end() == len(text.rstrip()) and value == found[1]:
                yield TRUNCATED, found[0]
            else:
                yield key, value
    if (found := _REASON.search(text)) and found[1]:
        if alone and found.end() == len(text) and found[2] is None:
            yield TRUNCATED, found[0]
        else:
            yield "Reason", _bare(found[1])
    for found in _DETAIL.finditer(text):
        yield _DETAIL_NAMES[found[1].lower()], found[2]


def _set_flow(known: dict[str, Any], extra: dict[str, str]) -> None:
    """What the tunnel protects, where the list says both ends of it."""
    names = {spelled(name): name for name in extra}
    ends = [next((names[name] for name in names if name.startswith(end)), None) for end in ("sour", "dest")]
    if ends[0] is not None and ends[1] is not None:
        known.setdefault("flow", f"{extra[ends[0]]} to {extra[ends[1]]}")
