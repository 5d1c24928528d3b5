"""Notifications are read by OID: revisions, instances, syntaxes, v1 look-ups, and every row of the table."""

import ipaddress

import pytest
from huawei_lines import ROUTER, SECURITY, decode, event, gauge, record, registry, text, trap, trap_template

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import EVENTS, SEVERITIES, Event, Syntax, VarBind, utc
from handlers.h3c._tables import TABLES as H3C
from handlers.huawei._tables import NOTIFICATIONS, OBJECTS, OID_OF, SOURCES
from handlers.huawei._tables import TABLES as HUAWEI
from handlers.huawei._varbinds import locate, typed

ORIGIN = Origin("snmp-v2c", "192.0.2.1", utc(1_795_233_600), "FW1")
ROWS = list(NOTIFICATIONS.values())
VALUES = {"Gauge32": (Syntax.GAUGE32, 7), "Integer32": (Syntax.INTEGER, 7), "INTEGER": (Syntax.INTEGER, 1)}
COLUMN, SCALAR = f"{SECURITY}.2.1", f"{SECURITY}.5"


def through_handler(trap_record) -> Event:
    return registry().for_trap(trap_record).decode_trap(trap_record, ORIGIN)


def varbind(name: str) -> VarBind:
    row = OBJECTS[OID_OF[name]]
    syntax, value = VALUES.get(row.syntax, (Syntax.OCTET_STRING, b"203.0.113.7"))
    if row.syntax == "IpAddress":
        syntax, value = Syntax.IP_ADDRESS, "203.0.113.7"
    return VarBind(OID_OF[name] + (".12.10.83"[: 3 * len(row.index)] if row.index else ".0"), syntax, value)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("revision", ["objects", "objects_2009"])
def test_every_notification_of_the_table_decodes(row, revision):
    names = [name for name in getattr(row, revision) or row.objects if name in OID_OF]
    decoded = through_handler(record(row.oid, map(varbind, names)))
    assert decoded.event == row.event
    assert (decoded.header.oid, decoded.header.notification) == (row.oid, row.name)
    assert decoded.extra.items() >= row.mark.items()


@pytest.mark.parametrize("row", [row for row in ROWS if row.event], ids=lambda row: row.name)
@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_every_template_comes_back_as_its_event_from_the_wire(row, version):
    decoded = decode(trap(row.name, version=version))
    assert decoded.event == row.event
    assert decoded.header.notification == row.name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_sound(row):
    assert row.event in (*EVENTS, None)
    assert row.severity in SEVERITIES
    assert row.source in SOURCES
    assert (row.event is None) == (row.why is not None)
    assert row.implies is None or row.space
    if "clears" in row.mark:
        assert row.mark["clears"] in {other.name for other in ROWS}


def test_names_of_objects_and_notifications_are_unique():
    assert len(OID_OF) == len(OBJECTS)
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_a_notification_that_clears_is_good_news():
    assert all(row.severity == "info" for row in ROWS if row.mark.get("state") == "clear")


@pytest.mark.conformance("Huawei HUAWEI-SECURITY-IPSEC-MIB", "the stop of 2009 has IpAddress varbinds and no reason")
def test_2009_stop_has_nine_varbinds_ip_addresses_and_no_reason():
    columns = {1: 12, 2: 10, 3: 83, 4: 5, 7: 500, 8: 0}
    varbinds = [gauge(f"{COLUMN}.{number}.12.10.83", value) for number, value in columns.items()]
    for number, address in ((5, "203.0.113.7"), (6, "0.0.0.0"), (21, "198.51.100.1")):
        varbinds.append(VarBind(f"{COLUMN}.{number}.12.10.83", Syntax.IP_ADDRESS, address))
    decoded = through_handler(record(f"{SECURITY}.6.2", varbinds))
    assert (decoded.event, decoded.peer, decoded.local, decoded.inside) == (
        "ipsec.tunnel.stop",
        "203.0.113.7",
        "198.51.100.1",
        None,
    )
    assert decoded.reason is None
    assert decoded.severity == "major"


