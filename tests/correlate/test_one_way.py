"""SAs have one direction: the lines of both directions of a tunnel, and its notification without a reason, are one.

From the wire to the verdict, because what the decoder finds out about the ends is what makes them one.
"""

import pytest
from h3c_lines import HOST, OWN, PEER, Wire, ike_line, p1_down, sa_line, trap
from huawei_lines import RECEIVED_AT
from msgspec import Struct, field

from eventd.contract import Verdict
from eventd.correlate import Correlator, Settings
from eventd.inventory import Device, Inventory
from eventd.inventory import Peer as InventoryPeer
from eventd.model import Change

THIS = Device(name="gw", hostnames=(HOST,), addresses=(OWN, "192.0.2.1"))


class Story(Struct):
    """What became of messages, in order of time."""

    changes: list[Change] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    duplicates: int = 0

    def take(self, verdict: Verdict) -> None:
        self.changes += verdict.changes
        self.suppressed += verdict.suppressed
        self.duplicates += verdict.duplicate

    @property
    def told(self) -> list[str]:
        return [f"{one.what} {one.incident.kind} {one.incident.severity}" for one in self.changes if one.notify]


def tell(*lines: tuple[float, str | bytes], devices: tuple[Device, ...] = (THIS,), until: float = 600) -> Story:
    wire, story = Wire(devices), Story()
    correlator = Correlator(Settings(), Inventory(devices, (InventoryPeer(address="203.0.113.99"),)))
    for at, text in lines:
        story.take(correlator.apply(wire.event(text, after=at), RECEIVED_AT + at))
    story.take(correlator.tick(RECEIVED_AT + until))
    return story


def both(at: float, what: str, reason: str = "", spi: int = 1001) -> list[tuple[float, str]]:
    second = int(at)
    out = sa_line(what, OWN, PEER, spi=spi, reason=reason, second=second % 60)
    back = sa_line(what, PEER, OWN, spi=spi + 1, reason=reason, second=second % 60)
    return [(at, out), (at + 0.1, back)]


STOP = both(10, "TERMINATE", "internal event")
TRAP = trap("hh3cIPsecTunnelStopV2")


@pytest.mark.parametrize("devices", [(THIS,), ()], ids=["known", "unknown"])
@pytest.mark.parametrize("swapped", [False, True])
def test_both_directions_of_a_stop_are_one_fact(devices: tuple[Device, ...], swapped: bool) -> None:
    lines = [(at, text) for (at, _), (_, text) in zip(STOP, reversed(STOP), strict=True)] if swapped else STOP
    story = tell(*lines, devices=devices)
    assert story.duplicates == 1
    opened = next(change.incident for change in story.changes if change.what == "opened")
    assert (opened.count, opened.peer, opened.kind) == (1, PEER, "tunnel_down")


def test_four_lines_of_two_protocols_are_one_fact() -> None:
    lines = [
        (at, text.replace("protocol is ESP", "protocol is AH"))
        for at, text in both(10.2, "TERMINATE", "internal event", 7)
    ]
    assert tell(*STOP, *lines).duplicates == 3


def test_two_tunnels_of_one_peer_are_two_facts() -> None:
    again = both(10.2, "TERMINATE", "internal event", 2001)
    story = tell(*STOP, *again)
    assert story.duplicates == 2
    assert story.changes[0].incident.count == 2


def test_the_notification_is_a_witness_whenever_it_comes() -> None:
    for place in range(3):
        lines: list[tuple[float, str | bytes]] = list(STOP)
        lines.insert(place, (10.05 if place == 1 else 10.0 if not place else 10.2, TRAP))
        story = tell(*lines)
        assert story.duplicates == 2, place
        opened = story.changes[0].incident
        assert (opened.count, {witness.transport for witness in opened.witnesses}) == (1, {"syslog-udp", "snmp-v2c"})
        assert opened.cause is not None
        assert opened.cause.name == "internal event"


def test_a_tunnel_that_comes_back_is_told_once_each_way() -> None:
    story = tell(
        *both(0, "ESTABLISH"),
        (9, p1_down("DPD timeout", second=9)),
        *both(10, "TERMINATE", "DPD timeout"),
        *both(55, "ESTABLISH", spi=3001),
    )
    assert story.told == ["opened tunnel_down major", "resolved tunnel_down major"]
    assert story.changes[0].incident.cause is not None
    assert story.changes[0].incident.cause.name == "dpd timeout"


def test_a_rekey_pages_nobody() -> None:
    rekey = [*both(10, "ESTABLISH", spi=3001), *both(11, "TERMINATE", "new P2 SA had been negotiated")]
    story = tell(*both(0, "ESTABLISH"), *rekey, (12, p1_down("new IKE SA had been negotiated", second=12)))
    assert story.changes == []
    assert "rekey" in story.suppressed


def test_a_rekey_whose_notification_comes_first_pages_nobody() -> None:
    rekey = [*both(10, "ESTABLISH", spi=3001), (10.9, TRAP), *both(11, "TERMINATE", "new P2 SA had been negotiated")]
    story = tell(*both(0, "ESTABLISH"), *rekey)
    assert story.changes == []


def test_a_reason_that_comes_late_still_counts() -> None:
    """The notification says that the tunnel is gone, the log that nobody used it."""
    assert tell((0, TRAP)).told[0] == "opened tunnel_down major"
    story = tell(*both(0, "ESTABLISH"), (100, TRAP), *both(100.5, "TERMINATE", "SA idle timeout"), until=1000)
    assert story.changes == []
    story = tell((0, TRAP), *both(0.5, "TERMINATE", "the reset command was executed"), until=20)
    assert story.told == ["opened tunnel_down info"]


def test_a_phase_1_that_the_peer_deleted_leaves_the_tunnel_alone() -> None:
    said = "an IKE SA deletion message was received from peer"
    assert tell(*both(0, "ESTABLISH"), (10, p1_down(said, second=10))).changes == []
    assert tell((0, trap("hh3cIKETunnelStop"))).changes == []


def test_phase_2_told_by_both_modules_is_one_tunnel() -> None:
    p2 = ike_line("IKE_P2_SA_TERMINATE", "The IKE phase 2 SA was deleted", "internal event", second=10)
    story = tell(*STOP, (10.3, p2))
    assert story.duplicates == 2


def test_a_whole_connection_is_context_of_its_tunnels() -> None:
    story = tell((0, trap("hh3cIPsecConnectionStopV2")), (60, trap("hh3cIPsecConnectionStartV2")))
    assert story.changes == []
    assert story.suppressed == ["context", "context"]
