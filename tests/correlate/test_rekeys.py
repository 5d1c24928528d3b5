"""Rekeys and replacements: silent with a proof, an outage without."""

import pytest
from correlate_strategies import PEER, inventory, tell

from eventd.inventory import Inventory, Peer


@pytest.mark.parametrize("reason", ["kick old sa with same flow", "phase2 hard expiry", "phase1 sa replace"])
def test_a_start_shortly_before_proves_the_new_sa(reason: str) -> None:
    story = tell(f"0 start flow=A\n20 stop {reason} flow=A")
    assert story.told == []
    assert story.suppressed == ["rekey"]
    assert next(story.correlator.peers()).up is True


@pytest.mark.parametrize("reason", ["kick old sa with same flow", "phase2 hard expiry"])
def test_a_start_shortly_after_proves_the_new_sa(reason: str) -> None:
    story = tell(f"0 stop {reason}\n29 start")
    assert story.told == []
    assert story.suppressed == ["rekey"]


def test_without_the_start_it_is_an_outage_that_says_how_long_it_waited_and_for_what() -> None:
    story = tell("0 stop kick old sa with same flow")
    assert story.told == ["30 opened tunnel_down major"]
    assert "to be replaced (kick old sa with same flow), but no start of it came within 30 s" in story.last.summary
    assert story.last.chain[-1] == "10:00:30 no start within 30 s"


def test_a_start_too_long_before_is_no_proof() -> None:
    assert tell("0 start\n40 stop kick old sa with same flow").told == ["70 opened tunnel_down major"]


def test_a_start_of_another_flow_is_no_proof() -> None:
    story = tell("0 start flow=B\n1 stop kick old sa with same flow flow=A")
    assert story.told == ["31 opened tunnel_degraded major"]


def test_a_replacement_the_catalogue_takes_as_proven_needs_no_start() -> None:
    story = tell("0 stop phase1 sa replace", until=4000)
    assert story.told == []
    assert story.suppressed == ["rekey"]


def test_failures_after_it_disprove_even_that() -> None:
    story = tell("0 stop phase1 sa replace\n3 fail authentication fail")
    assert story.told == ["18 opened tunnel_down major"]
    assert story.last.opened_at.timestamp() % 3600 == 0
    assert story.last.cause is not None
    assert story.last.cause.name == "authentication fail"


def test_failures_after_it_that_end_well_tell_nobody() -> None:
    assert tell("0 stop phase1 sa replace\n3 fail authentication fail\n8 start").told == []


def test_hourly_rekeys_never_flap() -> None:
    lines = [f"{n * 60} stop kick old sa with same flow\n{n * 60 + 2} start" for n in range(20)]
    story = tell("\n".join(lines))
    assert story.told == []
    assert set(story.suppressed) == {"rekey"}


def test_an_outage_that_comes_on_top_of_a_rekey_is_held_as_an_outage() -> None:
    assert tell("0 stop kick old sa with same flow\n1 stop dpd timeout").told == ["16 opened tunnel_down major"]


HARD_EXPIRY = "0 stop phase2 hard expiry"


def test_an_expired_tunnel_that_stays_away_does_not_stay_a_warning() -> None:
    unknown = tell(HARD_EXPIRY, until=4000)
    assert unknown.told == ["30 opened tunnel_down warning", "900 updated tunnel_down major"]
    automatic = tell(HARD_EXPIRY, until=4000, known=inventory(trigger="auto"))
    assert automatic.told == ["30 opened tunnel_down warning", "120 updated tunnel_down major"]


def test_an_expired_tunnel_that_waits_for_the_far_end_stays_a_warning() -> None:
    story = tell(HARD_EXPIRY, until=14_000, known=inventory(mode="site-to-multisite"))
    assert story.told == ["30 opened tunnel_down warning"]


IDLE = inventory(trigger="traffic")


def test_an_idle_tunnel_that_runs_out_is_told_to_nobody_and_is_down_until_traffic_comes() -> None:
    story = tell(f"0 start\n3600 {HARD_EXPIRY[2:]}", until=90_000, known=IDLE)
    assert story.told == []
    assert story.suppressed == ["waits-for-traffic"]
    assert next(story.correlator.peers()).up is False
    story = tell(f"0 start\n3600 {HARD_EXPIRY[2:]}\n9000 start", known=IDLE)
    assert story.told == []
    assert next(story.correlator.peers()).up is True


def test_an_idle_flow_beside_others_is_no_outage_and_hides_none() -> None:
    lines = "0 start flow=A\n0 start flow=B\n3600 stop phase2 hard expiry flow=B"
    story = tell(lines, known=IDLE)
    assert (story.told, story.suppressed) == ([], ["waits-for-traffic"])
    assert next(story.correlator.peers()).up is True
    assert tell(f"{lines}\n4000 stop dpd timeout flow=A\n4005 start flow=A", known=IDLE).told == []
    assert tell(f"{lines}\n4000 stop dpd timeout flow=A", known=IDLE).told == ["4015 opened tunnel_down major"]


def test_traffic_of_one_flow_says_nothing_of_another_that_ran_out_with_it() -> None:
    lines = "0 stop phase2 hard expiry flow=A\n1 stop phase2 hard expiry flow=B\n600 start flow=A"
    assert tell(f"{lines}\n900 stop dpd timeout flow=A\n905 start flow=A", known=IDLE).told == []


