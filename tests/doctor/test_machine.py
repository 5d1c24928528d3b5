"""Ports, buffers, open files, clock, disks, rights: each finding provoked by making it so."""

import ctypes
import os
import resource
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from doctoring import bad, config, unprivileged, write

from eventd.config import load
from eventd.doctor import clock, disks, files, sockets
from eventd.doctor.clock import Kept
from eventd.doctor.running import running
from eventd.receivers.lanes import MAX_LANES
from eventd.store import SqliteStore
from eventd.store.damage import MEANING, REMEMBERED, remembered
from eventd.store.wal import Damage, Log

# --- ports -----------------------------------------------------------------------------------------------------------


def test_free_ports_are_fine_and_are_given_back(tmp_path: Path) -> None:
    made = config(tmp_path)
    for _ in range(2):
        found = list(sockets.ports(made, None))
        assert [finding.level for finding in found] == ["ok"] * 4


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_taken_port_is_a_problem_that_names_who_has_it(kind: socket.SocketKind, tmp_path: Path) -> None:
    made = config(tmp_path)
    receivers = made.receivers
    taken = receivers.syslog_udp if kind == socket.SOCK_DGRAM else receivers.syslog_tcp
    assert taken is not None
    host, _, port = taken.addresses[0].partition(":")
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((host, int(port)))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        [(level, seen)] = bad(sockets.ports(made, None))
    assert level == "problem"
    assert f"(process {os.getpid()})" in seen


def test_an_address_of_another_machine_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path)
    snmp = "[receivers.snmp]\nlisten = "
    path.write_text(path.read_text().replace(snmp + '"127.0.0.1', snmp + '"192.0.2.1'))
    [(level, seen)] = bad(sockets.ports(load(str(path)), None))
    assert level == "problem"
    assert "this machine has no such address" in seen


