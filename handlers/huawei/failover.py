"""The units of a hot-standby pair changed roles. ``extra["kind"]`` is what tells of it: ``vgmp``
(hwVgmpOtherStateToMaster, hwVgmpMasterToOtherState), ``hrp`` (HRPI/1/CORE_STATE) or ``vrrp``.

``extra["state"]`` is what this unit now is: ``master``, ``other`` or, for HRP, ``normal`` (both units are well and each
has the role that it was given). Stops on the old master are expected.

VRRP/4/STATEWARNING and STATEWARNINGEXTEND: http://a10.tagan.ru/huawei/dc/VRRP_STATEWARNINGEXTEND.html;
VRRP/2/VRRPMASTERDOWN and VRRP/4/vrrpTrapNewMaster: the alarm pages of HUAWEI-VRRP-EXT-MIB and EDOC1100039602. The words
of HRP are those of `display hrp state` (https://usg.zrnko.cz/resources/cli/display_hrp_state.html); that a log prints
them under this mnemonic is a guess, so the sentence is what decides.
"""

import re

from eventd.contract import Origin, SyslogTemplate
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord
from handlers.huawei import _event, _fields
from handlers.huawei._family import handler, logs
from handlers.huawei._tables import BY_MNEMONIC, Kind
from handlers.huawei._templates import alarm, wire_fields

NAME = "huawei.failover"
EVENT = "device.failover"
MASTER, SLAVE = "3", "4"  # hwVgmpGroupCfgState
HRP = "CORE_STATE"
VRRP = ("STATEWARNING", "STATEWARNINGEXTEND")
#: One mnemonic for every change; the text decides.
EITHER = logs(*(Kind(name) for name in (HRP, *VRRP)))
KINDS = {**BY_MNEMONIC, **EITHER}
KEYS = {**_fields.WIRE_KEYS, "changereason": "reason"}
_VRRP = re.compile(r"Virtual Router state (\w+) changed to (\w+)(?:, because of ([^.(]+))?", re.IGNORECASE)
_HRP = re.compile(r"HRP core state changed.{0,200}?\bnew_state *= *(\w+(?:\(\w+\))?)", re.IGNORECASE | re.DOTALL)
_BECAUSE = re.compile(r'due to "([^"]+)"')
HRP_STATES = {"normal": "normal", "abnormal(active)": "master", "abnormal(standby)": "other"}


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where a message for every change does not say which."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    _, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed(fields, KEYS)
    kind = _event.kind_of(record, KINDS)
    if kind.event is None and kind.name in VRRP:
        kind = _vrrp(record.text)
    elif kind.event is None and kind.name == HRP:
        kind = _hrp(record.text)
    return _event.syslog_event(record, origin, kind, known, extra | cut)


def _vrrp(text: str) -> Kind:
    """Whether this unit took the virtual address, gave it up, or had nothing to do with it before or after."""
    changed = _VRRP.search(text)
    if changed is None:
        raise DecodeError(NAME, "the text does not say from what to what")
    old, new, why = changed[1].upper(), changed[2].upper(), changed[3]
    mark = {"kind": "vrrp", **({"Reason": why.strip()} if why else {})}
    if "MASTER" not in (old, new):
        return Kind(VRRP[0], mark=mark)
    return Kind(VRRP[0], EVENT, "warning", {**mark, "state": "master" if new == "MASTER" else "other"})


def _hrp(text: str) -> Kind:
    changed = _HRP.search(text)
    if changed is None:
        raise DecodeError(NAME, "the text does not say to what state")
    why = _BECAUSE.search(text)
    mark = {"kind": "hrp", **({"Reason": why[1]} if why else {})}
    state = HRP_STATES.get(changed[1].lower(), changed[1])
    return Kind(HRP, EVENT, "info" if state == "normal" else "warning", {**mark, "state": state})


HANDLER = handler(
    "failover",
    EITHER,
    decode_syslog=decode_syslog,
    syslog_templates=(
        SyslogTemplate(
            EVENT,
            "VRRP",
            4,
            "STATEWARNINGEXTEND",
            "Virtual Router state BACKUP changed to MASTER, because of protocol timer expired.",
            wire_fields("Interface VrId InetType", VrId="1", InetType="IPv4"),
            source="http://a10.tagan.ru/huawei/dc/VRRP_STATEWARNINGEXTEND.html",
        ),
        alarm(
            "hwVrrpExtTrapMasterDown",
            2,
            "The state of VRRP changed from master to other state.",
            "VrrpIfIndex VrId IfIndex IPAddress NodeName IfName CurrentState ChangeReason",
            module="VRRP",
            mnemonic="VRRPMASTERDOWN",
            names=KEYS,
            VrrpIfIndex="12",
            VrId="1",
            IPAddress="192.0.2.1",
            NodeName="FW1",
            CurrentState="1",
            ChangeReason="priority calculation",
        ),
    ),
    trap_defaults={
        "hwVgmpOtherStateToMaster": {"hwVgmpGroupCfgState": SLAVE, "hwVgmpGroupCfgNextState": MASTER},
        "hwVgmpMasterToOtherState": {"hwVgmpGroupCfgState": MASTER, "hwVgmpGroupCfgNextState": SLAVE},
        "hwVrrpExtTrapMasterDown": {"vrrpOperState": "2", "reason": "priority calculation"},
    },
)
