"""What people read of an incident as a whole: the title that a phone shows, and one sentence for a tired engineer."""

from collections.abc import Callable

from msgspec.structs import replace

from eventd.correlate import reasons, texts
from eventd.correlate.phrases import (
    ALL_REACHED,
    ALL_UP,
    AWAITS,
    CLEARED_BY_DEVICE,
    CUT_OFF,
    ENDED,
    GIVEN_UP,
    NOUNS,
    OF_PEERS,
    OF_TUNNELS,
    OTHER_LINE,
    OVER,
    PARTLY,
    RENUMBERED,
    SERVICE_FAULT,
    STALE,
    STALE_WAITING,
    STANDS,
    UNPROVEN,
)
from eventd.correlate.settings import MAX_TITLE, MAX_TITLE_NAMES, MAX_WHICH
from eventd.correlate.state import LINE, PUBLIC, Case, PeerState
from eventd.correlate.texts import shortened, span, times, words
from eventd.inventory import Inventory
from eventd.model import Incident, Member, Reason, utc


def incident(case: Case, inventory: Inventory, external_url: str | None, owner: str | None) -> Incident:
    """An announced case as people and machines see it. ``owner`` is the device that has the address of its peer."""
    if case.rest is not None and case.resolved_at is None:  # what is told is the reason of what is left
        case = replace(case, cause=case.rest, side=case.side if case.rest.name in reasons.NAMED else None)
    known, ident = inventory.peer(case.peer), texts.incident_id(case)
    bare = wordless(case, inventory, owner)
    name = bare.peer_name or ""
    return replace(
        bare,
        id=ident,
        opened_at=utc(case.since),
        updated_at=utc(case.updated_at),
        resolved_at=None if case.resolved_at is None else utc(case.resolved_at),
        acked_by=case.acked_by,
        acked_note=case.acked_note or None,
        acked_until=None if case.acked_until is None else utc(case.acked_until),
        count=case.lost if case.family == "group" else case.count,
        summary=summary(case, name),
        chain=texts.chain(case),
        witnesses=tuple(case.witnesses),
        parent=case.parent or None,
        children=tuple(case.children),
        actions=texts.actions(case),
        url=None if external_url is None else f"{external_url.rstrip('/')}/incidents/{ident}",
        runbook_url=known.runbook_url if known else None,
        title=title(case, name, listed=bool(known and known.name)),
        continued_by=case.heir_id or None,
        missing=_missing(case),
    )


def wordless(case: Case, inventory: Inventory, owner: str | None) -> Incident:
    """The same before anything is said of it: what silences, windows and routes look at, and no more. Of a case that is
    not announced yet, too, for which there are no words."""
    known, device = inventory.peer(case.peer), inventory.device(case.device)
    return Incident(
        id="",
        kind=case.kind,
        status="open" if case.resolved_at is None else "resolved",
        severity=case.severity,
        device=case.device,
        peer=case.peer,
        peer_name=(known.name if known else "") or _far_end(case, owner) or None,
        site=case.site,
        interface=case.interface,
        vsys=case.vsys,
        opened_at=utc(0.0),
        updated_at=utc(0.0),
        cause=case.cause,
        fault_side=reasons.side_of(case),
        opened_severity=case.opened_severity,
        worst_severity=case.worst_severity,
        owner=known.owner if known else None,
        tags=known.tags if known else (),
        device_site=device.site if device else None,
    )


def member(outage: Incident, peer: PeerState, inventory: Inventory, owner: str | None) -> Member:
    """What is to be said of one of the peers of an outage of many."""
    known, device = inventory.peer(peer.peer), inventory.device(peer.device)
    far = owner if owner and owner != peer.device and not texts.is_address(owner) else None
    site = device.site if device else None
    return Member(
        peer.device,
        peer.vsys,
        next((tunnel.interface for tunnel in peer.tunnels.values() if tunnel.interface), outage.interface),
        peer.peer,
        (known.name if known else None) or far,
        (known.site if known else None) or site,
        site,
        known.owner if known else None,
        known.tags if known else (),
    )


def _far_end(case: Case, owner: str | None) -> str:
    """The name of the device at the other end, where it has told its side or its address is known; else empty."""
    name = case.far_device or owner or ""
    itself = name == case.device and case.kind != "peer_outage"  # which is an incident of the lost device, if known
    return "" if itself or texts.is_address(name) else name


def _missing(case: Case) -> int:
    if case.family != "group" or case.resolved_at is not None:
        return 0
    return case.away


