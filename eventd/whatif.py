"""The same messages under two configurations: which incidents only one of them has, and which of them differ.

Both replays go side by side, so that the input is read once. An incident of one run is the same as one of the other
when it is of the same kind, device, virtual system, peer and interface, and their times overlap: ids hold the
beginning, which a timer may move. What is kept grows with the incidents, never with the messages.
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct, field

from eventd.config import Config
from eventd.inputs import Input
from eventd.model import Incident, Malformed
from eventd.notify.render import headline
from eventd.registry import Registry
from eventd.replay import Replay, Step, Summary

Under = Literal["config", "against"]
#: Where a difference stands, by the option that named the configuration.
SIDES: tuple[Under, Under] = ("config", "against")

#: What the other run judged of a peer counts for an incident from this long before it until this long behind: the two
#: runs hold the same stop for different times, which are seconds to minutes.
NEARBY = timedelta(minutes=2)
#: Incidents of the other run that are named in place of one that it has not.
MAX_INSTEAD = 5
#: Of one peer, how many that began earlier are looked at for those: more do not stand at the same time.
LOOK_BACK = 50
#: For an incident that is still open.
_NEVER = datetime.max.replace(tzinfo=UTC)


class Course(Struct, kw_only=True):
    """How one incident went in one run: told to which channels how many times, and ``kept`` from being told by which
    rules. ``announced_at`` is when it was opened, ``opened_at`` when its matter began; ``title`` as it was opened."""

    id: str
    title: str
    opened_at: datetime
    announced_at: datetime
    resolved_at: datetime | None = None
    opened_severity: str
    severity: str
    told: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    parent: str | None = None


#: Parts of a course that are compared.
COMPARED = ("opened_at", "announced_at", "resolved_at", "opened_severity", "severity", "told", "kept")


class About(Struct, frozen=True, order=True):
    """What an incident is about; "" for what it does not have."""

    device: str
    vsys: str
    peer: str
    interface: str
    kind: str

    @property
    def place(self) -> tuple[str, str, str]:
        """The same whatever the kind."""
        return self.device, self.vsys, self.peer or f"?{self.interface}"


class Difference(Struct, frozen=True):
    """One incident that only one run has (``what`` = ``only``, ``under`` which), or that went differently
    (``differs``, in the parts that it lists).

    ``judged``: the rules by which the other run judged that peer or device about then. ``instead``: ids of incidents
    of another kind or time that it has there.
    """

    what: Literal["only", "differs"]
    under: Under | None
    kind: str
    device: str
    vsys: str | None
    peer: str | None
    interface: str | None
    parts: tuple[str, ...]
    config: Course | None
    against: Course | None
    judged: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()


class Pair(Struct, frozen=True):
    """A count in both runs."""

    config: int
    against: int


class Outcome(Struct, frozen=True):
    """How many incidents both have alike, both have and differ, and only one has."""

    same: int
    differ: int
    only_config: int
    only_against: int


class Comparison(Struct, frozen=True):
    """What it came to; ``opened`` by kind, ``told`` by channel and ``suppressed`` by rule, in both runs."""

    what: str
    incidents: Outcome
    opened: dict[str, Pair]
    told: dict[str, Pair]
    suppressed: dict[str, Pair]
    config: Summary
    against: Summary


class _Known(Struct):
    """An incident of one run, and how the other judged near it; ``judged`` None: not looked at yet."""

    about: About
    course: Course
    judged: tuple[str, ...] | None = None

    @property
    def until(self) -> datetime:
        return self.course.resolved_at or _NEVER


class _Run:
    """One replay and its incidents."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.replay = Replay(config, registry, self._hear)
        self.known: dict[str, _Known] = {}
        #: Resolved ones of which it is too early to say how the other run judged them, in the order of time.
        self.waiting: deque[_Known] = deque()

    def _hear(self, step: Step) -> None:
        incident = step.incident
        known = self.known.get(incident.id)
        if known is None:
            known = self.known[incident.id] = _Known(_about(incident), _course(incident, step.at))
        course = known.course
        if step.channel is not None:
            course.told[step.channel] = course.told.get(step.channel, 0) + 1
            return
        if step.kept is not None:
            course.kept[step.kept] = course.kept.get(step.kept, 0) + 1
        course.severity, course.parent = incident.severity, incident.parent
        if incident.resolved_at is not None and course.resolved_at is None:
            course.resolved_at = incident.resolved_at
            self.waiting.append(known)

    def look(self, other: Replay, until: datetime | None) -> None:
        """Ask how the other run judged what was resolved long enough ago; ``until`` None: everything."""
        if until is None:
            self.waiting = deque(known for known in self.known.values() if known.judged is None)
        while self.waiting and (until is None or self.waiting[0].until + NEARBY <= until):
            known = self.waiting.popleft()
            known.judged = tuple(_near(known, other))


def _about(incident: Incident) -> About:
    return About(incident.device, incident.vsys or "", incident.peer or "", incident.interface or "", incident.kind)


def _course(incident: Incident, at: datetime) -> Course:
    return Course(
        id=incident.id,
        title=headline(incident),
        opened_at=incident.opened_at,
        announced_at=at,
        opened_severity=incident.opened_severity,
        severity=incident.severity,
    )


