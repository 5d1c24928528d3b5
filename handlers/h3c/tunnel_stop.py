"""An IPsec SA ended: IPSEC_SA_TERMINATE, IKE_P2_SA_TERMINATE, IPSecTunnelStop, IPsecTunnelStopV2.

Each SA is one direction and one protocol, so the loss of a tunnel is two lines or more; which end is the device's own
is found out by `eventd.ends`, and the correlator counts them once. The notifications do not say why. ConnectionStopV2
names a policy only.
"""

from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

STOP = "ipsec.tunnel.stop"

HANDLER = handler(
    "tunnel_stop",
    logs(
        Kind("IPSEC_SA_TERMINATE", STOP, "major", space="offline"),
        Kind("IKE_P2_SA_TERMINATE", STOP, "major", {"phase": "2"}, space="offline"),
    ),
    needs_fields=True,
    syslog_templates=(
        sentence(
            STOP,
            "IPSEC/6/IPSEC_SA_TERMINATE",
            "The IPsec SA was deleted for the reason of {reason}. The SA's source address is {local}, destination"
            " address is {peer}, protocol is {protocol}, and SPI is {SPI}.",
        ),
        sentence(
            STOP,
            "IKE/6/IKE_P2_SA_TERMINATE",
            "The IKE phase 2 SA was deleted for the reason of {reason}. The SA's source address is {local}, and its"
            " destination address is {peer}.",
            reason="the SA expired",
        ),
    ),
)
