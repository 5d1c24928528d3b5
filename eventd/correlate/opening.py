"""How a case whose hold is over is told: by the other end of the link, by a group, or by itself."""

from eventd.correlate import cases, groups, links
from eventd.correlate.desk import Desk
from eventd.correlate.state import Case, PeerState
from eventd.model import Severity


def open_case(
    desk: Desk, peer: PeerState, case: Case, at: float, kind: str, severity: Severity, *, heir: bool = False
) -> None:
    """Announce a case of a peer, unless somebody else tells it already. An ``heir`` goes on with what was told."""
    case.kind, case.severity = kind, severity
    if not heir and links.join(desk, peer, case, at):
        return
    groups.join(desk, peer, case, at)
    cases.announce(desk, case, at, kind, case.severity)
