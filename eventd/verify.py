"""What can be found wrong with a configuration only by trying it: handlers, channels, templates, certificates."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from eventd import heartbeat
from eventd.document import Document
from eventd.errors import ConfigError, Problem
from eventd.notify.session import Session
from eventd.notify.singly import try_each
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
    beats = parts.heartbeat
    _try(found, "heartbeat", beats, beats.far_end if isinstance(beats, heartbeat.Settings) else None)
    if getattr(beats, "alertmanager", False) and not any(channel.type == "alertmanager" for channel in parts.channels):
        found.fault("heartbeat.alertmanager", "there is no channel of this type")
    return found.problems, handlers


def _try_channels(found: Document, parts: Parts) -> None:
    """Those of a known type, also where not all of their keys are good."""
    notifiers, session = load_notifiers(), Session()
    for channel in parts.channels:
        if (known := notifiers.get(channel.type)) is not None:
            whole = isinstance(channel.settings, known.settings)
            build = partial(known.build, channel.name, channel.settings, session) if whole else None
            _try(found, channel.key, channel.settings, build, f"channels.{channel.name}")


def _try(
    found: Document, key: str, settings: Any, build: Callable[[], object] | None, called: str | None = None
) -> None:
    """Have something built of ``settings``. Where that fails, or cannot be begun (None), each of its keys is tried by
    itself, so that one mistake does not hide the next."""
    before = len(found.problems)
    if build is not None:
        with _noting(found, key, called):
            build()
    if build is None or len(found.problems) > before:
        with _noting(found, key):
            try_each(settings)


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
