"""Small events, incidents and notifications for tests of the store: every one is fully determined by its arguments."""

from datetime import UTC, datetime, timedelta
from typing import Any

from eventd.contract import Batch, JournalRow
from eventd.model import Event, Fault, Incident, Malformed, Notification, Reason

START = datetime(2025, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """``seconds`` after the start of the test's world."""
    return START + timedelta(seconds=seconds)


def unix(seconds: float) -> float:
    """The same as Unix seconds."""
    return at(seconds).timestamp()


def event(seconds: float = 0.0, device: str = "FW1", peer: str | None = "2.1.1.1", name: str | None = None) -> Event:
    """A tunnel stop, or what ``name`` says."""
    return Event(
        event=name or "ipsec.tunnel.stop",
        vendor="huawei",
        transport="syslog-udp",
        received_at=at(seconds),
        device_time=at(seconds - 1),
        source="192.0.2.1",
        device=device,
        peer=peer,
        reason=Reason(text="dpd timeout", name="dpd timeout", known=True, category="peer-unreachable"),
        severity="major",
        raw="<188>2025-03-01 12:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l): “quoted”\\x00\n",
    )


def row(seconds: float = 0.0, *incidents: str, duplicate: bool = False, **known: Any) -> JournalRow:
    """An event as it is kept."""
    return JournalRow(event(seconds, **known), duplicate, incidents)


def incident(id_: str = "i1", seconds: float = 0.0, resolved: float | None = None, **known: Any) -> Incident:
    """An incident opened at ``seconds``, and resolved if asked."""
    fields: dict[str, Any] = {
        "kind": "tunnel_down",
        "severity": "major",
        "device": "FW1",
        "peer": "2.1.1.1",
        "peer_name": None,
        "site": None,
        "interface": None,
        "vsys": "public",
        "opened_at": at(seconds),
        "updated_at": at(seconds if resolved is None else resolved),
        "resolved_at": None if resolved is None else at(resolved),
        "status": "open" if resolved is None else "resolved",
    }
    return Incident(id=id_, **(fields | known))


def notification(id_: str, about: Incident, what: Any = "opened", channel: str = "chat", seconds: float = 0.0) -> Any:
    """Something to be told."""
    return Notification(id=id_, channel=channel, what=what, incident=about, created_at=at(seconds))


def malformed(seconds: float = 0.0, raw: str = "garbage") -> Malformed:
    """A message nobody could read."""
    return Malformed(None, "syslog-udp", at(seconds), "192.0.2.9", Fault("bad_header", 3), raw)


def batch(**parts: Any) -> Batch:
    """A batch; ``incidents`` and ``notifications`` as lists, and the incidents of notifications are put in."""
    incidents = {i.id: i for i in parts.pop("incidents", [])}
    for told in parts.get("notifications", []):
        incidents.setdefault(told.incident.id, told.incident)
    return Batch(incidents=incidents, **parts)
