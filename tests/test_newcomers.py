"""One address makes up no more than so many devices, and takes nothing from others."""

from hypothesis import given
from hypothesis import strategies as st
from storm import stop_line

from eventd import newcomers
from eventd.decode import Decoder
from eventd.inventory import Device, Inventory
from eventd.model import Event, Message
from eventd.newcomers import KEPT_S, MAX_NAMES, Newcomers, Refused
from eventd.parse.snmp import Access
from eventd.registry import load

START = 1_790_000_000.0
REGISTRY = load()
RELAY = "192.0.2.1"


def device_of(reader: Decoder, name: str, source: str = RELAY, at: float = START) -> str:
    event = reader.decode(Message("syslog-udp", source, 514, at, stop_line(1, device=name).encode()))
    assert isinstance(event, Event)
    assert event.hostname == name
    return event.device


def test_who_invents_names_is_one_device_under_those_that_are_too_many() -> None:
    reader = Decoder(REGISTRY, Inventory(), Access(["public"]))
    devices = {device_of(reader, f"FAKE{number}") for number in range(2 * MAX_NAMES)}
    assert devices == {*(f"FAKE{number}" for number in range(MAX_NAMES)), RELAY}
    assert reader.identities.newcomers.take_refused() == {RELAY: Refused(MAX_NAMES, f"FAKE{2 * MAX_NAMES - 1}")}
    assert not reader.identities.newcomers.take_refused()
    assert device_of(reader, "FAKE7") == "FAKE7", "who was there keeps its name"
    assert device_of(reader, "FW1", "192.0.2.2") == "FW1", "and other addresses have theirs"


def test_listed_devices_and_trusted_forwarders_have_no_bound() -> None:
    names = [f"FW{number}" for number in range(2 * MAX_NAMES)]
    listed = Decoder(REGISTRY, Inventory([Device(name) for name in names]), Access(["public"]))
    trusting = Decoder(REGISTRY, Inventory(), Access(["public"]), [f"{RELAY}/32"])
    for reader in (listed, trusting):
        assert [device_of(reader, name) for name in names] == names
        assert len(reader.identities.newcomers) == 0


def test_a_name_of_which_nothing_was_heard_for_a_day_leaves_its_place() -> None:
    table = Newcomers()
    for number in range(MAX_NAMES):
        assert table.admit("a", f"FW{number}", START)
    assert table.admit("a", "FW0", START + KEPT_S - 1)
    assert not table.admit("a", "NEW", START + KEPT_S - 1)
    assert table.admit("a", "NEW", START + KEPT_S)
    assert table.admit("a", "FW0", START + KEPT_S)
    assert len(table) == MAX_NAMES


def test_a_clock_that_was_set_back_keeps_nobody_out() -> None:
    table = Newcomers()
    for number in range(MAX_NAMES):
        table.admit("a", f"FW{number}", START + 10 * KEPT_S)
    assert table.admit("a", "NEW", START)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 3)), max_size=80))
def test_whatever_comes_no_source_and_not_all_together_have_more_than_their_bound(calls) -> None:
    most, all_of_them = newcomers.MAX_NAMES, newcomers.MAX_ALL_NAMES
    newcomers.MAX_NAMES, newcomers.MAX_ALL_NAMES = 4, 9
    try:
        table, at, admitted = Newcomers(), START, set()
        for source, name, later in calls:
            at += later * KEPT_S / 3
            if table.admit(source, str(name), at):
                admitted.add((source, name))
            assert len(table) <= 9
            assert len(table) == sum(map(len, table._names.values()))
            assert all(len(names) <= 4 for names in table._names.values())
    finally:
        newcomers.MAX_NAMES, newcomers.MAX_ALL_NAMES = most, all_of_them
