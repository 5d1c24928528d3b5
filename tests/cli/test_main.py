"""The command group: help, version and exit statuses."""

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

import eventd
from eventd.cli import COMMANDS, main
from eventd.errors import ConfigError, EventdError, Problem


def test_help_names_every_command_and_imports_none() -> None:
    script = (
        "import sys; from eventd.cli import main; main(args=['--help'], standalone_mode=False);"
        "print([name for name in sys.modules if name.startswith(('eventd.', 'pysnmp', 'aiohttp', 'cryptography'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    *help_text, modules = done.stdout.splitlines()
    for name in COMMANDS:
        assert any(line.split()[:1] == [name] for line in help_text)
    assert sorted(modules.strip("[]").split(", ")) == ["'eventd.cli'", "'eventd.errors'"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"eventd {eventd.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["--frobnicate"], ["decode", "--frobnicate"], ["send", "pigeon"]]
)
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigError([Problem("a.b", "wrong"), Problem("c", "worse", "file", 3)]), 2, "a.b: wrong\nfile:3: c: worse\n"),
        (EventdError("the disk is gone"), 1, "the disk is gone"),
    ],
)
def test_errors_of_ours_become_one_message_and_a_status(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr("eventd.cli.reasons.load", broken)
    result = CliRunner().invoke(main, ["reasons"])
    assert result.exit_code == status
    assert said in result.output
    assert "Traceback" not in result.output


def shell(line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("eventd", f"{sys.executable} -m eventd")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "arguments", ["reasons", "reasons -f json", "send list", "decode <(yes '<13>x' | head -20000)"]
)
def test_a_reader_that_has_seen_enough_is_no_failure(arguments: str) -> None:
    done = shell(f"eventd {arguments} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")


def _leaves(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        found = group.get_command(context, each)
        assert found is not None
        yield from _leaves(found, f"{name} {each}") if isinstance(found, click.Group) else [(f"{name} {each}", found)]


@pytest.mark.parametrize(("name", "command"), list(_leaves(main, "eventd")))
def test_help_explains_every_option_and_has_exit_status_and_an_example(name: str, command: click.Command) -> None:
    assert [option.opts for option in command.params if isinstance(option, click.Option) and not option.help] == []
    assert "Exit status" in str(command.help)
    assert re.search(f"^ *{name} ?", str(command.help), re.MULTILINE), "an example, a line of its own"


@pytest.mark.parametrize("arguments", ["reasons", "reasons psk", "send list", "decode <(echo '<13>x')"])
def test_output_that_cannot_be_written_is_one_line_and_a_failure(arguments: str) -> None:
    done = shell(f"eventd {arguments} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "eventd: cannot write the output: No space left on device\n")
