"""A marked trial alert, to test an installation end to end."""

from msgspec.structs import replace

from eventd.model import Digest, Incident, Notification, Reason, Severity, Witness, utc

MARK = "[TEST]"

#: How long the trial incident is said to have lasted when its all-clear is sent, in seconds.
TRIAL_LENGTH_S = 200.0


def trial_incident(now: float, severity: Severity = "warning", kind: str = "tunnel_down") -> Incident:
    """An open incident with every field that people see filled in; addresses are of RFC 5737, ``now`` Unix seconds."""
    return Incident(
        id=f"test-{int(now)}",
        kind=kind,
        status="open",
        severity=severity,
        opened_severity=severity,
        device="eventd-test",
        peer="192.0.2.1",
        peer_name="test peer",
        site="test site",
        interface="GigabitEthernet0/0/1",
        vsys="public",
        opened_at=utc(now),
        updated_at=utc(now),
        summary=f"{MARK} This is a test alert of eventd; nothing is wrong",
        cause=Reason("test", name="test", meaning="A test alert was asked for by hand.", category="unknown"),
        chain=(f"{MARK} a test alert was asked for",),
        witnesses=(Witness("syslog-udp", "eventd-test"),),
        actions=("Nothing has to be done.",),
        tags=("test",),
    )


def trial(channel: str, now: float, severity: Severity = "warning", kind: str = "tunnel_down") -> Notification:
    """The opening of a trial incident at ``now`` (Unix seconds), for one channel."""
    incident = trial_incident(now, severity, kind)
    return Notification(f"{incident.id}-opened-{channel}", channel, "opened", incident, utc(now))


def trial_over(opened: Notification, now: float | None = None) -> Notification:
    """The all-clear of a trial at ``now`` (Unix seconds), or `TRIAL_LENGTH_S` after its opening."""
    when = utc(opened.incident.opened_at.timestamp() + TRIAL_LENGTH_S if now is None else now)
    over = replace(opened.incident, status="resolved", updated_at=when, resolved_at=when)
    return replace(opened, id=opened.id.replace("opened", "resolved"), what="resolved", incident=over, created_at=when)


def trial_digest(channel: str, now: float, severity: Severity = "warning", kind: str = "tunnel_down") -> Digest:
    """A trial incident told together with the end of another."""
    opened = trial(channel, now, severity, kind)
    other = replace(opened, id=f"{opened.id}-2", incident=replace(opened.incident, id=f"{opened.incident.id}-2"))
    return Digest(f"{opened.id}-digest", channel, "storm", (opened, trial_over(other)), opened.created_at)
