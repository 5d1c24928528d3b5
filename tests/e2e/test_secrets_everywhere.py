"""Secrets of every kind in a configuration, errors provoked with each; then all that eventd wrote is read for them."""

import base64
import json
import signal
import socket
from pathlib import Path

import pytest
import snmp_strategies as snmp
import trustme
from service import Service, until
from snmp_strategies import TUNNEL_STOP, UPTIME, bindings, name, v2c
from storm import send_datagrams, stop_line, stop_trap

from eventd.config import load
from eventd.web.operations import OPERATIONS

CANARY = "c4naryc4nary"
#: One recognisable secret for every key that takes one.
SECRETS = {
    key: f"{CANARY}-{key}"
    for key in (
        "community",
        "auth",
        "priv",
        "operate",
        "read",
        "slack",
        "user",
        "basic",
        "bearer",
        "header",
        "am",
        "proxy",
    )
}
EXTRA = """
[receivers.syslog_tls]
listen = "127.0.0.1:{{syslog_tls}}"
cert_file = "server.pem"
key_file = "server.pem"
[[web.tokens]]
name = "ops"
token = "{operate}"
role = "operate"
[[web.tokens]]
name = "screen"
token_file = "read-token"
[[channels]]
name = "chat"
type = "slack"
url = "http://127.0.0.1:9/services/{slack}?{slack}"
[[channels]]
name = "hook"
type = "webhook"
url = "http://{user}:{basic}@127.0.0.1:9/{slack}"
headers = {{{{ X-Key = "{header}" }}}}
[[channels]]
name = "bearer"
type = "webhook"
url = "http://127.0.0.1:9/"
bearer_token = "{bearer}"
proxy_url = "http://x:{proxy}@127.0.0.1:9"
[[channels]]
name = "am"
type = "alertmanager"
urls = ["http://x:{am}@127.0.0.1:9"]
basic_auth = {{{{ username = "x", password = "{basic}" }}}}
"""
SNMP = """
communities = ["{community}"]
[[receivers.snmp.users]]
name = "fw"
auth = "SHA256"
auth_key = "{auth}"
priv = "AES128"
priv_key = "{priv}"
"""
LEVEL = '[log]\nformat = "json"'

#: What a person gets wrong near a secret.
BROKEN = (
    ('token = "{operate}"', 'token = "{operate}"\nshow = "{operate}"'),
    ('token = "{operate}"', 'token = ["{operate}"]'),
    ('bearer_token = "{bearer}"', 'bearer_token = "{bearer}\\u0001"'),
    ('priv = "AES128"', 'priv = "{priv}"'),
    ('urls = ["http://x:{am}@127.0.0.1:9"]', 'urls = ["ftp://x:{am}@127.0.0.1:9"]'),
    ('url = "http://{user}:{basic}@127.0.0.1:9/{slack}"', 'url = "http://{user}:{basic}@[127.0.0.1:9/{slack}"'),
    ('communities = ["{community}"]', 'communities = ["{community}", 5]'),
    ('auth_key = "{auth}"', 'auth_key = "{auth}'),
)


def written(text: str | bytes) -> list[str]:
    """The secrets that stand in what eventd wrote, in clear, in hex or in base64."""
    octets = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    forms = {CANARY.encode(), CANARY.encode().hex().encode(), CANARY.encode().hex().upper().encode()}
    forms |= {base64.b64encode(b"x" * shift + CANARY.encode())[4:-4] for shift in range(3)}
    return [
        octets[max(0, at - 80) : at + 60].decode("utf-8", "backslashreplace")
        for form in forms
        if (at := octets.find(form)) >= 0
    ]


