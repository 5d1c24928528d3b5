"""How a reason reads: what kind of stop it makes, how much it explains, how bad it is, and on which side it lies."""

from eventd.correlate.evidence import ALIKE, EXPLANATIONS
from eventd.correlate.state import Case, FaultSide
from eventd.model import SEVERITIES, Event, Reason, Severity

#: Best explanation first. A retry that names a key or a setting explains an outage better than the silence that
#: announced it; an operator's own change explains the silence after it, and so does what befell a line or a device
#: (``named`` by `eventd.correlate.evidence`); a rekey explains only itself. What a catalogue knows and no category fits
#: (``known``: a payload that makes no sense) is still more than that the far end wanted it.
EXPLAINS = (
    "authentication",
    "configuration",
    "address",
    "capacity",
    "dns",
    "policy-track",
    "administrative",
    "named",
    "peer-unreachable",
    "sa-desync",
    "lifetime",
    "rekey",
    "known",
    "peer request",
    "unknown",
)
_RANK = {category: rank for rank, category in enumerate(EXPLAINS)}

#: Names of causes that another message than that of the tunnel gave.
NAMED = tuple(EXPLANATIONS)

#: A stop of these categories is half of a replacement: the new SA must show up within `rekey_hold`.
REPLACEMENTS = ("rekey", "lifetime")

#: The standby unit deletes its copies because the active one told it to.
STANDBY_REASONS = ("receive backup delete info",)

#: The device says that another tunnel has the same networks now, and ends the one that had them.
KICKED = ("kick old sa with same flow",)

#: What stands for the reason of messages that give none (H3C's notifications).
UNSAID = ("unspecified",)

#: Only where the reason says so by itself; the two ends together know more.
FAULT_SIDES: dict[str, FaultSide] = {
    "peer cert is expired": "remote",
    "peer cert is revoked by CRL": "remote",
    "no valid local cert": "local",
    "construct local ID fail": "local",
    "no policy applied on interface": "local",
    "an ike sa deletion message was received from peer": "remote",
    "an ipsec sa deletion message was received from peer": "remote",
    "unavailable certificate": "local",
    "unavailable transform set": "local",
    "incomplete configuration": "local",
    "incorrect configuration": "local",
}
FAULT_SIDE_OF_CATEGORY: dict[str, FaultSide] = {
    "peer-unreachable": "path",
    "policy-track": "local",
    "capacity": "local",
}


#: What the near end (first) and the far one say together. `peer request` is the echo of what the other end did.
BOTH_ENDS: dict[tuple[str, str], FaultSide] = {
    ("request", "dead"): "remote",
    ("request", "purpose"): "remote",
    ("dead", "purpose"): "remote",
    ("dead", "request"): "local",
    ("purpose", "request"): "local",
    ("purpose", "dead"): "local",
    ("dead", "dead"): "path",
}


def unsaid(reason: Reason | None) -> bool:
    """Whether the device gave no reason at all."""
    return reason is None or reason.name in UNSAID


def nature(reason: Reason | None) -> str:
    """How a stop reads: ``outage``, ``rekey``, ``expected`` or ``standby``."""
    if reason is None:
        return "outage"
    if reason.name in STANDBY_REASONS:
        return "standby"
    if reason.category in REPLACEMENTS:
        return "rekey"
    return "expected" if reason.expected else "outage"


def is_kicked(reason: Reason | None) -> bool:
    """Whether a tunnel ended because another one has its networks."""
    return reason is not None and reason.name in KICKED


def ran_out(reason: Reason | None) -> bool:
    """Whether the lifetime of the tunnel itself ended, and of nothing else."""
    return reason is not None and reason.category == "lifetime" and reason.phase in ("ipsec", "both")


def rank(reason: Reason | None) -> int:
    """Position in `EXPLAINS`; lower explains more. A delete sent by the peer is administrative but tells nothing."""
    if reason is None:
        return len(EXPLAINS)
    if is_request(reason):
        return _RANK["peer request"]
    if reason.name in NAMED:
        return _RANK["named"]
    if reason.category in _RANK and reason.category != "unknown":
        return _RANK[reason.category]
    harmful = reason.known and not unsaid(reason) and reason.severity != "info"
    return _RANK["known" if harmful else "unknown"]


def says_why(reason: Reason | None) -> bool:
    """Whether a reason says more than that nobody answers any more, or that the far end wanted it."""
    silent = reason is None or reason.category in ("peer-unreachable", "unknown") or is_request(reason)
    return not silent


def answered(reason: Reason | None) -> bool:
    """Whether a reason says that the far end was heard, or that it was done here: no line that died explains it."""
    return reason is not None and reason.category in ALIKE and not is_request(reason)


def leaves_open(reason: Reason | None) -> bool:
    """Whether a reason may mean no more than that nobody answered: a line that was dead until just now explains it,
    though it is up again."""
    if reason is None or unsaid(reason):
        return True
    return reason.category != "unknown" and not answered(reason) and not is_request(reason)


def is_request(reason: Reason) -> bool:
    """Whether it says no more than that the far end asked for the deletion."""
    return reason.category == "administrative" and not reason.expected


def better(new: Reason | None, old: Reason | None) -> bool:
    """Whether ``new`` explains more than ``old``; of two that explain alike the graver does."""
    if new is None or old is None:
        return new is not None
    return (rank(new), -_gravity(new)) < (rank(old), -_gravity(old))


def _gravity(reason: Reason) -> int:
    return SEVERITIES.index(reason.severity or "info")


def severity(event: Event, default: Severity = "major") -> Severity:
    """The catalogue's word, else the handler's, else ``default``: an unknown reason is not a harmless one."""
    if event.reason is not None and event.reason.severity is not None:
        return event.reason.severity
    return worse(event.severity, default)


def worse(one: Severity, other: Severity) -> Severity:
    """The graver of two severities."""
    return one if SEVERITIES.index(one) >= SEVERITIES.index(other) else other


def side_of(case: Case) -> FaultSide:
    """Where the fault of a case lies: by what was noted near it, by what both ends say together, by its cause alone."""
    if case.side:
        return case.side
    together = BOTH_ENDS.get((_part(case.stop), _part(case.far)))
    return together or fault_side(case.cause)


def _part(reason: Reason | None) -> str:
    if reason is None:
        return ""
    if reason.category == "administrative":
        return "purpose" if reason.expected else "request"
    return "dead" if reason.category == "peer-unreachable" else ""


def fault_side(reason: Reason | None) -> FaultSide:
    """Where the fault lies, as far as one reason can say."""
    if reason is None:
        return "unknown"
    by_name = FAULT_SIDES.get(reason.name or "")
    if by_name is not None:
        return by_name
    if reason.category == "administrative":
        return "local" if reason.expected else "remote"  # what nobody did here the far end has asked for
    return FAULT_SIDE_OF_CATEGORY.get(reason.category, "unknown")
