"""What has to outlive us of SNMPv3: our own engine, which senders of informs remember (RFC 3414 section 2.2), and what
was learned of theirs."""

import secrets
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from eventd.inventory import engine_id
from eventd.parse.engines import MAX_BOOTS, Engines
from eventd.telemetry import get_logger

#: Engine id of ours, when none is configured (RFC 3411 section 5): format 5, octets chosen once and kept in the store.
ENGINE_ID_PREFIX = bytes.fromhex("8000000005")

#: The clocks of devices move on by themselves, so an old one tells as much as a new one; this is for how long ago each
#: was heard, in seconds. What else changes is saved at once.
SAVE_CLOCKS_S = 3600.0

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


class KeptEngines:
    """Brings ``engines`` to the store and back."""

    KEY = "learned_engines"

    def __init__(self, store: Kept, engines: Engines) -> None:
        self._store, self._engines = store, engines
        self._saved_changes, self._saved_at = -1, 0.0

    async def restore(self) -> None:
        """Learn what was saved last. What cannot be read is said and costs only itself: engines are learned anew."""
        kept = await self._store.meta_get(self.KEY)
        try:
            self._engines.restore(msgspec.json.decode(kept or "{}", type=dict[str, list[Any]]))
        except (ValueError, TypeError) as error:
            log.error("what was learned of SNMP engines cannot be read and is lost", error=str(error))
        self._saved_changes = self._engines.changes.total()

    async def save(self, now: float) -> None:
        """If something was learned since the last time that is worth it."""
        changes = self._engines.changes.total()
        if changes == self._saved_changes and now - self._saved_at < SAVE_CLOCKS_S:
            return
        await self.save_all(now)

    async def save_all(self, now: float) -> None:
        """In any case."""
        changes = self._engines.changes.total()
        await self._store.meta_set(self.KEY, msgspec.json.encode(self._engines.snapshot()).decode())
        self._saved_changes, self._saved_at = changes, now