def test_a_privileged_port_without_the_privilege_is_a_problem_with_the_capability_to_give(tmp_path: Path) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 87:
        pytest.skip("every port is free to everybody here")
    path = write(tmp_path, '[receivers.syslog_tls]\nlisten = "127.0.0.1:87"\ncert_file = "c.pem"\nkey_file = "c.pem"\n')
    certificate = trustme.CA().issue_cert("localhost")
    (tmp_path / "c.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    (tmp_path / "c.pem").chmod(0o600)
    [found] = [one for one in unprivileged(path) if one["level"] == "problem"]
    assert found["check"] == "ports"
    assert "CAP_NET_BIND_SERVICE" in found["advice"]


def test_a_udp_port_that_strangers_reach_wants_an_allow_list(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert list(sockets.open_to_all(load(str(path)))) == []
    snmp = "[receivers.snmp]\nlisten = "
    path.write_text(path.read_text().replace(snmp + '"127.0.0.1', snmp + '"0.0.0.0'))
    [found] = sockets.open_to_all(load(str(path)))
    assert (found.check, found.level) == ("strangers", "note")
    assert "receivers.snmp.allow" in found.seen
    path.write_text(path.read_text().replace(snmp, '[receivers.snmp]\nallow = ["192.0.2.0/24"]\nlisten = '))
    [found] = sockets.open_to_all(load(str(path)))
    assert found.level == "ok"


# --- buffers, files --------------------------------------------------------------------------------------------------


def test_a_buffer_that_is_not_granted_comes_with_the_command_to_type(tmp_path: Path) -> None:
    wanted = int(Path("/proc/sys/net/core/rmem_max").read_text()) + 4096
    path = write(tmp_path, snmp=f"recv_buffer_bytes = {wanted}")
    [found] = [one for one in unprivileged(path) if one["check"] == "receive buffers" and one["level"] == "warning"]
    assert f"receivers.snmp.recv_buffer_bytes: {wanted - 4096} of {wanted} bytes" in found["seen"]
    assert f"sysctl -w net.core.rmem_max={wanted} " in found["advice"]


def test_a_buffer_that_is_granted_is_fine(tmp_path: Path) -> None:
    assert bad(sockets.receive_buffers(config(tmp_path, snmp="recv_buffer_bytes = 65536"))) == []


def test_too_few_open_files_for_the_connections_allowed(tmp_path: Path) -> None:
    made = config(tmp_path, syslog_tcp="max_connections = 150")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 150 + 2 * (1 + MAX_LANES) + sockets.OWN_FILES
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed - 1, hard))
        [few] = sockets.open_files(made, None)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        [enough] = sockets.open_files(made, None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (few.level, enough.level) == ("warning", "ok")
    assert f"LimitNOFILE={needed}" in (few.advice or "")


# --- clock -----------------------------------------------------------------------------------------------------------


class Timex(ctypes.Structure):
    """struct timex as adjtimex(2) lists it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 400),
    )


def test_what_the_kernel_says_of_its_clock_is_read_from_the_right_place() -> None:
    timex = Timex()
    assert ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) >= 0
    kept = clock.kept()
    assert kept.synchronised == (not timex.status & 0x40)
    assert kept.max_error_s == pytest.approx(timex.maxerror / 1e6, abs=0.1)


def test_the_clock_of_this_machine_gives_a_finding() -> None:
    [found] = clock.examine()
    assert found.check == "clock"


@pytest.mark.parametrize(
    ("kept", "now", "levels"),
    [
        (Kept(True, 0.02), 1_800_000_000.0, ["ok"]),
        (Kept(False, 16.0), 1_800_000_000.0, ["warning"]),
        (Kept(True, 1.5), 1_800_000_000.0, ["warning"]),
        (Kept(False, 16.0), 86_400.0, ["problem", "warning"]),
    ],
)
def test_a_clock_that_nobody_keeps_or_that_is_far_off(kept: Kept, now: float, levels: list[str]) -> None:
    assert [finding.level for finding in clock.examine(lambda: kept, lambda: now)] == levels


def test_a_kernel_that_does_not_tell() -> None:
    def refuse() -> Kept:
        raise PermissionError(1, "Operation not permitted")

    assert [finding.level for finding in clock.examine(refuse)] == ["note"]


# --- disks -----------------------------------------------------------------------------------------------------------


def test_a_store_that_can_be_written_with_room_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "LITTLE_BYTES", 1)
    monkeypatch.setattr(disks, "SOME_BYTES", 2)
    assert bad(disks.examine(config(tmp_path))) == []


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o500)
    path = write(tmp_path)
    path.write_text(path.read_text().replace(f"{tmp_path}/eventd.db", f"{tmp_path}/closed/deep/eventd.db"))
    found = [one for one in unprivileged(path) if one["level"] == "problem"]
    assert [one["check"] for one in found] == ["disk"]
    assert f"cannot write in {tmp_path}/closed" in found[0]["seen"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [(level, seen)] = bad(disks._place("store.path", tmp_path / "file" / "eventd.db", 0))
    assert level == "problem"
    assert "file" in seen


@pytest.mark.parametrize(("what", "level"), [("unfinished", "note"), ("later_commits", "warning")])
async def test_a_log_that_a_start_found_damaged_is_told_of(what: Damage, level: str, tmp_path: Path) -> None:
    made = config(tmp_path)
    store = await SqliteStore.open(made.store)
    await store.meta_set(REMEMBERED, remembered(Log(7, 2, 8000, 1, what), 1.75e9))
    await store.close()
    [told] = [finding for finding in disks.examine(made) if "2025-06-15" in finding.seen]
    assert (told.check, told.level) == ("disk", level)
    assert MEANING[what] in told.seen


def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(tmp_path, f'[record]\npath = "{tmp_path}/r"\nmax_bytes = {2**40}\nfiles = 1000\n')
    levels = [(finding.level, finding.seen.partition(":")[0]) for finding in disks.examine(made)]
    assert ("warning", "record.path") in levels
    monkeypatch.setattr(disks, "LITTLE_BYTES", 2**80)
    assert {finding.level for finding in disks.examine(made)} == {"problem"}


# --- rights ----------------------------------------------------------------------------------------------------------

WITH_SECRETS = """
[[web.tokens]]
name = "me"
role = "operate"
token_file = "token"
[[channels]]
name = "chat"
type = "slack"
url_file = "hook"
"""


def test_secret_files_that_others_may_read_or_change(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "hook").write_text("https://hooks.example.net/services/T/B/secret")
    for name, mode in (("token", 0o644), ("hook", 0o606)):
        (tmp_path / name).chmod(mode)
    made = config(tmp_path, WITH_SECRETS)
    assert bad(files.examine(made)) == [
        ("warning", f"web.tokens[0].token_file: everybody on this machine may read {tmp_path}/token"),
        ("problem", f"channels.chat.url_file: everybody may change {tmp_path}/hook"),
    ]
    for name in ("token", "hook"):
        (tmp_path / name).chmod(0o640)
    assert bad(files.examine(made)) == []


def test_secrets_in_a_configuration_that_everybody_may_read(tmp_path: Path) -> None:
    text = '[[web.tokens]]\nname = "me"\nrole = "read"\ntoken = "0123456789abcdef"\n'
    made = config(tmp_path, text, snmp='communities = ["s3cret"]')
    assert made.path is not None
    Path(made.path).chmod(0o644)
    [(level, seen)] = bad(files.examine(made))
    assert level == "warning"
    assert "web.tokens[0].token, receivers.snmp.communities" in seen
    assert "s3cret" not in seen
    Path(made.path).chmod(0o640)
    assert bad(files.examine(made)) == []
    Path(made.path).chmod(0o642)
    assert [level for level, _ in bad(files.examine(made))] == ["problem"]


def test_store_and_recording_that_everybody_may_read(tmp_path: Path) -> None:
    made = config(tmp_path, f'[record]\npath = "{tmp_path}/received.rec"\n')
    for name in ("eventd.db", "received.rec"):
        (tmp_path / name).touch(0o644)
        (tmp_path / name).chmod(0o644)
    assert [seen.partition(":")[0] for _, seen in bad(files.examine(made))] == ["store.path", "record.path"]


@pytest.mark.parametrize(("days", "levels"), [(-1, ["problem"]), (3, ["warning"]), (90, [])])
def test_our_certificate_runs_out(days: int, levels: list[str], tmp_path: Path) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    issued = trustme.CA().issue_cert("localhost", not_before=end - timedelta(days=100), not_after=end)
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "c.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "k.pem"))
    (tmp_path / "k.pem").chmod(0o600)
    made = config(tmp_path, web='tls_cert_file = "c.pem"\ntls_key_file = "k.pem"')
    assert [level for level, _ in bad(files.examine(made))] == levels


# --- running ---------------------------------------------------------------------------------------------------------


def test_a_lock_file_that_nobody_holds_is_no_running_service(tmp_path: Path) -> None:
    assert running(str(tmp_path / "eventd.db")) is None
    (tmp_path / "eventd.db.lock").write_text(f"{os.getpid()}\n")
    assert running(str(tmp_path / "eventd.db")) is None
