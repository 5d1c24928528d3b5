"""A tunnel ended: IPSECTUNNELSTOP, IPSEC_TUNNEL_TEARED_DOWN, hwIPSecTunnelStop, hwIPSecTunnelStateDown.

The log IPSEC_TUNNEL_TEARED_DOWN names the addresses in the other order, and its State says whether the active or the
backup unit speaks. The device never clears the alarm by itself (ALM-4285734913: manual clearing).
"""

from eventd.contract import SyslogTemplate
from handlers.huawei._family import handler, logs
from handlers.huawei._tables import Kind
from handlers.huawei._templates import alarm, wire_fields

TEARED_DOWN = "IPSEC_TUNNEL_TEARED_DOWN"

HANDLER = handler(
    "tunnel_stop",
    logs(Kind(TEARED_DOWN, "ipsec.tunnel.stop", "major", space="offline")),
    needs_fields=True,
    syslog_templates=(
        # ALM-4285734913 (V300 AR), ALM-303046743 (WAC and AP)
        alarm(
            "hwIPSecTunnelStop",
            4,
            "The IPSec tunnel is deleted.",
            "Ifindex SeqNum TunnelIndex RuleNum DstIP InsideIP RemotePort CpuID SrcIP FlowInfo OfflineReason VsysName"
            " InterfaceName SlotID",
        ),
        SyslogTemplate(
            event="ipsec.tunnel.stop",
            module="IPSEC-VPN",
            level=5,
            mnemonic=TEARED_DOWN,
            text="An IPSec tunnel is teared down.",
            fields=wire_fields(
                "PolicyName IfIndex SeqNum RuleNum SrcIP DstIP InboundSPI Slot CpuID OfflineReason State",
                InboundSPI="3735928559",
                State="Normal",
            ),
            source="http://a10.tagan.ru/huawei/dc/IPSec_5_IPSec_TUNNEL_TEARED_DOWN.html",
        ),
    ),
)
