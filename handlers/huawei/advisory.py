"""Notifications that no event fits: they are named, and nothing more. `traps.toml` says why for each (``why``)."""

from handlers.huawei._family import handler

HANDLER = handler("advisory")
