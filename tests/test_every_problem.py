"""Every problem at once: mistakes of all layers, in one file and its inventory, named in one run."""

import re
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from eventd.cli.check import command

#: Every line with a mistake says what must be told of it.
CONFIG = """\
inventory = "peers.toml"
handlers = ["handlers", 5]              # handlers[1]: must be text, not a whole number
colour = "red"                          # colour: unknown key
[receivers.syslog_udp]
listen = ["127.0.0.1:99999", "foo"]     # receivers.syslog_udp.listen: '127.0.0.1:99999' is not
                                        # receivers.syslog_udp.listen: 'foo' is not
allow = ["10.0.0.0/99", "here"]         # receivers.syslog_udp.allow: '10.0.0.0/99' is not
                                        # receivers.syslog_udp.allow: 'here' is not
recv_buffer_bytes = "big"               # receivers.syslog_udp.recv_buffer_bytes: must be a whole number, not text
[receivers.syslog_tcp]
max_connections = 0                     # receivers.syslog_tcp.max_connections: must be at least 1
listen = "127.0.0.1:9514"
[receivers.syslog_tls]
cert_file = "no.pem"                    # receivers.syslog_tls.cert_file: {folder}/no.pem cannot be read
key_file = "nokey.pem"                  # receivers.syslog_tls.key_file: {folder}/nokey.pem cannot be read
client_fingerprints = ["sha-256:00"]    # receivers.syslog_tls.client_fingerprints: 'sha-256:00' does not
                                        # receivers.syslog_tls.client_fingerprints: needs client_ca_file
[receivers.snmp]
communities = "public"                  # receivers.snmp.communities: must be a list, not text
trusted_forwarders = ["x/8"]            # receivers.snmp.trusted_forwarders: 'x/8' is not
[[receivers.snmp.users]]                # receivers.snmp.users[0].auth: is missing, level authPriv needs it
name = "a"
priv = "AES128"
priv_key = "short"                      # receivers.snmp.users[0].priv_key: must have at least 8
auth_key_file = "gone"                  # receivers.snmp.users[0].auth_key_file: {folder}/gone cannot be read
[[receivers.snmp.users]]                # receivers.snmp.users[1].auth_key: is missing
name = "b"
level = "authNoPriv"
auth = "ROT13"                          # receivers.snmp.users[1].auth: is not one of MD5, SHA
[[receivers.snmp.engines]]
engine_id = "xyz"                       # receivers.snmp.engines[0].engine_id: 'xyz' is not an engine id
[store]
sync = "maybe"                          # store.sync: is not one of full, normal
path = ["a"]                            # store.path: must be text, not a list
[web]
listen = ["[::]:9514", "nowhere"]       # web.listen: 'nowhere' is not
                                        # web.listen: [::]:9514 is taken by receivers.syslog_tcp.listen
external_url = "gopher://x"             # web.external_url: 'gopher://x' is not
tls_cert_file = "c.pem"                 # web.tls_cert_file: a TLS certificate and its key are needed together
                                        # web.tls_cert_file: {folder}/c.pem cannot be read
[[web.tokens]]
name = "t"
token = "fifteen chars.."               # web.tokens[0].token: is shorter than 16
role = "admin"                          # web.tokens[0].role: is not one of read, operate
[correlate]
outage_hold = "400d"                    # correlate.outage_hold: must be at most 1d
flap_window = "1s"                      # correlate.flap_window: must be longer than twin_window
flap_count = 2.5                        # correlate.flap_count: must be a whole number, not a number
[[channels]]                            # channels[0].url: is missing
name = "c"
type = "slack"
template_file = "gone.j2"               # channels[0].template_file: {folder}/gone.j2 cannot be read
[[channels]]
name = "d"
type = "webhook"
url = "ftp://example.net/"              # channels[1].url: is not of the form
proxy_url = "nonsense"                  # channels[1].proxy_url: is not of the form
tls_ca_file = "ca.pem"                  # channels[1].tls_ca_file: {folder}/ca.pem cannot be used
headers = {{ "bad name" = "x" }}          # channels[1].headers: 'bad name'
[[channels]]
name = "e"
type = "pigeon"                         # channels[2].type: 'pigeon' is not one of
[[routes]]
channels = ["nobody"]                   # routes[0].channels: there is no channel 'nobody'
match = {{ severity = "bad", x = 5 }}     # routes[0].match.severity: 'bad' is none of
                                        # routes[0].match.x: must be text or a list
[[maintenance]]
weekly = "some day"                     # maintenance[0].weekly: 'some day' is not like
time_zone = "Mars"                      # maintenance[0].time_zone: 'Mars' is not a known
match = {{ devise = "x" }}                # maintenance[0].match.devise: is not something
[metrics]
max_peers = -1                          # metrics.max_peers: must be at least 0
"""

