"""Phase 1 came up (IKETunnelStart) or ended (IKETunnelStop, IKE_P1_SA_TERMINATE).

The notification of the end gives no reason: most ends of an IKE SA are rekeys, so it gets none.
"""

from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

DOWN = "ipsec.phase1.down"

HANDLER = handler(
    "phase1",
    logs(Kind("IKE_P1_SA_TERMINATE", DOWN, "warning", {"phase": "1"}, space="offline")),
    needs_fields=True,
    syslog_templates=(
        sentence(
            DOWN,
            "IKE/6/IKE_P1_SA_TERMINATE",
            "The IKE phase 1 SA was deleted for the reason of {reason}. The SA's source address is {local}, and its"
            " destination address is {peer}.",
        ),
    ),
)
