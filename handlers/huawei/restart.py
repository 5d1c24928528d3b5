"""The device, a board or its SNMP agent restarted: coldStart, warmStart, hwSysReloadNotification, hwBoardResetByCmd."""

from handlers.huawei._family import handler

HANDLER = handler("restart")
