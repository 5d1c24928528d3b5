"""Bars as SVG, with nothing but text."""

from collections.abc import Sequence
from html import escape

ROW, GAP, LEFT, WIDTH = 22, 14, 190, 420
STYLE = "text{font:13px sans-serif;fill:#444}.b{fill:#9ab}.o{fill:#c63}"


def svg(bars: Sequence[tuple[str, str, float]], ours: str = "eventd") -> str:
    """A bar for each (group, name, value), as long as its share of the largest value of its group."""
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
            f'<rect class="{"o" if name == ours else "b"}" x="{LEFT}" y="{y}" width="{length}" height="{ROW - 4}"/>'
            f'<text x="{LEFT + length + 6}" y="{y + 15}">{value:,.0f}/s</text>'
        )
        y, last = y + ROW, group
    size = f'width="{LEFT + WIDTH + 90}" height="{y}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(drawn)}</svg>\n'
