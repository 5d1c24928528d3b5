"""Certificates, revocation lists and weak algorithms (``extra["kind"]`` is ``certificate`` or ``hygiene``).

Good news about a certificate has ``extra["state"] = "clear"`` and names what it ends in ``extra["clears"]``.
"""

from handlers.huawei._family import handler

HANDLER = handler("security")
