"""UDP receivers on real sockets."""

import asyncio
import contextlib
import errno
import os
import socket
import struct
import time
from pathlib import Path

import pytest
from receiver_fakes import FakeSink, need_ipv6, turns, udp_client, until

from eventd.receivers import ListenError, kernel
from eventd.receivers.udp import DRAIN_DATAGRAMS, UdpReceiver, kernel_drops
from eventd.telemetry import Telemetry

NOW = 1_700_000_000.123456789


@contextlib.asynccontextmanager
async def receiver(sink, listen="127.0.0.1:0", transport="syslog-udp", telemetry=None, **options):
    """A started `UdpReceiver`."""
    receiver = UdpReceiver(listen, transport, sink, telemetry or Telemetry(), **options)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


@pytest.fixture
def sink():
    return FakeSink()


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.mark.conformance("RFC 5426 §3.4", "source address and time of arrival are kept with the message")
async def test_a_datagram_becomes_a_message_with_source_and_time(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, clock=lambda: NOW) as rx:
        with udp_client() as client:
            client.sendto(b"<188>x", rx.address)
            [message] = await sink.holds(1)
            assert message.port == client.getsockname()[1]
    assert (message.transport, message.source) == ("syslog-udp", "127.0.0.1")
    assert (message.payload, message.reply) == (b"<188>x", None)
    assert message.received_at == 1_700_000_000.123457
    assert telemetry.value("received", "syslog-udp") == 1


@pytest.mark.conformance("RFC 5426 §3.2", "datagrams of any size arrive whole through a real socket")
@pytest.mark.parametrize("size", [0, 1, 480, 1180, 2048, 65_507])
async def test_datagrams_of_any_size_arrive_whole(sink, size):
    payload = os.urandom(size)
    async with receiver(sink) as rx:
        with udp_client() as client:
            client.sendto(payload, rx.address)
            client.sendto(b"after", rx.address)
            await sink.holds(2)
    assert sink.payloads == [payload, b"after"]


@pytest.mark.conformance("RFC 5426 §4.3", "a burst is received without loss and in order")
async def test_a_burst_is_received_without_loss_and_in_order(sink, telemetry):
    count = 20_000
    async with receiver(sink, telemetry=telemetry, recv_buffer_bytes=32 << 20) as rx:
        with udp_client() as client:
            for n in range(count):
                client.sendto(b"%d" % n, rx.address)
                if n % 2_000 == 0:  # without CAP_NET_ADMIN the buffer may be small
                    await sink.holds(n)
            await sink.holds(count)
        assert rx.drops() == 0
    assert sink.payloads == [b"%d" % n for n in range(count)]
    assert max(sink.puts) <= DRAIN_DATAGRAMS
    assert telemetry.value("received", "syslog-udp") == count


async def test_one_drain_is_bounded_and_is_one_put(sink):
    async with receiver(sink, recv_buffer_bytes=8 << 20) as rx:
        with udp_client() as client:
            for _ in range(DRAIN_DATAGRAMS + 10):  # the loop does not turn meanwhile
                client.sendto(b"x", rx.address)
            await sink.holds(DRAIN_DATAGRAMS + 10)
        assert sink.puts == [DRAIN_DATAGRAMS, 10]


@pytest.mark.conformance("RFC 5426 §4.1", "what the kernel had to drop is counted exactly")
async def test_a_full_sink_stops_reading_and_the_kernel_counts_exactly_what_is_lost(telemetry):
    sink, sent = FakeSink(capacity=1), 0
    async with receiver(sink, telemetry=telemetry, recv_buffer_bytes=16_384) as rx:
        with udp_client() as client:
            client.sendto(b"first", rx.address)
            await sink.holds(1)
            for _ in range(5_000):
                client.sendto(b"x" * 400, rx.address)
            sent = 5_001
            await until(lambda: sink.waiting)
            await turns()
            assert len(sink.messages) == 1
            assert 0 < rx.drops() < 5_000
            sink.make_room()
            await until(lambda: len(sink.messages) + rx.drops() == sent)
            client.sendto(b"last", rx.address)
            await until(lambda: sink.payloads[-1] == b"last")
        assert len(sink.messages) + rx.drops() == sent + 1
        telemetry.provide("kernel_drops", lambda: kernel_drops([rx]))
        assert telemetry.value("received", "syslog-udp") + telemetry.value("kernel_drops", "syslog-udp") == sent + 1
    assert len(sink.messages) + rx.drops() == sent + 1, "drops are kept after the end"


async def test_a_full_sink_is_asked_once_for_room(telemetry):
    sink = FakeSink(capacity=1)
    async with receiver(sink) as rx:
        with udp_client() as client:
            for _ in range(10):
                client.sendto(b"x", rx.address)
                await turns()
        assert sink.waiting == 1


