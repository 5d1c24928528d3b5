"""What Huawei's pages say IPsec devices report: sentences, keys and what they mean. Parts of the corpus; eventd is not
imported."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from corpus_reasons import CONDITIONS, NEGOTIATION, OFFLINE, Row

SECURITY = "1.3.6.1.4.1.2011.6.122.26.6"


class Field(NamedTuple):
    """A key as printed, its value, and the event field it fills: None for `extra`, "" for nothing."""

    key: str
    value: str
    field: str | None = None
    means: Any = None

    @property
    def meaning(self) -> Any:
        return self.value if self.means is None else self.means


class Said(NamedTuple):
    """An event as a page describes it."""

    name: str
    module: str
    level: int
    mnemonic: str
    vrp8: str
    oid: str | None
    sentence: str
    fields: tuple[Field, ...]
    expected: Mapping[str, Any]
    source: str
    documented: bool = True


def number(key: str, value: int, field: str) -> Field:
    return Field(key, str(value), field, value)


def tunnel_fields(variant: int) -> list[Field]:
    """The first twelve keys of IPSECTUNNELSTOP and IPSECTUNNELSTART; what they hold depends on ``variant``."""
    peer, local = (("203.0.113.7", "198.51.100.1"), ("2001:DB8::7", "2001:db8:0:0::1"))[variant % 5 == 4]
    inside = ("0.0.0.0", "10.99.0.7")[variant % 3 == 2]
    return [
        number("Ifindex", 12 + variant, "ifindex"),
        number("SeqNum", 10, "policy_seq"),
        number("TunnelIndex", 83 + variant, "tunnel_index"),
        number("RuleNum", 5, "rule"),
        Field("DstIP", peer, "peer", peer.lower()),
        Field("InsideIP", inside, "" if inside == "0.0.0.0" else "inside"),
        number("RemotePort", (500, 4500, 10321)[variant % 3], "peer_port"),
        number("CpuID", variant % 4, "cpu"),
        Field("SrcIP", local, "local", local.replace("0:0::", ":").replace("db8:::", "db8::")),
        Field("FlowInfo", FLOWS[variant % len(FLOWS)], "flow"),
    ]


FLOWS = (
    "10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0",
    "10.1.2.0/255.255.255.0,10.1.1.0/255.255.255.0,0,0,0",
    "10.1.2.0/24 -> 10.1.1.0/24, port 0, protocol 0",
)


def place_fields(variant: int) -> list[Field]:
    vsys = ("Public", "public", "tenant-a")[variant % 3]
    return [
        Field("VsysName", vsys, "vsys", vsys.lower()),
        Field("InterfaceName", ("GigabitEthernet0/0/1", "Tunnel1", "Dialer0")[variant % 3], "interface"),
    ]


def reasoned(text: str, row: Row) -> dict[str, Any]:
    reason = {"text": text, "name": row.name, "code": row.code, "known": True, "category": row.category}
    return {"reason": reason, "severity": row.severity}


def stop(text: str, variant: int) -> Said:
    expected = {"event": "ipsec.tunnel.stop", **reasoned(text, OFFLINE[text])}
    if text == "receive backup delete info":
        expected["standby"] = True
    fields = [*tunnel_fields(variant), Field("OfflineReason", text, ""), *place_fields(variant)]
    return Said(
        f"stop {text}", "IPSEC", 4, "IPSECTUNNELSTOP", "hwIPSecTunnelStop", f"{SECURITY}.2",
        "The IPSec tunnel is deleted.", (*fields, number("SlotID", variant % 2, "slot")), expected,
        "ALM-4285734913 (V300 AR), ALM-303046743 (WAC and AP)",
    )  # fmt: skip


def start(variant: int) -> Said:
    role = ("Initiator", "responder")[variant % 2]
    fields = [*tunnel_fields(variant), Field("LifeSize", "1843200"), Field("LifeTime", "3600"), *place_fields(variant)]
    fields += [number("SlotID", 0, "slot"), Field("Role", role, "role", role.lower())]
    return Said(
        f"start {variant}", "IPSEC-VPN", 4, "IPSECTUNNELSTART", "hwIPSecTunnelStart", f"{SECURITY}.1",
        "The IPSec tunnel is established.", tuple(fields), {"event": "ipsec.tunnel.start", "severity": "info"},
        "EDOC1100127008 (campus switch)",
    )  # fmt: skip


def failure(text: str, variant: int) -> Said:
    row = NEGOTIATION[text]
    fields = [number("Ifindex", 12, "ifindex"), number("SeqNum", variant % 3, "policy_seq"), Field("Reason", text, "")]
    if row.code is not None:
        fields.append(Field("ReasonCode", str(row.code), ""))
    fields += [Field("PeerAddress", "203.0.113.7", "peer"), number("PeerPort", 500, "peer_port")]
    if variant % 2:
        fields += place_fields(variant)
    if variant % 4 == 3:
        fields.append(number("ConnID", 9000 + variant, "conn_id"))
    expected = {"event": "ipsec.negotiation.fail", **reasoned(text, row)}
    return Said(
        f"fail {text}", "IPSEC", 4, "IPSECNEGOFAIL", "hwIPSecNegoFail", f"{SECURITY}.14",
        "IPSec tunnel negotiation fails.", tuple(fields), expected,
        "ALM-4285734925 (V300 AR), ALM-303046755 (WAC and AP), EDOC1100086055 (USG V500)",
    )  # fmt: skip


def torn_down(text: str, state: str, variant: int) -> Said:
    fields = (
        Field("PolicyName", "map1", "policy"), number("IfIndex", 12, "ifindex"), number("SeqNum", 10, "policy_seq"),
        number("RuleNum", 5, "rule"), Field("SrcIP", "198.51.100.1", "local"), Field("DstIP", "203.0.113.7", "peer"),
        Field("InboundSPI", str(3735928559 - variant)), number("Slot", variant % 3, "slot"), number("CpuID", 0, "cpu"),
        Field("OfflineReason", text, ""), Field("State", state),
    )  # fmt: skip
    expected = {"event": "ipsec.tunnel.stop", **reasoned(text, OFFLINE[text])}
    if state == "Backup" or text == "receive backup delete info":
        expected["standby"] = True
    return Said(
        f"torn down {state} {text}", "IPSEC-VPN", 5, "IPSEC_TUNNEL_TEARED_DOWN", "", None,
        "An IPSec tunnel is teared down.", fields, expected,
        "http://a10.tagan.ru/huawei/dc/IPSec_5_IPSec_TUNNEL_TEARED_DOWN.html",
    )  # fmt: skip


def sla(down: bool) -> Said:
    name = "SLA link down" if down else "SLA quality worse than the threshold"
    sentence = (
        "The link status of IPsec SLA detection change to down."
        if down
        else "The link quality of IPsec SLA detection is worse than the threshold."
    )
    fields = [
        Field("IfName", "GigabitEthernet0/0/1", "interface"), Field("PolicyName", "map1", "policy"),
        number("PolicyId", 10, "policy_seq"), Field("PolicyAlias", "to-branch"), Field("TunnelVpnName", "vpn1"),
        Field("PeerAddress", "203.0.113.7", "peer"), Field("LocalAddress", "198.51.100.1", "local"),
    ]  # fmt: skip
    measured = {"CurDelay": "180", "CurLossRate": "7", "CurJitter": "40"}
    measured |= {"DelayThreshold": "100", "LossRateThreshold": "5", "JitterThreshold": "30"}
    fields += [Field("Status", "down")] if down else [Field(key, value) for key, value in measured.items()]
    event = "ipsec.sla.down" if down else "ipsec.sla.degraded"
    return Said(
        name, "IPSEC", 4, "IPSecSlaLinkDown" if down else "IPSecSlaLinkQualityWorse",
        "hwIPSecSlaLinkDown" if down else "hwIPSecSlaLinkQualityWorse", None, sentence, tuple(fields),
        {"event": event, **reasoned(name, CONDITIONS[name])},
        f"ALM-{15859603 if down else 15859601}; the mnemonic is a guess", documented=False,
    )  # fmt: skip


def neighbours() -> Iterator[Said]:
    """What happens around tunnels and has a text in a page."""
    yield Said(
        "hub down", "NHRP", 4, "NHRPHUBDOWN", "", "1.3.6.1.4.1.2011.6.122.73.0.2.4", "NHRP hub is down.",
        (
            Field("Interface", "Tunnel0/0/1", "interface"), Field("protocol-address", "10.0.0.1"),
            Field("mask", "255.255.255.0"), Field("next-hop", "10.0.0.1"), Field("nbma-address", "203.0.113.7", "peer"),
        ),
        {"event": "link.down", "severity": "warning", "extra": {"track": "nhrp"}}, "ALM-4286128131 (AR)",
    )  # fmt: skip
    yield Said(
        "site cut off", "CONN", 4, "CONN_SITE_DISCONNECT", "", "1.3.6.1.4.1.2011.5.25.241.6.3.8",
        "The sites are disconnected.", (Field("SrcSite", "1"), Field("DestSite", "2")),
        {"event": "link.down", "severity": "warning", "extra": {"track": "sd-wan-site"}}, "ALM-4289404934 (AR)",
    )  # fmt: skip
    for state, event, severity in (("DOWN", "link.down", "warning"), ("UP", "link.up", "info")):
        yield Said(
            f"interface {state}", "IFNET", 4, "IF_STATE", "", None,
            f"Interface GigabitEthernet0/0/1 has turned into {state} state.", (),
            {"event": event, "severity": severity, "interface": "GigabitEthernet0/0/1"}, "EDOC1000097209",
        )  # fmt: skip
        yield Said(
            f"protocol {state}", "IFNET", 4, "LINK_STATE", "", None,
            f"The line protocol IP on the interface Dialer0 has entered the {state} state.", (),
            {"event": event, "severity": severity, "interface": "Dialer0"}, "EDOC1000141911",
        )  # fmt: skip
    for command, expected in (
        ("undo ipsec policy map1 10", {"event": "device.config", "extra": {"kind": "command"}}),
        (
            "reset ike sa remote 203.0.113.9",
            {"event": "ipsec.sa.reset", "peer": "203.0.113.9", "extra": {"scope": "ike"}},
        ),
        ("reset ipsec sa", {"event": "ipsec.sa.reset", "extra": {"scope": "ipsec"}}),
        ("display ike sa", {"extra": {"kind": "no change"}}),
    ):
        fields = {"Task": "VT0", "Ip": "192.0.2.10", "User": "admin", "Command": command, "Result": "Success"}
        yield Said(
            f"typed {command}", "SHELL", 5, "CMDRECORD", "", None, "Record command information.",
            tuple(Field(key, value) for key, value in fields.items()), {"severity": "info", **expected},
            "a captured AR line, with other commands", documented=False,
        )  # fmt: skip


def healed(text: str, **expected: Any) -> Said:
    extra = {"text": text, **expected.pop("extra", {})}
    condition = reasoned("flow self heal", CONDITIONS["flow self heal"])
    return Said(
        "self-heal", "IPSEC_ADP", 4, "FLOWSELFHEAL", "", None, text, (),
        {"event": "ipsec.flow.selfheal", **condition, "extra": extra, **expected},
        "usg.zrnko.cz, ipsec_share-flow_recover_enable (name and level; no text)", documented=False,
    )  # fmt: skip


def selfheals() -> Iterator[Said]:
    """In words of our own, because the device's are documented nowhere."""
    yield healed("Lost IPSec flow information was restored.")
    yield healed(
        "Flow 10.1.2.3 to 10.1.1.3 restored. (PeerIP=203.0.113.7, FlowId=17)",
        peer="203.0.113.7",
        extra={"FlowId": "17", "addresses": "10.1.2.3, 10.1.1.3, 203.0.113.7"},
    )
    yield healed("A flow was lost and restored by CPU 3.")
    yield healed("流自愈。")


