"""The units of a hot-standby pair changed roles: hwVgmpOtherStateToMaster, hwVgmpMasterToOtherState.

``extra["state"]`` is what this unit now is: ``master`` or ``other``. Stops on the old master are expected.
"""

from handlers.huawei._family import handler

HANDLER = handler("failover")
