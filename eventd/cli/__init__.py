"""The command line. A command lives in the module of its name here and is imported when it is called, so that help
and short commands do not pay for what they do not use.
"""

import contextlib
import errno
import importlib
import os
import sys

import click

import eventd
from eventd.errors import ConfigError, EventdError

#: Command → one line of help. Its module exports a click command named ``command``.
COMMANDS = {
    "run": "The service: receive, judge, alert.",
    "check": "Check a configuration; starts nothing.",
    "doctor": "What would bite: ports, buffers, clock, rights, far ends, senders.",
    "decode": "Messages in, decoded events out.",
    "replay": "Recorded messages in, incidents and notifications out.",
    "test-alert": "A marked test alert through the real channels: what does each far end answer?",
    "send": "Send real messages of any event, to test an installation.",
    "reasons": "Search the reason catalogue.",
    "incidents": "Incidents of the running service.",
    "devices": "Who sends, and what was learned of them; also as an inventory.",
    "show": "One incident whole: why, what to do, what happened.",
    "explain": "Why a peer, a device or an incident stands as it does.",
    "ack": "Take an incident, or give it back.",
    "clear": "Resolve an incident by hand.",
    "silence": "Tell nobody of what is known or planned.",
    "outbox": "What was not delivered: look, try again, drop.",
}

#: What the file or device behind the output can say: it is full, too large, or broken.
OUTPUT_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _give_up_output() -> None:
    """What is still buffered goes nowhere, or the interpreter would try again on its way out and complain."""
    with contextlib.suppress(OSError):  # a test's standard output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Group(click.Group):
    """Finds commands by name and says in one place how errors end: 2 for a configuration, 1 for the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"eventd.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> None:
        from eventd.cli.problems import fail, report  # here, so that help does not wait for it

        try:
            try:
                super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where a failure can still be told
        except BrokenPipeError:  # whoever read it has seen enough: `eventd reasons | head`
            _give_up_output()
            ctx.exit(0)
        except OSError as error:
            if error.errno not in OUTPUT_LOST:
                raise
            _give_up_output()
            fail(f"cannot write the output: {error.strerror}")
            ctx.exit(1)
        except ConfigError as error:
            report(error)
            ctx.exit(2)
        except EventdError as error:
            fail(str(error))
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(eventd.__version__, message="%(prog)s %(version)s", prog_name="eventd")
def main() -> None:
    """Why each IPsec tunnel went down: syslogs and SNMP traps of firewalls decoded, correlated, alerted.

    Exit status: 0 done, 1 failed at run time, 2 wrong arguments or configuration.
    """
