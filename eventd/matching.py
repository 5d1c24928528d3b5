"""What can be asked of an incident, in one language for routes, silences and maintenance windows."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import Generic, TypeVar

from eventd.errors import Problem
from eventd.model import INCIDENT_KINDS, REASON_CATEGORIES, SEVERITIES, Incident, Member

#: Every key must agree; a list means any of its values. Text may hold shell wildcards (``fw-*``).
Match = Mapping[str, str | list[str]]

#: What tells one incident from many, and one member of an outage from the others, most telling first: who is asked for
#: by one of these is looked up, not tried. A peer is known by address and by name, site is its own and the device's.
TELLING: dict[str, Callable[[Incident | Member], Iterable[str | None]]] = {
    "peer": lambda one: (one.peer, one.peer_name),
    "device": lambda one: (one.device,),
    "interface": lambda one: (one.interface,),
    "owner": lambda one: (one.owner,),
    "site": lambda one: (one.site, one.device_site),
    "tag": lambda one: one.tags,
    "vsys": lambda one: (one.vsys,),
}

#: Match key → the values of which one must match. Severity is every step the incident went through (see `severities`).
FACTS: dict[str, Callable[[Incident], Iterable[str | None]]] = {
    "severity": lambda incident: severities(incident),
    "kind": lambda incident: (incident.kind,),
    "status": lambda incident: (incident.status,),
    "category": lambda incident: (incident.cause.category if incident.cause else "unknown",),
    "fault_side": lambda incident: (incident.fault_side,),
    **TELLING,
}

T = TypeVar("T")

#: Match keys whose values come from a closed set: a typing error there would silently match nothing.
CLOSED: dict[str, tuple[str, ...]] = {
    "severity": SEVERITIES,
    "kind": INCIDENT_KINDS,
    "status": ("open", "resolved"),
    "category": REASON_CATEGORIES,
    "fault_side": ("local", "remote", "path", "unknown"),
}


def severities(incident: Incident) -> tuple[str, ...]:
    """Every severity from the least to the gravest it was: whoever was told of one is also told of the end."""
    opened, now = SEVERITIES.index(incident.opened_severity), SEVERITIES.index(incident.severity)
    return SEVERITIES[min(opened, now) : max(opened, now, SEVERITIES.index(incident.worst_severity)) + 1]


def matches(match: Match, *incidents: Incident) -> bool:
    """Whether each condition of ``match`` is met by one of the incidents, mostly a single one; no condition by all."""
    return all(any(_agrees(FACTS[key](one), wanted) for one in incidents) for key, wanted in match.items())


#: A part of a text, as bounds of a slice.
Part = tuple[int | None, int | None]


class Choice(Generic[T]):
    """Things with what each is for, in their order. Among a thousand the fitting ones are found as fast as among ten,
    but for those that ask for nothing telling, or only with patterns that neither begin nor end with a letter."""

    def __init__(self, things: Iterable[tuple[Match, T]]) -> None:
        self._things = tuple(things)
        #: By key, and by what part of a fact tells it: the text there, and where those stand that ask for it.
        self._named: dict[str, dict[Part, dict[str, list[int]]]] = {}
        self._others: list[int] = []
        for place, (match, _) in enumerate(self._things):
            key, spots = _looked_up(match)
            if not spots:
                self._others.append(place)
            for part, text in spots:
                self._named.setdefault(key, {}).setdefault(part, {}).setdefault(text, []).append(place)

    def __len__(self) -> int:
        return len(self._things)

    def fitting(self, *incidents: Incident) -> Iterator[T]:
        """Those whose match is met (`matches`)."""
        places = set(self._others)
        for key, parts in self._named.items():
            facts = [fact for incident in incidents for fact in FACTS[key](incident) if fact is not None]
            for (start, stop), named in parts.items():
                for fact in facts:
                    places.update(named.get(fact[start:stop], ()))
        for place in sorted(places):
            match, thing = self._things[place]
            if matches(match, *incidents):
                yield thing


def _looked_up(match: Match) -> tuple[str, list[tuple[Part, str]]]:
    """The key by which it is looked up, and what has to stand where in a fact, of which one has to; none where nothing
    tells it. Whole texts tell more than patterns."""
    for spot in (_whole, _anchor):
        for key in TELLING:
            spots = [spot(value) for value in values(match[key])] if key in match else []
            if spots and all(text for _, text in spots):
                return key, spots
    return "", []


def _whole(pattern: str) -> tuple[Part, str]:
    return (None, None), "" if _wild(pattern) else pattern


def _anchor(pattern: str) -> tuple[Part, str]:
    """What everything that fits begins with, else what it ends with."""
    if head := re.split(r"[*?[]", pattern, maxsplit=1)[0]:
        return (0, len(head)), head
    tail = re.split(r"[*?\]]", pattern)[-1]
    return (-len(tail), None), tail


def faults(match: Match, place: str) -> Iterable[Problem]:
    """What in a match could never be met, each under a key below ``place``."""
    for key, wanted in match.items():
        where = f"{place}.{key}"
        if key not in FACTS:
            yield Problem(where, f"is not something to match on; possible: {', '.join(FACTS)}")
        elif not values(wanted):
            yield Problem(where, "is an empty list, which matches nothing")
        for value in values(wanted) if key in CLOSED else ():
            if not any(fnmatchcase(known, value) for known in CLOSED[key]):
                yield Problem(where, f"{value!r} is none of {', '.join(CLOSED[key])}")


def values(value: str | list[str]) -> list[str]:
    """Those of which one must fit."""
    return [value] if isinstance(value, str) else value


def _agrees(facts: Iterable[str | None], wanted: str | list[str]) -> bool:
    patterns = values(wanted)
    return any(_fits(fact, pattern) for fact in facts if fact is not None for pattern in patterns)


def _fits(fact: str, pattern: str) -> bool:
    return _compiled(pattern).match(fact) is not None if _wild(pattern) else fact == pattern


def _wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern or "[" in pattern


@lru_cache(maxsize=4096)  # of `fnmatch` it is 256: with more routes and silences each pattern was compiled every time
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def takes_all_of(first: Match, other: Match) -> bool:
    """Whether whatever meets ``other`` certainly meets ``first``, too."""
    return all(
        key in other and all(any(_covers(wide, value) for wide in values(wanted)) for value in values(other[key]))
        for key, wanted in first.items()
    )


def _covers(wide: str, value: str) -> bool:
    return wide in ("*", value) or (not _wild(value) and fnmatchcase(value, wide))