@pytest.mark.conformance("Huawei HUAWEI-SECURITY-IPSEC-MIB", "varbinds are read by OID and never by position")
def test_order_says_nothing():
    varbinds = [
        text(f"{SCALAR}.12.0", "dpd timeout"),
        text(f"{COLUMN}.30.1.2.3", "flow"),
        text(f"{COLUMN}.5.1.2.3", "203.0.113.7"),
    ]
    forward = through_handler(record(f"{SECURITY}.6.2", varbinds))
    backward = through_handler(record(f"{SECURITY}.6.2", reversed(varbinds)))
    assert forward == backward


@pytest.mark.conformance("Huawei HUAWEI-SECURITY-IPSEC-MIB", "an address is IpAddress, text with padding or raw octets")
@pytest.mark.parametrize(
    ("syntax", "value"),
    [
        (Syntax.IP_ADDRESS, "203.0.113.7"),
        (Syntax.OCTET_STRING, b"203.0.113.7"),
        (Syntax.OCTET_STRING, b" 203.0.113.7\0\0\0"),
        (Syntax.OCTET_STRING, ipaddress.ip_address("203.0.113.7").packed),
    ],
)
def test_an_address_is_read_in_every_shape(syntax, value):
    assert typed([VarBind(f"{COLUMN}.5.1.2.3", syntax, value)])[0]["peer"] == "203.0.113.7"


@pytest.mark.conformance(
    "Huawei HUAWEI-SECURITY-IPSEC-MIB", "an IPv6 peer is text in any case or raw octets, in either column"
)
@pytest.mark.parametrize("value", [b"2001:DB8::1\0", ipaddress.ip_address("2001:db8::1").packed])
@pytest.mark.parametrize("column", [5, 32])
def test_an_ipv6_peer_is_read_in_every_shape(column, value):
    assert typed([VarBind(f"{COLUMN}.{column}.1.2.3", Syntax.OCTET_STRING, value)])[0]["peer"] == "2001:db8::1"


@pytest.mark.parametrize(
    "address", ["10.10.10.10", "10.0.0.0", "9.9.9.9", "32.13.10.9", "49.46.49.46", "2001:db8::", "a0a:a0a:a0a:a0a::a"]
)
def test_raw_octets_that_look_like_padding_or_digits_are_an_address(address):
    """10.10.10.10 is four line feeds."""
    packed = ipaddress.ip_address(address).packed
    assert typed([VarBind(f"{COLUMN}.5.1.2.3", Syntax.OCTET_STRING, packed)])[0]["peer"] == address


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b"\0" * 16, b"    ", b"0.0.0.0\0", b"::", b"-\0\0\0"])
def test_an_address_that_is_not_given_is_none_in_every_shape(value):
    known, extra = typed([VarBind(f"{COLUMN}.5", Syntax.OCTET_STRING, value)])
    assert (known, extra) == ({}, {})


@pytest.mark.parametrize("value", [b"10.1.1.200\r\n\0\0\0\0", b"2001:DB8:0:0:1:1", b"203.0.113.200\0\0\0"])
def test_text_of_sixteen_octets_is_text(value):
    assert len(value) == 16
    known, extra = typed([VarBind(f"{COLUMN}.5.1.2.3", Syntax.OCTET_STRING, value)])
    assert known.get("peer", extra.get("hwIPSecTunnelDstIP", "")).upper() == value.strip(b"\0\r\n").decode()


def test_an_empty_ipv4_column_does_not_hide_the_ipv6_one():
    known, _ = typed([text(f"{COLUMN}.5.1.2.3", "0.0.0.0"), text(f"{COLUMN}.32.1.2.3", "2001:db8::1")])
    assert known["peer"] == "2001:db8::1"


@pytest.mark.conformance(
    "Huawei HUAWEI-SECURITY-IPSEC-MIB", "the row index supplies interface, policy and tunnel index"
)
def test_the_instance_supplies_what_no_varbind_says():
    decoded = through_handler(record(f"{SECURITY}.6.2", [text(f"{COLUMN}.5.12.10.83", "203.0.113.7")]))
    assert (decoded.ifindex, decoded.policy_seq, decoded.tunnel_index) == (12, 10, 83)


