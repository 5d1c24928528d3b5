"""Which socket the kernel hands a datagram to."""

import contextlib
import socket

import pytest
from receiver_fakes import FakeSink, need_ipv6, until
from structlog.testing import capture_logs

from eventd.receivers import lanes, steering
from eventd.receivers.addresses import parse_networks
from eventd.receivers.lanes import Lanes
from eventd.receivers.udp import DRAIN_DATAGRAMS, UdpReceiver
from eventd.telemetry import Telemetry

PATIENCE_S = 5.0


def bound(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((host, 0))
    return sock


@contextlib.contextmanager
def opened(host="127.0.0.1", allow=()):
    made = Lanes(bound(host), parse_networks(allow), lambda _: None)
    assert made.refusal is None
    try:
        yield made
    finally:
        for lane in made.all:
            lane.sock.close()


def send(made, source, to="127.0.0.1"):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.sendto(source.encode(), (to, made.main.sock.getsockname()[1]))


def got(made):
    """What each lane holds."""
    found = {}
    for lane in made.all:
        lane.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                found.setdefault(lane.number, []).append(lane.sock.recv(100).decode())
    return {number: texts for number, texts in found.items() if texts}


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_heavy_source_gets_a_socket_of_its_own(host):
    if host == "::":
        need_ipv6()
    with opened(host) as made:
        assert made.give("127.0.0.2").number == 1
        assert made.give("127.0.0.3").number == 2
        for n in range(2, 6):
            send(made, f"127.0.0.{n}")
        assert got(made) == {1: ["127.0.0.2"], 2: ["127.0.0.3"], 0: ["127.0.0.4", "127.0.0.5"]}


def test_addresses_of_both_families_are_told_apart():
    need_ipv6()
    with opened("::") as made:
        made.give("2001:db8::1")
        made.give("::1")
        made.give("127.0.0.2")
        send(made, "::1", "::1")
        send(made, "127.0.0.2")
        send(made, "127.0.0.1")
        assert got(made) == {2: ["::1"], 3: ["127.0.0.2"], 0: ["127.0.0.1"]}


@pytest.mark.parametrize(
    ("allow", "friends"),
    [
        (["127.0.0.2"], {2}),
        (["127.0.0.4/30"], {4, 5, 6, 7}),
        (["192.0.2.0/24", "127.0.0.2/31", "127.0.0.7"], {2, 3, 7}),
        (["0.0.0.0/0"], set(range(2, 9))),
        (["::/0"], set()),
    ],
)
def test_who_is_not_on_the_allow_list_does_not_reach_the_common_socket(allow, friends):
    with opened(allow=allow) as made:
        for n in range(2, 9):
            send(made, f"127.0.0.{n}")
        found = got(made)
        assert set(found.get(0, ())) == {f"127.0.0.{n}" for n in friends}
        assert set(found.get(1, ())) == {f"127.0.0.{n}" for n in range(2, 9)} - set(found.get(0, ()))
        assert made.is_for_strangers(made.all[1])


def test_an_ipv6_prefix_is_matched_to_the_bit():
    need_ipv6()
    for allow, lane in (("::/127", 0), ("::2/127", 1), ("::1", 0), ("::/96", 0), ("8000::/1", 1)):
        with opened("::", [allow]) as made:
            send(made, "::1", "::1")
            assert list(got(made)) == [lane], allow


def test_the_longest_program_is_taken():
    allow = [f"2001:db8:{n:x}::1" for n in range(steering.MAX_NETWORKS)]
    with opened(allow=allow) as made:
        for n in range(lanes.MAX_HEAVY + 10):
            made.give(f"2001:db8::{n:x}")
        assert made.refusal is None
        assert len(made.owners) == lanes.MAX_HEAVY
        assert len(made.all) == lanes.MAX_LANES + 1
        assert 0 not in made.owners.values()
        assert 1 not in made.owners.values(), "the lane of strangers is theirs"


def test_a_second_program_is_told_that_the_port_is_in_use():
    with opened() as made, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second, pytest.raises(OSError):
        second.bind(made.main.sock.getsockname())


def test_where_the_kernel_does_not_steer_there_is_one_lane(monkeypatch):
    monkeypatch.setattr(steering, "SO_ATTACH_REUSEPORT_CBPF", 9_999)
    made = Lanes(bound(), (), lambda _: None)
    assert made.refusal
    assert [made.give("127.0.0.2").number, len(made.all)] == [0, 1]
    assert made.owners == {"127.0.0.2": 0}
    made.main.sock.close()


# --- as part of a receiver ----------------------------------------------------------------------------------------


@pytest.fixture
def telemetry():
    return Telemetry()


async def heavy(rx, sink, source="127.0.0.2"):
    """Make a source heavy: it fills more than one drain."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((source, 0))
    for n in range(DRAIN_DATAGRAMS + 200):
        client.sendto(b"%d" % n, rx.address)
    await sink.holds(DRAIN_DATAGRAMS + 200)
    return client


async def test_a_heavy_source_keeps_its_order_and_loses_only_its_own(telemetry):
    sink, total = FakeSink(), DRAIN_DATAGRAMS + 200
    rx = UdpReceiver("127.0.0.1:0", "syslog-udp", sink, telemetry, recv_buffer_bytes=65_536 * 16)
    await rx.start()
    flooder = await heavy(rx, sink)
    assert sink.payloads == [b"%d" % n for n in range(total)]
    sink.crowd.add("127.0.0.2")
    for _ in range(20_000):
        flooder.sendto(b"flood", rx.address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for n in range(100):
            other.sendto(b"other %d" % n, rx.address)
        await sink.holds(total + 100)
    assert sink.payloads[total:] == [b"other %d" % n for n in range(100)]
    sink.crowd.clear()
    sink.make_room()
    with capture_logs() as said:
        await rx.stop()
    flooder.close()
    assert rx.drops() == 0
    limited = telemetry.value("rejected", "syslog-udp", "rate_limited")
    assert limited > 0
    assert telemetry.value("received", "syslog-udp") == total + 100 + 20_000
    assert len(sink.messages) == total + 100 + 20_000 - limited
    assert any("source sends more than its share" in line["event"] for line in said)


async def test_a_source_that_sends_much_and_loses_nothing_is_not_complained_of(telemetry):
    sink = FakeSink()
    rx = UdpReceiver("127.0.0.1:0", "syslog-udp", sink, telemetry)
    await rx.start()
    with capture_logs() as said:
        (await heavy(rx, sink)).close()
        await rx.stop()
    assert not [line for line in said if "more than its share" in line["event"]]


async def test_strangers_cannot_fill_the_buffer_of_those_allowed(telemetry):
    sink = FakeSink()
    rx = UdpReceiver("127.0.0.1:0", "syslog-udp", sink, telemetry, allow=["127.0.0.1"])
    await rx.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, socket.socket(type=socket.SOCK_DGRAM) as friend:
        stranger.bind(("127.0.0.9", 0))
        for _ in range(20_000):
            stranger.sendto(b"x", rx.address)
        for n in range(100):
            friend.sendto(b"%d" % n, rx.address)
        await sink.holds(100)
    await until(lambda: rx.settle() or telemetry.value("rejected", "syslog-udp", "not_allowed") == 20_000)
    await rx.stop()
    assert rx.drops() == 0
    assert telemetry.value("received", "syslog-udp") == 20_100


async def test_without_steering_a_crowding_source_is_refused_here(telemetry, monkeypatch):
    monkeypatch.setattr(steering, "SO_ATTACH_REUSEPORT_CBPF", 9_999)
    sink = FakeSink()
    rx = UdpReceiver("127.0.0.1:0", "syslog-udp", sink, telemetry)
    await rx.start()
    flooder = await heavy(rx, sink)
    sink.crowd.add("127.0.0.2")
    flooder.sendto(b"too much", rx.address)
    await until(lambda: telemetry.value("rejected", "syslog-udp", "rate_limited") == 1)
    await rx.stop()
    flooder.close()
