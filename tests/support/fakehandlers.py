"""A small handler with templates and a catalogue, for tests of the commands that must not depend on any vendor."""

from eventd.contract import (
    Catalogue,
    CatalogueRow,
    Handler,
    Origin,
    SyslogTemplate,
    TrapTemplate,
    WireField,
    WireVar,
    event_from_syslog,
    event_from_trap,
)
from eventd.model import Event, Reason, Syntax, SyslogRecord, TrapRecord
from eventd.registry import Registry

BASE = "1.3.6.1.4.1.32473.26"
STOP_SYSLOG = SyslogTemplate(
    event="ipsec.tunnel.stop",
    module="IPSEC",
    level=4,
    mnemonic="IPSECTUNNELSTOP",
    text="The IPSec tunnel is deleted.",
    oid=f"{BASE}.6.2",
    fields=(
        WireField("Ifindex", "ifindex", "12"),
        WireField("SeqNum", "policy_seq", "10"),
        WireField("DstIP", "peer", "203.0.113.7"),
        WireField("SrcIP", "local", "192.0.2.1"),
        WireField("OfflineReason", "reason", "dpd timeout"),
        WireField("ConnID", "conn_id", None),
    ),
)
FAIL_SYSLOG = SyslogTemplate(
    event="ipsec.negotiation.fail",
    module="IPSEC",
    level=4,
    mnemonic="IPSECNEGOFAIL",
    text="IPSec tunnel negotiation fails.",
    fields=(
        WireField("Reason", "reason", "flow or peer mismatch"),
        WireField("ReasonCode", "code", "4"),
        WireField("PeerAddress", "peer", "203.0.113.7"),
    ),
)
STOP_TRAP = TrapTemplate(
    event="ipsec.tunnel.stop",
    oid=f"{BASE}.6.2",
    notification="fakeTunnelStop",
    varbinds=(
        WireVar(f"{BASE}.2.1.1", Syntax.GAUGE32, "ifindex", 12, True),
        WireVar(f"{BASE}.2.1.5", Syntax.OCTET_STRING, "peer", "203.0.113.7", True),
        WireVar(f"{BASE}.5.12", Syntax.OCTET_STRING, "reason", "dpd timeout"),
    ),
    v1_enterprise=f"{BASE}.6",
    v1_generic=6,
    v1_specific=2,
)
DPD = Reason(
    text="dpd timeout",
    name="dpd timeout",
    known=True,
    phase="both",
    category="peer-unreachable",
    meaning="The far end stopped answering.",
    actions=("Ping <peer>", "Ask the carrier"),
    source="fake manual",
)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    return event_from_syslog(record, origin, event="ipsec.tunnel.stop", vendor="fake", reason=DPD)


def decode_trap(record: TrapRecord, origin: Origin) -> Event:
    found = {varbind.oid: varbind.value for varbind in record.varbinds}
    peer = next((value for oid, value in found.items() if oid.startswith(f"{BASE}.2.1.5")), b"")
    assert isinstance(peer, bytes)
    return event_from_trap(
        record, origin, "fakeTunnelStop", event="ipsec.tunnel.stop", vendor="fake", peer=peer.decode(), reason=DPD
    )


def row(name: str, space: str, category: str, code: int | None = None, **more: object) -> CatalogueRow:
    reason = Reason(
        text=name,
        name=name,
        code=code,
        known=True,
        phase="ike",
        category=category,
        meaning=str(more.pop("meaning", f"What {name} means.")),
        actions=("Do this", "Then that"),
        expected=bool(more.pop("expected", False)),
        severity="major",
    )
    codes = () if code is None else (code,)
    return CatalogueRow(vendor="fake", space=space, reason=reason, codes=codes, sources=("manual p. 1",), **more)


CATALOGUE = Catalogue(
    vendor="fake",
    rows=(
        row("dpd timeout", "offline", "peer-unreachable", aliases=("dpd-timeout",), meaning="Probes unanswered."),
        row("peer request", "offline", "administrative"),
        row("config modify or manual offline", "offline", "administrative", expected=True),
        row("phase1 proposal mismatch", "negotiation", "configuration", 1),
        row("flow or peer mismatch", "negotiation", "configuration", 4, aliases=("acl configuration mismatch",)),
        row("authentication fail", "negotiation", "authentication", 15, note="Often a typing error."),
        row("no valid local cert", "negotiation", "authentication", 54),
    ),
)
HANDLER = Handler(
    name="fake",
    vendor="fake",
    mnemonics=("IPSECTUNNELSTOP",),
    oids=(f"{BASE}.6.2",),
    decode_syslog=decode_syslog,
    decode_trap=decode_trap,
    syslog_templates=(STOP_SYSLOG, FAIL_SYSLOG),
    trap_templates=(STOP_TRAP,),
)


def load(packages: object = ()) -> Registry:
    """What stands in for `eventd.registry.load`."""
    return Registry([HANDLER], [CATALOGUE])
