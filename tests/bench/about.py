"""When, where and with what something was measured: the head of every file of the benchmark."""

import os
import platform
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

HERE = Path(__file__).resolve().parent


class About(Struct, frozen=True):
    """``at``: when it began; ``commit`` of what was measured, with ``-dirty`` where files were changed since; load
    averages of 1, 5 and 15 minutes."""

    at: str
    took_s: float
    commit: str
    machine: dict[str, str]
    load_begin: tuple[float, float, float]
    load_end: tuple[float, float, float]


class Measured(Struct, frozen=True):
    """What stands in a file."""

    about: About
    found: msgspec.Raw


class Clock:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._at, self._began, self._load = datetime.now(UTC), time.monotonic(), os.getloadavg()

    def about(self) -> About:
        """Of what ends now."""
        at, took = self._at.isoformat(timespec="seconds"), round(time.monotonic() - self._began, 1)
        return About(at, took, commit(), machine(), self._load, os.getloadavg())

    def write(self, path: Path, found: Any) -> None:
        """Into a file, as `Measured`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode({"about": self.about(), "found": found})))


def commit() -> str:
    """Of this checkout; ``unknown`` without git."""
    return _said("git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*") or "unknown"


def machine() -> dict[str, str]:
    """What may make one run differ from another."""
    return {
        "processor": f"{os.cpu_count()} x {_after('/proc/cpuinfo', 'model name') or platform.processor()}",
        "memory": f"{int(_after('/proc/meminfo', 'MemTotal').split()[0] or 0) / 2**20:.1f} GB",
        "disk": " ".join(_said("df", "--output=source,fstype", str(HERE)).split()[-2:]) or "unknown",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _after(path: str, key: str) -> str:
    """The value of the first line that begins so in a file of proc(5)."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "0")


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except OSError:
        return ""
