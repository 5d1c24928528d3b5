"""Listen addresses, canonical sources, allow lists."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.receivers import addresses
from eventd.receivers.addresses import Sources, canonical, join_host_port, parse_listen, parse_networks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[::]:5514", ("::", 5514)),
        (":5514", ("::", 5514)),
        ("0.0.0.0:5514", ("0.0.0.0", 5514)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[2001:DB8::0:1]:65535", ("2001:db8::1", 65535)),
        ("[fe80::1%eth0]:514", ("fe80::1%eth0", 514)),
    ],
)
def test_a_listen_address_is_host_and_port(text, expected):
    assert parse_listen(text) == expected


@pytest.mark.parametrize(
    "text",
    "| 5514 | [::] | ::5514 | [::1]: | [::1]:x | [::1]:-1 | [::1]:65536 | [127.0.0.1]:514 | example:514 |"
    "127.0.0.1:５１４ | [::1:514 | ::1]:514 | 1.2.3:514 | 2001:db8::1:514".replace(" ", "").split("|"),
)
def test_a_wrong_listen_address_is_refused_with_itself_in_the_text(text):
    with pytest.raises(ValueError, match=r"such as|not an IP address|in brackets") as caught:
        parse_listen(text)
    assert repr(text) in str(caught.value)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_survives_the_trip_through_text(ip, port):
    assert parse_listen(join_host_port(str(ip), port)) == (str(ip), port)


@given(st.text())
def test_whatever_is_written_is_parsed_or_refused_with_a_value_error(text):
    try:
        host, port = parse_listen(text)
    except ValueError:
        return
    assert ipaddress.ip_address(host)
    assert 0 <= port <= 65535


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"),
        ("1.2.3.4", "1.2.3.4"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_source_has_one_spelling(host, expected):
    assert canonical(host) == expected


def test_an_empty_allow_list_allows_everybody():
    assert Sources().look_up("::ffff:192.0.2.1") == ("192.0.2.1", True)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
    ],
)
def test_an_allow_list_holds_networks_and_addresses_of_both_families(host, allowed):
    sources = Sources(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])
    assert [sources.look_up(host)[1], sources.look_up(host)[1]] == [allowed, allowed]


def test_a_network_with_host_bits_is_the_network():
    assert parse_networks(["10.1.2.3/8"]) == (ipaddress.ip_network("10.0.0.0/8"),)


def test_a_wrong_network_is_refused():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/40"):
        parse_networks(["10.0.0.0/40"])


def test_forged_sources_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(addresses, "MAX_SOURCES", 10)
    sources = Sources(["10.0.0.0/24"])
    for n in range(100):
        assert sources.look_up(f"10.0.0.{n}") == (f"10.0.0.{n}", True)
        assert len(sources._known) <= 10
