"""An IPsec SA was made: IPSEC_SA_ESTABLISH, IPSecTunnelStart, IPsecTunnelStartV2. ConnectionStartV2 names no peer.

IPSEC_SA_INITINATION (the vendor's spelling) says that a negotiation began, which is no event.
"""

from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

START = "ipsec.tunnel.start"

HANDLER = handler(
    "tunnel_start",
    logs(Kind("IPSEC_SA_ESTABLISH", START), Kind("IPSEC_SA_INITINATION"), Kind("IPSEC_SA_INITIATION")),
    needs_fields=True,
    syslog_templates=(
        sentence(
            START,
            "IPSEC/6/IPSEC_SA_ESTABLISH",
            "Established IPsec SA. The SA's source address is {local}, destination address is {peer}, protocol is"
            " {protocol}, and SPI is {SPI}.",
        ),
    ),
)
