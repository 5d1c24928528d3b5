"""``eventd send``: real wire messages of any known event, to test an installation from outside."""

import contextlib
import ipaddress
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from eventd.cli import send_options
from eventd.cli.options import Usm
from eventd.cli.send_options import DEFAULT_VENDOR
from eventd.contract import TrapTemplate
from eventd.registry import Registry, load
from eventd.sender import syslog
from eventd.sender.links import DatagramLink, Link, StreamLink, paced, tls_context
from eventd.sender.templates import (
    SendError,
    Template,
    accepted,
    check_addresses,
    choose,
    complete,
    fill,
    knows,
    pairs,
    wire_name,
)

#: Where `eventd run` listens when nothing else is configured.
DEFAULT_PORTS = {"udp": 5514, "tcp": 5514, "tls": 6514, "trap": 1162}

#: Sends the message of that number and returns the octets it took.
Emit = Callable[[int], int]
Options = Mapping[str, Any]


# --- commands ------------------------------------------------------------------------------------------------------


@click.group()
def command() -> None:
    """Send real messages of any known event to a receiver.

    EVENT is an event name (ipsec.tunnel.stop), a mnemonic (IPSECTUNNELSTOP, IPSEC_SA_TERMINATE) or a notification
    (hwIPSecTunnelStop, hh3cIPsecTunnelStopV2). k=v sets a field by its name in the decoded event (peer=, local=,
    reason=, code=, interface=, …) or by its key on the wire; everything else keeps the default of the template.
    `eventd send list` shows them all.
    """


@command.command("syslog")
@send_options.common
@send_options.layout
@send_options.stream
def send_syslog(**options: Any) -> None:
    """Send EVENT as syslog.

    Exit status: 0 all sent, 1 it could not be sent, 2 wrong arguments.

    \b
    eventd send syslog ipsec.tunnel.stop peer=203.0.113.7 reason="dpd timeout" --to localhost:5514
    eventd send syslog ipsec.tunnel.stop --vendor h3c --transport tls --ca-file ca.pem --to fw-log.example.net
    eventd send syslog link.down interface=GigabitEthernet0/0/1 --print
    """
    registry = load()
    with _usage():
        given = pairs(options["pairs"])
        hostname = given.pop("hostname", options["hostname"])
        template, values = _filled(registry, "syslog", _templates(registry, "syslog", options), options, given)
        style = {name: options[name] for name in ("form", "timestamp", "value_style", "facility")}
        layout, zone = syslog.Layout(hostname=hostname, **style), options["utc_offset"]
        syslog.compose(template, values, datetime.now(zone), layout=layout)

    def message(number: int) -> bytes:
        return syslog.compose(template, values, datetime.now(zone), options["seq"] + number, layout)

    def opened(stack: contextlib.ExitStack, host: str, port: int) -> Emit:
        link = _link(host, port, options)
        stack.callback(link.close)
        return lambda number: link.send(message(number))

    way = options["transport"]
    _deliver(options, DEFAULT_PORTS[way], f"syslog-{way}", message, opened)


def _link(host: str, port: int, options: Options) -> Link:
    if options["transport"] == "udp":
        return DatagramLink(host, port)
    if options["transport"] == "tcp":
        return StreamLink(host, port, options["framing"])
    files = (options["ca_file"], options["cert_file"], options["key_file"])
    return StreamLink(host, port, options["framing"], tls_context(*files, insecure=options["insecure"]))


@command.command("trap")
@send_options.common
@send_options.snmp
@click.option("--agent-addr", help="agent-addr of a v1 trap. Default: 0.0.0.0, not known.")
def send_trap(**options: Any) -> None:
    """Send EVENT as an SNMP trap.

    Exit status: 0 all sent, 1 it could not be sent, 2 wrong arguments.

    \b
    eventd send trap hwIPSecTunnelStop peer=203.0.113.7 --to localhost:1162
    eventd send trap ipsec.tunnel.stop --version 3 --user eventd --auth-key-file a --priv-key-file p --to localhost
    """
    with contextlib.ExitStack() as whole:
        with _usage():
            make = _trap_maker(options, whole)

        def opened(stack: contextlib.ExitStack, host: str, port: int) -> Emit:
            link = DatagramLink(host, port)
            stack.callback(link.close)
            return lambda _: link.send(make())

        way = f"snmp-v{options['version']}"
        _deliver(options, DEFAULT_PORTS["trap"], way, lambda _: make().hex().encode(), opened)


