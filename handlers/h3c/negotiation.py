"""A negotiation failed: IKE_P1_SA_ESTABLISH_FAIL, IKE_P2_SA_ESTABLISH_FAIL, IPSEC_SA_ESTABLISH_FAIL, IKE_XAUTH_FAILE,
and the IKE failures whose notification says by its own name what was wrong. ``extra["phase"]`` is ``1`` or ``2``.

Phase 1 and 2 are told in a sentence, or in later releases of Comware V7 in a list of items.
"""

from handlers.h3c._family import handler, logs
from handlers.h3c._tables import Kind
from handlers.h3c._templates import sentence

FAIL = "ipsec.negotiation.fail"
_PHASE = (
    "Failed to establish phase {} SA for the reason of {{reason}}. The SA's source address is {{local}}, and its"
    " destination address is {{peer}}."
)


def _failure(mnemonic: str, phase: str) -> Kind:
    return Kind(mnemonic, FAIL, "warning", {"phase": phase}, space="negotiation")


HANDLER = handler(
    "negotiation",
    logs(
        _failure("IKE_P1_SA_ESTABLISH_FAIL", "1"),
        _failure("IKE_P2_SA_ESTABLISH_FAIL", "2"),
        _failure("IPSEC_SA_ESTABLISH_FAIL", "2"),
        _failure("IKE_XAUTH_FAILE", "1"),
        _failure("IKE_XAUTH_FAIL", "1"),
    ),
    needs_fields=True,
    syslog_templates=(
        sentence(FAIL, "IKE/6/IKE_P1_SA_ESTABLISH_FAIL", _PHASE.format(1), reason="no matching proposal"),
        sentence(FAIL, "IKE/6/IKE_P2_SA_ESTABLISH_FAIL", _PHASE.format(2), reason="invalid ID information"),
        sentence(
            FAIL,
            "IPSEC/6/IPSEC_SA_ESTABLISH_FAIL",
            "Failed to establish IPsec SA for the reason of {reason}. The SA's source address is {local}, and its"
            " destination address is {peer}.",
            reason="incomplete configuration",
        ),
    ),
)
