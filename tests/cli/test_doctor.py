"""``eventd doctor``: exit status, both forms, and a service that runs."""

import json
from pathlib import Path

from click.testing import CliRunner, Result
from doctoring import write
from service import Service, free_port, until
from storm import stop_line

from eventd.cli import main


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_problems_are_exit_1_and_warnings_are_not(tmp_path: Path) -> None:
    good = write(tmp_path)
    good.chmod(0o600)
    result = run("-c", good)
    assert result.exit_code == 0, result.output
    assert "ok       ports" in result.output
    bad = write(tmp_path, f'[[channels]]\nname = "a"\ntype = "webhook"\nurl = "http://127.0.0.1:{free_port()}/"\n')
    result = run("-c", bad)
    assert result.exit_code == 1
    assert "problem  channels" in result.output
    assert "→ the address of the channel" in result.output
    assert "1 problem" in result.output.splitlines()[-1]


def test_json_is_one_finding_per_line(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("-f", "json", "-c", write(tmp_path)).stdout.splitlines()]
    assert all(list(line) == ["check", "level", "seen", "advice"] for line in lines)
    assert {"ports", "receive buffers", "open files", "clock", "disk", "senders"} <= {line["check"] for line in lines}


def test_a_bad_configuration_is_exit_2(tmp_path: Path) -> None:
    assert run("-c", write(tmp_path, "[storr]\n")).exit_code == 2


def test_a_running_service_holds_its_ports_and_tells_of_relays(tmp_path: Path) -> None:
    with Service(tmp_path) as eventd:
        eventd.send_udp(stop_line(1, device="FW1"), stop_line(2, device="FW2"))
        until(lambda: eventd.metrics()["eventd_sources_with_several_hostnames"] == 1, "the names")
        eventd.events(2)
        done = eventd.eventd("doctor", "-f", "json", "-c", str(eventd.config))
        assert eventd.process is not None
        found = [json.loads(line) for line in done.stdout.splitlines()]
        pid = eventd.process.pid
    assert found[0] == {"check": "service", "level": "ok", "seen": f"eventd runs as process {pid}", "advice": None}
    ports = [one for one in found if one["check"] == "ports"]
    assert len(ports) == 4
    assert all(one["level"] == "ok" and "held by the running eventd" in one["seen"] for one in ports)
    assert [one["seen"] for one in found if one["check"] == "senders"] == ["127.0.0.1 speaks for FW1, FW2"]
