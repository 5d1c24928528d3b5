"""`traps.toml` as values, once for each of the trees that carry the same leaves."""

from collections.abc import Mapping
from typing import Any

from handlers._common.tables import Kind, Notification, ObjectType, Tables

__all__ = ("TABLES", "VENDOR", "Kind", "Notification", "ObjectType")

VENDOR = "h3c"
#: Objects of the standards are written with their whole OID and name.
WHOLE = "1.3.6.1."


def _in_trees(raw: dict[str, Any]) -> dict[str, Any]:
    """Every row under every tree, with that tree's root before its OID and that tree's prefix before its names."""
    trees: dict[str, str] = raw["tree"]
    whole = {row["name"] for oid, row in raw["object"].items() if oid.startswith(WHOLE)}

    def named(prefix: str, names: list[str]) -> list[str]:
        return [name if name in whole else prefix + name for name in names]

    objects: dict[str, Any] = {}
    notifications: dict[str, Any] = {}
    for prefix, root in trees.items():
        for oid, row in raw["object"].items():
            if oid.startswith(WHOLE):
                objects[oid] = row
            else:
                names = {"name": prefix + row["name"], "index": named(prefix, row.get("index", []))}
                objects[f"{root}.{oid}"] = {**row, **names}
        for leaf, row in raw["notification"].items():
            lists = {key: named(prefix, row.get(key, [])) for key in ("objects", "objects_old")}
            v1: Mapping[str, Any] = {**row["v1"], "enterprise": f"{root}.{row['v1']['enterprise']}"}
            notifications[f"{root}.{leaf}"] = {**row, **lists, "name": prefix + row["name"], "v1": v1}
    return {**raw, "object": objects, "notification": notifications}


TABLES = Tables(VENDOR, __package__, prepare=_in_trees)
OBJECTS, NOTIFICATIONS, SOURCES = TABLES.objects, TABLES.notifications, TABLES.sources
family = TABLES.family
