"""``eventd replay``: the same input gives the same bytes, in the order of virtual time, and the ledger balances."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import packets
import pytest
from click.testing import CliRunner, Result
from storm import IRRELEVANT, fail_line, mixture, start_line, stop_line, stop_trap

from eventd.cli import main
from eventd.model import Message
from eventd.parse.recording import format_line

START = 1_790_000_000.0  # 2026-09-21T14:13:20Z
EVENTD = [sys.executable, "-m", "eventd", "replay"]
BASE = """
[[channels]]
name = "desk"
type = "console"
[[channels]]
name = "pager"
type = "webhook"
url = "http://192.0.2.1:9/"
[[routes]]
match = { severity = "critical" }
channels = ["pager"]
[[routes]]
channels = ["desk"]
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def told(result: Result) -> list[tuple[str, str, str | None]]:
    return [(one["at"], one["what"], one["channel"]) for one in objects(result) if one["what"] != "summary"]


def udp(seconds: float, text: str, source: str = "192.0.2.1") -> Message:
    return Message("syslog-udp", source, 514, START + seconds, text.encode())


def recording(*messages: Message) -> bytes:
    return b"".join(map(format_line, messages))


OUTAGE = (udp(0, stop_line(1)), udp(100, start_line(1)))
STORY = [
    ("2026-09-21T14:13:35Z", "opened", None),
    ("2026-09-21T14:13:35Z", "notified", "console"),
    ("2026-09-21T14:15:00Z", "updated", None),
    ("2026-09-21T14:15:05Z", "resolved", None),
    ("2026-09-21T14:15:05Z", "notified", "console"),
]


@pytest.fixture
def file(tmp_path: Path):
    def make(data: bytes | str, name: str = "input") -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def balance(summary: dict[str, Any]) -> None:
    assert summary["messages"] == summary["parsed"] + sum(summary["rejected"].values())
    assert summary["parsed"] == sum(summary["events"].values()) + summary["unrecognised"]
    assert sum(summary["events"].values()) == summary["correlated"] + summary["duplicates"]
    assert summary["incidents"]["opened"] == sum(summary["incidents"]["kinds"].values())
    assert summary["incidents"]["opened"] == summary["incidents"]["resolved"] + summary["incidents"]["open"]


def test_what_waits_for_an_escalation_is_told_by_the_outage_of_many_that_it_has_become_part_of(file) -> None:
    waits = BASE.replace('match = { severity = "critical" }', 'after = "2m"\ncontinue = true')
    stops = [udp(10 * n, stop_line(n + 1)) for n in range(6)]
    starts = [udp(1000 + n, start_line(n + 1)) for n in range(6)]
    found = objects(run("-c", file(waits, "c.toml"), file(recording(*stops, *starts))))
    told = [(one["channel"], one["incident"]["kind"]) for one in found if one["what"] == "notified"]
    assert told.count(("desk", "tunnel_down")) == 2, "the first was told before there was an outage of many"
    assert [kind for channel, kind in told if channel == "pager"] == ["interface_outage"] * 2


def test_an_outage_is_told_at_its_own_time_and_the_summary_is_last(file) -> None:
    result = run(file(recording(*OUTAGE)))
    assert told(result) == STORY
    found = objects(result)
    assert all(list(one)[:4] == ["at", "what", "incident", "channel"] for one in found[:-1])
    assert found[0]["incident"]["peer"] == "10.0.1.1"
    assert found[0]["incident"]["cause"]["text"] == "dpd timeout"
    assert "10.0.1.1 down" in found[1]["text"]
    assert found[-1] == {
        "what": "summary",
        "messages": 2,
        "parsed": 2,
        "rejected": {},
        "unrecognised": 0,
        "events": {"ipsec.tunnel.start": 1, "ipsec.tunnel.stop": 1},
        "correlated": 2,
        "duplicates": 0,
        "suppressed": {},
        "incidents": {"opened": 1, "resolved": 1, "open": 0, "kinds": {"tunnel_down": 1}},
        "notifications": {"console": 2},
        "unreadable": 0,
        "defects": 0,
        "first": "2026-09-21T14:13:20Z",
        "last": "2026-09-21T14:15:00Z",
        "until": found[-1]["until"],
    }


CHATTY = """
[[channels]]
name = "desk"
type = "console"
color = true
[[channels]]
name = "chat"
type = "slack"
url = "https://hooks.slack.example/secret"
template_file = "chat.j2"
[[channels]]
name = "pager"
type = "webhook"
url = "http://192.0.2.1:9/"
"""