def test_a_varbind_wins_over_the_instance():
    varbinds = [text(f"{COLUMN}.5.12.10.83", "203.0.113.7"), gauge(f"{SCALAR}.2.0", 99)]
    assert through_handler(record(f"{SECURITY}.6.2", varbinds)).ifindex == 99


@pytest.mark.parametrize("suffix", ["", ".0", ".12.10.83"])
def test_columns_and_scalars_are_found_with_any_instance(suffix):
    assert locate(f"{COLUMN}.5{suffix}")[0].name == "hwIPSecTunnelDstIP"
    assert locate(f"{SCALAR}.12")[0].name == "hwIPSecTrapTunnelOfflineReason"


@pytest.mark.parametrize("tables", [HUAWEI, H3C], ids=["huawei", "h3c"])
def test_no_object_is_below_another(tables):
    """Or a row that is located once could be that of the wrong one."""
    assert not [(one, other) for one in tables.objects for other in tables.objects if other.startswith(f"{one}.")]


def test_columns_of_one_row_and_what_stands_between_them_are_told_apart():
    row = "12.10.83"
    varbinds = [
        gauge(f"{COLUMN}.3.{row}", 83),
        gauge(f"1.3.6.1.4.1.32473.1.{row}", 7),
        text(f"{COLUMN}.5.{row}", "203.0.113.7"),
        text(f"{SCALAR}.12.0", "dpd timeout"),
        gauge(f"{COLUMN}.4.{row}", 5),
    ]
    known, extra = typed(varbinds)
    assert known == {
        "ifindex": 12, "policy_seq": 10, "tunnel_index": 83, "peer": "203.0.113.7", "reason": "dpd timeout", "rule": 5
    }  # fmt: skip
    assert extra == {f"1.3.6.1.4.1.32473.1.{row}": "7"}


def test_an_unknown_varbind_is_kept_under_its_oid():
    varbinds = [
        text(f"{COLUMN}.5.1.2.3", "203.0.113.7"),
        text(f"{COLUMN}.99.1.2.3", "new"),
        VarBind("1.3.6.1.4.1.2011.9.9", Syntax.OCTET_STRING, b"\x00\xff\x01"),
        VarBind("1.3.6.1.4.1.2011.9.8", Syntax.NULL, None),
    ]
    extra = through_handler(record(f"{SECURITY}.6.2", varbinds)).extra
    assert extra == {f"{COLUMN}.99.1.2.3": "new", "1.3.6.1.4.1.2011.9.9": "0x00ff01"}


@pytest.mark.conformance(
    "Huawei HUAWEI-SECURITY-IPSEC-MIB", "notification 9 with an integer is the failed negotiation of 2009"
)
def test_an_integer_where_the_authentication_method_stands_is_a_reason_code():
    varbinds = [gauge(f"{SCALAR}.2.0", 12), gauge(f"{SCALAR}.1.0", 10), gauge(f"{SCALAR}.4.0", 4)]
    decoded = through_handler(record(f"{SECURITY}.6.9", varbinds))
    assert (decoded.event, decoded.header.notification) == ("ipsec.negotiation.fail", "hwIPSecNegoFail")
    assert (decoded.reason.code, decoded.reason.name) == (4, "flow or peer mismatch")


@pytest.mark.conformance("Huawei HUAWEI-SECURITY-IPSEC-MIB", "notification 9 without varbinds is a limit")
def test_the_same_notification_without_it_is_a_limit():
    decoded = through_handler(record(f"{SECURITY}.6.9"))
    assert (decoded.event, decoded.severity) == ("ipsec.capacity", "warning")


def test_text_where_the_authentication_method_stands_is_one():
    varbinds = [text(f"{SCALAR}.7.0", "203.0.113.7"), text(f"{SCALAR}.4.0", "pre-shared-key")]
    decoded = through_handler(record(f"{SECURITY}.6.13", varbinds))
    assert decoded.event == "ipsec.phase1.established"
    assert decoded.extra == {"hwIPSecTrapAuthenticationMethod": "pre-shared-key"}


