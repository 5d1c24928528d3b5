"""What was decoded of a message that said the same, but for its times, is what would be decoded anew."""

import json
from pathlib import Path

import pytest
from huawei_lines import registry
from snmp_strategies import Device as Sender
from snmp_strategies import user
from storm import stop_line, stop_trap

from eventd import repeats
from eventd.decode import Decoder
from eventd.inventory import Device, Inventory
from eventd.model import Event, Message
from eventd.parse.snmp import Access
from eventd.parse.syslog import glance_at
from eventd.repeats import Repeats

FOLDER = Path(__file__).parent.parent / "golden/corpus"
ROWS = [json.loads(line) for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_text().splitlines()]
LINES = [bytes.fromhex(row["hex"]) if "hex" in row else row["line"].encode() for row in ROWS]
IN_COMMON = [(line, *found.found.span(2)) for line in LINES if (found := glance_at(line)) is not None]
STAMPS = (b"Jan  2 03:04:05", b"Jan  2 2025 03:04:05.678", b"2025-01-02 03:04:05+08:00 DST", b"Jan  2 03:04:05 2025")
AT = 1_795_233_605.0
#: One that prints its local time.
LOCAL = Inventory([Device("FW1", clock="local", time_zone="Asia/Shanghai")])


def message(payload: bytes, source: str = "192.0.2.1", at: float = AT) -> Message:
    return Message("syslog-udp", source, 514, at, payload)


def decoder(inventory: Inventory | None = None) -> Decoder:
    return Decoder(registry(), inventory or Inventory(), Access([]))


#: The one SNMPv3 user, and a device that has it.
USER = user()
DEVICE = Sender(USER, bytes.fromhex("800007db0300e0fc000001"), booted_at=AT - 5000)


def trap_decoder() -> Decoder:
    return Decoder(registry(), Inventory(), Access(["public"], [USER]))


class Forgetful(Repeats):
    def keep(self, *_: object) -> None:
        """Every message is decoded anew."""


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("inventory", [Inventory(), LOCAL], ids=["listed nowhere", "listed"])
def test_a_repeated_line_is_decoded_as_if_for_the_first_time(stamp: bytes, inventory: Inventory) -> None:
    used, anew = decoder(inventory), decoder(inventory)
    anew._repeats = Forgetful()
    assert len(IN_COMMON) > 100
    for line, start, end in IN_COMMON:
        before = message(line[:start] + stamp + line[end:], at=AT - 60)
        for one in (before, message(line), before, message(line, at=AT + 1), before, message(line, at=AT + 2)):
            assert used.decode(one) == anew.decode(one)
    assert len(used._repeats) > 100


def test_who_says_the_same_from_elsewhere_is_somebody_else() -> None:
    used, line = decoder(), stop_line(1).encode().replace(b" FW1 ", b" 0 ")
    found = [used.decode(message(line, source)) for source in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]
    assert [event.source for event in found] == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_EVENTS", 8)
    used = decoder()
    for number in (*range(20), *range(20), 3):
        event = used.decode(message(stop_line(number).encode()))
        assert isinstance(event, Event)
        assert event.tunnel_index == number
    assert len(used._repeats) == 8


def test_what_never_comes_again_is_not_remembered_and_drives_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_EVENTS", 8)
    monkeypatch.setattr(repeats, "MAX_ONCE", 20)
    used = decoder()
    for number in (1, 1, *range(2, 100)):
        used.decode(message(stop_line(number).encode()))
    assert len(used._repeats) == 1
    assert len(used._repeats._met) <= 20


@pytest.mark.parametrize("version", ["snmp-v2c", "snmp-v3"])
def test_a_repeated_trap_is_decoded_as_if_for_the_first_time(version: str) -> None:
    used, anew = trap_decoder(), trap_decoder()
    anew._repeats = Forgetful()
    for number in range(1, 120):
        trap = stop_trap(number % 7, reason=("dpd timeout", "peer request")[number % 2])
        if version == "snmp-v3":
            trap = DEVICE.message(trap[trap.index(0xA7) :], now=AT, msg_id=number)
        one = Message(version, f"192.0.2.{number % 3}", 162, AT + number, trap)
        found = used.decode(one)
        assert found == anew.decode(one)
        assert isinstance(found, Event)
        assert found.tunnel_index == number % 7
    assert 7 <= len(used._repeats) <= 42
