"""The configuration of the sockets."""

import msgspec
import pytest

from eventd.receivers.addresses import parse_listen
from eventd.receivers.settings import Snmp, SyslogTcp, SyslogTls, SyslogUdp


@pytest.mark.parametrize(
    ("settings", "port"),
    [(SyslogUdp(), 5514), (SyslogTcp(), 5514), (SyslogTls(cert_file="c", key_file="k"), 6514), (Snmp(), 1162)],
)
def test_defaults_listen_on_all_interfaces_on_the_documented_ports(settings, port):
    assert [parse_listen(text) for text in settings.addresses] == [("::", port)]


def test_one_address_or_a_list_of_them():
    assert msgspec.convert({"listen": ":1"}, SyslogUdp).addresses == (":1",)
    assert msgspec.convert({"listen": [":1", "[::1]:2"]}, SyslogUdp).addresses == (":1", "[::1]:2")


@pytest.mark.parametrize(
    ("settings", "given", "complaint"),
    [
        (SyslogUdp, {"listen": "5514"}, "listen: '5514' is not ADDRESS:PORT"),
        (SyslogUdp, {"listen": []}, "listen: names no address"),
        (SyslogUdp, {"allow": ["10.0.0.0/33"]}, "allow: '10.0.0.0/33'"),
        (SyslogUdp, {"recv_buffer_bytes": 0}, "recv_buffer_bytes"),
        (SyslogUdp, {"recv_bufer_bytes": 1}, "unknown field `recv_bufer_bytes`"),
        (SyslogTcp, {"max_connections": 0}, "max_connections"),
        (SyslogTcp, {"idle_timeout": -1}, "idle_timeout"),
        (SyslogTcp, {"cert_file": "x"}, "unknown field `cert_file`"),
        (SyslogTls, {"cert_file": "x"}, "missing required field `key_file`"),
        (SyslogTls, {"cert_file": "x", "key_file": "y", "handshake_timeout": 0}, "handshake_timeout"),
        (Snmp, {"max_connections": 1}, "unknown field"),
    ],
)
def test_a_wrong_value_is_refused_and_named(settings, given, complaint):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, settings)
    assert complaint in str(caught.value)
