"""An IPsec policy was created, deleted, bound to an interface or unbound: hwIPSecPolicyAdd and its kin.

``extra["change"]`` is ``add``, ``del``, ``attach`` or ``detach``; the last explains a burst of stops on its interface.
"""

from handlers.huawei._family import handler

HANDLER = handler("policy_change")