INVENTORY = """\
[[devices]]
name = "a"
addresses = ["1.2.3", "10.0.0.1"]       # devices[0].addresses: '1.2.3' does not appear
clock = "sundial"                       # devices[0].clock: is not one of iso, add-offset, local
site = 5                                # devices[0].site: must be text, not a whole number
[[devices]]
name = "a"                              # devices[1].name: 'a' is the name of devices[0] already
addresses = ["10.0.0.1"]                # devices[1].addresses: '10.0.0.1' of 'a' belongs to 'a' (devices[0]) already
time_zone = "Nowhere"                   # devices[1].time_zone: 'Nowhere' is not a known time zone
engine_ids = ["zz"]                     # devices[1].engine_ids: 'zz' is not an engine id
[[peers]]
address = "nope"                        # peers[0].address: 'nope' does not appear
nmae = "x"                              # peers[0].nmae: unknown key (did you mean name?)
[[peers]]                               # peers[1]: needs either address or cidr
name = "x"
"""


def expected(file: Path, text: str) -> list[str]:
    """``file:line: key: what`` of every mistake, as far as the comments spell it out; a comment alone is about the
    line above it."""
    found, at = list[str](), 0
    for number, line in enumerate(text.splitlines(), 1):
        toml, _, said = line.partition("# ")
        at = number if toml.strip() else at
        if said:
            found.append(f"{file}:{at}: {said}")
    return found


def written(folder: Path) -> tuple[Path, list[str]]:
    files = {folder / "eventd.toml": CONFIG.format(folder=folder), folder / "peers.toml": INVENTORY}
    for file, text in files.items():
        file.write_text(text)
    return folder / "eventd.toml", [line for file, text in files.items() for line in expected(file, text)]


def test_mistakes_of_all_layers_are_named_in_one_run_by_file_and_line(tmp_path: Path) -> None:
    file, wanted = written(tmp_path)
    assert len(wanted) >= 50
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 2
    *told, last = done.stderr.splitlines()
    assert [line for line in wanted if not any(one.startswith(line) for one in told)] == []
    assert [one for one in told if not any(one.startswith(line) for line in wanted)] == [], "nothing that is no mistake"
    places = [(name, int(line)) for name, line in re.findall(r"^(\S+?):(\d+): ", "\n".join(told), re.MULTILINE)]
    assert places == sorted(places)
    assert len(places) == len(told)
    assert last == f"{len(told)} problems found; nothing was started."
    assert not re.search(r"`|str\b|NoneType|\bint\b", done.stderr), "words of programmers"


def test_run_says_the_same_as_check(tmp_path: Path) -> None:
    file, _ = written(tmp_path)
    said = [
        subprocess.run(
            [sys.executable, "-m", "eventd", name, "-c", str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stderr
        for name in ("check", "run")
    ]
    assert said[0] == said[1]


def test_one_web_server_may_listen_on_several_addresses(tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text('[web]\nlisten = ["127.0.0.1:9514", "[::1]:9514"]\n')
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 0
    assert "serves    127.0.0.1:9514, [::1]:9514" in done.output
