"""When eventd cannot start, it says why in one clear line, exits as promised and leaves nothing behind."""

import socket
import sqlite3
import subprocess
from pathlib import Path

import nursery
import pytest
from service import Service, free_port


def run(config: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return nursery.run(["run", "-c", str(config)], cwd)


def test_a_bad_configuration_lists_everything_and_starts_nothing(tmp_path: Path) -> None:
    config = tmp_path / "eventd.toml"
    config.write_text('[store]\npth = "x"\n[web]\nlisten = 5\n[[channels]]\nname = "a"\ntype = "pigeon"\n')
    result = run(config, tmp_path)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert any("eventd.toml:2: store.pth: unknown key" in line for line in lines)
    assert any("eventd.toml:4: web.listen: must be text or a list" in line for line in lines)
    assert any("eventd.toml:7: channels[0].type: 'pigeon'" in line for line in lines)
    assert "3 problems found; nothing was started." in lines
    assert list(tmp_path.iterdir()) == [config]


def test_a_channel_that_cannot_work_is_a_configuration_problem(tmp_path: Path) -> None:
    config = tmp_path / "eventd.toml"
    config.write_text('[[channels]]\nname = "hook"\ntype = "webhook"\nurl = "ftp://example.net/"\n')
    result = run(config, tmp_path)
    assert result.returncode == 2
    assert "eventd.toml:4: channels[0].url: is not" in result.stderr
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize(
    "text",
    ['handlers = [""]\n', "[receivers.snmp]\n" + '[[receivers.snmp.users]]\nname = "u"\nlevel = "noAuthNoPriv"\n' * 2],
    ids=["a handler package without a name", "one SNMP user twice"],
)
def test_what_only_trying_finds_is_a_sentence_and_not_a_traceback(text: str, tmp_path: Path) -> None:
    config = tmp_path / "eventd.toml"
    config.write_text(text)
    result = run(config, tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("port", ["syslog_udp", "syslog_tcp", "snmp", "web"])
def test_a_port_in_use_is_named(port: str, tmp_path: Path) -> None:
    service = Service(tmp_path)
    kind = socket.SOCK_STREAM if port in ("syslog_tcp", "web") else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", service.ports[port]))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        result = run(service.config, tmp_path)
    assert result.returncode == 1
    assert f"127.0.0.1:{service.ports[port]}" in result.stderr
    assert "in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_that_is_no_database_is_named(tmp_path: Path) -> None:
    service = Service(tmp_path)
    (tmp_path / "eventd.db").write_bytes(b"this is not a database, and long enough to tell" * 100)
    result = run(service.config, tmp_path)
    assert result.returncode == 1
    assert "eventd.db" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_of_a_newer_eventd_is_left_alone(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with sqlite3.connect(tmp_path / "eventd.db") as database:
        database.execute("pragma user_version = 999")
    database.close()
    result = run(service.config, tmp_path)
    assert result.returncode == 1
    assert "999" in result.stderr


def test_two_eventd_on_one_store_are_refused(tmp_path: Path) -> None:
    with Service(tmp_path) as first:
        second = tmp_path / "second.toml"
        second.write_text(
            first.config.read_text()
            .replace(str(first.ports["web"]), str(free_port()))
            .replace(str(first.ports["snmp"]), str(free_port()))
        )
        result = run(second, tmp_path)
        assert result.returncode == 1
        assert "eventd.db" in result.stderr
        assert first.get("/-/ready")[0] == 200


def test_check_says_what_it_found(tmp_path: Path) -> None:
    service = Service(tmp_path)
    result = service.eventd("check", "-c", str(service.config))
    assert "good" in result.stdout
    assert "reasons" in result.stdout
    service.config.write_text("[stoer]\n")
    result = service.eventd("check", "-c", str(service.config), check=False)
    assert result.returncode == 2
    assert "stoer: unknown key (did you mean store?)" in result.stderr


def test_every_address_that_is_taken_is_named(tmp_path: Path) -> None:
    config = tmp_path / "eventd.toml"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = [f"127.0.0.1:{sock.getsockname()[1]}" for sock in (one, other)]
        config.write_text(
            f'[receivers.syslog_udp]\nlisten = "{taken[0]}"\n[receivers.syslog_tcp]\nlisten = "{taken[1]}"\n'
            f'[web]\nlisten = "127.0.0.1:0"\n[store]\npath = "{tmp_path}/e.db"\n'
        )
        result = run(config, tmp_path)
    assert result.returncode == 1
    assert all(f"cannot listen on {address}: the port is in use" in result.stderr for address in taken)
