"""Bytes from the wire to records: syslog, SNMP, recordings and captures. Pure: no I/O, no clock, `ParseError` only."""
