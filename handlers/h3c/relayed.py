"""Messages without a mnemonic are told by their sentence: Comware's unicom layout has a serial number in its place, and
relays cut long tags. The record then has version and module in place of the program's name.

unicom may wrap the text as ``log_type=…;content=…``.
"""

import re
from collections.abc import Callable

from msgspec.structs import replace

from eventd.contract import Handler, Origin
from eventd.model import Event, SyslogRecord
from handlers.h3c import (
    _event,
    capacity,
    config,
    failover,
    link,
    negotiation,
    phase1,
    restart,
    security,
    tunnel_start,
    tunnel_stop,
)
from handlers.h3c._tables import VENDOR

#: Version and module, as they stand in place of the program's name.
MODULES = tuple(
    f"10{module}"
    for module in ("IKE", "IPSEC", "IFNET", "BFD", "CFGMAN", "SHELL", "DEV", "SYSLOG", "HA", "VRRP4", "VRRP6")
)
#: What is said (case-folded, single blanks) → the mnemonic that says it. The first that fits counts.
BY_SENTENCE = tuple(
    (re.compile(words), mnemonic)
    for words, mnemonic in (
        (r"fail\w* to establish (?:the )?(?:ike )?phase.?1 sa", "IKE_P1_SA_ESTABLISH_FAIL"),
        (r"fail\w* to establish (?:the )?(?:ike )?phase.?2 sa", "IKE_P2_SA_ESTABLISH_FAIL"),
        (r"fail\w* to establish (?:the |an )?ipsec sa", "IPSEC_SA_ESTABLISH_FAIL"),
        (r"phase.?1 sa (?:was |has been |is )?deleted", "IKE_P1_SA_TERMINATE"),
        (r"phase.?2 sa (?:was |has been |is )?deleted", "IKE_P2_SA_TERMINATE"),
        (r"ipsec sa (?:was |has been |is )?deleted", "IPSEC_SA_TERMINATE"),
        (r"(?:began|begin|start\w*) to establish (?:the |an )?ipsec sa", "IPSEC_SA_INITINATION"),
        (r"established (?:the |an )?ipsec sa|ipsec sa (?:was |has been )?established", "IPSEC_SA_ESTABLISH"),
        (r"fail\w* to verify (?:the )?peer certificate", "IKE_VERIFY_CERT_FAIL"),
        (r"extended authentication", "IKE_XAUTH_FAILE"),
        (r"ipsec packet (?:was )?discarded", "IPSEC_PACKET_DISCARDED"),
        (r"anti-replay dropped", "IPSEC_ANTI-REPLAY_WINDOWS_ERROR"),
        (r"fail\w* to add flow.table", "IPSEC_FAILED_ADD_FLOW_TABLE"),
        (r"physical state on the interface", "PHY_UPDOWN"),
        (r"line protocol (?:state )?on the interface|link status is", "LINK_UPDOWN"),
        (r"^sess\[", "BFD_CHANGE_FSM"),
        (r"configuration (?:is |was )?changed", "CFGMAN_CFGCHANGED"),
        (r"command is ", "SHELL_CMD"),
        (r"system is rebooting", "SYSTEM_REBOOT"),
        (r"board is rebooting", "BOARD_REBOOT"),
        (r"system restarted", "SYSLOG_RESTART"),
        (r"changed to the master", "HA_STANDBY_TO_MASTER"),
        (r"status of ipv[46] virtual router", "VRRP_STATUS_CHANGE"),
    )
)
_FAMILIES = (
    capacity,
    config,
    failover,
    link,
    negotiation,
    phase1,
    restart,
    security,
    tunnel_start,
    tunnel_stop,
)
_HANDLERS: tuple[Handler, ...] = tuple(family.HANDLER for family in _FAMILIES)
_OWNERS: dict[str, Callable[[SyslogRecord, Origin], Event] | None] = {
    mnemonic.casefold(): handler.decode_syslog for handler in _HANDLERS for mnemonic in handler.mnemonics
}
_WRAPPED = re.compile(r"\s*log_type=([^;]*);\s*content=", re.IGNORECASE)
#: A sentence is told by its beginning; nobody's list of items is searched for one.
SENTENCE_WITHIN = 160


def mnemonic_of(text: str) -> str | None:
    """The mnemonic that a message with this text must have had; None where nothing says."""
    sentence = " ".join(text[:SENTENCE_WITHIN].casefold().split())
    return next((mnemonic for words, mnemonic in BY_SENTENCE if words.search(sentence)), None)


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """As the handler of that mnemonic; a message that no mnemonic is found for is nobody's. The header stays as it was
    read, and ``extra["recognised_by"]`` is ``text``."""
    wrapped = _WRAPPED.match(record.text)
    text = record.text[wrapped.end() :] if wrapped else record.text
    name = mnemonic_of(text)
    decode = _OWNERS[name.casefold()] if name else None
    if decode is None:
        return _event.unclaimed(record, origin)
    event = decode(replace(record, mnemonic=name, text=text), origin)
    told = {"recognised_by": "text", **({"log_type": wrapped[1]} if wrapped and wrapped[1] else {})}
    return replace(event, header=replace(event.header, mnemonic=None), extra={**event.extra, **told})


HANDLER = Handler(name="h3c.relayed", vendor=VENDOR, mnemonics=MODULES, decode_syslog=decode_syslog)
