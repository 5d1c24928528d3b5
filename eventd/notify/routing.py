"""Who is told of what and when: ``[[routes]]`` and quiet hours of the configuration, as pure functions."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from eventd.checked import Checked, Fault, trying
from eventd.errors import Problem
from eventd.matching import TELLING, Choice, faults, severities
from eventd.model import SEVERITIES, Change, Incident, Member, Notification, Severity, utc
from eventd.weekly import covers, windows, zone

#: An escalation that comes a week later reaches nobody who could still do something.
MAX_AFTER_S = 7 * 86_400.0


class Weekly(Checked, frozen=True):
    """Settings with windows that come back every week (`eventd.weekly`), by the clock of ``time_zone``."""

    time_zone: str = "UTC"

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        if given.get("time_zone") is not None:
            yield from trying("time_zone", zone, (given["time_zone"],))
        if given.get("when") is not None:
            yield from trying("when", windows, given["when"])

    def ends(self, when: Sequence[str], at: float) -> float | None:
        """When the window ends that holds ``at`` that time (Unix seconds); None while none does."""
        return covers(when, zone(self.time_zone), at)


class Route(Weekly, frozen=True, forbid_unknown_fields=True):
    """Incidents that ``match`` go to ``channels``; later routes are looked at only with ``continue = true``.

    Every key of ``match`` must agree; a list means any of them. Text may hold shell wildcards (``fw-*``). With ``when``
    only in these windows; what began in one is told to its end. ``after`` seconds (an escalation): only if by then
    nobody has acknowledged the incident and it is not over.
    """

    channels: tuple[str, ...] = ()
    match: dict[str, str | list[str]] = field(default_factory=dict)
    continue_: bool = field(name="continue", default=False)
    when: tuple[str, ...] = ()
    after: Annotated[float, Meta(ge=0, le=MAX_AFTER_S)] = 0.0

    def holds(self, incident: Incident, now: float) -> bool:
        """Whether it is in force at ``now`` for an incident that it matches."""
        began = incident.opened_at.timestamp()
        return not self.when or any(self.ends(self.when, at) is not None for at in (now, began))


class Quiet(Weekly, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours in which a channel is told only what is ``below`` no longer: what is less grave is held until they end, and
    told together then."""

    when: tuple[str, ...]
    below: Severity = "critical"

    def until(self, incident: Incident, now: float) -> float | None:
        """When the channel may be told of it (Unix seconds); None if at once."""
        gravest = max(SEVERITIES.index(severity) for severity in severities(incident))
        return None if gravest >= SEVERITIES.index(self.below) else self.ends(self.when, now)


#: Names of all configured channels, with their quiet hours.
Listeners = Mapping[str, Quiet | None]


class Routes:
    """The routes of a configuration. Among a thousand that each name a device, say, those that fit are looked up."""

    def __init__(self, rows: Sequence[Route] = ()) -> None:
        self._given, self._choice = bool(rows), Choice((row.match, row) for row in rows)
        asked = {key for row in rows for key in row.match}
        self._looks_at = [facts for key, facts in TELLING.items() if key in asked]

    def __bool__(self) -> bool:
        return self._given

    def told(self, incident: Incident, now: float, *member: Incident) -> Iterator[tuple[str, float]]:
        """The channels of the first that takes an incident, as it is or for a ``member`` of it, and of those behind it
        as far as they continue; each with the seconds that it waits."""
        for candidate in self._choice.fitting(incident, *member):
            if candidate.holds(incident, now):
                yield from ((name, candidate.after) for name in candidate.channels)
                if not candidate.continue_:
                    return

    def apart(self, members: Iterable[Member]) -> Iterable[Member]:
        """One of each sort of members that some route tells from others: of thousands mostly a few."""
        return {tuple(tuple(facts(one)) for facts in self._looks_at): one for one in members}.values()


def route(
    incident: Incident, routes: Routes, all_channels: Iterable[str], now: float, members: Iterable[Member] = ()
) -> dict[str, float]:
    """The channels that are told of an incident, each with the seconds for which it waits for somebody to acknowledge
    it; in the order of the routes.

    Without any route that is every channel. An incident that rose in severity is routed as what it was and as what
    it became, so that an all-clear reaches everyone who got the alarm. An outage of many is routed as what it is, and
    once more for each of its ``members``, so that it reaches everyone who would have been told of one of them.
    """
    if not routes:
        return dict.fromkeys(all_channels, 0.0)
    found: dict[str, float] = {}
    for seen in ((incident,), *((incident, one.alone(incident)) for one in routes.apart(members))):
        for severity in severities(incident):
            step, *member = (_graded(one, severity) for one in seen)
            for name, after in routes.told(step, now, *member):
                found[name] = min(after, found.get(name, after))
    return found


def _graded(incident: Incident, severity: str) -> Incident:
    return msgspec.structs.replace(incident, opened_severity=severity, severity=severity, worst_severity=severity)


def notification_id(change: Change, channel: str) -> str:
    """The same step told on the same channel has the same id, in every run and after every restart."""
    incident = change.incident
    joined = ("joined",) if change.joined else ()
    return _id(incident.id, change.what, incident.updated_at.isoformat(), channel, *joined)


def _id(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def notifications(change: Change, routes: Routes, channels: Listeners, now: float) -> list[Notification]:
    """What has to be told because of one change at ``now`` (Unix seconds); nothing where it is not worth telling.

    That somebody has taken an incident goes to channels that wait for that, that an outage of many tells it to those
    for which it may wait; and neither is told to any of them.
    """
    if not (change.notify or change.taken or change.joined):
        return []
    found = route(change.incident, routes, channels, now, change.members).items()
    every = (_notification(change, name, after, channels.get(name), now) for name, after in found)
    return [
        one
        for one in every
        if change.notify or (change.taken and one.escalates) or (change.joined and one.due_at is not None)
    ]


def _notification(change: Change, channel: str, after: float, quiet: Quiet | None, now: float) -> Notification:
    """``now`` or later: after quiet hours, or once nobody has acknowledged it for ``after`` seconds."""
    waited = now + after
    held = None if quiet is None else quiet.until(change.incident, waited)
    due = held or (waited if after else None)
    return Notification(
        notification_id(change, channel),
        channel,
        "opened" if change.first else change.what,
        change.incident,
        utc(now),
        due_at=None if due is None else utc(due),
        held=held is not None,
        escalates=after > 0,
        joined=change.joined,
    )


class Audience(msgspec.Struct, frozen=True):
    """Who is told of what: the names of the channels, in order, and the routes."""

    names: tuple[str, ...]
    routes: tuple[Route, ...]


def catching_up(
    openings: Iterable[Change], routes: Routes, channels: Listeners, before: Audience, now: float
) -> Iterator[Notification]:
    """What channels are told of incidents that are open already (``openings``: each as it stands, as an opening) and of
    which they would not have been told as things were ``before``: those that were not there, and those that further
    routes name. Who waits for nobody to acknowledge an incident has waited since it was opened."""
    routed_before = Routes(before.routes)
    for change in openings:
        incident = change.incident
        found = route(incident, routes, channels, now, change.members)
        heard = route(incident, routed_before, before.names, now, change.members).keys() & set(before.names)
        for name in (name for name in found if name not in heard):
            left = max(0.0, incident.opened_at.timestamp() + found[name] - now)
            if found[name] and incident.acked_by is not None:
                continue
            told = _notification(change, name, left, channels.get(name), now)
            yield msgspec.structs.replace(told, id=_id(incident.id, "new", repr(now), name), catches_up=True)


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
