"""The main job as an operator sees it: a message in, an alert out, the page and the metrics agree."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from service import Service, until


@pytest.fixture
def eventd(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.start()
    yield service
    assert service.ledger_faults() == []
    assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def test_a_stop_leads_to_a_console_alert_and_the_start_resolves_it(eventd: Service) -> None:
    target = f"127.0.0.1:{eventd.ports['syslog_udp']}"
    eventd.eventd(
        "send", "syslog", "ipsec.tunnel.stop", "reason=dpd timeout", "peer=203.0.113.7", "hostname=FW1", "--to", target
    )
    alert = until(lambda: eventd.out.read_text(), "the alert on the console")
    for expected in ("FW1", "203.0.113.7", "dpd timeout", "display ike offline-info peer 203.0.113.7"):
        assert expected in alert
    metrics = eventd.metrics()
    assert metrics['eventd_events_total{event="ipsec.tunnel.stop"}'] == 1
    assert metrics['eventd_incidents_open{kind="tunnel_down",severity="major"}'] == 1
    assert metrics['eventd_peer_up{device="FW1",peer="203.0.113.7",peer_name="",site=""}'] == 0

    eventd.eventd("send", "syslog", "ipsec.tunnel.start", "peer=203.0.113.7", "hostname=FW1", "--to", target)
    until(lambda: "resolved" in eventd.out.read_text().casefold(), "the all-clear on the console")
    metrics = eventd.metrics()
    assert metrics['eventd_events_total{event="ipsec.tunnel.start"}'] == 1
    assert metrics['eventd_incidents_open{kind="tunnel_down",severity="major"}'] == 0
    assert metrics['eventd_peer_up{device="FW1",peer="203.0.113.7",peer_name="",site=""}'] == 1


def test_the_same_fact_by_syslog_and_by_trap_is_counted_once(eventd: Service) -> None:
    common = ("ipsec.tunnel.stop", "reason=dpd timeout", "peer=203.0.113.8")
    trap = bytes.fromhex(eventd.eventd("send", "trap", *common, "--print").stdout)
    line = eventd.eventd("send", "syslog", *common, "hostname=FW1", "--print").stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:  # at once: a command may take a second to start
        sender.sendto(line.encode(), ("127.0.0.1", eventd.ports["syslog_udp"]))
        until(lambda: eventd.metrics()['eventd_received_total{transport="syslog-udp"}'] == 1, "the log")
        sender.sendto(trap, ("127.0.0.1", eventd.ports["snmp"]))
    [incident] = until(lambda: eventd.api("incidents?status=open")["items"], "the incident")
    until(lambda: len(eventd.api(f"incidents/{incident['id']}")["witnesses"]) == 2, "the second witness")
    metrics = eventd.metrics()
    assert eventd.total(metrics, "eventd_duplicates_total") == 1
    assert eventd.total(metrics, "eventd_incidents_opened_total") == 1


def test_an_inform_is_answered(eventd: Service) -> None:
    answer = eventd.eventd(
        "send", "inform", "ipsec.tunnel.stop", "peer=203.0.113.9", "--to", f"127.0.0.1:{eventd.ports['snmp']}"
    )
    assert answer.returncode == 0
    assert eventd.metrics()['eventd_replies_total{outcome="sent"}'] == 1


def test_what_is_not_ours_is_counted_and_nothing_else(eventd: Service) -> None:
    eventd.send_udp("<13>Jan  1 00:00:00 host program: hello")
    until(lambda: eventd.metrics()['eventd_unrecognised_total{transport="syslog-udp"}'] == 1, "the count")
    assert eventd.api("events")["items"] == []
    assert eventd.out.read_text() == ""


#: Labels in either order.
BAD_PRI = ('reason="bad_pri",transport="syslog-udp"', 'transport="syslog-udp",reason="bad_pri"')


def test_malformed_input_is_counted_by_reason_and_kept(eventd: Service) -> None:
    eventd.send_udp("", "<999>nonsense")
    names = [f"eventd_rejected_total{{{labels}}}" for labels in BAD_PRI]
    until(lambda: 1 in map(eventd.metrics().get, names), "the counts")


@pytest.mark.conformance("Huawei info-center timestamp", "a device whose clock is 8 h ahead is measured and told of")
def test_a_device_that_prints_local_time_is_measured_and_told_of(eventd: Service) -> None:
    local = datetime.now(UTC) + timedelta(hours=8)
    stamp = f"{local:%b %d %Y %H:%M:%S}"
    received = 'eventd_received_total{transport="syslog-udp"}'
    for n in range(5):  # what comes at once is one sample
        eventd.send_udp(f"<189>{stamp} FW8 %%01SHELL/5/LOGIN(l)[{n}]:hello")
        until(lambda n=n: eventd.metrics()[received] > n, "the message")
    until(lambda: "8 h ahead" in eventd.log.read_text(), "the log line")
    skew = eventd.metrics()['eventd_device_clock_skew_seconds{device="FW8"}']
    assert 28_790 < skew < 28_801
    [row] = eventd.api("devices")["items"]
    assert (row["device"], row["clock_skew_s"]) == ("FW8", round(skew, 3))


def test_an_open_incident_survives_a_restart(eventd: Service) -> None:
    eventd.eventd(
        "send",
        "syslog",
        "ipsec.tunnel.stop",
        "peer=203.0.113.7",
        "--to",
        f"127.0.0.1:{eventd.ports['syslog_udp']}",
    )
    [before] = until(lambda: eventd.api("incidents?status=open")["items"], "the incident")
    told = until(lambda: eventd.out.read_text(), "the alert on the console")
    assert eventd.stop() == 0
    eventd.start()
    [after] = eventd.api("incidents?status=open")["items"]
    assert after == before
    assert eventd.out.read_text() == told, "it is told once"
    eventd.eventd(
        "send",
        "syslog",
        "ipsec.tunnel.start",
        "peer=203.0.113.7",
        "--to",
        f"127.0.0.1:{eventd.ports['syslog_udp']}",
    )
    [resolved] = until(lambda: eventd.api("incidents?status=resolved")["items"], "the resolution")
    assert resolved["id"] == before["id"]


def test_the_page_shows_the_incident_and_escapes_what_came_from_the_wire(eventd: Service) -> None:
    eventd.eventd(
        "send",
        "syslog",
        "ipsec.tunnel.stop",
        "peer=203.0.113.7",
        "reason=<script>alert(1)</script>",
        "--to",
        f"127.0.0.1:{eventd.ports['syslog_udp']}",
    )
    [incident] = until(lambda: eventd.api("incidents?status=open")["items"], "the incident")
    status, page = eventd.get("/")
    assert status == 200
    assert "203.0.113.7" in page
    assert "<script>" not in page
    status, page = eventd.get(f"/incidents/{incident['id']}")
    assert status == 200
    assert "<script>" not in page


def test_a_reload_takes_a_good_file_and_refuses_a_bad_one(eventd: Service) -> None:
    good = eventd.config.read_text()
    assert eventd.request("POST", "/-/reload")[0] == 403
    token = '[[web.tokens]]\nname = "ops"\ntoken = "correct-horse-battery"\nrole = "operate"\n'
    eventd.config.write_text(good + token)
    assert eventd.process is not None
    eventd.process.send_signal(1)
    bearer = {"Authorization": "Bearer correct-horse-battery"}
    until(lambda: eventd.request("POST", "/-/reload", bearer)[0] == 200, "the token to be taken")
    eventd.config.write_text(good + token + "[correlate2]\n")
    status, body = eventd.request("POST", "/-/reload", bearer)
    assert status == 422
    assert "correlate2" in body
    assert eventd.metrics()["eventd_config_last_reload_successful"] == 0
    eventd.config.write_text(good + token)
    assert eventd.request("POST", "/-/reload", bearer)[0] == 200
    assert json.loads(eventd.get("/api/v1/status")[1])["ready"] is True
