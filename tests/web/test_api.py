"""The JSON API against a real server: every list, filters, paging, refusals."""

from datetime import datetime

import msgspec
import pytest
from correlate_strategies import EPOCH, inventory, parse
from msgspec.structs import replace
from snmp_strategies import BASE, UPTIME, bindings, name, v2c
from web_fakes import FakeService, Site, serving
from yarl import URL

from eventd.contract import Batch, Catalogue, CatalogueRow, JournalRow
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Event, Header, Incident, PeerStatus, Reason, utc
from eventd.parse.snmp import Access, parse_notification
from eventd.registry import Registry
from eventd.web.answers import DeviceRow, EventRow, IncidentWithEvents, Learned, ReasonRow, Some, Status
from eventd.web.learned import MAX_LISTED

STORY = """
0 start flow=A peer=2.1.1.1
0 start flow=A peer=2.1.1.2 device=FW2
1 stop dpd timeout flow=A peer=2.1.1.1
2 fail authentication fail peer=2.1.1.1
3 stop phase2 hard expiry flow=A peer=2.1.1.2 device=FW2
4 start flow=B peer=2001:db8::7 device=FW3
20 start flow=A peer=2.1.1.2 device=FW2
"""


@pytest.fixture
async def site():
    service = FakeService(inventory=inventory(name="Branch-1", site="Oslo"))
    async with serving(service) as site:
        await service.tell(STORY, until=120)
        yield site


def path(name: str, **keys: object) -> str:
    return str(URL(name).with_query({key: str(value) for key, value in keys.items()}))


async def test_incidents_are_listed_latest_first_in_the_shape_of_the_model(site: Site) -> None:
    await site.service.tell("130 stop dpd timeout peer=2.1.1.9", until=300)
    items = (await site.json("incidents"))["items"]
    assert [item["peer"] for item in items] == ["2.1.1.9", "2.1.1.1"]
    assert list(items[0]) == [field.name for field in msgspec.structs.fields(Incident)]
    assert msgspec.convert(items[1], Incident).cause.category == "authentication"
    assert items[0]["opened_at"].endswith("Z")


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"status": "open"}, 1),
        ({"status": "resolved"}, 0),
        ({"kind": "tunnel_down"}, 1),
        ({"kind": "flapping"}, 0),
        ({"severity": "major"}, 1),
        ({"severity": "info"}, 0),
        ({"device": "FW1"}, 1),
        ({"device": "FW2"}, 0),
        ({"peer": "2.1.1.1"}, 1),
        ({"site": "Oslo"}, 1),
        ({"site": "Rome"}, 0),
        ({"status": "open", "device": "FW1", "severity": "critical"}, 0),
    ],
)
async def test_incidents_are_filtered(site: Site, keys: dict[str, str], count: int) -> None:
    assert len((await site.json(path("incidents", **keys)))["items"]) == count


async def test_one_incident_comes_with_the_stop_that_began_it_and_what_followed(site: Site) -> None:
    [incident] = (await site.json("incidents"))["items"]
    whole = await site.json(f"incidents/{incident['id']}")
    assert [event["event"] for event in whole["events"]] == [
        "ipsec.negotiation.fail",
        "ipsec.tunnel.stop",
        "ipsec.tunnel.start",
    ]
    assert msgspec.convert(whole, IncidentWithEvents).id == incident["id"]


async def test_a_message_that_names_no_peer_is_shown_with_the_incident_that_it_changed(site: Site) -> None:
    [incident] = (await site.json("incidents"))["items"]
    nameless = replace(parse("90 fail authentication fail", 99)[1], peer=None)
    stranger = replace(nameless, raw="another")
    journal = [JournalRow(nameless, incidents=(incident["id"],)), JournalRow(stranger)]
    await site.service.store.commit(Batch(journal=journal))
    whole = await site.json(f"incidents/{incident['id']}")
    assert [event["peer"] for event in whole["events"]] == [None, "2.1.1.1", "2.1.1.1", "2.1.1.1"]
    assert whole["events"][0]["incidents"] == [incident["id"]]


async def test_messages_of_the_same_peer_in_another_vsys_are_not_shown(site: Site) -> None:
    [incident] = (await site.json("incidents"))["items"]
    await site.service.tell("50 start vsys=vpn2 peer=2.1.1.1\n51 start vsys=Public peer=2.1.1.1 flow=Z", until=60)
    whole = await site.json(f"incidents/{incident['id']}")
    assert [event["vsys"] for event in whole["events"]] == ["Public", None, None, None]


