"""aiosyslogd, of all syslog servers on PyPI the one that keeps what it gets: each line into SQLite, with a text index.

It lives in an environment of its own (`make bench` makes it), with uvloop, which its documentation recommends.
"""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from contenders.base import Program

HERE = Path(__file__).parent.parent
PYTHON = HERE.parent.parent / "build/bench-venv/bin/python"
#: Its default is 100; eventd's commits have up to 512.
BATCH = 500
CONFIG = """
[server]
bind_ip = "127.0.0.1"
bind_port = {port}
[database]
driver = "sqlite"
batch_size = {batch}
batch_timeout = 1
[database.sqlite]
database = "{folder}/log.db"
"""


class Aiosyslogd(Program):
    """Results are rows in its database. It writes full batches at once, others after a second without messages."""

    name, does = "aiosyslogd", "takes the header apart, keeps the line (SQLite, text index)"
    needs = ()
    loads = ("relevant",)
    portion, quiet_s = BATCH, 2.5

    @classmethod
    def missing(cls) -> str | None:
        return None if (PYTHON.parent / "aiosyslogd").exists() else "aiosyslogd (pip install, by make bench)"

    @classmethod
    def version(cls) -> str:
        ask = "import importlib.metadata; print(importlib.metadata.version('aiosyslogd'))"
        return subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()

    def commands(self) -> list[list[str]]:
        config = CONFIG.format(port=self.port, batch=BATCH, folder=self.folder)
        (self.folder / "aiosyslogd.toml").write_text(config)
        return [[str(PYTHON), str(HERE / "aiosyslogd_server.py")]]

    def done(self) -> int:
        """Its ids are given one by one and never again."""
        for file in self.folder.glob("log_*.db"):  # one a month, made at the first write
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                try:
                    return int(database.execute("SELECT coalesce(max(ID), 0) FROM SystemEvents").fetchone()[0])
                except sqlite3.OperationalError:
                    return 0  # not yet made
        return 0

    def stop(self) -> None:
        [file] = self.folder.glob("log_*.db")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            [(message,)] = database.execute("SELECT Message FROM SystemEvents ORDER BY ID DESC LIMIT 1")
            assert "SrcIP=198.51.100.1" in message, "aiosyslogd did not keep the line"
        self.end()
