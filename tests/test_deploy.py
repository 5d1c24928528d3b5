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
        ("promtool", ["check", "rules"], "prometheus-rules.yml"),
        ("promtool", ["check", "config"], "prometheus.yml"),
        ("amtool", ["check-config"], "alertmanager.yml"),
    ],
)
def test_the_tools_of_prometheus_take_the_files(tool: str, arguments: list[str], file: str) -> None:
    done = subprocess.run(
        [peer(tool), *arguments, str(DEPLOY / file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