def test_a_notification_has_the_text_that_its_channel_would_send(file) -> None:
    config = file(CHATTY, "eventd.toml")
    file("*{{ state }}* <{{ incident.peer or '-' }}> {{ '@here' }}\n\n{{ 1 // (chain | length) }}", "chat.j2")
    unusable = run("-c", config, file(recording(*OUTAGE)))
    assert (unusable.exit_code, "shown in its plain form: channels.chat" in unusable.stderr) == (0, True)
    assert "template_file" in unusable.stderr, "its all-clear has no chain"
    file("*{{ state }}* <{{ incident.peer or '-' }}> {{ '@here' }}\n\n{{ headline }}", "chat.j2")
    found = [one for one in objects(run("-c", config, file(recording(*OUTAGE)))) if one["what"] == "notified"]
    texts = {(one["channel"], one["incident"]["status"]): one["text"] for one in found}
    assert texts["chat", "open"].splitlines()[0] == "*MAJOR* <10.0.1.1> @\u2060here"
    assert texts["chat", "resolved"].splitlines()[0] == "*RESOLVED* <10.0.1.1> @\u2060here"
    assert "Next steps:" in texts["desk", "open"]
    assert "\x1b" not in texts["desk", "open"]
    assert "\nIncident " in texts["pager", "open"], "it sends no text for people: plain"


def test_a_template_that_fails_for_one_incident_falls_back_to_plain_as_the_channel_does(file) -> None:
    config = file(CHATTY, "eventd.toml")
    file("{{ headline if incident.device == 'eventd-test' else 1 // 0 }}", "chat.j2")
    found = objects(run("-c", config, file(recording(*OUTAGE))))
    chat = next(one for one in found if one["what"] == "notified" and one["channel"] == "chat")
    assert f"Incident {chat['incident']['id']}" in chat["text"].splitlines()
    assert found[-1]["defects"] == 0


def test_texts_stand_below_the_line_of_their_notification(file) -> None:
    shown = run("-f", "text", "--texts", file(recording(*OUTAGE))).stdout.splitlines()
    at = next(number for number, line in enumerate(shown) if "  notified  " in line)
    assert shown[at + 1].startswith("  | MAJOR")
    assert run("--texts", file(recording(*OUTAGE))).exit_code == 2
    assert "  | " not in run("-f", "text", file(recording(*OUTAGE))).stdout


@pytest.mark.parametrize("arguments", ["", "-f text --texts"])
def test_a_reader_that_has_seen_enough_is_no_defect(file, arguments: str) -> None:
    """Steps are written while the pipeline runs, which takes whatever fails in it for a bug of eventd."""
    messages = [
        udp(300 * n + m, line(n % 7 + 1)) for n in range(200) for m, line in ((0, stop_line), (100, start_line))
    ]
    path = file(recording(*messages))
    shell = f"{' '.join(EVENTD)} {arguments} {path} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_routes_and_timers_of_the_configuration_are_used(file) -> None:
    config = file(BASE + '[correlate]\noutage_hold = "1s"\nrecovery_hold = "2s"\n', "eventd.toml")
    assert told(run("-c", config, file(recording(*OUTAGE)))) == [
        ("2026-09-21T14:13:21Z", "opened", None),
        ("2026-09-21T14:13:21Z", "notified", "desk"),
        ("2026-09-21T14:15:00Z", "updated", None),
        ("2026-09-21T14:15:02Z", "resolved", None),
        ("2026-09-21T14:15:02Z", "notified", "desk"),
    ]


def test_what_stays_open_is_followed_for_a_day_and_no_longer(file) -> None:
    found = objects(run(file(recording(OUTAGE[0]))))
    assert found[-1]["incidents"]["open"] == 1
    times = [one["at"] for one in found[:-1]]
    assert times == sorted(times)
    assert "2026-09-22T10:00" < times[-1] <= "2026-09-22T14:13:20Z"
    assert found[-1]["until"] == times[-1]


def test_several_files_are_one_story_whatever_their_order(file, tmp_path: Path) -> None:
    first, second = file(recording(OUTAGE[0]), "b"), file(recording(OUTAGE[1]), "a")
    assert run(first, second).stdout_bytes == run(second, first).stdout_bytes
    assert told(run(second, first)) == STORY
    assert told(run(file(recording(*reversed(OUTAGE)), "turned"))) == STORY


