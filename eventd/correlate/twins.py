"""Twins: one fact told by log, by trap inside syslog and by SNMP trap is one event with several witnesses.

Two messages tell the same fact when event, device, vsys and peer agree, and reason and tunnel agree as far as both
say them, within ``twin_window``. A *way* is transport and form. Each way tells a fact once: the same way again with
other bytes is a repetition (a negotiation retry), with the same bytes a retransmission. So n logs and n traps are n
facts, in whatever order they come. An SA has one direction and one protocol: where messages tell of one (``direction``
and ``protocol`` in ``extra``), both belong to the way, so that the two lines about one tunnel are one fact.

Stop, start, stop within one printed second may give the same bytes twice. Where neither a counter of the device nor
SNMP's own numbers tell messages apart, the opposite that the same transport told in between makes the third a new fact.
"""

from functools import lru_cache
from operator import itemgetter
from typing import Literal
from zlib import crc32

from eventd.correlate import reasons
from eventd.correlate.settings import MAX_FACTS
from eventd.correlate.state import Fact
from eventd.model import SNMP_TRANSPORTS, Event

#: ``explained``: a twin that gives the reason, which none before it did.
Telling = Literal["new", "twin", "explained", "retransmission"]

OPPOSITES = {"ipsec.tunnel.stop": "ipsec.tunnel.start", "ipsec.tunnel.start": "ipsec.tunnel.stop"}
#: What tells two tunnels apart: of an `Ident`, without the tunnel index, which changes with every negotiation.
_tunnel = itemgetter(0, 1, 2, 3, 4, 5, 7)
#: Ways that are remembered: more than the kinds of messages that a fleet sends.
WAYS = 512

#: What `_ident` tells of an event.
Ident = tuple[str | int | None, ...]


def recall(facts: list[Fact], event: Event, now: float, window: float) -> tuple[Fact, Telling]:
    """The fact that ``event`` tells, and whether it was told already; a new one is remembered in ``facts``."""
    oldest = now - window
    if facts and (facts[0].until < oldest or len(facts) >= MAX_FACTS):
        _forget(facts, oldest)
    name, way, ident = event.event or "", _way(event), _ident(event)
    checksum = crc32(event.raw.encode("utf-8", "surrogatepass"))
    reason = event.reason
    words = None if reason is None or reasons.unsaid(reason) else reason.name or reason.text.casefold()
    code = None if reason is None else reason.code
    again = twin = None
    for fact in facts:  # of a hundred mostly all were told by this way, with other bytes
        if fact.event != name:
            continue
        told = fact.ways.get(way)
        if told is None:
            if twin is None and fact.at >= oldest:  # the oldest: n logs and n traps meet in their order
                twin = fact if _same_reason(fact, words, code) and _agree(fact.ident, ident) else None
        elif told == checksum and fact.until >= oldest:
            again = fact  # the latest one counts: what undid that came after the earlier ones as well
    if again is not None and (again is facts[-1] or _numbered(event) or not _undone(facts, again, way, oldest)):
        return again, "retransmission"
    if twin is not None:
        return twin, _add(twin, way, checksum, now, words, code)
    if facts and facts[-1].ident == ident:
        ident = facts[-1].ident  # one for all: they are what is looked at and saved most
    facts.append(Fact(now, now, name, words, code, ident, {way: checksum}))
    return facts[-1], "new"


def _add(fact: Fact, way: str, checksum: int, now: float, words: str | None, code: int | None) -> Telling:
    """A further way has told a fact."""
    fact.ways[way], fact.until = checksum, now
    if fact.reason is not None or words is None:
        return "twin"
    fact.reason, fact.code = words, code
    return "explained"


def _way(event: Event) -> str:
    form = event.header.mnemonic or event.header.oid or ""
    if direction := event.extra.get("direction"):
        form = f"{form} {direction} {event.extra.get('protocol', '')}"
    return _named(event.transport, form, event.header.mark or "")


@lru_cache(maxsize=WAYS)
def _named(transport: str, form: str, mark: str) -> str:
    """Always the same string, which a table of ways finds without reading it."""
    return f"{transport}|{form}|{mark}"


def forget(facts: list[Fact], before: float) -> None:
    """Drop the facts last told before that time."""
    facts[:] = [fact for fact in facts if fact.until >= before]


def _forget(facts: list[Fact], before: float) -> None:
    gone = max(0, len(facts) - MAX_FACTS + 1)
    while gone < len(facts) and facts[gone].until < before:
        gone += 1
    del facts[:gone]


def _ident(event: Event) -> Ident:
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


def _undone(facts: list[Fact], told: Fact, way: str, oldest: float) -> bool:
    """Whether the transport of ``way`` has told the opposite of ``told`` about that tunnel since."""
    carrier = _carrier(way)
    for fact in reversed(facts):
        if fact is told:
            return False
        if fact.until >= oldest and _opposite(fact, told) and any(carrier == _carrier(by) for by in fact.ways):
            return True
    return False


def _opposite(one: Fact, other: Fact) -> bool:
    if one.event == other.event:  # up and down as a field of one message
        return one.ident[-1] != other.ident[-1]
    return OPPOSITES.get(one.event) == other.event and _agree(_tunnel(one.ident), _tunnel(other.ident))


@lru_cache(maxsize=WAYS)
def _carrier(way: str) -> tuple[str, str]:
    transport, _, rest = way.partition("|")
    return transport, rest.rpartition("|")[2]


def _agree(one: Ident, other: Ident) -> bool:
    """Whether all that both say is the same."""
    return one == other or all(a == b or a is None or b is None for a, b in zip(one, other, strict=True))


def _same_reason(fact: Fact, words: str | None, code: int | None) -> bool:
    if fact.reason is None or words is None:
        return True
    return fact.reason == words or (code is not None and fact.code == code)
