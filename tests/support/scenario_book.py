"""The scenario book of the repository, played once, and the page that lists its results.

``python tests/support/scenario_book.py`` (``make scenarios``) writes ``docs/scenarios.md``; with ``--check`` it only
says whether that page is up to date.
"""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from eventd.config import load
from eventd.registry import load as load_handlers
from eventd.scenarios import Outcome, Player, Scenario, judge
from eventd.scenarios.book import read_scenario
from eventd.scenarios.verdict import Score
from eventd.telemetry import setup_logging

ROOT = Path(__file__).parent.parent.parent
BOOK = ROOT / "tests/scenarios"
PAGE = ROOT / "docs/scenarios.md"
HEAD = """# Scenarios

What eventd concludes from situations that networks get into, written down as tests: `make scenarios` plays every file
of [tests/scenarios](../tests/scenarios) on the built-in configuration and writes this page; a test fails when it is out
of date. The expectations are what an experienced engineer wants to be told, not what the program happened to print. The
format is described in [scenario-format.md](scenario-format.md), and you can keep a book of your own.

*Precision*: of the incidents concluded, the share that was expected, by identity (kind, device, peer, interface, vsys,
site). *Recall*: of those expected, the share that was concluded. *Cause*: where a scenario names the cause, how often
that was the one shown at the end. *Outages suppressed*: outages somebody had to be told of and nobody was. The goal is
0.98 and 0. A scenario is *pending* when it shows a fault or a rule that is not built yet, and says so.
"""


@cache
def player() -> Player:
    """One for all scenarios: to find the handlers takes as long as to play fifty of them."""
    config = load(None)
    return Player(config, load_handlers(config.handlers))


def scenario(name: str) -> Scenario:
    """One scenario, as it is written."""
    return read_scenario(BOOK / f"{name}.toml", name)


@cache
def outcome(name: str) -> Outcome:
    """One scenario, played."""
    written = scenario(name)
    end_logging = setup_logging(json=False, level="critical")
    try:
        return judge(written, asyncio.run(player().play(written)))
    finally:
        end_logging()


def names() -> list[str]:
    """Of all scenarios, in order."""
    return sorted(file.relative_to(BOOK).with_suffix("").as_posix() for file in BOOK.rglob("*.toml"))


def outcomes() -> dict[str, Outcome]:
    """Every scenario by name, played."""
    return {name: outcome(name) for name in names()}


def total(some: Iterable[Outcome]) -> Score:
    """The scores of several together."""
    score = Score()
    for outcome in some:
        score.add(outcome.score)
    return score


def page(played: Sequence[Outcome]) -> str:
    """The whole page."""
    return HEAD + "\n".join([*_figures(played), *_table(played)]) + "\n"


def _figures(played: Sequence[Outcome]) -> Iterator[str]:
    settled = [outcome for outcome in played if outcome.scenario.pending is None]
    yield from ("", "| | scenarios | incidents expected | precision | recall | cause | outages suppressed |")
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, some in (("without those pending", settled), ("all", played)):
        score = total(some)
        figures = " | ".join(f"{value:.3f}" for value in (score.precision, score.recall, score.cause))
        yield f"| {name} | {len(some)} | {score.right + score.missed} | {figures} | {score.suppressed} |"


def _table(played: Sequence[Outcome]) -> Iterator[str]:
    for group in dict.fromkeys(_group(outcome) for outcome in played):
        some = [outcome for outcome in played if _group(outcome) == group]
        yield from (
            "",
            f"## {group.capitalize()} ({len(some)})",
            "",
            "| scenario | what | result |",
            "| --- | --- | --- |",
        )
        for outcome in some:
            name = outcome.scenario.name
            yield f"| [{name}](../tests/scenarios/{name}.toml) | {_cell(outcome.scenario.title)} | {_result(outcome)} |"


def _group(outcome: Outcome) -> str:
    return outcome.scenario.name.partition("-")[0]


def _result(outcome: Outcome) -> str:
    pending = outcome.scenario.pending
    if pending is None:
        return "ok" if outcome.good else "**failed**"
    return f"pending: {_cell(pending)}" + (" (passes now)" if outcome.good else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    played = list(outcomes().values())
    text = page(played)
    failed = [outcome for outcome in played if not outcome.good and outcome.scenario.pending is None]
    for outcome in failed:
        sys.stdout.write("\n".join([f"{outcome.scenario.name}:", *outcome.complaints]) + "\n")
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.stdout.write("docs/scenarios.md is not what the scenarios say: run `make scenarios`\n")
        return 1
    sys.stdout.write(f"{len(played)} scenarios, {len(failed)} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
