"""Who is told of what: the ``[[routes]]`` of the configuration, as pure functions."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec import Struct, field

from eventd.errors import Problem
from eventd.model import INCIDENT_KINDS, REASON_CATEGORIES, SEVERITIES, Change, Incident, Notification, utc

Match = Mapping[str, str | list[str]]

#: What a route can ask of an incident: match key → the values of which one must match. A peer is known by address
#: and by name; severity is every step the incident went through (see `_severities`).
FACTS: dict[str, Callable[[Incident], Iterable[str | None]]] = {
    "severity": lambda incident: _severities(incident),
    "kind": lambda incident: (incident.kind,),
    "status": lambda incident: (incident.status,),
    "site": lambda incident: (incident.site,),
    "device": lambda incident: (incident.device,),
    "peer": lambda incident: (incident.peer, incident.peer_name),
    "interface": lambda incident: (incident.interface,),
    "vsys": lambda incident: (incident.vsys,),
    "category": lambda incident: (incident.cause.category if incident.cause else "unknown",),
    "fault_side": lambda incident: (incident.fault_side,),
    "tag": lambda incident: incident.tags,
}

#: Match keys whose values come from a closed set: a typing error there would silently match nothing.
CLOSED: dict[str, tuple[str, ...]] = {
    "severity": SEVERITIES,
    "kind": INCIDENT_KINDS,
    "status": ("open", "resolved"),
    "category": REASON_CATEGORIES,
    "fault_side": ("local", "remote", "path", "unknown"),
}


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """Incidents that ``match`` go to ``channels``; later routes are looked at only with ``continue = true``.

    Every key of ``match`` must agree; a list means any of them. Text may hold shell wildcards (``fw-*``).
    """

    channels: tuple[str, ...]
    match: dict[str, str | list[str]] = field(default_factory=dict)
    continue_: bool = field(name="continue", default=False)


def _severities(incident: Incident) -> tuple[str, ...]:
    """From the severity as opened to the one now: whoever was told of the opening is also told of the end."""
    low, high = sorted((SEVERITIES.index(incident.opened_severity), SEVERITIES.index(incident.severity)))
    return SEVERITIES[low : high + 1]


def _wanted(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _agrees(facts: Iterable[str | None], wanted: str | list[str]) -> bool:
    patterns = _wanted(wanted)
    return any(fnmatchcase(fact, pattern) for fact in facts if fact is not None for pattern in patterns)


def matches(match: Match, incident: Incident) -> bool:
    """Whether an incident meets every condition of ``match``; an empty one is met by all."""
    return all(_agrees(FACTS[key](incident), wanted) for key, wanted in match.items())


def _first_match(incident: Incident, routes: Sequence[Route]) -> Iterable[str]:
    for candidate in routes:
        if matches(candidate.match, incident):
            yield from candidate.channels
            if not candidate.continue_:
                return


def route(incident: Incident, routes: Sequence[Route], all_channels: Sequence[str]) -> tuple[str, ...]:
    """The channels that are told of an incident: each once, in the order of the routes.

    Without any route that is every channel. An incident that rose in severity is routed as what it was and as what
    it became, so that an all-clear reaches everyone who got the alarm.
    """
    if not routes:
        return tuple(dict.fromkeys(all_channels))
    steps = (
        msgspec.structs.replace(incident, opened_severity=severity, severity=severity)
        for severity in _severities(incident)
    )
    return tuple(dict.fromkeys(channel for step in steps for channel in _first_match(step, routes)))


def notification_id(change: Change, channel: str) -> str:
    """The same step told on the same channel has the same id, in every run and after every restart."""
    incident = change.incident
    parts = (incident.id, change.what, incident.updated_at.isoformat(), channel)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def notifications(change: Change, routes: Sequence[Route], channels: Sequence[str], now: float) -> list[Notification]:
    """What has to be told because of one change; nothing where the change is not worth telling.

    ``channels`` are the names of all configured channels, ``now`` Unix seconds.
    """
    if not change.notify:
        return []
    return [
        Notification(notification_id(change, channel), channel, change.what, change.incident, utc(now))
        for channel in route(change.incident, routes, channels)
    ]


def validate(routes: Sequence[Route], channels: Iterable[str]) -> list[Problem]:
    """Everything in the routes that could never do what was meant."""
    known = set(channels)
    problems: list[Problem] = []
    for index, candidate in enumerate(routes):
        place = f"routes[{index}]"
        if not candidate.channels:
            problems.append(Problem(f"{place}.channels", "is empty: name at least one channel"))
        problems += [
            Problem(f"{place}.channels", f"there is no channel {name!r}")
            for name in candidate.channels
            if name not in known
        ]
        for key, wanted in candidate.match.items():
            problems += _match_problems(f"{place}.match.{key}", key, wanted)
    return problems


def _match_problems(place: str, key: str, wanted: str | list[str]) -> Iterable[Problem]:
    if key not in FACTS:
        yield Problem(place, f"is not something to match on; possible: {', '.join(FACTS)}")
    elif not _wanted(wanted):
        yield Problem(place, "is an empty list, which matches nothing")
    for value in _wanted(wanted) if key in CLOSED else ():
        if not any(fnmatchcase(known, value) for known in CLOSED[key]):
            yield Problem(place, f"{value!r} is none of {', '.join(CLOSED[key])}")
