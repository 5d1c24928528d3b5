"""An IPsec policy was created, deleted, bound to an interface or unbound, an IKE proposal created or deleted.

``extra["change"]`` is ``add``, ``del``, ``attach`` or ``detach``; the last explains a burst of stops on its interface.
"""

from handlers.h3c._family import handler

HANDLER = handler("policy_change")
