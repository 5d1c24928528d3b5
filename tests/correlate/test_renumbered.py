"""A branch with a dynamic address that comes back under another one is the same branch."""

import pytest
from correlate_strategies import Story, tell

from eventd.inventory import Inventory, Peer

OLD, NEW = "100.64.9.20", "100.64.9.77"
#: Words in a timeline have no blanks: the flows of devices do.
NETWORKS, ANYTHING = "10.0.0.0/16,10.9.20.0/24", "0.0.0.0/0,0.0.0.0/0"
HERE = "interface=GE1 rule=20"


def story(text: str, flow: str = NETWORKS, known: Inventory | None = None) -> Story:
    lines = [line if "flow=" in line else f"{line} {HERE} flow={flow}" for line in text.splitlines()]
    return tell("\n".join(lines), until=900, known=known)


def told(text: str, flow: str = NETWORKS, known: Inventory | None = None) -> list[str]:
    return [line.split()[1] for line in story(text, flow, known).told]


LOST = f"600 stop dpd timeout peer={OLD}\n"
BEFORE = f"0 start peer={OLD}\n{LOST}"


def test_it_ends_the_incident_of_the_old_address_and_says_so() -> None:
    one = story(f"{BEFORE}640 start peer={NEW}")
    assert [line.split()[:3] for line in one.told] == [
        ["615", "opened", "tunnel_down"],
        ["640", "resolved", "tunnel_down"],
    ]
    assert one.last.title == f"{OLD} up again on FW1 as {NEW} after 40 s"
    assert f"(back under another address, {NEW})" in one.last.summary
    assert one.last.chain[-1].endswith(f"its networks are back from {NEW}")
    assert {(peer.peer, peer.up) for peer in one.correlator.peers()} == {(OLD, None), (NEW, True)}


@pytest.mark.parametrize(
    "text",
    [
        f"{BEFORE}605 start peer={NEW}",
        f"0 start peer={OLD}\n560 start peer={NEW}\n600 stop dpd timeout peer={OLD}",
        f"0 start peer={OLD}\n599 start peer={NEW}\n600 stop kick old sa with same flow peer={OLD}",
    ],
)
def test_within_the_hold_or_before_the_stop_nobody_is_told(text: str) -> None:
    one = story(text)
    assert one.told == []
    assert "renumbered" in one.suppressed


def test_it_may_come_back_to_an_address_it_had() -> None:
    text = f"{BEFORE}640 start peer={NEW}\n700 stop dpd timeout peer={NEW}\n740 start peer={OLD}"
    assert told(text) == ["opened", "resolved", "opened", "resolved"]


@pytest.mark.parametrize(
    "text",
    [
        f"{BEFORE}640 start peer={NEW} {HERE} flow=10.0.0.0/16,10.9.21.0/24",
        f"{BEFORE}640 start peer={NEW} interface=GE2 rule=20 flow={NETWORKS}",
        f"{BEFORE}640 start peer={NEW} device=FW2",
        f"{BEFORE}640 start peer={NEW} vsys=vpn2",
        f"0 start peer={NEW}\n0 start peer={OLD}\n300 start peer={OLD}\n{LOST}640 start peer={NEW}",
        f"0 start peer={NEW}\n1 stop dpd timeout peer={NEW}\n2 start peer={NEW}\n{BEFORE}640 start peer={NEW}",
        f"0 start peer=9.9.9.9\n{BEFORE}640 start peer={NEW}",
    ],
)
def test_other_networks_another_place_or_a_second_way_are_no_new_address(text: str) -> None:
    assert told(text) == ["opened"]


def test_a_flow_that_names_no_networks_is_no_identity() -> None:
    assert told(f"{BEFORE}640 start peer={NEW}", ANYTHING) == ["opened"]


def test_two_rows_of_the_inventory_are_two_peers() -> None:
    rows = Inventory(peers=[Peer(address=OLD, name="one"), Peer(address=NEW, name="two")])
    assert told(f"{BEFORE}640 start peer={NEW}", known=rows) == ["opened"]
    pool = Inventory(peers=[Peer(cidr="100.64.9.0/24", name="branches")])
    assert told(f"{BEFORE}640 start peer={NEW}", known=pool) == ["opened", "resolved"]
