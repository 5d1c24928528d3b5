"""``eventd decode``: every kind of input, told apart by itself, one object per message and in order."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import fakehandlers
import packets
import pytest
from click.testing import CliRunner, Result

from eventd.cli import main
from eventd.inputs import MAX_LINE
from eventd.model import Message
from eventd.parse.recording import format_line
from eventd.sender import syslog
from eventd.sender.traps import Engine, Identity, trap_v1, trap_v2c

LINE = (
    b"<188>Nov 21 2026 10:00:00 FW1 IPSEC/4/IPSECTUNNELSTOP:OID 1.3.6.1.4.1.32473.26.6.2 The IPSec tunnel is deleted."
)
OTHER = b"<189>Nov 21 2026 10:00:01 FW1 %%01SHELL/5/CMDRECORD(l)[3]:Recorded command information."
TRAP = trap_v2c(fakehandlers.STOP_TRAP, {"peer": "198.51.100.9"}, "anything").next()
INFORM = trap_v2c(fakehandlers.STOP_TRAP, {}, "other", inform=True).next()
WHEN = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
V1 = trap_v1(fakehandlers.STOP_TRAP, {}, "third", "192.0.2.5").next()


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.decode.load", fakehandlers.load)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["decode", *map(str, arguments)])


def objects(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def file(tmp_path: Path):
    def make(data: bytes, name: str = "input") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return make


def test_bare_syslog_lines_give_one_object_each_in_order(file) -> None:
    found = objects(run(file(LINE + b"\n\n# a comment\n" + OTHER + b"\r\n" + LINE)))
    assert [one["event"] for one in found] == ["ipsec.tunnel.stop", None, "ipsec.tunnel.stop"]
    assert found[0]["raw"] == LINE.decode()
    assert found[1]["header"]["mnemonic"] == "CMDRECORD"
    assert found[0]["device"] == "FW1"


def test_a_malformed_line_is_in_the_output_and_no_failure(file) -> None:
    found = objects(run(file(LINE + b"\n<999>x\n" + LINE)))
    assert [bool(one.get("error")) for one in found] == [False, True, False]
    assert found[1]["event"] is None
    assert set(found[1]["error"]) == {"reason", "offset"}


def test_hex_lines_are_traps_whatever_their_community(file) -> None:
    found = objects(run(file(b"\n".join(payload.hex().encode() for payload in (TRAP, INFORM, V1)))))
    assert [one["transport"] for one in found] == ["snmp-v2c", "snmp-inform", "snmp-v1"]
    assert [one["event"] for one in found] == ["ipsec.tunnel.stop"] * 3
    assert found[0]["peer"] == "198.51.100.9"
    assert found[0]["header"]["notification"] == "fakeTunnelStop"


def test_a_community_may_be_demanded(file) -> None:
    hexed = file(TRAP.hex().encode() + b"\n" + INFORM.hex().encode())
    found = objects(run("--community", "other", hexed))
    assert [one.get("error", {}).get("reason") for one in found] == ["wrong_community", None]


def test_with_transport_trap_hex_may_be_spelled_as_tools_spell_it(file) -> None:
    spaced = TRAP.hex(" ").upper().encode()
    colons = b"0x" + TRAP.hex(":").encode()
    found = objects(run("--transport", "trap", file(spaced + b"\n" + colons + b"\nno hex\n")))
    assert [one["event"] for one in found] == ["ipsec.tunnel.stop", "ipsec.tunnel.stop", None]
    assert found[2]["error"]["reason"] == "bad_frame"


def test_with_transport_syslog_hex_is_text(file) -> None:
    found = objects(run("--transport", "syslog", file(TRAP.hex().encode())))
    assert found[0]["transport"] == "syslog-udp"


def test_a_recording_keeps_time_transport_and_source(file) -> None:
    messages = [
        Message("syslog-tls", "2001:db8::5", 6514, 1_790_000_000.5, LINE),
        Message("snmp-v2c", "192.0.2.5", 162, 1_790_000_001.0, TRAP),
    ]
    found = objects(run(file(b"# recorded\n" + b"".join(map(format_line, messages)))))
    assert [(one["transport"], one["source"], one["received_at"]) for one in found] == [
        ("syslog-tls", "2001:db8::5", "2026-09-21T14:13:20.500000Z"),
        ("snmp-v2c", "192.0.2.5", "2026-09-21T14:13:21Z"),
    ]


def test_a_damaged_recording_line_is_reported_in_its_place(file) -> None:
    good = format_line(Message("syslog-udp", "192.0.2.5", 0, 1.0, LINE))
    found = objects(run(file(good + b"never\tsyslog-udp\t192.0.2.5\tx\n" + good)))
    assert [one.get("error") for one in found] == [None, {"reason": "bad_frame", "offset": 0}, None]


@pytest.mark.parametrize("build", [packets.pcap, packets.pcapng])
def test_a_capture_gives_both_transports_with_their_sources_and_times(file, build) -> None:
    frames = [
        (1_790_000_000.25, packets.ethernet(packets.ipv4(packets.udp(LINE)))),
        (1_790_000_001.5, packets.ethernet(packets.ipv6(packets.udp(TRAP, target_port=162)))),
        (1_790_000_002.0, packets.ethernet(packets.ipv4(packets.tcp(LINE[:50], 7), proto=6))),
        (1_790_000_002.0, packets.ethernet(packets.ipv4(packets.tcp(b"GET / HTTP/1.1\r\n", 7, 24, 9), proto=6))),
        (1_790_000_002.5, packets.ethernet(packets.ipv4(packets.tcp(LINE[50:] + b"\n", 57), proto=6))),
        (1_790_000_003.0, packets.ethernet(packets.ipv4(packets.udp(LINE), frag=0x2000))),
    ]
    result = run(file(build(frames)))
    found = objects(result)
    assert [(one["event"], one["transport"], one["source"], one["received_at"]) for one in found] == [
        ("ipsec.tunnel.stop", "syslog-udp", "192.0.2.1", "2026-09-21T14:13:20.250000Z"),
        ("ipsec.tunnel.stop", "snmp-v2c", "2001:db8::1", "2026-09-21T14:13:21.500000Z"),
        ("ipsec.tunnel.stop", "syslog-tcp", "192.0.2.1", "2026-09-21T14:13:22.500000Z"),
    ]
    assert "packets skipped: 1 × IP fragment, 1 × TCP segment of no syslog" in result.stderr


def test_one_transport_of_a_capture_may_be_picked(file) -> None:
    frames = [(1.0, packets.ethernet(packets.ipv4(packets.udp(payload)))) for payload in (LINE, TRAP)]
    result = run("--transport", "trap", file(packets.pcap(frames)))
    assert [one["transport"] for one in objects(result)] == ["snmp-v2c"]
    assert "1 × other transport" in result.stderr


def test_several_lines_in_one_datagram_are_several_messages(file) -> None:
    frames = [(1.0, packets.ethernet(packets.ipv4(packets.udp(LINE + b"\n" + OTHER + b"\n"))))]
    assert len(objects(run(file(packets.pcap(frames))))) == 2


def test_encrypted_traps_need_their_user(file) -> None:
    identity = Identity(version="3", user="ops", auth="SHA256", auth_key="authentic-eventd", priv_key="private-eventd")
    with Engine("trap", identity, "127.0.0.1", 9) as engine:
        path = file(engine.notify(fakehandlers.STOP_TRAP, {}).hex().encode())
    assert objects(run(path))[0]["error"]["reason"] == "unknown_user"
    keys = ["--user", "ops", "--auth-key", "authentic-eventd", "--priv-key", "private-eventd"]
    assert objects(run(*keys, path))[0]["event"] == "ipsec.tunnel.stop"
    wrong = ["--user", "ops", "--auth-key", "authentic-nobody", "--priv-key", "private-eventd"]
    assert objects(run(*wrong, path))[0]["error"]["reason"] == "wrong_digest"


def test_a_line_longer_than_any_message_is_reported_and_skipped(file) -> None:
    found = objects(run(file(LINE + b"\n" + b"x" * (3 * MAX_LINE + 5) + b"\n" + LINE)))
    assert [one.get("error", {}).get("reason") for one in found] == [None, "oversize", None]


def test_an_unreadable_file_is_a_failure_but_the_others_are_decoded(file, tmp_path: Path) -> None:
    result = run(tmp_path / "missing", file(LINE), tmp_path)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert f"{tmp_path / 'missing'}: No such file or directory" in result.stderr
    assert f"{tmp_path}: Is a directory" in result.stderr


def test_a_damaged_capture_is_a_failure_after_what_could_be_read(file) -> None:
    data = packets.pcap([(1.0, packets.ethernet(packets.ipv4(packets.udp(LINE))))]) + b"\xff" * 16
    result = run(file(data))
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert "packet of 4294967295 octets" in result.stderr


def test_text_says_what_to_do_and_shows_nothing_that_drives_a_terminal(file) -> None:
    output = run("-f", "text", file(LINE + b"\n<189>Nov 21 2026 10:00:01 FW1 hello \x1b[2Jworld\n<999>\x07\n")).stdout
    for said in ("ipsec.tunnel.stop", "dpd timeout", "The far end stopped answering.", "1. Ping <peer>", "2. Ask the"):
        assert said in output
    assert "unrecognised" in output
    assert "malformed: " in output
    assert "\x1b" not in output
    assert "\x07" not in output
    assert "\\x1b[2J" in output


def test_every_form_that_we_send_is_decoded(file) -> None:
    lines = [
        syslog.compose(fakehandlers.STOP_SYSLOG, {}, WHEN, layout=syslog.Layout(form=form))
        for form in syslog.FORMS
        if form
        != "J"  # the cloud gateway's program name stands for its mnemonic, which the fake handler does not claim
    ]
    assert [one["event"] for one in objects(run(file(b"\n".join(lines))))] == ["ipsec.tunnel.stop"] * len(lines)


# --- as a process --------------------------------------------------------------------------------------------------

EVENTD = [sys.executable, "-m", "eventd"]


def test_standard_input_is_read_as_it_comes() -> None:
    """``tail -f … | eventd decode`` must not wait for a full buffer."""
    with subprocess.Popen([*EVENTD, "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(OTHER + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["header"]["mnemonic"] == "CMDRECORD"
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_reader_that_goes_away_ends_it_quietly(file) -> None:
    path = file((OTHER + b"\n") * 5000)
    with subprocess.Popen([*EVENTD, "decode", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(10)


def test_memory_stays_constant(file) -> None:
    path = file((OTHER + b"\n") * 30_000)
    with path.open("rb") as stdin, Path(os.devnull).open("wb") as stdout:
        script = (
            "import sys; from eventd.cli import main; main(standalone_mode=False, args=['decode', '-']);"
            # not ru_maxrss: a child inherits the peak of the process it was forked from
            "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0];"
            "sys.stderr.write(peak.split()[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=True, timeout=60
        )
    assert int(done.stderr) < 150_000, "kilobytes"


def test_text_names_no_sender_where_none_is_known(file) -> None:
    said = run("-f", "text", "--transport", "trap", file(TRAP.hex().encode() + b"\n")).output
    assert "198.51.100.9" in said
    assert "0.0.0.0" not in said
