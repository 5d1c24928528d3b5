"""No secret of the configuration can be had over HTTP: every answer of a real service, searched for canaries."""

import json
import re
from pathlib import Path

import pytest
from service import Service, until
from snmp_strategies import BASE, TUNNEL_STOP, UPTIME, bind, bindings, name, v2c
from storm import send_datagrams, stop_line

from eventd.model import Syntax
from eventd.web.operations import OPERATIONS
from eventd.web.stream import EVENT_STREAM

COMMUNITY, TOKEN, READ_TOKEN = "c4nary-community", "c4nary-operate-token", "c4nary-read-token-x"
EXTRA = f"""
[[web.tokens]]
name = "ops"
token = "{TOKEN}"
role = "operate"
[[web.tokens]]
name = "screen"
token = "{READ_TOKEN}"
[[channels]]
name = "chat"
type = "slack"
url = "http://127.0.0.1:9/services/c4nary-path?c4nary-query"
[[channels]]
name = "hook"
type = "webhook"
url = "http://c4nary-user:c4nary-password@127.0.0.1:9/c4nary-hook"
"""
SNMP_EXTRA = f"""
communities = ["{COMMUNITY}"]
[[receivers.snmp.users]]
name = "fw"
auth = "SHA256"
auth_key = "c4nary-auth-key"
priv = "AES128"
priv_key = "c4nary-priv-key"
"""


@pytest.fixture(scope="module")
def eventd(tmp_path_factory: pytest.TempPathFactory):
    with Service(Path(tmp_path_factory.mktemp("secrets")), extra=EXTRA, snmp_extra=SNMP_EXTRA) as running:
        yield running


def test_no_answer_holds_a_secret(eventd: Service) -> None:
    bearer = {"Authorization": f"Bearer {READ_TOKEN}"}
    assert eventd.get("/api/v1/events")[0] == 401
    peer = bind(f"{BASE}.2.1.5.12.10.7", Syntax.OCTET_STRING, b"10.0.7.1")
    reason = bind(f"{BASE}.5.12.0", Syntax.OCTET_STRING, b"dpd timeout")
    trap = v2c(bindings(UPTIME, name(TUNNEL_STOP), peer, reason), community=COMMUNITY.encode())
    send_datagrams(eventd.ports["snmp"], [trap])
    send_datagrams(eventd.ports["syslog_udp"], [stop_line(8).encode()])
    events = until(lambda: both(eventd, bearer), "both events")
    assert {event["transport"] for event in events} == {"snmp-v2c", "syslog-udp"}
    incidents = until(lambda: listed(eventd, "incidents", bearer), "an incident")
    seen = []
    for operation in OPERATIONS:
        if operation.method == "get" and operation.returns != (EVENT_STREAM,):
            path = operation.path.replace("{id}", incidents[0]["id"])
            path += {"/api/v1/explain": f"?incident={incidents[0]['id']}", "/why": "?peer=10.0.7.1"}.get(path, "")
            status, text = eventd.get(path, bearer)
            assert status == 200, path
            seen.append(text)
    seen.append(eventd.request("POST", "/-/reload", {"Authorization": f"Bearer {TOKEN}"})[1])
    for text in seen:
        found = re.search("c4nary|" + b"c4nary".hex(), text)
        assert found is None, text[max(0, found.start() - 200) : found.end() + 100]


def listed(eventd: Service, what: str, headers: dict[str, str]) -> list[dict[str, str]]:
    status, text = eventd.get(f"/api/v1/{what}", headers)
    assert status == 200, text
    return json.loads(text)["items"]


def both(eventd: Service, headers: dict[str, str]) -> list[dict[str, str]] | None:
    events = listed(eventd, "events", headers)
    return events if len(events) == 2 else None
