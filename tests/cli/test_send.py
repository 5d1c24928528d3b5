"""``eventd send``: what is asked for goes over the wire, and what cannot be sent is refused with what could."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import fakehandlers
import pytest
import trustme
from click.testing import CliRunner, Result
from trapsink import TrapSink

from eventd.cli import main
from eventd.parse.snmp import Access, parse_notification
from eventd.parse.usm import User
from eventd.registry import load


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.send.load", fakehandlers.load)


def send(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["send", *arguments])


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(5)
        yield sink


def place(sink: socket.socket) -> str:
    host, port = sink.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def test_an_event_goes_out_by_udp_with_what_was_asked_and_a_one_line_summary(udp: socket.socket) -> None:
    result = send("syslog", "ipsec.tunnel.stop", "reason=peer request", "peer=198.51.100.9", "--to", place(udp))
    payload = udp.recv(65535)
    assert result.exit_code == 0, result.output
    assert result.output == f"sent 1 message to {place(udp)} (syslog-udp, {len(payload)} bytes)\n"
    assert payload.startswith(b"<188>")
    assert b" FW1 IPSEC/4/IPSECTUNNELSTOP:OID " in payload
    assert payload.endswith(b"DstIP=198.51.100.9, SrcIP=192.0.2.1, OfflineReason=peer request)")


def test_an_ipv6_receiver_is_reached() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sink:
        sink.bind(("::1", 0))
        sink.settimeout(5)
        result = send("syslog", "ipsec.tunnel.stop", "--to", place(sink))
        assert sink.recv(65535).startswith(b"<188>")
        assert f"to {place(sink)} " in result.output


def test_count_and_rate_pace_the_messages_and_number_them(udp: socket.socket) -> None:
    start = time.monotonic()
    result = send("syslog", "ipsec.tunnel.stop", "--form", "A", "--count", "5", "--rate", "50", "--to", place(udp))
    assert 0.08 <= time.monotonic() - start < 3
    numbers = [udp.recv(65535).split(b"(l)[")[1].split(b"]")[0] for _ in range(5)]
    assert numbers == [b"1", b"2", b"3", b"4", b"5"]
    assert "sent 5 messages" in result.output


@pytest.mark.parametrize("name", ["ipsec.tunnel.stop", "IPSECTUNNELSTOP", "ipsectunnelstop"])
def test_an_event_is_found_by_name_and_by_mnemonic(name: str) -> None:
    assert "IPSECTUNNELSTOP" in send("syslog", name, "--print").output


def test_fields_may_be_named_as_on_the_wire() -> None:
    assert "DstIP=2001:db8::7," in send("syslog", "ipsec.tunnel.stop", "dstip=2001:db8::7", "--print").output


def test_the_hostname_may_be_given_as_a_field() -> None:
    assert " FW-B IPSEC/" in send("syslog", "ipsec.tunnel.stop", "hostname=FW-B", "--print").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["syslog", "ipsec.tunnel.stop", "pier=1"],
            ["no field 'pier'", "did you mean peer", "known: conn_id, ifindex"],
        ),
        (["syslog", "ipsec.tunnel.stop", "peer=1", "DstIP=2"], ["two names"]),
        (["syslog", "ipsec.tunnel.stop", "peer=1", "peer=2"], ["given twice"]),
        (["syslog", "ipsec.tunnel.stop", "peer"], ["no key=value"]),
        (
            ["syslog", "ipsec.tunel.stop"],
            ["did you mean ipsec.tunnel.stop", "known: ipsec.negotiation.fail, ipsec.tunnel.stop"],
        ),
        (["syslog", "ipsec.tunnel.stop", "--form", "rfc5424", "--timestamp", "date"], ["cannot carry a date"]),
        (["syslog", "ipsec.tunnel.stop"], ["--to HOST:PORT is needed"]),
        (["syslog", "ipsec.tunnel.stop", "--to", "x:99999"], ["no HOST:PORT"]),
        (["syslog", "ipsec.tunnel.stop", "--utc-offset", "8"], ["no UTC offset"]),
        (["trap", "ipsec.tunnel.stop", "ifindex=many"], ["ifindex: 'many' is no GAUGE32"]),
        (["trap", "ipsec.tunnel.stop", "local=1"], ["no field 'local'"]),
        (["trap", "ipsec.tunnel.stop", "--version", "3"], ["SNMPv3 needs --user"]),
        (["trap", "ipsec.tunnel.stop", "--version", "3", "--user", "u", "--auth-key", "short"], ["at least 8"]),
        (["trap", "ipsec.tunnel.stop", "--version", "3", "--user", "u", "--level", "authPriv"], ["needs --auth-key"]),
        (["trap", "ipsec.tunnel.stop", "--version", "1", "--agent-addr", "::1"], ["no IPv4 address"]),
        (["trap", "ipsec.tunnel.stop", "--agent-addr", "192.0.2.1"], ["only v1"]),
        (["trap", "ipsec.tunnel.stop", "--engine-id", "00"], ["5 to 32 octets"]),
        (["inform", "ipsec.tunnel.stop", "--version", "1"], ["no informs"]),
        (["inform", "ipsec.tunnel.stop", "--version", "3", "--user", "u", "--print"], ["cannot be printed"]),
    ],
)
def test_what_cannot_be_sent_is_a_wrong_argument(arguments: list[str], said: list[str]) -> None:
    result = send(*arguments)
    assert result.exit_code == 2, result.output
    for text in said:
        assert text in result.output


def test_the_list_names_every_message_and_its_fields() -> None:
    lines = send("list").output.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["syslog", "ipsec.negotiation.fail", "IPSECNEGOFAIL"],
        ["syslog", "ipsec.tunnel.stop", "IPSECTUNNELSTOP"],
        ["trap", "ipsec.tunnel.stop", "fakeTunnelStop"],
    ]
    assert lines[2].split()[3:] == ["ifindex", "peer", "reason"]
    assert len(send("list", "ipsec.tunnel.stop").output.splitlines()) == 2


def test_a_reason_brings_its_code_along_and_a_code_its_reason() -> None:
    fail = ("syslog", "ipsec.negotiation.fail", "--print")
    assert "Reason=authentication fail, ReasonCode=15," in send(*fail, "reason=authentication fail").output
    assert "Reason=acl configuration mismatch, ReasonCode=4," in send(*fail, "reason=acl configuration mismatch").output
    assert "Reason=phase1 proposal mismatch, ReasonCode=1," in send(*fail, "code=1").output
    assert "Reason=odd, ReasonCode=99," in send(*fail, "reason=odd", "code=99").output


def test_print_shows_exactly_the_bytes_that_would_be_sent(udp: socket.socket) -> None:
    arguments = ["syslog", "ipsec.tunnel.stop", "--form", "E", "--timestamp", "none"]
    printed = send(*arguments, "--print").stdout_bytes
    send(*arguments, "--to", place(udp))
    assert udp.recv(65535) + b"\n" == printed


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        target = place(free)
    result = send("syslog", "ipsec.tunnel.stop", "--to", target)
    assert result.exit_code == 1
    assert f"{target}: nothing listens there (1 of 1 sent)" in result.output
    assert send("syslog", "ipsec.tunnel.stop", "--transport", "tcp", "--to", target).exit_code == 1


# --- streams -------------------------------------------------------------------------------------------------------


class StreamSink:
    """Accepts one connection and keeps all it says."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(10)
        self._context = context
        self.place = place(self._server)
        self.data = b""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._server.close()

    def _run(self) -> None:
        stream, _ = self._server.accept()
        try:
            if self._context is not None:
                stream = self._context.wrap_socket(stream, server_side=True)
            with stream:
                while chunk := stream.recv(65536):
                    self.data += chunk
        except OSError:
            stream.close()


