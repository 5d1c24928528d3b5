"""The benchmark's own arithmetic; what it measures is measured by `make bench`."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import trial
from contenders import sec
from contenders.rsyslog import rule
from goals import judge
from latency import quantiles
from peers import peer
from picture import svg
from results import Growth, Latency, Result, Spread, summed
from storm import start_line, stop_line


@pytest.mark.parametrize("bears", [150.0, 2_999.0, 20_000.0, 150_000.0])
def test_the_search_finds_the_highest_rate_without_loss(monkeypatch: pytest.MonkeyPatch, bears: float) -> None:
    tried: list[float] = []

    def attempt(_: object, first: int, count: int, rate: float) -> trial.Trial:
        tried.append(rate)
        return trial.Trial(rate, rate <= bears, False, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace(portion=10, first_rate=3000.0)
    search = trial.Search(unused, 1.0)
    while not search.over:
        search.step()
    assert search.best is not None
    assert bears / trial.CLOSE <= search.best.rate <= bears
    assert len(tried) <= 15


def test_the_search_ends_where_the_sender_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(_: object, first: int, count: int, rate: float) -> trial.Trial:
        return trial.Trial(min(rate, 50_000.0), True, rate > 50_000, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace(portion=10, first_rate=3000.0)
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


@pytest.mark.peer
def test_sec_keeps_a_context_per_pair_of_gateways(tmp_path: Path) -> None:
    lines = (stop_line(1), stop_line(1), start_line(2), stop_line(2), start_line(1))
    (tmp_path / "lines").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "rules").write_text(sec.rules(tmp_path))
    follow = [f"--conf={tmp_path}/rules", f"--input={tmp_path}/lines", "--notail"]
    subprocess.run([peer("sec"), *follow], check=True, capture_output=True, timeout=30)
    assert len((tmp_path / "out").read_text().splitlines()) == len(lines)
    assert [line.split(" and ")[1] for line in (tmp_path / "alerts").read_text().splitlines()] == [
        "10.0.1.1 is down",
        "10.0.2.1 is down",
        "10.0.1.1 is up again",
    ]


def _result(load: str, contender: str, rate: float, cpu_us: float, *, sender_bound: bool = False) -> Result:
    return Result(load, contender, "", rate, cpu_us, 1.0, sender_bound=sender_bound)


def test_goals_are_told_by_how_much() -> None:
    results = [
        _result("relevant", "eventd", 3000, 100),
        _result("relevant", "rsyslog", 6000, 20, sender_bound=True),
        _result("traps", "eventd", 3000, 100),
        _result("traps", "snmptrapd", 500, 500),
    ]
    spread = Spread(1, 50, 80, 90)
    latency = Latency("relevant", 0.5, 1500, 100, 10, 0, None, None, spread, None)
    told = {goal.what: goal for goal in judge(results, [latency], Growth(100_000, 100, 150, (1.4, 1.5, 1.6)))}
    assert told["relevant: rate by rsyslog's"].found == "<= 0.50"
    assert told["relevant: rate by rsyslog's"].verdict == "missed: 0.50 of that (by CPU time 0.20)"
    assert told["traps: rate by snmptrapd's"].verdict == "reached: 1.50 times that (by CPU time 1.25)"
    assert told["relevant: p99 to the commit at 50%"].verdict == "reached: 2.00 times that"
    assert told["100,000 tunnels: CPU per message"].verdict == "missed: 0.83 of that"
    assert told["changes: rate by syslog-ng's"].verdict == "not measured"


def test_several_rounds_become_medians() -> None:
    rounds = [_result("relevant", name, rate, rate) for rate in (1.0, 9.0, 4.0) for name in ("eventd", "other")]
    ours, other = summed([*rounds, _result("relevant", "other", 100.0, 1.0)])
    assert (ours.rate, ours.rates, other.rate, other.ratio) == (4.0, (1, 9, 4), 6.5, 1.625)


def test_percentiles_of_a_histogram_between_two_scrapes() -> None:
    before = {'h_bucket{le="0.1"}': 5.0, 'h_bucket{le="1.0"}': 5.0, 'h_bucket{le="+Inf"}': 5.0}
    after = {'h_bucket{le="0.1"}': 95.0, 'h_bucket{le="1.0"}': 105.0, 'h_bucket{le="+Inf"}': 105.0}
    found = quantiles(before, after, "h")
    assert found is not None
    assert (found.p50, found.p99, found.largest) == (pytest.approx(55.6, abs=0.1), pytest.approx(910), 1000)
    assert quantiles(before, before, "h") is None
