"""Compares what was concluded with what a scenario expects, and counts how often identity and cause were right."""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct, field

from eventd.model import Incident, Reason
from eventd.scenarios.book import Expected, Messages, Scenario
from eventd.scenarios.play import Concluded, Played, Told
from eventd.scenarios.script import moment
from eventd.scenarios.wire import EPOCH

#: What makes an incident that incident (contract §6: labels).
IDENTITY = ("kind", "device", "peer", "interface", "vsys", "site")
#: Kinds that mean that traffic is cut off or about to be.
OUTAGES = ("tunnel_down", "tunnel_degraded", "negotiation_failing", "flapping", "interface_outage", "device_outage",
           "peer_outage", "device_silent")  # fmt: skip
#: Times in a book are given by the second.
TOLERANCE_S = 0.001
#: A storm opens hundreds; a list of complaints that nobody reads to its end helps nobody.
MAX_COMPLAINTS = 12
#: Messages of one incident that are shown: how it was told first.
MAX_TOLD = 6


_BRACKETS = re.compile(r" \([^()]*\)")

#: Kind of every incident by its id.
Kinds = Mapping[str, str]


class Score(Struct):
    """Incidents by identity: concluded as expected, not concluded, concluded and not expected. Causes: right and asked
    for, at the end of each incident. ``suppressed``: outages that somebody had to be told of and nobody was."""

    right: int = 0
    missed: int = 0
    invented: int = 0
    causes_right: int = 0
    causes: int = 0
    suppressed: int = 0

    def add(self, other: "Score") -> None:
        """Take in another one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def precision(self) -> float:
        """Of what was concluded, how much had to be."""
        return self.right / ((self.right + self.invented) or 1) if self.right or self.invented else 1.0

    @property
    def recall(self) -> float:
        """Of what had to be concluded, how much was."""
        return self.right / (self.right + self.missed) if self.right or self.missed else 1.0

    @property
    def cause(self) -> float:
        """Of the causes asked for, how many were right."""
        return self.causes_right / self.causes if self.causes else 1.0


class Outcome(Struct):
    """A scenario, what became of it, and what is wrong with that."""

    scenario: Scenario
    played: Played
    complaints: list[str] = field(default_factory=list)
    score: Score = field(default_factory=Score)

    @property
    def good(self) -> bool:
        """Everything as expected."""
        return not self.complaints


def judge(scenario: Scenario, played: Played) -> Outcome:
    """Everything that is not as the scenario wants it."""
    outcome = Outcome(scenario, played)
    left = list(played.incidents)
    kinds = {one.last.id: one.last.kind for one in left}
    for expected in scenario.incidents:
        found = [one for one in left if _is(expected, one.last)]
        taken = sorted(found, key=lambda one: len(list(_wrong(expected, one, kinds))))[: expected.times]
        left = [one for one in left if one not in taken]
        _score(outcome, expected, taken, kinds)
    for one in left:
        if scenario.untold_others and not one.told:
            continue
        outcome.score.invented += 1
        outcome.complaints.append(f"not expected: {describe(one)}")
    outcome.complaints += _about_messages(scenario, played)
    outcome.complaints += _about_rules(scenario, played)
    if len(outcome.complaints) > MAX_COMPLAINTS:
        more = len(outcome.complaints) - MAX_COMPLAINTS
        outcome.complaints[MAX_COMPLAINTS:] = [f"… and {more} more"]
    return outcome


def describe(one: Concluded) -> str:
    """An incident in one line."""
    incident, cause = one.last, one.last.cause
    told = " ".join(f"{told.what}@{at(told.at)}" for told in one.told[:MAX_TOLD]) or "nobody"
    told += f" and {len(one.told) - MAX_TOLD} more" if len(one.told) > MAX_TOLD else ""
    return (
        f"{_named(incident)} since {at(incident.opened_at.timestamp() - EPOCH)}, {incident.severity}, "
        f"{incident.status}, cause {cause.name or cause.text if cause else None}, {incident.fault_side}, told: {told}"
    )


def wanted(expected: Expected) -> str:
    """An expectation in one line."""
    said = ((name, getattr(expected, name)) for name in expected.__struct_fields__ if name not in ("kind", "times"))
    pairs = (f"{name}={value!r}" for name, value in said if value not in (None, ()) or (name == "told" and value == ()))
    return " ".join((expected.kind, *pairs)) + (f" × {expected.times}" if expected.times > 1 else "")


def _named(incident: Incident) -> str:
    return " ".join(part for part in (incident.kind, incident.device, incident.peer or incident.interface) if part)


def at(seconds: float) -> str:
    """A moment as a timeline writes it: ``+1m30s``."""
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(f"{hours}h", hours), (f"{minutes}m", minutes), (f"{rest:g}s", rest)]
    return "+" + ("".join(text for text, value in parts if value) or "0s")


def _is(expected: Expected, incident: Incident) -> bool:
    return all(
        wanted is None or fnmatchcase(str(getattr(incident, name) or ""), wanted)
        for name in IDENTITY
        for wanted in (getattr(expected, name),)
    )


def _score(outcome: Outcome, expected: Expected, taken: list[Concluded], kinds: Kinds) -> None:
    score, missing = outcome.score, expected.times - len(taken)
    untold = [one for one in taken if not one.told]
    score.right += len(taken)
    score.missed += missing
    if expected.kind in OUTAGES and expected.told != ():
        score.suppressed += missing + len(untold)
    if expected.cause is not None or expected.category is not None:
        score.causes += len(taken)
        score.causes_right += sum(_cause_is(expected, one.last) for one in taken)
    if missing:
        several = f"{missing} of {expected.times} " if expected.times > 1 else ""
        outcome.complaints.append(f"missing: {several}{wanted(expected)}")
    for one in taken:
        outcome.complaints += [f"{_named(one.last)}: {what}" for what in _wrong(expected, one, kinds)]


def _cause_is(expected: Expected, incident: Incident) -> bool:
    cause = incident.cause
    if cause is None:
        return expected.cause is None and expected.category is None
    wanted = (expected.cause or "*").casefold()
    same = any(wanted == words or fnmatchcase(words, wanted) for words in _words_of(cause))
    return same and expected.category in (None, cause.category)


def _words_of(cause: Reason) -> set[str]:
    """What a cause is called: by name, in the device's words, as headlines say it (without what stands in brackets),
    and how these begin: ``link went down`` of ``link went down (GigabitEthernet0/0/1): Interface physical link``."""
    spoken = [cause.text, cause.told, _BRACKETS.sub("", cause.text)]
    begins = [text.partition(": ")[0] for text in spoken]
    return {text.casefold() for text in (cause.name, *spoken, *begins) if text}


def _wrong(expected: Expected, one: Concluded, kinds: Kinds) -> Iterator[str]:
    """Everything about an incident that is not as expected."""
    parent = kinds.get(one.last.parent or "")
    if expected.parent not in (None, parent):
        yield f"belongs to {parent}, expected {expected.parent}"
    for name, found in PLAIN.items():
        want = getattr(expected, name)
        if want is not None and found(one) != want:
            yield f"{name} is {found(one)!r}, expected {want!r}"
    if not _cause_is(expected, one.last):
        cause = one.last.cause
        said = "none" if cause is None else f"{cause.text!r} (name {cause.name!r}, category {cause.category})"
        want = " of category ".join(filter(None, (expected.cause and repr(expected.cause), expected.category)))
        yield f"cause is {said}, expected {want}"
    yield from _wrong_times(expected, one)
    for name in ("chain", "summary", "actions"):
        text = getattr(one.last, name)
        whole = text if isinstance(text, str) else "\n".join(text)
        for part in getattr(expected, name):
            if part.casefold() not in whole.casefold():
                yield "\n".join((f"{name} does not say {part!r}; it says", *(whole.splitlines() or ("nothing",))))
    for witness in expected.witnesses or ():
        if not any(fnmatchcase(f"{found.transport} {found.device}", witness) for found in one.last.witnesses):
            yield f"{witness!r} is not among the witnesses"


#: What is compared as it stands.
PLAIN: dict[str, Callable[[Concluded], object]] = {
    "severity": lambda one: one.last.opened_severity,
    "rises_to": lambda one: one.last.severity,
    "status": lambda one: one.last.status,
    "fault_side": lambda one: one.last.fault_side,
    "count": lambda one: one.last.count,
    "children": lambda one: len(one.last.children),
    "told": lambda one: _whats(one.told),
}


def _whats(told: list[Told]) -> tuple[str, ...]:
    """Steps told, each once, on however many channels."""
    return tuple(what for what, _ in dict.fromkeys((one.what, one.incident.updated_at) for one in told))


def _wrong_times(expected: Expected, one: Concluded) -> Iterator[str]:
    began = one.last.opened_at.timestamp() - EPOCH
    if expected.began is not None and abs(began - moment(expected.began)) > TOLERANCE_S:
        yield f"began at {at(began)}, expected {expected.began}"
    first = next((told.at for told in one.told if told.what != "resolved"), None)
    waited = None if first is None else first - began
    if expected.told_within is not None and (waited is None or waited > expected.told_within + TOLERANCE_S):
        yield f"told after {waited} s, expected within {expected.told_within:g} s"
    if expected.held is not None and waited is not None and waited < expected.held - TOLERANCE_S:
        yield f"told after {waited:g} s, expected to be held for {expected.held:g} s"
    over = None if one.last.resolved_at is None else one.last.resolved_at.timestamp() - EPOCH
    if expected.over_by is not None and (over is None or over > moment(expected.over_by) + TOLERANCE_S):
        yield f"over at {'no time' if over is None else at(over)}, expected by {expected.over_by}"
    early = expected.not_over_before
    if early is not None and over is not None and over < moment(early) - TOLERANCE_S:
        yield f"over at {at(over)}, expected not before {early}"


def _about_messages(scenario: Scenario, played: Played) -> Iterator[str]:
    if scenario.nothing and played.told:
        first = played.told[0]
        yield f"{len(played.told)} messages, expected none; the first at {at(first.at)}: {first.incident.title}"
    for count in scenario.messages:
        number = sum(_counts(count, told) for told in played.told)
        if count.at_most is not None and number > count.at_most:
            yield f"{number} messages, expected at most {count.at_most} ({_said(count)})"
        if count.at_least is not None and number < count.at_least:
            yield f"{number} messages, expected at least {count.at_least} ({_said(count)})"


def _said(count: Messages) -> str:
    named = ((name, getattr(count, name)) for name in count.__struct_fields__ if not name.startswith("at_"))
    return ", ".join(f"{name} {value}" for name, value in named if value is not None)


def _counts(count: Messages, told: Told) -> bool:
    incident = told.incident
    pairs = ((count.channel, told.channel), (count.what, told.what), (count.kind, incident.kind),
             (count.severity, incident.severity))  # fmt: skip
    since, until = moment(count.since), moment(count.until) if count.until else float("inf")
    return all(want in (None, found) for want, found in pairs) and since <= told.at <= until


def _about_rules(scenario: Scenario, played: Played) -> Iterator[str]:
    for rule in scenario.suppressed:
        if not played.suppressed.get(rule):
            yield f"rule {rule} held nothing back; those that did: {', '.join(played.suppressed) or 'none'}"
    for rule in scenario.not_suppressed:
        if played.suppressed.get(rule):
            yield f"rule {rule} held something back"
    for line in played.idle:
        yield f"there was nothing for: {line}"
    if played.defects:
        yield f"{played.defects} defects of eventd; its log says which"
