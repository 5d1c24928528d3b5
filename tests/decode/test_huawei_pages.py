"""What the vendor's pages print is read as they explain it: each template filled in, each parameter in its field."""

from typing import Any

import pytest
from huawei_lines import event

HEAD = "<188>Nov 21 2026 04:00:00 FW1 "
SECURITY = "1.3.6.1.4.1.2011.6.122.26.6"
TUNNEL = {
    "ifindex": 12,
    "policy_seq": 10,
    "tunnel_index": 83,
    "rule": 5,
    "peer": "203.0.113.7",
    "inside": "10.9.9.9",
    "peer_port": 4500,
    "cpu": 1,
    "local": "198.51.100.1",
    "flow": "10.1.2.0/24-10.1.1.0/24-0-0-0",
    "interface": "GigabitEthernet0/0/1",
}
STOP = (
    "The IPSec tunnel is deleted. (Ifindex=12, SeqNum=10,TunnelIndex=83, RuleNum=5, DstIP=203.0.113.7, "
    "InsideIP=10.9.9.9, RemotePort=4500, CpuID=1, SrcIP=198.51.100.1, FlowInfo=10.1.2.0/24-10.1.1.0/24-0-0-0, "
    "OfflineReason=dpd timeout, "
    "VsysName=Public, InterfaceName=GE0/0/1, SlotID=2)"
)
START = (
    "The IPSec tunnel is established. (Ifindex=12, SeqNum=10,TunnelIndex=83, RuleNum=5, DstIP=203.0.113.7, "
    "InsideIP=10.9.9.9, RemotePort=4500, CpuID=1, SrcIP=198.51.100.1, FlowInfo=10.1.2.0/24-10.1.1.0/24-0-0-0, "
    "LifeSize=1843200, LifeTime=3600, VsysName=Public, InterfaceName=GE0/0/1, SlotID=2, Role=Responder)"
)
FAIL = (
    "IPSec tunnel negotiation fails. (Ifindex=12, SeqNum=10, Reason=version mismatch, ReasonCode=5, "
    "PeerAddress=203.0.113.7, PeerPort=4500, VsysName=Public, InterfaceName=GE0/0/1{more})"
)
FAILED = {name: TUNNEL[name] for name in ("ifindex", "policy_seq", "peer", "peer_port", "interface")}
SLA = (
    "(IfName=Tunnel1, PolicyName=p1, PolicyId=10, PolicyAlias=a1, TunnelVpnName=v1, PeerAddress=203.0.113.7, "
    "LocalAddress=198.51.100.1, {more})"
)
PROBED = {"interface": "Tunnel1", "policy": "p1", "policy_seq": 10, "peer": "203.0.113.7", "local": "198.51.100.1"}
DC = "Huawei log and alarm reference, "

