"""``eventd check --scenarios``: that it says no where it should, and how."""

import asyncio
import contextlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from eventd.cli import main
from eventd.config import load
from eventd.errors import ConfigError
from eventd.registry import load as load_handlers
from eventd.scenarios import Player, judge
from eventd.scenarios.book import read_scenario
from eventd.scenarios.script import ScriptError, lines, moment

HEAD = """title = "t"
why = "w"
"""
TIMELINE = '''until = "+20m"
timeline = """
# up, and then down
+0s   FW1 syslog ipsec.tunnel.start peer=203.0.113.7
+10m  FW1 syslog ipsec.tunnel.stop  peer=203.0.113.7 reason="dpd timeout"
+12m  FW1 syslog ipsec.tunnel.start peer=203.0.113.7
"""
'''
INCIDENT = '[[incident]]\nkind = "tunnel_down"\npeer = "203.0.113.7"\n'
GOOD = HEAD + TIMELINE + INCIDENT


@pytest.fixture
def check(tmp_path: Path) -> Any:
    book = tmp_path / "book"
    book.mkdir()
    config = tmp_path / "eventd.toml"
    config.write_text("")

    def run(text: str, settings: str = "") -> Result:
        (book / "one.toml").write_text(text)
        config.write_text(settings)
        return CliRunner().invoke(main, ["check", "-c", str(config), "--scenarios", str(book)])

    return run