async def test_an_incident_nobody_knows_is_not_found(site: Site) -> None:
    assert "nobody" in await site.refused("incidents/nobody", 404)


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({}, 7),
        ({"device": "FW2"}, 3),
        ({"peer": "2.1.1.1"}, 3),
        ({"peer": "2001:0DB8::0007"}, 1),
        ({"event": "ipsec.tunnel.stop"}, 2),
        ({"since": EPOCH + 3}, 3),
        ({"until": EPOCH + 3}, 4),
        ({"since": utc(EPOCH + 3).isoformat()}, 3),
        ({"since": "2026-01-05T11:00:03+01:00", "until": "2026-01-05T10:00:04Z"}, 1),
        ({"since": "2026-01-05 10:00:04"}, 2),
        ({"limit": 2}, 2),
    ],
)
async def test_the_journal_is_filtered(site: Site, keys: dict[str, str], count: int) -> None:
    items = (await site.json(path("events", **keys)))["items"]
    assert len(items) == count
    assert [item["received_at"] for item in items] == sorted((item["received_at"] for item in items), reverse=True)
    for item in items:
        assert list(item)[:-2] == [field.name for field in msgspec.structs.fields(Event)]


async def test_a_plus_that_was_not_escaped_is_understood(site: Site) -> None:
    items = (await site.json("events?since=2026-01-05T11:00:03+01:00"))["items"]
    assert len(items) == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_of_the_journal_join_to_the_whole_without_gap_or_repetition(site: Site, limit: int) -> None:
    whole = (await site.json("events?limit=1000"))["items"]
    assert await pages(site, "events", limit) == whole


async def pages(site: Site, name: str, limit: int, **keys: str) -> list[dict[str, object]]:
    found, cursor = [], {}
    while True:
        page = await site.json(path(name, limit=limit, **keys, **cursor))
        assert len(page["items"]) <= limit
        found += page["items"]
        assert len(found) < 10_000, "pages go round in a circle"
        if page["next"] is None:
            return found
        assert len(page["items"]) == limit
        cursor = {"before": page["next"]}


async def test_peers_tell_how_they_stand(site: Site) -> None:
    peers = (await site.json("peers"))["items"]
    assert [(p["device"], p["peer"], p["up"]) for p in peers] == [
        ("FW1", "2.1.1.1", False),
        ("FW2", "2.1.1.2", True),
        ("FW3", "2001:db8::7", True),
    ]
    assert [msgspec.convert(peer, PeerStatus).site for peer in peers] == ["Oslo", None, None]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"up": "true"}, ["2.1.1.2", "2001:db8::7"]),
        ({"up": "false"}, ["2.1.1.1"]),
        ({"up": "unknown"}, []),
        ({"device": "FW3"}, ["2001:db8::7"]),
        ({"peer": "2001:db8:0::7"}, ["2001:db8::7"]),
        ({"site": "Oslo"}, ["2.1.1.1"]),
    ],
)
async def test_peers_are_filtered(site: Site, keys: dict[str, str], names: list[str]) -> None:
    assert [peer["peer"] for peer in (await site.json(path("peers", **keys)))["items"]] == names


@pytest.mark.parametrize("limit", [1, 3, 7, 40])
async def test_pages_of_peers_do_not_shift_when_peers_come_in_between(site: Site, limit: int) -> None:
    await site.service.tell("\n".join(f"200 start peer=10.0.0.{n}" for n in range(30)), until=201)
    before = (await site.json("peers"))["items"]
    first = await site.json(f"peers?limit={limit}")
    await site.service.tell("210 start peer=1.0.0.1 device=AAA", until=211)
    cursor, rest = first["next"], []
    while cursor is not None:
        page = await site.json(path("peers", limit=limit, before=cursor))
        rest += page["items"]
        cursor = page["next"]
    assert first["items"] + rest == before


async def test_devices_are_those_of_the_inventory_and_those_heard() -> None:
    known = Inventory([Device(name="FW1", site="Oslo", vendor="huawei"), Device(name="FW9", site="Rome")])
    async with serving(inventory=known) as site:
        await site.service.tell("0 start\n5 start device=FW2", until=10)
        site.service.clock_skew["FW2"] = 28799.60049
        rows = [msgspec.convert(row, DeviceRow) for row in (await site.json("devices"))["items"]]
        assert [(row.device, row.in_inventory, row.last_message_at) for row in rows] == [
            ("FW1", True, utc(EPOCH)),
            ("FW2", False, utc(EPOCH + 5)),
            ("FW9", True, None),
        ]
        assert [row.clock_skew_s for row in rows] == [None, 28799.6, None]
        assert [row["device"] for row in (await site.json("devices?site=Rome"))["items"]] == ["FW9"]
        assert await pages(site, "devices", 2) == (await site.json("devices"))["items"]


