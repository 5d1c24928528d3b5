"""Real wire messages of any known event, to test an installation from outside.

``templates`` picks the wording and fills it, ``syslog`` and ``traps`` make the bytes, ``links`` carries them.
Everything a device would do is done by the device's rules; SNMP is left to pysnmp, so that what we send was not made
by the code that we receive with.
"""