def sort_of(case: Case) -> str:
    """Which words a case has: those of its kind, unless it is something that the kind does not say."""
    if case.family == LINE:
        return "line_outage"
    if case.family == "group":
        return case.kind if case.kind != "negotiation_failing" else "strangers" if case.stranger else "failing_alike"
    if case.kind == "capacity" and case.awaits.startswith(SERVICE_FAULT):
        return "service_fault"
    if case.kind == "tunnel_degraded" and case.family not in ("tunnel", "failing"):
        return "poor"
    if case.ending == GIVEN_UP:
        return "given_up"
    if case.probe and case.kind in ("tunnel_down", "tunnel_degraded"):
        return "probe"
    on_purpose = case.nature == "expected" and case.cause == case.stop and case.awaits not in ("trying", *OVERDUE)
    return "on_purpose" if case.kind == "tunnel_down" and on_purpose else case.kind


#: So much of its cause a title shows at least, however long what stands before it is.
LEAST_CAUSE = 40
#: What `Case.awaits` says of a stop on purpose whose start should have come.
OVERDUE = ("late", "overdue")


#: How a title names that by which a peer is back, by how its ending begins.
HOW_BACK = {RENUMBERED: "as", OTHER_LINE: "over"}

# --- the title ------------------------------------------------------------------------------------------------------


def title(case: Case, name: str, *, listed: bool = True) -> str:
    """What a phone shows first: who, what, where, why, since when; at most `MAX_TITLE` characters. ``name`` is that of
    the peer, if it has one; not ``listed``: it is the name of a device, of which only the tunnel is down."""
    sort = sort_of(case)
    who = _who(case, sort, name)
    who = f"tunnel to {who}" if name and not listed and sort in OF_TUNNELS else who
    if case.resolved_at is not None:
        return _short(f"{_ended(case, sort, name, who)} after {span(case.resolved_at - case.since)}")
    tail = f", since {_when(case)}"
    whole = _title_cause(case, sort)
    # the cause is worth more than a list of names, and half of it that can be read more than all of it cut
    for why, named in ((whole, True), (whole, False), (whole.partition("; ")[0], False)):
        head = f"{who} {_filled(STANDS[sort], case, name, named=named)}{_standing(case)}"
        if len(head + why + tail) <= MAX_TITLE:
            break
    short_of = MAX_TITLE - len(tail) - min(len(why), LEAST_CAUSE)
    return _short(shortened(head, short_of) + why, tail)


def _title_cause(case: Case, sort: str) -> str:
    if not case.cause and sort not in OF_PEERS:
        return ""
    why = words(case.cause, glossed=True)
    if case.interface and sort.endswith("outage"):
        for place in (case.interface, f"interface index {case.ifindex}"):
            why = why.replace(f" ({place})", "")
    return f": {why}"


def _ended(case: Case, sort: str, name: str, who: str) -> str:
    if case.heir:
        return f"{case.device}: {_filled(NOUNS[sort], case, name)} has become {case.heir.partition(',')[0]}"
    if _by_hand(case):
        return f"{case.device}: {_filled(NOUNS[sort], case, name)} was {case.ending}"
    if case.taker:
        return f"{_filled(NOUNS[sort], case, name)} on {case.device} is over: {case.taker} has taken over,"
    how = next((how for how in HOW_BACK if case.ending.startswith(how)), "")
    tail = f" {HOW_BACK[how]} {case.ending.removeprefix(how)}" if how else ""
    sort = "device_outage" if how == OTHER_LINE and sort == "interface_outage" else sort  # that may still be out
    return f"{who} {_filled(ENDED[sort], case, name)}{tail}"


def _short(text: str, tail: str = "") -> str:
    """Cut to the length of a title; ``tail`` stays whole."""
    return shortened(text, MAX_TITLE - len(tail)) + tail


def _when(case: Case) -> str:
    since, now = utc(case.since), utc(case.updated_at)
    return f"{since:%H:%M} UTC" if since.date() == now.date() else f"{since:%d %b %H:%M} UTC"


def _who(case: Case, sort: str, name: str) -> str:
    if sort not in OF_PEERS:
        return case.device
    if case.peer is None:
        return _peer(case, name)
    who = name or ("unknown peer " if case.stranger else "") + case.peer
    return who if case.vsys == PUBLIC or case.kind == "peer_outage" else f"{who} (vsys {case.vsys})"


def _filled(text: str, case: Case, name: str, *, named: bool = True) -> str:
    """A phrase with what it is about filled in; ``{peer}`` in short, and few that were lost by name if ``named``."""
    short = name or case.peer or _peer(case, name)
    return text.format(
        lost=_lost(case, named=named), interface=_where(case), device=case.device, peer=short, over=case.over
    )


