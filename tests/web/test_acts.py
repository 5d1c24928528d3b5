"""Acts over the API against a real server: taking, clearing, silencing, and who may."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from correlate_strategies import EPOCH
from structlog.testing import capture_logs
from web_fakes import FakeService, Site, serving

from eventd.correlate.hush import Maintenance
from eventd.errors import StoreError
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Incident, utc
from eventd.web import acts
from eventd.web.answers import SilenceRow
from eventd.web.bodies import MAX_NOTE, MAX_VALUES, MAX_WHO
from eventd.web.server import MAX_BODY_BYTES
from eventd.web.settings import Token

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"
TOKENS = {READ: Token(name="screen", role="read"), OPERATE: Token(name="ann", role="operate")}


@pytest.fixture
async def site():
    async with serving(FakeService(tokens=TOKENS)) as site:
        await site.service.tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2 device=FW2", until=60)
        yield site


async def act(site: Site, path: str, method: str = "POST", **known: Any) -> tuple[int, Any]:
    status, _, text = await site.ask("/api/v1/" + path, method=method, token=known.pop("token", OPERATE), **known)
    return status, json.loads(text)


def opened(site: Site, peer: str = "2.1.1.1") -> Incident:
    return next(incident for incident in site.service.correlator.open_incidents() if incident.peer == peer)


# --- incidents ----------------------------------------------------------------------------------------------------


async def test_an_incident_is_taken_with_a_note_and_given_back(site: Site) -> None:
    ident = opened(site).id
    status, taken = await act(site, f"incidents/{ident}/ack", json={"note": " carrier\n called ", "until": "2h"})
    assert (status, taken["acked_by"], taken["acked_note"]) == (200, "ann", "carrier called")
    assert taken["acked_until"] == utc(EPOCH + 60 + 7200).isoformat().replace("+00:00", "Z")
    assert taken["chain"][-1].endswith("taken by ann: carrier called")
    kept = await site.service.store.incident(ident)
    assert kept is not None
    assert kept.acked_by == "ann"
    for method, sent in (("POST", {"json": {"who": None}}), ("DELETE", {})):
        await act(site, f"incidents/{ident}/ack", json={"who": "bob"})
        with capture_logs() as logs:
            status, left = await act(site, f"incidents/{ident}/ack", method, **sent)
        [said] = [line for line in logs if line["event"] == "incident given back"]
        assert said["who"] == "ann"
        assert (status, left["acked_by"], left["acked_note"], left["acked_until"]) == (200, None, None, None)


async def test_a_body_is_not_needed_and_who_may_be_somebody_else(site: Site) -> None:
    ident = opened(site).id
    assert (await act(site, f"incidents/{ident}/ack"))[1]["acked_by"] == "ann"
    assert (await act(site, f"incidents/{ident}/ack", json={"who": "on call"}))[1]["acked_by"] == "on call"


async def test_an_incident_is_cleared_by_hand(site: Site) -> None:
    ident = opened(site).id
    status, cleared = await act(site, f"incidents/{ident}/clear")
    assert (status, cleared["status"]) == (200, "resolved")
    assert cleared["chain"][-1].endswith("cleared by ann")
    assert [incident.peer for incident in site.service.correlator.open_incidents()] == ["2.1.1.2"]
    for what in ("ack", "clear"):
        assert await act(site, f"incidents/{ident}/{what}") == (409, {"error": f"incident {ident!r} is over already"})


@pytest.mark.parametrize("path", ["incidents/{}/ack", "incidents/{}/clear"])
@pytest.mark.parametrize("ident", ["nobody", "%00", "a" * 3000, "%F0%9F%94%A5"])
async def test_what_nobody_knows_is_not_found(site: Site, path: str, ident: str) -> None:
    assert (await act(site, path.format(ident)))[0] == 404


# --- silences -----------------------------------------------------------------------------------------------------


async def test_a_silence_is_made_listed_and_ended(site: Site) -> None:
    sent = {"match": {"device": "FW*", "severity": ["major", "critical"]}, "duration": "2h", "reason": "new uplink"}
    status, made = await act(site, "silences", json=sent)
    row = msgspec.convert(made, SilenceRow)
    assert (status, row.status, row.who, row.reason, row.incidents) == (201, "active", "ann", "new uplink", 2)
    assert (row.match, (row.until - row.starts_at).total_seconds()) == (sent["match"], 7200)
    assert opened(site).silenced
    for path in ("incidents?status=open", f"explain?incident={opened(site).id}"):
        shown = await site.json(path, headers=bearer(READ))
        assert all(one["silenced"] for one in shown.get("items", [shown.get("incident")]))
    listed = (await site.json("silences?status=active", headers=bearer(READ)))["items"]
    assert listed == [made | {"incidents": None}]
    status, ended = await act(site, f"silences/{row.id}", "DELETE")
    assert (status, ended["status"]) == (200, "expired")
    assert not opened(site).silenced
    assert not (await site.json(f"incidents/{opened(site).id}", headers=bearer(READ)))["silenced"]
    assert (await act(site, f"silences/{row.id}", "DELETE"))[0] == 404


async def test_a_silence_says_what_of_it_fits_nothing_in_the_inventory(site: Site) -> None:
    peers = [Peer(cidr="10.2.0.0/16", name="branches", site="bergen")]
    site.service.inventory = Inventory([Device(name="FW1", site="oslo")], peers)
    match = {"device": ["FW*", "FV1"], "site": "olso", "peer": ["10.2.3.4", "10.3.3.4"], "severity": "major"}
    _, made = await act(site, "silences", json={"match": match, "duration": "2h"})
    strangers = [("site", "olso"), ("device", "FV1"), ("peer", "10.3.3.4")]
    assert made["notes"] == [f"match.{key}: {text!r} fits nothing in the inventory" for key, text in strangers]


async def test_planned_work_is_listed_with_the_silences_and_ends_in_the_configuration(site: Site) -> None:
    site.service.maintenance = (
        Maintenance(match={"device": "FW7"}, weekly="Mon 09:00-11:00", reason="patch day"),
        Maintenance(match={"site": ["Oslo"]}, weekly="Sat 22:00-Sun 02:00", time_zone="Europe/Oslo"),
        Maintenance(start=utc(EPOCH - 9000), end=utc(EPOCH - 900), reason="over"),
    )
    made = (await act(site, "silences", json={"match": {"device": "FW1"}, "duration": "2h"}))[1]
    rows = (await site.json("silences", headers=bearer(READ)))["items"]
    assert [(row["id"], row["kind"], row["status"], row["starts_at"][5:16]) for row in rows] == [
        ("maintenance[2]", "maintenance", "expired", "01-05T07:30"),
        ("maintenance[0]", "maintenance", "active", "01-05T09:00"),
        (made["id"], "silence", "active", made["starts_at"][5:16]),
        ("maintenance[1]", "maintenance", "pending", "01-10T21:00"),
    ]
    assert [row["window"] for row in rows] == [None, "Mon 09:00-11:00 UTC", None, "Sat 22:00-Sun 02:00 Europe/Oslo"]
    assert (rows[1]["until"], rows[1]["who"], rows[1]["reason"]) == (
        "2026-01-05T11:00:00Z",
        "configuration",
        "patch day",
    )
    pending = (await site.json("silences?status=pending", headers=bearer(READ)))["items"]
    assert [row["match"] for row in pending] == [{"site": ["Oslo"]}]
    status, refused = await act(site, "silences/maintenance[0]", "DELETE")
    assert (status, "take it out there and reload" in refused["error"]) == (409, True)
    assert (await act(site, "silences/maintenance[9]", "DELETE"))[0] == 404


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_silences_are_paged_and_an_address_may_be_written_in_any_form(site: Site) -> None:
    for n in range(5):
        status, made = await act(site, "silences", json={"match": {"peer": f"2001:DB8::0{n}"}, "until": EPOCH + 900})
        assert (status, made["match"]) == (201, {"peer": f"2001:db8::{n}" if n else "2001:db8::"})
    found, cursor = [], ""
    while cursor is not None:
        page = await site.json(f"silences?limit=2{cursor and '&before=' + cursor}", headers=bearer(READ))
        found, cursor = found + page["items"], page["next"]
    assert len({row["id"] for row in found}) == len(found) == 5


@pytest.mark.parametrize(
    ("path", "sent", "says"),
    [
        ("incidents/{}/ack", b"{", "the body is not JSON"),
        ("incidents/{}/ack", b"\xff", "the body is not JSON"),
        ("incidents/{}/ack", b"[" * 5000, "the body is not JSON"),
        ("incidents/{}/ack", b"[]", "the body is not a JSON object"),
        ("incidents/{}/ack", b'{"who":"\\ud800"}', "who|not JSON"),
        ("incidents/{}/ack", {"by": "ann"}, "by: unknown key; known keys: who, note, until"),
        ("incidents/{}/ack", {"who": " "}, "who: is empty"),
        ("incidents/{}/ack", {"who": 5, "note": [], "until": True}, "who: .*note: .*until: "),
        ("incidents/{}/ack", {"who": "x" * (MAX_WHO + 1)}, "who: is longer than"),
        ("incidents/{}/ack", {"note": "x" * (MAX_NOTE + 1)}, "note: is longer than"),
        ("incidents/{}/ack", {"note": "\u202egnirts"}, "note: holds characters that cannot be seen"),
        ("incidents/{}/ack", {"until": "soon"}, "until: 'soon' is neither a time"),
        ("incidents/{}/ack", {"until": "0s"}, "until: is over already"),
        ("incidents/{}/ack", {"until": "9" * 400 + "d"}, "until: is no moment"),
        ("silences", {}, "match: is missing"),
        ("silences", {"match": {}, "duration": "1h"}, "match: is not an object with"),
        ("silences", {"match": {"device": "FW1"}}, "until: needs either until or duration"),
        ("silences", {"match": {"device": "FW1"}, "until": "1h", "duration": "1h"}, "until: needs either"),
        ("silences", {"match": {"device": "FW1"}, "until": EPOCH}, "until: the silence is over already"),
        ("silences", {"match": {"device": "FW1"}, "duration": "60000d"}, "until: the silence"),
        ("silences", {"match": {"device": "FW1"}, "duration": 5}, "duration: is not a duration"),
        ("silences", {"match": {"dev": "x", "severity": "grave"}, "x": 1}, "dev: is .*severity: 'grave'.*x: unk"),
        ("silences", {"match": {"device": []}, "duration": "1h"}, "device: is an empty list"),
        ("silences", {"match": {"device": [1]}, "duration": "1h"}, "device: is not a text"),
        ("silences", {"match": {"device": ["x"] * (MAX_VALUES + 1)}, "duration": "1h"}, "device: is not a text"),
    ],
)  # fmt: skip
async def test_a_body_that_makes_no_sense_is_refused_with_everything_that_is_wrong(
    site: Site, path: str, sent: Any, says: str
) -> None:
    data = sent if isinstance(sent, bytes) else json.dumps(sent)
    status, answer = await act(site, path.format(opened(site).id), data=data)
    assert status == 400
    assert re.search(says, answer["error"]), answer["error"]
    assert opened(site).acked_by is None
    assert site.service.correlator.silences() == []


async def test_a_body_has_a_limit(site: Site) -> None:
    data = b" " * (MAX_BODY_BYTES + 1)
    assert (await act(site, f"incidents/{opened(site).id}/ack", data=data))[0] == 413
    assert (await act(site, "silences", data=data))[0] == 413


# --- who may ------------------------------------------------------------------------------------------------------

CHANGES = (
    ("POST", "incidents/{}/ack"),
    ("DELETE", "incidents/{}/ack"),
    ("POST", "incidents/{}/clear"),
    ("POST", "silences"),
    ("DELETE", "silences/{}"),
)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    ("tokens", "headers", "status"),
    [
        ({}, {}, 403),
        ({}, bearer(OPERATE), 403),
        ({READ: TOKENS[READ]}, bearer(READ), 403),
        (TOKENS, {}, 401),
        (TOKENS, bearer("wrong"), 401),
        (TOKENS, bearer(READ), 403),
        (TOKENS, {"Authorization": "Basic YW55OnJlYWQtdG9rZW4tMDEyMzQ1Njc4OQ=="}, 403),
        (TOKENS, {"Authorization": "Basic YW55Om9wZXJhdGUtdG9rZW4tMDEyMzQ1Njc4OQ=="}, 403),
    ],
)
async def test_nobody_changes_anything_without_a_token_of_role_operate(
    method: str, path: str, tokens: Mapping[str, Token], headers: dict[str, str], status: int
) -> None:
    async with serving(FakeService(tokens=tokens)) as site:
        await site.service.tell("0 stop dpd timeout", until=60)
        before = opened(site)
        body = {"json": {"match": {"device": "*"}, "duration": "1h"}} if path == "silences" else {}
        answer = await site.ask("/api/v1/" + path.format(before.id), method=method, headers=headers, **body)
        assert answer[0] == status, answer
        assert (opened(site), site.service.correlator.silences()) == (before, [])


# --- a store that does not answer ---------------------------------------------------------------------------------


async def test_an_act_that_is_not_durable_yet_is_not_answered_with_success(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(_: object) -> None:
        await acts.asyncio.Event().wait()

    async def down(_: object) -> None:
        raise StoreError("eventd is starting or stopping")

    monkeypatch.setattr(acts, "COMMIT_S", 0.05)
    for how, says in ((stuck, acts.NOT_YET), (down, "eventd is starting or stopping")):
        monkeypatch.setattr(site.service, "operate", how)
        assert await act(site, f"incidents/{opened(site).id}/ack") == (503, {"error": says})
