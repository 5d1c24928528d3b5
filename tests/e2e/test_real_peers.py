"""Real senders and receivers around a real eventd, as an operator's network has them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from peers import peer
from service import Service, free_port, until
from storm import start_line, stop_line

from eventd.decode import Decoder
from eventd.inventory import Inventory
from eventd.model import Message
from eventd.parse.snmp import Access
from eventd.registry import load
from eventd.sender import syslog

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

STOP = "1.3.6.1.4.1.2011.6.122.26.6.2"
DST = "1.3.6.1.4.1.2011.6.122.26.2.1.5.12.10.83"
REASON = "1.3.6.1.4.1.2011.6.122.26.5.12.0"

USERS = """
[[receivers.snmp.users]]
name = "eventd"
level = "authPriv"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
"""

TLS = """
[receivers.syslog_tls]
listen = "127.0.0.1:{syslog_tls}"
cert_file = "server.pem"
key_file = "server.key"
"""


@pytest.fixture
def eventd(tmp_path: Path) -> Iterator[Service]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = ca.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    for blob in server.cert_chain_pems:
        blob.write_to_path(tmp_path / "server.pem", append=True)
    service = Service(tmp_path, extra=TLS, snmp_extra=USERS)
    service.start()
    yield service
    assert service.ledger_faults() == []
    assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def stops(eventd: Service) -> float:
    return eventd.metrics()['eventd_events_total{event="ipsec.tunnel.stop"}']


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize("way", [["--udp"], ["--tcp"], ["--tcp", "--octet-count"]], ids=" ".join)
def test_logger(eventd: Service, form: str, way: list[str]) -> None:
    text = stop_line(1).split("FW1 ", 1)[1]
    port = eventd.ports["syslog_udp" if "--udp" in way else "syslog_tcp"]
    subprocess.run([peer("logger"), "-n", "127.0.0.1", "-P", str(port), form, *way, "-t", "relay", text], check=True)
    until(lambda: stops(eventd) == 1, "the event")
    [event] = eventd.events(1)
    assert event["peer"] == "10.0.1.1"
    assert event["reason"]["name"] == "dpd timeout"


@pytest.mark.parametrize("way", ["--dgram", "--stream"])
def test_loggen(eventd: Service, way: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text("".join(stop_line(n) + "\n" for n in range(50)))
    port = eventd.ports["syslog_udp" if way == "--dgram" else "syslog_tcp"]
    subprocess.run(
        [
            *(peer("loggen"), "--inet", way, "--read-file", str(lines), "--dont-parse"),
            *("--rate", "200", "--number", "50", "127.0.0.1", str(port)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    until(lambda: stops(eventd) >= 50, "the events")


@contextlib.contextmanager
def rsyslogd(folder: Path, source: int, action: str) -> Iterator[None]:
    """A relay that takes UDP on ``source`` and forwards everything by ``action``."""
    modules = Path(os.environ.get("EVENTD_PEERS_DIR", "/")) / "usr/lib/x86_64-linux-gnu/rsyslog"
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imudp")\n'
        f'input(type="imudp" port="{source}" address="127.0.0.1")\n*.* action(type="omfwd" {action})\n'
    )
    command = [peer("rsyslogd"), "-n", "-f", str(config), "-i", str(folder / "rsyslog.pid"), "-M", str(modules)]
    relay = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        relay.terminate()
        relay.wait(20)


@pytest.mark.parametrize("way", ["tcp", "octet-counted", "tls"])
def test_rsyslog_forwards(eventd: Service, way: str, tmp_path: Path) -> None:
    program = peer("rsyslogd")
    source = free_port()
    modules = Path(os.environ.get("EVENTD_PEERS_DIR", "/")) / "usr/lib/x86_64-linux-gnu/rsyslog"
    action = {
        "tcp": f'target="127.0.0.1" port="{eventd.ports["syslog_tcp"]}" protocol="tcp"',
        "octet-counted": f'target="127.0.0.1" port="{eventd.ports["syslog_tcp"]}" protocol="tcp" '
        'tcp_framing="octet-counted"',
        "tls": f'target="127.0.0.1" port="{eventd.ports["syslog_tls"]}" protocol="tcp" tcp_framing="octet-counted" '
        'StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"',
    }[way]
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{tmp_path}" defaultNetstreamDriverCAFile="{tmp_path}/ca.pem")\n'
        f'module(load="imudp")\ninput(type="imudp" port="{source}" address="127.0.0.1")\n'
        'template(name="asis" type="string" string="%rawmsg%")\n'
        f'*.* action(type="omfwd" {action} template="asis")\n'
    )
    command = [program, "-n", "-f", str(config), "-i", str(tmp_path / "rsyslog.pid"), "-M", str(modules)]
    relay = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:

            def arrived() -> bool:
                sock.sendto(stop_line(1).encode(), ("127.0.0.1", source))
                time.sleep(0.2)
                assert relay.poll() is None, relay.stderr.read() if relay.stderr else ""
                return stops(eventd) >= 1

            until(arrived, "a forwarded event")
    finally:
        relay.terminate()
        relay.wait(20)
        if relay.stderr:
            relay.stderr.close()
    [event, *_] = eventd.events(1)
    assert event["transport"] == ("syslog-tls" if way == "tls" else "syslog-tcp")
    assert event["peer"] == "10.0.1.1"


LAYOUTS = [form for form in syslog.FORMS if form != "J"]  # J is the cloud gateway's, and knows no stop


@pytest.mark.parametrize("template", ["", "RSYSLOG_ForwardFormat", "RSYSLOG_SyslogProtocol23Format"])
def test_rsyslog_with_a_format_of_its_own_keeps_the_event(template: str, tmp_path: Path) -> None:
    """The default format cuts the tag at 32 characters, the last one ends it behind the module."""
    registry = load()
    [stop] = [one for one in registry.syslog_templates["ipsec.tunnel.stop"] if one.mnemonic == "IPSECTUNNELSTOP"]
    when, source = datetime.now(UTC), free_port()
    lines = [syslog.compose(stop, {}, when, 12, syslog.Layout(form=form, hostname="HUB-FW-01")) for form in LAYOUTS]
    decoder = Decoder(registry, Inventory(), Access([]))
    with socket.socket(type=socket.SOCK_DGRAM) as sink, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(0.3)
        chosen = f' template="{template}"' if template else ""
        action = f'target="127.0.0.1" port="{sink.getsockname()[1]}" protocol="udp"{chosen}'
        with rsyslogd(tmp_path, source, action):

            def relayed(line: bytes) -> bytes | None:
                sock.sendto(line, ("127.0.0.1", source))
                with contextlib.suppress(TimeoutError):
                    while b"rsyslogd" in (found := sink.recv(65535)):
                        pass
                    return found
                return None

            until(lambda: relayed(b"<13>Nov 21 04:00:00 relay up: up"), "the relay")
            with contextlib.suppress(TimeoutError):
                while sink.recv(65535):
                    pass
            passed = {
                form: until(lambda line=line: relayed(line), form) for form, line in zip(LAYOUTS, lines, strict=True)
            }
    for form, payload in passed.items():
        found = decoder.decode(Message("syslog-udp", "192.0.2.9", 514, when.timestamp(), payload))
        if template.endswith("23Format") and form == "I":
            assert found.event is None  # nothing but its number is left of it
            continue
        assert found.event == "ipsec.tunnel.stop", payload
        assert (found.peer, found.reason.name) == ("203.0.113.7", "dpd timeout")
        assert found.hostname == ("HUB-FW-01" if form != "I" else "localhost")


SENDERS = {
    "v1": ["snmptrap", "-v1", "-c", "public", "{to}", STOP.rsplit(".", 1)[0], "192.0.2.1", "6", "2", "100"],
    "v2c": ["snmptrap", "-v2c", "-c", "public", "{to}", "100", STOP],
    "v2c inform": ["snmpinform", "-v2c", "-c", "public", "-t", "5", "{to}", "100", STOP],
    "v3 authPriv": [
        *("snmptrap", "-v3", "-e", "0x800007db03aabbccddee", "-u", "eventd", "-l", "authPriv"),
        *("-a", "SHA-256", "-A", "auth-password", "-x", "AES", "-X", "priv-password", "{to}", "100", STOP),
    ],
}


@pytest.mark.parametrize("kind", list(SENDERS))
def test_net_snmp(eventd: Service, kind: str) -> None:
    program, *arguments = SENDERS[kind]
    values = [DST, "s", "203.0.113.7", REASON, "s", "dpd timeout"]
    to = f"127.0.0.1:{eventd.ports['snmp']}"
    subprocess.run([peer(program), *(a.replace("{to}", to) for a in arguments), *values], check=True, timeout=30)
    until(lambda: stops(eventd) == 1, "the event")
    [event] = eventd.events(1)
    assert event["peer"] == "203.0.113.7"
    assert event["reason"]["name"] == "dpd timeout"
    assert event["header"]["notification"] == "hwIPSecTunnelStop"


def test_net_snmp_with_a_wrong_key_is_refused_and_counted(eventd: Service) -> None:
    arguments = [a.replace("auth-password", "wrong-password") for a in SENDERS["v3 authPriv"][1:]]
    to = f"127.0.0.1:{eventd.ports['snmp']}"
    subprocess.run([peer("snmptrap"), *(a.replace("{to}", to) for a in arguments)], check=True, timeout=30)
    until(lambda: eventd.metrics()['eventd_snmp_usm_errors_total{reason="wrong_digest"}'] == 1, "the count")
    assert stops(eventd) == 0


def test_alertmanager_holds_the_alert_and_then_its_end(tmp_path: Path) -> None:
    program = peer("prometheus-alertmanager")
    port = free_port()
    config = tmp_path / "alertmanager.yml"
    shutil.copy(Path(__file__).parents[2] / "deploy/alertmanager.yml", config)
    log = (tmp_path / "alertmanager.log").open("wb")
    command = [program, f"--config.file={config}", f"--storage.path={tmp_path / 'am'}"]
    command += ["--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}"]
    alertmanager = subprocess.Popen(command, stdout=log, stderr=log)
    channel = f'[[channels]]\nname = "am"\ntype = "alertmanager"\nurls = ["http://127.0.0.1:{port}"]\n'

    def alerts() -> list[dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return []

    try:
        with Service(tmp_path, extra=channel) as eventd:
            eventd.send_udp(stop_line(7))
            [alert] = until(alerts, "the alert in Alertmanager")
            assert alert["labels"]["alertname"] == "IPsecTunnelDown"
            assert alert["labels"]["device"] == "FW1"
            assert alert["labels"]["peer"] == "10.0.7.1"
            assert alert["annotations"]["reason"] == "dpd timeout"
            eventd.send_udp(start_line(7))
            until(lambda: not alerts(), "the alert to end")
            until(lambda: eventd.total(eventd.metrics(), "eventd_outbox_pending") == 0, "the outbox to drain")
            assert eventd.ledger_faults() == []
    finally:
        alertmanager.terminate()
        alertmanager.wait(20)
        log.close()


def test_prometheus_scrapes_and_promtool_finds_nothing_to_say(eventd: Service, tmp_path: Path) -> None:
    eventd.send_udp(stop_line(1))
    until(lambda: stops(eventd) == 1, "the event")
    _, text = eventd.get("/metrics")
    lint = subprocess.run([peer("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")
    port, config = free_port(), tmp_path / "prometheus.yml"
    deployed = (Path(__file__).parents[2] / "deploy/prometheus.yml").read_text()
    config.write_text(deployed.replace("127.0.0.1:9514", f"127.0.0.1:{eventd.ports['web']}").replace("15s", "1s"))
    shutil.copy(Path(__file__).parents[2] / "deploy/prometheus-rules.yml", tmp_path)
    log = (tmp_path / "prometheus.log").open("wb")
    command = [peer("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    prometheus = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def scraped() -> list[object]:
        query = "eventd_events_total%7Bevent%3D%22ipsec.tunnel.stop%22%7D"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []

    try:
        [series] = until(scraped, "Prometheus to scrape")
        assert series["value"][1] == "1"
    finally:
        prometheus.terminate()
        prometheus.wait(20)
        log.close()


def test_the_deployment_files_are_accepted_by_the_tools_that_read_them(tmp_path: Path) -> None:
    deploy = Path(__file__).parents[2] / "deploy"
    subprocess.run([peer("promtool"), "check", "config", "prometheus.yml"], cwd=deploy, check=True, capture_output=True)
    subprocess.run([peer("amtool"), "check-config", str(deploy / "alertmanager.yml")], check=True, capture_output=True)
    unit = tmp_path / "eventd.service"
    unit.write_text((deploy / "eventd.service").read_text().replace("/opt/eventd/bin/eventd", "/bin/true"))
    verify = subprocess.run([peer("systemd-analyze"), "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (verify.returncode, verify.stderr) == (0, "")
