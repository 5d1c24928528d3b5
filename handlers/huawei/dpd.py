"""A dead-peer probe failed or was answered: hwIKEDPDProbeFail, hwIKEDPDProbeSuccess (NetEngine routers).

On firewalls DPD has no message of its own; it shows as the offline reason ``dpd timeout``. The success is also sent
when the configuration of the peer is deleted (HUAWEI-IPSEC-MIB).
"""

from handlers.huawei._family import handler

HANDLER = handler("dpd")
