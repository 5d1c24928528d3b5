"""Stops on purpose: info, and what is expected next depends on the inventory."""

import pytest
from correlate_strategies import inventory, tell

BY_HAND = "0 stop config modify or manual offline"


def test_with_an_automatic_trigger_it_escalates_when_it_is_not_back_in_two_minutes() -> None:
    story = tell(BY_HAND, until=1000, known=inventory(trigger="auto"))
    assert story.told == ["15 opened tunnel_down info", "120 updated tunnel_down major"]
    assert story.last.opened_severity == "info"
    assert "should be back by now" in story.last.summary


def test_with_an_unknown_trigger_it_escalates_late_and_less() -> None:
    story = tell(BY_HAND, until=2000)
    assert story.told == ["15 opened tunnel_down info", "900 updated tunnel_down warning"]


@pytest.mark.parametrize(
    ("known", "words"),
    [({"trigger": "traffic"}, "next traffic"), ({"mode": "site-to-multisite"}, "only the far end")],
)
def test_where_it_waits_for_others_it_stays_info_and_says_so(known: dict[str, str], words: str) -> None:
    story = tell(BY_HAND, until=20_000, known=inventory(**known))
    assert story.told == ["15 opened tunnel_down info"]
    assert words in story.last.summary
    assert story.last.fault_side == "local"


def test_back_in_the_hold_tells_nobody() -> None:
    assert tell(f"{BY_HAND}\n10 start").suppressed == ["recovered-in-hold"]


def test_what_waits_for_traffic_escalates_once_traffic_came_and_failed() -> None:
    story = tell(f"{BY_HAND}\n3600 fail max transmit reached", until=4000, known=inventory(trigger="traffic"))
    assert story.told == ["15 opened tunnel_down info", "3720 updated tunnel_down major"]


def test_a_reason_that_explains_more_raises_it_at_once() -> None:
    story = tell(f"{BY_HAND}\n60 fail authentication fail", known=inventory(trigger="traffic"), until=100)
    assert story.told == ["15 opened tunnel_down info", "60 updated tunnel_down major"]


def test_a_removal_that_nothing_follows_ends_by_itself_after_a_day() -> None:
    story = tell("0 stop aaa cut user", until=90_000)
    assert story.told == ["15 opened tunnel_down info", "86415 resolved tunnel_down info"]
    assert next(story.correlator.peers()).up is None


@pytest.mark.parametrize("order", ["0 reset peer=none\n1 stop {}", "1 stop {}\n3 reset peer=none"])
def test_a_reset_near_it_makes_any_stop_one_on_purpose(order: str) -> None:
    story = tell(order.format("dpd timeout"))
    assert story.told == ["16 opened tunnel_down info"]
    assert any("SAs reset by command" in line for line in story.last.chain)


def test_a_policy_taken_off_an_interface_explains_the_stops_on_that_interface_only() -> None:
    detach = "0 policy peer=none interface=GE1 change=detach\n"
    assert tell(detach + "1 stop dpd timeout interface=GE1").told == ["16 opened tunnel_down info"]
    assert tell(detach + "1 stop dpd timeout interface=GE2").told == ["16 opened tunnel_down major"]


def test_a_policy_put_on_an_interface_explains_nothing() -> None:
    assert tell("0 policy peer=none change=attach\n1 stop dpd timeout").told == ["16 opened tunnel_down major"]


def test_a_typed_command_excuses_only_reasons_that_leave_it_open() -> None:
    assert tell("0 config peer=none\n1 stop peer request").told == ["16 opened tunnel_down info"]
    assert tell("0 config peer=none\n1 stop dpd timeout").told == ["16 opened tunnel_down major"]


def test_a_reset_long_ago_or_in_another_vsys_explains_nothing() -> None:
    assert tell("0 reset peer=none\n40 stop dpd timeout").told == ["55 opened tunnel_down major"]
    assert tell("0 reset peer=none vsys=guests\n1 stop dpd timeout").told == ["16 opened tunnel_down major"]


def test_an_outage_after_a_stop_on_purpose_escalates_after_its_own_hold() -> None:
    story = tell(f"{BY_HAND} flow=A\n60 stop dpd timeout flow=B", until=200, known=inventory(trigger="traffic"))
    assert story.told == ["15 opened tunnel_down info", "75 updated tunnel_down major"]


def test_one_flow_removed_on_purpose_while_the_rest_works_never_escalates() -> None:
    story = tell("0 start flow=B\n" + "60 stop config modify or manual offline flow=A", until=5000)
    assert story.told == ["75 opened tunnel_degraded info"]


def test_a_peer_cut_off_on_purpose_is_major_after_an_hour_unless_the_inventory_excuses_it() -> None:
    story = tell(BY_HAND, until=4000)
    assert story.told[1:] == ["900 updated tunnel_down warning", "3600 updated tunnel_down major"]


@pytest.mark.parametrize("at", [608, 700])
def test_a_reset_in_the_middle_of_an_outage_is_not_its_cause(at: int) -> None:
    story = tell(f"0 start\n600 stop dpd timeout\n{at} stop config modify or manual offline\n900 start", until=1000)
    assert (story.last.cause and story.last.cause.name, story.last.fault_side) == ("dpd timeout", "path")
    assert any("config modify or manual offline" in line for line in story.last.chain)
    assert [line.split()[1] for line in story.told] == ["opened", "resolved"]