@cache
def player(settings: str = "") -> Player:
    """A player for a configuration; finding the handlers is what takes time."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(settings)
        file.flush()
        config = load(file.name)
    return Player(config, load_handlers(config.handlers))


@pytest.fixture
def complaints(tmp_path: Path) -> Any:
    def run(text: str, settings: str = "") -> str:
        (tmp_path / "one.toml").write_text(text)
        scenario = read_scenario(tmp_path / "one.toml")
        return "\n".join(judge(scenario, asyncio.run(player(settings).play(scenario))).complaints)

    return run


def test_a_good_book(check: Any) -> None:
    result = check(GOOD)
    assert result.exit_code == 0, result.output
    assert "ok       one: t" in result.output
    assert "1 scenarios: 1 ok, 0 failed, 0 pending" in result.output


def test_a_failed_scenario_shows_what_was_expected_concluded_and_heard(check: Any) -> None:
    result = check(GOOD.replace("tunnel_down", "flapping"))
    assert result.exit_code == 1
    for piece in (
        "FAILED   one: t",
        "! missing: flapping peer='203.0.113.7'",
        "! not expected: tunnel_down FW1 203.0.113.7 since +10m",
        "+10m       FW1 syslog-udp ipsec.tunnel.stop 203.0.113.7: dpd timeout",
        "+10m15s       → opened tunnel_down major",
        "+12m5s        → told to console",
    ):
        assert piece in result.output


def test_a_pending_scenario_is_no_failure(check: Any) -> None:
    result = check(HEAD + 'pending = "not built"\n' + TIMELINE + INCIDENT.replace("tunnel_down", "flapping"))
    assert result.exit_code == 0
    assert "pending  one: t" in result.output
    assert "not built" in result.output
    result = check(HEAD + 'pending = "not built"\n' + TIMELINE + INCIDENT)
    assert "ok now" in result.output


@pytest.mark.parametrize(
    "wrong",
    [
        'device = "FW2"',
        'interface = "Dialer1"',
        'vsys = "other"',
        'site = "oslo"',
        "times = 2",
        'began = "+9m"',
        'held = "20s"',
        'told_within = "14s"',
        'over_by = "+12m4s"',
        'not_over_before = "+13m"',
        'severity = "info"',
        'rises_to = "critical"',
        'status = "open"',
        'cause = "peer request"',
        'category = "dns"',
        'fault_side = "remote"',
        "count = 2",
        'parent = "device_outage"',
        "children = 1",
        'witnesses = ["snmp-v2c FW1"]',
        'chain = ["link went down"]',
        'summary = ["peer request"]',
        'actions = ["reinstall"]',
        'told = ["opened"]',
        "told = []",
    ],
)
def test_whatever_is_expected_can_fail(complaints: Any, wrong: str) -> None:
    assert complaints(GOOD + wrong + "\n")


@pytest.mark.parametrize(
    "right",
    [
        'device = "FW?"',
        'interface = "GigabitEthernet0/0/1"',
        'began = "+10m"',
        'held = "15s"',
        'told_within = "15s"',
        'over_by = "+12m5s"',
        'not_over_before = "+12m"',
        'severity = "major"',
        'cause = "DPD timeout"',
        'fault_side = "path"',
        'witnesses = ["syslog-* FW1"]',
        'chain = ["tunnel stopped"]',
        'told = ["opened", "resolved"]',
        '[[messages]]\nwhat = "opened"\nat_most = 1\nat_least = 1',
    ],
)
def test_and_can_be_met(complaints: Any, right: str) -> None:
    assert complaints(GOOD + right + "\n") == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "[[messages]]\nat_most = 1",
        "[[messages]]\nat_least = 3",
        '[[messages]]\nsince = "+11m"\nat_most = 0',
        '[[messages]]\nkind = "tunnel_down"\nuntil = "+11m"\nat_least = 2',
    ],
)
def test_messages_are_counted(complaints: Any, wrong: str) -> None:
    assert "messages, expected at" in complaints(GOOD + wrong + "\n")


def test_nothing_and_rules(complaints: Any) -> None:
    said = complaints(HEAD + "nothing = true\n" + TIMELINE)
    assert "2 messages, expected none; the first at +10m15s" in said
    assert "rule rekey held nothing back" in complaints(HEAD + 'suppressed = ["rekey"]\n' + TIMELINE + INCIDENT)
    quick = TIMELINE.replace("+12m", "+10m5s")
    text = HEAD + 'nothing = true\nnot_suppressed = ["recovered-in-hold"]\n' + quick
    assert "rule recovered-in-hold held something back" in complaints(text)


def test_the_configuration_is_the_one_under_test(complaints: Any) -> None:
    """The same file against another hold and other routes."""
    assert complaints(GOOD, '[correlate]\noutage_hold = "5m"\n')
    assert complaints(HEAD + TIMELINE + '[correlate]\noutage_hold = "5m"\n' + INCIDENT)
    noc = '[[channels]]\nname = "noc"\ntype = "console"\n'
    routes = noc + '[[routes]]\nmatch = {kind = "capacity"}\nchannels = ["noc"]\n'
    assert complaints(GOOD + "told = []\n", routes) == ""
    own = '[[routes]]\nmatch = {kind = "tunnel_down"}\nchannels = ["team"]\n'
    assert complaints(GOOD + own + '[[messages]]\nchannel = "team"\nat_least = 2\n', routes) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = 1\n", "one.toml:1: title: must be text"),
        (GOOD + 'knd = "x"\n', "one.toml:13: incident[0].knd: unknown key (did you mean kind?)"),
        (GOOD.replace("tunnel_down", "tunel_down"), "incident[0].kind: 'tunel_down' is none of tunnel_down"),
        (GOOD.replace("+10m ", "+10 "), "one.toml:7: timeline: '10' is not a duration"),
        (GOOD.replace("reason=", "raeson="), "one.toml:7: timeline: IPSECTUNNELSTOP has no field 'raeson'"),
        (GOOD.replace("ipsec.tunnel.stop ", "ipsec.tunnel.stp"), "one.toml:7: timeline: no event 'ipsec.tunnel.stp'"),
        (GOOD.replace("syslog ipsec.tunnel.stop", "pigeon ipsec.tunnel.stop"), "'pigeon' is no way to tell"),
        (GOOD.replace("203.0.113.7 reason", "203.0.113.777 reason"), "is no address"),
        (GOOD.replace('"+20m"', '"+11m"'), "until: the timeline goes on after it"),
        (HEAD + TIMELINE, "nothing: nothing is expected"),
        (GOOD + '[senders.FW9]\naddress = "192.0.2.9"\n', "senders.FW9: sends nothing in the timeline"),
        (GOOD + "[[messages]]\nchannel = 'x'\n", "messages[0]: at_most or at_least is missing"),
        (GOOD + '[[peers]]\naddress = "nowhere"\n', "peers[0]"),
        (GOOD + '[correlate]\noutage_hld = "1s"\n', "correlate.outage_hld: unknown key (did you mean outage_hold?)"),
        ("title = ", "is not TOML"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(complaints: Any, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        complaints(text)
    assert says in "\n".join(map(str, error.value.problems))


def test_a_book_that_cannot_be_read_is_told_whole(check: Any) -> None:
    result = check(GOOD.replace("+10m ", "+10 ").replace("+0s ", "+0 "))
    assert result.exit_code == 2
    assert "one.toml:6: timeline: '0' is not a duration" in result.output
    assert "one.toml:7: timeline: '10' is not a duration" in result.output
    result = check(GOOD.replace("reason=", "raeson="))
    assert result.exit_code == 2
    assert "one.toml:7: timeline: IPSECTUNNELSTOP has no field 'raeson'" in result.output


MISTAKES = """title = "t"
wy = "w"
until = "soon"
timeline = '''
+0   FW1 syslog ipsec.tunnel.start peer=203.0.113.7
+1m  FW1 syslog ipsec.tunnel.stop peer=203.0.113.777
+2m  FW1 syslog ipsec.tunnel.stpo peer=203.0.113.7
+3m  FW1 pigeon ipsec.tunnel.stop peer=203.0.113.7
'''
[[peers]]
address = "nowhere"
[correlate]
outage_hld = "1s"
[[incident]]
kind = "tunel_down"
told = ["shouted"]
[[incident]]
kind = "tunnel_down"
severity = "grave"
began = "noon"
[[messages]]
channel = "x"
at_most = -1.5
[senders.FW1]
clock_ahead = "long"
"""


def test_all_mistakes_of_all_files_are_told_at_once_each_with_its_line(check: Any, tmp_path: Path) -> None:
    (tmp_path / "book" / "another.toml").write_text(GOOD.replace("reason=", "raeson="))
    result = check(MISTAKES)
    assert result.exit_code == 2
    found = [line.rpartition("/")[2] for line in result.output.splitlines() if "/book/" in line]
    assert found.pop() == "one.toml: why: is missing"
    places = [" ".join(line.split(" ")[:2]) for line in found]
    assert places == [
        "another.toml:7: timeline:",
        *(f"one.toml:{place}:" for place in (
            "2: wy", "3: until", "5: timeline", "6: timeline", "7: timeline", "8: timeline", "11: peers[0].address",
            "13: correlate.outage_hld", "15: incident[0].kind", "16: incident[0].told", "19: incident[1].severity",
            "20: incident[1].began", "23: messages[0].at_most", "25: senders.FW1.clock_ahead",
        )),
    ], result.output  # fmt: skip
    assert "FAILED" not in result.output


def test_a_cause_may_be_named_or_said_as_the_device_or_a_headline_says_it(complaints: Any) -> None:
    cut = """until = "+30m"