def _lost(case: Case, *, named: bool = True) -> str:
    """How many, and who, where they are few."""
    number = case.lost
    unknown = "unknown " if case.stranger else ""
    few = named and number == len(case.names) <= MAX_TITLE_NAMES
    names = f" ({', '.join(case.names)})" if few else ""
    if case.kind == "peer_outage":
        return f"{number} devices{names}" if number > 1 else "several devices"
    of = "tunnels of " if case.beside or _is_mixed(case) else ""
    if number < case.of:
        return f"{of}{number} of {case.of} peers"
    return f"{of}{number} {unknown}peer{'s' if number != 1 else ''}{names}"


def _by_hand(case: Case) -> bool:
    """Whether an operator ended it, who may know more than eventd."""
    return case.ending.startswith("cleared by ") and case.ending != CLEARED_BY_DEVICE


def _standing(case: Case) -> str:
    """How it stands right now, where the words of its kind leave that open."""
    if case.kind == "flapping":
        return " and down now" if case.awaits else ""
    if case.kind == "tunnel_degraded":
        which = f"{case.missing} tunnels" if case.missing > 1 and len(case.which) > MAX_WHICH else case.which
        out = f" ({shortened(which, MAX_WHICH)})" if which else ""
        return out + (f", {UNPROVEN}" if case.unproven else "")
    if case.family != "group":
        return ""
    left = "still failing" if case.kind == "negotiation_failing" else PARTLY if case.is_reached else "still missing"
    missing = f", {case.away} {left}" if 0 < case.away < case.lost else "" if case.away else f", {ALL_UP}"
    if case.awaits:
        return f"{missing}, flapping"
    flaps = f", {case.flaps} flapping" if case.flaps else ""
    return missing + flaps + _reached(case)


def _is_mixed(case: Case) -> bool:
    """Whether of those of an outage that are missing some are cut off, and others have a tunnel left."""
    return case.resolved_at is None and 0 < case.cut < case.away


def _reached(case: Case) -> str:
    if case.beside:
        some = case.is_reached and 0 < case.away < case.lost  # who are said to be down in part
        return "" if some else f", {UNPROVEN if case.unproven else ALL_REACHED}"
    if _is_mixed(case):
        return f", {case.cut} {CUT_OFF}" + (f", {UNPROVEN}" if case.unproven else "")
    return ""


# --- the sentence ---------------------------------------------------------------------------------------------------


def summary(case: Case, name: str) -> str:
    """One sentence or two: device, peer, what, why, since when."""
    sort, peer = sort_of(case), _peer(case, name)
    about = {"peer": peer, "lost": _lost(case), "interface": _where(case), "device": case.device}
    who = "" if sort == "peer_outage" else f"{case.device}: "  # it is what was lost, or one of those that lost it
    if case.resolved_at is not None:
        lasted = f"after {span(case.resolved_at - case.since)}"
        what = NOUNS[sort].format(**about)
        if case.heir:
            return f"{case.device}: {what} has become {case.heir}, {lasted}."
        if _by_hand(case):
            return f"{case.device}: {what} was {case.ending} {lasted}; whether it works is not known."
        over = f"{who}{OVER[sort].format(**about)} {lasted}"
        return over + (f" ({case.ending})." if case.ending and sort != "given_up" else ".")
    text = f"{who}{HEADLINES[sort](case, peer)} Since {utc(case.since):%Y-%m-%d %H:%M:%S} UTC."
    return text + (f" {STALE_WAITING.get(case.awaits, STALE)}" if case.stale else "")


def _peer(case: Case, name: str) -> str:
    if case.peer is None:
        given = f" (given as {case.given})" if case.given else ""
        where = f"an unnamed peer{given}" + (f" on {case.interface}" if case.interface else "")
    else:
        where = f"{name} ({case.peer})" if name else case.peer
    return where if case.vsys == PUBLIC else f"{where} in vsys {case.vsys}"


def _why(reason: Reason | None) -> str:
    meaning = f" ({reason.meaning.rstrip('.')})" if reason and reason.meaning else ""
    return f"{words(reason)}{meaning}"


def _cause(case: Case) -> str:
    """Why, and who says so, if it is another device than that of the incident."""
    return f"{case.says} says {_why(case.cause)}" if case.says else _why(case.cause)


def _on_purpose(case: Case, peer: str) -> str:
    text = f"the tunnel to {peer} was taken down on purpose: {_why(case.stop)}; {AWAITS[case.awaits]}."
    return text if case.cause == case.stop else f"{text} Since then: {_cause(case)}."


