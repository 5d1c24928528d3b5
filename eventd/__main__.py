"""``eventd`` and ``python -m eventd``."""

import signal
import sys


def main() -> None:
    """The command line. A service that is told to reload while its modules are still being read must not end by it."""
    if sys.argv[1:2] == ["run"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from eventd.cli import main as command  # here, because it takes a third of a second

    command()


if __name__ == "__main__":
    main()
