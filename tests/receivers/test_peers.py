"""Receivers against programs that really send: util-linux `logger`, syslog-ng's `loggen`, `rsyslogd`."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
import trustme
from peers import peer
from receiver_fakes import FakeSink, until

from eventd.parse.framing import StreamFramer
from eventd.receivers.tcp import StreamReceiver
from eventd.receivers.tls import make_context
from eventd.receivers.udp import UdpReceiver
from eventd.telemetry import Telemetry

pytestmark = pytest.mark.peer

HEADER = {"--rfc3164": rb"<13>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ ", "--rfc5424": rb"<13>1 \d{4}-\d\d-\d\dT\S+ \S+ "}


@pytest.fixture
def sink():
    return FakeSink()


@pytest.fixture
def telemetry():
    return Telemetry()


@contextlib.asynccontextmanager
async def started(receiver):
    await receiver.start()
    try:
        yield str(receiver.address[1])
    finally:
        await receiver.stop()


def udp(sink, telemetry):
    return started(UdpReceiver("127.0.0.1:0", "syslog-udp", sink, telemetry, recv_buffer_bytes=32 << 20))


def tcp(sink, telemetry, context=None):
    name = "syslog-tls" if context else "syslog-tcp"
    return started(StreamReceiver("127.0.0.1:0", name, sink, telemetry, framer=StreamFramer, ssl_context=context))


async def run(program, *arguments, stdin=b""):
    """Run a peer to its end."""
    process = await asyncio.create_subprocess_exec(peer(program), *arguments, stdin=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0


# --- logger -------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5426 §3.1", "util-linux logger over UDP")
@pytest.mark.parametrize("form", HEADER)
async def test_logger_over_udp(sink, telemetry, form):
    async with udp(sink, telemetry) as port:
        await run("logger", "-n", "127.0.0.1", "-P", port, "--udp", form, "-t", "tag", "tunnel ünten")
        [message] = await sink.holds(1)
    assert re.fullmatch(HEADER[form] + rb".*tunnel \xc3\xbcnten", message.payload)


@pytest.mark.conformance("RFC 6587 §3.4", "util-linux logger in both framings")
@pytest.mark.parametrize("form", HEADER)
@pytest.mark.parametrize("framing", [(), ("--octet-count",)])
async def test_logger_over_tcp_in_both_framings(sink, telemetry, form, framing):
    lines = b"".join(b"line %d\n" % n for n in range(50))
    async with tcp(sink, telemetry) as port:
        await run("logger", "-n", "127.0.0.1", "-P", port, "--tcp", form, *framing, stdin=lines)
        await sink.holds(50)
        await until(lambda: telemetry.value("connections", "syslog-tcp") == 0)
    assert len(sink.messages) == telemetry.value("received", "syslog-tcp") == 50
    for n, payload in enumerate(sink.payloads):
        assert re.fullmatch(HEADER[form] + rb".*line %d" % n, payload)
    assert not any(telemetry.values("frame_errors").values())


# --- loggen -------------------------------------------------------------------------------------------------------

NUMBERED = re.compile(rb"seq: (\d+), thread: (\d+)")


def numbers(payloads):
    """(thread, sequence) of messages by loggen."""
    return sorted((int(thread), int(seq)) for seq, thread in (NUMBERED.search(p).groups() for p in payloads))


@pytest.mark.conformance("RFC 5426 §3.1", "loggen of syslog-ng over UDP loses nothing")
async def test_loggen_over_udp_loses_nothing(sink, telemetry):
    async with udp(sink, telemetry) as port:
        await run("loggen", "-i", "-D", "-Q", "-n", "10000", "-r", "20000", "-s", "400", "127.0.0.1", port)
        await until(lambda: len(sink.messages) >= 10_000)
    assert numbers(sink.payloads) == [(0, n) for n in range(10_000)]


@pytest.mark.conformance("RFC 6587 §3.4", "loggen of syslog-ng over many connections loses nothing")
@pytest.mark.parametrize("form", [(), ("-P",)], ids=["lines", "octet-counted"])
async def test_loggen_over_many_tcp_connections_loses_nothing(sink, telemetry, form):
    arguments = ("-i", "-S", "-Q", "-n", "1000", "-r", "100000", "--active-connections=10", "--idle-connections=20")
    async with tcp(sink, telemetry) as port:
        await run("loggen", *arguments, *form, "127.0.0.1", port)
        await until(lambda: telemetry.value("connections", "syslog-tcp") == 0)
    assert len(sink.messages) == telemetry.value("received", "syslog-tcp")
    sent = numbers(sink.payloads)
    assert len(sent) == len(set(sent)) >= 1_000
    assert not any(telemetry.values("frame_errors").values())


# --- rsyslogd -----------------------------------------------------------------------------------------------------

CONFIGURATION = """
{globals}
module(load="imfile")
input(type="imfile" file="{folder}/input" tag="fw1")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"
       TCP_Framing="{framing}" {action})
