"""What a source calls itself in its syslogs is the name of its traps, also after it was renamed."""

import json

import pytest
from storm import stop_line, stop_trap

from eventd.decode import MAX_NAMES_PER_SOURCE, SEVERAL_WITHIN_S, Decoder
from eventd.inventory import Inventory
from eventd.model import Event, Message
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
    assert len(reader.learned[ADDRESS]) == MAX_NAMES_PER_SOURCE


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
