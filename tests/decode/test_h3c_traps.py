"""H3C notifications on the wire, as pysnmp encodes them: three trees, addresses of both kinds, values that are none."""

import ipaddress

import pytest
from h3c_lines import OWN, PEER, TREES, registry, trap
from huawei_lines import decode, event, record

from eventd.contract import Origin
from eventd.model import Syntax, TrapRecord, VarBind, utc
from handlers.h3c._tables import NOTIFICATIONS, OBJECTS, SOURCES, TABLES
from handlers.h3c._varbinds import locate, typed

SENDABLE = sorted(
    template.notification for group in registry().trap_templates_of(["h3c"]).values() for template in group
)
#: What a notification says where no address or reason of its own decides.
LEAVES = {
    "IPSecTunnelStart": "ipsec.tunnel.start",
    "IPSecTunnelStop": "ipsec.tunnel.stop",
    "IPSecNoSaFailure": "ipsec.security",
    "IPSecInvalidSaFailure": "ipsec.security",
    "IPSecPolicyDetach": "ipsec.policy.change",
    "IPsecTunnelStartV2": "ipsec.tunnel.start",
    "IPsecTunnelStopV2": "ipsec.tunnel.stop",
    "IPsecDecryFailFailureV2": "ipsec.security",
    "IPsecConnectionStopV2": "ipsec.tunnel.stop",
    "IKETunnelStart": "ipsec.phase1.established",
    "IKETunnelStop": "ipsec.phase1.down",
    "IKENoSaFailure": "ipsec.security",
    "IKEInvalidProposalFailure": "ipsec.negotiation.fail",
    "IKElInvalidSignFailure": "ipsec.negotiation.fail",
    "IKEProposalAdd": "ipsec.policy.change",
    "SysReloadNotification": "device.restart",
}


def octets(oid: str, address: str) -> VarBind:
    return VarBind(oid, Syntax.OCTET_STRING, ipaddress.ip_address(address).packed)


def number(oid: str, value: int) -> VarBind:
    return VarBind(oid, Syntax.INTEGER, value)


@pytest.mark.parametrize("prefix", TREES)
@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_every_tree_carries_the_same_leaves(leaf: str, prefix: str, version: str) -> None:
    decoded = event(trap(prefix + leaf, {}, version))
    assert (decoded.event, decoded.vendor) == (LEAVES[leaf], "h3c")
    assert decoded.header.notification == prefix + leaf
    assert (decoded.header.oid or "").startswith(TREES[prefix] + ".")


@pytest.mark.parametrize("suffix", [True, False])
@pytest.mark.parametrize("notification", SENDABLE)
def test_every_notification_is_decoded_with_and_without_instances(notification: str, suffix: bool) -> None:
    decoded = event(trap(notification, suffix=suffix))
    assert decoded.event is not None
    template_fields = {name for name in ("local", "peer") if getattr(decoded, name)}
    assert template_fields in (set(), {"local", "peer"})
    if template_fields:
        assert (decoded.local, decoded.peer) == (OWN, PEER)
    assert not any(key.startswith("1.3.6.1") for key in decoded.extra)


def test_an_oid_under_huaweis_number_is_h3c() -> None:
    assert event(trap("h3cIPSecTunnelStop")).vendor == "h3c"
    assert event(trap("hwIPSecTunnelStop")).vendor == "huawei"


@pytest.mark.parametrize("notification", ["hh3cIPsecTunnelStopV2", "hh3cIKETunnelStop", "hh3cIKEAuthFailFailure"])
def test_ipv6(notification: str) -> None:
    decoded = event(trap(notification, {"local": "2001:db8::1", "peer": "2001:db8::7"}))
    assert (decoded.local, decoded.peer) == ("2001:db8::1", "2001:db8::7")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (1, bytes([203, 0, 113, 7]), PEER),
        (2, ipaddress.ip_address("2001:db8::7").packed, "2001:db8::7"),
        (3, bytes([203, 0, 113, 7, 0, 0, 0, 5]), PEER),
        (4, ipaddress.ip_address("fe80::1").packed + b"\0\0\0\5", "fe80::1"),
        (1, b"203.0.113.7", PEER),
        (2, b"2001:db8::1:2:34", "2001:db8::1:2:34"),
        (0, bytes([203, 0, 113, 7]), None),
        (1, bytes(4), None),
        (16, b"vpn.example.net", None),
        (1, b"\1\2\3", None),
        (2, bytes([203, 0, 113, 7]), None),
    ],
)
def test_inet_addresses(kind: int, value: bytes, expected: str | None) -> None:
    row = f"{TREES['hh3c']}.126.1.2.1"
    known, extra = typed([number(f"{row}.12.83", kind), VarBind(f"{row}.13.83", Syntax.OCTET_STRING, value)])
    assert known.get("peer") == expected
    assert known["tunnel_index"] == 83
    if expected is None and kind and any(value):
        assert "hh3cIPsecTunRemoteAddrV2" in extra


