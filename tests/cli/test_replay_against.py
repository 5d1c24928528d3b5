"""``eventd replay --against``: what another configuration would have changed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from storm import mixture, start_line, stop_line

from eventd.cli import main
from eventd.cli.compared import told_apart
from eventd.model import Message
from eventd.parse.recording import format_line

START = 1_790_000_000.0  # 2026-09-21T14:13:20Z
CHANNELS = '[[channels]]\nname = "desk"\ntype = "console"\n'
PATIENT = '[correlate]\noutage_hold = "60s"\n'


def recording(*lines: tuple[float, str]) -> bytes:
    ordered = sorted(lines)
    return b"".join(
        format_line(Message("syslog-udp", "192.0.2.1", 514, START + at, text.encode())) for at, text in ordered
    )


def outage(number: int, at: float, lasts: float, reason: str = "dpd timeout") -> list[tuple[float, str]]:
    return [(at, stop_line(number, reason)), (at + lasts, start_line(number))]


#: Two short outages and a long one, far enough apart to be no group.
STORM = recording(*outage(1, 0, 32), *outage(2, 400, 32), *outage(3, 800, 300))


@pytest.fixture
def compare(tmp_path: Path):
    def run(config: str, against: str, data: bytes, *options: str) -> Result:
        (tmp_path / "now.toml").write_text(config)
        (tmp_path / "then.toml").write_text(against)
        (tmp_path / "input").write_bytes(data)
        paths = ["-c", tmp_path / "now.toml", "--against", tmp_path / "then.toml", *options, tmp_path / "input"]
        return CliRunner().invoke(main, ["replay", *map(str, paths)])

    return run


def objects(result: Result) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert result.exit_code == 0, result.output
    *found, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert summary["what"] == "summary"
    return found, summary


def test_a_longer_hold_lets_short_outages_pass_and_tells_the_long_one_later(compare) -> None:
    found, summary = objects(compare(CHANNELS, CHANNELS + PATIENT, STORM))
    assert [(one["what"], one["under"], one["peer"], one["judged"]) for one in found] == [
        ("only", "config", "10.0.1.1", ["recovered-in-hold"]),
        ("only", "config", "10.0.2.1", ["recovered-in-hold"]),
        ("differs", None, "10.0.3.1", []),
    ]
    assert found[0]["config"]["told"] == {"desk": 2}
    assert found[0]["against"] is None
    long = found[2]
    assert long["parts"] == ["announced_at"]
    assert (long["config"]["announced_at"], long["against"]["announced_at"]) == (
        "2026-09-21T14:26:55Z",
        "2026-09-21T14:27:40Z",
    )
    assert summary["incidents"] == {"same": 0, "differ": 1, "only_config": 2, "only_against": 0}
    assert summary["told"] == {"desk": {"config": 6, "against": 2}}
    assert summary["suppressed"] == {"recovered-in-hold": {"config": 0, "against": 2}}
    assert summary["opened"] == {"tunnel_down": {"config": 3, "against": 1}}
    assert summary["config"]["messages"] == summary["against"]["messages"] == 6


def test_the_other_way_round_it_is_the_same_difference(compare) -> None:
    found, summary = objects(compare(CHANNELS + PATIENT, CHANNELS, STORM))
    assert [(one["what"], one["under"]) for one in found] == [("only", "against")] * 2 + [("differs", None)]
    assert found[0]["judged"] == ["recovered-in-hold"]
    assert summary["told"] == {"desk": {"config": 2, "against": 6}}


def test_each_run_says_what_replay_alone_says(compare, tmp_path: Path) -> None:
    _, summary = objects(compare(CHANNELS, CHANNELS + PATIENT, STORM))
    for side, name in (("config", "now.toml"), ("against", "then.toml")):
        paths = map(str, ("-c", tmp_path / name, tmp_path / "input"))
        alone = CliRunner().invoke(main, ["replay", *paths]).stdout.splitlines()[-1]
        assert summary[side] == json.loads(alone)


def test_other_routes_change_who_is_told(compare) -> None:
    other = CHANNELS + '[[channels]]\nname = "pager"\ntype = "console"\n[[routes]]\nchannels = ["pager"]\n'
    found, summary = objects(compare(CHANNELS, other, STORM))
    assert {tuple(one["parts"]) for one in found} == {("told",)}
    assert (found[0]["config"]["told"], found[0]["against"]["told"]) == ({"desk": 2}, {"pager": 2})
    assert summary["told"] == {"desk": {"config": 6, "against": 0}, "pager": {"config": 0, "against": 6}}


def test_planned_work_is_named_as_what_kept_it(compare) -> None:
    window = '[[maintenance]]\nreason = "x"\nmatch = { device = "FW1" }\n'
    window += "start = 2026-09-21T14:00:00Z\nend = 2026-09-21T15:00:00Z\n"
    found, _ = objects(compare(CHANNELS, CHANNELS + window, recording(*outage(1, 0, 100))))
    [one] = found
    assert one["parts"] == ["told", "kept"]
    assert (one["against"]["told"], one["against"]["kept"]) == ({}, {"maintenance": 1})


def test_one_incident_in_place_of_others_is_named(compare) -> None:
    ups_and_downs = [line for at in range(0, 400, 80) for line in outage(1, at, 40)]
    lines = recording(*ups_and_downs)
    found, _ = objects(compare(CHANNELS, CHANNELS + "[correlate]\nflap_count = 100\n", lines))
    flapping = [one for one in found if one["kind"] == "flapping"]
    assert [(one["under"], bool(one["instead"])) for one in flapping] == [("config", True)]
    theirs = {one["against"]["id"] for one in found if one["against"]}
    assert set(flapping[0]["instead"]) & theirs


def test_the_same_configuration_differs_in_nothing(compare) -> None:
    result = compare(CHANNELS, CHANNELS, STORM)
    assert objects(result)[0] == []
    text = compare(CHANNELS, CHANNELS, STORM, "-f", "text")
    assert text.exit_code == 0
    assert text.stdout.startswith("3 incidents the same, 0 not, ")


def test_text_puts_alike_together_and_is_harmless_for_a_terminal(compare) -> None:
    lines = [line for n in range(1, 10) for line in outage(n, n * 400, 20 + n)]
    hostile = [(at, line.replace("FW1", "F\x1b[2JW")) for at, line in outage(9, 4400, 300)]
    text = compare(CHANNELS, CHANNELS + PATIENT, recording(*lines, *hostile), "-f", "text").stdout
    head, *rest = text.splitlines()
    assert head == "only under now.toml, tunnel_down: 9 incidents"
    assert rest[0] == "  major, told desk 18×"
    assert rest[1] == "  then.toml: judged recovered-in-hold"
    assert rest[2] == "  - 2026-09-21 14:20:00  FW1  10.0.1.1 down on FW1: dpd timeout, since 14:20 UTC"
    assert rest[7] == "  and 4 more"
    assert "opened 45 s later" in text
    assert "\x1b" not in text
    assert any(line.split() == ["suppressed", "recovered-in-hold", "0", "9", "+9"] for line in text.splitlines())


def test_the_same_input_gives_the_same_bytes(compare, tmp_path: Path) -> None:
    messages = (
        Message("snmp-v2c" if way == "snmp" else "syslog-udp", f"192.0.2.{n % 9 + 1}", 514, START + n * 0.7, payload)
        for n, (way, payload) in enumerate(mixture(120, garbage=0.1))
    )
    objects(compare(CHANNELS, CHANNELS + PATIENT, b"".join(map(format_line, messages))))
    files = ["-c", tmp_path / "now.toml", "--against", tmp_path / "then.toml"]
    for form in ("json", "text"):
        command = [sys.executable, "-m", "eventd", "replay", *files, "-f", form, tmp_path / "input"]
        runs = [
            subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
            for seed in ("0", "4711")
        ]
        assert runs[0] == runs[1]
        assert len(runs[0].splitlines()) > 20


def test_every_problem_of_both_configurations_is_told(compare) -> None:
    result = compare("[storr]\n", "[webb]\n", b"")
    assert result.exit_code == 2
    assert "2 problems found" in result.stderr
    assert "now.toml" in result.stderr
    assert "then.toml" in result.stderr


def test_a_missing_file_is_a_failure(compare, tmp_path: Path) -> None:
    result = compare(CHANNELS, CHANNELS + PATIENT, STORM, str(tmp_path / "missing"))
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[-1])["incidents"]["only_config"] == 2


def test_configurations_are_named_as_short_as_they_differ() -> None:
    assert told_apart("/etc/eventd/eventd.toml", "patient.toml") == ("eventd.toml", "patient.toml")
    assert told_apart("/etc/a/eventd.toml", "/etc/b/eventd.toml") == ("a/eventd.toml", "b/eventd.toml")
    assert told_apart("same.toml", "same.toml") == ("same.toml", "same.toml")
    assert told_apart("a/b", "b") == ("a/b", "b")
