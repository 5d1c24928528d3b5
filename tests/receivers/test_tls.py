"""Stream receivers behind TLS, and the contexts they are given."""

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
import warnings
from pathlib import Path

import pytest
import trustme
from receiver_fakes import FakeSink, LineFramer, turns, until

from eventd.receivers.tcp import StreamReceiver
from eventd.receivers.tls import HASHES, make_context, parse_fingerprint
from eventd.telemetry import Telemetry

CA, OTHER_CA = trustme.CA(), trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """PEM files by name: ca, other_ca, server.crt, server.key, client.pem, foreign.pem."""
    folder = tmp_path_factory.mktemp("tls")
    server = CA.issue_cert("localhost", "127.0.0.1")
    blobs = {
        "ca": CA.cert_pem,
        "other_ca": OTHER_CA.cert_pem,
        "server.crt": server.cert_chain_pems[0],
        "server.key": server.private_key_pem,
        "client.pem": CA.issue_cert("fw1.example").private_key_and_cert_chain_pem,
        "foreign.pem": OTHER_CA.issue_cert("fw1.example").private_key_and_cert_chain_pem,
    }
    for name, blob in blobs.items():
        blob.write_to_path(folder / name)
    return {name: str(folder / name) for name in blobs}


@pytest.fixture
def sink():
    return FakeSink()


@pytest.fixture
def telemetry():
    return Telemetry()


def client_context(files, certificate=None, trusted="ca"):
    context = ssl.create_default_context(cafile=files[trusted])
    if certificate:
        context.load_cert_chain(files[certificate])
    return context


def tls_client(rx, files, certificate=None):
    """A blocking client as simple senders have it; to be made outside the loop."""
    raw = socket.create_connection(rx.address)
    raw.settimeout(10)
    return client_context(files, certificate).wrap_socket(raw, server_hostname="localhost")


@contextlib.asynccontextmanager
async def receiver(sink, telemetry, files, client_ca=None, **options):
    context = make_context(files["server.crt"], files["server.key"], client_ca and files[client_ca])
    receiver = StreamReceiver(
        "127.0.0.1:0", "syslog-tls", sink, telemetry, framer=LineFramer, ssl_context=context, **options
    )
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


@contextlib.asynccontextmanager
async def connection(rx, context):
    reader, writer = await asyncio.open_connection(*rx.address, ssl=context, server_hostname="localhost")
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_to(rx, sent):
    """What the receiver answers to raw bytes until it closes."""
    reader, writer = await asyncio.open_connection(*rx.address)
    with contextlib.suppress(ConnectionError):
        writer.write(sent)
        async with asyncio.timeout(5):
            await reader.read()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


# --- connections --------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 5425 §4.3.1", "messages of all sizes arrive whole")
async def test_messages_arrive_whole_through_tls(sink, telemetry, files):
    lines = [b"%06d" % n * 100 for n in range(2_000)]
    async with receiver(sink, telemetry, files) as rx:
        async with connection(rx, client_context(files)) as (_, writer):
            assert telemetry.value("connections", "syslog-tls") == 1
            writer.write(b"\n".join(lines) + b"\nrest")
        await sink.holds(len(lines) + 1)
        await until(lambda: telemetry.value("connections", "syslog-tls") == 0)
    assert sink.payloads == [*lines, b"rest"]
    assert {(message.transport, message.source) for message in sink.messages} == {("syslog-tls", "127.0.0.1")}


@pytest.mark.conformance("RFC 5425 §4.2.3", "TLS 1.2 and 1.3")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_current_versions_of_tls_are_spoken(sink, telemetry, files, version):
    context = client_context(files)
    context.minimum_version = context.maximum_version = version
    async with receiver(sink, telemetry, files) as rx, connection(rx, context) as (_, writer):
        writer.write(b"x\n")
        await sink.holds(1)


@pytest.mark.conformance("RFC 5425 §4.4", "a sender that writes and closes at once loses nothing")
async def test_a_sender_that_only_writes_and_closes_loses_nothing(sink, telemetry, files):
    lines = 20_000

    def send(rx):
        with tls_client(rx, files) as client:
            client.sendall((b"x" * 399 + b"\n") * lines)

    async with receiver(sink, telemetry, files) as rx:
        await asyncio.to_thread(send, rx)
        await until(lambda: telemetry.value("connections", "syslog-tls") == 0)
    assert len(sink.messages) == lines


@pytest.mark.conformance("RFC 5425 §4.2.3", "older versions of TLS are refused")
async def test_old_versions_of_tls_are_refused(sink, telemetry, files, recwarn):
    context = client_context(files)
    for bound in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
            setattr(context, bound, ssl.TLSVersion.TLSv1_1)
    async with receiver(sink, telemetry, files) as rx:
        with pytest.raises(OSError):
            async with connection(rx, context):
                pass


