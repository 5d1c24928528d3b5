"""``eventd run``: the service."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial

import click
from msgspec.structs import replace

import eventd
from eventd import pauses
from eventd.app import STARTING, App
from eventd.cli.problems import fail, report
from eventd.config import Config, load
from eventd.errors import ConfigError, EventdError
from eventd.receivers.addresses import join_host_port
from eventd.telemetry import get_logger, setup_logging
from eventd.verify import verify


@click.command()
@click.option(
    "-c", "--config", "path", type=click.Path(dir_okay=False), help="Configuration (TOML). Default: built-in."
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Keep everything received in FILE, for decode and replay (record.path of the configuration).",
)
def command(path: str | None, record: str | None) -> None:
    """Receive, judge and alert until told to stop (SIGTERM, SIGINT). SIGHUP reloads the configuration.

    Exit status: 0 stopped as told, 1 it could not go on, 2 wrong arguments or configuration.

    \b
    eventd run -c /etc/eventd/eventd.toml
    eventd run -c eventd.toml --record var/received.rec
    """
    early: list[int] = []  # reloads asked for before the loop listens: what was changed meanwhile is taken when ready
    signal.signal(signal.SIGHUP, lambda number, _: early.append(number))
    try:
        config = _read(path, record)
        verify(config)
    except ConfigError as error:
        report(error)
        sys.exit(2)
    as_json = config.log.format == "json" or (config.log.format == "auto" and not sys.stderr.isatty())
    end_logging = setup_logging(json=as_json, level=config.log.level)
    failures: list[str] = []
    end_sparing = pauses.spare()
    try:
        asyncio.run(_serve(_first_then_again(config, partial(_read, path, record)), early))
    except* EventdError as group:
        failures = [str(error) for error in _leaves(group)]
    finally:
        end_sparing()
        end_logging()
    for failure in failures:
        fail(failure)
    if failures:
        sys.exit(1)


def _leaves(group: BaseExceptionGroup[EventdError]) -> Iterator[EventdError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _read(path: str | None, record: str | None) -> Config:
    """The configuration as it is now; what the command line says goes before it."""
    config = load(path)
    return config if record is None else replace(config, record=replace(config.record, path=record))


def _first_then_again(config: Config, read: Callable[[], Config]) -> Callable[[], Config]:
    """The configuration that was just read, and from the second call on the file as it is then."""
    ready = [config]
    return lambda: ready.pop() if ready else read()


async def _serve(read_config: Callable[[], Config], early: list[int]) -> None:
    app = App(read_config)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[str | None]] = set()

    def reload() -> None:
        if app.not_ready() == STARTING:
            early.append(signal.SIGHUP)
            return
        task = loop.create_task(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    def ready(_: App) -> None:
        _ready(app)
        if early:
            reload()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, partial(_stop, app))
    loop.add_signal_handler(signal.SIGHUP, reload)
    await app.run(on_ready=ready)


def _stop(app: App) -> None:
    notify_systemd("STOPPING=1")
    app.stop()


def _ready(app: App) -> None:
    notify_systemd("READY=1")
    get_logger("app").info(
        "ready",
        version=eventd.__version__,
        listening={f"{kind} {listen}": join_host_port(*r.address) for (kind, listen, _), r in app.receivers.items()},
        web=[f"{'https' if app.config.web.tls_cert_file else 'http'}://{address}/" for address in app.web.addresses],
        channels=[channel.name for channel in app.config.channels],
        store=app.config.store.path,
    )


def notify_systemd(state: str) -> None:
    """Tell systemd how we are, where it started us (sd_notify(3)); the socket may be abstract (``@``)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), address)
    except OSError as error:
        get_logger("app").warning("systemd not reached", error=str(error))