async def test_what_was_learned_of_a_device_is_told_apart_from_its_inventory() -> None:
    known = Inventory(
        [Device(name="FW1", addresses=("1.1.1.1",), hostnames=("fw1.example",))], [Peer(address="2.1.1.1")]
    )
    async with serving(inventory=known) as site:
        lines = [f"{n} start peer=198.51.100.{n} local=192.0.2.{n}" for n in range(1, MAX_LISTED + 5)]
        await site.service.tell("\n".join(["0 start local=1.1.1.1", *lines]), until=100)
        for source, name in (("1.1.1.1", "fw1.example"), ("192.0.2.77", "FW1")):
            site.service.identities.learned[source] = {name: EPOCH}
        [row] = (await site.json("devices"))["items"]
        learned = msgspec.convert(row["learned"], Learned)
        assert (learned.peers.count, len(learned.peers.items)) == (MAX_LISTED + 4, MAX_LISTED)
        assert "2.1.1.1" not in learned.peers.items
        assert learned.addresses.count == MAX_LISTED + 4
        assert "1.1.1.1" not in learned.addresses.items
        assert learned.tunnels == MAX_LISTED + 5
        assert learned.sources == Some(1, ("192.0.2.77",))
        assert learned.hostnames == Some(0, ())
        _, _, page = await site.ask("/?device=FW1")
        assert "sends from 192.0.2.77" in page
        assert "and 4 more" in page
        assert "host names" not in page
        assert "Learned, and not in the inventory" not in (await site.ask("/"))[2]


async def test_after_a_restart_devices_are_known_from_the_judgement_that_was_kept() -> None:
    async with serving() as site:
        await site.service.tell("0 start", until=10)
        site.service.last_heard.clear()
        [row] = (await site.json("devices"))["items"]
        assert row["last_message_at"] == "2026-01-05T10:00:00Z"


async def test_the_catalogue_is_served_whole_and_by_name_code_and_category(site: Site) -> None:
    catalogue = [row for one in site.service.registry.catalogues for row in one.rows]
    rows = await pages(site, "reasons", 17)
    assert len(rows) == len(catalogue)
    assert {(row["space"], row["name"]) for row in rows} == {(row.space, row.reason.name) for row in catalogue}
    [row] = (await site.json("reasons?space=negotiation&name=authentication%20fail"))["items"]
    assert msgspec.convert(row, ReasonRow).category == "authentication"
    assert row in (await site.json("reasons?code=15"))["items"]
    found = (await site.json("reasons?category=capacity"))["items"]
    assert found
    assert {row["category"] for row in found} == {"capacity"}


async def test_a_reason_is_found_by_each_of_its_codes(site: Site) -> None:
    row = CatalogueRow("acme", "negotiation", Reason(text="no", name="no", code=7), codes=(7, 8))
    site.service.registry = Registry(site.service.registry.handlers, [Catalogue("acme", (row,))])
    for code, count in ((7, 1), (8, 1), (9, 0)):
        assert len((await site.json(f"reasons?code={code}"))["items"]) == count


async def test_status_says_how_eventd_does(site: Site) -> None:
    status = msgspec.convert(await site.json("status"), Status)
    assert status.ready
    assert (status.kernel_drops, status.losing) == ({"syslog-udp": 0, "snmp": 3}, None)
    assert status.started_at == utc(EPOCH)
    assert status.ledger["journal_rows"] == 7
    assert status.last_heard["FW2"] == utc(EPOCH + 20)
    site.service.trouble = "The store cannot be written: disk full"
    status = msgspec.convert(await site.json("status"), Status)
    assert (status.ready, status.not_ready) == (False, "The store cannot be written: disk full")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "incidents?stat=open",
            "stat: unknown key; known keys: id, status, kind, severity, device, peer, site, parent, limit, before",
        ),
        ("incidents?status=closed", "status: 'closed' is not one of open, resolved"),
        ("incidents?kind=tunnel", "tunnel_down"),
        ("incidents?device=", "device: is empty"),
        ("incidents?device=A&device=B", "device: given more than once"),
        ("incidents?limit=0", "limit: '0' is not a number from 1 to 1000"),
        ("incidents?limit=1001", "limit"),
        ("incidents?limit=-1", "limit"),
        ("incidents?limit=%C2%B2", "limit"),
        ("incidents?limit=" + "9" * 5000, "limit"),
        ("incidents?before=x", "before"),
        ("incidents?before=" + "9" * 19, "before"),
        ("incidents/x?a=1", "known keys: none"),
        ("events?since=yesterday", "since: 'yesterday' is not a time"),
        ("events?since=1e9", "since"),
        ("events?since=nan", "since"),
        ("events?since=" + "9" * 30, "since"),
        ("events?until=99999-01-01", "until"),
        ("events?event=ipsec.tunnel", "event: 'ipsec.tunnel' is not one of"),
        ("events?a=1&b=2&limit=0", "a: unknown key; b: unknown key; limit"),
        ("peers?up=yes", "up: 'yes' is not one of true, false, unknown"),
        ("peers?before=!", "before"),
        ("peers?before=e30", "before"),
        ("peers?before=%FF%FE", "before"),
        ("reasons?space=x", "offline, negotiation, condition"),
        ("devices?name=FW1", "name: unknown key"),
        ("status?verbose=1", "known keys: none"),
        ("openapi.json?v=1", "known keys: none"),
    ],
)
async def test_a_query_that_cannot_be_served_is_refused_with_what_is_wrong(site: Site, query: str, says: str) -> None:
    assert says in await site.refused(query)


