"""Security associations were cleared by command: hwIPSecIKEReset, hwIPSecIPSecReset (``extra["scope"]``).

The stops that follow are meant.
"""

from handlers.huawei._family import handler

HANDLER = handler("sa_reset")
