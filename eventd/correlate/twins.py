"""Twins: one fact told by log, by trap inside syslog and by SNMP trap is one event with several witnesses.

Two messages tell the same fact when event, device, vsys and peer agree, and reason and tunnel agree as far as both
say them, within ``twin_window``. A *way* is transport and form. Each way tells a fact once: the same way again with
other bytes is a repetition (a negotiation retry), with the same bytes a retransmission. So n logs and n traps are n
facts, in whatever order they come. An SA has one direction and one protocol: where messages tell of one (``direction``
and ``protocol`` in ``extra``), both belong to the way, so that the two lines about one tunnel are one fact.

Stop, start, stop within one printed second may give the same bytes twice. Where neither a counter of the device nor
SNMP's own numbers tell messages apart, the opposite that the same transport told in between makes the third a new fact.
"""

from typing import Literal
from zlib import crc32

from eventd.correlate import reasons
from eventd.correlate.settings import MAX_FACTS
from eventd.correlate.state import Fact
from eventd.model import SNMP_TRANSPORTS, Event

#: ``explained``: a twin that gives the reason, which none before it did.
Telling = Literal["new", "twin", "explained", "retransmission"]

OPPOSITES = {"ipsec.tunnel.stop": "ipsec.tunnel.start", "ipsec.tunnel.start": "ipsec.tunnel.stop"}
#: What tells two tunnels apart: positions in `_ident`, without the tunnel index, which changes with every negotiation.
_TUNNEL = (0, 1, 2, 3, 4, 5, 7)


def recall(facts: list[Fact], event: Event, now: float, window: float) -> tuple[Fact, Telling]:
    """The fact that ``event`` tells, and whether it was told already; a new one is remembered in ``facts``."""
    oldest = now - window
    _forget(facts, oldest)
    name, reason = event.event or "", event.reason
    way = _way(event)
    checksum = crc32(event.raw.encode("utf-8", "surrogatepass"))
    words = None if reason is None or reasons.unsaid(reason) else reason.name or reason.text.casefold()
    code = None if reason is None else reason.code
    ident = _ident(event)
    free: Fact | None = None
    undone = False  # whether something newer has undone the newest fact told in these very bytes
    for place in range(len(facts) - 1, -1, -1):
        fact = facts[place]
        if fact.event != name or fact.until < oldest:
            continue
        told = fact.ways.get(way)
        if told is None:
            if fact.at >= oldest and _agree(fact, words, code, ident):
                free = fact  # the oldest one counts: n logs and n traps meet in their order
        elif told == checksum and not undone:
            later = [one for one in facts[place + 1 :] if one.until >= oldest]
            if _numbered(event) or not _undone(fact, later, way):
                return fact, "retransmission"
            undone = True  # and what undid the newest came after the older ones as well
    if free is not None:
        free.ways[way], free.until = checksum, now
        if free.reason is None and words is not None:
            free.reason, free.code = words, code
            return free, "explained"
        return free, "twin"
    facts.append(Fact(now, now, name, words, code, ident, {way: checksum}))
    return facts[-1], "new"


def _way(event: Event) -> str:
    form = event.header.mnemonic or event.header.oid or ""
    if direction := event.extra.get("direction"):
        form = f"{form} {direction} {event.extra.get('protocol', '')}"
    return f"{event.transport}|{form}|{event.header.mark or ''}"


def forget(facts: list[Fact], before: float) -> None:
    """Drop the facts last told before that time."""
    facts[:] = [fact for fact in facts if fact.until >= before]


def _forget(facts: list[Fact], before: float) -> None:
    gone = max(0, len(facts) - MAX_FACTS + 1)
    while gone < len(facts) and facts[gone].until < before:
        gone += 1
    del facts[:gone]


def _ident(event: Event) -> tuple[str | int | None, ...]:
    return (
        event.flow,
        event.interface,
        event.ifindex,
        event.policy,
        event.policy_seq,
        event.rule,
        event.tunnel_index,
        event.local,
        event.peer,
        event.extra.get("state"),
    )


def _numbered(event: Event) -> bool:
    """Whether equal bytes are certainly one message: a counter of the device, a request id or uptime is in them."""
    return event.header.seq is not None or event.transport in SNMP_TRANSPORTS


def _undone(told: Fact, later: list[Fact], way: str) -> bool:
    """Whether the transport of ``way`` has told the opposite of ``told`` about that tunnel since."""
    carrier = _carrier(way)
    return any(_opposite(fact, told) and any(carrier == _carrier(by) for by in fact.ways) for fact in later)


def _opposite(one: Fact, other: Fact) -> bool:
    if one.event == other.event:  # up and down as a field of one message
        return one.ident[-1] != other.ident[-1]
    pairs = ((one.ident[place], other.ident[place]) for place in _TUNNEL)
    return OPPOSITES.get(one.event) == other.event and all(a == b or a is None or b is None for a, b in pairs)


def _carrier(way: str) -> tuple[str, str]:
    transport, _, rest = way.partition("|")
    return transport, rest.rpartition("|")[2]


def _agree(fact: Fact, words: str | None, code: int | None, ident: tuple[str | int | None, ...]) -> bool:
    if not _same_reason(fact, words, code):
        return False
    for one, other in zip(fact.ident, ident, strict=True):
        if one != other and one is not None and other is not None:
            return False
    return True


def _same_reason(fact: Fact, words: str | None, code: int | None) -> bool:
    if fact.reason is None or words is None:
        return True
    return fact.reason == words or (code is not None and fact.code == code)
