"""Review of metrics, deployment files and what the documents promise."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any


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
