"""A tunnel came up: IPSECTUNNELSTART, IPSEC_TUNNEL_ESTABLISHED, hwIPSecTunnelStart, hwIPSecTunnelStateUp.

IPSEC_TUNNEL_ESTABLISHED is expected as the counterpart of IPSEC_TUNNEL_TEARED_DOWN; no page with its text was found,
so its fields are read by name whatever they are, and there is no template to send it by.
"""

from handlers.huawei._family import handler, logs
from handlers.huawei._tables import Kind
from handlers.huawei._templates import alarm

HANDLER = handler(
    "tunnel_start",
    logs(Kind("IPSEC_TUNNEL_ESTABLISHED", "ipsec.tunnel.start")),
    needs_fields=True,
    syslog_templates=(
        # EDOC1100127008 (campus switch)
        alarm(
            "hwIPSecTunnelStart",
            4,
            "The IPSec tunnel is established.",
            "Ifindex SeqNum TunnelIndex RuleNum DstIP InsideIP RemotePort CpuID SrcIP FlowInfo LifeSize LifeTime"
            " VsysName InterfaceName SlotID Role",
            module="IPSEC-VPN",
            LifeSize="1843200",
            LifeTime="3600",
        ),
    ),
)
