"""Incidents as Prometheus alerts: labels are identity, annotations are what moves (docs/channels.md)."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import UNSET, Struct, UnsetType, field

from eventd.model import SEVERITIES, Incident
from eventd.notify.markup import cut, short
from eventd.notify.render import action_lines, chain_lines, headline, reason_text, story

ALERTNAMES = {
    "tunnel_down": "IPsecTunnelDown",
    "tunnel_degraded": "IPsecTunnelDegraded",
    "negotiation_failing": "IPsecNegotiationFailing",
    "flapping": "IPsecTunnelFlapping",
    "flow_self_heal": "IPsecFlowSelfHeal",
    "interface_outage": "IPsecInterfaceOutage",
    "device_outage": "IPsecDeviceOutage",
    "peer_outage": "IPsecPeerOutage",
    "capacity": "IPsecCapacity",
    "security": "IPsecSecurity",
    "device_silent": "IPsecDeviceSilent",
}

#: Names of interfaces, devices and sites are short; a longer label is an attempt to fill somebody's memory.
MAX_LABEL = 256
#: One annotation, and one that lists lines: what bridges to chats and ticket systems take without trouble.
MAX_ANNOTATION = 1000
#: A headline with long names, and how long it has been down in front, as a whole: bridges make titles of it.
MAX_SUMMARY = 250
MAX_LIST = 4000

#: "Not over" in Alertmanager's webhook payload: the zero time of its language.
NEVER = datetime(1, 1, 1, tzinfo=UTC)

_FNV_OFFSET, _FNV_PRIME, _FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


class Alert(Struct, frozen=True, rename="camel"):
    """One alert as Alertmanager's API v2 takes it (postableAlert); times RFC 3339."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    generator_url: str | UnsetType = field(name="generatorURL", default=UNSET)


def labels(incident: Incident, severity: str | None = None) -> dict[str, str]:
    """What identifies the alert of an incident, under ``severity`` (as opened, unless given). Empty ones: left out."""
    found = {
        "alertname": ALERTNAMES[incident.kind],
        "severity": severity or incident.opened_severity,
        "device": incident.device,
        "peer": incident.peer,
        "interface": incident.interface,
        "vsys": incident.vsys,
        "site": incident.site,
        "incident": incident.id,
    }
    return _without_empty(found, MAX_LABEL)


def annotations(incident: Incident) -> dict[str, str]:
    """Everything about an incident that may change while it is open. Empty ones are left out."""
    cause = incident.cause
    found = {
        "summary": headline(incident, limit=MAX_SUMMARY),
        "description": story(incident) or (cause.meaning if cause else None) or incident.summary or headline(incident),
        "reason": reason_text(cause),
        "reason_code": str(cause.code) if cause and cause.code is not None else None,
        "category": cause.category if cause else None,
        "runbook_url": incident.runbook_url,
        "current_severity": incident.severity,
        "late_s": f"{incident.late_s:.0f}" if incident.late_s else None,
    }
    lists = {
        "actions": "\n".join(f"{n}. {step}" for n, step in enumerate(action_lines(incident), 1)),
        "chain": "\n".join(chain_lines(incident)),
    }
    return _without_empty(found, MAX_ANNOTATION) | {name: cut(text, MAX_LIST) for name, text in lists.items() if text}


def _without_empty(found: Mapping[str, str | None], limit: int) -> dict[str, str]:
    texts = {name: short(text, limit) for name, text in found.items() if text}
    return {name: text for name, text in texts.items() if text}


def fingerprint(label_set: Mapping[str, str]) -> str:
    """The name Prometheus and Alertmanager give a label set: FNV-1a, 64 bit, over sorted names and values, each
    followed by 0xff (prometheus/common, model/signature.go)."""
    value = _FNV_OFFSET
    for name in sorted(label_set):
        for byte in (*name.encode(), 0xFF, *label_set[name].encode(), 0xFF):
            value = (value ^ byte) * _FNV_PRIME & _FNV_MASK
    return f"{value:016x}"


def label_severity(incident: Incident) -> str:
    """The severity label of the alert that stands for an incident now: as opened, or the gravest to which it rose."""
    return max(incident.opened_severity, incident.severity, incident.worst_severity, key=SEVERITIES.index)


def alerts(incident: Incident, firing_until: datetime) -> list[Alert]:
    """The alert of an incident as it stands, then one resolved alert for each lower severity it had as label.

    ``firing_until`` is the ``endsAt`` of an alert that still fires. Alertmanager refuses an end before the start.
    """
    now_at = SEVERITIES.index(label_severity(incident))
    past = SEVERITIES[SEVERITIES.index(incident.opened_severity) : now_at]
    over = max(incident.opened_at, incident.resolved_at or incident.updated_at)
    ends = {SEVERITIES[now_at]: over if incident.status == "resolved" else firing_until}
    ends |= dict.fromkeys(reversed(past), over)
    url = incident.url or UNSET
    told = annotations(incident)
    return [Alert(labels(incident, severity), told, incident.opened_at, end, url) for severity, end in ends.items()]