"""


@contextlib.asynccontextmanager
async def rsyslogd(folder, port, framing, *, stream_globals="", action=""):
    """A running rsyslogd that forwards the lines of ``folder/input``."""
    program = Path(peer("rsyslogd"))
    modules = next(program.parent.parent.glob("lib/*/rsyslog"))
    (folder / "state").mkdir()
    settings = f'global(workDirectory="{folder}/state" {stream_globals})'
    text = CONFIGURATION.format(globals=settings, folder=folder, port=port, framing=framing, action=action)
    (folder / "rsyslog.conf").write_text(text)
    process = await asyncio.create_subprocess_exec(
        program, "-n", "-M", modules, "-f", folder / "rsyslog.conf", "-i", folder / "pid"
    )
    try:
        yield process
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            await process.wait()


def written(folder, count):
    lines = [f"%%01IPSEC/4/IPSECTUNNELSTOP(l)[{n}]:The IPSec tunnel is deleted. (SeqNum={n})" for n in range(count)]
    (folder / "input").write_text("\n".join(lines) + "\n")
    return [line.encode() for line in lines]


def texts(payloads):
    """What stands behind the header; rsyslog ends the line with LF also where it counts octets."""
    return [payload[payload.index(b"%%") :].removesuffix(b"\n") for payload in payloads]


@pytest.mark.conformance("RFC 6587 §3.4", "rsyslog in both framings")
@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
async def test_rsyslog_forwards_over_tcp_in_both_framings(sink, telemetry, tmp_path, framing):
    lines = written(tmp_path, 500)
    async with tcp(sink, telemetry) as port, rsyslogd(tmp_path, port, framing):
        await sink.holds(500)
        assert telemetry.value("connections", "syslog-tcp") == 1
    assert texts(sink.payloads) == lines
    assert all(re.match(rb"<\d+>1 \d{4}-", payload) for payload in sink.payloads)
    assert not any(telemetry.values("frame_errors").values())


@pytest.mark.conformance("RFC 5425 §4.2.1", "rsyslog with a client certificate")
@pytest.mark.parametrize("driver", ["ossl", "gtls"])
async def test_rsyslog_forwards_over_tls_with_a_client_certificate(sink, telemetry, tmp_path, driver):
    ca = trustme.CA()
    server, client = ca.issue_cert("localhost"), ca.issue_cert("fw1.example")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.crt")
    context = make_context(*[str(tmp_path / "server.pem")] * 2, str(tmp_path / "ca.pem"))
    stream_globals = (
        f'defaultNetstreamDriverCAFile="{tmp_path}/ca.pem" defaultNetstreamDriverCertFile="{tmp_path}/client.crt" '
        f'defaultNetstreamDriverKeyFile="{tmp_path}/client.key"'
    )
    action = (
        f'streamDriver="{driver}" streamDriverMode="1" streamDriverAuthMode="x509/name" '
        'streamDriverPermittedPeers="localhost"'
    )
    lines = written(tmp_path, 500)
    async with (
        tcp(sink, telemetry, context) as port,
        rsyslogd(tmp_path, port, "octet-counted", stream_globals=stream_globals, action=action),
    ):
        await sink.holds(500)
    assert texts(sink.payloads) == lines
    assert {message.transport for message in sink.messages} == {"syslog-tls"}
    assert telemetry.value("connections_refused", "syslog-tls", "handshake") == 0


@pytest.mark.conformance("RFC 5424 §8.5", "rsyslog waits while we are full and loses nothing")
async def test_rsyslog_waits_while_the_sink_is_full_and_loses_nothing(telemetry, tmp_path):
    sink = FakeSink(capacity=1)
    lines = written(tmp_path, 20_000)
    async with tcp(sink, telemetry) as port, rsyslogd(tmp_path, port, "octet-counted"):
        await until(lambda: sink.waiting)
        held = len(sink.messages)
        await asyncio.sleep(0.3)
        assert len(sink.messages) == held < 20_000
        sink.make_room()
        await sink.holds(20_000)
    assert texts(sink.payloads) == lines
