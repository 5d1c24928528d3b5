"""eventd as it is installed: default durability and timers, every event in the journal, the ledger checked."""

import sqlite3
from importlib import metadata
from pathlib import Path

from flood import settled
from loads import Load
from service import PLAIN, Service

from contenders.base import Contender, one_core

USER_OF_V3 = """communities = ["public"]
[[receivers.snmp.users]]
name = "fw"
level = "authPriv"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
"""
TLS = """
[receivers.syslog_tls]
listen = "127.0.0.1:{syslog_tls}"
cert_file = "cert.pem"
key_file = "key.pem"
"""


class Eventd(Contender):
    """Results are events that are committed; asked of its database, which costs it nothing."""

    name, does = "eventd", "decodes, judges, journals (fsync), alerts"
    loads = ("relevant", "fresh", "irrelevant", "changes", "fleet", "tcp", "tls", "traps", "fresh traps", "v3 traps")
    learns = True

    def __init__(self, folder: Path, load: Load, extra: str = "") -> None:
        super().__init__(folder, load)
        self.service = Service(folder, extra=extra + (TLS if load.tls else ""), snmp_extra=USER_OF_V3, base=PLAIN)
        with one_core():
            self.service.start()
        self.journal = sqlite3.connect(f"file:{folder / 'eventd.db'}?mode=ro", uri=True)

    @classmethod
    def version(cls) -> str:
        return metadata.version("eventd")

    @property
    def pids(self) -> tuple[int, ...]:
        assert self.service.process is not None
        return (self.service.process.pid,)

    @property
    def port(self) -> int:
        return self.service.ports[self.load.port]

    def done(self) -> int:
        return int(self.journal.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def stop(self) -> None:
        """Once the last try is worked off the ledger balances, and every event that was counted is in the journal."""
        events = self.service.total(settled(self.service), "eventd_events_total")
        self.service.stop()
        [(rows,)] = self.journal.execute("SELECT count(*) FROM events")
        self.journal.close()
        assert rows == events, f"{rows} rows in the journal for {events} events"
