"""Options that the commands of ``eventd send`` share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eventd.cli.arguments import Form, Offset, Target
from eventd.cli.options import usm_options
from eventd.sender import syslog
from eventd.sender.links import FRAMINGS

Command = TypeVar("Command", bound=Callable[..., Any])
#: Whose wording an event is sent in, if nobody is named and this vendor has one.
DEFAULT_VENDOR = "huawei"


def _all(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several decorators as one, in reading order."""

    def decorate(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_FILE = click.Path(exists=True, dir_okay=False)

common = _all(
    click.argument("event"),
    click.argument("pairs", nargs=-1, metavar="[k=v…]"),
    click.option("--vendor", help=f"Whose wording: huawei, h3c. Default: {DEFAULT_VENDOR}, if it has any."),
    click.option("--to", type=Target(), help="Receiver: HOST:PORT, [IPv6]:PORT or HOST."),
    click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many."),
    click.option("--rate", type=click.FloatRange(0, min_open=True), help="Per second. Default: no pause."),
    click.option("--force", is_flag=True, help="Send as address what is none."),
    click.option("--print", "show", is_flag=True, help="Print the bytes instead (SNMP in hex)."),
)

layout = _all(
    click.option(
        "--form",
        type=Form(),
        metavar="A…J|rfc5424|rfc3164|comware|comware-console|unicom|cmcc",
        help="Layout. Default: the vendor's usual one (C, comware).",
    ),
    click.option("--timestamp", type=click.Choice(list(syslog.TIMESTAMPS)), help="Default: the usual one of the form."),
    click.option(
        "--utc-offset", type=Offset(), default="+00:00", show_default=True, help="Zone of the device's clock."
    ),
    click.option(
        "--value-style",
        type=click.Choice(list(syslog.VALUE_STYLES)),
        default="bare",
        show_default=True,
        help="How values are written.",
    ),
    click.option("--hostname", default="FW1", show_default=True, help="Name of the sending device."),
    click.option(
        "--facility",
        type=click.IntRange(0, 23),
        default=syslog.DEFAULT_FACILITY,
        show_default=True,
        help="Number in <PRI>.",
    ),
    click.option("--seq", type=click.IntRange(0), default=1, show_default=True, help="First number in [n]."),
)

stream = _all(
    click.option(
        "--transport",
        type=click.Choice(["udp", "tcp", "tls"]),
        default="udp",
        show_default=True,
        help="By what it is sent.",
    ),
    click.option("--framing", type=click.Choice(list(FRAMINGS)), default="octet", show_default=True, help="TCP, TLS."),
    click.option("--ca-file", type=_FILE, help="Whom to trust. Default: the system's."),
    click.option("--cert-file", type=_FILE, help="Our certificate."),
    click.option("--key-file", type=_FILE, help="Its key, if in a file of its own."),
    click.option("--insecure", is_flag=True, help="Take any certificate of the receiver."),
)

snmp = _all(
    click.option("--version", type=click.Choice(["1", "2c", "3"]), default="2c", show_default=True, help="Of SNMP."),
    click.option("--community", default="public", show_default=True, help="Of v1 and v2c."),
    usm_options,
    click.option("--suffix/--no-suffix", default=True, help="Row index on columns, .0 on scalars. Default: yes."),
)
