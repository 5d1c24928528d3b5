"""The pages: what they show in which state, and that text from the wire stays text."""

import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from correlate_strategies import EPOCH, inventory, parse
from msgspec.structs import replace
from web_fakes import FakeService, Site, serving

from eventd.contract import Batch, Settled
from eventd.correlate.hush import Maintenance, Silence
from eventd.inventory import Device, Inventory, Peer
from eventd.model import Fault, Incident, Malformed, Notification, Reason, Witness, utc
from eventd.web import desk, looks

#: Tags that do not part words.
INLINE = ("a", "span", "strong", "small", "code", "time")


class Page(HTMLParser):
    """What is on a page: ``tags`` with their attributes, and its ``text``."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", "".join(self.pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in INLINE:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    def values(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


async def look(site: Site, path: str = "/", status: int = 200) -> Page:
    answered, headers, html = await site.ask(path)
    assert answered == status, html
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(html)


async def title_of(site: Site, path: str) -> str:
    return unescape((await site.ask(path))[2].partition("<title>")[2].partition("</title>")[0])


@pytest.fixture
async def site():
    async with serving(FakeService(inventory=inventory(name="branch-berlin", site="Berlin"))) as site:
        yield site


# --- states -------------------------------------------------------------------------------------------------------


async def test_a_fresh_service_says_that_nothing_was_heard_and_where_devices_send_to(site: Site) -> None:
    page = await look(site)
    for text in (
        "nothing open",
        "Nothing is wrong that eventd knows of, but no device has been heard yet.",
        "No peer has been heard of yet.",
        "No event has been received yet.",
        "Devices send to 127.0.0.1:5514 (syslog udp).",
    ):
        assert text in page.text


async def test_an_open_incident_says_what_why_since_when_and_what_to_do_first(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout\n2 fail authentication fail", until=600)
    page = await look(site)
    for text in (
        "1 major",
        site.service.correlator.open_incidents()[0].title,
        "authentication fail (Meaning of authentication fail)",
        "for 10m, since 10:00:00 · 2 occurrences",
        "First Step for authentication fail",
        "1 of 1 peers down",
    ):
        assert text in page.text
    assert await title_of(site, "/") == "1 major · 1 of 1 peers down · eventd"


async def test_an_incident_that_is_over_moves_to_the_resolved(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout\n100 start", until=3600)
    page = await look(site)
    assert "nothing open" in page.text
    assert "0 down, 1 up" in page.text
    [incident] = (await site.json("incidents?status=resolved"))["items"]
    assert f"/incidents/{incident['id']}" in page.values("href")


async def test_what_ended_last_comes_first_and_children_are_told_by_their_parent(site: Site) -> None:
    def over(ident: str, at: float, **more: object) -> Incident:
        return incident(ident, status="resolved", resolved_at=utc(EPOCH + at), **more)

    ended = [
        over("late", 900, device="FW9"),
        over("soon", 100),
        over("outage", 500, kind="device_outage", peer=None, children=("child", "other")),
        over("child", 800, parent="outage", peer="2.1.1.2"),
    ]
    await site.service.store.commit(Batch(incidents={one.id: one for one in ended}))
    page = await look(site)
    links = [value for value in page.values("href") if value.startswith("/incidents/")]
    assert links == ["/incidents/late", "/incidents/outage", "/incidents/soon"]
    assert "2 under it" in page.text
    page = await look(site, "/?device=FW1")
    links = [value for value in page.values("href") if value.startswith("/incidents/")]
    assert links == ["/incidents/child", "/incidents/outage", "/incidents/soon"], "its parent may be another device's"


async def test_the_gravest_come_first_and_among_them_what_nobody_has_taken(site: Site) -> None:
    for number, (severity, taken) in enumerate(
        [("info", None), ("critical", "ann"), ("major", None), ("critical", None)]
    ):
        about = incident(f"i{number}", severity=severity, acked_by=taken, peer=f"2.1.1.{number}")
        site.service.correlator.each_open = having(site.service.correlator.open_incidents(), about)
    page = await look(site)
    shown = [value for value in page.values("id") if value.startswith("i-")]
    assert shown == ["i-i3", "i-i1", "i-i2", "i-i0"]
    assert "taken by ann" in page.text


def incident(ident: str, **known: object) -> Incident:
    moment = utc(EPOCH)
    fields: dict[str, object] = {
        "kind": "tunnel_down",
        "status": "open",
        "severity": "major",
        "device": "FW1",
        "peer": "2.1.1.1",
        "peer_name": None,
        "site": None,
        "interface": None,
        "vsys": "public",
        "opened_at": moment,
        "updated_at": moment,
    }
    return Incident(id=ident, **(fields | known))


def having(before, *more):
    return lambda: [*before, *more]


async def test_children_are_listed_with_their_open_parent_and_not_beside_it(site: Site) -> None:
    children = [incident(f"c{n}", parent="p", peer=f"2.1.1.{n}") for n in range(25)]
    parent = incident(
        "p", kind="interface_outage", peer=None, children=tuple(c.id for c in children), severity="critical"
    )
    site.service.correlator.each_open = having([], parent, *children)
    page = await look(site)
    assert [value for value in page.values("id") if value.startswith("i-")] == ["i-p"]
    assert "Interface outage: FW1" in page.text
    assert "25 open under it" in page.text
    assert "1 critical +25 under it 0 of 0 peers" in page.text, "what is told is counted, not what it tells"
    assert await title_of(site, "/") == "1 critical (+25 under them) · eventd"
    assert "and 5 more on its page" in page.text
    orphan = replace(children[0], parent="gone")
    site.service.correlator.each_open = having([], orphan)
    assert "i-c0" in (await look(site)).values("id")


async def test_two_hundred_peers_and_fifty_incidents_stay_readable(site: Site) -> None:
    up = [f"0 start peer=10.0.{n // 100}.{n % 100}" for n in range(150)]
    # each of another device, or they would be one outage
    reasons = ["dpd timeout" if n % 5 else "phase2 hard expiry" for n in range(50)]
    down = [f"1 stop {reason} peer=10.9.0.{n} device=FW{n + 2}" for n, reason in enumerate(reasons)]
    await site.service.tell("\n".join(up + down), until=300)
    page = await look(site)
    assert len([value for value in page.values("id") if value.startswith("i-")]) == desk.CARDS_OF_MANY
    assert f"and {50 - desk.CARDS_OF_MANY} more" in page.text
    assert "40 dpd timeout 10 phase2 hard expiry" in page.text
    assert "50 down, 150 up" in page.text
    assert "150 more: show all" in page.text
    assert len((await site.ask("/"))[2]) < 100_000
    everything = await look(site, "/?peers=all")
    for line in ("10.0.1.49", "10.9.0.49"):
        assert line in everything.text


async def test_more_open_incidents_than_lines_point_to_the_api(site: Site) -> None:
    many = [incident(f"i{n}", peer=f"10.0.{n // 100}.{n % 100}") for n in range(desk.CARDS_OF_MANY + desk.LINES + 7)]
    site.service.correlator.each_open = having([], *many)
    page = await look(site)
    assert "7 more in the API" in page.text
    assert "/api/v1/incidents?status=open" in page.values("href")


async def test_one_device_can_be_looked_at_alone(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout peer=2.1.1.8\n0 stop dpd timeout peer=2.1.1.9 device=FW2", until=60)
    page = await look(site, "/?device=FW2&refresh=off")
    assert "2.1.1.9" in page.text
    assert "2.1.1.8" not in page.text
    assert "?refresh=off" in page.values("href")
    assert "Nothing is wrong" in (await look(site, "/?device=nobody")).text


async def test_devices_that_were_never_heard_come_first() -> None:
    known = Inventory([Device(name="FW1"), Device(name="FW9", site="Rome")])
    async with serving(inventory=known) as site:
        await site.service.tell("0 start\n50 start device=FW0", until=60)
        text = (await look(site)).text.partition("longest silent first")[2]
        assert text.index("FW9") < text.index("FW1") < text.index("FW0 not in the inventory")
        assert "never" in text


async def test_the_clock_of_a_device_is_told_where_its_messages_have_one() -> None:
    async with serving() as site:
        await site.service.tell("0 start device=FW0\n0 start device=FW1\n0 start device=FW2", until=60)
        site.service.clock_skew |= {"FW0": 28799.6, "FW1": -0.5}
        text = (await look(site)).text.partition("longest silent first")[2]
        assert text.index("8h ahead") < text.index("FW1") < text.index("right") < text.index("FW2")
        assert text.count("ahead") == text.count("right") == 1


async def test_the_page_says_when_eventd_cannot_be_relied_on(site: Site) -> None:
    site.service.trouble = "The store cannot be written: database or disk is full"
    page = await look(site)
    assert site.service.trouble in page.text
    site.service.losing = "Messages are lost: within 10 minutes the kernel dropped 5 snmp before"
    assert site.service.losing in (await look(site)).text
    assert "alert" in page.values("role")


async def test_without_the_store_the_page_still_shows_what_is_open(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout", until=60)
    site.service.store.broken = "eventd.db: disk I/O error"
    page = await look(site, status=503)
    assert "The store cannot be read: eventd.db: disk I/O error" in page.text
    assert site.service.correlator.open_incidents()[0].title in page.text
    [open_one] = site.service.correlator.open_incidents()
    page = await look(site, f"/incidents/{open_one.id}", status=503)
    assert "dpd timeout" in page.text
    assert "disk I/O error" in (await look(site, "/incidents/other", status=503)).text


async def test_what_was_not_delivered_is_told_on_top_and_listed_with_why(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2 device=FW2", until=60)
    one, two = site.service.correlator.open_incidents()
    store, began = site.service.store, EPOCH + 60
    letters = [Notification(f"n{n}", "noc", "opened", about, utc(began)) for n, about in enumerate((one, two))]
    held = Notification("n2", "pager", "opened", one, utc(began), due_at=utc(began + 5000), held=True)
    await store.commit(Batch(notifications=[*letters, held]))
    assert "Not delivered" not in (await look(site)).text, "it has not waited for long"
    await store.claim("noc", began)
    await store.settle(Settled("n0", "dead", error="refused: https://chat.example <b>answered</b> 404"))
    page = await look(site)
    assert "1 notification was not delivered: which, and why." in page.text
    table = page.text.partition("Not delivered")[2]
    assert one.title in table
    assert "refused: https://chat.example <b>answered</b> 404" in table, "shown as it is, not as markup"
    site.service.clock = 60 + 901
    table = (await look(site)).text.partition("Not delivered")[2]
    assert two.title in table
    assert "waiting" in table
    assert "pager" not in table.partition("Notifications")[0], "quiet hours hold it"
    await store.drop("n0", "ann")
    again = await store.retry("n1")
    await store.claim("noc", began + 901)
    await store.settle(Settled(again.id, "delivered"))
    assert "Not delivered" not in (await look(site)).text


async def test_more_than_the_table_holds_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "UNDELIVERED_ROWS", 1)
    await site.service.tell("0 stop dpd timeout", until=60)
    [one] = site.service.correlator.open_incidents()
    told = [Notification(f"n{n}", channel, "opened", one, utc(EPOCH)) for n, channel in enumerate(("noc", "pager"))]
    await site.service.store.commit(Batch(notifications=told))
    for channel, ident in (("noc", "n0"), ("pager", "n1")):
        await site.service.store.claim(channel, EPOCH + 60)
        await site.service.store.settle(Settled(ident, "dead", error="no"))
    assert "more than 1 notification was not delivered" in (await look(site)).text


async def test_the_page_reloads_by_itself_until_it_is_told_not_to(site: Site) -> None:
    assert ("meta", {"http-equiv": "refresh", "content": str(desk.REFRESH_S)}) in (await look(site)).tags
    page = await look(site, "/?refresh=off&peers=all")
    assert "http-equiv" not in dict(pair for _, attributes in page.tags for pair in attributes.items())
    assert "?peers=all" in page.values("href")


async def test_a_key_the_page_does_not_know_is_refused(site: Site) -> None:
    status, _, text = await site.ask("/?site=Oslo")
    assert status == 400
    assert "known keys: device, peers, refresh" in text


async def test_every_peer_that_is_down_is_shown_before_any_that_is_up(site: Site) -> None:
    up = [f"0 start peer=10.0.0.{n}" for n in range(100)]
    down = [f"1 stop dpd timeout peer=10.9.0.{n} device=FW{n + 2}" for n in range(37)]
    await site.service.tell("\n".join(up + down), until=300)
    page = await look(site)
    section = page.text.partition("37 down, 100 up")[2].partition("Resolved lately")[0]
    assert all(f" 10.9.0.{n} " in section for n in range(37))
    assert "10.0.0." not in section
    assert "100 more: show all" in section
    everything = (await look(site, "/?peers=all")).text.partition("37 down, 100 up")[2]
    assert max(everything.index(f" 10.9.0.{n} ") for n in range(37)) < everything.index("10.0.0.")


async def test_who_has_an_incident_whether_it_is_silenced_and_where_the_fault_is_stands_with_it(site: Site) -> None:
    about = incident(
        "i1", acked_by="ann", acked_note="carrier called", acked_until=utc(EPOCH + 7200), silenced=True,
        fault_side="remote", witnesses=(Witness("syslog-udp", "FW1"), Witness("syslog-udp", "FW9")),
    )  # fmt: skip
    site.service.correlator.each_open = having([], about)
    await site.service.store.commit(Batch(incidents={"i1": about}))
    site.service.correlator.silence(Silence("s", {"peer": "2.1.1.1"}, EPOCH, EPOCH + 900, "bob"), EPOCH)
    for path in ("/", "/incidents/i1"):
        text = (await look(site, path)).text
        told = "taken by ann until 12:00:00: carrier called · silenced · fault on the far side · FW9 says so too"
        assert told in text, path


async def test_peers_that_the_inventory_does_not_list_are_told_apart_and_come_after_ours(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout\n1 stop dpd timeout peer=1.1.1.1 device=AAA", until=60)
    page = await look(site)
    headings = [value for value in page.values("aria-labelledby") if value.startswith("i-")]
    ours = next(one for one in site.service.correlator.open_incidents() if one.peer == "2.1.1.1")
    assert headings[0] == f"i-{ours.id}"
    section = page.text.partition("2 down")[2]
    assert section.index("branch-berlin") < section.index("1.1.1.1 not in the inventory")
    assert page.text.count("not in the inventory") == 4  # its incident, its peer, and both devices
    site.service.inventory = Inventory()
    assert (await look(site)).text.count("not in the inventory") == 2


async def test_silences_and_planned_work_are_listed(site: Site) -> None:
    now = utc(EPOCH)
    site.service.maintenance = (
        Maintenance(match={"device": "FW7"}, weekly="Mon 09:00-11:00", reason="patch day"),
        Maintenance(match={"site": ["Oslo", "Rome"]}, weekly="Sat 22:00-Sun 02:00"),
        Maintenance(start=now - timedelta(days=2), end=now - timedelta(days=1), reason="long over"),
    )
    site.service.correlator.silence(Silence("s", {"device": "FW3"}, EPOCH, EPOCH + 900, "bob", "new uplink"), EPOCH)
    text = (await look(site)).text.partition("Silences and planned work")[2]
    for part in (
        "silenced until 10:15:00 device=FW3 bob new uplink",
        "planned work until 11:00:00 Mon 09:00-11:00 UTC device=FW7 configuration patch day",
        "planned 01-10 22:00 to 01-11 02:00 Sat 22:00-Sun 02:00 UTC site=Oslo,Rome configuration",
    ):
        assert part in text
    assert "long over" not in text
    site.service.clock = 1000.0
    assert "new uplink" not in (await look(site)).text


# --- why, and what was refused ------------------------------------------------------------------------------------


async def test_why_is_a_page_of_a_peer_and_of_an_incident(site: Site) -> None:
    await site.service.tell(
        "0 start\n100 stop dpd timeout\n200 stop kick old sa with same flow peer=2.1.1.2", until=300
    )
    desk_page = await look(site)
    assert "/why?peer=2.1.1.1&device=FW1" in desk_page.values("href")
    ident = next(one.id for one in site.service.correlator.open_incidents() if one.peer == "2.1.1.1")
    assert f"/why?incident={ident}" in (await look(site, f"/incidents/{ident}")).values("href")
    for path in ("/why?peer=2.1.1.1&device=FW1", f"/why?incident={ident}", "/why?peer=branch-berlin&refresh=off"):
        text = (await look(site, path)).text
        for part in ("down 2.1.1.1 on FW1", "outage-hold", "within 15 s", "remind: if it is still open", "dpd timeout"):
            assert part in text, path
    assert (await site.ask("/why?peer=9.9.9.9"))[0] == 404


async def test_a_trap_is_shown_decoded_with_its_octets_folded(site: Site) -> None:
    seconds, event = parse("0 stop dpd timeout", 1)
    trap = replace(event, transport="snmp-v3", raw="30" * 90, policy="map1", extra={"hwIKEPeerName": "p1"})
    await site.service.feed([(seconds, trap)], until=60)
    [found] = site.service.correlator.open_incidents()
    for path in (f"/incidents/{found.id}", "/why?peer=2.1.1.1"):
        status, _, html = await site.ask(path)
        assert status == 200
        assert "policy map1" in Page(html).text
        assert "hwIKEPeerName p1" in Page(html).text
        assert html.index("map1") < html.index("<details><summary>90 octets as received") < html.index("30" * 90)


async def test_refused_messages_have_a_page_that_the_desk_leads_to(site: Site) -> None:
    assert "/rejected" not in (await look(site)).values("href")
    site.service.telemetry.inc("rejected", "syslog-udp", "bad_pri", n=60)
    refused = [
        Malformed(None, "syslog-udp", utc(EPOCH + n), "192.0.2.1", Fault(reason="bad_pri", offset=1), f"<999>no {n}.")
        for n in range(60)
    ]
    await site.service.store.commit(Batch(malformed=refused))
    page = await look(site)
    assert "60 messages were refused or could not be decoded since the start" in page.text
    assert "/rejected" in page.values("href")
    page = await look(site, "/rejected")
    assert "60 bad_pri (syslog-udp)" in page.text
    assert "bad_pri at byte 1 by syslog-udp from 192.0.2.1 <999>no 59." in page.text
    [older] = [value for value in page.values("href") if "before" in value]
    assert "<999>no 9." in (await look(site, f"/rejected{older}")).text


# --- one incident -------------------------------------------------------------------------------------------------


async def test_the_page_of_an_incident_tells_the_whole_story(site: Site) -> None:
    await site.service.tell(
        "0 start\n100 stop dpd timeout\n100 stop dpd timeout via=snmp\n102 fail authentication fail", until=700
    )
    [found] = (await site.json("incidents"))["items"]
    page = await look(site, f"/incidents/{found['id']}")
    for text in (
        found["title"],
        "open for 10m",
        found["summary"],
        "Device says authentication fail (code 18)",
        "Category authentication, phase ike",
        *found["actions"],
        *found["chain"],
        "Berlin",
        "ipsec.tunnel.stop FW1",
        "by syslog-udp from 192.0.2.1",
        found["id"],
    ):
        assert text in page.text, text
    raws = [event["raw"] for event in (await site.json(f"incidents/{found['id']}"))["events"]]
    assert len(raws) == 3
    assert all(raw in page.text for raw in raws)


async def test_the_page_of_a_resolved_incident_says_how_long_it_lasted_and_does_not_reload(site: Site) -> None:
    await site.service.tell("0 stop dpd timeout\n600 start", until=3600)
    [found] = (await site.json("incidents"))["items"]
    page = await look(site, f"/incidents/{found['id']}")
    assert f"resolved {found['title']}" in page.text
    assert await title_of(site, f"/incidents/{found['id']}") == f"resolved: {found['title']} · eventd"
    assert "lasted 10m" in page.text
    assert "was major" in page.text
    assert "http-equiv" not in dict(pair for _, attributes in page.tags for pair in attributes.items())


async def test_parent_and_children_lead_to_each_other(site: Site) -> None:
    over = utc(EPOCH + 90)
    dpd = Reason(text="dpd timeout")
    family = [
        incident("p", kind="device_outage", peer=None, children=("c", "d", "gone", "lost"), title="FW1 lost 4 peers"),
        incident("c", parent="p", status="resolved", resolved_at=over, cause=dpd, peer="2.1.1.2"),
        incident("d", parent="p", cause=dpd, peer_name="branch-berlin", kind="negotiation_failing"),
    ]
    await site.service.store.commit(Batch(incidents={one.id: one for one in family}))
    page = await look(site, "/incidents/p")
    hrefs = page.values("href")
    assert hrefs.index("/incidents/d") < hrefs.index("/incidents/c"), "what is open comes first"
    for text in (
        "1 open, 1 over; told by this one",
        "major branch-berlin 2.1.1.1 IPsec negotiation failing FW1 10:00:00 dpd timeout",
        "resolved 2.1.1.2 FW1 10:00:00 10:01:30 after 1m 30s dpd timeout",
        "2 more are not kept any more.",
    ):
        assert text in page.text
    assert await title_of(site, "/incidents/p") == "major: FW1 lost 4 peers · eventd"
    page = await look(site, "/incidents/c")
    assert "/incidents/p" in page.values("href")
    assert "Part of major FW1 lost 4 peers, which tells it." in page.text


async def test_the_messages_of_an_outage_of_many_are_those_of_its_peers(site: Site) -> None:
    stops = "\n".join(f"{n} stop dpd timeout peer=2.1.9.{n}" for n in range(1, 9))
    await site.service.tell(f"{stops}\n3 start peer=2.1.8.8\n4 stop dpd timeout peer=2.1.9.1 device=FW2", until=120)
    [parent] = [one for one in site.service.correlator.open_incidents() if one.children]
    found = await site.json(f"incidents/{parent.id}")
    assert {event["peer"] for event in found["events"]} == {f"2.1.9.{n}" for n in range(1, 9)}
    assert {event["device"] for event in found["events"]} == {"FW1"}
    assert [child["peer"] for child in found["under"]] == [f"2.1.9.{n}" for n in range(1, 9)]
    assert found["under_gone"] == 0
    assert "None is kept" not in (await look(site, f"/incidents/{parent.id}")).text


async def test_an_incident_without_a_cause_or_messages_has_a_page(site: Site) -> None:
    await site.service.store.commit(Batch(incidents={"x": incident("x", kind="device_silent", peer=None)}))
    page = await look(site, "/incidents/x")
    for text in ("Device silent: FW1", "No message gave a reason.", "None is kept any more."):
        assert text in page.text


async def test_an_incident_nobody_knows_has_a_page_that_leads_back(site: Site) -> None:
    page = await look(site, "/incidents/%3Cscript%3E", status=404)
    assert "There is no incident <script>" in page.text
    assert "/" in page.values("href")


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://wiki.example/ike", True), ("javascript:alert(1)", False), ("//x", False), (None, False)],
)
async def test_only_a_web_address_becomes_a_runbook_link(site: Site, url: str | None, linked: bool) -> None:
    await site.service.store.commit(Batch(incidents={"x": incident("x", runbook_url=url)}))
    page = await look(site, "/incidents/x")
    assert ("Runbook" in page.text, url in page.values("href")) == (linked, linked)


# --- hostile text -------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style></pre><iframe src=//evil.example>",
    "`<b>` and ` alone",
    "javascript:alert(1)",
    "&lt;script&gt;",
    "\u202egnirts\u2066 \u200b\x00\x1b[31m\x85",
    "x" * 5000,
)
ALLOWED_TAGS = """
html head meta title link body header main section article footer h1 h2 h3 p a span strong small ul ol li dl dt dd div
table thead tbody tr th td time pre code details summary
"""


@pytest.mark.conformance("RFC 5424 §8.2", "hostile text stays text on every page")
@pytest.mark.parametrize("text", HOSTILE)
async def test_text_from_the_wire_stays_text_wherever_it_appears(text: str) -> None:
    known = Inventory(peers=[Peer(address="2.1.1.1", name=text, site=text, tags=(text,))])
    reason = Reason(text=text, code=1, category="peer-unreachable", severity="major", meaning=text, actions=(text,) * 3)
    seconds, event = parse("0 stop dpd timeout", 1)
    hostile = replace(
        event, device=text, hostname=text, vsys=text, interface=text, policy=text, flow=text, raw=text, reason=reason,
        extra={text: text}, source=text,
    )  # fmt: skip
    async with serving(inventory=known) as site:
        site.service.trouble = text
        site.service.channels = [{"name": text, "type": text}]
        await site.service.feed([(seconds, hostile)], until=60)
        [found] = site.service.correlator.open_incidents()
        refused = Malformed(None, "syslog-udp", utc(EPOCH), text, Fault(reason="bad_pri", offset=1), text)
        await site.service.store.commit(Batch(malformed=[refused]))
        site.service.correlator.silence(Silence("s", {"device": text}, EPOCH, EPOCH + 900, text, text), EPOCH + 60)
        site.service.correlator.ack(found.id, text, EPOCH + 60, note=text)
        for path in ("/", "/?peers=all", f"/incidents/{found.id}", f"/why?incident={found.id}", "/rejected"):
            status, _, html = await site.ask(path)
            assert status == 200
            page = Page(html)
            assert {tag for tag, _ in page.tags} <= set(ALLOWED_TAGS.split())
            assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
            assert all(re.match(r"[/?#]", value) for value in page.values("href")), page.values("href")
            assert page.values("src") == []
            assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b\x85]", html)
            if "\u202e" not in text and "`" not in text:
                assert text in "".join(page.pieces)
        for path in ("incidents", f"incidents/{found.id}", "events", "peers", "devices", "status"):
            assert (await site.json(path)) is not None


def test_what_cannot_be_seen_is_written_out() -> None:
    assert looks.reveal("a\u202eb\x00c\ud800d\ne\tf") == "a\\u202eb\\x00c\\ud800d\ne\tf"
    assert looks.reveal(7) == 7


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("see `display ike sa` now", "see <code>display ike sa</code> now"),
        ("`a` `b`", "<code>a</code> <code>b</code>"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("plain & simple", "plain &amp; simple"),
    ],
)
def test_commands_in_steps_look_like_commands(text: str, html: str) -> None:
    assert looks.step(text) == html
