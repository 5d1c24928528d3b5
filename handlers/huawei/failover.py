"""The units of a hot-standby pair changed roles: hwVgmpOtherStateToMaster, hwVgmpMasterToOtherState.

``extra["state"]`` is what this unit now is: ``master`` or ``other``. Stops on the old master are expected.
"""

from handlers.huawei._family import handler

MASTER, SLAVE = "3", "4"  # hwVgmpGroupCfgState

HANDLER = handler(
    "failover",
    trap_defaults={
        "hwVgmpOtherStateToMaster": {"hwVgmpGroupCfgState": SLAVE, "hwVgmpGroupCfgNextState": MASTER},
        "hwVgmpMasterToOtherState": {"hwVgmpGroupCfgState": MASTER, "hwVgmpGroupCfgNextState": SLAVE},
    },
)
