"""What every contender is: processes on ports of their own, and how far they have come."""

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import trustme
from loads import Load
from peers import found, peer
from service import free_port, until
from storm import datagrams_dropped

TICK = os.sysconf("SC_CLK_TCK")

#: The processor that contenders have, all of them this one; the sender and whoever looks has the others.
CORES = sorted(os.sched_getaffinity(0))


@contextmanager
def one_core() -> Iterator[None]:
    """Whoever is started meanwhile has one processor, and all its threads with it."""
    os.sched_setaffinity(0, CORES[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES[:-1] or CORES)


def cpu_seconds(*pids: int) -> float:
    """User and system time of processes (proc(5), fields 14 and 15 of stat)."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICK


def peak_megabytes(*pids: int) -> float:
    """The most memory that processes ever held (proc(5), VmHWM)."""
    told = [Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1] for pid in pids]
    return sum(int(text.split()[0]) for text in told) / 1024


class Contender(ABC):
    """Started for one load in a folder of its own, measured, and stopped."""

    name: ClassVar[str]
    does: ClassVar[str]
    loads: ClassVar[tuple[str, ...]]
    #: Messages/s with which a search begins: what takes long to work off tells nothing.
    first_rate: ClassVar[float] = 3000.0
    #: Messages of a try are a multiple of this.
    portion: ClassVar[int] = 10
    #: Whether it knows more after a while, and a message then costs more.
    learns: ClassVar[bool] = False
    #: Nothing more is coming when nothing came for so long.
    quiet_s: ClassVar[float] = 0.5

    def __init__(self, folder: Path, load: Load) -> None:
        self.folder, self.load = folder, load
        if load.tls:
            server = trustme.CA().issue_cert("localhost")
            server.private_key_pem.write_to_path(folder / "key.pem")
            server.cert_chain_pems[0].write_to_path(folder / "cert.pem")

    @classmethod
    def missing(cls) -> str | None:
        """What has to be installed for it to take part; None where nothing is missing."""
        return None

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Of what takes part."""

    @property
    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Its processes."""

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

    needs: ClassVar[tuple[str, ...]]
    mark: ClassVar[bytes] = b"\n"
    #: What makes the first of ``needs`` tell its version.
    tells_version: ClassVar[str] = "--version"
    #: Stands in the file if messages were understood and not only counted.
    proof: ClassVar[bytes] = b""

    def __init__(self, folder: Path, load: Load) -> None:
        super().__init__(folder, load)
        self._port, self.out = free_port(), folder / "out"
        self._read, self._counted = 0, 0
        environment = {**os.environ, **self.environment()}
        with (folder / "log").open("wb") as log, one_core():
            self._processes = [
                subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
                for command in self.commands()
            ]
        until(self._listens, f"{self.name} to listen")

    @classmethod
    def missing(cls) -> str | None:
        return ", ".join(program for program in cls.needs if not found(program)) or None

    @classmethod
    def version(cls) -> str:
        command = [peer(cls.needs[0]), cls.tells_version]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        number = re.search(r"\d+(\.\d+)+", told.stdout + told.stderr)
        return number.group() if number else "unknown"

    def _listens(self) -> bool:
        log = (self.folder / "log").read_text(errors="replace")
        assert all(process.poll() is None for process in self._processes), f"{self.name} ended: {log}"
        ports = Path("/proc/net/tcp" if self.load.stream else "/proc/net/udp").read_text()
        return f":{self._port:04X} " in ports

    @abstractmethod
    def commands(self) -> list[list[str]]:
        """How it is started in the foreground, its configuration written; several where it takes several programs."""

    def environment(self) -> Mapping[str, str]:
        """What it wants in its environment beyond ours."""
        return {}

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

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
        self.end()
        assert self.proof in self.out.read_bytes(), f"{self.name} did not understand what it got"

    def end(self) -> None:
        """Ask its processes to end, and see to it."""
        for process in self._processes:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