def mixed(count: int = 400) -> bytes:
    ways = {"udp": "syslog-udp", "tcp": "syslog-tcp", "snmp": "snmp-v2c"}
    return recording(
        *(
            Message(ways[way], f"192.0.2.{n % 9 + 1}", 514, START + n * 0.7, payload)
            for n, (way, payload) in enumerate(mixture(count, garbage=0.1))
        )
    )


@pytest.mark.conformance("RFC 5424 §8.5", "a replay gives the same bytes and a balanced ledger")
def test_the_same_input_gives_the_same_bytes_and_a_balanced_ledger(file) -> None:
    path = file(mixed())
    config = file(BASE, "eventd.toml")
    runs = [
        subprocess.run(
            [*EVENTD, "-c", config, path], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("0", "4711")
    ]
    assert runs[0].stdout == runs[1].stdout
    lines = runs[0].stdout.splitlines()
    times = [json.loads(line)["at"] for line in lines[:-1]]
    assert len(times) > 100
    summary = json.loads(lines[-1])
    balance(summary)
    assert summary["messages"] == 400
    assert summary["rejected"]
    assert summary["unrecognised"] > 100
    assert summary["defects"] == 0
    assert runs[0].stderr == b""


def test_times_never_go_back(file) -> None:
    found = objects(run(file(mixed(300))))
    # Whole seconds are printed without fraction, so that text does not sort: compare up to the second.
    times = [one["at"][:19] for one in found[:-1]]
    assert times == sorted(times)


def test_nothing_is_opened_and_nothing_is_left_on_disk(file, tmp_path: Path) -> None:
    """Not even a socket to a channel: an audit hook sees every attempt, whichever library makes it."""
    script = (
        "import sys\n"
        "def hook(name, args):\n"
        "    if name in ('socket.connect', 'socket.bind', 'socket.sendto', 'socket.getaddrinfo', 'sqlite3.connect'):\n"
        "        sys.stderr.write(f'{name} {args}')\n"
        "        raise SystemExit(9)\n"
        "from eventd.cli import main\n"
        "sys.addaudithook(hook)\n"
        "main()\n"
    )
    config = file(BASE.replace('severity = "critical"', 'severity = "major"'), "eventd.toml")
    path, empty = file(recording(*OUTAGE)), tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, "replay", "-c", config, path], cwd=empty, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"channel":"pager"' in done.stdout
    assert list(empty.iterdir()) == []


# --- other inputs ----------------------------------------------------------------------------------------------------


def test_bare_lines_count_as_received_when_their_device_says(file) -> None:
    story = told(run(file(stop_line(1) + "\n" + start_line(1).replace("04:00:00", "04:01:40") + "\n")))
    assert [at for at, _, _ in story] == [at.replace("-09-21T14:1", "-11-21T04:0") for at in SHIFTED]


SHIFTED = [
    "2026-09-21T14:10:15Z",
    "2026-09-21T14:10:15Z",
    "2026-09-21T14:11:40Z",
    "2026-09-21T14:11:45Z",
    "2026-09-21T14:11:45Z",
]


def test_bare_lines_are_read_under_the_clock_rule_of_their_device(file) -> None:
    peers = '[[devices]]\nname = "FW1"\ntime_zone = "Asia/Shanghai"\nclock = "local"\n'
    file(peers, "peers.toml")
    config = file('inventory = "peers.toml"\n', "eventd.toml")
    [at, *_] = [at for at, _, _ in told(run("-c", config, file(stop_line(1))))]
    assert at == "2026-11-20T20:00:15Z"


def test_what_says_nothing_of_its_time_follows_the_line_before_or_the_start(file) -> None:
    timeless = stop_trap(2).hex()
    recorded = format_line(udp(5_270_000, stop_line(4))).decode()  # 2026-11-21T14:06:40Z
    path = file(timeless + "\n" + stop_line(1) + "\n" + stop_trap(3).hex() + "\n" + recorded + stop_trap(5).hex())
    opened = [(one["at"], one["incident"]["peer"]) for one in objects(run(path)) if one["what"] == "opened"]
    assert opened == [
        ("2026-11-21T04:00:15Z", "10.0.2.1"),
        ("2026-11-21T04:00:15Z", "10.0.1.1"),
        ("2026-11-21T04:00:15Z", "10.0.3.1"),
        ("2026-11-21T14:06:55Z", "10.0.4.1"),
        ("2026-11-21T14:06:55Z", "10.0.5.1"),
    ]
    started = objects(run("--start", "2026-11-20T00:00:00Z", path))
    assert started[0]["at"] == "2026-11-20T00:00:15Z"
    assert objects(run(file(timeless)))[0]["at"] == "2000-01-01T00:00:15Z"