async def test_stopping_takes_what_the_kernel_holds_even_into_a_full_sink():
    sink = FakeSink(capacity=1)
    async with receiver(sink, recv_buffer_bytes=4 << 20) as rx:
        with udp_client() as client:
            for _ in range(DRAIN_DATAGRAMS * 2):
                client.sendto(b"x", rx.address)
            await sink.holds(1)
            await turns()
            assert len(sink.messages) == DRAIN_DATAGRAMS
            await rx.stop()
            assert len(sink.messages) + rx.drops() == DRAIN_DATAGRAMS * 2
            sink.make_room()
            await turns()


@pytest.mark.conformance("RFC 5426 §4.1", "what arrives while the socket is closed is counted")
async def test_what_arrives_between_the_last_read_and_the_close_is_counted():
    sink = FakeSink()
    async with receiver(sink, replies=True) as rx:
        with udp_client() as client:
            address = rx.address
            client.sendto(b"before", address)
            await sink.holds(1)
            await rx.stop(keep_replies=True)
            for _ in range(7):
                client.sendto(b"too late", address)
            await turns()
            sink.messages[0].reply(b"answer")
            assert client.recv(100) == b"answer"
        await rx.stop()
    assert (sink.payloads, rx.drops()) == ([b"before"], 7)


async def test_stopping_twice_and_stopping_what_never_started_is_nothing():
    rx = UdpReceiver("127.0.0.1:0", "syslog-udp", FakeSink(), Telemetry())
    await rx.stop()
    await rx.start()
    await rx.stop()
    await rx.stop()


# --- addresses ----------------------------------------------------------------------------------------------------


async def test_dual_stack_gives_both_families_their_own_spelling(sink):
    need_ipv6()
    async with receiver(sink, "[::]:0") as rx:
        host, port = rx.address
        assert host == "::"
        for family, to in (("127.0.0.1", ("127.0.0.1", port)), ("::1", ("::1", port))):
            with udp_client(family) as client:
                client.sendto(b"x", to)
        await sink.holds(2)
    assert sorted(message.source for message in sink.messages) == ["127.0.0.1", "::1"]


async def test_an_ipv6_address_alone_takes_no_ipv4(sink):
    need_ipv6()
    async with receiver(sink, "[::1]:0") as rx:
        assert rx.address[0] == "::1"
        with udp_client() as client:
            client.sendto(b"x", ("127.0.0.1", rx.address[1]))
        with udp_client("::1") as client:
            client.sendto(b"y", rx.address)
        await sink.holds(1)
    assert sink.payloads == [b"y"]


@pytest.mark.parametrize(("call", "code"), [("socket", errno.EAFNOSUPPORT), ("bind", errno.EADDRNOTAVAIL)])
async def test_all_interfaces_means_ipv4_where_there_is_no_ipv6(sink, monkeypatch, call, code):
    class NoIPv6(socket.socket):
        def __init__(self, family, *rest):
            if call == "socket" and family == socket.AF_INET6:
                raise OSError(code, "no")
            super().__init__(family, *rest)

        def bind(self, address):
            if call == "bind" and self.family == socket.AF_INET6:
                raise OSError(code, "no")
            super().bind(address)

    monkeypatch.setattr(kernel.socket, "socket", NoIPv6)
    async with receiver(sink, ":0") as rx:
        monkeypatch.undo()
        assert rx.address[0] == "0.0.0.0"
        with udp_client() as client:
            client.sendto(b"x", ("127.0.0.1", rx.address[1]))
            await sink.holds(1)


async def test_a_port_in_use_is_a_clear_error(sink):
    async with receiver(sink) as rx:
        taken = f"127.0.0.1:{rx.address[1]}"
        with pytest.raises(ListenError, match=f"cannot listen on {taken}: the port is in use") as caught:
            await UdpReceiver(taken, "syslog-udp", sink, Telemetry()).start()
        assert caught.value.listen == taken


@pytest.mark.parametrize(
    ("code", "text"),
    [(errno.EACCES, "ports below 1024 need CAP_NET_BIND_SERVICE"), (errno.ENOBUFS, os.strerror(errno.ENOBUFS))],
)
def test_every_refusal_to_bind_has_its_reason(monkeypatch, code, text):
    class Refusing(socket.socket):
        def bind(self, address):
            raise OSError(code, "no")

    monkeypatch.setattr(kernel.socket, "socket", Refusing)
    with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:514: .*{text}"):
        kernel.bind("127.0.0.1:514", socket.SOCK_DGRAM)


def test_an_address_of_another_machine_is_a_clear_error():
    with pytest.raises(ListenError, match="this machine has no such address"):
        kernel.bind("192.0.2.1:0", socket.SOCK_DGRAM)


# --- allow list, classifier, splitter -----------------------------------------------------------------------------