@pytest.mark.conformance("RFC 5425 §4.2.1", "a client with a certificate of the authority gets in")
async def test_a_client_with_a_certificate_of_the_authority_gets_in(sink, telemetry, files):
    context = client_context(files, "client.pem")
    async with receiver(sink, telemetry, files, client_ca="ca") as rx, connection(rx, context) as (_, writer):
        writer.write(b"x\n")
        await sink.holds(1)


@pytest.mark.conformance("RFC 5425 §4.2.1", "a client without one, or with a foreign one, does not")
@pytest.mark.parametrize("certificate", [None, "foreign.pem"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_without_one_does_not(sink, telemetry, files, certificate, version, caplog):
    context = client_context(files, certificate)
    context.maximum_version = version
    async with receiver(sink, telemetry, files, client_ca="ca") as rx:
        with contextlib.suppress(OSError):  # with TLS 1.3 the client may learn it only after its first message
            async with asyncio.timeout(5), connection(rx, context) as (reader, writer):
                writer.write(b"x\n")
                await reader.read()
        await until(lambda: telemetry.value("connections_refused", "syslog-tls", "handshake") == 1)
        assert telemetry.value("connections", "syslog-tls") == 0
    assert sink.messages == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.conformance("RFC 5425 §4.2", "garbage instead of a handshake is counted")
@pytest.mark.parametrize("garbage", [b"<188>plain syslog\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\0" * 100])
async def test_garbage_instead_of_a_handshake_is_counted_and_never_a_traceback(
    sink, telemetry, files, garbage, caplog, capfd
):
    async with receiver(sink, telemetry, files) as rx:
        await answer_to(rx, garbage)
        await until(lambda: telemetry.value("connections_refused", "syslog-tls", "handshake") == 1)
        assert telemetry.value("connections", "syslog-tls") == 0
        async with connection(rx, client_context(files)) as (_, writer):
            writer.write(b"x\n")
            await sink.holds(1)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_leaves_during_the_handshake_is_counted(sink, telemetry, files, hello, reset, caplog):
    async with receiver(sink, telemetry, files) as rx:
        client = socket.create_connection(rx.address)
        client.sendall(hello)
        await until(lambda: telemetry.value("connections", "syslog-tls") == 1)
        await turns(10)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await until(lambda: telemetry.value("connections_refused", "syslog-tls", "handshake") == 1)
        assert telemetry.value("connections", "syslog-tls") == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.conformance("RFC 5425 §4.2", "a handshake that does not end is ended")
async def test_a_handshake_that_does_not_end_is_ended(sink, telemetry, files):
    async with receiver(sink, telemetry, files, handshake_timeout=0.05) as rx:
        await answer_to(rx, b"\x16")
        await until(lambda: telemetry.value("connections_refused", "syslog-tls", "handshake") == 1)
    assert telemetry.value("connections", "syslog-tls") == 0


async def test_unfinished_handshakes_count_as_connections(sink, telemetry, files):
    async with receiver(sink, telemetry, files, max_connections=1) as rx:
        with socket.create_connection(rx.address):
            await until(lambda: telemetry.value("connections", "syslog-tls") == 1)
            await answer_to(rx, b"\x16")
            assert telemetry.value("connections_refused", "syslog-tls", "source_limit") == 1
        await until(lambda: telemetry.value("connections", "syslog-tls") == 0)
        async with connection(rx, client_context(files)) as (_, writer):
            writer.write(b"x\n")
            await sink.holds(1)


async def test_an_unfinished_handshake_makes_room_for_another_sender(sink, telemetry, files):
    async with receiver(sink, telemetry, files, max_connections=1) as rx:
        with socket.create_connection(rx.address, source_address=("127.0.0.2", 0)) as silent:
            await until(lambda: telemetry.value("connections", "syslog-tls") == 1)
            async with connection(rx, client_context(files)) as (_, writer):
                writer.write(b"x\n")
                await sink.holds(1)
            silent.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.to_thread(silent.recv, 1) == b""
    assert telemetry.value("connections_refused", "syslog-tls", "evicted") == 1


async def test_the_allow_list_is_asked_before_the_handshake(sink, telemetry, files):
    async with receiver(sink, telemetry, files, allow=["192.0.2.0/24"]) as rx:
        with pytest.raises(OSError):
            async with connection(rx, client_context(files)):
                pass
    refused = {reason: telemetry.value("connections_refused", "syslog-tls", reason) for reason in ("not_allowed",)}
    assert refused == {"not_allowed": 1}
    assert telemetry.value("connections_refused", "syslog-tls", "handshake") == 0


async def test_stopping_does_not_wait_for_a_handshake(sink, telemetry, files):
    async with receiver(sink, telemetry, files) as rx:
        with socket.create_connection(rx.address) as client:
            client.sendall(b"\x16")
            await until(lambda: telemetry.value("connections", "syslog-tls") == 1)
            async with asyncio.timeout(1):
                await rx.stop()
            assert telemetry.value("connections", "syslog-tls") == 0


async def test_a_full_sink_stops_a_tls_sender_and_nothing_is_lost(telemetry, files):
    sink, lines = FakeSink(capacity=1), 20_000
    async with receiver(sink, telemetry, files) as rx, connection(rx, client_context(files)) as (_, writer):
        writer.write(b"first\n")
        await sink.holds(1)

        async def send():
            for _ in range(lines // 100):
                writer.write((b"x" * 999 + b"\n") * 100)
                await writer.drain()

        sending = asyncio.create_task(send())
        _, waiting = await asyncio.wait([sending], timeout=0.3)
        assert waiting
        assert len(sink.messages) == 1
        sink.make_room()
        await sink.holds(lines + 1)
        await sending
    assert telemetry.value("received", "syslog-tls") == lines + 1


async def test_a_sender_that_leaves_while_the_sink_is_full_loses_nothing(telemetry, files):
    sink, lines = FakeSink(capacity=1), 1_000
    async with receiver(sink, telemetry, files) as rx, connection(rx, client_context(files)) as (_, first):
        leaving = await asyncio.to_thread(tls_client, rx, files)
        with leaving:
            first.write(b"first\n")
            await sink.holds(1)
            await asyncio.to_thread(leaving.sendall, (b"x" * 199 + b"\n") * lines)
        await asyncio.sleep(0.05)
        assert len(sink.messages) == 1
        sink.make_room()
        await sink.holds(lines + 1)
        await until(lambda: telemetry.value("connections", "syslog-tls") == 1)


async def test_a_silent_tls_connection_is_closed_after_the_idle_timeout(sink, telemetry, files):
    async with (
        receiver(sink, telemetry, files, idle_timeout=0.05) as rx,
        connection(rx, client_context(files)) as (reader, _),
        asyncio.timeout(5),
    ):
        assert await reader.read() == b""
    assert telemetry.value("connections_refused", "syslog-tls", "idle") == 1


async def test_garbage_inside_an_open_tls_connection_ends_only_that_one(sink, telemetry, files, caplog):
    async with receiver(sink, telemetry, files) as rx, connection(rx, client_context(files)) as (_, good):
        bad = await asyncio.to_thread(tls_client, rx, files)
        bad.sendall(b"before\nrest")
        await sink.holds(1)
        with socket.socket(fileno=bad.detach()) as naked:
            naked.sendall(b"<188>not a TLS record\n")
            await sink.holds(2)
            await until(lambda: telemetry.value("connections", "syslog-tls") == 1)
        good.write(b"after\n")
        await sink.holds(3)
    assert sink.payloads == [b"before", b"rest", b"after"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.conformance("RFC 5425 §5.1", "a renewed certificate is shown to new connections and disturbs no old one")
async def test_a_renewed_certificate_is_shown_to_new_connections_and_disturbs_no_old_one(
    sink, telemetry, files, tmp_path
):
    renewed = OTHER_CA.issue_cert("localhost")
    renewed.private_key_and_cert_chain_pem.write_to_path(tmp_path / "renewed.pem")
    async with receiver(sink, telemetry, files) as rx, connection(rx, client_context(files)) as (_, old):
        rx.ssl_context = make_context(str(tmp_path / "renewed.pem"), str(tmp_path / "renewed.pem"))
        async with connection(rx, client_context(files, trusted="other_ca")) as (_, new):
            new.write(b"new\n")
            await sink.holds(1)
        old.write(b"old\n")
        await sink.holds(2)


def test_it_works_on_uvloop_too(sink, telemetry, files):
    uvloop = pytest.importorskip("uvloop")

    async def run():
        async with receiver(sink, telemetry, files, client_ca="ca") as rx:
            async with connection(rx, client_context(files, "client.pem")) as (_, writer):
                writer.write(b"one\n" * 1_000 + b"rest")
            await sink.holds(1_001)
            await answer_to(rx, b"garbage\n\n\n")
            await until(lambda: telemetry.value("connections_refused", "syslog-tls", "handshake") == 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert telemetry.value("connections", "syslog-tls") == 0


# --- contexts -----------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(files):
    for wrong in ({"cert_file": "nowhere.crt"}, {"key_file": "nowhere.crt"}, {"client_ca_file": "nowhere.crt"}):
        given = {"cert_file": files["server.crt"], "key_file": files["server.key"]} | wrong
        with pytest.raises(FileNotFoundError, match=r"nowhere\.crt"):
            make_context(**given)


@pytest.mark.parametrize(
    ("cert", "key", "ca", "complaint"),
    [
        ("server.crt", "client.pem", None, "client.pem: not the key of the certificate in .*server.crt"),
        ("server.key", "server.key", None, "server.key.*: no PEM certificate and private key"),
        ("server.crt", "server.crt", None, "server.crt: no PEM certificate and private key"),
        ("server.crt", "server.key", "server.key", "server.key: no PEM certificate of an authority"),
        ("server.crt", "encrypted", None, "encrypted: the key is encrypted"),
    ],
)
def test_a_file_that_does_not_hold_what_it_should_is_named(files, tmp_path, cert, key, ca, complaint):
    from cryptography.hazmat.primitives import serialization

    plain = serialization.load_pem_private_key(CA.issue_cert("x").private_key_pem.bytes(), None)
    (tmp_path / "encrypted").write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    known = files | {"encrypted": str(tmp_path / "encrypted")}
    with pytest.raises(ValueError, match=complaint):
        make_context(known[cert], known[key], ca and known[ca])


def test_old_protocols_are_off_and_clients_are_asked_only_with_an_authority(files):
    context = make_context(files["server.crt"], files["server.key"])
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE
    assert make_context(files["server.crt"], files["server.key"], files["ca"]).verify_mode == ssl.CERT_REQUIRED


# --- fingerprints -------------------------------------------------------------------------------------------------


def fingerprint(pem, name="sha-256"):
    """Of the first certificate in a PEM file, as RFC 5425 writes it."""
    text = Path(pem).read_text()
    begin, end = text.index("-----BEGIN CERT"), text.index("-----END CERT")
    der = ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----\n")
    return f"{name}:" + ":".join(f"{octet:02X}" for octet in hashlib.new(HASHES[name], der).digest())


@pytest.mark.conformance("RFC 5425 §4.2.2", "a client is admitted by the fingerprint of its certificate")
@pytest.mark.parametrize("name", list(HASHES))
async def test_only_listed_certificates_get_in(sink, telemetry, files, tmp_path, name):
    CA.issue_cert("fw2.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "other.pem")
    listed = [fingerprint(files["client.pem"], name)]
    async with receiver(sink, telemetry, files, client_ca="ca", fingerprints=listed) as rx:
        other = await asyncio.to_thread(tls_client, rx, files | {"other.pem": str(tmp_path / "other.pem")}, "other.pem")
        with other, contextlib.suppress(OSError):
            other.sendall(b"not me\n")
            assert await asyncio.to_thread(other.recv, 1) == b""
        async with connection(rx, client_context(files, "client.pem")) as (_, writer):
            writer.write(b"me\n")
            await sink.holds(1)
    assert sink.payloads == [b"me"]
    assert telemetry.value("connections_refused", "syslog-tls", "certificate") == 1


async def test_a_self_signed_certificate_may_be_listed_itself(sink, telemetry, files, tmp_path):
    lone = trustme.CA()
    signed = lone.issue_cert("fw3.example")
    signed.private_key_and_cert_chain_pem.write_to_path(tmp_path / "lone.pem")
    signed.cert_chain_pems[0].write_to_path(tmp_path / "listed.pem")
    known = files | {"lone.pem": str(tmp_path / "lone.pem"), "listed.pem": str(tmp_path / "listed.pem")}
    async with receiver(sink, telemetry, known, client_ca="listed.pem") as rx:
        async with connection(rx, client_context(known, "lone.pem")) as (_, writer):
            writer.write(b"me\n")
            await sink.holds(1)
        stranger = await asyncio.to_thread(tls_client, rx, files, "client.pem")
        with stranger, contextlib.suppress(OSError):
            stranger.sendall(b"not me\n")
            assert await asyncio.to_thread(stranger.recv, 1) == b""
    assert sink.payloads == [b"me"]


@pytest.mark.parametrize(
    "text",
    ["", "sha-256", "md5:AA", "sha-256:AA", "sha-256:" + "A" * 64, "sha-1:" + ":".join(["GG"] * 20), "sha-1:AA:" * 20],
)
def test_what_is_no_fingerprint_is_refused(text):
    with pytest.raises(ValueError, match="does not"):
        parse_fingerprint(text)


@pytest.mark.conformance("RFC 5425 §4.2", "TLS 1.1 and older are refused")
async def test_an_old_protocol_is_refused(sink, telemetry, files):
    async with receiver(sink, telemetry, files) as rx:
        context = client_context(files)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            async with connection(rx, context):
                pass
    assert telemetry.value("connections_refused", "syslog-tls", "handshake") == 1