def _trap_maker(options: Options, stack: contextlib.ExitStack) -> Callable[[], bytes]:
    """What makes the next trap: bytes patched in place for v1 and v2c, the pysnmp engine for v3."""
    from eventd.sender import traps  # pysnmp takes 0.2 s to import

    template, values, identity = _prepare(options)
    version, suffix = options["version"], options["suffix"]
    if options["agent_addr"] is not None and version != "1":
        raise SendError("--agent-addr: only v1 traps have one")
    if version == "1":
        agent = _ipv4(options["agent_addr"])
        return traps.trap_v1(template, values, identity.community, agent, suffix).next
    if version == "2c":
        return traps.trap_v2c(template, values, identity.community, suffix).next
    traps.bindings(template, values)
    engine = stack.enter_context(traps.Engine("trap", identity, "127.0.0.1", 0))
    return lambda: engine.notify(template, values, suffix)


def _ipv4(text: str | None) -> str:
    try:
        return str(ipaddress.IPv4Address(text or 0))
    except ValueError:
        raise SendError(f"--agent-addr: {text!r} is no IPv4 address, and a v1 trap can carry no other") from None


@command.command("inform")
@send_options.common
@send_options.snmp
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, help="Seconds.")
@click.option(
    "--retries", type=click.IntRange(0), default=1, show_default=True, help="How often again without an answer."
)
def send_inform(**options: Any) -> None:
    """Send EVENT as an SNMP inform and wait for each answer.

    Exit status: 0 all were acknowledged, 1 one was not, 2 wrong arguments.

    \b
    eventd send inform ipsec.tunnel.stop peer=203.0.113.7 --to localhost:1162
    """
    from eventd.sender import traps  # pysnmp takes 0.2 s to import

    if options["version"] == "1":
        raise click.UsageError("SNMPv1 has no informs: --version 2c or 3")
    if options["show"] and options["version"] == "3":
        raise click.UsageError("a v3 inform depends on what its receiver says first and cannot be printed alone")
    suffix = options["suffix"]
    with _usage():
        template, values, identity = _prepare(options)
        series = traps.trap_v2c(template, values, identity.community, suffix, inform=True)

    def opened(stack: contextlib.ExitStack, host: str, port: int) -> Emit:
        engine = traps.Engine("inform", identity, host, port, options["timeout"], options["retries"])
        stack.enter_context(engine)
        return lambda _: len(engine.notify(template, values, suffix))

    way = f"snmp-inform v{options['version']}"
    _deliver(options, DEFAULT_PORTS["trap"], way, lambda _: series.next().hex().encode(), opened, "answered: ")


@command.command("list")
@click.argument("event", required=False)
def list_events(event: str | None) -> None:
    """List the messages of EVENT, or of all, with their fields.

    Exit status: 0 done, 1 no message tells of EVENT.

    \b
    eventd send list
    eventd send list ipsec.tunnel.stop
    """
    registry = load()
    if event is not None and event not in {*registry.syslog_templates, *registry.trap_templates}:
        raise SendError(f"no message tells of {event!r}; `eventd send list` shows all")
    _list("syslog", registry.syslog_templates, event)
    _list("trap", registry.trap_templates, event)


def _list(kind: str, templates: Mapping[str, list[Template]], event: str | None) -> None:
    for name, group in sorted(templates.items()):
        for template in group if event in (None, name) else ():
            fields = " ".join(dict.fromkeys(accepted(template).values()))
            click.echo(f"{kind:<6} {name:<26} {wire_name(template):<40} {fields}".rstrip())


# --- what they share -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _usage() -> Iterator[None]:
    """What cannot be sent as asked is a wrong argument: exit status 2."""
    try:
        yield
    except SendError as error:
        raise click.UsageError(str(error)) from error


