"""Stream receivers on real sockets, without TLS."""

import asyncio
import contextlib
import errno
import socket
from types import SimpleNamespace

import pytest
from receiver_fakes import FakeSink, LineFramer, need_ipv6, turns, until

from eventd.receivers import ListenError, tcp
from eventd.receivers.tcp import StreamReceiver
from eventd.telemetry import Telemetry

NOW = 1_700_000_000.123456789


@contextlib.asynccontextmanager
async def receiver(sink, listen="127.0.0.1:0", telemetry=None, framer=LineFramer, **options):
    """A started `StreamReceiver`."""
    receiver = StreamReceiver(listen, "syslog-tcp", sink, telemetry or Telemetry(), framer=framer, **options)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


@contextlib.asynccontextmanager
async def connection(rx, host="127.0.0.1", local=None):
    """Reader and writer of a client; closed at the end, whatever the other end did."""
    reader, writer = await asyncio.open_connection(host, rx.address[1], local_addr=local)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def sink():
    return FakeSink()


@pytest.fixture
def telemetry():
    return Telemetry()


async def test_a_line_becomes_a_message_with_source_and_time(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, clock=lambda: NOW) as rx, connection(rx) as (_, writer):
        writer.write(b"<188>x\n")
        [message] = await sink.holds(1)
        assert message.port == writer.get_extra_info("sockname")[1]
        assert telemetry.value("connections", "syslog-tcp") == 1
    assert (message.transport, message.source, message.payload) == ("syslog-tcp", "127.0.0.1", b"<188>x")
    assert message.received_at == 1_700_000_000.123457
    assert telemetry.value("received", "syslog-tcp") == 1
    assert telemetry.value("connections", "syslog-tcp") == 0


