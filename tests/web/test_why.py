"""Why over the API: of peers, devices and incidents, open and over, now and then."""

import msgspec
import pytest
from correlate_strategies import EPOCH, inventory
from web_fakes import FakeService, Site, serving

from eventd.contract import Batch
from eventd.model import Fault, Malformed, utc
from eventd.web.answers import RejectedRow, Why

STORY = """
0 start
1000 stop dpd timeout
1002 fail authentication fail
2000 start
3000 stop dpd timeout peer=2.1.1.2 device=FW2
5000 stop kick old sa with same flow
4998 start
"""


@pytest.fixture
async def site():
    async with serving(FakeService(inventory=inventory(name="branch-berlin", site="Berlin"))) as site:
        await site.service.tell(STORY, until=6000)
        yield site


async def why(site: Site, query: str) -> Why:
    return msgspec.convert(await site.json(f"explain?{query}"), Why)


@pytest.mark.parametrize("name", ["2.1.1.1", "branch-berlin"])
async def test_a_peer_is_explained_by_address_and_by_name(site: Site, name: str) -> None:
    found = await why(site, f"peer={name}")
    [one] = found.explanations
    assert (one.device, one.stands, one.incident) == ("FW1", "up", None)
    assert [incident.status for incident in found.incidents] == ["resolved"]
    assert {message.peer for message in found.messages} == {"2.1.1.1"}


async def test_an_open_incident_is_explained_with_rule_and_timers(site: Site) -> None:
    [incident] = (await site.json("incidents?status=open"))["items"]
    found = await why(site, f"incident={incident['id']}")
    assert found.incident is not None
    assert found.incident.id == incident["id"]
    [one] = found.explanations
    assert one.judged is not None
    assert (one.judged.rule, one.incident) == ("outage-hold", incident["id"])
    assert [wait.timer for wait in one.waits] == ["remind", "stale"]
    assert [message.event for message in found.messages] == ["ipsec.tunnel.stop"]


async def test_an_incident_that_is_over_keeps_its_explanation(site: Site) -> None:
    [incident] = (await site.json("incidents?status=resolved"))["items"]
    found = await why(site, f"incident={incident['id']}")
    assert found.incident is not None
    assert found.incident.chain == tuple(incident["chain"])
    assert [message.event for message in found.messages][-2:] == ["ipsec.negotiation.fail", "ipsec.tunnel.stop"]
    assert found.explanations[0].stands == "up"


async def test_a_moment_gives_the_incidents_open_then_and_the_messages_near_it(site: Site) -> None:
    found = await why(site, f"peer=2.1.1.1&at={EPOCH + 1050}")
    assert [incident.opened_at for incident in found.incidents] == [utc(EPOCH + 1000)]
    assert [message.received_at for message in found.messages] == [utc(EPOCH + 1002), utc(EPOCH + 1000)]
    assert "timers are those of now" in (found.notice or "")
    assert (await why(site, f"peer=2.1.1.1&at={EPOCH + 2500}")).incidents == ()
    assert (await why(site, "peer=2.1.1.1")).notice is None


async def test_a_device_is_explained(site: Site) -> None:
    await site.service.tell("6001 linkdown interface=GE1", until=6005)
    found = await why(site, "device=FW1")
    assert any("link went down" in line for line in found.explanations[0].near)
    assert [incident.device for incident in found.incidents] == ["FW1"]


async def test_an_outage_of_many_is_explained_by_what_it_tells_and_comes_first_on_its_device(site: Site) -> None:
    stops = "\n".join(f"{7000 + n / 10} stop dpd timeout peer=10.0.0.{n} device=FW7 interface=GE1" for n in range(1, 9))
    await site.service.tell("6999 linkdown device=FW7 interface=GE1\n" + stops, until=7100)
    outage = next(one for one in site.service.correlator.open_incidents() if one.kind == "interface_outage")
    found = await why(site, f"incident={outage.id}")
    assert [one.judged and one.judged.rule for one in found.explanations] == ["grouped"] * 3
    assert {one.parent for one in found.explanations} == {outage.id}
    assert (await why(site, "device=FW7")).incidents[0].id == outage.id
    near = await why(site, f"device=FW7&at={EPOCH + 7050}")
    assert near.more == 9 - len(near.incidents)
    then = near.incidents
    assert outage.id in {one.id for one in then}
    assert [one.opened_at for one in then] == sorted(one.opened_at for one in then)
    assert [one.peer for one in found.explanations] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 400, "ask for either a peer, a device, or an incident"),
        ("incident=x&peer=2.1.1.1", 400, "ask for either"),
        ("incident=x", 404, "no incident 'x'"),
        ("peer=9.9.9.9", 404, "nothing was ever heard of peer '9.9.9.9'"),
        ("peer=nobody", 404, "nothing was ever heard of peer 'nobody'"),
        ("peer=2.1.1.1&device=FW9", 404, "on device 'FW9'; it is in the inventory"),
        ("device=FW9", 404, "nothing was ever heard of device 'FW9'"),
    ],
)
async def test_what_cannot_be_explained_says_why(site: Site, query: str, status: int, says: str) -> None:
    assert says in await site.refused(f"explain?{query}", status)


# --- messages that were refused -----------------------------------------------------------------------------------

COMMUNITY = "c4nary"


def refused(transport: str, raw: str, n: int = 0) -> Malformed:
    return Malformed(None, transport, utc(EPOCH + n), "192.0.2.1", Fault(reason="bad_ber", offset=3), raw)


async def test_refused_messages_are_listed_latest_first(site: Site) -> None:
    await site.service.store.commit(Batch(malformed=[refused("syslog-udp", f"<999>{n}", n) for n in range(5)]))
    first = await site.json("rejected?limit=3")
    rows = [msgspec.convert(row, RejectedRow) for row in first["items"]]
    assert [row.raw for row in rows] == ["<999>4", "<999>3", "<999>2"]
    assert (rows[0].reason, rows[0].offset, rows[0].source) == ("bad_ber", 3, "192.0.2.1")
    rest = await site.json(f"rejected?before={first['next']}")
    assert [row["raw"] for row in rest["items"]] == ["<999>1", "<999>0"]


WHOLE = b"\x30\x0d\x02\x01\x01\x04\x06c4nary\xa7\x00"


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (WHOLE, WHOLE.replace(b"c4nary", b"******")),
        (WHOLE[:9], WHOLE[:7] + b"**"),
        (b"\x30\x82\x0f\xff\x02\x01\x00\x04\x81\x06c4nary", b"\x30\x82\x0f\xff\x02\x01\x00\x04\x81\x06******"),
        (b"\x30\x80\x02\x01\x01\x04\x06c4nary", b"\x30\x80\x02\x01\x01\x04\x06******"),
        (b"\x30\x0d\x02\x01\x01\x04", b"\x30\x0d\x02\x01\x01\x04"),
        (b"GET / HTTP/1.1", b"GET / HTTP/1.1"),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("transport", ["snmp-v1", "snmp-v2c", "snmp-inform"])
async def test_a_community_is_not_shown_even_in_a_damaged_message(
    site: Site, transport: str, octets: bytes, shown: bytes
) -> None:
    await site.service.store.commit(Batch(malformed=[refused(transport, octets.hex())]))
    [row] = (await site.json("rejected"))["items"]
    assert row["raw"] == shown.hex()
