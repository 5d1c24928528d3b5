"""A pair that switches over is no outage as long as the other unit has the tunnels."""

import pytest
from correlate_strategies import tell

BEFORE = "-900 start device=FW1 local=1.1.1.1\n"


def test_what_the_other_unit_has_taken_over_in_the_hold_is_not_told() -> None:
    story = tell(f"{BEFORE}0 failover device=FW1\n1 stop peer request device=FW1\n6 start device=FW2 local=1.1.1.1")
    assert story.told == []
    assert "switch-over" in story.suppressed
    assert {(peer.device, peer.up) for peer in story.correlator.peers()} == {("FW1", None), ("FW2", True)}


def test_what_it_takes_over_later_ends_the_outage() -> None:
    story = tell(f"{BEFORE}0 failover device=FW2\n1 stop dpd timeout device=FW1\n60 start device=FW2 local=1.1.1.1")
    assert [line.split()[1] for line in story.told] == ["opened", "resolved"]
    assert "FW2 has taken it over" in story.last.summary


def test_without_a_switch_over_another_device_proves_nothing() -> None:
    story = tell(f"{BEFORE}1 stop dpd timeout device=FW1\n6 start device=FW2 local=1.1.1.9")
    assert [line.split()[1] for line in story.told] == ["opened"]


# --- a pair that nobody describes -------------------------------------------------------------------------------------

NAMES = [f"10.0.0.{n}" for n in range(1, 11)]


def each(verb: str, at: float, device: str, local: str, names: list[str] = NAMES, every: float = 0.1) -> str:
    where = f"device={device} local={local}"
    return "\n".join(f"{at + n * every} {verb} peer={name} {where}" for n, name in enumerate(names)) + "\n"


@pytest.mark.parametrize("local", ["1.1.1.1", "1.1.1.9"])
def test_a_slow_switch_over_says_who_has_taken_over_and_who_is_still_missing(local: str) -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("stop dpd timeout", 0, "FW1", "1.1.1.1")
    story = tell(text + each("start", 60, "FW2", local, NAMES[:8]), until=400)
    parent = next(incident for incident in story.final.values() if incident.kind == "device_outage")
    assert parent.status == "open"
    assert "FW2 has taken over 8, 2 still missing" in parent.summary
    assert parent.title == "FW1 lost 10 peers, 2 still missing: dpd timeout, since 10:00 UTC"
    assert any("FW2 has taken over 8 of 10, still missing: 10.0.0.10, 10.0.0.9" in line for line in parent.chain)
    assert [change.incident.news for _, change in story.changes if change.what == "updated" and change.notify] == [
        "FW2 has taken over 8 of 10"
    ]
    children = [incident for incident in story.final.values() if incident.kind == "tunnel_down"]
    assert {one.peer for one in children if one.status == "open"} == {"10.0.0.9", "10.0.0.10"}
    assert all("FW2 has taken over" in one.title for one in children if one.status == "resolved")


def test_a_slow_switch_over_that_is_whole_is_over() -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("stop dpd timeout", 0, "FW1", "1.1.1.1")
    story = tell(text + each("start", 60, "FW2", "1.1.1.9"), until=400)
    assert [line.split()[1:3] for line in story.told] == [["opened", "device_outage"], ["resolved", "device_outage"]]
    over = next(incident for incident in story.final.values() if incident.kind == "device_outage")
    assert over.title == "the outage of 10 peers on FW1 is over: FW2 has taken over, after 1 min 1 s"
    assert "FW2 has taken over 10 of 10" in over.summary


def test_what_moves_within_the_hold_is_not_told() -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("stop dpd timeout", 0, "FW1", "1.1.1.1")
    assert tell(text + each("start", 8, "FW2", "1.1.1.9"), until=400).told == []


def test_two_gateways_that_lose_the_same_peers_are_no_pair() -> None:
    up = each("start", -900, "FW1", "1.1.1.1") + each("start", -900, "FW2", "1.1.1.9")
    down = each("stop dpd timeout", 0, "FW1", "1.1.1.1") + each("stop dpd timeout", 20, "FW2", "1.1.1.9")
    story = tell(up + down + each("start", 80, "FW2", "1.1.1.9"), until=400)
    assert not any("taken over" in change.incident.title for _, change in story.changes)
    assert any(incident.status == "open" for incident in story.final.values())