#: (page, what it shows, line without its head, event, fields, extra)
CASES: list[tuple[str, str, str, str, dict[str, Any], dict[str, str]]] = [
    (
        "ALM-4285734913, ALM-303046743",
        "the stop alarm, with the comma that has no blank behind it",
        f"IPSEC/4/IPSECTUNNELSTOP: OID {SECURITY}.2 {STOP}",
        "ipsec.tunnel.stop",
        {**TUNNEL, "vsys": "public", "slot": 2},
        {},
    ),
    (
        "EDOC1100127008",
        "the start alarm of a campus switch, module IPSEC-VPN, with role and lifetimes",
        f"IPSEC-VPN/4/IPSECTUNNELSTART: OID {SECURITY}.1 {START}",
        "ipsec.tunnel.start",
        {**TUNNEL, "vsys": "public", "slot": 2, "role": "responder"},
        {"LifeSize": "1843200", "LifeTime": "3600"},
    ),
    (
        "ALM-4285734925",
        "the failed negotiation of an AR router",
        f"IPSEC/4/IPSECNEGOFAIL: OID {SECURITY}.14 {FAIL.format(more='')}",
        "ipsec.negotiation.fail",
        FAILED,
        {},
    ),
    (
        "ALM-303046755",
        "the failed negotiation of an access controller adds ConnID",
        f"IPSEC/4/IPSECNEGOFAIL: OID {SECURITY}.14 {FAIL.format(more=', ConnID=77')}",
        "ipsec.negotiation.fail",
        {**FAILED, "conn_id": 77},
        {},
    ),
    (
        "hwIPSecNegoFail of a campus switch",
        "the failed negotiation with module IPSEC-VPN",
        f"IPSEC-VPN/4/IPSECNEGOFAIL: OID {SECURITY}.14 {FAIL.format(more=', ConnID=77')}",
        "ipsec.negotiation.fail",
        {**FAILED, "conn_id": 77},
        {},
    ),
    (
        "ALM-15795028",
        "the failed negotiation without module and mnemonic",
        FAIL.format(more=""),
        "ipsec.negotiation.fail",
        FAILED,
        {"recognised_by": "text"},
    ),
    (
        "IPSEC_TUNNEL_TEARED_DOWN of a campus switch",
        "the log of a teardown names the source first",
        (
            "IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_DOWN:An IPSec tunnel is teared down. (PolicyName=map1, IfIndex=12, "
            "SeqNum=10, "
            "RuleNum=5, SrcIP=198.51.100.1, DstIP=203.0.113.7, InboundSPI=1, Slot=2, CpuID=1, OfflineReason=peer "
            "request, "
            "State=Normal)"
        ),
        "ipsec.tunnel.stop",
        {"policy": "map1", "local": "198.51.100.1", "peer": "203.0.113.7", "slot": 2, "standby": False},
        {"InboundSPI": "1", "State": "Normal"},
    ),
    (
        "ALM-15859603",
        "the SLA probe through a tunnel is dead; the page prints no module",
        f"The link status of IPsec SLA detection change to down. {SLA.format(more='Status=down')}",
        "ipsec.sla.down",
        PROBED,
        {"TunnelVpnName": "v1", "PolicyAlias": "a1", "Status": "down"},
    ),
    (
        "ALM-15859601",
        "the SLA probe is poor, with the three values and their thresholds",
        "The link quality of IPsec SLA detection is worse than the threshold. "
        + SLA.format(
            more="CurDelay=9, CurLossRate=2, CurJitter=3, DelayThreshold=4, LossRateThreshold=5, JitterThreshold=6"
        ),
        "ipsec.sla.degraded",
        PROBED,
        {"CurDelay": "9", "CurLossRate": "2", "JitterThreshold": "6"},
    ),
    (
        "ALM-4286128131",
        "the public address of the NHRP hub is the peer, keys have hyphens",
        (
            "NHRP/4/NHRPHUBDOWN: OID 1.3.6.1.4.1.2011.6.122.73.0.2.4 NHRP hub is down. (Interface=Tunnel0/0/0, "
            "protocol-address=10.0.0.1, mask=255.255.255.0, next-hop=10.0.0.1, nbma-address=203.0.113.7)"
        ),
        "link.down",
        {"interface": "Tunnel0/0/0", "peer": "203.0.113.7"},
        {"track": "nhrp", "protocol-address": "10.0.0.1"},
    ),
    (
        "ALM-4289404934",
        "two sites lost each other",
        "CONN/4/CONN_SITE_DISCONNECT:OID 1.3.6.1.4.1.2011.5.25.241.6.3.8 The sites. (SrcSite=1, DestSite=2)",
        "link.down",
        {"peer": None},
        {"track": "sd-wan-site", "SrcSite": "1", "DestSite": "2"},
    ),
    (
        "ALM-15795049",
        "the heartbeat of a hot-standby pair; the page prints no module",
        "HRP link changes to down. Local device ID is 00e0-fc12-3456, peer device ID is 00e0-fc12-3457.",
        "link.down",
        {"peer": None},
        {"track": "hrp"},
    ),
    (
        "ALM-15795006",
        "the own certificate is about to expire, with subject and date",
        (
            "PKI/4/PKILOCALCERTNEARLYEXPIRED: OID 1.3.6.1.4.1.2011.6.122.34.0.2.14 the local certificate is nearly "
            "expired"
            ". (LocalCertIssuer=CN=CA, LocalCertSubject=CN=FW1, LocalCertStartTime=2024, LocalCertFinishTime=2026)"
        ),
        "ipsec.security",
        {"severity": "warning"},
        {"LocalCertSubject": "CN=FW1", "LocalCertFinishTime": "2026", "kind": "certificate"},
    ),
    (
        DC + "VRRP/4/STATEWARNINGEXTEND",
        "this unit became the VRRP master, and why",
        (
            "VRRP/4/STATEWARNINGEXTEND:Virtual Router state BACKUP changed to MASTER, because of link BFD session "
            "down. "
            "(Interface=GE0/0/1, VrId=1, InetType=IPv4)"
        ),
        "device.failover",
        {"interface": "GigabitEthernet0/0/1"},
        {"state": "master", "kind": "vrrp", "Reason": "link BFD session down", "VrId": "1"},
    ),
    (
        DC + "VRRP/4/STATEWARNING",
        "this unit is no VRRP master any more",
        "VRRP/4/STATEWARNING:Virtual Router state MASTER changed to INITIALIZE. (Interface=GE0/0/1, VrId=1)",
        "device.failover",
        {"interface": "GigabitEthernet0/0/1"},
        {"state": "other", "kind": "vrrp"},
    ),
    (
        DC + "BFD/4/STACHG_TODWN",
        "a BFD session went down: interface, slot and diagnosis",
        (
            "BFD/4/STACHG_TODWN:BFD session changed to Down. (SlotNumber=2, Discriminator=1, Diagnostic=DetectDown, "
            "Applications=IPSEC, ProcessPST=False, BindInterfaceName=GE0/0/1, InterfacePhysicalState=Up, "
            "InterfaceProtocolState=Up)"
        ),
        "link.down",
        {"interface": "GigabitEthernet0/0/1", "slot": 2},
        {"track": "bfd", "Diagnostic": "DetectDown"},
    ),
    (
        DC + "NQA/4/JITTERTESTFAIL",
        "an NQA test failed: whose and which",
        (
            "NQA/4/JITTERTESTFAIL:OID 1.3.6.1.4.1.2011.5.25.111.6.10 NQA entry test failed. (OwnerIndex=admin, "
            "TestName=isp)"
        ),
        "link.down",
        {"peer": None},
        {"track": "nqa", "OwnerIndex": "admin", "TestName": "isp"},
    ),
    (
        DC + "IFNET/1/IF_LINKDOWN",
        "the trap form names the interface by index and by name",
        (
            "IFNET/1/IF_LINKDOWN: OID 1.3.6.1.6.3.1.1.5.3 Interface 12 turned into DOWN "
            "state.(AdminStatus=1,OperStatus=2,"
            "InterfaceName=GE0/0/1,Description=to ISP, north)"
        ),
        "link.down",
        {"interface": "GigabitEthernet0/0/1", "ifindex": 12},
        {"AdminStatus": "1", "Description": "to ISP, north"},
    ),
    (
        DC + "BASETRAP/4/ENTITYRESET",
        "a board was reset: which and why",
        (
            "BASETRAP/4/ENTITYRESET: OID 1.3.6.1.4.1.2011.5.25.129.2.1.5 Physical entity is reset. (Index=9, "
            "Severity=4, "
            'ProbableCause=1024, EventType=5, ContainedIn=8, PhysicalName="LPU Board 3", RelativeResource="", '
            'ReasonDescription="LPU board reset, by user")'
        ),
        "device.restart",
        {"severity": "warning"},
        {"kind": "board", "PhysicalName": "LPU Board 3", "Reason": "LPU board reset, by user"},
    ),
    (
        "ipsec share-flow recover enable (USG)",
        "flow self-heal is known by its mnemonic alone",
        "IPSEC_ADP/4/FLOWSELFHEAL:whatever it says about 10.1.2.3",
        "ipsec.flow.selfheal",
        {"severity": "info", "peer": None},
        {"addresses": "10.1.2.3"},
    ),
]