def unknown(said: Said, text: str, severity: str) -> Said:
    """The same with a reason that no catalogue lists: its words are kept, its severity is the message's own."""
    fields = [
        field._replace(value=text) if field.key in {"OfflineReason", "Reason"} else field for field in said.fields
    ]
    fields = [field for field in fields if field.key != "ReasonCode"]
    reason = {"text": text, "name": None, "code": None, "known": False, "category": "unknown"}
    expected = {**said.expected, "reason": reason, "severity": severity}
    name = f"{said.name.split()[0]} {text}"
    return said._replace(name=name, fields=tuple(fields), expected=expected, documented=False)


def coded(text: str, code: int, row: Row, also: str | None = None) -> Said:
    """A failure whose text and code say different things: the text counts, or the code where there is no text."""
    said = failure("authentication fail", 0)
    values = {"Reason": text, "ReasonCode": str(code)}
    fields = tuple(field._replace(value=values.get(field.key, field.value)) for field in said.fields)
    expected = {"event": "ipsec.negotiation.fail", **reasoned(text or row.name, row._replace(code=code))}
    if also is not None:
        expected["extra"] = {"reason_code_text": also}
    return said._replace(name=f"fail {text or 'no text'} {code}", fields=fields, expected=expected, documented=False)


def unlisted() -> Iterator[Said]:
    """Reasons and codes of releases that nobody has described yet."""
    for text in ("license of board 3 expired", "peer deleted (code 77), twice", "对端设备重启"):
        yield unknown(stop("dpd timeout", 0), text, "major")
        yield unknown(failure("authentication fail", 0), text, "warning")
    yield coded("authentication fail", 12, NEGOTIATION["authentication fail"], "peer address mismatch")
    yield coded("", 12, NEGOTIATION["peer address mismatch"])
    yield coded("proposal of another kind", 1, NEGOTIATION["phase1 proposal mismatch"])