def _down(case: Case, peer: str) -> str:
    if case.nature == "expected":
        return _on_purpose(case, peer)
    if case.waited:
        unproven = f"no start of it came within {span(case.waited)}"
        return f"the tunnel to {peer} is down: it was to be replaced ({words(case.stop)}), but {unproven}." + (
            "" if case.cause == case.stop else f" Cause: {_cause(case)}."
        )
    if case.then:
        return f"the tunnel to {peer} is down: {_cause(case)}. It was lost over {case.then}, too: {words(case.stop)}."
    return f"the tunnel to {peer} is down: {_cause(case)}."


def _where(case: Case) -> str | None:
    """The interface of an outage, and the lines that its peers lost after it."""
    return f"{case.interface} and {case.then}" if case.interface and case.then else case.interface


def _probe(case: Case, peer: str) -> str:
    return f"the SLA probe to {peer} gets no answer; whether the tunnel stands, it does not say: {_cause(case)}."


def _poor(case: Case, peer: str) -> str:
    return f"the way to {peer} works, but poorly: {_cause(case)}."


def _degraded(case: Case, peer: str) -> str:
    out = f" Out is {case.which}." if case.which else ""
    many = case.missing > 1
    what = f"{case.missing} tunnels to {peer} are down" if many else f"a tunnel to {peer} is down"
    if case.beside:
        carried = "others carry their" if many else "another one carries its"
        return f"{what} while {carried} traffic: {_cause(case)}.{out}"
    if case.unproven:
        return f"{what}, and nothing has shown since that others work: {_cause(case)}.{out}"
    return f"some traffic to {peer} is cut off while the rest works: {_cause(case)}.{out}"


def _failing(case: Case, peer: str) -> str:
    beside = " while a tunnel to it works" if case.beside else ""
    unknown = " It was never seen with a tunnel and is not in the inventory." if case.stranger else ""
    return f"negotiation with {peer} fails{beside} ({times(case.failures)}): {_cause(case)}.{unknown}"


def _flapping(case: Case, peer: str) -> str:
    now = ", and is down now" if case.awaits else ""
    often = f"every {span(case.pace)}" if case.pace else f"down {times(case.count)}"
    return f"the tunnel to {peer} keeps going down and up ({often}){now}: {_cause(case)}."


def _selfheal(case: Case, _peer: str) -> str:
    where = f" ({case.awaits})" if case.awaits else ""
    if case.severity == "info":
        return f"lost IPsec flows were found and repaired by the device itself{where}, {times(case.count)}."
    return f"the device keeps losing and repairing IPsec flows{where}, {times(case.count)}: suspect a board or CPU."


def _condition(case: Case, peer: str) -> str:
    about = f" concerning {peer}" if case.peer else ""
    return f"{case.awaits}{about}: {_cause(case)}." if case.cause else f"{case.awaits}{about}."


def _line(case: Case, _peer: str) -> str:
    return f"line {case.interface} is down: {_cause(case)}. {_lost(case)} that it carried went over to {case.over}."


def _silent(case: Case, _peer: str) -> str:
    return (
        f"nothing at all has been heard of it since {texts.clock(case.since)}: the device, its way to eventd, or its "
        "configuration of log hosts and trap targets."
    )


def _group(case: Case, peer: str) -> str:
    what = {
        "strangers": f"{_lost(case)}, never seen with a tunnel, fail to negotiate",
        "failing_alike": f"{_lost(case)} fail to negotiate for one reason",
        "interface_outage": f"{_lost(case)} on {_where(case)} were lost together",
        "device_outage": f"{_lost(case)} were lost together",
        "peer_outage": f"{peer} was lost by {_lost(case)}",
    }[sort_of(case)]
    moved = f", {case.taker} has taken over {case.moved}" if case.taker else ""
    return f"{what}{moved}{_standing(case)}: {_cause(case)}."


HEADLINES: dict[str, Callable[[Case, str], str]] = {
    "tunnel_down": _down,
    "on_purpose": _on_purpose,
    "probe": _probe,
    "tunnel_degraded": _degraded,
    "poor": _poor,
    "negotiation_failing": _failing,
    "flapping": _flapping,
    "flow_self_heal": _selfheal,
    "capacity": _condition,
    "service_fault": _condition,
    "security": _condition,
    "device_silent": _silent,
    "interface_outage": _group,
    "line_outage": _line,
    "device_outage": _group,
    "peer_outage": _group,
    "failing_alike": _group,
    "strangers": _group,
}
