"""What can be found wrong with a configuration only by trying it: handlers, channels, templates, certificates."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from eventd.document import Document
from eventd.errors import ConfigError, Problem
from eventd.notify.session import Session
from eventd.parse.snmp import Access
from eventd.receivers import tls
from eventd.receivers.settings import SyslogTls
from eventd.registry import Registry, load, load_notifiers


class Parts(Protocol):
    """The parts of a configuration that can be tried, and the document they are from."""

    @property
    def document(self) -> Document: ...

    @property
    def handlers(self) -> tuple[str, ...]: ...

    @property
    def receivers(self) -> Any: ...

    @property
    def web(self) -> Any: ...

    @property
    def access_users(self) -> tuple[Any, ...]: ...

    @property
    def heartbeat(self) -> Any: ...

    @property
    def channels(self) -> tuple[Any, ...]: ...


def verify(config: Parts) -> Registry:
    """Try everything that can be tried without opening or sending anything; the handlers found.

    Raises:
        ConfigError: with every problem found.
    """
    problems, handlers = attempt(config)
    if problems or handlers is None:
        raise ConfigError(problems)
    return handlers


def attempt(parts: Parts, sound: Callable[[str], bool] = lambda _: True) -> tuple[list[Problem], Registry | None]:
    """Try those parts of a configuration whose keys are ``sound``: the problems, and the handlers if they load."""
    found = parts.document.again()
    handlers: Registry | None = None
    if sound("handlers"):
        with _noting(found, "handlers"):
            handlers = load(parts.handlers)
    if sound("receivers.syslog_tls") and parts.receivers.syslog_tls is not None:
        with _noting(found, "receivers.syslog_tls"):
            tls_context(parts.receivers.syslog_tls)
    if sound("web.tls_cert_file") and sound("web.tls_key_file") and parts.web.tls_cert_file is not None:
        with _noting(found, "web.tls_cert_file"):
            tls.make_context(parts.web.tls_cert_file, parts.web.tls_key_file)
    if sound("receivers.snmp"):
        with _noting(found, "receivers.snmp.users"):
            Access(parts.receivers.snmp.communities if parts.receivers.snmp else (), parts.access_users)
    _try_channels(found, parts)
    if sound("heartbeat"):
        with _noting(found, "heartbeat"):
            parts.heartbeat.far_end()
            if parts.heartbeat.alertmanager and not any(channel.type == "alertmanager" for channel in parts.channels):
                raise ValueError("alertmanager: there is no channel of this type")
    return found.problems, handlers


def _try_channels(found: Document, parts: Parts) -> None:
    """Those of a known type whose own keys are good, also beside one that nobody knows."""
    notifiers, session = load_notifiers(), Session()
    for channel in parts.channels:
        if channel.type in notifiers and isinstance(channel.settings, notifiers[channel.type].settings):
            with _noting(found, channel.key, f"channels.{channel.name}"):
                notifiers[channel.type].build(channel.name, channel.settings, session)


@contextmanager
def _noting(found: Document, key: str, called: str | None = None) -> Iterator[None]:
    """Note what fails under ``key``, which the code that fails knows as ``called``."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            below = problem.key.removeprefix(called or key)
            found.fault(key + below if below != problem.key else key, problem.what)
    except (ValueError, OSError) as error:
        found.blame(key, error)


def tls_context(settings: SyslogTls) -> ssl.SSLContext:
    """The certificate of the TLS receiver as it is on disk now. Raises `ConfigError`."""
    try:
        return tls.make_context(settings.cert_file, settings.key_file, settings.client_ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem("receivers.syslog_tls", str(error))]) from error
