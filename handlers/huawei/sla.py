"""The probe through a tunnel: it is dead (ALM-15859603) or poor (ALM-15859601), or better again.

A clear has ``extra["state"] = "clear"``. The alarm pages print the text without module and mnemonic, so the mnemonics
here are guesses after the pattern of other alarms; which of the two it is, the text decides. Delays are milliseconds,
loss is percent.
"""

from eventd.contract import Handler, Origin, SyslogTemplate
from eventd.errors import DecodeError
from eventd.model import Event, SyslogRecord
from handlers.huawei import _event
from handlers.huawei._family import read
from handlers.huawei._fields import WIRE_KEYS
from handlers.huawei._tables import VENDOR, Kind
from handlers.huawei._templates import wire_fields
from handlers.huawei.reasons import CONDITION

NAME = "huawei.sla"
DOWN, DEGRADED = "hwIPSecSlaLinkDown", "hwIPSecSlaLinkQualityWorse"
#: Guessed, see above. VRP5 would print them without ``hw``.
GUESSED = (DOWN, DEGRADED, DOWN.removeprefix("hw"), DEGRADED.removeprefix("hw"))
#: What the texts of the two pages say.
BY_TEXT = {
    "link status": Kind(DOWN, "ipsec.sla.down", "major", space=CONDITION, implies="SLA link down"),
    "link quality": Kind(
        DEGRADED, "ipsec.sla.degraded", "warning", space=CONDITION, implies="SLA quality worse than the threshold"
    ),
}
KEYS = "IfName PolicyName PolicyId PolicyAlias TunnelVpnName PeerAddress LocalAddress"
PAGE = "https://support.huaweicloud.com/intl/en-us/moredocuments-qiankuncs/alarm_detail_100000_"


def decode_syslog(record: SyslogRecord, origin: Origin) -> Event:
    """Raises `DecodeError` where the text is of neither page."""
    if _event.is_h3c(record):
        return _event.unclaimed(record, origin)
    kind = next((kind for words, kind in BY_TEXT.items() if words in record.text.lower()), None)
    if kind is None:
        raise DecodeError(NAME, "neither link status nor link quality")
    known, extra = read(record)
    if extra.get("Status", "").lower() == "up":
        extra["state"] = "clear"
        known["severity"] = "info"
    return _event.syslog_event(record, origin, kind, known, extra)


def _template(words: str, number: int, text: str, keys: str, **given: str) -> SyslogTemplate:
    kind = BY_TEXT[words]
    assert kind.event is not None
    fields = wire_fields(f"{KEYS} {keys}", WIRE_KEYS, **given)
    return SyslogTemplate(kind.event, "IPSEC", 4, kind.name, text, fields, source=f"{PAGE}{number}.html")


HANDLER = Handler(
    name=NAME,
    vendor=VENDOR,
    mnemonics=GUESSED,
    decode_syslog=decode_syslog,
    syslog_templates=(
        _template(
            "link status", 15859603, "The link status of IPsec SLA detection change to down.", "Status", Status="down"
        ),
        _template(
            "link quality",
            15859601,
            "The link quality of IPsec SLA detection is worse than the threshold.",
            "CurDelay CurLossRate CurJitter DelayThreshold LossRateThreshold JitterThreshold",
            CurDelay="180",
            CurLossRate="7",
            CurJitter="40",
            DelayThreshold="100",
            LossRateThreshold="5",
            JitterThreshold="30",
        ),
    ),
)