async def test_senders_off_the_allow_list_are_counted_and_not_passed_on(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, allow=["127.0.0.2"]) as rx:
        for host, payload in (("127.0.0.1", b"no"), ("127.0.0.2", b"yes"), ("127.0.0.1", b"no")):
            with udp_client(host) as client:
                client.sendto(payload, rx.address)
        await until(lambda: telemetry.value("received", "syslog-udp") == 3)
    assert sink.payloads == [b"yes"]
    assert telemetry.value("rejected", "syslog-udp", "not_allowed") == 2


@pytest.mark.conformance("RFC 5424 §8.12", "a source above its rate is counted and takes nothing from others")
async def test_a_source_above_its_rate_is_counted_and_takes_nothing_from_others(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, max_rate=5, clock=lambda: NOW) as rx:
        for host in ("127.0.0.1", "127.0.0.2"):
            with udp_client(host) as client:
                for _ in range(20):
                    client.sendto(b"x", rx.address)
        await until(lambda: telemetry.value("received", "syslog-udp") == 40)
    assert sorted(message.source for message in sink.messages) == ["127.0.0.1"] * 5 + ["127.0.0.2"] * 5
    assert telemetry.value("rejected", "syslog-udp", "rate_limited") == 30


async def test_a_classifier_names_the_transport_of_each_datagram(sink, telemetry):
    def classify(datagram):
        return {b"1": "snmp-v1", b"3": "snmp-v3"}.get(datagram, "snmp")

    async with receiver(sink, transport=classify, telemetry=telemetry, allow=["127.0.0.1"]) as rx:
        for host, payload in (("127.0.0.1", b"1"), ("127.0.0.1", b"3"), ("127.0.0.1", b"?"), ("127.0.0.2", b"3")):
            with udp_client(host) as client:
                client.sendto(payload, rx.address)
        await sink.holds(3)
        await until(lambda: telemetry.value("received", "snmp-v3") == 2)
        assert list(kernel_drops([rx, rx])) == [("snmp",)]
    assert [message.transport for message in sink.messages] == ["snmp-v1", "snmp-v3", "snmp"]
    assert [telemetry.value("received", name) for name in ("snmp-v1", "snmp", "snmp-v2c")] == [1, 1, 0]
    assert telemetry.value("rejected", "snmp-v3", "not_allowed") == 1


@pytest.mark.conformance("RFC 5426 §3.1", "a datagram is at least one message")
async def test_a_splitter_makes_several_messages_and_never_none(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, split=bytes.split) as rx:
        with udp_client() as client:
            client.sendto(b"a b", rx.address)
            client.sendto(b"  ", rx.address)
            await sink.holds(3)
    assert sink.payloads == [b"a", b"b", b"  "]
    assert telemetry.value("received", "syslog-udp") == 3


# --- buffer and errors --------------------------------------------------------------------------------------------


async def test_the_receive_buffer_is_exported_as_asked_and_as_granted(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, recv_buffer_bytes=65_536):
        assert telemetry.value("receive_buffer_bytes", "syslog-udp", "127.0.0.1:0") == 65_536
        assert telemetry.value("receive_buffer_requested_bytes", "syslog-udp", "127.0.0.1:0") == 65_536


async def test_a_buffer_above_the_limit_is_granted_in_part_without_the_right_to_force_it(sink, telemetry, monkeypatch):
    monkeypatch.setattr(kernel, "SO_RCVBUFFORCE", 9_999)  # refused like a missing capability: with an OSError
    async with receiver(sink, telemetry=telemetry, recv_buffer_bytes=1 << 30):
        granted = telemetry.value("receive_buffer_bytes", "syslog-udp", "127.0.0.1:0")
    assert granted == int(Path("/proc/sys/net/core/rmem_max").read_text())


def test_a_kernel_that_does_not_tell_drops_counts_none(monkeypatch):
    monkeypatch.setattr(kernel, "SO_MEMINFO", 9_999)
    with udp_client() as sock:
        assert kernel.dropped(sock) == 0


async def test_an_error_on_the_socket_does_not_stop_reading(sink):
    async with receiver(sink) as rx:
        receive, errors = rx._receive, [OSError(errno.ECONNREFUSED, "refused")] * 3

        def faulty(*arguments):
            if errors:
                raise errors.pop()
            return receive(*arguments)

        rx._receive = faulty
        with udp_client() as client:
            client.sendto(b"x", rx.address)
            await sink.holds(1)
    assert not errors


# --- replies ------------------------------------------------------------------------------------------------------


async def test_a_reply_goes_to_the_sender_from_the_same_port(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, replies=True) as rx:
        with udp_client() as client:
            client.sendto(b"inform", rx.address)
            [message] = await sink.holds(1)
            message.reply(b"response")
            assert client.recvfrom(100) == (b"response", rx.address)
    assert telemetry.value("replies", "sent") == 1


