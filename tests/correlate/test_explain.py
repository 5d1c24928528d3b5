"""Why: also for what nobody was told of."""

import re
from pathlib import Path

import pytest
from correlate_strategies import EPOCH, inventory, tell

from eventd.correlate import Settings, Silence, rules
from eventd.correlate.explain import WAITS
from eventd.correlate.timers import TIMERS
from eventd.inventory import Inventory, Peer

ROOM = Path(__file__).parents[2] / "eventd/correlate"


def one(text: str, until: float | None = None, **known: str):
    story = tell(text, until=until, known=inventory(**known) if known else None)
    [found] = story.correlator.explain(EPOCH + (until or 0), peer="2.1.1.1")
    return found


def test_every_rule_that_is_named_anywhere_has_its_words() -> None:
    named = set(re.findall(r'suppress\(\s*"([a-z-]+)"', "".join(file.read_text() for file in ROOM.glob("*.py"))))
    assert named <= set(rules.RULES)
    assert len(named) > 8
    for rule in rules.RULES.values():
        assert "{" not in rules.worded(rule.concludes, Settings()) + rules.worded(rule.unless, Settings())


def test_every_timer_says_what_it_waits_for() -> None:
    assert set(WAITS) == set(TIMERS)


@pytest.mark.parametrize(
    ("text", "rule", "why"),
    [
        ("0 stop dpd timeout\n7 start", "recovered-in-hold", "dpd timeout: back after 7 s"),
        ("0 start\n2 stop kick old sa with same flow", "rekey", "tunnel stopped: kick old sa with same flow"),
        ("1 stop dpd timeout stamp=1\n2 start stamp=0\n9 start stamp=9", "recovered-in-hold", "back after 8 s"),
    ],
)
def test_what_was_not_told_has_its_rule(text: str, rule: str, why: str) -> None:
    found = one(text, 60)
    assert found.incident is None
    assert found.says == "Nothing is open."
    assert found.decisions[0].rule == rule
    assert why in found.decisions[0].why
    assert found.decisions[0].unless


def test_an_open_outage_names_its_rule_and_its_timers() -> None:
    found = one("0 stop dpd timeout", 60)
    assert found.judged is not None
    assert (found.stands, found.judged.rule) == ("down", "outage-hold")
    assert "within 15 s" in found.judged.concludes
    assert [wait.timer for wait in found.waits] == ["remind", "stale"]
    assert "the tunnel to 2.1.1.1 is down" in found.says


@pytest.mark.parametrize(
    ("text", "rule", "says"),
    [
        (
            "0 stop phase2 hard expiry",
            "unproven-replacement",
            "until 10:00:30 UTC, and if it is not back by then, it is",
        ),
        ("0 stop dpd timeout\n4 success", "outage-hold", "and if it does not fail again by then, it is over"),
        (
            "0 fail authentication fail",
            "failing",
            "until 10:00:15 UTC, and if it has not succeeded by then, it is told",
        ),
    ],
)
def test_what_is_held_back_says_what_it_waits_for_and_until_when(text: str, rule: str, says: str) -> None:
    found = one(text, 10)
    assert found.judged is not None
    assert found.judged.rule == rule
    assert found.says.startswith("Held back since 10:00:00 UTC: ")
    assert says in found.says
    assert found.waits[0].timer == "open"
    assert says.endswith(found.waits[0].means) or found.waits[0].means.startswith(says.partition("and ")[2])


def test_what_runs_out_for_want_of_traffic_says_so_in_its_hold_and_after() -> None:
    found = one("0 stop phase2 hard expiry", 10, trigger="traffic")
    assert found.judged is not None
    assert found.judged.rule == "waits-for-traffic"
    assert "until 10:00:30 UTC, and if it is not back by then, it waits for traffic and nobody is told" in found.says
    found = one("0 stop phase2 hard expiry", 60, trigger="traffic")
    assert found.says == "Nothing is open: its tunnels have run out, and the next traffic brings them up."


def test_a_device_says_what_of_its_peers_is_held_back_or_open() -> None:
    text = "0 stop dpd timeout peer=10.0.0.9\n50 stop dpd timeout peer=10.0.0.2\n50 stop dpd timeout peer=10.0.0.1"
    [found] = tell(text, until=55).correlator.explain(EPOCH + 55, device="FW1")
    assert found.says == (
        "A peer has an open incident: 10.0.0.9 (dpd timeout). 2 stops are held back: "
        "10.0.0.1 (dpd timeout, until 10:01:05 UTC), 10.0.0.2 (dpd timeout, until 10:01:05 UTC)."
    )
    [quiet] = tell("0 start", until=20).correlator.explain(EPOCH + 20, device="FW1")
    assert quiet.says == "Nothing is wrong with the device as far as it says."


