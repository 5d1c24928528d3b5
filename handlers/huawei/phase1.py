"""Phase 1 came up: hwIKESaPhase1Establish.

A weak sign of recovery; there is no notification that says that phase 1 went down.
"""

from handlers.huawei._family import handler

HANDLER = handler("phase1")