timeline = '''
+0s  x8 FW1 syslog ipsec.tunnel.start peer=203.0.113.0+{n} interface=GigabitEthernet0/0/1
+5m  FW1 syslog link.down interface=GigabitEthernet0/0/1
+5m30s x8 FW1 syslog ipsec.tunnel.stop peer=203.0.113.0+{n} reason="dpd timeout" interface=GigabitEthernet0/0/1
'''
untold_others = true
[[incident]]
kind = "interface_outage"
"""
    for cause in ("link.down", "link went down", "Link went down (GigabitEthernet0/0/1)", "link went down*"):
        assert complaints(HEAD + cut + f'cause = "{cause}"\n') == "", cause
    for cause in ("link", "went down", "dpd timeout"):
        assert "cause is 'link went down" in complaints(HEAD + cut + f'cause = "{cause}"\n'), cause
        assert f"(name 'link.down', category peer-unreachable), expected '{cause}'" in complaints(
            HEAD + cut + f'cause = "{cause}"\n'
        )


def test_what_a_text_says_instead_is_shown_whole_a_line_each(check: Any) -> None:
    result = check(GOOD + 'actions = ["call the carrier"]\nsummary = ["' + "x" * 300 + '"]\n')
    assert result.exit_code == 1
    lines = result.output.splitlines()
    at = next(n for n, line in enumerate(lines) if line.endswith("actions does not say 'call the carrier'; it says"))
    assert lines[at + 1].startswith(" " * 15)
    assert lines[at + 2].startswith(" " * 15)
    assert f"summary does not say {'x' * 300!r}; it says" in result.output


def test_of_a_large_scenario_that_fails_the_first_differences_are_shown_and_the_rest_counted(check: Any) -> None:
    stops = "".join(
        f'+{n}h FW{n} syslog ipsec.tunnel.stop peer=203.0.113.{n} reason="dpd timeout"\n' for n in range(1, 51)
    )
    result = check(HEAD + f'nothing = true\nuntil = "+60h"\ntimeline = """\n{stops}"""\n')
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines()]
    assert sum(line.startswith("! not expected") for line in lines) == 12
    assert "! … and 39 more" in lines  # of 51 complaints
    assert "and 38 more" in lines  # of 50 incidents
    assert len(lines) < 90


def test_a_folder_without_files(tmp_path: Path) -> None:
    (tmp_path / "eventd.toml").write_text("")
    result = CliRunner().invoke(
        main, ["check", "-c", str(tmp_path / "eventd.toml"), "--scenarios", str(tmp_path / "x")]
    )
    assert result.exit_code == 2
    (tmp_path / "x").mkdir()
    result = CliRunner().invoke(
        main, ["check", "-c", str(tmp_path / "eventd.toml"), "--scenarios", str(tmp_path / "x")]
    )
    assert result.exit_code == 2
    assert "no *.toml file" in result.output


def test_a_restart_loses_what_comes_meanwhile(complaints: Any) -> None:
    lost = TIMELINE.replace("+12m  FW1", "+11m50s eventd restart 20s\n+12m  FW1")
    assert complaints(HEAD + lost + INCIDENT + 'status = "open"\n') == ""
    kept = TIMELINE.replace("+12m  FW1", "+11m50s eventd restart 5s\n+12m  FW1")
    assert complaints(HEAD + kept + INCIDENT + 'status = "resolved"\n') == ""


def test_an_act_for_which_there_is_nothing_is_a_failure(complaints: Any) -> None:
    for act in ("ack peer=203.0.113.8", "clear kind=capacity", "unsilence"):
        text = HEAD + TIMELINE.replace("+12m  FW1", f"+11m operator {act}\n+12m  FW1") + INCIDENT
        assert complaints(text) == f"there was nothing for: +11m operator {act}"
    assert complaints(HEAD + TIMELINE.replace("+12m  FW1", "+11m operator ack\n+12m  FW1") + INCIDENT) == ""


# --- the lines of a timeline -----------------------------------------------------------------------------------------


def test_repetition() -> None:
    made = list(lines(1, "+10s..20s x3 FW1 trap ipsec.tunnel.stop peer=10.0.0.254+{n} rule={n}"))
    assert [line.at for line in made] == [10, 15, 20]
    assert [line.fields for line in made] == [
        {"peer": "10.0.0.255", "rule": "1"},
        {"peer": "10.0.1.0", "rule": "2"},
        {"peer": "10.0.1.1", "rule": "3"},
    ]
    assert len(list(lines(1, "+0.5s..1.5s x2 FW1 again"))) == 2
    assert list(lines(1, "   ")) == list(lines(1, "# +0s FW1 again")) == []


@pytest.mark.parametrize(
    "line",
    [
        "FW1 syslog x",
        "+5s..1s x2 FW1 again",
        "+1s..5s FW1 again",
        "+1s x0 FW1 again",
        "+1s x99999 FW1 again",
        "+1s eventd explode",
        "+1s eventd restart soon",
        "+1s operator dance",
        "+1s operator",
        "+1s operator silence device=FW1",
        "+1s operator ack color=red",
        "+1s operator clear for=1h",
        "+1s FW1 syslog",
        "+1s FW1 syslog/Z a",
        "+1s FW1 syslog/A/x a",
        "+1s FW1 trap/v9 a",
        "+1s FW1 hex 3",
        '+1s FW1 syslog a b="',
        "+1s FW1 syslog a b",
        "+1s FW1 syslog a b=1 b=2",
        "+1s FW1 syslog a seq=x",
        "+1s FW1 syslog a sent=5s",
        "+1s x2 FW1 syslog a peer=255.255.255.254+{n}",
        "+31d FW1 again",
    ],
)
def test_what_is_no_line(line: str) -> None:
    with pytest.raises(ScriptError):
        list(lines(1, line))


@given(st.text(alphabet="+0159smhx.{}n =\"'#/\\ FWtrapsyslograwhexeventdrestart\u00e9", max_size=60))
def test_any_line_is_lines_or_a_complaint(text: str) -> None:
    with contextlib.suppress(ScriptError):
        assert all(line.at >= 0 for line in lines(1, text))


@given(st.floats(0, 1e6).map(lambda seconds: round(seconds, 3)))
def test_a_moment_is_what_it_says(seconds: float) -> None:
    assert moment(f"+{seconds:.3f}s") == pytest.approx(seconds)


def test_the_order_of_the_lines_is_that_of_their_times(tmp_path: Path) -> None:
    text = GOOD.replace("+0s   FW1", "+1m30s FW1 again\n+0s   FW1")
    (tmp_path / "a.toml").write_text(text)
    assert [line.at for line in read_scenario(tmp_path / "a.toml").script] == [0, 90, 600, 720]
    (tmp_path / "b.toml").write_text(text.replace("+1m30s", "+1x"))
    with pytest.raises(ConfigError):
        read_scenario(tmp_path / "b.toml")
