"""`traps.toml` as values: what each notification is called, means and carries, and what each object is."""

from handlers._common.tables import STANDARD, V1, Kind, Notification, ObjectType, Tables

__all__ = ("STANDARD", "V1", "VENDOR", "Kind", "Notification", "ObjectType")

VENDOR = "huawei"


def spellings(notification: str) -> tuple[str, ...]:
    """Case-folded mnemonics of one notification: the MIB name as VRP8 prints it, and without ``hw`` as VRP5 does. The
    second is documented for IPSECTUNNELSTART, IPSECTUNNELSTOP, IPSECNEGOFAIL, PKILOCALCERTNEARLYEXPIRED,
    PKICACERTNEARLYEXPIRED and ENTITYRESET; inferred for the rest.
    """
    folded = notification.casefold()
    return (folded, folded.removeprefix("hw")) if folded.startswith("hw") else (folded,)


TABLES = Tables(VENDOR, __package__, spellings)
OBJECTS, NOTIFICATIONS, SOURCES = TABLES.objects, TABLES.notifications, TABLES.sources
OID_OF, ENUMS, BY_MNEMONIC = TABLES.oid_of, TABLES.enums, TABLES.by_mnemonic
family, oids, mnemonics = TABLES.family, TABLES.oids, TABLES.mnemonics
