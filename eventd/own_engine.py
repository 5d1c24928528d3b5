"""Our own SNMP engine, which senders of v3 informs remember: its id and boots outlive us (RFC 3414 section 2.2)."""

import secrets
from typing import Protocol

from msgspec import Struct

from eventd.inventory import engine_id
from eventd.parse.engines import MAX_BOOTS
from eventd.telemetry import get_logger

#: Engine id of ours, when none is configured (RFC 3411 section 5): format 5, octets chosen once and kept in the store.
ENGINE_ID_PREFIX = bytes.fromhex("8000000005")

log = get_logger("app")


class Kept(Protocol):
    """The part of the store that is used here."""

    async def meta_get(self, key: str) -> str | None:
        """A small value, None if there is none."""

    async def meta_set(self, key: str, value: str) -> None:
        """Keep it; returns after the commit."""


class OwnEngine(Struct, frozen=True):
    """Our engine since this start."""

    engine_id: bytes
    boots: int


async def own_engine(store: Kept, configured: str | None) -> OwnEngine:
    """Our engine as of now, with one more boot than before: kept before anything is answered with it.

    The id is the configured one, or made once and kept. Boots are counted per engine id and latched at their maximum,
    where no authenticated inform is taken any more.
    """
    own_id = engine_id(configured) if configured is not None else await _made_once(store)
    name = f"snmp_engine_boots:{own_id.hex()}"
    boots = min(int(await store.meta_get(name) or 0) + 1, MAX_BOOTS)
    await store.meta_set(name, str(boots))
    if boots == MAX_BOOTS:
        log.error("snmpEngineBoots is used up: configure a new receivers.snmp.engine_id", boots=boots)
    return OwnEngine(own_id, boots)


async def _made_once(store: Kept) -> bytes:
    kept = await store.meta_get("snmp_engine_id")
    if kept is None:
        kept = (ENGINE_ID_PREFIX + secrets.token_bytes(8)).hex()
        await store.meta_set("snmp_engine_id", kept)
    return bytes.fromhex(kept)
