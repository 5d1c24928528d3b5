"""Whole Huawei messages for tests, and the whole way from bytes to event."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from eventd.contract import TrapTemplate
from eventd.decode import Decoder
from eventd.inventory import Inventory
from eventd.model import Event, Malformed, Message, Syntax, TrapRecord, VarBind
from eventd.parse.snmp import Access
from eventd.registry import Registry, load
from eventd.sender.traps import trap_v1, trap_v2c

#: 2026-11-21 04:00:00 UTC, when every test message arrives.
RECEIVED_AT = 1_795_233_600.0
SOURCE = "192.0.2.1"
SECURITY = "1.3.6.1.4.1.2011.6.122.26"
ROUTER = "1.3.6.1.4.1.2011.5.25.224"
STOP_BODY = (
    "Ifindex=12, SeqNum=10,TunnelIndex=83, RuleNum=5, DstIP={peer}, InsideIP=0.0.0.0, RemotePort=500, CpuID=0, "
    "SrcIP=198.51.100.1, FlowInfo=10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0, OfflineReason={reason}, "
    "VsysName=Public, InterfaceName=GigabitEthernet0/0/1, SlotID=0"
)
NEGO_BODY = "Ifindex=12, SeqNum=0, Reason={reason}, ReasonCode={code}, PeerAddress=203.0.113.7, PeerPort=500"


@cache
def registry() -> Registry:
    return load()


def decode(payload: bytes | str, transport: str | None = None) -> Event | Malformed:
    """From the wire to the event, through the real parsers and the real registry."""
    raw = payload.encode() if isinstance(payload, str) else payload
    if transport is None:
        transport = "snmp-v2c" if isinstance(payload, bytes) and raw[:1] == b"\x30" else "syslog-udp"
    decoder = Decoder(registry(), Inventory(), Access(["public"], checks="offline"))
    return decoder.decode(Message(transport, SOURCE, 514, RECEIVED_AT, raw))


def event(payload: bytes | str) -> Event:
    """The event of a message that must be one."""
    decoded = decode(payload)
    assert isinstance(decoded, Event), decoded
    return decoded


def line(tag: str, text: str, pri: int = 188) -> str:
    """A trap sent as syslog by VRP5 (form C): ``tag`` is ``MODULE/level/MNEMONIC``."""
    return f"<{pri}>Nov 21 2026 04:00:00 FW1 {tag}:{text}"


def stop_line(reason: str, peer: str = "203.0.113.7") -> str:
    oid = f"OID {SECURITY}.6.2 "
    return line(
        "IPSEC/4/IPSECTUNNELSTOP", f"{oid}The IPSec tunnel is deleted. ({STOP_BODY.format(reason=reason, peer=peer)})"
    )


def nego_line(reason: str, code: int | str = "") -> str:
    oid = f"OID {SECURITY}.6.14 "
    body = NEGO_BODY.format(reason=reason, code=code)
    return line("IPSEC/4/IPSECNEGOFAIL", f"{oid}IPSec tunnel negotiation fails. ({body})")


def trap_template(notification: str) -> TrapTemplate:
    found = [t for group in registry().trap_templates.values() for t in group if t.notification == notification]
    assert len(found) == 1, notification
    return found[0]


def trap(
    notification: str, values: Mapping[str, str] | None = None, version: str = "v2c", suffix: bool = True
) -> bytes:
    """The notification on the wire, as pysnmp encodes it."""
    template = trap_template(notification)
    if version == "v1":
        return trap_v1(template, values or {}, "public", SOURCE, suffix).next()
    return trap_v2c(template, values or {}, "public", suffix).next()


def record(oid: str, varbinds: Iterable[VarBind] = (), lookup: tuple[str, ...] | None = None) -> TrapRecord:
    """A notification as the parser hands it over."""
    return TrapRecord(b"\x30\x00", "v2c", oid, lookup or (oid,), tuple(varbinds))


def text(oid: str, value: str) -> VarBind:
    return VarBind(oid, Syntax.OCTET_STRING, value.encode())


def gauge(oid: str, value: int) -> VarBind:
    return VarBind(oid, Syntax.GAUGE32, value)


#: Sample lines of the info-center in all its forms, as captured. Addresses and names are those of the captures.
CAPTURED = """\
Mar 8 2017 11:10:47 sysname IPSEC/4/IPSECNEGOFAIL:1.3.6.1.4.1.2011.6.122.26.6.14 IPSec tunnel negotiation fails. \
(Ifindex=12, SeqNum=0, Reason="acl configuration mismatch", ReasonCode=4, PeerAddress=1.1.1.1, PeerPort=500)
2024-12-24T07:08:32.730275+00:00 host-xx-xx-xx-xx ipsec_ike[30085]: [xx.xx.xx.xx] IPSec tunnel negotiation fails. \
(IfIndex=[207], PolicyName=[], SeqNum=[0], PeerAddress=[xx.xx.xx.xx], PeerPort=[500], Reason=[version mismatch])
<189>Sep 15 2026 21:12:05 HSW1 LINE/5/VTYUSERLOGIN:OID 1.3.6.1.4.1.2011.5.25.207.2.2 A user login. \
(UserIndex=34, UserName=admin, UserIP=192.168.124.108, UserChannel=VTY0)
<189>Sep 15 2026 21:12:21 HSW2 %%01HWCM/5/TRAPLOG(l)[51]:OID 1.3.6.1.4.1.2011.6.10.2.1 configure changed. \
(EventIndex=7, CommandSource=1, ConfigSource=2, ConfigDestination=4)
#Sep 21 2026 16:03:04+08:00 HUAWEI LINE/5/VTYUSERLOGIN:OID 1.3.6.1.4.1.2011.5.25.207.2.2 A user login. (…)
<29>2018-7-23 01:00:34.270.1 my-awesome-huawei-switch %%01IFNET/4/IF_STATE(l)[4997]:Interface Ethernet0/0/8 has \
turned into DOWN state.
Oct  5 2018 10:52:19 USG6300 %%01POLICY/6/POLICYPERMIT(l):vsys=public, protocol=17, source-ip=1.1.1.1, \
source-port=2426, destination-ip=2.2.2.2, destination-port=2234, time=2018/10/5 09:52:19, source-zone=dmz, \
destination-zone=untrust, rule-name=Internet Access.
2018/10/05 09:52:14 USG6300 %%01URL/4/FILTER(l): The URL filtering policy was matched. (SyslogId=1906054, \
VSys="public", Policy="Internet Access", SrcIp=1.1.1.1, DstIp=2.2.2.2, SrcPort=5702, DstPort=80, SrcZone=dmz, \
DstZone=untrust, User="unknown", Protocol=TCP, Application="google", Profile="prof1", Type=Pre-defined, EventNum=1, \
Category="Search Engines/Portals", SubCategory="Search Engines", Page="*", Host="www.google.com", Item="none", \
Action=Alert)
2018-10-05 10:52:13 USG6300 %%01SECLOG/6/SESSION_TEARDOWN(l):IPVer=4,Protocol=tcp,SourceIP=1.1.1.1,\
DestinationIP=2.2.2.2,SourcePort=6182,DestinationPort=443,BeginTime=1538736476,EndTime=1538736733,SendPkts=21,\
SendBytes=2135,RcvPkts=18,RcvBytes=1534,SourceVpnID=0,DestinationVpnID=0,PolicyName=Internet Access.
Aug  7 2026 15:43:41 jpmyj01fw01 %%01POLICY/6/POLICYPERMIT(l):CID=0x814f041e;vsys=public, protocol=6, \
source-ip=192.168.1.142, source-port=52433
Jul 08 2026 09:35:40.460.1+02:00 DST A21-BW03 %%01WLAN/4/AC_AUTHENTICATE_FAIL(l)[293764]:Failed to authenticate ...
Jul 08 2026 09:35:40.460.1+02:00 DST A21-BW03 INFO/4/IC_LOGFILE_AGING:OID 1.3.6.1.4.1.2011.5.25.212.2.2 One log ...
Feb 15 2021 04:33:56-04:00 vla-3ct13 %%01IFNET/2/linkDown_clear(l):CID=0x807a040a-alarmID=0x08520003-clearType=\
service_resume;The interface status changes. (ifName=25GE1/0/41, AdminStatus=UP, OperStatus=UP, \
Reason=Interface physical link is up, mainIfname=25GE1/0/41)
Nov 26 2024 14:05:54 SPINE1 %%01IFNET/2/linkDown_active(l):CID=0x807a0404-alarmID=0x08520003;The interface status \
changes. (ifName=GE1/0/1, AdminStatus=UP, OperStatus=DOWN, Reason=Interface physical link is down, mainIfname=GE1/0/1)
Nov 26 2024 14:05:56 SPINE1 %%01BFD/4/hwBfdSessDown(t):CID=0x8074040f-OID=1.3.6.1.4.1.2011.5.25.38.3.1;Session \
changes to DOWN. (Index=16385, ConfigurationName=-, PeerIp=10.1.0.1, BindIfIndex=3, BindIfName=GE1/0/1, Diagnosis=1, \
BindVrfIndex=0, BindVpnName=_public_, SessionType=2, DefaultIp=1, BindType=4, StaticLspName=-, PwSecondary=3, \
NextHop=0.0.0.0, VcId=0, VsiName=-, VsiPeerAddress=0.0.0.0, DiscrAuto=2, PeerIpv6=::, Ipv6NextHop=::)
#47/active/linkDown/Major/occurredTime:2024-11-26 14:05:54/-/-/alarmID:0x08520003/CID=0x807a0404:The interface \
status changes. (ifName=GE1/0/1, AdminStatus=UP, OperStatus=DOWN, Reason=Interface physical link is down, \
mainIfname=GE1/0/1)
<164>Nov 5 2021 11:34:18+08:00 ME60-1 %%01BRASAM/4/hwAllocUserIPFailAlarm (t):VS=Admin-VS-CID=0x81d80420-\
OID=1.3.6.1.4.1.2011.6.8.2.2.0.3;Fail to alloc IP address from domain. (DomainNo.=72,DomainName=vlan3260)
2011-08-18 18:08:56 HUAWEI %%01CLI/5/LOGIN(l):CID=2160731923;VTY0 login from 192.168.0.1 succeed.
<189>Dec  8 2016 07:02:39 4GT-MYHOSTNAME %%01SHELL/5/CMDRECORD(l)[31]:Record command information. (Task=Co0, Ip=**, \
User=admin, Command="log on", Result=Success)
May  5 22:31:17 172.18.0.129 May  5 2015 14:31:17 DL-CORE-LHL-D-01 SRM/3/OPTPWRABNORMAL:OID \
1.3.6.1.4.1.2011.5.25.129.2.17.1 Optical module power is abnormal. (EntityPhysicalIndex=67305870, BaseTrapSeverity=5, …
2018-07-22 11:19:31 sysname %%01SHELL/4/LOGIN(l): access type:console vsys:root user:admin login from con0
Jan 8 2013 03:58:15+07:00 HUAWEI %% 01 HWCM/5/EXIT(l)[1]: exit from configure mode""".splitlines()
#: The two of them that are about IPsec.
CAPTURED_IPSEC = tuple(sample for sample in CAPTURED if re.search("IPSEC/|ipsec_ike", sample))
