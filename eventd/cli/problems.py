"""How commands say what is wrong: on stderr, one line per problem."""

import click

from eventd.errors import ConfigError


def report(error: ConfigError) -> None:
    """Every problem of a configuration, as ``file:line: key: what is wrong``."""
    for problem in error.problems:
        click.echo(str(problem), err=True)
    click.echo(
        f"{len(error.problems)} problem{'' if len(error.problems) == 1 else 's'} found; nothing was started.", err=True
    )


def fail(text: str) -> None:
    """One run-time failure."""
    click.echo(f"eventd: {text}", err=True)