def test_a_child_says_who_tells_it() -> None:
    text = "\n".join(f"{n / 10} stop dpd timeout peer=10.0.0.{n} interface=GE1" for n in range(1, 8))
    story = tell(text, until=60)
    [found] = story.correlator.explain(EPOCH + 60, peer="10.0.0.3")
    assert found.judged is not None
    assert found.judged.rule == "grouped"
    assert found.parent is not None
    assert found.parent != found.incident


def test_a_device_tells_of_its_outage_of_many() -> None:
    text = "\n".join(f"{n / 10} stop dpd timeout peer=10.0.0.{n} interface=GE1" for n in range(1, 8))
    story = tell(text, until=60)
    found = story.correlator.explain(EPOCH + 60, device="FW1")
    assert found[0].judged is not None
    assert (found[0].judged.rule, found[0].stands) == ("group", "down")
    assert "7 peers on GE1 were lost together" in found[0].says


def test_repetitions_are_counted_and_the_list_is_bounded() -> None:
    text = "\n".join(f"{n * 100} start\n{n * 100 + 2} stop kick old sa with same flow" for n in range(40))
    found = one(text, 5000)
    assert len(found.decisions) == 1
    assert (found.decisions[0].times, found.decisions[0].rule) == (40, "rekey")


def test_what_is_near_is_not_of_long_ago_or_of_another_peer() -> None:
    lines = (
        "-9000 linkdown interface=GE7\n-5 linkdown interface=GE1\n-4 linkup peer=2.1.1.9 track=nhrp\n0 stop dpd timeout"
    )
    found = one(lines, 60)
    assert [line.partition(" ")[2] for line in found.near] == ["link went down (GE1)"]


def test_a_device_tells_what_it_noted() -> None:
    story = tell("0 linkdown interface=GE1\n1 restart", until=5)
    [found] = story.correlator.explain(EPOCH + 5, device="FW1")
    assert [told.rule for told in found.decisions] == ["context", "context"]
    assert any("link went down (GE1)" in line for line in found.near)
    assert story.correlator.explain(EPOCH + 5, device="other") == []


def test_a_child_leaves_telling_to_its_parent_and_says_what_silences_that() -> None:
    text = "\n".join(f"{n / 10} stop dpd timeout peer=10.0.0.{n} interface=GE1" for n in range(1, 8))
    story = tell(text, until=60)
    [child] = story.correlator.explain(EPOCH + 60, peer="10.0.0.3")
    assert "remind" not in [wait.timer for wait in child.waits]
    assert f"It is told by incident {child.parent}: FW1 lost 7 peers on GE1" in child.says
    assert "Nobody is told" not in child.says
    quiet = Silence("s1", {"kind": "interface_outage"}, EPOCH + 60, EPOCH + 600, "ann", "line works")
    story.correlator.silence(quiet, EPOCH + 60)
    [child] = story.correlator.explain(EPOCH + 61, peer="10.0.0.3")
    assert "before 2026-01-05 10:10 UTC, because of the silence of ann (line works)" in child.says
    parent = story.correlator.explain(EPOCH + 61, device="FW1")[0]
    assert "because of the silence of ann" in parent.says
    assert "remind" in [wait.timer for wait in parent.waits]


def test_what_waits_for_traffic_does_not_wait_for_an_all_clear() -> None:
    found = one("0 stop config modify or manual offline", 60, trigger="traffic")
    assert ["still waits" in wait.means for wait in found.waits if wait.timer == "stale"] == [True]


def test_a_peer_is_found_by_its_address_and_by_the_name_of_its_row_or_network() -> None:
    rows = [Peer(address="10.0.0.1", name="Lyon"), Peer(address="::ffff:10.0.0.2", name="Oslo")]
    known = Inventory(
        peers=[*rows, Peer(cidr="10.0.0.0/24", name="branches"), Peer(address="10.9.9.9", name="10.0.0.4")]
    )
    text = "\n".join(f"{n} stop dpd timeout peer=10.0.0.{n}" for n in range(1, 5))
    correlator = tell(text, until=60, known=known).correlator
    for name, found in {
        "Lyon": [1],
        "10.0.0.1": [1],
        "Oslo": [2],
        "branches": [3, 4],
        "10.0.0.4": [4],
        "::ffff:10.0.0.1": [],
        "nobody": [],
    }.items():
        explained = correlator.explain(EPOCH + 60, peer=name)
        assert [one.peer for one in explained] == [f"10.0.0.{n}" for n in found], name
