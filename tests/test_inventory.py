"""The inventory: one spelling per thing, and nothing that two rows claim."""

import tracemalloc
import weakref
from pathlib import Path

import pytest

from eventd.config import load
from eventd.errors import ConfigError
from eventd.inventory import Device, Inventory, Peer

ENGINE = "800007db03aabbccddeeff"


def read(folder: Path, rows: str) -> Inventory:
    (folder / "peers.toml").write_text(rows)
    (folder / "eventd.toml").write_text('inventory = "peers.toml"\n')
    return load(str(folder / "eventd.toml")).inventory


def named(found: Inventory, source: str = "198.51.100.99", engine_id: str | None = None) -> str:
    return found.identify(engine_id=engine_id, agent=None, hostname=None, source=source)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_of_a_device_is_known_in_any_spelling(written: str, source: str, tmp_path: Path) -> None:
    found = read(tmp_path, f'[[devices]]\nname = "hub"\naddresses = ["{written}"]\n')
    assert named(found, source) == "hub"


@pytest.mark.parametrize("written", [ENGINE, "0x" + ENGINE, "0X" + ENGINE.upper(), "80:00:07:DB:03:aa:bb:cc:dd:ee:ff"])
def test_an_engine_id_is_known_in_any_spelling(written: str, tmp_path: Path) -> None:
    found = read(tmp_path, f'[[devices]]\nname = "hub"\nengine_ids = ["{written}"]\n')
    assert named(found, engine_id=ENGINE) == "hub"


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ('address = "::ffff:203.0.113.7"', "203.0.113.7"),
        ('address = "203.0.113.7"', "::ffff:203.0.113.7"),
        ('cidr = "::ffff:203.0.113.0/120"', "203.0.113.7"),
        ('address = "2001:DB8::0:7"', "2001:db8::7"),
    ],
)
def test_a_peer_is_known_in_any_spelling(row: str, asked: str, tmp_path: Path) -> None:
    peer = read(tmp_path, f'[[peers]]\n{row}\nname = "berlin"\n').peer(asked)
    assert peer is not None
    assert peer.name == "berlin"


WRONG = {
    "network as address of a device": ('[[devices]]\nname = "a"\naddresses = ["192.0.2.0/24"]\n', "192.0.2.0/24"),
    "engine id that is none": ('[[devices]]\nname = "a"\nengine_ids = ["not hex"]\n', "'not hex' is not an engine id"),
    "engine id too short": ('[[devices]]\nname = "a"\nengine_ids = ["8000"]\n', "5 to 32 octets"),
    "local clock without zone": ('[[devices]]\nname = "a"\nclock = "local"\n', "devices[0].clock: "),
    "zone that is a folder": ('[[devices]]\nname = "a"\ntime_zone = "Asia"\n', "'Asia' is not a known time zone"),
    "network as address of a peer": ('[[peers]]\naddress = "203.0.113.7/8"\n', "203.0.113.7/8"),
    "host bits in a network": ('[[peers]]\ncidr = "203.0.113.7/8"\n', "203.0.113.7/8 has host bits set"),
    "neither address nor network": ('[[peers]]\nname = "a"\n', "needs either address or cidr"),
    "both": ('[[peers]]\naddress = "192.0.2.1"\ncidr = "192.0.2.0/24"\n', "needs either address or cidr"),
}


def complaint(folder: Path, rows: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, rows)
    [problem] = caught.value.problems
    assert problem.line is not None
    return str(problem)


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_cannot_be_meant_is_refused(case: str, tmp_path: Path) -> None:
    rows, expected = WRONG[case]
    assert expected in complaint(tmp_path, rows)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('addresses = ["2001:db8::1"]', 'addresses = ["2001:DB8::0:1"]'),
        ('addresses = ["192.0.2.1"]', 'addresses = ["::ffff:192.0.2.1"]'),
        ('hostnames = ["FW"]', 'hostnames = ["fw"]'),
        (f'engine_ids = ["{ENGINE}"]', f'engine_ids = ["0x{ENGINE}"]'),
        ('hostnames = ["FW"]', 'addresses = ["192.0.2.1"]\nhostnames = ["hub-a"]'),
    ],
)
def test_what_two_devices_claim_is_refused_with_both_names(one: str, other: str, tmp_path: Path) -> None:
    found = complaint(tmp_path, f'[[devices]]\nname = "hub-a"\n{one}\n[[devices]]\nname = "hub-b"\n{other}\n')
    assert "devices[1]." in found
    assert "hub-a" in found
    assert "hub-b" in found


def test_a_device_may_list_one_thing_twice() -> None:
    assert (
        named(Inventory([Device("FW", addresses=("192.0.2.1", "192.0.2.1"), hostnames=("fw",))]), "192.0.2.1") == "FW"
    )


def test_two_rows_for_one_peer_are_refused_with_both_names(tmp_path: Path) -> None:
    rows = '[[peers]]\naddress = "203.0.113.7"\nname = "a"\n[[peers]]\ncidr = "203.0.113.7/32"\nname = "b"\n'
    assert "peers[1]: 'b' (203.0.113.7/32) is the same peer as 'a' (203.0.113.7)" in complaint(tmp_path, rows)


def test_a_peer_inside_the_network_of_another_is_no_duplicate() -> None:
    found = Inventory(peers=[Peer(cidr="203.0.113.0/24", name="all"), Peer(address="203.0.113.7", name="one")])
    assert [getattr(found.peer(text), "name", None) for text in ("203.0.113.7", "203.0.113.8", "x")] == [
        "one",
        "all",
        None,
    ]


def test_what_is_no_address_is_not_kept_whoever_asks_for_it() -> None:
    found = Inventory(peers=[Peer(address="203.0.113.7", name="one")])
    tracemalloc.start()
    try:
        assert not any(found.peer(f"{number}{'x' * 8000}") for number in range(200))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 200_000


def test_an_inventory_that_is_replaced_is_gone_at_once() -> None:
    """The heap of the start is frozen: what is in a cycle would stay for ever."""
    found = Inventory(peers=[Peer(address="203.0.113.7", name="one")])
    assert found.peer("203.0.113.7")
    gone = weakref.ref(found)
    del found
    assert gone() is None
