"""Processes of eventd that begin as copies of one which has read all of its modules.

To start Python and to import eventd takes a second of processor time, and a run of the tests starts more than a hundred
of them. What is forked here has its own arguments, folder, environment, output and end, as ``python -m eventd`` has;
what comes before the first line of `eventd.__main__.main` is left to the tests which use `subprocess`
(`test_hangup.py`, `test_every_problem.py`, those in `tests/cli`).
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

#: A request with the environment of a process; more than any machine has there.
LONGEST = 2**20
#: More than are open here.
DESCRIPTORS = 1024


class Child:
    """One process, with what the tests need of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid, self.returncode = pid, None
        self._over = os.pidfd_open(pid)  # the nursery leaves it unburied until it is asked

    def poll(self) -> int | None:
        """As that of `subprocess.Popen`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, or less than zero the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        if self.returncode is None:
            if not select.select([self._over], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"eventd {self.pid}", timeout or 0)
            self.returncode = int(nursery().ask({"bury": self.pid}))
            os.close(self._over)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def spawn(
    arguments: Sequence[str], out: IO[Any], err: IO[Any], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Child:
    """``eventd`` with these arguments. It has nothing to read."""
    what = {"arguments": [*arguments], "cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env)}
    return Child(int(nursery().ask(what, [out.fileno(), err.fileno()])))


def run(
    arguments: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """``eventd`` with these arguments to its end, as `subprocess.run` with ``capture_output`` and ``text``."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = spawn(arguments, out, err, cwd, env).wait(timeout)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess([*arguments], code, out.read(), err.read())


class Nursery:
    """The process from which the others are forked. It ends when this one does."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def ask(self, what: Mapping[str, Any], files: Sequence[int] = ()) -> bytes:
        with self._turn:
            socket.send_fds(self._ours, [json.dumps(what).encode()], files)
            answer = self._ours.recv(100)
        assert answer, "the nursery has ended"
        return answer


@functools.cache
def nursery() -> Nursery:
    return Nursery()


def prepare() -> None:
    """Read and compile what every start needs: modules, what vendors say, pages. Nothing of it lives outside memory."""
    importlib.import_module("eventd.cli.run")
    from eventd.config import load
    from eventd.verify import verify
    from eventd.web.looks import environment

    verify(load(None))
    for name in environment().list_templates(["j2"]):
        environment().get_template(name)
    gc.freeze()


def serve(sock: socket.socket) -> None:
    """Fork and bury until nobody asks any more. Comes back in each child as well, when that is to be eventd."""
    while True:
        data, files, _, _ = socket.recv_fds(sock, LONGEST, 2)
        if not data:
            sys.exit()
        request = json.loads(data)
        if "bury" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["bury"], 0)[1])
        elif not (answer := os.fork()):
            become(request, files)
            return
        for file in files:
            os.close(file)
        sock.send(str(answer).encode())


def become(request: Mapping[str, Any], files: Sequence[int]) -> None:
    """What exec and the start of Python do."""
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
    os.closerange(3, DESCRIPTORS)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.argv = ["eventd", *request["arguments"]]


if __name__ == "__main__":
    from eventd.__main__ import main

    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
    main()