def provoke(eventd: Service) -> None:
    """Messages that are accepted, refused and damaged, with the right secrets in them and with wrong ones."""
    community = SECRETS["community"].encode()
    good = v2c(bindings(UPTIME, name(TUNNEL_STOP)), community=community)
    real = stop_trap(3).replace(b"\x04\x06public", b"\x04" + bytes((len(community),)) + community)
    whole = snmp.encode_sequence(real[real.index(b"\x02\x01\x01") :])
    user = snmp.usm.User("fw", "authPriv", "SHA256", SECRETS["auth"].encode(), "AES128", SECRETS["priv"].encode())
    liar = snmp.usm.User("fw", "authPriv", "SHA256", b"a-wrong-one", "AES128", SECRETS["priv"].encode())
    traps = [
        good,
        whole,
        whole[:-3],
        b"\x31" + whole[1:],
        good.replace(b"\x02\x01\x01", b"\x02\x01\x07", 1),
        v2c(bindings(UPTIME, name(TUNNEL_STOP)), community=community + b"x"),
        community,
        *[snmp.Device(who).message() for who in (user, liar)],
    ]
    send_datagrams(eventd.ports["snmp"], traps)
    send_datagrams(eventd.ports["syslog_udp"], [stop_line(8).encode()])
    with socket.create_connection(("127.0.0.1", eventd.ports["syslog_tls"])) as sock:
        sock.sendall(b"no handshake\n\n")


@pytest.mark.timeout(180)
def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    pem = trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem
    pem.write_to_path(tmp_path / "server.pem")
    key_line = pem.bytes().splitlines()[3].decode()
    (tmp_path / "read-token").write_text(SECRETS["read"] + "\n")
    seen: dict[str, str | bytes] = {}
    with Service(tmp_path, extra=EXTRA.format(**SECRETS), snmp_extra=SNMP.format(**SECRETS)) as eventd:
        provoke(eventd)
        bearer = {"Authorization": f"Bearer {SECRETS['read']}"}
        until(lambda: len(json.loads(eventd.get("/api/v1/events", bearer)[1])["items"]) >= 2, "the events")
        until(lambda: '_failures_total{channel="hook"' in eventd.get("/metrics")[1], "a failed delivery")
        incident = until(lambda: json.loads(eventd.get("/api/v1/incidents", bearer)[1])["items"], "an incident")[0]
        for operation in OPERATIONS:
            path = operation.path.replace("{id}", incident["id"])
            for number, headers in enumerate(({}, bearer, {"Authorization": f"Bearer {SECRETS['operate']}x"})):
                if operation.method == "get" and "stream" not in path:
                    seen[f"{path} {number}"] = eventd.get(path, headers)[1]
        for path in ("/", "/metrics", f"/nowhere?token={SECRETS['read']}"):
            seen[path] = eventd.get(path, bearer)[1].replace(SECRETS["read"] if "?" in path else "\0", "")
        good = eventd.config.read_text()
        for number, (right, wrong) in enumerate(BROKEN):
            right, wrong = right.format(**SECRETS), wrong.format(**SECRETS)
            assert right in good, right
            eventd.config.write_text(good.replace(right, wrong))
            done = eventd.eventd("check", "-c", str(eventd.config), check=False)
            assert done.returncode == 2, (right, done.stdout)
            seen[f"check {number}"] = done.stdout + done.stderr
            seen[f"reload {number}"] = eventd.request(
                "POST", "/-/reload", {"Authorization": f"Bearer {SECRETS['operate']}"}
            )[1]
        eventd.config.write_text(good)
        seen["test-alert"] = "".join(str(eventd.eventd(*["check", "-c", str(eventd.config)], check=False)))
        seen["repr"] = repr(load(str(eventd.config)))
        assert eventd.process is not None
        eventd.process.send_signal(signal.SIGHUP)
        eventd.stop()
        for file in (eventd.log, eventd.out, *tmp_path.glob("eventd.db*")):
            seen[file.name] = file.read_bytes()
    leaks = {what: found for what, text in seen.items() if (found := written(text))}
    assert leaks == {}
    assert not [what for what, text in seen.items() if key_line in str(text)]
    assert len(seen) > 40
    assert "Traceback" not in eventd.log.read_text()


def test_the_search_finds_what_it_looks_for() -> None:
    secret = SECRETS["auth"].encode()
    for text in (secret, b"x" + secret.hex().encode(), *(base64.b64encode(b"abc"[:n] + secret) for n in range(3))):
        assert written(text)
    assert not written("nothing")
