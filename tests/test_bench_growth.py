"""The arithmetic of the curves and the flame graphs; what they measure is measured by their tools."""

from collections import Counter
from math import log
from xml.etree import ElementTree

import pytest
from flame import grown as tree
from flame import own, picture
from growth_curve import Grown, row
from growth_curve import picture as curves

SIZES = (10, 100, 1000, 10_000)


@pytest.mark.parametrize(
    ("cost", "exponent", "worse"),
    [(lambda _: 5.0, 0.0, False), (lambda n: log(n), 0.15, False), (lambda n: n, 1.0, True)],
)
def test_what_is_worse_than_a_logarithm_is_said(cost, exponent: float, worse: bool) -> None:
    found = Grown("rows", "µs", SIZES, tuple(map(cost, SIZES)), (0.0,) * 4)
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert found.is_worse is worse is ("WORSE" in row(found))
    ElementTree.fromstring(curves([found] * 5))


def test_a_flame_graph_has_a_frame_for_whatever_was_seen_often_enough() -> None:
    root = tree(
        Counter(
            {"main (a.py:1);Handle._run (b.py:2);f (/x/eventd/parse/a.py:3);g<h> (c.py:4)": 90, "idle (d.py:5)": 10}
        )
    )
    titles = [
        one.text for one in ElementTree.fromstring(picture({"load": root})).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles == ["all  100.0%", "f eventd/parse/a.py:3 90.0%", "g<h> c.py:4 90.0%", "idle d.py:5 10.0%"]
    assert [share for share, _ in own(root)] == [0.9, 0.1]
