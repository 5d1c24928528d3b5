"""Writes docs/rules.md from the rules themselves: ``python tests/support/rules_page.py`` (or ``make rules``)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from eventd.correlate.explain import WAITS
from eventd.correlate.rules import SUPPRESSING, TELLING, Rule, worded
from eventd.correlate.settings import Settings

PAGE = Path(__file__).parents[2] / "docs/rules.md"

HEAD = """# The rules

Written by `make rules` from `eventd/correlate/rules.py`; do not edit. Numbers are the defaults of `[correlate]`;
`eventd explain`, `/why` and `GET /api/v1/explain` say the same with the settings in force, for one peer, device or
incident. [incidents.md](incidents.md) tells the whole story, [operating.md](operating.md) what people can do.
"""
TELLS = "## Rules after which somebody is told"
HOLDS = (
    "## Rules after which nobody is told\n\nEach is counted in `eventd_suppressed_total{rule}`. So is `flapping` from "
    "above: what was held back\nwhen the flapping began is told with it, and not by itself."
)
TIMERS = "## Timers\n\nWhat `explain` lists under what it waits for."


def page() -> str:
    """The whole page."""
    parts = [HEAD, TELLS, _table(TELLING), HOLDS, _table(SUPPRESSING), TIMERS, _rows(("timer", "means"), _timers())]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _table(rules: Mapping[str, Rule]) -> str:
    settings = Settings()
    rows = (
        (f"`{name}`", worded(rule.concludes, settings), worded(rule.unless, settings)) for name, rule in rules.items()
    )
    return _rows(("rule", "concludes", "unless"), rows)


def _timers() -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", means) for name, means in WAITS.items())


def _rows(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