@pytest.mark.parametrize("line", ["9 stop dpd timeout", "9 stop kick old sa with same flow flow=B"])
def test_a_stop_for_another_reason_is_no_idleness(line: str) -> None:
    assert tell(f"{HARD_EXPIRY}\n{line}", known=IDLE).told[0].split()[1:3] == ["opened", "tunnel_down"]


def test_a_new_ike_sa_is_no_traffic() -> None:
    story = tell(f"{HARD_EXPIRY}\n900 stop phase1 sa replace\n1800 start flow=B", known=IDLE)
    assert story.told == []
    assert next(story.correlator.peers()).tunnels_down == 0


def test_what_ran_out_and_cannot_negotiate_when_traffic_comes_is_told() -> None:
    assert tell(f"{HARD_EXPIRY}\n9 fail authentication fail", known=IDLE).told == ["24 opened tunnel_down major"]
    story = tell(f"{HARD_EXPIRY}\n900 fail authentication fail", known=IDLE)
    assert story.told == ["915 opened negotiation_failing major"]


@pytest.mark.parametrize("at", [-600, -5, 5])
def test_a_tunnel_that_runs_out_while_its_line_is_down_is_not_idle(at: int) -> None:
    lines = f"-3000 start interface=Gi1\n{at} linkdown interface=Gi1\n0 stop phase2 hard expiry interface=Gi1"
    story = tell("\n".join(sorted(lines.splitlines(), key=lambda line: int(line.split()[0]))), known=IDLE)
    assert story.told == ["30 opened tunnel_down warning"]
    assert any("Gi1" in line for line in story.last.chain)
    other = f"-3000 start interface=Gi1\n{at} linkdown interface=Gi2\n0 stop phase2 hard expiry interface=Gi1"
    assert tell(other, known=IDLE).told == []


def test_a_line_over_which_a_tunnel_came_up_since_is_not_down() -> None:
    lines = "-900 linkdown interface=Gi1\n-600 start interface=Gi1\n0 stop phase2 hard expiry interface=Gi1"
    assert tell(lines, known=IDLE).told == []


HUB, BRANCH = "device=HUB peer=2.1.1.1 local=1.1.1.1", "device=BRANCH peer=1.1.1.1 local=2.1.1.1"
BOTH_UP = f"-3000 start {HUB}\n-3000 start {BRANCH}\n"


def test_idleness_at_one_end_swallows_no_outage_that_the_other_tells() -> None:
    others = "".join(f"1 stop dpd timeout device=HUB peer=9.1.1.{n}\n" for n in range(2))
    story = tell(f"{BOTH_UP}0 stop phase2 hard expiry {HUB}\n{others}2 stop dpd timeout {BRANCH}", known=IDLE)
    told = [incident for incident in story.final.values() if incident.device == "BRANCH"]
    assert [(one.kind, one.severity) for one in told] == [("tunnel_down", "major")]
    assert {witness.device for witness in told[0].witnesses} == {"HUB", "BRANCH"}


def test_a_tunnel_that_runs_out_at_both_ends_is_as_idle_at_the_one_that_the_inventory_does_not_list() -> None:
    idle = f"{BOTH_UP}0 stop phase2 hard expiry {HUB}\n4 stop phase2 hard expiry {BRANCH}"
    assert tell(idle, known=IDLE, until=4000).told == []
    auto = Inventory(peers=[Peer(address=PEER, trigger="traffic"), Peer(address="1.1.1.1", trigger="auto")])
    assert tell(idle, known=auto, until=400).told[:1] == ["34 opened tunnel_down warning"]


def test_an_expired_tunnel_that_comes_back_or_has_company_does_not_escalate() -> None:
    back = tell(f"{HARD_EXPIRY}\n898 start", until=2000)
    assert back.told == ["30 opened tunnel_down warning", "903 resolved tunnel_down warning"]
    beside = tell("0 start flow=A\n9 stop phase2 hard expiry flow=B", until=4000)
    assert beside.told == ["39 opened tunnel_degraded warning"]


@pytest.mark.parametrize("before", ["", "0 start flow=A\n"])
def test_a_replacement_disproved_by_failures_is_down_in_the_books_too(before: str) -> None:
    story = tell(f"{before}100 stop phase1 sa replace\n103 fail authentication fail")
    assert story.told == ["118 opened tunnel_down major"]
    (peer,) = story.correlator.peers()
    assert (peer.up, peer.tunnels_up, peer.tunnels_down) == (False, 0, 1)
    assert story.last.count == 2
    assert tell(f"{before}100 stop phase1 sa replace\n103 fail authentication fail\n200 start").told[-1] == (
        "205 resolved tunnel_down major"
    )


def test_the_stop_of_another_sa_than_those_that_have_just_started_is_no_outage() -> None:
    text = "0 start SPI=11\n0.1 start SPI=12 via=trap\n3000 start SPI=21\n3000.1 start SPI=22 via=trap\n"
    for old in ("11", "12"):
        assert tell(f"{text}3010 stop dpd timeout SPI={old}").told == []
    for live in ("21", "22"):
        assert tell(f"{text}3010 stop dpd timeout SPI={live}").told == ["3025 opened tunnel_down major"]
    assert tell(f"{text}3100 stop dpd timeout SPI=11").told == ["3115 opened tunnel_down major"], "long after"


def test_the_stop_of_another_tunnel_index_than_the_one_that_has_just_started_is_no_outage() -> None:
    text = "0 start tunnel_index=1\n100 start tunnel_index=2\n"
    assert tell(f"{text}101 stop dpd timeout tunnel_index=1").told == []
    assert tell(f"{text}101 stop dpd timeout tunnel_index=2").told == ["116 opened tunnel_down major"]
