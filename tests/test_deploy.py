"""Deployment files keep what the documents promise; real tools check them where they are installed."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from peers import peer
from prometheus_client import CollectorRegistry, ProcessCollector

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def test_process_metrics_need_more_of_proc_than_processes_and_the_unit_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("/proc/self")
    (tmp_path / str(os.getpid())).symlink_to("/proc/self")
    assert not list(ProcessCollector(proc=str(tmp_path), registry=CollectorRegistry()).collect())
    assert "ProcSubset=" not in (DEPLOY / "eventd.service").read_text()


def test_the_rules_watch_all_four_equations() -> None:
    rules = (DEPLOY / "prometheus-rules.yml").read_text()
    assert rules.count("alert: EventdLedgerOff") == 4
    names = ("received", "parsed", "events", "unrecognised", "correlated", "duplicates", "notifications_enqueued")
    for name in names:
        assert f"eventd_{name}_total" in rules


def test_an_interface_outage_silences_only_its_interface() -> None:
    blocks = (DEPLOY / "alertmanager.yml").read_text().split("- source_matchers")[1:]
    equal = {
        outage: re.findall(r"equal: \[(.*)\]", block)
        for block in blocks
        for outage in re.findall(r"IPsec(?:Device|Interface)Outage", block)
    }
    assert equal == {"IPsecDeviceOutage": ["device"], "IPsecInterfaceOutage": ["device, interface"]}


def test_the_container_gets_time_for_the_ordered_stop() -> None:
    grace = re.search(r"stop_grace_period: (\d+)s", (DEPLOY / "compose.yaml").read_text())
    unit = re.search(r"TimeoutStopSec=(\d+)", (DEPLOY / "eventd.service").read_text())
    assert grace is not None
    assert unit is not None
    assert int(grace[1]) >= int(unit[1])


def test_every_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = (ROOT / "tests/support/prometheus_rules.test.yml").read_text()
    rules = "".join(file.read_text() for file in DEPLOY.glob("prometheus-rules*.yml"))
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    told = re.findall(r"alertname: (\w+)\s+exp_alerts:( \[\])?", cases)
    assert {name for name, none in told if not none} == alerts
    assert {name for name, none in told if none} == alerts


def test_a_tunnel_is_not_told_twice() -> None:
    """eventd tells of it itself; the rule on the bare metric is for installations where it does not."""
    assert "IPsec" not in re.sub(r"#.*", "", (DEPLOY / "prometheus-rules.yml").read_text())
    assert "severity: info" in (DEPLOY / "prometheus-rules-peers.yml").read_text()


@pytest.mark.peer
@pytest.mark.parametrize(("job", "receiver"), [("eventd", "dead-man"), ("prometheus", "nobody")])
def test_the_heartbeat_goes_to_whoever_waits_for_it(job: str, receiver: str) -> None:
    test = [peer("amtool"), "config", "routes", "test", f"--config.file={DEPLOY / 'alertmanager.yml'}"]
    done = subprocess.run(
        [*test, "alertname=Watchdog", f"job={job}", "severity=none"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == receiver


@pytest.mark.peer
def test_the_rules_fire_when_they_should() -> None:
    cases = ROOT / "tests/support/prometheus_rules.test.yml"
    done = subprocess.run(
        [peer("promtool"), "test", "rules", str(cases)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.peer
@pytest.mark.parametrize(
    ("tool", "arguments", "file"),
    [
        ("promtool", ["check", "rules", "--lint-fatal"], "prometheus-rules.yml"),
        ("promtool", ["check", "rules", "--lint-fatal"], "prometheus-rules-peers.yml"),
        ("promtool", ["check", "config"], "prometheus.yml"),
        ("amtool", ["check-config"], "alertmanager.yml"),
    ],
)
def test_the_tools_of_prometheus_take_the_files(tool: str, arguments: list[str], file: str) -> None:
    done = subprocess.run(
        [peer(tool), *arguments, str(DEPLOY / file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
