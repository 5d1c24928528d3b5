"""Who sent it: by engine id, trusted forwarder, host name and source; and what a source calls itself in its syslogs is
the name of its traps."""

import json

import pytest
from snmp_strategies import UPTIME, bind, bindings, name, v2c
from storm import stop_line, stop_trap

from eventd.decode import Decoder
from eventd.identity import MAX_NAMES_PER_SOURCE, SEVERAL_WITHIN_S, Identities
from eventd.inventory import Device, Inventory
from eventd.model import Event, Message, Syntax
from eventd.parse.engines import Engines
from eventd.parse.snmp import Access
from eventd.registry import load

START = 1_790_000_000.0
ADDRESS = "192.0.2.1"
REGISTRY = load()


def decoder(learned: dict | None = None) -> Decoder:
    return Decoder(REGISTRY, Inventory(), Access(["public"]), learned=learned)


def log(reader: Decoder, name: str, at: float) -> None:
    reader.decode(Message("syslog-udp", ADDRESS, 514, at, stop_line(1, device=name).encode()))


def trap(reader: Decoder, at: float = START) -> str:
    event = reader.decode(Message("snmp-v2c", ADDRESS, 162, at, stop_trap(1)))
    assert isinstance(event, Event)
    return event.device


def test_a_renamed_firewall_gives_its_traps_the_new_name() -> None:
    reader = decoder()
    log(reader, "FW-OLD", START)
    assert trap(reader) == "FW-OLD"
    log(reader, "FW-NEW", START + 60)
    assert trap(reader) == ADDRESS
    log(reader, "FW-NEW", START + SEVERAL_WITHIN_S + 1)
    assert trap(reader) == "FW-NEW"


def test_a_firewall_that_was_quiet_for_long_keeps_its_name() -> None:
    reader = decoder()
    log(reader, "FW1", START)
    assert trap(reader, START + 30 * 86_400) == "FW1"


def test_a_relay_speaks_for_several_as_long_as_they_speak() -> None:
    reader = decoder()
    for minute in range(0, 300, 10):
        log(reader, f"FW{minute % 3}", START + 60 * minute)
        log(reader, "HUB", START + 60 * minute)
        assert trap(reader) == ADDRESS


def test_a_clock_that_was_ahead_does_not_make_a_relay_of_a_firewall() -> None:
    reader = decoder()
    log(reader, "FW-OLD", START + 86_400)
    log(reader, "FW-NEW", START)
    assert trap(reader) == "FW-NEW"


def test_names_made_up_by_a_source_are_not_all_remembered() -> None:
    reader = decoder()
    for number in range(50):
        log(reader, f"FAKE{number}", START)
    assert len(reader.identities.learned[ADDRESS]) == MAX_NAMES_PER_SOURCE


def test_what_was_learned_survives_as_json() -> None:
    learned: dict = {}
    log(decoder(learned), "FW1", START)
    assert trap(decoder(json.loads(json.dumps(learned)))) == "FW1"


@pytest.mark.parametrize(("kept", "name"), [("FW1", "FW1"), ("", ADDRESS), (None, ADDRESS), ({"FW1": "x"}, ADDRESS)])
def test_what_earlier_versions_kept_is_read(kept: object, name: str) -> None:
    reader = decoder({ADDRESS: kept})
    assert trap(reader) == name
    log(reader, "FW2", START)
    assert trap(reader) == "FW2"


# --- forwarders -----------------------------------------------------------------------------------------------------

RELAY, OWN = "192.0.2.200", "192.0.2.9"
TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
COLD_START = "1.3.6.1.6.3.1.1.5.1"
LISTED = Inventory([Device(name="HQ", addresses=(OWN,)), Device(name="BRANCH", hostnames=("FW-BR",))])


def through(reader: Decoder, transport: str, payload: bytes, source: str = RELAY) -> str:
    event = reader.decode(Message(transport, source, 514, START, payload))
    assert isinstance(event, Event), event
    return event.device


def trusting(*networks: str, inventory: Inventory = LISTED) -> Decoder:
    return Decoder(REGISTRY, inventory, Access(["public"]), trusted_forwarders=networks)


