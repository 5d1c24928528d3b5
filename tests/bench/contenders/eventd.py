"""eventd as it is installed: default durability, every event in the journal, the ledger checked."""

import sqlite3
from pathlib import Path

from loads import Load
from service import Service

from contenders.base import Contender

USER_OF_V3 = """communities = ["public"]
[[receivers.snmp.users]]
name = "fw"
level = "authPriv"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
"""


class Eventd(Contender):
    """Results are events that are committed; asked of its database, which costs it nothing."""

    name, does = "eventd", "decodes, judges, journals (fsync), alerts"
    loads = ("relevant", "fresh", "irrelevant", "changes", "fleet", "tcp", "traps", "v3 traps")

    def __init__(self, folder: Path, load: Load) -> None:
        super().__init__(folder, load)
        self._service = Service(folder, snmp_extra=USER_OF_V3)
        self._service.start()
        self._journal = sqlite3.connect(f"file:{folder / 'eventd.db'}?mode=ro", uri=True)

    @property
    def pid(self) -> int:
        assert self._service.process is not None
        return self._service.process.pid

    @property
    def port(self) -> int:
        return self._service.ports[self.load.port]

    def done(self) -> int:
        return int(self._journal.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def stop(self) -> None:
        """The ledger balances, and every event that was counted is in the journal."""
        faults = self._service.ledger_faults()
        assert not faults, faults
        events = self._service.total(self._service.metrics(), "eventd_events_total")
        self._service.stop()
        [(rows,)] = self._journal.execute("SELECT count(*) FROM events")
        self._journal.close()
        assert rows == events, f"{rows} rows in the journal for {events} events"