@pytest.mark.conformance("RFC 6587 §3.4", "a connection whose packets are cut anywhere")
async def test_a_stream_may_be_cut_anywhere(sink):
    stream = b"".join(b"message %d\n" % n for n in range(20))
    async with receiver(sink) as rx, connection(rx) as (_, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in stream:
            writer.write(bytes([byte]))
            await turns(2)
        await sink.holds(20)
    assert sink.payloads == stream.splitlines()


async def test_streams_larger_than_the_read_buffer_arrive_whole(sink):
    lines = [b"%06d" % n * 100 for n in range(5_000)]
    async with receiver(sink) as rx, connection(rx) as (_, writer):
        writer.write(b"\n".join(lines) + b"\n")
        await sink.holds(len(lines))
    assert sink.payloads == lines


@pytest.mark.conformance("RFC 6587 §3.2", "connections do not mix their streams")
async def test_connections_do_not_mix_their_streams(sink):
    count, each = 100, 20
    async with receiver(sink) as rx, contextlib.AsyncExitStack() as stack:
        writers = [(await stack.enter_async_context(connection(rx)))[1] for _ in range(count)]
        for n in range(each):
            for who, writer in enumerate(writers):  # every message in two pieces, interleaved with all others
                writer.write(b"%d of " % n)
                writer.write(b"%d\n" % who)
            await turns(2)
        await sink.holds(count * each)
    ports = [writer.get_extra_info("sockname") for writer in writers]
    assert len(set(ports)) == count
    for who in range(count):
        mine = [payload for payload in sink.payloads if payload.endswith(b" of %d" % who)]
        assert mine == [b"%d of %d" % (n, who) for n in range(each)]


@pytest.mark.conformance("RFC 6587 §3.5", "what is left without an end is delivered when the connection ends")
async def test_what_is_left_without_an_end_is_delivered_when_the_stream_ends(sink, telemetry):
    async with receiver(sink, telemetry=telemetry) as rx:
        async with connection(rx) as (_, writer):
            writer.write(b"whole\nhalf")
        await sink.holds(2)
    assert sink.payloads == [b"whole", b"half"]
    assert telemetry.value("received", "syslog-tcp") == 2


@pytest.mark.conformance("RFC 6587 §3.5", "a connection closed by its sender is closed by us")
async def test_a_half_closed_connection_is_closed_from_our_side_too(sink):
    async with receiver(sink) as rx, connection(rx) as (reader, writer):
        writer.write(b"last words")
        writer.write_eof()
        await sink.holds(1)
        assert await reader.read() == b""


@pytest.mark.conformance("RFC 6587 §3.5", "a reset connection keeps what came before it")
async def test_a_reset_connection_keeps_what_came_before_it(sink, telemetry):
    async with receiver(sink, telemetry=telemetry) as rx:
        client = socket.create_connection(rx.address)
        client.sendall(b"one\ntwo")
        await sink.holds(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # with a reset
        await sink.holds(2)
        assert telemetry.value("connections", "syslog-tcp") == 0
    assert sink.payloads == [b"one", b"two"]


@pytest.mark.conformance("RFC 6587 §3.4", "a damaged frame is counted and costs neither connection nor neighbours")
async def test_a_damaged_frame_is_counted_and_costs_neither_connection_nor_neighbours(sink, telemetry):
    async with receiver(sink, telemetry=telemetry) as rx, connection(rx) as (_, writer):
        writer.write(b"one\n!\ntwo\n")
        await sink.holds(2)
        writer.write(b"!\n!\nthree\n")
        await sink.holds(3)
        assert telemetry.value("connections", "syslog-tcp") == 1
    assert sink.payloads == [b"one", b"two", b"three"]
    assert telemetry.value("frame_errors", "syslog-tcp", "bad_frame") == 3
    assert telemetry.value("received", "syslog-tcp") == 3


@pytest.mark.conformance("RFC 6587 §3.4", "a stream that lost all meaning is closed and counted")
async def test_a_stream_that_lost_its_meaning_is_closed_and_counted_once(sink, telemetry):
    async with receiver(sink, telemetry=telemetry) as rx, connection(rx) as (reader, writer):
        writer.write(b"one\n!!\n")
        assert await reader.read() == b""
    assert sink.payloads == [b"one"]
    assert telemetry.value("connections_refused", "syslog-tcp", "sync_lost") == 1
    assert telemetry.value("frame_errors", "syslog-tcp", "sync_lost") == 1
    assert telemetry.value("connections", "syslog-tcp") == 0


# --- limits -------------------------------------------------------------------------------------------------------


async def test_connections_beyond_the_limit_are_closed_and_a_free_place_can_be_taken(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, max_connections=2, max_per_source=9) as rx:
        async with connection(rx) as (_, first), connection(rx) as (_, second):
            first.write(b"I have said something\n")
            second.write(b"so have I\n")
            await sink.holds(2)
            for _ in range(3):
                async with connection(rx) as (reader, _):
                    with contextlib.suppress(ConnectionResetError):
                        assert await reader.read() == b""
            assert telemetry.value("connections_refused", "syslog-tcp", "limit") == 3
            first.write(b"still here\n")
            second.write(b"me too\n")
            await sink.holds(4)
        await until(lambda: telemetry.value("connections", "syslog-tcp") == 0)
        async with connection(rx) as (_, third):
            third.write(b"now I may\n")
            await sink.holds(5)
    assert telemetry.value("connections_refused", "syslog-tcp", "limit") == 3


async def test_one_source_may_not_take_all_connections(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, max_connections=8) as rx, contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(connection(rx))
        await until(lambda: telemetry.value("connections_refused", "syslog-tcp", "source_limit") == 3)
        assert telemetry.value("connections", "syslog-tcp") == 2
        _, other = await stack.enter_async_context(connection(rx, local=("127.0.0.2", 0)))
        other.write(b"x\n")
        await sink.holds(1)


async def test_who_never_said_anything_makes_room_first(sink, telemetry):
    async with (
        receiver(sink, telemetry=telemetry, max_connections=3, max_per_source=2) as rx,
        connection(rx) as (_, speaker),
        connection(rx, local=("127.0.0.3", 0)) as (silent, _),
        connection(rx, local=("127.0.0.4", 0)) as (_, slow),
    ):
        slow.write(b"<")
        speaker.write(b"one\n")
        await sink.holds(1)
        async with connection(rx, local=("127.0.0.5", 0)) as (_, new):
            new.write(b"two\n")
            await sink.holds(2)
            with contextlib.suppress(ConnectionResetError):
                assert await silent.read() == b""
        speaker.write(b"three\n")
        await sink.holds(3)
    assert telemetry.value("connections_refused", "syslog-tcp", "evicted") == 1


async def test_who_said_something_and_now_dribbles_makes_room_and_who_is_quiet_stays(sink, telemetry, monkeypatch):
    monkeypatch.setattr("eventd.receivers.connection.FRAME_PATIENCE_S", 0.05)
    async with (
        receiver(sink, telemetry=telemetry, max_connections=3, max_per_source=2) as rx,
        connection(rx) as (_, quiet),
        connection(rx, local=("127.0.0.3", 0)) as (slow, dribble),
        connection(rx, local=("127.0.0.4", 0)) as (_, busy),
    ):
        quiet.write(b"one\n")
        dribble.write(b"two\n<")
        busy.write(b"three\n<")
        await sink.holds(3)
        await asyncio.sleep(0.1)
        dribble.write(b"1")  # one more byte of the same frame is no progress
        busy.write(b"188>four\n<1")  # this frame is a new one
        await sink.holds(4)
        async with connection(rx, local=("127.0.0.5", 0)) as (_, new):
            new.write(b"five\n")
            with contextlib.suppress(ConnectionResetError):
                assert await slow.read() == b""
            await sink.holds(6)
        quiet.write(b"six\n")
        busy.write(b"88>seven\n")
        await sink.holds(8)
    assert sorted(sink.payloads) == sorted(
        [b"one", b"two", b"three", b"<188>four", b"<1", b"five", b"six", b"<188>seven"]
    )
    assert telemetry.value("connections_refused", "syslog-tcp", "evicted") == 1


async def test_whoever_has_room_may_take_its_time(sink, telemetry, monkeypatch):
    monkeypatch.setattr("eventd.receivers.connection.FRAME_PATIENCE_S", 0.01)
    async with receiver(sink, telemetry=telemetry, max_connections=2) as rx, connection(rx) as (_, slow):
        slow.write(b"one\n<188>t")
        await sink.holds(1)
        await asyncio.sleep(0.05)
        async with connection(rx, local=("127.0.0.5", 0)) as (_, new):
            new.write(b"three\n")
            await sink.holds(2)
        slow.write(b"wo\n")
        await sink.holds(3)
    assert sink.payloads == [b"one", b"three", b"<188>two"]
    assert telemetry.value("connections_refused", "syslog-tcp", "evicted") == 0


async def test_a_source_that_crowds_the_sink_waits_alone(telemetry):
    sink = FakeSink()
    async with (
        receiver(sink, telemetry=telemetry) as rx,
        connection(rx) as (_, heavy),
        connection(rx) as (_, heavy_too),
        connection(rx, local=("127.0.0.2", 0)) as (_, other),
    ):
        sink.crowd.add("127.0.0.1")
        heavy.write(b"one\n")
        await sink.holds(1)
        heavy.write(b"held\n")
        heavy_too.write(b"held too\n")
        async with connection(rx) as (_, heavy_again):
            heavy_again.write(b"and this one\n")
            other.write(b"two\n")
            await sink.holds(2)
            await turns(20)
            assert sink.payloads == [b"one", b"two"]
            sink.crowd.clear()
            sink.make_room()
            await sink.holds(5)


async def test_senders_off_the_allow_list_are_closed_and_counted(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, allow=["127.0.0.2/32"]) as rx:
        async with connection(rx) as (reader, writer):
            writer.write(b"no\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        async with connection(rx, local=("127.0.0.2", 0)) as (_, writer):
            writer.write(b"yes\n")
            await sink.holds(1)
    assert sink.payloads == [b"yes"]
    assert telemetry.value("connections_refused", "syslog-tcp", "not_allowed") == 1
    assert telemetry.value("received", "syslog-tcp") == 1


async def test_a_silent_connection_is_closed_after_the_idle_timeout_and_its_rest_kept(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, idle_timeout=0.05) as rx, connection(rx) as (reader, writer):
        writer.write(b"one\nrest")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
    assert sink.payloads == [b"one", b"rest"]
    assert telemetry.value("connections_refused", "syslog-tcp", "idle") == 1


async def test_a_slow_sender_is_not_idle(sink, telemetry):
    async with receiver(sink, telemetry=telemetry, idle_timeout=0.2) as rx, connection(rx) as (_, writer):
        for n in range(8):
            await asyncio.sleep(0.05)
            writer.write(b"%d" % n)
        writer.write(b"\n")
        await sink.holds(1)
    assert sink.payloads == [b"01234567"]
    assert telemetry.value("connections_refused", "syslog-tcp", "idle") == 0


async def test_silence_that_we_caused_is_not_idle(telemetry):
    sink = FakeSink(capacity=1)
    async with receiver(sink, telemetry=telemetry, idle_timeout=0.03) as rx, connection(rx) as (_, writer):
        writer.write(b"one\n")
        await sink.holds(1)
        writer.write(b"two\n")
        await asyncio.sleep(0.1)
        sink.make_room()
        await sink.holds(2)
    assert telemetry.value("received", "syslog-tcp") == 2


async def test_a_source_above_its_rate_has_to_wait_and_loses_nothing(sink, telemetry):
    loop = asyncio.get_running_loop()
    options = {"telemetry": telemetry, "max_rate": 100, "clock": loop.time, "idle_timeout": 0.05}
    async with receiver(sink, **options) as rx, connection(rx) as (_, writer):
        began = loop.time()
        writer.write(b"x\n" * 120)  # one read, 20 above what may come at once
        await sink.holds(120)
        writer.write(b"y\n")
        await sink.holds(121)
        assert loop.time() - began > 0.19
    assert telemetry.value("connections_refused", "syslog-tcp", "idle") == 0
    assert sink.payloads[-1] == b"y"


async def test_a_rate_does_not_keep_a_full_sink_from_holding(telemetry):
    sink, loop = FakeSink(capacity=1), asyncio.get_running_loop()
    options = {"telemetry": telemetry, "max_rate": 100, "clock": loop.time}
    async with receiver(sink, **options) as rx, connection(rx) as (_, writer):
        writer.write(b"x\n" * 105)
        await sink.holds(105)
        writer.write(b"y\n")
        await asyncio.sleep(0.1)  # the rate would let it in by now
        assert len(sink.messages) == 105
        sink.make_room()
        await sink.holds(106)


# --- backpressure -------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5424 §8.5", "a full pipeline stops the sender and nothing is lost")
async def test_a_full_sink_stops_the_sender_and_nothing_is_lost(telemetry):
    sink, chunk = FakeSink(capacity=1), b"x" * 999 + b"\n"
    async with receiver(sink, telemetry=telemetry) as rx:
        client = socket.create_connection(rx.address)
        client.setblocking(False)
        client.sendall(chunk)
        await sink.holds(1)
        sent = 1000
        with contextlib.suppress(BlockingIOError):  # until the sender's own buffer is full
            for _ in range(100_000):
                sent += client.send(chunk[sent % 1000 :])
                await turns(2)
        with pytest.raises(BlockingIOError):
            client.send(b"x")
        assert sent < 100_000_000
        assert len(sink.messages) == 1
        assert sink.waiting == 1
        sink.make_room()
        await sink.holds(sent // 1000)
        client.close()
        await until(lambda: telemetry.value("connections", "syslog-tcp") == 0)
    assert sum(map(len, sink.payloads)) + sent // 1000 == sent
    assert telemetry.value("received", "syslog-tcp") == len(sink.messages) == -(-sent // 1000)


async def test_one_connection_that_fills_the_sink_stops_all_of_them_also_new_ones():
    sink = FakeSink(capacity=1)
    async with receiver(sink) as rx, connection(rx) as (_, first), connection(rx) as (_, second):
        first.write(b"one\n")
        await sink.holds(1)
        async with connection(rx) as (_, third):
            second.write(b"two\n")
            third.write(b"three\n")
            await turns(20)
            assert sink.payloads == [b"one"]
            sink.make_room()
            await sink.holds(3)
    assert sorted(sink.payloads) == [b"one", b"three", b"two"]


async def test_the_sink_may_fill_again_and_again():
    sink = FakeSink(capacity=1)
    async with receiver(sink) as rx, connection(rx) as (_, writer):
        for n in range(1, 6):
            writer.write(b"%d\n" % n)
            await sink.holds(n)
            assert sink.waiting == 1
            sink.make_room(capacity=n + 1)


# --- start and stop -----------------------------------------------------------------------------------------------


async def test_a_port_in_use_is_a_clear_error(sink):
    async with receiver(sink) as rx:
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{rx.address[1]}: the port is in use"):
            async with receiver(sink, f"127.0.0.1:{rx.address[1]}"):
                pass


async def test_dual_stack_gives_both_families_their_own_spelling(sink):
    need_ipv6()
    async with receiver(sink, ":0") as rx:
        for host in ("127.0.0.1", "::1"):
            async with connection(rx, host) as (_, writer):
                writer.write(host.encode() + b"\n")
        await sink.holds(2)
    assert {message.source.encode(): message.payload for message in sink.messages} == {
        b"127.0.0.1": b"127.0.0.1",
        b"::1": b"::1",
    }


@pytest.mark.conformance("RFC 5424 §8.5", "a stop takes in what has arrived")
async def test_stopping_takes_what_has_arrived_even_into_a_full_sink(telemetry):
    sink, lines = FakeSink(capacity=1), 2_000
    async with receiver(sink, telemetry=telemetry) as rx, connection(rx) as (reader, writer):
        writer.write(b"first\n")
        await sink.holds(1)
        writer.write((b"x" * 99 + b"\n") * lines + b"rest")
        await writer.drain()
        await until(lambda: not writer.transport.get_write_buffer_size())
        await rx.stop()
        assert await reader.read() == b""
    assert len(sink.messages) == lines + 2
    assert sink.payloads[-1] == b"rest"
    assert telemetry.value("connections", "syslog-tcp") == 0


async def test_stopping_takes_what_was_sent_by_connections_not_yet_accepted(sink, telemetry):
    async with receiver(sink, telemetry=telemetry) as rx:
        for n in range(10):
            with socket.create_connection(rx.address) as client:
                client.sendall(b"%d" % n)
        assert telemetry.value("connections", "syslog-tcp") == 0, "the loop has not turned yet"
        await rx.stop()
    assert sorted(sink.payloads) == [b"%d" % n for n in range(10)]


async def test_a_system_that_refuses_to_accept_is_asked_again_later(sink, telemetry, monkeypatch):
    monkeypatch.setattr(tcp, "ACCEPT_PAUSE_S", 0.05)
    async with receiver(sink, telemetry=telemetry) as rx:
        real, refusals = rx._listener, [OSError(errno.EMFILE, "Too many open files")] * 2

        class Refusing:
            def accept(self):
                if refusals:
                    raise refusals.pop()
                return real.accept()

            def __getattr__(self, name):
                return getattr(real, name)

        rx._listener = Refusing()
        async with connection(real_address(real)) as (_, writer):
            writer.write(b"x\n")
            await sink.holds(1)
    assert not refusals


def real_address(sock):
    """Something with an ``address``, for `connection`."""
    return SimpleNamespace(address=sock.getsockname())


async def test_after_the_stop_nobody_is_let_in(sink):
    rx = StreamReceiver("127.0.0.1:0", "syslog-tcp", sink, Telemetry(), framer=LineFramer)
    await rx.stop()
    await rx.start()
    address = rx.address
    await rx.stop()
    await rx.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


@pytest.mark.parametrize("loops", ["asyncio", "uvloop"])
def test_connections_that_come_while_the_sink_is_full_are_not_read(loops):
    factory = pytest.importorskip(loops).new_event_loop
    sink = FakeSink(capacity=1)

    async def run():
        async with receiver(sink) as rx, connection(rx) as (_, first):
            first.write(b"one\n")
            await sink.holds(1)
            with contextlib.ExitStack() as stack:
                for n in range(20):  # their messages are there before they are accepted
                    stack.enter_context(socket.create_connection(rx.address)).sendall(b"%d\n" % n)
                await asyncio.sleep(0.1)
                assert sink.payloads == [b"one"]
                sink.make_room()
                await sink.holds(21)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())


def test_it_works_on_uvloop_too(sink, telemetry):
    uvloop = pytest.importorskip("uvloop")

    async def run():
        sink.capacity = 1
        async with receiver(sink, telemetry=telemetry) as rx:
            async with connection(rx) as (_, writer):
                writer.write(b"one\n")
                await sink.holds(1)
                writer.write(b"two\n" * 50_000 + b"rest")
            sink.make_room()
            await sink.holds(50_002)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert (sink.payloads[0], sink.payloads[-1]) == (b"one", b"rest")
    assert telemetry.value("connections", "syslog-tcp") == 0