def test_the_pair_counts_unless_its_type_is_unknown() -> None:
    row = f"{TREES['hh3c']}.30.1.1.1"
    old = VarBind(f"{row}.9.4", Syntax.IP_ADDRESS, PEER)
    assert typed([old, number(f"{row}.25.4", 2), octets(f"{row}.26.4", "2001:db8::7")])[0]["peer"] == "2001:db8::7"
    assert typed([old, number(f"{row}.25.4", 0), VarBind(f"{row}.26.4", Syntax.OCTET_STRING, b"")])[0]["peer"] == PEER
    assert typed([old])[0] == {"peer": PEER, "tunnel_index": 4}
    assert "peer" not in typed([VarBind(f"{row}.9.4", Syntax.IP_ADDRESS, "0.0.0.0")])[0]


@pytest.mark.parametrize(
    ("oid", "value", "seconds"),
    [
        ("7.1.1.1.13.12.1.83", 360_050, "3600.5"),
        ("126.1.2.1.20.83", 360_050, "3600.5"),
        ("30.1.1.1.17.83", 360_050, "360050"),
        ("7.1.1.1.13.12.1.83", 2_147_483_647, None),
        ("30.1.1.1.17.83", 2_147_483_647, None),
    ],
)
def test_active_time_has_a_unit_of_its_own_in_each_mib(oid: str, value: int, seconds: str | None) -> None:
    _, extra = typed([number(f"{TREES['hh3c']}.{oid}", value)])
    assert extra.get("active_s") == seconds
    assert seconds is not None or set(extra) <= {"hh3cIPSecTunEntryIndex"}  # the row index says that much


def test_the_row_index_says_what_the_varbinds_do_not() -> None:
    known, _ = typed([VarBind(f"{TREES['hh3c']}.7.1.1.1.6.12.1.83", Syntax.IP_ADDRESS, PEER)])
    assert known == {"ifindex": 12, "tunnel_index": 83, "peer": PEER}


def test_a_policy_that_only_the_row_index_names_is_text() -> None:
    sa_not_found = next(row for row in NOTIFICATIONS.values() if row.name == "hh3cIPsecInvalidSaFailureV2")
    notification = record(sa_not_found.oid, [VarBind(f"{TREES['hh3c']}.126.1.10.1.1.7", Syntax.OCTET_STRING, b"")])
    handler = registry().for_trap(notification)
    assert handler is not None
    assert handler.decode_trap is not None
    assert handler.decode_trap(notification, Origin("snmp-v2c", "192.0.2.1", utc(1_795_233_600), "FW1")).policy == "7"


def test_unknown_varbinds_are_kept() -> None:
    stop = next(row for row in NOTIFICATIONS.values() if row.name == "hh3cIPSecTunnelStop")
    binds = [
        VarBind(f"{TREES['hh3c']}.7.1.1.1.6.12.1.83", Syntax.IP_ADDRESS, PEER),
        VarBind("1.3.6.1.4.1.32473.1", Syntax.OCTET_STRING, b"later"),
    ]
    handler = registry().for_trap(record(stop.oid, binds))
    assert handler is not None
    assert typed(binds)[1] == {"1.3.6.1.4.1.32473.1": "later", "hh3cIPSecTunEntryIndex": "1"}


def test_a_converter_that_puts_a_zero_in_or_takes_it_out() -> None:
    """RFC 3584: ``enterprise.0.specific`` is made of every v1 trap; only the V2 tree really has the 0."""
    for notification in ("hh3cIPSecTunnelStop", "hh3cIPsecTunnelStopV2"):
        row = next(row for row in NOTIFICATIONS.values() if row.name == notification)
        for middle in ("", ".0"):
            head, _, last = row.oid.removesuffix(".0").rpartition(".")
            oid = f"{head.removesuffix('.0')}{middle}.{last}"
            found = registry().for_trap(TrapRecord(b"", "v1", oid, (oid, row.oid), ()))
            assert found is not None
            assert found.name == "h3c.tunnel_stop"


def test_a_reload_that_is_called_off_is_no_restart() -> None:
    assert event(trap("hh3cSysReloadNotification")).event == "device.restart"
    oid = f"{TREES['hh3c']}.3.1.3.2"
    row = next(row for row in NOTIFICATIONS.values() if row.name == "hh3cSysReloadNotification")
    handler = registry().for_trap(record(row.oid))
    assert handler is not None
    assert locate(f"{oid}.0")[0] is not None


def test_the_stop_gives_no_reason_and_says_so() -> None:
    decoded = event(trap("hh3cIPsecTunnelStopV2"))
    assert decoded.reason is not None
    assert (decoded.reason.name, decoded.reason.category, decoded.severity) == ("unspecified", "unknown", "major")
    assert any(PEER in step for step in decoded.reason.actions)
    assert event(trap("hh3cIKETunnelStop")).reason is None


def test_rows_are_sound() -> None:
    names = {row.name for row in OBJECTS.values()}
    for row in NOTIFICATIONS.values():
        assert row.source in SOURCES
        assert row.event is not None
        missing = set(row.objects) | set(row.objects_old)
        assert {name for name in missing - names if "SysReload" not in name} == set(), row.name
        assert row.v1.enterprise in row.oid
    leaves = {row.oid.removeprefix(f"{root}.") for row in NOTIFICATIONS.values() for root in TREES.values()}
    assert len(NOTIFICATIONS) == len(TREES) * len({leaf for leaf in leaves if not leaf.startswith("1.3.6.1.")})
    assert TABLES.vendor == "h3c"
    assert decode(trap("hh3cIPSecTunnelStart")) is not None
