"""The benchmark's own arithmetic; what it measures is measured by `make bench`."""

import subprocess
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import trial
from about import Clock
from contenders import sec
from contenders.rsyslog import rule
from goals import RATES, SOON, Goal, judge
from growth_curve import Grown
from latency import quantiles
from msgspec import json, structs
from peers import peer
from picture import svg
from report import Report
from results import Borne, Comparison, Growth, Latency, Part, Result, Scraped, Seen, Soaked, Spread, summed, together
from storm import start_line, stop_line


@pytest.mark.parametrize("bears", [150.0, 2_999.0, 20_000.0, 150_000.0])
def test_the_search_finds_the_highest_rate_without_loss(monkeypatch: pytest.MonkeyPatch, bears: float) -> None:
    tried: list[float] = []

    def attempt(_: object, first: int, count: int, rate: float) -> trial.Trial:
        tried.append(rate)
        return trial.Trial(rate, rate <= bears, False, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace(portion=10, first_rate=3000.0, learns=False)
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
    unused: Any = SimpleNamespace(portion=10, first_rate=3000.0, learns=False)
    search = trial.Search(unused, 1.0)
    while not search.over:
        search.step()
    assert search.best is not None
    assert search.best.rate == 50_000
    assert search.open_ended


def test_a_search_whose_tries_are_used_up_has_found_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(_: object, first: int, count: int, rate: float) -> trial.Trial:
        return trial.Trial(rate, rate < 9000, False, 1.0)

    monkeypatch.setattr(trial, "attempt", attempt)
    unused: Any = SimpleNamespace(portion=10, first_rate=3000.0, learns=False)
    search = trial.Search(unused, 1.0)
    for _ in range(2):
        search.step()
    assert search.open_ended
    search.step()
    assert not search.open_ended


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


def _result(load: str, contender: str, rate: float, cpu_us: float, *, open_ended: bool = False) -> Result:
    return Result(load, contender, "", rate, cpu_us, 1.0, open_ended=open_ended)


def _latency(p99: float, told: tuple[float, ...] = ()) -> Latency:
    return Latency("relevant", 0.5, 1500, 0, None, None, Spread(1, p99, 80, 90, 100), told)


def _told(**found: Any) -> dict[str, Goal]:
    return {goal.what: goal for goal in judge(**{"results": [], "latencies": [], **found})}


def test_goals_are_told_by_how_much() -> None:
    results = [
        _result("relevant", "eventd", 3000, 100),
        _result("relevant", "rsyslog", 6000, 20, open_ended=True),
        _result("traps", "eventd", 3000, 100),
        _result("traps", "snmptrapd", 500, 500),
    ]
    told = _told(results=results, latencies=[_latency(50)], tunnels=Growth(100_000, 100, 150, (1.4, 1.5, 1.6)))
    assert told["relevant: rate by rsyslog's"].found == "<= 0.50"
    assert told["relevant: rate by rsyslog's"].verdict == "missed: 0.50 of that (by CPU time 0.20)"
    assert told["traps: rate by snmptrapd's"].verdict == "reached: 1.50 times that (by CPU time 1.25)"
    assert told["relevant: p99 to the commit at 50%"].verdict == "reached: 2.00 times that"
    assert told["100,000 tunnels: CPU per message"].verdict == "missed: 0.83 of that"
    assert told["changes: rate by syslog-ng's"].verdict == "not measured"


def test_no_goal_is_silently_absent() -> None:
    nothing = _told()
    assert {goal.verdict for goal in nothing.values()} == {"not measured"}
    assert len(nothing) == len(RATES) + len(SOON) + 4
    assert all(escape(goal.what) in svg([], [goal]) for goal in nothing.values())


@pytest.mark.parametrize(
    ("without", "beside", "by"),
    [(20.0, 24.0, 1.25), (400.0, 400.0, 1.25), (200.0, 300.0, 1.25 / 1.5), (10.0, 99.0, 20 / 99), (50.0, None, 0.0)],
)
def test_scraping_delays_reception_where_both_bounds_are_passed(
    without: float, beside: float | None, by: float
) -> None:
    tries = [
        tuple(Borne(0 if p99 else 7, 1.0, p99 and Spread(1, p99, 1, 1, 100)) for _ in range(3))
        for p99 in (without, beside)
    ]
    [goal] = [goal for what, goal in _told(scraped=Scraped(20_000, 1.0, *tries, {})).items() if "scraped" in what]
    assert goal.by == pytest.approx(by)


def _soaked(grows: float, seconds: float = 600.0, share: float | None = 0.8, cpu: float = 0.8) -> Soaked:
    """At 1,000 messages/s memory grows by so many bytes for each after the first third, and by much before it."""
    seen = [Seen(float(at), 0.0, cpu, 0.1, 0.1, 0.1, 0, 1.0) for at in range(10, int(seconds) + 1, 10)]
    early = len(seen) // 3
    grown = [
        structs.replace(one, megabytes=200 + one.at_s * 1000 * (grows if place >= early else 50) / 2**20)
        for place, one in enumerate(seen)
    ]
    return Soaked(1250.0, 1000.0, share, seconds, 600_000, 0, 90_000, grown)


def test_memory_is_flat_by_its_slope_after_the_first_third() -> None:
    assert _soaked(4.0).bytes_per_message == pytest.approx(4.0)
    what = next(what for what in _told() if what.startswith("memory"))
    assert _told(soak=_soaked(4.0))[what].by == pytest.approx(2.0)
    assert _told(soak=_soaked(16.0))[what].by == pytest.approx(0.5)
    assert _told(soak=_soaked(0.0, cpu=0.4))[what].verdict == "not measured"
    assert _told(soak=_soaked(0.0, 60.0))[what].verdict == "not measured"
    assert _told(soak=_soaked(0.0, share=None))[what].verdict == "not measured"


def test_curves_that_are_worse_than_a_logarithm_are_counted() -> None:
    flat = Grown("a", "µs", (1, 10), (1.0, 1.0), (0.0, 0.0))
    steep = structs.replace(flat, costs=(1.0, 9.0))
    told = _told(curves=[flat, flat, steep, structs.replace(steep, why="the answer is as long")])
    assert told["growth: no step worse than a logarithm"].found == "2 of 4, 1 have to"


def test_several_rounds_become_medians() -> None:
    rounds = [_result("relevant", name, rate, rate) for rate in (1.0, 9.0, 4.0) for name in ("eventd", "other")]
    ours, other = summed([*rounds, _result("relevant", "other", 100.0, 1.0)])
    assert (ours.rate, ours.rates, other.rate, other.ratio) == (4.0, (1, 9, 4), 6.5, 1.625)
    [one] = together([_latency(p99, (p99,)) for p99 in (30.0, 10.0, 20.0)])
    assert one.committed is not None
    assert (one.committed.p99, sorted(one.told)) == (20.0, [10.0, 20.0, 30.0])


def test_a_percentile_needs_a_sample_beyond_it() -> None:
    assert [str(Spread(1, 2, 3, 4, samples)) for samples in (1, 99, 100, 1000)] == ["-/-/-", "1/-/-", "1/2/-", "1/2/3"]


def test_a_report_is_of_one_commit(tmp_path: Path) -> None:
    found = Comparison(1, {"eventd": "1"}, {}, [_result("relevant", "eventd", 3000, 100)], [_latency(50, (1.0,))])
    clock = Clock()
    clock.write(tmp_path / "compare.json", found)
    clock.write(tmp_path / "soak.json", _soaked(1.0))
    other = structs.replace(clock.about(), commit="0000000")
    (tmp_path / "growth.json").write_bytes(json.encode({"about": other, "found": []}))
    (tmp_path / "parts.json").write_bytes(
        json.encode([Part("compare", "compare.py", clock.about(), 0.1, "ended with 1")])
    )
    report = Report.read(tmp_path)
    report.write(tmp_path)
    assert report.others == ["growth.json is of 0000000"]
    assert sum(goal.by is not None for goal in report.goals) == 2
    text = (tmp_path / "bench.md").read_text()
    assert "| relevant | eventd | 3,000 | | | 100.0 | 1 |" in text
    assert "| growth: no step worse than a logarithm | all curves | | not measured | |" in text
    assert "ended with 1" in text
    assert all(table.title in table.aligned() for table in report.tables() if table.rows)


def test_percentiles_of_a_histogram_between_two_scrapes() -> None:
    before = {'h_bucket{le="0.1"}': 5.0, 'h_bucket{le="1.0"}': 5.0, 'h_bucket{le="+Inf"}': 5.0}
    after = {'h_bucket{le="0.1"}': 95.0, 'h_bucket{le="1.0"}': 105.0, 'h_bucket{le="+Inf"}': 105.0}
    found = quantiles(before, after, "h")
    assert found is not None
    assert (found.p50, found.p99, found.largest) == (pytest.approx(55.6, abs=0.1), pytest.approx(910), 1000)
    assert found.samples == 100
    assert quantiles(before, before, "h") is None
