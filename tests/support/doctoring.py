"""Configurations to be looked at by the doctor, and a way to look without the privileges that tests may run with."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from service import free_port

from eventd.config import Config, load
from eventd.doctor import Finding

#: Every socket on a free port of the loopback.
BASE = """
[receivers.syslog_udp]
listen = "127.0.0.1:{syslog_udp}"
[receivers.syslog_tcp]
listen = "127.0.0.1:{syslog_tcp}"
[receivers.snmp]
listen = "127.0.0.1:{snmp}"
[web]
listen = "127.0.0.1:{web}"
[store]
path = "{folder}/eventd.db"
"""


def write(folder: Path, extra: str = "", **replaced: str) -> Path:
    """A configuration file; ``replaced`` names lines of `BASE` by what they begin with."""
    text = BASE
    for old, new in replaced.items():
        text = text.replace(f"[receivers.{old}]", f"[receivers.{old}]\n{new}").replace(f"[{old}]", f"[{old}]\n{new}")
    ports = {name: free_port() for name in ("syslog_udp", "syslog_tcp", "snmp", "web")}
    path = folder / "eventd.toml"
    path.write_text(text.format(**ports, folder=folder) + extra)
    return path


def config(folder: Path, extra: str = "", **replaced: str) -> Config:
    return load(str(write(folder, extra, **replaced)))


def bad(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """(level, seen) of what is not as it should be."""
    return [(finding.level, finding.seen) for finding in findings if finding.level not in ("ok", "note")]


def unprivileged(path: Path) -> list[dict[str, Any]]:
    """The findings of a doctor without any capability."""
    may_drop = os.geteuid() == 0 and shutil.which("setpriv")
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if may_drop else []
    done = subprocess.run(
        [*drop, sys.executable, "-m", "eventd", "doctor", "-f", "json", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
