"""A service that records: what it received is in the file, whatever became of it, and other commands can read it."""

import json
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from peers import peer
from service import Service, until
from snmp_strategies import BASE
from storm import fail_line, send_stream, start_line, stop_line, stop_trap


def received(service: Service) -> float:
    return service.total(service.metrics(), "eventd_received_total")


def test_everything_received_is_recorded_and_decodes_to_the_same(tmp_path: Path) -> None:
    file, moved = tmp_path / "received.rec", tmp_path / "moved.rec"
    with Service(tmp_path, arguments=("--record", str(file))) as eventd:
        eventd.send_udp(stop_line(1), "<999>nonsense", "<13>Jan  1 00:00:00 host program: hello")
        send_stream(eventd.ports["syslog_tcp"], [stop_line(2).encode()])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(stop_trap(3), ("127.0.0.1", eventd.ports["snmp"]))
            sock.sendto(b"\x30\x03no trap", ("127.0.0.1", eventd.ports["snmp"]))
        until(lambda: received(eventd) == 6, "all messages")
        kept = eventd.events(3)
        until(lambda: eventd.metrics()["eventd_recorded_total"] == 6, "the recording")
        file.rename(moved)
        assert eventd.process is not None
        eventd.process.send_signal(signal.SIGHUP)
        until(file.exists, "the new file")
        eventd.send_udp(stop_line(4))
        until(lambda: received(eventd) == 7, "the last message")
        assert eventd.stop() == 0
        decoded = [json.loads(line) for line in eventd.eventd("decode", str(moved), str(file)).stdout.splitlines()]
    assert stat.S_IMODE(moved.stat().st_mode) == stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(decoded) == 7
    assert [one["error"]["reason"] for one in decoded if one.get("error")] == ["bad_pri", "bad_ber"]
    events = {one["peer"]: one for one in decoded if one["event"]}
    assert len(events) == 4
    for row in kept:
        again = events[row["peer"]]
        for name in ("received_at", "source", "device", "transport", "reason", "extra"):
            assert again[name] == row[name], name


def test_replaying_what_was_recorded_gives_the_incidents_that_the_service_had(tmp_path: Path) -> None:
    file = tmp_path / "received.rec"
    with Service(tmp_path, extra=f'[record]\npath = "{file}"\n') as eventd:
        eventd.send_udp(stop_line(1), stop_line(2), start_line(2), fail_line(3, "authentication fail", 15))
        until(lambda: len(eventd.api("incidents")["items"]) == 1, "the outage")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(stop_trap(4), ("127.0.0.1", eventd.ports["snmp"]))
        until(lambda: len(eventd.api("incidents")["items"]) == 2, "the second outage")
        eventd.send_udp(start_line(1))
        until(lambda: eventd.api("incidents?status=resolved")["items"], "the all-clear")
        had = {one["id"]: one for one in eventd.api("incidents")["items"]}
        assert eventd.stop() == 0
    steps = [
        json.loads(line) for line in eventd.eventd("replay", "-c", str(eventd.config), str(file)).stdout.splitlines()
    ]
    opened = {step["incident"]["id"]: step["incident"] for step in steps if step["what"] == "opened"}
    resolved = {step["incident"]["id"] for step in steps if step["what"] == "resolved"}
    assert opened.keys() == had.keys()
    assert resolved == {id_ for id_, incident in had.items() if incident["status"] == "resolved"}
    for id_, incident in opened.items():
        for name in ("kind", "device", "peer", "opened_at", "severity", "cause", "actions"):
            assert incident[name] == had[id_][name], name
    assert {step["channel"] for step in steps if step["what"] == "notified"} == {"console"}


def test_without_being_asked_nothing_is_recorded_and_a_bad_place_stops_the_start(tmp_path: Path) -> None:
    with Service(tmp_path) as eventd:
        assert eventd.metrics()["eventd_recorded_total"] == 0
    (tmp_path / "file").touch()
    done = eventd.eventd("run", "-c", str(eventd.config), "--record", str(tmp_path / "file" / "x"), check=False)
    assert done.returncode == 1
    assert "record.path" in done.stderr


USERS = """
[[receivers.snmp.users]]
name = "eventd"
level = "authPriv"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
"""


@pytest.mark.peer
def test_encrypted_traps_and_informs_are_recorded_as_they_came_and_replayed(tmp_path: Path) -> None:
    """net-snmp makes both: the trap is of its own engine, the inform of ours, after it has asked who we are."""
    file = tmp_path / "received.rec"
    keys = ["-v3", "-l", "authPriv", "-u", "eventd", "-a", "SHA-256", "-A", "auth-password", "-x", "AES"]
    keys += ["-X", "priv-password"]
    stop, peer_of, reason = (f"{BASE}.{rest}" for rest in ("6.2", "2.1.5.12.10.83", "5.12.0"))
    with Service(tmp_path, snmp_extra=USERS, arguments=("--record", str(file))) as eventd:
        for program, number in (("snmptrap", 1), ("snmpinform", 2)):
            bindings = [peer_of, "s", f"203.0.113.{number}", reason, "s", "dpd timeout"]
            target = f"127.0.0.1:{eventd.ports['snmp']}"
            engine = ["-e", "0x80001f8880aabbccdd"] if program == "snmptrap" else []
            command = [peer(program), *keys, *engine, target, "", stop, *bindings]
            subprocess.run(command, check=True, capture_output=True, timeout=30)
        eventd.events(2)
        counts = eventd.metrics()
        assert eventd.stop() == 0
    assert b"auth-password" not in file.read_bytes()
    summary = json.loads(eventd.eventd("replay", "-c", str(eventd.config), str(file)).stdout.splitlines()[-1])
    assert summary["messages"] == eventd.total(counts, "eventd_received_total")
    assert sum(summary["rejected"].values()) == eventd.total(counts, "eventd_rejected_total")
    assert summary["events"] == {"ipsec.tunnel.stop": 2}
