"""Real peer programs for end-to-end tests: where they are, and what to do when they are not."""

import importlib
import os
import shutil
import warnings
from pathlib import Path
from types import ModuleType

import pytest

#: program → Debian package that has it
PACKAGES = {
    "snmptrap": "snmp",
    "snmpinform": "snmp",
    "logger": "bsdutils",
    "loggen": "syslog-ng-core",
    "rsyslogd": "rsyslog",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "chromium": "chromium",
    "amtool": "prometheus-alertmanager",
    "systemd-analyze": "systemd",
    "snmptrapd": "snmptrapd",
    "tcpdump": "tcpdump",
    "syslog-ng": "syslog-ng-core",
    "sec": "sec",
}


def found(program: str) -> str | None:
    """Path of a real peer program; None where it is not installed. Programs unpacked from a package with
    ``dpkg-deb -x`` are found below ``EVENTD_PEERS_DIR``."""
    unpacked = os.environ.get("EVENTD_PEERS_DIR")
    folders = [str(Path(unpacked, sub)) for sub in ("usr/sbin", "usr/bin")] if unpacked else []
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *folders])
    return shutil.which(program, path=path)


def peer(program: str) -> str:
    """Path of a real peer program.

    Without it the test is skipped with the package to install; with ``EVENTD_REQUIRE_PEERS=1`` it fails.
    """
    if path := found(program):
        return path
    hint = f"{program} is missing: apt-get install {PACKAGES[program]}"
    if os.environ.get("EVENTD_REQUIRE_PEERS") == "1":
        pytest.fail(hint)
    pytest.skip(hint)


def library(name: str) -> ModuleType:
    """A module of a library that plays a far end. Without it the test is skipped; with ``EVENTD_REQUIRE_PEERS=1`` it
    fails: `make install` installs all of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they import that will be gone in later versions of Python
            module = importlib.import_module(name)
            if name == "apprise":
                module.Apprise.instantiate("json://localhost")  # loads its plug-ins
            return module
    except ModuleNotFoundError:
        hint = f"{name} is missing: make install"
    if os.environ.get("EVENTD_REQUIRE_PEERS") == "1":
        pytest.fail(hint)
    pytest.skip(hint)