def _templates(registry: Registry, kind: str, options: Options) -> dict[str, list[Any]]:
    """Of the vendor that was named; else of the default one if it knows the event at all, else of all."""
    of: dict[str, Callable[[Collection[str]], dict[str, list[Any]]]] = {
        "syslog": registry.syslog_templates_of,
        "trap": registry.trap_templates_of,
    }
    vendor, event = options["vendor"], options["event"]
    if vendor is None and any(knows(templates((DEFAULT_VENDOR,)), event) for templates in of.values()):
        vendor = DEFAULT_VENDOR
    if vendor is not None and vendor not in registry.vendors:
        raise SendError(f"--vendor: {vendor!r} is none of {', '.join(registry.vendors)}")
    return of[kind]((vendor,) if vendor else registry.vendors)


def _filled(
    registry: Registry, kind: str, templates: Mapping[str, list[Template]], options: Options, given: Mapping[str, str]
) -> tuple[Template, dict[str, str]]:
    event, other = options["event"], "syslog" if kind == "trap" else "trap"
    elsewhere = _templates(registry, other, options)
    if knows(elsewhere, event) and not knows(templates, event):
        raise SendError(f"{event} is known as a {other} only: eventd send {other} {event}")
    template = choose(templates, event, given)
    values = fill(template, given)
    if not options["force"]:
        check_addresses(values)
    rows = (row for catalogue in registry.catalogues for row in catalogue.rows)
    return template, complete(template, values, rows)


def _prepare(options: Options) -> tuple[TrapTemplate, dict[str, str], Any]:
    """Template, values and identity of an SNMP notification."""
    from eventd.sender.traps import Identity

    registry = load()
    usm = Usm(options)
    if options["version"] == "3" and not usm.user:
        raise click.UsageError("SNMPv3 needs --user")
    identity = Identity(
        version=options["version"],
        community=options["community"],
        user=usm.user,
        auth=usm.auth,
        auth_key=usm.auth_key,
        priv=usm.priv,
        priv_key=usm.priv_key,
        engine_id=usm.engine_id,
    )
    templates = _templates(registry, "trap", options)
    template, values = _filled(registry, "trap", templates, options, pairs(options["pairs"]))
    return template, values, identity


class _Tally:
    """How far we got, for the summary and for what is said when the network gives up."""

    def __init__(self, count: int, host: str, port: int) -> None:
        self.count, self.sent, self.octets = count, 0, 0
        self.place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _deliver(
    options: Options,
    default_port: int,
    way: str,
    printed: Callable[[int], bytes],
    opened: Callable[[contextlib.ExitStack, str, int], Emit],
    note: str = "",
) -> None:
    """Print or send ``count`` messages at ``rate`` and say so in one line."""
    count, rate = options["count"], options["rate"]
    if options["show"]:
        for number in paced(count, rate):
            sys.stdout.buffer.write(printed(number) + b"\n")
        return
    if options["to"] is None:
        raise click.UsageError("--to HOST:PORT is needed, or --print")
    host, port = options["to"][0], options["to"][1] or default_port
    tally = _Tally(count, host, port)
    with _network(tally), contextlib.ExitStack() as stack:
        emit = opened(stack, host, port)
        for number in _progress(paced(count, rate), count):
            tally.octets += emit(number)
            tally.sent += 1
    plural = "" if count == 1 else "s"
    click.echo(f"{note}sent {count} message{plural} to {tally.place} ({way}, {tally.octets} bytes)")


@contextlib.contextmanager
def _network(tally: _Tally) -> Iterator[None]:
    """What the network or the far end refuses is a failure at run time: exit status 1, and how far we got."""
    try:
        yield
    except (OSError, SendError) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SendError(f"{tally.place}: {what} ({tally.sent} of {tally.count} sent)") from error


def _progress(numbers: Iterable[int], count: int) -> Iterable[int]:
    """A progress bar where a person looks and has to wait."""
    if count == 1 or not sys.stderr.isatty():
        return numbers
    from rich.console import Console
    from rich.progress import track

    return track(numbers, "sending", total=count, console=Console(stderr=True), transient=True)
