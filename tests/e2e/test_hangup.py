"""SIGHUP at any time: during the start it neither ends the service nor gets lost, and later it breaks no connection."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme
from service import Service, until
from storm import start_line, stop_line

TAKEN = "eventd_config_last_reload_success_timestamp_seconds"
MASKS = ("SigIgn", "SigCgt")
TLS = """
[receivers.syslog_tls]
listen = "127.0.0.1:{syslog_tls}"
cert_file = "server.pem"
key_file = "server.pem"
"""


@pytest.mark.timeout(120)
def test_a_reload_asked_for_during_the_start_is_done_when_it_is_ready(tmp_path: Path) -> None:
    eventd = Service(tmp_path)
    with eventd.log.open("ab") as log:
        eventd.process = subprocess.Popen(
            [sys.executable, "-m", "eventd", "run", "-c", str(eventd.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        # A process that has not begun to run Python yet is ended by the signal like any other.
        mine = Path(f"/proc/{eventd.process.pid}/status")
        until(lambda: ignores_or_handles(mine.read_text(), signal.SIGHUP), "the first line of eventd", every_s=0.0)
        while eventd.process.poll() is None and '"ready"' not in eventd.log.read_text():
            eventd.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        assert eventd.process.poll() is None, eventd.log.read_text()
        until(lambda: eventd.log.read_text().count('"configuration taken"') >= 2, "the reload")
        assert eventd.get("/-/ready")[0] == 200
    finally:
        code = eventd.stop()
    assert code == 0


def ignores_or_handles(status: str, number: int) -> bool:
    """Whether a process, by its proc(5) status, survives a signal."""
    masks = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line[:6] in MASKS}
    return bool((masks["SigIgn"] | masks["SigCgt"]) >> (number - 1) & 1)


@pytest.mark.timeout(120)
def test_a_renewed_certificate_is_taken_and_a_held_connection_goes_on(tmp_path: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    old.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    contexts = {}
    for authority in (old, new):
        contexts[authority] = ssl.create_default_context()
        authority.configure_trust(contexts[authority])

    def sender(authority: trustme.CA) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", eventd.ports["syslog_tls"]), timeout=10)
        return contexts[authority].wrap_socket(raw, server_hostname="localhost")

    with Service(tmp_path, extra=TLS) as eventd, sender(old) as held:
        held.sendall(b"%b\n<188>half of a line" % stop_line(1).encode())
        eventd.events(1)
        taken = eventd.metrics()[TAKEN]
        new.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
        assert eventd.process is not None
        eventd.process.send_signal(signal.SIGHUP)
        until(lambda: eventd.metrics()[TAKEN] > taken, "the reload")
        with sender(new) as other:
            other.sendall(b"%b\n" % stop_line(2).encode())
        held.sendall(b"\n%b\n" % start_line(1).encode())
        events = eventd.events(3)
        assert sorted(event["event"] for event in events) == ["ipsec.tunnel.start", *["ipsec.tunnel.stop"] * 2]
        metrics = eventd.metrics()
        assert metrics['eventd_unrecognised_total{transport="syslog-tls"}'] == 1, "the line that was cut by the reload"
        assert metrics['eventd_connections{transport="syslog-tls"}'] == 1
    assert "Traceback" not in eventd.log.read_text()
