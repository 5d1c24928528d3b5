"""Huawei firewalls and routers (USG, Eudemon, AR, NetEngine, campus switches): syslog and SNMP notifications."""