def case(page: str, what: str, *rest: Any) -> Any:
    return pytest.param(*rest, id=page, marks=pytest.mark.conformance(f"Huawei {page}", what))


@pytest.mark.parametrize(("line", "name", "fields", "extra"), [case(*row) for row in CASES])
def test_a_page_is_read_as_it_explains_itself(
    line: str, name: str, fields: dict[str, Any], extra: dict[str, str]
) -> None:
    found = event(HEAD + line)
    assert (found.event, found.vendor, found.hostname) == (name, "huawei", "FW1")
    assert {field: getattr(found, field) for field in fields} == fields
    assert found.extra.items() >= extra.items()


@pytest.mark.conformance("Huawei ALM-4285734913", "the alarm is never cleared by the device: a clear of it is no stop")
def test_a_clear_of_a_stop_is_no_stop() -> None:
    text = f"CID=0x1-alarmID=0xFF732001-clearType=service_resume;{STOP}"
    assert event(f"2026-11-21 04:00:00 FW1 %%01IPSEC/4/hwIPSecTunnelStop_clear(l):{text}").event is None


@pytest.mark.conformance(
    "Huawei IPSEC_TUNNEL_TEARED_DOWN of a campus switch", "the backup unit repeats what the active one says"
)
def test_the_backup_unit_is_told_apart() -> None:
    text = "An IPSec tunnel is teared down. (DstIP=203.0.113.7, OfflineReason=dpd timeout, State=Backup)"
    assert event(f"{HEAD}IPSEC-VPN/5/IPSEC_TUNNEL_TEARED_DOWN:{text}").standby
