"""The data plane lost flows to be encrypted and the device restored them: IPSEC_ADP/4/FLOWSELFHEAL (USG, log only).

Known (https://usg.zrnko.cz/resources/cli/ipsec_share-flow_recover_enable.html): written by the template end when it
fetched lost flow entries again from the IKE process or another CPU. Its text and fields are documented nowhere:
whatever looks like ``Key=value`` or like an address is taken, nothing is required, and the text is kept.
"""

import re

from eventd.contract import Handler, Origin, SyslogTemplate
from eventd.model import Event, SyslogRecord
from handlers._common.values import ip
from handlers.huawei import _event, _fields
from handlers.huawei._family import logs
from handlers.huawei._tables import VENDOR, Kind
from handlers.huawei.reasons import CONDITION

MNEMONIC = "FLOWSELFHEAL"
KINDS = logs(Kind(MNEMONIC, "ipsec.flow.selfheal", space=CONDITION, implies="flow self heal"))
#: Addresses listed in ``extra``; a message about more flows than this is cut, its text is kept whole.
MAX_LISTED = 16
#: Four numbers that are not part of an OID or a version, or hex groups with at least two colons.
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:.]))"
)


def addresses(text: str) -> list[str]:
    """Every IP address in a text, canonical, in order, each once; OID digits are none."""
    found: dict[str, None] = {}
    for candidate in _ADDRESS.findall(text):
        try:
            address = ip(candidate)
        except ValueError:
            continue
        if not address.is_unspecified:
            found[str(address)] = None
    return list(found)[:MAX_LISTED]


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Never refuses: the mnemonic alone is the event."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    outside, fields, cut = _fields.fields_of(record.text)
    known, extra = _fields.typed((*fields, *_fields.loose_fields(outside)))
    extra |= cut
    extra["text"] = record.text
    if listed := addresses(record.text):
        extra["addresses"] = ", ".join(listed)
    return _event.syslog_event(record, origin, KINDS[MNEMONIC.casefold()], known, extra)


HANDLER = Handler(
    name="huawei.flow_selfheal",
    vendor=VENDOR,
    mnemonics=(MNEMONIC,),
    decode_syslog=decode_syslog,
    syslog_templates=(
        SyslogTemplate(
            event="ipsec.flow.selfheal",
            module="IPSEC_ADP",
            level=4,
            mnemonic=MNEMONIC,
            text="Lost IPSec flow information was restored.",  # our words: the real text is documented nowhere
            fields=(),
            source="https://usg.zrnko.cz/resources/cli/ipsec_share-flow_recover_enable.html (mnemonic and level only)",
        ),
    ),
)
