"""``eventd replay``: recorded messages through the real pipeline on a virtual clock, and what would have been told."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

import click
from msgspec import Struct

from eventd.cli.compared import differences_text, told_apart, totals_text
from eventd.cli.decode import open_input, tell_skipped
from eventd.cli.options import format_option
from eventd.cli.problems import fail
from eventd.cli.text import block, line
from eventd.config import Config, load_all
from eventd.errors import ParseError, Problem
from eventd.inputs import Input, Reader, in_order
from eventd.model import Malformed, to_json
from eventd.notify.render import headline
from eventd.printable import printable, printable_json
from eventd.registry import Registry
from eventd.registry import load as load_handlers
from eventd.replay import DeviceClock, Replay, Step, Summary, Text, decoder, texts
from eventd.telemetry import setup_logging
from eventd.whatif import WhatIf

#: How the configuration is called that nobody named.
BUILT_IN = "built-in"

#: A look at how far we are, in messages: often enough to see it move, too seldom to cost anything.
LOOK_EVERY = 500

#: Takes how many messages are done, and how many there will be as far as one can tell.
Progress = Callable[[int, float | None], None]


class _Files:
    """The input files, read side by side; one that cannot be read (on) is told and the others go on."""

    def __init__(self, names: Iterable[str], config: Config, registry: Registry, start: float | None) -> None:
        self._names, self._config, self._registry, self._start = list(names), config, registry, start
        self._unreadable = dict[str, int]()
        self._messages, self._bytes = 0, 0
        paths = [Path(name) for name in self._names]
        self._size = sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None
        self.failed = False

    def expected(self) -> float | None:
        """About how many messages there are: those read, and as many more as the bytes that are left will hold."""
        if not self._bytes or self._size is None:
            return None
        return self._messages * max(1.0, self._size / self._bytes)

    def __iter__(self) -> Iterator[Input]:
        """Everything in them, by time."""
        return in_order([self._one(name) for name in self._names])

    def _one(self, name: str) -> Iterator[Input]:
        try:
            with open_input(name) as stream:
                clock = DeviceClock(decoder(self._config, self._registry), self._start)
                reader = Reader(stream, None, clock)
                for found in clock.follow(self._counted(reader, stream)):
                    if isinstance(found, Malformed):
                        self._unreadable[name] = self._unreadable.get(name, 0) + 1
                    yield found
                tell_skipped(name, reader)
        except (OSError, ParseError) as error:
            self.failed = True
            fail(f"{name}: {getattr(error, 'strerror', None) or error}")

    def _counted(self, reader: Reader, stream: BufferedReader) -> Iterator[Input]:
        before = 0
        for number, found in enumerate(reader, 1):
            yield found
            self._messages += 1
            if number % LOOK_EVERY == 0 and self._size is not None:
                now = stream.tell()
                self._bytes += now - before
                before = now
        self._bytes += stream.tell() - before if self._size is not None else 0

    def tell_unreadable(self) -> None:
        for name, count in self._unreadable.items():
            fail(f"{name}: {count} line{'' if count == 1 else 's'} could not be read")


@click.command()
@click.option("-c", "--config", "path", type=click.Path(dir_okay=False), help="Configuration. Default: built-in.")
@format_option("An object per step, or a line of it for people.", "json", "text")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="When messages were received before the first that says so (UTC). Default: together with that one.",
)
@click.option(
    "--against",
    type=click.Path(dir_okay=False),
    help="What another configuration would have changed: the differences instead of the story.",
)
@click.option("--texts", "whole", is_flag=True, help="With -f text: below each notification what people would read.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(allow_dash=True))
def command(
    path: str | None, form: str, start: datetime | None, against: str | None, whole: bool, files: tuple[str, ...]
) -> None:
    """Replay messages (recordings, text, JSON lines of decode or the journal, packet captures) on a virtual clock: the
    incidents and notifications that a service with this configuration would have had. Nothing is opened or sent.

    The same input gives the same output, byte for byte. Several files are read as one, by time.

    Exit status: 0 done (whether or not two configurations differ), 1 a file could not be read, 2 wrong arguments or
    configuration.

    \b
    eventd replay -c eventd.toml -f text --texts received.rec.1 received.rec
    eventd replay -c eventd.toml --against patient.toml -f text received.rec
    """
    if whole and (form != "text" or against is not None):
        raise click.UsageError("--texts goes with -f text, and without --against")
    config, *others = load_all([path] if against is None else [path, against])
    registry = load_handlers(config.handlers)
    begin = None if start is None else start.replace(tzinfo=UTC).timestamp()
    inputs = _Files(files, config, registry, begin)
    if against is None:
        told: list[Step] = []
        work = _run(Replay(config, registry, told.append, _texts(config, registry)), told, inputs, form, whole)
    else:
        names = told_apart(path or BUILT_IN, against)
        work = _compare(WhatIf(config, registry, others[0], load_handlers(others[0].handlers)), inputs, form, names)
    end_logging = setup_logging(json=False, level="error")  # of what is wrong in the input the summary tells
    try:
        asyncio.run(work)
    finally:
        end_logging()
    inputs.tell_unreadable()
    if inputs.failed:
        sys.exit(1)


def _texts(config: Config, registry: Registry) -> Mapping[str, Text]:
    """Of each channel that can be built here; of the others it is told why they are shown in the plain form."""
    problems: list[Problem] = []
    found = texts(config, registry, problems)
    for problem in problems:
        fail(f"shown in its plain form: {problem}")
    return found


async def _run(replay: Replay, told: list[Step], inputs: _Files, form: str, whole: bool) -> None:
    """``told`` is what the replay tells its steps to: each is written outside of it, because what fails inside is a
    defect of the pipeline to it, and a reader who goes away is none."""

    def write() -> None:
        for step in told:
            _write(_json(step) if form == "json" else _step_text(step, whole=whole))
        told.clear()

    async def feed(found: Input) -> None:
        await replay.feed(found)
        write()

    with _bar() as progress:
        await _feed(feed, inputs, progress)
        summary = await replay.finish()
        write()
    _write(_json(summary) if form == "json" else _summary_text(summary))


async def _compare(both: WhatIf, inputs: _Files, form: str, names: tuple[str, str]) -> None:
    with _bar() as progress:
        await _feed(both.feed, inputs, progress)
        found, compared = await both.finish()
    if form == "json":
        for one in (*found, compared):
            _write(_json(one))
        return
    for text in differences_text(found, *names):
        _write(f"{text}\n".encode())
    _write(totals_text(compared, *names).rstrip("\n").encode())


async def _feed(take: Callable[[Input], Awaitable[None]], inputs: _Files, progress: Progress) -> None:
    for number, found in enumerate(inputs, 1):
        await take(found)
        if number % LOOK_EVERY == 0:
            progress(number, inputs.expected())


def _write(text: bytes) -> None:
    """A line to standard output: through rich where it keeps a bar below it on the same terminal."""
    plain = sys.__stdout__
    if plain is not None and sys.stdout is plain:
        plain.buffer.write(text + b"\n")
    else:
        sys.stdout.write(text.decode() + "\n")


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _expected: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("replaying", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    terminal = sys.stdout.isatty()
    console = Console(stderr=True, soft_wrap=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=terminal, redirect_stderr=terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, expected: bar.update(task, completed=done, total=expected)


# --- for programs and for people -------------------------------------------------------------------------------------


def _json(found: Struct) -> bytes:
    return printable_json(to_json(found).decode()).encode()


def _step_text(step: Step, *, whole: bool) -> bytes:
    """A line; ``whole``: below a notification its text, each line behind a bar."""
    when = step.at.strftime("%Y-%m-%d %H:%M:%S")
    about = printable(headline(step.incident))
    if step.channel is not None:
        told = f"{when}  notified  {step.incident.severity:<9} {about}  → {printable(step.channel)}"
        text = (step.text or "").splitlines() if whole else ()
        return "\n".join([told, *(f"  | {printable(line)}".rstrip() for line in text)]).encode()
    return f"{when}  {step.what:<9} {step.incident.severity:<9} {about}".encode()


def _summary_text(summary: Summary) -> bytes:
    opened = summary.incidents
    balance = f"{summary.parsed} parsed, {sum(summary.rejected.values())} rejected"
    lines = [
        line("messages", f"{summary.messages}:", balance, _unless(summary.unreadable, "lines unreadable")),
        line("rejected", _counts(summary.rejected)),
        line("events", _counts(summary.events), _unless(summary.duplicates, "told twice")),
        line("", _unless(summary.unrecognised, "messages of no known event")),
        line("suppressed", _counts(summary.suppressed)),
        line("incidents", f"{opened.opened} opened, {opened.resolved} resolved, {opened.open} still open"),
        line("", _counts(opened.kinds)),
        line("told", _counts(summary.notifications)),
        line("defects", _unless(summary.defects, "bugs of eventd, see the log above")),
    ]
    return block("\nsummary", lines).encode()


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {printable(name)}" for name, count in counts.items())


def _unless(count: int, what: str) -> str:
    return f"{count} {what}" if count else ""
