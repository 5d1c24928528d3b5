"""Who is told of what: the ``[[routes]]`` of the configuration, as pure functions."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from eventd.errors import Problem
from eventd.matching import faults, matches, severities
from eventd.model import Change, Incident, Notification, utc


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """Incidents that ``match`` go to ``channels``; later routes are looked at only with ``continue = true``.

    Every key of ``match`` must agree; a list means any of them. Text may hold shell wildcards (``fw-*``).
    """

    channels: tuple[str, ...]
    match: dict[str, str | list[str]] = field(default_factory=dict)
    continue_: bool = field(name="continue", default=False)


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
        for severity in severities(incident)
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
    what = "opened" if change.first else change.what
    return [
        Notification(notification_id(change, channel), channel, what, change.incident, utc(now))
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
        problems += faults(candidate.match, f"{place}.match")
    return problems
