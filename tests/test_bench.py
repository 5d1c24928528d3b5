"""The benchmark's own arithmetic; what it measures is measured by `make bench`."""

from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import trial
from contenders.rsyslog import rule
from picture import svg
from storm import stop_line


@pytest.mark.parametrize("bears", [150.0, 2_999.0, 20_000.0, 150_000.0])
def test_the_search_finds_the_highest_rate_without_loss(monkeypatch: pytest.MonkeyPatch, bears: float) -> None:
    tried: list[float] = []

    def attempt(_: object, first: int, rate: float, seconds: float) -> trial.Trial:
        tried.append(rate)
        return trial.Trial(rate, rate <= bears, False, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace()
    search = trial.Search(unused, 1.0)
    while not search.over:
        search.step()
    assert search.best is not None
    assert bears / trial.CLOSE <= search.best.rate <= bears
    assert len(tried) <= 15


def test_the_search_ends_where_the_sender_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(_: object, first: int, rate: float, seconds: float) -> trial.Trial:
        return trial.Trial(min(rate, 50_000.0), True, rate > 50_000, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace()
    search = trial.Search(unused, 1.0)
    while not search.over:
        search.step()
    assert search.best is not None
    assert search.best.rate == 50_000


def test_a_rule_takes_every_field() -> None:
    fields = rule(stop_line(7)).count(":char-to:")
    assert fields == stop_line(7).count("=") + 1, "and what stands before them"


def test_the_picture_is_xml_with_a_bar_for_each() -> None:
    root = ElementTree.fromstring(svg([("a<b", "eventd", 1.0), ("a<b", "other", 2.0), ("c", "eventd", 1.0)]))
    assert [int(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")] == [210, 420, 420]
