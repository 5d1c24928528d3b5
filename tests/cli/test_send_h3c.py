"""``eventd send``, ``decode`` and ``reasons`` know H3C: its wording, its layouts and its catalogue."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eventd.cli import main
from eventd.sender.syslog import COMWARE_FORMS, timestamps


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def decoded(printed: str, folder: Path, transport: str = "syslog") -> dict[str, object]:
    (folder / "sent").write_text(printed)
    result = run("decode", "-f", "json", "--transport", transport, str(folder / "sent"))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


FORMS = [(form, kind) for form in COMWARE_FORMS for kind in timestamps(form)]


@pytest.mark.parametrize(("form", "kind"), FORMS)
def test_every_layout_is_read_back(form: str, kind: str, tmp_path: Path) -> None:
    words = (
        "peer=192.0.2.7",
        "local=198.51.100.1",
        "reason=sa idle timeout",
        "SPI=7",
        "--form",
        form,
        "--timestamp",
        kind,
    )
    sent = run("send", "syslog", "ipsec.tunnel.stop", "--vendor", "h3c", *words, "--print")
    assert sent.exit_code == 0, sent.output
    found = decoded(sent.stdout, tmp_path)
    assert (found["event"], found["vendor"], found["hostname"]) == ("ipsec.tunnel.stop", "h3c", "FW1")
    assert {found["local"], found["peer"]} == {"192.0.2.7", "198.51.100.1"}
    assert (found["device_time"] is None) == (kind in ("boot", "none"))


def test_whose_wording() -> None:
    assert "OfflineReason" in run("send", "syslog", "ipsec.tunnel.stop", "--print").stdout
    assert "%%10IPSEC/6/" in run("send", "syslog", "IPSEC_SA_TERMINATE", "--print").stdout
    assert "IKE_P1_SA_TERMINATE" in run("send", "syslog", "ipsec.phase1.down", "--print").stdout  # only H3C has it
    assert "IFNET/3/PHY_UPDOWN" in run("send", "syslog", "link.down", "--vendor", "h3c", "--print").stdout
    wrong = run("send", "syslog", "link.down", "--vendor", "acme", "--print")
    assert wrong.exit_code == 2
    assert "'acme' is none of h3c, huawei" in wrong.output
    assert "hh3cIPsecTunnelStopV2" in run("send", "list", "ipsec.tunnel.stop").stdout


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::9"])
@pytest.mark.parametrize("version", ["1", "2c"])
@pytest.mark.parametrize("name", ["hh3cIPsecTunnelStopV2", "hpnicfIKETunnelStart", "h3cIKEAuthFailFailure"])
def test_notifications_with_addresses_of_both_kinds(name: str, version: str, peer: str, tmp_path: Path) -> None:
    sent = run("send", "trap", name, f"peer={peer}", "local=198.51.100.1", "--version", version, "--print")
    found = decoded(sent.stdout, tmp_path, "trap")
    assert (found["peer"], found["local"], found["vendor"]) == (peer, "198.51.100.1", "h3c")
    header = found["header"]
    assert isinstance(header, dict)
    assert header["notification"] == name


def test_reasons_of_this_vendor() -> None:
    shown = json.loads(run("reasons", "--vendor", "h3c", "keepalive timeout", "-f", "json").stdout)
    assert (shown["vendor"], shown["space"], shown["category"]) == ("h3c", "offline", "peer-unreachable")
    assert "keepalive" in shown["note"] or "log text" in shown["note"]
    assert any("DPD on both ends" in step for step in shown["actions"])
    rows = [json.loads(line) for line in run("reasons", "--vendor", "h3c", "-f", "json").stdout.splitlines()]
    assert len(rows) > 50
    assert {row["vendor"] for row in rows} == {"h3c"}
