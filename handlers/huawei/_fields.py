"""The body of a Huawei log or alarm, ``text (Key=value, Key=value)``, taken apart and typed.

Templates: ALM-4285734913, ALM-4285734925 and the other pages named in `traps.toml` and `README.md`. What they and
real lines show: a blank may be missing after a comma, or stand around the sign; keys contain hyphens and dots and
differ in case (``Ifindex``, ``IfIndex``); values are bare, ``"quoted"`` or ``[bracketed]`` and contain blanks, slashes
and commas; a datagram may end anywhere.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from handlers._common.fields import TRUNCATED
from handlers._common.fields import typed as fields_typed
from handlers._common.values import ADDRESSES, NUMBERS

#: Wire key (lower case) → event field. The meaning of a key is the same in every message that has it.
WIRE_KEYS = {
    "ifindex": "ifindex",
    "bindifindex": "ifindex",
    "interfacename": "interface",
    "interface": "interface",
    "ifname": "interface",
    "bindifname": "interface",
    "seqnum": "policy_seq",
    "policyid": "policy_seq",
    "policyname": "policy",
    "tunnelindex": "tunnel_index",
    "rulenum": "rule",
    "dstip": "peer",
    "peeraddress": "peer",
    "peerip": "peer",
    "srcip": "local",
    "localaddress": "local",
    "insideip": "inside",
    "remoteport": "peer_port",
    "peerport": "peer_port",
    "cpuid": "cpu",
    "vcpu": "cpu",
    "slotid": "slot",
    "slot": "slot",
    "flowinfo": "flow",
    "vsysname": "vsys",
    "vsys": "vsys",
    "connid": "conn_id",
    "role": "role",
    "offlinereason": "reason",
    "reason": "reason",
    "reasoncode": "code",
    # Guesses: the names of the objects of HUAWEI-IPSEC-MIB. The texts of NetEngine logs were not found.
    "localip": "local",
    "remoteip": "peer",
    "policyseq": "policy_seq",
    "vrfname": "vsys",
    "negofailreason": "reason",
}
FLOW = "flowinfo"
#: The keys of the messages that have FlowInfo. It holds several fields in an undocumented layout: whatever looks like a
#: key inside it and is none of these, or was there before it, stays part of it.
AFTER_FLOW = frozenset(
    [
        "ifindex",
        "seqnum",
        "tunnelindex",
        "rulenum",
        "dstip",
        "insideip",
        "remoteport",
        "cpuid",
        "srcip",
        "offlinereason",
        "lifesize",
        "lifetime",
        "vsysname",
        "interfacename",
        "slotid",
        "role",
        "connid",
        "state",
        "reason",
        "reasoncode",
    ]
)

#: Rows of keys remembered, and keys in one of them: a release prints each message with the same ones, at most 20.
MAX_LAYOUTS, MAX_KEYS = 256, 32

KEY = r"[A-Za-z][\w.\-]*"
BODY = re.compile(rf"\(\s*(?={KEY}\s*=)")
#: A number or an address that is whole, because a comma follows, and half a key.
_EXACT = re.compile(r"[\w.:]+,\s*[\w.\-]*")
_SEPARATOR = re.compile(rf",\s*({KEY})\s*=\s*")
_BRACKETED = re.compile(r"=\s*\[")
_LOOSE = re.compile(rf'(?<![\w.\-])({KEY})=("[^"]*"|\[[^\]]*\]|[^\s,;()]*)')
CLOSERS = {'"': '"', "[": "]"}
#: ``[a] to [b]``: no brackets around all of it.
_WORDS = re.compile(r"\[[^][]*\][^][]+\[.*", re.DOTALL)


def fields_of(text: str) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
    """(what stands outside the parentheses, the fields inside, what became of the last one if it was cut off).

    A list that is not closed was cut off, and of its last field nobody knows whether it is whole: an address that lost
    its last digit is somebody else's. Verbatim it is the value of ``truncated``, as which it belongs into ``extra``.
    """
    start = BODY.search(text)
    if start is None:
        return text, [], {}
    outside, inside = text[: start.start()], text[start.end() :]
    if inside.count(")") > inside.count("("):
        inside, _, behind = inside.rpartition(")")
        return outside + behind, split_fields(inside), {}
    fields = split_fields(inside, whole=False)
    if not fields:
        return outside, [], {TRUNCATED: inside.strip()}
    (key, value), fields = fields[-1], fields[:-1]
    half = inside[max((found.start() for found in re.finditer(rf"{re.escape(key)}\s*=", inside)), default=0) :]
    if _EXACT.fullmatch(value) and WIRE_KEYS.get(key.lower()) in ADDRESSES | NUMBERS:
        value, _, half = value.partition(",")
        fields.append((key, value))
    return outside, fields, {TRUNCATED: half.strip()}


def split_fields(body: str, *, whole: bool = True) -> list[tuple[str, str]]:
    """(wire key, value without quotes or brackets) in wire order; not ``whole``: what stands open may have ended."""
    text = ", " + body
    parts = _SEPARATOR.split(text)
    keys = parts[1::2]
    goes_on = _layout_goes_on if len(keys) <= MAX_KEYS else flow_goes_on
    if '"' in body or ("[" in body and _BRACKETED.search(body)) or goes_on(tuple(keys)):
        return list(_split_carefully(text, whole=whole))
    return list(zip(keys, parts[2::2], strict=True))


def flow_goes_on(keys: tuple[str, ...]) -> bool:
    """Whether FlowInfo may go on behind the key that follows it."""
    folded = [key.lower() for key in keys]
    if FLOW not in folded:
        return False
    after = folded.index(FLOW) + 1
    return after < len(folded) and not _ends_flow(folded[after], folded[:after])


_layout_goes_on = lru_cache(MAX_LAYOUTS)(flow_goes_on)


def _ends_flow(key: str, before: Collection[str]) -> bool:
    return key in AFTER_FLOW and key not in before


def _split_carefully(text: str, *, whole: bool) -> Iterator[tuple[str, str]]:
    """The same where a value may contain what looks like the next field."""
    last_closed = {closer: text.rfind(closer) if whole else len(text) for closer in CLOSERS.values()}
    key, start, read, opened = "", 0, 0, 0
    seen: set[str] = set()
    for found in _SEPARATOR.finditer(text):
        opened = _opened(opened, text, start, read, found.start()) if key and text[start] in CLOSERS else 0
        read = found.start()
        if key and _goes_on(key, text, start, found, seen, opened, last_closed):
            continue
        if key:
            yield key, bare(text[start : found.start()])
        key, start, read, opened = found[1], found.end(), found.end(), 0
        seen.add(key.lower())
    if key:
        yield key, bare(text[start:])


def _opened(so_far: int, text: str, start: int, read: int, end: int) -> int:
    """How many of the quotes or brackets are open at ``end`` by which the value at ``start`` begins, of which there
    were ``so_far`` at ``read``."""
    opener, closer = text[start], CLOSERS[text[start]]
    more = text.count(opener, read, end)
    return (so_far + more) % 2 if opener == closer else so_far + more - text.count(closer, read, end)


def _goes_on(
    key: str,
    text: str,
    start: int,
    found: re.Match[str],
    seen: Collection[str],
    opened: int,
    last_closed: Mapping[str, int],
) -> bool:
    closer = CLOSERS.get(text[start])
    if closer is not None and last_closed[closer] > start:
        last = found.start() - 1
        return last == start or (text[last] != closer and opened > 0)
    return key.lower() == FLOW and not _ends_flow(found[1].lower(), seen)


def bare(value: str) -> str:
    """A value without the quotes or brackets around it; an opened and never closed one was cut off. One that is closed
    before the end is only around a word of it, which stays as it is."""
    value = value.strip()
    closer = CLOSERS.get(value[:1])
    if closer is None:
        return value
    inside = value[1:]
    if closer not in inside:
        return inside.strip()
    return inside[:-1].strip() if inside.endswith(closer) and not _WORDS.fullmatch(value) else value


def loose_fields(text: str) -> Iterator[tuple[str, str]]:
    """``Key=value`` wherever it stands in text of unknown layout; a bare value ends at a blank."""
    return ((key, bare(value)) for key, value in _LOOSE.findall(text))


def typed(
    fields: Iterable[tuple[str, str]], keys: Mapping[str, str] = WIRE_KEYS
) -> tuple[dict[str, Any], dict[str, str]]:
    """`handlers._common.fields.typed` with the keys of this vendor."""
    return fields_typed(fields, keys)
