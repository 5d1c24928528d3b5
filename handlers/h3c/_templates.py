"""What `eventd send` needs to speak like an H3C device: the sentence of each log, and something for each varbind."""

import re

from eventd.contract import SyslogTemplate, WireField
from handlers._common.templates import Addresses

TRANSCRIPT = "a third party's transcription of a Comware 7 log book"
#: What is sent where nothing is given. Addresses are those of RFC 5737.
DEFAULTS = {
    "peer": "203.0.113.7",
    "local": "198.51.100.1",
    "reason": "DPD timeout",
    "protocol": "ESP",
    "SPI": "305419896",
    "interface": "GigabitEthernet1/0/1",
}
#: The same for varbinds, by event field or by name without the tree's prefix.
TRAP_DEFAULTS = {
    "peer": "203.0.113.7",
    "local": "198.51.100.1",
    "policy": "map1",
    "policy_seq": "10",
    "tunnel_index": "83",
    "ifindex": "12",
}
#: Columns that hold an end of a tunnel, or say how to read one.
ADDRESSES: Addresses = {
    "local": ("local", "inet"),
    "local_type": ("local", "inet-type"),
    "local_v4": ("local", "ipv4"),
    "peer": ("peer", "inet"),
    "peer_type": ("peer", "inet-type"),
    "peer_v4": ("peer", "ipv4"),
}
_FIELD = re.compile(r"\{(\w+)\}")


def sentence(event: str, tag: str, pattern: str, source: str = TRANSCRIPT, **given: str) -> SyslogTemplate:
    """The log of an event: ``tag`` is ``MODULE/level/MNEMONIC``, ``pattern`` its text with ``{field}`` in it."""
    module, level, mnemonic = tag.split("/")
    names = dict.fromkeys(_FIELD.findall(pattern))
    return SyslogTemplate(
        event=event,
        module=module,
        level=int(level),
        mnemonic=mnemonic,
        text="",
        fields=tuple(WireField(name, name, given.get(name, DEFAULTS.get(name, ""))) for name in names),
        source=source,
        pattern=pattern,
        form="comware",
    )
