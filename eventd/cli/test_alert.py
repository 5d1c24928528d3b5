"""``eventd test-alert``: would an alarm arrive?"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
from click import style
from msgspec import Struct
from msgspec.structs import replace

from eventd import heartbeat
from eventd.cli.options import format_option
from eventd.config import ChannelConfig, Config, load
from eventd.durations import parse_duration
from eventd.errors import ConfigError, DeliveryError
from eventd.model import INCIDENT_KINDS, SEVERITIES, Severity, Told, to_json
from eventd.notify.guard import guarded
from eventd.notify.session import Session
from eventd.notify.trial import trial, trial_digest, trial_over
from eventd.printable import printable, printable_json
from eventd.registry import load_notifiers
from eventd.telemetry import setup_logging
from eventd.verify import attempt


class Tried(Struct, frozen=True):
    """What one far end said to one message. ``receipt`` is what it calls the message, where it says so."""

    channel: str
    type: str
    what: str
    accepted: bool
    answer: str
    seconds: float
    receipt: str | None = None


class _Length(click.ParamType[float]):
    """A duration."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("-c", "--config", "path", required=True, type=click.Path(dir_okay=False), help="Configuration (TOML).")
@click.option("--resolve/--no-resolve", default=True, show_default=True, help="Send the all-clear, too.")
@click.option(
    "--wait",
    type=_Length(),
    default="0s",
    show_default=True,
    help="Before the all-clear. Alertmanager tells nobody of what was over within its group_wait.",
)
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="warning",
    show_default=True,
    help="Of the alert: whom a channel calls depends on it.",
)
@click.option(
    "--kind", type=click.Choice(INCIDENT_KINDS), default="tunnel_down", show_default=True, help="Of the incident."
)
@click.option("--digest", is_flag=True, help="Send a message that lists several, where there are such.")
@format_option("A line for people or an object for each message.")
@click.argument("names", nargs=-1, metavar="[CHANNEL]...")
def command(path: str, form: str, names: tuple[str, ...], **asked: Any) -> None:
    """Send a test alert, marked [TEST], through the channels of a configuration (without CHANNEL: all of them), and say
    what each far end answered. Routes, quiet hours and limits per minute are not looked at, nothing is tried twice, and
    no service has to run.

    Exit status: 0 all were accepted, 1 one was not, 2 for a bad configuration.

    \b
    eventd test-alert -c /etc/eventd/eventd.toml
    eventd test-alert -c eventd.toml pager am --wait 1m
    eventd test-alert -c eventd.toml chat --severity critical
    """
    config = load(path)
    wanted = _wanted(config, names)
    # What a channel itself prints must not stand between objects.
    session = Session(external_url=config.web.external_url, stdout=sys.stderr if form == "json" else sys.stdout)
    end_logging = setup_logging(json=False, level="warning")  # of one of several peers, or one of several mailboxes
    try:
        failed = asyncio.run(_tell(wanted, session, _Asked(**asked), form))
    finally:
        end_logging()
    if failed:
        sys.exit(1)


class _Asked(Struct, frozen=True):
    """Which alert, and what besides it."""

    severity: Severity
    kind: str
    resolve: bool
    wait: float
    digest: bool


def _wanted(config: Config, names: Sequence[str]) -> list[ChannelConfig]:
    """The channels asked for, which can be built. Raises `ConfigError`, or `click.UsageError` for an unknown name."""
    known = {channel.name: channel for channel in config.channels}
    if missing := [name for name in dict.fromkeys(names) if name not in known]:
        raise click.UsageError(f"there is no channel {', '.join(map(repr, missing))}: {', '.join(known) or 'none'}")
    wanted = [known[name] for name in dict.fromkeys(names or known)]
    # Only these: what is wrong with another channel, or with the heartbeat, keeps none of them from being tried.
    problems, _ = attempt(replace(config, channels=tuple(wanted), heartbeat=heartbeat.Settings()), lambda _: False)
    if problems:
        raise ConfigError(problems)
    return wanted


async def _tell(wanted: Sequence[ChannelConfig], session: Session, asked: _Asked, form: str) -> bool:
    """Tell all channels at the same time, and print what each answered in their order; whether any failed."""
    widths = (max(len(channel.name) for channel in wanted), max(len(channel.type) for channel in wanted))
    telling = [asyncio.create_task(_all_of(channel, session, asked)) for channel in wanted]
    failed = False
    try:
        for task in telling:
            for tried in await task:
                failed = failed or not tried.accepted
                click.echo(printable_json(to_json(tried).decode()) if form == "json" else _text(tried, *widths))
    finally:
        await session.close()
    return failed


async def _all_of(channel: ChannelConfig, session: Session, asked: _Asked) -> list[Tried]:
    """The messages of one channel, one after the other, no faster than its far end may be told."""
    built = load_notifiers()[channel.type].build(channel.name, channel.settings, session)
    opened, done = trial(channel.name, time.time(), asked.severity, asked.kind), list[Tried]()

    async def tell(what: str, told: Told) -> str | None:
        began = time.monotonic()
        said = await guarded(built.deliver(told))
        took = round(time.monotonic() - began, 3)
        failed = isinstance(said, DeliveryError)
        receipt = None if isinstance(said, DeliveryError) else said
        done.append(
            Tried(channel.name, channel.type, what, not failed, str(said) if failed else "accepted", took, receipt)
        )
        return receipt

    try:
        receipt = await tell("alert", opened)
        if asked.resolve:
            await asyncio.sleep(max(asked.wait, built.pace.apart_s))
            await tell("all-clear", replace(trial_over(opened, time.time()), thread=receipt))
        if asked.digest and built.digests:
            await asyncio.sleep(built.pace.apart_s)
            await tell("digest", trial_digest(channel.name, time.time(), asked.severity, asked.kind))
    finally:
        await guarded(built.close())
    return done


def _text(tried: Tried, *widths: int) -> str:
    names = "  ".join(f"{text:<{width}}" for text, width in zip((tried.channel, tried.type), widths, strict=True))
    seen = style(tried.answer, fg="green") if tried.accepted else style(f"FAILED  {printable(tried.answer)}", fg="red")
    receipt = f" as {printable(tried.receipt)}" if tried.receipt else ""
    return f"{printable(names)}  {tried.what:<9}  {seen}{receipt} ({tried.seconds:.2f} s)"