def _near(known: _Known, other: Replay) -> Iterator[str]:
    """The rules of decisions about an incident's peer or device, in the order in which they were first applied."""
    about, course = known.about, known.course
    earliest = (course.opened_at - NEARBY).timestamp()
    latest = float("inf") if course.resolved_at is None else (course.resolved_at + NEARBY).timestamp()
    decided = other.decisions(about.device, about.vsys, about.peer, about.interface)
    yield from dict.fromkeys(one.rule for one in decided if one.until >= earliest and one.at <= latest)


class WhatIf:
    """Two replays of the same messages; feed it, then `finish` and ask for the `differences`."""

    def __init__(self, config: Config, registry: Registry, against: Config, other_registry: Registry) -> None:
        self._runs = (_Run(config, registry), _Run(against, other_registry))
        self._same = 0

    async def feed(self, found: Input) -> None:
        """The next message, received no earlier than the one before; or a line that is none."""
        for run in self._runs:
            await run.replay.feed(found)
        if not isinstance(found, Malformed):
            self._look(datetime.fromtimestamp(found.received_at, UTC))

    def _look(self, until: datetime | None) -> None:
        first, second = self._runs
        first.look(second.replay, until)
        second.look(first.replay, until)

    async def finish(self) -> tuple[Sequence[Difference], Comparison]:
        """Let time run on in both until nothing is pending; every difference by time, and the sum."""
        summaries = [await run.replay.finish() for run in self._runs]
        self._look(None)
        found = sorted(self._differences(), key=_when)
        only = [one.under for one in found]
        outcome = Outcome(self._same, only.count(None), only.count("config"), only.count("against"))
        config, against = summaries
        return found, Comparison(
            what="summary",
            incidents=outcome,
            opened=_pairs(config.incidents.kinds, against.incidents.kinds),
            told=_pairs(config.notifications, against.notifications),
            suppressed=_pairs(config.suppressed, against.suppressed),
            config=config,
            against=against,
        )

    def _differences(self) -> Iterator[Difference]:
        by_about = [_by_about(run.known.values()) for run in self._runs]
        places = [_by_place(run.known.values()) for run in self._runs]
        for about in sorted({*by_about[0], *by_about[1]}):
            for first, second in _paired(by_about[0].get(about, ()), by_about[1].get(about, ())):
                if first is not None and second is not None:
                    parts = tuple(p for p in COMPARED if getattr(first.course, p) != getattr(second.course, p))
                    self._same += not parts
                    if parts:
                        yield _difference(about, None, parts, first, second, ())
                else:
                    mine = 0 if second is None else 1
                    lone = first or second
                    assert lone is not None
                    instead = _instead(lone, places[1 - mine].get(about.place, ()))
                    yield _difference(about, SIDES[mine], (), first, second, instead)


def _by_about(known: Iterable[_Known]) -> Mapping[About, Sequence[_Known]]:
    found: dict[About, list[_Known]] = defaultdict(list)
    for one in sorted(known, key=_began):
        found[one.about].append(one)
    return found


def _by_place(known: Iterable[_Known]) -> Mapping[tuple[str, str, str], Sequence[_Known]]:
    found: dict[tuple[str, str, str], list[_Known]] = defaultdict(list)
    for one in sorted(known, key=_began):
        found[one.about.place].append(one)
    return found


def _began(known: _Known) -> tuple[datetime, datetime, str]:
    return known.course.opened_at, known.course.announced_at, known.course.id


def _paired(first: Sequence[_Known], second: Sequence[_Known]) -> Iterator[tuple[_Known | None, _Known | None]]:
    """Those whose times overlap, each once, in the order in which they began; the others alone."""
    here, there = deque(first), deque(second)
    while here and there:
        if here[0].until < there[0].course.opened_at:
            yield here.popleft(), None
        elif there[0].until < here[0].course.opened_at:
            yield None, there.popleft()
        else:
            yield here.popleft(), there.popleft()
    yield from ((one, None) for one in here)
    yield from ((None, one) for one in there)


def _instead(lone: _Known, others: Sequence[_Known]) -> tuple[str, ...]:
    """What the other run has in that place at that time."""
    end = bisect_right(others, lone.until, key=lambda one: one.course.opened_at)
    near = others[max(0, end - LOOK_BACK) : end]
    return tuple(one.course.id for one in near if one.until >= lone.course.opened_at)[:MAX_INSTEAD]


def _difference(
    about: About,
    under: Under | None,
    parts: tuple[str, ...],
    first: _Known | None,
    second: _Known | None,
    instead: tuple[str, ...],
) -> Difference:
    return Difference(
        what="only" if under else "differs",
        under=under,
        kind=about.kind,
        device=about.device,
        vsys=about.vsys or None,
        peer=about.peer or None,
        interface=about.interface or None,
        parts=parts,
        config=None if first is None else first.course,
        against=None if second is None else second.course,
        judged=tuple(rule for one in (first, second) if under and one is not None for rule in one.judged or ()),
        instead=instead,
    )


def _when(one: Difference) -> tuple[datetime, str, str, str, str]:
    courses = [course for course in (one.config, one.against) if course is not None]
    return min(course.opened_at for course in courses), one.device, one.peer or "", one.kind, courses[0].id


def _pairs(config: Mapping[str, int], against: Mapping[str, int]) -> dict[str, Pair]:
    return {name: Pair(config.get(name, 0), against.get(name, 0)) for name in sorted({*config, *against})}
