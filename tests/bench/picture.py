"""Bars and goals as SVG, with nothing but text."""

from collections.abc import Sequence
from html import escape

from goals import Goal
from results import OURS

ROW, GAP, LEFT, WIDTH = 22, 14, 190, 420
STYLE = "text{font:13px sans-serif;fill:#444}.b{fill:#9ab}.o{fill:#c63}.y{fill:#383}.n{fill:#b22}"


def svg(bars: Sequence[tuple[str, str, float]], goals: Sequence[Goal] = ()) -> str:
    """A bar for each (group, name, value), as long as its share of the largest value of its group; below them a line
    for each goal."""
    largest: dict[str, float] = {}
    for group, _, value in bars:
        largest[group] = max(value, largest.get(group, 0.0))
    drawn, y, last = [], 0, ""
    for group, name, value in bars:
        y += GAP if group != last else 0
        label = f'<text x="0" y="{y + 15}">{escape(group)}</text>' if group != last else ""
        length = max(1, round(WIDTH * value / largest[group]))
        drawn.append(
            f'{label}<text x="100" y="{y + 15}">{escape(name)}</text>'
            f'<rect class="{"o" if name == OURS else "b"}" x="{LEFT}" y="{y}" width="{length}" height="{ROW - 4}"/>'
            f'<text x="{LEFT + length + 6}" y="{y + 15}">{value:,.0f}/s</text>'
        )
        y, last = y + ROW, group
    y += GAP
    for goal in goals:
        told = f"{goal.what}: {goal.found and f'{goal.found}, '}wanted {goal.wanted}, {goal.verdict}"
        kind = "" if goal.by is None else "y" if goal.by >= 1 else "n"
        drawn.append(f'<text class="{kind}" x="0" y="{y + 15}">{escape(told)}</text>')
        y += ROW
    size = f'width="{LEFT + WIDTH + 90}" height="{y}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(drawn)}</svg>\n'