@pytest.mark.conformance(
    "Huawei HUAWEI-SECURITY-IPSEC-MIB", "a v1 notification is found with and without the zero of RFC 3584"
)
@pytest.mark.parametrize("lookup", [(f"{SECURITY}.6.2", f"{SECURITY}.6.0.2"), (f"{SECURITY}.6.0.2", f"{SECURITY}.6.2")])
def test_a_converted_v1_notification_is_found_by_either_oid(lookup):
    decoded = through_handler(record(lookup[0], [text(f"{SCALAR}.12.0", "spi conflict")], lookup))
    assert decoded.reason.name == "spi conflict"
    assert decoded.header.oid == f"{SECURITY}.6.2"


@pytest.mark.parametrize(
    ("reason", "status", "state"),
    [("dpd timeout", 1, "down"), ("no such text", 1, "down"), ("", 1, "up"), ("", 2, "unknown"), ("", 0, "unknown")],
)
def test_a_status_change_says_what_its_judgement_rests_on(reason, status, state):
    varbinds = [text(f"{SCALAR}.7.0", "203.0.113.7"), text(f"{SCALAR}.22.0", reason), gauge(f"{SCALAR}.21.0", status)]
    decoded = through_handler(record(f"{SECURITY}.6.19", varbinds))
    assert decoded.event == "ipsec.tunnel.status"
    assert decoded.extra["state"] == state
    assert ("guess" in decoded.extra["state_basis"]) == (state == "up")
    assert (decoded.severity == "info") == (state != "down")


@pytest.mark.conformance("Huawei HUAWEI-IPSEC-MIB", "the router branch names reason, peer and VPN instance")
def test_the_router_branch_states_its_reasons():
    varbinds = [text(f"{ROUTER}.1.19.49", "version mismatch"), text(f"{ROUTER}.1.19.5", "203.0.113.7")]
    decoded = through_handler(record(f"{ROUTER}.2.1.57", [*varbinds, text(f"{ROUTER}.1.19.23", "_public_")]))
    assert (decoded.reason.name, decoded.peer, decoded.vsys) == ("version mismatch", "203.0.113.7", "public")


def test_a_name_that_is_a_reason_counts_as_one():
    decoded = event(trap("hwIPSecNegotiationConflict"))
    assert decoded.reason.name == "flow conflict"
    decoded = event(trap("hwIKEDPDProbeFail", {"reason": "Probe gave up"}))
    assert (decoded.reason.name, decoded.reason.text) == ("dpd timeout", "Probe gave up")


def test_good_news_carries_no_reason_and_no_severity():
    decoded = event(trap("hwIPSecNegotiationSuccess", {"reason": "version mismatch"}))
    assert (decoded.reason, decoded.severity, decoded.extra["Reason"]) == (None, "info", "version mismatch")


def test_standard_notifications_belong_to_no_vendor():
    assert event(trap("linkDown")).vendor is None
    assert event(trap("hwIPSecTunnelStop")).vendor == "huawei"


def test_a_snmp_authentication_failure_is_no_ipsec_matter():
    decoded = through_handler(record("1.3.6.1.6.3.1.1.5.5"))
    assert (decoded.event, decoded.header.notification) == (None, "authenticationFailure")


def test_a_reload_called_off_is_no_restart():
    assert event(trap("hwSysReloadNotification")).event == "device.restart"
    assert event(trap("hwSysReloadNotification", {"hwSysReloadAction": "4"})).event is None


def test_a_stop_of_nobody_is_undecodable():
    with pytest.raises(DecodeError):
        through_handler(record(f"{SECURITY}.6.2"))


def test_chinese_text_in_gbk_is_read():
    varbinds = [
        VarBind(f"{SCALAR}.14.0", Syntax.OCTET_STRING, "出口".encode("gbk")),
        text(f"{SCALAR}.12.0", "spi conflict"),
    ]
    assert through_handler(record(f"{SECURITY}.6.2", varbinds)).interface == "出口"


@pytest.mark.conformance("Huawei HUAWEI-SECURITY-IPSEC-MIB", "the stop is sent with the varbinds of 2022 in order")
def test_stop_template_has_the_varbinds_of_the_current_mib_in_order():
    names = [OBJECTS[var.oid].name for var in trap_template("hwIPSecTunnelStop").varbinds]
    assert names == list(NOTIFICATIONS[f"{SECURITY}.6.2"].objects)
