"""Alerts on standard output, for a person at a terminal or a journal that collects it."""

import asyncio
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from eventd.aside import answer
from eventd.checked import Checked, Fault
from eventd.contract import Channel, Notifier, Pace
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Incident, Told
from eventd.notify.endpoint import configuring
from eventd.notify.localtime import zone_faults
from eventd.notify.markup import BARE
from eventd.notify.render import ENGLISH, colour, plain
from eventd.notify.session import Session
from eventd.notify.template import Renderer
from eventd.notify.tried import tried_template
from eventd.notify.words import Language, Words

#: A terminal or a pipe that takes no text for this long is stuck (a paused pager, a full pipe).
WRITE_TIMEOUT_S = 5.0

#: SGR sequences (ECMA-48 section 8.3.117) by severity, and for the all-clear.
COLOURS = {"critical": "1;31", "major": "31", "warning": "33", "info": "36", "resolved": "32"}


class Settings(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``color`` None means: only on a terminal. ``language`` and ``time_zone`` of the messages; ``template_file``
    replaces the layout."""

    color: bool | None = None
    language: Language = "en"
    time_zone: str = "UTC"
    template_file: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from zone_faults(given)


class Writer:
    """Writes to a stream from a thread of its own, one text at a time: a stuck terminal must not stop the loop.

    The thread is a daemon, because a blocked write cannot be taken back and must not hold up the exit. It begins with
    the first text: a console that is only looked at has none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._jobs: queue.SimpleQueue[tuple[str, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._current: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None

    async def write(self, text: str) -> None:
        """Raises `DeliveryError` where the stream is stuck or gone."""
        if self._current is not None and not self._current.done():
            raise DeliveryError(DeliveryFailure.TIMEOUT, "the last text is still being written", retryable=True)
        self._current = asyncio.get_running_loop().create_future()
        self._jobs.put((text, self._current))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="console", daemon=True)
            self._thread.start()
        try:
            await asyncio.wait_for(asyncio.shield(self._current), WRITE_TIMEOUT_S)
        except TimeoutError:
            raise DeliveryError(DeliveryFailure.TIMEOUT, "standard output takes no text", retryable=True) from None
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise DeliveryError(DeliveryFailure.CONNECT, f"standard output: {error}", retryable=True) from error

    def close(self) -> None:
        """Let the thread end once it has written what it has."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            text, done = job
            failed: Exception | None = None
            try:
                encoding = self._stream.encoding or "utf-8"
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
                self._stream.flush()
            except (OSError, ValueError) as error:
                failed = error
            if not answer(done, None, failed):
                return


class Console:
    """A block per notification; the first line is coloured by severity."""

    refresh_s: float | None = None
    pace = Pace()
    digests = 0

    def __init__(self, render: Renderer, stream: TextIO, *, color: bool, say: Words = ENGLISH) -> None:
        self._render, self._color, self._say, self._writer = render, color, say, Writer(stream)

    async def deliver(self, told: Told) -> str | None:
        await self._write(told, self.text(told))
        return None

    def text(self, told: Told) -> str:
        """`contract.Talker`, without colours."""
        return self._render(told)

    async def deliver_plain(self, told: Told) -> str | None:
        """The fallback: no template."""
        await self._write(told, plain(told, self._say))
        return None

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None: ...

    async def close(self) -> None:
        self._writer.close()

    async def _write(self, told: Told, text: str) -> None:
        if self._color:
            first, _, rest = text.partition("\n")
            text = f"\x1b[{COLOURS[colour(told)]}m{first}\x1b[0m\n{rest}"
        await self._writer.write(text.rstrip("\n") + "\n\n")


def build(name: str, settings: Settings, session: Session) -> Channel:
    """Raises `ConfigError` where the template cannot be used."""
    with configuring(name):
        say = session.words(settings.language, time_zone=settings.time_zone)
        render = tried_template("console.txt.j2", settings.template_file, BARE, session.base, say=say)
        color = session.stdout.isatty() if settings.color is None else settings.color
        return Console(render, session.stdout, color=color, say=say)


NOTIFIER = Notifier(kind="console", settings=Settings, build=build)