def test_a_rekey_at_the_other_gateway_takes_nothing_over() -> None:
    up = each("start", -900, "FW1", "1.1.1.1") + each("start", -900, "FW2", "1.1.1.9")
    down = each("stop dpd timeout", 0, "FW1", "1.1.1.1") + each("start", 60, "FW2", "1.1.1.9")
    story = tell(up + down, until=400)
    assert [incident.status for incident in story.final.values() if incident.kind == "device_outage"] == ["open"]


def test_two_peers_are_no_switch_over() -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("stop dpd timeout", 0, "FW1", "1.1.1.1")
    story = tell(text + each("start", 60, "FW2", "1.1.1.9", NAMES[:2]), until=400)
    assert not any("taken over" in change.incident.title for _, change in story.changes)


def test_what_a_unit_that_died_without_a_word_leaves_behind_is_missed() -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("start", 0, "FW2", "1.1.1.1", NAMES[:8], every=2)
    story = tell(text, until=400)
    assert {incident.peer for incident in story.final.values()} == {"10.0.0.9", "10.0.0.10"}
    one = story.last
    assert "not taken over by FW2" in one.title
    assert any("FW2 takes over peers of FW1, which says nothing" in line for line in one.chain)
    up = {(peer.device, peer.peer) for peer in story.correlator.peers() if peer.up}
    assert up == {("FW2", name) for name in NAMES[:8]}
    restarted = tell(text, until=400, restarts=tuple(range(len(NAMES) + 8)))
    assert restarted.picture() == story.picture()  # also who has been silent since when
    late = tell(text + each("start", 500, "FW2", "1.1.1.1", NAMES[8:]), until=900)
    assert {incident.status for incident in late.final.values()} == {"resolved"}


@pytest.mark.parametrize("moved", ["one after the other", "in turn", "backwards"])
def test_every_address_of_a_unit_that_died_is_looked_at(moved: str) -> None:
    """It had two lines, each with an own address; whichever of them moves first, the missing of both are told."""
    first, second = [f"10.0.1.{n}" for n in range(1, 11)], [f"10.0.2.{n}" for n in range(1, 11)]
    local = {**dict.fromkeys(first, "1.1.1.1"), **dict.fromkeys(second, "1.1.2.1")}
    order = [*first[:8], *second[:7]]
    if moved == "in turn":
        order = [name for pair in zip(first[:7], second[:7], strict=True) for name in pair] + [first[7]]
    elif moved == "backwards":
        order.reverse()
    text = "\n".join(f"-900 start device=FW1 peer={name} local={local[name]}" for name in local)
    text += "".join(f"\n{2 * n} start device=FW2 peer={name} local={local[name]}" for n, name in enumerate(order))
    story = tell(text, until=400)
    missing = {incident.peer for incident in story.final.values() if incident.kind == "tunnel_down"}
    assert missing == set(local) - set(order)
    assert {incident.kind for incident in story.final.values() if not incident.parent} == {"device_outage"}


@pytest.mark.parametrize("sign", ["linkup interface=GE9", "start local=1.1.1.1 peer=10.0.0.9"])
def test_a_unit_that_still_speaks_has_left_nothing_behind(sign: str) -> None:
    text = each("start", -900, "FW1", "1.1.1.1") + each("start", 0, "FW2", "1.1.1.1", NAMES[:8], every=2)
    assert tell(f"{text}100 {sign} device=FW1", until=400).told == []


@pytest.mark.parametrize("said", ["0 failover device=FW2", ""])
def test_a_switch_over_that_goes_on_is_waited_for_and_what_it_leaves_is_one_outage(said: str) -> None:
    names = [f"10.0.1.{n}" for n in range(1, 41)]
    text = each("start", -900, "FW1", "1.1.1.1", names) + f"{said}\n"
    text += each("stop dpd timeout", 1, "FW1", "1.1.1.1", names) + each("start", 3, "FW2", "1.1.1.1", names[:37], 1)
    story = tell(text, until=200)
    # the last start was at 39; the ten that came last would have been told at 16
    assert [line.split()[:3] for line in story.told] == [["54", "opened", "tunnel_down"]] * 3


def test_a_switch_over_is_not_waited_for_without_end() -> None:
    names = [f"10.0.1.{n}" for n in range(1, 41)]
    text = each("start", -900, "FW1", "1.1.1.1", names) + each("stop dpd timeout", 1, "FW1", "1.1.1.1", names)
    story = tell("0 failover device=FW2\n" + text + each("start", 3, "FW2", "1.1.1.1", names, 10), until=600)
    first = story.told[0].split()
    assert first[1] == "opened"
    assert 181 <= float(first[0]) <= 186