def relayed_trap(agent: str) -> bytes:
    return v2c(bindings(UPTIME, name(COLD_START), bind(TRAP_ADDRESS, Syntax.IP_ADDRESS, agent)))


def relayed_line(device: str, by: str = OWN) -> bytes:
    return stop_line(1, device=device).replace("<188>", f"<188>Nov 21 12:00:01 {by} ").encode()


@pytest.mark.parametrize(
    ("forwarders", "device"), [(("192.0.2.192/26",), "HQ"), (("192.0.2.0/25",), RELAY), ((), RELAY)]
)
def test_the_address_in_a_trap_is_believed_from_trusted_forwarders_only(
    forwarders: tuple[str, ...], device: str
) -> None:
    assert through(trusting(*forwarders), "snmp-v2c", relayed_trap(OWN)) == device


def test_a_device_that_no_one_lists_is_named_by_the_address_passed_on() -> None:
    assert through(trusting(RELAY), "snmp-v2c", relayed_trap("192.0.2.77")) == "192.0.2.77"


@pytest.mark.parametrize(("forwarders", "device"), [((RELAY,), "HQ"), ((), "sysname")])
def test_the_host_in_a_relays_header_is_believed_from_trusted_forwarders_only(
    forwarders: tuple[str, ...], device: str
) -> None:
    assert through(trusting(*forwarders), "syslog-udp", relayed_line("sysname")) == device


def test_behind_a_trusted_relay_the_listed_address_wins_over_the_host_name() -> None:
    assert through(trusting(RELAY), "syslog-udp", relayed_line("FW-BR")) == "HQ"
    assert through(trusting(RELAY), "syslog-udp", relayed_line("FW-BR", by="192.0.2.78")) == "BRANCH"


def test_a_name_heard_through_a_trusted_relay_belongs_to_the_address_behind_it() -> None:
    reader = trusting(RELAY, inventory=Inventory())
    assert through(reader, "syslog-udp", relayed_line("FW7")) == "FW7"
    assert through(reader, "syslog-udp", relayed_line("FW8", by="192.0.2.10")) == "FW8"
    assert through(reader, "snmp-v2c", relayed_trap(OWN)) == "FW7"
    assert through(reader, "snmp-v2c", stop_trap(1), source=OWN) == "FW7"


def test_a_virtual_system_with_a_source_of_its_own_is_the_device_whose_name_it_prints() -> None:
    reader = trusting()
    for source in ("192.0.2.51", "192.0.2.52"):
        assert through(reader, "syslog-udp", stop_line(1, device="FW-BR").encode(), source=source) == "BRANCH"
        assert through(reader, "snmp-v2c", stop_trap(1), source=source) == "BRANCH"


def test_what_devices_use_is_known_by_their_names_and_a_relay_is_nobodys_source() -> None:
    inventory = Inventory([Device(name="hub", hostnames=("FW1",))])
    reader = Decoder(REGISTRY, inventory, Access(["public"]))
    for source, host in (("192.0.2.1", "FW1"), ("192.0.2.9", "FW2"), ("192.0.2.9", "FW3")):
        reader.decode(Message("syslog-udp", source, 514, START, stop_line(1, device=host).encode()))
    seen = reader.identities.seen()
    assert {name: (one.hostnames, one.sources) for name, one in seen.items()} == {
        "hub": ({"FW1"}, {"192.0.2.1"}),
        "FW2": ({"FW2"}, set()),
        "FW3": ({"FW3"}, set()),
    }


def test_an_engine_belongs_to_the_device_whose_address_it_is_pinned_to() -> None:
    engines = Engines()
    assert engines.check(b"\x80engine", 1, 10, b"digest", START) is None
    engines.locate(b"\x80engine", "192.0.2.1", START, proven=True)
    found = Identities(Inventory([Device(name="hub", addresses=("192.0.2.1",))]), engines=engines).seen()
    assert found["hub"].engine_ids == {b"\x80engine".hex()}
    assert found["hub"].sources == {"192.0.2.1"}
