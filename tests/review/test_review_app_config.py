"""Review of the configuration: what `check` must refuse because it breaks, or silently does nothing, at run time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventd.config import load
from eventd.errors import ConfigError
from eventd.verify import verify


def checked(folder: Path, text: str, **files: str) -> Any:
    for name, content in files.items():
        (folder / name.replace("_toml", ".toml")).write_text(content)
    path = folder / "eventd.toml"
    path.write_text(text)
    config = load(str(path))
    verify(config)
    return config


def refused(folder: Path, text: str, **files: str) -> None:
    with pytest.raises(ConfigError):
        checked(folder, text, **files)


@pytest.mark.parametrize("value", ['"0s"', "-1"])
def test_a_reminder_of_zero_or_less_is_refused_because_it_hangs_the_service(tmp_path: Path, value: str) -> None:
    """timers._remind sets the next reminder to `at + 0`: Correlator._catch_up then never ends."""
    refused(tmp_path, f"[correlate]\nreminder = {value}\n")


@pytest.mark.parametrize("key", ["outage_hold", "recovery_hold", "rekey_hold", "twin_window", "flap_window"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_negative_and_non_finite_durations_of_the_judgement_are_refused(tmp_path: Path, key: str, value: str) -> None:
    refused(tmp_path, f"[correlate]\n{key} = {value}\n")


@pytest.mark.parametrize("line", ["flap_count = 0", "flap_count = -4", "selfheal_count = 0", "group_share = 7.0"])
def test_absurd_counts_of_the_judgement_are_refused(tmp_path: Path, line: str) -> None:
    refused(tmp_path, f"[correlate]\n{line}\n")


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", '"0s"', "-1"])
def test_a_retention_that_kills_the_service_or_the_data_ten_minutes_later_is_refused(
    tmp_path: Path, value: str
) -> None:
    """inf, nan and huge ones: OverflowError/ValueError in prune, which `_quietly` does not catch, so the TaskGroup ends
    the service; zero and less delete everything."""
    refused(tmp_path, f"[store]\nretention = {value}\n")


@pytest.mark.parametrize("line", ["max_malformed = -1", "max_malformed_bytes = -1", 'path = ""'])
def test_absurd_store_settings_are_refused(tmp_path: Path, line: str) -> None:
    refused(tmp_path, f"[store]\n{line}\n")


def test_a_receive_buffer_beyond_a_c_int_is_refused(tmp_path: Path) -> None:
    """setsockopt raises TypeError for it, which is no EventdError: traceback at start, deaf after a reload."""
    refused(tmp_path, "[receivers.syslog_udp]\nrecv_buffer_bytes = 4294967296\n")


@pytest.mark.parametrize(
    "line",
    ["idle_timeout = nan", "max_messages_per_second_per_source = nan", "max_messages_per_second_per_source = inf"],
)
def test_non_finite_receiver_settings_are_refused(tmp_path: Path, line: str) -> None:
    refused(tmp_path, f"[receivers.syslog_tcp]\n{line}\n")


def test_an_snmp_user_listed_twice_is_refused(tmp_path: Path) -> None:
    """parse.usm raises ValueError when the decoder is built: traceback at start; a reload is left half taken."""
    user = '[[receivers.snmp.users]]\nname = "u"\nlevel = "noAuthNoPriv"\n'
    refused(tmp_path, "[receivers.snmp]\n" + user * 2)


def test_web_certificates_are_tried(tmp_path: Path) -> None:
    """Contract: `check` covers certificates and keys."""
    (tmp_path / "c.pem").write_text("rubbish")
    (tmp_path / "k.pem").write_text("rubbish")
    refused(tmp_path, '[web]\ntls_cert_file = "c.pem"\ntls_key_file = "k.pem"\n')


@pytest.mark.parametrize("handlers", ['[""]', '[".x"]'])
def test_a_handler_package_without_a_proper_name_is_a_configuration_error(tmp_path: Path, handlers: str) -> None:
    refused(tmp_path, f"handlers = {handlers}\n")


def test_a_handler_package_that_breaks_on_import_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brokenreview").mkdir()
    (tmp_path / "brokenreview" / "__init__.py").write_text("this is no Python")
    monkeypatch.syspath_prepend(str(tmp_path))
    refused(tmp_path, 'handlers = ["handlers", "brokenreview"]\n')


INVENTORY = 'inventory = "peers.toml"\n'


def test_ipv6_addresses_of_devices_are_matched_in_any_spelling(tmp_path: Path) -> None:
    config = checked(tmp_path, INVENTORY, peers_toml='[[devices]]\nname = "hub"\naddresses = ["2001:DB8:0:0::1"]\n')
    assert config.inventory.identify(engine_id=None, agent=None, hostname=None, source="2001:db8::1") == "hub"


def test_a_network_as_address_of_a_device_is_refused_or_works(tmp_path: Path) -> None:
    try:
        config = checked(tmp_path, INVENTORY, peers_toml='[[devices]]\nname = "hub"\naddresses = ["192.0.2.0/24"]\n')
    except ConfigError:
        return
    assert config.inventory.identify(engine_id=None, agent=None, hostname=None, source="192.0.2.9") == "hub"


@pytest.mark.parametrize("text", ["0x800007db03aabbccddeeff", "80:00:07:db:03:aa:bb:cc:dd:ee:ff"])
def test_engine_ids_of_devices_may_be_written_as_in_the_receiver(tmp_path: Path, text: str) -> None:
    config = checked(tmp_path, INVENTORY, peers_toml=f'[[devices]]\nname = "hub"\nengine_ids = ["{text}"]\n')
    found = config.inventory.identify(engine_id="800007db03aabbccddeeff", agent=None, hostname=None, source="192.0.2.9")
    assert found == "hub"


def test_an_engine_id_of_a_device_that_is_none_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, INVENTORY, peers_toml='[[devices]]\nname = "hub"\nengine_ids = ["not hex"]\n')


@pytest.mark.parametrize(
    "key", ['addresses = ["192.0.2.1"]', 'hostnames = ["FW"]', 'engine_ids = ["800007db03aabbccddeeff"]']
)
def test_two_devices_that_claim_the_same_thing_are_refused(tmp_path: Path, key: str) -> None:
    refused(tmp_path, INVENTORY, peers_toml=f'[[devices]]\nname = "a"\n{key}\n[[devices]]\nname = "b"\n{key}\n')


def test_two_rows_for_one_peer_are_refused(tmp_path: Path) -> None:
    row = '[[peers]]\naddress = "203.0.113.7"\nname = "{}"\n'
    refused(tmp_path, INVENTORY, peers_toml=row.format("a") + row.format("b"))


def test_an_ipv4_mapped_peer_address_is_refused_or_works(tmp_path: Path) -> None:
    try:
        config = checked(tmp_path, INVENTORY, peers_toml='[[peers]]\naddress = "::ffff:203.0.113.7"\nname = "a"\n')
    except ConfigError:
        return
    assert config.inventory.peer("203.0.113.7") is not None


def test_a_network_as_address_of_a_peer_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, INVENTORY, peers_toml='[[peers]]\naddress = "203.0.113.7/8"\nname = "a"\n')


def test_a_local_clock_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    """Every device time of that device would silently be null."""
    refused(tmp_path, INVENTORY, peers_toml='[[devices]]\nname = "hub"\nclock = "local"\n')


def test_two_receivers_on_one_port_are_refused(tmp_path: Path) -> None:
    refused(
        tmp_path, '[receivers.syslog_udp]\nlisten = "127.0.0.1:5514"\n[receivers.snmp]\nlisten = "127.0.0.1:5514"\n'
    )


def test_web_and_syslog_on_one_port_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, '[receivers.syslog_tcp]\nlisten = "[::]:9514"\n')


def test_a_listen_address_given_twice_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, '[receivers.syslog_udp]\nlisten = ["[::]:5514", "0.0.0.0:5514"]\n')


def test_one_secret_for_two_tokens_is_refused(tmp_path: Path) -> None:
    token = '[[web.tokens]]\nname = "{0}"\ntoken = "0123456789abcdef"\nrole = "{1}"\n'
    refused(tmp_path, token.format("a", "operate") + token.format("b", "read"))


def test_every_problem_is_listed_at_once_also_those_of_web_files(tmp_path: Path) -> None:
    text = '[web]\ntls_cert_file = "gone.pem"\n[metrics]\nmax_peers = -1\n'
    with pytest.raises(ConfigError) as caught:
        checked(tmp_path, text)
    assert {problem.key.split(".")[0] for problem in caught.value.problems} == {"web", "metrics"}


def test_the_store_path_is_relative_to_the_file_as_the_example_says(tmp_path: Path) -> None:
    """config/eventd.example.toml: "File names are relative to this file"."""
    config = checked(tmp_path, '[store]\npath = "var/eventd.db"\n')
    assert Path(config.store.path) == tmp_path / "var/eventd.db"


@pytest.mark.parametrize(
    "text",
    ['handlers = [""]\n', "[receivers.snmp]\n" + '[[receivers.snmp.users]]\nname = "u"\nlevel = "noAuthNoPriv"\n' * 2],
)
def test_run_ends_with_a_sentence_and_not_with_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "eventd.toml"
    path.write_text(text + f'\n[store]\npath = "{tmp_path}/e.db"\n')
    done = subprocess.run(
        [sys.executable, "-m", "eventd", "run", "-c", str(path)], capture_output=True, text=True, timeout=30
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
