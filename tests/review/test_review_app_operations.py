"""Review of metrics, deployment files and what the documents promise."""

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from eventd.config import load
from eventd.gauges import Gauges
from eventd.model import PeerStatus, utc
from eventd.telemetry import Telemetry, make_registry

ROOT = Path(__file__).parents[2]
START = 1_790_000_000.0


def _status(number: int, up: bool = True) -> PeerStatus:
    return PeerStatus(
        device="FW1",
        vsys="public",
        peer=f"10.0.{number >> 8}.{number & 255}",
        peer_name=None,
        site=None,
        up=up,
        since=utc(START),
        state_changes=1,
        tunnels_up=int(up),
        tunnels_down=0,
        last_reason=None,
        incident=None,
    )


def test_beyond_max_peers_a_peer_that_has_its_series_keeps_it() -> None:
    """The correlator lists the least recently heard first: whoever speaks (goes down!) moves behind the cap and its
    series ends; another takes its place. Label sets over time are not bounded at all."""
    peers = [_status(n) for n in range(5)]
    service: Any = SimpleNamespace(
        config=SimpleNamespace(metrics=SimpleNamespace(peer_labels=True, max_peers=4)),
        correlator=SimpleNamespace(peers=lambda: iter(peers)),
        telemetry=Telemetry(),
    )
    gauges = Gauges(service)
    before = set(gauges._peers_up())
    peers.append(peers.pop(0))  # OrderedDict.move_to_end when the peer is heard
    assert before <= set(gauges._peers_up())


def test_the_overflow_counter_of_peers_does_not_go_down() -> None:
    peers = [_status(n) for n in range(8)]
    telemetry = Telemetry()
    service: Any = SimpleNamespace(
        config=SimpleNamespace(metrics=SimpleNamespace(peer_labels=True, max_peers=4)),
        correlator=SimpleNamespace(peers=lambda: iter(peers)),
        telemetry=telemetry,
    )
    gauges = Gauges(service)
    gauges._peers_up()
    before = telemetry.value("label_overflow", "peer_up")
    del peers[6:]
    gauges._peers_up()
    assert telemetry.value("label_overflow", "peer_up") >= before


def test_a_scrape_with_ten_thousand_peers_does_not_hold_up_the_loop() -> None:
    from prometheus_client.exposition import generate_latest

    from eventd.correlate import Correlator, Settings
    from eventd.correlate.state import PeerState
    from eventd.inventory import Inventory

    correlator = Correlator(Settings(), Inventory())
    for n in range(10_000):
        state = PeerState(device="FW1", vsys="public", peer=f"10.0.{n >> 8}.{n & 255}", heard_at=START, since=START)
        state.up = True
        correlator._peers[f"peer|FW1|public|{state.peer}"] = state
    service: Any = SimpleNamespace(
        config=SimpleNamespace(metrics=SimpleNamespace(peer_labels=True, max_peers=10_000)),
        correlator=correlator,
        telemetry=Telemetry(),
    )
    gauges = Gauges(service)
    service.telemetry.provide("peer_up", gauges._peers_up)
    service.telemetry.provide("peer_state_changes", gauges._peer_changes)
    registry = make_registry(service.telemetry)
    started = time.perf_counter()
    generate_latest(registry)
    assert time.perf_counter() - started < 0.25


def test_the_unit_leaves_the_files_that_process_metrics_need(tmp_path: Path) -> None:
    """ProcSubset=pid hides /proc/stat; prometheus_client then exports no process_* at all (contract section 8)."""
    (tmp_path / "self").symlink_to("/proc/self")
    (tmp_path / str(__import__("os").getpid())).symlink_to("/proc/self")
    registry = CollectorRegistry()
    ProcessCollector(proc=str(tmp_path), registry=registry)
    without_stat = list(registry.collect())
    unit = (ROOT / "deploy/eventd.service").read_text()
    assert without_stat or "ProcSubset=pid" not in unit


def test_rules_watch_all_four_equations_as_the_metrics_page_says() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    rules = (ROOT / "deploy/prometheus-rules.yml").read_text()
    if "alerts when they do not" in page:
        for name in ("eventd_events_total", "eventd_correlated_total", "eventd_notifications_enqueued_total"):
            assert name in rules, name


def test_the_inhibition_of_an_interface_outage_stays_on_its_interface() -> None:
    """IPsecInterfaceOutage of ge0/0/1 silences IPsecTunnelDown of every other interface of that device."""
    text = (ROOT / "deploy/alertmanager.yml").read_text()
    for rule in text.split("- source_matchers")[1:]:
        if "IPsecInterfaceOutage" in rule:
            assert "interface" in re.findall(r"equal: \[(.*)\]", rule)[0]


def test_compose_gives_the_ordered_stop_its_time() -> None:
    """Containers are killed 10 s after SIGTERM by default; the drain alone may take 10 s, delivery another 10."""
    assert "stop_grace_period" in (ROOT / "deploy/compose.yaml").read_text()


def test_the_example_has_every_key_as_the_readme_says() -> None:
    """README: "every key, its default and what it does"."""
    import msgspec

    from eventd import config as module
    from eventd.config import SECTIONS

    text = (ROOT / "config/eventd.example.toml").read_text()
    structs = [
        *SECTIONS.values(),
        module.SnmpUser,
        module.SnmpReceiver,
        module.SyslogUdp,
        module.SyslogTcp,
        module.SyslogTls,
    ]
    missing = {
        f"{cls.__name__}.{field.encode_name}"
        for cls in structs
        for field in msgspec.structs.fields(cls)
        if not re.search(rf"\b{field.encode_name}\b", text)
    }
    assert not missing, sorted(missing)


def test_the_example_with_every_default_written_out_is_what_runs_without_a_file(tmp_path: Path) -> None:
    """ "Without a file, `eventd run` uses exactly what is shown here.\""""
    text = (ROOT / "config/eventd.example.toml").read_text()
    path = tmp_path / "e.toml"
    path.write_text(text)
    a, b = load(str(path)), load(None)
    for name in ("receivers", "store", "web", "correlate", "metrics", "log"):
        assert getattr(a, name) == getattr(b, name), name


def test_a_second_hup_during_start_does_not_kill(tmp_path: Path) -> None:
    """SIGHUP before the handler is installed ends the process (default action); `systemctl reload` waits for READY,
    a cron job with `kill -HUP` does not."""
    import signal

    path = tmp_path / "e.toml"
    path.write_text(
        f'[receivers.syslog_udp]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "127.0.0.1:0"\n[store]\npath = "{tmp_path}/e.db"\n'
    )
    process = subprocess.Popen([sys.executable, "-m", "eventd", "run", "-c", str(path)], stdout=-3, stderr=-3)
    try:
        time.sleep(0.25)
        process.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("key", ["outage_hold", "reminder"])
def test_example_defaults_of_the_judgement_are_the_real_ones(key: str) -> None:
    text = (ROOT / "config/eventd.example.toml").read_text()
    from eventd.correlate import Settings
    from eventd.document import parse_duration

    [shown] = re.findall(rf'^# {key} = "(.*)"', text, re.MULTILINE)
    assert parse_duration(shown) == getattr(Settings(), key)
