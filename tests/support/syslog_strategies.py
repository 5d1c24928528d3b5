"""Syslog messages for tests: the lines of the golden folder, generated headers, and mutations of both."""

import ipaddress
import json
import random
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from eventd.errors import ParseError
from eventd.model import SyslogRecord
from eventd.parse.syslog import parse_any, parse_syslog

HEADERS = Path(__file__).parent.parent / "golden" / "headers"


class Case(NamedTuple):
    """One golden line: its folder's name, the bytes of the message, the record without ``raw``."""

    name: str
    payload: bytes
    expected: dict[str, Any]


def golden() -> list[Case]:
    """All lines of the golden folder, in order."""
    return [
        Case(
            folder.name,
            (folder / "input.txt").read_bytes().removesuffix(b"\n"),
            json.loads((folder / "expected.json").read_bytes()),
        )
        for folder in sorted(HEADERS.iterdir())
    ]


def plain(record: SyslogRecord) -> dict[str, Any]:
    """A record as the golden files have it."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "raw"}
    stamp = record.stamp
    fields["ids"] = dict(record.ids)
    fields["stamp"] = stamp and {
        "when": stamp.when.isoformat(),
        "offset_s": stamp.offset_s,
        "dst": stamp.dst,
        "year_known": stamp.year_known,
    }
    return fields


def outcome(parse: Any, payload: bytes) -> Any:
    """The record, or reason and offset of the refusal. Any other exception goes through: it is a bug."""
    try:
        return parse(payload)
    except ParseError as error:
        return error.reason, error.offset


# --- stamps --------------------------------------------------------------------------------------------------------

#: Kind → what is printed; the moment is the same in all of them, as far as the kind says it.
STAMP_KINDS = {
    "date": "Jul  8 2026 09:35:40",
    "date-unpadded": "Jul 8 2026 09:35:40",
    "date-zero": "Jul 08 2026 09:35:40",
    "date-zone": "Jul 08 2026 09:35:40+02:00",
    "date-blank-zone": "Jul 08 2026 09:35:40 +02:00",
    "date-west": "Jul 08 2026 09:35:40-04:00",
    "dst": "Jul 08 2026 09:35:40+02:00 DST",
    "dst-bare": "Jul 08 2026 09:35:40 DST",
    "tenth": "Jul 08 2026 09:35:40.4",
    "millisecond": "Jul 08 2026 09:35:40.460",
    "two-fractions": "Jul 08 2026 09:35:40.460.1+02:00 DST",
    "format-date": "2026-07-08 09:35:40",
    "format-date-unpadded": "2026-7-8 09:35:40.460.1",
    "slashes": "2026/07/08 09:35:40",
    "short-date": "Jul  8 09:35:40",
    "short-date-zone": "Jul  8 09:35:40+02:00",
    "boot": "0.109391473",
    "rfc3339": "2026-07-08T09:35:40.460123+00:00",
    "rfc3339-z": "2026-07-08T09:35:40Z",
    "iso": "2026-07-08T09:35:40",
    "comware": "Jul 8 09:35:40 2026",
    "comware-console": "Jul 8 09:35:40:460 2026",
    "impossible": "Jul 38 2026 09:99:40",
}

#: Form → layout of a message, with the place of time and host name; what all of them are about is a tunnel stop.
OID = "1.3.6.1.4.1.2011.6.122.26.6.2"
FORMS = {
    "A": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP(l)[12]:gone",
    "B": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP(l)[12]:Slot=1,Vcpu=0;gone",
    "C": "<188>{stamp} {host} IPSEC/4/IPSECTUNNELSTOP:OID " + OID + " gone",
    "D": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP(l)[12]:OID " + OID + " gone",
    "E": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP(l):CID=0x814f041e;gone",
    "F": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP_active(l):CID=0x1-alarmID=0x08520003;gone",
    "G": "<188>{stamp} {host} %%01IPSEC/4/IPSECTUNNELSTOP(t):VS=Admin-VS-CID=0x1-OID=" + OID + ";gone",
    "H": "#{stamp} {host} IPSEC/4/IPSECTUNNELSTOP:OID " + OID + " gone",
}


# --- generated and damaged messages --------------------------------------------------------------------------------

_PIECES = [
    *b"<0> <191> <192> <013> < > # %%01 %%10 IPSEC/4/ IPSEC-VPN/4/ IPSECTUNNELSTOP hwIPSecTunnelStop_clear".split(),
    *b"(l) [12] : CID=0x1 -alarmID=0x2 VS=Admin-VS ; slot=1; Slot=1,Vcpu=0; +08:00 Z FW1 192.0.2.1 2001:db8::1".split(),
    *b"sshd[1]: #47/active/linkDown/Major/occurredTime: /-/-/alarmID:0x1/CID=0x2: 2026 (k=v,k=v) ipsec_ike[1]:".split(),
    *(b"1 ", b"- ", b"%% 01 ", b" (t)", b"OID ", b" ", b"  ", b"\n", b"\r", b"\0", b"\t", b" DST", b"9" * 20, b"\xff"),
    *(b'[a b="c"]', b'[a b="', b'\\"]', b"\xef\xbb\xbf", "隧道".encode(), "隧道".encode("gbk")),
    *(OID.encode(), b"-OID=" + OID.encode()),
    *(printed.encode() for printed in STAMP_KINDS.values()),
]

payloads = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(_PIECES), max_size=14).map(b"".join),
    st.lists(st.sampled_from(_PIECES), max_size=10).map(b" ".join),
    st.builds(lambda seed: mutated(random.Random(seed)), st.integers(0, 2**32)),
)

_LINES = [case.payload for case in golden()]
_TOKEN = re.compile(rb"\W|\w+")


def mutated(rng: random.Random) -> bytes:
    """A golden line with a few things wrong: bytes flipped, pieces cut, doubled, moved or taken from another line."""
    line = bytearray(rng.choice(_LINES))
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(line) + 1)
        behind = min(len(line), at + rng.randrange(1, 20))
        match rng.randrange(7):
            case 0:
                line[at:at] = rng.randbytes(rng.randrange(1, 6))
            case 1:
                del line[at:behind]
            case 2:
                line[at:at] = line[at:behind] * rng.randrange(1, 4)
            case 3:
                line[at:behind] = rng.choice(_PIECES)
            case 4:
                other = rng.choice(_LINES)
                line[at:] = other[rng.randrange(len(other)) :]
            case 5:
                del line[at:]
            case 6:
                tokens = _TOKEN.findall(bytes(line))
                if len(tokens) > 1:
                    i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
                    tokens[i], tokens[j] = tokens[j], tokens[i]
                line[:] = b"".join(tokens)
    return bytes(line)


def check(payload: bytes) -> str:
    """What holds for every payload; returns the form, or the reason of the refusal.

    Only `ParseError` is raised; the shortcuts say what the long way says; nothing is lost (raw) nor unprintable; no
    field holds what it cannot.
    """
    found = outcome(parse_syslog, payload)
    assert found == outcome(parse_any, payload), payload
    if isinstance(found, tuple):
        assert 0 <= found[1] <= len(payload)
        return str(found[0])
    assert found.raw is payload
    assert found.pri is None or 0 <= found.pri <= 191
    assert found.level is None or 0 <= found.level <= 7
    assert found.text == found.text.strip(" \t\r\n\0")
    assert found.hostname is None or _can_be_hostname(found.hostname), payload
    assert found.suffix in (None, "active", "clear")
    assert found.oid is None or re.fullmatch(r"[0-9]+(\.[0-9]+)+", found.oid)
    assert found.stamp is None or isinstance(found.stamp.when, datetime)
    json.dumps(plain(found), ensure_ascii=False).encode()
    return found.form


def _can_be_hostname(name: str) -> bool:
    """One word, and neither a number nor an OID; four numbers must be an address."""
    if re.fullmatch(r"[0-9.]+", name):
        ipaddress.IPv4Address(name)
    return re.fullmatch(r"\S+", name, re.ASCII) is not None


def fuzz_syslog(n: int, seed: int) -> Counter[str]:
    """Check ``n`` mutated golden lines; returns how often each form and refusal was met."""
    rng = random.Random(seed)
    return Counter(check(mutated(rng)) for _ in range(n))
