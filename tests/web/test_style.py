"""Looks: enough contrast in both schemes, and nothing told by colour alone."""

import re
from pathlib import Path

import pytest

import eventd.web

CSS = Path(eventd.web.__file__).with_name("style.css").read_text()


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


LIGHT, DARK = (colours(block) for block in CSS.split("@media (prefers-color-scheme: dark)")[:2])


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_all_text_has_enough_contrast_in_both_schemes(scheme: dict[str, str]) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    severities = ("critical", "major", "warning", "info", "good", "unknown")
    pairs = [("ink", ground) for ground in ("paper", "card", "banner")]
    pairs += [(text, ground) for text in ("quiet", "link", "critical") for ground in ("paper", "card")]
    pairs += [("badge-ink", severity) for severity in severities]
    for text, ground in pairs:
        assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)


def test_severities_and_states_are_told_in_words_and_not_by_colour_alone() -> None:
    for severity in ("critical", "major", "warning", "info"):
        assert f".badge.{severity}" in CSS
    parts = Path(eventd.web.__file__).with_name("parts.html.j2").read_text()
    assert re.findall(r'class="state \w+">(\w+)<', parts) == ["unknown", "up", "down"]