@pytest.mark.parametrize(
    "value", ["%27%3B%20DROP%20TABLE%20incidents%3B%20--", "%00", "%ED%A0%80", "%F0%9F%94%A5", "a" * 4000, "%25"]
)
async def test_any_text_may_be_asked_for(site: Site, value: str) -> None:
    for asked in ("incidents?device=", "events?peer=", "events?incident=", "peers?site=", "reasons?name="):
        answer = await site.json(asked + value)
        assert answer == {"items": [], "next": None}


@pytest.mark.parametrize("name", ["incidents", "incidents/x", "events", "status"])
async def test_a_store_that_cannot_be_read_is_said_and_not_a_traceback(site: Site, name: str) -> None:
    site.service.store.broken = "var/eventd.db: disk I/O error"
    assert "disk I/O error" in await site.refused(name, 503)


async def test_peers_and_devices_are_told_without_the_store(site: Site) -> None:
    site.service.store.broken = "var/eventd.db: disk I/O error"
    assert len((await site.json("peers"))["items"]) == 3
    assert len((await site.json("devices"))["items"]) == 3


async def test_a_defect_is_an_error_without_its_details(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.service.correlator, "named_peers", lambda: 1 / 0)
    text = await site.refused("peers", 500)
    assert "division" not in text
    assert "Traceback" not in text


async def test_the_community_of_a_trap_is_not_shown_but_the_message_stays_well_formed() -> None:
    secret = "c4nary-community"
    wire = v2c(bindings(UPTIME, name()), community=secret.encode())
    event = Event(
        event="ipsec.tunnel.stop",
        vendor="huawei",
        transport="snmp-v2c",
        received_at=utc(EPOCH),
        device_time=None,
        source="192.0.2.1",
        device="FW1",
        peer="2.1.1.1",
        header=Header(oid=f"{BASE}.6.2"),
        raw=wire.hex(),
    )
    async with serving() as site:
        await site.service.feed([(0.0, event), (1.0, replace(event, transport="snmp-v3", raw="30"))], until=60)
        row, other = sorted((await site.json("events"))["items"], key=lambda item: item["transport"])
        assert secret.encode().hex() not in row["raw"]
        assert len(row["raw"]) == len(wire.hex())
        shown = parse_notification(bytes.fromhex(row["raw"]), Access(["*" * len(secret)]), 0.0)
        assert shown.oid == parse_notification(wire, Access([secret]), 0.0).oid
        assert other["raw"] == "30"
        [incident] = (await site.json("incidents"))["items"]
        for page in (f"/incidents/{incident['id']}", f"/api/v1/incidents/{incident['id']}"):
            assert secret.encode().hex() not in (await site.ask(page))[2]


async def test_what_was_asked_for_by_time_is_the_same_in_either_form(site: Site) -> None:
    moment = datetime.fromisoformat("2026-01-05T10:00:02+00:00")
    one = await site.json(path("events", since=moment.timestamp()))
    other = await site.json(path("events", since=moment.isoformat()))
    assert one == other


async def test_an_event_row_says_whether_it_was_one_more_witness(site: Site) -> None:
    seconds, event = parse("200 stop dpd timeout peer=2.1.1.5", 50)
    _, twin = parse("200 stop dpd timeout peer=2.1.1.5 via=snmp", 51)
    await site.service.feed([(seconds, event), (seconds, replace(twin, transport="snmp-v3"))], until=300)
    rows = [msgspec.convert(row, EventRow) for row in (await site.json("events?peer=2.1.1.5"))["items"]]
    assert sorted(row.duplicate for row in rows) == [False, True]
