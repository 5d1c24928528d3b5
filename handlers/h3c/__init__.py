"""H3C firewalls and routers with Comware V3, V5 and V7 (SecPath, MSR; also HP's): syslog and SNMP notifications."""
