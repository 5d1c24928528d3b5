"""What a tired engineer reads: why an update is sent, and words that fit what is known."""

import pytest
from correlate_strategies import EPOCH, Story, inventory, tell, timeline

from eventd.correlate import Silence

HOUR = 3600.0
DAY = 24 * HOUR


def news(story: Story) -> list[str]:
    """Why each update was told."""
    return [change.incident.news or "" for _, change in story.changes if change.notify and change.what == "updated"]


def silenced(text: str, until: float, reason: str = "") -> Story:
    story = tell("-100 start", until=-50)
    made = Silence("s1", {}, EPOCH - 50, EPOCH + 300, "ann", reason)
    story.take(-50, story.correlator.silence(made, EPOCH - 50))
    for at, event in timeline(text):
        story.take(at, story.correlator.apply(event, EPOCH + at))
    story.take(until, story.correlator.tick(EPOCH + until))
    return story


@pytest.mark.parametrize(
    ("text", "until", "expected"),
    [
        ("0 stop dpd timeout\n60 fail authentication fail", 100, ["cause known"]),
        ("0 stop config modify or manual offline", 1000, ["was info, not back after 15 min"]),
        ("0 heal\n9 heal\n18 heal", 30, ["was info, reported 3 times"]),
        ("0 stop dpd timeout\n" + "1 start\n2 stop\n" * 3, 60, ["was warning, stays down"]),
    ],
)
def test_an_update_says_why_it_is_sent(text: str, until: float, expected: list[str]) -> None:
    assert news(tell(text, until=until)) == expected


def test_a_group_says_how_many_are_back_or_more() -> None:
    down = "\n".join(f"{n} stop dpd timeout peer=10.0.0.{n}" for n in range(8))
    back = "\n".join(f"{300 + n} start peer=10.0.0.{n}" for n in range(3))
    assert news(tell(f"{down}\n{back}", until=500)) == ["3 of 8 are back"]
    one = "\n".join(f"{300 + n} start peer=10.0.0.{n}" for n in range(1))
    assert news(tell(f"{down}\n{one}", until=500)) == ["1 of 8 is back"]
    more = "\n".join(f"{30 + n} stop dpd timeout peer=10.0.1.{n}" for n in range(4))
    assert news(tell(f"{down}\n{more}", until=500)) == ["12 in all, 8 before"]


def test_what_was_hushed_names_what_has_ended() -> None:
    story = silenced("0 stop dpd timeout", 400, "works on the line")
    assert news(story) == ["the silence of ann (works on the line) has ended"]
    assert any("the silence of ann (works on the line) has ended" in line for line in story.last.chain)


def test_a_reason_that_is_cut_says_so() -> None:
    whole, cut = ("x" * length for length in (200, 201))
    assert f": {whole}. Since" in tell(f"0 stop {whole}").last.summary
    assert f": {cut[:199]}…. Since" in tell(f"0 stop {cut}").last.summary
    assert tell(f"0 stop {cut}").last.chain[0].endswith(f": {cut[:199]}…")


def test_an_opening_has_no_news() -> None:
    assert tell("0 stop dpd timeout").last.news is None


@pytest.mark.parametrize(
    ("known", "waits"), [({"trigger": "traffic"}, "traffic"), ({"mode": "site-to-multisite"}, "far end")]
)
def test_what_waits_for_others_has_lost_no_all_clear(known: dict[str, str], waits: str) -> None:
    story = tell("0 stop config modify or manual offline", until=DAY + HOUR, known=inventory(**known))
    assert "all-clear" not in story.last.summary
    assert f"still waits for {waits if waits == 'traffic' else 'the far end'}" in story.last.summary
    assert any("still waiting for" in line for line in story.last.chain)
    assert not any("nothing heard" in line for line in story.last.chain)
    assert "all-clear may have been lost" in tell("0 stop dpd timeout", until=DAY + HOUR).last.summary


def test_what_nobody_waits_for_any_more_is_not_said_to_be_up_again() -> None:
    over = tell("0 stop aaa cut user", until=DAY + HOUR).last
    assert over.status == "resolved"
    assert "up again" not in over.title
    assert "closed" in over.summary


def test_an_unanswered_probe_is_no_tunnel_that_is_down() -> None:
    told = tell("-100 start\n0 sla-down").last
    assert told.title == "2.1.1.1 does not answer the SLA probe of FW1: no reason given, since 10:00 UTC"
    assert "tunnel to 2.1.1.1 is down" not in told.summary
    assert told.chain[-1].endswith("no answer within 15 s")
    over = tell("-100 start\n0 sla-down\n60 sla-down state=clear").last
    assert over.title == "2.1.1.1 answers the SLA probe of FW1 again after 1 min 5 s"


def test_a_stop_after_an_unanswered_probe_is_a_tunnel_that_is_down() -> None:
    both = tell("-100 start\n0 sla-down\n5 stop dpd timeout").last
    assert "down on FW1" in both.title
    assert both.chain[-1].endswith("no start within 15 s")


def test_a_poor_way_is_not_cut_off() -> None:
    told = tell("0 sla-poor severity=warning").last
    assert "reached poorly from FW1" in told.title
    assert "cut off" not in told.summary


def test_few_peers_are_named_in_the_headline() -> None:
    text = "0 linkdown interface=GE1\n1 stop dpd timeout interface=GE1\n2 stop dpd timeout peer=2.1.1.2 interface=GE1"
    assert "lost 2 peers (2.1.1.1, 2.1.1.2) on GE1: link went down" in next(
        i.title for i in tell(text).final.values() if i.kind == "interface_outage"
    )


def test_the_headline_of_a_peer_in_a_virtual_system_says_which() -> None:
    assert tell("0 stop dpd timeout vsys=blue").last.title.startswith("2.1.1.1 (vsys blue) down on FW1")


def test_a_far_end_that_several_lost_has_its_name() -> None:
    up = "-900 start device=HUB peer=3.1.1.1 local=2.1.1.1"
    story = tell(f"{up}\n0 stop dpd timeout device=BR1\n1 stop dpd timeout device=BR2")
    assert any(i.title.startswith("HUB lost by 2 devices") for i in story.final.values()), story.last.title
