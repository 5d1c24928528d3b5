"""What the reading of messages has to tell beside its results: counted, and logged as often as a person wants it."""

from eventd.contract import EngineChange
from eventd.decode import Decoder
from eventd.newcomers import MAX_NAMES
from eventd.telemetry import RateLimit, Telemetry, get_logger

#: What every engine does; the rest wants a look.
USUAL_CHANGES = (EngineChange.LEARNED, EngineChange.REBOOTED)
#: What a whole fleet may do at once, or anybody in the name of any engine: one line stands for all.
COMMON_CHANGES = (*USUAL_CHANGES, EngineChange.SHARED, EngineChange.CLAIMED)

log = get_logger("pipeline")


def tell(decoder: Decoder, telemetry: Telemetry, limit: RateLimit) -> None:
    """Tell what came up since the last call."""
    _engines(decoder, telemetry, limit)
    _hostnames(decoder, telemetry, limit)


def _engines(decoder: Decoder, telemetry: Telemetry, limit: RateLimit) -> None:
    """What changed about SNMP engines; the first sight of a fleet is one line."""
    for change, engine_id, detail in decoder.access.engines.take_notices():
        telemetry.inc("snmp_engine_changes", change)
        held = limit.allow(("engine", change, b"" if change in COMMON_CHANGES else engine_id))
        if held is not None:
            say = log.info if change in USUAL_CHANGES else log.warning
            say(f"SNMP engine: {change}", engine=engine_id.hex(), detail=detail, held_back=held)


def _hostnames(decoder: Decoder, telemetry: Telemetry, limit: RateLimit) -> None:
    """Who spoke for more devices than an address may."""
    for source, (count, hostname) in decoder.identities.newcomers.take_refused().items():
        telemetry.inc("hostnames_refused", n=count)
        held = limit.allow(("hostnames", source))
        if held is not None:
            log.warning(
                "one address uses too many host names; what it says under others counts as its own: a relay belongs "
                "into trusted_forwarders, or its devices into the inventory",
                source=source,
                names=MAX_NAMES,
                hostname=hostname,
                held_back=held,
            )
