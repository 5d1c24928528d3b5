"""What every contender is: a process on ports of its own that says how far it has come."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from loads import Load
from service import free_port, until
from storm import datagrams_dropped

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_megabytes(pid: int) -> float:
    """The most memory that a process ever held (proc(5), VmHWM)."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


class Contender(ABC):
    """Started for one load in a folder of its own, measured, and stopped."""

    name: ClassVar[str]
    does: ClassVar[str]
    loads: ClassVar[tuple[str, ...]]
    #: The program that has to be installed, if it is not ours.
    needs: ClassVar[str | None] = None

    def __init__(self, folder: Path, load: Load) -> None:
        self.folder, self.load = folder, load

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its process."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Where it takes messages."""

    @abstractmethod
    def done(self) -> int:
        """How many messages have left a result so far."""

    def expects(self, count: int) -> int:
        """How many results ``count`` messages leave."""
        return self.load.relevant(count)

    def lost(self) -> int:
        """Datagrams that the kernel dropped on its sockets so far."""
        return datagrams_dropped(self.port)

    @abstractmethod
    def stop(self) -> None:
        """End it and check what it promises. Raises AssertionError."""


class Program(Contender):
    """A program of somebody else that writes a line per result into a file."""

    needs: ClassVar[str]
    mark: ClassVar[bytes] = b"\n"
    #: Stands in the file if messages were understood and not only counted.
    proof: ClassVar[bytes] = b""

    def __init__(self, folder: Path, load: Load) -> None:
        super().__init__(folder, load)
        self._port, self.out = free_port(), folder / "out"
        self._read, self._counted = 0, 0
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=folder, env={**os.environ, **self.environment()}
            )
        until(self._listens, f"{self.name} to listen")

    def _listens(self) -> bool:
        log = (self.folder / "log").read_text(errors="replace")
        assert self._process.poll() is None, f"{self.name} ended: {log}"
        ports = Path("/proc/net/tcp" if self.load.stream else "/proc/net/udp").read_text()
        return f":{self._port:04X} " in ports

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started in the foreground, its configuration written."""

    def environment(self) -> Mapping[str, str]:
        """What it wants in its environment beyond ours."""
        return {}

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return self._port

    def done(self) -> int:
        if self.out.exists():
            with self.out.open("rb") as file:
                file.seek(self._read)
                while chunk := file.read(1 << 20):
                    self._read += len(chunk)
                    self._counted += chunk.count(self.mark)
        return self._counted

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self.proof in self.out.read_bytes(), f"{self.name} did not understand what it got"
