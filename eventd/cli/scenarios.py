"""What `eventd check --scenarios` prints: a line for each scenario, and for a failed one what happened when."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eventd.config import Config
from eventd.errors import ConfigError, Problem
from eventd.model import Event, Malformed
from eventd.printable import printable
from eventd.registry import Registry
from eventd.scenarios import Outcome, Player, judge, read_book
from eventd.scenarios.book import Draft
from eventd.scenarios.play import Heard, Ready
from eventd.scenarios.verdict import Score, at, describe, wanted
from eventd.scenarios.wire import EPOCH
from eventd.telemetry import setup_logging

#: Lines of a timeline that are shown from its beginning and from its end; the middle of a storm says nothing new.
SHOWN_FIRST, SHOWN_LAST = 20, 10
#: What was expected and concluded, as far as it is shown: the first few point the way.
SHOWN = 12


def check_book(config: Config, registry: Registry, folder: str) -> bool:
    """Play all scenarios of a folder and print how they end; whether all ended as they say, or are pending.

    Raises:
        ConfigError: with everything that is wrong with the files.
    """
    drafts = read_book(Path(folder))
    end_logging = setup_logging(json=False, level="error")
    try:
        player = Player(config, registry)
        outcomes = asyncio.run(_play(player, _prepared(player, drafts)))
    finally:
        end_logging()
    click.echo(_total(outcomes))
    return all(outcome.good or outcome.scenario.pending for outcome in outcomes)


def _prepared(player: Player, drafts: list[Draft]) -> list[Ready]:
    """All scenarios with their messages: nothing is played before everything that is wrong with any file is known."""
    ready, problems = list[Ready](), list[Problem]()
    for draft in drafts:
        problems += draft.problems
        if draft.scenario is None:
            continue
        try:
            ready.append(player.prepare(draft.scenario))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return ready


async def _play(player: Player, book: list[Ready]) -> list[Outcome]:
    outcomes = list[Outcome]()
    for ready in book:
        outcome = judge(ready.scenario, await player.run(ready))
        outcomes.append(outcome)
        for line in _report(outcome):
            click.echo(line)
    return outcomes


def _report(outcome: Outcome) -> Iterator[str]:
    scenario = outcome.scenario
    state = "ok" if outcome.good else "FAILED"
    if scenario.pending is not None:
        state = "ok now" if outcome.good else "pending"
    yield f"{state:<8} {printable(scenario.name)}: {printable(scenario.title)}"
    if scenario.pending is not None:
        note = "the mark `pending` can go" if outcome.good else printable(scenario.pending)
        yield f"           {note}"
    elif not outcome.good:
        yield from (f"           {line}" for line in _details(outcome))


def _details(outcome: Outcome) -> Iterator[str]:
    for what in outcome.complaints:
        first, *more = what.splitlines()
        yield f"! {printable(first)}"
        yield from (f"    {printable(line)}" for line in _first(more))
    expected = [wanted(one) for one in outcome.scenario.incidents]
    yield "expected:" if expected else "expected: no incident"
    yield from (f"  {printable(line)}" for line in _first(expected))
    concluded = [describe(one) for one in outcome.played.incidents]
    yield "concluded:" if concluded else "concluded: no incident"
    yield from (f"  {printable(line)}" for line in _first(concluded))
    yield "timeline:"
    yield from (f"  {line}" for line in _cut(_timeline(outcome)))


def _first(lines: Sequence[str]) -> Iterator[str]:
    """The first few, and how many more."""
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN} more"


def _timeline(outcome: Outcome) -> list[str]:
    """What was heard and what was concluded, by time; at the same instant the message comes first."""
    rows = [(heard.line.at, 0, _heard(heard)) for heard in outcome.played.heard]
    for step in outcome.played.steps:
        when = step.at.timestamp() - EPOCH
        if step.channel is None:
            incident = step.incident
            about = incident.title if step.what != "updated" else incident.summary
            rows.append((when, 1, f"   → {step.what} {incident.kind} {incident.severity}: {about}"))
        else:
            rows.append((when, 1, f"   → told to {step.channel}"))
    return [f"{at(when):<10} {printable(text)}" for when, _, text in sorted(rows, key=lambda row: row[:2])]


def _heard(heard: Heard) -> str:
    found = heard.found
    if found is None:
        return heard.line.text.partition(" ")[2].strip()
    if isinstance(found, Malformed):
        return f"{heard.line.who} {found.transport} malformed: {found.error.reason}"
    return " ".join(part for part in (found.device, found.transport, _said(found)) if part)


def _said(event: Event) -> str:
    if event.event is None:
        return f"a message of no known event ({event.header.mnemonic or event.header.oid})"
    where = event.peer or event.interface or ""
    return f"{event.event} {where}" + (f": {event.reason.text}" if event.reason else "")


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN_FIRST + SHOWN_LAST:
        return lines
    middle = len(lines) - SHOWN_FIRST - SHOWN_LAST
    return [*lines[:SHOWN_FIRST], f"… {middle} more …", *lines[-SHOWN_LAST:]]


def _total(outcomes: list[Outcome]) -> str:
    total = Score()
    for outcome in outcomes:
        total.add(outcome.score)
    pending = [outcome for outcome in outcomes if outcome.scenario.pending is not None]
    failed = [outcome for outcome in outcomes if not outcome.good and outcome.scenario.pending is None]
    good = sum(outcome.good for outcome in outcomes)
    return (
        f"{len(outcomes)} scenarios: {good} ok, {len(failed)} failed, {len(pending)} pending; incidents: precision "
        f"{total.precision:.3f}, recall {total.recall:.3f}; cause {total.cause:.3f}; outages suppressed "
        f"{total.suppressed}"
    )