def test_a_stamp_without_year_is_read_near_the_start(file) -> None:
    path = file(stop_line(1).replace("Nov 21 2026", "Nov 21"))
    assert objects(run("--start", "2024-12-01", path))[0]["at"] == "2024-11-21T04:00:15Z"


def test_what_decode_prints_gives_the_same_story(file) -> None:
    path = file(recording(*OUTAGE, Message("snmp-v2c", "192.0.2.1", 162, START + 1, stop_trap(1))))
    decoded = CliRunner().invoke(main, ["decode", str(path)])
    assert decoded.exit_code == 0
    again = CliRunner().invoke(main, ["decode", str(file(decoded.stdout, "lines"))])
    assert again.stdout == decoded.stdout
    assert run(file(decoded.stdout, "lines")).stdout == run(path).stdout
    assert objects(run(path))[-1]["duplicates"] == 1


def test_a_community_that_the_api_hid_counts_as_accepted_and_another_does_not(file) -> None:
    def trap(community: bytes) -> bytes:
        return stop_trap(1).replace(b"public", community)

    found = [
        objects(run(file(recording(Message("snmp-v2c", "192.0.2.1", 0, START, trap(community))))))[-1]
        for community in (b"public", b"******", b"hidden")
    ]
    assert [one["rejected"] for one in found] == [{}, {}, {"wrong_community": 1}]


def test_json_that_is_no_message_of_ours_is_a_syslog_message(file) -> None:
    rows = ('{"hello":1}', '{"transport":"pigeon","source":"x","received_at":"2026-11-21T00:00:00Z","raw":"x"}', "{")
    summary = objects(run(file("\n".join(rows))))[-1]
    assert summary["messages"] == 3


@pytest.mark.parametrize("build", [packets.pcap, packets.pcapng])
def test_a_capture_is_replayed_at_its_own_times(file, build) -> None:
    frames = [(message.received_at, packets.ethernet(packets.ipv4(packets.udp(message.payload)))) for message in OUTAGE]
    assert told(run(file(build(frames)))) == STORY


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_unreadable_lines_are_counted_and_no_failure(file) -> None:
    path = file(recording(OUTAGE[0]) + b"never\tsyslog-udp\t192.0.2.1\tx\n" + recording(OUTAGE[1]))
    result = run(path)
    assert told(result) == STORY
    assert objects(result)[-1]["unreadable"] == 1
    assert f"{path}: 1 line could not be read" in result.stderr


def test_a_missing_file_is_a_failure_but_the_others_are_replayed(file, tmp_path: Path) -> None:
    result = run(tmp_path / "missing", file(recording(*OUTAGE)))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(STORY) + 1
    assert "No such file" in result.stderr


def test_a_bad_configuration_is_told_with_every_problem(file) -> None:
    result = run("-c", file("[storr]\n[webb]\n", "eventd.toml"), file(b""))
    assert result.exit_code == 2
    assert "2 problems found" in result.stderr


def test_no_message_at_all_gives_a_summary(file) -> None:
    [summary] = objects(run(file(b"# nothing\n\n")))
    assert (summary["messages"], summary["until"]) == (0, None)


# --- for people ------------------------------------------------------------------------------------------------------


def test_text_is_a_line_per_step_and_harmless_for_a_terminal(file) -> None:
    hostile = udp(3, fail_line(9, "authentication fail", 15).replace("FW1", "F\x1b[2JW"))
    result = run("-f", "text", file(recording(*OUTAGE, hostile, hostile)))
    lines = result.stdout.splitlines()
    assert lines[0] == "2026-09-21 14:13:35  opened    major     10.0.1.1 down on FW1: dpd timeout, since 14:13 UTC"
    assert (
        lines[1]
        == "2026-09-21 14:13:35  notified  major     10.0.1.1 down on FW1: dpd timeout, since 14:13 UTC  → console"
    )
    assert "summary" in lines
    assert any("opened, " in line for line in lines)
    assert "\x1b" not in result.stdout


def test_a_progress_bar_is_shown_on_a_terminal_and_only_there(file) -> None:
    path = file(recording(*OUTAGE) + (IRRELEVANT.encode() + b"\n") * 2500)
    quiet = subprocess.run([*EVENTD, path], capture_output=True, check=True)
    assert quiet.stderr == b""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*EVENTD, path], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen = bytearray()
        assert process.stdout is not None
        output = process.stdout.read()
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert b"replaying" in seen
    assert b"%" in seen
    assert output == quiet.stdout
