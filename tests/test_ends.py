"""Which end of an SA is the device's own: by what tells it, and that both directions always name one peer."""

import itertools

import pytest
from h3c_lines import HOST, OWN, PEER, Wire, p1_down, sa_line, trap
from hypothesis import given
from hypothesis import strategies as st

from eventd.ends import MAX_ADDRESSES, Ends
from eventd.inventory import Device, Inventory, Peer

OUT = sa_line("TERMINATE", reason="internal event")
BACK = sa_line("TERMINATE", src=PEER, dst=OWN, spi=1002, reason="internal event")
THIS = Device(name="gw", hostnames=(HOST,), addresses=(PEER,))  # the address that order alone would call the peer's


def ends(wire: Wire, source: str = "192.0.2.1") -> list[tuple[str | None, str | None, str, str]]:
    events = [wire.event(text, source) for text in (OUT, BACK)]
    return [(one.local, one.peer, one.extra["ends"], one.extra["direction"]) for one in events]


def test_an_address_of_the_device_in_the_inventory() -> None:
    assert ends(Wire((THIS,))) == [(PEER, OWN, "inventory", "inbound"), (PEER, OWN, "inventory", "outbound")]


def test_an_address_of_another_device_or_of_a_listed_peer() -> None:
    other = Device(name="far", addresses=(OWN,))
    assert [found[:3] for found in ends(Wire((other,)))] == [(PEER, OWN, "inventory")] * 2
    assert [found[:3] for found in ends(Wire(peers=(Peer(address=OWN),)))] == [(PEER, OWN, "inventory")] * 2
    assert [found[2] for found in ends(Wire(peers=(Peer(cidr="0.0.0.0/0"),)))] == ["order"] * 2  # says nothing


def test_an_address_of_another_device_is_not_its_own_though_the_other_one_is_a_listed_peer() -> None:
    branch, hub = Peer(address=PEER), Device(name="hub", addresses=(OWN,))
    for devices in ((hub,), (hub, Device(name="gw", hostnames=(HOST,), addresses=("192.0.2.1",)))):
        assert [found[:3] for found in ends(Wire(devices, (branch,)))] == [(PEER, OWN, "inventory")] * 2


@pytest.mark.parametrize("peers", [(), (Peer(address=PEER),)])
def test_what_another_device_called_its_own_is_not_of_this_one(peers: tuple[Peer, ...]) -> None:
    wire = Wire(peers=peers)
    wire.event(p1_down("DPD timeout").replace(HOST, "HUB"), "192.0.2.9")  # from OWN to PEER, in the hub's words
    assert wire.decoder.ends.learned == {"HUB": [OWN]}
    assert [found[:3] for found in ends(wire)] == [(PEER, OWN, "learned")] * 2
    wire.event(p1_down("DPD timeout"))  # the other unit of a pair has the address, too: its own word counts for more
    assert [found[:3] for found in ends(wire)] == [(OWN, PEER, "learned")] * 2


def test_a_listed_peer_that_speaks_for_itself() -> None:
    assert [found[:3] for found in ends(Wire(peers=(Peer(address=PEER),)), source=PEER)] == [(PEER, OWN, "source")] * 2


def test_the_address_that_the_message_came_from() -> None:
    assert [found[:3] for found in ends(Wire(), source=PEER)] == [(PEER, OWN, "source")] * 2


def test_the_address_that_the_message_says_it_came_from() -> None:
    decoded = Wire().event(OUT.replace(": The", f": -DevIP={PEER}; The", 1))
    assert (decoded.local, decoded.peer, decoded.extra["ends"]) == (PEER, OWN, "source")


@pytest.mark.parametrize("teacher", ["ike log", "notification"])
def test_what_other_messages_called_the_devices_own(teacher: str) -> None:
    wire = Wire()
    if teacher == "ike log":
        wire.event(p1_down("DPD timeout", src=PEER, dst="192.0.2.200"))
        assert [found[:3] for found in ends(wire)] == [(PEER, OWN, "learned")] * 2
    else:
        wire.event(OUT)  # the host name is learned for the source address, by which the trap is of the same device
        wire.event(trap("hh3cIPsecTunnelStartV2", {"local": PEER, "peer": OWN}))
        assert [found[:3] for found in ends(wire)] == [(PEER, OWN, "learned")] * 2


def test_nothing_known() -> None:
    assert ends(Wire()) == [(OWN, PEER, "order", "outbound"), (OWN, PEER, "order", "inbound")]


def test_what_is_learned_is_kept_by_device_and_bounded() -> None:
    learned: dict[str, list[str]] = {}
    wire = Wire()
    for number in range(MAX_ADDRESSES + 5):
        wire.event(p1_down("DPD timeout", src=f"10.9.0.{number}"))
    assert len(wire.decoder.ends.learned[HOST]) == MAX_ADDRESSES
    assert len(wire.decoder.ends._users) == MAX_ADDRESSES
    again = Ends(Inventory(), learned)
    assert again.learned is learned


def test_steps_name_the_ends_as_they_were_found() -> None:
    decoded = Wire((THIS,)).event(sa_line("TERMINATE", reason="dpd timeout"))
    assert decoded.reason is not None
    assert decoded.reason.actions[0].startswith(f"Ping {OWN} from {PEER};")
    assert not any("<peer>" in step or "<local>" in step for step in decoded.reason.actions)


addresses = (
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
    .map(lambda ip: getattr(ip, "ipv4_mapped", None) or ip)
    .filter(lambda ip: not ip.is_unspecified)
    .map(str)
)


@given(addresses, addresses, st.sampled_from(["192.0.2.1", "a"]), st.booleans())
def test_both_directions_always_name_one_peer(one: str, other: str, source: str, known: bool) -> None:
    if one == other:
        return
    wire = Wire((Device(name="gw", hostnames=(HOST,), addresses=(one,)),) if known else ())
    found = {
        (decoded.local, decoded.peer)
        for pair in itertools.permutations((one, other))
        for decoded in [
            wire.event(sa_line("TERMINATE", *pair, reason="internal event"), one if source == "a" else source)
        ]
    }
    assert len(found) == 1
    if known or source == "a":
        assert found == {(one, other)}