@pytest.mark.parametrize(
    ("listen", "client_host", "to"),
    [
        ("0.0.0.0:0", "127.0.0.1", "127.0.0.5"),
        ("[::]:0", "127.0.0.1", "127.0.0.5"),
        ("[::]:0", "::1", "::1"),
    ],
)
async def test_a_reply_leaves_from_the_address_the_datagram_came_to(sink, telemetry, listen, client_host, to):
    if "[" in listen:
        need_ipv6()
    async with receiver(sink, listen, telemetry=telemetry, replies=True) as rx:
        with udp_client(client_host) as client:
            client.sendto(b"inform", (to, rx.address[1]))
            [message] = await sink.holds(1)
            assert message.source == client_host
            message.reply(b"response")
            assert client.recvfrom(100)[1][:2] == (to, rx.address[1])
    assert telemetry.value("replies", "sent") == 1


async def test_a_reply_that_cannot_leave_from_there_leaves_from_where_routing_says(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, replies=True) as rx:
        with udp_client() as client:
            foreign = struct.pack("=i4s4s", 0, socket.inet_aton("192.0.2.1"), bytes(4))
            rx._reply(client.getsockname(), [(socket.IPPROTO_IP, kernel.IP_PKTINFO, foreign)], b"response")
            assert client.recvfrom(100) == (b"response", rx.address)
    assert telemetry.value("replies", "sent") == 1


async def test_a_reply_after_the_close_fails_and_is_counted(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, replies=True) as rx:
        with udp_client() as client:
            client.sendto(b"inform", rx.address)
            [message] = await sink.holds(1)
    message.reply(b"response")
    assert (telemetry.value("replies", "sent"), telemetry.value("replies", "failed")) == (0, 1)


async def test_replies_to_senders_that_are_gone_do_not_stop_reading(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, replies=True) as rx:
        for n in range(1, 4):
            with udp_client() as client:
                client.sendto(b"inform", rx.address)
                await sink.holds(n)
            sink.messages[-1].reply(b"nobody listens there any more")
            await turns()


def test_multicast_is_not_answered_from_and_link_local_keeps_its_interface():
    def answer(address):
        data = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, address), 3)
        return kernel.answer_from([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data)])

    assert answer("ff02::1") == []
    assert [data[16:] for _, _, data in answer("fe80::1") + answer("2001:db8::1")] == [b"\3\0\0\0", bytes(4)]
    assert kernel.answer_from([(socket.SOL_SOCKET, 29, b"")]) == []


def test_it_works_on_uvloop_too(sink):
    uvloop = pytest.importorskip("uvloop")

    async def run():
        async with receiver(sink) as rx:
            with udp_client() as client:
                for _ in range(1_000):
                    client.sendto(b"x", rx.address)
                await until(lambda: len(sink.messages) + rx.drops() == 1_000)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_other_work_on_the_loop_gets_its_turn_during_a_flood(sink):
    """A flood from another thread must not keep a timer waiting for longer than a few drains."""
    async with receiver(sink) as rx:
        stop_at = time.monotonic() + 0.5

        def flood():
            with udp_client() as client:
                while time.monotonic() < stop_at:
                    client.sendto(b"x" * 400, rx.address)

        flooding = asyncio.create_task(asyncio.to_thread(flood))
        delays = []
        while not flooding.done():
            before = time.monotonic()
            await asyncio.sleep(0.001)
            delays.append(time.monotonic() - before)
        await flooding
    assert len(delays) > 5
    assert sorted(delays)[len(delays) // 2] < 0.1


# --- what the machine lost ----------------------------------------------------------------------------------------


def test_what_the_whole_machine_lost_is_read_from_the_kernel():
    found = kernel.host_udp_errors()
    assert {("4", "InErrors"), ("4", "RcvbufErrors"), ("4", "MemErrors")} <= found.keys()
    with udp_client() as full, udp_client() as sender:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(100):
            sender.sendto(bytes(1000), full.getsockname())
        lost = kernel.dropped(full)
    assert lost > 0
    after = kernel.host_udp_errors()
    assert after["4", "RcvbufErrors"] >= found["4", "RcvbufErrors"] + lost


def test_files_of_another_shape_cost_only_their_numbers(monkeypatch, tmp_path):
    (tmp_path / "snmp").write_text("Udp: InErrors\nUdp: 1 2\n")
    (tmp_path / "snmp6").write_text("Udp6InErrors 3\n")
    monkeypatch.setattr(kernel, "PROC_SNMP", str(tmp_path / "snmp"))
    monkeypatch.setattr(kernel, "PROC_SNMP6", str(tmp_path / "snmp6"))
    assert kernel.host_udp_errors() == {("6", "InErrors"): 3.0}
    monkeypatch.setattr(kernel, "PROC_SNMP6", str(tmp_path / "none"))
    assert kernel.host_udp_errors() == {}