@pytest.mark.parametrize(
    ("framing", "framed"),
    [
        ("octet", lambda message: b"%d %s" % (len(message), message)),
        ("lf", lambda message: message + b"\n"),
        ("crlf", lambda message: message + b"\r\n"),
        ("nul", lambda message: message + b"\0"),
    ],
)
def test_every_framing_on_tcp(framing: str, framed) -> None:
    arguments = ["syslog", "ipsec.tunnel.stop", "--timestamp", "none"]
    message = send(*arguments, "--print").stdout_bytes[:-1]
    with StreamSink() as sink:
        result = send(*arguments, "--transport", "tcp", "--framing", framing, "--count", "3", "--to", sink.place)
    assert sink.data == framed(message) * 3
    assert f"(syslog-tcp, {len(sink.data)} bytes)" in result.output


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_tls_with_a_known_authority_and_a_client_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    ca, cert = str(tmp_path / "ca.pem"), str(tmp_path / "client.pem")
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(cert)
    context = server_context(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    how = ["--transport", "tls", "--ca-file", ca, "--cert-file", cert]
    with StreamSink(context) as sink:
        result = send("syslog", "ipsec.tunnel.stop", *how, "--to", sink.place)
    assert result.exit_code == 0, result.output
    assert b"IPSECTUNNELSTOP" in sink.data


def test_tls_refuses_an_unknown_authority_unless_told_not_to_care(authority: trustme.CA) -> None:
    for insecure, status in (([], 1), (["--insecure"], 0)):
        with StreamSink(server_context(authority)) as sink:
            result = send("syslog", "ipsec.tunnel.stop", "--transport", "tls", *insecure, "--to", sink.place)
        assert result.exit_code == status, result.output
        assert bool(sink.data) is not bool(status)


# --- SNMP ----------------------------------------------------------------------------------------------------------

V3 = ["--version", "3", "--user", "ops", "--auth-key", "authentic-eventd"]


@pytest.mark.parametrize("version", ["1", "2c"])
def test_traps_of_both_community_versions(version: str) -> None:
    with TrapSink(Access(["secret"])) as sink:
        how = ["--version", version, "--community", "secret", "--count", "3", "--to", f"127.0.0.1:{sink.port}"]
        result = send("trap", "fakeTunnelStop", "peer=198.51.100.9", *how)
        assert result.exit_code == 0, result.output
        records = sink.wait(3)
    octets = sum(map(len, sink.payloads))
    assert result.output == f"sent 3 messages to 127.0.0.1:{sink.port} (snmp-v{version}, {octets} bytes)\n"
    assert {record.lookup[0] for record in records} == {fakehandlers.STOP_TRAP.oid}
    assert {record.varbinds[1].value for record in records} == {b"198.51.100.9"}


def test_a_v3_trap_with_the_keys_in_files(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("private-eventd\n")
    user = User("ops", "authPriv", "SHA512", b"authentic-eventd", "AES256", b"private-eventd")
    with TrapSink(Access([], [user])) as sink:
        how = [*V3, "--auth", "sha512", "--priv", "aes256", "--priv-key-file", str(key)]
        result = send(
            "trap", "ipsec.tunnel.stop", *how, "--engine-id", "80:00:07:db:05:01", "--to", f"127.0.0.1:{sink.port}"
        )
        assert result.exit_code == 0, result.output
        [record] = sink.wait(1)
    assert (record.level, record.engine_id) == ("authPriv", bytes.fromhex("800007db0501"))


@pytest.mark.parametrize("how", [[], V3])
def test_an_inform_says_that_it_was_answered(how: list[str]) -> None:
    user = User("ops", "authNoPriv", "SHA256", b"authentic-eventd")
    with TrapSink(Access(["public"], [user], started_at=time.time())) as sink:
        result = send("inform", "ipsec.tunnel.stop", *how, "--count", "2", "--to", f"127.0.0.1:{sink.port}")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"answered: sent 2 messages to 127.0.0.1:{sink.port} (snmp-inform v")
    assert [record.inform for record in sink.records] == [True, True]


def test_an_inform_that_nobody_answers_is_a_failure() -> None:
    with TrapSink(Access(["public"]), mute=True) as sink:
        how = ["--timeout", "0.3", "--retries", "0", "--to", f"127.0.0.1:{sink.port}"]
        result = send("inform", "ipsec.tunnel.stop", *how)
    assert result.exit_code == 1
    assert "no answer" in result.output
    assert "(0 of 1 sent)" in result.output


@pytest.mark.parametrize("kind", ["trap", "inform"])
def test_print_shows_a_notification_in_hex(kind: str) -> None:
    result = send(kind, "ipsec.tunnel.stop", "--no-suffix", "--print")
    record = parse_notification(bytes.fromhex(result.output), Access(["public"]), time.time())
    assert record.varbinds[0].oid == f"{fakehandlers.BASE}.2.1.1"
    assert record.inform is (kind == "inform")


def test_privacy_without_authentication_is_refused(tmp_path: Path) -> None:
    for kind in ("trap", "inform"):
        result = send(
            kind, "ipsec.tunnel.stop", "--version", "3", "--user", "u", "--priv-key", "secret-enough", "--to", "::1"
        )
        assert result.exit_code == 2
        assert "--auth-key" in result.output


def test_an_event_that_only_the_other_transport_has_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.send.load", load)
    result = send("syslog", "ipsec.capacity", "--print")
    assert result.exit_code == 2
    assert "ipsec.capacity is known as a trap only: eventd send trap ipsec.capacity" in result.output
    assert "eventd send syslog FLOWSELFHEAL" in send("trap", "FLOWSELFHEAL", "--print").output


def test_a_suggestion_is_spelled_as_it_has_to_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.cli.send.load", load)
    assert "did you mean IPSECTUNNELSTOP " in send("syslog", "ipsectunnelstp", "--print").output
    assert "did you mean OfflineReason" in send("syslog", "IPSECTUNNELSTOP", "OflineReason=x", "--print").output


def test_a_form_is_named_in_one_way() -> None:
    output = send("syslog", "ipsec.tunnel.stop", "--form", "z", "--print").output
    assert "A, B, C, D, E, F, G, H, I, J, rfc5424, rfc3164" in output
    assert send("syslog", "ipsec.tunnel.stop", "--form", "a", "--print").exit_code == 0


def test_what_is_no_address_is_sent_only_by_force() -> None:
    for kind in ("syslog", "trap"):
        result = send(kind, "ipsec.tunnel.stop", "peer=1.2.3", "--print")
        assert result.exit_code == 2
        assert "peer: '1.2.3' is no address; --force sends it" in result.output
    assert b"DstIP=1.2.3," in send("syslog", "ipsec.tunnel.stop", "peer=1.2.3", "--print", "--force").stdout_bytes
    assert send("syslog", "ipsec.tunnel.stop", "peer=", "--print").exit_code == 0
